"""The form a running machine has for the moment: its structure and the room it was given."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import GrowthError, InputError, SpaceError
from snakebird.lowering import Lowered, Room, State, lower, outputs_of, state_of
from snakebird.lowering._nested import STATE, widened
from snakebird.lowering._spaces import as_space, fits
from snakebird.machines import Link, Machine, as_path
from snakebird.vvalues import Space

FIRST_TICKS = 8
"""For how many ticks streams that never stop growing get room at first; later twice as many."""


@dataclass(frozen=True, eq=False)
class Form:
    """A machine with the room it runs in; everything compiled follows from it.

    * `room`: the outputs that have room in any case, and for how many ticks of growth there is.
    * `heard`: what arrived so far at sources that do not declare what may arrive.
    """

    machine: Machine
    room: Room
    heard: Mapping[str, Space] = field(default_factory=dict)
    dtype: Any = None

    @cached_property
    def low(self) -> Lowered:
        """The machine on arrays; all neurons run, since an edit may link any of them."""
        neurons = {
            name: neuron.replace(space=self.heard[name]) if name in self.heard else neuron
            for name, neuron in self.machine.neurons.items()
        }
        if self.room.ticks is not None:
            held = {name: self.room.space.sub((name, STATE)) for name in neurons}
            neurons = {n: widened(neurons[n], held[n], self.room.ticks) for n in neurons}
        machine = self.machine.replace(neurons=neurons)
        return lower(machine, record="all", grow=self.room, dtype=self.dtype)

    def opened(self) -> "Form":
        """The form with room for some growth if it needs any; raises `GrowthError` for too much."""
        try:
            self.low  # noqa: B018
        except GrowthError:
            if self.room.ticks is not None:
                raise
            return replace(self, room=Room(self.room.space, FIRST_TICKS)).opened()
        return self

    def wider(self, outputs: Any) -> "Form":
        """The form with twice the room for growth, from these outputs on."""
        ticks = FIRST_TICKS if self.room.ticks is None else 2 * self.room.ticks
        return replace(self, room=Room(self.room.space | Space.of(outputs), ticks)).opened()

    def holding(self, outputs: Any, tick: int) -> tuple["Form", State]:
        """The state that holds these outputs, and the form that has room for it."""
        form = self.opened()
        try:
            return form, state_of(form.low, outputs, tick)
        except SpaceError:
            form = replace(self, room=Room(Space.of(outputs), self.room.ticks)).opened()
            return form, state_of(form.low, outputs, tick)

    def outputs(self, state: State) -> Any:
        """The tree of all outputs of a state."""
        return outputs_of(self.low.plan, state.blocks)

    def matrix(self, state: State) -> Any:
        """The network matrix in force, for a machine that carries it."""
        assert self.machine.matrix_from is not None
        return vv.get(self.outputs(state), *self.machine.matrix_from)


def room_for(machine: Machine, grow: Any) -> Room:
    """The room a user asks for: `None`, a number of ticks, a `Room`, or output -> space."""
    if isinstance(grow, Mapping):
        space = Space()
        for port, part in grow.items():
            path = as_path(port, machine.neurons)
            space |= as_space(part).under(path)
        return Room(space)
    if grow is None or isinstance(grow, Room):
        return grow or Room()
    return Room(ticks=whole_number(grow, "grow", "Runner", least=0))


def links_of(machine: Machine, matrix: Any) -> list[Link]:
    """The links of a matrix, marked as those of the machine are; the instant ones come along.

    Entries that address no input or output of the machine are left out.
    """
    known = {link.path: link for link in machine.links if not link.instant}
    found = [link for link in machine.links if link.instant]
    for path, weight in vv.entries(matrix):
        if path in known:
            found.append(known[path].scaled(weight))
        elif fits(machine, path) and _is_output(machine, path[2:]):
            found.append(Link(path[0], path[1], path[2:], weight))
    return found


def _is_output(machine: Machine, path: vv.Path) -> bool:
    outputs = machine.neurons[path[0]].type.outputs
    return len(path) == 1 or outputs is None or path[1] in outputs


def whole_number(given: Any, name: str, where: str, least: int) -> int:
    """An argument as an int; raises `InputError` for what is none, or is too small."""
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool) and given >= least:
        return int(given)
    what = "1, 2, 3, ..." if least else "0, 1, 2, ..."
    raise InputError(f"{name}={given!r}, expected a whole number", where, f"give one of {what}")
