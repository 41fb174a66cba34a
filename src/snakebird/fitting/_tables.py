"""Tables as they come: CSV and Parquet files, frames and dicts, each cell with its place."""

import csv
import importlib
import io
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from snakebird.errors import FileFormatError, InputError, SnakebirdError, UnknownNameError, suggest

MISSING = frozenset({"", "-", "na", "nan", "null", "none", "<na>", "nat"})
"""What a cell without an observation reads, in any case; the last two are pandas' own."""

DELIMITERS = ",;\t"

PARQUET = (("polars", "read_parquet"), ("pyarrow.parquet", "read_table"))
"""Libraries that read Parquet with their function for it, the preferred one first."""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of cells, and where they came from.

    `lines` holds the line of the file that each row starts on; other rows are counted from 0.
    `name` is what to call the experiment of a table that holds one.
    """

    source: str
    columns: Mapping[str, Sequence[Any] | np.ndarray]
    lines: Sequence[int] | None = None
    name: str = "1"

    @property
    def rows(self) -> int:
        """How many rows there are below the header."""
        return len(next(iter(self.columns.values())))

    def place(self, row: int, column: str = "") -> str:
        """Where a row is, or a cell of it."""
        at = f"row {row} (the first is 0)" if self.lines is None else f"line {self.lines[row]}"
        return f"{self.source}, {at}" + (f", column {column!r}" if column else "")

    def check(self, name: str, role: str) -> None:
        """Raise `UnknownNameError` unless there is the column that the argument `role` chose."""
        if name not in self.columns:
            raise UnknownNameError(
                f"no column is named {name!r}",
                self.source,
                f"{role}= chooses it; {suggest(name, self.columns)}",
            )

    def numbers(self, name: str) -> Float64[np.ndarray, " rows"]:
        """A column of numbers, NaN where a cell is missing; raises `InputError` with its place."""
        cells = self.columns[name]
        kind = cells.dtype.kind if isinstance(cells, np.ndarray) else "O"
        if kind in "mM":
            raise InputError(
                f"column {name!r} holds dates or durations, not numbers",
                self.source,
                "give times as numbers in a unit of your choice, such as days since the start",
            )
        if kind in "fiu":
            found = np.asarray(cells, np.float64)
        else:
            found = np.array([self._number(cell, i, name) for i, cell in enumerate(cells)])
        for i in np.flatnonzero(np.isinf(found)).tolist():
            raise InputError(
                f"{str(cells[i])!r} is not finite",
                self.place(i, name),
                "leave the cell empty where nothing was measured",
            )
        return found

    def labels(self, name: str) -> list[str]:
        """A column of names, such as those of experiments; whole numbers lose their `.0`."""
        return [self._label(cell, i, name) for i, cell in enumerate(self.columns[name])]

    def _number(self, cell: Any, row: int, column: str) -> float:
        text = str(cell).strip()
        if text.casefold() in MISSING:
            return math.nan
        try:
            # Python reads 1_000 as a number; a table that holds it holds something else.
            if isinstance(cell, str) and "_" in cell:
                raise ValueError
            return float(cell)
        except (TypeError, ValueError, OverflowError):
            raise InputError(
                f"{text!r} is not a number", self.place(row, column), _cure(text)
            ) from None

    def _label(self, cell: Any, row: int, column: str) -> str:
        whole = isinstance(cell, float | np.floating) and float(cell).is_integer()
        text = str(int(cell) if whole else cell).strip()
        if not text or (not isinstance(cell, str) and text.casefold() in MISSING):
            raise InputError("a name is missing", self.place(row, column), "fill the cell")
        return text


def _cure(text: str) -> str:
    if re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", text):
        return f"write decimals with a point: {text.replace(',', '.')}"
    return (
        "write a number, or leave the cell empty where nothing was measured; columns=[...] chooses "
        "the columns to read, experiment='...' the one that names the runs"
    )


def read_table(source: Any) -> Table:
    """A table from the path of a CSV or Parquet file, a frame or a dict of columns.

    A frame is anything with `columns`, or `column_names`, whose columns NumPy can read: pandas,
    polars, pyarrow. Raises `InputError`, or `FileFormatError` for a broken file.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        _check_file(path)
        parquet = path.suffix.lower() in (".parquet", ".pq")
        table = _from_frame(_parquet(path), str(path)) if parquet else _from_csv(path)
        table = replace(table, name=path.stem.strip() or table.name)
    else:
        table = _from_frame(source, "the table")
    if not table.columns or not table.rows:
        raise InputError("the table has no rows", table.source, "give one row for each time")
    return table


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise InputError("this is a folder", str(path), "give a file in it")
    if not path.exists():
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError("no such file", str(path), suggest(path.name, near))
    if not path.stat().st_size:
        raise InputError(
            "the file is empty", str(path), "give a file with a header and one row for each time"
        )


