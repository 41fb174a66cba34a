"""Many starts of one machine trained as one compiled batch.

Half of the starts train under noise on their weights that fades; a quarter become sparse by
hard-concrete gates, the others by an L1 penalty that grows. Pruning then goes without either.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from snakebird.synthesis.programs._gates import draw_gates, mean_gates, open_chance
from snakebird.synthesis.programs._objective import Data, Problem

OPEN = 2.0
"""The logits of gates at first: open with a chance of 0.97."""

BOUND = 1e3
"""Outputs of neurons beyond this are penalized, so that nothing runs away."""

_ADAM = optax.chain(optax.zero_nans(), optax.clip_by_global_norm(1.0), optax.scale_by_adam())


class Population(NamedTuple):
    """Many weight vectors of one problem, each with what stands, and what training remembers.

    `stands` is 0 for links that are taken out, `open` 0 for weights that stay as they are;
    `gated` says which starts have gates.
    """

    weights: Float[Array, "starts links"]
    gates: Float[Array, "starts links"]
    stands: Float[Array, "starts links"]
    open: Float[Array, "starts links"]
    gated: Bool[Array, " starts"]
    memory: Any
    loss: Float[Array, " starts"]
    key: PRNGKeyArray

    @property
    def starts(self) -> int:
        """How many starts there are."""
        return self.weights.shape[0]

    @property
    def effective(self) -> Float[Array, "starts links"]:
        """The weights with their gates and with those that are out 0."""
        gates = jnp.where(self.gated[:, None], mean_gates(self.gates), 1)
        return self.weights * gates * self.stands


class Course(NamedTuple):
    """What one stretch of training is like; anything in it may change without recompilation.

    The rate, the noise, the penalties (L1, gates, row sums, the gap between the coefficient of a
    fluid accumulator and its loop) go from the first to the second number; the loss counts
    `horizon` ticks.
    """

    rate: tuple[float, float] = (2e-2, 2e-2)
    noise: tuple[float, float] = (0.0, 0.0)
    l1: tuple[float, float] = (0.0, 0.0)
    l0: tuple[float, float] = (0.0, 0.0)
    row_sum: float = 0.0
    fluid: float = 0.0
    horizon: int = 1 << 20


def init(
    problem: Problem,
    starts: int,
    *,
    key: PRNGKeyArray,
    weights: Any = None,
    gated: float = 0.25,
    spread: tuple[float, float] = (0.1, 0.5),
) -> Population:
    """Starts around the weights of the machine, or around given ones `[some, links]`.

    Each start draws how far it goes from `spread`; the last quarter (`gated`) has gates.
    """
    key, sizes, draws = jax.random.split(key, 3)
    size = jax.random.uniform(sizes, (starts, 1), jnp.float32, *spread)
    around = jnp.atleast_2d(
        jnp.asarray(problem.start() if weights is None else weights, jnp.float32)
    )
    base = jnp.resize(around, (starts, problem.size))
    drawn = size * jax.random.normal(draws, base.shape, jnp.float32)
    free = jnp.asarray(problem.free)
    drawn = jnp.where((base == 0) & (free > 0), drawn, base + 0.2 * drawn * free)
    with_gates = jnp.arange(starts) >= round(starts * (1 - gated))
    return fresh_memory(
        Population(
            drawn,
            jnp.full(base.shape, OPEN, jnp.float32),
            jnp.ones(base.shape, jnp.float32),
            jnp.broadcast_to(free, base.shape),
            with_gates,
            None,
            jnp.full(starts, jnp.inf, jnp.float32),
            key,
        )
    )


def fresh_memory(population: Population) -> Population:
    """The population with an optimizer that remembers nothing."""
    both = population.weights, population.gates
    return population._replace(memory=jax.vmap(_ADAM.init)(both))


def train(
    problem: Problem,
    population: Population,
    data: Data,
    course: Course,
    *,
    steps: int = 100,
    batch: int = 24,
) -> Population:
    """Some steps of Adam for all starts, on `batch` examples at a time, drawn anew each step.

    The loss afterwards is over all examples. Compiled once for each `steps`, `batch` and shape.
    """
    t = np.linspace(0, 1, steps, dtype=np.float32)
    fade = 0.5 * (1 + np.cos(np.pi * t))
    rates = course.rate[1] + (course.rate[0] - course.rate[1]) * fade
    lines = (course.noise, course.l1, course.l0)
    others = [a + (b - a) * t for a, b in lines]
    schedule = jnp.stack([rates, *others], 1).astype(jnp.float32)
    extra = jnp.array([course.row_sum, course.fluid], jnp.float32)
    batch = min(batch, data.number)
    return _train(problem, population, data, schedule, extra, jnp.asarray(course.horizon), batch)


@eqx.filter_jit
def _train(
    problem: Problem,
    population: Population,
    data: Data,
    schedule: Any,
    extra: Any,
    horizon: Any,
    batch: int,
) -> Population:
    key, own = jax.random.split(population.key)
    one = _step(problem, extra)
    noisy = jnp.arange(population.starts) % 2

    def step(carry: Any, now: Any) -> tuple[Any, None]:
        parameters, memory = carry
        line, key = now
        chosen, noise = jax.random.split(key)
        some = data.some(jax.random.randint(chosen, (batch,), 0, data.number))
        keys = jax.random.split(noise, population.starts)
        each = jax.vmap(one, in_axes=(0, 0, 0, 0, 0, 0, 0, None, None, None))
        fixed = population.stands, population.open, population.gated, noisy
        return each(parameters, memory, *fixed, keys, some, line, horizon), None

    start = (population.weights, population.gates), population.memory
    keys = jax.random.split(own, len(schedule))
    (weights, gates), memory = jax.lax.scan(step, start, (schedule, keys))[0]
    after = population._replace(weights=weights, gates=gates, memory=memory, key=key)
    loss = jax.vmap(lambda w: problem.loss(w, data, horizon))(after.effective)
    return after._replace(loss=jnp.where(jnp.isfinite(loss), loss, jnp.inf))


def _step(problem: Problem, extra: Any) -> Callable[..., Any]:
    """One step of one start."""

    def step(
        parameters: Any,
        memory: Any,
        stands: Any,
        open_: Any,
        gated: Any,
        noisy: Any,
        key: Any,
        data: Data,
        line: Any,
        horizon: Any,
    ) -> Any:
        rate, noise, l1, l0 = line
        noise_key, gate_key = jax.random.split(key)
        shake = noise * noisy * jax.random.normal(noise_key, stands.shape, stands.dtype) * open_

        def total(parameters: Any) -> Any:
            weights, gates = parameters
            used = jnp.where(gated, draw_gates(gate_key, gates), 1) * stands
            loss = problem.loss((weights + shake) * used, data, horizon)
            small = l1 * jnp.sum(jnp.abs(weights) * stands * open_)
            few = l0 * jnp.sum(open_chance(gates) * stands * open_)
            return (
                loss
                + jnp.where(gated, few, small)
                + extra @ _regularizers(problem, weights * stands)
            )

        slope = jax.tree.map(lambda g: g * stands * open_, jax.grad(total)(parameters))
        update: Any
        update, memory = _ADAM.update(slope, memory)
        gates_too = update[0], 5 * update[1] * gated
        move = lambda old, new: old - rate * new * stands * open_
        return jax.tree.map(move, parameters, gates_too), memory

    return step


def _regularizers(problem: Problem, weights: Any) -> Any:
    """The squared gaps of row sums to 1, and of accumulator coefficients to their loops."""
    sums = jnp.zeros(problem.size, weights.dtype).at[problem.rows].add(weights)
    ports = jnp.zeros(problem.size, weights.dtype).at[problem.rows].set(1)
    gaps = weights[problem.fluid[:, 0]] - weights[problem.fluid[:, 1]]
    return jnp.stack([jnp.sum(ports * (sums - 1) ** 2), jnp.sum(gaps**2)])


def reseeded(population: Population, *, share: float = 0.25, size: float = 0.1) -> Population:
    """The worst starts, and all that broke, replaced by the best ones a little changed."""
    count = population.starts
    order = jnp.argsort(population.loss)
    worst = max(1, int(share * count))
    broken = ~jnp.isfinite(population.loss[order])
    lost = broken | (jnp.arange(count) >= count - worst)
    best = order[jnp.arange(count) % worst]
    key, own = jax.random.split(population.key)
    shake = size * jax.random.normal(own, population.weights.shape, jnp.float32)
    shake = shake * population.open * population.stands
    taken = jnp.zeros(count, int).at[order].set(jnp.where(lost, best, order))
    moved = taken != jnp.arange(count)
    pick = lambda x: x[taken]
    weights = pick(population.weights) + jnp.where(moved[:, None], shake, 0)
    weights = jnp.where(jnp.isfinite(weights), weights, shake)
    return fresh_memory(
        population._replace(
            weights=weights,
            gates=jnp.where(population.gated[:, None], pick(population.gates), OPEN),
            stands=pick(population.stands),
            open=pick(population.open),
            loss=pick(population.loss),
            key=key,
        )
    )


def settled(population: Population) -> Population:
    """The population without gates: what they leave open becomes part of the weights."""
    stands = population.stands * jnp.where(population.effective != 0, 1, 0)
    return fresh_memory(
        population._replace(
            weights=population.effective,
            stands=jnp.where(population.gated[:, None], stands, population.stands),
            gated=jnp.zeros_like(population.gated),
        )
    )
