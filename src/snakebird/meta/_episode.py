"""One life of a rule in one task, as a scan over ticks."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from snakebird.errors import InputError
from snakebird.meta._tasks import Tasks


@runtime_checkable
class Rule(Protocol):
    """An online learner: what it has learned so far is its state.

    Any `eqx.Module` with these two methods; its arrays are what `fit` trains. `init` is given an
    observation of zeros, from which only shapes can be read.
    """

    def init(self, observation: Any, *, key: Any) -> Any:
        """The state before the first observation."""
        ...

    def __call__(self, state: Any, observation: Any) -> tuple[Any, Any]:
        """The state after an observation, and what the rule says to it."""
        ...


class Carry(NamedTuple):
    """Where an episode stands."""

    state: Any
    world: Any


def begin(rule: Any, tasks: Tasks, task: Any, key: Any) -> Carry:
    """An episode before its first tick."""
    world = tasks.start(task)
    seen = jax.eval_shape(lambda: tasks.observe(task, world, jnp.zeros((), int)))
    blank = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), seen)
    return Carry(rule.init(blank, key=key), world)


def advance(
    rule: Any, tasks: Tasks, task: Any, carry: Carry, first: Any, ticks: int
) -> tuple[Carry, Float[Array, " ticks"]]:
    """So many ticks on from tick `first`; the loss of each."""

    def one(carry: Carry, tick: Any) -> tuple[Carry, Any]:
        state, prediction = rule(carry.state, tasks.observe(task, carry.world, tick))
        world, loss = tasks.respond(task, carry.world, tick, prediction)
        return Carry(state, world), loss

    return jax.lax.scan(one, carry, first + jnp.arange(ticks))


def episode(rule: Any, tasks: Tasks, task: Any, *, key: Any) -> Float[Array, " ticks"]:
    """The loss of every tick of one task. Works under `jit`, `grad` and `vmap`.

    >>> import equinox as eqx
    >>> from snakebird.meta._tasks import Sequences
    >>> class Last(eqx.Module):
    ...     def init(self, observation, *, key):
    ...         return observation
    ...     def __call__(self, state, observation):
    ...         return observation, state
    >>> tasks = Sequences(lambda key: (jnp.arange(3.0), jnp.arange(3.0)))
    >>> episode(Last(), tasks, tasks.sample(jax.random.key(0)), key=jax.random.key(1)).tolist()
    [0.0, 1.0, 1.0]
    """
    carry = begin(rule, tasks, task, key)
    return advance(rule, tasks, task, carry, 0, tasks.ticks)[1]


def check_rule(rule: Any) -> None:
    """Raise `InputError` for what is no rule."""
    if isinstance(rule, type) or not (callable(rule) and hasattr(rule, "init")):
        shown = f"the class {rule.__name__}" if isinstance(rule, type) else f"{rule!r}"
        raise InputError(
            f"the rule is {shown}, expected an object with init(observation, *, key) and "
            "a call (state, observation) -> (state, prediction)",
            "rule",
            "give an instance of such an eqx.Module, or meta.MachineRule(machine, ...)",
        )
