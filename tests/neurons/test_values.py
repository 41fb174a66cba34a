"""What each neuron type computes, by hand."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird import neurons as n, vvalues as vv
from snakebird.errors import FileFormatError, MachineError, SpaceError, UnknownNameError

TREE = {":number": -1, "a": 2, "b": {"c": -3}}
OTHER = {"a": 5, "b": {"c": 4}, "z": 1}

CASES = [
    (n.identity(TREE), TREE),
    (n.constant().apply({}), {"result": 1.0}),
    (n.constant(value={"a": 2}).apply({}), {"result": {"a": 2}}),
    (n.accumulator(TREE, OTHER), {":number": -1, "a": 7, "b": {"c": 1}, "z": 1}),
    (n.memory(TREE), TREE),
    (n.leaky_accumulator({"a": 4}, {"b": 1}, rate=Fraction(1, 4)), {"a": 1, "b": 1}),
    (n.total(one=TREE, two=OTHER, three=2), {":number": 1, "a": 7, "b": {"c": 1}, "z": 1}),
    (n.output(one=TREE, two=3), {"one": TREE, "two": 3}),
    (n.timer(4), 5),
    (n.delay(line={}, x=5, ticks=0), {"result": 5}),
    (
        n.delay(line={"0": 1, "1": {"a": 2}}, x=3, ticks=2),
        {"result": 1, "line": {"0": {"a": 2}, "1": 3}},
    ),
    (n.relu(TREE), {"a": 2}),
    (n.absolute(TREE), {":number": 1, "a": 2, "b": {"c": 3}}),
    (n.tanh({"a": 0.5}), {"a": math.tanh(0.5)}),
    (n.maximum(TREE, OTHER), {"a": 5, "b": {"c": 4}, "z": 1}),
    (n.minimum(TREE, OTHER), {":number": -1, "a": 2, "b": {"c": -3}}),
    (
        n.clip(TREE, low=-2, high=Fraction(3, 2)),
        {":number": -1, "a": Fraction(3, 2), "b": {"c": -2}},
    ),
    (n.step(TREE), {"a": 1}),
    (n.compare(5, {":number": 3, "a": 9}), {"true": 2}),
    (n.compare({"a": 9}, 3), {"false": 3}),
    (n.less_or_equal(TREE, OTHER), {"true": 1}),
    (n.less_or_equal(OTHER, TREE), {"false": 1}),
    (n.less_or_equal(TREE, TREE), {"true": 1}),
    (n.sigmoid({"a": 4}), 0.5),
    (n.sigmoid(math.log(3)), 0.75),
    (n.sine({":number": 0.5, "a": 1}, frequency=2.0, phase=1.0), math.sin(2)),
    (n.cosine({}), 1),
    (n.cosine(0.5, frequency=2.0), math.cos(1)),
    (n.reciprocal({"a": 4, "b": 0}), {"a": 4 / (16 + 1e-12)}),
    (n.max_norm(TREE), 3),
    (n.max_norm({}), 0),
    (
        n.softmax({"a": math.log(3), "b": {"c": math.log(6)}, "d": 0}),
        {"a": 1 / 3, "b": {"c": 2 / 3}},
    ),
    (n.softmax({"a": math.log(3)}, keys=("a", "z")), {"a": 0.75, "z": 0.25}),
    (n.softmax({}), {}),
    (n.product(TREE, OTHER), {"a": 10, "b": {"c": -12}}),
    (n.gate(2, TREE), {":number": -2, "a": 4, "b": {"c": -6}}),
    (n.gate({"b": 2}, TREE), {"b": {"c": -6}}),
    (n.mask_sum({"a": 3, "b": 2}, OTHER), {":number": 15, "c": 8}),
    (n.inner(TREE, OTHER), -2),
    (n.outer({"a": 2}, {"x": 3, ":number": 1}), {"a": {":number": 2, "x": 6}}),
    (n.matrix_product({"r": {"a": 8}, "s": {"b": 10}}, {"a": 3, "b": 5}), {"r": 24, "s": 50}),
    (
        n.matrix_product({"r": {"a": 2, "b": 3}}, {"a": {"k": 5}, "b": {"k": 7, "l": 1}}),
        {"r": {"k": 31, "l": 3}},
    ),
    (n.source(message={"a": 1}, present=True), {"a": 1}),
    (n.source(message={"a": 1}, present=False, default={"step": 1}), {"step": 1}),
    (n.linked_source(message={"a": 1}, present=False, x=3), {}),
    (n.cons({"end-list": 1}, {"a": 1}), {"this": {"a": 1}, "rest": {"end-list": 1}}),
    (n.cons({"end-list": 1}, {"a": 0}), {"end-list": 1}),
    (n.cons({"k": 1}, {"a": 1}, flag="go"), {"k": 1}),
    (n.cons({"k": 1}, {"go": 1}, flag="go"), {"this": {"go": 1}, "rest": {"k": 1}}),
]


@pytest.mark.parametrize("k", range(len(CASES)))
def test_values(k):
    found, expected = CASES[k]
    assert not vv.diff(expected, found, 1e-12)


def test_exact_numbers_stay_exact():
    third = {"a": Fraction(1, 3)}
    assert n.accumulator(third, third) == {"a": Fraction(2, 3)}
    assert n.relu(third) == third
    assert n.compare(Fraction(1, 3), 1) == {"true": 0, "false": Fraction(2, 3)}


def test_a_delay_gives_its_input_so_many_ticks_later():
    neuron, line, found = n.delay(ticks=3), {}, []
    for x in range(1, 8):
        out = neuron.apply({"line": line, "x": x})
        line = out["line"]
        found.append(vv.number(out["result"]))
    assert found == [0, 0, 0, 1, 2, 3, 4]
    with pytest.raises(MachineError, match="ticks=-1"):
        n.delay(ticks=-1).apply({})


def test_a_token_source_reads_its_text_and_stays_at_the_end():
    found = [n.token_source(float(t), text="ab", every=2) for t in range(-2, 8)]
    assert [next(iter(x), "") for x in found] == ["a", "", "a", "", "b", "", "b", "", "b", ""]
    assert n.token_source(3) == n.token_source(jnp.asarray(3.0)) == {}


def test_an_array_source_gives_a_row_a_tick():
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    rows = [n.array_source(t, values=values).tolist() for t in (-1, 0, 1, 1.9, 2)]
    assert rows == [[0, 0], [1, 2], [3, 4], [3, 4], [0, 0]]
    assert vv.equal(n.array_source(1, values=values, keys=("x", "y")), {"x": 3, "y": 4})
    assert not n.array_source(0).any()
    with pytest.raises(MachineError, match="1 keys, and a row has the shape \\[2\\]"):
        n.array_source(1, values=values, keys=("x",))


def test_a_csv_source(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("x,y\n1,2\n3,4.5\n")
    assert vv.equal(n.csv_source(path).apply({"timer": 1}), {"result": {"x": 3, "y": 4.5}})
    for text, message in [
        ("", "without rows"),
        ("x,y\n", "without rows"),
        ("x,x\n1,2\n", "twice"),
        ("x,y\n1,2\n3\n", r"expected 2 finite numbers[\s\S]*line 3"),
        ("x,y\n1,nan\n", r"finite numbers[\s\S]*line 2"),
        ("x,y\n1,one\n", r"expected numbers[\s\S]*line 2"),
    ]:
        path.write_text(text)
        with pytest.raises(FileFormatError, match=message):
            n.csv_source(path)


def test_softmax_of_arrays():
    x = np.log([[1.0, 3.0], [2.0, 2.0]])
    expected = [[0.25, 0.75], [0.5, 0.5]]
    np.testing.assert_allclose(n.softmax(x), expected, atol=1e-15)
    np.testing.assert_allclose(n.softmax(np.zeros(2)), [0, 0])
    np.testing.assert_allclose(n.softmax({}, shape=(2,)), [0.5, 0.5])


def test_softmax_survives_large_numbers():
    for top in (-1000.0, 1000.0):
        x = vv.flatten({"a": top, "b": top, "c": 0.0})
        slope = jax.jacobian(lambda data, x=x: n.softmax(vv.Flat(x.space, data)).data)(x.data)
        assert vv.equal(n.softmax(x), {"a": 0.5, "b": 0.5}, 1e-12)
        np.testing.assert_allclose(
            slope, [[0.25, -0.25, 0], [-0.25, 0.25, 0], [0, 0, 0]], atol=1e-12
        )


def test_arrays_multiply():
    a, b = np.arange(6.0).reshape(2, 3), np.arange(3.0)
    np.testing.assert_array_equal(n.matrix_product(a, b), a @ b)
    np.testing.assert_array_equal(n.matrix_product(a, a.T), a @ a.T)
    np.testing.assert_array_equal(n.outer(b, b + 1), np.outer(b, b + 1))
    assert n.inner(b, b) == 5
    both = n.matrix_product({":number": a, "r": 2}, b)
    assert vv.equal(both, {":number": a @ b, "r": 2 * b})
    with pytest.raises(SpaceError, match="shapes \\[2, 3\\] and \\[2\\]"):
        n.matrix_product(a, np.ones(2))


def test_a_missing_array_counts_as_zeros_of_its_shape():
    np.testing.assert_array_equal(n.sigmoid({}, shape=(2,)), [0.5, 0.5])
    np.testing.assert_array_equal(n.cosine(0.0, shape=(2, 1)), [[1], [1]])
    with pytest.raises(SpaceError, match="shape \\[3\\], expected \\[2\\]"):
        n.sigmoid(np.ones(3), shape=(2,))


SLOPES = {
    "none": [0, 0, 0, 0],
    "straight": [1, 1, 1, 1],
    "triangle": [0.75, 1, 0.5, 0],
    "sigmoid": [4 * s * (1 - s) for s in (1 / (1 + math.exp(-2 * x)) for x in (-0.5, 0, 1, 3))],
}


@pytest.mark.parametrize("surrogate", SLOPES)
def test_step_has_the_slope_it_was_given(surrogate):
    x = jnp.array([-0.5, 0.0, 1.0, 3.0])
    step = lambda x: n.step(x, surrogate=surrogate, width=2.0)
    np.testing.assert_array_equal(step(x), [0, 0, 1, 1])
    np.testing.assert_allclose(jax.vmap(jax.grad(step))(x), SLOPES[surrogate], atol=1e-15)
    np.testing.assert_allclose(
        jax.jvp(step, (x,), (jnp.full(4, 2.0),))[1], 2 * np.array(SLOPES[surrogate]), atol=1e-15
    )


def test_step_knows_its_surrogates():
    with pytest.raises(UnknownNameError, match="did you mean 'sigmoid'"):
        n.step(1.0, surrogate="sigmod")


def test_gradients_at_kinks_and_ties():
    slope = lambda kind, x, **p: float(jax.grad(lambda x: kind(x, **p))(x))
    assert slope(n.relu, 0.0) == 0
    assert slope(n.absolute, 0.0) == 0
    assert slope(n.maximum, 0.0, y=0.0) == slope(n.minimum, 0.0, y=0.0) == 0.5
    norms = jax.grad(lambda d: n.max_norm(vv.Flat(vv.Space([("a",), ("b",)]), d)))
    np.testing.assert_array_equal(norms(jnp.array([2.0, -2.0])), [0.5, -0.5])
