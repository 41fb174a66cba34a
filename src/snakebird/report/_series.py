"""What a picture shows, as numbers: the series of matplotlib axes, and where on the page they lie.

An artist is a series if it has a label; one whose label begins with `_` is left out of legends, as
always with matplotlib, and named by what follows. `group: name` puts it into a group.
"""

import math
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection, QuadMesh
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter

_DIGITS = 5
"""Numbers are kept to this many digits of the length of their axis."""


def series_of(axes: Axes) -> dict[str, Any]:
    """The two scales of axes and their series, for `JSON`; `{}` where neither can be read.

    `x` and `y` have a `name` and say where a value lies in an SVG of 72 dots an inch that holds
    the whole figure: at `a + b v`, or `a + b log10(v)` with `log`; `names` are those of the values
    0, 1, ... of `y`. The figure must have been drawn at 72 dots an inch.

    >>> from snakebird.report._figures import panels
    >>> figure, (axes,) = panels(1)
    >>> _ = axes.plot([1, 2], [3, 4], label="_cold: data")
    >>> series_of(axes)["series"]
    [{'name': 'data', 'group': 'cold', 'kind': 'line', 'x': [1.0, 2.0], 'y': [3.0, 4.0]}]
    """
    figure = axes.get_figure(root=True)
    if figure is None or not {axes.get_xscale(), axes.get_yscale()} <= {"linear", "log"}:
        return {}
    height = figure.bbox.height
    corners = np.array([axes.get_xlim(), axes.get_ylim()], float).T
    (x0, y0), (x1, y1) = axes.transData.transform(corners)
    names = axes.get_xlabel(), axes.get_ylabel() or axes.get_title()
    x = _scale(names[0], axes.get_xscale(), corners[:, 0], (x0, x1))
    y = _scale(names[1], axes.get_yscale(), corners[:, 1], (height - y0, height - y1))
    formatter = axes.yaxis.get_major_formatter()
    if isinstance(formatter, FixedFormatter):
        y["names"] = list(formatter.seq)
    drawn = [*axes.collections, *axes.lines]
    found = [one for artist in drawn if (one := _one(axes, artist))]
    return {"x": x, "y": y, "series": found}


def _scale(name: str, kind: str, limits: np.ndarray, places: tuple[float, float]) -> dict[str, Any]:
    low, high = np.log10(limits) if kind == "log" else limits
    slope = (places[1] - places[0]) / (high - low)
    scale = {"name": name, "a": _short(places[0] - slope * low), "b": _short(slope)}
    return {**scale, "log": True} if kind == "log" else scale


def _short(value: float) -> float:
    return float(f"{value:.8g}")


def _one(axes: Axes, artist: Artist) -> dict[str, Any] | None:
    label = str(artist.get_label())
    if not label or label.startswith(("_child", "_nolegend_")):
        return None
    group, _, name = label.lstrip("_").rpartition(": ")
    found = {"name": name} | ({"group": group} if group else {})
    if isinstance(artist, Line2D):
        numbers = _of_line(axes, artist)
    elif isinstance(artist, QuadMesh):
        numbers = _of_mesh(axes, artist)
    elif isinstance(artist, PathCollection):
        numbers = _points(axes, "points", np.asarray(artist.get_offsets(), float))
    elif isinstance(artist, PolyCollection):
        numbers = _of_band(axes, artist)
    else:
        numbers = None
    return None if numbers is None else found | numbers


def _of_line(axes: Axes, line: Line2D) -> dict[str, Any] | None:
    if line.get_transform().contains_branch_seperately(axes.transData) != (True, True):
        return None
    kind = "points" if line.get_linestyle() in ("None", "none", " ", "") else "line"
    return _points(axes, kind, np.array(line.get_data(), float).T)


def _points(axes: Axes, kind: str, points: np.ndarray) -> dict[str, Any] | None:
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        return None
    x, y = _cut(points[:, 0], axes.get_xlim()), _cut(points[:, 1], axes.get_ylim())
    return {"kind": kind, "x": x, "y": y}


def _of_band(axes: Axes, band: PolyCollection) -> dict[str, Any] | None:
    """The least and the largest height above each place."""
    corners = np.concatenate([path.vertices for path in band.get_paths()] or [np.empty((0, 2))])
    corners = corners[np.isfinite(corners).all(1)]
    if not len(corners):
        return None
    x, which = np.unique(corners[:, 0], return_inverse=True)
    low, high = np.full(len(x), np.inf), np.full(len(x), -np.inf)
    np.minimum.at(low, which, corners[:, 1])
    np.maximum.at(high, which, corners[:, 1])
    limits = axes.get_ylim()
    own = {"x": _cut(x, axes.get_xlim()), "low": _cut(low, limits), "high": _cut(high, limits)}
    return {"kind": "band", **own}


def _of_mesh(axes: Axes, mesh: QuadMesh) -> dict[str, Any] | None:
    corners: Any = mesh.get_coordinates()
    values: Any = mesh.get_array()
    if values is None:
        return None
    z = np.ma.filled(np.ma.asarray(values, float), np.nan).reshape(np.array(corners.shape[:2]) - 1)
    x, y = ((edge[:-1] + edge[1:]) / 2 for edge in (corners[0, :, 0], corners[:, 0, 1]))
    rows = [[float(f"{v:.4g}") if math.isfinite(v) else None for v in row] for row in z]
    sides = {"x": _cut(x, axes.get_xlim()), "y": _cut(y, axes.get_ylim())}
    return {"kind": "map", **sides, "z": rows}


def _cut(values: np.ndarray, limits: tuple[float, float]) -> list[float]:
    """Numbers with the digits a reader could see on the axis, and no fewer than these of each."""
    length = abs(limits[1] - limits[0])
    decimals = _DIGITS - 1 - math.floor(math.log10(length)) if 0 < length < math.inf else 0
    rounded = [round(float(v), decimals) for v in values]
    own = [float(f"{v:.{_DIGITS}g}") for v in values]
    return [a if abs(v) > length else b for v, a, b in zip(values, rounded, own, strict=True)]
