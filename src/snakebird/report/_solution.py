"""What a fitted model says at many times, and where that leads its holes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from snakebird.equations import Hole, with_holes
from snakebird.equations.lanes import OK
from snakebird.errors import InputError
from snakebird.fitting import Fit
from snakebird.fitting.core import Problem, rate_of

_LOOKED_AT = 400
"""At how many points of a solution the holes are looked at."""

_solve = jax.jit(Problem.solve, static_argnums=0)
"""Compiled once for all pictures of one fit."""


class Solution(NamedTuple):
    """Every experiment (L) for every vector (S), NaN from where a solve failed.

    `times` ascend and hold those of the data.
    """

    times: Float[np.ndarray, "L n"]
    states: Float[np.ndarray, "S L n d"]
    columns: Float[np.ndarray, "S L n K"]


def solved(
    fit: Fit,
    *,
    until: float | None = None,
    vectors: Float[np.ndarray, "S P"] | None = None,
    points: int = 200,
) -> Solution:
    """The solution at evenly spread times and those of the data.

    It ends with each experiment, or `until` a time; `vectors` are others than the fit's own.
    """
    rows = fit.vector[None] if vectors is None else np.asarray(vectors, float)
    if rows.shape[1] != len(fit.vector):
        raise InputError(
            f"vectors of {rows.shape[1]} numbers, the fit has {len(fit.vector)}",
            "bands",
            "give an array [draws, numbers] of vectors like fit.vector",
        )
    times = _times(fit, until, points)
    with jax.enable_x64(True):
        repeat = lambda x: jnp.repeat(jnp.asarray(x)[:1], len(rows), axis=0)
        batch = jax.tree.map(repeat, fit.batch)
        shape = (len(rows), *times.shape)
        batch = batch._replace(
            times=jnp.broadcast_to(jnp.asarray(times), shape),
            values=jnp.zeros((*shape, len(fit.data.names))),
            mask=jnp.ones((*shape, len(fit.data.names)), bool),
        )
        states, columns, outcome = _solve(fit.problem.free, jnp.asarray(rows), batch)
        lost = (np.asarray(outcome.code) != OK)[..., None] & (
            times > np.asarray(outcome.time)[..., None]
        )
    states, columns = (_known(np.array(x, float), lost) for x in (states, columns))
    return Solution(times, states, columns)


def _known(values: np.ndarray, lost: np.ndarray) -> np.ndarray:
    return np.where(lost[..., None] | ~np.isfinite(values), np.nan, values)


def _times(fit: Fit, until: float | None, points: int) -> np.ndarray:
    first = np.asarray(fit.batch.t0)[0]
    data = np.asarray(fit.batch.times)[0]
    last = data.max(1) if until is None else np.maximum(data.max(1), until)
    spread = np.linspace(first, last, points, axis=1)
    return np.sort(np.concatenate([spread, data], axis=1), axis=1)


def residuals(fit: Fit) -> Float[np.ndarray, "L n K"]:
    """The whitened residuals of every experiment, NaN where nothing was observed."""
    seen = np.asarray(fit.batch.mask)[0]
    # What comes after the observations are the joins of pieces.
    return np.where(seen, fit.residual[: seen.size].reshape(seen.shape), np.nan)


def spread(fit: Fit, column: int, predicted: np.ndarray) -> np.ndarray:
    """The standard deviation of an observation of a column."""
    with jax.enable_x64(True):
        size = fit.batch.size[0, column]
        return np.array(fit.problem.noise[column].spread(jnp.asarray(predicted), size))


class _Spy:
    """Stands in for a hole: notes what it is asked, and answers as the hole does."""

    def __init__(self, hole: Hole, asked: list[Any]):
        self._hole, self._asked = hole, asked

    def __call__(self, *values: Any) -> Any:
        # A callback, and no list of tracers, so that a hole may stand inside vmap, scan or jit.
        note = lambda *x: self._asked.append(np.broadcast_arrays(*x))
        jax.debug.callback(note, *values)
        return self._hole(*values)

    def array(self, x: Any) -> Any:
        """All inputs as one array."""
        jax.debug.callback(lambda x: self._asked.append(np.array(x)), x)
        return self._hole.array(x)


def visited_points(fit: Fit, solution: Solution) -> dict[str, Float[np.ndarray, "m inputs"]]:
    """What each hole was asked along the solution, in no order."""
    asked: dict[str, list[Any]] = {name: [] for name in fit.holes}
    lane, at = np.nonzero(np.isfinite(solution.states[0]).all(-1))
    chosen = np.unique(np.linspace(0, len(lane) - 1, _LOOKED_AT).astype(int))
    lane, at = lane[chosen], at[chosen]
    with jax.enable_x64(True):
        extra = jax.tree.map(lambda x: x[0], fit.batch.extra)
        model = fit.problem.model(jnp.asarray(fit.theta), extra)
        spied: Any = lambda name, hole: _Spy(hole, asked[name])
        model = with_holes(model, spied)
        conditions = {name: x[0][lane] for name, x in fit.batch.conditions.items()}

        def ask(given: Any) -> Any:
            t, y, own = given
            arguments = fit.problem.arguments({"conditions": own})
            return rate_of(model, t, fit.problem.unravel(y), arguments)

        # A loop, since under vmap each point would have a callback of its own to compile.
        points = jnp.asarray(solution.times[lane, at]), jnp.asarray(solution.states[0][lane, at])
        jax.block_until_ready(jax.jit(lambda xs: jax.lax.map(ask, xs))((*points, conditions)))
        jax.effects_barrier()
    return {
        name: np.concatenate([np.reshape(x, (len(x), -1)).T for x in rows])
        for name, rows in asked.items()
        if rows
    }
