"""Space inference, and the room that `grow=` reserves."""

from typing import Any

import numpy as np
import pytest

from snakebird import neurons as sn, vvalues as vv
from snakebird.errors import RoomError
from snakebird.lowering import Room, infer, lower, state_of
from snakebird.lowering._parameters import split
from snakebird.machines import Link, Machine, run


def spaces(machine: Machine, grow: Any = None) -> Any:
    return infer(machine, {name: split(n, float) for name, n in machine.neurons.items()}, grow)


def test_a_chain_carries_the_space_of_its_source():
    machine = Machine(
        {
            "c": sn.constant(value={"a": 1.0, "b": {"c": 2.0}}),
            "n": "relu",
            "m": "compare",
            "out": "output",
        },
        [
            "n.x <- c.result",
            "m.x <- n.result.a",
            "out.whole <- n",
            "out.part <- n.result.b",
            "out.no <- m",
        ],
    )
    found = spaces(machine)
    assert found.outputs["n"].paths == (("result", "a"), ("result", "b", "c"))
    assert found.inputs["m"].paths == (("x",),)
    assert found.outputs["m"].paths == (("false",), ("true",))
    assert found.outputs["out"].paths == (
        ("no", "false"), ("no", "true"), ("part", "c"), ("whole", "result", "a"),
        ("whole", "result", "b", "c"),
    )  # fmt: skip
    assert not found.clipped


def test_a_cycle_carries_the_union_of_what_enters_it():
    machine = Machine(
        {"c": sn.constant(value={"a": 1.0}), "d": sn.constant(value=2.0),
         "n": "accumulator", "m": "relu"},
        ["n.accum <- m.result", "m.x <- n.result", "n.delta <- c.result", "m.x <- d.result"],
        {"m": {"result": {"b": 1.0}}},
    )  # fmt: skip
    found = spaces(machine)
    for name in ("n", "m"):
        assert found.outputs[name].sub(("result",)).paths == ((), ("a",), ("b",))


def test_a_carried_matrix_has_room_for_its_updates_and_for_what_they_connect():
    update = {"n": {"x": {"c": {"result": 1.0}}}, "self": {"delta": {"late": {"result": 1.0}}}}
    later = {"m": {"x": {"n": {"result": 2.0}}}}
    machine = Machine(
        {"self": "accumulator", "u": sn.constant(value=update), "late": sn.constant(value=later),
         "c": sn.constant(value={"a": 1.0}), "n": "identity", "m": "identity"},
        ["self.accum <- self.result", "self.delta <- u.result"],
        matrix_from="self.result",
    )  # fmt: skip
    found = spaces(machine)
    assert set(found.links) == {
        ("self", "accum", "self", "result"),
        ("self", "delta", "u", "result"),
        ("self", "delta", "late", "result"),
        ("n", "x", "c", "result"),
        ("m", "x", "n", "result"),
    }
    assert found.outputs["m"].paths == (("result", "a"),)
    low, expected = lower(machine, record="all"), run(machine, 8)
    for want, got in zip(expected, low(ticks=8).ticks(), strict=True):
        assert not vv.diff(want.outputs, got.outputs, 1e-12)
    assert expected["m.result"][-1] != {}


def grower() -> Machine:
    return Machine(
        {"step": sn.constant(value={"z": 0.5}), "list": "outer", "top": "relu"},
        ["list.x <- list.result", "list.y <- step.result", "top.x <- list.result"],
        {"step": {"result": {"z": 0.5}}, "list": {"result": {"k": 1.0}}},
    )


def depths(count: int) -> list[vv.Path]:
    return [("k", *("z",) * n) for n in range(count)]


@pytest.mark.parametrize(
    "grow",
    [
        4,
        {"list.result": depths(5)},
        {("list", "result"): vv.Space(depths(5))},
        {"list.result": vv.grow(dict.fromkeys(depths(5), 1.0))},
        {"list": [("result", *path) for path in depths(5)]},
        {"list.result.k": [path[1:] for path in depths(5)]},
        Room(vv.Space([("list", "result", *path) for path in depths(5)]), 0),
        Room(ticks=4),
    ],
    ids=["ticks", "paths", "space", "tree", "neuron", "part", "room", "room-ticks"],
)
def test_room_in_all_its_forms(grow: Any):
    low, expected = lower(grower(), record="all", grow=grow), run(grower(), 4)
    for want, got in zip(expected, low(ticks=4).check().ticks(), strict=True):
        assert not vv.diff(want.outputs, got.outputs, 1e-12)
    last = low.plan.spaces.outputs["list"].sub(("result",))
    assert vv.Space(depths(5)) <= last
    assert "list" in low.plan.spaces.clipped
    with pytest.raises(RoomError, match="'list' outgrew its room"):
        low(ticks=len(last) + 1).check()


def test_room_that_is_never_needed_changes_nothing():
    machine = Machine({"n": "timer", "m": "relu"}, ["n.timer <- n.timer", "m.x <- n.timer"])
    wide = lower(machine, record="all", grow={"n.timer": [("spare",), ("more", "spare")]})
    for grow in (10, Room(ticks=10)):
        assert lower(machine, grow=grow).plan.spaces == lower(machine).plan.spaces
    assert wide.plan.spaces.outputs["m"].sub(("result",)).paths == (
        (),
        ("more", "spare"),
        ("spare",),
    )
    trace = wide(ticks=3).check()
    assert trace["m.result"].data.tolist() == [[0, 0, 0], [1, 0, 0], [2, 0, 0]]


def test_the_space_of_a_port_is_readable():
    machine = Machine(
        {
            "c": sn.constant(value={"a": 1.0, "im": np.ones((2, 3))}),
            "n": "identity",
            "out": "output",
        },
        [Link("out", "p", ("n", "result"), 1), "n.x <- c.result"],
    )
    space = lower(machine)(ticks=1)["out.p"].space
    assert repr(space) == "Space(a, im[2, 3])"
    assert space.listing() == "     0  a\n     1  im  [2, 3]"
    assert lower(machine).plan.spaces.outputs["n"].sub(("result",)) == space


def test_a_state_is_made_of_outputs_and_read_back():
    low = lower(grower(), record="all", grow=6)
    state = low(ticks=3).state
    outputs = low.outputs(state)
    again = state_of(low, outputs, 3)
    assert low.outputs(again) == outputs
    found, expected = low(ticks=2, state=again), low(ticks=2, state=state)
    assert found["list.result"].data.tolist() == expected["list.result"].data.tolist()


@pytest.mark.parametrize("late", [0, 1, 4])
def test_room_for_ticks_lasts_where_growth_begins_late_and_goes_through_instant_links(late: int):
    names = [f"on{k}" for k in range(late)]
    sources = ["c", *names]
    machine = Machine(
        {
            "c": sn.constant(value={"a": 1.0}),
            **dict.fromkeys([*names, "n", "m"], "identity"),
        },
        [
            *(f"{name}.x <- {source}.result" for name, source in zip(names, sources, strict=False)),
            f"n.x <- {sources[-1]}.result",
            Link("n", "x", ("m",)),
            Link("m", "x", ("n", "result"), instant=True),
        ],
    )
    ticks = 14
    trace = lower(machine, record="all", grow=ticks)({}, ticks).check()
    assert trace.ticks()[-1].outputs["n"] == run(machine, ticks).last["n"]
