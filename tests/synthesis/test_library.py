import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings, strategies as st

from snakebird.errors import InputError, UnknownNameError
from snakebird.synthesis.laws._library import (
    Library,
    default_library,
    exponentials,
    hill,
    monod,
    polynomials,
    saturating,
    terms,
    trigonometric,
)
from snakebird.synthesis.laws._read import TermError
from snakebird.synthesis.laws._terms import Inner, Term

XY = ("x", "y")


def leaves():
    return st.sampled_from(["x", "y", "1", "2", "0.5", "pi"])


def grown(inside):
    pairs = st.tuples(inside, st.sampled_from("+-*"), inside)
    calls = st.tuples(st.sampled_from(["sin", "cos", "tanh", "abs", "exp", "atan"]), inside)
    return st.one_of(
        pairs.map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        calls.map(lambda c: f"{c[0]}({c[1]})"),
        st.tuples(inside, st.integers(0, 4)).map(lambda p: f"({p[0]})**{p[1]}"),
        inside.map(lambda e: f"1/(1 + ({e})**2)"),
        inside.map(lambda e: f"sqrt(abs({e}))"),
        st.tuples(inside, inside).map(lambda p: f"max({p[0]}, {p[1]}) + min({p[1]}, 1)"),
    )


TEXTS = st.recursive(leaves(), grown, max_leaves=5)
NAMES = {name: getattr(math, name) for name in ("sin", "cos", "tanh", "exp", "atan", "sqrt", "pi")}
PLAIN = NAMES | {"__builtins__": {"abs": abs, "max": max, "min": min}}


def in_plain_python(text, x, y):
    try:
        value = eval(text, dict(PLAIN), {"x": x, "y": y})
    except (OverflowError, ZeroDivisionError):
        return None
    return value if abs(value) < 1e6 else None


@given(TEXTS, st.floats(-2, 2), st.floats(-2, 2))
def test_a_term_computes_what_its_text_says(text, x, y):
    expected = in_plain_python(text, x, y)
    if expected is not None:
        with jax.disable_jit():
            found = Term(text, XY).evaluate({"x": x, "y": y})
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@settings(max_examples=50)
@given(TEXTS)
def test_the_text_of_a_term_gives_its_values_again(text):
    term = Term(text, XY)
    # SymPy writes roots of numbers in ways that it then reads differently.
    assume(not any(e.is_number and e.args for e in sp.preorder_traversal(term.expression)))
    assume(not term.expression.is_zero)
    assert Term(str(term), XY) in Library(XY, (term,))


def test_terms_are_equal_and_hash_alike_however_they_are_given():
    x, y = sp.symbols("x y")
    assert Term("x*y**2", XY) == Term(x * y**2, XY) == Term("y*y*x", XY)
    assert len({Term("x*y**2", XY), Term(x * y**2, XY), Term("x", XY), Term("x", ("x",))}) == 3


@given(st.integers(1, 30), st.integers(1, 30))
def test_a_higher_degree_costs_more(n, more):
    assert Term(f"x**{n}", XY).cost < Term(f"x**{n + more}", XY).cost


@given(TEXTS.filter(lambda text: "x" in text))
def test_more_operations_cost_more(text):
    term, z = Term(text, XY), sp.Symbol("z")
    assume(term.expression != 0)
    for longer in (term.expression * z, term.expression + z, sp.tanh(term.expression * z)):
        assert Term(longer, (*XY, "z")).cost > term.cost or term.expression == 1


def test_the_cost_of_known_terms():
    costs = [Term(text, XY).cost for text in ("1", "x", "sin(x)", "x*y", "x*y**2", "x/(1 + x)")]
    assert costs == [2, 3, 7, 8, 13, 14]


def test_values_of_any_shape_as_a_mapping_or_an_array():
    term = Term("x*y - 2", XY)
    values = np.random.default_rng(0).normal(size=(3, 4, 2))
    expected = values[..., 0] * values[..., 1] - 2
    np.testing.assert_allclose(term.evaluate(values), expected)
    np.testing.assert_allclose(term.evaluate({"x": values[..., 0], "y": values[..., 1]}), expected)
    assert Term("3", XY).evaluate(values).shape == (3, 4)
    np.testing.assert_allclose(jax.vmap(jax.vmap(term.evaluate))(values), expected)


def test_whole_numbers_and_single_precision():
    assert Term("x/3", ("x",)).evaluate({"x": 2}) == pytest.approx(2 / 3)
    single = Term("x/3 + sin(x)", ("x",)).evaluate({"x": jnp.float32(2)})
    assert single.dtype == jnp.float32


def test_gradients_of_powers_are_finite_at_zero():
    slopes = [
        jax.grad(lambda x, n=n: Term(f"x**{n}", ("x",)).evaluate({"x": x}))(0.0) for n in range(5)
    ]
    assert slopes == [0, 1, 0, 0, 0]
    assert jax.grad(lambda x: Term("abs(x)", ("x",)).evaluate({"x": x}))(0.0) == 0


