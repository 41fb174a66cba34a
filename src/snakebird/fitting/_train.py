"""Rounds of least squares with the noise re-estimated between them, and what survives of each."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.fitting import _least_squares as ls
from snakebird.fitting._evidence import log_evidence, reestimate
from snakebird.fitting._noise import kin, pools
from snakebird.fitting._optimizers import optimized
from snakebird.fitting._problem import Batch, Problem, columns_of

_PATIENCE = 3
"""For how many rounds validation may be worse."""


class Step(NamedTuple):
    """What is known after a round: for the history, the progress line, and the checkpoint."""

    stage: str
    round: int
    cost: float
    best: int
    sizes: tuple[float, ...]
    alive: int
    seconds: float
    last: bool = False


class Rows(NamedTuple):
    """All starts of all data sets between two rounds; enough to go on from, bit for bit.

    Rows of one data set stand together: `starts` of the first, then of the second. `best` is where
    each start met validation data best, `loss` how well, `stale` for how many rounds.
    """

    phi: jax.Array
    damping: jax.Array
    size: jax.Array
    precision: jax.Array
    cost: jax.Array
    alive: jax.Array
    best: jax.Array
    loss: jax.Array
    stale: jax.Array


@dataclass(eq=False)
class Trainer:
    """One problem with its compiled rounds. `least` bounds the noise sizes from below.

    `optimizer` takes the place of Levenberg-Marquardt; `validation(phi, size)` is the loss of each
    start on data that are not trained on.
    """

    problem: Problem
    batch: Batch
    least: Any
    tol: float = 1e-5
    optimizer: Any = None
    validation: Any = None
    mean: Any = field(init=False)
    _round: Any = field(init=False)
    _evidence: Any = field(init=False)
    _driven: Any = field(init=False)
    _judged: Any = field(init=False)
    _checked: Any = field(init=False)

    def __post_init__(self) -> None:
        problem, batch = self.problem, self.batch
        extra = problem.layout.count
        vector = problem.vector
        self.mean = jnp.asarray(np.concatenate([vector.mean, np.zeros(extra)]))
        column, seen = columns_of(problem, batch)
        count = len(vector.holes)
        groups = np.concatenate(
            [vector.hole[None] == np.arange(count)[:, None], np.zeros((count, extra))], axis=1
        )
        sized = np.array([float(noise.size is None) for noise in problem.noise])
        self._again = partial(
            reestimate,
            column=jnp.asarray(column),
            seen=jnp.asarray(seen),
            sized=jnp.asarray(sized),
            pool=jnp.asarray(pools(problem.noise)),
            kin=jnp.asarray(kin(problem.noise)),
            groups=jnp.asarray(groups, float),
            least=self.least,
        )
        self._round = jax.jit(partial(self._run, self.optimizer))
        self._judged = self._round if self.optimizer is None else jax.jit(partial(self._run, None))
        self._checked = None if self.validation is None else jax.jit(self.validation)
        self._evidence = jax.jit(self._log_evidence)
        self._driven = jax.jit(problem.driven)

    @property
    def rows(self) -> int:
        """How many starts there are, of all data sets together."""
        return self.batch.times.shape[0]

    def begin(self, phi: Any) -> Rows:
        """All starts before the first round."""
        extra = self.problem.layout.count
        precision = np.concatenate([self.problem.vector.precision, np.full(extra, 1e-10)])
        S = self.rows
        # Never of a weak type, so that the first round compiles what the others use.
        each = lambda value: jnp.asarray(np.full(S, value))
        return Rows(
            jnp.asarray(phi, float), each(1e-2), jnp.asarray(self.batch.size, float),
            jnp.asarray(np.tile(precision, (S, 1))), each(np.inf), each(True),
            jnp.asarray(phi, float), each(np.inf), each(0),
        )  # fmt: skip

    def prior(self, rows: Rows) -> ls.Prior:
        """The priors of all starts."""
        return ls.Prior(jnp.broadcast_to(self.mean, rows.phi.shape), rows.precision)

    def round(self, rows: Rows, *, steps: int, early: bool = False) -> tuple[Rows, ls.State]:
        """Up to `steps` steps of every start that is alive, then noise and priors anew.

        While it is `early`, noise does not grow, or it might explain what the model does not yet.
        """
        if self.problem.process is not None and np.isfinite(rows.cost).any():
            driven = np.asarray(self._driven(rows.phi, self.batch))
            old = np.asarray(self.batch.driven)
            self.batch = self.batch._replace(driven=np.where(np.isfinite(driven), driven, old))
        flags = jnp.array(True), jnp.array(early)
        return self._round(rows, jnp.array(steps), flags, self.batch)

    def _run(self, optimizer: Any, rows: Rows, steps: Any, flags: Any, batch: Batch) -> Any:
        evidence, early = flags
        residuals = self.problem
        batch, prior = batch._replace(size=rows.size), self.prior(rows)
        if optimizer is not None:
            phi, steps = optimized(optimizer, residuals, rows.phi, batch, prior), jnp.array(1)
            rows = rows._replace(phi=phi)
        state = ls.begin(residuals, rows.phi, batch, rows.damping)
        state = state._replace(done=~rows.alive)
        state = ls.iterate(residuals, state, batch, prior, steps=steps, tol=self.tol)
        alive = rows.alive & jnp.isfinite(state.cost)
        new_prior, size = self._again(state, prior, rows.size)
        size = jnp.where(early, jnp.minimum(size, rows.size), size)
        keep = evidence & alive & jnp.all(jnp.isfinite(size), 1)
        keep = keep & jnp.all(jnp.isfinite(new_prior.precision), 1)
        pick = lambda new, old: jnp.where(keep[:, None], new, old)
        rows = rows._replace(
            phi=state.phi, damping=jnp.clip(state.damping, 1e-9, 1.0), size=pick(size, rows.size),
            precision=pick(new_prior.precision, rows.precision), cost=state.cost, alive=alive,
        )  # fmt: skip
        return rows, state

    def judged(self, rows: Rows) -> tuple[Rows, ls.State]:
        """Cost and derivatives where the starts are now, nothing estimated anew."""
        flags = jnp.array(False), jnp.array(False)
        return self._judged(rows, jnp.array(1), flags, self.batch)

    def check(self, rows: Rows) -> Rows:
        """Remember where each start met the validation data best."""
        if self._checked is None:
            return rows
        loss = self._checked(rows.phi, rows.size)
        better = loss < rows.loss
        return rows._replace(
            best=jnp.where(better[:, None], rows.phi, rows.best),
            loss=jnp.fmin(loss, rows.loss),
            stale=jnp.where(better, 0, rows.stale + 1),
        )

    def _log_evidence(self, rows: Rows, state: ls.State) -> Any:
        seen = jnp.sum(self.batch.mask, (1, 2))
        logs = jnp.sum(seen * jnp.log(rows.size), 1)
        return log_evidence(state, self.prior(rows), logs)

    def score(self, rows: Rows, state: ls.State) -> np.ndarray:
        """How good each start is, higher is better: its log evidence, -inf where it is lost."""
        value = np.asarray(self._evidence(rows, state))
        return np.where(np.isfinite(value) & np.asarray(rows.alive), value, -np.inf)


def train(
    trainer: Trainer,
    rows: Rows,
    *,
    stage: str,
    rounds: int,
    steps: int = 15,
    starts: int = 1,
    keep: int = 0,
    before: Callable[[int], None] = lambda number: None,
    after: Callable[[Step, Rows], bool] = lambda step, rows: True,
    settle: bool = True,
    first: int = 0,
    early: int = 0,
) -> Rows:
    """Rounds until noise and cost settle; after the second, all but `keep` starts are dropped.

    `before(number)` may change what is minimized; `after(step, rows)` sees every round, and ends
    the training by returning False. Without `settle` all rounds are run.
    In the first `early` rounds noise does not grow.
    """
    for number in range(first, rounds):
        before(number)
        begun, old = time.perf_counter(), rows
        rows, state = trainer.round(rows, steps=steps, early=number < early)
        rows = trainer.check(rows)
        jax.block_until_ready(rows.phi)
        score = trainer.score(rows, state)
        if keep and number == 1:
            rows = rows._replace(alive=rows.alive & jnp.asarray(_best(score, starts, keep)))
        best = int(np.argmax(score))
        settled = settle and number >= 2 and (_settled(old, rows) or _stale(rows))
        last = number + 1 == rounds or settled or not bool(rows.alive.any())
        step = Step(
            stage, number, float(rows.cost[best]), best, tuple(map(float, rows.size[best])),
            int(rows.alive.sum()), time.perf_counter() - begun, last,
        )  # fmt: skip
        if not after(step, rows) or last:
            break
    return rows


def _best(score: np.ndarray, starts: int, keep: int) -> np.ndarray:
    """Which rows are among the best `keep` of their data set."""
    table = score.reshape(-1, starts)
    place = np.argsort(np.argsort(-table, axis=1), axis=1)
    return (place < keep).reshape(-1)


def _stale(rows: Rows) -> bool:
    """Whether no start has met the validation data any better for some rounds."""
    return bool((np.asarray(rows.stale) >= _PATIENCE)[np.asarray(rows.alive)].all())


def _settled(before: Rows, after: Rows) -> bool:
    alive = np.asarray(after.alive)
    change = np.abs(np.log(np.asarray(after.size) / np.asarray(before.size)))[alive]
    return bool(np.median(change.max(1)) < 0.01)
