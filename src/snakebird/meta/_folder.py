"""A folder beside an outer run: its history, and a checkpoint that another run goes on from.

The checkpoint is an archive of plain arrays, the history a line of JSON an outer step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np

from snakebird.errors import FitError
from snakebird.fitting._keeping import ANEW, Keeper, archive, arrays_of
from snakebird.fitting._watch import fingerprint

CHECKPOINT = "checkpoint.npz"
_OTHER = "this is no checkpoint of an outer run"


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
    keeper: Keeper | None = None

    def begin(self, state: Any) -> None:
        """Make room for a new run; what an old one kept goes."""
        if self.path is not None:
            self.keeper = Keeper.begin(self.path, FitError, "checkpoint*.npz")
            self.keeper.save(CHECKPOINT, self._archive(0, state), first=True)

    def note(self, step: Step) -> None:
        """Keep a step in mind until the next checkpoint."""
        if self.keeper is not None:
            self.keeper.note(msgspec.json.encode(step))

    def save(self, following: int, state: Any) -> None:
        """Write down the steps since the last time, and where the run stands."""
        if self.keeper is not None:
            self.keeper.save(CHECKPOINT, self._archive(following, state))

    def load(self, state: Any) -> tuple[int, Any, list[Step]]:
        """The step that comes next, the state, and the history so far.

        Raises `FitError` where there is nothing to go on from, or it belongs to another run.
        """
        if self.path is None:
            raise FitError("there is no folder to resume from", "fit", "give out= as well")
        self.keeper, data = Keeper.resume(self.path, FitError, CHECKPOINT)
        file = self.path / CHECKPOINT
        own, following, lines, arrays = read(data, str(file))
        if own != self.mark:
            raise FitError(
                "the checkpoint belongs to another rule, other tasks or other options",
                str(file),
                "give the same ones, or another folder",
            )
        leaves, tree = jax.tree.flatten(state)
        try:
            back = [_restored(arrays[f"leaf{k}"], leaf) for k, leaf in enumerate(leaves)]
        except (ValueError, TypeError, KeyError):
            raise FitError(_OTHER, str(file), ANEW) from None
        return following, tree.unflatten(back), self.keeper.take_up(lines, _step)

    def close(self) -> None:
        """Let other runs in."""
        if self.keeper is not None:
            self.keeper.close()

    def _archive(self, following: int, state: Any) -> bytes:
        assert self.keeper is not None
        leaves = {f"leaf{k}": _plain(x) for k, x in enumerate(jax.tree.leaves(state))}
        about = {"following": following, "lines": self.keeper.lines, "mark": self.mark}
        return archive(about | leaves)


def read(data: bytes, where: str) -> tuple[str, int, int, dict[str, np.ndarray]]:
    """The mark of a checkpoint, the step that comes next, the lines of history, the arrays.

    Raises `FitError` for what is none.
    """
    try:
        arrays = arrays_of(data)
        numbers = int(arrays["following"]), int(arrays["lines"])
        return str(arrays["mark"]), *numbers, arrays
    except (ValueError, TypeError, KeyError, OverflowError):
        raise FitError(_OTHER, where, ANEW) from None


def _step(line: bytes) -> Step:
    return msgspec.json.decode(line, type=Step)


def mark_of(tree: Any, options: Sequence[Any]) -> str:
    """A short text that differs where the arrays of a tree or the options do."""
    return fingerprint(options, jax.tree.structure(tree), *map(_plain, jax.tree.leaves(tree)))


def _plain(leaf: Any) -> np.ndarray:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def _restored(kept: np.ndarray, leaf: Any) -> Any:
    if kept.shape != _plain(leaf).shape:
        raise ValueError
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(kept), impl=jax.random.key_impl(leaf))
    return jnp.asarray(kept, leaf.dtype)
