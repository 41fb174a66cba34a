"""How a search goes, on stderr: plain lines, and on a terminal what goes on and the best so far."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from snakebird.cli._long import clock

_PAUSE = 1.0
"""Plain lines of one stage come at most once in so many seconds."""

_STAYS = ("method", "resume", "rejected")
"""Stages that a terminal keeps a line of, too."""

_MOST = 24
"""So many lines of a program are shown."""


@dataclass(eq=False)
class Watch:
    """Sees every stage: what goes on, and the shortest program so far."""

    budget: float
    console: Console
    began: float = field(default_factory=time.monotonic)
    now: str = "starting"
    links: int | None = None
    best: str = ""
    _told: dict[str, float] = field(default_factory=dict)

    @property
    def elapsed(self) -> float:
        """Seconds, those of earlier runs too."""
        return time.monotonic() - self.began

    def see(self, stage: str, known: Mapping[str, Any]) -> None:
        """Note what is known at a stage, and say it where it is worth a line."""
        if stage == "resume":
            self.began -= known["seconds"]
        self.now = described(stage, known)
        if stage == "verified" and (self.links is None or known["links"] < self.links):
            self.links = known["links"]
            self.best = short_source(known["machine"])
            self._tell(self.best)
        elif stage in _STAYS or (not self.console.is_terminal and self._is_due(stage)):
            self._tell()

    def _is_due(self, stage: str) -> bool:
        last = self._told.get(stage, -_PAUSE)
        if time.monotonic() - last < _PAUSE:
            return False
        self._told[stage] = time.monotonic()
        return True

    def _tell(self, source: str = "") -> None:
        clocked = f"  {self.now}  {clock(self.elapsed, self.budget)}"
        text = "\n".join([clocked, *(f"    {line}" for line in source.splitlines())])
        self.console.print(text, soft_wrap=True, markup=False)

    def drawn(self, spinner: Spinner) -> RenderableType:
        """What a terminal shows below the lines that stay."""
        best = f"best so far: {_links(self.links)}" if self.links else "no exact program yet"
        left = clock(self.elapsed, self.budget)
        line = Text(f"{left}  {self.now}", no_wrap=True, overflow="ellipsis")
        spinner.update(text=line)
        return Group(spinner, Text(f"  {best}"))


@contextmanager
def watching(budget: float) -> Iterator[Watch]:
    """A watch, live where there is a terminal."""
    watch = Watch(budget, Console(stderr=True, highlight=False))
    if not watch.console.is_terminal:
        yield watch
        return
    spinner = Spinner("dots")
    show = lambda: watch.drawn(spinner)
    with Live(get_renderable=show, console=watch.console, transient=True, refresh_per_second=4):
        yield watch


def described(stage: str, known: Mapping[str, Any]) -> str:
    """A stage in a line.

    >>> described("grow", {"way": "outputs fed back", "level": 1, "unexplained": 0.0625})
    'grow: outputs fed back, level 1, unexplained 6.25%'
    >>> described("train", {"seconds": 2.5, "round": 0, "loss": 0.12345})
    'train: round 0, loss 0.1235'
    """
    if stage == "method":
        return f"trying {known['method']}"
    if stage == "resume":
        return f"going on, with {known['verified']} programs and {known['rejected']} that failed"
    if stage == "verified":
        return f"verified: a program of {_links(known['links'])}"
    if stage == "rejected":
        return f"rejected: {_links(len(known['machine'].links))}; fails at {known['failure']}"
    parts = [_part(name, value) for name, value in known.items() if name != "seconds"]
    return f"{stage}: {', '.join(part for part in parts if part)}"


def _links(count: int) -> str:
    return "1 link" if count == 1 else f"{count} links"


def _part(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{name} {value:.2%}" if name == "unexplained" else f"{name} {value:.4g}"
    return f"{name} {value}" if isinstance(value, int) else ""


def short_source(machine: Any) -> str:
    """The lines of a program that say what it does.

    >>> from snakebird import Machine
    >>> links = ["n.timer <- n.timer", "output.y <- n.timer"]
    >>> print(short_source(Machine({"n": "timer", "output": "output"}, links, name="count")))
    def count():
        n = sb.timer(loops=False)
        n.feed(timer=n)
        return {"y": n}
    """
    from snakebird.machines import to_source

    source = to_source(machine)
    lines = [line for line in source.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("import ", "@"))]
    return "\n".join([*lines[:_MOST], *(["..."] if len(lines) > _MOST else [])])
