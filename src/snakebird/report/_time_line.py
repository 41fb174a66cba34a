"""How much happens in streams, tick by tick, beside frames of an image stream."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from snakebird.errors import InputError
from snakebird.lowering import Trace
from snakebird.report import _figures as fig
from snakebird.report._frames import frames_of

_HERE = "time_line"
_ACROSS = 8
"""How many frames stand in a row."""
_NAMED = 30
"""How many rows of a strip are named."""

Activity = dict[str, Float[np.ndarray, " time"]]


def activity(streams: Any, *, change: bool = False) -> Activity:
    """The mean absolute number of each stream at each tick, or of its change since the last one.

    `streams` is a `sb.lowering.Trace` (each recorded output is a stream), a mapping from names to
    arrays `[time, ...]`, or one array `[time, rows, ...]`, each row of which is a stream: those of
    a network matrix, or of an image. The change at the first tick is 0.

    Raises `InputError` for arrays of another shape, or of different lengths.

    >>> activity({"a": [[1.0, -3.0], [0.0, 0.0]]})
    {'a': array([2., 0.])}
    >>> activity(np.eye(2), change=True)
    {'0': array([0., 1.]), '1': array([0., 1.])}
    """
    found = {name: _mean_size(array, change) for name, array in _arrays(streams).items()}
    lengths = {name: len(sizes) for name, sizes in found.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        shown = ", ".join(f"{name}: {length}" for name, length in lengths.items()) or "none"
        what = f"expected streams of one length above 0, found {shown}"
        raise InputError(what, "activity", "record the same ticks of each")
    return found


def time_line(
    streams: Any,
    *,
    images: Any = None,
    at: int | Sequence[int] = 8,
    first: int = 1,
    change: bool = False,
    log: bool = False,
    colors: str = "gray",
    limit: float | None = None,
) -> Figure:
    """The activity of streams over time, and below it a filmstrip of an image stream.

    `streams` and `change` are those of `activity`; up to seven streams are lines, more are the
    rows of a strip, `log` takes the logarithm. `images` are frames as in `animation`, shown in
    `colors` up to `limit`, or the name of a stream where `streams` is a `sb.lowering.Trace`. `at`
    says how many of them, evenly spread, or at which ticks; the ticks count from `first` on.

    Raises `InputError` for what has no such shape, or ticks that are not there.

    >>> wave = np.sin(np.arange(12)[:, None, None] / 2 + np.indices((8, 8))[1])
    >>> [axes.get_title() for axes in time_line(wave, images=wave, at=[1, 12]).axes]
    ['mean size', '1', '12', '']
    """
    sizes = activity(streams, change=change)
    time = len(next(iter(sizes.values())))
    if images is None:
        figure, (top,) = fig.panels(1, size=(10.0, 3.0))
        _draw(top, sizes, first, change, log)
        return figure
    named = isinstance(images, str)
    frames = frames_of(
        streams if named else images,
        stream=images if named else None,
        colors=colors,
        limit=limit,
        where=_HERE,
    )
    if len(frames) != time:
        what = f"found {len(frames)} frames and {time} ticks of activity"
        raise InputError(what, _HERE, "give frames and streams of the same ticks")
    ticks = _ticks(at, range(first, first + time))
    top, below, figure = _layout(len(ticks), frames.levels.shape[1:3])
    _draw(top, sizes, first, change, log)
    for axes, tick in zip(below, ticks, strict=True):
        top.axvline(tick, color="0.5", lw=0.6, ls=":")
        axes.imshow(frames.rgb(tick - first), interpolation="nearest")
        axes.set(title=str(tick), xticks=[], yticks=[])
    return figure


def _arrays(streams: Any) -> dict[str, np.ndarray]:
    if isinstance(streams, Trace):
        found = {port: np.asarray(streams[port].data) for port in streams.ports}
        batched = [port for port, array in found.items() if array.ndim != 2]
        if batched:
            what = f"the streams have the axes of a batch: {found[batched[0]].shape}"
            raise InputError(what, f"activity, {batched[0]}", "take one run of the batch")
        return found
    if isinstance(streams, Mapping):
        return {str(name): _real(array, f"activity, {name}", 1) for name, array in streams.items()}
    array = _real(streams, "activity", 2)
    return {str(row): array[:, row] for row in range(array.shape[1])}


def _real(given: Any, where: str, axes: int) -> np.ndarray:
    expected = "[time, ...]" if axes == 1 else "[time, rows, ...]"
    try:
        array = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        what = f"found {type(given).__name__}, expected an array of numbers {expected}"
        raise InputError(what, where, "np.asarray(trace.number(...))") from None
    if array.ndim < axes:
        what = f"found an array of shape {array.shape}, expected {expected}"
        raise InputError(what, where, "for one stream give {name: array}")
    return array


def _mean_size(array: np.ndarray, change: bool) -> np.ndarray:
    numbers = array.reshape(len(array), -1).astype(float)
    if change and len(numbers):
        numbers = np.diff(numbers, axis=0, prepend=numbers[:1])
    return np.abs(numbers).sum(axis=1) / max(numbers.shape[1], 1)


def _ticks(at: int | Sequence[int], known: range) -> list[int]:
    if isinstance(at, int):
        if at < 1:
            raise InputError(f"at={at}, expected one frame or more", _HERE, "at=8, or at=[1, 20]")
        places = np.linspace(known[0], known[-1], min(at, len(known)))
        return sorted({int(tick) for tick in np.rint(places)})
    outside = [tick for tick in at if tick not in known]
    if outside or not len(at):
        what = f"no tick {outside[0]}" if outside else "at names no tick"
        raise InputError(what, _HERE, f"ticks are {known[0]} to {known[-1]}")
    return [int(tick) for tick in at]


# Drawing.


def _layout(count: int, shape: tuple[int, ...]) -> tuple[Axes, list[Axes], Figure]:
    """The axes of the activity, those of the frames in rows, and the figure."""
    across = min(count, _ACROSS)
    rows = -(-count // across)
    height, width = shape
    one = 10.0 / across * min(max(height / width, 0.2), 3.0) + 0.35
    figure = Figure(figsize=(10.0, 2.8 + rows * one), layout="constrained")
    grid = figure.add_gridspec(1 + rows, across, height_ratios=[2.8, *[one] * rows])
    top = figure.add_subplot(grid[0, :])
    top.spines[["top", "right"]].set_visible(False)
    below = [figure.add_subplot(grid[1 + k // across, k % across]) for k in range(count)]
    return top, below, figure


def _draw(axes: Axes, sizes: Activity, first: int, change: bool, log: bool) -> None:
    if len(sizes) <= len(fig.COLORS):
        _draw_lines(axes, sizes, first, log)
    else:
        _draw_strip(axes, sizes, first, log)
    axes.set(title="mean size of the change" if change else "mean size", xlabel="tick")


def _draw_lines(axes: Axes, sizes: Activity, first: int, log: bool) -> None:
    ticks = first + np.arange(len(next(iter(sizes.values()))))
    for number, (name, values) in enumerate(sizes.items()):
        # A logarithm has no zero: the line has a gap there.
        drawn = np.where(values > 0, values, np.nan) if log else values
        axes.plot(ticks, drawn, color=fig.color(number), lw=1.2, label=name)
    axes.set(xlim=(first - 0.5, ticks[-1] + 0.5), yscale="log" if log else "linear")
    axes.legend(frameon=False, fontsize="small")


def _draw_strip(axes: Axes, sizes: Activity, first: int, log: bool) -> None:
    values = np.stack(list(sizes.values()))
    above = values[values > 0]
    # One size alone, or none, spans no logarithm.
    norm = LogNorm(above.min(), above.max()) if log and len(np.unique(above)) > 1 else None
    shown = np.maximum(values, above.min()) if norm else values
    box = (first - 0.5, first + values.shape[1] - 0.5, len(values) - 0.5, -0.5)
    image = axes.imshow(
        shown, aspect="auto", extent=box, norm=norm, cmap="magma", interpolation="nearest"
    )
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(image, ax=axes)
    every = -(-len(values) // _NAMED)
    axes.set_yticks(range(0, len(values), every), list(sizes)[::every], fontsize="small")
