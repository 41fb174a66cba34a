"""Associative recall: keys are bound to numbers, and bound anew."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from snakebird.meta.tasks._supervised import Lesson, Supervised


class Recall(Supervised):
    """What a key was bound to before this tick: zero for one that is new.

    Keys are one-hot rows `[keys]`, drawn uniformly. One that is new is bound to a normal number,
    one that is known is bound anew with the chance `again`; what it is bound to is shown one tick
    later. A rule without error exists: the delta rule with a rate of one.

    >>> task = Recall(keys=3).sample(jax.random.key(0))
    >>> task.x.shape, task.target.shape
    ((14, 3), (14, 1))
    """

    keys: int = eqx.field(static=True, default=4)
    again: float = eqx.field(static=True, default=0.3)
    ticks: int = eqx.field(static=True, default=14)

    def sample(self, key: PRNGKeyArray) -> Lesson:
        own, new, chance = jax.random.split(key, 3)
        x = jax.nn.one_hot(jax.random.randint(own, (self.ticks,), 0, self.keys), self.keys)
        values = jax.random.normal(new, (self.ticks,))
        anew = jax.random.uniform(chance, (self.ticks,)) < self.again

        def bind(held: Any, now: Any) -> Any:
            bound, known = held
            x, value, anew = now
            old = x @ bound
            here = jnp.where((x @ known == 0) | anew, value, old)
            return (jnp.where(x > 0, here, bound), jnp.maximum(known, x)), (here, old)

        nothing = jnp.zeros(self.keys, x.dtype)
        _, (shown, before) = jax.lax.scan(bind, (nothing, nothing), (x, values, anew))
        return Lesson(x, shown[:, None], before[:, None], jnp.ones(self.ticks))
