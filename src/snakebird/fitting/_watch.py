"""What goes on around a long fit: progress, a budget, interrupts, the history and checkpoints."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from snakebird.errors import FitError
from snakebird.fitting._interrupts import interrupts
from snakebird.fitting._train import Rows, Step

CHECKPOINT, HISTORY = "checkpoint.npz", "history.jsonl"


@dataclass(eq=False)
class Watch:
    """Sees every round. With a folder, a fit that is cut short can be taken up again."""

    progress: Callable[[Step], None] | None = None
    budget: float | None = None
    folder: Path | None = None
    resume: bool = False
    history: list[Step] = field(default_factory=list)
    stopped: str = ""
    mark: str = ""
    attempt: int = 1
    _begun: float = field(default_factory=time.monotonic)

    def after(self, step: Step, rows: Rows) -> bool:
        """Note a round; False where it should be the last."""
        if self.folder is not None:
            _save(self._checkpoint, step, rows, self.mark)
        self.note(step)
        if self.budget is not None and time.monotonic() - self._begun > self.budget:
            self.stopped = self.stopped or f"the budget of {self.budget:g} s is spent"
        return not self.stopped

    def note(self, step: Step) -> None:
        """Tell the history and whoever looks on."""
        self.history.append(step)
        if self.folder is not None:
            with open(self.folder / HISTORY, "a", encoding="utf-8") as file:
                file.write(json.dumps(step._asdict()) + "\n")
        if self.progress is not None:
            self.progress(step)

    def saved(self, stages: Sequence[str]) -> tuple[str, int, Rows] | None:
        """Where this pass's checkpoint stands: its stage, the round that comes next, the rows.

        The round is -1 where no more is to come in that stage.
        """
        if not self.resume or self.folder is None:
            return None
        path = self._checkpoint
        if not path.exists():
            if self.attempt > 1:
                return None
            raise FitError("there is no checkpoint", str(path), "leave out resume to begin anew")
        with np.load(path) as file:
            if str(file["mark"]) != self.mark or str(file["stage"]) not in stages:
                raise FitError(
                    "the checkpoint belongs to another model, other data or other options",
                    str(path),
                    "give the same ones, or another folder",
                )
            rows = Rows(*(jnp.asarray(file[name]) for name in Rows._fields))
            following = -1 if file["last"] else int(file["round"]) + 1
            return str(file["stage"]), following, rows

    @property
    def _checkpoint(self) -> Path:
        """Each pass through the stages has a checkpoint of its own."""
        assert self.folder is not None
        return self.folder / (CHECKPOINT if self.attempt == 1 else f"checkpoint-{self.attempt}.npz")

    def begin(self, *parts: Any) -> None:
        """Tell this fit from others, and keep what an earlier run noted only if it goes on."""
        self.mark = fingerprint(*parts)
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / HISTORY
        if not self.resume:
            for old in (path, *self.folder.glob("checkpoint*.npz")):
                old.unlink(missing_ok=True)
        elif path.exists():
            lines = path.read_text(encoding="utf-8").splitlines()
            self.history = [_step(json.loads(line)) for line in lines]

    def catching(self) -> contextlib.AbstractContextManager[None]:
        """SIGINT and SIGTERM end the training after the round that is running."""

        def asked(name: str) -> None:
            self.stopped = f"interrupted by {name}"

        return interrupts(asked)


def fingerprint(*parts: Any) -> str:
    """A short text that differs where any of the parts does."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()[:16]


def _step(entry: dict[str, Any]) -> Step:
    return Step(**{**entry, "sizes": tuple(entry["sizes"])})


def _save(path: Path, step: Step, rows: Rows, mark: str) -> None:
    """Written beside and moved, so that there is always a whole one."""
    beside = path.with_suffix(".tmp.npz")
    arrays: Any = {name: np.asarray(value) for name, value in rows._asdict().items()}
    np.savez(beside, stage=step.stage, round=step.round, last=step.last, mark=mark, **arrays)
    os.replace(beside, path)
