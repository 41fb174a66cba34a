"""A loss and a regularizer of your own: plain functions of a lowered machine."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

import snakebird as sb


@sb.machine
def mixed(x):
    """Three things that may be of use; only one is."""
    return 0.3 * x + 0.3 * sb.absolute(x) + 0.3 * sb.relu(x)


low = sb.lower(mixed)
xs = jax.random.normal(jax.random.key(0), (40, 1))
wanted = jnp.abs(xs[:-3, 0])
out = jnp.array([link.to == "output" for link in mixed.links])


def misses(low):
    """How far the answers are from those wanted; the absolute size comes late by two ticks."""
    return jnp.mean((low({"x": xs}).number("output.result")[2:-1] - wanted) ** 2)


def clutter(low):
    """Links into the output should be few: an L1 penalty."""
    return jnp.sum(jnp.abs(low.weights) * out)


@eqx.filter_jit
def step(low, state):
    slopes = eqx.filter_grad(lambda low: misses(low) + 0.01 * clutter(low))(low)
    slopes = eqx.tree_at(lambda m: m.weights, slopes, slopes.weights * out)
    moves, state = adam.update(slopes, state)
    return eqx.apply_updates(low, moves), state


adam = optax.adam(0.02)
state = adam.init(eqx.filter(low, eqx.is_inexact_array))
for _ in range(200):
    low, state = step(low, state)
print(sb.lift(low))
assert misses(low) < 0.02
