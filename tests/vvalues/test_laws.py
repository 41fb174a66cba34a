"""The laws of V-values, held exactly: on trees of integers and fractions."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings, strategies as st

from snakebird import vvalues as vv
from snakebird.testing import floats, fractions, paths, vvalues

# Short runs miss the corners; `--hypothesis-profile=thorough` runs longer still.
long = settings(max_examples=max(2000, settings().max_examples))
some = settings(max_examples=max(700, settings().max_examples))

FORMS = {
    "mask": vv.mask,
    "mask_sum": vv.mask_sum,
    "rows": vv.apply_matrix,
    "rows of rows": lambda m, v: vv.apply_matrix(m, v, 2),
    "outer": vv.outer,
    "multiply": vv.multiply,
    "inner": vv.inner,
}


def same(left: object, right: object) -> bool:
    return vv.canonical(left) == vv.canonical(right)


@pytest.mark.slow
@long
@given(vvalues(depth=2), vvalues(depth=2), vvalues(depth=2), fractions, fractions)
def test_vector_space(u, v, w, a, b):
    assert same(vv.add(vv.add(u, v), w), vv.add(u, vv.add(v, w)))
    assert same(vv.add(u, v, w), vv.add(u, vv.add(v, w)))
    assert same(vv.add(u, v), vv.add(v, u))
    assert same(vv.add(u, vv.zero()), u)
    assert vv.canonical(vv.add(u, vv.scale(-1, u))) == {}
    assert same(vv.scale(1, u), u)
    assert vv.canonical(vv.scale(0, u)) == {}
    assert same(vv.scale(a, vv.scale(b, u)), vv.scale(a * b, u))
    assert same(vv.scale(a, vv.add(u, v)), vv.add(vv.scale(a, u), vv.scale(a, v)))
    assert same(vv.scale(a + b, u), vv.add(vv.scale(a, u), vv.scale(b, u)))
    assert same(vv.lin_comb([a, b], [u, v]), vv.add(vv.scale(a, u), vv.scale(b, v)))
    assert same(vv.lin_comb([w, 1], [u, v]), vv.add(vv.scale(vv.number(w), u), v))


@pytest.mark.slow
@long
@given(vvalues(), vvalues(), vvalues(depth=2), fractions, fractions)
def test_bilinear(u, v, w, a, b):
    both = vv.lin_comb([a, b], [u, v])
    for name, form in FORMS.items():
        left = vv.lin_comb([a, b], [form(u, w), form(v, w)])
        assert same(form(both, w), left), f"{name} in its left argument"
        right = vv.lin_comb([a, b], [form(w, u), form(w, v)])
        assert same(form(w, both), right), f"{name} in its right argument"


@pytest.mark.slow
@some
@given(vvalues(), vvalues(), vvalues(), fractions)
def test_products(u, v, w, a):
    assert same(vv.mask(a, u), vv.scale(a, u))
    assert same(vv.mask_sum(a, u), vv.scale(a, u))
    assert same(vv.mask(u, vv.mask(v, w)), vv.mask(v, vv.mask(u, w)))
    assert same(vv.apply_matrix(u, v, 0), vv.mask_sum(u, v))
    # A matrix is its rows; what stands above them names no row and is left out.
    for level in (1, 2):
        rows = {path[:level] for path in vv.canonical(u) if len(path) >= level}
        applied = [vv.put({}, row, vv.mask_sum(vv.get(u, *row), v)) for row in rows]
        assert same(vv.apply_matrix(u, v, level), vv.add(*applied))
    assert same(vv.multiply(u, v), vv.multiply(v, u))
    assert same(vv.multiply(vv.multiply(u, v), w), vv.multiply(u, vv.multiply(v, w)))
    assert vv.inner(u, v) == vv.inner(v, u) == sum(vv.canonical(vv.multiply(u, v)).values())
    assert vv.inner(u, u) > 0 or vv.canonical(u) == {}
    assert same(vv.outer(vv.outer(u, v), w), vv.outer(u, vv.outer(v, w)))
    assert same(vv.outer(1, u), u)
    assert same(vv.outer(u, 1), u)
    # A mask of one number at a path scales what stands there and below.
    for path, factor in vv.canonical(u).items():
        one = vv.put({}, path, factor)
        part = vv.get(v, *path)
        assert same(vv.mask_sum(one, v), vv.scale(factor, part))
        assert same(vv.mask(one, v), vv.put({}, path, vv.scale(factor, part)))


@given(st.integers(0, 2**32))
def test_a_matrix_product_is_that_of_matrices(seed):
    a, b = (
        [[(seed >> (4 * k + j)) % 7 - 3 for j in range(3)] for k in (i, i + 2, i + 4)]
        for i in (0, 1)
    )
    tree = lambda m: {str(i): {str(j): x for j, x in enumerate(row)} for i, row in enumerate(m)}
    product = [[sum(a[i][k] * b[k][j] for k in range(3)) for j in range(3)] for i in range(3)]
    assert same(vv.apply_matrix(tree(a), tree(b)), tree(product))


@some
@given(vvalues(), vvalues(), fractions)
def test_norms(u, v, a):
    both = vv.add(u, v)
    for norm in (vv.max_norm, lambda x: vv.norm(x, 1)):
        assert norm(both) <= norm(u) + norm(v)
        assert norm(vv.scale(a, u)) == abs(a) * norm(u)
        assert (norm(u) == 0) == (vv.canonical(u) == {})
    numbers = [abs(x) for x in vv.canonical(u).values()]
    assert vv.max_norm(u) == vv.norm(u, math.inf) == max(numbers, default=0)
    assert vv.norm(u, 1) == sum(numbers)
    assert vv.norm(u) == pytest.approx(math.sqrt(sum(x * x for x in numbers)))
    assert vv.norm(both, 3) <= vv.norm(u, 3) + vv.norm(v, 3) + 1e-9
    assert vv.inner(u, v) ** 2 <= vv.inner(u, u) * vv.inner(v, v)


@some
@given(vvalues(), fractions.map(abs), fractions)
def test_trim_and_count(u, threshold, number):
    trimmed = vv.trim(u, threshold)
    kept = {p: x for p, x in vv.canonical(u).items() if abs(x) > threshold or p == ()}
    assert vv.canonical(trimmed) == kept
    assert same(vv.trim(trimmed, threshold), trimmed)
    assert same(vv.trim(u, 0), u)
    assert vv.number(vv.trim(number, threshold)) == number
    assert vv.count(u) == len(vv.canonical(u))
    assert vv.count(u, zeros=True) == sum(1 for _ in vv.stored(u)) >= vv.count(u)


@some
@given(vvalues(), vvalues(), paths(), paths(2))
def test_select_get_and_put(u, part, path, other):
    assert same(vv.get(vv.put(u, path, part), *path), part)
    assert same(vv.put(u, path, vv.get(u, *path)), u)
    assert same(vv.put(vv.put(u, path, 7), path, part), vv.put(u, path, part))
    below = vv.select(u, [path])
    assert same(below, vv.put({}, path, vv.get(u, *path)))
    assert same(vv.add(below, vv.put(u, path, {})), u)
    assert same(vv.get(u, *path, *other), vv.get(vv.get(u, *path), *other))
    assert vv.number(vv.get(u, *path)) == vv.canonical(u).get(path, 0)
    kept = vv.select(u, lambda p: len(p) % 2 == 0)
    assert vv.canonical(kept) == {p: x for p, x in vv.canonical(u).items() if len(p) % 2 == 0}
    assert set(vv.keys(u)) == {p[0] for p in vv.canonical(u) if p}


@some
@given(vvalues(), vvalues(), paths())
def test_the_number_of_a_node_by_its_key(u, part, path):
    own = (*path, vv.NUMBER)
    assert vv.get(u, *own) == vv.canonical(u).get(path, 0)
    expected = {p: x for p, x in vv.canonical(u).items() if p != path}
    number = vv.number(part)
    assert vv.canonical(vv.put(u, own, part)) == (
        dict(sorted({**expected, path: number}.items())) if number else expected
    )


@some
@given(vvalues(), vvalues(), fractions)
def test_comparisons(u, v, a):
    difference = vv.lin_comb([1, -1], [u, v])
    assert vv.equal(u, v) == same(u, v)
    assert vv.equal(u, v, vv.max_norm(difference))
    assert not vv.equal(u, vv.add(u, {"far": {"away": 1}}), Fraction(1, 2))
    assert vv.less_equal(u, v) == all(x <= 0 for x in vv.canonical(difference).values())
    assert vv.less_equal(u, u)
    assert vv.is_nonnegative(vv.multiply(u, u))
    assert vv.is_nonnegative(u) == all(x >= 0 for x in vv.canonical(u).values())
    assert same(vv.combine(max, u, v), vv.combine(max, v, u))
    assert same(vv.combine(lambda x, y: x + a * y, u, v), vv.lin_comb([1, a], [u, v]))
    assert same(vv.map_numbers(lambda x: a * x, u), vv.scale(a, u))
    assert same(vv.where(True, u, v), u)
    assert same(vv.where(False, u, v), v)


@some
@given(vvalues(floats), vvalues(floats), floats)
def test_what_holds_for_floats_exactly(u, v, a):
    assert same(vv.add(u, v), vv.add(v, u))
    assert same(vv.scale(-1, vv.scale(-1, u)), u)
    assert vv.canonical(vv.add(u, vv.scale(-1, u))) == {}
    assert same(vv.scale(2, vv.add(u, v)), vv.add(vv.scale(2, u), vv.scale(2, v)))
    assert vv.inner(u, v) == vv.inner(v, u)
    assert vv.max_norm(vv.scale(a, u)) == abs(a) * vv.max_norm(u)
    assert vv.equal(u, u)


@some
@given(vvalues())
def test_grow_and_entries(u):
    tree = vv.grow(dict(vv.entries(u)))
    assert same(tree, u)
    # The normal form is the same for equal values, up to the order of keys.
    assert vv.grow(vv.canonical(u)) == tree
    assert dict(vv.entries(tree)) == vv.canonical(u)
    vv.check(tree)


def test_a_nan_is_not_passed_by():
    tree = {"a": 1.0, "b": math.nan, "c": 2.0}
    assert math.isnan(vv.max_norm(tree))
    assert math.isnan(vv.norm(tree))
    assert not vv.equal(tree, tree, 5)
    assert vv.equal({"a": math.inf}, {"a": math.inf})


def test_inputs_stay_as_they_are():
    u, v = {"a": {"b": 1, "c": {}}, vv.NUMBER: 0}, {"a": {"b": -1}}
    before = repr((u, v))
    for form in (vv.add, *FORMS.values()):
        form(u, v)
    vv.put(u, ("a", "b"), v)
    vv.trim(u, 1)
    vv.from_list([u, v])["this"] = 3
    vv.from_list([])["end-list"] = 5
    assert repr((u, v)) == before
    assert vv.END == {"end-list": 1}


@pytest.mark.parametrize("order", [0, 0.5, -1])
def test_orders_that_are_no_norm(order):
    with pytest.raises(ValueError, match="norm got order="):
        vv.norm({"a": 1}, order)
