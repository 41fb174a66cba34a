"""Measured inputs of an equation as functions of time."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from snakebird.equations._parameters import Fixed, Parameter, is_parameter, plain
from snakebird.errors import InputError, UnknownNameError, suggest

Kind = Literal["linear", "previous", "cubic"]
_KINDS = ("linear", "previous", "cubic")
_WHERE = "Forcing"


class Forcing(eqx.Module):
    """A function of time through given values: `forcing(t)` is what an equation is driven by.

    `values` is an array `[n, ...]`, or a tree of them, at `times` `[n]`. `kind` says what holds
    between: "linear"; "previous", the last value before, so that the function jumps at each time;
    "cubic", a smooth curve of order 3 whose slopes are those of parabolas through three points.
    Before the first time and after the last the value there holds. NaN is a gap, filled as the
    kind says from what is known on both sides.

    The values are taken as data; `Free(values)` and other parameters are trained. Gradients flow
    to values and to `t`.

    Raises `InputError` for times and values that do not fit or hold no number,
    `UnknownNameError` for an unknown kind.

    >>> rain = Forcing([0.0, 1.0, 2.0], [0.0, jnp.nan, 4.0])
    >>> float(rain(1.5)), float(rain(9.0))
    (3.0, 4.0)
    """

    times: Fixed
    values: Any
    kind: str = eqx.field(static=True)

    def __init__(self, times: Any, values: Any, *, kind: Kind = "linear"):
        _check_kind(kind)
        row = _row(plain(times))
        self.times, self.kind = Fixed(row), kind
        fill = lambda path, x: _held(row, x, kind, "values" + jax.tree_util.keystr(path))
        self.values = jax.tree_util.tree_map_with_path(fill, values, is_leaf=_is_array)

    def __call__(self, t: Any) -> Any:
        """The value at a time, each leaf `[...]`."""
        times = jnp.asarray(plain(self.times))
        values = jax.tree.map(plain, self.values, is_leaf=is_parameter)
        read = {"linear": _linear, "previous": _previous, "cubic": _cubic}[self.kind]
        t = jnp.clip(jnp.asarray(t, times.dtype), times[0], times[-1])
        place = jnp.searchsorted(times, t, side="right", method="compare_all") - 1
        return jax.tree.map(lambda v: read(times, jnp.asarray(v), t, place), values)

    def corners(self) -> Float[np.ndarray, " k"]:
        """Times that no step should cross: where a stretch without change ends or begins.

        An adaptive step could pass over a short pulse between two of them. All times, where the
        values are not known yet.
        """
        times = plain(self.times)
        values = [plain(x) for x in jax.tree.leaves(self.values, is_leaf=is_parameter)]
        if isinstance(times, Tracer):
            return np.zeros(0)
        times = np.asarray(times)
        if any(isinstance(v, Tracer) for v in values):
            return times if self.kind == "previous" else np.zeros(0)
        flat = np.concatenate([np.asarray(v).reshape(len(times), -1) for v in values], axis=1)
        still = np.all(np.diff(flat, axis=0) == 0, axis=1)
        if self.kind == "previous":
            return times[1:][~still]
        return times[1:-1][still[1:] != still[:-1]]


def corners(tree: Any, kind: Any) -> Float[np.ndarray, " k"]:
    """The corners of all forcings of a tree, in one row of this precision."""
    is_forcing = lambda x: isinstance(x, Forcing)
    found = [x.corners() for x in jax.tree.leaves(tree, is_leaf=is_forcing) if is_forcing(x)]
    return np.unique(np.concatenate([np.zeros(0), *found]).astype(kind))


def _check_kind(kind: str) -> None:
    if kind not in _KINDS:
        raise UnknownNameError(f"no kind is called {kind!r}", _WHERE, suggest(kind, _KINDS))


def _is_array(x: Any) -> bool:
    # A list of numbers is a row of values; lists of anything else are trees.
    return is_parameter(x) or (isinstance(x, list | tuple) and all(np.ndim(v) == 0 for v in x))


def _row(times: Any) -> Float[np.ndarray, " n"]:
    row = np.asarray(times, float)
    if row.ndim != 1 or not row.size or not np.all(np.isfinite(row)):
        raise InputError(
            f"the times are {np.array2string(row, threshold=6)}",
            _WHERE,
            "give a row of one finite time or more",
        )
    if not np.all(np.diff(row) > 0):
        bad = int(np.argmin(np.diff(row) > 0)) + 1
        raise InputError(
            f"times[{bad}] = {row[bad]:g} is not after times[{bad - 1}] = {row[bad - 1]:g}",
            _WHERE,
            "sort times and values together, and keep one value a time",
        )
    return row


def _held(times: np.ndarray, values: Any, kind: str, where: str) -> Any:
    """The values with their gaps filled: as data, or as the parameter they came as."""
    given = plain(values)
    if np.shape(given)[:1] != times.shape:
        raise InputError(
            f"{len(times)} times and values of shape {np.shape(given)}",
            f"{_WHERE}, {where}",
            "give one value a time, times first",
        )
    if isinstance(given, Tracer):
        return values if is_parameter(values) else Fixed(given)
    full = np.array(given, float)
    columns = full.reshape(len(times), -1)
    for k, column in enumerate(columns.T):
        columns[:, k] = _filled(times, column, kind, f"{_WHERE}, {where}")
    full = columns.reshape(full.shape)
    if isinstance(values, Parameter) and not isinstance(values, Fixed):
        return eqx.tree_at(lambda p: p.value, values, full)
    return Fixed(full)


def _filled(times: np.ndarray, column: np.ndarray, kind: str, where: str) -> np.ndarray:
    known = np.isfinite(column)
    if known.all():
        return column
    if np.isinf(column).any() or not known.any():
        what = "infinite" if np.isinf(column).any() else "all missing"
        raise InputError(f"values are {what}", where, "give numbers, and NaN where one is missing")
    at, values = times[known], column[known]
    if kind == "previous":
        place = np.maximum(np.searchsorted(at, times, side="right") - 1, 0)
        return values[place]
    if kind == "linear" or len(at) < 3:
        return np.interp(times, at, values)
    curve = Forcing(at, values, kind="cubic")
    return np.where(known, column, np.asarray(jax.vmap(curve)(jnp.asarray(times))))


def _previous(times: Array, values: Array, t: Array, place: Array) -> Array:
    return values[place]


def _linear(times: Array, values: Array, t: Array, place: Array) -> Array:
    after = jnp.minimum(place + 1, len(times) - 1)
    h = times[after] - times[place]
    s = (t - times[place]) / jnp.where(h > 0, h, 1.0)
    return values[place] + s * (values[after] - values[place])


def _cubic(times: Array, values: Array, t: Array, place: Array) -> Array:
    """The cubic with the values and the slopes on both sides of `t`."""
    if len(times) < 3:
        return _linear(times, values, t, place)
    place = jnp.minimum(place, len(times) - 2)
    h = times[place + 1] - times[place]
    s = (t - times[place]) / h
    slopes = [h * _slope(times, values, k) for k in (place, place + 1)]
    rise = values[place + 1] - values[place]
    bend = slopes[0] - rise, rise - slopes[1]
    return values[place] + s * (rise + (1 - s) * ((1 - s) * bend[0] + s * bend[1]))


def _slope(times: Array, values: Array, at: Array) -> Array:
    """The slope at a time of the parabola through the three values around it."""
    middle = jnp.clip(at, 1, len(times) - 2)
    before, after = times[middle] - times[middle - 1], times[middle + 1] - times[middle]
    left = (values[middle] - values[middle - 1]) / before
    right = (values[middle + 1] - values[middle]) / after
    curve = (right - left) / (before + after)
    return left + before * curve + 2 * curve * (times[at] - times[middle])
