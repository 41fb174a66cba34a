"""Where in the user's file something stands, and the error that says so."""

import traceback
from pathlib import Path
from typing import Any

import jax

from snakebird.errors import MachineError
from snakebird.machines.tracing._wires import Spot

_OWN = (str(Path(__file__).parent), str(Path(jax.__file__).parents[1]), "<frozen ")
UNKNOWN = "the traced function"
_HINT = (
    "keep this part as one neuron, sb.call_neuron(function), or give opaque=True, "
    "which does so for each such primitive"
)


def place_of(spot: Spot) -> str:
    """File and line of an equation as the user wrote it, or of the call inside of which it is.

    The equations of a function that is traced once and kept, like `jnp.sort`, remember who called
    it first; so what lies outside of a call is looked up at that call.
    """
    within = [spot.equation, *reversed(spot.calls)]
    for equation, call in zip(within, [*within[1:], None], strict=True):
        found = equation.source_info.traceback
        frames = [(f.file_name, f.line_num, f.function_name) for f in found.frames] if found else []
        place = _place(frames, call.params.get("name") if call is not None else None)
        if place:
            return place
    return UNKNOWN


def place_of_error(error: BaseException) -> str:
    """File and line in the user's file through which an error came."""
    frames = traceback.extract_tb(error.__traceback__)
    return _place([(f.filename, f.lineno, f.name) for f in reversed(frames)]) or UNKNOWN


def refused(spot: Spot | None, why: str, hint: str = _HINT) -> MachineError:
    """The error of a primitive that is no neuron and no link."""
    if spot is None:
        return MachineError(f"trace cannot express this: {why}", UNKNOWN, hint)
    what = f"trace cannot express the primitive `{spot.equation.primitive.name}`: {why}"
    return MachineError(what, place_of(spot), hint)


def _place(frames: list[tuple[str, Any, str]], until: str | None = None) -> str:
    """The innermost place that is neither in this room nor beside JAX, inside the call `until`."""
    for file, line, function in frames:
        if not file.startswith(_OWN):
            return f"{file}, line {line}"
        if until is not None and function.split(".")[-1] == until:
            break
    return ""
