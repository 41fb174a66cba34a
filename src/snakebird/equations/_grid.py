"""Grids and operators on them: a partial differential equation becomes an ordinary one.

This is the method of lines: space is cut into points, time is left to a solver. Source:
Hundsdorfer and Verwer, Numerical Solution of Time-Dependent Advection-Diffusion-Reaction
Equations (2003), sections I.3 to I.5.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Inexact

from snakebird.equations import _differences as differences, _spectral as spectral
from snakebird.equations._axis import (
    WHERE,
    Axis,
    axes_of,
    check_points,
    fitted,
    fixed_pairs,
    nonzero_edges,
    pairs_of,
)
from snakebird.errors import InputError


class Grid(eqx.Module):
    """Points of an interval or a box, with the operators of partial differential equations.

    `low`, `high`, `points` and `boundary` are one for all axes, or tuples with one for each:
    `Grid(0, (1, 2), (32, 64))` is a box of two axes. Where the points of an axis lie depends on
    its boundary; with `n` points and `h` the spacing:

    | boundary | first and last point | spacing | edges hold |
    | --- | --- | --- | --- |
    | `periodic` | `low`, `high - h` | `(high - low) / n` | nothing |
    | `dirichlet` | `low + h`, `high - h` | `(high - low) / (n + 1)` | u at low and at high |
    | `neumann` | `low + h/2`, `high - h/2` | `(high - low) / n` | du/dx at low and at high |

    `edges` is a number, or for an axis a pair `(at low, at high)`; zero unless given. Operators
    that need them also take `edges=`, which then may be traced, and in two axes arrays along the
    edge.

    Operators work on the last axes of arrays `[..., *points]`, so on batches too.
    `method="difference"` uses central differences of `order` 2, or 4 where all axes are periodic:
    the error falls like `h**order`. `method="spectral"` uses Fourier series (periodic), sines
    (Dirichlet) or cosines (Neumann), with edges zero: exact for all waves that the points can
    tell apart, and for smooth functions that continue smoothly past the edges (odd about
    Dirichlet, even about Neumann edges) more accurate than any order.

    A grid holds no arrays, can be hashed, and takes no part in gradients.

    Raises `InputError` for a grid that cannot be made and for arrays that do not fit it, and
    `UnknownNameError` for an unknown boundary or method.

    >>> grid = Grid(0.0, 1.0, 25)
    >>> def field(t, u, args):  # the Fisher-KPP equation
    ...     return grid.diffusion(u, 0.01) + u * (1 - u)
    >>> field(0.0, jnp.exp(-50 * (grid.x - 0.5) ** 2), None).shape
    (25,)
    >>> grid
    Grid(0.0, 1.0, 25, 'periodic')
    """

    axes: tuple[Axis, ...] = eqx.field(static=True)
    edges: tuple[tuple[float, float], ...] = eqx.field(static=True)
    method: str = eqx.field(static=True)
    order: int = eqx.field(static=True)

    def __init__(
        self,
        low: float | Sequence[float],
        high: float | Sequence[float],
        points: int | Sequence[int],
        boundary: str | Sequence[str] = "periodic",
        *,
        method: str = "difference",
        order: int = 2,
        edges: Any = 0.0,
    ):
        self.axes = axes_of(low, high, points, boundary)
        check_points(self.axes, method, order)
        self.edges = fixed_pairs(edges, self.axes, method)
        self.method, self.order = method, order

    def __repr__(self) -> str:
        first, *rest = self.axes
        columns = zip(*self.axes, strict=True) if rest else first
        parts = [repr(column) for column in columns]
        if self.method != "difference":
            parts.append(f"method={self.method!r}")
        if self.order != 2:
            parts.append(f"order={self.order}")
        if any(map(any, self.edges)):
            parts.append(f"edges={self.edges if rest else (*self.edges[0],)!r}")
        return f"Grid({', '.join(parts)})"

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of points along each axis."""
        return tuple(axis.points for axis in self.axes)

    @property
    def x(self) -> Inexact[Array, "..."]:
        """The coordinates of the points: `[n]`; in two axes `[2, n0, n1]`: `x, y = grid.x`."""
        rows = [axis.row for axis in self.axes]
        if len(rows) == 1:
            return jnp.asarray(rows[0])
        return jnp.asarray(np.stack(np.meshgrid(*rows, indexing="ij")))

    @property
    def spacing(self) -> float | tuple[float, ...]:
        """The distance of neighboring points; in more than one axis a tuple, one for each."""
        steps = tuple(axis.step for axis in self.axes)
        return steps if len(steps) > 1 else self.axes[0].step

    def derivative(
        self, u: ArrayLike, axis: int = 0, *, edges: Any = None
    ) -> Inexact[Array, "..."]:
        """du/dx along an axis of the grid, of the shape of `u`."""
        if axis not in range(len(self.axes)):
            raise InputError(
                f"there is no axis {axis}",
                "Grid.derivative",
                f"the axes of this grid are 0 to {len(self.axes) - 1}",
            )
        return self.gradient(u, edges=edges)[axis]

    def gradient(self, u: ArrayLike, *, edges: Any = None) -> tuple[Inexact[Array, "..."], ...]:
        """The derivatives along all axes, each of the shape of `u`."""
        u = self._array(u)
        return tuple(
            spectral.derivative(u, at, axis)
            if self.method == "spectral"
            else differences.derivative(u, at, axis, self.order, ends)
            for at, axis, ends in self._each(u, edges)
        )

    def laplacian(self, u: ArrayLike, *, edges: Any = None) -> Inexact[Array, "..."]:
        """The sum of the second derivatives, of the shape of `u`.

        Symmetric and not positive where the edges are zero. Next to Neumann edges the differences
        themselves are of order 1 only; solutions keep order 2.
        """
        u = self._array(u)
        return _total(
            spectral.second_derivative(u, at, axis)
            if self.method == "spectral"
            else differences.second_derivative(u, at, axis, self.order, ends)
            for at, axis, ends in self._each(u, edges)
        )

    def divergence(self, fluxes: Sequence[ArrayLike]) -> Inexact[Array, "..."]:
        """The sum of the derivatives of `fluxes`, one array for each axis, as `gradient` gives.

        A flux has no conditions at the edges: differences are one-sided there, of order 2; the
        spectral method takes it to vanish at Neumann edges. Periodic axes conserve the integral,
        and so does the spectral method with Neumann edges; see `diffusion` for the others.
        """
        if len(fluxes) != len(self.axes):
            raise InputError(
                f"{len(fluxes)} fluxes for a grid of {len(self.axes)} axes",
                "Grid.divergence",
                "give a tuple with one array for each axis, as gradient returns",
            )
        each = [self._array(flux) for flux in fluxes]
        shape = jnp.broadcast_shapes(*(flux.shape for flux in each))
        return _total(
            spectral.flux_derivative(flux, at, axis)
            if self.method == "spectral"
            else differences.flux_derivative(flux, at, axis, self.order)
            for flux, (at, axis, _) in zip(each, self._each(jnp.empty(shape), None), strict=True)
        )

    def diffusion(
        self,
        u: ArrayLike,
        coefficient: ArrayLike | Callable[[Any], ArrayLike],
        *,
        edges: Any = None,
    ) -> Inexact[Array, "..."]:
        """div(D grad u), of the shape of `u`; the coefficient D is a number, array or function.

        An array broadcasts to the shape of `u`; a function takes values of `u` elementwise.
        Differences are of fluxes halfway between points, so that what leaves one point enters the
        next, and the integral changes only through the edges. Halfway, D is the mean of its two
        neighbors (four, weighted, with order 4); at an edge it follows from the function, or from
        the nearest entries of the array. The spectral method conserves too; with an even number of
        periodic points it leaves the fastest wave, +1 -1 +1 -1 ..., as it is: take an odd number.
        """
        u = self._array(u)
        if not callable(coefficient) and jnp.ndim(coefficient) == 0:
            return jnp.multiply(coefficient, self.laplacian(u, edges=edges))
        rule = coefficient if callable(coefficient) else None
        values = coefficient(u) if callable(coefficient) else jnp.asarray(coefficient)
        held = fitted(values, u.shape, "the coefficient")
        return _total(
            spectral.flow(u, held, rule, at, axis)
            if self.method == "spectral"
            else differences.flow(u, held, rule, at, axis, self.order, ends)
            for at, axis, ends in self._each(u, edges)
        )

    def integral(self, u: ArrayLike, *, edges: Any = None) -> Inexact[Array, "..."]:
        """The integral over the grid, of shape `[...]`.

        Of order 2, by the midpoint or the trapezoidal rule, the latter with the values at
        Dirichlet edges; exact for all waves along periodic axes, and for the sines and cosines
        of the spectral method.
        """
        u = self._array(u)
        for at, axis, ends in self._each(u, edges):
            weights = np.full(axis.points, axis.step)
            if ends is not None and axis.boundary == "dirichlet":
                shape = (*u.shape[:at], 1, *u.shape[at + 1 :])
                low, high = (differences.grown(edge, shape) for edge in ends)
                u = jnp.concatenate([low, u, high], at)
                weights = axis.step * np.array([0.5, *np.ones(axis.points), 0.5])
                if self.method == "spectral":
                    weights[1:-1] = axis.length * spectral.sine_weights(axis.points)
            row = jnp.asarray(weights, jnp.finfo(u.dtype).dtype)
            u = u * jnp.expand_dims(row, [k for k in range(u.ndim) if k != at])
        return jnp.sum(u, axis=tuple(range(-len(self.axes), 0)))

    def _array(self, u: ArrayLike) -> jax.Array:
        """The values as floating-point numbers, of a shape that fits."""
        u = jnp.asarray(u)
        if u.shape[-len(self.axes) :] != self.shape:
            raise InputError(
                f"the array has shape {u.shape}, the grid {self.shape}",
                WHERE,
                "the last axes must be those of the grid",
            )
        return u if jnp.issubdtype(u.dtype, jnp.inexact) else u.astype(jnp.result_type(float))

    def _each(self, u: jax.Array, edges: Any) -> list[tuple[int, Axis, differences.Ends]]:
        """For each axis: which axis of `u` it is, the axis, and its edges as slices of `u`."""
        if edges is not None and self.method == "spectral":
            raise nonzero_edges()
        pairs = self.edges if edges is None else pairs_of(edges, self.axes)
        first = u.ndim - len(self.axes)
        return [
            (at, axis, None if axis.boundary == "periodic" else _ends(pair, u, at))
            for at, (axis, pair) in enumerate(zip(self.axes, pairs, strict=True), first)
        ]


def _ends(pair: tuple[Any, Any], u: jax.Array, at: int) -> tuple[jax.Array, jax.Array]:
    """Both edges of one axis, each an array of one slice of `u`."""
    shape = (*u.shape[:at], *u.shape[at + 1 :])
    low, high = (
        jnp.expand_dims(fitted(jnp.asarray(value, u.dtype), shape, f"an edge of axis {at}"), at)
        for value in pair
    )
    return low, high


def _total(parts: Iterable[Array]) -> Array:
    return functools.reduce(jnp.add, parts)
