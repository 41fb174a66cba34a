"""One reader tried on one input: what may come out, and what may not.

An input is right where the reader gives a value that survives writing and reading again, or
refuses it with a `SnakebirdError` of at most three lines that says what, where and what to do.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from snakebird.errors import SnakebirdError


@dataclass(frozen=True)
class Reader:
    """How files of one kind are read: `read` takes a path, `again` writes and reads once more.

    `again` gives what came back and what should have; `SnakebirdError` means that no file of this
    kind can hold the value. `seeds` makes valid files.
    """

    file: str
    read: Callable[[Path], Any]
    seeds: Callable[[], tuple[bytes, ...]]
    again: Callable[[Any, Path], tuple[Any, Any]] | None = None
    json: bool = False
    writes: bool = False


class Defect(AssertionError):
    """A reader did what none may do."""


def try_reading(reader: Reader, data: bytes, folder: Path) -> str:
    """Read a file of these bytes: "read" or "refused"; raises `Defect`, or what the reader did."""
    path = folder / reader.file
    _warm_up(reader, path)
    path.write_bytes(data)
    try:
        with nothing_happens(writes=reader.writes):
            value = reader.read(path)
    except SnakebirdError as error:
        _check_error(error)
        if not error.where and not re.search("['\"]", error.what):
            raise Defect(f"an error names no place: {error.what!r}") from None
        return "refused"
    if reader.again is not None:
        try:
            back, wanted = reader.again(value, folder / f"again{path.suffix}")
        except SnakebirdError as error:
            _check_error(error)
        else:
            if back != wanted:
                raise Defect(f"read {wanted!r:.200}, after writing {back!r:.200}")
    return "read"


_warm: list[Reader] = []


def _warm_up(reader: Reader, path: Path) -> None:
    """Read the valid files once, so that what is imported late is imported."""
    if not any(reader is other for other in _warm):
        _warm.append(reader)
        for seed in reader.seeds():
            path.write_bytes(seed)
            with suppress(SnakebirdError):
                reader.read(path)


def _check_error(error: SnakebirdError) -> None:
    text = str(error)
    if not (error.what and error.hint):
        raise Defect(f"an error lacks a part: {text!r}")
    if len(text.splitlines()) > 3:
        raise Defect(f"an error has {len(text.splitlines())} lines: {text!r:.300}")
    text.encode()


# Nothing is run, nothing is written ------------------------------------------------------------

_FORBIDDEN = ("exec", "import", "os.", "subprocess.", "socket.", "shutil.", "ctypes.dl")
_LOOKS = ("os.listdir", "os.scandir", "os.walk", "os.fspath")
_watching: list[str] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching is None:
        return
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        wrote = mode is not None and set(str(mode)) & set("wax+")
        if wrote or (mode is None and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            _watching.append(f"open for writing: {arguments[0]!r}")
    elif event.startswith(_FORBIDDEN) and event not in _LOOKS and not _checks_types():
        _watching.append(f"{event} {arguments!r:.200}")


def _checks_types() -> bool:
    """Whether this is done by the run-time checks of annotations, which write code of their own."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(("beartype", "jaxtyping")):
            return True
        frame = frame.f_back
    return False


@cache
def _install() -> None:
    sys.addaudithook(_hook)


@contextmanager
def nothing_happens(*, writes: bool = False) -> Iterator[None]:
    """Raise `Defect` if code is run or imported, or a file written, in this block."""
    global _watching
    _install()
    _watching = seen = []
    try:
        yield
    finally:
        _watching = None
    if seen and not writes:
        raise Defect(f"reading did more than read: {seen[:3]}")
