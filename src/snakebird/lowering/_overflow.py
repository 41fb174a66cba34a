"""What the machines inside neurons say of their room while the machine around them is traced."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax

_listener: ContextVar[list[jax.Array] | None] = ContextVar("overflow", default=None)


@contextmanager
def listening() -> Iterator[list[jax.Array]]:
    """While it lasts, flags of nested machines that outgrow their room are put on the list."""
    found: list[jax.Array] = []
    token = _listener.set(found)
    try:
        yield found
    finally:
        _listener.reset(token)


def heard(flag: jax.Array) -> bool:
    """Tell who listens that a nested machine outgrew its room if a flag is true; whether one does.

    >>> with listening() as found:
    ...     heard(jax.numpy.array(True)), len(found)
    (True, 1)
    >>> heard(jax.numpy.array(True))
    False
    """
    listener = _listener.get()
    if listener is None:
        return False
    listener.append(flag)
    return True


def growing(plan: Any) -> list[str]:
    """The neurons of a plan that may outgrow their room, those of nested machines as `n.inner`."""
    found = sorted(plan.spaces.clipped)
    for name, neuron in plan.template.neurons.items():
        inner = inner_plan(neuron)
        found += [] if inner is None else [f"{name}.{below}" for below in growing(inner)]
    return found


def growing_in(plan: Any) -> str:
    """Which streams of a nested machine may outgrow their room, in words."""
    return f"the outputs of {', '.join(map(repr, growing(plan)))} in {plan.template!r}"


def inner_plan(neuron: Any) -> Any:
    """The plan of the machine inside a neuron, if there is one."""
    return getattr(neuron.parameters.get("machine"), "plan", None)
