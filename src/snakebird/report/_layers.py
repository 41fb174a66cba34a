"""Layered drawing: which column a box stands in, and where in it.

The steps of Sugiyama, Tagawa and Toda (IEEE Transactions on Systems, Man, and Cybernetics,
1981): columns by longest path, long edges cut by points, fewer crossings by barycenters, then
heights by least squares.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Edge = tuple[str, str]

_SWEEPS = 12


@dataclass
class Slot:
    """A box or a point of a long edge in its column; `y` is its top."""

    name: str
    height: float
    y: float = 0.0
    before: list[tuple["Slot", float, float]] = field(default_factory=list)
    after: list[tuple["Slot", float, float]] = field(default_factory=list)

    def wish(self, sides: Sequence[list[tuple["Slot", float, float]]]) -> float | None:
        """The top at which the edges on these sides would be level, on average."""
        ends = [(other.y + there - here) for side in sides for other, here, there in side]
        return sum(ends) / len(ends) if ends else None


def columns(order: Sequence[str], edges: Sequence[Edge], early: set[str]) -> dict[str, int]:
    """The column of each name: right of all it reads, and no further left than needed.

    `edges` lead forward in `order`. Names that read nothing stand just before their first
    reader, except the `early` ones, which stay in the first column.

    >>> columns("abcd", [("a", "b"), ("b", "c"), ("d", "c")], set())
    {'a': 0, 'b': 1, 'c': 2, 'd': 1}
    """
    place = dict.fromkeys(order, 0)
    for name in order:
        for source, to in edges:
            if source == name:
                place[to] = max(place[to], place[name] + 1)
    reading = {to for _, to in edges}
    for name in reversed(order):
        readers = [place[to] for source, to in edges if source == name]
        if readers and name not in reading and name not in early:
            place[name] = min(readers) - 1
    return place


def arrange(slots: list[list[Slot]], gap: Callable[[Slot, Slot], float]) -> None:
    """Order the slots of each column and set their heights; both in place."""
    for column in slots:
        _stack(column, gap)
    for sweep in range(_SWEEPS):
        back = sweep % 2 == 1
        for column in reversed(slots) if back else slots:
            wishes = {id(s): s.wish([s.after if back else s.before]) for s in column}
            column.sort(key=lambda s: _first(wishes[id(s)], s.y) + s.height / 2)
            _stack(column, gap)
    for sweep in range(_SWEEPS):
        for column in reversed(slots) if sweep % 2 else slots:
            _settle(column, gap)
    top = min((slot.y for column in slots for slot in column), default=0.0)
    for column in slots:
        for slot in column:
            slot.y -= top


def _first(wish: float | None, otherwise: float) -> float:
    return otherwise if wish is None else wish


def _stack(column: list[Slot], gap: Callable[[Slot, Slot], float]) -> None:
    """One below the other, the whole column centered at zero."""
    y, last = 0.0, None
    for slot in column:
        y += gap(last, slot) if last is not None else 0.0
        slot.y, y, last = y, y + slot.height, slot
    for slot in column:
        slot.y -= y / 2


def _settle(column: list[Slot], gap: Callable[[Slot, Slot], float]) -> None:
    """Heights nearest to what the edges wish, in the order there is: pooled adjacent violators."""
    offsets, total = [], 0.0
    for k, slot in enumerate(column):
        total += gap(column[k - 1], slot) + column[k - 1].height if k else 0.0
        offsets.append(total)
    pools: list[list[float]] = []  # sum of wishes, how many slots
    for slot, offset in zip(column, offsets, strict=True):
        pools.append([_first(slot.wish([slot.before, slot.after]), slot.y) - offset, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            last = pools.pop()
            pools[-1] = [pools[-1][0] + last[0], pools[-1][1] + last[1]]
    settled = [total / count for total, count in pools for _ in range(int(count))]
    for slot, offset, y in zip(column, offsets, settled, strict=True):
        slot.y = y + offset


def connect(source: Slot, leaves: float, to: Slot, enters: float) -> None:
    """Join two slots by an edge that leaves and enters so far below their tops."""
    source.after.append((to, leaves, enters))
    to.before.append((source, enters, leaves))


def by_column(place: Mapping[str, int]) -> list[list[str]]:
    """The names of each column."""
    found: list[list[str]] = [[] for _ in range(max(place.values(), default=-1) + 1)]
    for name, column in place.items():
        found[column].append(name)
    return found
