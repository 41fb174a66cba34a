"""Saving, restoring and playing again: bit for bit, and no damaged file goes unnoticed."""

import json

import numpy as np
import pytest

import snakebird as sb
from snakebird.errors import FileFormatError, MachineError
from snakebird.machines import Machine
from snakebird.running import Runner
from snakebird.running._record import same


@sb.machine
def clicks(click: sb.Numbers("x", "y")):
    noise = sb.noise()
    return {"list": sb.cons(signal=click).list, "walk": sb.accumulate(0.1 * noise)}


def busy() -> Runner:
    """A runner to which everything has happened, in the middle of a growing list."""
    runner = Runner(clicks, key=3, chunk=4, grow=2)
    runner.send("click", [{"x": 0.1 * k, "y": -1 / 3} for k in range(1, 15)]).advance(4)
    runner.edit("output.extra <- 0.3 * noise.result").advance(4)
    return runner.set_output("noise.result", 0.1)


def going_on(runner: Runner) -> Runner:
    return runner.advance(4).send("click", [None, {"x": 7}]).advance(5)


@pytest.mark.slow
def test_a_restored_runner_goes_on_as_the_other_would_have(tmp_path):
    runner = busy()
    runner.save(tmp_path / "run.json")
    restored = Runner.restore(tmp_path / "run.json")
    assert same(restored.recorded, runner.recorded)
    assert restored.pending == runner.pending
    assert restored.machine == runner.machine
    going_on(runner), going_on(restored)
    assert same(restored.recorded, runner.recorded)
    assert restored.events == runner.events
    assert runner.lowered.plan.template.neurons.keys() == clicks.neurons.keys()


def test_a_restored_runner_can_be_played_again(tmp_path):
    runner = busy()
    runner.save(tmp_path / "run.json")
    again = Runner.restore(tmp_path / "run.json").replay()
    assert same(again.recorded, runner.recorded)


def test_saving_is_stable_and_leaves_nothing_beside(tmp_path):
    runner = busy()
    runner.save(tmp_path / "a.json")
    Runner.restore(tmp_path / "a.json").save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_numbers_keep_every_bit(tmp_path):
    values = {"a": 0.1, "b": 1e-300, "c": np.pi * 1e200, "d": np.float32(0.1).item()}
    machine = Machine({"m": "memory"}, ["m.x <- m.result"], {"m": {"result": values}})
    runner = Runner(machine).advance(1).set_output("m.result.e", float("inf")).advance(1)
    runner.save(tmp_path / "run.json")
    assert Runner.restore(tmp_path / "run.json").outputs == runner.outputs
    assert runner.outputs["m"]["result"] == {**values, "e": float("inf")}


def test_the_file_is_whole_or_the_old_one(tmp_path):
    path = tmp_path / "run.json"
    runner = Runner(Machine({"n": "timer"}, ["n.timer <- n.timer"])).advance(1)
    runner.save(path)
    before = path.read_bytes()
    called = sb.call_neuron(lambda x: x)
    runner.replace(Machine({"c": called, "n": "timer"}, ["c.x <- n.timer"]))
    with pytest.raises(MachineError):
        runner.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "this is not JSON, or the end of it is missing"),
        (lambda text: "", "this is not JSON"),
        (lambda text: "[1, 2]", "this file holds no runner"),
        (lambda text: text.replace('"version": 1', '"version": 9'), "version 9 of the file"),
        (lambda text: text.replace('"chunk"', '"chnk"'), "its part 'chunk' is missing"),
        (
            lambda text: text.replace('{"timer": 2.0}', '{"timer": "x"}'),
            "found 'x', expected a number",
        ),
        (lambda text: text.replace('"float64"', '"floaty"'), "the file is damaged"),
    ],
)
def test_damaged_files(tmp_path, damage, message):
    path = tmp_path / "run.json"
    Runner(Machine({"n": "timer"}, ["n.timer <- n.timer"])).advance(2).save(path)
    path.write_text(damage(path.read_text("utf-8")), "utf-8")
    with pytest.raises(FileFormatError, match=message):
        Runner.restore(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileFormatError, match="cannot read the file"):
        Runner.restore(tmp_path / "none.json")
    with pytest.raises(FileFormatError, match="cannot read the file"):
        Runner.restore(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\x00\x80")
    with pytest.raises(FileFormatError, match="not a text file"):
        Runner.restore(tmp_path / "bytes")


def test_the_file_can_be_read_by_people(tmp_path):
    Runner(Machine({"n": "timer"}, ["n.timer <- n.timer"]), key=1).advance(2).save(tmp_path / "r")
    data = json.loads((tmp_path / "r").read_text("utf-8"))
    assert data["now"]["tick"] == 2
    assert data["now"]["outputs"] == {"n": {"timer": 2.0}}
    assert data["key"]["words"] == [0, 1]


RECORDS = [
    None,
    "all",
    "n.timer",
    "n",
    ("n", "timer"),
    ["n.timer"],
    [("n", "timer")],
    ["n.timer", ("r", "result")],
    ("n.timer", "r.result"),
    (("n", "timer"), "r"),
    ("n.timer",),
]


@pytest.mark.parametrize("record", RECORDS, ids=repr)
def test_what_is_recorded_stays_the_same_in_a_file(tmp_path, record):
    machine = Machine({"n": "timer", "r": "relu"}, ["n.timer <- n.timer", "r.x <- n.timer"])
    runner = Runner(machine, record=record).advance(3)
    low = sb.lower(machine, record=record)
    if record is not None and record != "all":
        assert tuple(runner.recorded.streams) == low.plan.record
    runner.save(tmp_path / "run.json")
    restored = Runner.restore(tmp_path / "run.json")
    assert same(restored.advance(2).recorded, runner.advance(2).recorded)
    assert same(restored.replay().recorded, runner.recorded)
    restored.save(tmp_path / "again.json")
    assert Runner.restore(tmp_path / "again.json").recorded.ports == runner.recorded.ports
