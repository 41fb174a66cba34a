"""An example of a program as a picture: its streams above each other, tick by tick."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

from snakebird.report import _figures as fig
from snakebird.synthesis.programs import Example, Examples

_TICKS, _STREAMS, _TOKENS = 32, 6, 12
"""How many ticks are drawn, how many streams, and of how many different tokens."""


def draw_example(examples: Examples) -> Figure | None:
    """The longest example that can be drawn whole, or the start of a longer one.

    Inputs are blue, outputs orange; streams of trees are left out. None where nothing is left.
    """
    one = chosen(examples)
    streams = {name: list(v)[:_TICKS] for name, v in {**one.inputs, **one.outputs}.items()}
    drawn = {name: v for name, v in streams.items() if _are_numbers(v) or _are_tokens(v)}
    drawn = dict(list(drawn.items())[:_STREAMS])
    if not drawn:
        return None
    figure, all_axes = fig.panels(len(drawn), across=1, size=(8.6, 1.45))
    last = max(len(values) for values in drawn.values())
    for (name, values), axes in zip(drawn.items(), all_axes, strict=True):
        ink = fig.MODEL if name in one.inputs else fig.LAW
        role = "input" if name in one.inputs else "output"
        (_draw_numbers if _are_numbers(values) else _draw_tokens)(axes, name, values, ink)
        axes.set(title=f"{role} {name}", xlim=(-0.6, last - 0.4), xlabel="tick")
        axes.set_ylabel("")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def chosen(examples: Examples) -> Example:
    """The example that is drawn."""
    short = [one for one in examples.items if one.ticks <= _TICKS]
    return max(short, key=lambda one: one.ticks) if short else examples.items[0]


def _are_numbers(values: Sequence[Any]) -> bool:
    own = [value for value in values if value is not None]
    return bool(own) and all(isinstance(value, int | float | Fraction) for value in own)


def _are_tokens(values: Sequence[Any]) -> bool:
    own = [value for value in values if value is not None]
    few = bool(own) and all(isinstance(value, str) for value in own)
    return few and len(set(own)) <= _TOKENS


def _draw_numbers(axes: Axes, name: str, values: Sequence[Any], ink: str) -> None:
    heights = np.array([np.nan if value is None else float(value) for value in values])
    ticks = np.arange(len(heights))
    axes.step(ticks, heights, where="mid", color=ink, lw=1, alpha=0.5)
    axes.plot(ticks, heights, "o", ms=4, color=ink, label=f"_{name}")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=bool(np.all(heights % 1 == 0))))
    axes.margins(y=0.15)


def _draw_tokens(axes: Axes, name: str, values: Sequence[Any], ink: str) -> None:
    known = sorted({value for value in values if value is not None})
    places = [(tick, known.index(value)) for tick, value in enumerate(values) if value is not None]
    ticks, heights = zip(*places, strict=True)
    axes.plot(ticks, heights, "s", ms=4, color=ink, label=f"_{name}")
    shown = [value if value.isprintable() and value.strip() else repr(value) for value in known]
    axes.yaxis.set_major_locator(FixedLocator(range(len(known))))
    axes.yaxis.set_major_formatter(FixedFormatter([text.replace("$", "\\$") for text in shown]))
    axes.set_ylim(-0.6, len(known) - 0.4)
