"""How a rule is registered, and what rules have in common."""

from collections.abc import Callable
from typing import Any

import numpy as np

from snakebird.machines.tracing._walk import RULES, Rule, Walk
from snakebird.machines.tracing._wires import Shape, Wire


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for primitives of these names."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def result_shape(equation: Any) -> Shape:
    """The shape of the only output of an equation."""
    return tuple(equation.outvars[0].aval.shape)


def spread(walk: Walk, equation: Any, wire: Wire, shape: Shape) -> Wire:
    """A value at every entry of an array, as arithmetic has it."""
    if wire.shape == shape:
        return wire
    return walk.linear(equation, lambda x: np.broadcast_to(x, shape), [wire], (0,))


def is_number(wire: Wire) -> bool:
    """Whether a constant is one and the same number everywhere."""
    return wire.value.size > 0 and bool(np.all(wire.value == wire.value.flat[0]))


def infinite(wire: Wire) -> int:
    """1 or -1 for a constant that is infinite everywhere, else 0; streams are finite."""
    if not wire.known or not is_number(wire) or not np.isinf(wire.value.flat[0]):
        return 0
    return 1 if wire.value.flat[0] > 0 else -1
