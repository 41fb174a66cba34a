"""What is known of the trained numbers: a normal distribution around the best ones.

Laplace's approximation with the Gauss-Newton matrix for the curvature (D. J. C. MacKay, A practical
Bayesian framework for backpropagation networks, Neural Computation 4, 1992).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from scipy.stats import norm

from snakebird.equations import Parameter
from snakebird.equations.lanes import OK
from snakebird.errors import FitError, UnknownNameError, suggest
from snakebird.fitting import _least_squares as ls
from snakebird.fitting._noise import LogNormal, NegativeBinomial, Poisson
from snakebird.fitting._problem import Batch, Problem
from snakebird.fitting._result import Fit

_DRAWS = 1000
"""How many observations are drawn, at least, where a band is to hold them."""


class Bands(NamedTuple):
    """Each column at `times` with the band around it; all arrays are `[n]`."""

    times: Float[np.ndarray, " n"]
    center: dict[str, Float[np.ndarray, " n"]]
    lower: dict[str, Float[np.ndarray, " n"]]
    upper: dict[str, Float[np.ndarray, " n"]]


@dataclass(frozen=True, eq=False)
class Posterior:
    """The trained numbers of `fit` as a normal distribution on the scale without bounds.

    Its mean is `fit.vector`, its covariance `factor @ factor.T`; `names` says what each of the P
    numbers is, weights of holes and start values included.
    """

    fit: Fit
    names: tuple[str, ...]
    factor: Float[np.ndarray, "P P"]

    @cached_property
    def covariance(self) -> Float[np.ndarray, "P P"]:
        """The covariance of all numbers, on the scale without bounds."""
        return self.factor @ self.factor.T

    @property
    def deviations(self) -> Float[np.ndarray, " P"]:
        """The standard deviation of each number, on the scale without bounds."""
        return np.sqrt(np.sum(self.factor**2, 1))

    @property
    def standard_errors(self) -> dict[str, float]:
        """Of each parameter and start value, in its own units, to first order."""
        errors = slopes(self.fit) * self.deviations
        return {name: float(errors[i]) for name, i in named(self.fit).items()}

    def intervals(self, *, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Of each parameter and start value, in its own units and inside its bounds."""
        reach = float(norm.ppf((1 + level) / 2)) * self.deviations
        ends = in_own_units(self.fit, self.fit.vector + np.stack([-reach, reach]))
        low, high = np.sort(ends, axis=0)
        return {name: (float(low[i]), float(high[i])) for name, i in named(self.fit).items()}

    def sample(self, key: PRNGKeyArray, n: int) -> Float[np.ndarray, "n P"]:
        """Draws of all numbers on the scale without bounds, each a vector like `fit.vector`."""
        with jax.enable_x64(True):
            normal = np.asarray(jax.random.normal(key, (n, len(self.factor)), jnp.float64))
        return self.fit.vector + normal @ self.factor.T

    def parameters(self, samples: Float[np.ndarray, "n P"]) -> dict[str, Float[np.ndarray, " n"]]:
        """What draws say of each parameter and start value, in its own units."""
        own = in_own_units(self.fit, samples)
        return {name: own[:, i] for name, i in named(self.fit).items()}

    def bands(
        self,
        times: Any = None,
        *,
        experiment: str | int = 0,
        level: float = 0.95,
        noise: bool = False,
        samples: int = 0,
        key: PRNGKeyArray | None = None,
    ) -> Bands:
        """Where each column lies at `times`, by default those of the data.

        Without `noise` the band is that of the curve, with it that of a new observation. The
        model is taken as linear around its best numbers; with `samples`, so many draws go through
        the model itself instead, and the band holds their quantiles. With holes the linear band
        is to be preferred: the weights are drawn far along what the data leave open, farther than
        the normal distribution holds (A. Immer et al., Improving predictions of Bayesian neural
        nets via local linearization, AISTATS 2021).

        Raises `FitError` where the solution does not reach `times`, or that of most draws.
        """
        lane = self.fit.lane(experiment)
        at = self.fit.times_at(times, lane)
        if samples:
            key = jax.random.key(0) if key is None else key
            return self._drawn(at, lane, level, noise, samples, key)
        with jax.enable_x64(True):
            linear = predictors(self.fit.problem)[1]
            given = jnp.asarray(self.fit.vector)[None], self.fit.batch_at(at, lane), lane
            seen, jacobian, fine = (np.asarray(x[0]) for x in linear(*given))
        _check_solved(fine[None], self.fit, lane)
        spread = np.linalg.norm(jacobian @ self.factor, axis=1)
        K, reach = len(self.fit.problem.columns), float(norm.ppf((1 + level) / 2))
        center, spread = seen.reshape(-1, K).T, spread.reshape(-1, K).T
        if noise:
            spread = np.hypot(spread, _spreads(self.fit, center))
        lower, upper = center - reach * spread, center + reach * spread
        if noise:
            counts = LogNormal | Poisson | NegativeBinomial
            never = np.array([isinstance(kind, counts) for kind in self.fit.problem.noise])
            lower = np.where(never[:, None], np.maximum(lower, 0.0), lower)
        return _by_column(self.fit, at, center, lower, upper)

    def _drawn(
        self, at: np.ndarray, lane: int, level: float, noise: bool, samples: int, key: PRNGKeyArray
    ) -> Bands:
        keys = jax.random.split(key)
        seen = predicted(self.fit, self.sample(keys[0], samples), at, lane)
        rng = np.random.default_rng(np.asarray(jax.random.key_data(keys[1])))
        return bands_of(self.fit, at, seen, level, rng if noise else None)

    def __repr__(self) -> str:
        lines = [f"Posterior of {type(self.fit.model).__name__}, intervals of 95%"]
        errors, own = self.standard_errors, in_own_units(self.fit, self.fit.vector[None])[0]
        index = named(self.fit)
        for name, (low, high) in self.intervals().items():
            value = f"{own[index[name]]:.4g} ± {errors[name]:.2g}"
            lines.append(f"  {name} = {value}  ({low:.4g} .. {high:.4g})")
        return "\n".join(lines)


