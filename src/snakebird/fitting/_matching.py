"""Gradient matching: the vector field against the slopes of smoothed data, without solving.

(J. M. Varah, A spline least squares method for numerical parameter estimation in differential
equations, SIAM J. Sci. Stat. Comput. 3, 1982.)
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.fitting._field import past_of
from snakebird.fitting._least_squares import Residuals
from snakebird.fitting._setup import Setup
from snakebird.fitting._smooth import Curves, smooth
from snakebird.fitting._trajectories import Trajectories

_POINTS = 60
"""How many points of the smoothed data are matched, in all experiments together."""


class Points(NamedTuple):
    """Times, states and rates to match, and the arguments there; leaves lead with the starts.

    `path` is for models with delays: which path a point is on, and the times and states of all.
    """

    t: Any
    y: Any
    rate: Any
    conditions: dict[str, Any]
    extra: Any = None
    path: Any = None


def matchable(given: Setup) -> bool:
    """Whether every state is seen often enough, and does not jump, so that slopes are known."""
    entries = given.states[given.states >= 0]
    every = len(set(entries)) == given.base.shape[1] and (given.states >= 0).all()
    seen, times = np.asarray(given.batch.mask)[0].sum(1), np.asarray(given.batch.mask)[0].any(-1)
    often = (seen >= 0.5 * times.sum(1)[:, None]).all()
    jumps = given.problem.doses is not None
    return bool(every and often and not jumps and all(c.known.all() for c in given.curves))


def points_of(given: Setup, data: Trajectories) -> Points:
    """The smoothed data at evenly spread times, of one data set."""
    each = max(8, _POINTS // len(data))
    found = [smooth(experiment, each) for experiment in data]
    order = np.argsort(given.states)
    counts = [len(curve.times) for curve in found]
    conditions = {
        name: np.concatenate(
            [np.full(n, e.conditions[name]) for n, e in zip(counts, data, strict=True)]
        )
        for name in data.conditions
    }
    return Points(
        np.concatenate([c.times for c in found]),
        np.concatenate([c.values[:, order] for c in found]),
        np.concatenate([c.slopes[:, order] for c in found]),
        conditions,
        path=_paths(found, order) if given.problem.field.past is not None else None,
    )


def _paths(found: list[Curves], order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which curve each point is on `[m]`, and times `[E, g]` and states `[E, g, d]` of all."""
    most = max(len(curve.times) for curve in found)
    rows = [np.minimum(np.arange(most), len(curve.times) - 1) for curve in found]
    which = np.concatenate([np.full(len(curve.times), i) for i, curve in enumerate(found)])
    times = np.stack([curve.times[row] for curve, row in zip(found, rows, strict=True)])
    states = np.stack([c.values[row][:, order] for c, row in zip(found, rows, strict=True)])
    return which, times, states


def matching(given: Setup) -> Residuals:
    """Residuals of the vector field against the slopes, in units of each state's usual slope."""
    problem = given.problem

    def one(
        t: Any, y: Any, rate: Any, unit: Any, which: Any, conditions: Any, phi: Any, points: Points
    ) -> Any:
        const = {"conditions": conditions, "extra": points.extra}
        if points.path is not None:
            own = points.path[1][which], points.path[2][which]
            const["past"] = past_of(problem.field.delays(phi, const), t, *own)
        return (problem.field(t, y, phi, const) - rate) / unit

    def residuals(phi: Any, points: Points) -> Any:
        # A match to a tenth of the slope is good enough to start from.
        unit = 0.1 * jnp.sqrt(jnp.mean(points.rate**2, 1, keepdims=True)) + 1e-12
        unit = jnp.broadcast_to(unit, points.rate.shape)
        each = jax.vmap(one, in_axes=(0, 0, 0, 0, 0, 0, None, None))
        which = points.t if points.path is None else points.path[0]
        given = (points.t, points.y, points.rate, unit, which, points.conditions)
        r = jax.vmap(each)(*given, phi, points)
        return r.reshape(len(phi), -1), jnp.all(jnp.isfinite(r), (1, 2))

    return residuals
