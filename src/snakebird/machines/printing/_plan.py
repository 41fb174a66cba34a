"""How a machine is laid out as source: what becomes a parameter, in what order neurons are made."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from snakebird import vvalues as vv
from snakebird.machines._link import Link
from snakebird.machines._machine import Machine
from snakebird.machines.building._builder import ONE, is_one, is_only_input
from snakebird.machines.printing._literals import RESERVED, is_plain_name, plain
from snakebird.machines.printing._reading import reading_order
from snakebird.neurons import RESULT, constant, output, source

_CALL_WORDS = frozenset({"name", "loops"})
"""Inputs so named are fed apart: a call of a neuron type has other uses for these keywords."""

_DEEPEST = 2  # calls inside a call inside a call are hard to read


class Plan:
    """The forms a machine's neurons take in its source.

    * `parameters`: sources that are parameters of the function.
    * `one`: whether the shared constant 1 is left to the builder.
    * `returned`: whether the neuron `output` is what the function returns.
    * `order`: the other neurons, each after those it reads where cycles allow.
    * `inlined`: those of them that are written inside the call that uses them.
    * `variables`: the variable of each neuron.
    """

    def __init__(self, machine: Machine, reserved: Iterable[str] = ()):
        self.machine = machine
        self.incoming: dict[str, list[Link]] = {name: [] for name in machine.neurons}
        self.outgoing: dict[str, list[Link]] = {name: [] for name in machine.neurons}
        for link in machine.links:
            self.incoming[link.to].append(link)
            self.outgoing[link.source[0]].append(link)
        self._kept = {*machine.start, *(path[0] for path in machine.free_start)}
        if machine.matrix_from is not None:
            self._kept.add(machine.matrix_from[0])
        reserved = {*RESERVED, *reserved}
        self.parameters = [
            name for name in machine.neurons if name not in reserved and self._is_parameter(name)
        ]
        self.one = ONE in machine.neurons and self._is_shared_one()
        self.returned = "output" in machine.neurons and self._is_return()
        apart = {
            *self.parameters,
            *([ONE] if self.one else []),
            *(["output"] if self.returned else []),
        }
        self.order = reading_order(
            [name for name in machine.neurons if name not in apart], self.incoming
        )
        places = [*self.parameters, *([ONE] if self.one else []), *self.order]
        self.position = {name: k for k, name in enumerate(places)}
        self.position["output"] = self.position.get("output", len(places))
        self.variables = _variables(machine.neurons, reserved)
        self.inlined = self._inlined()

    def is_back(self, link: Link) -> bool:
        """Whether a link reads a neuron that is made later, or itself."""
        return self.position[link.source[0]] >= self.position[link.to]

    def split(self, name: str) -> tuple[list[Link], list[Link]]:
        """The links into a neuron that its call can take, and those that must be fed later."""
        usual, implied = self.loops(name), self.loops_implied(name)
        kept = {port for port, link in usual.items() if link is not None} if implied else set()
        kind = self.machine.neurons[name].type
        alone = {port for port in kept if is_only_input(kind, port)}
        early, late = [], []
        for link in self.incoming[name]:
            if link.input in kept and link is usual[link.input]:
                continue
            again = link.input in kept - alone or link.input in _CALL_WORDS
            (late if again or self.is_back(link) else early).append(link)
        return early, late

    def loops_implied(self, name: str) -> bool:
        """Whether a builder that links this neuron's memory by itself does right."""
        fed = {k.input for k in self.incoming[name] if not self.is_back(k)}
        fed -= _CALL_WORDS
        kind = self.machine.neurons[name].type
        fed -= {port for port in fed if is_only_input(kind, port)}
        return all(link is not None or port in fed for port, link in self.loops(name).items())

    def loops(self, name: str) -> dict[str, Link | None]:
        """The memory inputs of a neuron, each with its link if it is just what a builder makes."""
        found: dict[str, Link | None] = {}
        for port, out in self.machine.neurons[name].type.loops.items():
            own = [k for k in self.incoming[name] if k.input == port and k.source == (name, out)]
            usual = [k for k in own if not k.instant and not k.trainable and is_number(k.weight, 1)]
            found[port] = usual[0] if usual else None
        return found

    def _is_parameter(self, name: str) -> bool:
        neuron = self.machine.neurons[name]
        if neuron.type is not source or neuron.trainable or not is_plain_name(name):
            return False
        tokens, space = neuron.parameters["tokens"], neuron.parameters["space"]
        if space is None:
            return isinstance(tokens, tuple) and tokens == tuple(dict.fromkeys(tokens)) != ()
        return isinstance(space, vv.Space) and tokens == ()

    def _is_shared_one(self) -> bool:
        links = self.outgoing[ONE]
        usual = all(k.source == (ONE, RESULT) and not is_number(k.weight, 0) for k in links)
        return is_one(self.machine.neurons[ONE]) and ONE not in self._kept and bool(links) and usual

    def _is_return(self) -> bool:
        neuron = self.machine.neurons["output"]
        free = "output" not in self._kept and not self.outgoing["output"]
        return neuron.type is output and free and bool(self.incoming["output"])

    def _inlined(self) -> set[str]:
        """Neurons with a name as the builder gives it that are used once, by one made later."""
        found: dict[str, int] = {}
        for name in self.order:
            kind = self.machine.neurons[name].type.name
            used = [link for link in self.outgoing[name] if link.to != name]
            early, late = self.split(name)
            once = len(used) == 1 and not self.is_back(used[0])
            if name in self._kept or late or not once or not self.loops_implied(name):
                continue
            if not re.fullmatch(re.escape(kind) + r"(_[0-9]+)?", name):
                continue
            depth = 1 + max((found.get(link.source[0], 0) for link in early), default=0)
            if depth <= _DEEPEST:
                found[name] = depth
        return set(found)

    def is_dict(self, link: Link) -> bool:
        """Whether an input is fed by one constant tree alone, which may be written in its place."""
        name = link.source[0]
        neuron = self.machine.neurons[name]
        alone = sum(other.input == link.input for other in self.incoming[link.to]) == 1
        return (
            name in self.inlined
            and neuron.type is constant
            and isinstance(neuron.parameters["value"], Mapping)
            and not neuron.trainable
            and alone
            and link.source == (name, RESULT)
            and is_number(link.weight, 1)
            and not link.instant
        )


def is_number(weight: Any, value: int) -> bool:
    """Whether a weight is known to be this number."""
    return vv.is_exact(plain(weight)) and plain(weight) == value


def _variables(names: Iterable[str], reserved: set[str]) -> dict[str, str]:
    """The name itself where Python allows it, else something near that no other neuron has."""
    names = list(names)
    found = {name: name for name in names if is_plain_name(name) and name not in reserved}
    taken = {*found.values(), *names, *reserved}
    for name in names:
        if name in found:
            continue
        base = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "neuron"
        base = f"neuron_{base}" if base[0].isdigit() else base
        variable, k = base, 1
        while variable in taken or not is_plain_name(variable):
            k += 1
            variable = f"{base}_{k}"
        taken.add(variable)
        found[name] = variable
    return found