def test_gradients_against_finite_differences():
    term = Term("x**3*exp(-k*y)/(K**2 + x**2)", XY, inner=(Inner("K", low=0), Inner("k")))
    point = np.array([0.7, -0.4, 1.3, 0.6])
    value = lambda p: term.evaluate(p[:2], p[2:])
    steps = np.eye(4) * 1e-6
    expected = [(value(point + h) - value(point - h)) / 2e-6 for h in steps]
    np.testing.assert_allclose(jax.grad(value)(jnp.array(point)), expected, rtol=1e-7)


def test_inner_constants_start_where_they_are_told_and_may_be_given():
    term = Term("x/(K + x)", ("x",), inner=(Inner("K", start=3, low=0),))
    assert term.evaluate({"x": 1.0}) == 0.25
    assert term.evaluate({"x": 1.0}, {"K": 1.0}) == 0.5
    np.testing.assert_allclose(term.evaluate({"x": 1.0}, np.array([[1.0], [4.0]])), [0.5, 0.2])
    assert term.at() == term.at([3]) == term.at({"K": 3})
    assert not term.linear


def test_a_term_is_static_to_jax():
    term = Term("x**2", ("x",))
    assert jax.jit(lambda t, x: t.evaluate({"x": x}))(term, 3.0) == 9
    assert jax.tree.leaves(term) == []


@pytest.mark.parametrize(
    ("text", "kind", "parts"),
    [
        ("x*z", UnknownNameError, ["no input is named 'z'", "column 3 of 'x*z'", "'x', 'y'"]),
        ("sine(x)", UnknownNameError, ["no function 'sine'", "column 1", "did you mean 'sin'"]),
        ("sin + x", UnknownNameError, ["the function 'sin' stands alone", "write sin(...)"]),
        ("x+*y", TermError, ["cannot read this term", "column 3 of 'x+*y'"]),
        ("x +", TermError, ["cannot read", "column", "write an expression such as"]),
        ("x^2", TermError, ["BitXor", "write x**2 for a power"]),
        ("x.__class__", TermError, ["Attribute is no part of an expression"]),
        ("__import__('os')", UnknownNameError, ["no function '__import__'"]),
        ("sin(x)(y)", TermError, ["only functions may be called"]),
        ("(lambda: x)()", TermError, ["only functions may be called"]),
        ("sin(x, y)", TermError, ["sin takes one value"]),
        ("max()", TermError, ["max takes one value or more"]),
        ("'x'", TermError, ["'x' is no number"]),
        ("x*True", TermError, ["True is no number"]),
        ("x if y else 1", TermError, ["IfExp"]),
        ("not x", TermError, ["only + and -"]),
        ("9**9**9", TermError, ["powers go up to 100", "column 1 of '9**9**9'"]),
        ("(x**50)**50", TermError, ["a power of 2500", "powers go up to 100"]),
        ("1e999*x", TermError, ["too large"]),
        ("x/0", TermError, ["this has no real value", "term x/0", "check divisions"]),
        ("log(-1)*x", TermError, ["this has no real value"]),
        ("(" * 3000 + "x" + ")" * 3000, TermError, ["cannot read this term"]),
        ("x+" * 5001 + "x", TermError, ["a term of 10003 characters", "at most 10000"]),
    ],
)
def test_texts_that_are_no_terms(text, kind, parts):
    with pytest.raises(kind) as caught:
        Term(text, XY)
    for part in parts:
        assert part in str(caught.value)


def test_nothing_in_a_text_is_run(tmp_path):
    mark = tmp_path / "mark"
    with pytest.raises(UnknownNameError):
        Term(f"open({str(mark)!r}, 'w')", XY)
    assert not mark.exists()


def test_sympy_expressions_are_checked_too():
    x = sp.Symbol("x")
    assert Term(x**2.0, XY) == Term("x**2", XY)
    with pytest.raises(UnknownNameError, match="no function 'gamma'"):
        Term(sp.gamma(x), XY)
    with pytest.raises(UnknownNameError, match="no input is named 'q'"):
        Term(sp.Symbol("q"), XY)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Term("x", ("x", "x")), "the name 'x' stands twice"),
        (lambda: Term("1", ("lambda",)), "'lambda' cannot name an input"),
        (lambda: Term("1", ("sin",)), "'sin' cannot name an input"),
        (lambda: Term("x", ("x",), inner=(Inner("K"),)), "'K' does not occur"),
        (lambda: Inner("K", start=-1, low=0), "'K' starts at -1"),
        (lambda: Library(XY, ()), "a library without terms"),
        (lambda: terms(XY, "x - x"), "a library without terms"),
        (lambda: polynomials("", 2), "a library without inputs"),
        (lambda: saturating("x"), "saturating products need two inputs"),
        (lambda: polynomials("x", 1) + polynomials("y", 1), "the inputs are y, expected x"),
        (lambda: Library(XY, (Term("x", ("x",)),)), "the inputs are x, expected x, y"),
    ],
)
def test_what_cannot_be_made(make, message):
    with pytest.raises(TermError, match=message):
        make()


