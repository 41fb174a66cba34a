"""Benign edits of a machine from outside: cloning a subgraph, inserting a neuron."""

from collections.abc import Mapping
from dataclasses import replace

from snakebird import vvalues as vv
from snakebird.errors import MachineError, UnknownNameError, suggest
from snakebird.machines._link import Link, as_input, as_path
from snakebird.machines._machine import Machine
from snakebird.neurons import identity


def _copied(path: vv.Path, names: Mapping[str, str]) -> vv.Path:
    """The path of a link's copy: it ends at the copy, and comes from the copies where it can."""
    return (names[path[0]], path[1], names.get(path[2], path[2]), *path[3:])


def _check_copies(names: Mapping[str, str]) -> None:
    twice = [new for new in names.values() if list(names.values()).count(new) > 1]
    if twice:
        raise MachineError(
            f"two copies are named {twice[0]!r}", "clone", "give each copy a name of its own"
        )


def clone(
    machine: Machine, names: Mapping[str, str], *, state: bool = True, fade: float = 1.0
) -> Machine:
    """The machine with a copy of some neurons (old -> new); with `state`, their start values too.

    The copies receive what the originals receive and reach nobody: link their outputs on.
    `fade` scales the links that enter the copied part from outside.

    >>> m = Machine({"n": "timer"}, ["n.timer <- n.timer"])
    >>> [str(link) for link in clone(m, {"n": "copy"}).links]
    ['copy.timer <- copy.timer', 'n.timer <- n.timer']
    """
    _check_copies(names)
    for old, new in names.items():
        if old not in machine.neurons:
            raise UnknownNameError(
                f"no neuron is named {old!r}", "clone", suggest(old, machine.neurons)
            )
        _check_free(machine, new, "clone", "give the copy another name")
    links = [
        _copied_link(link, names, 1 if link.source[0] in names else fade)
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


def _copied_link(link: Link, names: Mapping[str, str], fade: float) -> Link:
    to, port, *source = _copied(link.path, names)
    weight = link.weight if fade == 1 else fade * link.weight
    return replace(link, to=to, input=port, source=tuple(source), weight=weight)


def _check_free(machine: Machine, name: str, where: str, hint: str) -> None:
    if name in machine.neurons:
        raise MachineError(f"a neuron named {name!r} stands already", where, hint)


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

    >>> m = Machine({"n": "timer", "r": "relu"}, ["n.timer <- n.timer", "r.x <- n.timer"])
    >>> [str(link) for link in insert(m, "late", "r.x").links if link.to != "n"]
    ['late.x <- n.timer', 'r.x <- late.result (instant)']
    """
    _check_free(machine, name, "insert", "give the new neuron another name")
    to, port = as_input(before, machine.neurons)
    moved = [
        replace(link, to=name, input="x") if (link.to, link.input) == (to, port) else link
        for link in machine.links
    ]
    added = [Link(to, port, (name, "result"), 1 - share, instant=instant)]
    if side is not None:
        added.append(Link(to, port, as_path(side, machine.neurons), share))
    return machine.replace(neurons={**machine.neurons, name: identity()}, links=[*moved, *added])
