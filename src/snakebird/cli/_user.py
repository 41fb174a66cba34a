"""A user's own Python file: it is run, and what goes wrong in it is told with its line."""

import runpy
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from snakebird.errors import InputError, SnakebirdError, suggest


class Purpose(NamedTuple):
    """What such a file is run for: what to give where there is none, and what it only does."""

    give: str
    only: str
    mend: str = "mend that line"


NEURONS = Purpose(
    "give a Python file with --neurons",
    "a file of neuron types only registers them",
    "the file was run for the neuron types it registers; mend it there",
)


def run_file(path: Path, purpose: Purpose) -> dict[str, Any]:
    """Run a file, which finds modules beside it; gives what it defines, by name.

    Raises `InputError`, or the error of Snakebird that it ran into, with the line.
    """
    if not path.is_file():
        what = "this is a folder" if path.is_dir() else "no such file"
        raise InputError(what, str(path), purpose.give)
    _check_source(path)
    with errors_of(path, purpose), _beside(path):
        return runpy.run_path(str(path))


def _check_source(path: Path) -> None:
    """Raise `InputError` for what is no Python source at all: a binary file, an endless bracket."""
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except SyntaxError:
        pass  # told with its line where the file is run
    except OSError as error:
        what, hint = f"cannot read the file: {error.strerror}", "give another file"
        raise InputError(what, str(path), hint) from None
    except (ValueError, MemoryError, RecursionError, OverflowError) as error:
        what = f"this is not Python: {_first_line(error) or 'it is nested too deeply'}"
        raise InputError(what, str(path), "give a Python source file") from None


@contextmanager
def errors_of(path: Path, purpose: Purpose) -> Iterator[None]:
    """What goes wrong in a user's file becomes an error that names its line; others pass."""
    try:
        yield
    except SnakebirdError as error:
        line = _line(error, path)
        where = f"{path}, line {line}" if line else str(path)
        raise type(error)(error.what, f"{where}: {error.where}", error.hint) from None
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise InputError(
            f"this is not Python: {error.msg}", f"{path}{line}", "mend that line"
        ) from None
    except SystemExit as error:
        raise InputError(
            f"the file ends Python with sys.exit({'' if error.code is None else repr(error.code)})",
            str(path),
            f"{purpose.only}; take the exit out",
        ) from None
    except Exception as error:
        line = _line(error, path)
        if line is None:
            raise
        raise InputError(
            f"{type(error).__name__}: {_first_line(error)}", f"{path}, line {line}", purpose.mend
        ) from None


def named(names: Mapping[str, Any], name: str, path: Path, example: str) -> Any:
    """What a file defines under a name; raises `InputError` with the nearest one, if not this."""
    if name in names:
        return names[name]
    own = [key for key in names if not key.startswith("_")]
    near = suggest(name, own) if own else ""
    hint = f"write {example}"
    raise InputError(
        f"the file defines no {name}",
        str(path),
        f"{near} {hint}" if near.startswith("did you mean") else hint,
    )


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """The file's folder is searched for modules, as where Python runs it."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _line(error: BaseException, path: Path) -> int | None:
    """The line of the file in which an error arose, if it did."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return lines[-1] if lines else None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else ""
