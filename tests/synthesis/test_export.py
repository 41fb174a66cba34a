import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.errors import InputError
from snakebird.synthesis.laws._law import Law

XY = ("x", "y")
X, Y = (sp.Symbol(name, real=True) for name in XY)
POINT = {"x": np.array([1.3, 0.7, 2.1]), "y": np.array([0.4, 2.2, 1.9])}
EVERYTHING = Law(
    XY,
    ("a", "b", "c", "e"),
    {
        "a": "1.3*x - 0.9*x*y + 2*(x + 1)*(y - 2) - 1/3",
        "b": "x**5*y/(0.5 + x) - 2/(3*y**2) + x/(y*(1 + x**2)) - (x + 1)/3",
        "c": "exp(-x/2)*log(y) + sqrt(x)/x**2.5 + 2**x + x**y - x**(1/3)/y**0.5",
        "e": "sin(2*x) - cos(x)*tan(y/3) + tanh(x) + atan(y) + sinh(x)/cosh(y) + abs(x - y)"
        " + max(x, y, 1)*min(x, 2) + pi*x - E/y - sin(x)**2 - (-x)**3",
    },
)


def one(expression, errors=None):
    own = {"d": errors} if errors else None
    return Law(XY, ("d",), {"d": expression}, errors=own)


@pytest.mark.parametrize(
    ("expression", "errors", "text"),
    [
        ("-0.9*x*y", None, "-0.9 x y"),
        (-0.9000312 * X * Y, None, "-0.9 x y"),
        (-0.9123456 * X * Y + 1.3 * X, None, "1.3 x - 0.9123 x y"),
        (-0.9123456 * X * Y, {"x*y": 0.03}, "-0.91 x y"),
        (-0.9123456 * X * Y, {"x*y": (-0.91235, -0.91234)}, "-0.912346 x y"),
        (-0.9123456 * X * Y, {"x*y": 20.0}, "-0.9 x y"),
        (1234.5678 * X, {"x": 30.0}, "1230 x"),
        (1.3e-7 * X, None, "1.3e-07 x"),
        ("x/2 + x**2/3", None, "x/2 + x^2/3"),
        ("1.5*x - x*y/4", None, "1.5 x - x y/4"),
        ("2*x*y/3", None, "2 x y/3"),
        ("x/(0.25 + x)", None, "x/(1/4 + x)"),
        (X / (0.25 + X), None, "x/(0.25 + x)"),
        ("1/x + 1/(x*y)", None, "1/x + 1/(x y)"),
        ("(x + 1)*(y - 1)", None, "(1 + x) (-1 + y)"),
        ("sqrt(x)*abs(y)", None, "sqrt(x) abs(y)"),
        ("sin(2*x)", None, "sin(2 x)"),
        ("-x", None, "-x"),
        ("(-x)**3 + (x + y)**2", None, "-x^3 + (x + y)^2"),
        ("x**(1/3)", None, "x^(1/3)"),
        ("0", None, "0"),
        ("pi*x", None, "pi x"),
        ("max(x, y)", None, "max(x, y)"),
    ],
)
def test_the_text_of_a_law(expression, errors, text):
    assert str(one(expression, errors)) == f"d = {text}"


def test_the_representation_of_a_law():
    law = Law(XY, ("dx", "dy"), {"dx": "x", "dy": "-y"})
    assert repr(law) == "<law of x, y: dx = x; dy = -y>"


def test_latex():
    assert one(0.90004 * X / (1 + Y)).latex() == r"d = \frac{0.9 x}{y + 1}"
    assert one("0.3*x").latex() == "d = 0.3 x"
    two = Law(XY, ("dx", "dy"), {"dx": "x*y", "dy": "-y"}).latex()
    assert two == "\\begin{aligned}\ndx &= x y \\\\\ndy &= - y\n\\end{aligned}"


def ran(source, name):
    names = {}
    exec(compile(source, "law", "exec"), names)
    return names[name]


@pytest.mark.parametrize("module", ["math", "numpy"])
def test_the_python_of_a_law_computes_the_law(module):
    source = EVERYTHING.python(name="rates", module=module)
    function = ran(source, "rates")
    for x, y in zip(*POINT.values(), strict=True):
        np.testing.assert_allclose(function(x, y), EVERYTHING(x, y), rtol=1e-13)
    imports = [line for line in source.splitlines() if "import" in line]
    assert imports == [f"import {module}"]


