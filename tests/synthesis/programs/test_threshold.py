"""Targets that one bent neuron gives: what linear programs find is what the neuron computes."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from snakebird.synthesis.programs._threshold import relu_of, step_of


def told(columns, weights):
    return columns[:, list(weights)] @ np.array([float(w) for w in weights.values()])


@given(st.integers(0, 10**6), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_a_threshold_is_found_again(seed, terms):
    rng = np.random.default_rng(seed)
    columns = np.column_stack([rng.integers(-3, 4, (80, 6)), np.ones(80)]).astype(float)
    weights = np.zeros(7)
    weights[rng.choice(6, terms, replace=False)] = rng.choice([-2, -1, 1, 2], terms)
    weights[6] = rng.integers(-2, 3)
    wanted = (columns @ weights > 0).astype(float)
    found = step_of(columns, wanted)
    if 0 < wanted.sum() < len(wanted):
        assert found is not None
        np.testing.assert_array_equal(told(columns, found) > 1e-9, wanted > 0)
    else:
        assert found is None


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_a_positive_part_is_found_again(seed):
    rng = np.random.default_rng(seed)
    columns = np.column_stack([rng.integers(-3, 4, (80, 5)), np.ones(80)]).astype(float)
    weights = np.zeros(6)
    weights[rng.choice(5, 2, replace=False)] = rng.choice([-2, -1, 0.5, 1], 2)
    weights[5] = rng.integers(-1, 2)
    wanted = np.maximum(columns @ weights, 0.0)
    found = relu_of(columns, wanted)
    if (wanted > 0).sum() > 6 and (wanted == 0).any():
        assert found is not None
        np.testing.assert_allclose(np.maximum(told(columns, found), 0.0), wanted, atol=1e-7)


def test_few_terms_are_preferred():
    rng = np.random.default_rng(0)
    columns = np.column_stack([rng.integers(0, 5, (200, 12)), np.ones(200)]).astype(float)
    found = step_of(columns, (columns[:, 3] - columns[:, 7] > 0).astype(float))
    assert found == {3: 1, 7: -1}


@pytest.mark.parametrize("find", [step_of, relu_of])
def test_what_no_sum_gives_is_refused(find):
    columns = np.array([[0.0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]] * 4)
    assert find(columns, np.array([0.0, 1, 1, 0] * 4)) is None


def test_targets_of_other_kinds_are_refused():
    columns = np.eye(4)
    assert step_of(columns, np.array([0.0, 1, 2, 0])) is None
    assert step_of(columns, np.zeros(4)) is None
    assert relu_of(columns, np.array([-1.0, 1, 2, 0])) is None
    assert relu_of(columns, np.zeros(4)) is None
