"""The rules: what each primitive of JAX becomes. To add one, write one function here.

A rule gets the walk, the equation and its inputs as wires, at least one of which is a stream. It
gives the wire of its output (a list where there are several), or raises `Inexpressible`.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird import neurons as sn
from snakebird.machines.tracing._walk import RULES, Rule, Walk, bind
from snakebird.machines.tracing._wires import Inexpressible, Shape, Wire, constant, plain

TINY = 1e-18
"""The floor of `reciprocal` here: its square is the least that single precision holds."""

LINEAR: dict[str, tuple[int, ...]] = {
    "cumsum": (0,), "dynamic_slice": (0,), "gather": (0,), "pad": (0, 1),
    "dynamic_update_slice": (0, 1), "scatter": (0, 2), "scatter-add": (0, 2),
}  # fmt: skip
"""Primitives that only move entries and add them up, and the inputs that are moved."""

MOVES: dict[str, Callable[..., Any]] = {
    "reshape": lambda x, p: np.reshape(x, p["new_sizes"]),
    "squeeze": lambda x, p: np.squeeze(x, p["dimensions"]),
    "transpose": lambda x, p: np.transpose(x, p["permutation"]),
    "broadcast_in_dim": lambda x, p: _broadcast(x, p["shape"], p["broadcast_dimensions"]),
    "slice": lambda x, p: x[_cuts(p["start_indices"], p["limit_indices"], p["strides"])],
    "rev": lambda x, p: np.flip(x, p["dimensions"]),
    "reduce_sum": lambda x, p: np.asarray(np.sum(x, p["axes"])),
}
"""The most frequent of them as functions of NumPy and their parameters."""

JOINS: dict[str, Callable[..., Any]] = {
    "concatenate": lambda xs, p: np.concatenate(xs, p["dimension"]),
    "stack": lambda xs, p: np.stack(xs, p["axis"]),
}
"""Those with any number of inputs."""

NAMED: dict[str, Callable[..., Any]] = {
    "exp": jnp.exp, "exp2": jnp.exp2, "expm1": jnp.expm1, "log": jnp.log, "log1p": jnp.log1p,
    "sqrt": jnp.sqrt, "rsqrt": jax.lax.rsqrt, "cbrt": jnp.cbrt, "pow": jnp.power, "tan": jnp.tan,
    "asin": jnp.arcsin, "acos": jnp.arccos, "atan": jnp.arctan, "atan2": jnp.arctan2,
    "sinh": jnp.sinh, "cosh": jnp.cosh, "asinh": jnp.arcsinh, "acosh": jnp.arccosh,
    "atanh": jnp.arctanh, "erf": jax.lax.erf, "floor": jnp.floor, "ceil": jnp.ceil, "rem": jax.lax.rem,
    "stop_gradient": jax.lax.stop_gradient,
}  # fmt: skip
"""Functions of single numbers that a call neuron computes under their own name."""

SAME = ("copy", "copy_p", "convert_element_type", "real", "reduce_precision", "pvary")
"""Primitives that give what they get, perhaps in another type of numbers."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for primitives of these names."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def _shape(equation: Any) -> Shape:
    return tuple(equation.outvars[0].aval.shape)


def _spread(walk: Walk, equation: Any, wire: Wire, shape: Shape) -> Wire:
    """A value at every entry of an array, as arithmetic has it."""
    if wire.shape == shape:
        return wire
    return walk.linear(equation, lambda x: np.broadcast_to(x, shape), [wire], (0,))


def _is_number(wire: Wire) -> bool:
    """Whether a constant is one and the same number everywhere."""
    return wire.value.size > 0 and bool(np.all(wire.value == wire.value.flat[0]))


def _infinite(wire: Wire) -> int:
    """1 or -1 for a constant that is infinite everywhere, else 0; streams are finite."""
    if not wire.known or not _is_number(wire) or not np.isinf(wire.value.flat[0]):
        return 0
    return 1 if wire.value.flat[0] > 0 else -1


