"""Pictures of what a hole has learned, and of the laws that were found for it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from snakebird.equations import holes, resolve
from snakebird.errors import FitError, UnknownNameError, suggest
from snakebird.fitting import Fit
from snakebird.report import _figures as fig
from snakebird.report._solution import Solution, solved, visited_points

_FINE = 60
"""How many points a heat map has to each side."""
_DOT, _EDGE = "#fffffa", "#33332e"
"""Points on a heat map; no grays, which a page turns around in its dark scheme."""
_NAMED = 10
"""How many laws are named beside their points."""

Map = Callable[[np.ndarray], np.ndarray]
"""From inputs [points, inputs] to outputs [points, outputs]."""


def plot_hole(fit: Fit, name: str | None = None, *, law: Any = None) -> Figure:
    """What a hole has learned where the data led it, and a law for it.

    `name` is needed where there are several holes; `law` is a `Law` of the same inputs. With one
    input, a panel an output: the curve, gray and dashed where no data were, the points the data
    visited below. With two, a row an output: heat maps of the hole and of the law, the visited
    points on them. With more, a panel for each output and input: the output while this input
    varies and the others stay at their medians.

    Raises `UnknownNameError` for a hole that is not there, `FitError` where none is looked at.
    """
    return draw_hole(fit, chosen_hole(fit, name), solved(fit), law)


def chosen_hole(fit: Fit, name: str | None) -> str:
    """The name of the hole that is asked for, or the only one there is."""
    known = list(fit.holes)
    if not known:
        raise FitError("the model has no hole", type(fit.model).__name__, "put a Hole into it")
    if name is None and len(known) > 1:
        shown = ", ".join(map(repr, known))
        raise UnknownNameError("the model has several holes", "plot_hole", f"name one of {shown}")
    if name is not None and name not in known:
        raise UnknownNameError(f"no hole is named {name!r}", "plot_hole", suggest(name, known))
    return name if name is not None else known[0]


def draw_hole(fit: Fit, name: str, solution: Solution, law: Any = None) -> Figure:
    """`plot_hole` of a hole and a solution that are known."""
    points = visited_points(fit, solution).get(name, np.empty((0, 1)))
    if not np.isfinite(points).all(1).any():
        raise FitError(
            "the hole is not used along the solution", f"hole {name}", "call it in the model"
        )
    points = points[np.isfinite(points).all(1)]
    maps: list[tuple[str, Map]] = [("hole", _of_hole(fit, name))]
    if law is not None:
        maps.append(("law", _of_law(law)))
    hole = fit.holes[name]
    if len(hole.inputs) == 2:
        return _heat_maps(hole.inputs, hole.outputs, points, maps)
    return _slices(hole.inputs, hole.outputs, points, maps)


def _of_hole(fit: Fit, name: str) -> Map:
    array = jax.vmap(holes(resolve(fit.model))[name].array)

    def outputs(x: np.ndarray) -> np.ndarray:
        with jax.enable_x64(True):
            return np.asarray(array(jnp.asarray(x)))

    return outputs


def _of_law(law: Any) -> Map:
    def outputs(x: np.ndarray) -> np.ndarray:
        with jax.enable_x64(True):
            return np.asarray(law.array(jnp.asarray(x)))

    return outputs


def _slices(
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    points: Float[np.ndarray, "points inputs"],
    maps: list[tuple[str, Map]],
) -> Figure:
    """Each output along each input, the other inputs at their medians."""
    figure, all_axes = fig.panels(len(inputs) * len(outputs))
    for i, given in enumerate(inputs):
        low, high = points[:, i].min(), points[:, i].max()
        line = np.linspace(*fig.widened(low, high, 0.25), 200)
        x = np.tile(np.median(points, axis=0), (len(line), 1))
        x[:, i] = line
        inside = (line >= low) & (line <= high)
        for label, outputs_of in maps:
            y = outputs_of(x)
            for k in range(len(outputs)):
                axes = all_axes[k * len(inputs) + i]
                if label == "hole":
                    _curve(axes, line, y[:, k], inside)
                else:
                    axes.plot(line, y[:, k], color=fig.LAW, ls="--", lw=1.5, label=label)
        for k, out in enumerate(outputs):
            axes = all_axes[k * len(inputs) + i]
            for begin, end in ((line[0], low), (high, line[-1])):
                axes.axvspan(begin, end, color=fig.UNSEEN, lw=0, zorder=0)
            axes.plot(
                points[:, i], np.zeros(len(points)), "|", color=fig.TRUTH, ms=9, alpha=0.4,
                transform=axes.get_xaxis_transform(), clip_on=False,
            )  # fmt: skip
            axes.set(xlabel=given, ylabel=out, xlim=(line[0], line[-1]))
            _limit(axes)
    if len(maps) > 1:
        all_axes[0].legend(frameon=False, fontsize="small")
    return figure


def _curve(axes: Axes, line: np.ndarray, y: np.ndarray, inside: np.ndarray) -> None:
    beyond = np.where(inside, np.nan, y)
    axes.plot(line, beyond, color="0.6", ls=":", lw=1.2, label="_beyond the data")
    axes.plot(line[inside], y[inside], color=fig.MODEL, lw=2, label="hole")


def _limit(axes: Axes) -> None:
    """Show what the hole does where data were; what is beyond may leave the panel."""
    first = next(line for line in axes.lines if line.get_label() == "hole")
    low, high = fig.level_range(np.asarray(first.get_ydata(), float))
    axes.set_ylim(*fig.widened(low, high, 0.4))


def _heat_maps(
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    points: Float[np.ndarray, "points inputs"],
    maps: list[tuple[str, Map]],
) -> Figure:
    """Each output over the box of what was visited, hole and law on one scale side by side."""
    bounds = zip(points.min(0), points.max(0), strict=True)
    sides = [np.linspace(*fig.widened(low, high, 0.08), _FINE) for low, high in bounds]
    grid = np.stack(np.meshgrid(*sides), -1)
    tables = [(label, of(grid.reshape(-1, 2)).reshape(_FINE, _FINE, -1)) for label, of in maps]
    # The box has corners no data were in, where a hole may be anything: the scale is of the data.
    at_points = maps[0][1](points)
    figure, all_axes = fig.panels(len(outputs) * len(maps), across=len(maps))
    for k, out in enumerate(outputs):
        low, high = fig.widened(*fig.level_range(at_points[:, k]), 0.1)
        own = all_axes[k * len(maps) : (k + 1) * len(maps)]
        image = None
        for axes, (label, table) in zip(own, tables, strict=True):
            image = axes.pcolormesh(
                *sides, table[..., k], cmap="cividis", vmin=low, vmax=high, rasterized=True,
                label=f"_{out}",
            )  # fmt: skip
            axes.plot(*points.T, ls="", marker=".", ms=3, color=_DOT, mec=_EDGE, mew=0.3)
            axes.set(title=f"{out}, {label}", xlabel=inputs[0], ylabel=inputs[1])
        if image is not None:
            figure.colorbar(image, ax=own, extend="both")
    return figure


def plot_pareto(laws: Any) -> Figure:
    """`Laws`: their terms against minus twice the log likelihood, where low is better.

    Points are as large as their weights, the first of each number of terms has its rank beside it;
    the line joins the laws that are best for their number of terms. Raises `FitError` for no laws.
    """
    found = list(laws)
    if not found:
        raise FitError("there are no laws", "plot_pareto", "give what discover found")
    figure, (axes,) = fig.panels(1, size=(7.5, 4.0))
    front = laws.pareto()
    axes.plot(
        [one.terms for one in front], [one.loss for one in front], color="0.7", lw=1, zorder=0
    )  # fmt: skip
    for rank, one in reversed([*enumerate(found)]):
        ink = fig.MODEL if rank else fig.LAW
        axes.scatter(
            one.terms, one.loss, s=25 + 150 * one.weight, color=ink, alpha=0.8,
            label=f"_law {rank + 1}: {'; '.join(str(one.law).splitlines())}",
        )  # fmt: skip
    numbered: set[int] = set()
    for rank, one in enumerate(found[:_NAMED]):
        if one.terms not in numbered:  # others of as many terms would stand on top of it
            axes.annotate(
                str(rank + 1), (one.terms, one.loss), fontsize="small",
                xytext=(6, 4), textcoords="offset points",
            )  # fmt: skip
        numbered.add(one.terms)
        axes.plot([], [], " ", label=f"{rank + 1}: {_short(str(one.law))}")
    axes.set(xlabel="terms", ylabel="minus twice the log likelihood")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(
        frameon=False, fontsize="x-small", loc="upper left", bbox_to_anchor=(1, 1),
        handlelength=0, handletextpad=0,
    )  # fmt: skip
    return figure


def _short(text: str, *, most: int = 60) -> str:
    line = "; ".join(text.splitlines())
    # A dollar sign would begin a formula.
    line = line.replace("$", "\\$")
    return line if len(line) <= most else line[: most - 3] + "..."
