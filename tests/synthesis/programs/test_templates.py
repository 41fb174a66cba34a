import pytest

import snakebird as sb
from snakebird.errors import InputError, UnknownNameError
from snakebird.machines import Link, Machine
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._templates import (
    Layers,
    Recurrent,
    Superfluid,
    check_carries,
    free_links,
    with_new_links,
)

BITS = Examples.of([({"x": [0, 1]}, {"y": [0, 1], "z": [1, 0]})])
TOKENS = Examples.of([("ab", [1, 2])])

MAKERS = [Layers(), Layers(depth=3, width=2, recurrent=False), Recurrent(), Superfluid()]
each_maker = pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: repr(maker)[:40])


def links(machine, **which):
    return [k for k in machine.links if all(getattr(k, n) == v for n, v in which.items())]


@each_maker
@pytest.mark.parametrize("examples", [BITS, TOKENS], ids=["numbers", "tokens"])
def test_a_template_reads_every_input_and_gives_every_output_with_all_links_free(maker, examples):
    machine = maker.machine(examples)
    assert all(link.trainable for link in machine.links)
    assert {link.input for link in links(machine, to="output")} == set(examples.outputs)
    for name in examples.inputs:
        assert machine.neurons[name].type is sb.source
        assert any(link.source == (name, "signal") for link in machine.links)


def test_layers_are_as_many_and_as_wide_as_asked_and_made_of_what_the_streams_are():
    assert set(Layers(depth=1).machine(BITS).neurons) == {
        *("x", "one", "output"),
        *("identity", "product", "relu", "step"),
    }
    assert {"gate", "inner", "max_norm"} < set(Layers(depth=1).machine(TOKENS).neurons)
    wide = Layers(depth=2, width=2, neurons=("relu", sb.step(width=2.0), sb.tanh)).machine(BITS)
    names = [n for n in wide.neurons if n not in ("x", "one", "output")]
    assert len(names) == 2 * 2 * 3
    assert wide.neurons["step_3"].parameters["width"] == 2.0


def test_instant_links_go_up_from_all_layers_below_and_late_ones_everywhere():
    machine = Layers(depth=2, neurons=("relu", "identity")).machine(BITS)
    below = {k.source[0] for k in links(machine, to="relu_2", instant=True)}
    assert below == {"one", "x", "relu", "identity"}
    late = {k.source[0] for k in links(machine, to="relu", instant=False)}
    assert late == {"x", "relu", "identity", "relu_2", "identity_2"}


def test_without_recurrence_a_neuron_remembers_only_itself_and_the_sources():
    machine = Layers(depth=2, neurons=("relu",), recurrent=False).machine(BITS)
    assert {k.source[0] for k in links(machine, to="relu_2", instant=False)} == {"x", "relu_2"}


@pytest.mark.parametrize("maker", [Recurrent(size=2), Layers(instant=False)])
def test_a_template_without_instant_links_has_them_from_the_constant_alone(maker):
    machine = maker.machine(BITS)
    assert {k.source[0] for k in links(machine, instant=True)} == {"one"}


def test_superfluid_neurons_have_free_coefficients():
    machine = Superfluid(layers=(2,), activations=("relu", "product")).machine(BITS)
    mixed = links(machine, to="fluid", input=":function")
    assert {k.source[0] for k in mixed} == {"relu", "product"}
    relu = [k.scaled(3) for k in mixed if k.source[0] == "relu"]
    wired = [*relu, Link("fluid", "x", ("x", "signal"), 2, True)]
    wired += [Link("output", "y", ("fluid", "result"), 1, True)]
    one = machine.replace(links=wired)
    trace = sb.run(one, 2, inputs={"x": [-1, 5]})
    assert [tick.outputs["output"] for tick in trace] == [{}, {"y": 30}]


def test_names_of_streams_that_a_template_would_use_are_free_for_streams():
    machine = Layers(depth=1).machine(Examples.of([({"one": [1], "relu": [2]}, {"y": [3]})]))
    assert {"one", "one_2", "relu", "relu_2"} < set(machine.neurons)


def test_a_token_that_no_neuron_can_make_is_missed_by_name():
    examples = Examples.of([({"x": "ab"}, {"y": ["a", "end"]})])
    with pytest.raises(InputError, match="output 'y' needs end, which nothing here") as e:
        Layers().machine(examples)
    assert "output 'y'" in e.value.where
    assert "neurons=" in e.value.hint


def test_a_number_that_no_neuron_can_make_of_trees_is_missed():
    examples = Examples.of([({"x": "ab"}, {"y": [1, 2]})])
    machine = sb.Machine({"x": sb.source(tokens=("a", "b")), "output": "output"})
    machine = machine.link(Link("output", "y", ("x", "signal"), 1, True))
    with pytest.raises(InputError, match="'y' needs the number at the root"):
        check_carries(machine, examples)


@pytest.mark.parametrize(
    ("maker", "message"),
    [
        (Layers(depth=0), "depth is 0, expected at least 1"),
        (Layers(width=0), "width is 0, expected at least 1"),
        (Recurrent(size=0), "size is 0, expected at least 1"),
        (Superfluid(layers=()), "layers is 0, expected at least 1"),
        (Layers(neurons=("source",)), "cannot wire a neuron of type 'source'"),
        (Layers(neurons=("superfluid",)), "cannot wire a neuron of type 'superfluid'"),
    ],
)
def test_a_template_that_cannot_be_made_says_why(maker, message):
    with pytest.raises(InputError, match=message):
        maker.machine(BITS)


def test_a_misspelled_kind_gets_the_nearest_name():
    with pytest.raises(UnknownNameError, match="did you mean 'relu'"):
        Layers(neurons=("rely",)).machine(BITS)


def sketch():
    return Machine(
        {"x": "source", "sum": "accumulator", "r": "relu", "output": "output"},
        [
            "sum.accum <- sum.result",
            Link("sum", "delta", ("x", "signal"), 1, True),
            Link("r", "x", ("sum", "result"), 1, True),
            Link("output", "y", ("r", "result"), 1, True),
        ],
    )


def test_the_links_of_some_neurons_are_freed_and_all_others_fixed():
    freed = free_links(sketch(), "r", "output")
    assert {k.to for k in freed.links if k.trainable} == {"r", "output"}
    assert all(k.trainable for k in free_links(sketch()).links)
    with pytest.raises(UnknownNameError, match="no neuron is named 'rr'"):
        free_links(sketch(), "rr")


def test_new_links_of_weight_zero_change_nothing_and_keep_the_order():
    machine = sketch()
    more = with_new_links(machine, ["y", "z"])
    assert {k.place for k in machine.links} < {k.place for k in more.links}
    assert {k.input for k in links(more, to="output")} == {"y", "z"}
    assert not links(more, to="sum", instant=True, source=("r", "result"))
    assert links(more, to="sum", instant=False, source=("r", "result"))
    inputs = {"x": [1, -3, 4]}
    before, after = (
        [tick.outputs["output"].get("y", 0) for tick in sb.run(m, 3, inputs=inputs)]
        for m in (machine, more)
    )
    assert before == after == [1, 0, 2]
