"""How neuron types are made, called and refused."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import pytest

from snakebird import neurons as n, vvalues as vv
from snakebird.errors import FileFormatError, InputError, MachineError, UnknownNameError


@n.neuron(register=False)
def mixed(x, y, *, rate=0.5, bias=1, table={"a": 1.0}, mode="plain", key):  # noqa: B006
    """Mixes."""
    return vv.lin_comb([rate, 1], [x, y])


def test_a_signature_says_what_a_type_is():
    assert mixed.inputs == ("x", "y")
    assert mixed.outputs == ("result",)
    assert mixed.feeds == {"key"}
    assert mixed.__doc__ == "Mixes."
    assert not mixed.variadic
    assert mixed.signature == (
        "mixed(x, y, *, rate=0.5, bias=1, table={'a': 1.0}, mode='plain') -> result"
    )
    assert n.output.signature == "output(**inputs) -> **outputs"
    assert n.compare.signature == "compare(x, y) -> true, false"


def test_floats_arrays_and_trees_are_numbers_and_the_rest_is_not():
    numbers = [name for name in mixed.defaults if mixed.numeric(name)]
    assert numbers == ["rate", "table"]


def test_activity_and_the_outside():
    assert n.constant.always_active
    assert n.source.always_active
    assert not n.linked_source.always_active
    assert not n.relu.always_active
    assert [k for k, t in n.REGISTRY.items() if t.external] == ["source", "linked_source"]


def test_calls_compute_or_make_a_neuron():
    assert isinstance(n.relu(), n.Neuron)
    assert repr(n.relu()) == "relu()"
    assert (
        repr(n.leaky_accumulator(rate=n.trainable(0.5))) == "leaky_accumulator(rate=trainable(0.5))"
    )
    assert n.accumulator(1, delta=2) == n.accumulator(delta=2, accum=1) == 3
    assert n.accumulator(delta=2) == 2
    assert mixed(2, 1, key=jax.random.key(0), rate=Fraction(1, 2)) == 2


def test_replace_keeps_what_is_trainable():
    leaky = n.leaky_accumulator(rate=n.trainable(0.5))
    assert leaky.replace(rate=0.25).trainable == frozenset()
    assert mixed(rate=n.trainable(0.5)).replace(bias=2).trainable == {"rate"}
    changed = leaky.replace(rate=n.trainable(0.25))
    assert (changed.parameters, changed.trainable) == ({"rate": 0.25}, {"rate"})
    assert leaky.parameters == {"rate": 0.5}


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: n.leaky_accumulator(rat=0.5), UnknownNameError, "did you mean 'rate'"),
        (lambda: n.compare(z=1), UnknownNameError, "compare has no parameter 'z'"),
        (lambda: n.leaky_accumulator(delt=1), UnknownNameError, "did you mean 'delta'"),
        (lambda: n.leaky_accumulator().replace(rat=1), UnknownNameError, "no parameter 'rat'"),
        (lambda: n.relu(1, 2), MachineError, "relu takes 1 positional inputs, 2 were given"),
        (lambda: n.relu(1, x=2), MachineError, "its input 'x' twice"),
        (lambda: n.dropout(1.0), InputError, r"no key[\s\S]*give key="),
        (lambda: n.find("acumulator"), UnknownNameError, "did you mean .*'accumulator'"),
    ],
)
def test_calls_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_a_name_of_the_catalogue_is_taken():
    before = n.REGISTRY["relu"]
    with pytest.raises(MachineError, match="'relu' belongs to the catalogue"):
        n.neuron(name="relu")(lambda x: x)
    assert n.REGISTRY["relu"] is before


def test_a_new_name_is_registered_and_may_be_changed():
    try:
        first = n.neuron(name="twice over")(lambda x: vv.scale(2, x))
        assert n.find("twice over") is first
        second = n.neuron(name="twice over")(lambda x: vv.scale(2, x))
        assert n.find("twice over") is second
        assert n.neuron(name="unseen", register=False)(lambda x: x).name not in n.REGISTRY
    finally:
        n.REGISTRY.pop("twice over")


def test_one_output_may_be_named_by_a_text():
    kind = n.neuron(outputs="twice", register=False)(lambda x: vv.scale(2, x))
    assert kind.outputs == ("twice",)
    assert kind.with_parameters().apply({"x": 2}) == {"twice": 4}


def required(x, *, rate):
    return x


def preset(x=1):
    return x


def starred(*xs):
    return xs


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (required, "parameter 'rate' has no default"),
        (preset, "input 'x' has a default, but a missing input is always zero"),
        (starred, "gives its inputs no names"),
    ],
)
def test_signatures_refused(function, message):
    with pytest.raises(MachineError, match=message):
        n.neuron(function)
    assert function.__name__ not in n.REGISTRY


def test_feeds_nobody_asked_for_are_ignored():
    assert n.relu().apply({"x": 1, "y": 2}, key=None, message=3, present=True) == {"result": 1}


@pytest.mark.parametrize(
    ("outputs", "result", "what", "hint"),
    [
        (("result",), "x", "'x'", "return the value of 'result': a number, an array or a tree"),
        (("result",), None, "None", "return the value of 'result': a number, an array or a tree"),
        (("a", "b"), 3, "3", "return a dict with the outputs a, b"),
        (("up", "down"), {"upp": 3}, "the undeclared output 'upp'", "did you mean 'up'?"),
        (None, 3, "3", "return a dict of outputs by name"),
    ],
)
def test_results_that_would_be_lost_are_refused(outputs, result, what, hint):
    @n.neuron(outputs=outputs, register=False)
    def odd(x):
        return result

    with pytest.raises(MachineError) as caught:
        odd.with_parameters().apply({"x": 1})
    text = f"odd returned {what}\n  at neuron type odd\n  hint: {hint}"
    assert str(caught.value) == text + (" of numbers" if hint.endswith("tree") else "")


@pytest.mark.parametrize(
    ("loops", "what", "hint"),
    [
        ({"lin": "out"}, "no input is named 'lin'", "did you mean 'line'?"),
        ({"line": "oot"}, "no output is named 'oot'", "did you mean 'out'?"),
    ],
)
def test_loops_name_ports(loops, what, hint):
    with pytest.raises(MachineError) as caught:
        n.neuron(outputs="out", loops=loops, name="odd", register=False)(lambda line: line)
    assert str(caught.value) == f"{what}\n  at loops of neuron type odd\n  hint: {hint}"


def test_a_token_source_counts_by_a_number():
    with pytest.raises(MachineError) as caught:
        n.token_source(jnp.ones(2), text="ab")
    assert str(caught.value) == (
        "timer has the shape [2], expected a number\n"
        "  at neuron type token_source\n  hint: link a timer to it"
    )


def test_a_csv_file_that_is_missing(tmp_path):
    path = tmp_path / "none.csv"
    with pytest.raises(FileFormatError) as caught:
        n.csv_source(path)
    assert str(caught.value) == (
        f"cannot read this: No such file or directory\n  at {path}\n"
        "  hint: give a CSV file with a header"
    )
