"""How the folder of a long run is kept: one run at a time, its history, and sealed checkpoints.

A checkpoint is written beside and moved, and the one that stood there stays as the one before. Its
seal, a checksum of all of it, tells a whole one from one that was cut or garbled: then the one
before is gone on from. The history is written before the checkpoint that counts its lines.

What cannot be written while a run goes on is said once and tried again at the next checkpoint;
the run itself, and what it gives, does not depend on its folder.
"""

import hashlib
import io
import os
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from snakebird.errors import SnakebirdError
from snakebird.fitting import _lock

HISTORY = "history.jsonl"
ANEW = "leave out resume to begin anew"

_HEAD, _TAIL = b'{"sha256": "', b'", '
_DIGITS = 64

T = TypeVar("T")


class FolderWarning(UserWarning):
    """Something is wrong with the folder of a run, and the run goes on all the same."""


@dataclass(eq=False)
class Keeper:
    """Keeps the folder of a run; errors are of the kind `error`."""

    folder: Path
    error: type[SnakebirdError]
    lines: int = 0
    _lock: BinaryIO | None = None
    _waiting: list[bytes] = field(default_factory=list)
    _length: int = 0
    _silent: bool = False

    @classmethod
    def begin(cls, folder: Path, error: type[SnakebirdError], *stale: str) -> "Keeper":
        """A folder for a new run; files of an old one, named by patterns, go.

        Raises the error for a folder that cannot be written and for one that another run holds.
        """
        keeper = cls(folder, error)
        with keeper.writing():
            folder.mkdir(parents=True, exist_ok=True)
        keeper._take()
        try:
            with keeper.writing():
                for pattern in (HISTORY, *stale):
                    for old in folder.glob(pattern):
                        old.unlink(missing_ok=True)
        except BaseException:
            keeper.close()
            raise
        return keeper

    @classmethod
    def resume(cls, folder: Path, error: type[SnakebirdError], name: str) -> tuple["Keeper", bytes]:
        """The folder of a run that was cut, and its newest whole checkpoint.

        Raises the error where there is none and where another run holds the folder.
        """
        keeper, path = cls(folder, error), folder / name
        if not any(one.exists() for one in (path, before(path))):
            raise error("there is no checkpoint", str(path), ANEW)
        keeper._take()
        try:
            return keeper, keeper._read(path)
        except BaseException:
            keeper.close()
            raise

    def close(self) -> None:
        """Write what waits, and let other runs in."""
        lock, self._lock = self._lock, None
        if lock is not None:
            try:
                self._try(self._append)
            finally:
                _lock.free(lock, self.folder)

    def note(self, line: bytes) -> None:
        """Add a line to the history, which waits for `tell` or for the next checkpoint."""
        self._waiting.append(line + b"\n")
        self.lines += 1

    def tell(self) -> None:
        """Write the lines that wait."""
        self._try(self._append)

    def save(self, name: str, data: bytes, *, first: bool = False) -> None:
        """Keep a checkpoint: the bytes of a JSON object or of an archive.

        Only where the `first` one cannot be written is it an error.
        """

        def both() -> None:
            self._append(sure=True)
            write_whole(self.folder / name, sealed(data), keep=True)

        if first:
            with self.writing():
                both()
        elif self._try(both):
            self._silent = False

    def put(self, name: str, data: bytes) -> None:
        """Write another file of the folder whole."""
        self._try(lambda: write_whole(self.folder / name, data))

    def take_up(self, count: int, read: Callable[[bytes], T]) -> list[T]:
        """The first `count` lines of the history, which ends there now.

        Lines that `read` cannot make sense of are left out.
        """
        path, found = self.folder / HISTORY, []
        with self.writing():
            lines = path.read_bytes().split(b"\n")[:-1][:count] if path.exists() else []
        whole: list[bytes] = []
        for line in lines:
            with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
                found.append(read(line))
                whole.append(line + b"\n")
        self.lines, self._length = len(whole), sum(map(len, whole))
        if len(whole) < count:
            _warn(f"{path} has {len(whole)} whole lines of {count}; the others are left out")
        with self.writing():
            if whole and len(whole) < len(lines):
                write_whole(path, b"".join(whole))
            elif path.exists():
                os.truncate(path, self._length)
        return found

    @contextmanager
    def writing(self) -> Iterator[None]:
        """What the system refuses is an error in three parts."""
        try:
            yield
        except OSError as error:
            what = f"cannot write here: {error.strerror or error}"
            raise self.error(what, str(self.folder), "choose another folder") from None

    def _take(self) -> None:
        try:
            with self.writing():
                self._lock = _lock.take(self.folder)
        except _lock.TakenError as taken:
            raise self.error(
                f"another run is using this folder: {taken}",
                str(self.folder),
                "wait until it is done, end it, or choose another folder",
            ) from None

    def _read(self, path: Path) -> bytes:
        """The newest whole checkpoint; where it is the one before, that one takes its place."""
        cut = path.exists()
        for one in (path, before(path)):
            data = _unsealed_file(one)
            if data is not None:
                if one != path:
                    with suppress(OSError):
                        os.replace(one, path)
                    if cut:
                        _warn(f"{path} is not whole; going on from the checkpoint before it")
                return data
        raise self.error("this is no whole checkpoint", str(path), ANEW)

    def _append(self, *, sure: bool = False) -> None:
        """Write the lines that wait behind those that are whole."""
        if self._waiting:
            text = b"".join(self._waiting)
            with open(self.folder / HISTORY, "ab") as file:
                file.truncate(min(self._length, file.tell()))
                file.write(text)
                file.flush()
                if sure:
                    os.fsync(file.fileno())
            self._length += len(text)
            self._waiting.clear()

    def _try(self, write: Callable[[], Any]) -> bool:
        """Whether something could be written; where it could not, that is said once."""
        try:
            write()
        except OSError as error:
            if not self._silent:
                self._silent = True
                _warn(
                    f"cannot write in {self.folder}: {error.strerror or error}; the run goes on, "
                    "and what stands there is as old as the last checkpoint"
                )
            return False
        return True


