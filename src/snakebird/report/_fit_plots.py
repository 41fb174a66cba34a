"""Pictures of a fit: data and curves, residuals, the course of training, times beyond the data."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.fitting import Experiment, Fit, Trajectories
from snakebird.report import _figures as fig
from snakebird.report._solution import Solution, residuals, solved, spread

_ROWS = 4
"""How many experiments are drawn beyond their data."""


def plot_fit(
    fit: Fit, *, bands: Float[np.ndarray, "draws P"] | None = None, points: int = 200
) -> Figure:
    """Data and the model's curves, a panel a column, an experiment a color.

    The light band is where 19 of 20 observations should lie: two sizes of the noise to both
    sides. `bands` are vectors like `fit.vector`, drawn from what they may be; a darker band holds
    nine tenths of their curves. Raises `InputError` for vectors of another length.
    """
    draws = None if bands is None else solved(fit, vectors=bands, points=points)
    return draw_fit(fit, solved(fit, points=points), draws)


def draw_data(data: Trajectories) -> Figure:
    """What was observed, a panel a column, an experiment a color."""
    figure, all_axes = fig.panels(len(data.names))
    for k, axes in enumerate(all_axes):
        for lane, experiment in enumerate(data):
            _dots(axes, experiment, k, lane, group=_group(data, lane))
        axes.set(title=data.names[k], xlabel="time")
    if len(data) > 1:
        fig.name_experiments(all_axes[0], [one.name for one in data])
    return figure


def draw_fit(fit: Fit, solution: Solution, draws: Solution | None = None) -> Figure:
    """`plot_fit` of solutions that are known."""
    figure, all_axes = fig.panels(len(fit.data.names))
    for k, axes in enumerate(all_axes):
        for lane, experiment in enumerate(fit.data):
            times, curve = solution.times[lane], solution.columns[0, lane, :, k]
            ink, group = fig.color(lane), _group(fit.data, lane)
            wide = 2 * spread(fit, k, curve)
            axes.fill_between(
                times, curve - wide, curve + wide, color=ink, alpha=0.15, lw=0,
                label=f"{group}19 of 20 observations",
            )  # fmt: skip
            if draws is not None:
                low, high = _quantiles(draws.columns[:, lane, :, k])
                axes.fill_between(
                    draws.times[lane], low, high, color=ink, alpha=0.35, lw=0,
                    label=f"{group}9 of 10 curves",
                )  # fmt: skip
            axes.plot(times, curve, color=ink, lw=1.5, label=f"{group}model")
            _dots(axes, experiment, k, lane, group=group)
        axes.set(title=fit.data.names[k], xlabel="time")
    if len(fit.data) > 1:
        fig.name_experiments(all_axes[0], [one.name for one in fit.data])
    return figure


def plot_residuals(fit: Fit) -> Figure:
    """Residuals in units of the noise against time, a panel a column, with lines at -2 and 2.

    Where the model is right they are scattered without a pattern, 19 of 20 between the lines.
    """
    figure, all_axes = fig.panels(len(fit.data.names))
    found = residuals(fit)
    for k, axes in enumerate(all_axes):
        for level, style in ((-2, "--"), (0, "-"), (2, "--")):
            axes.axhline(level, color="0.6", lw=0.8, ls=style)
        for lane, experiment in enumerate(fit.data):
            axes.plot(
                experiment.times, found[lane, : len(experiment), k], ls="",
                marker=fig.marker(lane), ms=4, color=fig.color(lane),
                label=f"{_group(fit.data, lane)}residual",
            )  # fmt: skip
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, -3), max(high, 3))
        axes.set(title=f"{fit.data.names[k]}: {_within(found[..., k])}", xlabel="time")
        axes.set_ylabel("residual / noise size")
    if len(fit.data) > 1:
        fig.name_experiments(all_axes[0], [one.name for one in fit.data])
    return figure


def plot_history(fit: Fit) -> Figure:
    """Cost and noise sizes, round by round, the stages marked.

    The cost may rise: each round finds new noise sizes, and the cost is measured in these.
    """
    figure, (top, below) = fig.panels(2, size=(5.0, 3.2))
    rounds = np.arange(1, len(fit.history) + 1)
    costs = [step.cost for step in fit.history]
    top.plot(rounds, costs, color=fig.TRUTH, marker="o", ms=3, label="cost")
    top.set(title="cost", xlabel="round", yscale="log")
    for k, name in enumerate(fit.data.names):
        sizes = [step.sizes[k] if step.sizes else np.nan for step in fit.history]
        below.plot(
            rounds, sizes, color=fig.color(k), marker=fig.marker(k), ms=3, label=name
        )  # fmt: skip
    below.set(title="noise sizes", xlabel="round", yscale="log")
    below.legend(frameon=False, fontsize="small")
    for axes in (top, below):
        axes.set_xlim(0.5, len(rounds) + 0.5)
        _mark_stages(axes, [step.stage for step in fit.history])
    return figure


def plot_extrapolation(
    fit: Fit,
    until: float,
    *,
    law_fit: Fit | None = None,
    truth: Trajectories | None = None,
    points: int = 400,
) -> Figure:
    """The model's curves until a time beyond the data, a panel a column, a row an experiment.

    `law_fit` is a fit whose holes are laws, drawn dashed beside it. `truth` is what was observed,
    or is known, there: its experiments are found by their names. A cross marks where a solution
    ends early. Raises `InputError` for a time within the data, and `UnknownNameError` for columns
    of `truth` that the data do not have.
    """
    last = max(float(one.times[-1]) for one in fit.data)
    if not until > last:
        raise InputError(
            f"until={until:g} is not beyond the data, which end at {last:g}",
            "plot_extrapolation",
            "give a later time",
        )
    lines = [("model", fig.MODEL, "-", solved(fit, until=until, points=points))]
    if law_fit is not None:
        lines.append(("law", fig.LAW, "--", solved(law_fit, until=until, points=points)))
    shown = list(fit.data)[:_ROWS]
    names = fit.data.names
    figure, all_axes = fig.panels(len(shown) * len(names), across=len(names))
    for lane, experiment in enumerate(shown):
        known = None if truth is None else _truth(fit, truth, experiment)
        for k, name in enumerate(names):
            axes = all_axes[lane * len(names) + k]
            axes.axvspan(float(experiment.times[-1]), until, color=fig.UNSEEN, lw=0)
            if known is not None and name in known.values:
                axes.plot(known.times, known.values[name], color=fig.TRUTH, lw=3, alpha=0.3,
                          label="truth", marker="." if len(known) < 100 else None)  # fmt: skip
            for label, ink, style, solution in lines:
                _until_the_end(axes, solution, lane, k, label, ink, style)
            _dots(axes, experiment, k, 0, ink=fig.TRUTH)
            axes.set(title=name if len(shown) == 1 else f"{name}, {experiment.name}", xlabel="time")
    if len(lines) > 1 or truth is not None:
        all_axes[0].legend(frameon=False, fontsize="small")
    return figure


def _group(data: Trajectories, lane: int) -> str:
    """How the labels of an experiment begin: they are told by hovering, not by a legend."""
    return f"_{data[lane].name}: " if len(data) > 1 else "_"


def _dots(
    axes: Axes,
    experiment: Experiment,
    column: int,
    lane: int,
    *,
    ink: str | None = None,
    group: str = "_",
) -> None:
    axes.plot(
        experiment.times, experiment.table[:, column], ls="", marker=fig.marker(lane), ms=4,
        color=ink or fig.color(lane), mec="white", mew=0.4, label=f"{group}data",
    )  # fmt: skip


def _quantiles(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Between which nine tenths of the curves lie, NaN where none is known."""
    known = np.isfinite(curves).any(0)
    low, high = np.full((2, curves.shape[1]), np.nan)
    low[known], high[known] = np.nanquantile(curves[:, known], (0.05, 0.95), axis=0)
    return low, high


