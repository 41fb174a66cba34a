"""Solving: the automatic choice, derivatives, transformations, and how a solve fails."""

import re

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from snakebird.equations import (
    Bounded,
    Diffrax,
    Explicit,
    Fixed,
    Positive,
    Solution,
    Split,
    solve,
)
from snakebird.equations._posed import check_callable, check_direction
from snakebird.equations._solve import _known
from snakebird.errors import EquationError, SnakebirdError, SolveError

RATES = {"birth": 1.3, "catch": 0.9, "gain": 0.8, "death": 1.8}
START = {"prey": 0.44, "hunter": 4.6}
TIMES = np.linspace(0, 3, 7)
ROBERTSON = jnp.array([0.04, 3e7, 1e4])
TSIT5 = Diffrax(diffrax.Tsit5())
FINE = Explicit(1e-10, 1e-10, 512)


def hunt(t, y, p):
    meet = y["prey"] * y["hunter"]
    return {
        "prey": p["birth"] * y["prey"] - p["catch"] * meet,
        "hunter": p["gain"] * meet - p["death"] * y["hunter"],
    }


def robertson(t, y, k):
    a, b, c = y
    slow, fast, back = k[0] * a, k[1] * b * b, k[2] * b * c
    return jnp.stack([back - slow, slow - fast - back, fast])


def swing(t, y, mu):
    return {"x": y["v"], "v": mu * (1 - y["x"] ** 2) * y["v"] - y["x"]}


def decay(t, y, rate):
    return jax.tree.map(lambda x: -rate * x, y)


def by_scipy(rate, y0, times, method):
    found = solve_ivp(rate, (times[0], times[-1]), y0, method, t_eval=times, rtol=1e-9, atol=1e-12)
    assert found.success
    return found.y


def test_lotka_volterra_is_explicit_and_agrees_with_scipy():
    found = solve(hunt, START, TIMES, args=RATES)
    rate = lambda t, y: [1.3 * y[0] - 0.9 * y[0] * y[1], 0.8 * y[0] * y[1] - 1.8 * y[1]]
    prey, hunter = by_scipy(rate, [0.44, 4.6], TIMES, "LSODA")
    np.testing.assert_allclose(found.states["prey"], prey, rtol=1e-5)
    np.testing.assert_allclose(found.states["hunter"], hunter, rtol=1e-5)
    assert isinstance(found.solver, Explicit)
    assert (found.why, found.failure, bool(found.ok)) == ("not stiff", None, True)
    text = "y['hunter'], y['prey'] at 7 times from t = 0 to 3\nExplicit, "
    assert str(found).startswith(text)


@pytest.mark.slow
def test_robertson_is_implicit_and_agrees_with_scipy():
    times = np.array([0.0, 1e-2, 1.0, 1e2, 1e4])
    found = solve(robertson, jnp.array([1.0, 0.0, 0.0]), times, args=ROBERTSON)
    rate = lambda t, y: np.asarray(_robertson(y))
    exact = by_scipy(rate, [1.0, 0.0, 0.0], times, "LSODA")
    np.testing.assert_allclose(found.states.T, exact, rtol=2e-5, atol=1e-9)
    assert isinstance(found.solver, Diffrax)
    assert found.why == "stiff: the explicit one needs more than 1024 steps"


def _robertson(y):
    slow, fast, back = 0.04 * y[0], 3e7 * y[1] ** 2, 1e4 * y[1] * y[2]
    return back - slow, slow - fast - back, fast


@pytest.mark.slow
def test_van_der_pol_is_implicit_and_agrees_with_scipy():
    times = np.array([0.0, 500.0, 900.0, 1500.0])
    found = solve(swing, {"x": 2.0, "v": 0.0}, times, args=1000.0)
    rate = lambda t, y: [y[1], 1000 * (1 - y[0] ** 2) * y[1] - y[0]]
    np.testing.assert_allclose(
        found.states["x"], by_scipy(rate, [2.0, 0.0], times, "Radau")[0], atol=1e-4
    )
    assert isinstance(found.solver, Diffrax)


