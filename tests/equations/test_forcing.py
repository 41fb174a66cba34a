"""Forcings: against SciPy, gaps, what is trained, pulses no step passes over, and mistakes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.interpolate as si
from hypothesis import given, settings, strategies as st
from scipy.integrate import quad

from snakebird.equations import Explicit, Forcing, Free, solve
from snakebird.equations._forcing import _check_kind
from snakebird.errors import InputError, SnakebirdError, UnknownNameError

AT = np.array([0.0, 0.5, 2.0, 2.5, 4.0])
VALUES = np.array([1.0, -1.0, 3.0, 2.0, 0.5])
INSIDE = np.linspace(0.01, 3.99, 41)


def read(forcing, times):
    return jax.jit(jax.vmap(forcing))(jnp.asarray(times))


def test_kinds_agree_with_scipy():
    linear = read(Forcing(AT, VALUES), INSIDE)
    np.testing.assert_allclose(linear, np.interp(INSIDE, AT, VALUES), atol=1e-12)
    held = read(Forcing(AT, VALUES, kind="previous"), INSIDE)
    np.testing.assert_array_equal(held, si.interp1d(AT, VALUES, "previous")(INSIDE))
    # Slopes of parabolas through three points are those of second order differences.
    slopes = np.gradient(VALUES, AT, edge_order=2)
    cubic = read(Forcing(AT, VALUES, kind="cubic"), INSIDE)
    np.testing.assert_allclose(cubic, si.CubicHermiteSpline(AT, VALUES, slopes)(INSIDE), atol=1e-12)


@pytest.mark.parametrize("kind", ["linear", "previous", "cubic"])
def test_values_are_kept_and_hold_before_and_after(kind):
    forcing = Forcing(AT, VALUES, kind=kind)
    np.testing.assert_allclose(read(forcing, AT), VALUES, atol=1e-12)
    np.testing.assert_allclose(read(forcing, [-3.0, 9.0]), [1.0, 0.5], atol=1e-12)
    assert float(Forcing([1.0], [7.0], kind=kind)(5.0)) == 7.0


def test_slopes_in_time():
    for kind in ("linear", "cubic"):
        forcing, e = Forcing(AT, VALUES, kind=kind), 1e-6
        slopes = jax.vmap(jax.grad(forcing))(jnp.array([0.2, 1.0, 3.0, 9.0]))
        finite = read(forcing, [0.2 + e, 1 + e, 3 + e, 9]) - read(
            forcing, [0.2 - e, 1 - e, 3 - e, 9]
        )
        np.testing.assert_allclose(slopes, finite / (2 * e), atol=1e-7)


@settings(max_examples=25)
@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3), st.sampled_from(["linear", "cubic"]))
def test_polynomials_are_met(c, kind):
    """Straight lines by both kinds, parabolas by the cubic."""
    curve = lambda t: c[0] + c[1] * t + (c[2] * t**2 if kind == "cubic" else 0)
    forcing = Forcing(AT, curve(AT), kind=kind)
    found = [float(forcing(t)) for t in (0.1, 1.7, 3.1)]
    np.testing.assert_allclose(found, [curve(t) for t in (0.1, 1.7, 3.1)], atol=1e-10)


def test_gaps_are_filled_from_both_sides():
    steep = np.gradient([2.0, 4.0, 8.0], [1.0, 3.0, 4.0], edge_order=2)
    curve = si.CubicHermiteSpline([1.0, 3.0, 4.0], [2.0, 4.0, 8.0], steep)
    for kind, gap in (("linear", 3.0), ("previous", 2.0), ("cubic", curve(2.0))):
        forcing = Forcing(np.arange(6.0), [np.nan, 2.0, np.nan, 4.0, 8.0, np.nan], kind=kind)
        np.testing.assert_allclose(read(forcing, np.arange(6.0)), [2, 2, gap, 4, 8, 8])


def test_trees_and_arrays_of_values():
    forcing = Forcing(AT, {"light": list(VALUES), "flow": np.stack([VALUES, AT], 1)})
    found = forcing(0.25)
    assert float(found["light"]) == 0.0
    assert found["flow"].tolist() == [0.0, 0.25]


def test_values_are_data_unless_they_are_parameters():
    trained = lambda values: eqx.filter_grad(lambda f: f(1.0))(Forcing(AT, values)).values.value
    np.testing.assert_allclose(trained(Free(VALUES)), [0, 2 / 3, 1 / 3, 0, 0])


def push(t, y, args):
    return args(t)


def test_a_short_pulse_is_not_stepped_over():
    pulse = Forcing([0.0, 50.0, 50.001, 100.0], [0.0, 1000.0, 0.0, 0.0], kind="previous")
    found = solve(push, 0.0, [0.0, 100.0], args=pulse)
    np.testing.assert_allclose(found.states[1], 1.0, rtol=1e-5)
    spike = Forcing([0.0, 50.0, 50.001, 50.002, 100.0], [0.0, 0.0, 1000.0, 0.0, 0.0])
    found = solve(push, 0.0, [0.0, 100.0], args=spike)
    np.testing.assert_allclose(found.states[1], 1.0, rtol=1e-4)


def test_corners():
    still = [0.0, 0.0, 1.0, 3.0, 0.0, 0.0]
    assert Forcing(np.arange(6.0), still).corners().tolist() == [1.0, 4.0]
    assert Forcing(np.arange(6.0), still, kind="previous").corners().tolist() == [2.0, 3.0, 4.0]
    assert Forcing(np.arange(4.0), np.arange(4.0)).corners().tolist() == []


def test_derivatives_of_a_solve_to_values():
    def last(values):
        forcing = Forcing(AT, Free(values))
        solver = Explicit(1e-9, 1e-9, 512)
        return solve(lambda t, y, f: f(t) - y, 0.0, [0.0, 4.0], args=forcing, solver=solver).states[
            1
        ]

    pulse = lambda s, k: np.exp(s - 4) * np.interp(s, AT, np.eye(5)[k])
    exact = [quad(pulse, 0, 4, (k,), points=AT[1:4])[0] for k in range(5)]
    value, slopes = jax.value_and_grad(last)(jnp.asarray(VALUES))
    np.testing.assert_allclose(slopes, exact, rtol=1e-5)
    np.testing.assert_allclose(value, VALUES @ exact, rtol=1e-7)


@pytest.mark.parametrize(
    ("times", "values", "kind", "error", "what", "where", "hint"),
    [
        (1.0, [1.0], "linear", InputError, "the times are 1.", "Forcing",
         "give a row of one finite time or more"),
        ([0.0, np.inf], [1.0, 1.0], "linear", InputError, "the times are [ 0. inf]", "Forcing",
         "give a row of one finite time or more"),
        ([0.0, 2.0, 1.0], [1.0] * 3, "linear", InputError, "times[2] = 1 is not after times[1] = 2",
         "Forcing", "sort times and values together, and keep one value a time"),
        ([0.0, 1.0], {"u": [1.0] * 3}, "linear", InputError, "2 times and values of shape (3,)",
         "Forcing, values['u']", "give one value a time, times first"),
        ([0.0, 1.0], [1.0, np.inf], "linear", InputError, "values are infinite", "Forcing, values",
         "give numbers, and NaN where one is missing"),
        ([0.0, 1.0], [np.nan, np.nan], "linear", InputError, "values are all missing",
         "Forcing, values", "give numbers, and NaN where one is missing"),
    ],
)  # fmt: skip
def test_mistakes(times, values, kind, error, what, where, hint):
    with pytest.raises(SnakebirdError) as raised:
        Forcing(times, values, kind=kind)
    assert type(raised.value) is error
    assert (raised.value.what, raised.value.where, raised.value.hint) == (what, where, hint)


def test_an_unknown_kind():
    with pytest.raises(UnknownNameError) as error:
        _check_kind("qubic")
    assert str(error.value) == (
        "no kind is called 'qubic'\n  at Forcing\n  hint: did you mean 'cubic'?"
    )
