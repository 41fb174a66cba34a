"""Simple numbers near a fitted one: what a coefficient may have been before it was measured.

The length of a number in bits, with g(n) = 2*floor(log2(n + 1)) + 1, the length of n
in the gamma code of Elias (1975):

| family | numbers | bits |
| --- | --- | --- |
| integer | m * 10**k | 1 + g(m) + g(k) |
| decimal | m / 10**k, k from 1 to 15 | 2 + g(m) + g(k) |
| fraction | p/q in lowest terms, q from 2 | 3 + g(p) + g(q) |
| pi | p/q * pi | 7 + g(p) + g(q) |
| e | p/q * e | 9 + g(p) + g(q) |
| root | p/q * sqrt(n), n = 2, 3, 5, 6, 7, 10 | 8 + g(n) + g(p) + g(q) |

A sign costs nothing. The ends of an interval are the numbers that their shortest decimals say, so
that 0.3 lies in the interval from 0.3 to 0.3.
"""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import groupby, islice
from typing import Any

import sympy as sp

from snakebird.errors import InputError, UnknownNameError, suggest

_ROOTS = (2, 3, 5, 6, 7, 10)
_DECIMALS = 15
_TOGETHER = 1000
_LONGEST = 64
"""What is longer than a double is not simple: where multiples of pi, e and roots end."""


@dataclass(frozen=True)
class Simple:
    """A number with a short description: exact as SymPy, its family and its length in bits.

    >>> str(simplest_within(0.334, 0.33, 0.34))
    '1/3'
    """

    number: Any
    family: str
    bits: int
    text: str

    def __float__(self) -> float:
        return float(self.number)

    def __str__(self) -> str:
        return self.text


def simple_numbers(
    value: float, error: float, *, limit: int = 10, families: Sequence[str] | None = None
) -> tuple[Simple, ...]:
    """Up to `limit` numbers from `value - error` to `value + error`, the shortest first.

    Of equally short ones the one nearest to `value` comes first, and a number that belongs to
    several families is listed once. `families` are some of those in the module's table, by
    default all. Raises `InputError` for a value or an error that is not finite or below zero, and
    `UnknownNameError` for a family that is not there.

    >>> [str(n) for n in simple_numbers(0.4998, 0.001, limit=2)]
    ['1/2', '0.499']
    >>> str(simple_numbers(3.1413, 0.0005, limit=1)[0])
    'pi'
    """
    if not (math.isfinite(abs(value) + error) and error >= 0):
        raise InputError(
            f"the value {value} with the error {error}",
            "simple_numbers",
            "give a number and an uncertainty that is zero or more, both finite",
        )
    found = _within(value, value - error, value + error, families)
    return tuple(islice(found, limit))


def simplest_within(
    value: float, low: float, high: float, *, families: Sequence[str] | None = None
) -> Simple:
    """The shortest number from `low` to `high`, among equals the one nearest to `value`.

    There always is one: every double is a fraction. Raises `InputError` unless
    `low <= value <= high`, all finite.

    >>> print(simplest_within(0.4998, 0.49, 0.51))
    1/2
    """
    if not (-math.inf < low <= value <= high < math.inf):
        raise InputError(
            f"the value {value} from {low} to {high}",
            "simplest_within",
            "give finite numbers with low <= value <= high",
        )
    found = next(_within(value, low, high, families), None)
    return found or next(_within(value, low, high, ("fraction", "integer")))