def _broadcast(x: Any, shape: Shape, axes: tuple[int, ...]) -> np.ndarray:
    wide = [x.shape[axes.index(k)] if k in axes else 1 for k in range(len(shape))]
    return np.broadcast_to(np.reshape(x, wide), shape)


def _cuts(first: Any, last: Any, strides: Any) -> tuple[slice, ...]:
    steps = strides or (1,) * len(first)
    return tuple(slice(*cut) for cut in zip(first, last, steps, strict=True))


@rule(*MOVES)
def _move(walk: Walk, equation: Any, x: Wire) -> Wire:
    name = equation.primitive.name
    move = lambda v: MOVES[name](v, equation.params)
    return walk.linear(equation, move, [x], (0,), renames=name in ("reshape", "squeeze"))


@rule(*JOINS)
def _join(walk: Walk, equation: Any, *wires: Wire) -> Wire:
    join = JOINS[equation.primitive.name]
    return walk.linear(equation, lambda *v: join(v, equation.params), wires, range(len(wires)))


@rule("split")
def _split(walk: Walk, equation: Any, x: Wire) -> list[Wire]:
    ends, axis = np.cumsum(equation.params["sizes"])[:-1], equation.params["axis"]
    return [
        walk.linear(equation, lambda v, k=k: np.split(v, ends, axis)[k], [x], (0,))
        for k in range(len(equation.outvars))
    ]


@rule(*LINEAR)
def _linear(walk: Walk, equation: Any, *wires: Wire) -> Wire:
    slots = LINEAR[equation.primitive.name]
    if not all(wire.known for k, wire in enumerate(wires) if k not in slots):
        raise Inexpressible("which entries it takes depends on a stream")
    kinds = [var.aval.dtype for var in equation.invars]

    def move(*values: Any) -> Any:
        typed = (jnp.asarray(x, None if k in slots else kinds[k]) for k, x in enumerate(values))
        return bind(equation, *typed)[0]

    return walk.linear(equation, move, wires, slots)


@rule(*SAME)
def _same(walk: Walk, equation: Any, x: Wire) -> Wire:
    old, new = equation.invars[0].aval.dtype, equation.outvars[0].aval.dtype
    if old.kind == "f" and new.kind in "iu":
        raise Inexpressible(f"numbers become whole ones ({new})")
    if new.kind == "b" and old.kind != "b":
        return _unequal(walk, equation, x, constant(np.zeros(x.shape)))
    return x


