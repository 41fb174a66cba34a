"""What all pictures of a fit share: colors that everyone can tell apart, panels, legends."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart by color-blind people too (Okabe and Ito, Color Universal Design, 2008)."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MODEL, LAW, TRUTH = COLORS[0], COLORS[1], "0.15"
UNSEEN = "0.93"
"""The gray of a region that no data were in."""
_LEGEND = 8
"""How many experiments a legend names."""


def color(number: int) -> str:
    """The color of one of several."""
    return COLORS[number % len(COLORS)]


def marker(number: int) -> str:
    """The marker of one of several; no pair of color and marker returns before 49 others."""
    return MARKERS[(number + number // len(COLORS)) % len(MARKERS)]


def panels(
    count: int, *, across: int = 3, size: tuple[float, float] = (4.2, 3.0)
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, `across` a row, each of a size in inches."""
    across = min(across, count)
    rows = -(-count // across)
    figure = Figure(figsize=(size[0] * across, size[1] * rows), layout="constrained")
    made = list(figure.subplots(rows, across, squeeze=False).flat)
    for unused in made[count:]:
        unused.remove()
    for axes in made[:count]:
        # Steps of 2.5 have labels too long for a small panel.
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10]))
        axes.spines[["top", "right"]].set_visible(False)
    return figure, made[:count]


def name_experiments(axes: Axes, names: Sequence[str]) -> None:
    """A legend of the first experiments, drawn in `color` and `marker` of their numbers."""
    for number, name in enumerate(names[:_LEGEND]):
        axes.plot([], [], color=color(number), marker=marker(number), markersize=4, label=name)
    if len(names) > _LEGEND:
        axes.plot([], [], " ", label=f"... and {len(names) - _LEGEND} more")
    axes.legend(frameon=False, fontsize="small")


def widened(low: float, high: float, share: float) -> tuple[float, float]:
    """An interval with a share of its length added at both ends; never empty."""
    more = share * (high - low) or 0.5 * max(abs(high), 1e-6)
    return low - more, high + more


def level_range(values: np.ndarray) -> tuple[float, float]:
    """The least and the largest finite value, 0 and 1 where there is none."""
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
