"""Learning to learn: rules that are trained on families of tasks."""

from snakebird.meta import tasks as tasks
from snakebird.meta._episode import Rule as Rule, episode as episode
from snakebird.meta._evaluate import Curve as Curve, evaluate as evaluate
from snakebird.meta._fit import MetaFit as MetaFit, Progress as Progress, fit as fit
from snakebird.meta._folder import Step as Step
from snakebird.meta._tasks import Sequences as Sequences, Tasks as Tasks, check_shapes as check_shapes
