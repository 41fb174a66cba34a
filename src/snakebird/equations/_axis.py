"""One axis of a grid, and what a user may write for several: checked, and one for each axis."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.errors import InputError, UnknownNameError, suggest

FIRST = {"periodic": 0.0, "dirichlet": 1.0, "neumann": 0.5}
"""Where the first point lies, in spacings from the low end, for each boundary."""

WHERE = "Grid"


class Axis(NamedTuple):
    """An interval with its points."""

    low: float
    high: float
    points: int
    boundary: str

    @property
    def length(self) -> float:
        return self.high - self.low

    @property
    def step(self) -> float:
        """The distance of neighboring points."""
        return self.length / (self.points + (self.boundary == "dirichlet"))

    @property
    def row(self) -> np.ndarray:
        """The coordinates `[points]`."""
        return self.low + (np.arange(self.points) + FIRST[self.boundary]) * self.step


def axes_of(low: Any, high: Any, points: Any, boundary: Any) -> tuple[Axis, ...]:
    """The axes, from one value for all of them or one for each."""
    given = {"low": low, "high": high, "points": points, "boundary": boundary}
    lengths = {name: len(v) for name, v in given.items() if isinstance(v, tuple | list)}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        shown = ", ".join(f"{count} of {name}" for name, count in lengths.items())
        raise InputError(
            f"the numbers of axes differ: {shown}", WHERE, "give one for all axes, or one for each"
        )
    dims = max(lengths.values(), default=1)
    each = (v if isinstance(v, tuple | list) else (v,) * dims for v in given.values())
    return tuple(_axis(*row) for row in zip(*each, strict=True))


def _axis(low: Any, high: Any, points: Any, boundary: Any) -> Axis:
    if boundary not in FIRST:
        raise UnknownNameError(
            f"unknown boundary {boundary!r}", WHERE, suggest(str(boundary), FIRST)
        )
    if isinstance(points, bool) or not isinstance(points, int | np.integer):
        raise InputError(f"points is {points!r}", WHERE, "give a whole number of points")
    if not -math.inf < low < high < math.inf:
        raise InputError(
            f"the axis runs from {low} to {high}", WHERE, "give finite numbers, low before high"
        )
    return Axis(float(low), float(high), int(points), boundary)


def check_points(axes: Sequence[Axis], method: str, order: int) -> None:
    """Raise where a method or order is unknown, or does not fit the axes."""
    if method not in ("difference", "spectral"):
        known = ("difference", "spectral")
        raise UnknownNameError(f"unknown method {method!r}", WHERE, suggest(str(method), known))
    if order not in (2, 4):
        raise InputError(f"differences of order {order}", WHERE, "give order=2 or order=4")
    bounded = [axis.boundary for axis in axes if axis.boundary != "periodic"]
    if order == 4 and bounded:
        raise InputError(
            f"differences of order 4 with a {bounded[0]} boundary",
            WHERE,
            "give order=2, or method='spectral' where edges are zero",
        )
    fewest = 7 if order == 4 else 3
    for number, axis in enumerate(axes):
        if axis.points < fewest:
            raise InputError(
                f"{axis.points} points along axis {number}", WHERE, f"give at least {fewest}"
            )


def pairs_of(edges: Any, axes: Sequence[Axis]) -> tuple[tuple[Any, Any], ...]:
    """The two edges of each axis, from a number, a pair, or one of them or None for each axis."""
    if not isinstance(edges, tuple | list) and jnp.ndim(edges) == 0:
        return ((edges, edges),) * len(axes)
    each = [edges] if len(axes) == 1 else edges
    if len(each) != len(axes):
        raise InputError(
            f"edges for {len(each)} axes, the grid has {len(axes)}",
            WHERE,
            "give a number, or for each axis a number, a pair (at low, at high) or None",
        )
    return tuple(_pair(entry, number) for number, entry in enumerate(each))


def _pair(entry: Any, number: int) -> tuple[Any, Any]:
    if entry is None:
        return (0.0, 0.0)
    if not isinstance(entry, tuple | list) and jnp.ndim(entry) == 0:
        return (entry, entry)
    if len(entry) != 2:
        raise InputError(
            f"{len(entry)} edges for axis {number}", WHERE, "give a pair: (at low, at high)"
        )
    return (entry[0], entry[1])


def fixed_pairs(edges: Any, axes: Sequence[Axis], method: str) -> tuple[tuple[float, float], ...]:
    """The edges as plain numbers, which a grid can hold."""
    try:
        pairs = tuple((float(low), float(high)) for low, high in pairs_of(edges, axes))
    except (TypeError, jax.errors.ConcretizationTypeError):
        raise InputError(
            "edges= of a grid are not plain numbers",
            WHERE,
            "give arrays and traced values to the operators: grid.laplacian(u, edges=...)",
        ) from None
    if method == "spectral" and any(map(any, pairs)):
        raise nonzero_edges()
    return pairs


def nonzero_edges() -> InputError:
    """The error of edges that sines and cosines do not have."""
    return InputError(
        "edges= with the spectral method, whose edges are zero",
        WHERE,
        "give method='difference', or solve for the difference from a function with these edges",
    )


def fitted(value: Any, shape: tuple[int, ...], name: str) -> jax.Array:
    """The value broadcast to a shape."""
    try:
        return jnp.broadcast_to(value, shape)
    except ValueError:
        raise InputError(
            f"{name} has shape {jnp.shape(value)}, which does not broadcast to {shape}",
            WHERE,
            "give a number, or an array of that shape",
        ) from None
