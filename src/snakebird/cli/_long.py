"""What commands that run long share: budgets, the time left, how they are stopped, full disks."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from snakebird.errors import InputError

PAGE = "report.html"
"""What a finished run leaves."""

_OF_A_RUN = (PAGE, "history.jsonl", "checkpoint*.json", "checkpoint*.npz")
"""What tells the folder of a run from others."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(budget: str, where: str) -> float:
    """A time like `90s`, `5m` or `1h` in seconds; a bare number is of seconds.

    >>> seconds_of("1.5m", "snakebird fit"), seconds_of("30", "snakebird fit")
    (90.0, 30.0)
    """
    number, unit = (budget, "s") if budget[-1:].isdigit() else (budget[:-1], budget[-1:])
    try:
        seconds = float(number) * _UNITS[unit]
    except (KeyError, ValueError):
        seconds = float("nan")
    if not 0 < seconds < float("inf"):
        raise InputError(f"--budget {budget}: expected a time", where, "write 90s, 5m or 1h")
    return seconds


def clock(elapsed: float, budget: float) -> str:
    """How long something has run, and how much time is left.

    >>> clock(61.04, 300)
    '61.0 s, 3m 58s left'
    """
    left = max(budget - elapsed, 0.0)
    return f"{elapsed:.1f} s, {int(left // 60)}m {int(left % 60):02d}s left"


def tell(line: str) -> None:
    """Say something that is no result."""
    print(line, file=sys.stderr, flush=True)


def make_way(folder: Path, *files: Path | None) -> None:
    """Let a new run have a folder: that of a finished run is set aside, one of others refused."""
    given = {file.resolve() for file in files if file is not None}
    try:
        found = [one for one in folder.iterdir() if one.resolve() not in given]
    except OSError:  # there is none, or one that cannot be read
        return
    foreign = sorted(one.name for one in found if not one.name.startswith("."))
    if foreign and not any(one.match(run) for one in found for run in _OF_A_RUN):
        shown = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        what = f"the folder has files that are of no run: {shown}"
        raise InputError(what, f"--out {folder}", "choose another folder")
    set_aside(folder, *files)


def set_aside(folder: Path, *files: Path | None) -> None:
    """Rename the folder of a finished run, so that a new one does not write over it.

    A folder stays where it is if the command runs in it, or is given files from it.
    """
    if not (folder / PAGE).is_file():
        return
    used = [Path.cwd() / PAGE, *(file for file in files if file is not None)]
    if any(folder.resolve() in file.resolve().parents for file in used):
        return
    old = folder.with_name(f"{folder.name}.before")
    try:
        if (old / PAGE).is_file():
            shutil.rmtree(old)
        folder.rename(old)
    except OSError as error:
        what = f"a finished run is here, and cannot be renamed: {error.strerror}"
        raise InputError(what, str(folder), "choose another --out") from None
    tell(f"the run that was in {folder} is now in {old}")


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM raises `KeyboardInterrupt` too."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)


@contextmanager
def writing(where: str) -> Iterator[None]:
    """What the system refuses to write is a mistake in three parts; a reader who left is none."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        with suppress(OSError, ValueError):
            _flush()
        hint = "make room there, or write to another place"
        raise InputError(f"cannot write: {error.strerror or error}", where, hint) from None


def _flush() -> None:
    """Leave nothing for Python to write when it ends, which would fail once more."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