def simplest_fraction(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of smallest denominator and numerator from `low` to `high`, both included.

    Source: the tree of Stern (1858) and Brocot (1861), by continued fractions.

    >>> simplest_fraction(Fraction(31, 10), Fraction(32, 10))
    Fraction(16, 5)
    """
    if low > high:
        raise InputError(f"no number lies from {low} to {high}", "simplest_fraction")
    return _simplest(low, high, False, False)


def _within(
    value: float, low: float, high: float, families: Sequence[str] | None
) -> Iterator[Simple]:
    """All simple numbers of an interval, shortest and nearest first, each once."""
    for name in families or ():
        if name not in _FAMILIES:
            raise UnknownNameError(
                f"no family of numbers is named {name!r}", "families", suggest(name, _FAMILIES)
            )
    chosen = _FAMILIES if families is None else families
    ends = Fraction(repr(float(low))), Fraction(repr(float(high)))
    merged = heapq.merge(*[_FAMILIES[name](*ends) for name in chosen], key=lambda n: n.bits)
    seen: set[Any] = set()
    for _, equals in groupby(merged, key=lambda n: n.bits):
        while some := list(islice(equals, _TOGETHER)):
            for own in sorted(some, key=lambda n: (abs(float(n) - value), n.text)):
                if own.number not in seen:
                    seen.add(own.number)
                    yield own


def _gamma(n: int) -> int:
    return 2 * ((n + 1).bit_length() - 1) + 1


def _length(x: Fraction) -> int:
    return _gamma(abs(x.numerator)) + _gamma(x.denominator)


def _integers(low: Fraction, high: Fraction) -> Iterator[Simple]:
    if low <= 0 <= high:
        yield Simple(sp.Integer(0), "integer", 1 + 2 * _gamma(0), "0")
    longest = len(str(math.floor(max(abs(low), abs(high)))))
    levels = [_scaled(low, high, power, "integer", 1) for power in range(longest)]
    yield from heapq.merge(*levels, key=lambda n: n.bits)


def _decimals(low: Fraction, high: Fraction) -> Iterator[Simple]:
    levels = [_scaled(low, high, -places, "decimal", 2) for places in range(1, _DECIMALS + 1)]
    return heapq.merge(*levels, key=lambda n: n.bits)


def _scaled(low: Fraction, high: Fraction, power: int, family: str, extra: int) -> Iterator[Simple]:
    """The numbers `m * 10**power` of an interval, m no multiple of 10, the smallest m first."""
    scale = Fraction(10) ** power
    for m in _whole(math.ceil(low / scale), math.floor(high / scale)):
        if m % 10:
            number = sp.Rational(m * scale.numerator, scale.denominator)
            bits = extra + _gamma(abs(m)) + _gamma(abs(power))
            yield Simple(number, family, bits, str(number) if power >= 0 else _point(m, -power))


def _point(m: int, places: int) -> str:
    whole, rest = divmod(abs(m), 10**places)
    return f"{'-' if m < 0 else ''}{whole}.{rest:0{places}d}"


def _whole(first: int, last: int) -> Iterator[int]:
    """The integers from `first` to `last`, the smallest sizes first."""
    if first > last:
        return
    n = 0 if first <= 0 <= last else min(abs(first), abs(last))
    while n <= max(abs(first), abs(last)):
        yield from (k for k in dict.fromkeys((n, -n)) if first <= k <= last)
        n += 1


def _fractions(low: Fraction, high: Fraction) -> Iterator[Simple]:
    for x in _tree(low, high, whole=False):
        number = sp.Rational(x.numerator, x.denominator)
        yield Simple(number, "fraction", 3 + _length(x), str(x))


def _multiples(
    low: Fraction, high: Fraction, *, unit: Any, family: str, extra: int
) -> Iterator[Simple]:
    """Fractions times a unit, zero left out, as long as they are shorter than a double."""
    size = float(unit)
    # Divided in doubles: look a little outside, and then at each product.
    first = Fraction(math.nextafter(float(low) / size, -math.inf))
    last = Fraction(math.nextafter(float(high) / size, math.inf))
    for x in _tree(first, last, whole=True):
        if extra + _length(x) > _LONGEST:
            return
        number = sp.Rational(x.numerator, x.denominator) * unit
        if x and float(low) <= float(number) <= float(high):
            yield Simple(number, family, extra + _length(x), str(number))


def _roots(low: Fraction, high: Fraction) -> Iterator[Simple]:
    each = [
        _multiples(low, high, unit=sp.sqrt(n), family="root", extra=8 + _gamma(n)) for n in _ROOTS
    ]
    return heapq.merge(*each, key=lambda n: n.bits)


_FAMILIES: dict[str, Any] = {
    "integer": _integers,
    "decimal": _decimals,
    "fraction": _fractions,
    "pi": partial(_multiples, unit=sp.pi, family="pi", extra=7),
    "e": partial(_multiples, unit=sp.E, family="e", extra=9),
    "root": _roots,
}


def _tree(low: Fraction, high: Fraction, *, whole: bool) -> Iterator[Fraction]:
    """The fractions of an interval, the shortest first: below each in the tree are longer ones.

    Without the `whole` ones an integer n is passed when it is the turn of n - 1/2, which is as
    short as what is below it can be.
    """
    heap: list[tuple[int, Fraction, Any]] = []

    def push(a: Fraction, b: Fraction, without_a: bool, without_b: bool) -> None:
        if a < b or (a == b and not (without_a or without_b)):
            x = _simplest(a, b, without_a, without_b)
            passed = x.denominator == 1 and not whole
            length = _length(abs(x) - Fraction(1, 2) if passed else x)
            heapq.heappush(heap, (length, x, (a, b, without_a, without_b)))

    push(low, high, False, False)
    while heap:
        _, x, (a, b, without_a, without_b) = heapq.heappop(heap)
        if whole or x.denominator > 1:
            yield x
        push(a, x, without_a, True)
        push(x, b, True, without_b)


def _simplest(
    low: Fraction, high: Fraction | None, without_low: bool, without_high: bool
) -> Fraction:
    """The simplest fraction of an interval whose ends may be left out; no `high` is infinity."""
    above = low > 0 or (low == 0 and without_low)
    if not above and (high is None or high > 0 or (high == 0 and not without_high)):
        return Fraction(0)
    if not above:
        assert high is not None
        return -_simplest(-high, -low, without_high, without_low)
    whole = math.floor(low) + 1 if without_low else math.ceil(low)
    if high is None or whole < high or (whole == high and not without_high):
        return Fraction(whole)
    base = math.floor(low)
    rest = None if low == base else 1 / (low - base)
    return base + 1 / _simplest(1 / (high - base), rest, without_high, without_low)
