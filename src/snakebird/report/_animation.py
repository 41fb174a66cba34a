"""Streams of images as files: one GIF, or one PNG file a frame."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from snakebird.errors import FileFormatError, InputError
from snakebird.report._frames import Frames, frames_of

_HERE = "animation"
_SIDE = 240
"""Pixels that the longer side of an image has at least, where no scale is given."""
_PATHS = 'one file: "wave.gif"; a file a frame: a folder, "wave_%03d.png" or "wave_{:03}.png"'


def animation(
    frames: Any,
    path: str | os.PathLike[str],
    *,
    stream: str | None = None,
    fps: float = 25.0,
    scale: int | None = None,
    colors: str = "gray",
    limit: float | None = None,
) -> Path:
    """Write frames as a GIF that repeats, or as PNG files; returns the GIF, or the folder.

    `frames` is an array `[time, height, width]`, `[time, height, width, 3]` in red, green and
    blue, or a `sb.lowering.Trace`, of which `stream` names the image stream. Zero is mid-gray,
    `-limit` black and `limit` white, by default the largest absolute number of all frames;
    `colors` is another color map of matplotlib's. Bytes (`uint8`) are shown as they are. Each
    number becomes `scale` by `scale` pixels, by default enough to make the longer side 240.

    A path that ends in `.gif` is one file of `fps` frames a second, at most 50 and in hundredths of
    a second. A path with the number of the frame in it (`%03d` or `{:03}`, from 1 on) is a PNG
    file a frame, and a folder, there or new, gets `0001.png` and so on; what else is in it stays.
    The same frames give the same bytes.

    Raises `InputError` for what is no frames or cannot be shown, `UnknownNameError` for unknown
    colors or an unknown stream, `FileFormatError` for a path that nothing can be written to.

    >>> from tempfile import TemporaryDirectory
    >>> wave = np.sin(np.arange(12)[:, None, None] / 2 + np.indices((8, 8))[1])
    >>> with TemporaryDirectory() as folder:
    ...     animation(wave, f"{folder}/wave.gif").name
    ...     sorted(file.name for file in animation(wave[:3], f"{folder}/new").iterdir())
    'wave.gif'
    ['0001.png', '0002.png', '0003.png']
    """
    if not 0 < fps <= 50:
        what = f"fps={fps!r}, expected more than 0 and at most 50 frames a second"
        raise InputError(what, _HERE, "fps=25; to go faster, leave out frames: frames[::2]")
    shown = frames_of(frames, stream=stream, colors=colors, limit=limit, where=_HERE)
    scale = _scale(scale, shown)
    place = Path(path)
    if place.suffix.lower() == ".gif":
        _check_folder(place.parent, path)
        _write_gif(shown, place, fps, scale)
        return place
    folder, name = _names(place, path)
    _check_names(name, len(shown), path)
    folder.mkdir(exist_ok=True)
    for at in range(len(shown)):
        image = Image.fromarray(_enlarged(shown.rgb(at), scale))
        image.save(folder / name(at + 1), format="PNG")
    return folder


def _scale(scale: int | None, shown: Frames) -> int:
    if scale is None:
        return -(-_SIDE // max(shown.levels.shape[1:3]))
    if scale < 1:
        raise InputError(f"scale={scale}, expected 1 or more pixels", _HERE, "scale=1")
    return scale


def _enlarged(image: np.ndarray, scale: int) -> np.ndarray:
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


# A GIF has one palette of 256 colors here, for all of its frames.


def _write_gif(shown: Frames, place: Path, fps: float, scale: int) -> None:
    if shown.in_color:
        indices, palette = _indexed(shown.rgb())
    else:
        indices, palette = shown.levels, shown.palette
    images = _images(indices, palette, scale)
    next(images).save(
        place, format="GIF", save_all=True, append_images=images, loop=0, optimize=False,
        duration=_durations(len(indices), fps),
    )  # fmt: skip


def _images(indices: np.ndarray, palette: np.ndarray, scale: int) -> Iterator[Image.Image]:
    for frame in indices:
        image = Image.fromarray(_enlarged(frame, scale))
        image.putpalette(palette.tobytes())
        yield image


def _durations(count: int, fps: float) -> list[int]:
    """Milliseconds of each frame, in whole hundredths of a second that do not run away."""
    ends = np.rint(100 * np.arange(count + 1) / fps).astype(int)
    return [int(10 * duration) for duration in np.diff(ends)]


def _indexed(
    rgb: UInt8[np.ndarray, "time height width 3"],
) -> tuple[UInt8[np.ndarray, "time height width"], UInt8[np.ndarray, "colors 3"]]:
    """Colors as numbers in a palette: exactly where there are 256 of them or fewer."""
    packed = rgb.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    values, indices = np.unique(packed, return_inverse=True)
    if len(values) <= 256:
        palette = (values[:, None] >> np.array([16, 8, 0], np.uint32)) & 255
        return indices.reshape(packed.shape).astype(np.uint8), palette.astype(np.uint8)
    # All frames as one tall image, so that a color does not flicker from frame to frame. Without
    # dither for the same reason.
    tall = Image.fromarray(rgb.reshape(-1, *rgb.shape[2:]))
    few = tall.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = np.array(few.getpalette(), np.uint8).reshape(-1, 3)
    return np.asarray(few).reshape(packed.shape), palette


# A file a frame: which folder, and the name of each frame.


def _names(place: Path, path: Any) -> tuple[Path, Callable[[int], str]]:
    pattern = place.name
    if "%" in pattern or "{" in pattern:
        _check_folder(place.parent, path)
        if place.suffix.lower() != ".png":
            raise FileFormatError(
                f"frames are PNG files, and {pattern!r} is not", str(path), _PATHS
            )
        return place.parent, lambda number: _numbered(pattern, number)
    if place.suffix and not place.is_dir():
        raise FileFormatError(f"no animation ends in {place.suffix!r}", str(path), _PATHS)
    if place.is_file():
        raise FileFormatError("this is a file, expected a folder", str(path), _PATHS)
    _check_folder(place.parent, path)
    return place, lambda number: f"{number:04}.png"


def _numbered(pattern: str, number: int) -> str:
    return pattern % number if "%" in pattern else pattern.format(number)


def _check_names(name: Callable[[int], str], count: int, path: Any) -> None:
    try:
        names = {name(number) for number in range(1, count + 1)}
    except (TypeError, ValueError, LookupError, AttributeError):
        names = set()
    if len(names) < count or any(Path(one).name != one for one in names):
        raise FileFormatError("the pattern does not make a name of each number", str(path), _PATHS)


def _check_folder(folder: Path, path: Any) -> None:
    if not folder.is_dir():
        what = f"there is no folder {str(folder)!r}"
        raise FileFormatError(what, str(path), "make the folder first, or write to another")