@pytest.mark.slow
def test_stiff_enough_to_be_slow_is_implicit_under_grad_too():
    """The explicit solver arrives, in many steps that stability held short."""
    field = lambda t, y, rate: -rate * (y - jnp.cos(t))
    exact = lambda k, t=2.0: (k**2 * jnp.cos(t) + k * jnp.sin(t)) / (k**2 + 1)

    def last(rate):
        found = solve(field, 0.0, [0.0, 2.0], args=rate)
        return found.states[1], found

    (value, found), slope = jax.value_and_grad(last, has_aux=True)(1000.0)
    np.testing.assert_allclose(value, exact(1000.0), atol=1e-6)
    np.testing.assert_allclose(slope, jax.grad(exact)(1000.0), rtol=1e-3)
    assert isinstance(found.solver, Diffrax)
    assert found.why.startswith("stiff: the explicit one took ")
    assert "Diffrax" in str(found)


def test_long_but_not_stiff_stays_explicit():
    field = lambda t, y, speed: speed * jnp.stack([-y[1], y[0]])
    found = solve(field, jnp.array([1.0, 0.0]), [0.0, 200.0], args=10.0)
    np.testing.assert_allclose(found.states[1], [np.cos(2000), np.sin(2000)], atol=0.02)
    assert found.solver == Explicit(max_steps=16384)
    assert found.why == "not stiff, but long"


def loss(p, y0, direction="reverse"):
    found = solve(hunt, y0, TIMES, args=p, solver=FINE, direction=direction)
    return jnp.sum(jnp.sin(found.states["prey"])) + found.states["hunter"][-1]


def test_gradients_agree_with_finite_differences_and_forward():
    back = jax.grad(loss, (0, 1))(RATES, START)
    push = ({"birth": 0.3, "catch": -0.2, "gain": 0.1, "death": 0.4}, {"prey": 0.1, "hunter": 0.3})
    e = 1e-5
    moved = [jax.tree.map(lambda x, d, s=s: x + s * e * d, (RATES, START), push) for s in (1, -1)]
    finite = (loss(*moved[0]) - loss(*moved[1])) / (2 * e)
    products = jax.tree.map(lambda g, d: g * d, back, push)
    np.testing.assert_allclose(sum(jax.tree.leaves(products)), finite, rtol=1e-6)
    ahead = jax.jvp(lambda p, y: loss(p, y, "forward"), (RATES, START), push)[1]
    np.testing.assert_allclose(ahead, finite, rtol=1e-6)


@pytest.mark.slow
def test_gradients_through_diffrax_both_ways():
    solver = Diffrax(diffrax.Tsit5(), rtol=1e-9, atol=1e-9)
    field = lambda t, y, rate: rate * y * (1 - y)
    last = lambda y0, rate, way: solve(
        field, y0, [0.0, 2.0], args=rate, solver=solver, direction=way
    ).states[1]
    exact = lambda y0, rate: 1 / (1 + (1 / y0 - 1) * jnp.exp(-2 * rate))
    slopes = jax.grad(exact, (0, 1))(0.2, 1.3)
    np.testing.assert_allclose(jax.grad(last, (0, 1))(0.2, 1.3, "reverse"), slopes, rtol=1e-6)
    ahead = jax.jvp(lambda y0: last(y0, 1.3, "forward"), (0.2,), (1.0,))[1]
    np.testing.assert_allclose(ahead, slopes[0], rtol=1e-6)


class Growth(eqx.Module):
    rate: Positive
    capacity: Fixed

    def __call__(self, t, y, args):
        return {"x": self.rate * y["x"] * (1 - y["x"] / self.capacity)}


def test_parameters_count_as_their_values():
    model = Growth(Positive(0.8), Fixed(5.0))
    found = solve(model, {"x": Bounded(1.0, 0.0, 2.0)}, [0.0, 2.0], t0=-1.0)
    exact = 5 / (1 + 4 * np.exp(-0.8 * np.array([1.0, 3.0])))
    np.testing.assert_allclose(found.states["x"], exact, rtol=1e-6)
    slope = lambda m: solve(m, {"x": 1.0}, [0.0, 2.0]).states["x"][-1]
    tilt = eqx.filter_grad(slope)(model).rate.value
    x = 5 / (1 + 4 * np.exp(-1.6))
    np.testing.assert_allclose(tilt, 2 * x * (1 - x / 5), rtol=1e-5)


