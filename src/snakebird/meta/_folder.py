"""A folder beside an outer run: its history, and a checkpoint that another run goes on from.

The checkpoint is an npz of plain arrays, the history a line of JSON an outer step. Each file is
written beside and moved, so that there is always a whole one.
"""

import io
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np

from snakebird.errors import FitError
from snakebird.fitting._watch import fingerprint

CHECKPOINT, HISTORY = "checkpoint.npz", "history.jsonl"


class Step(msgspec.Struct, frozen=True):
    """One outer step: the mean loss over its tasks, the length of the gradient, what diverged.

    `diverged` has pairs of a task's number in the batch and the tick; the tick is -2 where only
    the gradient was no number.
    """

    step: int
    loss: float | None
    gradient: float
    diverged: list[tuple[int, int]] = []


@dataclass
class Folder:
    """Where a run keeps what it would need to go on; `None` keeps nothing."""

    path: Path | None
    mark: str
    waiting: list[Step] = field(default_factory=list)

    def begin(self) -> None:
        """Make room for a new run; what an old one kept goes."""
        if self.path is None:
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name in (CHECKPOINT, HISTORY):
                (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            what = f"cannot write here: {error.strerror}"
            raise FitError(what, str(self.path), "choose another folder") from None

    def save(self, following: int, state: Any) -> None:
        """Write down the steps since the last time, and where the run stands."""
        if self.path is None:
            return
        with open(self.path / HISTORY, "ab") as file:
            file.write(b"".join(msgspec.json.encode(step) + b"\n" for step in self.waiting))
        self.waiting.clear()
        beside = self.path / f".{CHECKPOINT}.{os.getpid()}.tmp"
        with open(beside, "wb") as file:
            leaves: Any = {f"leaf{k}": _plain(x) for k, x in enumerate(jax.tree.leaves(state))}
            np.savez(file, following=following, mark=self.mark, **leaves)
        os.replace(beside, self.path / CHECKPOINT)

    def load(self, state: Any) -> tuple[int, Any, list[Step]]:
        """The step that comes next, the state, and the history so far.

        Raises `FitError` where there is nothing to go on from, or it belongs to another run.
        """
        if self.path is None:
            raise FitError("there is no folder to resume from", "fit", "give out= as well")
        file = self.path / CHECKPOINT
        if not file.exists():
            raise FitError("there is no checkpoint", str(file), "leave out resume to begin anew")
        try:
            # From memory: where an archive is garbled, numpy leaves a file it opened open.
            with np.load(io.BytesIO(file.read_bytes())) as kept:
                arrays = dict(kept)
            own, following = str(arrays["mark"]), int(arrays["following"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            what = "this is no whole checkpoint"
            raise FitError(what, str(file), "leave out resume to begin anew") from None
        if own != self.mark:
            raise FitError(
                "the checkpoint belongs to another rule, other tasks or other options",
                str(file),
                "give the same ones, or another folder",
            )
        leaves, tree = jax.tree.flatten(state)
        back = [_restored(arrays[f"leaf{k}"], leaf) for k, leaf in enumerate(leaves)]
        return following, tree.unflatten(back), self._mend(following)

    def _mend(self, following: int) -> list[Step]:
        """The history up to the checkpoint; lines that a cut run wrote after it go."""
        assert self.path is not None
        lines = (self.path / HISTORY).read_bytes().splitlines(keepends=True)[:following]
        beside = self.path / f".{HISTORY}.{os.getpid()}.tmp"
        beside.write_bytes(b"".join(lines))
        os.replace(beside, self.path / HISTORY)
        return [msgspec.json.decode(line, type=Step) for line in lines]


def mark_of(tree: Any, options: Sequence[Any]) -> str:
    """A short text that differs where the arrays of a tree or the options do."""
    return fingerprint(options, jax.tree.structure(tree), *map(_plain, jax.tree.leaves(tree)))


def _plain(leaf: Any) -> np.ndarray:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def _restored(kept: np.ndarray, leaf: Any) -> Any:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(kept), impl=jax.random.key_impl(leaf))
    return jnp.asarray(kept, leaf.dtype)
