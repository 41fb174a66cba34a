"""One neuron on a table: everything that a single small neuron computes of the columns of a table.

A table has a row for every case that can occur and a column for every stream; the first column
is the constant 1. Weights and thresholds are chosen where they make a difference in the table.
"""

import itertools as it
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float

WEIGHTS = (1.0, -1.0, 2.0, -2.0)
SHIFTS = (0.0, 1.0, -1.0, 2.0, -2.0)

MOST = 24_000
"""So many neurons of a bank are kept, the cheapest."""

FACTORS = 300
"""So many linear combinations are multiplied with each other."""

INNER = 48
"""So many of the cheapest neurons are read by others."""

KINDS = {
    "step": lambda x, y: (x > 0).astype(float),
    "relu": lambda x, y: np.maximum(x, 0.0),
    "absolute": lambda x, y: np.abs(x),
    "product": lambda x, y: x * y,
}
"""What the neurons compute; all but the product read one port."""


@dataclass(frozen=True)
class Neurons:
    """Neurons over a table: kind, weights at the ports x and y, what comes out, links.

    No two give the same; the cheapest come first. Weights are those of the columns, then those of
    `inner` neurons, which these read.
    """

    kinds: np.ndarray
    x: Float[np.ndarray, "neurons read"]
    y: Float[np.ndarray, "neurons read"]
    values: Float[np.ndarray, "neurons rows"]
    links: Float[np.ndarray, " neurons"]
    inner: "Neurons | None" = None

    def __len__(self) -> int:
        return len(self.kinds)


