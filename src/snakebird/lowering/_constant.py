"""Whether Self ever changes the matrix it carries, and which entries of it."""

from typing import Any

from snakebird import vvalues as vv
from snakebird.lowering._spaces import Spaces
from snakebird.machines import Link, Machine
from snakebird.neurons import FUNCTION, NeuronType, accumulator, find, superfluid


def carries_constant_matrix(machine: Machine) -> bool:
    """Whether the matrix stays what it is at the start, so that it need not be read every tick.

    True only if Self is of a type that keeps what one of its inputs holds, its only links bring
    its own output back to that input, fixed and with weight 1, and nothing in it can be trained.
    A superfluid Self keeps its matrix if it is one such type with coefficient 1, kept in the
    same way.
    """
    port = machine.matrix_from
    assert port is not None
    name = port[0]
    neuron = machine.neurons[name]
    if neuron.trainable or any(path[0] == name for path in machine.free_start):
        return False
    links = [link for link in machine.links if link.to == name]
    if neuron.type is superfluid:
        mixture = dict(vv.entries(vv.get(machine.start, name, FUNCTION)))
        if len(mixture) != 1 or 1 not in mixture.values():
            return False
        kind = find(next(iter(mixture))[0])
        held = [link for link in links if link.input == FUNCTION]
        rest = [link for link in links if link.input != FUNCTION]
        return _brings_back(held, (name, FUNCTION), FUNCTION) and _keeps(kind, rest, port)
    return _keeps(neuron.type, links, port)


def carrying_entry(machine: Machine, spaces: Spaces) -> vv.Path | None:
    """The entry of the matrix that scales all entries no update can reach, in every tick alike.

    That is the link by which Self, an accumulator, keeps its matrix, if it is the only one into
    that input, no update can change it or add another, and nothing there can be trained. Without
    such an entry, any entry may change in any way: `None`.
    """
    port = machine.matrix_from
    assert port is not None
    name = port[0]
    path = (name, "accum", name, "result")
    if port != path[2:] or machine.neurons[name].type is not accumulator:
        return None
    ends = [(link.path, link.trainable or link.instant) for link in machine.links]
    into = [end for end in ends if end[0][:2] == path[:2]]
    may_come = [link for link in spaces.links if link[:2] == path[:2]]
    changes = spaces.inputs[name].sub(("delta", *path[:2]))
    trained = any(start[0] == name for start in machine.free_start)
    alone = into == [(path, False)] and may_come == [path]
    return path if alone and not changes and not trained else None


def _keeps(kind: NeuronType, links: list[Link], port: Any) -> bool:
    inputs = [i for i, o in kind.keeps.items() if (port[0], o) == port]
    return any(_brings_back(links, port, i) for i in inputs)


def _brings_back(links: list[Link], source: vv.Path, port: str) -> bool:
    """Whether these are one fixed link of weight 1 from a source to a port."""
    return len(links) == 1 and links[0] == Link(links[0].to, port, source, 1, trainable=False)
