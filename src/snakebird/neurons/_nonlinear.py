"""Neurons that bend: elementwise functions, comparisons, norms, softmax.

Functions with f(0) = 0 act on every number of a tree. The others (sigmoid, sine, cosine) act on
the number or array at the root alone, since a tree has infinitely many zeros; for an array give
its `shape`, so that a missing one counts as zeros of that shape.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from snakebird import vvalues as vv
from snakebird.errors import UnknownNameError, suggest
from snakebird.neurons import _numbers as num
from snakebird.neurons._define import neuron

Shape = tuple[int, ...]


@neuron
def relu(x: vv.VValue) -> vv.VValue:
    """The positive part of every number; the gradient at 0 is 0.

    >>> relu({"a": -1, "b": 2})
    {'b': 2}
    """
    return vv.map_numbers(num.relu, x)


@neuron
def absolute(x: vv.VValue) -> vv.VValue:
    """The size of every number; the gradient at 0 is 0.

    >>> absolute({"a": -1, "b": 2})
    {'a': 1, 'b': 2}
    """
    return vv.map_numbers(num.absolute, x)


@neuron
def tanh(x: vv.VValue) -> vv.VValue:
    """The hyperbolic tangent of every number.

    >>> round(tanh(1.0), 4)
    0.7616
    """
    return vv.map_numbers(num.tanh, x)


@neuron
def maximum(x: vv.VValue, y: vv.VValue) -> vv.VValue:
    """The larger number at every path; a missing one is 0.

    >>> maximum({"a": -1, "b": 2}, {"b": 5})
    {'b': 5}
    """
    return vv.combine(num.maximum, x, y)


@neuron
def minimum(x: vv.VValue, y: vv.VValue) -> vv.VValue:
    """The smaller number at every path; a missing one is 0.

    >>> minimum({"a": -1, "b": 2}, {"b": 5})
    {'a': -1, 'b': 2}
    """
    return vv.combine(num.minimum, x, y)


@neuron
def clip(x: vv.VValue, *, low: Any = -1.0, high: Any = 1.0) -> vv.VValue:
    """Every number that is not zero, brought between `low` and `high`; zeros stay zeros.

    >>> clip(low=0, high=3).apply({"x": {"a": -1, "b": 5, "c": 2}})
    {'result': {'b': 3, 'c': 2}}
    """

    def bounded(n: Any) -> Any:
        if vv.is_exact(n) and vv.is_exact(low) and vv.is_exact(high):
            return min(max(n, low), high)
        return jnp.where(n == 0, 0, jnp.clip(n, low, high))

    return vv.map_numbers(bounded, x)


def _known_surrogate(given: Mapping[str, Any]) -> None:
    surrogate = given["surrogate"]
    if surrogate not in SURROGATES:
        raise UnknownNameError(
            f"no surrogate is named {surrogate!r}",
            "neuron type step",
            suggest(surrogate, SURROGATES),
        )


@neuron(check=_known_surrogate)
def step(x: vv.VValue, *, surrogate: str = "sigmoid", width: Any = 1.0) -> vv.VValue:
    """1 for every number above zero, else 0; its true slope is 0, so one is chosen for training.

    `surrogate`: "none" (0), "straight" (1), "triangle" (1 at zero, falling to 0 at `width`) or
    "sigmoid" (the bell of a sigmoid's slope, 1 at zero, 0.07 at `width`).

    >>> step({"a": -1, "b": 0.5})
    {'b': 1}
    """
    exact = lambda n: 1 if n > 0 else 0
    return vv.map_numbers(num.on_number(exact, lambda n: _step(surrogate, n, width)), x)


def _bell(x: Any, width: Any) -> jax.Array:
    bent = jax.nn.sigmoid(4 * x / width)
    return 4 * bent * (1 - bent)


SURROGATES: dict[str, Callable[[Any, Any], jax.Array]] = {
    "none": lambda x, width: jnp.zeros_like(x),
    "straight": lambda x, width: jnp.ones_like(x),
    "sigmoid": _bell,
    "triangle": lambda x, width: jax.nn.relu(1 - jnp.abs(x) / width),
}
"""The slopes that may stand in for that of `step`, by name."""


def _above_zero(surrogate: str, x: Any, width: Any) -> jax.Array:
    return jnp.where(x > 0, jnp.ones_like(x), jnp.zeros_like(x))


def _step_jvp(surrogate: str, primals: Any, tangents: Any) -> Any:
    slope = SURROGATES[surrogate](*primals)
    return _step(surrogate, *primals), slope * tangents[0]


_step = jax.custom_jvp(_above_zero, nondiff_argnums=(0,))
_step.defjvp(_step_jvp)


@neuron(outputs=("true", "false"))
def compare(x: vv.VValue, y: vv.VValue) -> vv.VValue:
    """How far one number is above the other: `true = relu(x - y)`, `false = relu(y - x)`.

    >>> compare(5, 3)
    {'true': 2, 'false': 0}
    >>> compare(3, 5)
    {'true': 0, 'false': 2}
    """
    gap = vv.number(x) - vv.number(y)
    return {"true": num.relu(gap), "false": num.relu(-gap)}


@neuron(outputs=("true", "false"))
def less_or_equal(left: vv.VValue, right: vv.VValue) -> vv.VValue:
    """1 on `true` where every number of `left` is at most that of `right`, else 1 on `false`.

    >>> less_or_equal({"a": 1}, {"a": 2, "b": 1})
    {'true': 1, 'false': 0}
    """
    above = vv.max_norm(vv.map_numbers(num.relu, vv.lin_comb([1, -1], [left, right])))
    holds = 1 - (above > 0 if vv.is_exact(above) else (above > 0).astype(above.dtype))
    return {"true": holds, "false": 1 - holds}


@neuron
def sigmoid(x: vv.VValue, *, shape: Shape = ()) -> vv.VValue:
    """The logistic function of the root number: 1/2 where there is none.

    >>> sigmoid({})
    0.5
    """
    return num.sigmoid(num.root(x, shape))


@neuron
def sine(x: vv.VValue, *, frequency: Any = 1.0, phase: Any = 0.0, shape: Shape = ()) -> vv.VValue:
    """A unit generator: `sin(frequency * x + phase)` of the root number.

    >>> round(sine(phase=0.5).apply({"x": 1.0})["result"], 4)
    0.9975
    """
    return num.sin(frequency * num.root(x, shape) + phase)


@neuron
def cosine(x: vv.VValue, *, frequency: Any = 1.0, phase: Any = 0.0, shape: Shape = ()) -> vv.VValue:
    """A unit generator: `cos(frequency * x + phase)` of the root number.

    >>> cosine({})
    1.0
    """
    return num.cos(frequency * num.root(x, shape) + phase)


@neuron
def reciprocal(x: vv.VValue, *, floor: Any = 1e-6) -> vv.VValue:
    """`x / (x**2 + floor**2)` of every number: 1/x away from zero, 0 at zero.

    >>> round(reciprocal(4.0), 4), reciprocal(0.0)
    (0.25, {})
    """
    return vv.map_numbers(lambda n: n / (n * n + floor * floor), x)


@neuron(outputs=("norm",))
def max_norm(x: vv.VValue) -> vv.VValue:
    """The largest absolute number of its input.

    >>> max_norm({"a": -3, "b": {"c": 2}})
    3
    """
    return vv.max_norm(x)


@neuron
def softmax(x: vv.VValue, *, keys: tuple[str, ...] = (), shape: Shape = ()) -> vv.VValue:
    """The softmax of an array at the root along its last axis, or of the numbers of a tree.

    With `keys` it is taken over the numbers under these keys, with `shape` over an array of that
    shape, and what is missing counts as 0. Without them zero and missing are the same as
    everywhere: only a tree's numbers that are not zero take part, and a zero array gives zero.

    >>> float(softmax(keys=("a", "b")).apply({"x": {"a": 3.0, "b": 3.0}})["result"]["a"])
    0.5
    """
    if keys:
        logits = num.stack(vv.number(vv.get(x, key)) for key in keys)
        return dict(zip(keys, jax.nn.softmax(logits), strict=True))
    array = num.root(x, shape)
    if vv.shape_of(array):
        weights = jax.nn.softmax(jnp.asarray(array), axis=-1)
        return weights if shape else jnp.where(jnp.any(array != 0), weights, 0)
    flat = vv.flatten(x)
    present = flat.data != 0
    top = jnp.max(jnp.where(present, flat.data, -jnp.inf), initial=-1e30)
    powers = jnp.where(present, jnp.exp(jnp.where(present, flat.data - top, 0)), 0)
    weights = powers / jnp.maximum(jnp.sum(powers), 1e-30)
    return num.as_given(vv.Flat(flat.space, weights), x)
