"""What may be an invariant: everything simple that held in all states of some runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, permutations
from math import lcm
from typing import Any

from snakebird.synthesis.programs._prove_cells import EVERY, Cell, show_cell
from snakebird.synthesis.programs._prove_symbols import solver

Row = Mapping[Cell, Any]
"""The numbers or terms of one state: those that stand alone, and for families those of a token."""

MOST_PAIRS = 60
"""Of more cells than this, none are compared two by two."""


@dataclass(frozen=True)
class Candidate:
    """`sum(factor * cell) + constant`, which is zero, or not negative; or one of other relations.

    * "zero", "not negative": of the linear form;
    * "among": the cell is one of `values`;
    * "apart": of two cells one is zero; "only with": the first is zero where the second is.
    """

    relation: str
    terms: tuple[tuple[Cell, int], ...]
    constant: int = 0
    values: tuple[Any, ...] = ()

    @property
    def family(self) -> bool:
        """Whether it is to hold for every token."""
        return any(EVERY in cell for cell, _ in self.terms)

    def holds(self, row: Row) -> Any:
        """Whether it holds: a truth value, or a formula of the solver."""
        cells = [row[cell] for cell, _ in self.terms]
        if self.relation == "among":
            return _either(*(cells[0] == value for value in self.values))
        if self.relation == "apart":
            return _either(cells[0] == 0, cells[1] == 0)
        if self.relation == "only with":
            return _either(cells[0] == 0, cells[1] != 0)
        pairs = zip(self.terms, cells, strict=True)
        total = sum((factor * cell for (_, factor), cell in pairs), start=self.constant)
        return total == 0 if self.relation == "zero" else total >= 0

    def __str__(self) -> str:
        names = [show_cell(cell) for cell, _ in self.terms]
        if self.relation == "among":
            text = f"{names[0]} is " + " or ".join(str(value) for value in self.values)
        elif self.relation == "apart":
            text = f"{names[0]} or {names[1]} is 0"
        elif self.relation == "only with":
            text = f"{names[0]} is 0 where {names[1]} is 0"
        else:
            sides = {True: [], False: []}
            for name, (_, factor) in zip(names, self.terms, strict=True):
                sides[factor > 0].append(name if abs(factor) == 1 else f"{abs(factor)} {name}")
            if self.constant:
                sides[self.constant > 0].append(str(abs(self.constant)))
            left, right = (" + ".join(sides[side]) or "0" for side in (True, False))
            text = f"{left} {'=' if self.relation == 'zero' else '>='} {right}"
        return f"{text}, for every token k" if self.family else text


def _either(*conditions: Any) -> Any:
    if all(isinstance(condition, bool) for condition in conditions):
        return any(conditions)
    return solver().Or(*conditions)


def candidates(alone: Sequence[Row], tokens: Sequence[Row]) -> list[Candidate]:
    """All candidates that hold in states, and in states at tokens."""
    found = dict.fromkeys(_of(alone))
    return [*found, *(c for c in _of(tokens) if c.family and c not in found)]


def _of(rows: Sequence[Row]) -> Iterator[Candidate]:
    if not rows or not rows[0]:
        return
    cells = list(rows[0])
    yield from equalities(rows, cells)
    for candidate in _inequalities(rows, cells):
        if all(candidate.holds(row) for row in rows):
            yield candidate


def _inequalities(rows: Sequence[Row], cells: list[Cell]) -> Iterator[Candidate]:
    for cell in cells:
        values = sorted({row[cell] for row in rows})
        if len(values) <= 4:
            yield Candidate("among", ((cell, 1),), values=tuple(values))
        low, high = values[0], values[-1]
        for bound in {0, low} if isinstance(low, int) and abs(low) <= 2 else {0}:
            yield Candidate("not negative", ((cell, 1),), -bound)
        for bound in {0, high} if isinstance(high, int) and abs(high) <= 2 else {0}:
            yield Candidate("not negative", ((cell, -1),), bound)
    if len(cells) <= MOST_PAIRS:
        for one, other in permutations(cells, 2):
            yield Candidate("not negative", ((one, 1), (other, -1)))
            yield Candidate("not negative", ((one, 1), (other, -1)), -1)
            yield Candidate("only with", ((one, 1), (other, 1)))
        for one, other in combinations(cells, 2):
            yield Candidate("apart", ((one, 1), (other, 1)))


def equalities(rows: Sequence[Row], cells: Sequence[Cell]) -> Iterator[Candidate]:
    """A basis of all linear equalities between cells that hold in all rows.

    >>> rows = [{("state", "a"): n, ("state", "b"): 2 * n + 1} for n in (0, 1, 5)]
    >>> [str(c) for c in equalities(rows, list(rows[0]))]
    ["2 state['a'] + 1 = state['b']"]
    """
    vectors = {tuple(Fraction(row[cell]) for cell in cells) + (Fraction(1),) for row in rows}
    pivots, reduced = _reduced([list(v) for v in sorted(vectors)], len(cells) + 1)
    for free in range(len(cells) + 1):
        if free in pivots:
            continue
        solution = [Fraction(0)] * (len(cells) + 1)
        solution[free] = Fraction(1)
        for row, pivot in zip(reduced, pivots, strict=False):
            solution[pivot] = -row[free]
        common = lcm(*(n.denominator for n in solution))
        whole = [int(n * common) for n in solution]
        terms = tuple((c, n) for c, n in zip(cells, whole, strict=False) if n)
        yield Candidate("zero", terms, whole[-1])


def _reduced(rows: list[list[Fraction]], width: int) -> tuple[list[int], list[list[Fraction]]]:
    """The reduced row echelon form, and the columns of its pivots."""
    pivots: list[int] = []
    done = 0
    for column in range(width):
        at = next((r for r in range(done, len(rows)) if rows[r][column]), None)
        if at is None:
            continue
        rows[done], rows[at] = rows[at], rows[done]
        lead = rows[done][column]
        rows[done] = [n / lead for n in rows[done]]
        for r, row in enumerate(rows):
            if r != done and row[column]:
                factor = row[column]
                rows[r] = [a - factor * b for a, b in zip(row, rows[done], strict=True)]
        pivots.append(column)
        done += 1
    return pivots, rows[:done]
