"""Functions of one or two numbers that stay exact on Python numbers and fractions."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp

from snakebird import vvalues as vv
from snakebird.errors import SpaceError

Function = Callable[[Any], Any]


def on_number(exact: Function, array: Function) -> Function:
    """A function that uses `exact` on Python numbers and fractions and `array` on arrays."""
    return lambda x: exact(x) if vv.is_exact(x) else array(x)


relu = on_number(lambda x: max(x, 0), jax.nn.relu)
# Its gradient at 0 is 0, where that of jnp.abs is 1.
absolute = on_number(abs, lambda x: x * jnp.sign(x))
tanh = on_number(math.tanh, jnp.tanh)
sin = on_number(math.sin, jnp.sin)
cos = on_number(math.cos, jnp.cos)
sigmoid = on_number(lambda x: 0.5 * (1 + math.tanh(0.5 * x)), jax.nn.sigmoid)


def maximum(x: Any, y: Any) -> Any:
    """The larger of two numbers."""
    return max(x, y) if vv.is_exact(x) and vv.is_exact(y) else jnp.maximum(x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two numbers."""
    return min(x, y) if vv.is_exact(x) and vv.is_exact(y) else jnp.minimum(x, y)


def root(value: vv.VValue, shape: tuple[int, ...] = ()) -> Any:
    """The number or array at the root of a value.

    With `shape` always an array of it: zeros where there is none, a number spread over it.
    Raises `SpaceError` where an array of another shape stands.
    """
    found = vv.number(value)
    if not shape or vv.shape_of(found) == tuple(shape):
        return found
    if vv.shape_of(found):
        raise SpaceError(
            f"an input has the shape {list(vv.shape_of(found))}, expected {list(shape)}",
            hint="give the neuron the shape= of what enters it",
        )
    return jnp.broadcast_to(float(found) if vv.is_exact(found) else found, shape)


def stack(numbers: Iterable[Any]) -> jax.Array:
    """One vector of numbers of any kind, in the dtype of those that are arrays."""
    return jnp.stack([jnp.asarray(1.0 * number) for number in numbers])


def leaves(value: vv.VValue) -> dict[vv.Path, jax.Array]:
    """Every leaf of a value of either carrier as an array of its shape, zeros included."""
    flat = vv.flatten(value)
    return {p: flat.data[flat.space.slot(p)].reshape(shape) for p, shape in flat.space.items}


def as_given(flat: vv.Flat, given: vv.VValue) -> vv.VValue:
    """A result on the carrier of the value it was made from."""
    return flat if isinstance(given, vv.Flat) else vv.unflatten(flat)
