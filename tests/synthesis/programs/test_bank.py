"""A bank writes machines that compute what its entries say."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings, strategies as st

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.neurons import find
from snakebird.synthesis.programs._bank import ONE, Bank, Entry, Made, Use, before
from snakebird.testing._machines import _leaves_chance_alone

NUMBER = vv.Space([()])
TICKS = 4
WEIGHTS = st.sampled_from([1, -1, 2, Fraction(1, 2), Fraction(-3)])
KINDS = {
    "identity": ("x", lambda x: x),
    "relu": ("x", lambda x: np.maximum(x, 0)),
    "absolute": ("x", np.abs),
    "product": ("xy", lambda x, y: x * y),
    "maximum": ("xy", np.maximum),
}
SOURCES = {"x": sb.source()}


def stream(*values: float) -> np.ndarray:
    return np.array(values, float).reshape(1, -1, 1)


def total(bank: Bank, uses: tuple[Use, ...]) -> np.ndarray:
    return sum((float(u.weight) * bank.values(u) for u in uses), np.zeros((1, TICKS, 1)))


@st.composite
@_leaves_chance_alone
def uses_of(draw, bank: Bank):
    places = st.integers(0, len(bank.entries) - 1)
    one = st.builds(Use, places, WEIGHTS, st.booleans())
    place = lambda use: (use.stream, use.before)
    return tuple(draw(st.lists(one, min_size=1, max_size=3, unique_by=place)))


@st.composite
@_leaves_chance_alone
def banks(draw):
    """A source, the constant one, and neurons over what stands before them; what is read."""
    bank = Bank()
    values = draw(st.lists(st.integers(-3, 3), min_size=TICKS, max_size=TICKS))
    bank.add(Entry("x", NUMBER, stream(*values)))
    bank.add(Entry(ONE, NUMBER, np.ones((1, TICKS, 1))))
    for name in draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5)):
        ports, function = KINDS[name]
        reads = {port: draw(uses_of(bank)) for port in ports}
        result = function(*(total(bank, uses) for uses in reads.values()))
        bank.add(Entry(name, NUMBER, result, 0, Made(find(name)(), reads)))
    return bank, {port: draw(uses_of(bank)) for port in "yz"}


def numbers(machine: sb.Machine, port: str, x: np.ndarray) -> np.ndarray:
    run = sb.run(machine, inputs={"x": [int(v) for v in x.ravel()]})
    return stream(*(float(vv.number(value)) for value in run[f"output.{port}"]))


@settings(max_examples=25)
@given(banks())
def test_the_machine_of_a_bank_gives_what_its_entries_hold(made):
    bank, outputs = made
    machine = bank.machine(outputs, SOURCES)
    for port, uses in outputs.items():
        found = numbers(machine, port, bank.entries[0].values)
        np.testing.assert_allclose(found, total(bank, uses), rtol=1e-12)


@given(banks())
def test_the_cost_is_the_number_of_links_of_the_machine(made):
    bank, outputs = made
    uses = outputs["y"]
    assert bank.cost(uses) == len(bank.machine({"y": uses}, SOURCES).links)


@given(banks())
def test_what_is_needed_is_closed_and_in_order(made):
    bank, outputs = made
    needed = bank.needed(outputs["y"])
    assert needed == sorted(set(needed))
    assert {use.stream for use in outputs["y"]} <= set(needed)
    for at in needed:
        read = bank.entries[at].made
        ports = [] if read is None else read.ports.values()
        assert {use.stream for port in ports for use in port} <= set(needed)
    for at in set(needed) - {use.stream for use in outputs["y"]}:
        readers = [bank.entries[k].made for k in needed]
        assert any(at == use.stream for m in readers if m for p in m.ports.values() for use in p)


@settings(max_examples=20)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=6))
def test_before_is_what_a_link_of_one_tick_gives(values):
    bank = Bank([Entry("x", NUMBER, stream(*values))])
    machine = bank.machine({"y": [Use(0, 1, True)]}, SOURCES)
    assert (numbers(machine, "y", stream(*values)) == before(stream(*values))).all()
    assert (before(stream(*values)).ravel() == [0, *values[:-1]]).all()


def test_a_stream_that_reads_itself_is_a_loop():
    bank = Bank([Entry("x", NUMBER, stream(1, 2, 3))])
    reads = {"x": (Use(0), Use(1, 1, True))}
    at = bank.add(Entry("identity", NUMBER, stream(1, 3, 6), made=Made(find("identity")(), reads)))
    machine = bank.machine({"y": [Use(at)]}, SOURCES)
    assert numbers(machine, "y", stream(1, 2, 3)).ravel().tolist() == [1, 3, 6]


def test_a_part_of_a_source_is_read_by_its_path():
    space = vv.Space([("a",), ("b",)])
    bank = Bank([Entry("x", NUMBER, stream(0, 1), part=("b",))])
    machine = bank.machine({"y": [Use(0)]}, {"x": sb.source(space=space)})
    assert machine.links[0].source == ("x", "signal", "b")
    run = sb.run(machine, inputs={"x": [{"a": 1}, {"b": 1}]})
    assert run["output.y"] == [{}, 1]


def test_a_neuron_may_keep_a_list_in_a_loop_of_its_own():
    space = vv.Space([("a",)])
    bank = Bank([Entry("x", space, np.ones((1, 2, 1)))])
    made = Made(find("cons")(), {"signal": (Use(0),)}, {"list": "list"})
    at = bank.add(Entry("cons", space, np.ones((1, 2, 1)), made=made))
    machine = bank.machine({"y": [Use(at)]}, {"x": sb.source(tokens=("a",))})
    assert bank.cost([Use(at)]) == len(machine.links) == 3
    run = sb.run(machine, inputs={"x": ["a", "a"]})
    assert vv.to_list(run["output.y"][-1]) == [{"a": 1}, {"a": 1}]


def test_no_neuron_takes_a_name_that_is_taken():
    bank = Bank([Entry("relu", NUMBER, stream(1, -1))])
    for _ in range(2):
        bank.add(Entry("relu", NUMBER, stream(1, 0), made=Made(find("relu")(), {"x": (Use(0),)})))
    machine = bank.machine({"y": [Use(1), Use(2)]}, {"relu": sb.source()})
    assert set(machine.neurons) == {"relu", "relu_2", "relu_3", "output"}


def test_whole_fractions_are_written_as_integers():
    bank = Bank([Entry("x", NUMBER, stream(1))])
    machine = bank.machine({"y": [Use(0, Fraction(4, 2)), Use(0, Fraction(1, 2), True)]}, SOURCES)
    weights = {link.instant: link.weight for link in machine.links}
    assert weights == {True: 2, False: Fraction(1, 2)}
    assert type(weights[True]) is int
