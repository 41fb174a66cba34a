"""Programs with names: the same machine, written as a person would have."""

from fractions import Fraction

import pytest
from hypothesis import given, settings, strategies as st

import snakebird as sb
from snakebird.synthesis.programs._names import renamed, spoken
from snakebird.testing._machines import _leaves_chance_alone

KINDS = ["identity", "identity", "relu", "step", "product", "maximum", "gate", "inner", "max_norm"]
WEIGHTS = st.sampled_from([1, 1, -1, Fraction(1, 2)])


def link(to: str, source: str, weight=1, *, instant: bool = True) -> sb.Link:
    return sb.Link(*to.split("."), tuple(source.split(".")), weight, instant=instant)


@st.composite
@_leaves_chance_alone
def machines(draw):
    """Machines over a number and a token, with memory, and outputs of odd names."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=5))
    neurons = {"x": sb.source(), "t": sb.source(tokens=("a", "b")), "one": sb.constant(value=1)}
    neurons |= {f"{kind}_{k}": kind for k, kind in enumerate(kinds)}
    machine = sb.Machine({**neurons, "output": "output"})
    order, links = [*machine.neurons], []
    streams = {n: f"{n}.{machine.neurons[n].type.outputs[0]}" for n in order[:-1]}
    for to in order[3:-1]:
        for port in machine.neurons[to].type.inputs:
            for origin in draw(st.lists(st.sampled_from(order[:-1]), max_size=2, unique=True)):
                instant = order.index(origin) < order.index(to) and draw(st.booleans())
                links.append(link(f"{to}.{port}", streams[origin], draw(WEIGHTS), instant=instant))
        if neurons[to] == "identity" and draw(st.booleans()):
            links = [one for one in links if one.source[0] != to or one.to != to]
            links.append(link(f"{to}.x", streams[to], instant=False))
    for port in draw(st.sampled_from([["result"], ["y"], ["x", "total"], ["class", "sb"]])):
        links.append(link(f"output.{port}", streams[order[-2]], draw(WEIGHTS)))
    start = draw(st.sampled_from([{}, {order[-2]: {streams[order[-2]].split(".")[1]: 1}}]))
    return sb.Machine(machine.neurons, links, start)


def built(source: str, name: str) -> sb.Machine:
    space: dict = {}
    exec(source, space)
    return space[name]


def plain(stream: list) -> list:
    return [0 if value == {} else value for value in stream]


@settings(max_examples=40)
@given(machines(), st.lists(st.integers(-2, 2), min_size=3, max_size=3))
def test_a_spoken_program_answers_as_before(machine, x):
    said = spoken(machine)
    inputs = {"x": x, "t": ["a", "b", "a"]}
    before, after = (sb.run(one, inputs=inputs) for one in (machine, said))
    ports = {link.input for link in machine.links if link.to == "output"}
    for port in ports:
        assert plain(after[f"output.{port}"]) == plain(before[f"output.{port}"])
    assert len(said.links) == len(machine.links)
    assert len(said.neurons) == len(machine.neurons)


@settings(max_examples=40)
@given(machines())
def test_the_source_of_a_spoken_program_makes_it_again(machine):
    said = spoken(machine, name="answer")
    again = built(sb.machines.to_source(said), "answer")
    assert again == said


@settings(max_examples=40)
@given(machines())
def test_sources_outputs_and_constants_keep_their_names_and_all_names_differ(machine):
    said = spoken(machine)
    assert {"x", "t", "one", "output"} <= set(said.neurons)
    assert "sb" not in said.neurons


SOURCE = {"x": sb.source(), "output": "output"}
TOKENS = {"x": sb.source(tokens=("a", "b")), "output": "output"}
LOOP = link("n.x", "n.result", instant=False)


@pytest.mark.parametrize(
    ("neurons", "links", "name", "kind"),
    [
        (SOURCE, [link("n.x", "x.signal"), LOOP], "total_x", "accumulator"),
        (TOKENS, [link("n.x", "x.signal"), LOOP], "counts", "accumulator"),
        (SOURCE, [link("n.x", "x.signal", instant=False)], "last_x", "identity"),
        (SOURCE, [link("n.x", "x.signal", 2)], "state", "identity"),
        (SOURCE, [LOOP], "last", "identity"),
    ],
    ids=["sum", "counts", "last", "state", "alone"],
)
def test_names_say_what_a_neuron_holds(neurons, links, name, kind):
    machine = sb.Machine({**neurons, "n": "identity"}, [*links, link("output.result", "n.result")])
    said = spoken(machine)
    assert set(said.neurons) - set(neurons) == {name}
    assert said.neurons[name].type.name == kind


def test_a_neuron_that_is_an_output_is_called_after_it():
    machine = sb.Machine(
        {**SOURCE, "n": "relu"}, [link("n.x", "x.signal"), link("output.gain", "n.result")]
    )
    assert "gain" in spoken(machine).neurons


def test_names_that_are_taken_get_a_number():
    machine = sb.Machine(
        {**SOURCE, "p": "relu", "q": "relu"},
        [link("p.x", "x.signal"), link("q.x", "x.signal", -1)]
        + [link("output.result", "p.result"), link("output.result", "q.result")],
    )
    assert set(spoken(machine).neurons) == {"x", "output", "positive", "positive_2"}


def test_renaming_takes_links_and_start_along():
    machine = sb.Machine({"n": "identity", "output": "output"}, [LOOP], {"n": {"result": 2}})
    machine = machine.replace(links=[*machine.links, link("output.y", "n.result")])
    there = renamed(machine, {"n": "m", "output": "output"})
    assert sb.run(there, 2)["output.y"] == sb.run(machine, 2)["output.y"] == [2, 2]
    assert renamed(there, {"m": "n", "output": "output"}) == machine