def test_values_that_do_not_fit():
    term = Term("x*y", XY)
    with pytest.raises(InputError, match=r"shape \[3\], expected \[..., 2\]"):
        term.evaluate(np.zeros(3))
    with pytest.raises(InputError, match="the input 'y' is missing"):
        term.evaluate({"x": 1.0})
    with pytest.raises(UnknownNameError, match="no input is named 'yy'"):
        term.evaluate({"x": 1.0, "yy": 1.0})
    with pytest.raises(UnknownNameError, match="no function 'sinus'"):
        trigonometric(XY, functions=("sinus",))


def test_the_default_for_two_inputs_has_23_terms():
    library = default_library(XY)
    assert len(library) == len(library.linear) == 23
    assert [str(term) for term in library][-2:] == ["sin(x)", "sin(y)"]
    assert len(default_library("x")) == 7
    assert len(default_library("x y z")) == 20 + 3


@given(st.integers(1, 3), st.integers(0, 4))
def test_there_are_as_many_polynomials_as_there_should_be(inputs, degree):
    names = XY[:inputs] if inputs < 3 else ("x", "y", "z")
    assert len(polynomials(names, degree)) == math.comb(inputs + degree, degree)


def test_a_library_computes_all_linear_terms_in_order():
    library = polynomials(XY, 3) + trigonometric(XY, frequencies=(1, 2)) + monod(XY)
    values = np.random.default_rng(1).normal(size=(5, 2))
    x, y = values.T
    powers = [x**i * y**j for n in range(4) for i, j in [(n - k, k) for k in range(n + 1)]]
    waves = [g(f * v) for f, g, v in itertools.product((1, 2), (np.sin, np.cos), (x, y))]
    np.testing.assert_allclose(library(values), np.stack([*powers, *waves], -1), rtol=1e-12)
    assert len(library.nonlinear) == 2
    assert monod(XY)(values).shape == (5, 0)


def test_a_library_is_differentiable_at_zero():
    library = default_library(XY)
    slopes = jax.jacobian(library)(jnp.zeros(2))
    assert np.isfinite(slopes).all()
    names = [str(term) for term in library]
    assert {names[k] for k in np.nonzero(slopes)[0]} == {"x", "y", "sin(x)", "sin(y)"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x + x*y", "x*(1 + y)"),
        ("x/2", "3*x"),
        ("sin(2*x)", "sin(x)*cos(x)"),
        ("x/(K + x)", "1/(1 + K/x)"),
        ("x/(K + x)", "x/(L + x)"),
        ("exp(-K*x)/(L + x)", "exp(-L*x)/(K + x)"),
    ],
)
def test_terms_no_data_can_tell_apart_are_kept_once(one, other):
    inner = [Inner("K", low=0), Inner("L", low=0)]
    library = terms(XY, one, "y", other, inner=inner)
    assert [str(t) for t in library] == [str(t) for t in terms(XY, one, "y", inner=inner)]
    assert terms(XY, other, inner=inner)[0] in library


@settings(max_examples=30)
@given(st.lists(TEXTS, min_size=1, max_size=4), st.lists(TEXTS, min_size=1, max_size=4))
def test_joining_libraries_keeps_the_order_and_drops_the_rest(left, right):
    assume(all(any(Term(t, XY).expression != 0 for t in given) for given in (left, right)))
    a, b = terms(XY, *left), terms(XY, *right)
    joined = a + b
    assert joined.terms[: len(a)] == a.terms
    assert set(joined.terms) <= {*a.terms, *b.terms}
    assert (joined + b).terms == joined.terms
    assert all(term in joined for term in [*a, *b])


def test_terms_with_inner_constants():
    assert [str(t) for t in hill("x")] == ["x**2/(K**2 + x**2)", "x**4/(K**4 + x**4)"]
    assert [str(t) for t in saturating(XY)] == ["x*y/(K + x)", "x*y/(K + y)"]
    assert [str(t) for t in exponentials("x")] == ["exp(-k*x)"]
    assert [str(t) for t in exponentials("x", rates=(1, -2))] == ["exp(x)", "exp(-2*x)"]
    assert [str(t) for t in monod("K")] == ["K/(K + K_)"]
    own = terms(XY, "x/(K + y)", inner={"K": 0.5})[0]
    assert own.inner == (Inner("K", start=0.5),)
    assert monod("x")[0].inner[0].positive
