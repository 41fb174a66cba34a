"""The check of neurons finds what it is there to find."""

import jax.numpy as jnp
import pytest

from snakebird import vvalues as vv
from snakebird.errors import MachineError
from snakebird.neurons import neuron
from snakebird.testing import check_neuron


@neuron(register=False)
def fine(x, y, *, rate=0.5):
    return vv.lin_comb([rate, 1], [x, vv.multiply(x, y)])


def test_a_good_neuron_passes():
    check_neuron(fine)
    check_neuron(fine(rate=2.0), inputs={"x": 1.0, "y": {"a": 2.0}})
    check_neuron(fine(rate=2.0), inputs=[{"x": 1.0}, {}])


@neuron(register=False)
def written_zeros(x):
    return float(len(vv.keys(x)))


@neuron(register=False)
def not_zero_at_zero(x):
    return vv.map_numbers(lambda k: k + 1, x)


@neuron(register=False)
def only_trees(x):
    return {"a": x["a"]} if isinstance(x, dict) and "a" in x else {}


@neuron(register=False)
def divides(x, y):
    return vv.number(x) / vv.number(y)


@neuron(register=False, outputs=("a", "b"))
def undeclared(x):
    return {"a": x, "c": x}


@neuron(register=False, outputs=("a", "b"))
def nameless(x):
    return vv.number(x)


@neuron(register=False)
def branches_on_numbers(x):
    return x if vv.max_norm(x) > 1 else vv.scale(2, x)


@neuron(register=False)
def space_by_number(x):
    size = vv.max_norm(x)
    return {"large" if float(size) > 0.1 else "small": size}


@neuron(register=False)
def own_dtype(x):
    return vv.scale(jnp.ones(()), x)


@neuron(register=False)
def rounded(x):
    return vv.map_numbers(lambda k: k + 1e-7 * jnp.round(k * 1e6), x)


@neuron(register=False)
def root(x):
    return vv.map_numbers(lambda k: abs(k) ** 0.5, x)


@neuron(register=False, outputs=("peak",))
def named_twice(x):
    return {"peak": x}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (named_twice, "became the output peak.peak"),
        (written_zeros, "zeros|differs"),
        (not_zero_at_zero, "differs from the tree"),
        (only_trees, "on a Flat"),
        (divides, "divides by zero"),
        (branches_on_numbers, "cannot be traced"),
        (space_by_number, "cannot be traced"),
        (own_dtype, "float64 for float32"),
        (rounded, "central differences"),
        (root, "gradient for the input x.* is (nan|inf)"),
    ],
    ids=lambda value: value.name if hasattr(value, "name") else "",
)
def test_a_bad_neuron_is_told_why(bad, message):
    with pytest.raises(AssertionError, match=message) as caught:
        check_neuron(bad)
    assert str(caught.value).startswith(f"{bad.name}()")


@pytest.mark.parametrize(
    ("bad", "message"),
    [(undeclared, "returned the undeclared output 'c'"), (nameless, "return a dict with")],
)
def test_outputs_without_a_declared_name_are_refused(bad, message):
    with pytest.raises(MachineError, match=message):
        check_neuron(bad)


def test_gradients_can_be_left_out():
    check_neuron(rounded, gradients=False)


def test_a_neuron_for_plain_numbers_is_told_how_trees_are_compared():
    @neuron(register=False)
    def naive(x, *, threshold=1.0):
        return 1.0 if x > threshold else 0.0

    with pytest.raises(AssertionError, match=r"(?s)it fails: '>' not supported.*vv\.number"):
        check_neuron(naive)
