"""Machine files: one JSON text, written at once or not at all."""

import os
from pathlib import Path

from snakebird.errors import FileFormatError, MachineError, suggest
from snakebird.machines._machine import Machine
from snakebird.machines.files._decode import from_json
from snakebird.machines.files._encode import to_json
from snakebird.machines.files._made import Allowed


def save(machine: Machine, path: str | os.PathLike[str]) -> None:
    """Write a machine to one readable JSON file.

    The file is replaced in one step: whoever reads it finds the old machine or the new one.
    Raises `MachineError` for a machine with Python objects, before anything is written, and
    `FileFormatError` where there is no such folder.
    """
    if not isinstance(machine, Machine):
        raise MachineError(
            f"found {type(machine).__name__}, expected a machine", "save",
            "write sb.save(sb.lift(lowered), path) for one that is lowered",
        )  # fmt: skip
    text = to_json(machine)
    place = Path(path)
    if not place.name or not place.parent.is_dir():
        what = f"there is no folder {str(place.parent)!r}" if place.name else "this names no file"
        raise FileFormatError(what, str(path), "make the folder first, or save to another")
    draft = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def load(path: str | os.PathLike[str], *, allow: Allowed = ()) -> Machine:
    """Read a machine that `save` wrote; nothing in the file is run, nothing is imported for it.

    A machine with Python functions needs your word: `allow` has the modules they may come from,
    by name or themselves, or these functions. Such a module is imported if it is not yet.

    Raises `FileFormatError` for a file that is missing or holds anything else.
    """
    place = Path(path)
    try:
        raw = place.read_bytes()
    except FileNotFoundError:
        beside = place.parent
        near = [p.name for p in beside.iterdir()] if beside.is_dir() else []
        raise FileFormatError("no such file", str(place), suggest(place.name, near)) from None
    except OSError as error:
        what = f"cannot read this: {error.strerror or error}"
        raise FileFormatError(what, str(place), "give a machine file") from None
    return from_json(raw, str(place), allow=allow)
