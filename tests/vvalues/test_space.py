"""Spaces: a lattice of sets of paths, and vectors in them."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from snakebird import vvalues as vv
from snakebird.errors import SpaceError, ValueFormatError
from snakebird.testing import floats, paths, spaces, vvalues

long = settings(max_examples=max(1000, settings().max_examples))
some = settings(max_examples=max(200, settings().max_examples))


def shaped(space: vv.Space) -> vv.Space:
    """The same paths with a shape for each, always the same one, so that no two spaces clash."""
    return vv.Space({p: [(), (2,), (1, 2)][len("".join(p)) % 3] for p in space.paths})


@long
@given(spaces(), spaces(), spaces())
def test_lattice(a, b, c):
    a, b, c = map(shaped, (a, b, c))
    assert a | b == b | a
    assert a & b == b & a
    assert (a | b) | c == a | (b | c)
    assert (a & b) & c == a & (b & c)
    assert a | (a & b) == a & (a | b) == a == a | a == a & a
    assert a <= a | b
    assert a & b <= a
    assert (a <= b) == (a | b == b) == (a & b == a)
    assert (a <= b and b <= a) == (a == b)
    assert a | vv.Space() == a
    assert (a | b).paths == tuple(sorted({*a.paths, *b.paths}))
    assert (hash(a | b), a | b) == (hash(b | a), b | a)
    assert a.clash(b) is None


@long
@given(spaces(), spaces(), spaces())
def test_inclusions_compose(a, b, c):
    a, b, c = map(shaped, (a, b, c))
    middle, large = a | b, a | b | c
    small = a.inclusion(middle)
    assert (middle.inclusion(large)[small] == a.inclusion(large)).all()
    assert (a.inclusion(a) == np.arange(a.size)).all()
    assert len(set(a.inclusion(large).tolist())) == a.size
    for path in a.paths:
        place = a.inclusion(large)[a.slot(path)]
        assert (place == np.arange(large.size)[large.slot(path)]).all()


@long
@given(spaces(), paths())
def test_parts(space, prefix):
    space = shaped(space)
    assert space.under(prefix).sub(prefix) == space
    assert space.under(prefix).paths == tuple((*prefix, *path) for path in space.paths)
    part = space.sub(prefix)
    assert part.under(prefix) <= space
    assert space.paths_below(prefix) == part.under(prefix).paths
    run = space.below(prefix)
    assert run.stop - run.start == part.size
    assert (part.under(prefix).inclusion(space) == np.arange(space.size)[run]).all()
    slots = [k for path in space.paths for k in range(*space.slot(path).indices(space.size))]
    assert slots == list(range(space.size))
    assert list(space.paths) == sorted(set(space.paths))
    assert space.keys == tuple(dict.fromkeys(path[0] for path in space.paths if path))
    assert all(path in space for path in space.paths)
    assert len(space.listing().split("\n")) >= len(space)


@long
@given(vvalues(floats))
def test_unflatten_undoes_numbers(tree):
    space = vv.Space.of(tree)
    numbers = dict(vv.stored(tree))
    vector = np.array([numbers[path] for path in space.paths], float)
    assert vv.canonical(space.unflatten(vector)) == vv.canonical(tree)
    assert set(vv.canonical(tree)) <= set(space.paths)
    assert space.size == len(space) == vv.count(tree, zeros=True)
    assert vv.space_of(tree) == space


@some
@given(vvalues(floats), spaces())
def test_flatten_and_unflatten(tree, more):
    flat = vv.flatten(tree)
    assert vv.canonical(vv.unflatten(flat)) == vv.canonical(tree)
    assert flat.space == vv.Space.of(tree)
    wide = flat.space | more
    wider = vv.flatten(tree, wide)
    assert wider.space == wide
    assert vv.canonical(wider) == vv.canonical(tree)
    assert (vv.flatten(flat, wide).data == wider.data).all()
    assert vv.flatten(flat, flat.space) is flat
    cut = vv.restrict(tree, more)
    assert cut.space == more
    assert vv.canonical(cut) == {p: x for p, x in vv.canonical(tree).items() if p in more}


@some
@given(spaces(), st.integers(0, 99))
def test_arrays_keep_their_shape(space, seed):
    space = shaped(space)
    vector = np.random.default_rng(seed).integers(1, 9, space.size).astype(float)
    tree = space.unflatten(vector)
    assert {path: vv.shape_of(leaf) for path, leaf in vv.entries(tree)} == dict(space.items)
    assert (vv.flatten(tree).data == vector).all()
    batch = space.unflatten(np.stack([vector, 2 * vector]))
    for path, leaf in vv.entries(batch):
        assert leaf.shape == (2, *space.shape(path))
        assert (leaf[1] == 2 * leaf[0]).all()


def test_zeros_that_are_written_fit_everywhere():
    space = vv.Space({("a",): (3,)})
    for zero in ({"b": 0}, {"a": 0.0}, {"b": {"c": np.zeros(2)}}, 0):
        assert (vv.flatten(zero, space).data == 0).all()


def test_a_wrong_path():
    with pytest.raises(ValueFormatError) as caught:
        vv.Space(["ab"])
    assert str(caught.value) == "a path is 'ab', expected a tuple of strings\n  hint: write ('ab',)"
    with pytest.raises(SpaceError) as caught:
        vv.Space([("a",)]).slot(("b",))
    assert str(caught.value) == "no path b in Space(a)\n  hint: union the spaces first"


def test_a_value_that_does_not_fit():
    small, large = vv.Space([("a",)]), vv.Space([("a",), ("b", "c"), ("d.e",)])
    for attempt in (
        lambda: large.inclusion(small),
        lambda: vv.flatten(vv.flatten({"a": 1, "b": {"c": 2}, "d.e": 3}), small),
    ):
        with pytest.raises(SpaceError) as caught:
            attempt()
        assert str(caught.value) == (
            "the space has no room for b.c and 1 more\n  hint: union the spaces first"
        )
    with pytest.raises(SpaceError) as caught:
        vv.flatten({"d.e": 1}, small)
    assert str(caught.value) == (
        "the space has no room for ['d.e']\n  hint: union the spaces first"
    )


def test_shapes_that_clash():
    number, array = vv.Space([("a", "b")]), vv.Space({("a", "b"): (2, 3)})
    text = (
        "leaves of shape {} and {} meet\n  at a.b\n"
        "  hint: bring both to one shape, or give them different keys"
    )
    assert number.clash(array) == ("a", "b")
    assert number & array == vv.Space()
    assert not number <= array
    tree, other = {"a": {"b": 1.0}}, {"a": {"b": np.ones((2, 3))}}
    attempts = [
        lambda: number | array,
        lambda: number.inclusion(array),
        lambda: vv.flatten(tree, array),
        lambda: vv.flatten(vv.flatten(tree), array),
        lambda: vv.add(tree, other),
        lambda: vv.add(vv.flatten(tree), other),
        lambda: vv.combine(max, tree, other),
        lambda: vv.combine(max, tree, vv.flatten(other)),
    ]
    for attempt in attempts:
        with pytest.raises(SpaceError) as caught:
            attempt()
        assert str(caught.value) == text.format([], [2, 3])


def test_a_space_survives_the_journey_to_another_process():
    code = (
        "import pickle, sys\n"
        "from snakebird.vvalues import Space\n"
        "space = pickle.load(sys.stdin.buffer)\n"
        "again = Space({('a', 'π'): (), ('b',): (2,)})\n"
        "assert space == again and hash(space) == hash(again) and space <= again, space\n"
    )
    space = vv.Space({("a", "π"): (), ("b",): (2,)})
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(space),
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
