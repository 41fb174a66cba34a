"""Smooth curves through noisy columns: starts for everything, ends of nothing."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64
from scipy.interpolate import CubicSpline, PchipInterpolator, make_smoothing_spline

from snakebird.fitting._experiment import Experiment

_LEAST = 5
"""Below this many observations a curve goes through all of them."""


class Curves(NamedTuple):
    """Values and slopes of all columns at some times, and how far the data scatter about them.

    Where a column has fewer than two observations, `known` is False and its values are constant.
    """

    times: Float64[np.ndarray, " m"]
    values: Float64[np.ndarray, "m K"]
    slopes: Float64[np.ndarray, "m K"]
    scatter: Float64[np.ndarray, " K"]
    known: Bool[np.ndarray, " K"]


def smooth(experiment: Experiment, points: int = 0) -> Curves:
    """Smoothing splines, as smooth as leaving one out says (scipy's `make_smoothing_spline`).

    At the observed times, or at `points` times spread evenly where more are asked for.
    """
    table = np.stack(list(experiment.values.values()), axis=1)
    times = np.asarray(experiment.times)
    at = times if points <= len(times) else np.linspace(times[0], times[-1], points)
    curves = [_curve(times, column) for column in table.T]
    values = np.stack([np.zeros(len(at)) + c(at) for c in curves], 1)
    slopes = np.stack([np.zeros(len(at)) + c(at, 1) for c in curves], 1)
    scatter = np.array([_scatter(times, y, c) for y, c in zip(table.T, curves, strict=True)])
    known = np.isfinite(table).sum(0) >= 2
    return Curves(at, values, slopes, scatter, known)


def _curve(times: np.ndarray, column: np.ndarray):
    seen = np.isfinite(column)
    t, y = times[seen], column[seen]
    if len(t) == 0:
        return lambda at, order=0: np.zeros_like(at)
    if len(t) == 1:
        return lambda at, order=0: np.full_like(at, y[0] if order == 0 else 0.0)
    if len(t) < _LEAST:
        line = np.polynomial.Polynomial.fit(t, y, min(len(t) - 1, 2))
        return lambda at, order=0: line.deriv(order)(at) if order else line(at)
    try:
        spline = make_smoothing_spline(t, y)
    except ValueError:  # times that are spread over many decades
        through = PchipInterpolator(t, y)
        return lambda at, order=0: through(np.clip(at, t[0], t[-1]), order)
    inside = CubicSpline(t, spline(t))  # does not run away past the last observation
    return lambda at, order=0: (spline if len(t) > 8 else inside)(np.clip(at, t[0], t[-1]), order)


def _scatter(times: np.ndarray, column: np.ndarray, curve) -> float:
    seen = np.isfinite(column)
    if seen.sum() < _LEAST:
        return 0.0
    return float(np.std(column[seen] - curve(times[seen])))
