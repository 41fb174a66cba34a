"""An optimizer that is learned: one small net, shared by all weights, bends a normalized step."""

from itertools import accumulate
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PRNGKeyArray

from snakebird.errors import InputError

_DECAYS = (0.5, 0.9, 0.98)
_SECOND = 0.99
_FEATURES = 2 * len(_DECAYS) + 3
_BEND, _LARGEST = 1.5, 3.0
"""The net changes a step by at most a factor of exp(1.5); no weight moves by more than 3 rates."""
_TICKS = 50.0
"""The clock the net reads: t / (t + 50), which never runs beyond one."""


class Moments(NamedTuple):
    """Running means of a gradient at several time scales and of its square, and the time."""

    means: Float[Array, "scales weights"]
    square: Float[Array, " weights"]
    tick: Float[Array, ""]


class LearnedOptimizer(eqx.Module):
    """An optimizer with few numbers of its own, to be trained by `fit` on `tasks.NetTraining`.

    Each weight's step is a rate, which falls with the root of time, times a mixture of running
    means of its gradient over the root of the running mean of its square (as in Adam, D. Kingma,
    J. Ba 2015). A net that sees these, the clock and how the gradient compares with those beside
    it bends the step within bounds. As no weight moves by more than a few rates, and these fall as
    stochastic gradients need it, it stays tame far beyond the horizon it was trained for. Features
    after L. Metz et al., Tasks, stability, architecture, and compute, 2020, section 3.

    As a rule it sees `{"gradient": tree, "weights": tree, ...}` and gives the step; everywhere
    else it is `as_optax()`.

    >>> optimizer = LearnedOptimizer(key=jax.random.key(0)).as_optax()
    >>> weights = {"w": jnp.ones(3)}
    >>> step, _ = optimizer.update(weights, optimizer.init(weights), weights)
    >>> bool((step["w"] < 0).all())
    True
    """

    net: eqx.nn.MLP
    mixture: Float[Array, " scales"]
    rate: Float[Array, ""]
    patience: Float[Array, ""]

    def __init__(self, *, key: PRNGKeyArray, width: int = 8, rate: float = 0.02):
        net = eqx.nn.MLP(_FEATURES, 2, width, 1, activation=jnp.tanh, key=key)
        # It begins as plain momentum: the net says nothing yet.
        self.net = eqx.tree_at(lambda own: own.layers[-1], net, replace_fn=_silent)
        self.mixture = jnp.array([0.0, 1.0, 0.0])
        self.rate = jnp.log(jnp.asarray(rate))
        self.patience = jnp.log(jnp.asarray(100.0))

    def init(self, observation: Any, *, key: Any) -> Moments:
        return self._begin(observation["gradient"])

    def __call__(self, state: Moments, observation: Any) -> tuple[Moments, Any]:
        return self._step(state, observation["gradient"], observation["weights"])

    def as_optax(self) -> optax.GradientTransformation:
        """This optimizer as an optax transformation; its `update` needs the weights."""

        def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
            if params is None:
                raise InputError(
                    "the learned optimizer is given no weights",
                    "update",
                    "write optimizer.update(gradient, state, weights)",
                )
            state, step = self._step(state, updates, params)
            return step, state

        return optax.GradientTransformation(self._begin, update)

    def _begin(self, params: Any) -> Moments:
        flat, _ = ravel_pytree(params)
        return Moments(jnp.zeros((len(_DECAYS), flat.size), flat.dtype), 0 * flat, jnp.zeros(()))

    def _step(self, state: Moments, gradient: Any, weights: Any) -> tuple[Moments, Any]:
        flat, back = ravel_pytree(gradient)
        tick = state.tick + 1
        decays = jnp.asarray(_DECAYS, flat.dtype)[:, None]
        means = decays * state.means + (1 - decays) * flat
        square = _SECOND * state.square + (1 - _SECOND) * flat**2
        root = jnp.sqrt(square / (1 - _SECOND**tick)) + 1e-8
        moves = means / (1 - decays**tick) / root
        others = [flat / root, jnp.log(root / _typical(root, gradient))]
        step = back(self._move(moves, others, tick).astype(flat.dtype))
        return Moments(means, square, tick), step

    def _move(self, moves: Any, others: Any, tick: Any) -> Float[Array, " weights"]:
        """The step of every weight, from its means over their root and what else is known."""
        clock = jnp.broadcast_to(tick / (tick + _TICKS), others[0].shape)
        seen = jnp.concatenate([moves, jnp.abs(moves), jnp.stack([*others, clock])])
        bend, add = jnp.tanh(jax.vmap(self.net, 1, 1)(jnp.clip(seen, -5.0, 5.0)))
        move = self.mixture @ moves + add
        left = jax.lax.rsqrt(1 + tick / jnp.exp(self.patience))
        return (
            -jnp.exp(self.rate)
            * left
            * (_LARGEST * jnp.tanh(move / _LARGEST) * jnp.exp(_BEND * bend))
        )


def _typical(root: Float[Array, " weights"], like: Any) -> Float[Array, " weights"]:
    """For every weight, the root mean square over the array that it belongs to."""
    sizes = [leaf.size for leaf in jax.tree.leaves(like)]
    parts = jnp.split(root, list(accumulate(sizes))[:-1])
    means = [jnp.sqrt(jnp.mean(part**2)) for part in parts]
    return jnp.concatenate([jnp.full(n, x) for n, x in zip(sizes, means, strict=True)])


def _silent(layer: eqx.nn.Linear) -> eqx.nn.Linear:
    parts = lambda own: (own.weight, own.bias)
    return eqx.tree_at(parts, layer, replace_fn=lambda x: 0.01 * x)
