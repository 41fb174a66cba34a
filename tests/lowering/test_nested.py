"""A machine as a neuron: its ports, its ticks, its memory, its room."""

import equinox as eqx
import jax
import numpy as np
import pytest

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.errors import MachineError, RoomError, UnknownNameError


def counter() -> sb.Machine:
    """Adds up what arrives."""
    return sb.Machine(
        {"u": sb.source(space=sb.Space([()])), "m": "accumulator", "out": "output"},
        ["m.accum <- m.result", "m.delta <- u.signal", "out.total <- m.result"],
        name="counter",
    )


def grower() -> sb.Machine:
    """Its list gets one level deeper every tick."""
    return sb.Machine(
        {"step": sb.constant(value={"z": 1.0}), "list": "outer", "out": "output"},
        ["list.x <- list.result", "list.y <- step.result", "out.deep <- list.result"],
        {"step": {"result": {"z": 1.0}}, "list": {"result": {"k": 1.0}}},
        name="grower",
    )


def alone(neuron: sb.Neuron) -> sb.Machine:
    return sb.Machine({"n": neuron}, ["n.state <- n.state"])


def test_inner_ticks_and_memory_in_both_engines():
    neuron = sb.machine_neuron(counter(), ticks=3)

    @sb.machine(fixed=True)
    def outer():
        push = sb.constant(value=2.0)
        n = neuron(u=push)
        sb.output(total=n.total)

    slow = [float(sb.vvalues.number(x)) for x in sb.run(outer, 4)["n.total"]]
    fast = sb.lower(outer, record="n.total")(ticks=4).number("n.total")
    # The inner machine's output comes two inner ticks after its source.
    assert slow == [0.0, 2.0, 8.0, 14.0]
    np.testing.assert_allclose(fast, slow)


@pytest.mark.parametrize("ticks", [0, -1, 1.5, True])
def test_ticks_are_one_or_more(ticks):
    # What is no whole number at all is already refused by the checked annotations.
    expected = (MachineError, TypeError) if isinstance(ticks, float) else MachineError
    with pytest.raises(expected):
        sb.machine_neuron(counter(), ticks=ticks)


def test_an_unknown_source():
    with pytest.raises(UnknownNameError, match="no source is named 'v'") as caught:
        sb.machine_neuron(counter(), inputs={"x": "v"})
    assert caught.value.where == "machine_neuron, input 'x'"
    assert caught.value.hint == "known here: 'u'"
    with pytest.raises(UnknownNameError, match="no source is named 'm'"):
        sb.machine_neuron(counter(), inputs={"x": "m"})


def test_two_inputs_for_one_source():
    with pytest.raises(MachineError, match="two inputs lead to the source 'u'"):
        sb.machine_neuron(counter(), inputs={"x": "u", "y": "u"})


@pytest.mark.parametrize(
    ("path", "what", "hint"),
    [
        ("n.result", "no neuron is named 'n'", "known here: 'm', 'out', 'u'"),
        ("m.resul", "'m' has no output 'resul'", "did you mean 'result'?"),
        ("m.delta", "'m' has no output 'delta'", "did you mean 'result'?"),
        ("out.totl", "'out' has no output 'totl'", "did you mean 'total'?"),
        ("m.result.deep", "'m.result' has no output 'deep'", "none is known here"),
    ],
)
def test_an_unknown_output(path, what, hint):
    with pytest.raises(UnknownNameError) as caught:
        sb.machine_neuron(counter(), outputs={"y": path})
    assert (caught.value.what, caught.value.hint) == (what, hint)
    assert caught.value.where == "machine_neuron, output 'y'"


@pytest.mark.parametrize("path", ["m", "m.result", "m.result.:number", "u.signal", "out.total"])
def test_known_outputs(path):
    n = sb.machine_neuron(counter(), outputs={"y": path})
    assert n.type.outputs == ("y", "state")


def test_no_outputs():
    machine = sb.Machine({"n": "timer"}, ["n.timer <- n.timer"])
    with pytest.raises(MachineError, match="this machine has no `output` neuron"):
        sb.machine_neuron(machine)
    with pytest.raises(MachineError, match="this machine has no `output` neuron"):
        sb.machine_neuron(counter(), outputs={})


def test_two_outputs_of_one_name():
    machine = sb.Machine(
        {"n": "timer", "p": "output", "q": "output"},
        ["n.timer <- n.timer", "p.x <- n.timer", "q.x <- n.timer"],
    )
    with pytest.raises(MachineError, match="'p' and 'q' both have an output 'x'"):
        sb.machine_neuron(machine)
    assert sb.machine_neuron(machine, outputs={"x": "q.x"}).type.outputs == ("x", "state")


