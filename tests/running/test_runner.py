"""A runner equals the readable engine, whatever is sent to it and changed on the way."""

import jax
import numpy as np
import pytest

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.errors import GrowthError, InputError, MachineError, UnknownNameError
from snakebird.machines import Machine, tick
from snakebird.running import Runner
from snakebird.running._form import whole_number
from snakebird.running._record import same


@sb.machine
def clicks(click: sb.Numbers("x", "y")):
    return {"list": sb.cons(signal=click).list}


@sb.machine
def repeats(char: sb.Tokens("abc.")):
    counts = sb.accumulate(char)
    return {"repeats": sb.relu(sb.max_norm(counts) - 1), "counts": counts}


def self_made() -> Machine:
    """Self with an accumulator, a source of edits linked to it, and a neuron to be linked in."""
    return Machine(
        {
            "self": "accumulator",
            "edits": "source",
            "n": "timer",
            "r": "relu",
            "out": "output",
        },
        [
            "self.accum <- self.result",
            "self.delta <- edits.signal",
            "n.timer <- n.timer",
            "out.r <- r.result",
        ],
        matrix_from="self.result",
    )


def readable(machine, ticks, outputs=None, first=0, inputs=None, key=None):
    return sb.run(machine, ticks, inputs=inputs, key=key, outputs=outputs, first_tick=first)


def agree(streams, others):
    assert len(streams) == len(others)
    for t, (a, b) in enumerate(zip(streams, others, strict=True)):
        assert vv.equal(a, b, 1e-9), (t, vv.diff(a, b))


def test_a_text_gives_what_the_readable_engine_gives():
    runner = Runner(repeats, chunk=4).send("char", "abcabca.").advance(11)
    run = readable(repeats, 11, inputs={"char": "abcabca."})
    agree(runner.trees("output"), run["output"])
    agree(runner.trees("output.counts"), run["output.counts"])
    assert runner.number("output.repeats").tolist()[-1] == 2
    assert runner.tick == 11
    assert vv.equal(runner.outputs, run.last)


def test_chunks_are_whole_ones_and_then_powers_of_four():
    sizes = [len(part) for part in Runner(repeats, chunk=10).stream(37)]
    assert sizes == [10, 10, 10, 4, 1, 1, 1]


def test_one_message_a_tick_and_none_when_there_is_none():
    runner = Runner(repeats, record="char")
    runner.send("char", "ab").send("char", ["c", None, {"a": 5}])
    assert [len(queue) for queue in runner.pending.values()] == [5]
    runner.advance(3)
    assert runner.pending == {"char": (None, {"a": 5})}
    runner.advance(3)
    found = runner.trees("char.signal")
    assert found == [{"a": 1}, {"b": 1}, {"c": 1}, {}, {"a": 5}, {}]
    assert runner.pending == {}


def test_a_list_that_grows_past_its_room_several_times():
    messages = [{"x": float(k), "y": -1.0} for k in range(1, 41)]
    runner = Runner(clicks, chunk=8, grow=2).send("click", messages)
    rooms = {2}
    for _ in range(5):
        rooms.add(runner.advance(8)._now.form.room.ticks)
    assert len(rooms) >= 4
    run = readable(clicks, 40, inputs={"click": messages})
    agree(runner.trees("output.list"), run["output.list"])
    assert runner["output.list"].data.shape[0] == 40
    assert same(runner.replay().recorded, runner.recorded)


def test_growth_that_no_room_serves_leaves_the_runner_where_it_was(monkeypatch):
    # Each tick the list holds itself twice, so that no room lasts long.
    doubling = Machine(
        {"list": "cons", "one": sb.constant(value={"x": 1.0})},
        ["list.list <- list.list", "list.signal <- list.list", "list.signal <- one.result"],
    )
    monkeypatch.setattr("snakebird.lowering._spaces.MAX_SIZE", 400)
    runner = Runner(doubling, grow=2, chunk=2, record="all").advance(2)
    with pytest.raises(GrowthError, match="never stop growing"):
        runner.advance(30)
    assert runner.tick % 2 == 0
    agree(runner.trees("list.list"), readable(doubling, runner.tick)["list.list"])


def test_an_edit_of_a_fixed_matrix():
    machine = Machine({"n": "timer", "r": "relu", "s": "accumulator"}, ["n.timer <- n.timer"])
    runner = Runner(machine, record="all").advance(3)
    runner.edit("r.x <- 0.5 * n.timer", "s.delta <- r.result", "s.accum <- s.result").advance(4)
    runner.edit("r.x <- 1.5 * n.timer").advance(3)

    first = readable(machine, 3)
    changed = machine.link("r.x <- 0.5 * n.timer", "s.delta <- r.result", "s.accum <- s.result")
    second = readable(changed, 4, first.last, 3)
    changed = changed.link("r.x <- 1.5 * n.timer")
    third = readable(changed, 3, second.last, 7)
    for port in ("n.timer", "r.result", "s.result"):
        agree(runner.trees(port), first[port] + second[port] + third[port])
    assert runner.machine == changed


