"""A folder beside a search: what was asked, what went on, and what another run goes on from.

* `config.json` and `examples.jsonl`: what was asked;
* `history.jsonl`: a line for everything that who looks on is told;
* `best.json`: the shortest program so far, a machine file;
* `checkpoint.json`: what the search knows.
"""

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from snakebird.errors import InputError, MachineError
from snakebird.machines import Machine, save, to_source
from snakebird.synthesis.programs._checkpoint import Progress, Writer, read
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._found import Look

CONFIG, HISTORY, CHECKPOINT, BEST = "config.json", "history.jsonl", "checkpoint.json", "best.json"
EXAMPLES = ("examples.jsonl", "examples.csv")
"""A table holds fractions, which JSON cannot."""

_PACKAGES = ("snakebird", "jax", "equinox", "numpy")


@dataclass(eq=False)
class RunFolder:
    """Keeps what a search does; every file is whole at any time.

    `question` tells what was asked from all else that may be asked.
    """

    path: Path
    question: str
    shortest: int | None = None
    _writer: Writer = field(default_factory=Writer)

    @classmethod
    def begin(cls, path: Path, examples: Examples, asked: Mapping[str, Any]) -> "RunFolder":
        """A folder for a new search; what an old one kept in it goes.

        `asked` has the options by name. Raises `InputError` for a folder that cannot be written.
        """
        folder = cls(path, question_of(examples, asked))
        with _writing(path):
            path.mkdir(parents=True, exist_ok=True)
            for old in (HISTORY, CHECKPOINT, BEST, *EXAMPLES):
                (path / old).unlink(missing_ok=True)
            _copy(examples, path)
        folder._configure(examples, asked)
        folder.save(Progress())
        return folder

    @classmethod
    def resume(
        cls, path: Path, examples: Examples, asked: Mapping[str, Any]
    ) -> tuple["RunFolder", Progress]:
        """The folder of a search that was cut, and what that one knew.

        Raises `InputError` where there is none or where something else was asked, and
        `FileFormatError` for a checkpoint that cannot be read.
        """
        folder, file = cls(path, question_of(examples, asked)), path / CHECKPOINT
        if not file.is_file():
            hint = "leave out resume to begin anew"
            raise InputError("there is no checkpoint", str(file), hint)
        question, known = read(file.read_text("utf-8", "replace"), str(file))
        if question != folder.question:
            raise InputError(
                "the checkpoint belongs to other examples or other options",
                str(file),
                "give the same ones, or another folder",
            )
        folder.shortest = min((len(machine.links) for machine in known.verified), default=None)
        folder._configure(examples, asked)
        folder._mend_history()
        return folder, known

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
        write_json(self.path / CONFIG, config)

    def _mend_history(self) -> None:
        """Leave out a last line that was cut in the middle."""
        file = self.path / HISTORY
        if file.is_file():
            text = file.read_text("utf-8", "replace")
            write_text(file, text[: text.rfind("\n") + 1])

    def looking(self, look: Look, clock: Callable[[], float]) -> Look:
        """A note of everything before it is told; `clock` gives seconds."""

        def both(stage: str, known: dict[str, Any]) -> None:
            self.note(stage, known, clock())
            look(stage, known)

        return both

    def note(self, stage: str, known: Mapping[str, Any], seconds: float) -> None:
        """A line of the history; a verified program that is the shortest so far is kept."""
        entry: dict[str, Any] = {"time": round(seconds, 3), "stage": stage}
        entry |= {name: _shown(value) for name, value in known.items()}
        with _writing(self.path), (self.path / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        if stage == "verified" and (self.shortest is None or known["links"] < self.shortest):
            self.shortest = known["links"]
            with suppress(MachineError), _writing(self.path):
                save(known["machine"], self.path / BEST)

    def save(self, progress: Progress) -> None:
        """Write what the search knows."""
        write_text(self.path / CHECKPOINT, self._writer.text(progress, self.question))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"cannot write here: {error.strerror}"
        raise InputError(what, str(path), "choose another folder") from None


def write_text(path: Path, text: str) -> None:
    """Write a file beside and move it, so that there is always a whole one.

    Raises `InputError` where it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with _writing(path):
        try:
            draft.write_text(text, "utf-8", newline="\n")
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a file of JSON, as `write_text` does."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


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
        draft = folder / f".{os.getpid()}-{name}"
        with suppress(InputError):
            examples.write(draft)
            os.replace(draft, folder / name)
            return


def _shown(value: Any) -> Any:
    """Something as JSON: machines as source, functions by name, what is no number as text."""
    if isinstance(value, Machine):
        return to_source(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [_shown(one) for one in value]
    return getattr(value, "__qualname__", None) or str(value)
