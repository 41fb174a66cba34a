"""What a neuron's function may return."""

from collections.abc import Mapping
from typing import Any

from snakebird import vvalues as vv
from snakebird.errors import MachineError, suggest


def check_result(name: str, outputs: tuple[str, ...] | None, result: Any) -> None:
    """Refuse what is no value, and outputs that are not declared, which would be lost."""
    tree = isinstance(result, (dict, vv.Flat, Mapping))
    if outputs is not None and len(outputs) == 1:
        if tree or vv.is_leaf(result):
            return
        wanted = f"return the value of {outputs[0]!r}: a number, an array or a tree of numbers"
    elif outputs is None:
        if tree:
            return
        wanted = "return a dict of outputs by name"
    else:
        given = result.space.keys if isinstance(result, vv.Flat) else result if tree else None
        if given is not None and set(given) <= set(outputs):
            return
        if given is not None and (lost := sorted(map(repr, set(given).difference(outputs)))):
            raise MachineError(
                f"{name} returned the undeclared output {lost[0]}",
                f"neuron type {name}",
                suggest(lost[0].strip("'"), outputs),
            )
        wanted = f"return a dict with the outputs {', '.join(outputs)}"
    shown = repr(result) if len(repr(result)) <= 60 else f"a {type(result).__name__}"
    raise MachineError(f"{name} returned {shown}", f"neuron type {name}", wanted)
