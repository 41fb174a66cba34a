"""The rules of what decides: comparisons, logic, `where`, branches; and conversions.

Truth is 1, else 0.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from snakebird import neurons as sn
from snakebird.machines.tracing._rule import infinite, is_number, result_shape, rule, spread
from snakebird.machines.tracing._rules import add, mul
from snakebird.machines.tracing._walk import Walk
from snakebird.machines.tracing._wires import Inexpressible, Shape, Wire, constant, plain

SAME = ("copy", "copy_p", "convert_element_type", "real", "reduce_precision", "pvary")
"""Primitives that give what they get, perhaps in another type of numbers."""


def opposite(truth: Wire) -> Wire:
    """1 where there was 0, and 0 where there was 1."""
    return constant(np.ones(truth.shape, int)).plus(truth.scaled(-1))


@rule("gt", "lt", "ge", "le")
def _compare(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    name = equation.primitive.name
    above, below = (x, y) if name in ("gt", "le") else (y, x)
    if sign := infinite(above) - infinite(below):
        truth = (sign > 0) == (name in ("gt", "lt"))
        return constant(np.full(result_shape(equation), int(truth)))
    strict = walk.step(add(walk, equation, above, below.scaled(-1)))
    return strict if name in ("gt", "lt") else opposite(strict)


@rule("ne", "xor")
def _unequal(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    if infinite(x) or infinite(y):
        return constant(np.ones(result_shape(equation), int))
    gap = add(walk, equation, x, y.scaled(-1))
    return walk.step(walk.neuron(sn.absolute, {"x": gap}, gap.shape))


@rule("eq")
def _equal(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    return opposite(_unequal(walk, equation, x, y))


@rule("and", "or")
def _both(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    if equation.invars[0].aval.dtype.kind != "b":
        raise Inexpressible("bits of whole numbers are no streams")
    if equation.primitive.name == "and":
        return mul(walk, equation, x, y)
    return opposite(mul(walk, equation, opposite(x), opposite(y)))


@rule("not")
def _not(walk: Walk, equation: Any, x: Wire) -> Wire:
    if equation.invars[0].aval.dtype.kind != "b":
        raise Inexpressible("bits of whole numbers are no streams")
    return opposite(x)


@rule("select_n")
def _select(walk: Walk, equation: Any, which: Wire, *cases: Wire) -> Wire:
    if which.known:
        at = which.value.astype(int)
        choose = lambda *values: np.choose(at, values)
        return walk.linear(equation, choose, cases, range(len(cases)))
    is_truth = equation.invars[0].aval.dtype.kind == "b"
    return _chosen(walk, equation, _weights(walk, which, len(cases), is_truth), cases)


@rule("cond")
def _cond(walk: Walk, equation: Any, which: Wire, *operands: Wire) -> Any:
    branches = equation.params["branches"]
    if which.known:
        return walk.within(branches[int(np.clip(which.value, 0, len(branches) - 1))], operands)
    weights = _weights(walk, which, len(branches), _made_of_truth(which))
    outs = zip(*(walk.within(branch, operands) for branch in branches), strict=True)
    return [_chosen(walk, equation, weights, cases) for cases in outs]


def _made_of_truth(which: Wire) -> bool:
    """Whether an index is 0 or 1: the output of a step and nothing else."""
    if len(which.parts) != 1 or which.value.any():
        return False
    (part,) = which.parts
    return part.weight == 1 and part.map is None and part.origin.node._neuron.type is sn.step


def _weights(walk: Walk, which: Wire, count: int, is_truth: bool) -> list[Wire]:
    """For each case 1 where it is the one, else 0."""
    if count == 2 and is_truth:
        return [opposite(which), which]
    half = lambda k: which.plus(constant(np.full(which.shape, 0.5 - k)))
    least = [walk.step(half(k)) for k in range(1, count)]
    inner = [a.plus(b.scaled(-1)) for a, b in pairwise(least)]
    return [opposite(least[0]), *inner, least[-1]]


def _chosen(walk: Walk, equation: Any, weights: list[Wire], cases: Any) -> Wire:
    """The sum of all cases, each times its weight."""
    shape = cases[0].shape
    terms = [
        _weighted(walk, equation, weight, case, shape)
        for weight, case in zip(weights, cases, strict=True)
        if not (case.known and not case.value.any())
    ]
    total = Wire(shape)
    for term in terms:
        total = total.plus(term)
    return total


def _weighted(walk: Walk, equation: Any, weight: Wire, case: Wire, shape: Shape) -> Wire:
    if not case.known:
        return walk.product(weight, case, shape)
    if is_number(case):
        return spread(walk, equation, weight, shape).scaled(plain(case.value.flat[0]))
    return walk.linear(equation, lambda v: v * case.value, [weight], (0,), free=True)


@rule(*SAME)
def _same(walk: Walk, equation: Any, x: Wire) -> Wire:
    old, new = equation.invars[0].aval.dtype, equation.outvars[0].aval.dtype
    if old.kind == "f" and new.kind in "iu":
        raise Inexpressible(f"numbers become whole ones ({new})")
    if new.kind == "b" and old.kind != "b":
        return _unequal(walk, equation, x, constant(np.zeros(x.shape)))
    return x
