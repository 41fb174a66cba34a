"""Candidate laws in the equation, on the raw data: many at once, each judged by its evidence."""

from dataclasses import dataclass
from functools import cached_property, partial
from math import lgamma, log
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from snakebird.equations import Explicit, Fixed, Hole, with_holes
from snakebird.fitting import Fit
from snakebird.fitting.core import (
    Batch,
    Prior,
    Problem,
    columns_of,
    least_squares,
    pools,
    vector_of,
)
from snakebird.synthesis.laws._columns import Columns, Sum
from snakebird.synthesis.laws._search import Support

_TOGETHER = 128
"""How many candidates are refitted side by side at most; more would not fit the cache."""
_NUMBERS = 2**17
"""How many observations they have together at most, so that they fit the memory."""
_HELD = 1e14
"""The precision of a number that must not move."""
_STEPS = 25
"""How many steps of least squares a candidate has."""
_COEFFICIENT, _INNER = 2.0, 1.5
"""Prior spread of a coefficient, in units in which its term explains all, and of log constants."""
_BIT = 0.2
"""How many bits of its prior a term pays for each bit of its length."""


class Candidate(NamedTuple):
    """A law as numbers `o * columns + j`: column `j` in output `o`; and where to start it."""

    fit: int
    support: Support
    coefficients: tuple[float, ...]
    shift: Float[np.ndarray, " others"]


class Judged(NamedTuple):
    """A candidate after its refit. `score` is minus twice the log evidence; lower is better.

    `loss` is minus twice the log likelihood, `sizes` the noise relative to that of the fit.
    """

    candidate: Candidate
    phi: Float[np.ndarray, " P"]
    score: float
    loss: float
    sizes: Float[np.ndarray, " K"]
    residual: Float[np.ndarray, " R"]
    jacobian: Float[np.ndarray, "R P"]


