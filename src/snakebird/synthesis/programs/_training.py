"""Rounds of training and evolution of one machine: what decides, what failed, what was found."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.errors import SpaceError
from snakebird.machines import Machine
from snakebird.synthesis.programs import _population as population_
from snakebird.synthesis.programs._evolve import Evolution, Wiring
from snakebird.synthesis.programs._examples import Example, Examples
from snakebird.synthesis.programs._lift import program_of
from snakebird.synthesis.programs._objective import Data, Errors, Problem, errors_of
from snakebird.synthesis.programs._population import Course, Population
from snakebird.synthesis.programs._prune import pruned, retrain
from snakebird.synthesis.programs._snap import (
    HALVES,
    on_grid,
    refined,
    rescaled,
    simple_fraction,
    snapped,
)
from snakebird.synthesis.programs._verify import Failure, verify

Watch = Callable[[str, dict[str, Any]], None]
"""Called with the name of a stage and what came of it."""

MOST, SPARE, LONGEST = 24, 8, 160
"""So many examples decide, so many more are those that a candidate failed; ticks at most."""

WORK = 250_000
"""Numbers that a training step may move: from it comes how many examples one takes."""

HEAVY = 500
"""An example that moves more numbers is much work: it counts by fewer examples and starts."""

FLUID = 1e-2
"""How much the gap between a fluid accumulator's coefficient and its loop counts."""

FEW = 4
"""So many programs of a round are checked exactly."""

LEAST = 12
"""So many examples decide evolution where they are much work."""


