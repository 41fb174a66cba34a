"""From spaces to arrays: kinds of neurons stacked, ports gathered into blocks of one width.

A *kind* is a set of neurons that run as one stacked call: same type, same structure of
parameters, same spaces, same stage and instant level. A *block* is a set of ports that links
connect; its streams are the rows of one array, as wide as the union of their spaces. The down
movement maps rows of outputs to rows of inputs, block by block.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from snakebird import vvalues as vv
from snakebird.lowering._parameters import Split
from snakebird.lowering._spaces import Spaces, output_space
from snakebird.machines import Machine, instant_levels
from snakebird.neurons import FUNCTION

PADDING = 1.6
"""Two kinds become one if the padded arrays hold at most this many times as many numbers."""


@dataclass
class Kind:
    """Neurons that run as one stacked call; `rows[(side, port)]` is where their streams stand."""

    names: list[str]
    stage: int
    level: int
    inputs: vv.Space
    outputs: vv.Space
    rows: dict[tuple[str, str], tuple[int, slice]] = field(default_factory=dict)

    def ports(self, side: str) -> tuple[str, ...]:
        """The input or output ports that hold anything."""
        return (self.inputs if side == "in" else self.outputs).keys


@dataclass
class Block:
    """Ports connected by links: `space` is their common space; `inputs`, `outputs` count rows."""

    space: vv.Space
    inputs: int = 0
    outputs: int = 0
    stages: dict[tuple[str, int], slice] = field(default_factory=dict)

    def rows(self, side: str, stage: int) -> slice:
        """The rows of one stage: one run, since kinds are in order of stage."""
        return self.stages.get((side, stage), slice(0, 0))

    def before(self, stage: int) -> int:
        """How many rows of outputs belong to earlier stages."""
        return max(
            (rows.stop for (side, s), rows in self.stages.items() if side == "out" and s < stage),
            default=0,
        )


@dataclass
class Layout:
    """Kinds in order of level, blocks, and where each neuron is found."""

    kinds: list[Kind]
    blocks: list[Block]
    place: dict[str, tuple[int, int]]

    def row(self, side: str, name: str, port: str) -> tuple[int, int] | None:
        """Block and row of a neuron's port, or `None` if the port holds nothing."""
        kind, at = self.place[name]
        found = self.kinds[kind].rows.get((side, port))
        return None if found is None else (found[0], found[1].start + at)


def arrange(
    machine: Machine, spaces: Spaces, splits: Mapping[str, Split], stages: Mapping[str, int]
) -> Layout:
    """Stack the neurons that have a stage into kinds, and their ports into blocks."""
    kinds = _kinds(machine, spaces, splits, stages)
    place = {name: (k, at) for k, kind in enumerate(kinds) for at, name in enumerate(kind.names)}
    links = [path for path in spaces.links if path[0] in place and path[2] in place]
    links += [
        link.path
        for link in machine.links
        if link.instant and link.to in place and link.source[0] in place
    ]
    return Layout(kinds, _blocks(kinds, place, links), place)


def _kinds(
    machine: Machine, spaces: Spaces, splits: Mapping[str, Split], stages: Mapping[str, int]
) -> list[Kind]:
    levels = instant_levels(machine.neurons, machine.links)
    groups: dict[Any, list[Kind]] = {}
    for name in stages:
        clip = name in spaces.clipped
        family = (stages[name], levels[name], splits[name].signature, name if clip else None)
        members = groups.setdefault(family, [])
        same = [
            k
            for k in members
            if k.inputs == spaces.inputs[name] and k.outputs == spaces.outputs[name]
        ]
        if same:
            same[0].names.append(name)
        else:
            members.append(
                Kind([name], stages[name], levels[name], spaces.inputs[name], spaces.outputs[name])
            )
    merged = [
        kind
        for members in groups.values()
        for kind in _merge(
            members,
            lambda kind, inputs: output_space(
                machine, kind.names[0], splits[kind.names[0]], inputs
            ),
        )
    ]
    return sorted(merged, key=lambda kind: (kind.stage, kind.level))


def _merge(kinds: list[Kind], outputs_for: Callable[[Kind, vv.Space], vv.Space]) -> list[Kind]:
    """Join kinds of one family whose spaces are much alike, the wider space serving both."""
    done: list[Kind] = []
    for kind in sorted(kinds, key=lambda k: -(k.inputs.size + k.outputs.size)):
        for other in done:
            if not _alike(kind, other):
                continue
            inputs, outputs = kind.inputs | other.inputs, kind.outputs | other.outputs
            width, n, m = inputs.size + outputs.size, len(kind.names), len(other.names)
            now = n * (kind.inputs.size + kind.outputs.size) + m * (
                other.inputs.size + other.outputs.size
            )
            if (n + m) * width <= PADDING * now + 64 and outputs_for(kind, inputs) <= outputs:
                other.names += kind.names
                other.inputs, other.outputs = inputs, outputs
                break
        else:
            done.append(kind)
    return done


def _alike(kind: Kind, other: Kind) -> bool:
    """Whether two kinds may share spaces: no clash, and the same functions to compute."""
    sides = (kind.inputs, other.inputs), (kind.outputs, other.outputs)
    if any(a.clash(b) is not None for a, b in sides):
        return False
    return kind.inputs.sub((FUNCTION,)) == other.inputs.sub((FUNCTION,))


def _blocks(
    kinds: list[Kind], place: Mapping[str, tuple[int, int]], links: list[vv.Path]
) -> list[Block]:
    """Union-find over the ports of kinds along links; then rows, kind by kind."""
    parent: dict[Any, Any] = {}

    def root(node: Any) -> Any:
        while parent.setdefault(node, node) != node:
            node = parent[node] = parent[parent[node]]
        return node

    nodes = [
        (side, k, port)
        for k, kind in enumerate(kinds)
        for side in ("in", "out")
        for port in kind.ports(side)
    ]
    spaces = {
        (side, k, port): (kinds[k].inputs if side == "in" else kinds[k].outputs).sub((port,))
        for side, k, port in nodes
    }
    for path in sorted(links):
        if len(path) != 4:
            continue
        a, b = ("in", place[path[0]][0], path[1]), ("out", place[path[2]][0], path[3])
        if (
            a in spaces
            and b in spaces
            and root(a) != root(b)
            and spaces[root(a)].clash(spaces[root(b)]) is None
        ):
            joined = spaces[root(a)] | spaces[root(b)]
            parent[root(a)] = root(b)
            spaces[root(b)] = joined
    blocks: dict[vv.Space, int] = {}
    found: list[Block] = []
    for side, k, port in nodes:
        space = spaces[root((side, k, port))]
        if space not in blocks:
            blocks[space] = len(found)
            found.append(Block(space))
        block = found[blocks[space]]
        first = block.inputs if side == "in" else block.outputs
        count = len(kinds[k].names)
        kinds[k].rows[(side, port)] = (blocks[space], slice(first, first + count))
        at = (side, kinds[k].stage)
        block.stages[at] = slice(block.stages.get(at, slice(first, first)).start, first + count)
        if side == "in":
            block.inputs += count
        else:
            block.outputs += count
    return found
