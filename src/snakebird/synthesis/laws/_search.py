"""Which few columns explain the data: a beam of best subsets of a linear problem."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float

Support = tuple[int, ...]


def best_subsets(
    A: Float[np.ndarray, "rows columns"],
    b: Float[np.ndarray, " rows"],
    *,
    beam: int = 40,
    most: int = 7,
    usable: Bool[np.ndarray, " columns"] | None = None,
) -> dict[Support, float]:
    """Sums of squares left by small sets of columns, the best found of each size.

    Every set of the beam is grown by every column, by exact orthogonal projection (R. R. Hocking,
    The analysis and selection of variables in linear regression, Biometrics 32, 1976).
    """
    norms = np.sqrt((A**2).sum(0))
    finite = np.isfinite(norms)
    good = finite & (norms > 1e-12 * (norms[finite].max(initial=0.0) + 1e-300))
    if usable is not None:
        good &= usable
    A = np.where(good, A / np.where(good, norms, 1.0), 0.0)
    found: dict[Support, float] = {(): float(b @ b)}
    current: list[tuple[Support, np.ndarray, np.ndarray]] = [((), np.zeros((len(b), 0)), b)]
    for _ in range(min(most, len(b) - 1)):
        grown: dict[Support, tuple[float, np.ndarray, np.ndarray]] = {}
        for support, basis, rest in current:
            _grow(A, good, support, basis, rest, beam, grown)
        if not grown:
            break
        best = sorted(grown.items(), key=lambda item: item[1][0])[:beam]
        found.update({support: left for support, (left, _, _) in best})
        current = [(support, basis, rest) for support, (_, basis, rest) in best]
    return found


def _grow(
    A: np.ndarray,
    good: np.ndarray,
    support: Support,
    basis: np.ndarray,
    rest: np.ndarray,
    beam: int,
    grown: dict[Support, tuple[float, np.ndarray, np.ndarray]],
) -> None:
    """Add every column to one set, keeping the better ones."""
    free = A - basis @ (basis.T @ A)
    length = (free**2).sum(0)
    # What is left of a column after the others must be more than rounding.
    able = good & (length > 1e-9)
    able[list(support)] = False
    gain = np.where(able, (free.T @ rest) ** 2 / np.where(able, length, 1.0), -1.0)
    for j in np.argsort(-gain)[:beam]:
        if gain[j] < 0:
            break
        larger = tuple(sorted((*support, int(j))))
        if larger in grown:
            continue
        q = free[:, j] / np.sqrt(length[j])
        left = rest - q * (q @ rest)
        grown[larger] = (float(left @ left), np.column_stack([basis, q]), left)


def without(A: Float[np.ndarray, "rows c"], *others: Float[np.ndarray, "rows ..."]) -> list:
    """Everything with the directions of `A` projected out: what numbers that are free anyway do."""
    if A.shape[1] == 0:
        return list(others)
    q, r = np.linalg.qr(A)
    size = np.abs(np.diag(r))
    q = q[:, size > 1e-12 * size.max(initial=1e-300)]
    return [x - q @ (q.T @ x) for x in others]


def neighbors(support: Support, columns: Iterable[int]) -> list[Support]:
    """The sets that differ by one column left out, added or exchanged."""
    columns = list(columns)
    less = [tuple(x for x in support if x != gone) for gone in support]
    near = [*less, support]
    return [
        *less,
        *(tuple(sorted((*part, j))) for part in near for j in columns if j not in part),
    ]
