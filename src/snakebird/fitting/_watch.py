"""What goes on around a long fit: progress, a budget, interrupts, the history and checkpoints."""

import contextlib
import hashlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from snakebird.errors import FitError
from snakebird.fitting._interrupts import interrupts
from snakebird.fitting._keeping import ANEW, Keeper, archive, arrays_of
from snakebird.fitting._train import Rows, Step

CHECKPOINT = "checkpoint.npz"
_ASKED = "interrupted: ending after this round; press again to stop at once"


class Place(NamedTuple):
    """Where a pass through the stages stands: its stage, the round that comes next, the rows.

    The round is -1 where no more is to come in that stage; `driven` as in `Batch`.
    """

    stage: str
    following: int
    rows: Rows
    driven: Any = None


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
    keeper: Keeper | None = None
    places: dict[int, Place] = field(default_factory=dict)
    _begun: float = field(default_factory=time.monotonic)

    def after(self, step: Step, rows: Rows, driven: Any = None) -> bool:
        """Note a round; False where it should be the last."""
        following = -1 if step.last else step.round + 1
        self.places[self.attempt] = Place(step.stage, following, rows, driven)
        self.note(step)
        if self.keeper is not None:
            self.keeper.save(CHECKPOINT, self._checkpoint())
        if self.budget is not None and time.monotonic() - self._begun > self.budget:
            self.stopped = self.stopped or f"the budget of {self.budget:g} s is spent"
        return not self.stopped

    def note(self, step: Step) -> None:
        """Tell the history and whoever looks on."""
        self.history.append(step)
        if self.keeper is not None:
            self.keeper.note(json.dumps(step._asdict()).encode())
            self.keeper.tell()
        if self.progress is not None:
            self.progress(step)

    def saved(self) -> Place | None:
        """Where this pass through the stages stood when an earlier run was cut."""
        return self.places.get(self.attempt)

    def begin(self, **parts: Any) -> None:
        """Tell this fit from others, by parts; begin its folder, or take up what a run kept.

        Raises `FitError` for a folder that cannot be written, is used by another run, or, to
        resume, has no whole checkpoint of this fit.
        """
        marks = (f"{name}={fingerprint(*_listed(part))}" for name, part in parts.items())
        self.mark = " ".join(marks)
        if self.folder is None:
            return
        if self.resume:
            self.keeper, data = Keeper.resume(self.folder, FitError, CHECKPOINT)
            self._take_up(self.keeper, data)
        else:
            self.keeper = Keeper.begin(self.folder, FitError, "checkpoint*.npz")
            self.keeper.save(CHECKPOINT, self._checkpoint(), first=True)

    def _take_up(self, keeper: Keeper, data: bytes) -> None:
        path = keeper.folder / CHECKPOINT
        mark, lines, self.places = read(data, str(path))
        if mark != self.mark:
            other = sorted({x.split("=")[0] for x in {*mark.split()} ^ {*self.mark.split()}})
            # A model's units and start values come from the data, what it gives from its args.
            other = ["data"] if "data" in other else other
            if {"model", "args"} & {*other}:
                other = [name for name in other if name != "equation"]
            raise FitError(
                "the checkpoint belongs to a fit with other " + " and ".join(other),
                str(path),
                "give what the run was begun with, leave out resume, or choose another folder",
            )
        self.history = keeper.take_up(lines, _step)

    def _checkpoint(self) -> bytes:
        """Where all passes stand, and how many lines of history led there."""
        assert self.keeper is not None
        arrays: dict[str, Any] = {"mark": self.mark, "lines": self.keeper.lines}
        for attempt, place in self.places.items():
            parts = {"stage": place.stage, "following": place.following, **place.rows._asdict()}
            parts |= {} if place.driven is None else {"driven": place.driven}
            arrays |= {f"{attempt}.{name}": value for name, value in parts.items()}
        return archive(arrays)

    @contextlib.contextmanager
    def catching(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the training after the round that is running, and say so.

        A second one raises `KeyboardInterrupt`; the checkpoint of the last round stays.
        """

        def asked(name: str) -> None:
            self.stopped = f"interrupted by {name}"
            # What is written in the midst of another write is refused; nothing may stop for it.
            with contextlib.suppress(RuntimeError, OSError, ValueError, AttributeError):
                sys.stderr.write(_ASKED + "\n")
                sys.stderr.flush()

        try:
            with interrupts(asked):
                yield
        finally:
            if self.keeper is not None:
                self.keeper.close()


def read(data: bytes, where: str) -> tuple[str, int, dict[int, Place]]:
    """The mark of a checkpoint, its lines of history, and where its passes stand.

    Raises `FitError` for what is none.
    """
    try:
        arrays = arrays_of(data)
        return str(arrays["mark"]), int(arrays["lines"]), _places(arrays)
    except (ValueError, KeyError, TypeError, OverflowError):
        raise FitError("this is no checkpoint of a fit", where, ANEW) from None


def fingerprint(*parts: Any) -> str:
    """A short text that differs where any of the parts does, and is the same in every process."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            # What has no text of its own, such as a function, shows where it stands in memory.
            digest.update(re.sub(r" at 0x[0-9a-fA-F]+", "", repr(part)).encode())
    return digest.hexdigest()[:16]


def _listed(part: Any) -> list[Any]:
    return part if isinstance(part, list) else [part]


def _step(line: bytes) -> Step:
    entry = json.loads(line)
    return Step(**{**entry, "sizes": tuple(entry["sizes"])})


def _places(arrays: dict[str, np.ndarray]) -> dict[int, Place]:
    attempts = sorted({int(name.split(".")[0]) for name in arrays if "." in name})
    found = {}
    for attempt in attempts:
        part = lambda name, at=attempt: arrays[f"{at}.{name}"]
        rows = Rows(*(jnp.asarray(part(name)) for name in Rows._fields))
        driven = arrays.get(f"{attempt}.driven")
        found[attempt] = Place(str(part("stage")), int(part("following")), rows, driven)
    return found
