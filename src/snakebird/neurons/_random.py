"""Neurons that draw: noise, dropout, and signed samples (stochastic sums).

Each gets its own key every tick, made of the run's key, the tick and the neuron's name, so both
engines draw the same numbers. A signed sample is a tree with a single entry of size one; the
mean of a stream of samples stands for a signed measure (arXiv 1706.00648, appendix A).
"""

from typing import Any

import jax
import jax.numpy as jnp

from snakebird import vvalues as vv
from snakebird.neurons import _numbers as num
from snakebird.neurons._define import neuron

Shape = tuple[int, ...]


@neuron
def noise(*, key: jax.Array, scale: Any = 1.0, shape: Shape = ()) -> vv.VValue:
    """A normal number (or an array of them) with standard deviation `scale`.

    >>> drawn = noise(scale=2.0).apply({}, key=jax.random.key(0))["result"]
    >>> drawn.shape
    ()
    """
    return scale * jax.random.normal(key, shape, jnp.result_type(float, scale))


@neuron
def dropout(x: vv.VValue, *, key: jax.Array, keep: Any = 0.995) -> vv.VValue:
    """Passes its input with probability `keep`, else nothing.

    >>> float(dropout(keep=1.0).apply({"x": 3.0}, key=jax.random.key(0))["result"])
    3.0
    """
    return vv.scale(jnp.where(jax.random.uniform(key) < keep, 1.0, 0.0), x)


@neuron
def sample(x: vv.VValue, *, key: jax.Array) -> vv.VValue:
    """One signed sample of a value: an entry with probability `|entry| / max(1, sum |x|)`.

    It goes out as its sign. The mean over time is `x / max(1, sum |x|)`; with the rest of the
    probability nothing is drawn.

    >>> drawn = sample().apply({"x": {"a": 0.0, "b": -1.0}}, key=jax.random.key(0))["result"]
    >>> float(vv.number(vv.get(drawn, "b")))
    -1.0
    """
    flat = vv.flatten(x)
    hit = _choose(key, jnp.abs(flat.data))
    return num.as_given(vv.Flat(flat.space, jnp.where(hit, jnp.sign(flat.data), 0)), x)


@neuron
def stochastic_sum(*, key: jax.Array, **inputs: vv.VValue) -> vv.VValue:
    """A linear combination of samples by chance: one input, drawn by the size of its coefficient.

    Each input carries a sample times its coefficient; the sample goes out with the sign of it.

    >>> inputs = {"often": {"a": 0.0}, "x": {"b": -1.0}}
    >>> drawn = stochastic_sum().apply(inputs, key=jax.random.key(0))["result"]
    >>> float(vv.number(vv.get(drawn, "b")))
    -1.0
    """
    names = sorted(inputs)
    if not names:
        return vv.zero()
    sizes = num.stack(vv.max_norm(inputs[name]) for name in names)
    hit = _choose(key, sizes)
    weights = jnp.where(hit, 1 / jnp.where(sizes > 0, sizes, 1), 0)
    return vv.lin_comb(list(weights), [inputs[name] for name in names])


def _choose(key: jax.Array, sizes: jax.Array) -> jax.Array:
    """A one-hot draw with probabilities `sizes / max(1, sum)`; all False with the rest."""
    if sizes.shape[-1] == 0:
        return jnp.zeros(0, bool)
    ends = jnp.cumsum(sizes) / jnp.maximum(1.0, jnp.sum(sizes))
    u = jax.random.uniform(key, dtype=ends.dtype)
    return (u < ends) & (u >= jnp.concatenate([jnp.zeros(1, ends.dtype), ends[:-1]]))