def test_an_edit_of_weights_only_does_not_change_the_structure():
    runner = Runner(Machine({"n": "timer"}, ["n.timer <- n.timer"])).advance(2)
    before = runner.lowered.plan
    runner.edit("n.timer <- 0.5 * n.timer").advance(1)
    assert runner.lowered.plan == before
    assert runner.number("n.timer").tolist() == [1, 2, 4]


def test_an_edit_of_the_matrix_that_self_carries():
    machine = self_made()
    runner = Runner(machine, record=["r", "n"]).advance(3)
    runner.edit("r.x <- 2 * n.timer").advance(4)
    outputs = readable(machine, 3).last
    update = {"self": {"result": {"r": {"x": {"n": {"timer": 2}}}}}}
    later = readable(machine, 4, vv.add(outputs, update), 3)
    agree(runner.trees("r.result")[3:], later["r.result"])
    assert runner.number("r.result").tolist() == [0, 0, 0, 6, 8, 10, 12]
    assert "r.x <- 2.0 * n.timer" in [str(link) for link in runner.machine.links]
    runner.edit("r.x <- -2 * n.timer").advance(1)
    assert runner.trees("r.result")[-1] == {}


def test_an_edit_sent_as_a_message_through_self():
    machine = self_made()
    runner = Runner(machine, record="all").advance(3)
    runner.edit("r.x <- 2 * n.timer", through="edits").advance(5)
    update = {"r": {"x": {"n": {"timer": 2}}}}
    run = readable(machine, 8, inputs={"edits": [None, None, None, update]})
    for port in ("self.result", "r.result", "out.r"):
        agree(runner.trees(port), run[port])
    # Emitted at tick 4, added by Self at tick 5, in force from tick 6 on.
    assert runner.number("r.result").tolist() == [0, 0, 0, 0, 0, 10, 12, 14]


def test_self_that_never_changes_can_still_be_edited():
    machine = Machine(
        {"self": "accumulator", "n": "timer", "r": "relu"},
        [sb.Link("self", "accum", ("self", "result"), trainable=False), "n.timer <- n.timer"],
        matrix_from="self.result",
    )
    runner = Runner(machine, record="all")
    assert not runner.lowered.plan.carried
    runner.advance(2).edit("r.x <- 3 * n.timer").advance(2)
    later = readable(
        machine,
        2,
        vv.add(
            readable(machine, 2).last,
            {"self": {"result": {"r": {"x": {"n": {"timer": 3}}}}}},
        ),
        2,
    )
    agree(runner.trees("r.result")[2:], later["r.result"])
    agree(runner.trees("self.result")[2:], later["self.result"])


def test_set_output_and_replace_keep_what_stays():
    machine = Machine({"n": "timer", "r": "relu"}, ["n.timer <- n.timer", "r.x <- n.timer"])
    runner = Runner(machine, record="all").advance(2).set_output("n.timer", 40).advance(1)
    assert runner.number("n.timer").tolist() == [1, 2, 41]
    other = Machine(
        {"n": "timer", "s": "accumulator"},
        ["n.timer <- n.timer", "s.delta <- n.timer", "s.accum <- s.result"],
        {"s": {"result": 100}},
    )
    runner.replace(other).advance(2)
    assert runner.number("n.timer").tolist() == [1, 2, 41, 42, 43]
    assert runner.number("s.result").tolist() == [0, 0, 0, 141, 183]
    assert runner.number("r.result").tolist() == [0, 1, 40, 0, 0]
    assert same(runner.replay().recorded, runner.recorded)


def test_sources_that_declare_nothing_hear_what_comes():
    machine = Machine({"s": "source", "o": "output"}, ["o.x <- s.signal"])
    runner = Runner(machine).send("s", [{"a": 1}]).advance(2).send("s", [{"b": {"c": 2}}, 3])
    runner.advance(3)
    assert runner.trees("o.x") == [{}, {"a": 1}, {}, {"b": {"c": 2}}, 3]


def noisy() -> Machine:
    return Machine(
        {"n": "noise", "s": "accumulator"}, ["s.delta <- n.result", "s.accum <- s.result"]
    )


def test_random_keys_follow_the_tick():
    runner = Runner(noisy(), key=7, chunk=4, record="all").advance(4).advance(3)
    run = readable(noisy(), 7, key=jax.random.key(7))
    agree(runner.trees("s.result"), run["s.result"])
    assert same(runner.replay().recorded, runner.recorded)
    with pytest.raises(InputError, match="draws at random and there is no key"):
        Runner(noisy()).advance(1)


