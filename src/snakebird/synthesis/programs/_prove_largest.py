"""The largest number under all tokens of a map, as one more number of the state.

A proof looks at a few tokens only. What the largest number is beyond them is an unknown of its
own, which stays as it is where a step leaves all other tokens as they were.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from snakebird.machines import Machine
from snakebird.synthesis.programs._prove_cells import LARGEST, Cell, Encoded
from snakebird.synthesis.programs._prove_symbols import solver


def looks_at_all(machine: Machine) -> bool:
    """Whether a machine asks for the largest number of a map."""
    return any(neuron.type.name == "max_norm" for neuron in machine.neurons.values())


def put_largest(state: Encoded) -> None:
    """Write the largest size of each map of a machine in a state that was reached."""
    cells = dict.fromkeys(c for row in state.tokens.values() for c in row if c[0] == "machine")
    for cell in cells:
        sizes = (abs(row.get(cell, 0)) for row in state.tokens.values())
        state.alone[LARGEST, cell] = max(sizes, default=0)


class Rest(NamedTuple):
    """Of one map, at the tokens that a step does not look at: one number, and the largest size."""

    term: Any
    largest: Any


class Largest:
    """The largest numbers of a state of unknowns, `other` being the token that stands for many."""

    def __init__(self, before: Encoded, points: Sequence[str], other: str | None):
        self.other, self.points = "" if other is None else other, points
        self.rests: dict[Cell, Rest] = {}
        self.facts: list[Any] = []
        for cell, whole in before.alone.items():
            if cell[0] == LARGEST and other is not None:
                self._know(cell[1], whole, before.tokens)

    def _know(self, cell: Cell, whole: Any, tokens: Mapping[str, Mapping[Cell, Any]]) -> None:
        z3 = solver()
        term = tokens[self.other][cell]
        make = z3.Int if z3.is_int(term) else z3.Real
        rest = make(f"largest of the rest of {len(self.rests)}")
        self.rests[cell] = Rest(term, rest)
        seen = (tokens[point][cell] for point in self.points if point is not self.other)
        self.facts += [rest >= _size(term), whole == _most([rest, *map(_size, seen)])]

    def beyond(self, term: Any) -> Any:
        """The largest size at all tokens that are not looked at, if a map has `term` there."""
        if _number(term) == 0:
            return 0
        for rest, largest in self.rests.values():
            times = _number(solver().substitute(term, (rest, _one(rest))))
            if times is not None and _number(term - times * rest) == 0:
                return abs(times) * largest
        return None

    def put(self, after: Encoded) -> None:
        """Write the largest numbers after a step; where nothing is known of one, an unknown."""
        z3 = solver()
        for cell in self.rests:
            values = {t: row.get(cell, 0) for t, row in after.tokens.items()}
            beyond = self.beyond(values.get(self.other, 0))
            if beyond is None:
                beyond = z3.FreshReal("largest")
            seen = (_size(v) for t, v in values.items() if t is not self.other)
            after.alone[LARGEST, cell] = _most([beyond, *seen])


def _size(value: Any) -> Any:
    z3 = solver()
    if not z3.is_expr(value):
        return abs(value)
    return z3.If(value >= 0, value, -value)


def _most(values: Iterable[Any]) -> Any:
    z3 = solver()
    largest, *others = values
    for value in others:
        largest = z3.If(value > largest, value, largest)
    return largest


def _one(term: Any) -> Any:
    z3 = solver()
    return z3.IntVal(1) if z3.is_int(term) else z3.RealVal(1)


def _number(term: Any) -> Any:
    """A term as a whole number, if it is one; None else."""
    z3 = solver()
    if not z3.is_expr(term):
        return term
    plain = z3.simplify(term)
    if z3.is_int_value(plain):
        return plain.as_long()
    if z3.is_rational_value(plain) and plain.denominator_as_long() == 1:
        return plain.numerator_as_long()
    return None
