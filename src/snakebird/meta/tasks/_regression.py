"""Linear regression: with one set of coefficients, or with one that changes abruptly."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from snakebird.meta.tasks._supervised import Lesson, Supervised


class LinearRegression(Supervised):
    """Normal inputs of dimension `inputs`, coefficients of variance 1 / `inputs`, noisy targets.

    The loss is the excess over the noise: the distance from the target without it.

    >>> LinearRegression(inputs=3).sample(jax.random.key(0)).x.shape
    (20, 3)
    """

    inputs: int = eqx.field(static=True, default=5)
    noise: float = eqx.field(static=True, default=0.1)
    ticks: int = eqx.field(static=True, default=20)

    def sample(self, key: PRNGKeyArray) -> Lesson:
        return _lesson(key, self.inputs, self.noise, self.ticks, self.ticks)


class SwitchingRegression(Supervised):
    """Linear regression whose coefficients are drawn anew every `every` ticks, without a sign.

    >>> SwitchingRegression(inputs=2, ticks=10, every=5).ticks
    10
    """

    inputs: int = eqx.field(static=True, default=5)
    noise: float = eqx.field(static=True, default=0.1)
    every: int = eqx.field(static=True, default=30)
    ticks: int = eqx.field(static=True, default=120)

    def sample(self, key: PRNGKeyArray) -> Lesson:
        return _lesson(key, self.inputs, self.noise, self.ticks, self.every)


def _lesson(key: PRNGKeyArray, inputs: int, noise: float, ticks: int, every: int) -> Lesson:
    """A line, new ones every so many ticks."""
    own, lines, off = jax.random.split(key, 3)
    x = jax.random.normal(own, (ticks, inputs))
    many = -(-ticks // every)
    w = jax.random.normal(lines, (many, inputs)) / jnp.sqrt(inputs)
    target = jnp.sum(x * jnp.repeat(w, every, 0)[:ticks], 1, keepdims=True)
    y = target + noise * jax.random.normal(off, target.shape)
    return Lesson(x, y, target, jnp.ones(ticks))
