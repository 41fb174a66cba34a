"""Errors say what, where and what to type; warnings name the link they are about."""

import re
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird import neurons as sn, vvalues as vv
from snakebird.errors import (
    GrowthError,
    InputError,
    MachineError,
    RoomError,
    SnakebirdError,
    UnknownNameError,
)
from snakebird.lowering import lower
from snakebird.machines import Link, Machine, run


def grower() -> Machine:
    """Its list gets one level deeper every tick."""
    return Machine(
        {"step": sn.constant(value={"z": 1.0}), "list": "outer"},
        ["list.x <- list.result", "list.y <- step.result"],
        {"step": {"result": {"z": 1.0}}, "list": {"result": {"k": 1.0}}},
    )


def counter() -> Machine:
    return Machine(
        {"s": sn.source(tokens=("a", "b")), "m": "accumulator", "out": "output"},
        ["m.accum <- m.result", "m.delta <- s.signal", "out.p <- m.result"],
    )


def raises(kind: type[SnakebirdError], text: str, function: Any, *args: Any, **given: Any) -> None:
    with pytest.raises(kind) as caught:
        function(*args, **given)
    assert str(caught.value) == text


def test_a_stream_that_never_stops_growing():
    with pytest.raises(GrowthError) as caught:
        lower(grower())
    depth = re.search(r"depth (\d+)", str(caught.value))
    assert depth
    assert int(depth[1]) > 48
    assert str(caught.value) == (
        f"the outputs of neuron 'list' never stop growing: after some ticks they reach {depth[0]}\n"
        "  at path list.result.k.z.z...\n"
        "  hint: reserve room: lower(machine, grow=100) for 100 ticks, "
        "or grow={'list.result': space}"
    )


def test_streams_that_square_themselves_are_refused_before_they_fill_the_memory():
    machine = Machine(
        {"n": "outer"},
        ["n.x <- n.result", "n.y <- n.result"],
        {"n": {"result": dict.fromkeys("abc", 1.0)}},
    )
    raises(
        GrowthError,
        "an outer product of 9840 and 9840 paths is too large\n"
        "  at neuron 'n'\n"
        "  hint: keep it below 1048576 paths",
        lower,
        machine,
    )


def test_streams_that_double_every_tick_outgrow_any_number_of_ticks(monkeypatch: Any):
    monkeypatch.setattr("snakebird.lowering._spaces.MAX_SIZE", 500)
    machine = Machine(
        {"n": "cons"}, ["n.list <- n.list", "n.signal <- n.list"], {"n": {"list": {"a": 1.0}}}
    )
    with pytest.raises(GrowthError, match="'n' never stop growing: after some ticks they have 511"):
        lower(machine, grow=30)


def test_a_large_image_is_no_growing_stream():
    machine = Machine(
        {"c": sn.constant(value=np.ones((600, 600))), "n": "identity"}, ["n.x <- c.result"]
    )
    assert lower(machine)(ticks=2)["n.result"].data.shape == (2, 360_000)


def test_leaves_that_clash_inside_a_neuron_in_both_engines():
    machine = Machine(
        {"c": sn.constant(value={"p": np.ones(2)}), "n": "accumulator"},
        ["n.accum <- n.result", "n.delta <- c.result"],
        {"n": {"result": {"p": 1.0}}},
    )
    text = (
        "leaves of shape [] and [2] meet\n"
        "  at neuron 'n' (accumulator, inputs accum and delta), p\n"
        "  hint: say shape= where the type has it, or give start values of the shape that comes"
    )
    raises(MachineError, text, lower, machine)
    raises(MachineError, text, run, machine, 2)


def test_room_that_is_exceeded():
    low = lower(grower(), grow={"list.result": [("k", "z"), ("k", "z", "z")]})
    raises(
        RoomError,
        "neuron 'list' outgrew its room at tick 5 of this run\n"
        "  at the outputs of 'list', now Space(result.k, result.k.z, result.k.z.z, "
        "result.k.z.z.z, result.k.z.z.z.z)\n"
        "  hint: reserve more with lower(machine, grow=...), or use a Runner, which grows",
        low(ticks=9).check,
    )
    low(ticks=4).check()
    batch = jax.vmap(lambda state: lower(grower(), grow=2)(ticks=20, state=state))
    first = lower(grower(), grow=2).first_state
    with pytest.raises(RoomError, match="'list' outgrew its room at tick"):
        batch(jax.tree.map(lambda x: np.stack([x, x]), first)).check()


