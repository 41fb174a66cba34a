"""Where everything in the drawing of a machine stands: boxes, links and their labels."""

from collections.abc import Iterable
from dataclasses import dataclass

from snakebird.machines import Link, Machine, reading_order
from snakebird.report._boxes import (
    Box,
    chip_width,
    label_of,
    leaves_at,
    make_box,
    shared_ones,
    text_width,
)
from snakebird.report._labels import Point, Route, place_labels
from snakebird.report._layers import Slot, arrange, by_column, columns, connect

_GAP, _POINT_GAP, _GUTTER, _TRACK, _LANE = 26.0, 14.0, 58.0, 13.0, 6.0


@dataclass
class Drawing:
    """All boxes and routes of a machine, and the size of the whole."""

    boxes: list[Box]
    routes: list[Route]
    width: float
    height: float


def lay_out(machine: Machine) -> Drawing:
    """Columns from left to right along the links; links that lead back run below."""
    shared = shared_ones(machine)
    names = [name for name in machine.neurons if name not in shared]
    incoming = {n: [k for k in machine.links if k.to == n] for n in names}
    order = reading_order(names, incoming)
    boxes = {name: make_box(machine, name, incoming[name], shared) for name in order}
    rank = {name: k for k, name in enumerate(order)}
    bundles = _bundles(link for link in machine.links if link.source[0] not in shared)
    ahead = [b for b in bundles if rank[b[0].source[0]] < rank[b[0].to]]
    early = {name for name in names if machine.neurons[name].type.external}
    place = columns(order, [(b[0].source[0], b[0].to) for b in ahead], early)
    for name, box in boxes.items():
        box.column = place[name]
    ahead = [b for b in bundles if place[b[0].source[0]] < place[b[0].to]]
    behind = [b for b in bundles if place[b[0].source[0]] >= place[b[0].to]]
    levels, chains = _levels(boxes, place, [bundle[0] for bundle in ahead])
    spans = _spread(boxes, bundles)
    routes = [
        _forward(bundle, boxes, chain, spans) for bundle, chain in zip(ahead, chains, strict=True)
    ]
    routes += _back(boxes, levels, spans, behind)
    place_labels(routes, list(boxes.values()))
    right = [box.x + box.width for box in boxes.values()]
    bottom = [box.y + box.height for box in boxes.values()]
    for route in routes:
        right += [x for x, _ in route.points]
        bottom += [y + 8 for _, y in route.points]
    drawn = list(boxes.values())
    return Drawing(drawn, routes, max(right, default=0.0), max(bottom, default=0.0))


def _bundles(links: Iterable[Link]) -> list[list[Link]]:
    """Links between the same ports, instant ones apart."""
    found: dict[tuple[object, ...], list[Link]] = {}
    for link in links:
        found.setdefault((link.to, link.input, link.source[:2], link.instant), []).append(link)
    return list(found.values())


def _enters(box: Box, link: Link) -> Point:
    """Where a link ends: at the port, or at the number that is added there."""
    chip = box.numbers.get(link.input)
    return box.x - (chip_width(chip) if chip else 0.0), box.y + box.ins[link.input]


def _levels(
    boxes: dict[str, Box], place: dict[str, int], ahead: list[Link]
) -> tuple[list[list[Slot]], list[list[Slot]]]:
    """The slots of each column at their heights, and the points of each link that is long."""
    slots = {name: Slot(name, box.height) for name, box in boxes.items()}
    levels = [[slots[name] for name in column] for column in by_column(place)]
    shared: dict[tuple[object, ...], Slot] = {}  # links of one output run together while they can
    chains = []
    for link in ahead:
        source, to = boxes[link.source[0]], boxes[link.to]
        chain: list[Slot] = []
        last, leaves = slots[source.name], leaves_at(source, link)
        for k in range(source.column + 1, to.column):
            key = (link.source[:2], link.instant, k)
            if key not in shared:
                shared[key] = Slot("", 0.0)
                levels[k].append(shared[key])
                connect(last, leaves, shared[key], 0.0)
            last, leaves = shared[key], 0.0
            chain.append(last)
        connect(last, leaves, slots[to.name], to.ins[link.input])
        chains.append(chain)
    arrange(levels, lambda a, b: _GAP if a.name and b.name else _POINT_GAP)
    for name, box in boxes.items():
        box.y = slots[name].y
    return levels, chains


