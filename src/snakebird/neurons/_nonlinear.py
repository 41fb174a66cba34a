"""Neurons that bend: elementwise functions, comparisons, norms, softmax.

Functions with f(0) = 0 act on every number of a tree. The others (sigmoid, sine, cosine) act on
the number or array at the root alone, since a tree has infinitely many zeros; for an array give
its `shape`, so that a missing one counts as zeros of that shape.
"""

from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp

from snakebird import vvalues as vv
from snakebird.neurons import _numbers as num
from snakebird.neurons._type import neuron

Shape = tuple[int, ...]
Surrogate = Literal["none", "straight", "sigmoid", "triangle"]


@neuron
def relu(x: vv.VValue) -> vv.VValue:
    """The positive part of every number; the gradient at 0 is 0."""
    return vv.map_numbers(num.relu, x)


@neuron
def absolute(x: vv.VValue) -> vv.VValue:
    """The size of every number."""
    return vv.map_numbers(num.absolute, x)


@neuron
def tanh(x: vv.VValue) -> vv.VValue:
    """The hyperbolic tangent of every number."""
    return vv.map_numbers(num.tanh, x)


@neuron
def maximum(x: vv.VValue, y: vv.VValue) -> vv.VValue:
    """The larger number at every path; a missing one is 0."""
    return vv.combine(num.maximum, x, y)


@neuron
def minimum(x: vv.VValue, y: vv.VValue) -> vv.VValue:
    """The smaller number at every path; a missing one is 0."""
    return vv.combine(num.minimum, x, y)


@neuron
def clip(x: vv.VValue, *, low: Any = -1.0, high: Any = 1.0) -> vv.VValue:
    """Every number that is not zero, brought between `low` and `high`; zeros stay zeros."""

    def bounded(n: Any) -> Any:
        if vv.is_exact(n) and vv.is_exact(low) and vv.is_exact(high):
            return min(max(n, low), high)
        return jnp.where(n == 0, 0, jnp.clip(n, low, high))

    return vv.map_numbers(bounded, x)


@neuron
def step(x: vv.VValue, *, surrogate: str = "sigmoid", width: Any = 1.0) -> vv.VValue:
    """1 for every number above zero, else 0; its true gradient is 0, so one is chosen for training.

    `surrogate`: "none" (0), "straight" (1), "sigmoid" (the slope of a sigmoid of that `width`) or
    "triangle" (1 at zero, falling to 0 at `width`).
    """

    def exact(n: Any) -> Any:
        return 1 if n > 0 else 0

    return vv.map_numbers(num.on_number(exact, lambda n: _step(surrogate, n, width)), x)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _step(surrogate: Surrogate, x: jax.Array, width: Any) -> jax.Array:
    return jnp.where(x > 0, jnp.ones_like(x), jnp.zeros_like(x))


@_step.defjvp
def _step_jvp(surrogate: Surrogate, primals: Any, tangents: Any) -> Any:
    x, width = primals
    if surrogate == "straight":
        slope = jnp.ones_like(x)
    elif surrogate == "sigmoid":
        bent = jax.nn.sigmoid(4 * x / width)
        slope = 4 * bent * (1 - bent)
    elif surrogate == "triangle":
        slope = jax.nn.relu(1 - jnp.abs(x) / width)
    else:
        slope = jnp.zeros_like(x)
    return _step(surrogate, x, width), slope * tangents[0]


@neuron(outputs=("true", "false"))
def compare(x: vv.VValue, y: vv.VValue) -> vv.VValue:
    """How far one number is above the other: `true = relu(x - y)`, `false = relu(y - x)`."""
    gap = vv.number(x) - vv.number(y)
    return {"true": num.relu(gap), "false": num.relu(-gap)}


@neuron(outputs=("true", "false"))
def less_or_equal(left: vv.VValue, right: vv.VValue) -> vv.VValue:
    """1 on `true` where every number of `left` is at most that of `right`, else 1 on `false`."""
    above = vv.max_norm(vv.map_numbers(num.relu, vv.lin_comb([1, -1], [left, right])))
    holds = 1 - (above > 0) if vv.is_exact(above) else jnp.where(above > 0, 0.0, 1.0)
    return {"true": holds, "false": 1 - holds}


@neuron
def sigmoid(x: vv.VValue, *, shape: Shape = ()) -> vv.VValue:
    """The logistic function of the root number: 1/2 where there is none."""
    return num.sigmoid(num.root(x, shape))


@neuron
def sine(x: vv.VValue, *, frequency: Any = 1.0, phase: Any = 0.0, shape: Shape = ()) -> vv.VValue:
    """A unit generator: `sin(frequency * x + phase)` of the root number."""
    return num.sin(frequency * num.root(x, shape) + phase)


@neuron
def cosine(x: vv.VValue, *, frequency: Any = 1.0, phase: Any = 0.0, shape: Shape = ()) -> vv.VValue:
    """A unit generator: `cos(frequency * x + phase)` of the root number."""
    return num.cos(frequency * num.root(x, shape) + phase)


@neuron
def reciprocal(x: vv.VValue, *, floor: Any = 1e-6) -> vv.VValue:
    """`x / (x**2 + floor**2)` of every number: 1/x away from zero, 0 at zero."""
    return vv.map_numbers(lambda n: n / (n * n + floor * floor), x)


@neuron(outputs=("norm",))
def max_norm(x: vv.VValue) -> vv.VValue:
    """The largest absolute number of its input."""
    return vv.max_norm(x)


@neuron
def softmax(x: vv.VValue, *, keys: tuple[str, ...] = ()) -> vv.VValue:
    """The softmax over the numbers of a tree that are not zero, over `keys` if given, or over a root array."""
    array = vv.number(x)
    if vv.shape_of(array):
        return jax.nn.softmax(array, axis=-1)
    if keys:
        numbers = jnp.stack([jnp.asarray(vv.number(vv.get(x, key)), float) for key in keys])
        return dict(
            zip(keys, jax.nn.softmax(numbers), strict=True)
        )
    flat = vv.flatten(x)
    present = flat.data != 0
    logits = jnp.where(present, flat.data, -jnp.inf)
    top = jnp.max(logits, initial=-1e30)
    weights = jnp.where(present, jnp.exp(jnp.where(present, flat.data, 0) - top), 0)
    return vv.Flat(flat.space, weights / jnp.maximum(jnp.sum(weights), 1e-30))