@dataclass
class Training:
    """A search in progress: the problem, the examples that decide, and what was tried."""

    problem: Problem
    examples: Examples
    items: list[Example]
    failed: list[Example]
    ticks: int
    starts: int
    seed: int
    begin: float
    budget: float
    watch: Watch | None
    enough: Callable[[], bool]
    refused: set[bytes] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    shortest: int = 1 << 30
    data: Any = None
    first: Any = None

    @classmethod
    def of(
        cls,
        machine: Machine,
        examples: Examples,
        starts: int,
        seed: int,
        budget: float,
        watch: Watch | None,
        enough: Callable[[], bool],
    ) -> "Training":
        problem = Problem.of(machine, examples)
        items = [*examples.items]
        if len(items) > MOST:
            chosen = np.linspace(0, len(items) - 1, MOST).round().astype(int)
            items = [items[k] for k in chosen]
        ticks = min(max(e.ticks for e in items), LONGEST)
        now = time.monotonic()
        search = cls(problem, examples, items, [], ticks, starts, seed, now, budget, watch, enough)
        search._refresh()
        return search

    def _refresh(self) -> None:
        count = min(len(self.items), MOST) + SPARE
        # The failed ones come first: where work is much, only some at the front decide.
        chosen = [*self.failed[-SPARE:], *self.items]
        self.data = self.problem.data(chosen, self.examples, ticks=self.ticks, count=count)
        first = count if self._work < HEAVY else min(count, LEAST)
        self.first = self.data.some(np.arange(first))

    def until(self, share: float) -> float:
        """The moment when a share of the budget is spent."""
        return self.begin + share * self.budget

    @property
    def left(self) -> float:
        """Seconds left; none where what was found is enough."""
        return 0.0 if self.enough() else self.until(1) - time.monotonic()

    def tell(self, stage: str, **what: Any) -> None:
        """Tell the watcher, if there is one."""
        if self.watch is not None:
            self.watch(stage, {"seconds": time.monotonic() - self.begin, **what})

    def rounds(self, method: str, weights: Any) -> Iterator[Machine]:
        """Rounds of training and evolution until the budget ends."""
        number, base = 0, self.problem.start()[None] if weights is None else weights
        seeds = base
        while self.left > 0:
            if method != "gradient" and (number == 0 or method == "evolution"):
                share = 4.0 if method == "hybrid" else max(10.0, self.budget / 6)
                yield from self.evolved(seeds, time.monotonic() + share, seed=number)
            if method != "evolution" and self.left > 0:
                tried = self.trained(number, weights)
                yield from self.programs(tried)
                if method == "hybrid":
                    seconds = time.monotonic() + max(8.0, 0.15 * self.budget)
                    yield from self.evolved(tried, seconds, seed=number + 1)
            number += 1

    def trained(self, number: int, weights: Any) -> np.ndarray:
        """Snapped weights `[start, link]` of one round of training, pruning and snapping."""
        pool, batch = self._pool(number), self._batch()
        key = jax.random.fold_in(jax.random.key(self.seed), number)
        population = population_.init(self.problem, self.starts, key=key, weights=weights)
        chunks = 6 + 2 * min(number, 4)
        for k in range(chunks):
            course = _course(k / chunks, (k + 1) / chunks, self.ticks)
            if len(self.problem.fluid):
                course = course._replace(fluid=FLUID)
            population = population_.train(self.problem, population, pool, course, batch=batch)
            self.tell("train", round=number, loss=float(population.loss.min()))
            if k < chunks // 2:
                population = population_.reseeded(population)
            if self.left <= 0:
                break
        best = _best(population_.settled(population), self._kept)
        if self.left <= 0:
            return self._rounded(best)
        short = retrain(self.problem, self.data, batch=batch)
        until = self.until(1)
        rounds = 36 + 4 * number
        best = pruned(
            self.problem, short(best), self.data, retrain=short, rounds=rounds, until=until
        )
        self.tell("prune", round=number, loss=float(best.loss.min()), links=_fewest(best))
        best = self._refined(best)
        best = snapped(self.problem, best, self.data, retrain=short, until=until)
        best = snapped(self.problem, best, self.data, retrain=short, grid=HALVES, until=until)
        self.tell("snap", round=number, loss=float(best.loss.min()), links=_fewest(best))
        return self._rounded(self._refined(best))

    def _refined(self, population: Population) -> Population:
        """Real constants to more digits, for answers that are numbers within a tolerance."""
        wanted = self.examples.tolerance > 0 and self.left > 0
        return refined(self.problem, population, self.data) if wanted else population

    def _rounded(self, population: Population) -> np.ndarray:
        """Simple weights: what is still real as a fraction, and the same on the grid of halves."""
        weights = np.asarray(population.weights * population.stands, float)
        fractions = np.array([[float(simple_fraction(w)) for w in row] for row in weights])
        coarse = np.where(self.problem.free > 0, on_grid(weights, HALVES), weights)
        return np.unique(np.concatenate([fractions, coarse]), axis=0)

    def _pool(self, number: int) -> Data:
        """The examples to train on: fresh ones too, if they can be had."""
        items = self.items + self.failed[-SPARE:]
        if self.examples.can_draw:
            fresh = self.examples.fresh(self.ticks, 96, seed=1000 * self.seed + number)
            items = [*items, *fresh.items]
            try:
                return self._filled(items, MOST + SPARE + 96)
            except SpaceError:
                items = self.items + self.failed[-SPARE:]
        return self._filled(items, MOST + SPARE if len(items) > MOST // 2 else len(items))

    def _filled(self, items: Sequence[Example], count: int) -> Data:
        full = [items[k % len(items)] for k in range(count)]
        return self.problem.data(full, self.examples, ticks=self.ticks, count=count)

    @property
    def _work(self) -> int:
        """Numbers that one example of one start moves."""
        blocks = sum(b.outputs * b.space.size for b in self.problem.low.plan.blocks)
        return max(1, self.ticks * blocks)

    @property
    def _kept(self) -> int:
        """How many starts are worth pruning: half, or a third where that is much work."""
        return max(2, self.starts // (2 if self._work < HEAVY else 3))

    def _batch(self) -> int:
        return int(np.clip(WORK // (self.starts * self._work), 6, 24))

    def evolved(self, seeds: np.ndarray, until: float, *, seed: int = 0) -> Iterator[Machine]:
        """Programs that evolution finds from some weights, each shorter than those before."""
        wiring = Wiring.of(self.problem)
        evolution = Evolution.init(wiring, seeds, seed=97 * self.seed + seed)
        while time.monotonic() < until and self.left > 0:
            candidates = evolution.ask()
            errors = errors_of(self.problem, candidates, self.first)
            evolution = evolution.tell(candidates, errors)
            exact = candidates[errors.exact]
            exact = exact[(exact != 0).sum(1) < self.shortest]
            before = len(self.failed)
            yield from self.programs(exact[np.argsort((exact != 0).sum(1))[:2]])
            if len(self.failed) > before:
                evolution = Evolution.init(wiring, evolution.pool, seed=evolution.generation)
            if evolution.generation % 50 == 49:
                best = program_of(self.problem, evolution.pool[evolution.score.argmin()])
                score = float(evolution.score.min())
                now = {"generation": evolution.generation, "score": score}
                self.tell("evolve", **now, links=len(best.links), machine=best)

    def programs(self, weights: np.ndarray) -> Iterator[Machine]:
        """The programs among some weight vectors, the shortest and simplest first."""
        if not len(weights):
            return
        errors = errors_of(self.problem, weights, self.data)
        self._learn(errors)
        exact = self._simplest(weights[errors.exact])
        for row in sorted(exact, key=_length)[:FEW]:
            self.refused.add(row.tobytes())
            machine = program_of(self.problem, row)
            text = str(machine)
            if text in self.given or not self._right(machine):
                continue
            self.given.add(text)
            self.shortest = min(self.shortest, len(machine.links))
            self.tell("found", links=len(machine.links), machine=machine)
            yield machine

    def _simplest(self, exact: np.ndarray) -> list[np.ndarray]:
        """Weight vectors rescaled to simpler numbers where they stay exact; none refused before."""
        if not len(exact):
            return []
        scaled = rescaled(self.problem.machine, exact)
        fine = errors_of(self.problem, scaled, self.data).exact
        rows = np.unique(np.where(fine[:, None], scaled, exact), axis=0)
        return [row for row in rows if row.tobytes() not in self.refused]

    def _learn(self, errors: Errors) -> None:
        """Bring an example forward that the first ones did not stand for."""
        first = self.first.number
        nearly = (errors.worst[:, :first] <= errors.close).all(1) & ~errors.exact
        if nearly.any():
            at = int(errors.worst[nearly.argmax()].argmax())
            self.failed.append([*self.failed[-SPARE:], *self.items][at])
            self._refresh()

    def _right(self, machine: Machine) -> bool:
        """Whether a machine is right on all examples, and on longer ones; a failure is kept."""
        verdict = verify(machine, self.examples)
        if verdict.right and self.examples.can_draw:
            for factor, count, wide in ((1, 24, False), (4, 6, False), (4, 6, True)):
                seed = 7919 * self.seed + len(self.failed)
                fresh = self.examples.fresh(factor * self.ticks, count, seed=seed, wide=wide)
                verdict = verify(machine, fresh)
                if not verdict.right:
                    break
        if verdict.failure is not None:
            self._keep(verdict.failure)
        return verdict.right

    def _keep(self, failure: Failure) -> None:
        """Let a failure decide from now on, if the template has room for what arrives in it."""
        item, ticks = failure.prefix, self.ticks
        if item.ticks + self.examples.latency > LONGEST:
            return
        try:
            self.problem.data([item], self.examples, ticks=self.ticks, count=1)
        except SpaceError:
            return
        self.failed.append(item)
        self.ticks = max(ticks, min(LONGEST, 2 * item.ticks) if item.ticks > ticks else ticks)
        self.tell("counterexample", ticks=item.ticks)
        self._refresh()


def _course(begin: float, end: float, ticks: int) -> Course:
    """The part of a training: noise fades and penalties grow; pruning then does without them."""
    rise = lambda share: 6e-4 * share
    rate = lambda share: 2e-2 * (1 - 0.8 * share)
    noise = lambda share: 0.1 * max(0.0, 1 - share / 0.75)
    both = lambda line: (line(begin), line(end))
    horizon = ticks if ticks <= 16 or begin >= 0.3 else (ticks + 1) // 2
    return Course(both(rate), both(noise), both(rise), both(rise), horizon=horizon)


def _best(population: Population, count: int) -> Population:
    """The starts with the smallest loss."""
    order = jnp.argsort(population.loss)[:count]
    key, memory = population.key, jax.tree.map(lambda x: x[order], population.memory)
    parts = {k: v[order] for k, v in population._asdict().items() if k not in ("key", "memory")}
    return Population(**parts, key=key, memory=memory)


def _fewest(population: Population) -> int:
    return int((np.asarray(population.weights * population.stands) != 0).sum(1).min())


def _length(weights: np.ndarray) -> tuple[int, float]:
    """How many links a program has, and how far from 1 their weights are."""
    standing = np.abs(weights[weights != 0])
    return len(standing), float(np.abs(np.log2(standing)).sum())