def before(path: Path) -> Path:
    """Where the checkpoint before stands.

    >>> before(Path("run/checkpoint.npz")).name
    'checkpoint.before.npz'
    """
    return path.with_suffix(f".before{path.suffix}")


def write_whole(path: Path, data: bytes, *, keep: bool = False) -> None:
    """Write a file beside and move it, so that there is always a whole one.

    With `keep`, what stood there becomes the one before. Raises `OSError`; then all is as it was.
    """
    draft = path.with_name(f".{path.name}.tmp")
    try:
        with open(draft, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        keep = keep and path.exists()
        if keep:
            os.replace(path, before(path))
        try:
            os.replace(draft, path)
        except OSError:
            if keep:
                os.replace(before(path), path)
            raise
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def archive(arrays: Mapping[str, Any]) -> bytes:
    """Arrays as `np.savez` keeps them; equal ones give equal bytes, whatever the clock says.

    >>> with np.load(io.BytesIO(archive({"x": [1, 2]}))) as file:
    ...     file["x"].tolist()
    [1, 2]
    """
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as file:
        for name, value in arrays.items():
            one = io.BytesIO()
            np.lib.format.write_array(one, np.asanyarray(value), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), one.getvalue())
    return kept.getvalue()


def arrays_of(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an archive; raises `ValueError` for anything else, objects included.

    It is read from memory, since of a garbled file NumPy leaves one open.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return dict(file)
    except Exception as error:  # NumPy and zipfile run into a dozen kinds
        raise ValueError("this is no archive of arrays") from error


def sealed(data: bytes) -> bytes:
    """A JSON object or an archive with a checksum of all of it, still JSON or an archive.

    >>> unsealed(sealed(b'{"a": 1}')), unsealed(sealed(b'{"a": 1}')[:-1])
    (b'{"a": 1}', None)
    """
    if data.startswith(b"{"):
        return _HEAD + _digest(data) + _TAIL + data[1:]
    # An archive ends in the length of its comment, and the comment.
    data = data[:-2] + struct.pack("<H", _DIGITS)
    return data + _digest(data)


def unsealed(data: bytes) -> bytes | None:
    """What was sealed; None where a single bit is not as it was."""
    head = len(_HEAD) + _DIGITS + len(_TAIL)
    if data.startswith(b"{"):
        rest = b"{" + data[head:]
        return rest if sealed(rest) == data else None
    whole = len(data) > _DIGITS and sealed(data[:-_DIGITS]) == data
    return data if whole else None


def _unsealed_file(path: Path) -> bytes | None:
    try:
        return unsealed(path.read_bytes())
    except OSError:
        return None


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


def _warn(text: str) -> None:
    warnings.warn(text, FolderWarning, stacklevel=2)
