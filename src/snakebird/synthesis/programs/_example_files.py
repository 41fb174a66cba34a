"""Examples in files, read and written: JSON lines, and tables with a row a tick."""

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from snakebird.errors import FileFormatError, InputError, UnknownNameError, suggest
from snakebird.machines._depth import DEEPEST, deeper
from snakebird.synthesis.programs._example import Example, example_of
from snakebird.synthesis.programs._values import Value, as_value

Alphabet = Iterable[str] | Mapping[str, Iterable[str]] | None

GROUP, ROLES = "example", ("in:", "out:")
"""The headers of a table: which example a row belongs to, and what begins the name of a stream."""

NUMBER = re.compile(
    r"[+-]?([0-9]+/0*[1-9][0-9]*"
    r"|([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE](?P<exponent>[+-]?[0-9]{1,9}))?)"
)
"""A decimal or a fraction; its exponent is bounded, since the fraction has as many digits."""

DIGITS = 400
"""How many digits an exact number in a file may have, or the parts of a fraction; every float has
fewer."""

_TEXT = 5 * DIGITS
"""How long the text of a number may be: a decimal has more digits than the parts of its fraction,
up to 4 for each of the denominator."""

_TOO_DEEP = f"nested too deeply, more than {DEEPEST} levels"


def read_examples(path: Path, *, exact: bool, tokens: Alphabet = None) -> tuple[Example, ...]:
    """The examples of a file; `exact` reads decimals as fractions.

    Raises `FileFormatError` for a broken file, `InputError` for what is wrong in a sound one.
    """
    readers = {".jsonl": _from_lines, ".csv": _from_table}
    if path.suffix.lower() not in readers:
        known = suggest(path.suffix, readers)
        raise FileFormatError(f"{path.suffix!r} is no file of examples", str(path), known)
    items = readers[path.suffix.lower()](path, _text(path), exact)
    if not items:
        raise FileFormatError("there are no examples", str(path), "write at least one")
    _check_tokens(items, tokens)
    return items


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise FileFormatError("no such file", str(path), suggest(path.name, near)) from None
    except (OSError, UnicodeDecodeError) as error:
        what = f"cannot read this: {getattr(error, 'strerror', None) or 'not UTF-8'}"
        raise FileFormatError(what, str(path), "give a text file, .jsonl or .csv") from None


def _check_tokens(items: Sequence[Example], tokens: Alphabet) -> None:
    for name, known in _alphabets(items[0], tokens).items():
        for example in items:
            for t, value in enumerate(example.inputs.get(name, ())):
                if isinstance(value, str) and value not in known:
                    raise InputError(
                        f"the token {value!r} is not among the {len(known)} that may arrive",
                        f"{example.where}, input {name!r}, tick {t}",
                        suggest(value, known) + "; or add it to tokens=",
                    )


def _alphabets(example: Example, tokens: Alphabet) -> dict[str, frozenset[str]]:
    if not isinstance(tokens, Mapping):
        return {} if tokens is None else dict.fromkeys(example.inputs, frozenset(tokens))
    for name in tokens:
        if name not in example.inputs:
            what = f"no input is named {name!r}"
            raise UnknownNameError(what, "tokens", suggest(name, example.inputs))
    return {name: frozenset(allowed) for name, allowed in tokens.items()}


def _from_lines(path: Path, text: str, exact: bool) -> tuple[Example, ...]:
    lines = [(f"{path}, line {k}", line) for k, line in enumerate(text.split("\n"), 1)]
    return tuple(
        example_of(_record(line, where, exact), where) for where, line in lines if line.strip()
    )


def _record(line: str, where: str, exact: bool) -> dict[str, Any]:
    try:
        found = json.loads(
            line,
            parse_float=lambda digits: _number(digits, exact),
            parse_int=lambda digits: _number(digits, exact),
            object_pairs_hook=_once,
        )
    except json.JSONDecodeError as error:
        what, at = f"no JSON: {error.msg}", f"{where}, column {error.colno}"
        raise FileFormatError(what, at, "write one example a line") from None
    except (ValueError, RecursionError) as error:
        what = _TOO_DEEP if isinstance(error, RecursionError) else str(error)
        raise FileFormatError(what, where, "write one example a line") from None
    if deeper(found):
        raise FileFormatError(_TOO_DEEP, where, "write flatter values")
    if not isinstance(found, dict):
        raise FileFormatError(
            f"found a {type(found).__name__}, expected an object",
            where,
            'write {"inputs": {...}, "outputs": {...}}',
        )
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def _number(text: str, exact: bool) -> int | Fraction | float:
    """The number of a JSON text or a cell; raises `ValueError` where it is none or too long."""
    found = NUMBER.fullmatch(text)
    if not found:
        if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
            return math.nan
        raise ValueError(f"{text!r} is not a number")
    whole = text.lstrip("+-").isdigit()
    if not exact and not whole and "/" not in text:
        return float(text)
    long = len(text) + abs(int(found["exponent"] or 0)) > _TEXT
    number = Fraction(0 if long else text)
    if long or max(abs(number.numerator), number.denominator) >= 10**DIGITS:
        raise ValueError(f"a number has more than {DIGITS} digits")
    if whole or (exact and number.denominator == 1):
        return int(number)
    return number if exact else float(number)


