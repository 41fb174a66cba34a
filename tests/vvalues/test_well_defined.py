"""However a value is written down, every function gives the same answer."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from snakebird import vvalues as vv
from snakebird.testing import fractions, vvalues

long = settings(max_examples=max(1000, settings().max_examples))

UNARY = {
    "scale": lambda u: vv.scale(3, u),
    "scale by": lambda u: vv.scale(u, {"a": 2}),
    "number": vv.number,
    "keys": lambda u: dict.fromkeys(vv.keys(u), 1),
    "get": lambda u: vv.get(u, "a"),
    "get deeper": lambda u: vv.get(u, "a", "b"),
    "get a number": lambda u: vv.get(u, "a", vv.NUMBER),
    "put": lambda u: vv.put(u, ("a", "b"), 5),
    "put a number": lambda u: vv.put(u, ("a", vv.NUMBER), 5),
    "put into": lambda u: vv.put({"a": {"c": 1}, "b": 2}, ("a",), u),
    "select": lambda u: vv.select(u, [("a",), ("b", "c")]),
    "select by": lambda u: vv.select(u, lambda path: len(path) == 1),
    "map_numbers": lambda u: vv.map_numbers(lambda x: max(x, 0), u),
    "max_norm": vv.max_norm,
    "norm": vv.norm,
    "norm 1": lambda u: vv.norm(u, 1),
    "trim": lambda u: vv.trim(u, 1),
    "count": vv.count,
    "is_nonnegative": lambda u: int(vv.is_nonnegative(u)),
    "canonical": lambda u: u,
    "show": lambda u: {vv.show(u): 1},
    "to_list": lambda u: vv.from_list(vv.to_list({"this": u, "rest": vv.END})),
    "loads": lambda u: vv.loads(vv.dumps(u)),
    "unflatten": vv.unflatten,
}
BINARY = {
    "add": vv.add,
    "lin_comb": lambda u, v: vv.lin_comb([2, -1], [u, v]),
    "mask": vv.mask,
    "mask_sum": vv.mask_sum,
    "apply_matrix": vv.apply_matrix,
    "outer": vv.outer,
    "multiply": vv.multiply,
    "inner": vv.inner,
    "combine": lambda u, v: vv.combine(max, u, v),
    "where": lambda u, v: vv.where(False, u, v),
    "equal": lambda u, v: int(vv.equal(u, v)),
    "less_equal": lambda u, v: int(vv.less_equal(u, v)),
    "diff": lambda u, v: dict.fromkeys(vv.diff(u, v), 1),
}


@st.composite
def rewritten(draw: Callable[..., Any], tree: Any) -> Any:
    """The same value in other clothes: zeros, empty branches, wrapped numbers, other order."""
    choices = iter(draw(st.lists(st.integers(0, 5), min_size=40, max_size=40)))

    def write(node: Any) -> Any:
        choice = next(choices, 0)
        if not isinstance(node, dict):
            if node == 0 and choice > 3:
                return {}
            return node if choice < 2 else {vv.NUMBER: node, **({} if choice < 4 else {"z": 0})}
        items = [(key, b if key == vv.NUMBER else write(b)) for key, b in node.items()]
        extra = [[], [("z", {})], [("z", 0)], [("y", {"z": {vv.NUMBER: 0.0}})]][choice % 4]
        # What is drawn may use these keys itself.
        items += [(key, branch) for key, branch in extra if key not in node]
        if vv.NUMBER not in node and choice > 3:
            items.append((vv.NUMBER, Fraction(0)))
        return dict(reversed(items) if choice % 2 else items)

    return write(tree)


pairs = vvalues().flatmap(lambda tree: st.tuples(st.just(tree), rewritten(tree)))


@pytest.mark.slow
@long
@given(pairs, vvalues())
def test_every_function_is_well_defined(pair, other):
    u, v = pair
    assert vv.canonical(u) == vv.canonical(v)
    for name, function in UNARY.items():
        assert vv.canonical(function(u)) == vv.canonical(function(v)), name
    for name, function in BINARY.items():
        assert vv.canonical(function(u, other)) == vv.canonical(function(v, other)), name
        assert vv.canonical(function(other, u)) == vv.canonical(function(other, v)), name


@given(fractions)
def test_a_number_and_its_wrapping(number):
    for way in (number, {vv.NUMBER: number}, {vv.NUMBER: {vv.NUMBER: number}}):
        assert vv.canonical(way) == ({(): number} if number else {})
        assert vv.number(way) == number
        assert vv.canonical(vv.mask({"a": way}, {"a": {"b": 1}})) == (
            {("a", "b"): number} if number else {}
        )


def test_zeros_of_every_kind():
    zeros = [{}, 0, 0.0, -0.0, Fraction(0), np.float32(0), np.zeros(3), {"a": {}}, {"a": {"b": 0}}]
    for zero in [*zeros, {vv.NUMBER: 0}, {vv.NUMBER: {}}, {"a": {vv.NUMBER: np.zeros(2)}}]:
        assert vv.canonical(zero) == {}
        assert vv.equal(zero, {})
        assert vv.show(zero) == "0"
        assert vv.max_norm(zero) == 0
        assert vv.count(zero) == 0
        assert vv.keys(zero) == ()
        assert vv.canonical(vv.add({"a": {"c": 1}}, zero)) == {("a", "c"): 1}
        assert vv.canonical(vv.mask(zero, {"a": 1})) == {}


def test_junk_counts_as_zero():
    for junk in ("text", None, [1, 2], object()):
        assert vv.canonical(vv.add({"a": junk, "b": 1}, {"a": 2})) == {("a",): 2, ("b",): 1}
        assert vv.canonical(vv.mask_sum({"a": junk, "b": 2}, {"a": 1, "b": 3})) == {(): 6}
        assert vv.canonical(vv.mask_sum({"a": 1, "b": 2}, {"a": junk, "b": 3})) == {(): 6}
        assert vv.canonical(vv.get({"a": junk}, "a", "b")) == {}
        assert vv.flatten({"a": junk, "b": 1}).space == vv.Space([("b",)])
