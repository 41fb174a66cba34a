"""What `snakebird synthesize` is told; checked and said before anything slow is imported."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from snakebird.cli._long import seconds_of, tell
from snakebird.errors import InputError, suggest

NAME = "snakebird synthesize"
KINDS = (".jsonl", ".csv", ".py")
"""Files of examples, and those that make them."""

_GIVE = "give a .jsonl or .csv file, or a .py file that defines examples"


class Asked(NamedTuple):
    """What the command was told."""

    examples: Path
    out: Path
    budget: str
    starts: int
    seed: int
    methods: str | None
    tolerance: float | None
    latency: int | None
    resume: bool

    def check(self) -> None:
        """Raise `InputError` for what can be seen to be wrong before the file is read."""
        seconds_of(self.budget, NAME)
        if self.starts < 2:
            raise InputError(f"--starts {self.starts}", NAME, "give two starts or more")
        if self.seed < 0:
            raise InputError(f"--seed {self.seed}", NAME, "give 0 or a larger number")
        if self.tolerance is not None and not 0 <= self.tolerance < float("inf"):
            raise InputError(f"--tolerance {self.tolerance}", NAME, "write --tolerance 0.001")
        if self.latency is not None and self.latency < 0:
            raise InputError(f"--latency {self.latency}", NAME, "give a number of ticks")
        _check_file(self.examples)

    @property
    def options(self) -> dict[str, Any]:
        """The options of `synthesize` that the command says."""
        methods = self.methods and tuple(self.methods.replace(" ", "").split(","))
        return {
            "methods": methods,
            "starts": self.starts,
            "seed": self.seed,
            "out": self.out,
            "resume": self.resume,
        }

    def again(self, *, budget: str | None = None) -> str:
        """The line to type to go on."""
        options = {
            "--out": self.out,
            "--budget": budget or self.budget,
            "--starts": self.starts,
            "--seed": self.seed,
            "--methods": self.methods,
            "--tolerance": self.tolerance,
            "--latency": self.latency,
        }
        given = [str(w) for pair in options.items() if pair[1] is not None for w in pair]
        return shlex.join([*NAME.split(), str(self.examples), *given, "--resume"])


def _check_file(path: Path) -> None:
    if not path.is_file():
        what = "this is a folder" if path.is_dir() else "no such file"
        beside = path.parent.iterdir() if path.parent.is_dir() else ()
        near = [other.name for other in beside if other.suffix.lower() in KINDS]
        raise InputError(what, str(path), suggest(path.name, near) if near else _GIVE)
    if path.suffix.lower() not in KINDS:
        raise InputError(f"{path.suffix!r} is no file of examples", str(path), _GIVE)


@contextmanager
def said(line: str) -> Iterator[None]:
    """Say what takes a moment; on a terminal the line goes when it is over."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        with console.status(line):
            yield
    else:
        tell(f"  {line}")
        yield
