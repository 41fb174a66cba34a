"""Taking links out of trained machines, all starts in step, as long as each keeps its loss.

In each round every start loses some of its smallest links and trains a little; where that fails
it gets them back and loses fewer, in the end one at a time. A link without which a start fails is
locked. The schedule is that of iterative magnitude pruning (S. Han et al., Learning both weights
and connections for efficient neural networks, NIPS 2015), with a way back.
"""

import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from snakebird.machines import Link, Machine
from snakebird.synthesis.programs._objective import OUTPUT, Data, Problem
from snakebird.synthesis.programs._population import Course, Population, fresh_memory, train

FEW = 16
"""From so many links on each is judged by the loss without it, not by its size."""

LADDER = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
"""Which parts of the links are tried to go without any training."""

Trained = Callable[[Population], Population]
"""Trains a population a little; the loss afterwards is over all examples."""


def retrain(
    problem: Problem, data: Data, *, steps: int = 100, batch: int = 24, rate: float = 1e-2
) -> Trained:
    """Short training with a fresh optimizer, as after every cut."""
    course = Course(rate=(rate, 0.1 * rate))
    return lambda now: train(problem, fresh_memory(now), data, course, steps=steps, batch=batch)


def limits(loss: Any, *, least: float = 1e-3) -> np.ndarray:
    """The loss that each start may have: that of one that fits, or not much more than it has.

    >>> limits(np.array([1e-6, 0.5])).tolist()
    [0.001, 0.55]
    """
    loss = np.asarray(loss)
    return np.maximum(least, np.where(loss < 5 * least, 2.0, 1.1) * loss)


def pruned(
    problem: Problem,
    population: Population,
    data: Data,
    *,
    retrain: Trained,
    share: float = 0.3,
    rounds: int = 40,
    until: float = np.inf,
) -> Population:
    """Every start with as few links as its loss allows.

    `share` is the part of the links that goes at first; `until` is when to stop, by
    `time.monotonic`. Links that reach no output go without asking.
    """
    limit = limits(population.loss)
    lockable = ~(problem.free > 0)
    locked = np.repeat(lockable[None], population.starts, 0)
    shares = np.full(population.starts, share)
    for _ in range(rounds):
        population = without_dead(problem, population)
        out, count = _chosen(problem, population, data, locked, shares)
        if not out.any() or time.monotonic() > until:
            break
        tried = retrain(without(population, out))
        fine = (np.asarray(tried.loss) <= limit) & (count > 0)
        population = chosen_of(fine, tried, population)
        locked |= out & (~fine & (count == 1))[:, None]
        shares = np.where(fine, np.minimum(share, 1.5 * shares), shares / 2)
    return population


def without(population: Population, out: Any) -> Population:
    """The population with some links taken out."""
    keep = jnp.asarray(1 - np.asarray(out), jnp.float32)
    return population._replace(stands=population.stands * keep, weights=population.weights * keep)


def without_dead(problem: Problem, population: Population) -> Population:
    """The population without links that carry nothing, or nothing that reaches an output."""
    stands = np.asarray(population.stands) > 0
    weights = np.asarray(population.weights)
    return without(
        population, stands & ~np.stack([alive(problem.machine, w) for w in weights * stands])
    )


def alive(machine: Machine, weights: Any) -> np.ndarray:
    """Which links carry something to an output: those not 0 on a way from a source or constant.

    Where the machine carries its matrix, what reaches that counts as well, and any neuron may hear
    something.
    """
    stands = np.asarray(weights) != 0
    links = machine.links
    own = {machine.matrix_from[0]} if machine.matrix_from else set()
    begins = {n for n, neuron in machine.neurons.items() if neuron.type.always_active or own}
    fed = _reached(begins, [(k.source[0], k.to) for k, s in zip(links, stands, strict=True) if s])
    useful = _reached(
        {OUTPUT} | own, [(k.to, k.source[0]) for k, s in zip(links, stands, strict=True) if s]
    )
    ends = np.array([_stays(link, fed, useful, machine) for link in links])
    return stands & ends


def _stays(link: Link, fed: set[str], useful: set[str], machine: Machine) -> bool:
    # What starts from nothing but itself stays nothing, unless it has a start value.
    begun = link.source[0] in fed or bool(machine.start)
    return link.to in useful and begun


def _reached(begins: set[str], pairs: list[tuple[str, str]]) -> set[str]:
    found, waiting = set(begins), list(begins)
    onward: dict[str, list[str]] = {}
    for a, b in pairs:
        onward.setdefault(a, []).append(b)
    while waiting:
        for name in onward.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def chosen_of(fine: Any, new: Population, old: Population) -> Population:
    """The new state of the starts that are `fine`, the old one of the others."""
    fine = jnp.asarray(fine)

    def pick(a: Any, b: Any) -> Any:
        return jnp.where(fine.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    same = {"memory": new.memory, "key": new.key}
    parts = {k: pick(v, getattr(old, k)) for k, v in new._asdict().items() if k not in same}
    return Population(**parts, **same)


def _chosen(
    problem: Problem, population: Population, data: Data, locked: np.ndarray, shares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The links that go next `[start, link]`, and how many they are of each start.

    They are the smallest: a share of them, or more where the loss stays without any training.
    """
    weights = np.asarray(population.weights * population.stands)
    able = (np.asarray(population.stands) > 0) & (weights != 0) & ~locked
    many = able.sum(1)
    score = np.where(able, np.abs(weights), np.inf)
    few = np.flatnonzero((many > 0) & (many <= FEW))
    if len(few):
        score[few] = _losses_without(problem, weights[few], able[few], data)
    rank = np.argsort(np.argsort(score, axis=1, kind="stable"), axis=1)
    counts = (np.outer(many, LADDER)).astype(int)
    tried = weights[:, None] * (rank[:, None] >= counts[..., None])
    found = losses(problem, tried.reshape(-1, problem.size), data).reshape(counts.shape)
    free = np.where(found <= limits(population.loss)[:, None], counts, 1).max(1)
    best = np.maximum(free, (shares * many).astype(int))
    count = np.minimum(best, many)
    return able & (rank < count[:, None]), count


def _losses_without(problem: Problem, weights: Any, able: Any, data: Data) -> np.ndarray:
    """The loss of each machine without each of some links; infinite for all others."""
    starts, links = np.nonzero(able)
    tried = weights[starts]
    tried[np.arange(len(links)), links] = 0
    found = np.full(weights.shape, np.inf)
    found[starts, links] = losses(problem, tried, data)
    return found


def losses(problem: Problem, weights: Any, data: Data, *, chunk: int = 128) -> np.ndarray:
    """The loss of any number of weight vectors, in chunks of one size."""
    found = []
    for start in range(0, len(weights), chunk):
        some = np.asarray(weights[start : start + chunk], np.float32)
        full = np.pad(some, ((0, chunk - len(some)), (0, 0)))
        found.append(np.asarray(_losses(problem, full, data))[: len(some)])
    return np.concatenate(found) if found else np.zeros(0)


@eqx.filter_jit
def _losses(problem: Problem, weights: Any, data: Data) -> Any:
    loss = jax.vmap(lambda w: problem.loss(w, data, 1 << 20))(weights)
    return jnp.where(jnp.isfinite(loss), loss, jnp.inf)
