"""Candidate neurons over known streams: what they read, and what they then compute."""

import itertools as it
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from snakebird import neurons as nr, vvalues as vv
from snakebird.neurons import Neuron
from snakebird.synthesis.programs._bank import Bank, Use
from snakebird.synthesis.programs._compute import NUMBER, ROOMS, register, run, spread

SHIFTS = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 1.5, -1.5)
RATIOS = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
CHUNK, NUMBERS = ROOMS[-1], 2_000_000
"""Batches have at most so many candidates, and about so many numbers."""

SIMPLE = 12
"""Trees of pairs are masked by, and made of, so many of the first streams of a space."""

WIDE = 8_000
"""Sums of two trees are looked at while their pairs hold no more numbers than this."""

MOST = 100_000
"""So many candidates of a kind are looked at in a level; of more, a part drawn by chance."""


@dataclass(frozen=True)
class Views:
    """Streams of one space that candidates may read: `values[view, example, tick, number]`."""

    space: vv.Space
    uses: tuple[Use, ...]
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.uses)


@dataclass(frozen=True)
class Sums:
    """Linear combinations of views: `weights[c, k]` times view `index[c, k]`, plus `shift[c]`."""

    views: Views
    index: np.ndarray
    weights: np.ndarray
    shift: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: Any) -> "Sums":
        return Sums(self.views, self.index[rows], self.weights[rows], self.shift[rows])

    def values(self) -> np.ndarray:
        """Their values `[sum, example, tick, number]`."""
        spread, all_rows = np.zeros((len(self), len(self.views))), np.arange(len(self))
        for k in range(self.index.shape[1]):
            spread[all_rows, self.index[:, k]] += self.weights[:, k]
        shape = self.views.values.shape
        total = (spread @ self.views.values.reshape(shape[0], -1)).reshape(-1, *shape[1:])
        return total + self.shift[:, None, None, None] if self.shift.any() else total

    def uses(self, row: int, one: int) -> tuple[Use, ...]:
        """One of them as what a port reads."""
        pairs = zip(self.index[row], self.weights[row], strict=True)
        terms = [self.views.uses[i]._replace(weight=Fraction(w)) for i, w in pairs if w]
        shift = Fraction(self.shift[row])
        return (*terms, Use(one, shift)) if shift else tuple(terms)


