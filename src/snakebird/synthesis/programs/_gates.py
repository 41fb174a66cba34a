"""Hard-concrete gates: numbers in [0, 1] that are often exactly 0, and can be trained.

Source: C. Louizos, M. Welling and D. P. Kingma, Learning sparse neural networks through L0
regularization, ICLR 2018 (arXiv 1712.01312), sections 2.2 and 4: beta = 2/3, stretched from
(0, 1) to (-0.1, 1.1).
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

BETA, LOW, HIGH = 2 / 3, -0.1, 1.1


def draw_gates(key: PRNGKeyArray, logits: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Gates drawn at random; the gradient goes through to the logits.

    >>> draw_gates(jax.random.key(0), jnp.array([-9.0, 9.0])).tolist()
    [0.0, 1.0]
    """
    u = jax.random.uniform(key, logits.shape, logits.dtype, 1e-6, 1 - 1e-6)
    return _stretched((jnp.log(u) - jnp.log1p(-u) + logits) / BETA)


def mean_gates(logits: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """The gates without chance, as they are used once trained."""
    return _stretched(logits)


def open_chance(logits: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """The chance of each gate not to be 0: what a penalty on the number of links sums up.

    >>> open_chance(jnp.array([-9.0, 9.0])).round(1).tolist()
    [0.0, 1.0]
    """
    return jax.nn.sigmoid(logits - BETA * math.log(-LOW / HIGH))


def _stretched(logits: Float[Array, "*n"]) -> Float[Array, "*n"]:
    return jnp.clip(jax.nn.sigmoid(logits) * (HIGH - LOW) + LOW, 0, 1)