def _parquet(path: Path) -> Any:
    for library, function in PARQUET:
        try:
            module = importlib.import_module(library)
        except ImportError:
            continue
        try:
            return getattr(module, function)(path)
        except BaseException as error:  # each library has errors of its own, some no Exception
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            first = next(iter(str(error).splitlines()), type(error).__name__)
            raise FileFormatError(
                f"{library} cannot read the file: {first}", str(path), "write it again, or as CSV"
            ) from error
    raise SnakebirdError("reading Parquet needs polars or pyarrow", str(path), "pip install polars")


def _from_frame(frame: Any, source: str) -> Table:
    """A table of a frame or a dict; names are read without the spaces around them."""
    keys = list(_keys(frame))
    names = [str(key).strip() for key in keys]
    _check_header(names, source)
    pairs = zip(names, keys, strict=True)
    columns = {name: _cells(frame[key], name, source) for name, key in pairs}
    first, *others = columns or [""]
    for name in others:
        if len(columns[name]) != len(columns[first]):
            raise InputError(
                f"column {name!r} has {_count(columns[name])}, "
                f"column {first!r} has {len(columns[first])}",
                source,
                "give columns of one length, with NaN for what is missing",
            )
    return Table(source, columns)


def _keys(frame: Any) -> Iterable[Any]:
    """What the columns of a frame or a dict are called."""
    if isinstance(frame, Mapping):
        return frame
    kind = type(frame)  # a column of pandas may be called like an attribute, but not of the type
    lazy = hasattr(kind, "collect")
    if lazy or not (hasattr(kind, "__getitem__") and hasattr(frame, "columns")):
        raise InputError(
            f"a {kind.__name__} is not a table",
            "Trajectories.read",
            "give frame.collect()"
            if lazy
            else "give the path of a CSV or Parquet file, a pandas or polars frame, or a dict of "
            "columns; arrays go to Trajectories.of(times, values)",
        )
    # The columns of pyarrow are the cells themselves.
    return frame.column_names if hasattr(kind, "column_names") else frame.columns


def _cells(column: Any, name: str, source: str) -> np.ndarray:
    try:
        cells = np.asarray(column.tolist() if isinstance(column, np.ma.MaskedArray) else column)
        shape = str(cells.shape)
    except ValueError:
        cells, shape = np.array(None), "of a ragged list"
    if cells.ndim != 1:
        raise InputError(
            f"a column has the shape {shape}, not [n]",
            f"{source}, column {name!r}",
            "give a list of cells",
        )
    return cells


def _from_csv(path: Path) -> Table:
    """A table of a file with a header; its delimiter is the one that splits the header."""
    text = _decode(path)
    rows = _rows(path, text, _delimiter(text))
    if not rows:
        raise InputError("there are only empty lines", str(path), "give a header and rows below it")
    (line, header), *body = rows
    names = [name.strip() for name in header]
    for at, cells in body:
        if len(cells) != len(names):
            raise FileFormatError(
                f"this row has {_count(cells)}, the header has {len(names)}",
                f"{path}, line {at}",
                "give every row one cell for each column; put text that holds a delimiter in "
                "double quotes",
            )
    if all(_numeric(name) for name in names):
        raise InputError(
            "the first row holds numbers, not the names of columns",
            f"{path}, line {line}",
            "write the names above it, such as t,x,y",
        )
    columns = list(zip(*(cells for _, cells in body), strict=True)) or [()] * len(names)
    # Spreadsheets leave a delimiter at the end of every line.
    kept = [i for i, name in enumerate(names) if name or any(c.strip() for c in columns[i])]
    _check_header([names[i] for i in kept], f"{path}, line {line}")
    return Table(str(path), {names[i]: columns[i] for i in kept}, [at for at, _ in body])


def _decode(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"this is not a text in UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}",
            str(path),
            "save the table as CSV in UTF-8",
        ) from None


def _rows(path: Path | str, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line it starts on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows, line = [], 1
    try:
        for cells in reader:
            if _filled(cells):
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileFormatError(
            f"the table is broken: {error}", f"{path}, line {line}", "look for a lone double quote"
        ) from None
    return rows


def _delimiter(text: str) -> str:
    """The delimiter that splits the header most, and the first row below it alike."""

    def rank(delimiter: str) -> tuple[bool, int]:
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True
        )
        try:
            counts = [len(cells) for cells in islice(filter(_filled, reader), 2)]
        except csv.Error:
            return False, 0
        return len(counts) == 2 and 1 < counts[0] == counts[1], max(counts[:1], default=0)

    return max(DELIMITERS, key=rank)


def _count(cells: Sequence[Any] | np.ndarray) -> str:
    return "1 cell" if len(cells) == 1 else f"{len(cells)} cells"


def _filled(cells: Sequence[str]) -> bool:
    return any(cell.strip() for cell in cells)


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == ""
    return True


def _check_header(names: Iterable[str], source: str) -> None:
    seen: set[str] = set()
    for position, name in enumerate(names, 1):
        if not name:
            raise InputError(
                f"column {position} has no name",
                source,
                "name it or leave it out; pandas writes no index with to_csv(..., index=False)",
            )
        if name in seen:
            raise InputError(f"two columns are named {name!r}", source, "rename one of them")
        seen.add(name)
