"""Values as text and back: JSON, the short form, the diff, lists, and what the errors say."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from snakebird import vvalues as vv
from snakebird.errors import ValueFormatError
from snakebird.testing import fractions, paths, vvalues

some = settings(max_examples=max(500, settings().max_examples))
numbers = st.one_of(
    fractions, st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**30), 10**30)
)


@some
@given(vvalues(numbers))
def test_json_round_trip(tree):
    again = vv.loads(vv.dumps(tree))
    assert vv.canonical(again) == vv.canonical(tree)
    kinds = lambda u: {path: isinstance(x, float) for path, x in vv.canonical(u).items()}
    assert kinds(again) == kinds(tree)
    assert "\n" not in vv.dumps(tree)


def test_json_of_arrays_and_flat():
    tree = {"image": np.arange(6.0).reshape(2, 3), "n": np.float32(0.5), "e": np.zeros((0,))}
    again = vv.loads(vv.dumps(tree))
    np.testing.assert_array_equal(again["image"], tree["image"])
    assert again["n"] == 0.5
    assert vv.dumps(tree) == vv.dumps(
        {"image": vv.flatten(tree["image"]), "n": 0.5, "e": tree["e"]}
    )
    assert vv.dumps({"a": Fraction(4, 2), "b": Fraction(-1, 3), "é": 1}) == (
        '{"a": 2, "b": "-1/3", "é": 1}'
    )


def same(a, b):
    """Whether two numbers are equal, as floats where one of them is a float."""
    return float(a) == float(b) if float in (type(a), type(b)) else a == b


def test_a_fraction_and_a_float_are_compared_as_floats():
    third, close = {"a": Fraction(1, 3)}, {"a": 1 / 3}
    assert vv.equal(third, close)
    assert vv.diff(third, close) == []


@some
@given(vvalues(numbers), vvalues(numbers))
def test_diff_is_empty_for_equal_values_alone(u, v):
    lines = vv.diff(u, v)
    assert vv.diff(u, u) == []
    both = vv.canonical(u).keys() | vv.canonical(v).keys()
    changed = {p for p in both if not same(vv.canonical(u).get(p, 0), vv.canonical(v).get(p, 0))}
    assert (lines == []) == vv.equal(u, v) == (not changed)
    assert len(lines) == len(changed)
    for path, line in zip(sorted(changed), lines, strict=True):
        assert line.startswith(f"{vv.show_path(path)}: ")


def test_diff_says_what_changed():
    left = {"a": {vv.NUMBER: 1, "b": Fraction(1, 3)}, "c": 2.5, "v": np.ones(2)}
    right = {"a": 1, "c": 2.500001, "d.e": -4, "v": np.ones(3), vv.NUMBER: 7}
    assert vv.diff(left, right, 0.01) == [
        "the root: absent -> 7",
        "a.b: 1/3 -> absent",
        "['d.e']: absent -> -4",
        "v: array[2] -> array[3]",
    ]
    assert vv.diff(left, right)[2] == "c: 2.5 -> 2.5"
    assert vv.diff({"a": math.nan}, {"a": math.nan}) == ["a: nan -> nan"]
    tiny = Fraction(1, 10**400)
    assert vv.diff({"a": tiny}, {}) != []


def test_show():
    assert vv.show({}) == "0"
    assert vv.show({"a": -1, "b": {"c": -0.5, vv.NUMBER: 3}}) == "-1 a + 3 b - 0.5 b.c"
    assert vv.show({vv.NUMBER: -2, "x": Fraction(-1, 3)}) == "-2 - 1/3 x"
    assert vv.show({"v": np.ones((2, 3)), "w": np.float32(1.5)}) == "array[2, 3] v + 1.5 w"
    assert vv.show({"+ -1": 2}) == "2 + -1"
    assert vv.show({str(k): k for k in range(1, 6)}, limit=2) == "1 1 + 2 2 + ... (5 terms)"
    assert vv.show(vv.flatten({"a": 1.0, "b": 0.0})) == "1 a"


@some
@given(paths(), paths())
def test_shown_paths_tell_paths_apart(path, other):
    assert (vv.show_path(path) == vv.show_path(other)) == (path == other)
    assert "\n" not in vv.show_path(path)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ((), "the root"),
        (("the root",), "['the root']"),
        (("two words", "b"), "two words.b"),
        (("", "b"), "['', 'b']"),
        ((" a",), "[' a']"),
        (("a\nb",), r"['a\nb']"),
        (("['a']",), "[\"['a']\"]"),
    ],
)
def test_shown_paths(path, shown):
    assert vv.show_path(path) == shown


@some
@given(st.lists(vvalues(), max_size=4))
def test_lists(values):
    again = vv.to_list(vv.from_list(values))
    assert [vv.canonical(value) for value in again] == [vv.canonical(value) for value in values]
    linked = vv.link_list(5, vv.from_list(values))
    assert vv.to_list(linked)[0] == 5
    assert len(vv.to_list(linked)) == len(values) + 1


def test_lists_on_flat():
    values = [{"a": 1.0}, {}, 2.0]
    assert vv.to_list(vv.flatten(vv.from_list(values))) == values
    assert vv.to_list({}) == vv.to_list(vv.END) == []
    held = vv.from_list([vv.flatten({"a": 1.0}), 3])
    assert vv.to_list(held) == [{"a": 1.0}, 3]


ERRORS = {
    '{"a": {"b": true}}': 'found true, expected a number, a fraction like "1/3", '
    "a list of numbers or an object\n  at a.b\n  hint: numbers must be finite",
    '{"a": NaN}': 'found NaN, expected a number, a fraction like "1/3", '
    "a list of numbers or an object\n  at a\n  hint: numbers must be finite",
    '{"a": -Infinity}': 'found -Infinity, expected a number, a fraction like "1/3", '
    "a list of numbers or an object\n  at a\n  hint: numbers must be finite",
    '"1/0"': 'found "1/0", expected a number, a fraction like "1/3", '
    "a list of numbers or an object\n  at the root\n  hint: numbers must be finite",
    "null": 'found null, expected a number, a fraction like "1/3", '
    "a list of numbers or an object\n  at the root\n  hint: numbers must be finite",
    '{"a.b": [[1, 2], [3]]}': "found a list that is no array of finite numbers\n"
    "  at ['a.b']\n  hint: make all its rows equally long",
    '{"a": [1, NaN]}': "found a list that is no array of finite numbers\n"
    "  at a\n  hint: make all its rows equally long",
    '{"a": ["1"]}': "found a list that is no array of finite numbers\n"
    "  at a\n  hint: make all its rows equally long",
    '{"a": [true]}': "found a list that is no array of finite numbers\n"
    "  at a\n  hint: make all its rows equally long",
    '{"a": [{"b": 1}]}': "found a list that is no array of finite numbers\n"
    "  at a\n  hint: make all its rows equally long",
    '{"a": 1,\n "b": }': "this is not JSON\n  at line 2, column 7\n"
    '  hint: write an object like {"a": 1}',
    "": 'this is not JSON\n  at line 1, column 1\n  hint: write an object like {"a": 1}',
    '{"x": ' * 10**5: "this is not JSON\n  at a branch that is too deep\n"
    '  hint: write an object like {"a": 1}',
    '{"a": 1, "é": 2, "é": 3}': 'the key "é" is given twice\n'
    "  hint: keep one of the two, or add the values up",
    '{"a": {":number": {"b": 1}}}': "`:number` holds branches, expected a number or an array\n"
    "  at a\n  hint: put the branches beside `:number`",
}


@pytest.mark.parametrize("text", ERRORS, ids=[text[:30] for text in ERRORS])
def test_json_that_is_no_value(text):
    with pytest.raises(ValueFormatError) as caught:
        vv.loads(text)
    assert str(caught.value) == ERRORS[text]


def test_huge_integers_are_numbers():
    assert vv.loads(json.dumps({"a": 10**400})) == {"a": 10**400}


@pytest.mark.parametrize("number", [math.nan, math.inf, np.array([1.0, -math.inf])])
def test_numbers_json_cannot_hold(number):
    with pytest.raises(ValueFormatError) as caught:
        vv.dumps({"a": {"b": number}})
    assert str(caught.value) == (
        f"found {number}, which JSON cannot hold\n  at a.b\n  hint: numbers must be finite"
    )


@pytest.mark.parametrize("function", [vv.check, vv.dumps, vv.to_json])
def test_junk(function):
    with pytest.raises(ValueFormatError) as caught:
        function({"a": {2: 1}})
    assert str(caught.value) == "a key is 2 (int), expected a string\n  at a\n  hint: write '2'"
    for leaf, shown in (("x", "'x' (str)"), (None, "None (NoneType)"), (True, "True (bool)")):
        with pytest.raises(ValueFormatError) as caught:
            function({"a": {"b": leaf}})
        assert str(caught.value) == (
            f"a leaf is {shown}, expected a number, an array or a dict\n"
            "  at a.b\n  hint: give numbers as numbers, names as keys"
        )
