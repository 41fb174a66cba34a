"""Any JAX function and any Equinox module as a neuron."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird import neurons as n, vvalues as vv
from snakebird.errors import MachineError, SpaceError


def test_a_function_reads_the_numbers_at_the_roots():
    neuron = n.call_neuron(lambda x, y: x * jnp.sin(y))
    assert neuron.type.inputs == ("x", "y")
    found = neuron.apply({"x": {":number": 2.0, "a": 9}, "y": 0.5})
    assert math.isclose(found["result"], 2 * math.sin(0.5))
    assert neuron.apply({"y": 0.5})["result"] == 0


def test_parameters_with_defaults_are_no_ports():
    assert n.call_neuron(lambda x, scale=2.0: scale * x).type.inputs == ("x",)
    assert n.call_neuron(jnp.hypot, inputs=("a", "b")).apply({"a": 3.0, "b": 4.0})["result"] == 5
    assert n.call_neuron(jnp.tanh).type.inputs == ("x",)


def test_several_outputs_as_a_tuple_or_a_dict():
    outputs = ("s", "d")
    for function in (lambda x, y: (x + y, x - y), lambda x, y: {"d": x - y, "s": x + y}):
        neuron = n.call_neuron(function, outputs=outputs)
        assert neuron.apply({"x": 3, "y": 1}) == {"s": 4, "d": 2}
    for function in (lambda x: x, lambda x: (x,), lambda x: {"z": x}):
        with pytest.raises(MachineError, match="2 values, or a dict with the keys s, d"):
            n.call_neuron(function, outputs=outputs).apply({"x": 1})


def test_a_module_is_a_neuron_with_trainable_arrays():
    net = eqx.nn.MLP(2, 3, 4, 1, key=jax.random.key(1))
    neuron = n.call_neuron(net, shapes={"x": (2,)})
    x = jnp.array([0.5, -1.0])
    np.testing.assert_allclose(neuron.apply({"x": x})["result"], net(x))
    np.testing.assert_allclose(neuron.apply({})["result"], net(jnp.zeros(2)))
    assert neuron.trainable == {"function"}
    assert n.call_neuron(net, train=False).trainable == frozenset()
    with pytest.raises(SpaceError, match="shape \\[3\\], expected \\[2\\]"):
        neuron.apply({"x": jnp.ones(3)})


def test_neurons_with_the_same_ports_are_of_one_type():
    one, two = n.call_neuron(jnp.sin), n.call_neuron(jnp.cos)
    assert one.type is two.type
    assert one.type is not n.call_neuron(jnp.sin, shapes={"x": (2,)}).type


def test_gradients_reach_the_arrays_of_a_module():
    net = eqx.nn.Linear(2, 1, use_bias=False, key=jax.random.key(0))
    x = vv.flatten({"x": np.array([2.0, -3.0])})
    loss = lambda net: jnp.sum(n.call_neuron(net, inputs=("x",)).apply(x)["result"])
    np.testing.assert_allclose(eqx.filter_grad(loss)(net).weight, [[2.0, -3.0]])


def test_what_cannot_be_called_is_told():
    with pytest.raises(MachineError, match=r"cannot read the parameters[\s\S]*give inputs="):
        n.call_neuron(min)
    with pytest.raises(MachineError, match="shape is given for 'y'"):
        n.call_neuron(lambda x: x, shapes={"y": (2,)})
