"""Targets that one bent neuron gives: the step, or the positive part, of a sum of known streams.

Which sums do is a linear program; the one with the least weight in absolute value has few terms
(P. S. Bradley and O. L. Mangasarian, Feature selection via concave minimization, ICML 1998).
"""

from fractions import Fraction

import numpy as np
from jaxtyping import Float
from scipy.optimize import linprog

Weights = dict[int, Fraction]
"""Column -> weight."""

MOST_ROWS, MOST_WEIGHT = 1_500, 1e3
"""Of more different rows no prices are asked; weights are no larger than this."""

ROUNDS = 3
"""So many times terms of little weight are made dearer."""


def step_of(
    columns: Float[np.ndarray, "rows columns"], wanted: Float[np.ndarray, " rows"]
) -> Weights | None:
    """A sum that is above zero just where a target of zeros and ones is one; None if none is.

    >>> columns = np.array([[0.0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]])
    >>> {k: str(w) for k, w in step_of(columns, np.array([0.0, 0, 0, 1])).items()}
    {0: '1', 1: '1', 2: '-1'}
    """
    if not ((wanted == 0) | (wanted == 1)).all() or not 0 < wanted.sum() < len(wanted):
        return None
    sign = np.where(wanted > 0, -1.0, 1.0)
    rows = np.unique(np.column_stack([columns, sign]), axis=0)
    bounds = np.where(rows[:, -1] < 0, -1.0, 0.0)
    found = _fewest(rows[:, -1:] * rows[:, :-1], bounds, None, None)
    if found is None:
        return None
    for simple in _simpler(found):
        told = columns[:, list(simple)] @ np.array([float(w) for w in simple.values()])
        if ((told > 1e-9) == (wanted > 0)).all():
            return simple
    return None


def unsettled(
    columns: Float[np.ndarray, "rows columns"], wanted: Float[np.ndarray, " rows"]
) -> Float[np.ndarray, " rows"] | None:
    """What a new column should be like for a step of a sum to come nearer to a target.

    These are the prices of the rows in the linear program that makes the errors small; a column
    helps by its product with them, and those that are there have none (column generation as in
    A. Demiriz, K. Bennett and J. Shawe-Taylor, Linear programming boosting via column generation,
    Machine Learning 46, 2002). None for targets that are no zeros and ones, or are settled.

    >>> columns = np.array([[0.0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]])
    >>> wanted = np.array([0.0, 1, 1, 0])
    >>> price = unsettled(columns, wanted)
    >>> bool(np.abs(price @ columns).max() < 1e-9), float(abs(price @ columns.prod(1))) > 0
    (True, True)
    """
    if not ((wanted == 0) | (wanted == 1)).all() or not 0 < wanted.sum() < len(wanted):
        return None
    sign = np.where(wanted > 0, -1.0, 1.0)
    rows, at, counts = np.unique(
        np.column_stack([columns, sign]), axis=0, return_inverse=True, return_counts=True
    )
    if len(rows) > MOST_ROWS:
        return None
    size, width = len(rows), columns.shape[1]
    signed = rows[:, -1:] * rows[:, :-1]
    bounds = np.where(rows[:, -1] < 0, -1.0, 0.0)
    done = linprog(
        np.concatenate([np.zeros(width), np.ones(size)]),
        np.column_stack([signed, -np.eye(size)]),
        bounds,
        bounds=[(-MOST_WEIGHT, MOST_WEIGHT)] * width + [(0, None)] * size,
        method="highs",
        options={"time_limit": 4.0},
    )
    if done.status != 0 or done.fun < 1e-9:
        return None
    price = done.ineqlin.marginals * rows[:, -1]
    return (price / counts)[at.ravel()]


def relu_of(
    columns: Float[np.ndarray, "rows columns"], wanted: Float[np.ndarray, " rows"]
) -> Weights | None:
    """A sum whose positive part is the target; None if none is."""
    above = wanted > 0
    if (wanted < 0).any() or not above.any() or above.all() or above.sum() < 3:
        return None
    nearest = np.linalg.lstsq(columns[above], wanted[above], rcond=None)[0]
    if np.abs(columns[above] @ nearest - wanted[above]).max() > 1e-7 * wanted.max():
        return None
    under = np.unique(columns[~above], axis=0)
    found = _fewest(under, np.zeros(len(under)), columns[above], wanted[above])
    if found is None:
        return None
    support = [k for k, w in enumerate(found) if abs(w) > 1e-7]
    simple = {k: Fraction(float(found[k])).limit_denominator(60) for k in support}
    told = columns[:, support] @ np.array([float(w) for w in simple.values()])
    return simple if np.abs(np.maximum(told, 0.0) - wanted).max() < 1e-7 else None


def _fewest(
    under: np.ndarray, bounds: np.ndarray, equal: np.ndarray | None, values: np.ndarray | None
) -> np.ndarray | None:
    """Weights with `under @ w <= bounds` and `equal @ w == values`, few of them not zero."""
    price = np.ones(under.shape[1])
    found = None
    for _ in range(ROUNDS):
        now = _least(price, under, bounds, equal, values)
        if now is None:
            return found
        found = now
        price = 1.0 / (np.abs(found) + 1e-3 * np.abs(found).max())
    return None if found is None else _leaner(found, under, bounds, equal, values)


def _leaner(
    found: np.ndarray,
    under: np.ndarray,
    bounds: np.ndarray,
    equal: np.ndarray | None,
    values: np.ndarray | None,
) -> np.ndarray:
    """The weights without terms that can be left out one after the other, the small ones first."""
    kept = np.flatnonzero(np.abs(found) > 1e-7)
    for gone in sorted(kept, key=lambda k: abs(found[k])):
        fewer = kept[kept != gone]
        part = None if equal is None else equal[:, fewer]
        now = _least(np.ones(len(fewer)), under[:, fewer], bounds, part, values)
        if now is not None:
            kept, found = fewer, np.zeros(len(found))
            found[kept] = now
    return found


def _least(
    price: np.ndarray,
    under: np.ndarray,
    bounds: np.ndarray,
    equal: np.ndarray | None,
    values: np.ndarray | None,
) -> np.ndarray | None:
    """The weights of least price, from the linear program for their two signs."""
    if not len(price):
        return None
    both = lambda rows: None if rows is None else np.column_stack([rows, -rows])
    done = linprog(
        np.tile(price, 2), both(under), bounds, both(equal), values, method="highs",
        options={"time_limit": 2.0},
    )  # fmt: skip
    if done.status != 0:
        return None
    return done.x[: len(price)] - done.x[len(price) :]


def _simpler(found: np.ndarray) -> list[Weights]:
    """The weights in simpler and simpler proportions, the simplest first."""
    support = np.flatnonzero(np.abs(found) > 1e-7)
    smallest = np.abs(found[support]).min()
    tries = [
        {int(k): Fraction(float(found[k] / smallest)).limit_denominator(d) for k in support}
        for d in (1, 2, 4, 12)
    ]
    exact = {int(k): Fraction(float(found[k])).limit_denominator(1000) for k in support}
    return [simple for simple in (*tries, exact) if all(simple.values())]
