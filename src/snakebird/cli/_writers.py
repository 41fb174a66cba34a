"""Results as files: JSON lines or a table, complete after every chunk."""

import csv
import json
import math
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO, runtime_checkable

from snakebird import vvalues as vv
from snakebird.errors import InputError

Row = tuple[int, Mapping[str, Any]]
"""A tick and the values of the ports written."""


@runtime_checkable
class Writer(Protocol):
    """Takes rows as they come; after each call all of them stand in the file."""

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        ...

    def close(self) -> None:
        """No more rows will come."""
        ...


def finite_part(rows: Sequence[Row]) -> tuple[Sequence[Row], InputError | None]:
    """The rows before the first number that no file can hold, and what to say about that one."""
    for at, (tick, values) in enumerate(rows):
        for port, value in values.items():
            for path, leaf in vv.entries(value):
                if not _is_finite(leaf):
                    inside = f" at {vv.show_path(path)}" if path else ""
                    hint = "bound the stream, or stop before with --ticks"
                    return rows[:at], InputError(
                        f"{port} stops being a finite number{inside}", f"tick {tick}", hint
                    )
    return rows, None


def _is_finite(leaf: Any) -> bool:
    import numpy as np

    try:
        return math.isfinite(leaf) if vv.is_exact(leaf) else bool(np.isfinite(leaf).all())
    except OverflowError:
        return False


def writer_for(output: str) -> Writer:
    """The writer for a file's suffix, or for stdout; raises `InputError` for another suffix."""
    if output == "-":
        return Lines(sys.stdout)
    path = Path(output)
    if path.suffix.lower() not in (".jsonl", ".csv"):
        raise InputError(
            f"the suffix {path.suffix!r} says no format", f"--output {output}",
            "name the file .jsonl or .csv",
        )  # fmt: skip
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(
            f"cannot write the file: {error.strerror}", f"--output {output}", "give another file"
        ) from None
    return Lines(file) if path.suffix.lower() == ".jsonl" else Table(path, file)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait until the block is done."""
    asked: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda *at: asked.append(at))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt


class Lines:
    """One JSON object a tick: `{"tick": 1, "output.word": {...}}`; zero is 0."""

    def __init__(self, file: Any):
        self._file = file

    def write(self, rows: Sequence[Row]) -> None:
        """Add one line a row."""
        lines = [
            json.dumps({"tick": tick, **{port: _json(value) for port, value in values.items()}},
                       ensure_ascii=False)
            for tick, values in rows
        ]  # fmt: skip
        self._file.write("".join(line + "\n" for line in lines))
        self._file.flush()

    def close(self) -> None:
        """Close the file, unless it is stdout."""
        if self._file is not sys.stdout:
            self._file.close()


def _json(value: Any) -> Any:
    data = vv.to_json(value)
    return 0 if data == {} else data


class Table:
    """A CSV table with one row a tick; a column that turns up late is 0 before."""

    def __init__(self, path: Path, file: TextIO):
        self._path, self._file = path, file
        self._columns: dict[Column, str] = {}
        self._ports: dict[str, int] = {}

    def write(self, rows: Sequence[Row]) -> None:
        """Add one row a tick."""
        for port in [port for _, values in rows for port in values]:
            self._ports.setdefault(port, len(self._ports))
        cells = [(tick, self._cells(values)) for tick, values in rows]
        new = {column for _, row in cells for column in row} - self._columns.keys()
        if new or not self._columns:
            self._widen(new)
        lines = csv.writer(self._file)
        lines.writerows([tick, *(row.get(c, 0) for c in self._columns)] for tick, row in cells)
        self._file.flush()

    def _cells(self, values: Mapping[str, Any]) -> dict["Column", float]:
        """The numbers of a row that are not zero, by column."""
        found: dict[Column, float] = {}
        for port, value in values.items():
            for path, leaf in vv.entries(value):
                for at, number in _numbers(leaf):
                    found[self._ports[port], (*path, *at)] = number
        return found

    def _widen(self, new: set["Column"]) -> None:
        """Write the file again with more columns."""
        self._file.close()
        with self._path.open(encoding="utf-8", newline="") as file:
            old = list(csv.DictReader(file))
        ports = list(self._ports)
        columns = sorted(self._columns.keys() | new)
        self._columns = {(port, path): ".".join((ports[port], *path)) for port, path in columns}
        draft = self._path.with_name(f".{self._path.name}.tmp")
        with draft.open("w", encoding="utf-8", newline="") as file:
            lines = csv.DictWriter(file, ["tick", *self._columns.values()], restval="0")
            lines.writeheader()
            lines.writerows(old)
        os.replace(draft, self._path)
        self._file = self._path.open("a", encoding="utf-8", newline="")

    def close(self) -> None:
        """Close the file; what was zero all the time gets its column now."""
        seen = {port for port, _ in self._columns}
        silent: set[Column] = {(port, ()) for port in self._ports.values() if port not in seen}
        if silent or not seen:
            self._widen(silent)
        self._file.close()


Column = tuple[int, vv.Path]
"""A port by its number, and the path of a number in its stream."""


def _numbers(leaf: Any) -> Iterator[tuple[tuple[str, ...], float]]:
    """A number, or the numbers of an array with their indices."""
    import numpy as np

    for at, number in np.ndenumerate(np.asarray(leaf, float)):
        plain = float(number)
        whole = plain.is_integer() and abs(plain) < 2**53
        yield tuple(map(str, at)), int(plain) if whole else plain
