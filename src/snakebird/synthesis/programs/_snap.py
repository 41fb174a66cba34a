"""Weights made simple: scale freedoms used up, then frozen on a grid a third at a time.

After each freeze what is still free trains again, so that the rest can follow. What no grid
takes becomes a fraction by its continued fraction.
"""

import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from snakebird.machines import Machine
from snakebird.synthesis.programs._objective import Data, Problem
from snakebird.synthesis.programs._population import Population
from snakebird.synthesis.programs._prune import Trained, chosen_of, limits, without_dead

GRID = (0, 0.5, -0.5, 1, -1, 2, -2)
"""The weights that almost all programs are made of."""

HALVES = tuple(k / 2 for k in range(-20, 21))

FREE_SCALE = {
    "identity": "any",
    "memory": "any",
    "accumulator": "all",
    "product": "any",
    "gate": "any",
    "inner": "any",
    "outer": "any",
    "max_norm": "size",
    "relu": "positive",
    "absolute": "size",
    "step": "none",
}
"""What happens if all that enters a port is divided by a number: "any": the output is too;
"size": by its absolute value; "positive": so if it is positive; "none": nothing if it is; "all":
as "any", if it is done at all ports."""


def on_grid(weights: Any, grid: Sequence[float] = GRID) -> np.ndarray:
    """Every weight on the nearest point of a grid.

    >>> on_grid([0.9, -0.4, 0.1]).tolist()
    [1.0, -0.5, 0.0]
    """
    points = np.asarray(grid, float)
    return points[np.abs(np.asarray(weights)[..., None] - points).argmin(-1)]


def simple_fraction(weight: float, *, within: float = 2e-3, largest: int = 1000) -> Fraction:
    """The fraction of smallest denominator near a weight, by its continued fraction.

    >>> simple_fraction(0.33333), simple_fraction(0.0999)
    (Fraction(1, 3), Fraction(1, 10))
    """
    limit = 1
    while limit < largest:
        near = Fraction(float(weight)).limit_denominator(limit)
        if abs(near - Fraction(float(weight))) <= within * max(1.0, abs(weight)):
            return near
        limit += 1
    return Fraction(float(weight)).limit_denominator(largest)


def rescaled(machine: Machine, weights: np.ndarray) -> np.ndarray:
    """Equal machines `[start, link]` whose weights lie nearer to the grid.

    What enters a port of a homogeneous neuron may be divided by a number if what leaves the
    neuron is multiplied by it; tried are the numbers that bring one of these weights to 1.
    """
    entries = _scalable(machine)
    return np.stack([_rescaled(entries, np.array(row, float)) for row in weights])


def _scalable(machine: Machine) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """For each scale: how it acts, the links that are divided, those that are multiplied."""
    found = []
    ends = [(link.to, link.input) for link in machine.links]
    free = np.array([link.trainable for link in machine.links])
    for name, neuron in machine.neurons.items():
        how = FREE_SCALE.get(neuron.type.name, "")
        out = np.array([link.source[0] == name for link in machine.links])
        ports = [neuron.type.inputs] if how == "all" else [(port,) for port in neuron.type.inputs]
        for group in ports if how else ():
            into = np.array([to == name and port in group for to, port in ends])
            if into.any() and free[into | out].all():
                found.append((how, into, out))
    return found


def _rescaled(entries: Any, weights: np.ndarray) -> np.ndarray:
    for _ in range(2):
        for how, into, out in entries:
            inside = weights[into & (weights != 0)]
            outside = weights[out & ~into & (weights != 0)]
            scales = [*inside, *(1 / w for w in outside)]
            if how in ("positive", "none"):
                scales = [abs(s) for s in scales]
            options = [weights, *(_divided(weights, how, into, out, s) for s in scales[:24])]
            weights = min(options, key=_roughness)
    return weights


def _divided(weights: Any, how: str, into: Any, out: Any, scale: float) -> Any:
    after = 1.0 if how == "none" else abs(scale) if how == "size" else scale
    changed = np.where(into, weights / scale, weights)
    return np.where(out, changed * after, changed)


