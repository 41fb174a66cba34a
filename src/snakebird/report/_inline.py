"""Figures as drawings inside a page: each panel by itself, in the page's own colors and letters.

A panel is an SVG that names nothing another could name, with real text, and numbers to hover over.
"""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from snakebird.report._figures import COLORS
from snakebird.report._series import series_of

_AROUND = 4.0
"""How much room is left around a panel, in points."""
_RASTER = 144
"""Dots an inch of what is no lines: heat maps."""
_SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "panel", "path.simplify": True}

_GRAYS = ((0x40, "ink"), (0x70, "soft"), (0xC8, "faint"), (0xF8, "shade"), (0xFF, "paper"))
"""Up to which level a gray is which color of the page."""


class Panel(NamedTuple):
    """One drawing: its SVG, how wide it likes to be, what it shows, and its numbers."""

    svg: str
    width: float
    about: str
    data: dict[str, Any]


def panels_of(figure: Figure) -> list[Panel]:
    """The panels of a figure from left to right, row by row; a color bar stays with its map."""
    figure.set_dpi(72)
    groups = _groups(figure)
    for number, group in enumerate(groups):
        for part, axes in enumerate(group):
            axes.set_gid(f"panel-{number}-{part}")
    root = _drawn(figure)
    parts = {one.get("id"): one for one in root.iter("g")}
    known = {own: one for one in root.iter() if (own := one.get("id")) is not None}
    height = float(figure.bbox.height)
    found = []
    for number, (group, box) in enumerate(zip(groups, _boxes(groups), strict=True)):
        own = [parts[f"panel-{number}-{part}"] for part in range(len(group))]
        svg = _svg(own, known, (box.x0, height - box.y1, box.width, box.height))
        found.append(Panel(svg, float(box.width), _about(group[0]), series_of(group[0])))
    return found


def renamed(svg: str, prefix: str) -> str:
    """An SVG whose names, and all that refers to them, begin with a prefix."""
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}", svg)
    return re.sub(r'href="#', f'href="#{prefix}', svg)


def themed(color: str) -> str:
    """A color as that of the page, if it has one.

    >>> themed("#0072b2"), themed("#ededed"), themed("#123456")
    ('var(--s0)', 'var(--shade)', '#123456')
    """
    color = color.lower()
    red, green, blue = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    if red == green == blue:
        return f"var(--{next(name for most, name in _GRAYS if red <= most)})"
    known = [own.lower() for own in COLORS]
    return f"var(--s{known.index(color)})" if color in known else color


def _groups(figure: Figure) -> list[list[Axes]]:
    """Axes that are one panel: each by itself, with the color bars of its images."""
    bars: dict[Axes, list[Axes]] = {}
    for axes in figure.axes:
        for image in (*axes.collections, *axes.images):
            if image.colorbar is not None:
                bars.setdefault(axes, []).append(image.colorbar.ax)
    beside = [bar for own in bars.values() for bar in own]
    return [[axes, *bars.get(axes, [])] for axes in figure.axes if axes not in beside]


def _boxes(groups: list[list[Axes]]) -> list[Bbox]:
    """Where each panel ends; as wide as its column and as high as its row, so that axes align."""
    own = [[box for axes in group if (box := axes.get_tightbbox()) is not None] for group in groups]
    boxes = [Bbox.union(each) for each in own]
    specs = [group[0].get_subplotspec() for group in groups]
    places = [(s.colspan.start, s.rowspan.start) if s else (-k, -k) for k, s in enumerate(specs)]
    aligned = []
    for column, row in places:
        across = Bbox.union([b for b, at in zip(boxes, places, strict=True) if at[0] == column])
        down = Bbox.union([b for b, at in zip(boxes, places, strict=True) if at[1] == row])
        aligned.append(Bbox([[across.x0, down.y0], [across.x1, down.y1]]).padded(_AROUND))
    return aligned


def _drawn(figure: Figure) -> ET.Element:
    file = io.StringIO()
    with mpl.rc_context(_SETTINGS):
        figure.savefig(
            file, format="svg", dpi=_RASTER, transparent=True, metadata={"Date": None}
        )  # fmt: skip
    root = ET.fromstring(file.getvalue())
    for one in root.iter():
        one.tag = one.tag.rpartition("}")[2]
        for name in [name for name in one.attrib if name.startswith("{")]:
            one.set(name.rpartition("}")[2], one.attrib.pop(name))
        _restyle(one)
    return root


def _restyle(one: ET.Element) -> None:
    """Colors of the page in place of fixed ones, its letters, fewer digits."""
    for name in ("style", "fill", "stroke"):
        if name in one.attrib:
            own = re.sub(r"#[0-9a-fA-F]{6}\b", lambda m: themed(m[0]), one.attrib[name])
            own = re.sub(r"font: (?:\w+ )*?([\d.]+px)[^;]*", r"font-size: \1", own)
            own = re.sub(r" *font-family:[^;]*;?", "", own)
            one.set(name, own)
    if one.get("transform", "").startswith("rotate(-0 "):
        one.attrib.pop("transform")
    for name in ("d", "transform", "x", "y", "width", "height"):
        if name in one.attrib:
            own = re.sub(r"-?\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}", one.attrib[name])
            one.set(name, own)


def _svg(
    own: Iterable[ET.Element], known: dict[str, ET.Element], view: tuple[float, ...]
) -> str:  # fmt: skip
    """The parts, and all they refer to, as one drawing."""
    box = " ".join(f"{number:.1f}" for number in view)
    svg = ET.Element("svg", {"class": "plot", "viewBox": box})
    parts = [deepcopy(one) for one in own]
    inside = {one.get("id") for part in parts for one in part.iter()}
    wanted = {name for part in parts for name in _named(part)} - inside
    if wanted:
        outside = ET.SubElement(svg, "defs")
        outside.extend(deepcopy(known[name]) for name in sorted(wanted))
    svg.extend(parts)
    used = {name for one in svg.iter() for name in _named(one)}
    for one in svg.iter():
        if one.get("id") not in used:
            one.attrib.pop("id", None)
    return ET.tostring(svg, encoding="unicode")


def _named(part: ET.Element) -> Iterator[str]:
    """What a drawing refers to."""
    for one in part.iter():
        for value in one.attrib.values():
            yield from re.findall(r"url\(#([^)]+)\)", value)
        if one.get("href", "").startswith("#"):
            yield one.get("href", "")[1:]


def _about(axes: Axes) -> str:
    """What a panel shows, for those who do not see it."""
    name = axes.get_title() or axes.get_ylabel()
    return f"{name} against {axes.get_xlabel()}" if axes.get_xlabel() else name
