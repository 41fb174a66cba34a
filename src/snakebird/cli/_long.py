"""What commands that run long share: budgets, the time that is left, and how they are stopped."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from snakebird.errors import InputError

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
