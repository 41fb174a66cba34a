"""Derivatives along one axis by Fourier, sine and cosine series, through the fast transform.

A row of values is continued to a periodic one that has the symmetry of its edges: odd about
Dirichlet edges (a sine series), even about Neumann edges (a cosine series). There each wave
`exp(i k x)` is multiplied by `i k` or `-k^2`. Source: Trefethen, Spectral Methods in MATLAB
(2000), chapters 3 and 8.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.equations._axis import Axis, fitted


def derivative(u: jax.Array, at: int, axis: Axis) -> jax.Array:
    """du/dx of values that satisfy the conditions at the edges; the shape of `u`."""
    return _cut(_multiplied(_odd_or_even(u, at, axis), at, axis, 1), at, axis)


def second_derivative(u: jax.Array, at: int, axis: Axis) -> jax.Array:
    """d2u/dx2 of values that satisfy the conditions at the edges; the shape of `u`."""
    return _cut(_multiplied(_odd_or_even(u, at, axis), at, axis, 2), at, axis)


def flux_derivative(flux: jax.Array, at: int, axis: Axis) -> jax.Array:
    """The derivative of what vanishes at Neumann edges and is free at the others."""
    if axis.boundary == "neumann":
        whole = jnp.concatenate([flux, -jnp.flip(flux, at)], at)
    else:
        whole = _even(flux, at, axis, None)
    return _cut(_multiplied(whole, at, axis, 1), at, axis)


def flow(
    u: jax.Array,
    coefficient: jax.Array,
    rule: Callable[[Any], Any] | None,
    at: int,
    axis: Axis,
) -> jax.Array:
    """d/dx (D du/dx), of the shape of `u`.

    `coefficient` is D at the points, `rule` the function of `u` that it comes from, if any.
    """
    slope = _multiplied(_odd_or_even(u, at, axis), at, axis, 1)
    return _cut(_multiplied(_even(coefficient, at, axis, rule) * slope, at, axis, 1), at, axis)


def sine_weights(points: int) -> np.ndarray:
    """Weights `[points]` that integrate sine series over [0, 1] from `points` interior values."""
    wave = np.arange(1, points + 1)
    waves = np.sin(math.pi * np.outer(wave, wave) / (points + 1))
    whole = (1 - np.cos(math.pi * wave)) / (math.pi * wave)
    return 2 / (points + 1) * waves @ whole


def _odd_or_even(u: jax.Array, at: int, axis: Axis) -> jax.Array:
    """One period of the continuation of `u`."""
    if axis.boundary == "periodic":
        return u
    mirrored = jnp.flip(u, at)
    if axis.boundary == "neumann":
        return jnp.concatenate([u, mirrored], at)
    edge = jnp.zeros_like(jnp.take(u, np.array([0]), at))
    return jnp.concatenate([edge, u, edge, -mirrored], at)


def _even(value: jax.Array, at: int, axis: Axis, rule: Callable[[Any], Any] | None) -> jax.Array:
    """One period of the even continuation; at Dirichlet edges by a rule, else by interpolation."""
    if axis.boundary == "periodic":
        return value
    mirrored = jnp.flip(value, at)
    if axis.boundary == "neumann":
        return jnp.concatenate([value, mirrored], at)
    low, high = (
        jnp.sum(value * _along(weights, value, at), at, keepdims=True)
        for weights in _edge_weights(axis.points)
    )
    if rule is not None:
        low = high = fitted(rule(jnp.zeros_like(low)), low.shape, "the coefficient")
    return jnp.concatenate([low, value, high, mirrored], at)


def _edge_weights(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights that continue a cosine series from interior points to its two edges.

    Barycentric interpolation in cos(x): Berrut and Trefethen, Barycentric Lagrange Interpolation
    (2004), section 5.
    """
    angle = math.pi * np.arange(1, points + 1) / (points + 1)
    sign = (-1.0) ** np.arange(points)
    low, high = sign * (1 + np.cos(angle)), sign * (1 - np.cos(angle))
    return low / low.sum(), high / high.sum()


def _multiplied(whole: jax.Array, at: int, axis: Axis, order: int) -> jax.Array:
    """The derivative of one period."""
    count = whole.shape[at]
    period = axis.length if axis.boundary == "periodic" else 2 * axis.length
    real = not jnp.iscomplexobj(whole)
    wave = 2 * math.pi * (np.fft.rfftfreq if real else np.fft.fftfreq)(count, period / count)
    if order == 1 and count % 2 == 0:
        # The fastest wave of an even number of points is a cosine: its slope is zero at them all.
        wave[count // 2] = 0
    factor = _along((1j * wave) ** order, whole, at)
    if real:
        return jnp.fft.irfft(jnp.fft.rfft(whole, axis=at) * factor, count, at)
    return jnp.fft.ifft(jnp.fft.fft(whole, axis=at) * factor, axis=at)


def _cut(whole: jax.Array, at: int, axis: Axis) -> jax.Array:
    start = 1 if axis.boundary == "dirichlet" else 0
    return jax.lax.slice_in_dim(whole, start, start + axis.points, axis=at)


def _along(row: np.ndarray, like: jax.Array, at: int) -> jax.Array:
    """The row as an array of the precision of `like` that lies along one of its axes."""
    kind = jnp.result_type(like.dtype, jnp.complex64) if np.iscomplexobj(row) else like.dtype
    return jnp.expand_dims(jnp.asarray(row, kind), [k for k in range(like.ndim) if k != at])
