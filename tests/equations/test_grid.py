"""Operators on grids: orders, exact waves, conservation, symmetry, and equations that run."""

from functools import partial

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from snakebird.equations._grid import Grid
from snakebird.errors import InputError, UnknownNameError

CLOSED = [
    (boundary, method, order)
    for boundary in ("periodic", "neumann")
    for method, order in (("difference", 2), ("difference", 4), ("spectral", 2))
    if order == 2 or boundary == "periodic"
]
EVERY = [*CLOSED, ("dirichlet", "difference", 2), ("dirichlet", "spectral", 2)]


def slope(error, counts=(48, 96)):
    """The observed order: how fast the error falls with the spacing."""
    coarse, fine = (error(n) for n in counts)
    return np.log(coarse / fine) / np.log(counts[1] / counts[0])


def test_where_points_lie():
    assert Grid(0.0, 1.0, 4).x.tolist() == [0, 0.25, 0.5, 0.75]
    assert Grid(0.0, 1.0, 3, "dirichlet").x.tolist() == [0.25, 0.5, 0.75]
    assert Grid(0.0, 1.0, 4, "neumann").x.tolist() == [0.125, 0.375, 0.625, 0.875]
    box = Grid(0.0, (1.0, 2.0), (4, 3), ("periodic", "dirichlet"))
    x, y = box.x
    assert x.shape == y.shape == box.shape == (4, 3)
    assert x[:, 0].tolist() == [0, 0.25, 0.5, 0.75]
    assert y[0].tolist() == [0.5, 1, 1.5]
    assert box.spacing == (0.25, 0.5)
    assert Grid(0.0, 1.0, 4).spacing == 0.25


def test_a_grid_is_a_static_value():
    one, same, other = Grid(0, 1, 5), Grid(0.0, 1.0, 5), Grid(0, 1, 5, "neumann")
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert jax.tree.leaves(one) == []
    assert repr(one) == "Grid(0.0, 1.0, 5, 'periodic')"
    wide = Grid(0, (1, 2), 8, method="spectral")
    assert repr(wide) == (
        "Grid((0.0, 0.0), (1.0, 2.0), (8, 8), ('periodic', 'periodic'), method='spectral')"
    )
    assert repr(Grid(0, 1, 9, "dirichlet", edges=(1, 2))).endswith("edges=(1.0, 2.0))")
    assert repr(Grid(0, 1, 9, order=4)).endswith("'periodic', order=4)")


@pytest.mark.parametrize(
    ("boundary", "order", "edges"),
    [
        ("periodic", 2, None),
        ("periodic", 4, None),
        ("dirichlet", 2, (np.exp(1.0), np.exp(np.sin(3.5) + 0.0))),
        ("neumann", 2, None),
    ],
)
def test_orders_of_the_operators(boundary, order, edges):
    """On a function that is periodic on [0, 2 pi], and generic on [0, 1.3]."""
    high = 2 * np.pi if boundary == "periodic" else 1.3
    u = lambda x: jnp.exp(jnp.sin(x + 0.4))
    first = jax.vmap(jax.grad(u))
    coefficient = lambda v: 1 + 0.3 * v**2
    flow = jax.vmap(jax.grad(lambda x: coefficient(u(x)) * jax.grad(u)(x)))
    ends = np.array([0.0, high])
    given = {"dirichlet": u(ends), "neumann": first(ends), "periodic": None}[boundary]

    @partial(jax.jit, static_argnums=0)
    def errors(n):
        grid = Grid(0.0, high, n, boundary, order=order)
        x, at = grid.x, u(grid.x)
        slopes, curves = first(x), jax.vmap(jax.grad(jax.grad(u)))(x)
        rest = {
            "slope": grid.derivative(at, edges=given) - slopes,
            "divergence": grid.divergence([at]) - slopes,
            "curve": grid.laplacian(at, edges=given) - curves,
            "flow": grid.diffusion(at, coefficient, edges=given) - flow(x),
        }
        # Next to Neumann edges second differences are of order 1, as documented.
        cut = {"curve": 1, "flow": 1} if boundary == "neumann" else {}
        return {
            name: jnp.abs(v[cut.get(name, 0) :][::-1][cut.get(name, 0) :]).max()
            for name, v in rest.items()
        }

    coarse, fine = errors(48), errors(96)
    found = {name: np.log2(coarse[name] / fine[name]) for name in coarse}
    assert found == pytest.approx(dict.fromkeys(found, order), abs=0.35)


