"""The rules: what a primitive of JAX becomes. To add one, write one function here.

A rule gets the walk, the equation and its inputs as wires, at least one of which is a stream. It
gives the wire of its output (a list where there are several), or raises `Inexpressible`. Those of
arrays are in `_moves.py`, those of decisions in `_choices.py`.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird import neurons as sn
from snakebird.machines.tracing._rule import infinite, is_number, result_shape, rule, spread
from snakebird.machines.tracing._walk import Walk
from snakebird.machines.tracing._wires import Inexpressible, Shape, Wire, constant, plain

TINY = 1e-18
"""The floor of `reciprocal` here: its square is the least that single precision holds."""


NAMED: dict[str, Callable[..., Any]] = {
    "exp": jnp.exp, "exp2": jnp.exp2, "expm1": jnp.expm1, "log": jnp.log, "log1p": jnp.log1p,
    "sqrt": jnp.sqrt, "rsqrt": jax.lax.rsqrt, "cbrt": jnp.cbrt, "pow": jnp.power, "tan": jnp.tan,
    "asin": jnp.arcsin, "acos": jnp.arccos, "atan": jnp.arctan, "atan2": jnp.arctan2,
    "sinh": jnp.sinh, "cosh": jnp.cosh, "asinh": jnp.arcsinh, "acosh": jnp.arccosh,
    "atanh": jnp.arctanh, "erf": jax.lax.erf, "floor": jnp.floor, "ceil": jnp.ceil,
    "rem": jax.lax.rem, "stop_gradient": jax.lax.stop_gradient,
}  # fmt: skip
"""Functions of single numbers that a call neuron computes under their own name."""


@rule("add", "add_any")
def add(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    shape = result_shape(equation)
    return spread(walk, equation, x, shape).plus(spread(walk, equation, y, shape))


@rule("sub")
def _sub(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    return add(walk, equation, x, y.scaled(-1))


@rule("neg")
def _neg(walk: Walk, equation: Any, x: Wire) -> Wire:
    return x.scaled(-1)


@rule("mul")
def mul(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    shape = result_shape(equation)
    if x.known:
        x, y = y, x
    if not y.known:
        x, y = (spread(walk, equation, w, shape) if w.shape else w for w in (x, y))
        return walk.product(x, y, shape)
    if is_number(y):
        return spread(walk, equation, x, shape).scaled(plain(y.value.flat[0]))
    return walk.linear(equation, lambda v: v * y.value, [x], (0,), free=True)


@rule("div")
def _div(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    if y.known:
        if not np.all(y.value):
            raise Inexpressible("a stream is divided by a constant that is zero")
        return mul(walk, equation, x, constant(1 / y.value))
    inverse = walk.neuron(sn.reciprocal, {"x": y}, y.shape, {"floor": TINY})
    return mul(walk, equation, x, inverse)


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
    shape, larger = result_shape(equation), equation.primitive.name == "max"
    x, y = (spread(walk, equation, wire, shape) for wire in (x, y))
    if any(infinite(wire) == (-1 if larger else 1) for wire in (x, y)):
        return y if x.known else x
    if larger and any(wire.known and not wire.value.any() for wire in (x, y)):
        return walk.neuron(sn.relu, {"x": y if x.known else x}, shape)
    return walk.neuron(sn.maximum if larger else sn.minimum, {"x": x, "y": y}, shape)


@rule("clamp")
def _clamp(walk: Walk, equation: Any, low: Wire, x: Wire, high: Wire) -> Wire:
    low, high = (spread(walk, equation, wire, x.shape) for wire in (low, high))
    above = walk.neuron(sn.maximum, {"x": low, "y": x}, x.shape)
    return walk.neuron(sn.minimum, {"x": above, "y": high}, x.shape)


@rule(*NAMED)
def _named(walk: Walk, equation: Any, *wires: Wire) -> Wire:
    shape, names = result_shape(equation), "xy"[: len(wires)]
    given = {n: spread(walk, equation, wire, shape) for n, wire in zip(names, wires, strict=True)}
    kind = _call(NAMED[equation.primitive.name], tuple(names), shape)
    return walk.neuron(kind, given, shape)


@lru_cache(maxsize=256)
def _call(function: Callable[..., Any], names: tuple[str, ...], shape: Shape) -> Any:
    shapes = dict.fromkeys(names, shape) if shape else None
    return sn.call_neuron(function, inputs=names, shapes=shapes, train=False)
