"""How the inputs of new examples are drawn, and how differently where a program is tested.

Drawn widely, a stream keeps to its range, but follows patterns that even chances all but never
make: constant, alternating, rare exceptions, long runs, everything in turn; and tokens are new.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from snakebird.errors import InputError
from snakebird.synthesis.programs._values import Value


@dataclass(frozen=True)
class Draw(ABC):
    """How one stream is drawn; a subclass says which values there are, by `values`."""

    def draw(self, rng: np.random.Generator, length: int, wide: bool) -> list[Value]:
        """A stream of this length; `wide` draws it in another way than the examples."""
        pattern = PATTERNS[rng.integers(len(PATTERNS))] if wide and rng.random() < ODD else _even
        return pattern(rng, lambda count: self.values(rng, count, wide), length)

    @abstractmethod
    def values(self, rng: np.random.Generator, count: int, wide: bool) -> list[Value]:
        """So many values, each by itself."""


@dataclass(frozen=True)
class Integers(Draw):
    """Whole numbers from `low` to `high`, both included.

    >>> Integers(3, 3).draw(np.random.default_rng(0), 2, False)
    [3, 3]
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_range(self, "Integers(0, 9)")

    def values(self, rng: np.random.Generator, count: int, wide: bool) -> list[Value]:
        return rng.integers(self.low, self.high, size=count, endpoint=True).tolist()


@dataclass(frozen=True)
class Reals(Draw):
    """Numbers from `low` to `high`: floats, or fractions over a `denominator`, which stay exact.

    >>> Reals(1, 1, denominator=4).draw(np.random.default_rng(0), 2, False)
    [Fraction(1, 1), Fraction(1, 1)]
    """

    low: float | Fraction
    high: float | Fraction
    denominator: int | None = None

    def __post_init__(self) -> None:
        _check_range(self, "Reals(-1, 1)")

    def values(self, rng: np.random.Generator, count: int, wide: bool) -> list[Value]:
        if self.denominator is None:
            return rng.uniform(float(self.low), float(self.high), count).tolist()
        low, high = (Fraction(end) * self.denominator for end in (self.low, self.high))
        steps = rng.integers(-(-low // 1), high // 1, size=count, endpoint=True)
        return [Fraction(step, self.denominator) for step in steps.tolist()]


@dataclass(frozen=True, init=False)
class OneOf(Draw):
    """One of these values, of any kind; `None` is a tick in which nothing arrives.

    >>> OneOf("a").draw(np.random.default_rng(0), 2, False)
    ['a', 'a']
    """

    choices: tuple[Value, ...]

    def __init__(self, *choices: Value):
        if not choices:
            raise InputError("there is nothing to draw", "OneOf", "write OneOf(0, 1)")
        if isinstance(choices[0], list | tuple | set):
            given = ", ".join(repr(one) for one in choices[0])
            raise InputError(f"found {choices[0]!r} as a value", "OneOf", f"write OneOf({given})")
        object.__setattr__(self, "choices", choices)

    def values(self, rng: np.random.Generator, count: int, wide: bool) -> list[Value]:
        return [self.choices[at] for at in rng.integers(len(self.choices), size=count)]


@dataclass(frozen=True)
class TokenDraw(Draw):
    """Tokens of an alphabet; drawn widely, `more` others instead, which no example holds.

    With `more=0` the alphabet is closed: no other token ever arrives.

    >>> TokenDraw("a").draw(np.random.default_rng(0), 2, False)
    ['a', 'a']
    """

    tokens: Sequence[str]
    more: int = 40

    def __post_init__(self) -> None:
        if not self.tokens:
            raise InputError("there is no token to draw", "TokenDraw", 'write TokenDraw("abc")')

    def values(self, rng: np.random.Generator, count: int, wide: bool) -> list[Value]:
        known = list(dict.fromkeys(self.tokens))
        chosen = self._others(known) if wide and self.more else known
        return [chosen[at] for at in rng.integers(len(chosen), size=count)]

    def _others(self, known: list[str]) -> list[str]:
        names = (f"t{k}" for k in range(self.more + len(known)))
        return [name for name in names if name not in known][: self.more]


Values = Callable[[int], list[Value]]


def _even(rng: np.random.Generator, values: Values, length: int) -> list[Value]:
    return values(length)


def _constant(rng: np.random.Generator, values: Values, length: int) -> list[Value]:
    return values(1) * length


def _alternating(rng: np.random.Generator, values: Values, length: int) -> list[Value]:
    period = values(int(rng.integers(2, 5)))
    return (period * length)[:length]


def _skewed(rng: np.random.Generator, values: Values, length: int) -> list[Value]:
    usual, others = values(1)[0], values(length)
    rare = rng.random(length) < 0.1
    return [other if odd else usual for other, odd in zip(others, rare, strict=True)]


def _runs(rng: np.random.Generator, values: Values, length: int) -> list[Value]:
    stream: list[Value] = []
    while len(stream) < length:
        stream += values(1) * int(rng.integers(1, max(2, length // 3) + 1))
    return stream[:length]


PATTERNS = (_constant, _alternating, _skewed, _runs)

ODD = 0.5
"""How many of the streams that are drawn widely follow a pattern; the others have even chances."""

Draws = Mapping[str, Any] | Callable[..., Mapping[str, Sequence[Value]]]
"""A `Draw` for each input; or, for inputs that hang together, a function `(rng, length)` that gives
all of them, which is told `wide=` where it takes that."""


def drawn(
    draws: Draws, rng: np.random.Generator, length: int, *, wide: bool = False
) -> dict[str, Sequence[Value]]:
    """One set of input streams. Raises `InputError` for draws that are none.

    >>> drawn({"x": OneOf(1), "y": OneOf("a")}, np.random.default_rng(0), 2)
    {'x': [1, 1], 'y': ['a', 'a']}
    """
    if callable(draws):
        told = {"wide": wide} if "wide" in inspect.signature(draws).parameters else {}
        return dict(draws(rng, length, **told))
    for name, one in draws.items():
        if not isinstance(one, Draw):
            raise InputError(
                f"found {one!r}, expected a Draw",
                f"draws of {name!r}",
                'write Integers(0, 9), Reals(-1, 1), OneOf(0, 1) or TokenDraw("abc")',
            )
    return {name: one.draw(rng, length, wide) for name, one in draws.items()}


def _check_range(given: Any, example: str) -> None:
    if given.low > given.high:
        what = f"low is {given.low} and high is {given.high}"
        raise InputError(what, type(given).__name__, f"give the smaller one first: {example}")
