"""How the search for a program went, from the folder beside it, if that is there."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from snakebird.report import _figures as fig
from snakebird.synthesis.programs import Found

_CONFIG, _HISTORY = "config.json", "history.jsonl"


class Search(NamedTuple):
    """What was asked of a search, and what it noted: `time`, `stage` and more, in order."""

    settings: Mapping[str, Any]
    steps: tuple[dict[str, Any], ...]


def search_folder(folder: Path, found: Found) -> Search:
    """What a folder tells of the search for a program; nothing where it belongs to another one."""
    try:
        settings = json.loads((folder / _CONFIG).read_text("utf-8"))
        lines = (folder / _HISTORY).read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return Search({}, ())
    if not isinstance(settings, dict) or not _is_of(settings, found):
        return Search({}, ())
    return Search(settings, tuple(_steps(lines)))


def _is_of(settings: dict[str, Any], found: Found) -> bool:
    about = found.evidence.seed, len(found.examples), dict(found.examples.streams)
    return (settings.get("seed"), settings.get("examples"), settings.get("streams")) == about


def _steps(lines: list[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            step = json.loads(line)
        except ValueError:
            continue  # a line that was cut by an interrupt
        if isinstance(step, dict) and isinstance(step.get("time"), int | float):
            yield step


def draw_search(search: Search, seconds: float) -> Figure | None:
    """The length of the shortest verified program over time, the methods marked.

    None where no program was verified, or nothing was noted.
    """
    verified = [(s["time"], s["links"]) for s in search.steps if s.get("stage") == "verified"]
    if not verified:
        return None
    figure, (axes,) = fig.panels(1, size=(6.4, 2.4))
    times, links = zip(*verified, strict=True)
    end = max(seconds, times[-1]) * 1.02
    best = [min(links[: k + 1]) for k in range(len(links))]
    axes.step([*times, end], [*best, best[-1]], where="post", color=fig.MODEL, lw=1.5)
    axes.plot(times, links, "o", ms=5, color=fig.MODEL, label="_verified program")
    for number, step in enumerate(s for s in search.steps if s.get("stage") == "method"):
        axes.axvline(step["time"], color="0.8", lw=0.8, zorder=0)
        axes.text(
            step["time"], 0.98 - 0.11 * (number % 4), f" {step.get('method', '')}", color="0.4",
            transform=axes.get_xaxis_transform(), fontsize="small", va="top", clip_on=True,
        )  # fmt: skip
    axes.set(xlabel="seconds", ylabel="links", xlim=(-0.01 * end, end))
    axes.set_ylim(0, max(links) * 1.5)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