def test_ports_that_were_not_recorded():
    trace = lower(counter())({"s": "ab"})
    raises(
        InputError,
        "m.result was not recorded\n"
        '  hint: lower(machine, record=[..., "m.result"]), or record="all"',
        lambda: trace["m.result"],
    )


def test_ports_to_record_that_do_not_exist():
    raises(
        UnknownNameError,
        "'m' has no port 'resul'\n  at record\n  hint: did you mean 'result'?",
        lower,
        counter(),
        record="m.resul",
    )
    raises(
        UnknownNameError,
        "no neuron is named 'oot'\n  at record\n  hint: did you mean 'out'?",
        lower,
        counter(),
        record=[("oot", "p")],
    )
    with pytest.raises(UnknownNameError, match="no neuron is named 'oot'"):
        lower(counter(), record="oot.p")


WIDTH = (
    "rows have 3 numbers, expected 2: Space(a, b)\n"
    "  at inputs of 's'\n"
    "  hint: give one column a path, in order, or declare tokens= or space= of the source"
)
FORM = (
    "found {}, expected one value a tick\n"
    "  at inputs of 's'\n"
    "  hint: give an array with a leading time axis, a `Flat`, a list of trees, or a text"
)
TOKEN = (
    "token 'c' at position 2 is not among the 2 tokens of 's'\n  at inputs of 's'\n"
    "  hint: known here: 'a', 'b'; or leave it out, or add it to tokens="
)
LENGTH = "nothing says how long to run\n  at inputs\n  hint: give ticks=, or inputs of some length"
UNDECLARED = "declare what may arrive: source(tokens=...) or space="


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({"s": np.ones((4, 3))}, InputError, WIDTH),
        ({"s": 3.0}, InputError, FORM.format("float")),
        ({"s": print}, InputError, FORM.format("builtin_function_or_method")),
        (
            {"ss": "ab"},
            UnknownNameError,
            "no source is named 'ss'\n  at inputs\n  hint: did you mean 's'?",
        ),
        (
            {"s": "abc"},
            InputError,
            TOKEN,
        ),
        (
            {"s": [None, {"c": 1.0}]},
            InputError,
            f"the space has no room for c\n  at inputs of 's', tick 1\n  hint: {UNDECLARED}",
        ),
        (
            {"s": vv.Flat(vv.Space([("c",), ("d",)]), jnp.ones((2, 2)))},
            InputError,
            f"the space has no room for c and 1 more\n  at inputs of 's'\n  hint: {UNDECLARED}",
        ),
        (
            {"s": [{"a": np.ones(2)}]},
            InputError,
            f"leaves of shape [2] and [] meet\n  at inputs of 's', tick 0\n  hint: {UNDECLARED}",
        ),
        (
            None,
            InputError,
            LENGTH,
        ),
    ],
    ids=["width", "number", "function", "source", "token", "tree", "flat", "shape", "length"],
)
def test_inputs_that_do_not_fit(given: Any, kind: Any, text: str):
    raises(kind, text, lower(counter()), given)


def test_inputs_of_a_source_that_nobody_reads_still_count():
    low = lower(
        Machine({"n": "timer", "s": sn.source(tokens=("a",))}, ["n.timer <- n.timer"]), record="n"
    )
    assert len(low({"s": "aaa"})) == 3
    with pytest.raises(InputError, match="token 'b' at position 0"):
        low({"s": "b"})


def test_a_random_neuron_without_a_key():
    low = lower(Machine({"dice": "noise"}))
    raises(
        InputError,
        "'dice' draws at random and there is no key\n  at neuron dice\n"
        "  hint: give key=jax.random.key(0)",
        low,
        ticks=3,
    )


