"""Neurons that emit matrix updates: what they emit, laws, both carriers, errors."""

from fractions import Fraction
from typing import Any

import jax.numpy as jnp
import pytest
from hypothesis import given, settings, strategies as st

from snakebird import neurons as n, vvalues as vv
from snakebird.errors import MachineError, RoomError
from snakebird.testing import check_neuron

MATRIX = {
    "a": {"x": {"a": {"out": 0.5}, "b": {"out": 2.0}}},
    "b": {"x": {"c": {"out": -1.5}}, "y": {"a": {"out": 0.75}}},
    "c": {"x": {"b": {"out": {"key": 1.25}}}},
}
GATE = {"gate": 0.6}

SPECIAL = {
    "add": (n.add_update(at=("a", "x")), {"by": {"b": {"out": 0.5}}}),
    "set": (
        n.set_update(at=("b", "x")),
        {"matrix": MATRIX, "value": {"a": {"out": 2.5}}, **GATE},
    ),
    "move": (n.move_update(at=("a", "x"), to=("c", "x")), {"matrix": MATRIX, **GATE}),
    "clone": (n.clone_update(old=("a", "b"), new=("d", "e")), {"matrix": MATRIX, **GATE}),
    "clone onto a source": (n.clone_update(old=("a",), new=("b",)), {"matrix": MATRIX, **GATE}),
    "insert": (
        n.insert_update(
            at=("a", "x"), new=("d", "x", "result"), side=("c", "out"), share=0.25
        ),
        {"matrix": MATRIX, **GATE, "late": 0.8},
    ),
    "erase": (n.erase_update(), {"matrix": MATRIX, "symbol": {"a": 0.5, "b": 0.3}}),
    "allocate": (
        n.allocate_update(
            slots=("c", "p"), row=("x", "late", "result"), loop=("accum", "result")
        ),
        {
            "matrix": {"p": {"x": {"late": {"result": {"u": 1.0}}}}},
            "key": {"u": 0.5, "w": 0.7, "v": 1.2, "minus": -1.0},
        },
    ),
    "guard": (
        n.guard(links=2, change=1.7),
        {
            "delta": {
                "a": {"x": {"a": {"out": 1.5}, "c": {"out": 0.5}, "e": {"out": -0.6}}},
                "b": {"x": {"b": {"out": 0.55}}, "y": {"b": {"out": 9.0}}},
            },
            "matrix": {"a": {"x": {"a": {"out": 0.5}}}},
            "mask": {"a": 1.0, "b": {"x": 0.9}},
        },
    ),
}  # fmt: skip


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("allocate", "clone")]


@pytest.mark.parametrize("name", [*(k for k in SPECIAL if k not in ("allocate", "clone")), *SLOW])
def test_at_special_inputs(name):
    neuron, inputs = SPECIAL[name]
    check_neuron(neuron, inputs=inputs)


small = st.fractions(-3, 3, max_denominator=4)
ends = st.sampled_from(["a", "b", "c"])
paths = st.tuples(ends, st.sampled_from(["x", "y"]), ends, st.just("out"))


def tree(items: dict) -> Any:
    """A tree, made without the package, whose run-time checks would draw inside a strategy."""
    root: dict = {}
    for (*above, last), leaf in ((path, leaf) for path, leaf in items.items() if leaf):
        node = root
        for key in above:
            node = node.setdefault(key, {})
        node[last] = leaf
    return root


matrices = st.dictionaries(paths, small, max_size=7).map(tree)


def updated(matrix: Any, update: Any) -> Any:
    return vv.add(matrix, update)


@settings(max_examples=40)
@given(matrices, matrices, small)
def test_set_brings_the_matrix_there_or_part_of_the_way(matrix, target, gate):
    there = n.set_update(matrix, vv.get(target, "a", "x"), 1, at=("a", "x"))
    assert vv.get(updated(matrix, there), "a", "x") == vv.get(target, "a", "x")
    assert all(path[:2] == ("a", "x") for path, _ in vv.entries(there))
    part = n.set_update(matrix, vv.get(target, "a", "x"), gate, at=("a", "x"))
    assert vv.equal(part, vv.scale(gate, there))


