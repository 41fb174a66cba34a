"""Learning rules from the loss on tasks alone: trained, pruned and snapped to simple numbers."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from snakebird.errors import InputError
from snakebird.machines import Machine
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._lift import program_of
from snakebird.synthesis.programs._prune import losses
from snakebird.synthesis.programs._templates import Template
from snakebird.synthesis.programs._trained import snapped_weights
from snakebird.synthesis.programs._training import Watch

FRESH = 200
"""So many fresh tasks decide which rule is best."""

WITHIN = 1.1
"""A rule of fewer links may lose so many times what the best one loses."""


class LearnedRule(NamedTuple):
    """A rule as a machine of simple weights, and its loss on fresh tasks."""

    machine: Machine
    loss: float

    @property
    def links(self) -> int:
        """How long it is."""
        return len(self.machine.links)


def learned_rules(
    template: Template | Machine,
    examples: Examples,
    *,
    starts: int = 32,
    seed: int = 0,
    rounds: int = 1,
    budget: float = 600.0,
    watch: Watch | None = None,
) -> list[LearnedRule]:
    """Rules that do well on a family of tasks which none need do without error, the best first.

    Each example is a task, seen tick by tick; examples need a reference, so that fresh tasks can be
    drawn. The loss is about 1 for a rule that always answers the mean. The first rule is the
    shortest of those within a tenth of the least loss; the others follow by loss. Where a rule can
    be exact, `synthesize(examples, template=...)` also verifies it.

    `starts` machines are trained side by side in each of `rounds`; `budget` is in seconds; `watch`
    is told of the stages, as in synthesis. Raises `InputError` for examples that cannot be drawn.
    """
    if not examples.can_draw:
        raise InputError(
            "the examples have no reference, so no fresh tasks can be drawn",
            "learned_rules",
            "write Examples.from_reference(reference, draws, latency=1)",
        )
    machine = template if isinstance(template, Machine) else template.machine(examples)
    ends = time.monotonic() + budget
    found: list[LearnedRule] = []
    for number in range(rounds):
        left = ends - time.monotonic()
        if left <= 0:
            break
        problem, weights = snapped_weights(
            machine, examples, starts=starts, seed=seed, number=number, budget=left, watch=watch
        )
        found += _judged(problem, weights, examples, seed)
    return _ordered(found)


def _judged(problem: Any, weights: np.ndarray, examples: Examples, seed: int) -> list[LearnedRule]:
    ticks = max(item.ticks for item in examples.items) + examples.latency
    fresh = examples.fresh(ticks - examples.latency, FRESH, seed=900_000 + seed)
    data = problem.data(fresh.items, examples, ticks=ticks, count=FRESH)
    told = losses(problem, weights, data)
    return [
        LearnedRule(program_of(problem, row), float(loss))
        for row, loss in zip(weights, told, strict=True)
        if np.isfinite(loss)
    ]


def _ordered(found: list[LearnedRule]) -> list[LearnedRule]:
    if not found:
        return []
    least = min(rule.loss for rule in found)
    near: Callable[[LearnedRule], Any] = lambda r: (r.loss > WITHIN * least, r.links, r.loss)
    best = min(found, key=near)
    return [best, *sorted((r for r in found if r is not best), key=lambda r: (r.loss, r.links))]