def test_jit_vmap_and_grad_together():
    last = lambda rate: solve(decay, 2.0, [0.0, 1.0], args=rate).states[-1]
    rates = jnp.array([0.5, 1.0, 2.0])
    found = jax.jit(jax.vmap(jax.value_and_grad(last)))(rates)
    np.testing.assert_allclose(found[0], 2 * np.exp(-rates), rtol=1e-6)
    np.testing.assert_allclose(found[1], -2 * np.exp(-rates), rtol=1e-6)


def test_many_solves_and_which_of_them_failed():
    model = lambda t, y, a: {"x": a * y["x"] ** 2}
    solved = jax.vmap(lambda a: solve(model, {"x": 1.0}, [0.0, 0.5, 1.0], args=a))
    found = solved(jnp.array([0.5, 4.0]))
    assert isinstance(found, Solution)
    assert found.ok.tolist() == [True, False]
    np.testing.assert_allclose(found.states["x"][0], 1 / (1 - np.array([0, 0.25, 0.5])), rtol=1e-5)
    assert np.isnan(found.states["x"][1, 1:]).all()
    assert found.failure.reason == "step too small"
    assert "no choice in compiled code" in str(found)
    assert str(found).startswith("2 solves of y['x'] at 3 times from t = 0 to 1\n")


def test_the_precision_is_that_of_the_start():
    for solver in (None, Diffrax(rtol=1e-5, atol=1e-6)):
        found = solve(decay, jnp.float32(2.0), [0.0, 1.0], args=1.0, solver=solver)
        assert (found.states.dtype, found.times.dtype) == (jnp.float32, jnp.float32)
        np.testing.assert_allclose(found.states[1], 2 * np.exp(-1), rtol=1e-4)


PARTS = Split(lambda t, y, rate: {"x": jnp.sin(t)}, lambda t, y, rate: {"x": -rate * y["x"]})


@pytest.mark.slow
def test_imex_takes_the_parts_apart_and_others_their_sum():
    solver = Diffrax(diffrax.KenCarp4(), rtol=1e-6, atol=1e-8)
    exact = lambda k: (jnp.exp(-k) * (k**2 + 2) + k * jnp.sin(1) - jnp.cos(1)) / (k**2 + 1)

    def last(rate, solver):
        found = solve(PARTS, {"x": 1.0}, [0.0, 1.0], args=rate, solver=solver)
        return found.states["x"][1], found.steps

    (value, steps), slope = jax.value_and_grad(last, has_aux=True)(50.0, solver)
    np.testing.assert_allclose(value, exact(50.0), atol=1e-6)
    np.testing.assert_allclose(slope, jax.grad(exact)(50.0), rtol=1e-3)
    assert steps < 600
    np.testing.assert_allclose(last(50.0, Explicit())[0], exact(50.0), atol=1e-6)


def fails(*given, **named):
    """The error in full, as its three parts."""
    with pytest.raises(SnakebirdError) as error:
        solve(*given, **named)
    return type(error.value), error.value.what, error.value.where, error.value.hint


LOOK = "look at the model near t = "


def test_too_many_steps():
    fast = lambda t, y, args: {"x": -y["x"] * jnp.cos(50 * t)}
    kind, what, where, hint = fails(fast, {"x": 1.0}, [0.0, 99.0], solver=Explicit(max_steps=20))
    assert kind is SolveError
    assert what.startswith("the solve ended at t = 0.")
    assert re.fullmatch(r".* of 99: too many steps \(Explicit, \d\d steps\)", what)
    assert where == "y['x']"
    assert hint.startswith(
        "solver=Diffrax() for a stiff equation or solver=Explicit(..., max_steps=80); else " + LOOK
    )


def test_a_step_too_small():
    hint = f"{LOOK}1: it may grow without bound there; or solver=Diffrax() for a stiff equation"
    explode = lambda t, y, args: {"a": jnp.zeros(2), "x": y["x"] ** 2}
    start = {"a": jnp.ones(2), "x": 1.0}
    kind, what, *rest = fails(explode, start, [0.0, 2.0], solver=Explicit())
    assert kind is SolveError
    assert what.startswith("the solve ended at t = 1 of 2: step too small (Explicit, ")
    assert rest == ["y['x']", hint]
    found = solve(explode, start, [0.0, 0.5, 2.0], solver=TSIT5, check=False)
    assert not found.ok
    np.testing.assert_allclose(found.states["x"], [1.0, 2.0, np.nan], rtol=1e-5)
    assert str(found.failure) == "step too small at t = 1 in y['x']"


