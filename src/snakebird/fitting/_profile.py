"""Profile likelihood: how much worse the fit becomes as one number is held elsewhere.

(A. Raue et al., Structural and practical identifiability analysis of partially observed dynamical
models by exploiting the profile likelihood, Bioinformatics 25, 2009.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.stats import chi2

from snakebird.equations import Parameter
from snakebird.errors import FitError
from snakebird.fitting import _least_squares as ls
from snakebird.fitting._problem import Problem
from snakebird.fitting._result import Fit
from snakebird.fitting._uncertainty import in_own_units, laplace, place, repeated

_REACH = 3.0
"""How many standard deviations the first points span on each side."""
_FURTHER = 3.0
"""How much farther each further look goes, where the cost has not risen enough."""
_LOOKS = 5
_BETTER = 0.02
"""How much lower a cost must be to go on; half the square of a standard error is 0.5."""
_STEPS = 40
_FACTOR = 27.0
"""How far is far for a number with bounds, on the scale without them: a factor of 10^12."""


@dataclass(frozen=True, eq=False)
class Profile:
    """The cost of the best fit with one number held at each of `values` `[n]`, ascending.

    `cost` `[n]` is half the sum of squares, infinite where nothing could be solved; `vectors`
    `[n, P]` are the refitted numbers. `interval` holds the values that the data do not rule out
    at `level`; an end that the data leave open is infinite, and `open_ends` says so in words.
    """

    name: str
    best: float
    values: Float[np.ndarray, " n"]
    cost: Float[np.ndarray, " n"]
    vectors: Float[np.ndarray, "n P"]
    level: float
    interval: tuple[float, float]
    open_ends: tuple[str, ...]

    @property
    def bounded(self) -> tuple[bool, bool]:
        """Whether the data bound the number from below, and from above."""
        return bool(np.isfinite(self.interval[0])), bool(np.isfinite(self.interval[1]))

    def __str__(self) -> str:
        low, high = self.interval
        below, above = self.bounded
        if below and above:
            text = f"between {low:.4g} and {high:.4g}"
        elif below or above:
            text = f"above {low:.4g}" if below else f"below {high:.4g}"
        else:
            text = "anything"
        lines = [f"{self.name} = {self.best:.4g}; at {self.level:.0%}, {text}"]
        return "\n".join([*lines, *(f"  {end}" for end in self.open_ends)])


class Rows(NamedTuple):
    """Points of a profile: the number held, on the scale without bounds, and all numbers."""

    held: Float[np.ndarray, " n"]
    cost: Float[np.ndarray, " n"]
    phi: Float[np.ndarray, "n P"]


def profile(fit: Fit, name: str, *, points: int = 15, level: float = 0.95) -> Profile:
    """Hold one number at each of many values and refit all others, holes included.

    `name` is one of `fit.parameters`, or a start value: `start.x`, with several experiments
    `start.x in 2`. Noise sizes and all priors but the number's own stay as they were found. The
    `points` are refitted side by side, and more are added outward until the cost has risen by half
    the quantile of chi-squared, or the number has gone far without that.

    Raises `UnknownNameError` for a name that is not trained.

    >>> import equinox as eqx
    >>> import snakebird as sb
    >>> from snakebird.fitting._profile import profile
    >>> class Decay(eqx.Module):
    ...     rate: sb.Positive
    ...     def __call__(self, t, y, args):
    ...         return {"x": -self.rate * y["x"]}
    >>> data = sb.Trajectories.of([0, 1, 2, 3], {"x": [1.0, 0.61, 0.37, 0.22]})
    >>> found = sb.fit(Decay(sb.Positive(1.0)), data, starts=1, stages=["trajectories"])
    >>> low, high = profile(found, "rate").interval
    >>> 0.4 < low < 0.5 < high < 0.6
    True
    """
    j = place(fit, name)
    if points < 5:
        raise FitError(f"{points} points are too few for a profile", "profile", "give at least 5")
    spread, line = _path(fit, j)
    far = _far(fit, j)
    reach, best = min(_REACH * spread, far / _FURTHER**2), fit.vector[j]
    with jax.enable_x64(True):
        solve = _solver(fit, j)
        held = best + np.linspace(-reach, reach, points | 1)
        rows = _outward(solve, held, fit.vector + (held - best)[:, None] * line)
        rise = float(chi2.ppf(level, 1)) / 2
        for side in (-1, 1):
            rows = _extended(solve, rows, side, rise, best, far, points | 1)
            rows = _refined(solve, rows, side, rise, points | 1)
    return _read(fit, j, name, rows, level, rise)


def _path(fit: Fit, j: int) -> tuple[float, np.ndarray]:
    """How widely the data alone spread the number, and how the others follow it, to first order."""
    covariance = laplace(fit).covariance
    own = float(fit.prior.precision[0, j])
    precision = 1 / covariance[j, j] - own
    spread = 1 / np.sqrt(precision) if precision > 1e-9 * own else np.inf
    return float(spread), covariance[:, j] / covariance[j, j]


def _far(fit: Fit, j: int) -> float:
    """Where to stop looking, as a distance on the scale without bounds."""
    problem = fit.problem
    p = len(problem.vector.start)
    if j >= p:
        entry = int(np.argwhere(problem.layout.free == j - p)[0, 1])
        return 100 * max(abs(fit.vector[j]), float(problem.scale[entry]))
    leaf = next(leaf for leaf, first, last in problem.vector.places if first <= j < last)
    old = problem.vector.leaves[leaf]
    bent = isinstance(old, Parameter) and type(old).bound is not Parameter.bound
    return _FACTOR if bent else 100 * max(abs(fit.vector[j]), 1e-6)


@lru_cache(maxsize=8)
def _refit(problem: Problem) -> Callable[..., Any]:
    """Refits rows with one number held: `(phi [S, P], batch, which [P], held [S], prior)`."""

    def residuals(phi: Any, given: Any) -> Any:
        batch, which, held = given
        return problem(jnp.where(which, held[:, None], phi), batch)

    def solve(phi: Any, batch: Any, which: Any, held: Any, prior: ls.Prior) -> Any:
        given = (batch, which, held)
        state = ls.begin(residuals, phi, given)
        state = ls.iterate(residuals, state, given, prior, steps=_STEPS, tol=1e-6)
        return state.phi, state.cost

    return jax.jit(solve)


def _solver(fit: Fit, j: int) -> Callable[[np.ndarray, np.ndarray], Rows]:
    refit = _refit(fit.problem)
    which = np.arange(len(fit.vector)) == j

    def solve(held: np.ndarray, phi: np.ndarray) -> Rows:
        # The held number stands where its prior is widest, so that this adds nothing.
        each = lambda x: np.where(which, held[:, None], x)
        precision = np.where(which, 1.0, np.asarray(fit.prior.precision[0]))
        prior = ls.Prior(
            jnp.asarray(each(np.asarray(fit.prior.mean[0]))),
            jnp.asarray(np.tile(precision, (len(held), 1))),
        )
        batch = repeated(fit.batch, len(held))
        found, cost = refit(jnp.asarray(each(phi)), batch, which, jnp.asarray(held), prior)
        cost = np.asarray(cost)
        return Rows(held, np.where(np.isfinite(cost), cost, np.inf), np.asarray(found))

    return solve


def _outward(solve: Any, held: np.ndarray, phi: np.ndarray, center: int | None = None) -> Rows:
    """Refit all points, then let each try what its neighbor toward the center found."""
    center = len(held) // 2 if center is None else center
    index = np.arange(len(held))
    inward = index + np.sign(center - index)
    rows = solve(held, phi)
    for _ in range(len(held)):
        again = solve(held, rows.phi[inward])
        better = again.cost < rows.cost - _BETTER
        if not better.any():
            break
        rows = Rows(
            held,
            np.where(better, again.cost, rows.cost),
            np.where(better[:, None], again.phi, rows.phi),
        )
    return rows


def _extended(
    solve: Any, rows: Rows, side: int, rise: float, best: float, far: float, points: int
) -> Rows:
    """The rows, and more on one side until the cost has risen enough there."""
    for _ in range(_LOOKS):
        order = np.argsort(side * rows.held)
        held, cost, phi = (x[order] for x in rows)
        reach = abs(held[-1] - best)
        if cost[-1] >= cost.min() + rise or reach >= far * (1 - 1e-9):
            break
        ends = held[-1], best + side * min(_FURTHER * reach, far)
        more = _outward(solve, np.linspace(*ends, points), np.tile(phi[-1], (points, 1)), 0)
        rows = Rows(*(np.concatenate([a, b[1:]]) for a, b in zip(rows, more, strict=True)))
    return rows


def _refined(solve: Any, rows: Rows, side: int, rise: float, points: int) -> Rows:
    """The rows, and more where the cost passes the rise in one large step."""
    held, cost, phi = (x[np.argsort(side * rows.held)] for x in rows)
    low = int(np.argmin(cost))
    over = np.flatnonzero(cost[low:] >= cost[low] + rise)
    if not len(over):
        return rows
    last = low + int(over[0])
    if np.sqrt(cost[last] - cost[low]) - np.sqrt(cost[last - 1] - cost[low]) < 1:
        return rows
    between = np.linspace(held[last - 1], held[last], points + 2)[1:-1]
    more = _outward(solve, between, np.tile(phi[last - 1], (points, 1)), 0)
    return Rows(*(np.concatenate(both) for both in zip(rows, more, strict=True)))


def _read(fit: Fit, j: int, name: str, rows: Rows, level: float, rise: float) -> Profile:
    held, cost, phi = (x[np.argsort(rows.held)] for x in rows)
    ends, notes = [], []
    for side, word in ((-1, "below"), (1, "above")):
        end = _crossing(held[::side], cost[::side], rise)
        if end is None:
            last = held[::side][np.isfinite(cost[::side])][-1]
            reached = float(_in_units(fit, j, last))
            why = "" if np.isfinite(cost[::side][-1]) else "; beyond, nothing could be solved"
            notes.append(f"not bounded {word} by the data, as far as {reached:.4g}{why}")
        ends.append(side * np.inf if end is None else float(_in_units(fit, j, end)))
    values = in_own_units(fit, np.where(np.arange(phi.shape[1]) == j, held[:, None], phi))[:, j]
    best = float(_in_units(fit, j, fit.vector[j]))
    return Profile(name, best, values, cost, phi, level, (ends[0], ends[1]), tuple(notes))


def _crossing(held: np.ndarray, cost: np.ndarray, rise: float) -> float | None:
    """Where the cost has risen, from its least outward; None where it has not, or is not known.

    The root of the rise is nearly a straight line, so it is what is interpolated.
    """
    low = int(np.argmin(cost))
    root = np.sqrt(cost - cost[low])
    for i in range(low + 1, len(held)):
        if not np.isfinite(cost[i]):
            return None
        if cost[i] >= cost[low] + rise:
            share = (np.sqrt(rise) - root[i - 1]) / (root[i] - root[i - 1])
            return float(held[i - 1] + share * (held[i] - held[i - 1]))
    return None


def _in_units(fit: Fit, j: int, held: float) -> Any:
    vector = np.where(np.arange(len(fit.vector)) == j, held, fit.vector)
    return in_own_units(fit, vector[None])[0, j]