@settings(max_examples=40)
@given(matrices, small)
def test_move_takes_a_row_from_one_place_to_the_other(matrix, gate):
    after = updated(matrix, n.move_update(matrix, 1, at=("a", "x"), to=("b", "y")))
    assert vv.get(after, "a", "x") == {}
    row = vv.add(vv.get(matrix, "a", "x"), vv.get(matrix, "b", "y"))
    assert vv.equal(vv.get(after, "b", "y"), row)
    back = n.move_update(matrix, gate, at=("a",), to=("a",))
    assert back == {}


@settings(max_examples=40)
@given(matrices, small)
def test_clone_copies_every_entry_of_the_rows_times_its_gate(matrix, gate):
    names, copies = {"a": "d", "b": "e"}, {}
    for (to, port, source, *rest), weight in vv.entries(matrix):
        if to in names:
            path = (names[to], port, names.get(source, source), *rest)
            copies = vv.add(copies, vv.put({}, path, weight))
    found = n.clone_update(matrix, gate, old=tuple(names), new=tuple(names.values()))
    assert vv.equal(found, vv.scale(gate, copies))


@settings(max_examples=40)
@given(matrices, st.sampled_from(["a", "b", "c", "none"]))
def test_erase_leaves_exactly_the_links_of_the_others(matrix, name):
    after = updated(matrix, n.erase_update(matrix, {name: 1}))
    assert vv.equal(after, vv.select(matrix, lambda p: name not in (p[0], p[2])))
    both = updated(matrix, n.erase_update(matrix, {name: 1, "b": 1}))
    assert vv.equal(both, vv.select(matrix, lambda p: not {name, "b"} & {p[0], p[2]}))


@settings(max_examples=40)
@given(matrices, st.fractions(0, 1, max_denominator=4))
def test_erase_is_linear_in_its_token(matrix, size):
    whole = n.erase_update(matrix, {"a": 1})
    assert vv.equal(n.erase_update(matrix, {"a": size}), vv.scale(size, whole))


@settings(max_examples=40)
@given(matrices)
def test_insert_opens_first_and_turns_a_tick_later(matrix):
    neuron = n.insert_update(at=("a", "x"), new=("d", "x", "result"))
    first = neuron.apply({"matrix": matrix, "gate": 1})
    assert first["late"] == 1
    opened = updated(matrix, first["result"])
    assert vv.get(opened, "d", "x") == vv.get(matrix, "a", "x") == vv.get(opened, "a", "x")
    after = updated(opened, neuron.apply({"matrix": opened, "late": 1})["result"])
    assert vv.get(after, "a") == vv.add(
        vv.select(vv.get(matrix, "a"), lambda p: p[0] != "x"), {"x": {"d": {"result": 1}}}
    )
    assert vv.get(after, "d", "x") == vv.get(matrix, "a", "x")


tokens = st.dictionaries(st.sampled_from("uvwz"), st.sampled_from([0, 1, 2, -1]), max_size=4)


@settings(max_examples=12)
@given(st.lists(tokens, max_size=5), st.integers(0, 3))
@pytest.mark.slow
def test_allocation_is_that_of_a_dict_on_both_carriers(arriving, count):
    slots = ("n2", "n0", "n1")[:count]
    given_away: dict[str, str] = {}
    neuron = n.allocate_update(slots=slots, row=("x", "m", "out"))
    matrix: Any = {}
    for keys in arriving:
        refused = {}
        for key in sorted(key for key, amount in keys.items() if amount > 0):
            if key in given_away:
                continue
            if len(given_away) < len(slots):
                given_away[key] = slots[len(given_away)]
            else:
                refused[key] = keys[key]
        found = neuron.apply({"matrix": matrix, "key": keys})
        flat = neuron.apply({"matrix": vv.flatten(matrix), "key": vv.flatten(keys)})
        if slots:
            assert vv.equal(found, flat)
        assert found["refused"] == refused or not slots
        matrix = updated(matrix, found["result"])
        held = {p[4]: p[0] for p, _ in vv.entries(matrix)}
        assert held == given_away


