"""A machine as a drawing: SVG that any browser shows, and Mermaid for pages that draw it."""

import re
from html import escape

from snakebird.machines import Link, Machine, weight_text
from snakebird.report._boxes import HEAD, Box, chip_width, label_of, text_width
from snakebird.report._geometry import Drawing, lay_out
from snakebird.report._labels import Point, Route
from snakebird.report._style import STYLE

_MARGIN, _LEGEND = 24.0, 34.0


def to_svg(machine: Machine) -> str:
    """A machine as an SVG drawing that needs no program but a browser, in light and dark.

    Links run from left to right; those that lead back run below. Dashed links are instant; a
    number at an input is what is added there. Weights that are not 1 stand beside their links
    where there is room, and in tooltips.

    >>> to_svg(Machine({"n": "timer"}, ["n.timer <- n.timer"])).startswith("<svg ")
    True
    """
    drawing = lay_out(machine)
    legend, legend_width = _legend(machine, drawing)
    width = max(drawing.width, legend_width) + 2 * _MARGIN
    height = drawing.height + 2 * _MARGIN + (_LEGEND if legend else 0)
    title = escape(_printable(machine.name) or "a machine")
    size = f'width="{width:.0f}" height="{height:.0f}"'
    view = f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{title}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sbd" {size} {view}>',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="sbd-page" {size} rx="12"/>',
        f'<g transform="translate({_MARGIN:.0f} {_MARGIN:.0f})">',
        *(_link(route) for route in drawing.routes),
        *(_box(box) for box in drawing.boxes),
        *(_label(route, route.label_at) for route in drawing.routes if route.label_at),
        "</g>",
        f'<g transform="translate({_MARGIN:.0f} {height - _MARGIN:.0f})">{legend}</g>',
        "</svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _box(box: Box) -> str:
    right, middle = box.x + box.width, box.x + box.width / 2
    place = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
    top = f"M{box.x:.1f} {box.y + HEAD:.1f}v{8 - HEAD:.1f}q0 -8 8 -8h{box.width - 16:.1f}"
    about = escape(_printable(f"{box.name}: {box.subtitle}"))
    parts = [
        f'<g class="sbd-{box.kind}" data-neuron="{_attribute(box.name)}"><title>{about}</title>',
        f'<rect class="sbd-box" {place} rx="8"/>',
        f'<path class="sbd-head" d="{top}q8 0 8 8v{HEAD - 8:.1f}z"/>',
        _text("sbd-name", middle, box.y + 18, box.title, "middle"),
        _text("sbd-type", middle, box.y + 33, box.subtitle, "middle"),
    ]
    for port, down in box.ins.items():
        y = box.y + down
        parts.append(_text("sbd-port", box.x + 9, y + 4, port, "start"))
        if port in box.numbers:
            parts.append(_number(box.x, y, box.numbers[port]))
    for port, down in box.outs.items():
        parts.append(_text("sbd-port", right - 9, box.y + down + 4, port, "end"))
    return "".join([*parts, "</g>"])


def _number(x: float, y: float, text: str) -> str:
    """A plain number at an input, where its link would end."""
    width = chip_width(text) - 4
    return (
        f'<rect class="sbd-chip" x="{x - width - 2:.1f}" y="{y - 8:.1f}" width="{width:.1f}" '
        f'height="16" rx="8"/>' + _text("sbd-number", x - width / 2 - 2, y + 4, text, "middle")
    )


def _text(kind: str, x: float, y: float, text: str, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(_printable(text))}</text>'


def _classes(links: list[Link]) -> str:
    marks = {
        "sbd-instant": links[0].instant,
        "sbd-fixed": not any(link.trainable for link in links),
        "sbd-negative": _is_negative(links),
    }
    return " ".join(["sbd-link", *(name for name, holds in marks.items() if holds)])


def _is_negative(links: list[Link]) -> bool:
    return all(weight_text(link).startswith("-") for link in links)


def _link(route: Route) -> str:
    points = route.points
    path = _track(points) if route.back else _curve(points)
    x, y = points[-1]
    source, to = route.links[0].source[0], route.links[0].to
    about = escape(_printable("; ".join(map(str, route.links))))
    return (
        f'<g class="{_classes(route.links)}" data-from="{_attribute(source)}" '
        f'data-to="{_attribute(to)}"><title>{about}</title>'
        f'<path class="sbd-line" d="{path}"/>'
        f'<path class="sbd-arrow" d="M{x - 1:.1f} {y:.1f}l-8 -4v8z"/></g>'
    )


def _attribute(name: str) -> str:
    return escape(_printable(name))


