"""From a machine with free links to programs: train, prune, snap, evolve, and check exactly.

Gradients find machines that nearly work, and evolution of their snapped weights the program
beside them: each alone finds far less.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.machines import Machine
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._objective import Problem
from snakebird.synthesis.programs._templates import with_new_links
from snakebird.synthesis.programs._training import Training, Watch

METHODS = ("hybrid", "gradient", "evolution")


def trained_programs(
    template: Machine,
    examples: Examples,
    *,
    starts: int = 32,
    seed: int = 0,
    budget: float = 60.0,
    method: str = "hybrid",
    watch: Watch | None = None,
    free_weights: Any = None,
    enough: Callable[[], bool] = lambda: False,
) -> Iterator[Machine]:
    """Programs that are right on all examples, the shortest of each round first.

    * `template`: its trainable links are free, all others stay;
    * `starts`: how many train at once; `free_weights`, one vector or more `[some, links]` in the
      order of `template.links`, are where they begin;
    * `budget`: seconds until it ends;
    * `method`: "hybrid"; "gradient" or "evolution" alone;
    * `watch`: told of the stages "train", "prune", "snap", "evolve", "counterexample" and
      "found", with the seconds since the beginning, and the machine where there is one;
    * `enough`: asked now and then; where it says so, the search ends.

    Their weights are whole numbers and fractions; `verify` found them right on the examples, and
    on some that are longer where the examples have a reference. Raises `UnknownNameError` for a
    method it does not know, `InputError` for numbers that cannot be.
    """
    _check(starts, budget, method)
    search = Training.of(template, examples, starts, seed, budget, watch, enough)
    weights = None if free_weights is None else np.atleast_2d(np.asarray(free_weights, float))
    yield from search.rounds(method, weights)


def repair_programs(
    machine: Machine,
    examples: Examples,
    *,
    starts: int = 32,
    seed: int = 0,
    budget: float = 60.0,
    watch: Watch | None = None,
    enough: Callable[[], bool] = lambda: False,
) -> Iterator[Machine]:
    """Programs near a damaged one that are right on all examples.

    All its links are free, and others among its neurons may come in. Most damages are a few
    links, so evolution begins from the machine as it is; then come gradients.
    """
    _check(starts, budget, "hybrid")
    template = with_new_links(machine, examples.outputs)
    search = Training.of(template, examples, starts, seed, budget, watch, enough)
    damaged = search.problem.start()[None]
    found = False
    for program in search.evolved(damaged, search.until(0.4)):
        found = True
        yield program
    if not found:
        yield from search.rounds("hybrid", damaged)


def snapped_weights(
    template: Machine,
    examples: Examples,
    *,
    starts: int = 32,
    seed: int = 0,
    number: int = 0,
    budget: float = 60.0,
    watch: Watch | None = None,
) -> tuple[Problem, np.ndarray]:
    """Simple weights `[some, links]` of one round of training, whether they are exact or not.

    `number` is that of the round: later ones train longer.
    """
    _check(starts, budget, "gradient")
    search = Training.of(template, examples, starts, seed, budget, watch, lambda: False)
    return search.problem, search.trained(number, search.problem.start()[None])


def _check(starts: int, budget: float, method: str) -> None:
    if method not in METHODS:
        raise UnknownNameError(f"no method is named {method!r}", "method", suggest(method, METHODS))
    if starts < 2 or not budget > 0:
        what = f"starts is {starts} and budget {budget}"
        raise InputError(what, "trained_programs", "write starts=32, budget=60 (seconds)")