@settings(max_examples=40)
@given(matrices, matrices, st.integers(0, 3), st.fractions(0, 4, max_denominator=2))
def test_a_guard_keeps_its_promises(delta, matrix, links, change):
    mask = {"a": 1, "b": {"x": 1}}
    given_ = {"delta": delta, "matrix": matrix, "mask": mask}
    found = n.guard(links=links, change=change).apply(given_)
    passed = found["result"]
    assert vv.equal(vv.add(passed, found["refused"]), delta)
    assert vv.norm(passed, 1) <= change
    stands = {p for p, _ in vv.entries(matrix)}
    new = {p for p, _ in vv.entries(passed)} - stands
    assert len(new) <= links
    assert all(p[0] == "a" or p[:2] == ("b", "x") for p, _ in vv.entries(passed))
    # What is let pass keeps its direction: one factor for all.
    asked = dict(vv.entries(delta))
    factors = {Fraction(x) / asked[p] for p, x in vv.entries(passed)}
    assert len(factors) <= 1
    if vv.norm(delta, 1) <= change and not {p for p in asked if p not in stands}:
        inside = {p: x for p, x in asked.items() if p[0] == "a" or p[:2] == ("b", "x")}
        assert vv.equal(passed, vv.grow(inside))


def test_the_largest_new_links_pass_and_of_equal_ones_the_first():
    delta = {"a": {"x": {k: {"out": v} for k, v in {"p": 1, "q": -3, "r": 2, "s": -2}.items()}}}
    for value in (delta, vv.flatten(delta)):
        found = n.guard(links=2).apply({"delta": value, "mask": 1})["result"]
        assert vv.equal(found, {"a": {"x": {"q": {"out": -3}, "r": {"out": 2}}}})


def test_without_a_mask_nothing_may_change():
    delta = {"a": {"x": {"b": {"out": 1}}}}
    assert n.guard().apply({"delta": delta}) == {"result": {}, "refused": delta}
    with pytest.raises(RoomError) as caught:
        n.guard(strict=True).apply({"delta": delta})
    assert str(caught.value) == (
        "an update changes a.x <- b.out, which may not change\n"
        "  at the mask, which allows nothing\n"
        "  hint: let the mask allow it: {'a': 1}, or write strict=False to drop it"
    )


def test_a_strict_guard_looks_at_arrays_too():
    delta = {"a": {"x": {"b": {"out": jnp.asarray(0.5)}}, "y": {"b": {"out": jnp.asarray(0.0)}}}}
    neuron = n.guard(strict=True)
    found = neuron.apply({"delta": delta, "mask": {"a": {"x": 1}}})
    assert vv.equal(found["result"], {"a": {"x": {"b": {"out": 0.5}}}})
    with pytest.raises(RoomError, match=r"changes a\.x <- b\.out, which may not change"):
        neuron.apply({"delta": delta, "mask": {"a": {"y": 1}}})


@pytest.mark.parametrize(
    ("make", "what", "hint"),
    [
        (
            lambda: n.move_update(at=("a", "x"), to=("b",)),
            "at=('a', 'x') and to=('b',), expected places of one kind",
            'give two rows, at=("n", "x"), to=("m", "x"), or two entries',
        ),
        (
            lambda: n.clone_update(old=("a", "b"), new=("c", "c")),
            "old=('a', 'b') and new=('c', 'c'), expected a name of its own for the copy of each",
            'write old=("a", "b"), new=("a2", "b2")',
        ),
        (
            lambda: n.insert_update(at=("a",), new=("d",)),
            "at=('a',) and new=('d',), expected an input and a neuron with two ports",
            'write at=("n", "x"), new=("mix", "x", "result")',
        ),
        (
            lambda: n.allocate_update(slots=("a",), row=("x",)),
            "row=('x',), expected an input of the slots and the stream it shall read",
            'write row=("x", "late", "result")',
        ),
        (
            lambda: n.allocate_update(slots=("a",), row=("x", "m"), loop=("accum",)),
            "loop=('accum',), expected an input and an output of the slots",
            'write loop=("accum", "result")',
        ),
    ],
)
def test_what_cannot_be(make, what, hint):
    with pytest.raises(MachineError) as caught:
        make()
    assert (caught.value.what, caught.value.hint) == (what, hint)
