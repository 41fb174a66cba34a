"""Every function gives the same on trees, on `Flat`, on trees that hold either, and on batches."""

import math
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from snakebird import vvalues as vv
from snakebird.errors import SpaceError, ValueFormatError
from snakebird.testing import vvalues

# JAX takes its time over every call; a batch of rows makes up for it.
some = settings(max_examples=60)
few = settings(max_examples=25)

# Sums and products of these are exact in floating point, in whatever order they are added up.
quarters = st.sampled_from([0, 0.0, 1, -1.0, 0.25, -0.5, 2.0, 3.75])

UNARY = {
    "scale": lambda u: vv.scale(0.5, u),
    "scale by a fraction": lambda u: vv.scale(Fraction(-1, 4), u),
    "scale by its number": lambda u: vv.scale(u, {"a": 2, "b": {"c": 1}}),
    "number": vv.number,
    "get": lambda u: vv.get(u, "a"),
    "get deeper": lambda u: vv.get(u, "a", "b"),
    "get a number": lambda u: vv.get(u, "a", vv.NUMBER),
    "put": lambda u: vv.put(u, ("a", "b"), 5.0),
    "put a branch": lambda u: vv.put(u, ("a",), {"b": 1, "x": 2}),
    "put a number": lambda u: vv.put(u, ("a", vv.NUMBER), 2.0),
    "select": lambda u: vv.select(u, [("a", "b"), ("b",)]),
    "select by": lambda u: vv.select(u, lambda path: len(path) == 1),
    "map_numbers": lambda u: vv.map_numbers(abs, u),
    "restrict": lambda u: vv.restrict(u, vv.Space([("a", "b"), ("b",), ("z",), ()])),
    "max_norm": vv.max_norm,
    "norm 1": lambda u: vv.norm(u, 1),
    "norm inf": lambda u: vv.norm(u, math.inf),
    "trim": lambda u: vv.trim(u, 0.5),
    "count": vv.count,
    "is_nonnegative": lambda u: int(vv.is_nonnegative(u)),
    "unflatten": vv.unflatten,
    "flatten": vv.flatten,
    "whole": lambda u: {"x": u},
}
BINARY = {
    "add": vv.add,
    "lin_comb": lambda u, v: vv.lin_comb([2, -0.25], [u, v]),
    "scale": vv.scale,
    "mask": vv.mask,
    "mask_sum": vv.mask_sum,
    "apply_matrix": vv.apply_matrix,
    "apply_matrix 2": lambda u, v: vv.apply_matrix(u, v, 2),
    "outer": vv.outer,
    "multiply": vv.multiply,
    "inner": vv.inner,
    "combine": lambda u, v: vv.combine(lambda x, y: 2 * x - y, u, v),
    "where": lambda u, v: vv.where(jnp.asarray(True), u, v),
    "where not": lambda u, v: vv.where(np.bool_(False), u, v),
    "put": lambda u, v: vv.put(u, ("a",), v),
    "equal": lambda u, v: int(vv.equal(u, v)),
    "less_equal": lambda u, v: int(vv.less_equal(u, v)),
}
SPACES = [
    vv.Space(),
    vv.Space([()]),
    vv.Space([("a",), ("b",), ("c",)]),
    vv.Space([(), ("a",), ("a", "b"), ("a", "b", "c"), ("b",), ("b", "c d"), ("é.", "")]),
]


def same(found: Any, expected: Any, note: str) -> None:
    found, expected = vv.canonical(found), vv.canonical(expected)
    plain = lambda x: {path: np.asarray(leaf, float).tolist() for path, leaf in x.items()}
    assert plain(found) == plain(expected), note


def carriers(tree: Any) -> dict[str, Any]:
    """The same value on every carrier."""
    flat = vv.flatten(tree)
    room = [path for path in [(), ("zero",), ("zero", "b")] if path not in flat.space]
    roomy = vv.flatten(tree, flat.space | vv.Space(room))
    branches = tree
    if isinstance(tree, dict):
        branches = {key: b if key == vv.NUMBER else vv.flatten(b) for key, b in tree.items()}
    arrays = jax.tree.map(jnp.asarray, vv.unflatten(flat))
    return {"tree": tree, "flat": flat, "roomy": roomy, "branches": branches, "arrays": arrays}