def both(machine: Machine, ticks: int = 5) -> list[str]:
    """Run in both engines, which must agree; gives the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        expected = run(machine, ticks)
        found = lower(machine, record="all")(ticks=ticks).ticks()
    for want, got in zip(expected, found, strict=True):
        assert not vv.diff(want.outputs, got.outputs, 1e-12)
        inputs = {name: got.inputs.get(name, {}) for name in want.inputs}
        assert not vv.diff(want.inputs, inputs, 1e-12)
    return sorted({str(warning.message) for warning in caught})


EDIT = {
    "keep": {
        "x": {"one": {"result": 0.5}, "ghost": {"result": 1.0}},
        "nope": {"one": {"result": 1.0}},
    },
    "idle": {"x": {"ghost": {"result": 1.0}}},
    "silent": {"nope": {"one": {"result": 1.0}}},
    "ghost": {"x": {"one": {"result": 1.0}}},
    "short": 3.0,
}


def test_matrix_entries_that_address_no_link_have_no_effect_in_both_engines():
    machine = Machine(
        {"self": "accumulator", "edit": sn.constant(value=EDIT), "one": sn.constant(value=1.0),
         "keep": "cosine", "idle": "cosine", "silent": "cosine", "short": "cosine"},
        ["self.accum <- self.result", "self.delta <- edit.result"],
        matrix_from="self.result",
    )  # fmt: skip
    wanted = ["ghost.x.one.result", "idle.x.ghost.result", "keep.nope.one.result",
              "keep.x.ghost.result", "short", "silent.nope.one.result"]  # fmt: skip
    assert both(machine) == [
        f"the matrix entry {path} addresses no link of this machine and has no effect"
        for path in wanted
    ]
    last = run(machine, 5).last
    assert "keep" in last
    assert not {"idle", "silent", "short"} & last.keys()


IMAGE = np.arange(4.0).reshape(2, 2)
KINDS = {
    "number": sn.constant(value={"p": 2.0, "q": 1.0}),
    "image": sn.constant(value={"p": IMAGE, "q": 0.5}),
    "wide": sn.constant(value={"p": np.ones(3), "r": 4.0}),
}


def kind_warning(link: str, shape: list[int]) -> str:
    what = f"the link {link} carries another kind of stream and counts as zero"
    return f"{what}: leaves of shape {shape}"


@pytest.mark.parametrize(
    ("links", "dropped"),
    [
        (["x.x <- number.result", "x.x <- 2 * image.result"], [("number.result", [])]),
        (
            ["x.x <- wide.result", "x.x <- 2 * number.result", "x.x <- image.result"],
            [("number.result", []), ("wide.result", [3])],
        ),
        ([Link("x", "x", ("image", "result"), 1, instant=True),
          Link("x", "x", ("wide", "result"), 1, instant=True)], [("wide.result", [3])]),
        (["x.x <- number.result.p", "x.x <- wide.result.p"], [("wide.result.p", [3])]),
        (["x.x <- image", "x.x <- number"], [("number", [])]),
    ],
)  # fmt: skip
def test_another_kind_of_stream_counts_as_zero_in_both_engines(links: Any, dropped: Any):
    machine = Machine({**KINDS, "x": "identity", "y": "identity"}, [*links, "y.x <- x.result"])
    assert both(machine) == sorted(kind_warning(f"x.x <- {name}", shape) for name, shape in dropped)


def test_instant_links_come_after_the_others():
    machine = Machine(
        {**KINDS, "x": "identity"},
        [Link("x", "x", ("image", "result"), 1, instant=True), "x.x <- wide.result"],
        {"wide": {"result": {"p": np.ones(3), "r": 4.0}}},
    )
    found = both(machine)
    assert found == [kind_warning("x.x <- image.result", [2, 2])]


def test_kinds_that_meet_in_a_matrix_that_is_edited():
    machine = Machine(
        {**KINDS, "self": "accumulator", "x": "identity",
         "edit": sn.constant(value={"x": {"x": {"wide": {"result": 0.5}}}})},
        ["self.accum <- self.result", "self.delta <- edit.result", "x.x <- image.result"],
        matrix_from="self.result",
    )  # fmt: skip
    assert both(machine, 6) == [kind_warning("x.x <- wide.result", [3])]
