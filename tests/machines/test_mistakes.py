"""Machines that are put together or run wrongly: what the errors say."""

import warnings

import jax
import jaxtyping
import numpy as np
import pytest

from snakebird import neurons as n
from snakebird.errors import MachineError, SnakebirdError, UnknownNameError
from snakebird.machines import Builder, Link, Machine, clone, insert, run

PAIR = {"a": "relu", "b": "relu"}
WEIGHTS = "  at link a.x <- b.result\n  hint: weights are ints, floats or fractions"
READ = 'hint: write "to.input <- 0.5 * from.output"'


def chain() -> Machine:
    return Machine({"n": "timer", "r": "relu"}, ["n.timer <- n.timer", "r.x <- n.timer"])


def linked(weight):
    return Machine(PAIR, [("a.x", "b.result", weight)])


MISTAKES = {
    "none": (lambda: linked(None), f"a weight is None, expected a number\n{WEIGHTS}"),
    "text": (lambda: linked("2"), f"a weight is '2', expected a number\n{WEIGHTS}"),
    "complex": (lambda: linked(1j), f"a weight is 1j, expected a number\n{WEIGHTS}"),
    "flag": (
        lambda: Machine(PAIR, [Link("a", "x", ("b", "result"), True)]),
        f"a weight is True, expected a number\n{WEIGHTS}",
    ),
    "huge": (
        lambda: linked(10**400),
        (
            "found a number of 1329 bits, expected a finite number\n"
            "  at link a.x <- b.result\n  hint: give a number"
        ),
    ),
    "number": (lambda: Machine(PAIR, [5]), f"cannot read the link 5\n  {READ}"),
    "one end": (
        lambda: Machine(PAIR, [("a.x",)]),
        f"cannot read the link ('a.x',)\n  {READ}",
    ),
    "odd end": (
        lambda: Machine(PAIR, [("a.x", 5)]),
        (
            "found 5, expected a neuron and one of its ports\n"
            '  hint: write "neuron.port", or ("neuron", "port")'
        ),
    ),
    "list of neurons": (
        lambda: Machine(["a"]),
        "neurons is ['a'], expected a dict {\"name\": neuron}\n  at Machine",
    ),
    "number for a neuron": (
        lambda: Machine({"a": 5}),
        (
            "found 5, expected a neuron, a neuron type or its name\n"
            "  at neuron 'a'\n"
            '  hint: write "relu", sb.relu or sb.constant(value=2)'
        ),
    ),
    "name": (lambda: Machine(PAIR, name=5), "name is 5, expected a text\n  at Machine"),
    "count of weights": (
        lambda: chain().with_weights([1]),
        (
            "there are 1 weights, expected 2\n"
            "  at with_weights\n  hint: give one for each link of machine.links, in their order"
        ),
    ),
    "fixed": (
        lambda: chain().fixed("r.xx"),
        "relu has no input 'xx'\n  at fixed\n  hint: did you mean 'x'?",
    ),
    "unlink": (
        lambda: chain().unlink("r.x <- r.result"),
        "there is no link r.x <- r.result\n  at unlink\n  hint: did you mean 'r.x <- n.timer'?",
    ),
    "clone unknown": (
        lambda: clone(chain(), {"nn": "c"}),
        "no neuron is named 'nn'\n  at clone\n  hint: did you mean 'n'?",
    ),
    "clone to one": (
        lambda: clone(chain(), {"n": "c", "r": "c"}),
        "two copies are named 'c'\n  at clone\n  hint: give each copy a name of its own",
    ),
    "insert over": (
        lambda: insert(chain(), "n", "r.x"),
        (
            "a neuron named 'n' stands already\n"
            "  at insert\n  hint: give the new neuron another name"
        ),
    ),
    "insert before a neuron": (
        lambda: insert(chain(), "k", "r"),
        ('a link ends at r, expected a neuron and one of its inputs\n  hint: write "neuron.input"'),
    ),
    "output": (
        lambda: run(chain(), 1)["r.resul"],
        "relu has no output 'resul'\n  at run['r.resul']\n  hint: did you mean 'result'?",
    ),
    "input": (
        lambda: run(chain(), 1).inputs("r.xx"),
        "relu has no input 'xx'\n  at run.inputs('r.xx')\n  hint: did you mean 'x'?",
    ),
    "ticks": (
        lambda: run(chain(), -1),
        "ticks is -1, expected a number of ticks\n  at run\n  hint: write ticks=100",
    ),
    "half a tick": (
        lambda: run(chain(), 1.5),
        "ticks is 1.5, expected a number of ticks\n  at run\n  hint: write ticks=100",
    ),
    "key": (
        lambda: run(chain(), 1, key="x"),
        ("key is 'x', expected a random key of JAX\n  at run\n  hint: give key=jax.random.key(0)"),
    ),
}


@pytest.fixture
def untyped():
    """Without the checks of annotations, which would be the first to complain."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.usefixtures("untyped")
def test_mistakes(name):
    attempt, text = MISTAKES[name]
    with pytest.raises(SnakebirdError) as caught:
        attempt()
    assert str(caught.value) == text


@pytest.mark.parametrize("weight", ["1/0", "0.5.3", ".5/2"])
def test_weights_that_cannot_be_read(weight):
    with pytest.raises(MachineError) as caught:
        Machine(PAIR, [f"a.x <- {weight} * b.result"])
    assert str(caught.value) == (
        f"cannot read the weight {weight!r}\n"
        f"  at link 'a.x <- {weight} * b.result'\n  hint: write 2, -0.5, 1e-3 or 1/3"
    )


def test_a_seed_is_a_key():
    machine = Machine({"n": "noise"})
    assert run(machine, 2, key=3)["n"] == run(machine, 2, key=jax.random.key(3))["n"]


def test_an_unknown_function_names_its_neuron():
    machine = Machine(
        {"c": n.constant(value={"reluu": 1}), "s": "superfluid"}, ["s.:function <- c.result"]
    )
    with pytest.raises(UnknownNameError) as caught:
        run(machine, 2)
    assert str(caught.value) == (
        "no neuron type is named 'reluu'\n  at neuron 's'\n  hint: did you mean 'relu'?"
    )


def test_instant_links_of_another_kind_are_named():
    machine = Machine(
        {"a": n.constant(value=1.0), "b": n.constant(value=np.ones(2)), "r": "relu"},
        ["r.x <- a.result", Link("r", "x", ("b", "result"), instant=True)],
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert run(machine, 2)["r.result"][1] == 1
    assert [str(w.message) for w in caught] == [
        (
            "the link r.x <- b.result carries another kind of stream and counts as zero: "
            "leaves of shape [2]"
        )
    ]


def test_inputs_of_two_kinds_name_their_neuron():
    machine = Machine(
        {"c": n.constant(value=np.ones(3)), "sum": "accumulator"},
        ["sum.accum <- sum.result", "sum.delta <- c.result"],
        {"sum": {"result": 1}},
    )
    with pytest.raises(MachineError) as caught:
        run(machine, 2)
    assert str(caught.value) == (
        "leaves of shape [] and [3] meet\n"
        "  at neuron 'sum' (accumulator, inputs accum and delta), the root\n"
        "  hint: say shape= where the type has it, or give start values of the shape that comes"
    )


def test_a_stream_is_no_function():
    with Builder():
        x = n.source(name="x")
        with pytest.raises(MachineError, match=r"(?s)as if it were a function.*sb\.relu"):
            x(2)
