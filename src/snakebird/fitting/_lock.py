"""One run a folder: a lock that the system frees when its process ends, however it ends."""

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

FILE = ".lock"
_FAR = 1 << 30
"""Where Windows locks a byte, which nobody may read then: beyond what stands in the file."""


class TakenError(Exception):
    """Another run holds the lock; its text names the process."""


def take(folder: Path) -> BinaryIO:
    """The lock of a folder, held until `free`; raises `TakenError`, and `OSError` for no place.

    Where the file system knows no locks, a run goes without.
    """
    path = folder / FILE
    while True:
        file = path.open("a+b")
        try:
            _hold(file)
            if _stands(file, path):
                file.truncate(0)
                file.write(f"{os.getpid()} {platform.node()}".encode())
                file.flush()
                return file
        except BaseException:
            _close(file)
            raise
        file.close()


def free(file: BinaryIO, folder: Path) -> None:
    """Let others in; the file goes first, as long as nobody else can hold it."""
    try:
        (folder / FILE).unlink(missing_ok=True)
    except OSError:  # Windows keeps what is open; read-only folders keep everything
        pass
    finally:
        _close(file)


def _close(file: BinaryIO) -> None:
    with suppress(OSError):  # a full disk has no place for the name of the process
        file.close()


def _hold(file: BinaryIO) -> None:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise TakenError(_holder(file)) from None
    except (OSError, ImportError):
        pass


def _stands(file: BinaryIO, path: Path) -> bool:
    """Whether it is still the file in the folder: its last holder may just have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _holder(file: BinaryIO) -> str:
    file.seek(0)
    number, _, node = file.read(300).decode("utf-8", "replace").partition(" ")
    if not number.isdigit():
        return "another process"
    return f"process {number}" + (f" on {node}" if node not in ("", platform.node()) else "")
