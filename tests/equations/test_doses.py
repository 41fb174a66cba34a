"""Doses: closed forms, where they count, gradients to amounts, and mistakes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from snakebird.equations import Diffrax, Doses, Explicit, Positive, solve
from snakebird.errors import InputError, SnakebirdError, UnknownNameError

FINE = Explicit(1e-10, 1e-10, 256)
TIMES = np.array([0.0, 1.0, 2.0, 3.5])


def decay(t, y, rate):
    return jax.tree.map(lambda x: -rate * x, y)


def exact(y0, times, stops, amounts, rate=0.7):
    """Doses at the time of a reading count after it."""
    given = [
        a * np.exp(-rate * (times - s)) * (times > s) for s, a in zip(stops, amounts, strict=True)
    ]
    return y0 * np.exp(-rate * times) + sum(given)


@pytest.mark.parametrize("solver", [None, Diffrax(rtol=1e-8, atol=1e-8)])
def test_at_the_start_between_at_a_reading_and_twice_at_once(solver):
    stops, amounts = [0.0, 0.4, 2.0, 2.0, 9.0], [1.0, 2.0, 3.0, 4.0, 5.0]
    found = solve(decay, 1.0, TIMES, args=0.7, doses=Doses(stops, amounts), solver=solver)
    np.testing.assert_allclose(found.states, exact(1.0, TIMES, stops, amounts), rtol=1e-6)
    assert found.failure is None


def test_a_part_of_a_tree_and_a_pair_for_doses():
    start = {"gut": 0.0, "blood": np.array([1.0, 2.0])}
    found = solve(decay, start, TIMES, args=0.7, doses=([0.5, 1.0], {"gut": 3.0})).states
    np.testing.assert_allclose(found["gut"], exact(0.0, TIMES, [0.5, 1.0], [3, 3]), rtol=1e-5)
    np.testing.assert_allclose(found["blood"][:, 1], 2 * np.exp(-0.7 * TIMES), rtol=1e-5)


STATE = {"a": 0.0, "b": np.zeros(2)}


@pytest.mark.parametrize(
    ("amounts", "rows"),
    [
        (2.0, [[2, 2, 2], [2, 2, 2]]),
        ({"b": 1.0}, [[0, 1, 1], [0, 1, 1]]),
        ({"a": np.array([1.0, 2.0])}, [[1, 0, 0], [2, 0, 0]]),
        ({"b": np.array([[1.0, 2.0], [3.0, 4.0]])}, [[0, 1, 2], [0, 3, 4]]),
        ({"a": 1.0, "b": np.array([5.0, 6.0])}, [[1, 5, 6], [1, 5, 6]]),
        ([{"a": 1.0}, {"b": 2.0}], [[1, 0, 0], [0, 2, 2]]),
        ({"a": Positive(3.0)}, [[3, 0, 0], [3, 0, 0]]),
    ],
)
def test_ways_to_give_amounts(amounts, rows):
    """Times may come in any order; the rows are in that of time."""
    stops, found = Doses([1.0, 4.0], amounts).arrays(STATE, lanes=3)
    assert stops.tolist() == [[1.0, 4.0]] * 3
    assert found.tolist() == [rows] * 3


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-9, 9)), min_size=1, max_size=7))
def test_doses_at_one_time_are_added_whatever_their_order(doses):
    times, amounts = zip(*doses, strict=True)
    stops, found = Doses(times, list(map(float, amounts))).arrays(0.0, lanes=1)
    assert stops[0].tolist() == sorted(set(times))
    totals = [sum(a for t, a in doses if t == stop) for stop in stops[0]]
    assert found[0, :, 0].tolist() == totals


@pytest.mark.parametrize("direction", ["reverse", "forward"])
def test_derivatives_to_amounts(direction):
    stops = [0.0, 0.4, 2.0]

    def total(amounts):
        doses = Doses(stops, {"x": amounts})
        found = solve(
            decay, {"x": 1.0}, TIMES, args=0.7, doses=doses, solver=FINE, direction=direction
        )
        return jnp.sum(found.states["x"] ** 2)

    amounts = jnp.array([1.0, 2.0, 3.0])
    slopes = (jax.grad if direction == "reverse" else jax.jacfwd)(total)(amounts)
    readings = exact(1.0, TIMES, stops, [1.0, 2.0, 3.0])
    one = [exact(0.0, TIMES, [stop], [1.0]) for stop in stops]
    np.testing.assert_allclose(slopes, 2 * np.stack(one) @ readings, rtol=1e-7)


def test_amounts_under_jit_and_vmap():
    run = lambda a: solve(decay, 1.0, TIMES, args=0.7, doses=Doses([0.4], a)).states
    found = jax.jit(jax.vmap(run))(jnp.array([1.0, 5.0]))
    both = [exact(1.0, TIMES, [0.4], [a]) for a in (1.0, 5.0)]
    np.testing.assert_allclose(found, both, rtol=1e-5)


ROW = "give a row of one finite time or more"


@pytest.mark.parametrize(
    ("times", "amounts", "kind", "what", "where", "hint"),
    [
        (1.0, 1.0, InputError, "the times of doses are 1.", "doses", ROW),
        ([], 1.0, InputError, "the times of doses are []", "doses", ROW),
        ([0.0, np.nan], 1.0, InputError, "the times of doses are [ 0. nan]", "doses", ROW),
        ([1.0, 2.0], [1.0], InputError, "2 times of doses and 1 amounts", "doses",
         "give one a dose"),
        ([1.0], {"c": 1.0}, UnknownNameError, "a dose of 'c', which is not in the state", "doses",
         "known here: 'a', 'b'"),
        ([1.0], {"b": np.ones(3)}, InputError, "an amount has the shape (3,), the state there (2,)",
         "doses['b']", "give a number, or an array of shape (2,) or (1, 2)"),
        ([1.0], (1.0, 2.0), InputError, "an amount is a tuple, the state there a dict",
         "doses",
         "give a tree like the state, a dict of a part of it, or a list with one for each time"),
        ([-1.0, 1.0], 1.0, InputError, "a dose at t = -1 is before the start t0 = 0",
         "solve, doses", "give an earlier t0=, or add it to y0"),
    ],
)  # fmt: skip
def test_mistakes(times, amounts, kind, what, where, hint):
    with pytest.raises(SnakebirdError) as error:
        solve(decay, STATE, TIMES, args=0.7, doses=Doses(times, amounts))
    assert type(error.value) is kind
    assert (error.value.what, error.value.where, error.value.hint) == (what, where, hint)


def test_traced_times():
    with pytest.raises(InputError) as error:
        jax.jit(lambda t: Doses(t, 1.0).times.value)(jnp.ones(2))
    assert str(error.value) == (
        "the times of doses are traced\n  at doses\n  hint: give numbers: no gradient flows to them"
    )