def _from_table(path: Path, text: str, exact: bool) -> tuple[Example, ...]:
    rows = _rows(path, text)
    header, groups = _header(path, rows), {}
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise FileFormatError(
                f"a row has {len(row)} cells, the header {len(header)}",
                f"{path}, line {line}",
                "write one cell a column, an empty one where there is nothing",
            )
        cells = dict(zip(header, row, strict=True))
        groups.setdefault(cells.pop(GROUP, "").strip(), []).append((line, cells))
    return tuple(_of_rows(path, rows, exact) for rows in groups.values())


def _rows(path: Path, text: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, line = [], 1
    try:
        for row in reader:
            if row:
                rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:
        what, hint = f"no CSV: {error}", "look for a lone double quote"
        raise FileFormatError(what, f"{path}, line {line}", hint) from None
    return rows


def _header(path: Path, rows: list[tuple[int, list[str]]]) -> list[str]:
    line, names = (rows[0][0], [cell.strip() for cell in rows[0][1]]) if rows else (1, [])
    where = f"{path}, line {line}"
    seen: set[str] = set()
    for column, name in enumerate(names, 1):
        if name != GROUP and not name.startswith(ROLES):
            own = name if name.isprintable() else ""
            raise FileFormatError(
                f"column {column} is named {name!r}, expected `in:NAME`, `out:NAME` or `{GROUP}`",
                where,
                f"write in:{own or 'x'} or out:{own or 'y'}",
            )
        if name in seen:
            raise FileFormatError(f"two columns are named {name!r}", where, "rename one")
        seen.add(name)
    for role in ROLES:
        if not any(name.startswith(role) for name in names):
            what = f"no column begins with `{role}`"
            raise FileFormatError(what, where, "begin with a header such as in:x,out:y")
    return names


def _of_rows(path: Path, rows: list[tuple[int, dict[str, str]]], exact: bool) -> Example:
    parts: list[dict[str, list[Value]]] = []
    for role in ROLES:
        columns = [header for header in rows[0][1] if header.startswith(role)]
        parts.append(
            {
                header.removeprefix(role): [
                    _cell(row[header], f"{path}, line {line}, column {header!r}", exact)
                    for line, row in rows
                ]
                for header in columns
            }
        )
    return Example(*parts, where=f"{path}, line {rows[0][0]}")


def _cell(cell: str, where: str, exact: bool) -> Value:
    if not cell:
        return None
    text = cell.strip()
    if not NUMBER.fullmatch(text) and text.lower().lstrip("+-") not in ("nan", "inf", "infinity"):
        return cell
    try:
        found = _number(text, exact)
    except ValueError as error:
        raise FileFormatError(str(error), where, "write a shorter number") from None
    return as_value(found, where)


def write_examples(items: Sequence[Example], path: Path) -> None:
    """Write examples so that `read_examples` reads them back; what goes into the file is exact.

    Raises `InputError` for what such a file cannot hold.
    """
    writers = {".jsonl": _as_lines, ".csv": _as_table}
    if path.suffix.lower() not in writers:
        known = suggest(path.suffix, writers)
        raise InputError(f"{path.suffix!r} is no file of examples", str(path), known)
    text = writers[path.suffix.lower()](items, path)
    try:
        path.write_text(text, "utf-8", newline="")
    except OSError as error:
        what = f"cannot write the file: {error.strerror}"
        raise InputError(what, str(path), "give another path") from None


def _as_lines(items: Sequence[Example], path: Path) -> str:
    return "".join(
        f'{{"inputs": {_json(one.inputs, path)}, "outputs": {_json(one.outputs, path)}}}\n'
        for one in items
    )


def _json(value: Any, path: Path) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(key)}: {_json(branch, path)}" for key, branch in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_json(one, path) for one in value) + "]"
    return _decimal(value, path) if isinstance(value, Fraction) else json.dumps(value)


def _decimal(number: Fraction, path: Path) -> str:
    """All digits of a fraction; those of 1/3 have no end."""
    digits = next((k for k in range(4 * DIGITS) if 10**k % number.denominator == 0), None)
    if digits is None:
        raise InputError(
            f"{number} has no finite decimal", str(path), "write a .csv file, which holds fractions"
        )
    whole, rest = divmod(abs(number) * 10**digits, 10**digits)
    return f"{'-' if number < 0 else ''}{whole}.{int(rest):0{digits or 1}d}"


def _as_table(items: Sequence[Example], path: Path) -> str:
    names = (
        [
            (role, name)
            for role, streams in zip(ROLES, (items[0].inputs, items[0].outputs), strict=True)
            for name in streams
        ]
        if items
        else []
    )
    file = io.StringIO(newline="")
    # Its line ends are those of RFC 4180: else a token that holds one would not be quoted.
    writer = csv.writer(file)
    writer.writerow([GROUP, *(role + name for role, name in names)])
    for k, example in enumerate(items, 1):
        sides = dict(zip(ROLES, (example.inputs, example.outputs), strict=True))
        for t in range(example.ticks):
            cells = (_as_cell(sides[role][name][t], f"{path}, {name!r}") for role, name in names)
            writer.writerow([k, *cells])
    return file.getvalue()


def _as_cell(value: Value, where: str) -> str:
    if isinstance(value, Mapping):
        raise InputError("a table cannot hold a tree", where, "write a .jsonl file")
    if isinstance(value, str) and _cell(value, where, True) != value:
        what = f"the token {value!r} would be read as a number, or as nothing"
        raise InputError(what, where, "write a .jsonl file")
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)
