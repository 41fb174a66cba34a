"""A user's own Python file of a model and data to fit."""

import inspect
import runpy
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from snakebird.errors import InputError, SnakebirdError, UnknownNameError, suggest
from snakebird.fitting import Trajectories, fit

GIVEN = ("seed", "starts", "budget", "out", "resume", "progress")
"""What `fit` takes and the command says."""


class Problem(NamedTuple):
    """What a file defines: all that `fit` is called with."""

    model: Any
    data: Trajectories
    options: dict[str, Any]


def read_problem(path: Path, table: Path | None) -> Problem:
    """Run a file for its `model`, `data` and `options`; raises errors that say where in it.

    `data` are `Trajectories`, or a function that makes them of the path of a table, which is
    then needed. A table without such a function is read by `Trajectories.read`.
    """
    if not path.is_file():
        raise InputError(
            "this is a folder" if path.is_dir() else "no such file",
            str(path),
            "give a Python file that defines model and data",
        )
    if table is not None and not table.exists():
        raise InputError("no such file", f"--data {table}", "give a table of data")
    with errors_of(path), _beside(path):
        names = runpy.run_path(str(path))
    model = _named(names, "model", path, "model = MyModel(...), what is to be fitted")
    if inspect.isclass(model):
        raise InputError(
            f"model is the class {model.__name__}, not one of its instances",
            str(path),
            f"write model = {model.__name__}(...)",
        )
    return Problem(model, _data(names, path, table), _options(names, path))


def _named(names: Mapping[str, Any], name: str, path: Path, example: str) -> Any:
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


def _data(names: Mapping[str, Any], path: Path, table: Path | None) -> Trajectories:
    if table is not None and not callable(names.get("data")):
        return Trajectories.read(table)
    data = _named(names, "data", path, "data = sb.Trajectories.read(...), or give --data FILE")
    if callable(data):
        if table is None:
            raise InputError(
                "data is a function of a path, and no path is given", str(path), "give --data FILE"
            )
        with errors_of(path):
            data = data(table)
    if not isinstance(data, Trajectories):
        raise InputError(
            f"data is of the type {type(data).__name__}",
            str(path),
            "make it with sb.Trajectories.of(times, values) or sb.Trajectories.read('data.csv')",
        )
    return data


def _options(names: Mapping[str, Any], path: Path) -> dict[str, Any]:
    options = names.get("options", {})
    if not isinstance(options, Mapping):
        raise InputError(
            f"options is of the type {type(options).__name__}",
            str(path),
            "write options = {...}, arguments of sb.fit by name",
        )
    parameters = inspect.signature(fit).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in GIVEN]
    for name in options:
        if name in GIVEN:
            raise InputError(
                f"options has {name!r}, which the command says",
                str(path),
                "see snakebird fit --help, and take it out of options",
            )
        if name not in known:
            raise UnknownNameError(
                f"fit takes no option {name!r}", f"{path}, options", suggest(str(name), known)
            )
    return dict(options)


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """The file's folder is searched for modules, as where Python runs it."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """What goes wrong in a user's file becomes an error that names its line; others pass."""
    try:
        yield
    except SnakebirdError as error:
        line = _line(error, path)
        where = f"{path}, line {line}" if line else str(path)
        raise type(error)(error.what, f"{where}: {error.where}", error.hint) from None
    except SyntaxError as error:
        raise InputError(
            f"this is not Python: {error.msg}", f"{path}, line {error.lineno}", "mend that line"
        ) from None
    except SystemExit as error:
        raise InputError(
            f"the file ends Python with sys.exit({'' if error.code is None else repr(error.code)})",
            str(path),
            "a file for fit only defines model and data; take the exit out",
        ) from None
    except Exception as error:
        line = _line(error, path)
        if line is None:
            raise
        raise InputError(
            f"{type(error).__name__}: {_first_line(error)}",
            f"{path}, line {line}",
            "mend that line",
        ) from None


def _line(error: BaseException, path: Path) -> int | None:
    """The line of the file in which an error arose, if it did."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return lines[-1] if lines else None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else ""
