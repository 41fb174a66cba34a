import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from snakebird.errors import InputError, UnknownNameError
from snakebird.synthesis.laws._law import Law
from snakebird.synthesis.laws._read import TermError
from snakebird.synthesis.laws._simple import simplest_within
from snakebird.synthesis.laws._terms import Inner, Term

XY = ("x", "y")
X, Y = (sp.Symbol(name, real=True) for name in XY)
PREY = Law(XY, ("dx", "dy"), {"dx": "1.3*x - 0.9*x*y", "dy": "0.8*x*y - 1.8*y"})
MONOD = Term("x/(K + x)", XY, inner=(Inner("K", low=0),))


def lotka_volterra(x, y):
    return 1.3 * x - 0.9 * x * y, 0.8 * x * y - 1.8 * y


def test_out_comes_what_went_in():
    expected = lotka_volterra(2.0, 3.0)
    np.testing.assert_allclose(PREY(2.0, 3.0), expected)
    np.testing.assert_allclose(PREY(y=3.0, x=2.0), expected)
    np.testing.assert_allclose(PREY(2.0, y=3.0), expected)
    assert PREY({"x": 2.0, "y": 3.0})["dy"] == pytest.approx(expected[1])
    values = np.random.default_rng(0).normal(size=(4, 3, 2))
    assert PREY(values).shape == (4, 3, 2)
    np.testing.assert_allclose(
        PREY(values), np.stack(lotka_volterra(values[..., 0], values[..., 1]), -1)
    )


def test_one_input_and_one_output():
    law = Law(("u",), ("du",), {"du": "u*(1 - u)"})
    u = np.linspace(0, 1, 5)
    np.testing.assert_allclose(law(u), u * (1 - u))
    np.testing.assert_allclose(law.array(u[:, None]), (u * (1 - u))[:, None])


