import math
from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import assume, given, settings, strategies as st

from snakebird.errors import InputError, UnknownNameError
from snakebird.synthesis.laws._simple import simple_numbers, simplest_fraction, simplest_within

VALUES = st.floats(-100, 100)
WIDTHS = st.sampled_from([0, 1e-9, 1e-4, 0.01, 0.3, 2.0])
FRACTIONS = st.fractions(-20, 20, max_denominator=1000)


def g(n):
    return 2 * math.floor(math.log2(n + 1)) + 1


@settings(max_examples=50)
@given(VALUES, WIDTHS)
def test_every_number_lies_within_and_shorter_ones_come_first(value, error):
    found = simple_numbers(value, error)
    assert all(value - error <= float(n) <= value + error for n in found)
    assert [n.bits for n in found] == sorted(n.bits for n in found)
    assert len({n.number for n in found}) == len(found)


@settings(max_examples=40)
@given(VALUES, WIDTHS)
def test_there_always_is_a_simplest(value, error):
    found = simplest_within(value, value - error, value + error)
    assert value - error <= float(found) <= value + error
    assert found == simple_numbers(value, error, limit=1)[0]


@given(FRACTIONS, FRACTIONS)
def test_no_fraction_within_is_simpler(a, b):
    low, high = min(a, b), max(a, b)
    found = simplest_fraction(low, high)
    assert low <= found <= high
    for q in range(1, found.denominator):
        assert math.ceil(low * q) > math.floor(high * q)
    same = Fraction(math.ceil(low * found.denominator), found.denominator)
    assert abs(found) <= abs(same) or low < 0


@settings(max_examples=40)
@given(st.floats(-5, 5), st.sampled_from([0.003, 0.05, 0.4]))
def test_no_number_of_a_family_within_is_shorter(value, error):
    low, high = value - error, value + error
    inside = lambda numbers: [bits for n, bits in numbers if low <= n <= high]
    span = range(-600, 601)
    families = {
        "integer": inside((n, 1 + g(abs(n)) + g(0)) for n in range(-9, 10)),
        "decimal": inside(
            (m / 10**k, 2 + g(abs(m)) + g(k)) for k in (1, 2) for m in span if m % 10
        ),
        "fraction": inside(
            (p / q, 3 + g(abs(p)) + g(q))
            for q in range(2, 16)
            for p in range(-80, 81)
            if math.gcd(p, q) == 1
        ),
        "pi": inside(
            (p / q * math.pi, 7 + g(abs(p)) + g(q))
            for q in range(1, 16)
            for p in range(-25, 26)
            if p and math.gcd(p, q) == 1
        ),
    }
    for name, lengths in families.items():
        shortest = simple_numbers(value, error, limit=1, families=(name,))
        if lengths:
            assert shortest[0].bits <= min(lengths)
        elif name == "integer":
            assert not shortest


@settings(max_examples=50)
@given(st.integers(-99, 99), st.integers(1, 20))
def test_a_short_fraction_is_found_in_a_narrow_interval(p, q):
    assume(p)
    found = simple_numbers(p / q, 1e-9, limit=1)[0]
    assert found.number == sp.Rational(p, q)


@pytest.mark.parametrize(
    ("value", "error", "text", "family"),
    [
        (0.9003, 0.004, "0.9", "decimal"),
        (-9.81, 0.02, "-9.8", "decimal"),
        (0.3334, 0.001, "1/3", "fraction"),
        (3.9, 0.2, "4", "integer"),
        (0.02, 0.5, "0", "integer"),
        (1.01e6, 3e4, "1000000", "integer"),
        (3.1413, 0.0005, "pi", "pi"),
        (1.41425, 1e-4, "sqrt(2)", "root"),
        (5.4365, 1e-4, "2*E", "e"),
        (0.3, 0, "0.3", "decimal"),
        (2.5e-7, 1e-8, "0.00000025", "decimal"),
    ],
)
def test_the_numbers_a_person_would_guess(value, error, text, family):
    first = simple_numbers(value, error, limit=1)[0]
    assert (str(first), first.family) == (text, family)
    assert float(first) == pytest.approx(float(sp.sympify(text)))


def test_the_documented_lengths():
    points = [40, 0.09, 2 / 3, math.pi, 2 * math.e, math.sqrt(5)]
    names = ["integer", "decimal", "fraction", "pi", "e", "root"]
    found = [
        simple_numbers(point, 1e-12, limit=1, families=(name,))[0].bits
        for point, name in zip(points, names, strict=True)
    ]
    lengths = [1 + g(4) + g(1), 2 + g(9) + g(2), 3 + g(2) + g(3), 7 + g(1) + g(1)]
    assert found == [*lengths, 9 + g(2) + g(1), 8 + g(5) + g(1) + g(1)]


def test_a_wide_interval_far_away_is_quick_to_search():
    found = simple_numbers(1e6, 3e5, families=("fraction",), limit=3)
    assert [n.number.q for n in found] == [2, 2, 2]


@pytest.mark.parametrize(("value", "error"), [(math.nan, 1), (1, -1), (1, math.inf)])
def test_values_that_are_none(value, error):
    with pytest.raises(InputError, match="give a number and an uncertainty"):
        simple_numbers(value, error)


def test_other_mistakes():
    with pytest.raises(InputError, match="low <= value <= high"):
        simplest_within(3, 0, 1)
    with pytest.raises(InputError, match="no number lies from 1 to 0"):
        simplest_fraction(Fraction(1), Fraction(0))
    with pytest.raises(UnknownNameError, match="no family of numbers is named 'roots'") as caught:
        simple_numbers(1, 1, families=("roots",))
    assert "did you mean 'root'?" in str(caught.value)
