"""Bandits: arms that pay 0 or 1, whose chances must be found out by pulling them."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from snakebird.meta._tasks import Tasks


class Bandits(Tasks):
    """Arms that pay 1 with chances drawn uniformly.

    The rule sees `{"arm": [arms], "reward": [], "tick": []}`: the arm it pulled last as a one-hot
    row (zeros before the first pull) and what that paid. It gives a number an arm; the arm with
    the largest is pulled, ties are broken by chance. The loss is the regret: the best chance less
    that of the pulled arm. It has no gradient: train with `gradient="pes"`.

    >>> sorted(Bandits(arms=3, ticks=7).sample(jax.random.key(0)))
    ['chance', 'luck', 'ties']
    """

    arms: int = eqx.field(static=True, default=5)
    ticks: int = eqx.field(static=True, default=100)

    def sample(self, key: PRNGKeyArray) -> Any:
        a, b, c = jax.random.split(key, 3)
        table = self.ticks, self.arms
        return {
            "chance": jax.random.uniform(a, (self.arms,)),
            "luck": jax.random.uniform(b, table),
            "ties": 1e-6 * jax.random.uniform(c, table),
        }

    def start(self, task: Any) -> Any:
        return {"arm": jnp.zeros(self.arms), "reward": jnp.zeros(())}

    def observe(self, task: Any, world: Any, tick: Any) -> Any:
        return {**world, "tick": jnp.asarray(tick, jnp.result_type(float))}

    def respond(self, task: Any, world: Any, tick: Any, prediction: Any) -> tuple[Any, Any]:
        chance = task["chance"]
        score = jnp.where(jnp.isfinite(prediction), prediction, -jnp.inf) + task["ties"][tick]
        arm = jax.nn.one_hot(jnp.argmax(score), self.arms, dtype=chance.dtype)
        paid = arm @ (task["luck"][tick] < chance).astype(chance.dtype)
        regret = chance.max() - arm @ chance
        lost = jnp.where(jnp.isfinite(prediction).all(), regret, jnp.nan)
        return {"arm": arm, "reward": paid}, lost