@dataclass(eq=False)
class Refit:
    """Refits candidates of several fits of one model; compiled once."""

    fits: list[Fit]
    hole: str
    columns: Columns
    most: int
    tries: int

    def __post_init__(self) -> None:
        first = self.fits[0]
        self.outputs = first.holes[self.hole].free_outputs
        shape = (self.most, self.outputs)
        columns = self.columns
        linear, inner = len(columns.library.linear), len(columns.library.nonlinear)
        self.shapes = ((*shape, linear), (*shape, inner), (self.most, columns.inner))
        self.skeletons = [self._with_sum(one.model) for one in self.fits]
        self.vectors = [vector_of(model) for model in self.skeletons]
        self.problem = first.problem.with_(
            vector=self.vectors[0],
            inject=partial(_inject, self.hole),
            solver=self._solver(),
        )
        names = self.vectors[0].names
        prefix = f"{self.hole}.model." if self.hole else "model."
        self.coefficient = [i for i, n in enumerate(names) if n.startswith(f"{prefix}coefficients")]
        self.inner = [i for i, n in enumerate(names) if n.startswith(f"{prefix}inner")]
        own = {*self.coefficient, *self.inner}
        total = len(names) + self.problem.layout.count
        self.others = [i for i in range(total) if i not in own]
        self._compiled = jax.jit(self._run)

    @cached_property
    def together(self) -> int:
        """How many candidates are refitted side by side."""
        return int(np.clip(_NUMBERS // self.fits[0].batch.values.size, 4, _TOGETHER))

    @cached_property
    def outside(self) -> Problem:
        """The problem with the fits' own solver, for what is done with a law afterwards."""
        return self.problem.with_(solver=self.fits[0].problem.solver)

    def _solver(self) -> Any:
        """The solver of the fits, with room for a few times their steps: wild laws end early."""
        solver = self.fits[0].problem.solver
        if not isinstance(solver, Explicit):
            return solver
        room = min(solver.max_steps, 3 * self.tries + 16)
        return Explicit(solver.rtol, solver.atol, room)

    def _with_sum(self, model: Any) -> Any:
        free = np.zeros(self.shapes[2]) if self.columns.inner else Fixed(0.0)
        inner = free if isinstance(free, Fixed) else jnp.asarray(free)
        law = Sum(jnp.zeros(self.most), inner, Fixed(0.0), Fixed(0.0), Fixed(0.0), self.columns)
        return with_holes(model, lambda name, h: h.with_model(law) if name == self.hole else h)

    def __call__(self, candidates: list[Candidate]) -> list[Judged]:
        """Refit all, in parts of one size so that one compilation serves."""
        judged = []
        for first in range(0, len(candidates), self.together):
            part = candidates[first : first + self.together]
            full = [*part, *[part[0]] * (self.together - len(part))]
            phi, batch, prior = self.rows(full)
            cost, phi, residual, jacobian = map(np.asarray, self._compiled(phi, batch, prior))
            judged += [
                self.judge(one, phi[i], cost[i], residual[i], jacobian[i], prior)
                for i, one in enumerate(part)
            ]
        return judged

    def place(self, one: Judged) -> tuple[tuple[float, ...], np.ndarray]:
        """Where a law came to: its coefficients, and how far the other numbers have moved."""
        fit, vector = self.fits[one.candidate.fit], self.vectors[one.candidate.fit]
        start = np.concatenate([vector.start, fit.vector[len(fit.problem.vector.start) :]])
        values = one.phi[self.coefficient[: len(one.candidate.support)]]
        return tuple(map(float, values)), one.phi[self.others] - start[self.others]

    def held(self, one: Judged, coefficients: Float[np.ndarray, " terms"]) -> Judged:
        """The law again with its coefficients held at these (scaled) numbers, all else refitted."""
        phi, batch, prior = self.rows([one.candidate] * self.together)
        start, mine = one.phi.copy(), self.coefficient[: len(coefficients)]
        start[mine] = coefficients
        row = lambda x: jnp.broadcast_to(jnp.asarray(x), phi.shape)
        precision = np.array(prior.precision[0])
        precision[mine] = _HELD
        mean = np.array(prior.mean[0])
        mean[mine] = coefficients
        tight = Prior(row(mean), row(precision))
        cost, phi, residual, jacobian = map(np.asarray, self._compiled(row(start), batch, tight))
        return self.judge(one.candidate, phi[0], cost[0], residual[0], jacobian[0], prior)

    def rows(self, candidates: list[Candidate]) -> tuple[Any, Batch, Prior]:
        """Vectors, data and priors of candidates."""
        rows = [self._row(one) for one in candidates]
        own = [self.fits[one.fit].batch._replace(extra=None) for one in candidates]
        batch = jax.tree.map(lambda *x: jnp.concatenate(x), *own)
        phi = jnp.asarray(np.stack([row[0] for row in rows]))
        extra = tuple(jnp.asarray(np.stack(x)) for x in zip(*(r[1] for r in rows), strict=True))
        precision = np.concatenate(
            [self.vectors[0].precision, np.full(self.problem.layout.count, 1e-10)]
        )
        precision[self.coefficient] = _COEFFICIENT**-2
        precision[self.inner] = _INNER**-2
        mean = np.concatenate([self.vectors[0].mean, np.zeros(self.problem.layout.count)])
        each = lambda x: jnp.asarray(np.tile(x, (len(rows), 1)))
        return phi, batch._replace(extra=extra), Prior(each(mean), each(precision))

    def _row(self, one: Candidate) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        fit, vector, columns = self.fits[one.fit], self.vectors[one.fit], self.columns
        starts = fit.vector[len(fit.problem.vector.start) :]
        phi = np.concatenate([vector.start, starts])
        phi[self.others] += one.shift
        pick, pick_inner, start = (np.zeros(shape) for shape in self.shapes)
        start += 1.0
        linear = len(columns.library.linear)
        for k, (place, value) in enumerate(zip(one.support, one.coefficients, strict=True)):
            o, j = divmod(place, len(columns))
            phi[self.coefficient[k]] = value
            if j < linear:
                pick[k, o, j] = columns.scale[o, j]
            else:
                column = columns.columns[j]
                pick_inner[k, o, columns.library.nonlinear.index(column.term)] = columns.scale[o, j]
                start[k, : len(column.start)] = column.start
        return phi, (pick, pick_inner, start)

    def _run(self, phi: Any, batch: Any, prior: Any) -> Any:
        state = least_squares.begin(self.problem, phi, batch, 1e-3)
        state = least_squares.iterate(self.problem, state, batch, prior, steps=_STEPS, tol=1e-6)
        return state.cost, state.phi, state.residual, state.jacobian

    def judge(
        self, one: Candidate, phi: Any, cost: Any, residual: Any, jacobian: Any, prior: Prior
    ) -> Judged:
        """The evidence of a refitted law by Laplace's method, noise sizes fitted to it."""
        fit = self.fits[one.fit]
        column, seen = columns_of(self.problem, fit.batch)
        count = seen[0] @ column
        sized = np.array([noise.size is None for noise in self.problem.noise])
        sums = (residual**2 * seen[0]) @ column
        pool = pools(self.problem.noise)
        sizes = np.where(sized, np.sqrt(sums @ pool / np.maximum(count @ pool, 1)), 1.0)
        # No noise is smaller than the solver's own error.
        sizes = np.maximum(sizes, 1e-3)
        loss = float(np.sum(sums / sizes**2 + 2 * count * np.log(sizes)))
        if not np.isfinite(cost):
            return Judged(one, phi, np.inf, np.inf, sizes, residual, jacobian)
        k = len(one.support)
        live = [*self.coefficient[:k], *self._inner_of(one), *self.others]
        rows = jacobian[:, live] / (column @ sizes + (column.sum(1) == 0))[:, None]
        own = np.asarray(prior.precision[0])[live]
        drawn = (phi - np.asarray(prior.mean[0]))[live]
        known = rows.T @ rows
        # A number that the law is about costs what its prior says. All others cost as much as
        # an observation tells of them: a law that has no use for one must not gain by it.
        unit = np.where(np.isin(live, self.others), np.diag(known) / max(count.sum(), 1), 0.0)
        wide = np.maximum(own, unit)
        _, volume = np.linalg.slogdet(known + np.diag(wide))
        laplace = float(volume - np.log(wide).sum() + own @ drawn**2)
        return Judged(
            one,
            phi,
            loss + laplace + self.description(one.support),
            loss,
            sizes,
            residual,
            jacobian,
        )

    def _inner_of(self, one: Candidate) -> list[int]:
        width = self.columns.inner
        return [
            self.inner[k * width + i]
            for k, place in enumerate(one.support)
            for i in range(len(self.columns.columns[place % len(self.columns)].start))
        ]

    def description(self, support: Support) -> float:
        """Minus twice the log prior of a form: which terms, of how many, and how long they are.

        (J. Chen, Z. Chen, Extended Bayesian information criteria, Biometrika 95, 2008, for the
        number of sets of a size.)
        """
        terms = len(self.columns.library) * self.outputs
        k = len(support)
        choices = lgamma(terms + 1) - lgamma(k + 1) - lgamma(terms - k + 1)
        length = sum(self.columns.costs[place % len(self.columns)] for place in support)
        return 2 * choices + 2 * log(2) * _BIT * length


def _inject(hole: str, model: Any, extra: Any) -> Any:
    """Put the rows' choice of columns into the law."""
    pick, pick_inner, start = extra

    def change(name: str, own: Hole) -> Hole:
        if name != hole:
            return own
        where = lambda h: (h.model.pick, h.model.pick_inner, h.model.start)
        return eqx.tree_at(where, own, (pick, pick_inner, start))

    return with_holes(model, change)
