"""A folder beside a search: what was asked, what went on, and what another run goes on from.

* `config.json` and `examples.jsonl`: what was asked;
* `history.jsonl`: a line for everything that who looks on is told;
* `best.json`: the shortest program so far, a machine file;
* `checkpoint.json`: what the search knows.
"""

import json
import platform
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from snakebird.errors import InputError, MachineError
from snakebird.fitting._keeping import Keeper, write_whole
from snakebird.machines import Machine, to_json, to_source
from snakebird.synthesis.programs._checkpoint import Progress, Writer, read
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._found import Look

CONFIG, CHECKPOINT, BEST = "config.json", "checkpoint.json", "best.json"
EXAMPLES = ("examples.jsonl", "examples.csv")
"""A table holds fractions, which JSON cannot."""

_PACKAGES = ("snakebird", "jax", "equinox", "numpy")


@dataclass(eq=False)
class RunFolder:
    """Keeps what a search does; every file is whole at any time.

    `question` tells what was asked from all else that may be asked. While it is `quiet`, nothing
    is added to the history, where it stands already.
    """

    keeper: Keeper
    question: str
    shortest: int | None = None
    quiet: bool = False
    _writer: Writer = field(default_factory=Writer)

    @classmethod
    def begin(cls, path: Path, examples: Examples, asked: Mapping[str, Any]) -> "RunFolder":
        """A folder for a new search; what an old one kept in it goes.

        `asked` has the options by name. Raises `InputError` for a folder that cannot be written
        and for one that another search is using.
        """
        question = question_of(examples, asked)
        keeper = Keeper.begin(path, InputError, "checkpoint*.json", BEST, *EXAMPLES)
        folder = cls(keeper, question)
        try:
            with keeper.writing():
                _copy(examples, path)
                folder._configure(examples, asked)
            keeper.save(CHECKPOINT, folder._text(Progress()), first=True)
        except BaseException:
            keeper.close()
            raise
        return folder

    @classmethod
    def resume(
        cls, path: Path, examples: Examples, asked: Mapping[str, Any]
    ) -> tuple["RunFolder", Progress]:
        """The folder of a search that was cut, and what that one knew.

        Raises `InputError` where there is none or where something else was asked, and
        `FileFormatError` for a checkpoint that cannot be read.
        """
        question, file = question_of(examples, asked), path / CHECKPOINT
        keeper, data = Keeper.resume(path, InputError, CHECKPOINT)
        folder = cls(keeper, question)
        try:
            own, known = read(data.decode("utf-8", "replace"), str(file))
            if own != question:
                raise InputError(
                    "the checkpoint belongs to other examples or other options",
                    str(file),
                    "give the same ones, or another folder",
                )
            with keeper.writing():
                folder._configure(examples, asked)
            keeper.take_up(known.lines, json.loads)
        except BaseException:
            keeper.close()
            raise
        folder.shortest = min((len(machine.links) for machine in known.verified), default=None)
        return folder, known

    def close(self) -> None:
        """Let other searches in."""
        self.keeper.close()

    def _configure(self, examples: Examples, asked: Mapping[str, Any]) -> None:
        versions = {name: version(name) for name in _PACKAGES}
        config = {
            **{name: _shown(value) for name, value in asked.items()},
            "examples": len(examples),
            "streams": examples.streams,
            "tolerance": str(examples.tolerance),
            "latency": examples.latency,
            "more can be drawn": examples.can_draw,
            "question": self.question,
            "versions": {"python": platform.python_version(), **versions},
        }
        text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
        write_whole(self.keeper.folder / CONFIG, text.encode())

    def looking(self, look: Look, clock: Callable[[], float]) -> Look:
        """A note of everything before it is told; `clock` gives seconds."""

        def both(stage: str, known: dict[str, Any]) -> None:
            self.note(stage, known, clock())
            look(stage, known)

        return both

    def note(self, stage: str, known: Mapping[str, Any], seconds: float) -> None:
        """A line of the history; a verified program that is the shortest so far is kept."""
        if self.quiet:
            return
        entry: dict[str, Any] = {"time": round(seconds, 3), "stage": stage}
        entry |= {name: _shown(value) for name, value in known.items()}
        self.keeper.note(json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace"))
        self.keeper.tell()
        if stage == "verified" and (self.shortest is None or known["links"] < self.shortest):
            self.shortest = known["links"]
            with suppress(MachineError):
                self.keeper.put(BEST, to_json(known["machine"]).encode())

    def save(self, progress: Progress) -> None:
        """Write what the search knows."""
        self.keeper.save(CHECKPOINT, self._text(progress))

    def _text(self, progress: Progress) -> bytes:
        told = replace(progress, lines=self.keeper.lines)
        return self._writer.text(told, self.question).encode()


def question_of(examples: Examples, asked: Mapping[str, Any]) -> str:
    """A short text that differs where examples, their reference or the options differ.

    A longer `budget` is no other question.
    """
    items = [*examples]
    if examples.can_draw:
        items += examples.fresh(9, 3, seed=0, wide=True)
    parts: list[Any] = [(one.inputs, one.outputs) for one in items]
    parts += [str(examples.tolerance), examples.latency]
    parts += [(name, _shown(asked[name])) for name in sorted(asked) if name != "budget"]
    return sha256(repr(parts).encode()).hexdigest()[:16]


def _copy(examples: Examples, folder: Path) -> None:
    """Write the examples, unless no file can hold them: JSON no 1/3, and a table no trees."""
    for name in EXAMPLES:
        draft = folder / f".{name}"
        with suppress(InputError):
            examples.write(draft)
            draft.replace(folder / name)
            return
        draft.unlink(missing_ok=True)


def _shown(value: Any) -> Any:
    """Something as JSON: machines as source, functions by name, what is no number as text."""
    if isinstance(value, Machine):
        return to_source(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [_shown(one) for one in value]
    return getattr(value, "__qualname__", None) or str(value)
