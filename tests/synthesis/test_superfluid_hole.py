"""Holes read by sparse superfluid machines."""

import equinox as eqx
import jax
import numpy as np
import pytest
import sympy as sp

import snakebird as sb
from snakebird.equations import MachineModel, superfluid_hole
from snakebird.errors import MachineError, UnknownNameError
from snakebird.synthesis.laws import Term, hole_expressions, polynomials, read_hole
from snakebird.synthesis.laws._superfluid_known import Known
from snakebird.synthesis.laws._superfluid_sparse import Pruner
from snakebird.synthesis.laws._superfluid_terms import terms_of

pytestmark = pytest.mark.slow

X, Y = sp.symbols("x y", real=True)


class Growth(eqx.Module):
    rate: sb.Hole

    def __call__(self, t, y, args):
        return {"x": self.rate(y["x"])}


@pytest.fixture(scope="module")
def logistic():
    times, rng = np.linspace(0, 6, 25), np.random.default_rng(0)
    x = 2 / (1 + 9 * np.exp(-times)) + 0.003 * rng.standard_normal(25)
    hole = superfluid_hole("x", "rate", layers=(2,), functions=(("product", "sine"),))
    return sb.fit(Growth(hole), sb.Trajectories.of(times, {"x": x}), starts=2)


@pytest.fixture(scope="module")
def readings(logistic):
    return read_hole(logistic, layers=(1,), functions=(("product", "sine"),), starts=6)


def test_a_machine_is_trained_in_an_equation(logistic):
    assert logistic.noise["x"] == pytest.approx(0.003, rel=0.4)


def test_the_reading_of_a_logistic_hole_holds_its_terms(readings):
    library = readings.library()
    assert {"x", "x**2"} <= {str(term) for term in library}
    assert [one.score for one in readings] == sorted(one.score for one in readings)
    assert all(one.numbers <= 8 for one in readings)
    assert "rate = " in repr(readings)


def test_terms_that_were_read_join_those_of_discover(logistic, readings):
    library = readings.library() + polynomials("x", 3)
    laws = sb.discover(logistic, library=library, terms=2, candidates=8)
    a, b = map(float, laws.best.coefficients["rate"].values())
    assert [str(term) for term in laws.best.coefficients["rate"]] == ["x", "x**2"]
    assert (a, b) == (pytest.approx(1, rel=0.05), pytest.approx(-0.5, rel=0.05))


def test_expressions_are_what_the_hole_computes(readings):
    drawn = superfluid_hole("x y", "a b", key=jax.random.key(5))
    drawn = drawn.scaled([1.0, -2.0], [3.0, 0.5], [2.0, 4.0])
    at = {X: 1.3, Y: -0.4}
    found = [float(e.subs(at)) for e in hole_expressions(drawn).values()]
    np.testing.assert_allclose(found, np.asarray(drawn(1.3, -0.4)), rtol=1e-10)
    one = readings[0]
    expected = float(one.expressions["rate"].subs({X: 1.3}))
    assert float(one.hole(1.3)) == pytest.approx(expected, rel=1e-8)


def test_a_run_with_ticks_reads_the_state_and_not_only_the_links():
    m = sb.Machine(
        {"x": "source", "sum": "identity", "out": "output"},
        ["sum.x <- sum.result", "sum.x <- 0.5 * x.signal", "out.r <- 1.0 * sum.result"],
        {"sum": {"result": 3.0}},
    )
    found = hole_expressions(sb.Hole("x", "r", MachineModel(m, ticks=4)))["r"]
    assert sp.expand(found - (3 + X)) == 0


def test_a_pruned_machine_keeps_a_product_with_a_sine():
    rng = np.random.default_rng(1)
    points = rng.uniform(0.2, 3.0, (40, 2))
    values = (points[:, 0] * np.sin(points[:, 1]))[:, None]
    hole = superfluid_hole("x y", "r", layers=(1, 1), functions=(("sine",), ("product",)))
    known = Known(points, values, np.eye(40) / 0.01, np.ones(1))
    pruner = Pruner(hole.model, known, np.ones(2), 4.0)
    start = 0.7 * rng.standard_normal((12, hole.model.size))
    found = pruner(start, np.ones(start.shape, bool))
    best = np.argmin(found.misfit + 4 * found.live.sum(1))
    assert np.all(found.phi[~found.live] == 0)
    assert found.live[best].sum() < hole.model.size / 2
    assert found.misfit[best] < 10


def test_numbers_inside_are_taken_as_simple_ones_and_as_constants():
    points = np.linspace(0.5, 2, 20)[:, None] * np.ones((1, 2))
    e = 2 * X * sp.sin(1.04 * Y) + 1e-5 * X**2 + sp.cos(0.77 * X)
    found = terms_of({"r": e}, ("x", "y"), points)
    assert [str(t) for t in found] == ["x*sin(y)", "x*sin(k1*y)", "cos(k1*x)"]
    assert found[1].inner[0].start == pytest.approx(1.04)
    assert Term("x*sin(y)", ("x", "y")) == found[0]


def test_errors_say_what_to_type(logistic):
    with pytest.raises(UnknownNameError, match=r"no hole is called 'rat'(.|\n)*'rate'"):
        read_hole(logistic, "rat")
    with pytest.raises(MachineError, match=r"no machine(.|\n)*superfluid_hole"):
        hole_expressions(sb.Hole("x", "r"))
    links = ["n.x <- 0.5 * x.signal", "o.r <- n.norm"]
    m = sb.Machine({"x": "source", "n": "max_norm", "o": "output"}, links)
    with pytest.raises(MachineError, match="no expression is known for a neuron of type max_norm"):
        hole_expressions(sb.Hole("x", "r", MachineModel(m)))
