"""Superfluid neurons: which functions they are is data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird import neurons as n, vvalues as vv
from snakebird.errors import MachineError, UnknownNameError

neuron = n.superfluid()
INPUTS = {"accum": {"a": 5, "b": 2}, "delta": {"a": 1}, "dict": {"k": -7}}


@pytest.fixture
def types():
    """Two types under names of their own, gone after the test."""

    @n.neuron(name="test accum", outputs=("result",))
    def accum(accum, delta):
        return vv.add(accum, delta)

    @n.neuron(name="test rewrite", outputs=("result", n.FUNCTION))
    def rewrite(x):
        return {"result": x, n.FUNCTION: {"relu": 3}}

    yield
    n.REGISTRY.pop("test accum")
    n.REGISTRY.pop("test rewrite")


def test_one_function_with_coefficient_one_is_that_function(types):
    found = neuron.apply({**INPUTS, n.FUNCTION: {"test accum": 1}})
    assert not vv.diff(found, {n.FUNCTION: {"test accum": 1}, "result": {"a": 6, "b": 2}})


def test_a_mixture_is_the_linear_combination_of_its_functions():
    mixture = {"accumulator": 2, "max_norm": -1, "compare": 0.5}
    found = neuron.apply({**INPUTS, "x": {"k": -7, ":number": 3}, "y": 1, n.FUNCTION: mixture})
    expected = {"result": {"a": 12, "b": 4}, "norm": -7, "true": 1, n.FUNCTION: mixture}
    assert not vv.diff(found, expected)


def test_functions_with_coefficient_zero_add_nothing():
    found = neuron.apply({**INPUTS, "x": 3, n.FUNCTION: {"accumulator": 1, "relu": 0}})
    assert not vv.diff(found, {n.FUNCTION: {"accumulator": 1}, "result": {"a": 6, "b": 2}})


def test_an_empty_mixture_gives_only_itself_and_none_gives_nothing():
    assert not vv.diff(neuron.apply({**INPUTS, n.FUNCTION: {}}), {})
    assert vv.keys(neuron.apply({**INPUTS, n.FUNCTION: {}})) in [(), (n.FUNCTION,)]
    assert not vv.diff(neuron.apply(INPUTS), {})


def test_an_unknown_function_is_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"'max_nrm'[\s\S]*did you mean 'max_norm'"):
        neuron.apply({n.FUNCTION: {"max_nrm": 1}})


def test_functions_that_need_the_engine_have_no_place_in_a_mixture():
    with pytest.raises(MachineError, match="dropout needs key from the engine"):
        neuron.apply({n.FUNCTION: {"dropout": 1}, "x": 1})


def test_a_function_with_an_output_of_that_name_overrides_the_copy(types):
    found = neuron.apply({"x": 5, n.FUNCTION: {"test rewrite": 2}})
    assert not vv.diff(found, {"result": 10, n.FUNCTION: {"relu": 6}})


def test_a_mixture_keeps_itself_through_its_link():
    state = {n.FUNCTION: {"relu": 1}}
    for _ in range(3):
        state = neuron.apply({"x": -2.0, n.FUNCTION: vv.get(state, n.FUNCTION)})
    assert not vv.diff(state, {n.FUNCTION: {"relu": 1}})


def test_gradients_reach_the_coefficients():
    space = vv.Space([("relu",), ("tanh",), ("product",)])
    inputs = {"x": vv.flatten({"a": 0.7, "b": -0.4}), "y": vv.flatten({"a": 2.0})}

    def total(coefficients):
        found = neuron.apply({**inputs, n.FUNCTION: vv.Flat(space, coefficients)})
        return jnp.sum(vv.flatten(vv.get(found, "result")).data ** 2)

    c, h = jnp.array([0.5, -1.5, 2.0]), 1e-5
    differences = [(total(c + h * e) - total(c - h * e)) / (2 * h) for e in jnp.eye(3)]
    gradient = jax.grad(total)(c)
    np.testing.assert_allclose(gradient, differences, rtol=1e-8)
    assert (jnp.abs(gradient) > 0.1).all()