def laplace(fit: Fit) -> Posterior:
    """The posterior of all trained numbers as a normal distribution around the best ones.

    Noise sizes and the priors of holes are taken as they were found. Of what the data do not
    determine the distribution says that it is not known, and intervals may be very wide;
    `identifiability` says so in words, `profile` gives intervals that need not be symmetric.

    >>> import equinox as eqx
    >>> import snakebird as sb
    >>> from snakebird.fitting._uncertainty import laplace
    >>> class Decay(eqx.Module):
    ...     rate: sb.Positive
    ...     def __call__(self, t, y, args):
    ...         return {"x": -self.rate * y["x"]}
    >>> data = sb.Trajectories.of([0, 1, 2, 3], {"x": [1.0, 0.61, 0.37, 0.22]})
    >>> found = sb.fit(Decay(sb.Positive(1.0)), data, starts=1, stages=["trajectories"])
    >>> low, high = laplace(found).intervals()["rate"]
    >>> low < 0.5 < high
    True
    """
    factor = root_of_inverse(fit.jacobian, np.asarray(fit.prior.precision[0]))
    return Posterior(fit, all_names(fit), factor)


def root_of_inverse(
    jacobian: Float[np.ndarray, "R P"], precision: Float[np.ndarray, " P"]
) -> Float[np.ndarray, "P P"]:
    """A root of the inverse of J^T J + diag(precision).

    From the singular values of J itself, which keep the digits that squaring would lose where
    some directions are hardly determined.
    """
    stacked = np.concatenate([jacobian, np.diag(np.sqrt(precision))])
    scale = 1 / np.linalg.norm(stacked, axis=0)
    _, singular, rows = np.linalg.svd(stacked * scale, full_matrices=False)
    return scale[:, None] * rows.T / singular


def all_names(fit: Fit) -> tuple[str, ...]:
    """What each of the trained numbers is: the model's own, then the start values."""
    start = [""] * fit.problem.layout.count
    entries = state_names(fit)
    for lane, row in enumerate(fit.problem.layout.free):
        own = f" in {fit.data[lane].name}" if len(fit.data) > 1 else ""
        for entry, number in enumerate(row):
            if number >= 0:
                start[number] = f"start.{entries[entry]}{own}"
    return (*fit.problem.vector.names, *start)


def named(fit: Fit) -> dict[str, int]:
    """The place of each parameter and start value; weights of holes are left out.

    Start values are called `start.x`, and `start.x in 2` where there is more than one experiment.
    """
    hole = fit.problem.vector.hole
    return {name: i for i, name in enumerate(all_names(fit)) if i >= len(hole) or hole[i] < 0}


def place(fit: Fit, name: str) -> int:
    """The place of a parameter or start value; raises `UnknownNameError`."""
    known = named(fit)
    if name not in known:
        raise UnknownNameError(
            f"no trained number is called {name!r}", "fit.parameters", suggest(name, known)
        )
    return known[name]


def state_names(fit: Fit) -> list[str]:
    """What each entry of the state is called: its key, and its index in an array."""
    d = fit.problem.layout.free.shape[1]
    tree = fit.problem.unravel(jnp.zeros(d))
    names: list[str] = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        base = jax.tree_util.keystr(path, simple=True, separator=".")
        shape = np.shape(leaf)
        index = [f"[{', '.join(map(str, i))}]" for i in np.ndindex(*shape)] if shape else [""]
        names.extend(base + own for own in index)
    return names


def in_own_units(fit: Fit, vectors: Float[np.ndarray, "n P"]) -> Float[np.ndarray, "n P"]:
    """Vectors from the scale without bounds, each number in its own units."""
    with jax.enable_x64(True):
        return np.asarray(jax.vmap(_own(fit.problem))(jnp.asarray(vectors)))


