"""Families of tasks to learn from."""

from snakebird.meta.tasks._bandits import Bandits as Bandits
from snakebird.meta.tasks._digits import DigitSequence as DigitSequence, load_digits as load_digits
from snakebird.meta.tasks._nets import NetTraining as NetTraining
from snakebird.meta.tasks._recall import Recall as Recall
from snakebird.meta.tasks._regression import (
    LinearRegression as LinearRegression,
    SwitchingRegression as SwitchingRegression,
)
from snakebird.meta.tasks._sinusoids import (
    Sinusoids as Sinusoids,
    SinusoidShots as SinusoidShots,
)
from snakebird.meta.tasks._supervised import Lesson as Lesson, Supervised as Supervised
