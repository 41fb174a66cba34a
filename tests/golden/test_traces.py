"""The published machines of numbers and trees, tick by tick in both engines."""

from typing import Any

import pytest

from snakebird import vvalues as vv
from tests.golden.programs import (
    ENGINES,
    async_accumulator,
    detector,
    distance,
    feed_forward,
    frames,
    golden,
    live_edit,
    wave,
)

both_engines = pytest.mark.parametrize("engine", ENGINES)
same = vv.canonical


@both_engines
def test_wave_moves_through_the_row_of_self_exactly_as_published(engine: str) -> None:
    trace, machine = golden("wave"), wave()
    assert same(machine.first_outputs) == same(trace["start"])
    assert len(trace["delta_rows"]) == 26

    found = frames(machine, 25, engine)

    network = dict(trace["start"]["self"]["result"])
    for now, row in zip(found, trace["delta_rows"][1:], strict=True):
        network["self"] = {**network["self"], "delta": row}
        assert same(now.outputs["self"]["result"]) == same(network)
    for tick, inputs, outputs in trace["states"]:
        assert same(found[tick - 1].inputs) == same(inputs)
        assert same(found[tick - 1].outputs) == same(outputs)


def _cases(names: Any, quick: Any) -> pytest.MarkDecorator:
    """All names in the lowered engine; in the readable one only the quick ones unless asked for."""
    cases = [
        pytest.param(
            engine,
            name,
            marks=[pytest.mark.slow] if engine == "readable" and name not in quick else [],
        )
        for engine in ENGINES
        for name in names
    ]
    return pytest.mark.parametrize(("engine", "name"), cases)


@_cases(golden("detector")["runs"], quick=["test string."])
def test_detector_counts_exactly_as_published(engine: str, name: str) -> None:
    trace, machine = golden("detector"), detector(name)
    assert same(machine.first_outputs) == same(trace["start"])
    rows, changes = trace["runs"][name]["rows"], dict(trace["runs"][name]["accumulated"])
    assert len(rows) in (160, 260)

    found = frames(machine, len(rows), engine, record=[*COLUMNS, *ANSWERS, "accum.result"])

    accumulated: Any = {}
    for tick, (now, row) in enumerate(zip(found, rows, strict=True)):
        accumulated = changes.get(tick, accumulated)
        wanted = [row[0], {row[1]: 1} if row[1] else {}, *row[2:], accumulated]
        assert [same(value) for value in _columns(now)] == [same(value) for value in wanted], tick


COLUMNS = ("timer.timer", "input.char", "norm.norm", "compare.true", "compare.false", "dot.dot")
ANSWERS = ("output.dict-1", "output.dict-2")


def _columns(now: Any) -> list[Any]:
    """What a row of the detector's table holds, and what its accumulator does."""
    outputs = [vv.get(now.outputs, *port.split(".")) for port in COLUMNS]
    answers = [vv.get(now.inputs, *port.split(".")) for port in ANSWERS]
    return [*outputs, *answers, vv.get(now.outputs, "accum", "result")]


@both_engines
def test_detector_holds_the_published_states(engine: str) -> None:
    states = golden("detector")["states"]
    assert sorted(states) == ["0", "1", "144", "34"]
    found = frames(detector(), 35 if engine == "readable" else 145, engine)
    for tick, (inputs, outputs) in states.items():
        if int(tick) >= len(found):
            continue
        now = found[int(tick)]
        for tree, wanted in ((now.inputs, inputs), (now.outputs, outputs)):
            assert same({n: t for n, t in tree.items() if n != "self"}) == same(wanted), tick


EVENTS = {"async_accumulator": (async_accumulator, 15, None), "live_edit": (live_edit, 17, 4)}


@both_engines
@pytest.mark.parametrize("name", EVENTS)
def test_machines_with_events_from_outside_follow_the_published_trace(
    engine: str, name: str
) -> None:
    make, length, grow = EVENTS[name]
    rows = golden(name)["rows"]
    assert len(rows) == length
    machine, inputs = make()
    _, present, _, outputs, network = rows[0]
    assert same(machine.first_outputs) == same({**outputs, "self": {"result": network}})
    assert sorted(machine.first_outputs) == present

    found = frames(machine, length - 1, engine, inputs=inputs, grow=grow)

    for now, (tick, present, wanted_inputs, wanted_outputs, *changed) in zip(
        found, rows[1:], strict=True
    ):
        before, network = network, changed[0] if changed else network
        if engine == "readable":
            assert sorted(now.outputs) == present, tick
        whole = {**wanted_outputs, "self": {"result": network}}
        assert same(now.outputs) == same(whole), tick
        whole = vv.add(wanted_inputs, {"self": {"accum": before}})
        if name == "async_accumulator":
            whole = vv.add(whole, {"the-reader": {"dummy": before}})
        assert same(now.inputs) == same(whole), tick


def test_an_edit_that_cuts_the_last_link_of_a_neuron_removes_it_from_the_outputs() -> None:
    machine, inputs = live_edit()
    there = [
        "mouse-position" in now.outputs for now in frames(machine, 16, "readable", inputs=inputs)
    ]
    assert [tick for tick, is_there in enumerate(there, 1) if is_there] == [5, 6, 7, 8]


@pytest.mark.parametrize(
    ("engine", "ticks"),
    [
        ("readable", 11),
        pytest.param("readable", 150, marks=pytest.mark.slow),
        ("lowered", 150),
    ],
)
def test_superfluid_network_follows_the_published_trace_and_losses(engine: str, ticks: int) -> None:
    trace = golden("superfluid")
    ports = [("output", port) for port in ("dict-1", "dict-2")]
    assert len(trace["rows"]) == 150

    found = frames(feed_forward(), ticks, engine, record=ports)

    worst, errors = 0.0, []
    for now, (_, _, *wanted, first, second) in zip(found, trace["rows"][:ticks], strict=True):
        answers = [vv.get(now.inputs, *port) for port in ports]
        worst = max([worst, *map(distance, answers, wanted)])
        gaps = [vv.number(a) - target for a, target in zip(answers, (first, second), strict=True)]
        errors.append(float(sum(gap**2 for gap in gaps)))
    assert worst < 1e-6
    losses = [(last, loss) for last, loss in trace["losses"] if last <= ticks]
    assert len(losses) == (9 if ticks == 150 else 4)
    for last, loss in losses:
        assert sum(errors[1:last]) == pytest.approx(loss, rel=2e-6), last
