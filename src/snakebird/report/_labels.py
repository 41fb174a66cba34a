"""The lines of a drawing, and the places where their labels find room."""

from collections.abc import Iterator
from dataclasses import dataclass

from snakebird.machines import Link
from snakebird.report._boxes import Box, text_width

Point = tuple[float, float]
_Rectangle = tuple[float, float, float, float]

_SHARES = (0.6, 0.5, 0.7, 0.4, 0.78, 0.32, 0.86, 0.24, 0.92, 0.16)


@dataclass
class Route:
    """Links of one kind from one output to one input, drawn as one line.

    From left to right `points` have level tangents; back they are the corners of a track below.
    """

    links: list[Link]
    points: list[Point]
    label: str
    back: bool
    label_at: Point | None = None


def place_labels(routes: list[Route], boxes: list[Box]) -> None:
    """Put each label where it meets no box and no other label; without such a place it is left out.

    What a link carries is told by its tooltip too.
    """
    taken = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in boxes]
    for box in boxes:
        taken += [
            (box.x - 40, box.y + box.ins[port] - 8, box.x, box.y + box.ins[port] + 8)
            for port in box.numbers
        ]
    for route in sorted(routes, key=lambda route: -text_width(route.label, 11)):
        half = text_width(route.label, 11) / 2 + 2
        for x, y in _along(route) if route.label else ():
            own = (x - half, y - 8, x + half, y + 8)
            if not any(_meet(own, other) for other in taken):
                taken.append(own)
                route.label_at = (x, y)
                break


def _along(route: Route) -> Iterator[Point]:
    """Places on the last curve of a line, or on the track of one that leads back, best first."""
    if route.back:
        (right, y), (left, _) = route.points[2:4]
        for share in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8):
            yield left + share * (right - left), y
        return
    (x, y), (to_x, to_y) = route.points[-2:]
    for t in _SHARES:
        across = 1.5 * t * (1 - t) + t**3
        down = t * t * (3 - 2 * t)
        yield x + across * (to_x - x), y + down * (to_y - y)


def _meet(a: _Rectangle, b: _Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