def test_history_is_bounded():
    runner = Runner(repeats, chunk=5, history=20)
    for _ in range(30):
        runner.send("char", "ab").advance(5)
    kept = runner.recorded
    assert 20 <= len(kept) <= 45
    assert kept.first + len(kept) == 150
    assert same(runner.replay().recorded, kept)
    whole = Runner(repeats, chunk=5)
    for _ in range(30):
        whole.send("char", "ab").advance(5)
    assert np.array_equal(
        whole.number("output.repeats")[-len(kept) :], kept.number("output.repeats")
    )


def test_without_history_nothing_is_kept():
    runner = Runner(repeats, history=False).send("char", "aa").advance(2)
    assert len(runner.recorded) == 0
    assert runner.events == ()
    assert vv.number(runner.outputs["char"]["signal"]["a"]) == 1
    with pytest.raises(InputError, match="no history was kept"):
        runner.replay()


def test_an_interruption_leaves_the_last_whole_chunk():
    runner = Runner(repeats, chunk=5).send("char", "abcabcabc")
    steps = runner.stream(100)
    next(steps)
    form = runner._now.form

    class Interrupting:
        plan = form.low.plan

        def __call__(self, *args, **kwargs):
            raise KeyboardInterrupt

    form.__dict__["low"] = whole = form.low
    form.__dict__["low"] = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    form.__dict__["low"] = whole
    assert runner.tick == 5
    assert len(runner.pending["char"]) == 4
    runner.advance(5)
    agree(runner.trees("output"), readable(repeats, 10, inputs={"char": "abcabcabc"})["output"])


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda r: r.send("chars", "a"), UnknownNameError, "no source is named 'chars'"),
        (lambda r: r.send("char", "abx"), InputError, "token 'x' at position 0"),
        (lambda r: r.send("char", {"q": 1}), InputError, "message 0 has q"),
        (lambda r: r.edit("relu.y <- 2 * char.signal"), UnknownNameError, "relu has no input 'y'"),
        (lambda r: r.edit("nobody.x <- 2"), UnknownNameError, "no neuron is named 'nobody'"),
        (lambda r: r.set_output("char.nothing", 1), UnknownNameError, "has no output 'nothing'"),
        (lambda r: r.set_output("char", 1), InputError, "char is no output"),
        (lambda r: r.advance(-1), InputError, "ticks=-1"),
        (lambda r: r["char.signal"], InputError, "char.signal was not recorded"),
        (
            lambda r: r.edit(sb.Link("relu", "x", ("char", "signal"), 1, True), through="char"),
            MachineError,
            "an instant link is not in the matrix",
        ),
    ],
)
def test_mistakes_change_nothing(act, error, message):
    runner = Runner(repeats).send("char", "ab").advance(1)
    before = runner._now
    with pytest.raises(error, match=message):
        act(runner)
    assert runner._now is before


def test_unknown_ports_cannot_be_recorded():
    with pytest.raises(UnknownNameError, match="gives no output 'repeat'"):
        Runner(repeats, record=["output.repeat"])
    with pytest.raises(UnknownNameError, match="no neuron is named 'outpt'"):
        Runner(repeats, record="outpt.repeats")


def test_the_readable_tick_sees_the_same_state():
    runner = Runner(repeats).send("char", "abca").advance(3)
    now = tick(repeats, runner.outputs, messages={"char": {"a": 1}})
    runner.advance(1)
    assert vv.equal(now.outputs, runner.outputs)


@pytest.mark.parametrize(
    "options",
    [{"chunk": 0}, {"chunk": True}, {"history": -5}, {"grow": -1}, {"grow": 2.5}],
    ids=str,
)
def test_options_that_are_no_whole_numbers(options):
    with pytest.raises(InputError, match=f"{next(iter(options))}=.*expected a whole number"):
        Runner(repeats, **options)


def test_ticks_are_a_whole_number():
    runner = Runner(repeats)
    with pytest.raises(InputError, match=r"ticks=-1, expected a whole number\n  at Runner.advance"):
        runner.advance(-1)
    with pytest.raises(InputError):
        runner.stream(-1)
    assert runner.advance(0).tick == 0


@pytest.mark.parametrize("given", [2.5, 3.0, "3", None, True, -1])
def test_what_is_no_whole_number_is_refused(given):
    with pytest.raises(InputError, match="expected a whole number"):
        whole_number(given, "ticks", "Runner.advance", least=0)
    assert whole_number(np.int64(2), "ticks", "Runner.advance", least=0) == 2


def test_a_matrix_entry_that_addresses_no_output_is_no_link():
    runner = Runner(self_made()).send("edits", {"r": {"x": {"n": {"timer": 1, "none": 2}}}})
    assert [str(link) for link in runner.advance(3).machine.links if link.to == "r"] == [
        "r.x <- n.timer"
    ]
