"""Lanes against SciPy, and every derivative against finite differences and each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from snakebird.equations import lanes

THETA = jnp.array([[1.3, 0.9, 0.8, 1.8], [1.4, 1.0, 0.9, 2.0], [1.2, 0.8, 0.7, 1.6]])
PUSH = jnp.array([0.0, 0.1, 0.2])
Y0 = jnp.array([[0.44, 4.6], [0.5, 4.0], [1.0, 1.0]])
FINE = lanes.Settings(1e-12, 1e-12, 1024)
USUAL = lanes.Settings(1e-8, 1e-8, 256)


def field(t, y, theta, push):
    a, b, c, d = theta
    x, z = y
    return jnp.stack([a * x - b * x * z + push * jnp.sin(t), c * x * z - d * z])


def span(doses=False):
    times = jnp.stack([jnp.linspace(0, 3, 31), jnp.linspace(0, 2, 31), jnp.linspace(0.5, 3, 31)])
    start = jnp.array([0.0, 0.0, 0.2])
    if not doses:
        return lanes.Span(start, times)
    stops = jnp.array([[1.0, 2.05, jnp.inf], [0.5, 1.5, 5.0], [2.0, jnp.inf, jnp.inf]])
    return lanes.Span(start, times, stops, jnp.ones((3, 3, 2)) * jnp.array([0.5, 0.2]))


@jax.jit
def fine_loss(theta, y0, doses):
    moved = span(doses is not None)._replace(doses=doses)
    return jnp.sum(jnp.sin(lanes.solve_reverse(field, FINE, theta, PUSH, y0, moved).values))


@pytest.mark.parametrize("lane", range(3))
def test_solutions_agree_with_scipy(lane):
    where = span()
    ours = lanes.solve_reverse(field, USUAL, THETA, PUSH, Y0, where)
    assert (ours.outcome.code == lanes.OK).all()
    a, b, c, d = np.asarray(THETA[lane])
    rate = lambda t, y: [
        a * y[0] - b * y[0] * y[1] + float(PUSH[lane]) * np.sin(t),
        c * y[0] * y[1] - d * y[1],
    ]
    times = np.asarray(where.times[lane])
    reach = (float(where.t0[lane]), times[-1])
    theirs = solve_ivp(rate, reach, Y0[lane], t_eval=times, rtol=1e-11, atol=1e-11, method="DOP853")
    np.testing.assert_allclose(ours.values[lane], theirs.y.T, atol=2e-7)


@pytest.mark.parametrize("doses", [False, True])
@pytest.mark.slow
def test_gradients_agree_with_finite_differences_and_each_other(doses):
    where = span(doses)

    def loss(theta, y0, doses, solve):
        out = solve(field, FINE, theta, PUSH, y0, where._replace(doses=doses))
        return jnp.sum(jnp.sin(out.values))

    reverse = jax.grad(loss, (0, 1, 2) if doses else (0, 1))
    forward = jax.jacfwd(loss, (0, 1, 2) if doses else (0, 1))
    back = reverse(THETA, Y0, where.doses, lanes.solve_reverse)
    forth = forward(THETA, Y0, where.doses, lanes.solve_forward)
    for one, other in zip(back, forth, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)
    at = (THETA, Y0, where.doses)
    e = 1e-5
    for place, gradient in enumerate(back):
        for index in [(0,) * gradient.ndim, (1,) * gradient.ndim]:
            step = lambda s, p=place, i=index: (
                *at[:p], at[p].at[i].add(s * e), *at[p + 1 :]
            )  # fmt: skip
            finite = (fine_loss(*step(1)) - fine_loss(*step(-1))) / (2 * e)
            np.testing.assert_allclose(gradient[index], finite, rtol=1e-6, atol=1e-6)


def test_the_jacobian_is_the_forward_derivative():
    where = span(doses=True)
    _, full = lanes.solve_jacobian(field, USUAL, THETA, PUSH, Y0, where)
    moved = (0.3 * THETA, jnp.cos(Y0))
    solve = lambda theta, y0: lanes.solve_forward(field, USUAL, theta, PUSH, y0, where).values
    _, wanted = jax.jvp(solve, (THETA, Y0), moved)
    ours = jnp.einsum("bndp,bp->bnd", full, jnp.concatenate(moved, 1))
    np.testing.assert_allclose(ours, wanted, rtol=1e-10, atol=1e-12)


def test_a_dose_is_added_after_its_time():
    still = lambda t, y, theta, const: theta * y
    where = lanes.Span(
        jnp.zeros(1),
        jnp.array([[0.5, 1.0, 1.5, 3.0]]),
        jnp.array([[1.0, 2.0]]),
        jnp.ones((1, 2, 1)),
    )
    out = lanes.solve_reverse(still, USUAL, jnp.zeros((1, 1)), None, jnp.ones((1, 1)), where)
    np.testing.assert_allclose(out.values[0, :, 0], [1, 1, 2, 3], atol=1e-12)


def test_shared_parameters_gather_the_gradients_of_all_lanes():
    where = span()
    loss = lambda settings, theta: jnp.sum(
        lanes.solve_reverse(field, settings, theta, PUSH, Y0, where).values ** 2
    )
    together = jax.grad(lambda v: loss(USUAL._replace(shared=True), v))(THETA[0])
    apart = jax.grad(lambda v: loss(USUAL, jnp.broadcast_to(v, (3, 4))))(THETA[0])
    np.testing.assert_allclose(together, apart, rtol=1e-10)


@pytest.mark.slow
def test_under_vmap_each_row_is_its_own_solution():
    where = span()
    solve = lambda theta: lanes.solve_reverse(field, USUAL, theta, PUSH, Y0, where).values
    many = jnp.stack([THETA, 1.1 * THETA])
    np.testing.assert_allclose(jax.vmap(solve)(many)[1], solve(many[1]), rtol=1e-9)


def test_a_lane_says_how_it_ended():
    explode = lambda t, y, theta, const: theta * y * y
    where = lanes.Span(jnp.zeros(3), jnp.broadcast_to(jnp.linspace(0, 2, 5), (3, 5)))
    theta = jnp.array([[0.1], [1.0], [jnp.nan]])
    out = lanes.solve_reverse(explode, USUAL, theta, None, jnp.ones((3, 1)), where)
    code, time, _, _ = out.outcome
    assert code[0] == lanes.OK
    assert code[1] in (lanes.TOO_SMALL, lanes.NOT_FINITE, lanes.MAX_STEPS)
    assert code[2] == lanes.NOT_FINITE
    assert 0.99 < time[1] < 1.001
    np.testing.assert_allclose(out.values[0, -1, 0], 1 / (1 - 0.2), rtol=1e-6)


def test_too_few_steps_is_an_outcome():
    quick = lambda t, y, theta, const: jnp.stack([y[1], -1e4 * y[0]])
    where = lanes.Span(jnp.zeros(1), jnp.array([[1.0]]))
    start, few = jnp.array([[1.0, 0.0]]), USUAL._replace(max_steps=8)
    out = lanes.solve_reverse(quick, few, jnp.zeros((1, 1)), None, start, where)
    assert out.outcome.code[0] == lanes.MAX_STEPS
    assert 0 < out.outcome.time[0] < 1
