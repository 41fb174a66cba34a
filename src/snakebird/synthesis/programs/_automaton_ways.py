"""How a column of a table is made: of few other columns, of one or two new neurons and others."""

import itertools as it
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float

from snakebird.synthesis.laws._search import best_subsets
from snakebird.synthesis.programs._automaton_bank import Neurons

EXACT = 1e-9
PAIRS, DEEP, WIDE = 400, 5000, 12
"""How many neurons are tried in pairs, how many in larger sets, and how large those may be."""


@dataclass(frozen=True)
class Way:
    """One way to make a column: weights of known columns and of new neurons.

    `links` counts those of the new neurons and of the sum; a neuron alone needs no sum if `bare`.
    """

    links: float
    columns: tuple[tuple[int, Fraction], ...]
    neurons: tuple[tuple[int, Fraction], ...] = ()

    @property
    def bare(self) -> bool:
        """Whether it is one new neuron as it is."""
        return not self.columns and [w for _, w in self.neurons] == [1]


def ways(
    target: Float[np.ndarray, " rows"],
    asked: Bool[np.ndarray, " rows"],
    columns: Float[np.ndarray, "columns rows"],
    neurons: Neurons,
    *,
    register: bool,
    most: int = 4,
) -> list[Way]:
    """The shortest ways to make a column, where it is asked.

    `register`: the column must come out of a neuron of its own, so a bare one saves the sum.
    """
    t, A, U = target[asked], columns[:, asked], neurons.values[:, asked]
    if not t.any():
        return [Way(0, ())]
    found: dict[Way, None] = {}
    for way in it.chain(_of_columns(t, A), _with_one(t, A, U, neurons.links, register)):
        found[way] = None
    shortest = min((way.links for way in found), default=np.inf)
    if shortest > 5:
        limit = min(shortest, 14.0)
        found |= dict.fromkeys(_with_two(t, A, U, neurons.links, limit))
    if not found:
        found = dict.fromkeys(_with_many(t, A, U, neurons.links))
    return sorted(found, key=lambda way: way.links)[:most]


def _of_columns(t: np.ndarray, A: np.ndarray) -> Iterator[Way]:
    for size in range(1, 5 if len(A) < 10 else 4):
        for chosen in it.combinations(range(len(A)), size):
            way = _solved(t, A, np.empty((0, len(t))), np.empty(0), chosen, ())
            if way is not None:
                yield way


def _bases(A: np.ndarray, most: int) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Small sets of columns with an orthonormal basis of each, dependent ones left out."""
    for size in range(most + 1):
        for chosen in it.combinations(range(len(A)), size):
            q, r = np.linalg.qr(A[list(chosen)].T)
            if size == 0 or np.abs(np.diag(r)).min() > EXACT:
                yield chosen, q


def _with_one(
    t: np.ndarray, A: np.ndarray, U: np.ndarray, links: np.ndarray, register: bool
) -> Iterator[Way]:
    """One neuron and up to two columns: what is left of both must be parallel."""
    square, best = (U**2).sum(1), np.inf
    for chosen, q in _bases(A, 2 if len(A) < 16 else 1):
        end = np.searchsorted(links, best - len(chosen), side="right")
        rest, along = t - q @ (q.T @ t), U[:end] @ q
        left = square[:end] - (along**2).sum(1)
        size = rest @ rest
        if size < EXACT:
            continue
        meets = U[:end] @ rest
        good = (left > 1e-7) & (np.abs(meets**2 - left * size) < 1e-7 * left * size)
        for k in np.nonzero(good)[0][:3]:
            way = _solved(t, A, U, links, chosen, (int(k),))
            if way is not None:
                yield Way(way.links - way.bare, way.columns, way.neurons) if register else way
                best = min(best, way.links + 1)


def _with_two(
    t: np.ndarray, A: np.ndarray, U: np.ndarray, links: np.ndarray, limit: float
) -> Iterator[Way]:
    """Two neurons of the cheapest and up to two columns."""
    U, links = U[:PAIRS], links[:PAIRS]
    both = links[:, None] + links[None, :] + 2
    products, upper = U @ U.T, np.triu(np.ones((len(U), len(U)), bool), 1)
    for chosen, q in _bases(A, 2 if len(A) < 10 else 1):
        able = upper & (both + len(chosen) < limit)
        if not able.any():
            continue
        rest, along = t - q @ (q.T @ t), U @ q
        gram, meets = products - along @ along.T, U @ rest
        own = np.diag(gram)
        area = own[:, None] * own[None, :] - gram**2
        left = meets[:, None] ** 2 * own[None, :] + meets[None, :] ** 2 * own[:, None]
        left -= 2 * gram * np.outer(meets, meets)
        size = rest @ rest
        good = able & (area > 1e-7) & (np.abs(left - size * area) < 1e-7 * (1 + size) * area)
        a, b = np.nonzero(good)
        for k in np.argsort(both[a, b], kind="stable")[:4]:
            way = _solved(t, A, U, links, chosen, (int(a[k]), int(b[k])))
            if way is not None:
                yield way
                limit = min(limit, way.links + 1)


def _with_many(t: np.ndarray, A: np.ndarray, U: np.ndarray, links: np.ndarray) -> Iterator[Way]:
    """As many neurons and columns as it takes, by a beam of best subsets."""
    U, links = U[:DEEP], links[:DEEP]
    found = best_subsets(np.concatenate([A, U]).T, t, beam=12, most=min(WIDE, len(t) + 1))
    for support, left in found.items():
        if left < EXACT:
            columns = tuple(k for k in support if k < len(A))
            neurons = tuple(k - len(A) for k in support if k >= len(A))
            way = _solved(t, A, U, links, columns, neurons)
            if way is not None:
                yield way


def _solved(
    t: np.ndarray,
    A: np.ndarray,
    U: np.ndarray,
    links: np.ndarray,
    columns: Sequence[int],
    neurons: Sequence[int],
) -> Way | None:
    """The way with these columns and neurons, if simple weights make it exact."""
    used = np.concatenate([A[list(columns)], U[list(neurons)]])
    weights = np.linalg.lstsq(used.T, t, rcond=None)[0]
    if np.abs(weights @ used - t).max() > EXACT:
        return None
    exact = [Fraction(float(w)).limit_denominator(24) for w in weights]
    if np.abs(np.array([float(w) for w in exact]) @ used - t).max() > EXACT:
        return None
    terms = list(zip((*columns, *neurons), exact, strict=True))
    kept = tuple((k, w) for k, w in terms[: len(columns)] if w)
    new = tuple((k, w) for k, w in terms[len(columns) :] if w)
    cost = len(kept) + len(new) + sum(float(links[k]) for k, _ in new)
    return Way(cost + sum(_strange(w) for _, w in (*kept, *new)), kept, new)


def _strange(weight: Fraction) -> float:
    if abs(weight) == 1:
        return 0.0
    return 0.01 if abs(weight) in (2, Fraction(1, 2)) else 0.2
