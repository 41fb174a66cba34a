"""Laws in the order of their probability."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import f as f_distribution

from snakebird.equations import Hole, with_holes
from snakebird.errors import FitError
from snakebird.fitting import Fit
from snakebird.fitting.core import Prior, columns_of
from snakebird.synthesis.laws._around import Local
from snakebird.synthesis.laws._columns import constants
from snakebird.synthesis.laws._law import Law
from snakebird.synthesis.laws._refit import Judged, Refit
from snakebird.synthesis.laws._simple import Simple
from snakebird.synthesis.laws._stability import stability

SHOWN = 8
"""How many laws a printed table has."""
LEAST = 3
"""And how many even if they have no weight."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """One law and how good it is.

    `score` is minus twice the log evidence, lower is better; `loss` minus twice the log
    likelihood; `weight` the posterior probability among the candidates; `terms` their number.
    """

    score: float
    loss: float
    weight: float
    terms: int
    judged: Judged
    refit: Refit

    @cached_property
    def law(self) -> Law:
        """The closed form, its coefficients with standard errors."""
        return law_of(self.judged, self.refit)

    @cached_property
    def fit(self) -> Fit:
        """The fit with the law in the hole's place, to predict with."""
        return _as_fit(self.judged, self.refit, self.law)

    def __repr__(self) -> str:
        return f"<weight {self.weight:.2f}: {'; '.join(str(self.law).splitlines())}>"


@dataclass(frozen=True, eq=False)
class Laws:
    """Laws for a hole, the most probable first."""

    hole: str
    entries: tuple[Ranked, ...]
    local: Local | None = None

    def stability(self, *, draws: int = 100, seed: int = 0) -> dict[tuple[str, str], float]:
        """In what share of bootstrap draws of the data each term would be chosen, by output.

        A law whose terms are all near one owes nothing to single observations. Terms that are
        never chosen are left out. From the equation to first order about the best law.
        """
        if self.local is None or not self.entries:
            raise FitError(
                "these laws know nothing of their search", "Laws.stability", "use discover"
            )
        most = max(one.terms for one in self.entries)
        refit = self.entries[0].refit
        return stability(self.local, refit, most=most, draws=draws, seed=seed)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Ranked]:
        return iter(self.entries)

    def __getitem__(self, place: int) -> Ranked:
        return self.entries[place]

    @property
    def best(self) -> Law:
        """The most probable law."""
        return self.entries[0].law

    @property
    def sure(self) -> bool:
        """Whether the best law has more than nine tenths of the weight, and meets the data."""
        return self.entries[0].weight > 0.9 and not self.missed

    @cached_property
    def missed(self) -> bool:
        """Whether even the best law misses the data by more than the trained hole did.

        By F-tests at the level of a thousandth: of its squared residuals against those of the fit
        in each column, and, where they exceed them by a quarter, of the excess in all columns
        against what the numbers that the hole has more than the law would explain by chance. Then
        the true law is none of those that were tried, or there is none.
        """
        one = self.entries[0]
        law, fit = one.judged.residual, one.refit.fits[one.judged.candidate.fit]
        column, seen = columns_of(fit.problem, fit.batch)
        count = seen[0] @ column
        mine, hole = ((x**2 * seen[0]) @ column for x in (law, fit.residual))
        limit = f_distribution.ppf(0.999, np.maximum(count, 1), np.maximum(count / 2, 1))
        # The noise of the fit counts what the hole was free to do.
        least = np.maximum(hole, count)
        if np.any((mine > limit * least) & (count > 0)):
            return True
        left = min(hole.sum(), count.sum() - 1.0)
        numbers = len(one.refit.coefficient[: one.terms]) + len(one.refit.others)
        more = max(count.sum() - left - numbers, 1.0)
        excess = (mine.sum() - left) / more
        return bool(
            mine.sum() > 1.25 * least.sum()
            and excess > f_distribution.ppf(0.999, more, max(left, 1.0))
        )

    def pareto(self) -> tuple[Ranked, ...]:
        """Of each number of terms the law that fits best, while more terms fit better."""
        front: list[Ranked] = []
        for one in sorted(self.entries, key=lambda own: (own.terms, own.loss)):
            if not front or (one.terms > front[-1].terms and one.loss < front[-1].loss):
                front.append(one)
        return tuple(front)

    @property
    def _shown(self) -> list[Ranked]:
        """The first ones, without a tail that has no weight."""
        first = self.entries[:SHOWN]
        return [one for k, one in enumerate(first) if k < LEAST or one.weight >= 0.0005]

    def __repr__(self) -> str:
        lines = [f"Laws for {self.hole}", "  weight  terms  -2 log L  law"]
        for one in self._shown:
            law = "; ".join(str(one.law).splitlines())
            lines.append(f"  {one.weight:6.3f}  {one.terms:5d}  {one.loss:8.1f}  {law}")
        if self.missed:
            lines.append("  No law that was tried meets the data as well as the hole does.")
        elif not self.sure:
            count = int(np.searchsorted(np.cumsum([e.weight for e in self.entries]), 0.95)) + 1
            lines.append(f"  The data do not tell the first {count} apart.")
        return "\n".join(lines)