@pytest.mark.parametrize("kind", ["dirichlet", "neumann"])
@pytest.mark.parametrize("given", ["function", "array"])
def test_solutions_keep_order_two_up_to_the_edges(kind, given):
    """(D u')' = f with u = exp(x), solved as a linear system."""
    u = lambda x: jnp.exp(x)
    spread = lambda x: 2 + jnp.sin(3 * x)
    source = jax.vmap(jax.grad(lambda x: spread(x) * jnp.exp(x)))
    edges = (1.0, np.e)

    @partial(jax.jit, static_argnums=0)
    def error(n):
        grid = Grid(0.0, 1.0, n, kind)
        # A Neumann problem has its constant free; a small decay fixes it.
        decay = 1.0 if kind == "neumann" else 0.0
        inside = (lambda v: 2 + jnp.sin(3 * jnp.log(v))) if given == "function" else spread(grid.x)
        held = grid.diffusion(u(grid.x), inside, edges=edges)
        flow = lambda v: grid.diffusion(v, spread(grid.x), edges=edges)
        zero = jnp.zeros(n)
        matrix = jax.jacobian(flow)(zero) - decay * jnp.eye(n)
        # What the operator leaves of the exact solution, carried back to an error of a solution.
        rest = held - source(grid.x)
        return jnp.abs(jnp.linalg.solve(matrix, rest)).max()

    assert slope(error) == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize(
    ("boundary", "waves"),
    [("periodic", np.sin), ("dirichlet", np.sin), ("neumann", np.cos)],
)
@pytest.mark.parametrize("points", [8, 9])
def test_spectral_is_exact_on_waves(boundary, waves, points):
    grid = Grid(1.0, 3.0, points, boundary, method="spectral")
    turn = {np.sin: np.cos, np.cos: lambda x: -np.sin(x)}[waves]
    base = np.pi if boundary == "periodic" else np.pi / 2
    x = np.asarray(grid.x) - 1.0
    for k in range(1, 4 if boundary == "periodic" else points):
        u = waves(base * k * x)
        np.testing.assert_allclose(grid.derivative(u), base * k * turn(base * k * x), atol=1e-11)
        np.testing.assert_allclose(grid.laplacian(u), -((base * k) ** 2) * u, atol=1e-10)
        np.testing.assert_allclose(grid.diffusion(u, np.full(points, 2.0)), 2 * grid.laplacian(u), atol=1e-10)  # noqa: E501  # fmt: skip
        if k < points - 1:
            flux = grid.gradient(u)
            np.testing.assert_allclose(grid.divergence(flux), grid.laplacian(u), atol=1e-10)
        whole = 2 * (1 - np.cos(np.pi * k)) / (np.pi * k) if boundary == "dirichlet" else 0.0
        np.testing.assert_allclose(grid.integral(u), whole, atol=1e-12)


def test_spectral_takes_complex_values():
    grid = Grid(0.0, 2 * np.pi, 9, method="spectral")
    u = np.exp(3j * np.asarray(grid.x))
    np.testing.assert_allclose(grid.derivative(u), 3j * u, atol=1e-12)


def test_spectral_diffusion_with_a_coefficient():
    grid = Grid(0.0, np.pi, 24, "dirichlet", method="spectral")
    x = np.asarray(grid.x)
    u = np.sin(x)
    # D = 1 + u^2, so that D u' = cos x + sin^2 x cos x.
    exact = -np.sin(x) - np.sin(x) ** 3 + 2 * np.sin(x) * np.cos(x) ** 2
    np.testing.assert_allclose(grid.diffusion(u, lambda v: 1 + v**2), exact, atol=1e-10)
    np.testing.assert_allclose(grid.diffusion(u, 1 + u**2), exact, atol=1e-10)


VALUES = st.floats(-1e3, 1e3, allow_subnormal=False)


def states(*shape):
    return hnp.arrays(np.float64, shape, elements=VALUES)


BOXES = {
    case: Grid(0.0, (1.0, 2.0), (8, 7), case[0], method=case[1], order=case[2]) for case in EVERY
}


@partial(jax.jit, static_argnums=0)
def total_flows(grid, u, d):
    flows = grid.diffusion(u, d), grid.diffusion(u, jnp.tanh), grid.laplacian(u)
    return jnp.stack([grid.integral(flow) for flow in flows])


@pytest.mark.parametrize("case", CLOSED)
@settings(max_examples=20)
@given(u=states(8, 7), spread=hnp.arrays(np.float64, (8, 7), elements=st.floats(0, 10)))
def test_diffusion_conserves(case, u, spread):
    found = total_flows(BOXES[case], u, spread)
    assert np.abs(found).max() <= 1e-11 * np.abs(u).max() * (1 + spread.max())