def test_a_port_called_state():
    machine = sb.Machine(
        {"state": sb.source(space=sb.Space([()])), "out": "output"},
        ["out.x <- state.signal"],
    )
    with pytest.raises(MachineError) as caught:
        sb.machine_neuron(machine)
    assert caught.value.hint == "rename it: inputs={'other': 'state', ...}"
    n = sb.machine_neuron(machine, inputs={"other": "state"})
    assert n.type.inputs == ("other", "state")
    with pytest.raises(MachineError) as caught:
        sb.machine_neuron(machine, inputs={}, outputs={"state": "out.x"})
    assert caught.value.hint == "rename it: outputs={'other': 'out.x', ...}"


def test_inner_streams_within_their_room():
    machine = alone(sb.machine_neuron(grower(), grow=8))
    slow = sb.run(machine, 3)["n.deep"][-1]
    trace = sb.lower(machine)(ticks=3).check()
    assert sb.vvalues.equal(trace.ticks()[-1].outputs["n"]["deep"], slow)


def test_inner_streams_that_outgrow_their_room_are_room_errors_in_both_engines():
    machine = alone(sb.machine_neuron(grower(), grow=2))
    with pytest.raises(RoomError, match="a nested machine outgrew its room") as caught:
        sb.run(machine, 30)
    where = "the outputs of 'list', 'out' in <machine 'grower': 3 neurons, 3 links>"
    assert caught.value.where == f"neuron 'n', {where}"
    assert caught.value.hint == "reserve more with machine_neuron(..., grow=...)"
    low = sb.lower(machine)
    low(ticks=2).check()
    trace = low(ticks=30)
    with pytest.raises(RoomError) as caught:
        trace.check()
    first = caught.value.what
    assert first.startswith("the machine in neuron 'n' outgrew its room at tick ")
    assert caught.value.where == where
    assert caught.value.hint == (
        "reserve more with machine_neuron(..., grow=...), or use a Runner, which grows"
    )
    low(ticks=int(first.split("tick ")[1].split()[0]) - 1).check()


def test_a_compiled_run_of_the_readable_engine_stops_where_a_nested_machine_outgrows_its_room():
    neuron = sb.machine_neuron(grower(), grow=2)

    @eqx.filter_jit
    def once(state):
        return vv.flatten(neuron.apply({"state": state})).data

    space = vv.flatten(neuron.apply({})["state"]).space
    once(vv.Flat(space, jax.numpy.zeros(space.size)))
    with pytest.raises(eqx.EquinoxRuntimeError, match="a nested machine outgrew its room"):
        once(vv.Flat(space, jax.numpy.ones(space.size)))


def test_overflow_reaches_through_two_levels():
    inner = sb.machine_neuron(grower(), grow=2)
    middle = sb.Machine({"n": inner, "out": "output"}, ["n.state <- n.state", "out.deep <- n.deep"])
    machine = alone(sb.machine_neuron(middle))
    with pytest.raises(RoomError, match=r"the outputs of 'n\.list', 'n\.out' in <machine"):
        sb.lower(machine)(ticks=30).check()


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.slow
def test_a_runner_makes_room_for_nested_machines(levels):
    inner = sb.machine_neuron(grower(), grow=2)
    if levels == 2:
        links = ["n.state <- n.state", "out.deep <- n.deep"]
        inner = sb.machine_neuron(sb.Machine({"n": inner, "out": "output"}, links))
    machine = alone(inner)
    runner = sb.Runner(machine, chunk=4, record="n.deep").advance(12)
    wide = sb.machine_neuron(grower(), grow=40)
    if levels == 2:
        wide = sb.machine_neuron(sb.Machine({"n": wide, "out": "output"}, links))
    slow = sb.run(alone(wide), 12)["n.deep"]
    assert all(vv.equal(a, b) for a, b in zip(runner.trees("n.deep"), slow, strict=True))
    assert runner.machine == machine
    again = runner.replay()
    assert all(vv.equal(a, b) for a, b in zip(again.trees("n.deep"), slow, strict=True))


def test_gradients_pass_through_a_machine_that_may_outgrow_its_room():
    low = sb.lower(alone(sb.machine_neuron(grower(), grow=8)), record="n.deep")

    def total(low):
        return low(ticks=3)["n.deep"].data.sum()

    slopes = eqx.filter_grad(total)(low)
    assert any(np.any(leaf) for leaf in jax.tree.leaves(slopes))
