"""Learning to learn: rules that are trained on families of tasks."""

from snakebird.meta import _oracles as oracles, rules as rules, tasks as tasks
from snakebird.meta._episode import Rule as Rule, episode as episode
from snakebird.meta._evaluate import Curve as Curve, evaluate as evaluate
from snakebird.meta._fit import MetaFit as MetaFit, Progress as Progress, fit as fit
from snakebird.meta._folder import Step as Step
from snakebird.meta._learned import LearnedRule as LearnedRule, learned_rules as learned_rules
from snakebird.meta._optimizer import LearnedOptimizer as LearnedOptimizer
from snakebird.meta._plastic import Plastic as Plastic
from snakebird.meta._reading import RowUpdate as RowUpdate, read_update as read_update
from snakebird.meta._start import LearnedStart as LearnedStart
from snakebird.meta._tasks import (
    Sequences as Sequences,
    Tasks as Tasks,
    check_shapes as check_shapes,
)
from snakebird.meta.rules import MachineRule as MachineRule

__all__ = [
    "Curve",
    "LearnedOptimizer",
    "LearnedRule",
    "LearnedStart",
    "MachineRule",
    "MetaFit",
    "Plastic",
    "Progress",
    "RowUpdate",
    "Rule",
    "Sequences",
    "Step",
    "Tasks",
    "check_shapes",
    "episode",
    "evaluate",
    "fit",
    "learned_rules",
    "oracles",
    "read_update",
    "rules",
    "tasks",
]