def _within(own: np.ndarray) -> str:
    seen = own[np.isfinite(own)]
    return f"{np.mean(np.abs(seen) <= 2):.0%} within ±2" if seen.size else "nothing observed"


def _mark_stages(axes: Axes, stages: list[str]) -> None:
    """Shade every second stage, and write the name of each at its first round."""
    begins = [i for i, stage in enumerate(stages) if i == 0 or stage != stages[i - 1]]
    for number, (first, last) in enumerate(zip(begins, [*begins[1:], len(stages)], strict=True)):
        if number % 2:
            axes.axvspan(first + 0.5, last + 0.5, color=fig.UNSEEN, lw=0, zorder=0)
        axes.text(
            first + 0.6, 0.02, stages[first], transform=axes.get_xaxis_transform(),
            rotation=90, fontsize="x-small", color="0.4", va="bottom", ha="left",
        )  # fmt: skip


def _until_the_end(
    axes: Axes, solution: Solution, lane: int, k: int, label: str, ink: str, style: str
) -> None:
    times, curve = solution.times[lane], solution.columns[0, lane, :, k]
    axes.plot(times, curve, color=ink, ls=style, lw=1.5, label=label)
    known = np.flatnonzero(np.isfinite(curve))
    if len(known) and known[-1] < len(times) - 1:
        axes.plot(times[known[-1]], curve[known[-1]], color=ink, marker="x", ms=8)


def _truth(fit: Fit, truth: Trajectories, experiment: Experiment) -> Experiment | None:
    """What is known of an experiment: that of the same name, or the only one there is."""
    for name in truth.names:
        if name not in fit.data.names:
            raise UnknownNameError(
                f"the data have no column {name!r}", "truth", suggest(name, fit.data.names)
            )
    if len(truth) == len(fit.data) == 1:
        return truth[0]
    return {one.name: one for one in truth}.get(experiment.name)
