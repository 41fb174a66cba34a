"""The plan of a lowered machine: everything that depends on structure and not on numbers.

Plans compare by structure, so machines that differ in numbers only share one compiled program.
"""

import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from snakebird import vvalues as vv
from snakebird.lowering._constant import carries_constant_matrix, carrying_entry
from snakebird.lowering._layout import Block, Kind, Layout, arrange
from snakebird.lowering._moves import StageMoves, plan_moves
from snakebird.lowering._parameters import Split, light, silent, split
from snakebird.lowering._ports import check_port
from snakebird.lowering._spaces import Spaces, as_space, infer
from snakebird.lowering._stages import Stages, Streams, closure, cut, one_stage
from snakebird.machines import Machine, as_path
from snakebird.neurons import message_space

_known: dict[Any, "Plan"] = {}

MAX_KNOWN = 64
"""How many plans are remembered, so that lowering the same structure again costs little."""


class Keep(NamedTuple):
    """What is recorded of one port of a kind: the rows of neurons, and a part of their space."""

    rows: tuple[int, ...]
    space: vv.Space


class Plan:
    """Layout and index maps of one machine structure; hashable, free of numbers."""

    def __init__(
        self,
        machine: Machine,
        dtype: Any,
        record: Any,
        grow: Any,
        dense: bool | None,
        checkpoint: bool | int,
    ):
        splits = {name: split(neuron, dtype) for name, neuron in machine.neurons.items()}
        constant = machine.matrix_from is not None and carries_constant_matrix(machine)
        ports = record_paths(machine, record)
        surely = _surely_linked(machine) if constant else None
        options = dtype, ports, record is None, dense, repr(checkpoint), surely
        key = _signature(machine, splits, _room_key(machine, grow), *options)
        self.__dict__.update(_known.get(key, self).__dict__)
        self.template, self.splits, self.dtype, self.key = machine, splits, dtype, key
        self.dense, self.checkpoint, self.grow = dense, checkpoint, grow
        if key in _known:
            self._warn()
            return
        self.carried = machine.matrix_from is not None and not constant
        self.surely_linked = surely
        self.record, self.by_default = ports, record is None
        self.spaces: Spaces = infer(machine, splits, grow)
        self.stages = self._stages(bool(checkpoint))
        self.layout: Layout = arrange(machine, self.spaces, splits, self.stages.of)
        self.start_space = vv.Space.of(machine.start)
        if len(_known) >= MAX_KNOWN:
            _known.pop(next(iter(_known)))
        _known[key] = self
        self._warn()

    def _warn(self) -> None:
        for note in self.spaces.notes:
            warnings.warn(note, stacklevel=4)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Plan) and self.key == other.key)

    @cached_property
    def structural(self) -> frozenset[int]:
        """The links by which a Self that nothing changes keeps its matrix, by number."""
        carrier = self.template.matrix_from
        if carrier is None or self.carried:
            return frozenset()
        return frozenset(k for k, link in enumerate(self.template.links) if link.to == carrier[0])

    @property
    def kinds(self) -> list[Kind]:
        """The kinds of neurons, in the order they run."""
        return self.layout.kinds

    def kinds_of(self, stage: int) -> list[tuple[int, Kind]]:
        """The kinds of one stage with their numbers."""
        return [(k, kind) for k, kind in enumerate(self.kinds) if kind.stage == stage]

    def cuts(self, block: int, stage: int) -> list[int]:
        """Where the rows of inputs of one port of a kind begin, for the kinds of one stage."""
        return self._cuts[block, stage]

    @cached_property
    def _cuts(self) -> dict[tuple[int, int], list[int]]:
        found: dict[tuple[int, int], list[int]] = {}
        for kind in self.kinds:
            for (side, _), (b, rows) in kind.rows.items():
                if side == "in":
                    found.setdefault((b, kind.stage), []).append(rows.start)
        return {at: sorted(starts) for at, starts in found.items()}

    @property
    def blocks(self) -> list[Block]:
        """The blocks of streams."""
        return self.layout.blocks

    def _stages(self, whole: bool) -> Stages:
        """The stages of the neurons that can reach what is recorded, or the matrix."""
        machine = self.template
        paths = [*self.spaces.links, *(link.path for link in machine.links if link.instant)]
        reads: dict[str, set[str]] = {name: set() for name in machine.neurons}
        for path in paths:
            reads[path[0]].add(path[2])
        alive = set(machine.neurons)
        if self.record is not None:
            wanted = [path[0] for path in self.record]
            carrier = [machine.matrix_from[0]] if self.carried and machine.matrix_from else []
            alive = closure([*wanted, *carrier], reads)
        names = [name for name in machine.neurons if name in alive]
        if self.carried or whole:
            return one_stage(names)
        return cut(names, reads, self._free_neurons(), self._streams(names))

    def _streams(self, names: list[str]) -> Streams:
        """What stages need to know of the neurons that run and of what they give out."""
        recorded = set(names) if self.record is None else {path[0] for path in self.record}
        sizes = {n: self.spaces.outputs[n].size for n in names if n not in recorded}
        neurons = self.template.neurons
        return Streams(sizes, frozenset(n for n in names if light(neurons[n], self.splits[n])))

    def _free_neurons(self) -> set[str]:
        """The neurons with something trainable in them or in the links that end at them."""
        machine = self.template
        free = {link.to for link in machine.links if link.trainable} | {
            p[0] for p in machine.free_start
        }
        if machine.matrix_from is not None and free:
            free.add(machine.matrix_from[0])
        return free | {name for name, neuron in machine.neurons.items() if neuron.trainable}

    @cached_property
    def matrix_space(self) -> vv.Space:
        """The space of the stream that carries the matrix."""
        port = self.template.matrix_from
        return vv.Space() if port is None else self.spaces.outputs[port[0]].sub(port[1:])

    @cached_property
    def matrix_row(self) -> tuple[int, int, np.ndarray] | None:
        """Block, row and columns of the stream that carries the matrix, if that neuron runs."""
        port = self.template.matrix_from
        if port is None or port[0] not in self.layout.place:
            return None
        found = self.layout.row("out", port[0], port[1])
        if found is None:
            return None
        below = self.matrix_space.under(port[2:])
        return found[0], found[1], below.inclusion(self.blocks[found[0]].space)

    @cached_property
    def matrix_slots(self) -> np.ndarray:
        """For each ordinary link, in order, its slot in the matrix stream."""
        ordinary = [link.path for link in self.template.links if not link.instant]
        return np.array([self.matrix_space.slot(path).start for path in ordinary], int)

    @cached_property
    def ordinary_links(self) -> np.ndarray:
        """The indices of the links that are not instant."""
        return np.array([k for k, link in enumerate(self.template.links) if not link.instant], int)

    @cached_property
    def moves(self) -> list[StageMoves]:
        """For each stage the down movements into it."""
        return plan_moves(self)

    @cached_property
    def emitted(self) -> list[dict[int, np.ndarray]]:
        """For each stage, the rows of its blocks that later stages read, by number."""
        found: list[dict[int, np.ndarray]] = [{} for _ in self.moves]
        for b, block in enumerate(self.blocks):
            later = range(len(self.moves))
            reads = [self.moves[stage].reads(b, block.before(stage)) for stage in later]
            for stage, emitted in enumerate(found):
                own = block.rows("out", stage)
                read = np.unique(np.concatenate(reads[stage:]))
                emitted[b] = read[(read >= own.start) & (read < own.stop)]
        return found

    @cached_property
    def carrying_slot(self) -> int | None:
        """The slot of the matrix stream that scales all entries that do not change otherwise."""
        path = carrying_entry(self.template, self.spaces) if self.carried else None
        return None if path is None else self.matrix_space.slot(path).start

    @cached_property
    def changing(self) -> np.ndarray:
        """For each slot of the matrix stream, whether updates may change it."""
        if self.carrying_slot is None:
            return np.ones(self.matrix_space.size, bool)
        name = self.template.matrix_from[0]  # type: ignore[index]
        reached = self.spaces.inputs[name].sub(("delta",)) & self.matrix_space
        return np.isin(np.arange(self.matrix_space.size), reached.inclusion(self.matrix_space))

    @cached_property
    def trained_slots(self) -> np.ndarray:
        """For each slot of the matrix stream, whether the link there may be trained."""
        found = np.zeros(self.matrix_space.size, bool)
        found[self.matrix_slots] = self.free_weights[self.ordinary_links]
        return found

    @cached_property
    def rows_of_matrix(self) -> np.ndarray:
        """For each slot of the matrix stream, the neuron of its row (the last + 1: none)."""
        names = {name: k for k, name in enumerate(self.order)}
        slots = np.full(self.matrix_space.size, len(names))
        for path in self.spaces.links:
            if path[0] in names:
                slots[self.matrix_space.slot(path)] = names[path[0]]
        return slots

    @cached_property
    def order(self) -> list[str]:
        """All running neurons, kind by kind."""
        return [name for kind in self.kinds for name in kind.names]

    @cached_property
    def active(self) -> list[np.ndarray]:
        """For each kind, which of its neurons need no gate, whatever the matrix says.

        They are active in any case, or silent without links anyway.
        """
        machine = self.template
        always = machine.matrix_from is None
        linked = {link.to for link in machine.links if link.instant or always}
        linked |= self.surely_linked or set()
        found = []
        for kind in self.kinds:
            first = kind.names[0]
            every = not always and silent(machine.neurons[first], self.splits[first])
            every |= machine.neurons[first].type.always_active
            found.append(np.array([every or name in linked for name in kind.names]))
        return found

    @cached_property
    def kept(self) -> dict[tuple[str, int, str], Keep]:
        """What a run records: for sides of kinds, `"in"` or `"out"`, and ports, which part."""
        sides = ("out",) if self.by_default and self.record is not None else ("in", "out")
        asked = [(name,) for name in self.order] if self.record is None else self.record
        found: dict[tuple[str, int, str], Keep] = {}
        for name, *path in asked:
            k, row = self.layout.place[name]
            for side in sides:
                for port in self.kinds[k].ports(side):
                    if path[:1] in ([], [port]):
                        part = _part(self.port_space(side, k, port), tuple(path[1:]))
                        old = found.get((side, k, port), Keep((), vv.Space()))
                        rows = tuple(sorted({*old.rows, row}))
                        found[side, k, port] = Keep(rows, old.space | part)
        return found

    def port_space(self, side: str, k: int, port: str) -> vv.Space:
        """The space of the streams of one port of a kind."""
        kind = self.kinds[k]
        return (kind.inputs if side == "in" else kind.outputs).sub((port,))

    @cached_property
    def columns(self) -> dict[tuple[str, int, str], np.ndarray]:
        """For each side, kind and port, where the port's space stands in its block's."""
        return {
            (side, k, port): self.port_space(side, k, port).inclusion(self.blocks[b].space)
            for k, kind in enumerate(self.kinds)
            for (side, port), (b, _) in kind.rows.items()
        }

    @cached_property
    def message_spaces(self) -> dict[int, vv.Space]:
        """For each kind that takes messages, what may arrive."""
        first = {k: self.template.neurons[kind.names[0]] for k, kind in enumerate(self.kinds)}
        return {
            k: message_space(neuron.parameters)
            for k, neuron in first.items()
            if neuron.type.external
        }

    @cached_property
    def start_map(self) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Block, slots of the start values, and where in the flat block they go."""
        found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        for path, _ in self.start_space.items:
            at = self.layout.row("out", path[0], path[1]) if path[0] in self.layout.place else None
            if at is not None:
                space = self.blocks[at[0]].space
                a, b = self.start_space.slot(path), space.slot(path[2:])
                pair = np.arange(a.start, a.stop), np.arange(b.start, b.stop) + at[1] * space.size
                found.setdefault(at[0], []).append(pair)
        return [
            (b, np.concatenate([a for a, _ in pairs]), np.concatenate([c for _, c in pairs]))
            for b, pairs in found.items()
        ]

    @cached_property
    def free_weights(self) -> np.ndarray:
        """Which links may be trained."""
        return np.array([link.trainable for link in self.template.links], bool)

    @cached_property
    def free_starts(self) -> np.ndarray:
        """Which numbers of the start values may be trained."""
        free = np.zeros(self.start_space.size, bool)
        for port in self.template.free_start:
            free[self.start_space.below(port)] = True
        return free

    @cached_property
    def free_parameters(self) -> list[frozenset[str]]:
        """For each kind, the parameters that may be trained."""
        return [self.template.neurons[kind.names[0]].trainable for kind in self.kinds]


def _signature(machine: Machine, splits: Mapping[str, Split], *options: Any) -> Any:
    """What two machines must share to run as one compiled program."""
    neurons = tuple((name, splits[name].signature) for name in machine.neurons)
    links = tuple((link.place, link.trainable) for link in machine.links)
    start = vv.Space.of(machine.start)
    return (
        neurons,
        links,
        start,
        machine.matrix_from,
        tuple(sorted(machine.free_start)),
        machine.name,
        options,
    )


def _surely_linked(machine: Machine) -> frozenset[str]:
    """The neurons with a link that is fixed and not zero, so that they are active in any case."""
    fixed = [link for link in machine.links if not (link.instant or link.trainable)]
    return frozenset(link.to for link in fixed if float(link.weight))


def _room_key(machine: Machine, grow: Any) -> Any:
    """The argument `grow=` as something that compares by content."""
    if not isinstance(grow, Mapping):
        return grow
    return frozenset((as_path(end, machine.neurons), as_space(grow[end])) for end in grow)


def default_record(machine: Machine) -> tuple[vv.Path, ...] | None:
    """What a run keeps unless told otherwise: the `output` neurons, or all if there is none."""
    found = tuple(
        (name,) for name, neuron in machine.neurons.items() if neuron.type.name == "output"
    )
    return found or None


def record_paths(machine: Machine, record: Any) -> tuple[vv.Path, ...] | None:
    """Ports to keep, from `"all"`, one port or a list of them."""
    if record is None:
        return default_record(machine)
    if record == "all":
        return None
    known = {(name,) for name in machine.neurons}
    one = isinstance(record, str) or (isinstance(record, tuple) and record[:1] in known)
    ports = [record] if one else list(record)
    paths = tuple(as_path(port, machine.neurons) for port in ports)
    for path in paths:
        check_port(machine, path, "record")
    return paths


def _part(space: vv.Space, path: vv.Path) -> vv.Space:
    """The part of a space at or below a path; a last key `:number` means the number there alone."""
    if path[-1:] == (vv.NUMBER,):
        return vv.Space({p: s for p, s in space.items if p == path[:-1]})
    return space.sub(path).under(path)
