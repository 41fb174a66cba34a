"""Ports that people name: checked, with the nearest ones offered."""

from snakebird import vvalues as vv
from snakebird.errors import UnknownNameError, suggest
from snakebird.machines import Machine


def check_port(
    machine: Machine, path: vv.Path, where: str, sides: tuple[str, ...] = ("out", "in")
) -> None:
    """Raise `UnknownNameError` for a neuron that is not there, or a port its type does not have."""
    if path[0] not in machine.neurons:
        hint = suggest(path[0], machine.neurons)
        raise UnknownNameError(f"no neuron is named {path[0]!r}", where, hint)
    kind = machine.neurons[path[0]].type
    open_ended = ("out" in sides and kind.outputs is None) or ("in" in sides and kind.variadic)
    if len(path) > 1 and not open_ended:
        ports = [p for side in sides for p in (kind.inputs if side == "in" else kind.outputs or ())]
        if path[1] not in ports:
            side = {"out": "output", "in": "input", "out in": "port"}[" ".join(sides)]
            what = f"{path[0]!r} has no {side} {path[1]!r}"
            raise UnknownNameError(what, where, suggest(path[1], ports))
