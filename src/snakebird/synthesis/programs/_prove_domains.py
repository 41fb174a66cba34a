"""What may arrive at a source: everything that a proof must hold for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

from snakebird.errors import InputError
from snakebird.synthesis.programs._exact import as_exact, exact_tree
from snakebird.synthesis.programs._examples import Integers, OneOf, Reals, TokenDraw
from snakebird.synthesis.programs._values import as_value

POOL = tuple(f"token {k}" for k in range(5))
"""Tokens that stand for any token in random runs."""

FEW = 32
"""Up to so many whole numbers of a range are taken one by one."""


@dataclass(frozen=True)
class Domain:
    """All values of a stream: these, or every "token", "integer" or "real" from low to high."""

    values: tuple[Any, ...] = ()
    every: str = ""
    low: Any = None
    high: Any = None

    def sample(self, rng: Random, tokens: Sequence[str] = ()) -> Any:
        """One value at random; where any token may come, sometimes one of these."""
        if not self.every:
            return rng.choice(self.values)
        if self.every == "token":
            return rng.choice([*POOL, *tokens])
        low = -6 if self.low is None else self.low
        high = low + 12 if self.high is None else self.high
        if rng.random() < 0.2:
            return rng.choice([low, high])
        if self.every == "integer":
            return rng.randint(low, high)
        part = Fraction(rng.randint(0, 24), 24)
        return as_exact(Fraction(low) + (Fraction(high) - Fraction(low)) * part)


def as_domain(name: str, given: Any) -> Domain:
    """A domain from a type (`int`, `Fraction`, `str`: any token), a `Draw`, or a list of values.

    Raises `InputError` for what says nothing about the values.

    >>> as_domain("x", range(2)).values, as_domain("x", str).every
    ((0, 1), 'token')
    """
    types = {int: "integer", float: "real", Fraction: "real", str: "token"}
    if isinstance(given, type) and given in types:
        return Domain(every=types[given])
    if isinstance(given, Integers):
        if given.high - given.low < FEW:
            return Domain(tuple(range(given.low, given.high + 1)))
        return Domain(every="integer", low=given.low, high=given.high)
    if isinstance(given, Reals):
        return Domain(every="real", low=exact_tree(given.low), high=exact_tree(given.high))
    if isinstance(given, TokenDraw) and given.more:
        return Domain(every="token")
    if isinstance(given, OneOf | TokenDraw):
        given = given.choices if isinstance(given, OneOf) else given.tokens
    if isinstance(given, Iterable) and (values := tuple(given)):
        return Domain(tuple(exact_tree(as_value(v, f"domain of {name!r}")) for v in values))
    raise InputError(
        f"found {given!r}, expected what may arrive",
        f"domain of {name!r}",
        "give a list of all values, or int, Fraction or str for any whole number, number or token",
    )
