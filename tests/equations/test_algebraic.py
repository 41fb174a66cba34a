"""Constraints of index 1: solutions, gradients, and constraints that determine nothing."""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from snakebird.equations._algebraic import IndexOne
from snakebird.errors import InputError, SnakebirdError


def solved(field, y0, times, args, *, solver=None, tol=1e-9):
    found = dfx.diffeqsolve(
        dfx.ODETerm(field),
        dfx.Tsit5() if solver is None else solver,
        times[0],
        times[-1],
        None,
        y0,
        args=args,
        saveat=dfx.SaveAt(ts=jnp.asarray(times)),
        stepsize_controller=dfx.PIDController(rtol=tol, atol=tol * 1e-4),
        max_steps=1000,
    )
    return found.ys


def robertson(t, y, args):
    a, b, c = y
    first, second = 0.04 * a - 1e4 * b * c, 3e7 * b**2
    return jnp.stack([-first, first - second, second])


@pytest.mark.slow
def test_robertson_as_a_constrained_equation():
    """Hairer and Wanner (1996), section IV.1; the third rate replaced by conservation."""
    whole = lambda y, z: jnp.append(y, z)
    field = IndexOne(
        lambda t, y, z, args: robertson(t, whole(y, z), args)[:2],
        lambda t, y, z, args: jnp.sum(y) + z - 1,
        0.0,
    )
    times = np.array([0.0, 0.4, 40.0, 4e3])
    start = jnp.array([1.0, 0.0])
    field.check(0.0, start, None)
    ys = solved(field, start, times, None, solver=dfx.Kvaerno5(), tol=1e-6)
    zs = jax.vmap(field.consistent, (0, 0, None))(jnp.asarray(times), ys, None)
    exact = solved(robertson, jnp.array([1.0, 0, 0]), times, None, solver=dfx.Kvaerno5(), tol=1e-6)
    np.testing.assert_allclose(jnp.sum(ys, 1) + zs, 1, atol=1e-14)
    np.testing.assert_allclose(np.column_stack([ys, zs]), exact, rtol=1e-5, atol=1e-10)


def circle(t, y, z, args):
    """y' = args z with y^2 + z^2 = 1 has y = sin(args t) and z = cos(args t)."""
    return args * z


ON_CIRCLE = IndexOne(circle, lambda t, y, z, args: y**2 + z**2 - 1, 1.0)


@pytest.mark.slow
def test_a_known_solution_and_its_gradient():
    times = np.linspace(0, 0.9, 4)
    run = jax.jit(lambda k: solved(ON_CIRCLE, jnp.asarray(0.0), times, k, tol=1e-11))
    np.testing.assert_allclose(run(1.3), np.sin(1.3 * times), atol=1e-10)
    by_k = jax.jacrev(run)(1.3)
    np.testing.assert_allclose(by_k, times * np.cos(1.3 * times), atol=1e-9)
    zs = jax.vmap(ON_CIRCLE.consistent, (0, 0, None))(times, run(1.3), 1.3)
    np.testing.assert_allclose(zs, np.cos(1.3 * times), atol=1e-9)


TREES = IndexOne(
    lambda t, y, z, args: {"u": z["p"][0] - y["u"], "v": z["q"] * z["p"][1]},
    lambda t, y, z, args: (
        jnp.exp(z["p"][0]) + z["q"] - args * y["u"],
        {"rest": jnp.stack([z["p"][1] ** 3 + z["p"][1] - y["v"], z["q"] - 0.3 * z["p"][0] * t])},
    ),
    lambda t, y, args: {"p": jnp.zeros(2), "q": 0.0},
)


