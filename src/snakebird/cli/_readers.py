"""Input files as messages for the sources of a machine; every mistake is found with its place."""

import csv
import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from snakebird import vvalues as vv
from snakebird.errors import InputError, SnakebirdError, suggest
from snakebird.machines import Machine, as_path
from snakebird.neurons import message_space
from snakebird.vvalues import Space

Messages = dict[str, list[Any]]
"""For each source its messages, one a tick, `None` for nothing."""

DEEPEST = 100
"""How deeply a value may be nested in a file of messages."""


def sources_of(machine: Machine) -> dict[str, Space]:
    """The sources of a machine with what they declare to take."""
    return {
        name: message_space(neuron.parameters)
        for name, neuron in machine.neurons.items()
        if neuron.type.external
    }


def read(
    path: Path,
    machine: Machine,
    *,
    by: str = "chars",
    skip: bool = False,
    source: str | None = None,
) -> Messages:
    """The messages of a file, by its suffix: .csv, .jsonl, or else a text.

    Raises `InputError` that says where: line, column, position.
    """
    text = read_text(path)
    known = sources_of(machine)
    if not known:
        raise InputError("this machine has no source", f"input {path}", "run it without --input")
    if source is not None and source not in known:
        raise InputError(f"no source is named {source!r}", "--source", suggest(source, known))
    if path.suffix.lower() == ".csv":
        return _table(path, text, known)
    if path.suffix.lower() == ".jsonl":
        return _lines(path, text, known)
    return {(name := source or _only(known, path)): _text(path, text, name, known[name], by, skip)}


def read_text(path: Path) -> str:
    """The text of a file; raises `InputError` if there is none."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError("no such file", str(path), suggest(path.name, near)) from None
    except IsADirectoryError:
        raise InputError("this is a folder", str(path), "give a file in it") from None
    except OSError as error:
        raise InputError(
            f"cannot read the file: {error.strerror}", str(path), "give another file"
        ) from None
    if not raw:
        raise InputError("the file is empty", str(path), "give a file with something in it")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _binary(path, raw, error.start) from None
    if "\0" in text:
        raise _binary(path, raw, raw.index(0))
    return text


def _binary(path: Path, raw: bytes, at: int) -> InputError:
    return InputError(
        f"this is not a text file: byte {at} is 0x{raw[at]:02x}", str(path), "give UTF-8 text"
    )


def _only(known: Mapping[str, Space], path: Path) -> str:
    if len(known) == 1:
        return next(iter(known))
    raise InputError(
        f"this machine has {len(known)} sources, a text goes to one",
        f"input {path}",
        f"choose with --source: {', '.join(known)}",
    )


def _text(path: Path, text: str, source: str, space: Space, by: str, skip: bool) -> list[Any]:
    """A text, one token a tick; a line's end at the end of the file is no character of it."""
    found: dict[str, Any] = {}
    messages = []
    tokens = {p[0] for p in space.paths if len(p) == 1}
    text = text.replace("\r\n", "\n")
    if by == "chars" and "\n" not in tokens:
        text = text.removesuffix("\n")
    for at, (token, *place) in enumerate(_characters(text) if by == "chars" else _words(text)):
        if not tokens or token in tokens:
            messages.append(found.setdefault(token, {token: 1}))
        elif not skip:
            raise _unknown(path, token, at, place, source, tokens, by)
    if not messages:
        raise InputError(f"no {by} in this file", str(path), "give a file with something in it")
    return messages


def _characters(text: str) -> Iterable[tuple[str, int, int]]:
    """The characters with line and column; a line's end counts to its line."""
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        for column, char in enumerate(line, 1):
            yield char, number, column


def _words(text: str) -> Iterable[tuple[str, int, int]]:
    """The words between spaces, with line and column."""
    for number, line in enumerate(text.split("\n"), 1):
        at = 0
        for word in line.split():
            at = line.index(word, at)
            yield word, number, at + 1
            at += len(word)


def _unknown(
    path: Path, token: str, at: int, place: list[int], source: str, known: set[str], by: str
) -> InputError:
    what = "character" if by == "chars" else "word"
    return InputError(
        f"the {what} {token!r} is not among the {len(known)} tokens of {source!r}",
        f"{path}, line {place[0]}, column {place[1]} ({what} {at + 1})",
        f"{suggest(token, known)}; --unknown skip leaves it out",
    )


def _table(path: Path, text: str, known: Mapping[str, Space]) -> Messages:
    """A table with a header, one row a tick; an empty cell is nothing."""
    header, *rows = _rows(path, text) or [[]]
    columns = _columns(path, [name.strip() for name in header], known)
    if not rows:
        raise InputError(
            "the table has a header and no rows", str(path), "add one row for each tick"
        )
    found: Messages = {source: [] for source, _ in columns.values()}
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise InputError(
                f"found {len(row)} cells, expected {len(header)}",
                f"{path}, row {number}",
                "every row has as many cells as the header",
            )
        trees: dict[str, dict[vv.Path, float]] = {source: {} for source in found}
        for at, (source, rest) in columns.items():
            if row[at].strip():
                trees[source][rest] = _number(path, row[at], number, header[at])
        for source, cells in trees.items():
            found[source].append(_tree(cells) if cells else None)
    return found