pairs = st.tuples(*(st.sampled_from(["tree", "flat", "roomy", "branches", "arrays"]) for _ in "uv"))


def check_carriers(u: Any, v: Any, pair: tuple[str, str]) -> None:
    left, right = carriers(u)[pair[0]], carriers(v)[pair[1]]
    for name, function in UNARY.items():
        same(function(left), function(u), f"{name} of {pair[0]}")
    for name, function in BINARY.items():
        found = function(left, right)
        same(found, function(u, v), f"{name} of {' and '.join(pair)}")
        if not {"flat", "roomy"}.isdisjoint(pair) and name != "where not":
            assert isinstance(found, (vv.Flat, jax.Array, int)), name


@pytest.mark.slow
@some
@given(st.sampled_from(SPACES), st.sampled_from(SPACES), st.data(), pairs)
def test_in_fixed_spaces(first, second, data, pair):
    """Few spaces, many numbers: JAX compiles each function once per space."""
    u, v = (
        vv.grow({path: data.draw(quarters) for path in space.paths}) for space in (first, second)
    )
    check_carriers(u, v, pair)


@few
@given(vvalues(quarters, depth=2), vvalues(quarters, depth=2), pairs)
@pytest.mark.slow
def test_on_drawn_trees(u, v, pair):
    check_carriers(u, v, pair)


@pytest.mark.slow
@some
@given(st.sampled_from(SPACES), st.sampled_from(SPACES), st.integers(0, 2**32 - 1))
def test_bilinear_on_flat(first, second, seed):
    """As on trees; on vectors of floats, up to rounding, for a whole batch at once."""
    rng = np.random.default_rng(seed)
    draw = lambda space: vv.Flat(space, jnp.asarray(rng.normal(size=(50, space.size))))
    u, v, w, a = draw(first), draw(first), draw(second), draw(SPACES[1])
    both = vv.lin_comb([a, 2], [u, v])
    for name in ("mask", "mask_sum", "apply_matrix", "outer", "multiply", "inner"):
        form = BINARY[name]
        left = vv.lin_comb([a, 2], [flat(form(u, w)), flat(form(v, w))])
        np.testing.assert_allclose(flat(form(both, w)).data, left.data, atol=1e-12, err_msg=name)
        right = vv.lin_comb([a, 2], [flat(form(w, u)), flat(form(w, v))])
        np.testing.assert_allclose(flat(form(w, both)).data, right.data, atol=1e-12, err_msg=name)


def flat(result: Any) -> vv.Flat:
    """A batch of numbers as a batch of values."""
    return result if isinstance(result, vv.Flat) else vv.Flat(SPACES[1], result[..., None])


@pytest.mark.slow
@few
@given(st.sampled_from(SPACES[1:]), st.sampled_from(SPACES[1:]), st.integers(0, 2**32 - 1))
def test_a_batch_is_its_rows(first, second, seed):
    rng = np.random.default_rng(seed)
    draw = lambda space: jnp.asarray(rng.integers(-3, 4, (3, space.size)) / 2)
    us, vs = draw(first), draw(second)
    batched = [(name, f, f(vv.Flat(first, us), vv.Flat(second, vs))) for name, f in BATCHED.items()]
    for name, function, result in batched:
        whole = flat(result)
        for k in range(3):
            u, v = first.unflatten(np.asarray(us[k])), second.unflatten(np.asarray(vs[k]))
            same(vv.Flat(whole.space, whole.data[k]), function(u, v), f"{name}, row {k}")


BATCHED = {
    **{name: BINARY[name] for name in ("add", "lin_comb", "scale", "mask", "mask_sum", "outer")},
    **{name: BINARY[name] for name in ("apply_matrix", "multiply", "inner", "combine", "put")},
    "trim": lambda u, _: vv.trim(u, 0.5),
    "max_norm": lambda u, _: vv.max_norm(u),
    "norm": lambda u, _: vv.norm(u, 1),
    "scale by the norm": lambda u, v: vv.scale(vv.max_norm(u), v),
    "get": lambda u, _: vv.get(u, "a"),
    "a branch": lambda u, v: vv.add({"x": u, "y": v}, {"x": v}),
}


