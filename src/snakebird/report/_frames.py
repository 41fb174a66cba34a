"""Frames of numbers as frames of colors: one level for each number, the same color for each level.

The zero image is mid-gray, as everywhere in the package: 0 is the color in the middle.
"""

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import UInt8

from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.lowering import Trace

_ZERO = 128
"""The level of 0; the largest numbers of either sign are as far from it as each other."""
_STEPS = 127
_EXPECTED = "[time, height, width], or [time, height, width, 3] in red, green and blue"


@dataclass(frozen=True)
class Frames:
    """Levels `[time, height, width]` (or `[..., 3]`) and the color `[256, 3]` of each level."""

    levels: UInt8[np.ndarray, "time height width *channels"]
    palette: UInt8[np.ndarray, "256 3"]

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def in_color(self) -> bool:
        """Whether red, green and blue have levels of their own."""
        return self.levels.ndim == 4

    def rgb(self, at: int | slice = slice(None)) -> UInt8[np.ndarray, "... height width 3"]:
        """The colors of all frames, or of the one at an index."""
        levels = self.levels[at]
        return self.palette[levels, np.arange(3)] if self.in_color else self.palette[levels]


def frames_of(
    given: Any, *, stream: str | None, colors: str, limit: float | None, where: str
) -> Frames:
    """The frames of an array, or of an image stream of a trace.

    Numbers from `-limit` to `limit` take the colors of a map from end to end, what lies outside
    the color of the end; bytes (`uint8`) are levels already. Raises `InputError` for anything
    that is no frames, and `UnknownNameError` for unknown colors.
    """
    array = _numbers(_array(given, stream, where), where)
    if array.ndim == 4 and colors != "gray":
        what = f"the frames have colors of their own, and colors={colors!r} are asked for"
        raise InputError(what, where, "leave out colors=, or give frames [time, height, width]")
    if array.dtype == np.uint8:
        return Frames(array, _palette(colors, (np.arange(256) + 0.5) / 256, where))
    # Levels are 1 to 255, so that one stands in the middle.
    places = np.clip((np.arange(256) - 1) / (2 * _STEPS), 0, 1)
    return Frames(_levels(array, limit, where), _palette(colors, places, where))


def _array(given: Any, stream: str | None, where: str) -> np.ndarray:
    if isinstance(given, Trace):
        return _of_trace(given, stream, where)
    if stream is not None:
        what = f"stream={stream!r} is a name in a trace, and this is {type(given).__name__}"
        raise InputError(what, where, "give the trace itself, or leave out stream=")
    try:
        return np.asarray(given)
    except ValueError:
        what = "the frames do not have one shape"
        raise InputError(f"{what}, expected {_EXPECTED}", where, "crop or pad them") from None


def _of_trace(trace: Trace, stream: str | None, where: str) -> np.ndarray:
    if stream is None:
        recorded = ", ".join(trace.ports) or "nothing"
        raise InputError("a trace is given, and no stream", where, f"stream=..., of {recorded}")
    found = trace[stream]
    if tuple(found.space.paths) != ((),):
        what = f"the stream is a tree, expected one image: {found.space!r}"
        hint = f"np.asarray(trace[{stream!r}].data).reshape(time, height, width)"
        raise InputError(what, f"{where}, {stream}", hint)
    return np.asarray(trace.number(stream))


def _numbers(array: np.ndarray, where: str) -> np.ndarray:
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] != 3):
        what = f"found an array of shape {array.shape}, expected {_EXPECTED}"
        hint = "one image alone is image[None]; a batch has an animation for each run"
        raise InputError(what, where, hint)
    if 0 in array.shape:
        what = f"there is nothing to show in an array of shape {array.shape}"
        raise InputError(what, where, "run the machine for some ticks, on images of some size")
    if array.dtype.kind not in "biuf":
        what = f"found an array of {array.dtype}, expected real numbers"
        raise InputError(what, where, "take its real part, or its size")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        t, row, column = bad[0, :3]
        what = f"found {array[tuple(bad[0])]} at row {row}, column {column} of tick {t + 1}"
        raise InputError(what, where, "cut the frames off before that, or np.nan_to_num")
    return array


def _levels(array: np.ndarray, limit: float | None, where: str) -> np.ndarray:
    if limit is not None and not 0 < limit < np.inf:
        what = f"limit={limit!r}, expected a number above 0"
        raise InputError(what, where, "limit=1.0 shows -1 to 1")
    numbers = array.astype(float)
    # Where all is zero, any limit shows it.
    size = limit or float(np.abs(numbers).max()) or 1.0
    return (_ZERO + np.rint(_STEPS * np.clip(numbers / size, -1, 1))).astype(np.uint8)


def _palette(colors: str, places: np.ndarray, where: str) -> np.ndarray:
    if colors not in mpl.colormaps:
        hint = suggest(colors, list(mpl.colormaps))
        raise UnknownNameError(f"no colors are named {colors!r}", where, hint)
    return np.rint(255 * mpl.colormaps[colors](places)[:, :3]).astype(np.uint8)