def slopes(fit: Fit) -> Float[np.ndarray, " P"]:
    """How much each number grows in its own units as it grows on the scale without bounds."""
    with jax.enable_x64(True):
        at = jnp.asarray(fit.vector)
        return np.abs(np.asarray(jax.jvp(_own(fit.problem), (at,), (jnp.ones_like(at),))[1]))


def _own(problem: Problem) -> Callable[[Array], Array]:
    vector = problem.vector

    def own(phi: Array) -> Array:
        for leaf, first, last in vector.places:
            old = vector.leaves[leaf]
            if isinstance(old, Parameter):
                part = old.bound(phi[first:last].reshape(np.shape(old.value)))
                phi = phi.at[first:last].set(part.reshape(-1))
        return phi

    return own


@lru_cache(maxsize=8)
def predictors(problem: Problem) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Two compiled functions of `(phi [S, P], batch, lane)`.

    The first gives predictions [S, n, K] of one lane, and whether each was solved; the second
    predictions [S, n K], their Jacobian [S, n K, P], and the same.
    """

    def seen(phi: Any, batch: Batch, lane: Any) -> Any:
        _, values, outcome = problem.free.solve(phi, batch)
        return values[:, lane], outcome.code[:, lane] == OK

    def flat(phi: Any, given: Any) -> Any:
        values, fine = seen(phi, *given)
        return values.reshape(len(phi), -1), fine

    linear = lambda phi, batch, lane: ls.linearized(flat, phi, (batch, lane))
    return jax.jit(seen), jax.jit(linear)


def predicted(
    fit: Fit, phi: Float[np.ndarray, "S P"], times: Float[np.ndarray, " n"], lane: int
) -> Float[np.ndarray, "m n K"]:
    """Predictions for those vectors that could be solved; raises `FitError` for fewer than half."""
    with jax.enable_x64(True):
        batch = repeated(fit.batch_at(times, lane), len(phi))
        seen, fine = predictors(fit.problem)[0](jnp.asarray(phi), batch, lane)
        seen, fine = np.array(seen), np.asarray(fine)
    _check_solved(fine, fit, lane)
    return seen[fine]


def solved(fit: Fit) -> Float[np.ndarray, "L n d"]:
    """The states at the times of the data; past the end of an experiment the last is repeated."""
    with jax.enable_x64(True):
        return np.asarray(_states(fit.problem)(jnp.asarray(fit.vector)[None], fit.batch)[0])


@lru_cache(maxsize=8)
def _states(problem: Problem) -> Callable[..., Any]:
    return jax.jit(lambda phi, batch: problem.solve(phi, batch)[0])


def repeated(batch: Batch, rows: int) -> Batch:
    """A batch of one row as one of many."""
    return jax.tree.map(lambda x: jnp.repeat(x, rows, axis=0), batch)


def _check_solved(fine: np.ndarray, fit: Fit, lane: int) -> None:
    if fine.mean() > 0.5:
        return
    count = f", for {int((~fine).sum())} of {len(fine)} draws" if len(fine) > 1 else ""
    raise FitError(
        f"the solution ends before the last time{count}",
        f"experiment {fit.data[lane].name}",
        "ask for earlier times, or ask identifiability(fit) what is not determined",
    )


def _spreads(fit: Fit, center: Float[np.ndarray, "K n"]) -> Float[np.ndarray, "K n"]:
    sizes = fit.batch.size[0]
    kinds = zip(fit.problem.noise, center, sizes, strict=True)
    with jax.enable_x64(True):
        each = [np.asarray(kind.spread(jnp.asarray(x), size)) for kind, x, size in kinds]
    return np.stack([np.broadcast_to(x, center.shape[1:]) for x in each])


def bands_of(
    fit: Fit,
    times: Float[np.ndarray, " n"],
    seen: Float[np.ndarray, "m n K"],
    level: float,
    rng: np.random.Generator | None,
) -> Bands:
    """Medians and quantiles of predictions, or with `rng` of observations drawn around them."""
    center = np.median(seen, axis=0)
    if rng is not None:
        seen = observations(fit, np.repeat(seen, -(-_DRAWS // len(seen)), axis=0), rng)
    lower, upper = np.quantile(seen, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return _by_column(fit, times, center.T, lower.T, upper.T)


def _by_column(fit: Fit, at: np.ndarray, *rows: np.ndarray) -> Bands:
    return Bands(at, *(dict(zip(fit.problem.columns, each, strict=True)) for each in rows))


def observations(
    fit: Fit, seen: Float[np.ndarray, "*m K"], rng: np.random.Generator
) -> Float[np.ndarray, "*m K"]:
    """Observations drawn around predictions, with the noise that was found."""
    parts = [
        kind.drawn(seen[..., k], float(size), rng)
        for k, (kind, size) in enumerate(zip(fit.problem.noise, fit.batch.size[0], strict=True))
    ]
    return np.stack(parts, -1)