@pytest.mark.parametrize("order", [1, 1.5, 2, 3])
def test_norms_agree(order):
    tree = {"a": 3.0, "b": {"c": -4.0, vv.NUMBER: 0.5}}
    expected = sum(abs(x) ** order for x in (3, -4, 0.5)) ** (1 / order)
    for value in (tree, *carriers(tree).values()):
        assert float(vv.norm(value, order)) == pytest.approx(expected, rel=1e-14)


# Arrays as leaves.

IMAGE = np.arange(6.0).reshape(2, 3) - 2
ARRAYS = {
    "a": {vv.NUMBER: IMAGE, "b": np.array([1.0, -0.5])},
    "c": 2.0,
    vv.NUMBER: -1.0,
}
NUMBERS = {"a": {"b": 3.0, vv.NUMBER: 0.5}, "c": -4.0, vv.NUMBER: 2.0}
OTHERS = {"a": {vv.NUMBER: IMAGE[::-1] * 2}, "c": 1.5}
PAIRS = {
    "lin_comb": (lambda u, v: vv.lin_comb([2, -1], [u, v]), ARRAYS, OTHERS),
    "mask": (vv.mask, NUMBERS, ARRAYS),
    "mask by arrays": (vv.mask, OTHERS, ARRAYS),
    "mask_sum of arrays": (
        vv.mask_sum,
        {"a": OTHERS["a"], "c": 1.5},
        {"a": {vv.NUMBER: IMAGE}, "c": 2},
    ),
    "apply_matrix": (vv.apply_matrix, {"x": {"a": 2.0}, "y": {"a": {"b": 1.0}}}, ARRAYS),
    "outer": (vv.outer, {"m": -4.0, "n": {"b": 3.0}}, ARRAYS),
    "outer from the right": (vv.outer, ARRAYS, {"x": 2.0, "y": {"z": -1.0}}),
    "outer of arrays": (vv.outer, {"u": IMAGE}, {"v": IMAGE[0], "w": {"x": 2.0}}),
    "multiply": (vv.multiply, ARRAYS, OTHERS),
    "multiply by numbers": (vv.multiply, ARRAYS, NUMBERS),
    "inner": (vv.inner, ARRAYS, OTHERS),
    "inner with numbers": (vv.inner, NUMBERS, ARRAYS),
    "trim": (lambda u, _: vv.trim(u, 1), ARRAYS, {}),
    "max_norm": (lambda u, _: vv.max_norm(u), ARRAYS, {}),
    "norm": (lambda u, _: vv.norm(u, 1), ARRAYS, {}),
    "count": (lambda u, _: vv.count(u), ARRAYS, {}),
    "get": (lambda u, _: vv.get(u, "a"), ARRAYS, {}),
    "select": (lambda u, _: vv.select(u, [("a", "b")]), ARRAYS, {}),
    "less_equal": (lambda u, v: int(vv.less_equal(u, v)), ARRAYS, OTHERS),
    "combine": (lambda u, v: vv.combine(lambda x, y: x - y, u, v), ARRAYS, OTHERS),
}


@pytest.mark.parametrize("name", PAIRS)
def test_arrays_as_leaves(name):
    function, u, v = PAIRS[name]
    expected = function(u, v)
    assert vv.canonical(expected) or name == "less_equal"
    for carrier, value in carriers(u).items():
        same(function(value, v), expected, f"{carrier} and tree")
        same(function(u, carriers(v)[carrier]), expected, f"tree and {carrier}")
        same(function(value, carriers(v)[carrier]), expected, f"{carrier} twice")


def test_an_array_is_a_number_for_each_index():
    image = {"x": IMAGE}
    assert vv.inner(image, image) == (IMAGE**2).sum()
    assert vv.mask_sum(image, image) == (IMAGE**2).sum()
    np.testing.assert_array_equal(vv.mask(image, image)["x"], IMAGE**2)
    np.testing.assert_array_equal(vv.mask_sum({"x": 3}, image), 3 * IMAGE)
    found = vv.outer({"u": IMAGE}, {"v": IMAGE[0]})["u"]["v"]
    np.testing.assert_array_equal(found, np.tensordot(IMAGE, IMAGE[0], 0))
    # Below its own place an array in a mask selects nothing.
    assert vv.canonical(vv.mask(image, {"x": {"y": 5}})) == {}
    assert vv.canonical(vv.flatten(vv.mask(image, {"x": {"y": 5}}))) == {}
    assert vv.count(image) == 5
    assert vv.count(image, zeros=True) == 6


