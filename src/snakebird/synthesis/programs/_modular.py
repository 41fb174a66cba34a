"""Sums modulo two: answers that no sum of neurons comes near to, and elimination finds at once.

Every part of a parity is uncorrelated with the whole, so that neither gradients nor residuals show
the way (D. Selsam, The TerpreT problem, 2018); over the field of two elements it is linear.
"""

import numpy as np
from jaxtyping import Bool, Float


def parity_support(
    columns: Float[np.ndarray, "rows columns"], wanted: Float[np.ndarray, " rows"]
) -> list[int] | None:
    """Columns of zeros and ones whose sum is the wanted one modulo two; None if there are none.

    >>> columns = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    >>> parity_support(columns, np.array([0.0, 1, 1, 0]))
    [0, 1]
    """
    binary = lambda x: ((x == 0) | (x == 1)).all(0)
    if not binary(wanted):
        return None
    usable = np.flatnonzero(binary(columns))
    table = np.concatenate([columns[:, usable], wanted[:, None]], axis=1).astype(bool)
    pivots, table = _eliminated(table)
    free = table.shape[1] - 1
    if free in pivots or len(table) < 2 * len(pivots):
        return None
    return [int(usable[column]) for row, column in enumerate(pivots) if table[row, free]]


def _eliminated(table: Bool[np.ndarray, "rows columns"]) -> tuple[list[int], np.ndarray]:
    """The reduced echelon form modulo two, and the columns of its pivots."""
    table, pivots = table.copy(), []
    for column in range(table.shape[1]):
        row = len(pivots)
        below = np.flatnonzero(table[row:, column])
        if not len(below):
            continue
        table[[row, row + below[0]]] = table[[row + below[0], row]]
        others = np.flatnonzero(table[:, column])
        table[others[others != row]] ^= table[row]
        pivots.append(column)
        if len(pivots) == len(table):
            break
    return pivots, table