@pytest.mark.parametrize("solver", [None, TSIT5])
def test_not_a_number(solver):
    root = lambda t, y, args: -1 - jnp.sqrt(y)
    name = "Explicit" if solver is None else "Diffrax"
    kind, what, where, hint = fails(root, jnp.array([1.0, 2.0]), [0.0, 2.0], solver=solver)
    assert kind is SolveError
    assert what.startswith(f"the solve ended at t = 0.613706 of 2: not a number ({name}, ")
    assert where == "y[0]"
    assert hint == (
        f"{LOOK}0.613706: the root or logarithm of a negative number, a division by zero?"
    )


@pytest.mark.parametrize("solver", [None, TSIT5])
def test_not_a_number_at_the_start(solver):
    name = "Explicit" if solver is None else "Diffrax"
    assert fails(lambda t, y, a: jnp.log(y), -1.0, [3.0, 4.0], solver=solver) == (
        SolveError,
        f"the solve ended at t = 3 of 4: not a number at the start ({name}, 0 steps)",
        "y",
        "call the model with t0, y0 and args, and look at what it returns there",
    )


def test_steps_of_one_length_that_run_away():
    cube = lambda t, y, args: y**3
    euler = Diffrax(diffrax.Euler(), step=0.1)
    found = solve(cube, 5.0, [0.0, 0.1, 9.0], solver=euler, check=False)
    assert found.failure == (pytest.approx(0.1), "y", "not a number")
    np.testing.assert_allclose(found.states, [5.0, 17.5, np.nan])


@pytest.mark.slow
def test_no_solver_helps():
    found = solve(lambda t, y, a: jnp.cos(9 * t) * y, 1.0, [0.0, 1e5], check=False)
    assert found.why == "all solvers tried fail, this one last"
    assert found.failure.reason == "too many steps"


def test_failure_in_compiled_code():
    with pytest.raises(SolveError) as error:
        jax.jit(lambda y: solve(decay, y, [0.0, 1.0], args=2.0).failure)(1.0)
    assert str(error.value) == (
        "how a solve failed is not known while code is compiled\n"
        "  at Solution.failure\n"
        "  hint: use solution.ok there, or look at the solution outside of jax.jit and jax.vmap"
    )
    assert jax.eval_shape(lambda y: solve(decay, y, [0.0, 1.0], args=2.0), 1.0).ok.shape == ()


def test_no_events_were_known():
    with pytest.raises(SolveError) as error:
        _ = solve(decay, 1.0, [0.0, 1.0], args=2.0).event_time
    assert str(error.value) == (
        "this solve knew of no events\n  at Solution.event_time\n  hint: use solve_until"
    )


SHAPE = "return a number for every entry of y0, in a tree of the same shape"
ROW = "give a row of one time or more"


