"""A bank of streams: what small machines compute on the examples, and how each is made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from snakebird import neurons as nr, vvalues as vv
from snakebird.machines import Link, Machine
from snakebird.neurons import Neuron

ONE = "one"
"""The name of the stream that is always 1."""


class Use(NamedTuple):
    """A stream read with a weight, as it is now or as it was one tick before."""

    stream: int
    weight: Any = 1
    before: bool = False


class Made(NamedTuple):
    """A neuron and what each of its inputs reads; a stream that reads itself is a loop.

    `loops` are inputs that read another output of the neuron itself, one tick later.
    """

    neuron: Neuron
    ports: Mapping[str, tuple[Use, ...]]
    loops: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Entry:
    """One stream of a bank: a source or constant (`made` is None), or a neuron's output.

    `values` has axes [example, tick, number]; `cost` counts the links it takes with all it needs.
    """

    name: str
    space: vv.Space
    values: np.ndarray
    cost: int = 0
    made: Made | None = None
    part: vv.Path = ()


@dataclass
class Bank:
    """Streams in the order in which they were made."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, entry: Entry) -> int:
        """Take in a stream; its place."""
        self.entries.append(entry)
        return len(self.entries) - 1

    def values(self, use: Use) -> np.ndarray:
        """What a use reads [example, tick, number], its weight left out."""
        now = self.entries[use.stream].values
        return before(now) if use.before else now

    def needed(self, uses: Iterable[Use]) -> list[int]:
        """All streams that some uses need, in the order of the bank."""
        found: set[int] = set()
        waiting = [use.stream for use in uses]
        while waiting:
            at = waiting.pop()
            if at not in found:
                found.add(at)
                made = self.entries[at].made
                if made is not None:
                    waiting += [use.stream for port in made.ports.values() for use in port]
        return sorted(found)

    def cost(self, uses: Iterable[Use]) -> int:
        """Links of all that some uses need, and of the uses themselves."""
        uses = list(uses)
        return len(uses) + sum(self.links_of(at) for at in self.needed(uses))

    def links_of(self, at: int) -> int:
        """Links that end at the neuron of one stream."""
        made = self.entries[at].made
        if made is None:
            return 0
        return sum(len(port) for port in made.ports.values()) + len(made.loops)

    def machine(
        self, outputs: Mapping[str, Iterable[Use]], sources: Mapping[str, Neuron]
    ) -> Machine:
        """The machine whose neuron `output` reads these uses."""
        outputs = {port: tuple(uses) for port, uses in outputs.items()}
        neurons: dict[str, Neuron] = dict(sources)
        names: dict[int, vv.Path] = {}
        for at in self.needed(use for uses in outputs.values() for use in uses):
            entry = self.entries[at]
            if entry.made is not None:
                name = _free(entry.made.neuron.type.name, neurons)
                neurons[name] = entry.made.neuron
                names[at] = (name, *(entry.made.neuron.type.outputs or ())[:1])
            elif entry.name == ONE:
                neurons[ONE] = nr.constant(value=1)
                names[at] = (ONE, "result")
            else:
                names[at] = (entry.name, "signal", *entry.part)
        links = [
            link
            for at, path in names.items()
            if (made := self.entries[at].made) is not None
            for port, uses in made.ports.items()
            for link in _links(path[0], port, uses, names)
        ]
        links += [
            Link(path[0], port, (path[0], out))
            for at, path in names.items()
            if (made := self.entries[at].made) is not None
            for port, out in made.loops.items()
        ]
        neurons["output"] = nr.output.with_parameters()
        for port, uses in outputs.items():
            links += _links("output", port, uses, names)
        return Machine(neurons, links)


def before(values: np.ndarray) -> np.ndarray:
    """A stream one tick later: nothing at first."""
    return np.concatenate([np.zeros_like(values[..., :1, :]), values[..., :-1, :]], axis=-2)


def _links(to: str, port: str, uses: Iterable[Use], names: Mapping[int, vv.Path]) -> list[Link]:
    return [
        Link(to, port, names[use.stream], _plain(use.weight), instant=not use.before)
        for use in uses
    ]


def _plain(weight: Any) -> Any:
    if isinstance(weight, Fraction) and weight.denominator == 1:
        return weight.numerator
    return weight


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """The name, or the name with a number where it is taken."""
    k, free = 1, name
    while free in taken or free == "output":
        k, free = k + 1, f"{name}_{k + 1}"
    return free
