"""Delays: exact solutions, orders, gradients of all inputs, and what goes wrong."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings, strategies as st

from snakebird.equations._delay import solve_delayed
from snakebird.errors import InputError, SnakebirdError

TIGHT = {"rtol": 1e-10, "atol": 1e-12}


def decay(t, y, past, args):
    return jax.tree.map(lambda x: -x, past)


def logistic(t, y, past, r):
    return r * y * (1 - past)


def stepwise(t):
    """y' = -y(t - 1) after 1: a polynomial of one degree more on each interval of length 1."""
    return sum((-1) ** k * (t - k + 1) ** k / math.factorial(k) for k in range(int(t) + 2))


def by_steps(r, tau, history, times):
    """The delayed logistic by SciPy, one ordinary equation on each interval of length tau."""
    past, found, t = history, np.empty(len(times)), 0.0
    while t < times[-1]:
        solved = scipy.integrate.solve_ivp(
            lambda s, y, past=past: r * y * (1 - past(s - tau)),
            (t, t + tau),
            [float(past(t))],
            method="DOP853",
            rtol=1e-12,
            atol=1e-13,
            dense_output=True,
        )
        inside = (times >= t) & (times <= t + tau)
        found[inside] = solved.sol(times[inside])[0]
        past, t = (lambda s, sol=solved.sol: sol(s)[0]), t + tau
    return found


@pytest.mark.parametrize(
    ("options", "accuracy"),
    [({}, 2e-6), (TIGHT, 1e-9), ({"steps": 6}, 2e-4), ({"steps": 37}, 1e-7)],
)
def test_the_exact_solution_by_steps(options, accuracy):
    times = np.linspace(0, 6, 25)
    found = solve_delayed(decay, 1.0, times, None, delays=1.0, **options)
    np.testing.assert_allclose(found, [stepwise(t) for t in times], atol=accuracy)


def test_the_delayed_logistic_against_scipy():
    times = np.linspace(0, 20, 41)
    exact = by_steps(1.4, 1.2, lambda t: 0.5, times)
    for tol, accuracy in ((1e-6, 2e-5), (1e-10, 1e-8)):
        found = solve_delayed(logistic, 0.5, times, 1.4, delays=1.2, rtol=tol, atol=tol / 100)
        np.testing.assert_allclose(found, exact, atol=accuracy)


def test_the_order_is_five_though_derivatives_jump():
    """The delay is irrational and traced, and the history does not satisfy the equation."""
    times = np.linspace(0, 8, 30)
    tau = math.sqrt(1.5)
    exact = solve_delayed(logistic, 0.5, times, 1.4, delays=tau, rtol=1e-12, atol=1e-14)
    run = lambda tau, n: solve_delayed(logistic, 0.5, times, 1.4, delays=tau, steps=n)
    coarse, fine = (np.abs(jax.jit(run, static_argnums=1)(tau, n) - exact).max() for n in (16, 64))
    assert math.log(coarse / fine, 4) > 4.7


class Pulled(eqx.Module):
    """Two delays in a dict, y a tree, the rates an array of the field."""

    rate: jax.Array

    def __call__(self, t, y, past, args):
        return {
            "a": -self.rate[0] * past["short"]["a"] + jnp.sum(past["long"]["b"]),
            "b": args * jnp.sin(y["b"]) - self.rate[1] * y["a"] * past["long"]["b"],
        }


def test_trees_of_states_and_delays_and_all_gradients():
    times = np.array([0.3, 2.9, 1.7])

    def total(p):
        history = lambda t: {"a": p[0] * jnp.cos(t), "b": jnp.array([1.0, 2.0]) + p[1] * t}
        found = solve_delayed(
            Pulled(p[2:4]),
            history,
            times + p[7] * 0.1,
            p[4],
            delays={"short": p[5], "long": p[6]},
            t0=0.0,
            steps=60,
            max_steps=1,
        )
        assert found["a"].shape == (3,)
        assert found["b"].shape == (3, 2)
        return jnp.sum(found["a"] ** 2) + jnp.sum(jnp.sin(found["b"]))

    p = jnp.array([0.7, 0.2, 0.5, 0.3, 0.4, 0.31, 0.83, 1.0])
    both, h = jax.jit(jax.value_and_grad(total)), 1e-4
    differences = [(both(p + h * e)[0] - both(p - h * e)[0]) / (2 * h) for e in np.eye(8)]
    np.testing.assert_allclose(both(p)[1], differences, rtol=1e-6, atol=1e-7)


def test_gradients_of_rate_delay_and_history_with_adaptive_steps():
    times = np.linspace(0, 12, 13)

    def total(p):
        history = lambda t: p[2] * jnp.exp(0.1 * t)
        return jnp.sum(solve_delayed(logistic, history, times, p[0], delays=p[1], **TIGHT) ** 2)

    p, h = jnp.array([1.4, 1.2, 0.5]), 1e-3
    both = jax.jit(jax.value_and_grad(total))
    # Differences of fourth order, so that their long step drowns the noise of the mesh.
    weights = {-2: 1, -1: -8, 1: 8, 2: -1}
    differences = [
        sum(weight * both(p + k * h * e)[0] for k, weight in weights.items()) / (12 * h)
        for e in np.eye(3)
    ]
    backward = both(p)[1]
    np.testing.assert_allclose(backward, differences, rtol=1e-6)
    _, along = jax.jit(lambda p: jax.jvp(total, (p,), (jnp.array([0.3, -1.0, 0.2]),)))(p)
    np.testing.assert_allclose(along, backward @ jnp.array([0.3, -1.0, 0.2]), rtol=1e-10)