def _roughness(weights: np.ndarray) -> float:
    """How far weights are from the grid, and a little how many differ from 1."""
    standing = weights[weights != 0]
    off = np.abs(standing - on_grid(standing, HALVES[1:-1]))
    small = np.sum(np.abs(standing) < 0.25) + np.sum(np.abs(standing) > 4)
    return float(
        np.minimum(off, 0.25).sum() + 0.25 * small + 0.02 * np.abs(np.abs(standing) - 1).sum()
    )


def snapped(
    problem: Problem,
    population: Population,
    data: Data,
    *,
    retrain: Trained,
    grid: Sequence[float] = GRID,
    rounds: int = 14,
    until: float = np.inf,
) -> Population:
    """Every start with as many weights on the grid as its loss allows, those no longer `open`.

    What is not on the grid at the end has no simple weight without which the start fails.
    """
    weights = rescaled(problem.machine, np.asarray(population.weights * population.stands))
    population = population._replace(weights=jnp.asarray(weights, jnp.float32))
    limit = limits(population.loss)
    shares = np.full(population.starts, 1 / 3)
    locked = np.zeros(population.weights.shape, bool)
    for _ in range(rounds):
        now, new, count = _nearest(problem, population, shares, locked, grid)
        if not now.any() or time.monotonic() > until:
            break
        tried = retrain(_frozen(population, now, new))
        fine = np.asarray(tried.loss) <= limit
        population = without_dead(problem, chosen_of(fine, tried, population))
        locked |= now & (~fine & (count == 1))[:, None]
        shares = np.where(fine, np.maximum(shares, 1 / 3), shares / 3)
    return population


def _nearest(
    problem: Problem, population: Population, shares: Any, locked: Any, grid: Sequence[float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The links that freeze now `[start, link]`, on what, and how many they are."""
    weights = np.asarray(population.weights)
    able = (np.asarray(population.open) > 0) & (np.asarray(population.stands) > 0) & ~locked
    able &= weights != 0
    new = on_grid(weights, grid)
    score = np.where(able, np.abs(weights - new), np.inf)
    many = able.sum(1)
    count = np.minimum(np.maximum(1, np.ceil(shares * many).astype(int)), many)
    rank = np.argsort(np.argsort(score, axis=1, kind="stable"), axis=1)
    return able & (rank < count[:, None]), new, count


def _frozen(population: Population, now: np.ndarray, new: np.ndarray) -> Population:
    weights = jnp.where(now, new, population.weights).astype(jnp.float32)
    return population._replace(
        weights=weights,
        open=jnp.where(now, 0, population.open),
        stands=jnp.where(now & (new == 0), 0, population.stands),
    )


def refined(problem: Problem, population: Population, data: Data, *, steps: int = 8) -> Population:
    """The population after some steps of Levenberg and Marquardt for weights that are open.

    Near a program these find its constants to many digits, where Adam needs very long.
    """
    weights = _refined(problem, population, data, steps)
    loss = jax.vmap(lambda w: problem.loss(w, data, 1 << 20))(weights * population.stands)
    fine = np.asarray(loss < population.loss)
    return chosen_of(fine, population._replace(weights=weights, loss=loss), population)


@eqx.filter_jit
def _refined(problem: Problem, population: Population, data: Data, steps: int) -> Any:
    def residuals(weights: Any) -> Any:
        off = (problem.answers(weights, data) - data.wanted) / data.scale
        return jnp.where(data.asked, off, 0).ravel()

    def one(weights: Any, able: Any) -> Any:
        def step(state: Any, _: Any) -> tuple[Any, None]:
            w, damping, size = state
            slopes = jax.jacfwd(residuals)(w) * able
            square = slopes.T @ slopes
            ridge = jnp.diag(damping * jnp.diag(square) + 1e-7)
            new = w - jnp.linalg.solve(square + ridge, slopes.T @ residuals(w)) * able
            after = jnp.sum(residuals(new) ** 2)
            better = after < size
            damping = jnp.where(better, 0.2 * damping, 5 * damping)
            return (jnp.where(better, new, w), damping, jnp.where(better, after, size)), None

        first = weights, jnp.asarray(1e-3, weights.dtype), jnp.sum(residuals(weights) ** 2)
        return jax.lax.scan(step, first, length=steps)[0][0]

    able = population.stands * population.open
    return jax.vmap(one)(population.weights * population.stands, able)