def test_a_function_needs_a_name():
    with pytest.raises(InputError, match="'1x' is no name of a function"):
        EVERYTHING.python(name="1x")


def test_numpy_source_takes_arrays():
    function = ran(EVERYTHING.python(module="numpy"), "law")
    np.testing.assert_allclose(function(**POINT), EVERYTHING(**POINT), rtol=1e-13)


ATOMS = st.sampled_from(["x", "y", "2", "3", "0.7", "(x + y)", "(x - 2)", "1/x", "y**2", "-x"])
TEXTS = st.recursive(
    ATOMS,
    lambda inside: st.tuples(inside, st.sampled_from("+-*/"), inside).map(
        lambda p: f"({p[0]}) {p[1]} (1 + ({p[2]})**2)"
    ),
    max_leaves=6,
)


@given(TEXTS, st.floats(0.1, 3), st.floats(0.1, 3))
def test_parentheses_stand_where_they_must(text, x, y):
    expected = eval(text, {"x": x, "y": y})
    law = one(text)
    assert ran(law.python(), "law")(x, y) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    shown = one(sp.sympify(text).xreplace({sp.Symbol("x"): X, sp.Symbol("y"): Y}))
    readable = str(shown).removeprefix("d = ").replace("^", "**").replace(" ", "*")
    readable = readable.replace("*+*", " + ").replace("*-*", " - ")
    assert eval(readable, {"x": x, "y": y}) == pytest.approx(expected, rel=0.01, abs=0.01)


def both_engines(machine, inputs, outputs):
    lists = {name: [float(v) for v in values] for name, values in inputs.items()}
    run = sb.run(machine, inputs=lists)
    trace = sb.lower(machine)(inputs)
    ports = [f"output.{out}" for out in outputs]
    read = np.array([[float(vv.number(value)) for value in run[port]] for port in ports])
    return read, np.array([trace.number(port) for port in ports])


def test_the_machine_of_a_law_computes_it_in_the_same_tick():
    read, lowered = both_engines(EVERYTHING.machine(), POINT, EVERYTHING.outputs)
    np.testing.assert_allclose(read, EVERYTHING(**POINT), rtol=1e-9)
    np.testing.assert_allclose(lowered, EVERYTHING(**POINT), rtol=1e-9)


def test_a_small_machine_reads_like_the_law():
    machine = Law(XY, ("dx", "dy"), {"dx": "2*x - x**2*y", "dy": "x*y - 3"}).machine(name="prey")
    kinds = sorted(neuron.type.name for neuron in machine.neurons.values())
    assert kinds == ["constant", "output", "product", "product", "product", "source", "source"]
    assert all(link.instant for link in machine.links)
    assert machine.name == "prey"


@settings(max_examples=3)
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.integers(2, 4))
def test_polynomials_as_machines(coefficients, degree):
    a, b, c = coefficients
    law = one(a * X**degree + b * X * Y + c)
    inputs = {"x": np.array([0.0, 1.5, -2.0]), "y": np.array([1.0, 0.0, 0.5])}
    read, lowered = both_engines(law.machine(), inputs, law.outputs)
    np.testing.assert_allclose(read[0], law(**inputs), atol=1e-12)
    np.testing.assert_allclose(lowered[0], law(**inputs), atol=1e-12)


def test_decimals_of_a_machine_may_be_trained_and_exact_numbers_not():
    machine = one(-0.9 * X * Y + 2 * X).machine()
    assert [link.weight for link in machine.links if link.trainable] == [-0.9]
    assert not any(link.trainable for link in one("2*x - x*y/3").machine().links)


def test_names_that_neurons_have_too():
    law = Law(("output", "one", "product"), ("d",), {"d": "output*product + one - 4"})
    machine = law.machine()
    run = sb.run(machine, inputs={"output": [2], "one": [3], "product": [5]})
    assert run["output_of_law.d"] == [9]
    assert law(2.0, 3.0, 5.0) == 9


def test_division_by_zero_gives_zero_in_a_machine():
    read, lowered = both_engines(one("1/x + y").machine(), {"x": [0.0], "y": [2.0]}, ["d"])
    assert read.tolist() == lowered.tolist() == [[2.0]]
