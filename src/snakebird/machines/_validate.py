"""What a machine must satisfy, each with a message that says what, where and what to type."""

import math
from fractions import Fraction
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
        check_output(machine, path, where)
        _check_finite(leaf, where)
    for path in machine.free_start:
        check_output(machine, path, f"free start value {vv.show_path(path)}")
    if machine.matrix_from is not None:
        check_output(machine, machine.matrix_from, "matrix_from")
        if vv.count(vv.get(machine.start, *machine.matrix_from)):
            raise MachineError(
                "the matrix is given twice, as links and as a start value",
                f"start value {vv.show_path(machine.matrix_from)}",
                "give the matrix as links only",
            )
    machine.order  # noqa: B018  (raises CycleError)


def _check_link(machine: "Machine", link: Link) -> None:
    long = vv.is_exact(link.weight) and not -1e100 < link.weight < 1e100
    where = f"link {link.scaled(1) if long else link}"
    check_input(machine, (link.to, link.input), where)
    kind = machine.neurons[link.to].type
    if kind.variadic and (link.input in kind.defaults or link.input in kind.feeds):
        raise MachineError(
            f"{link.input!r} is a parameter of {kind.name}, no input of it can be named so",
            where,
            "rename the input",
        )
    if not link.source:
        raise MachineError("a link has an empty source", where, "name the neuron it comes from")
    check_output(machine, link.source, where)
    if vv.shape_of(link.weight):
        raise MachineError(
            f"a weight has the shape {list(vv.shape_of(link.weight))}", where, "weights are numbers"
        )
    _check_finite(link.weight, where)


def check_input(machine: "Machine", path: vv.Path, where: str) -> None:
    """Raise `UnknownNameError` for a neuron or an input that is not there."""
    _check_neuron(machine, path, where)
    kind = machine.neurons[path[0]].type
    if len(path) > 1 and path[1] not in kind.inputs and not kind.variadic:
        raise UnknownNameError(
            f"{kind.name} has no input {path[1]!r}",
            where,
            _ports_hint(path[1], kind.inputs, "takes no input"),
        )


def check_output(machine: "Machine", path: vv.Path, where: str) -> None:
    """Raise `UnknownNameError` for a neuron or an output that is not there."""
    _check_neuron(machine, path, where)
    outputs = machine.neurons[path[0]].type.outputs
    if len(path) > 1 and outputs is not None and path[1] not in outputs:
        kind = machine.neurons[path[0]].type.name
        raise UnknownNameError(
            f"{kind} has no output {path[1]!r}",
            where,
            _ports_hint(path[1], outputs, "gives no output"),
        )


def _check_neuron(machine: "Machine", path: vv.Path, where: str) -> None:
    if not path or path[0] not in machine.neurons:
        name = path[0] if path else ""
        raise UnknownNameError(
            f"no neuron is named {name!r}", where, suggest(name, machine.neurons)
        )


def _ports_hint(name: str, ports: tuple[str, ...], none: str) -> str:
    return suggest(name, ports) if ports else f"this neuron type {none}"


def _check_finite(leaf: Any, where: str) -> None:
    try:
        finite = (
            math.isfinite(leaf) if vv.is_exact(leaf) else bool(np.isfinite(np.asarray(leaf)).all())
        )
    except OverflowError:  # larger than any float
        finite = False
    if not finite:
        shown = f"a number of {int(leaf).bit_length()} bits" if _is_huge(leaf) else leaf
        raise ValueFormatError(f"found {shown}, expected a finite number", where, "give a number")


def _is_huge(leaf: Any) -> bool:
    return isinstance(leaf, (int, Fraction))