def test_jit_grad_and_laws_as_static_arguments():
    slope = jax.jit(jax.jacobian(PREY))(jnp.array([2.0, 3.0]))
    np.testing.assert_allclose(slope, [[1.3 - 2.7, -1.8], [2.4, 1.6 - 1.8]])
    assert jax.tree.leaves(PREY) == []
    np.testing.assert_allclose(
        jax.jit(lambda law, x: law(x, x))(PREY, 1.0), lotka_volterra(1.0, 1.0)
    )


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: PREY(1.0), InputError, "a law of 2 inputs was called with 1"),
        (lambda: PREY(1.0, 2.0, 3.0), InputError, "was called with 3"),
        (lambda: PREY(), InputError, r"write law\(x, y\)"),
        (lambda: PREY(x=1.0, yy=2.0), UnknownNameError, "no input is named 'yy'"),
        (lambda: PREY(np.zeros(3)), InputError, r"shape \[3\], expected \[..., 2\]"),
        (lambda: PREY({"x": 1.0}), InputError, "the input 'y' is missing"),
        (lambda: Law(XY, ("d",), {"d": "x*z"}), UnknownNameError, "no input is named 'z'"),
        (lambda: Law(XY, ("d",), {"d": "x+"}), TermError, "cannot read this term"),
        (lambda: Law((), ("d",), {"d": "1"}), TermError, "a law without inputs"),
        (lambda: Law(XY, (), {}), TermError, "a law without outputs"),
        (lambda: Law(XY, ("dx",), {"dy": "1"}), UnknownNameError, "'dy' is not among the outputs"),
        (lambda: Law(XY, ("dx",), {}), UnknownNameError, "'dx' has no expression"),
        (
            lambda: Law(XY, ("dx",), {"dx": "x"}, errors={"dz": {}}),
            UnknownNameError,
            "no output is named 'dz'",
        ),
        (
            lambda: Law(XY, ("dx",), {"dx": "x"}, errors={"dx": {"y": 1.0}}),
            UnknownNameError,
            "dx has no term y",
        ),
        (lambda: PREY.python(module="numpie"), UnknownNameError, "did you mean 'numpy'"),
    ],
)
def test_mistakes(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_a_law_of_terms():
    law = Law.of_terms(
        XY,
        {"dx": [(-0.9, "x*y"), (np.float64(1.3), "x"), (2, MONOD, [0.5])], "dy": []},
        errors={"dx": [0.01, None, (1.9, 2.2)]},
    )
    assert law.outputs == ("dx", "dy")
    np.testing.assert_allclose(law(2.0, 3.0), [-5.4 + 2.6 + 2 * 2 / 2.5, 0])
    assert {str(k): v for k, v in law.coefficients["dx"].items()} == {
        "x": 1.3,
        "x*y": -0.9,
        "x/(x + 0.5)": 2,
    }
    assert {str(k): v for k, v in law.errors["dx"].items()} == {
        "x*y": 0.01,
        "x/(x + 0.5)": (1.9, 2.2),
    }


def test_terms_that_are_sums_and_terms_that_vanish():
    law = Law.of_terms(
        XY,
        {"dx": [(0.5, "2*x - y"), (0.0, "x*y"), (1.5, "1")]},
        errors={"dx": [0.1, 0.1, [1.4, 1.7]]},
    )
    assert law.coefficients["dx"] == {sp.S.One: 1.5, X: 1, Y: -0.5}
    assert law.errors["dx"] == {sp.S.One: (1.4, 1.7), X: 0.2, Y: 0.1}
    with pytest.raises(ValueError, match="argument 2"):
        Law.of_terms(XY, {"dx": [(0.5, "x")]}, errors={"dx": [0.1, 0.2]})


def test_a_law_of_simple_numbers_is_exact():
    half = simplest_within(0.4999, 0.49, 0.51)
    law = Law.of_terms(("x",), {"dx": [(half, "x"), (sp.pi, "x**2")]})
    assert law.sympy["dx"] == sp.pi * sp.Symbol("x", real=True) ** 2 + sp.Symbol("x", real=True) / 2
    assert list(law.coefficients["dx"].values()) == [0.5, pytest.approx(np.pi)]


def test_equality_counts_errors_and_the_order_of_inputs():
    again = Law(XY, PREY.outputs, PREY.sympy)
    assert again == PREY
    assert hash(again) == hash(PREY)
    assert Law(XY, PREY.outputs, PREY.sympy, errors={"dx": {"x": 0.1}}) != PREY
    assert Law(("y", "x"), PREY.outputs, PREY.sympy) != PREY


def one(text):
    return Law(XY, ("d",), {"d": text})


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("x*(1 - y)", "x - x*y", True),
        ("x*(1 - y)", "x - 1.0001*x*y", True),
        ("x*(1 - y)", "x - 1.01*x*y", False),
        ("x", "x + 0.0001*y", False),
        ("2*x/(0.5 + x)", "4*x/(1 + 2*x)", True),
        ("2*x/(0.5 + x)", "2*x/(0.5001 + x)", True),
        ("2*x/(0.5 + x)", "2*x/(0.6 + x)", False),
        ("2*x/(0.5 + x)", "2*y/(0.5 + x)", False),
        ("1 + x/(0.5 + x)", "(0.5 + 2*x)/(0.5 + x)", True),
        ("exp(-0.5*x)*y", "y*exp(-0.50001*x)", True),
        ("exp(-0.5*x)*y", "y*exp(0.5*x)", False),
        ("sin(2*x)", "sin(2*y)", False),
        ("sin(2*x)", "cos(2*x)", False),
        ("pi*x", "3.1416*x", True),
        ("0", "0*x", True),
        ("x**2", "x**3", False),
        ("sin(x) + sin(1.1*x)", "sin(1.10001*x) + sin(1.00001*x)", True),
    ],
)
def test_equivalence(a, b, same):
    assert one(a).equivalent(one(b), tolerance=1e-3) is same
    assert one(b).equivalent(one(a), tolerance=1e-3) is same


def test_equivalence_asks_for_the_same_names():
    assert not one("x").equivalent(Law(XY, ("e",), {"e": "x"}))
    assert not one("x").equivalent(Law(("x",), ("d",), {"d": "x"}))
    assert one("x - y").equivalent(Law(("y", "x"), ("d",), {"d": "x - y"}))


COEFFICIENTS = st.floats(-5, 5).filter(lambda c: abs(c) > 0.01)


@settings(max_examples=15)
@given(st.lists(COEFFICIENTS, min_size=4, max_size=4), st.floats(0.1, 2))
def test_a_law_is_equivalent_to_itself_shuffled_and_nudged(coefficients, k):
    parts = [
        (c, term, inner)
        for c, (term, inner) in zip(
            coefficients, [("x", None), ("x*y", None), (MONOD, [k]), ("sin(y)", None)], strict=True
        )
    ]
    law = Law.of_terms(XY, {"d": parts})
    nudged = [(c * (1 + 1e-9), term, inner) for c, term, inner in reversed(parts)]
    assert law.equivalent(Law.of_terms(XY, {"d": nudged}))
    assert not law.equivalent(Law.of_terms(XY, {"d": parts[1:]}))
    assert not law.equivalent(Law.of_terms(XY, {"d": [(coefficients[0] + 0.1, "x"), *parts[1:]]}))
