"""Central differences along one axis: slopes, curvatures, and the flow between points.

Every function takes which axis of the array is meant (`at`), and the values or slopes at its two
edges as arrays of one slice, or None where the axis is periodic. Source: LeVeque, Finite
Difference Methods (2007), sections 1.2 and 2.12; fluxes: Hundsdorfer and Verwer, Numerical
Solution of Time-Dependent Advection-Diffusion-Reaction Equations (2003), section I.5.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.equations._axis import Axis, fitted

Ends = tuple[jax.Array, jax.Array] | None

# Weights of neighbors, for orders 2 and 4; halfway between points for the last two.
_SLOPE = {2: (-1 / 2, 0.0, 1 / 2), 4: (1 / 12, -2 / 3, 0.0, 2 / 3, -1 / 12)}
_CURVE = {2: (1.0, -2.0, 1.0), 4: (-1 / 12, 4 / 3, -5 / 2, 4 / 3, -1 / 12)}
_HALF_SLOPE = {2: (-1.0, 1.0), 4: (1 / 24, -9 / 8, 9 / 8, -1 / 24)}
_HALF_MEAN = {2: (1 / 2, 1 / 2), 4: (-1 / 16, 9 / 16, 9 / 16, -1 / 16)}


def derivative(u: jax.Array, at: int, axis: Axis, order: int, ends: Ends) -> jax.Array:
    """du/dx, of the shape of `u`."""
    return _weighted(_padded(u, at, axis, ends, order // 2), _SLOPE[order], at) / axis.step


def second_derivative(u: jax.Array, at: int, axis: Axis, order: int, ends: Ends) -> jax.Array:
    """d2u/dx2, of the shape of `u`."""
    return _weighted(_padded(u, at, axis, ends, order // 2), _CURVE[order], at) / axis.step**2


def flux_derivative(flux: jax.Array, at: int, axis: Axis, order: int) -> jax.Array:
    """The derivative of values without conditions at the edges; one-sided there, of order 2."""
    if axis.boundary == "periodic":
        return derivative(flux, at, axis, order, None)
    # A parabola through the outermost three.
    return _weighted(_beyond(flux, at, (3.0, -3.0, 1.0)), _SLOPE[2], at) / axis.step


def flow(
    u: jax.Array,
    coefficient: jax.Array,
    rule: Callable[[Any], Any] | None,
    at: int,
    axis: Axis,
    order: int,
    ends: Ends,
) -> jax.Array:
    """d/dx (D du/dx) as differences of the fluxes halfway between points, of the shape of `u`.

    `coefficient` is D at the points, `rule` the function of `u` that it comes from, if any.
    """
    width = 1 if order == 2 else 3
    wide = _padded(u, at, axis, ends, width)
    if ends is None:
        held = _padded(coefficient, at, axis, None, width)
    elif rule is None and axis.boundary == "neumann":
        # A line through the outermost two, since the slope at the edge may be given.
        held = _beyond(coefficient, at, (2.0, -1.0))
    elif rule is None:
        held = grown(coefficient, wide.shape)
    else:
        past = [jnp.take(wide, np.array([k]), at) for k in (0, axis.points + 1)]
        low, high = (fitted(rule(v), v.shape, "the coefficient") for v in past)
        held = jnp.concatenate([low, coefficient, high], at)
    flux = _weighted(held, _HALF_MEAN[order], at) * _weighted(wide, _HALF_SLOPE[order], at)
    return _weighted(flux, _HALF_SLOPE[order], at) / axis.step**2


def grown(value: jax.Array, shape: Sequence[int], *, but: int | None = None) -> jax.Array:
    """The value repeated evenly past its edges to a shape, in all axes but one."""
    more = [
        0 if k == but else (wide - own) // 2
        for k, (wide, own) in enumerate(zip(shape, value.shape, strict=True))
    ]
    return jnp.pad(value, [(k, k) for k in more], mode="edge")


def _padded(u: jax.Array, at: int, axis: Axis, ends: Ends, width: int) -> jax.Array:
    """The values with those past the edges: repeated, given, or continued by the slope."""
    cut = lambda start, stop: jax.lax.slice_in_dim(u, start, stop, axis=at)
    count = axis.points
    if ends is None:
        return jnp.concatenate([cut(count - width, count), u, cut(0, width)], at)
    low, high = ends
    if axis.boundary == "neumann":
        low, high = cut(0, 1) - axis.step * low, cut(count - 1, count) + axis.step * high
    return jnp.concatenate([low, u, high], at)


def _beyond(value: jax.Array, at: int, weights: tuple[float, ...]) -> jax.Array:
    """The values with one more at each edge, from the outermost ones by their weights."""
    count = np.arange(len(weights))
    low, high = (_weighted(jnp.take(value, k, at), weights, at) for k in (count, -1 - count))
    return jnp.concatenate([low, value, high], at)


def _weighted(u: jax.Array, weights: Sequence[float], at: int) -> jax.Array:
    """Sums of neighbors, weighted; one fewer of them than `u` has for each weight but one."""
    count = u.shape[at] - len(weights) + 1
    total = jnp.zeros_like(jax.lax.slice_in_dim(u, 0, count, axis=at))
    for k, weight in enumerate(weights):
        if weight:
            total = total + weight * jax.lax.slice_in_dim(u, k, k + count, axis=at)
    return total