@partial(jax.jit, static_argnums=0)
def products(grid, u, v):
    spread = 1 + (grid.x[0] - 0.3) ** 2
    acts = grid.laplacian, lambda w: grid.diffusion(w, spread)
    pairs = [(v, u), (u, v), (u, u)]
    return jnp.stack([jnp.stack([jnp.vdot(a, act(b)) for a, b in pairs]) for act in acts])


@pytest.mark.parametrize("case", EVERY)
@settings(max_examples=20)
@given(u=states(8, 7), v=states(8, 7))
def test_the_laplacian_is_symmetric_and_not_positive(case, u, v):
    """Summation by parts, also with a coefficient that varies."""
    sizes = np.abs(u).max(), np.abs(v).max()
    for left, right, own in np.asarray(products(BOXES[case], u, v)):
        assert abs(left - right) <= 1e-8 * sizes[0] * sizes[1]
        assert own <= 1e-8 * sizes[0] ** 2


def test_edges_reach_the_operators():
    """A straight line through its own edge values, or with its own slope, is found exactly."""
    for boundary, edges in (("dirichlet", (1.0, 7.0)), ("neumann", (3.0, 3.0))):
        still = Grid(0.0, 2.0, 9, boundary, edges=edges)
        u = 1 + 3 * still.x
        given = Grid(0.0, 2.0, 9, boundary)
        for grid, more in ((still, {}), (given, {"edges": tuple(map(jnp.asarray, edges))})):
            np.testing.assert_allclose(grid.derivative(u, **more), 3, rtol=1e-12)
            np.testing.assert_allclose(grid.laplacian(u, **more), 0, atol=1e-11)
            np.testing.assert_allclose(grid.diffusion(u, np.ones(9), **more), 0, atol=1e-11)
            np.testing.assert_allclose(grid.integral(u, **more), 8, rtol=1e-12)


def test_edges_of_a_box_may_be_arrays():
    """u = x y + y^2 on [0, 1] x [0, 2], a batch of one, with values along x and slopes along y."""
    grid = Grid(0.0, (1.0, 2.0), (5, 6), ("dirichlet", "neumann"))
    x, y = np.asarray(grid.x)
    u = (x * y + y**2)[None]
    edges = ((y[0] ** 2, y[0] + y[0] ** 2), (x[:, 0], x[:, 0] + 4))

    @jax.jit
    def found():
        one = grid.derivative(u, 1, edges=edges), grid.laplacian(u, edges=edges)
        rest = grid.divergence((x**2 * y, y**2)), grid.integral(u, edges=edges)
        return *grid.gradient(u, edges=edges), *one, *rest

    along, across, again, curve, divergence, whole = found()
    np.testing.assert_allclose(along[0], y, rtol=1e-12)
    np.testing.assert_allclose(across[0], x + 2 * y, rtol=1e-12)
    np.testing.assert_array_equal(again, across)
    np.testing.assert_allclose(curve, 2, rtol=1e-10)
    np.testing.assert_allclose(divergence, 2 * x * y + 2 * y, rtol=1e-11)
    # The midpoint rule along y leaves h^2 / 12 of the second derivative.
    rule = 1 + 8 / 3 - 2 * (1 / 3) ** 2 / 12
    np.testing.assert_allclose(whole, [rule], rtol=1e-12)
    numbers = Grid(0.0, 1.0, (4, 4), ("dirichlet", "periodic"), edges=((2.0, 2.0), None))
    np.testing.assert_allclose(numbers.laplacian(np.full((4, 4), 2.0)), 0, atol=1e-12)
    np.testing.assert_allclose(numbers.integral(np.full((4, 4), 2)), 2, rtol=1e-12)


@pytest.mark.parametrize("case", [CLOSED[1], CLOSED[2], *EVERY[3:-1]])
def test_the_heat_equation_against_its_solution(case):
    boundary, method, order = case
    wave = np.cos if boundary == "neumann" else np.sin
    grid = Grid(0.0, 2.0, 32, boundary, method=method, order=order)
    start = wave(np.pi * np.asarray(grid.x))
    field = lambda t, u, d: grid.diffusion(u, d)

    @jax.jit
    def last(d):
        found = dfx.diffeqsolve(
            dfx.ODETerm(field),
            dfx.Tsit5(),
            0.0,
            1.0,
            0.01,
            jnp.asarray(start),
            args=d,
            stepsize_controller=dfx.PIDController(rtol=1e-9, atol=1e-11),
        )
        return found.ys[-1]

    exact = np.exp(-0.1 * np.pi**2) * start
    accuracy = 1e-8 if method == "spectral" else {2: 4e-3, 4: 1e-4}[order]
    np.testing.assert_allclose(last(0.1), exact, atol=accuracy)
    if case == ("periodic", "spectral", 2):
        by_d = jax.jacrev(last)(0.1)
        np.testing.assert_allclose(by_d, -(np.pi**2) * exact, atol=1e-6)


