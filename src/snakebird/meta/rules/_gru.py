"""Two plain nets that learn in their activity: a gated one, and one with fast weights."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class GRURule(eqx.Module):
    """A gated recurrent net that reads everything it is shown, flat; its state is what it learned.

    `inputs` counts all numbers of an observation.

    >>> rule = GRURule(3, 1, 8, key=jax.random.key(0))
    >>> state = rule.init({"x": jnp.ones(3)}, key=jax.random.key(1))
    >>> rule(state, {"x": jnp.ones(3)})[1].shape
    (1,)
    """

    cell: eqx.nn.GRUCell
    read: eqx.nn.Linear

    def __init__(self, inputs: int, outputs: int, width: int, *, key: PRNGKeyArray):
        a, b = jax.random.split(key)
        self.cell = eqx.nn.GRUCell(inputs, width, key=a)
        self.read = eqx.nn.Linear(width, outputs, key=b)

    def init(self, observation: Any, *, key: Any) -> Float[Array, " width"]:
        return jnp.zeros(self.cell.hidden_size)

    def __call__(self, state: Any, observation: Any) -> tuple[Any, Any]:
        state = self.cell(flat(observation), state)
        return state, self.read(state)


class DeltaRule(eqx.Module):
    """A net with fast weights that the delta rule changes (I. Schlag, K. Irie, J. Schmidhuber,
    Linear transformers are secretly fast weight programmers, ICML 2021, section 4.2).

    Layers of: keys, values, queries and step sizes are linear in what comes in; the fast weights
    move so that the key gives the value; the query reads them. What comes in is passed on. The
    first layer sees this tick's observation and the last one's, as targets come a tick late.

    >>> rule = DeltaRule(3, 1, 8, key=jax.random.key(0))
    >>> state = rule.init({"x": jnp.ones(3)}, key=jax.random.key(1))
    >>> rule(state, {"x": jnp.ones(3)})[1].shape
    (1,)
    """

    enter: eqx.nn.Linear
    layers: tuple[eqx.nn.Linear, ...]
    read: eqx.nn.Linear
    width: int = eqx.field(static=True)

    def __init__(self, inputs: int, outputs: int, width: int, *, depth: int = 2, key: PRNGKeyArray):
        first, last, *keys = jax.random.split(key, depth + 2)
        self.enter = eqx.nn.Linear(2 * inputs, width, key=first)
        self.layers = tuple(eqx.nn.Linear(width, 3 * width + 1, key=k) for k in keys)
        self.read = eqx.nn.Linear(width, outputs, key=last)
        self.width = width

    def init(self, observation: Any, *, key: Any) -> tuple[Any, Any]:
        fast = jnp.zeros((len(self.layers), self.width, self.width))
        return fast, 0 * flat(observation)

    def __call__(self, state: Any, observation: Any) -> tuple[Any, Any]:
        memory, last = state
        now = flat(observation)
        x, new = self.enter(jnp.concatenate([now, last])), []
        for fast, layer in zip(memory, self.layers, strict=True):
            fast, out = self._layer(fast, layer(x))
            new.append(fast)
            x = x + out
        return (jnp.stack(new), now), self.read(x)

    def _layer(self, fast: Any, wanted: Any) -> tuple[Any, Any]:
        key, value, query = jnp.split(wanted[:-1], 3)
        key, query = (jax.nn.elu(x) + 1 for x in (key, query))
        key, query = key / key.sum(), query / query.sum()
        rate = jax.nn.sigmoid(wanted[-1])
        fast = fast + rate * jnp.outer(value - fast @ key, key)
        return fast, fast @ query


def flat(observation: Any) -> Float[Array, " numbers"]:
    """All numbers of an observation in a row, in the order of its keys."""
    return jnp.concatenate([jnp.ravel(x) for x in jax.tree.leaves(observation)])