def _curve(points: list[Point]) -> str:
    """Through all points with level tangents; straight where a long link crosses a column."""
    (x, y), *rest = points
    text = f"M{x:.1f} {y:.1f}"
    for k, (to_x, to_y) in enumerate(rest):
        to_x -= 4 if k == len(rest) - 1 else 0
        half = (to_x - x) / 2
        text += f"C{x + half:.1f} {y:.1f} {to_x - half:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
        x, y = to_x, to_y
    return text


def _track(points: list[Point]) -> str:
    """Straight lines with round corners."""
    text = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for before, (x, y), after in zip(points, points[1:], points[2:], strict=False):
        near, far = _toward((x, y), before), _toward((x, y), after)
        text += f"L{near[0]:.1f} {near[1]:.1f}Q{x:.1f} {y:.1f} {far[0]:.1f} {far[1]:.1f}"
    return text + f"L{points[-1][0] - 4:.1f} {points[-1][1]:.1f}"


def _toward(corner: Point, end: Point) -> Point:
    dx, dy = end[0] - corner[0], end[1] - corner[1]
    length = abs(dx) + abs(dy)
    share = min(8.0, length / 2) / length if length else 0.0
    return corner[0] + share * dx, corner[1] + share * dy


def _label(route: Route, place: Point) -> str:
    x, y = place
    kind = "sbd-label sbd-less" if _is_negative(route.links) else "sbd-label"
    width = text_width(route.label, 11)  # clears the line where the label has gaps
    back = f'<rect class="sbd-page" x="{x - width / 2:.1f}" y="{y - 6:.1f}" width="{width:.1f}" '
    return f'{back}height="12"/>{_text(kind, x, y + 4, route.label, "middle")}'


def _legend(machine: Machine, drawing: Drawing) -> tuple[str, float]:
    """Only what the drawing shows, and its width."""
    kinds = [_classes(route.links) for route in drawing.routes]
    lines = {
        "sbd-link": ("carries the last tick's value", any("instant" not in k for k in kinds)),
        "sbd-link sbd-instant": ("this tick's value", any("instant" in k for k in kinds)),
        "sbd-link sbd-fixed": ("not trained", any("fixed" in k for k in kinds)),
        "sbd-link sbd-negative": ("negative weight", any("negative" in k for k in kinds)),
    }
    text, x = "", 0.0
    for kind, (words, shown) in lines.items():
        if shown:
            text += f'<g class="{kind}"><path class="sbd-line" d="M{x:.1f} -4h26"/></g>'
            text += _text("sbd-type", x + 33, 0, words, "start")
            x += 33 + text_width(words, 11) + 26
    if machine.matrix_from is not None:
        words = "carries the matrix"
        text += f'<g class="sbd-matrix"><rect class="sbd-box" x="{x:.1f}" y="-11" width="20" '
        text += 'height="14" rx="4"/></g>' + _text("sbd-type", x + 27, 0, words, "start")
        x += 27 + text_width(words, 11)
    return text, x


def to_mermaid(machine: Machine) -> str:
    """A machine as a Mermaid flowchart: dotted links are instant.

    >>> print(to_mermaid(Machine({"n": "timer"}, ["n.timer <- 0.5 * n.timer"])), end="")
    flowchart LR
      n0["<b>n</b><br/>timer"]
      n0 -->|"timer → timer: 0.5"| n0
    """
    keys = {name: f"n{k}" for k, name in enumerate(machine.neurons)}
    lines = ["flowchart LR"]
    for name, neuron in machine.neurons.items():
        left, right = ("([", "])") if neuron.type.external else ("[", "]")
        shown = f"<b>{_entities(name)}</b><br/>{_entities(neuron.type.name)}"
        lines.append(f'  {keys[name]}{left}"{shown}"{right}')
    for link in machine.links:
        source, *rest = link.source
        ports = f"{rest[0] if rest else 'all'} → {link.input}"
        label = _entities(": ".join(text for text in (ports, label_of([link])) if text))
        arrow = "-.->" if link.instant else "-->"
        lines.append(f'  {keys[source]} {arrow}|"{label}"| {keys[link.to]}')
    if machine.matrix_from is not None:
        lines.append(f"  style {keys[machine.matrix_from[0]]} stroke-width:3px")
    return "\n".join(lines) + "\n"


def _entities(text: str) -> str:
    """Everything but letters, digits and harmless signs as Mermaid's entity codes."""
    return re.sub(r"[^\w .,:;\[\]()/*+→-]", lambda found: f"#{ord(found[0])};", _printable(text))


def _printable(text: str) -> str:
    """A text without the signs that XML forbids or nobody can see."""
    return "".join(char if char.isprintable() else "·" for char in text)