def test_gradients_through_coefficient_and_edges():
    grid = Grid(0.0, (1.0, 2.0), (5, 6), ("dirichlet", "neumann"))
    u = np.cos(np.arange(30.0)).reshape(5, 6)

    def total(p):
        flow = grid.diffusion(u, lambda v: 1 + p[0] * v**2, edges=((p[1], 0.0), p[2]))
        return jnp.sum(flow**2) + grid.integral(u, edges=((p[1], 0.0), p[2]))

    p, h = np.array([0.3, 1.2, -0.4]), 1e-5
    found = jax.jit(jax.grad(total))(p)
    value = jax.jit(total)
    differences = [(value(p + h * e) - value(p - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(found, differences, rtol=1e-7)


def test_whole_numbers_and_single_precision():
    grid = Grid(0, 3, 3)
    assert grid.derivative(np.array([0, 1, 0])).tolist() == [0.5, 0, -0.5]
    single = jnp.ones(3, jnp.float32)
    for method in ("difference", "spectral"):
        grid = Grid(0, 3, 3, "dirichlet", method=method)
        assert grid.laplacian(single).dtype == grid.integral(single).dtype == jnp.float32


@pytest.mark.parametrize(
    ("given", "kind", "what", "hint"),
    [
        (dict(boundary="periodc"), UnknownNameError, "unknown boundary 'periodc'", "'periodic'"),
        (dict(method="spectrl"), UnknownNameError, "unknown method 'spectrl'", "'spectral'"),
        (dict(points=2), InputError, "2 points along axis 0", "at least 3"),
        (dict(points=(9, 6), order=4), InputError, "6 points along axis 1", "at least 7"),
        (dict(points=True), InputError, "points is True", "whole number"),
        (dict(order=3), InputError, "differences of order 3", "order=2 or order=4"),
        (
            dict(order=4, boundary="neumann"),
            InputError,
            "differences of order 4 with a neumann boundary",
            "give order=2",
        ),
        (dict(high=0.0), InputError, "the axis runs from 0.0 to 0.0", "low before high"),
        (
            dict(low=(0.0, 0.0), points=(3, 3, 3)),
            InputError,
            "the numbers of axes differ: 2 of low, 3 of points",
            "one for each",
        ),
        (dict(edges=(1.0,)), InputError, "1 edges for axis 0", "(at low, at high)"),
        (
            dict(points=(9, 9), edges=(1,) * 3),
            InputError,
            "edges for 3 axes, the grid has 2",
            "None",
        ),
        (
            dict(edges=np.ones(2)[:, None]),
            InputError,
            "edges= of a grid are not plain",
            "laplacian(",
        ),
        (
            dict(boundary="neumann", method="spectral", edges=1.0),
            InputError,
            "edges= with the spectral method, whose edges are zero",
            "method='difference'",
        ),
    ],
)
def test_mistakes_in_a_grid(given, kind, what, hint):
    with pytest.raises(kind) as error:
        Grid(**({"low": 0.0, "high": 1.0, "points": 9} | given))
    assert error.value.what.startswith(what)
    assert hint in error.value.hint


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (lambda g: g.laplacian(np.ones((2, 5))), "the array has shape (2, 5), the grid (3, 4)"),
        (lambda g: g.laplacian(1.0), "the array has shape (), the grid (3, 4)"),
        (lambda g: g.derivative(np.ones((3, 4)), 2), "there is no axis 2"),
        (lambda g: g.divergence([np.ones((3, 4))]), "1 fluxes for a grid of 2 axes"),
        (
            lambda g: g.diffusion(np.ones((3, 4)), np.ones(3)),
            "the coefficient has shape (3,), which does not broadcast to (3, 4)",
        ),
        (
            lambda g: g.laplacian(np.ones((3, 4)), edges=((np.ones(3), 0.0), None)),
            "an edge of axis 0 has shape (3,), which does not broadcast to (4,)",
        ),
    ],
)
def test_mistakes_in_arrays(act, what):
    with pytest.raises(InputError) as error:
        act(Grid(0.0, 1.0, (3, 4), ("dirichlet", "neumann")))
    assert error.value.what == what
    assert error.value.hint


def test_edges_at_a_call_of_the_spectral_method():
    with pytest.raises(InputError, match="edges= with the spectral method"):
        Grid(0.0, 1.0, 8, "dirichlet", method="spectral").laplacian(np.ones(8), edges=1.0)
