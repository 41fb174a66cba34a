"""Events: a bouncing ball in closed form, gradients of times, directions, and mistakes."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird.equations import Diffrax, solve_until
from snakebird.equations._events import _known
from snakebird.errors import EquationError, SnakebirdError, SolveError

G = 10.0


def fall(t, y, g):
    return {"height": y["speed"], "speed": -g}


def ground(t, y, g):
    return y["height"]


def bounce(t, y, g):
    return {"height": 0.0, "speed": -0.5 * y["speed"]}


BALL = {"height": 5.0, "speed": 0.0}


def test_a_fall_ends_at_the_ground():
    found = solve_until(fall, BALL, 9.0, ground, args=G, times=[0.0, 0.5, 1.5, 9.0])
    np.testing.assert_allclose(found.event_time, 1.0, rtol=1e-9)
    np.testing.assert_allclose(found.event_state["speed"], -10.0, rtol=1e-9)
    np.testing.assert_allclose(found.event_state["height"], 0.0, atol=1e-8)
    np.testing.assert_allclose(found.states["height"], [5.0, 3.75, np.nan, np.nan])
    assert found.failure is None


def bounces(height, g, events=3, **options):
    start = {"height": height, "speed": 0.0}
    return solve_until(
        fall, start, 2.6, ground, args=g, rising=False, reset=bounce, events=events, **options
    )


def test_a_bouncing_ball():
    """Each bounce halves the speed, so the flights last 1, 1, 1/2, 1/4, ..."""
    found = bounces(5.0, G, times=[0.5, 1.5, 2.25, 2.6])
    np.testing.assert_allclose(found.event_times, [1.0, 2.0, 2.5], rtol=1e-8)
    np.testing.assert_allclose(found.event_states["speed"], [-10.0, -5.0, -2.5], rtol=1e-7)
    heights = [3.75, 1.25, 0.3125, 1.25 * 0.1 - 5 * 0.1**2]
    np.testing.assert_allclose(found.states["height"], heights, rtol=1e-6)
    assert found.ok


def test_a_throw_from_the_ground():
    """The condition is zero at the start, where nothing passes through zero."""
    start = {"height": 0.0, "speed": 5.0}
    found = solve_until(fall, start, 9.0, ground, args=G)
    np.testing.assert_allclose(found.event_time, 1.0, rtol=1e-9)


@pytest.mark.slow
def test_the_gradient_of_the_time_of_a_fall():
    time = lambda h: solve_until(fall, {"height": h, "speed": 0.0}, 9.0, ground, args=G).event_time
    np.testing.assert_allclose(jax.grad(time)(5.0), 1 / 10, rtol=1e-6)


@pytest.mark.slow
def test_gradients_of_the_times_of_bounces():
    """The first is sqrt(2 h / g), the third 2.5 times that."""
    time = lambda h, g: bounces(h, g).event_times[2]
    slopes = jax.jit(jax.grad(time, (0, 1)))(5.0, G)
    np.testing.assert_allclose(slopes, [2.5 / (2 * 5.0), -2.5 / (2 * G)], rtol=1e-6)


@pytest.mark.slow
def test_forward_and_vmap():
    """The time at which an exponential reaches 1."""
    grow, reach = lambda t, y, k: k * y, lambda t, y, k: y - 1

    def time(k, y0, direction="reverse"):
        return solve_until(grow, y0, 9.0, reach, args=k, direction=direction).event_time

    rates = jnp.array([1.0, 2.0])
    np.testing.assert_allclose(
        jax.vmap(time)(rates, 0.5 / rates), np.log(2 * rates) / rates, atol=1e-6
    )
    ahead = jax.jvp(lambda y0: time(2.0, y0, "forward"), (0.5,), (1.0,))[1]
    np.testing.assert_allclose(ahead, -1.0, rtol=1e-5)


WAVE = (lambda t, y, a: jnp.cos(t), 0.5, 12.0)


@pytest.mark.parametrize(
    ("rising", "first"), [(None, 7 * np.pi / 6), (True, 11 * np.pi / 6), (False, 7 * np.pi / 6)]
)
def test_which_way_it_passes_through_zero(rising, first):
    """0.5 + sin t is zero at 7/6 pi, from above, and at 11/6 pi, from below."""
    found = solve_until(*WAVE, lambda t, y, a: y, rising=rising)
    np.testing.assert_allclose(found.event_time, first, atol=1e-6)


def test_no_event_and_other_solvers():
    solver = Diffrax(diffrax.Heun(), rtol=1e-5, atol=1e-7)
    found = solve_until(*WAVE, lambda t, y, a: y - 2, solver=solver)
    assert found.event_time == np.inf
    assert np.isnan(found.event_state)
    np.testing.assert_allclose(found.states, [0.5 + np.sin(12.0)], atol=1e-3)


def test_single_precision():
    start = {"height": jnp.float32(5.0), "speed": jnp.float32(0.0)}
    found = solve_until(fall, start, 9.0, ground, args=jnp.float32(G))
    assert found.event_time.dtype == jnp.float32
    np.testing.assert_allclose(found.event_time, 1.0, rtol=1e-5)


def test_more_events_than_there_is_room_for():
    with pytest.raises(SolveError) as error:
        bounces(5.0, G, events=2)
    assert error.value.what.startswith("the solve ended at t = 2.5 of 2.6: too many events (Diffra")
    assert error.value.where in ("y['height']", "y['speed']")
    assert error.value.hint == (
        "give more events=, or an earlier t1=; else look at the model near t = 2.5"
    )


@pytest.mark.parametrize(
    ("condition", "options", "what", "where", "hint"),
    [
        (lambda t, y, g: y["height"] > 1, {}, "the condition gives bool", "solve_until, condition",
         'give one number that passes through zero: y["x"] - 1 instead of y["x"] > 1'),
        (lambda t, y, g: y, {}, "the condition gives {height: float64, speed: float64}",
         "solve_until, condition",
         'give one number that passes through zero: y["x"] - 1 instead of y["x"] > 1'),
        (ground, {"reset": bounce, "events": 0}, "events is 0", "solve_until",
         "give a positive number"),
        (ground, {"reset": lambda t, y, g: {"height": 0.0}},
         "the reset returns {height: number}, y0 is {height: number, speed: number}",
         "solve_until, no y['speed']",
         "return a number for every entry of y0, in a tree of the same shape"),
        (ground, {"times": [0.0, 10.0]}, "times[1] = 10 is after the end t1 = 9",
         "solve_until, times", "give a later t1=, or leave out what comes after it"),
        (ground, {"t0": 9.5}, "the end t1 = 9 is not after the start t0 = 9.5",
         "solve_until", "give a later t1="),
    ],
)  # fmt: skip
def test_mistakes(condition, options, what, where, hint):
    with pytest.raises(EquationError) as error:
        solve_until(fall, BALL, 9.0, condition, args=G, **options)
    assert (error.value.what, error.value.where, error.value.hint) == (what, where, hint)


def test_a_solver_that_knows_no_events():
    with pytest.raises(SnakebirdError) as error:
        _known("Tsit5")
    assert str(error.value) == (
        "the solver is 'Tsit5'\n  at solve_until\n  hint: events need one of diffrax: Diffrax(...)"
    )
