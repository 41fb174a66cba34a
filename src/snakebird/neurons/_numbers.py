"""Functions of one or two numbers that stay exact on Python numbers and fractions."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from snakebird import vvalues as vv

Function = Callable[[Any], Any]


def on_number(exact: Function, array: Function) -> Function:
    """A function that uses `exact` on Python numbers and fractions and `array` on arrays."""
    return lambda x: exact(x) if vv.is_exact(x) else array(x)


relu = on_number(lambda x: max(x, 0), jax.nn.relu)
absolute = on_number(abs, jnp.abs)
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
    """The number or array at the root of a value; zeros of `shape` where there is none."""
    found = vv.number(value)
    if shape and vv.shape_of(found) != tuple(shape):
        return jnp.broadcast_to(jnp.asarray(found, float), shape)
    return found
