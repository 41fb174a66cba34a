"""Edits of the network as V-values: cloning a subgraph and inserting a neuron, both benign.

An update is a change of the matrix, itself a V-value: added to a machine's links, or sent into
Self while it runs.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from snakebird import vvalues as vv
from snakebird.errors import MachineError
from snakebird.machines._link import Link, as_path
from snakebird.machines._machine import Machine
from snakebird.neurons import identity


def clone_update(matrix: Any, names: Mapping[str, str]) -> Any:
    """The matrix update that copies the neurons `names` (old -> new) with all links into them.

    Links among the copied neurons are redirected to the copies, links from outside keep their
    sources, and nothing links from the copies to the outside (arXiv 1601.00713, section 4.3).

    >>> clone_update({"a": {"x": {"a": {"out": 1}, "b": {"out": 2}}}}, {"a": "c"})
    {'c': {'x': {'c': {'out': 1}, 'b': {'out': 2}}}}
    """
    copied = {}
    for path, weight in vv.entries(matrix):
        if path[0] in names and len(path) > 2:
            copied[(names[path[0]], path[1], names.get(path[2], path[2]), *path[3:])] = weight
    return vv.grow(copied)


def clone(
    machine: Machine, names: Mapping[str, str], *, state: bool = True, fade: float = 1.0
) -> Machine:
    """The machine with a copy of some neurons (old -> new); with `state`, their start values too.

    The copies receive what the originals receive and reach nobody: link their outputs on.
    `fade` scales the links that enter the copied part from outside.
    """
    taken = [new for new in names.values() if new in machine.neurons]
    if taken:
        raise MachineError(
            f"a neuron named {taken[0]!r} stands already", "clone", "give the copy another name"
        )
    links = [
        replace(
            link,
            to=names[link.to],
            source=(names.get(link.source[0], link.source[0]), *link.source[1:]),
            weight=link.weight if link.source[0] in names or fade == 1 else fade * link.weight,
        )
        for link in machine.links
        if link.to in names
    ]
    start = {
        new: machine.start[old] for old, new in names.items() if state and old in machine.start
    }
    return machine.replace(
        neurons={**machine.neurons, **{new: machine.neurons[old] for old, new in names.items()}},
        links=[*machine.links, *links],
        start={**machine.start, **start},
        free_start=machine.free_start
        | {(names[p[0]], *p[1:]) for p in machine.free_start if p[0] in names},
    )


def insert(
    machine: Machine,
    name: str,
    before: str | vv.Path,
    *,
    side: str | vv.Path | None = None,
    share: float = 0.0,
    instant: bool = True,
) -> Machine:
    """The machine with an identity neuron put before an input, and a side stream faded in.

    What entered `before` enters the new neuron; the input becomes `(1 - share) * new + share *
    side`. With `share=0` nothing changes (with `instant=False` only that it comes a tick later).
    Source: arXiv 1601.00713, section 4.4.
    """
    to, port = as_path(before, machine.neurons)
    moved = [
        replace(link, to=name, input="x") if (link.to, link.input) == (to, port) else link
        for link in machine.links
    ]
    added = [Link(to, port, (name, "result"), 1 - share, instant=instant)]
    if side is not None:
        added.append(Link(to, port, as_path(side, machine.neurons), share))
    return machine.replace(neurons={**machine.neurons, name: identity()}, links=[*moved, *added])