@dataclass(frozen=True)
class Batch:
    """Many candidates of one neuron: what their ports read, and their own loop.

    `loop` is the port to which `turn` times the last result is added. Without a neuron these are
    registers: memory `s = s' + delta - mask * s'` that a gate erases.
    """

    neuron: Neuron | None
    ports: Mapping[str, Sums]
    loop: str = ""
    turn: np.ndarray | None = None

    def __len__(self) -> int:
        return len(next(iter(self.ports.values())))

    def __getitem__(self, rows: Any) -> "Batch":
        turn = None if self.turn is None else self.turn[rows]
        return Batch(self.neuron, {p: s[rows] for p, s in self.ports.items()}, self.loop, turn)

    @property
    def first_turn(self) -> float:
        """How the first one reads itself; 0 where it does not."""
        return 0.0 if self.turn is None else float(self.turn[0])

    def chunks(self) -> Iterator["Batch"]:
        """Parts of a bounded size; of too many, those that chance picks."""
        if len(self) > MOST:
            chosen = np.random.default_rng(len(self)).choice(len(self), MOST, replace=False)
            yield from self[np.sort(chosen)].chunks()
            return
        wide = max(sums.views.values[0].size for sums in self.ports.values())
        size = min(CHUNK, max(ROOMS[0], NUMBERS // wide))
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def values(self) -> tuple[vv.Space, np.ndarray]:
        """What they compute: the space, and values `[candidate, example, tick, number]`."""
        given = {port: sums.values() for port, sums in self.ports.items()}
        spaces = {port: sums.views.space for port, sums in self.ports.items()}
        if self.neuron is None:
            mask = spread(spaces["mask"], spaces["delta"], given["mask"])
            return spaces["delta"], register(given["delta"], mask)
        return run(self.neuron, spaces, given, self.loop, self.turn)


def views_of(bank: Bank, uses: Sequence[Use]) -> dict[vv.Space, Views]:
    """Uses put together by their space."""
    found: dict[vv.Space, list[Use]] = {}
    for use in uses:
        found.setdefault(bank.entries[use.stream].space, []).append(use)
    return {
        space: Views(space, tuple(own), np.stack([bank.values(use) for use in own]))
        for space, own in found.items()
    }


def single(views: Views) -> Sums:
    """Every view by itself."""
    count = len(views)
    return Sums(views, np.arange(count)[:, None], np.ones((count, 1)), np.zeros(count))


def affine(views: Views, terms: int, signs: bool, shifts: tuple[float, ...]) -> Sums:
    """Sums of up to `terms` views with simple weights and a shift; `signs`: both ways round."""
    return Sums(views, *_affine(len(views), terms, signs, shifts))


@lru_cache(maxsize=8)
def _affine(count: int, terms: int, signs: bool, shifts: tuple[float, ...]) -> tuple[Any, ...]:
    found = []
    for size in range(1, terms + 1):
        places = np.array(list(it.combinations(range(count), size)), int).reshape(-1, size)
        ratios = RATIOS if size < 3 else RATIOS[:2]
        own = [
            (*(first * r for r in (1.0, *rest)), shift)
            for rest in it.product(ratios, repeat=size - 1)
            for first in ((1.0, -1.0) if signs else (1.0,))
            for shift in shifts
        ]
        weights = np.tile(np.array(own), (len(places), 1))
        room = ((0, 0), (0, terms - size))
        index = np.pad(np.repeat(places, len(own), axis=0), room)
        found.append((index, np.pad(weights[:, :-1], room), weights[:, -1]))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def candidates(groups: Mapping[vv.Space, Views], *, deep: bool) -> Iterator[Batch]:
    """All candidates over these views, the simplest first; `deep`: pairs of tokens, too."""
    numbers = groups.get(NUMBER)
    trees = [views for space, views in groups.items() if space != NUMBER]
    if numbers is not None:
        yield from _of_numbers(numbers)
    for views in trees:
        yield from _of_trees(views, numbers)
        for other in trees:
            yield from _of_two(views, other, deep)


def _of_numbers(views: Views) -> Iterator[Batch]:
    few, some = len(views) <= 14, len(views) <= 24
    bent = affine(views, 3 if few else 2, True, SHIFTS if some else SHIFTS[:5])
    alone = single(views)
    yield _pairs(nr.product(), ("x", "y"), alone, alone, np.less_equal)
    yield _with_turns(
        nr.identity(), "x", affine(views, 2 if some else 1, False, (0.0,)), (0, 1, -1)
    )
    own = bent if few else affine(views, 1, True, SHIFTS)
    for neuron in (nr.relu(), nr.step()):
        yield Batch(neuron, {"x": bent})
        yield _with_turns(neuron, "x", own, (1, -1))
    peak = affine(views, 2 if few else 1, True, (0.0, 1.0, -1.0))
    nothing = Sums(views, peak.index, 0 * peak.weights, 0 * peak.shift)
    yield Batch(nr.maximum(), {"x": nothing, "y": peak}, "x", np.ones(len(peak)))
    delta = affine(views, 2 if few else 1, False, (0.0, 1.0))
    mask = affine(views, 2 if few else 1, True, (0.0, 1.0))
    yield _pairs(None, ("delta", "mask"), delta, mask)


def _of_trees(views: Views, numbers: Views | None) -> Iterator[Batch]:
    alone = single(views)
    two = affine(views, 2 if len(views) ** 2 * views.space.size <= WIDE else 1, True, (0.0,))
    yield _with_turns(nr.identity(), "x", alone, (0, 1))
    for neuron in (nr.max_norm(), nr.relu(), nr.step()):
        yield Batch(neuron, {"x": two})
    if depth(views.space) == 1:
        yield _pairs(nr.inner(), ("x", "y"), alone, alone, np.less_equal)
    nothing = Sums(views, alone.index, 0 * alone.weights, 0 * alone.shift)
    yield Batch(nr.maximum(), {"x": nothing, "y": alone}, "x", np.ones(len(alone)))
    if numbers is not None:
        simple = single(numbers)[:SIMPLE] if depth(views.space) > 1 else single(numbers)
        yield _pairs(nr.gate(), ("mask", "value"), simple, alone)
        yield _pairs(None, ("delta", "mask"), alone, simple)


def _of_two(views: Views, other: Views, pairs: bool) -> Iterator[Batch]:
    """What takes two trees: masks, erasing masks, products and sums over keys."""
    left, right = single(views), single(other)
    if depth(views.space) > 1 or pairs:
        right = right[:SIMPLE]
    deep, flat = depth(views.space), depth(other.space)
    if flat == 1 and same_keys(other.space, views.space):
        yield _pairs(
            nr.gate(), ("mask", "value"), right, left, np.less_equal if views is other else None
        )
        yield _pairs(None, ("delta", "mask"), left, right)
    if pairs and deep == flat == 1 and views.space.size * other.space.size <= 4096:
        yield _pairs(nr.outer(), ("x", "y"), left[:SIMPLE], right)
    if flat == 1 and deep > 1 and same_keys(other.space, views.space):
        yield _pairs(nr.mask_sum(), ("row", "value"), right, left)


def _pairs(
    neuron: Neuron | None, ports: tuple[str, str], left: Sums, right: Sums, keep: Any = None
) -> Batch:
    """Every one of the left on one port with every one of the right on the other."""
    a, b = (index.ravel() for index in np.indices((len(left), len(right))))
    if keep is not None:
        chosen = keep(a, b)
        a, b = a[chosen], b[chosen]
    if len(a) > MOST:
        picked = np.sort(np.random.default_rng(len(a)).choice(len(a), MOST, replace=False))
        a, b = a[picked], b[picked]
    return Batch(neuron, {ports[0]: left[a], ports[1]: right[b]})


def _with_turns(neuron: Neuron, port: str, sums: Sums, turns: Sequence[Any]) -> Batch:
    rows = np.repeat(np.arange(len(sums)), len(turns))
    turn = np.tile(np.array(turns, float), len(sums))
    return Batch(neuron, {port: sums[rows]}, port, turn)


def depth(space: vv.Space) -> int:
    return max((len(path) for path in space.paths), default=0)


def same_keys(a: vv.Space, b: vv.Space) -> bool:
    """Whether two spaces have keys in common at their roots."""
    return bool({p[0] for p in a.paths if p} & {p[0] for p in b.paths if p})
