"""What a neuron's function may return."""

from collections.abc import Mapping
from typing import Any

from snakebird import vvalues as vv
from snakebird.errors import MachineError, suggest


def check_result(name: str, outputs: tuple[str, ...] | None, result: Any) -> None:
    """Refuse what is no value, and outputs that are not declared, which would be lost."""
    keys = set(result.space.keys) if isinstance(result, vv.Flat) else None
    keys = set(result) if isinstance(result, Mapping) else keys
    if outputs is not None and len(outputs) == 1:
        if keys is not None or vv.is_leaf(result):
            return
        wanted = f"return the value of {outputs[0]!r}: a number, an array or a tree of numbers"
    elif outputs is None:
        if keys is not None:
            return
        wanted = "return a dict of outputs by name"
    else:
        if keys is not None:
            return _check_names(name, outputs, keys)
        wanted = f"return a dict with the outputs {', '.join(outputs)}"
    shown = repr(result) if len(repr(result)) <= 60 else f"a {type(result).__name__}"
    raise MachineError(f"{name} returned {shown}", f"neuron type {name}", wanted)


def _check_names(name: str, outputs: tuple[str, ...], keys: set[Any]) -> None:
    for key in sorted(keys.difference(outputs), key=repr):
        raise MachineError(
            f"{name} returned the undeclared output {key!r}",
            f"neuron type {name}",
            suggest(str(key), outputs),
        )
