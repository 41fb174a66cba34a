"""Faults on purpose: a system that refuses or dies at any call, garbled bytes, another process."""

import errno
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from snakebird.fitting import _keeping, _lock
from tests.faults.runs import Kind

WRITES = ("fsync", "replace", "truncate")
"""What `_keeping` asks of the system to write anything, beside `open`."""


class Killed(BaseException):
    """The process ends here, and nothing of it goes on."""


class System:
    """The system as `_keeping` sees it; `fault(number, name)` may raise what a call ends in."""

    def __init__(self, fault: Callable[[int, str], None]):
        self.calls, self._fault = 0, fault

    def __getattr__(self, name: str) -> Any:
        call = getattr(os, name)
        return self._watched(call, name) if name in WRITES else call

    def open(self, path: Any, mode: str = "r") -> Any:
        return self._watched(open, "open")(path, mode)

    def _watched(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def asked(*args: Any) -> Any:
            self.calls += 1
            self._fault(self.calls - 1, name)
            return call(*args)

        return asked


@contextmanager
def system(fault: Callable[[int, str], None] = lambda number, name: None) -> Iterator[System]:
    """A system with a fault."""
    seen = System(fault)
    with patch.object(_keeping, "os", seen), patch.object(_keeping, "open", seen.open, create=True):
        yield seen


def full(*, at: int, until: int = sys.maxsize) -> Callable[[int, str], None]:
    """A disk that is full from one call on, or for some."""

    def fault(number: int, name: str) -> None:
        if at <= number < until:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return fault


def cut(kind: Kind, folder: Path, at: int, *, opening: bool = False) -> None:
    """A run that dies at its call number `at`; as after a kill, no later call is answered.

    With `opening` it dies where it next opens a file to write: then two checkpoints stand there.
    """
    dead = False

    def fault(number: int, name: str) -> None:
        nonlocal dead
        dead = dead or (number >= at and (name == "open" or not opening))
        if dead:
            raise Killed

    with system(fault):
        try:
            kind.run(folder, False)
        except Killed:
            return
    raise AssertionError("it was not killed")


def garble(data: bytes, how: random.Random) -> Iterator[bytes]:
    """Shorter ones, and ones with a bit that is turned."""
    yield from (data[: int(len(data) * part)] for part in (0, 0.01, 0.5, 0.99))
    yield data[:-1]
    for _ in range(4):
        at = how.randrange(len(data))
        yield data[:at] + bytes([data[at] ^ 1 << how.randrange(8)]) + data[at + 1 :]


HOLDER = """
import importlib.util, sys, time
from pathlib import Path
spec = importlib.util.spec_from_file_location("lock", sys.argv[1])
lock = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lock)
held = lock.take(Path(sys.argv[2]))
print("held", flush=True)
time.sleep(60)
"""


@contextmanager
def another(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs in the folder."""
    call = [sys.executable, "-c", HOLDER, str(_lock.__file__), str(folder)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()
