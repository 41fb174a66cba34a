"""What a machine must satisfy, each with a message that says what, where and what to type."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import MachineError, UnknownNameError, ValueFormatError, suggest
from snakebird.machines._link import Link

if TYPE_CHECKING:
    from snakebird.machines._machine import Machine


def validate(machine: "Machine") -> None:
    """Raise at the first thing that does not fit together."""
    for name in machine.neurons:
        if not isinstance(name, str) or name in ("", vv.NUMBER):
            raise MachineError(
                f"{name!r} cannot name a neuron", hint="use any other string that is not empty"
            )
    for link in machine.links:
        _check_link(machine, link)
    vv.check(machine.start)
    for path, leaf in vv.stored(machine.start):
        where = f"start value {vv.show_path(path)}"
        _check_output(machine, path, where)
        _check_finite(leaf, where)
    for path in machine.free_start:
        _check_output(machine, path, f"free start value {vv.show_path(path)}")
    if machine.matrix_from is not None:
        _check_output(machine, machine.matrix_from, "matrix_from")
        if vv.count(vv.get(machine.start, *machine.matrix_from)):
            raise MachineError(
                "the matrix is given twice, as links and as a start value",
                f"start value {vv.show_path(machine.matrix_from)}",
                "give the matrix as links only",
            )
    machine.order  # noqa: B018  (raises CycleError)


def _check_link(machine: "Machine", link: Link) -> None:
    where = f"link {link}"
    if link.to not in machine.neurons:
        raise UnknownNameError(
            f"no neuron is named {link.to!r}", where, suggest(link.to, machine.neurons)
        )
    kind = machine.neurons[link.to].type
    if link.input not in kind.inputs and not kind.variadic:
        raise UnknownNameError(
            f"{kind.name} has no input {link.input!r}",
            where,
            _ports_hint(link.input, kind.inputs, "takes no input"),
        )
    if kind.variadic and (link.input in kind.defaults or link.input in kind.feeds):
        raise MachineError(
            f"{link.input!r} is a parameter of {kind.name}, no input of it can be named so",
            where,
            "rename the input",
        )
    if not link.source:
        raise MachineError("a link has an empty source", where, "name the neuron it comes from")
    _check_output(machine, link.source, where)
    if vv.shape_of(link.weight):
        raise MachineError(
            f"a weight has the shape {list(vv.shape_of(link.weight))}", where, "weights are numbers"
        )
    _check_finite(link.weight, where)


def _check_output(machine: "Machine", path: vv.Path, where: str) -> None:
    if not path or path[0] not in machine.neurons:
        name = path[0] if path else ""
        raise UnknownNameError(
            f"no neuron is named {name!r}", where, suggest(name, machine.neurons)
        )
    outputs = machine.neurons[path[0]].type.outputs
    if len(path) > 1 and outputs is not None and path[1] not in outputs:
        kind = machine.neurons[path[0]].type.name
        raise UnknownNameError(
            f"{kind} has no output {path[1]!r}",
            where,
            _ports_hint(path[1], outputs, "gives no output"),
        )


def _ports_hint(name: str, ports: tuple[str, ...], none: str) -> str:
    return suggest(name, ports) if ports else f"this neuron type {none}"


def _check_finite(leaf: Any, where: str) -> None:
    finite = math.isfinite(leaf) if vv.is_exact(leaf) else bool(np.isfinite(np.asarray(leaf)).all())
    if not finite:
        raise ValueFormatError(f"found {leaf}, expected a finite number", where, "give a number")
