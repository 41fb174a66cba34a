"""Splits: each observation is in one part, exactly once; and when no split can be."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from snakebird.errors import InputError
from snakebird.fitting._split import hold_out, split_by_experiment, split_in_time
from snakebird.fitting._trajectories import Trajectories

NAN = float("nan")
SPLITS = [split_in_time, split_by_experiment, hold_out]


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[np.ndarray, np.ndarray]]:
    """Experiments with two columns whose values all differ, with gaps, but not at either end."""
    count = draw(st.integers(2, 4))
    pairs, value = [], 0
    for _ in range(count):
        n = draw(st.integers(2, 6))
        table = np.arange(value, value + 2 * n, dtype=float).reshape(n, 2)
        value += 2 * n
        gaps = draw(st.lists(st.booleans(), min_size=2 * n, max_size=2 * n))
        holes = np.reshape(gaps, (n, 2))
        holes[[0, -1]] = False
        table[holes] = NAN
        pairs.append((np.arange(n), table))
    return pairs


def observations(data: Trajectories) -> list[tuple[str, float, str, float]]:
    """All that was observed: experiment, time, column, value."""
    return [
        (e.name, float(time), name, float(value))
        for e in data
        for name, column in e.values.items()
        for time, value in zip(e.times, column, strict=True)
        if not np.isnan(value)
    ]


@pytest.mark.parametrize("split", SPLITS)
@given(pairs=tables(), fraction=st.floats(0.01, 0.99))
def test_each_observation_is_in_one_part(split, pairs, fraction):
    data = Trajectories.of(pairs, names=["x", "y"])
    train, validation = split(data, fraction=fraction)
    assert sorted(observations(train) + observations(validation)) == sorted(observations(data))
    assert observations(train)
    assert observations(validation)
    assert train.names == validation.names == data.names


@given(pairs=tables(), fraction=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_held_out_data_keep_times_and_one_of_each_column(pairs, fraction, seed):
    data = Trajectories.of(pairs, names=["x", "y"])
    train, validation = hold_out(data, fraction=fraction, seed=seed)
    for parts in zip(data, train, validation, strict=True):
        assert all(np.array_equal(part.times, parts[0].times) for part in parts)
    assert not np.isnan(np.concatenate([e.table for e in train])).all(axis=0).any()
    total = len(observations(data))
    wanted = min(max(1, round(fraction * total)), total - len(data.names))
    assert len(observations(validation)) == wanted


def ten() -> Trajectories:
    return Trajectories.of([(np.arange(10), {"x": np.arange(10)})] * 10)


def test_the_share_that_is_asked_for():
    train, validation = split_in_time(ten(), fraction=0.7)
    assert {len(e) for e in train} == {7}
    assert validation[0].times.tolist() == [7, 8, 9]
    train, validation = split_by_experiment(ten(), fraction=0.7)
    assert (len(train), len(validation)) == (7, 3)
    assert [int(e.name) for e in train] == sorted(int(e.name) for e in train)
    train, validation = hold_out(ten(), fraction=0.3)
    assert (len(observations(train)), len(observations(validation))) == (70, 30)


@pytest.mark.parametrize("split", [split_by_experiment, hold_out])
def test_seeds(split):
    assert split(ten(), seed=1) == split(ten(), seed=1)
    assert split(ten(), seed=1) != split(ten(), seed=2)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("fraction", [0, 1, -0.5, NAN])
def test_a_fraction_that_is_none(split, fraction):
    with pytest.raises(InputError, match=r"(?s)the fraction is .*between 0 and 1"):
        split(ten(), fraction=fraction)


def test_too_little_to_split():
    with pytest.raises(InputError, match=r"(?s)'2' has one time, a split needs two.*leave"):
        split_in_time(Trajectories.of([([0, 1], {"x": [1, 2]}), ([0], {"x": [1]})]))
    with pytest.raises(InputError, match=r"(?s)there is one experiment.*in_time"):
        split_by_experiment(Trajectories.of([0, 1], {"x": [1, 2]}))
    with pytest.raises(InputError, match=r"(?s)no column has two observations.*more data"):
        hold_out(Trajectories.of([0, 1], {"x": [1, NAN], "y": [NAN, 2]}))
    with pytest.raises(InputError, match=r"(?s)nothing was observed in the part for validation"):
        split_in_time(Trajectories.of([0, 1], {"x": [1, NAN]}))
    with pytest.raises(InputError, match=r"(?s)nothing was observed in the part for training"):
        split_in_time(Trajectories.of([0, 1], {"x": [NAN, 1]}))