def _rows(path: Path, text: str) -> list[list[str]]:
    table = csv.reader(text.splitlines())
    try:
        return list(table)
    except csv.Error as error:
        raise InputError(
            f"this is no table: {error}", f"{path}, line {table.line_num}",
            "write one number in each cell, with commas between",
        ) from None  # fmt: skip


def _tree(cells: dict[vv.Path, float]) -> Any:
    tree = vv.grow(cells)
    return tree if isinstance(tree, dict) else {vv.NUMBER: tree}


def _columns(
    path: Path, header: list[str], known: Mapping[str, Space]
) -> dict[int, tuple[str, vv.Path]]:
    """For each column that a source takes, the source and the path in its messages."""
    where = f"{path}, row 1"
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InputError(
            f"two columns are named {twice!r}", where, "give every column its own name"
        )
    found: dict[int, tuple[str, vv.Path]] = {}
    for at, name in enumerate(header):
        target = _target(name, known)
        if target is not None:
            found[at] = target
    have = set(found.values())
    for source, space in known.items():
        for rest in space.paths or ((),):
            if (source, rest) not in have and not (
                space.paths == () and source in {s for s, _ in have}
            ):
                name = ".".join(rest) if len(known) == 1 and rest else ".".join((source, *rest))
                raise InputError(f"the column {name!r} is missing", where, suggest(name, header))
    return found


def _target(name: str, known: Mapping[str, Space]) -> tuple[str, vv.Path] | None:
    if name in known:
        return name, ()
    try:
        path = as_path(name, dict(known))
        return path[0], path[1:]
    except SnakebirdError:
        pass
    if len(known) == 1:
        source, space = next(iter(known.items()))
        if (name,) in space or not space.paths:
            return source, (name,)
    return None


def _number(path: Path, cell: str, row: int, column: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(
            f"found {cell!r}, expected a number", f"{path}, row {row}, column {column!r}",
            "write a number, or leave the cell empty",
        )  # fmt: skip
    return number


def _lines(path: Path, text: str, known: Mapping[str, Space]) -> Messages:
    """A value a line; with several sources an object `{source: value}`."""
    found: Messages = {source: [] for source in known}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        where = f"{path}, line {number}"
        if not line.strip():
            raise InputError("the line is empty", where, "write null for a tick without a message")
        values = _by_source(_parsed(line, where), known, where)
        for source in known:
            found[source].append(_message(values.get(source), source, known[source], where))
    return found


def _parsed(line: str, where: str) -> Any:
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        hint = 'write one value a line: 1.5, "a", {"x": 1} or null'
        raise InputError("this is not JSON", f"{where}, column {error.colno}", hint) from None
    except RecursionError:
        raise _too_deep(where) from None
    except ValueError:  # Python reads no number of more than some thousand digits
        raise _too_large(where) from None
    _check_size(data, where)
    return data


def _check_size(data: Any, where: str) -> None:
    """Refuse what is nested too deeply, and integers that no float holds."""
    layer, depth = [data], 0
    while layer:
        if depth > DEEPEST:
            raise _too_deep(where)
        if any(isinstance(item, int) and abs(item) > sys.float_info.max for item in layer):
            raise _too_large(where)
        inner = [item for item in layer if isinstance(item, (dict, list))]
        layer = [x for i in inner for x in (i.values() if isinstance(i, dict) else i)]
        depth += 1


def _too_deep(where: str) -> InputError:
    what = f"the value is nested more than {DEEPEST} deep"
    return InputError(what, where, "write a flatter value")


def _too_large(where: str) -> InputError:
    largest = f"{sys.float_info.max:.1e}"
    return InputError("a number is too large", where, f"numbers go up to {largest}")


def _by_source(data: Any, known: Mapping[str, Space], where: str) -> Mapping[str, Any]:
    if isinstance(data, dict) and data and data.keys() <= known.keys():
        return data
    if len(known) == 1:
        return {next(iter(known)): data}
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InputError(
            f"found {json.dumps(data)}, expected an object with a value for each source",
            where, f"sources: {', '.join(known)}",
        )  # fmt: skip
    wrong = next((name for name in data if name not in known), "")
    raise InputError(f"no source is named {wrong!r}", where, suggest(wrong, known))


def _message(data: Any, source: str, space: Space, where: str) -> Any:
    if data is None:
        return None
    if isinstance(data, str) and () not in space:  # else it is a fraction like "1/3"
        data = {data: 1}
    try:
        value = vv.from_json(data)
    except SnakebirdError as error:
        raise InputError(error.what, f"{where}, {error.where}", error.hint) from None
    tree = value if isinstance(value, dict) else {vv.NUMBER: value}
    own = Space.of(tree)
    if space.paths and not own <= space:
        path = next(p for p in own.paths if p not in space or own.shape(p) != space.shape(p))
        name = vv.show_path(path)
        hint = suggest(name, map(vv.show_path, space.paths))
        raise InputError(f"{source!r} takes nothing at {name}", where, hint)
    return tree