def test_fractions_meet_arrays():
    third, one = {"a": Fraction(1, 3)}, {"a": jnp.asarray(1.0)}
    assert float(vv.add(third, one)["a"]) == pytest.approx(4 / 3)
    assert float(vv.inner(third, one)) == pytest.approx(1 / 3)
    assert float(vv.scale(Fraction(1, 3), one)["a"]) == pytest.approx(1 / 3)
    assert vv.add(third, {"a": np.ones(())})["a"].dtype == float
    assert float(vv.max_norm({**third, "b": jnp.asarray(0.1)})) == pytest.approx(1 / 3)


@pytest.mark.parametrize("name", ["add", "mask", "mask_sum", "outer", "multiply", "combine"])
def test_plain_numbers_take_the_dtype_of_arrays(name):
    single = vv.Flat(SPACES[2], jnp.ones(3, jnp.float32))
    for tree in ({"a": 1.0}, {"a": Fraction(1, 2), "b": 2}, {"a": np.float32(1)}):
        assert BINARY[name](single, tree).data.dtype == jnp.float32
        assert BINARY[name](tree, single).data.dtype == jnp.float32


CLASHES = {
    "multiply": (vv.multiply, {"a": np.ones(2)}, {"a": np.ones(3)}, [2], [3], "a"),
    "inner": (vv.inner, {"a": np.ones(2)}, {"a": np.ones(3)}, [2], [3], "a"),
    "mask": (vv.mask, {"a": np.ones(2)}, {"a": np.ones(3)}, [2], [3], "a"),
    "mask_sum": (vv.mask_sum, {"a": 1, "b": 1}, {"a": 5, "b": np.ones(3)}, [], [3], "the root"),
    "outer": (
        vv.outer,
        {"a": {"b": 1, vv.NUMBER: 1}},
        {"b": {"c": np.ones(3)}, "c": 1},
        [3],
        [],
        "a.b.c",
    ),
}


@pytest.mark.parametrize("name", CLASHES)
def test_products_that_clash(name):
    function, u, v, first, second, where = CLASHES[name]
    for left, right in ((u, v), (vv.flatten(u), v), (u, vv.flatten(v))):
        with pytest.raises(SpaceError) as caught:
            function(left, right)
        assert str(caught.value) == (
            f"leaves of shape {first} and {second} meet\n  at {where}\n"
            "  hint: bring both to one shape, or give them different keys"
        )


def test_branches_under_a_number():
    text = (
        "`:number` holds branches, expected a number or an array\n  at a\n"
        "  hint: put the branches beside `:number`"
    )
    branch = {"b": 1.0}
    for held in (branch, vv.flatten(branch)):
        tree = {"a": {vv.NUMBER: held, "b": 2.0}}
        for attempt in (vv.flatten, vv.canonical, vv.max_norm, vv.check, vv.dumps, vv.space_of):
            with pytest.raises(ValueFormatError) as caught:
                attempt(tree)
            assert str(caught.value) == text
    number = vv.flatten(3.0)
    same(vv.add({"a": {vv.NUMBER: number, "b": 2.0}}, {}), {"a": {vv.NUMBER: 3, "b": 2}}, "")


def test_a_walk_refuses_a_flat_branch():
    with pytest.raises(ValueFormatError) as caught:
        list(vv.entries({"a": {"b": vv.flatten({"c": 1.0})}}))
    assert str(caught.value) == (
        "this branch is a `Flat`\n  at a.b\n  hint: flatten the whole tree"
    )


def test_a_flat_is_a_pytree():
    value = vv.flatten({"a": {"b": 1.0}, "c": -2.0})
    squares = jax.jit(lambda u: vv.add(vv.multiply(u, u), {"c": vv.max_norm(u)}))
    same(squares(value), {"a": {"b": 1.0}, "c": 6.0}, "jit")
    stacked = jax.tree.map(lambda x: jnp.stack([x, 2 * x]), value)
    assert jax.vmap(vv.max_norm)(stacked).tolist() == [2.0, 4.0]
    traced = jax.jit(lambda u: vv.unflatten(u)["a"]["b"] * 3)
    assert traced(value) == 3
    assert repr(value) == "Flat(Space(a.b, c), [ 1. -2.])"
    assert repr(jax.eval_shape(lambda: value)) == "Flat(Space(a.b, c), (2,))"
