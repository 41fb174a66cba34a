"""The beam of best subsets, against trying all."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from snakebird.synthesis.laws._search import best_subsets, without


def left(A, b, support):
    if not support:
        return float(b @ b)
    return float(
        np.sum((b - A[:, support] @ np.linalg.lstsq(A[:, support], b, rcond=None)[0]) ** 2)
    )


@given(st.integers(0, 10**6))
@settings(max_examples=50)
def test_a_wide_beam_finds_the_best_of_every_size(seed):
    rng = np.random.default_rng(seed)
    A, b = rng.standard_normal((12, 6)), rng.standard_normal(12)
    found = best_subsets(A, b, beam=1000, most=4)
    for size in range(5):
        best = min(left(A, b, list(s)) for s in combinations(range(6), size))
        mine = min(value for support, value in found.items() if len(support) == size)
        assert mine == pytest.approx(best, rel=1e-8)


@given(st.integers(0, 10**6))
@settings(max_examples=50)
def test_what_is_said_to_be_left_is_left(seed):
    rng = np.random.default_rng(seed)
    A, b = rng.standard_normal((10, 8)), rng.standard_normal(10)
    for support, value in best_subsets(A, b, beam=5, most=5).items():
        assert value == pytest.approx(left(A, b, list(support)), rel=1e-8, abs=1e-10)


def test_the_true_columns_are_found_among_many():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 46))
    b = 2 * A[:, 7] - A[:, 30] + 0.01 * rng.standard_normal(60)
    found = best_subsets(A, b, most=3)
    assert min((v, s) for s, v in found.items() if len(s) == 2)[1] == (7, 30)


def test_columns_that_say_nothing_new_are_left_out():
    rng = np.random.default_rng(1)
    A = rng.standard_normal((20, 3))
    A = np.column_stack([A, A[:, 0], np.zeros(20), np.full(20, np.nan)])
    found = best_subsets(A, rng.standard_normal(20), most=6)
    assert max(map(len, found)) == 3
    assert not any(4 in s or 5 in s or {0, 3} <= set(s) for s in found)


def test_directions_are_taken_out():
    rng = np.random.default_rng(2)
    A, x = rng.standard_normal((9, 2)), rng.standard_normal((9, 4))
    (rest,) = without(A, x)
    np.testing.assert_allclose(A.T @ rest, 0, atol=1e-12)
    (same,) = without(np.zeros((9, 0)), x)
    np.testing.assert_array_equal(same, x)
