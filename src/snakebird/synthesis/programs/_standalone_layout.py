"""The layout of a standalone program: order of the lines, kinds of the streams, names."""

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping

from snakebird import vvalues as vv
from snakebird.errors import MachineError
from snakebird.machines import Link, Machine
from snakebird.synthesis.programs._standalone_helpers import HELPERS
from snakebird.synthesis.programs._standalone_neurons import Ports, source_kind, terms_of
from snakebird.synthesis.programs._standalone_terms import (
    NOTHING,
    ZERO,
    Term,
    cast,
    gathered,
    join,
    literal,
    part,
)
from snakebird.synthesis.programs._verify import OUTPUT

Place = tuple[str, str]
"""A neuron and one of its outputs."""


class Layout:
    """What stands where in the function of one machine: order, kinds and names."""

    def __init__(self, machine: Machine, name: str, streams: Mapping[str, str]):
        self.machine = machine
        self.into: dict[str, list[Link]] = {n: [] for n in machine.neurons}
        for link in machine.links:
            self.into[link.to].append(link)
        sources = [n for n, neuron in machine.neurons.items() if neuron.type.name == "source"]
        self.parameters = list(streams or sources)
        self.used = self._used()
        self.sources = [n for n in sources if n in self.used]
        self.given = {n: kind for n, kind in streams.items()}
        self.order = self._order()
        self.at = {n: k for k, n in enumerate([*self.sources, *self.order])}
        self.delays = {
            n: _delay_start(machine, n)
            for n in self.order
            if machine.neurons[n].type.name == "delay"
        }
        self._taken = {*keyword.kwlist, *dir(builtins), *HELPERS, "answers", "Fraction", name}
        self.kinds = self._kinds()
        self.lists = {n: self.free(n) for n in self.parameters}
        self.names = {place: self.free(self._wish(*place)) for place in self.kinds}
        self.before = {p: self.free(f"{v}_before") for p, v in self.names.items() if self._late(p)}
        self.now = {n: self.names.get((n, "signal"), "_") for n in self.sources}
        self.lines = {
            n: self.free(f"{n}_line")
            for n, line in self.delays.items()
            if line and (n, "result") in self.kinds
        }

    def _used(self) -> set[str]:
        """The neurons from which a way leads to the output."""
        found, waiting = {OUTPUT}, [OUTPUT]
        while waiting:
            new = {link.source[0] for link in self.into[waiting.pop()]} - found
            found |= new
            waiting += new
        return found

    def _order(self) -> list[str]:
        """The neurons after those they have instant links from, and before those whose last
        output they read, as far as that is possible; the output comes as late as it can."""
        left = [n for n in self.machine.neurons if n in self.used and n not in self.sources]
        left.sort(key=lambda n: n == OUTPUT)
        made: list[str] = []
        while left:
            ready = [n for n in left if not self._waits(n, left)]
            free = [n for n in ready if not (self._readers(n) - {n}) & set(left)]
            made.append((free or ready)[0])
            left.remove(made[-1])
        return made

    def _waits(self, name: str, left: list[str]) -> bool:
        return any(link.instant and link.source[0] in left for link in self.into[name])

    def read_later(self, place: Place) -> bool:
        """Whether some link brings an output a tick later."""
        return any(
            self.reads(link, place) and not link.instant
            for to in self.used
            for link in self.into[to]
        )

    def _readers(self, name: str) -> set[str]:
        """The neurons that read the last output of a neuron."""
        return {
            to
            for to in self.used
            for link in self.into[to]
            if link.source[0] == name and not link.instant
        }

    def _late(self, place: Place) -> bool:
        """Whether an output is needed after the neuron has another one."""
        readers = {
            to
            for to in self._readers(place[0])
            for link in self.into[to]
            if self.reads(link, place) and not link.instant
        }
        source = place[0] in self.sources
        return any(source or self.at[to] > self.at[place[0]] for to in readers)

    @staticmethod
    def reads(link: Link, place: Place) -> bool:
        """Whether a link starts at an output, or within it, or at all outputs of its neuron."""
        return link.source[:2] in (place, place[:1])

    def _kinds(self) -> dict[Place, str]:
        """The kind of every output that is read, and is not always zero."""
        self.kinds: dict[Place, str] = {}
        self.names = self.before = {}
        while True:
            found = {p: k for n in self.at for p, k in self._kinds_of(n) if k != ZERO}
            if found == self.kinds:
                return found
            self.kinds = found

    def _kinds_of(self, name: str) -> Iterator[tuple[Place, str]]:
        start = vv.get(self.machine.start, name)
        for port, term in self.outputs(name).items():
            place = (name, port)
            if any(self.reads(link, place) for to in self.used for link in self.into[to]):
                kinds = [literal(v).kind for v in (vv.get(start, port), *self.delays.get(name, ()))]
                yield place, join(term.kind, self.kinds.get(place, ZERO), *kinds)

    def _wish(self, name: str, port: str) -> str:
        if name in self.sources:
            return f"{name}_now"
        outputs = self.machine.neurons[name].type.outputs
        single = port == "result" or (outputs is not None and len(outputs) == 1)
        return name if single else f"{name}_{port}"

    def free(self, wish: str) -> str:
        """A name for a variable, like the wish, that nothing has yet."""
        base = re.sub(r"\W", "_", wish, flags=re.ASCII)
        base = base if base.isidentifier() else f"n_{base}"
        name, k = (f"{base}_" if base in self._taken else base), 1
        while name in self._taken:
            k += 1
            name = f"{base}_{k}"
        self._taken.add(name)
        return name

    def outputs(self, name: str) -> dict[str, Term]:
        """The terms of all outputs of a neuron; none, if no link ends there."""
        neuron = self.machine.neurons[name]
        if name in self.sources:
            default = literal(neuron.parameters["default"]).kind
            kind = self.given.get(name) or source_kind(neuron)
            return {"signal": Term(name, join(kind, default))}
        if name not in self.machine.linked and not neuron.type.always_active:
            return dict.fromkeys(neuron.type.outputs or (), NOTHING)
        return terms_of(name, neuron, self._inputs(name))

    def _inputs(self, name: str) -> Ports:
        ports: dict[str, list[tuple[object, Term]]] = {}
        for link in sorted(self.into[name], key=lambda link: not link.instant, reverse=True):
            ports.setdefault(link.input, []).append((link.weight, self._read(link)))
        return ports

    def _read(self, link: Link) -> Term:
        """What a link carries."""
        # A number at the root is at the same path as all that stands there.
        name, *path = (key for key in link.source if key != vv.NUMBER)
        if path:
            return part(self.variable((name, path[0]), link.instant), tuple(path[1:]))
        ports = {place[1]: place for place in self.kinds if place[0] == name}
        return gathered({port: self.variable(at, link.instant) for port, at in ports.items()})

    def variable(self, place: Place, instant: bool) -> Term:
        """The value of an output in this tick, or in the last one."""
        kind = self.kinds.get(place, ZERO)
        if kind == ZERO:
            return NOTHING
        neuron = self.machine.neurons[place[0]]
        if instant and neuron.type.name == "constant":
            return cast(literal(neuron.parameters["value"]), kind)
        names = self.names if instant else {**self.names, **self.before}
        return Term(names.get(place, ""), kind)


def _delay_start(machine: Machine, name: str) -> tuple[object, ...]:
    """The values that are on their way in a delay before the first tick.

    Raises `MachineError` for a delay whose line is not its own alone.
    """
    into = [link for link in machine.links if (link.to, link.input) == (name, "line")]
    read = [link for link in machine.links if link.source[:2] in ((name,), (name, "line"))]
    own = Link(name, "line", (name, "line"))
    alone = len(into) == 1 and into == read
    ticks = machine.neurons[name].parameters["ticks"]
    if ticks and not (alone and into[0].place == own.place and into[0].weight == 1):
        raise MachineError(
            "the line of a delay is not linked to itself alone",
            f"neuron {name!r}",
            f"link it as {own}, and to nothing else",
        )
    line = vv.get(machine.start, name, "line")
    return tuple(vv.get(line, str(k)) for k in range(ticks))
