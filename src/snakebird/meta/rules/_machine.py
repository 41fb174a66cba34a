"""A lowered machine as a rule: what it has learned are its streams, its matrix among them."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.lowering import Lowered, lift
from snakebird.machines import Machine
from snakebird.meta._gradients import free_of


class MachineRule(eqx.Module):
    """A machine that gets each observation in one tick and answers `latency` ticks later.

    * `low`: the machine, lowered with its answer recorded;
    * `inputs`: which entry of the observation each source gets;
    * `answer`: the recorded port, or ports, whose streams side by side are the prediction;
    * `features`: applied to the entry `"x"` of the observation first; trained too.

    Training scales the trainable links by factors above zero, whose logarithms `factors` it moves:
    links keep their signs, and what stands under a reciprocal keeps off the pole. Other numbers of
    the machine are trained as they are. `machine` is the machine with all that was learned.

    The answer is looked up ahead, in ticks without any message that are then taken back, so that
    the machine may have any depth and still sees one observation a tick.

    >>> import snakebird as sb
    >>> machine = sb.Machine(
    ...     {"x": sb.source(space=sb.Space([()])), "y": "identity", "sum": "accumulator"},
    ...     ["sum.accum <- sum.result", "sum.delta <- x.signal", "y.x <- sum.result"],
    ... )
    >>> rule = MachineRule(sb.lower(machine, record="y.result"), {"x": "x"}, "y.result", latency=2)
    >>> state = rule.init({"x": 0.0}, key=jax.random.key(0))
    >>> state, _ = rule(state, {"x": 1.0})
    >>> float(rule(state, {"x": 2.0})[1][0])
    3.0
    """

    low: Lowered
    factors: Float[Array, " links"]
    features: Any
    inputs: tuple[tuple[str, str], ...] = eqx.field(static=True)
    answer: tuple[str, ...] = eqx.field(static=True)
    latency: int = eqx.field(static=True)

    def __init__(
        self,
        low: Lowered,
        inputs: Mapping[str, str],
        answer: str | Sequence[str],
        *,
        latency: int = 1,
        features: Any = None,
    ):
        if latency < 0:
            raise InputError(
                f"latency is {latency}",
                "MachineRule",
                "write latency=1, for an answer a tick later",
            )
        neurons = low.plan.template.neurons
        for source in inputs:
            if source not in neurons:
                hint = suggest(source, neurons)
                what = f"there is no source {source!r}"
                raise UnknownNameError(what, "MachineRule, inputs", hint)
        self.low, self.features = low, features
        self.factors = jnp.zeros_like(low.weights)
        self.inputs, self.latency = tuple(inputs.items()), latency
        self.answer = (answer,) if isinstance(answer, str) else tuple(answer)

    def init(self, observation: Any, *, key: Any) -> Any:
        """The machine before its first tick, and its randomness."""
        return self._scaled().first_state, key

    @property
    def machine(self) -> Machine:
        """The machine with all that was learned."""
        return lift(self._scaled())

    def free_numbers(self) -> Any:
        """Ones where training may change a number; the links are moved by their factors alone."""
        low = free_of(eqx.filter(self.low, eqx.is_inexact_array))
        rest = jax.tree.map(jnp.ones_like, eqx.filter(self, eqx.is_inexact_array))
        fixed = eqx.tree_at(lambda own: own.weights, low, jnp.zeros_like(low.weights))
        return eqx.tree_at(lambda own: (own.low, own.factors), rest, (fixed, low.weights))

    def _scaled(self) -> Lowered:
        free = self.low.plan.free_weights
        weights = jax.lax.stop_gradient(self.low.weights)
        scaled = weights * jnp.exp(jnp.where(free, self.factors, 0.0))
        return eqx.tree_at(lambda low: low.weights, self.low, scaled)

    def __call__(self, state: Any, observation: Any) -> tuple[Any, Any]:
        outputs, key = state
        key, now = jax.random.split(key)
        low = self._scaled()
        outputs, trace = low.tick(outputs, self._messages(observation), key=now)
        ahead = outputs
        for _ in range(self.latency):
            ahead, trace = low.tick(ahead, key=now)
        said = [trace[port].data[0] for port in self.answer]
        # What nothing can ever reach is zero, and has no width.
        said = [x if x.size else jnp.zeros(1, x.dtype) for x in said]
        return (outputs, key), jnp.concatenate(said)

    def _messages(self, observation: Any) -> dict[str, Any]:
        if self.features is not None:
            observation = {**observation, "x": self.features(observation["x"])}
        return {source: jnp.asarray(observation[name]) for source, name in self.inputs}