@dataclass(frozen=True)
class _Batch:
    """Candidates of one kind: row `rows[k]` of the weights `x`, with `shift[k]` times 1 added.

    Products have a `second` factor: weights, and which row of them each reads.
    """

    kind: str
    x: np.ndarray
    rows: np.ndarray
    shift: np.ndarray
    second: tuple[np.ndarray, np.ndarray] | None = None

    def values(self, table: np.ndarray) -> np.ndarray:
        """What they compute."""
        left = (self.x @ table)[self.rows] + self.shift[:, None]
        right = left if self.second is None else (self.second[0] @ table)[self.second[1]]
        return KINDS[self.kind](left, right)

    def links(self, costs: np.ndarray) -> np.ndarray:
        """Their links, with those of what they read."""
        shift = self.shift[:, None]
        own = _weighed(self.x, costs)[self.rows] + (shift != 0).sum(1) + _strangeness(shift)
        if self.second is None:
            return own
        y, rows = self.second
        return own + _weighed(y, costs)[rows]

    def ports(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The weights at x and y of some of them."""
        x = self.x[self.rows[chosen]]
        x[:, 0] += self.shift[chosen]
        if self.second is None:
            return x, 0 * x
        y, rows = self.second
        return x, y[rows[chosen]]


def _weighed(weights: np.ndarray, costs: np.ndarray) -> np.ndarray:
    return (weights != 0) @ (1 + costs) + _strangeness(weights)


def neurons_over(table: Float[np.ndarray, "columns rows"]) -> Neurons:
    """All small neurons over a table, and over the cheapest such neurons.

    Each is different from the columns and from the others.
    """
    single = np.pad(combinations(len(table) - 1), ((0, 0), (1, 0)))
    flat = [*_bent(table, single), _products(single)]
    inner = _cheapest(table, np.zeros(len(table)), flat, len(table), INNER)
    both = np.concatenate([table, inner.values])
    costs = np.concatenate([np.zeros(len(table)), inner.links])
    deep = [*_bent(both, _pairs(len(table), len(inner))), _products_of(len(table), len(inner))]
    wide = [_widened(batch, len(both)) for batch in flat]
    return replace(_cheapest(both, costs, [*wide, *deep], len(table), MOST), inner=inner)


def _widened(batch: _Batch, columns: int) -> _Batch:
    room = ((0, 0), (0, columns - batch.x.shape[1]))
    second = batch.second and (np.pad(batch.second[0], room), batch.second[1])
    return replace(batch, x=np.pad(batch.x, room), second=second)


def _cheapest(
    table: np.ndarray, costs: np.ndarray, batches: Sequence[_Batch], known: int, most: int
) -> Neurons:
    """Different neurons, the cheapest first; the first `known` columns need none."""
    links = np.concatenate([batch.links(costs) for batch in batches])
    values = np.concatenate([batch.values(table) for batch in batches])
    order = np.argsort(links, kind="stable")
    old = np.concatenate([table[:known], [-table[0], 0 * table[0]]])
    chosen = order[_new(np.concatenate([old, values[order]]), len(old))][:most]
    starts = np.cumsum([0, *(len(batch.rows) for batch in batches)])
    owner = np.searchsorted(starts, chosen, side="right") - 1
    x = np.empty((len(chosen), len(table)))
    y = np.empty_like(x)
    for k, batch in enumerate(batches):
        own = owner == k
        x[own], y[own] = batch.ports(chosen[own] - starts[k])
    kinds = np.array([batch.kind for batch in batches])[owner]
    return Neurons(kinds, x, y, values[chosen], links[chosen])


def _new(values: np.ndarray, known: int) -> np.ndarray:
    """The places of rows that no row before is equal to, counted from `known`."""
    mixed = values @ np.random.default_rng(0).normal(size=values.shape[1])
    first = np.unique(np.round(mixed, 7), return_index=True)[1]
    return np.sort(first[first >= known]) - known


def _bent(table: np.ndarray, weights: np.ndarray) -> Iterator[_Batch]:
    """Steps, kinks and folds of linear combinations, at every value where they differ."""
    ordered = np.sort(weights @ table, axis=1)
    rows, at = np.nonzero(np.diff(ordered, axis=1) > 1e-9)
    low, high = ordered[rows, at], ordered[rows, at + 1]
    through = (low <= 0) & (high > 0)
    middle = (low + high) / 2
    for kind, shift in (
        ("step", np.where(through, 0.0, low)),
        ("relu", np.where(through, 0.0, low)),
        ("relu", low),
        ("absolute", np.where(through, 0.0, middle)),
        ("absolute", low),
        ("absolute", middle),
    ):
        yield _Batch(kind, weights, rows, -shift)


@lru_cache(maxsize=64)
def _pairs(columns: int, inner: int) -> np.ndarray:
    """An inner neuron with a column or another one, with weights 1 and -1."""
    places = [(a, b) for b in range(columns, columns + inner) for a in range(1, b)]
    signs = np.array([(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0)])
    found = np.zeros((len(places), 3, columns + inner))
    for k, pair in enumerate(places):
        found[k][:, pair] = signs
    return found.reshape(-1, columns + inner)


def _products_of(columns: int, inner: int) -> _Batch:
    """An inner neuron times a column or another one."""
    places = [(a, b) for b in range(columns, columns + inner) for a in range(1, b)]
    a, b = np.array(places, int).reshape(-1, 2).T
    every = np.eye(columns + inner)
    return _Batch("product", every, a, np.zeros(len(a)), (every, b))


def _products(weights: np.ndarray) -> _Batch:
    """Products of two linear combinations with a constant."""
    weights = weights[(weights != 0).sum(1) <= 2]
    factors = np.repeat(weights, len(SHIFTS), axis=0)
    factors[:, 0] = np.tile(SHIFTS, len(weights))
    order = np.argsort((factors != 0).sum(1) + _strangeness(factors), kind="stable")
    factors = factors[order][:FACTORS]
    a, b = np.triu_indices(len(factors))
    return _Batch("product", factors, a, np.zeros(len(a)), (factors, b))


@lru_cache(maxsize=32)
def combinations(count: int) -> np.ndarray:
    """Linear combinations of so many columns with few small weights."""
    most = count if count <= 4 else 3
    weights = WEIGHTS if count <= 6 else WEIGHTS[:2]
    rows = [np.zeros((0, count))]
    for size in range(1, most + 1):
        own = np.array(list(it.product(weights, repeat=size)))
        for places in it.combinations(range(count), size):
            part = np.zeros((len(own), count))
            part[:, places] = own
            rows.append(part)
    return np.concatenate(rows)


def _strangeness(weights: np.ndarray) -> np.ndarray:
    """A little for every weight that is neither 1 nor -1, more for those other than 1/2 and 2."""
    size = np.abs(weights)
    plain = (size == 0) | (size == 1)
    simple = plain | (size == 2) | (size == 0.5)
    return (0.01 * ~plain + 0.2 * ~simple).sum(1)
