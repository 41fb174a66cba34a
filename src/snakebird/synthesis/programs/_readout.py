"""Targets as sums of known streams: what is left of them, and which few columns are exact."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from snakebird.synthesis.laws._search import best_subsets
from snakebird.synthesis.programs._arrays import Target
from snakebird.synthesis.programs._bank import Bank, Use

EXACT = 1e-16
"""The part of a target's squares that may be left for its columns to count as exact."""


@dataclass
class Readout:
    """One target, the uses it may be a sum of, and what they leave of it."""

    target: Target
    uses: list[Use]
    columns: np.ndarray
    basis: np.ndarray
    rest: np.ndarray
    price: np.ndarray | None = None

    @classmethod
    def of(cls, bank: Bank, target: Target, uses: Sequence[Use]) -> "Readout":
        """The least squares of a target over every use that fits its space."""
        own = [use for use in uses if bank.entries[use.stream].space <= target.space]
        found = [
            target.rows(bank.entries[use.stream].space, bank.values(use)[None])[0] for use in own
        ]
        columns = np.stack(found, 1) if found else np.zeros((len(target.wanted), 0))
        basis = _basis(columns)
        return cls(target, own, columns, basis, _without(basis, target.wanted))

    @property
    def left(self) -> float:
        """The part of the target that is not explained."""
        return float(self.rest @ self.rest) / max(
            float(self.target.wanted @ self.target.wanted), 1e-300
        )

    def gains(self, rows: np.ndarray) -> np.ndarray:
        """The part of what is left that each of these rows explains, of sums or of steps of sums.

        `price` is what is left for a step.
        """
        rests = [r for r in (self.rest, self.price) if r is not None and float(r @ r) > 0]
        if not rests:
            return np.zeros(len(rows))
        # The rest stands upright on the basis, so the rows need not be freed of it.
        squares = np.einsum("cr,cr->c", rows, rows)
        inside = rows @ self.basis
        length = squares - np.einsum("cb,cb->c", inside, inside)
        able = length > 1e-7 * np.maximum(squares, 1e-300)
        size = np.where(able, length, 1.0)
        told = [(rows @ rest) ** 2 / size / float(rest @ rest) for rest in rests]
        return np.where(able, np.max(told, axis=0), 0.0)

    def sums(self, bank: Bank) -> list[tuple[Use, ...]]:
        """The exact sums of few columns, the cheapest first."""
        wanted = self.target.wanted
        if not wanted.any():
            return [()]
        supports = best_subsets(self.columns, wanted, beam=24, most=9)
        small = 1e-12 * float(wanted @ wanted)
        exact = [support for support, left in supports.items() if left <= small]
        found = []
        for support in exact:
            uses = self._weighted(support)
            if uses is not None:
                found.append(uses)
        return sorted(found, key=bank.cost)

    def nearest(self, most: int = 4) -> tuple[Use, ...]:
        """The sum of few columns that leaves least, with weights in hundredths."""
        wanted = self.target.wanted
        supports = best_subsets(self.columns, wanted, beam=8, most=most)
        best = list(min(supports, key=lambda support: supports[support]))
        weights = np.linalg.lstsq(self.columns[:, best], wanted, rcond=None)[0]
        rounded = [Fraction(float(w)).limit_denominator(100) for w in weights]
        return tuple(
            self.uses[k]._replace(weight=w) for k, w in zip(best, rounded, strict=True) if w
        )

    def _weighted(self, support: Sequence[int]) -> tuple[Use, ...] | None:
        """A sum with simple weights that is exact, if there is one for these columns."""
        chosen = self.columns[:, support]
        weights = np.linalg.lstsq(chosen, self.target.wanted, rcond=None)[0]
        simple = [Fraction(float(w)).limit_denominator(1000) for w in weights]
        told = chosen @ np.array(simple, float) - self.target.wanted
        if np.abs(told).max(initial=0.0) > max(1e-7, self.target.tolerance):
            return None
        return tuple(
            self.uses[k]._replace(weight=w) for k, w in zip(support, simple, strict=True) if w
        )


def _basis(columns: np.ndarray) -> np.ndarray:
    if not columns.shape[1]:
        return columns
    sizes = np.sqrt((columns**2).sum(0))
    u, s, _ = np.linalg.svd(columns / np.where(sizes > 0, sizes, 1.0), full_matrices=False)
    return u[:, s > 1e-10 * max(s[0], 1e-300)]


def _without(basis: np.ndarray, rows: np.ndarray) -> np.ndarray:
    rest = rows - basis @ (basis.T @ rows)
    rest = rest - basis @ (basis.T @ rest)
    return np.where(np.abs(rest) < 1e-9 * max(np.abs(rows).max(initial=0.0), 1e-300), 0.0, rest)
