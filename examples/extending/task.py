# slow
"""A family of tasks of your own, in which the world answers back: keep a ball in the middle."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from snakebird import meta


class Balance(meta.Tasks):
    """A ball on a plank that is drawn to one side; what the rule says tilts the plank."""

    ticks: int = eqx.field(static=True, default=20)

    def sample(self, key):
        """One task: how strongly it is drawn, and to where."""
        return 0.3 * jax.random.normal(key)

    def start(self, task):
        """The place of the ball before the first tick."""
        return jnp.zeros(())

    def observe(self, task, world, tick):
        """What the rule sees."""
        return world

    def respond(self, task, world, tick, prediction):
        """The world after what the rule did, and the loss of this tick."""
        world = world + task + prediction
        return world, world**2


class Integral(eqx.Module):
    """A rule: it leans against the place of the ball, and against the sum of all places."""

    now: jax.Array
    sums: jax.Array

    def init(self, observation, *, key):
        """The state before the first tick."""
        return 0 * observation

    def __call__(self, state, observation):
        """The new state, and what is done."""
        state = state + observation
        return state, -self.now * observation - self.sums * state


key, rule = jax.random.key(0), Integral(jnp.array(0.1), jnp.array(0.0))
found = meta.fit(rule, Balance(), key=key, steps=80, batch=16, optimizer=optax.adam(0.03))
before, after = (meta.evaluate(r, Balance(), key=key, count=32).mean for r in (rule, found.rule))
print(found.rule)
assert after[-1] < 0.1 * before[-1]