def _spread(boxes: dict[str, Box], bundles: list[list[Link]]) -> list[tuple[float, float]]:
    """Set where boxes stand from left to right; gives the two sides of each column.

    Columns are as wide as their widest box, the gaps before them as wide as their labels ask.
    """
    ends = [(boxes[b[0].source[0]].column, boxes[b[0].to].column, b) for b in bundles]
    spans: list[tuple[float, float]] = []
    x = 0.0
    for k in range(max((box.column for box in boxes.values()), default=-1) + 1):
        own = [box for box in boxes.values() if box.column == k]
        labels = [text_width(label_of(b), 11) for low, high, b in ends if low < high == k]
        turns = sum(low >= k == high for low, high, _ in ends)
        leaving = sum(low == k - 1 >= high for low, high, _ in ends)
        room = (
            min(max(labels, default=0.0), 170.0) + _chip_room(boxes, k) + 3 * min(len(labels), 24)
        )
        x += (_GUTTER if k else 0.0) + room + _LANE * (turns + leaving)
        width = max(box.width for box in own)
        for box in own:
            box.x = x + (width - box.width) / 2
        spans.append((x, x + width))
        x += width
    return spans


def _chip_room(boxes: dict[str, Box], column: int) -> float:
    """How far the numbers at the inputs of a column reach out of it."""
    own = [box for box in boxes.values() if box.column == column]
    return max((chip_width(text) for box in own for text in box.numbers.values()), default=0.0)


def _forward(
    bundle: list[Link], boxes: dict[str, Box], chain: list[Slot], spans: list[tuple[float, float]]
) -> Route:
    source, to = boxes[bundle[0].source[0]], boxes[bundle[0].to]
    start = (source.x + source.width, source.y + leaves_at(source, bundle[0]))
    end = _enters(to, bundle[0])
    points = [start]
    for k, point in enumerate(chain, source.column + 1):
        points += [(spans[k][0], point.y), (spans[k][1], point.y)]
    return Route(bundle, [*points, end], label_of(bundle), back=False)


def _back(
    boxes: dict[str, Box],
    levels: list[list[Slot]],
    spans: list[tuple[float, float]],
    bundles: list[list[Link]],
) -> list[Route]:
    """Links that lead back: down beside the source, along a free track, up beside the reader."""
    floor = [max((slot.y + slot.height for slot in level), default=0.0) for level in levels]
    under = {name: box.y + box.height for name, box in boxes.items()}
    taken = {"left": [0] * len(spans), "right": [0] * len(spans)}
    routes = []
    for bundle in sorted(bundles, key=lambda bundle: _reach(boxes, bundle[0])):
        source, to = boxes[bundle[0].source[0]], boxes[bundle[0].to]
        start = (source.x + source.width, source.y + leaves_at(source, bundle[0]))
        end = _enters(to, bundle[0])
        low, high = sorted((to.column, source.column))
        if source is to:
            track = under[to.name] = under[to.name] + 9
            left, right = end[0] - 12, start[0] + 12
            floor[low] = max(floor[low], track)
        else:
            track = max(floor[low : high + 1]) + _TRACK
            floor[low : high + 1] = [track] * (high + 1 - low)
            taken["left"][to.column] += 1
            taken["right"][source.column] += 1
            left = spans[to.column][0] - 12 - _LANE * taken["left"][to.column]
            left -= _chip_room(boxes, to.column)
            right = spans[source.column][1] + 12 + _LANE * taken["right"][source.column]
        points = [start, (right, start[1]), (right, track), (left, track), (left, end[1]), end]
        routes.append(Route(bundle, points, label_of(bundle), back=True))
    return routes


def _reach(boxes: dict[str, Box], link: Link) -> tuple[int, float]:
    """Short ways first, then those to low boxes, so that one lies inside the other."""
    to = boxes[link.to]
    return abs(boxes[link.source[0]].column - to.column), -to.y - to.ins[link.input]
