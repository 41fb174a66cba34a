"""A user's own Python file of a model and data to fit."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from snakebird.cli._user import Purpose, errors_of, named, run_file
from snakebird.errors import InputError, SnakebirdError, UnknownNameError, suggest
from snakebird.fitting import Trajectories, fit

GIVEN = ("seed", "starts", "budget", "out", "resume", "progress")
"""What `fit` takes and the command says."""


FIT = Purpose(
    "give a Python file that defines model and data",
    "a file for fit only defines model and data",
)


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
    if table is not None and not table.exists():
        raise InputError("no such file", f"--data {table}", "give a table of data")
    if path.suffix.lower() in (".csv", ".tsv", ".parquet"):
        what, hint = "a table, where a Python file with the model belongs", "snakebird fit model.py"
        raise InputError(what, str(path), f"write {hint} --data {path}")
    names = run_file(path, FIT)
    model = named(names, "model", path, "model = MyModel(...), what is to be fitted")
    if inspect.isclass(model):
        raise InputError(
            f"model is the class {model.__name__}, not one of its instances",
            str(path),
            f"write model = {model.__name__}(...)",
        )
    return Problem(model, _data(names, path, table), _options(names, path))


def _data(names: Mapping[str, Any], path: Path, table: Path | None) -> Trajectories:
    if table is not None and not callable(names.get("data")):
        return _read(table, path)
    data = named(names, "data", path, "data = sb.Trajectories.read(...), or give --data FILE")
    if callable(data):
        if table is None:
            raise InputError(
                "data is a function of a path, and no path is given", str(path), "give --data FILE"
            )
        if len(inspect.signature(data).parameters) != 1:
            raise InputError(
                "data is a function, but not of one path", str(path), "write def data(path): ..."
            )
        with errors_of(path, FIT):
            data = data(table)
    if not isinstance(data, Trajectories):
        raise InputError(
            f"data is of the type {type(data).__name__}",
            str(path),
            "make it with sb.Trajectories.of(times, values) or sb.Trajectories.read('data.csv')",
        )
    return data


def _read(table: Path, path: Path) -> Trajectories:
    try:
        return Trajectories.read(table)
    except SnakebirdError as error:
        if "time=" not in error.hint:
            raise
        how = f"in {path} write def data(path): return sb.Trajectories.read(path, time='year')"
        raise type(error)(error.what, error.where, f"{error.hint}; {how}") from None


def _instead(name: str) -> str:
    """What to type in the place of an entry of `options`."""
    own = {"starts": "--starts", "seed": "--seed", "budget": "--budget", "out": "--out"}
    return f", and type {own[name]}" if name in own else ""


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
                f"options has {name!r}, which is an option of the command",
                str(path),
                f"take it out of options; see snakebird fit --help{_instead(name)}",
            )
        if name not in known:
            raise UnknownNameError(
                f"fit takes no option {name!r}", f"{path}, options", suggest(str(name), known)
            )
    return dict(options)