def ranked(judged: list[Judged], refit: Refit, local: Local | None = None) -> Laws:
    """Judged candidates in order, the same law found twice kept once."""
    best: dict[Any, Judged] = {}
    for one in judged:
        columns = refit.columns
        form = tuple(
            sorted((p // len(columns), columns.columns[p % len(columns)].term.expression.sort_key())
                   for p in one.candidate.support)
        )  # fmt: skip
        if np.isfinite(one.score) and (form not in best or one.score < best[form].score):
            best[form] = one
    order = sorted(best.values(), key=lambda one: one.score)
    scores = np.array([one.score for one in order])
    weights = np.exp(-0.5 * (scores - scores.min(initial=np.inf)))
    weights = weights / weights.sum() if len(weights) else weights
    entries = [
        Ranked(one.score, one.loss, w, len(one.candidate.support), one, refit)
        for one, w in zip(order, map(float, weights), strict=True)
    ]
    return Laws(refit.hole, tuple(entries), local)


def law_of(one: Judged, refit: Refit, numbers: Sequence[Simple] = ()) -> Law:
    """The closed form with its coefficients and their standard errors, or with exact `numbers`."""
    hole, columns = refit.fits[one.candidate.fit].holes[refit.hole], refit.columns
    errors = standard_errors(one, refit)
    terms: dict[str, list[Any]] = {name: [] for name in hole.outputs}
    spread: dict[str, list[Any]] = {name: [] for name in hole.outputs}
    for k, place in enumerate(one.candidate.support):
        o, j = divmod(place, len(columns))
        column, scale = columns.columns[j], columns.scale[o, j]
        value = float(one.phi[refit.coefficient[k]] * scale)
        given: tuple[Any, ...] = (numbers[k].number if numbers else value, column.term)
        if column.start:
            width = columns.inner
            free = one.phi[[refit.inner[k * width + i] for i in range(len(column.start))]]
            given = (*given, tuple(map(float, constants(column.term, column.start, free))))
        for name, sign in _targets(hole, o):
            terms[name].append((given[0] if sign > 0 else -given[0], *given[1:]))
            spread[name].append(None if numbers else float(errors[k] * scale))
    return Law.of_terms(hole.inputs, terms, errors=spread)


def _targets(hole: Hole, output: int) -> list[tuple[str, float]]:
    """Which outputs a term goes to: what is conserved leaves the last one."""
    own = [(hole.outputs[output], 1.0)]
    return [*own, (hole.outputs[-1], -1.0)] if hole.conserved else own


def standard_errors(one: Judged, refit: Refit) -> np.ndarray:
    """Standard errors of the coefficients, in their scaled units, by the Gauss-Newton matrix."""
    k = len(one.candidate.support)
    column, _ = columns_and_sizes(one, refit)
    live = [*refit.coefficient[:k], *refit.others]
    rows = one.jacobian[:, live] / column[:, None]
    matrix = rows.T @ rows + 1e-10 * np.eye(len(live))
    scale = 1 / np.sqrt(np.diag(matrix))
    inverse = np.linalg.pinv(matrix * scale[:, None] * scale) * scale[:, None] * scale
    return np.sqrt(np.maximum(np.diag(inverse)[:k], 0.0))


def columns_and_sizes(one: Judged, refit: Refit) -> tuple[np.ndarray, np.ndarray]:
    """By how much each residual, and each column's noise, is larger than in the fit."""
    column, _ = columns_of(refit.problem, refit.fits[one.candidate.fit].batch)
    return column @ one.sizes + (column.sum(1) == 0), one.sizes


def _as_fit(one: Judged, refit: Refit, law: Law) -> Fit:
    """A fit whose hole is the law."""
    with jax.enable_x64(True):
        _, batch, prior = refit.rows([one.candidate])
        batch = batch._replace(size=batch.size * jnp.asarray(one.sizes))
    parent = refit.fits[one.candidate.fit]
    factor, _ = columns_and_sizes(one, refit)
    vector = refit.problem.vector
    plain = vector.trained(one.phi[: len(vector.start)])
    model = with_holes(
        plain, lambda n, h: h.with_model(Known(law, h.free_outputs)) if n == refit.hole else h
    )
    return Fit(
        model, parent.data, parent.setup, refit.outside, batch, one.phi,
        Prior(*prior), one.jacobian / factor[:, None], one.residual / factor,
        0.5 * float(np.sum((one.residual / factor) ** 2)), np.array([-0.5 * one.score]),
        parent.history, parent.stopped,
    )  # fmt: skip


class Known:
    """A law as the model of a hole."""

    def __init__(self, law: Law, outputs: int):
        self.law, self.outputs = law, outputs

    def __call__(self, x: Any) -> Any:
        return self.law.array(x)[: self.outputs]

    def __repr__(self) -> str:
        return str(self.law)
