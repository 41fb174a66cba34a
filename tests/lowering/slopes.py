"""Gradients of lowered machines against forward mode and central differences."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from snakebird.lowering import Lowered
from snakebird.machines import Machine

STEP = 1e-5


def free_numbers(low: Lowered) -> Lowered:
    """The module with True for every number that training may change, False for the others."""
    plan = low.plan
    numbers = tuple(
        {
            name: jax.tree.map(lambda x, free=name in known: np.full(x.shape, free), value)
            for name, value in own.items()
        }
        for own, known in zip(low.numbers, plan.free_parameters, strict=True)
    )
    return eqx.tree_at(
        lambda m: (m.weights, m.start, m.numbers),
        low,
        (plan.free_weights, plan.free_starts, numbers),
    )


def labels(low: Lowered) -> list[str]:
    """A name for every number, in the order of the raveled module."""
    machine: Machine = low.plan.template
    own = [
        f"{', '.join(kind.names)} {jax.tree_util.keystr(path)}[{k}]"
        for kind, numbers in zip(low.plan.kinds, low.numbers, strict=True)
        for path, leaf in jax.tree_util.tree_leaves_with_path(numbers)
        for k in range(leaf.size)
    ]
    starts = [f"start {k}" for k in range(low.start.size)]
    return [*map(str, machine.links), *starts, *own]


def total(trace: Any, seed: int = 0) -> jax.Array:
    """A random linear combination of all numbers that a run recorded."""
    rng, sum_ = np.random.default_rng(seed), jnp.zeros(())
    for at in sorted(trace.data):
        sum_ += jnp.sum(trace.data[at] * rng.uniform(0.5, 1.5, trace.data[at].shape))
    return sum_


def as_function(low: Lowered, run: Any) -> tuple[Any, jax.Array]:
    """`run(module)` as a function of one vector, and the vector of the module's own numbers."""
    arrays, rest = eqx.partition(low, eqx.is_inexact_array)
    point, rebuild = ravel_pytree(arrays)
    return lambda z: run(eqx.combine(rebuild(z), rest)), point


def check_slopes(low: Lowered, run: Any = None, tolerance: float = 1e-7, **given: Any) -> float:
    """Reverse mode, forward mode and differences agree; what is not free has gradient zero.

    `run` gives a number for a module, by default `total` of a run with `given`. Gives the
    largest relative difference.
    """
    function, point = as_function(low, run or (lambda m: total(m(**given))))
    free = np.flatnonzero(ravel_pytree(free_numbers(low))[0])
    assert len(free)
    direction = jnp.zeros(point.size).at[free].set(np.random.default_rng(1).normal(size=len(free)))

    @jax.jit
    def slopes(z: jax.Array) -> list[jax.Array]:
        moves = STEP * jnp.eye(z.size)[free]
        ahead, behind = jnp.split(jax.vmap(function)(z + jnp.concatenate([moves, -moves])), 2)
        forward = jax.jvp(function, (z,), (direction,))[1]
        return [jax.grad(function)(z), forward, (ahead - behind) / (2 * STEP)]

    gradient, forward, steps = map(np.asarray, slopes(point))
    assert np.isfinite(gradient).all()
    bound = np.delete(gradient, free)
    assert not bound.any(), "a number that is not trainable has a gradient"
    size = 1 + np.abs(gradient).max()
    assert np.abs(gradient).max() > 1e-3, "nothing depends on what may be trained"
    np.testing.assert_allclose(gradient @ direction, forward, rtol=0, atol=1e-11 * len(free) * size)
    error = np.abs(gradient[free] - steps) / size
    worst = int(np.argmax(error))
    at = labels(low)[free[worst]]
    assert error[worst] < tolerance, (at, gradient[free[worst]], steps[worst])
    return float(error[worst])