@settings(max_examples=25)
@given(t=st.floats(0, 2), u=st.floats(0.5, 4), v=st.floats(-3, 3), k=st.floats(0.5, 3))
def test_the_constraint_holds_and_derivatives_are_implicit(t, u, v, k):
    found, slope = _at(t, u, v, k)
    rest = TREES.constraint(t, {"u": u, "v": v}, found, k)
    assert max(jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(rest)) < 1e-12
    h = 1e-5
    ends = [_at(t, u + s, v + s, k + s)[0] for s in (h, -h)]
    differences = jax.tree.map(lambda up, down: (up - down) / (2 * h), *ends)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), slope, differences
    )


@jax.jit
def _at(t, u, v, k):
    one = lambda s: TREES.consistent(t, {"u": u + s, "v": v + s}, k + s)
    return jax.jvp(one, (0.0,), (1.0,))


def test_second_derivatives():
    z = lambda y: ON_CIRCLE.consistent(0.0, y, None)
    y = 0.6
    np.testing.assert_allclose(jax.grad(z)(y), -y / 0.8, rtol=1e-12)
    np.testing.assert_allclose(jax.grad(jax.grad(z))(y), -1 / 0.8**3, rtol=1e-12)


def test_the_guess_chooses_the_branch():
    lower = IndexOne(circle, ON_CIRCLE.constraint, -1.0)
    assert float(lower.consistent(0.0, 0.6, None)) == pytest.approx(-0.8)
    assert lower(0.0, 0.6, 2.0) == pytest.approx(-1.6)
    by_guess = jax.grad(lambda g: IndexOne(circle, lower.constraint, g)(0.0, 0.6, 1.0))
    assert by_guess(-1.0) == 0


def test_single_precision():
    z = ON_CIRCLE.consistent(0.0, jnp.float32(0.6), None)
    assert float(z) == pytest.approx(0.8, abs=1e-6)


def test_where_there_is_no_root_the_rate_is_not_a_number():
    assert np.isnan(jax.jit(ON_CIRCLE)(0.0, 2.0, 1.0))


def test_an_index_above_one_is_named():
    """A mass on a circle, its force determined only after two differentiations: index 3."""
    field = IndexOne(
        lambda t, y, z, args: {"x": y["v"], "v": -z["force"] * y["x"]},
        lambda t, y, z, args: (jnp.sum(y["x"] ** 2) - 1, z["other"] - y["x"][0]),
        {"force": 0.0, "other": 0.0},
    )
    with pytest.raises(SnakebirdError) as error:
        field.check(0.5, {"x": np.array([1.0, 0.0]), "v": np.zeros(2)}, None)
    assert error.value.what == (
        "dg/dz is singular at t = 0.5, its condition number inf: "
        "the constraint does not determine z['force']"
    )
    assert error.value.hint.startswith("index 1 is needed: differentiate the constraint")


def test_a_constraint_that_determines_only_a_sum():
    both = lambda t, y, z, args: jnp.stack([z[0] + z[1] - y, 1e6 * (z[0] + z[1] - y)])
    with pytest.raises(SnakebirdError, match=r"dg/dz is singular.*does not determine z\[[01]\]"):
        IndexOne(lambda t, y, z, args: y, both, np.zeros(2)).check(0.0, 1.0, None)


def test_units_do_not_make_a_constraint_singular():
    units = lambda t, y, z, args: jnp.stack([1e-9 * z[0] - y, 1e12 * z[1] + z[0]])
    IndexOne(lambda t, y, z, args: y, units, np.zeros(2)).check(0.0, 1.0, None)


def test_a_guess_that_leads_nowhere():
    with pytest.raises(SnakebirdError) as error:
        ON_CIRCLE.check(0.0, 2.0, 1.0)
    assert error.value.what == "no z was found in 32 steps that solves the constraint at t = 0.0"
    assert error.value.hint.startswith("give a guess closer to it")


def test_a_constraint_of_another_size():
    short = IndexOne(circle, lambda t, y, z, args: y - z[0], np.zeros(2))
    with pytest.raises(InputError, match="the constraint returns 1 numbers, z has 2"):
        short(0.0, 1.0, None)
