"""A rule for bandits: what is known of each arm, and a learned index over it."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from snakebird.errors import InputError

UPDATES = ("learned", "frozen", "random")
_FEATURES = 4


class IndexRule(eqx.Module):
    """Pulls the arm with the largest index: its mean and a learned multiple of its uncertainty.

    The memory of an arm is two numbers, its pulls and its wins, which the rule adds up with
    learned weights; the multiple comes from a small net that all arms share, so that the rule
    works for any number of arms and any horizon. `updates` "frozen" leaves the memory as it is
    and "random" writes what happened to a random arm: what the same rule does without learning.

    >>> rule = IndexRule(key=jax.random.key(0))
    >>> seen = {"arm": jnp.zeros(3), "reward": jnp.zeros(()), "tick": jnp.zeros(())}
    >>> rule(rule.init(seen, key=jax.random.key(1)), seen)[1].shape
    (3,)
    """

    net: eqx.nn.MLP
    prior: Float[Array, " 2"]
    updates: str = eqx.field(static=True)

    def __init__(self, *, key: PRNGKeyArray, width: int = 4, updates: str = "learned"):
        if updates not in UPDATES:
            shown = " or ".join(map(repr, UPDATES))
            raise InputError(f"updates is {updates!r}", "IndexRule", f"write {shown}")
        self.net = eqx.nn.MLP(_FEATURES, 1, width, 1, activation=jnp.tanh, key=key)
        self.prior, self.updates = jnp.zeros(2), updates

    def init(self, observation: Any, *, key: Any) -> Any:
        none = jnp.zeros_like(observation["arm"])
        return {"pulls": none, "wins": none, "key": key}

    def __call__(self, state: Any, observation: Any) -> tuple[Any, Any]:
        key, now = jax.random.split(state["key"])
        arm = observation["arm"]
        if self.updates == "frozen":
            arm = jnp.zeros_like(arm)
        if self.updates == "random":
            arm = jax.random.permutation(now, arm)
        pulls, wins = state["pulls"] + arm, state["wins"] + arm * observation["reward"]
        index = jax.vmap(self._index, (0, 0, None))(pulls, wins, observation["tick"])
        return {"pulls": pulls, "wins": wins, "key": key}, index

    def _index(self, pulls: Any, wins: Any, tick: Any) -> Any:
        a, b = jnp.exp(self.prior) + jnp.stack([wins, pulls - wins])
        mean = a / (a + b)
        spread = jnp.sqrt(mean * (1 - mean) / (a + b + 1))
        seen = jnp.stack([mean, 2 * spread, jnp.log1p(pulls) / 4, jnp.log1p(tick) / 4])
        return mean + spread * self.net(seen)[0]