@settings(max_examples=15)
@given(
    rate=st.floats(-1.5, 1.5), tau=st.floats(0.3, 4.0), shift=st.floats(-5, 5), y0=st.floats(-3, 3)
)
def test_time_and_state_may_be_shifted_and_scaled(rate, tau, shift, y0):
    """Where the equation does not name t, only differences of times matter; linear, y scales."""
    run = jax.jit(_linear)
    base = run(rate, tau, 0.0, 1.0)
    np.testing.assert_allclose(run(rate, tau, shift, y0), y0 * base, rtol=1e-7, atol=1e-8)


def _linear(rate, tau, shift, y0):
    times = jnp.linspace(0, 3, 4) + shift
    field = lambda t, y, past, args: args * past
    return solve_delayed(field, y0, times, rate, delays=tau, steps=24)


def test_without_influence_of_the_past_it_is_an_ordinary_equation():
    times = np.linspace(1.0, 3.0, 5)
    found = solve_delayed(lambda t, y, p, a: -y * t, 2, times, None, delays=(0.7, 1.1), **TIGHT)
    np.testing.assert_allclose(found, 2 * np.exp((1 - times**2) / 2), rtol=1e-8)
    assert solve_delayed(decay, 3.0, [2.0], None, delays=1.0).tolist() == [3.0]


def test_a_span_that_rounds_up_is_still_solved():
    t0, end = 0.6, 1.8
    assert t0 + (end - t0) > end
    found = solve_delayed(decay, 1.0, [t0, end], None, delays=1.0)
    np.testing.assert_allclose(found[1], stepwise(end - t0), atol=1e-6)


def test_single_precision():
    start = jnp.array([1.0], jnp.float32)
    found = solve_delayed(decay, start, [0.0, 2.5], None, delays=1.0, rtol=1e-4)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found[-1, 0], stepwise(2.5), atol=1e-4)


def test_vmap_over_delays():
    taus = jnp.array([0.5, 1.0, 2.0])
    one = lambda tau: solve_delayed(decay, 1.0, [0.0, 3.0], None, delays=tau, max_steps=64)[-1]
    found = jax.jit(jax.vmap(one))(taus)
    np.testing.assert_allclose(found, [one(tau) for tau in taus], rtol=1e-10)


@pytest.mark.parametrize(
    ("given", "what", "hint"),
    [
        ({"delays": 0.0}, "the delays are [0.0]", "positive"),
        ({"delays": (1.0, math.nan)}, "the delays are [1.0, nan]", "positive"),
        ({"delays": ()}, "no delays", "a tuple of numbers"),
        ({"delays": np.ones(2)}, "a delay of shape (2,)", "a tuple of numbers"),
        ({"steps": 5}, "steps of 2 are longer than a delay of 1", "give steps=10 or more"),
        ({"steps": 0}, "steps is 0", "positive"),
        ({"history": math.nan}, "the history is not finite", "at t0 = 0.0 and at t0 - delay"),
        ({"history": lambda t: 1 / (t + 1)}, "the history is not finite", "for each delay"),
        ({"history": ()}, "the history holds no numbers", "give y before t0"),
        ({"t0": 1.0}, "times are from 0.0, the start is 1.0", "give t0="),
        ({"times": 1.0}, "times has shape ()", "a row"),
        (
            {"field": lambda t, y, past, args: {"a": y}},
            "the field returns {'a': 'number'}, y is number",
            "of the shape of the history",
        ),
    ],
)
def test_mistakes(given, what, hint):
    base = {"field": decay, "history": 1.0, "times": np.array([0.0, 10.0]), "delays": 1.0}
    both = base | given
    field, history, times = (both.pop(name) for name in ("field", "history", "times"))
    with pytest.raises(InputError) as error:
        solve_delayed(field, history, times, None, **both)
    assert error.value.what == what
    assert hint in error.value.hint


def test_too_few_steps():
    with pytest.raises(SnakebirdError) as error:
        solve_delayed(decay, 1.0, [0.0, 10.0], None, delays=0.5, max_steps=8)
    assert error.value.what.startswith(
        "the equation could not be solved from 0.0 to 10.0 in at most 8 steps: it came to "
    )
    assert error.value.hint.endswith("no step is longer than the shortest delay, 0.5")


@pytest.mark.parametrize(
    ("tau", "options", "what"),
    [
        (-1.0, {}, "a delay is not positive"),
        (1.0, {"steps": 3}, "3 steps are longer than a delay"),
        (1.0, {"max_steps": 3}, "could not be solved in at most 3 steps"),
    ],
)
def test_mistakes_in_compiled_code(tau, options, what):
    run = lambda tau: solve_delayed(decay, 1.0, [0.0, 10.0], None, delays=tau, **options)
    with pytest.raises(eqx.EquinoxRuntimeError, match=what):
        eqx.filter_jit(run)(jnp.asarray(tau))
