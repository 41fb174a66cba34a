"""Help for tests: random machines and values for Hypothesis."""

from snakebird.testing._machines import (
    machines as machines,
    names as names,
    numbers as numbers,
    trees as trees,
)
from snakebird.testing._programs import programs as programs
