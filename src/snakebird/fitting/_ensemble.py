"""Many fits of one model, from other starts and to other data that could have been measured.

(B. Efron and R. J. Tibshirani, An introduction to the bootstrap, 1993, chapter 6: the parametric
bootstrap; B. Lakshminarayanan et al., Simple and scalable predictive uncertainty estimation using
deep ensembles, NeurIPS 2017.)
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from snakebird.equations import redrawn, resolve, with_holes
from snakebird.errors import FitError, UnknownNameError, suggest
from snakebird.fitting._experiment import Experiment
from snakebird.fitting._fit import fit, fit_many
from snakebird.fitting._result import Fit
from snakebird.fitting._trajectories import Trajectories
from snakebird.fitting._uncertainty import (
    Bands,
    bands_of,
    in_own_units,
    named,
    observations,
    predicted,
)
from snakebird.fitting._vector import vector_of

_SPREAD = 0.3
"""How far the parameters of other starts lie from the given ones, on the scale without bounds."""
_WORSE = 6.0
"""How many deviations below the median a log evidence says that a member missed the data."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Fits that all could have been the one; their spread is what is not known.

    `fits` are the members that were kept, `missed` is how many ended far from their data.
    """

    fits: tuple[Fit, ...]
    missed: int

    @cached_property
    def parameters(self) -> dict[str, Float[np.ndarray, " members"]]:
        """Each parameter and start value in each member, in its own units."""
        first = self.fits[0]
        own = in_own_units(first, np.stack([one.vector for one in self.fits]))
        return {name: own[:, i] for name, i in named(first).items()}

    @property
    def standard_errors(self) -> dict[str, float]:
        """The standard deviation of each parameter and start value over the members."""
        return {name: float(np.std(x, ddof=1)) for name, x in self.parameters.items()}

    def intervals(self, *, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Quantiles of each parameter and start value over the members."""
        ends = [(1 - level) / 2, (1 + level) / 2]
        found = {name: np.quantile(x, ends) for name, x in self.parameters.items()}
        return {name: (float(low), float(high)) for name, (low, high) in found.items()}

    def bands(
        self,
        times: Any = None,
        *,
        experiment: str | int = 0,
        level: float = 0.95,
        noise: bool = False,
        seed: int = 0,
    ) -> Bands:
        """Medians and quantiles of each column over the members, at `times`.

        With `noise`, those of new observations, drawn with `seed`. Raises `FitError` where most
        members' solutions end before the last time.
        """
        first = self.fits[0]
        lane = first.lane(experiment)
        at = first.times_at(times, lane)
        # Members fitted in another batch measure their holes in other units.
        groups = {id(one.problem): [m for m in self.fits if m.problem is one.problem]
                  for one in self.fits}.values()  # fmt: skip
        vectors = [np.stack([one.vector for one in group]) for group in groups]
        parts = [predicted(group[0], phi, at, lane)
                 for group, phi in zip(groups, vectors, strict=True)]  # fmt: skip
        seen = np.concatenate(parts)
        return bands_of(first, at, seen, level, np.random.default_rng(seed) if noise else None)

    def hole(
        self, name: str, points: Float[np.ndarray, "n inputs"]
    ) -> Float[np.ndarray, "members n outputs"]:
        """What a hole gives at some inputs, in each member. Raises `UnknownNameError`."""
        known = self.fits[0].holes
        if name not in known:
            raise UnknownNameError(f"no hole is called {name!r}", "ensemble", suggest(name, known))
        with jax.enable_x64(True):
            at = jnp.asarray(points, float)
            own = [jax.vmap(resolve(one.holes[name]).array)(at) for one in self.fits]
            return np.stack([np.asarray(out) for out in own])

    def __len__(self) -> int:
        return len(self.fits)

    def __repr__(self) -> str:
        missed = f", {self.missed} missed" if self.missed else ""
        lines = [f"Ensemble of {len(self)} fits of {type(self.fits[0].model).__name__}{missed}"]
        for name, x in self.parameters.items():
            lines.append(f"  {name} = {np.mean(x):.4g} ± {np.std(x, ddof=1):.2g}")
        return "\n".join(lines)


def ensemble(
    model: Any,
    data: Trajectories,
    *,
    members: int = 10,
    bootstrap: bool = True,
    seed: int = 0,
    starts: int = 2,
    **options: Any,
) -> Ensemble:
    """Fit the model many times, as one batch; options as those of `fit_many`.

    Each member starts elsewhere, its holes drawn anew, and the better of `starts` is kept. With
    `bootstrap` the model is fitted once, and each member is given data drawn around that fit with
    the noise it found; without, all see the same data, and only the starts differ.

    Raises `FitError` for fewer than two members, and as `fit` does.
    """
    if members < 2:
        raise FitError(f"{members} member has no spread", "ensemble", "give members=2 or more")
    samples = [data] * members
    if bootstrap:
        reference = fit(model, data, seed=seed, starts=starts, **options)
        rng = np.random.default_rng(seed)
        samples = [resampled(reference, rng) for _ in range(members)]
    keys = jax.random.split(jax.random.key(seed), members)
    models = [_elsewhere(model, key) for key in keys]
    found = fit_many(models, samples, seed=seed, starts=starts, **options)
    scores = np.array([one.score for one in found])
    off = scores - np.median(scores)
    least = -_WORSE * max(1.5 * float(np.median(np.abs(off))), 1.0)
    kept = tuple(one for one, own in zip(found, off, strict=True) if own >= least)
    return Ensemble(kept, members - len(kept))


def resampled(reference: Fit, rng: np.random.Generator) -> Trajectories:
    """Data that could have been measured had the fit been true; what is missing stays missing."""
    times = np.asarray(reference.batch.times[0])
    drawn = []
    for lane, own in enumerate(reference.data):
        seen = predicted(reference, reference.vector[None], times[lane], lane)[0]
        table = observations(reference, seen, rng)[: len(own)]
        table = np.where(np.isnan(own.table), np.nan, table)
        columns = dict(zip(own.values, table.T, strict=True))
        drawn.append(Experiment(own.name, own.times, columns, conditions=own.conditions))
    return Trajectories(tuple(drawn))


def _elsewhere(model: Any, key: Any) -> Any:
    """The model, its holes drawn anew and its parameters moved a little."""
    with jax.enable_x64(True):
        vector = vector_of(model)
        shift, *keys = jax.random.split(key, len(vector.holes) + 1)
        move = _SPREAD * np.asarray(jax.random.normal(shift, vector.start.shape))
        moved = vector.trained(vector.start + np.where(vector.hole < 0, move, 0.0))
        own = dict(zip(vector.holes, keys, strict=True))
        return with_holes(moved, lambda name, hole: redrawn(hole, own[name]))
