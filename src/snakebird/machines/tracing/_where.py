"""Where in the user's file something stands, and the error that says so."""

import traceback
from pathlib import Path
from typing import Any

import jax

from snakebird.errors import MachineError

_OWN = (str(Path(__file__).parent), str(Path(jax.__file__).parent), "<frozen ")
_HINT = (
    "keep this part as one neuron, sb.call_neuron(function), or give opaque=True, "
    "which does so for each such primitive"
)


def place_of(equation: Any) -> str:
    """File and line of an equation of a jaxpr, as the user wrote it."""
    found = equation.source_info.traceback
    return _place([(f.file_name, f.line_num) for f in found.frames] if found else [])


def place_of_error(error: BaseException) -> str:
    """File and line in the user's file through which an error came."""
    frames = traceback.extract_tb(error.__traceback__)
    return _place([(frame.filename, frame.lineno) for frame in reversed(frames)])


def refused(equation: Any, why: str, hint: str = _HINT) -> MachineError:
    """The error of a primitive that is no neuron and no link."""
    name = equation.primitive.name
    return MachineError(f"trace cannot express the primitive `{name}`: {why}", place_of(equation), hint)


def _place(frames: list[tuple[str, int | None]]) -> str:
    """The innermost of these places that is neither in JAX nor in this room."""
    for file, line in frames:
        if not file.startswith(_OWN):
            return f"{file}, line {line}"
    return "the traced function"