@pytest.mark.parametrize(
    ("model", "y0", "times", "options", "what", "where", "hint"),
    [
        (Growth, 1.0, [0, 1], {}, "the model is the class Growth, not one of its instances",
         "solve", "call it: Growth(...)"),
        (lambda t, y: y, 1.0, [0, 1], {},
         "the model cannot be called as model(t, y, args): too many positional arguments",
         "solve", "give a function (t, y, args); what else it needs can come in args"),
        (decay, {"x": "a"}, [0, 1], {}, "the start is of type str", "y0['x']", "give real numbers"),
        (decay, 1j, [0, 1], {}, "the start is complex", "y0", "give real numbers"),
        (decay, [1.0, np.nan], [0, 1], {}, "the start is not finite: nan",
         "y0[1]", "give a finite number"),
        (decay, {}, [0, 1], {}, "y0 holds no numbers", "solve", "give the state at the start"),
        (lambda t, y, a: {"x": y["x"][0], "w": 1.0}, {"x": np.ones(2), "z": 2.0}, [0, 1], {},
         "the model returns {w: number, x: number}, y0 is {x: [2], z: number}",
         "solve, no y['z'], y['w'] too much, y['x'] has shape (), not (2,)", SHAPE),
        (lambda t, y, a: (y[0],), [1.0], [0, 1], {},
         "the model returns (number,), y0 is [number]", "solve, other containers", SHAPE),
        (Split(decay, lambda t, y, a: (y, y)), 1.0, [0, 1], {"args": 1.0},
         "the implicit part returns (number, number), y0 is number",
         "solve, no y, y[0] too much, y[1] too much", SHAPE),
        (decay, 1.0, [[0, 1]], {}, "times has the shape (1, 2)", "solve", ROW),
        (decay, 1.0, [], {}, "times has the shape (0,)", "solve", ROW),
        (decay, 1.0, [0, np.inf], {}, "times[1] is inf", "solve, times", "give finite times only"),
        (decay, 1.0, [0, 1, 1], {}, "times[2] = 1 repeats times[1] = 1",
         "solve, times", "sort them and leave out doubles: numpy.unique(times)"),
        (decay, 1.0, [0, 2, 1], {}, "times[2] = 1 comes after times[1] = 2",
         "solve, times", "sort them and leave out doubles: numpy.unique(times)"),
        (decay, 1.0, [0, 1], {"t0": 0.5}, "times[0] = 0 is before the start t0 = 0.5",
         "solve, times", "give an earlier t0=, or leave it out to start at the first time"),
        (decay, 1.0, [0, 1], {"t0": np.nan}, "t0 is nan", "solve", "give a finite time"),
        (decay, 1.0, [0, 1], {"solver": Explicit},
         "the solver is the class Explicit, not one of its instances",
         "solve", "call it: Explicit()"),
        (decay, 1.0, [0, 1], {"solver": diffrax.Tsit5},
         "the solver is the class Tsit5, not one of its instances",
         "solve", "call it: Diffrax(diffrax.Tsit5())"),
        (decay, 1.0, [0, 1], {"solver": Diffrax(diffrax.KenCarp4()), "args": 1.0},
         "KenCarp4 needs an equation in two parts, the model is one",
         "Diffrax", "wrap it: Split(explicit, implicit), two models whose rates are added"),
    ],
)  # fmt: skip
def test_mistakes(model, y0, times, options, what, where, hint):
    named = {"args": 1.0} | options
    assert fails(model, y0, times, **named) == (EquationError, what, where, hint)


@pytest.mark.parametrize(
    ("check", "what", "hint"),
    [
        (lambda: check_callable(3, "solve"), "the model is of type int, which cannot be called",
         "give a function (t, y, args), or an eqx.Module with __call__(self, t, y, args)"),
        (lambda: _known(diffrax.Tsit5()), "the solver is Tsit5 of diffrax as it is",
         "wrap it: Diffrax(diffrax.Tsit5())"),
        (lambda: _known("Tsit5"), "the solver is 'Tsit5', which cannot be called",
         "give Explicit(), Diffrax(), or leave it out for the choice to be made"),
        (lambda: check_direction("fordward", "solve"), "no direction is called 'fordward'",
         "did you mean 'forward'?"),
    ],
)  # fmt: skip
def test_mistakes_that_the_types_of_the_tests_find_first(check, what, hint):
    with pytest.raises(SnakebirdError) as error:
        check()
    assert (error.value.what, error.value.where, error.value.hint) == (what, "solve", hint)


@pytest.mark.parametrize(
    ("make", "what", "hint"),
    [
        (lambda: Diffrax(diffrax.Tsit5), "the solver is the class Tsit5, not one of its instances",
         "call it: Tsit5()"),
        (lambda: Diffrax("Tsit5"), "the solver is 'Tsit5', which is none of diffrax",
         "give diffrax.Tsit5(), diffrax.Kvaerno5(), ..."),
        (lambda: Diffrax(diffrax.ItoMilstein()),
         "ItoMilstein is not for ordinary differential equations of one state",
         "give diffrax.Tsit5(), diffrax.Kvaerno5(), or for noise use solve_random"),
        (lambda: Diffrax(diffrax.Euler()),
         "Euler does not estimate its error, so its steps cannot adapt",
         "give their length: Diffrax(Euler(), step=0.01)"),
        (lambda: Diffrax(step=0.0), "the step is 0.0", "give a positive number"),
    ],
)  # fmt: skip
def test_mistakes_of_a_solver(make, what, hint):
    with pytest.raises(EquationError) as error:
        make()
    assert (error.value.what, error.value.where, error.value.hint) == (what, "Diffrax", hint)