@rule("add", "add_any")
def _add(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    shape = _shape(equation)
    return _spread(walk, equation, x, shape).plus(_spread(walk, equation, y, shape))


@rule("sub")
def _sub(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    return _add(walk, equation, x, y.scaled(-1))


@rule("neg")
def _neg(walk: Walk, equation: Any, x: Wire) -> Wire:
    return x.scaled(-1)


@rule("mul")
def _mul(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    shape = _shape(equation)
    if x.known:
        x, y = y, x
    if not y.known:
        x, y = (_spread(walk, equation, w, shape) if w.shape else w for w in (x, y))
        return walk.product(x, y, shape)
    if _is_number(y):
        return _spread(walk, equation, x, shape).scaled(plain(y.value.flat[0]))
    return walk.linear(equation, lambda v: v * y.value, [x], (0,), free=True)


@rule("div")
def _div(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    if y.known:
        if not np.all(y.value):
            raise Inexpressible("a stream is divided by a constant that is zero")
        return _mul(walk, equation, x, constant(1 / y.value))
    inverse = walk.neuron(sn.reciprocal, {"x": y}, y.shape, {"floor": TINY})
    return _mul(walk, equation, x, inverse)


@rule("square")
def _square(walk: Walk, equation: Any, x: Wire) -> Wire:
    return walk.product(x, x, x.shape)


@rule("integer_pow")
def _power(walk: Walk, equation: Any, x: Wire) -> Wire:
    y = equation.params["y"]
    if y < 0:
        x = walk.neuron(sn.reciprocal, {"x": x}, x.shape, {"floor": TINY})
    return _to_power(walk, x, abs(y))


def _to_power(walk: Walk, x: Wire, y: int) -> Wire:
    if y == 1:
        return x
    half = _to_power(walk, x, y // 2)
    even = walk.product(half, half, x.shape)
    return walk.product(even, x, x.shape) if y % 2 else even


@rule("abs")
def _abs(walk: Walk, equation: Any, x: Wire) -> Wire:
    return walk.neuron(sn.absolute, {"x": x}, x.shape)


@rule("tanh")
def _tanh(walk: Walk, equation: Any, x: Wire) -> Wire:
    return walk.neuron(sn.tanh, {"x": x}, x.shape)


@rule("logistic", "sin", "cos")
def _of_the_root(walk: Walk, equation: Any, x: Wire) -> Wire:
    kinds = {"logistic": sn.sigmoid, "sin": sn.sine, "cos": sn.cosine}
    shape = {"shape": x.shape} if x.shape else {}
    return walk.neuron(kinds[equation.primitive.name], {"x": x}, x.shape, shape)


@rule("sign")
def _sign(walk: Walk, equation: Any, x: Wire) -> Wire:
    return walk.step(x).plus(walk.step(x.scaled(-1)).scaled(-1))


@rule("max", "min")
def _extreme(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    shape, larger = _shape(equation), equation.primitive.name == "max"
    x, y = (_spread(walk, equation, wire, shape) for wire in (x, y))
    if any(_infinite(wire) == (-1 if larger else 1) for wire in (x, y)):
        return y if x.known else x
    if larger and any(wire.known and not wire.value.any() for wire in (x, y)):
        return walk.neuron(sn.relu, {"x": y if x.known else x}, shape)
    return walk.neuron(sn.maximum if larger else sn.minimum, {"x": x, "y": y}, shape)


@rule("clamp")
def _clamp(walk: Walk, equation: Any, low: Wire, x: Wire, high: Wire) -> Wire:
    low, high = (_spread(walk, equation, wire, x.shape) for wire in (low, high))
    above = walk.neuron(sn.maximum, {"x": low, "y": x}, x.shape)
    return walk.neuron(sn.minimum, {"x": above, "y": high}, x.shape)


@rule(*NAMED)
def _named(walk: Walk, equation: Any, *wires: Wire) -> Wire:
    shape, names = _shape(equation), "xy"[: len(wires)]
    given = {n: _spread(walk, equation, wire, shape) for n, wire in zip(names, wires, strict=True)}
    kind = _call(NAMED[equation.primitive.name], tuple(names), shape)
    return walk.neuron(kind, given, shape)


@lru_cache(maxsize=256)
def _call(function: Callable[..., Any], names: tuple[str, ...], shape: Shape) -> Any:
    shapes = dict.fromkeys(names, shape) if shape else None
    return sn.call_neuron(function, inputs=names, shapes=shapes, train=False)


@rule("gt", "lt", "ge", "le")
def _compare(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    name = equation.primitive.name
    above, below = (x, y) if name in ("gt", "le") else (y, x)
    if sign := _infinite(above) - _infinite(below):
        truth = (sign > 0) == (name in ("gt", "lt"))
        return constant(np.full(_shape(equation), int(truth)))
    strict = walk.step(_add(walk, equation, above, below.scaled(-1)))
    return strict if name in ("gt", "lt") else _opposite(strict)


def _opposite(truth: Wire) -> Wire:
    return constant(np.ones(truth.shape, int)).plus(truth.scaled(-1))


@rule("ne", "xor")
def _unequal(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    if _infinite(x) or _infinite(y):
        return constant(np.ones(_shape(equation), int))
    gap = _add(walk, equation, x, y.scaled(-1))
    return walk.step(walk.neuron(sn.absolute, {"x": gap}, gap.shape))


@rule("eq")
def _equal(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    return _opposite(_unequal(walk, equation, x, y))


@rule("and", "or")
def _both(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    if equation.invars[0].aval.dtype.kind != "b":
        raise Inexpressible("bits of whole numbers are no streams")
    if equation.primitive.name == "and":
        return _mul(walk, equation, x, y)
    return _opposite(_mul(walk, equation, _opposite(x), _opposite(y)))


@rule("not")
def _not(walk: Walk, equation: Any, x: Wire) -> Wire:
    if equation.invars[0].aval.dtype.kind != "b":
        raise Inexpressible("bits of whole numbers are no streams")
    return _opposite(x)


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
    """Whether an index is 0 or 1: a step, or what is missing from one."""
    kinds = {part.origin.node._neuron.type.name for part in which.parts}
    return len(which.parts) == 1 and kinds <= {"step"} and not which.offset


def _weights(walk: Walk, which: Wire, count: int, is_truth: bool) -> list[Wire]:
    """For each case 1 where it is the one, else 0."""
    if count == 2 and is_truth:
        return [_opposite(which), which]
    half = lambda k: which.plus(constant(np.full(which.shape, 0.5 - k)))
    least = [walk.step(half(k)) for k in range(1, count)]
    inner = [a.plus(b.scaled(-1)) for a, b in pairwise(least)]
    return [_opposite(least[0]), *inner, least[-1]]


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
    if _is_number(case):
        return _spread(walk, equation, weight, shape).scaled(plain(case.value.flat[0]))
    return walk.linear(equation, lambda v: v * case.value, [weight], (0,), free=True)


@rule("dot_general")
def _dot(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    (left, right), (batch, _) = equation.params["dimension_numbers"]
    if x.known or y.known:
        dot = lambda a, b: np.asarray(np.tensordot(a, b, (left, right)))
        if batch:
            numbers = equation.params["dimension_numbers"]
            dot = lambda a, b: jax.lax.dot_general(jnp.asarray(a), jnp.asarray(b), numbers)
        if x.known:
            return walk.linear(equation, lambda v: dot(x.value, v), [y], (0,), free=True)
        return walk.linear(equation, lambda v: dot(v, y.value), [x], (0,), free=True)
    axes, ranks = (tuple(left), tuple(right)), (len(x.shape), len(y.shape))
    if axes == ((0,), (0,)) and ranks == (1, 1):
        return walk.neuron(sn.inner, {"x": x, "y": y}, _shape(equation))
    if axes == ((), ()) and not batch:
        return walk.neuron(sn.outer, {"x": x, "y": y}, _shape(equation))
    if axes == ((ranks[0] - 1,), (0,)) and max(ranks) == 2:
        return walk.neuron(sn.matrix_product, {"x": x, "y": y}, _shape(equation))
    raise Inexpressible("it is neither an inner, an outer nor a matrix product")


@rule("reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or")
def _reduce(walk: Walk, equation: Any, x: Wire) -> Wire:
    name = equation.primitive.name.removeprefix("reduce_")
    kinds = {"max": sn.maximum, "or": sn.maximum, "prod": sn.product}
    axes = equation.params["axes"]
    rest = _shape(equation)
    front = lambda v: np.moveaxis(v, axes, range(len(axes))).reshape(-1, *rest)
    if len(axes) == 1:
        return _combined(walk, equation, kinds.get(name, sn.minimum), x, axes[0])
    rows = walk.linear(equation, front, [x], (0,))
    return _combined(walk, equation, kinds.get(name, sn.minimum), rows, 0)


def _combined(walk: Walk, equation: Any, kind: Any, x: Wire, axis: int) -> Wire:
    """All entries along an axis combined, each half of them with the other half."""
    size = x.shape[axis]
    if size == 0:
        raise Inexpressible("there is nothing to combine")

    def cut(low: int, high: int) -> Wire:
        part = lambda v: np.take(v, range(low, high), axis)
        sole = lambda v: np.asarray(np.take(v, low, axis))
        return walk.linear(equation, sole if high - low == 1 else part, [x], (0,))

    half = size // 2
    if half == 0:
        return cut(0, 1)
    first, second = cut(0, half), cut(half, 2 * half)
    both = walk.neuron(kind, {"x": first, "y": second}, first.shape)
    both = _combined(walk, equation, kind, both, axis) if half > 1 else both
    if size == 2 * half:
        return both
    return walk.neuron(kind, {"x": both, "y": cut(size - 1, size)}, both.shape)
