"""Going on from given outputs: room for them, and the state they make."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import SpaceError

if TYPE_CHECKING:
    from snakebird.lowering._lowered import Lowered


@dataclass(frozen=True)
class Room:
    """What streams need besides what inference finds: the argument `grow=` of `lower`.

    * `space`: paths `(neuron, output, ...)` to hold in any case.
    * `ticks`: for how many ticks streams that grow for ever find room; `None`: there are none.
    """

    space: vv.Space = field(default_factory=vv.Space)
    ticks: int | None = None


def state_of(low: "Lowered", outputs: Any, tick: int = 0) -> Any:
    """The state in which a machine holds these outputs after `tick` ticks: undoes `outputs_of`.

    Raises `SpaceError` for an output that has no room there; `lower(machine, grow=Room(...))`
    reserves it.

    >>> from snakebird.lowering import lower, outputs_of
    >>> from snakebird.machines import Machine
    >>> low = lower(Machine({"n": "timer"}, ["n.timer <- n.timer"]))
    >>> outputs_of(low.plan, low(ticks=2, state=state_of(low, {"n": {"timer": 40}})).state.blocks)
    {'n': {'timer': 42.0}}
    """
    plan, first = low.plan, low.first_state
    blocks = [np.zeros(block.shape, block.dtype) for block in first.blocks]
    for path, leaf in vv.entries(vv.unflatten(outputs)):
        b, row = _place(plan, path)
        slot = plan.blocks[b].space.slot(path[2:])
        blocks[b][row, slot] = np.ravel(np.asarray(leaf, plan.dtype))
    done = jnp.asarray(tick, first.tick.dtype)
    return replace(first, blocks=tuple(map(jnp.asarray, blocks)), tick=done)


def _place(plan: Any, path: vv.Path) -> tuple[int, int]:
    """Block and row of an output that has room."""
    if path[0] in plan.layout.place and len(path) > 1:
        kind = plan.kinds[plan.layout.place[path[0]][0]]
        found = plan.layout.row("out", path[0], path[1])
        if found is not None and path[1:] in kind.outputs:
            return found
    raise SpaceError(
        f"no room for the output {vv.show_path(path)}",
        f"state of {plan.template!r}",
        "lower(machine, grow=Room(space)) reserves room",
    )
