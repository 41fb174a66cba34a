"""Neurons that draw: their means over many keys, and what each draw may be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird import neurons as n, vvalues as vv

DRAWS = 4000
KEYS = jax.random.split(jax.random.key(11), DRAWS)
SPACE = vv.Space([("a",), ("b", "c"), ("d",)])


def draws(neuron, inputs):
    """The result of many draws, one a row, in the space of the first output."""
    flat = vv.flatten(inputs)
    space = jax.eval_shape(lambda: vv.flatten(neuron.apply(flat, key=KEYS[0]))).space
    one = lambda key: vv.flatten(neuron.apply(flat, key=key)).data
    return vv.Flat(space, jax.jit(jax.vmap(one))(KEYS))


def assert_mean(found, expected):
    """Every mean within four standard errors of what it should be."""
    data = np.asarray(found.data)
    error = np.abs(data.mean(0) - np.asarray(vv.flatten(expected, found.space).data))
    assert (error <= 4 * data.std(0) / np.sqrt(DRAWS) + 1e-12).all(), error
    assert data.std(0).max() > 0.01


def test_noise_has_the_mean_and_size_it_should():
    found = draws(n.noise(scale=2.0, shape=(3,)), {})
    assert_mean(found, {"result": np.zeros(3)})
    np.testing.assert_allclose(found.data.std(0), 2.0, rtol=4 / np.sqrt(2 * DRAWS))
    assert np.shape(n.noise(key=KEYS[0])) == ()


def test_dropout_passes_all_or_nothing():
    found = draws(n.dropout(keep=0.3), {"x": {"a": 2.0, "b": -1.0}})
    assert_mean(found, {"result": {"a": 0.6, "b": -0.3}})
    rows = {tuple(row) for row in np.asarray(found.data).tolist()}
    assert rows == {(2.0, -1.0), (0.0, 0.0)}
    assert n.dropout({"a": 2}, key=KEYS[0], keep=1.0) == {"a": 2}


@pytest.mark.parametrize("factor", [1.0, 5.0])
def test_a_sample_is_one_signed_entry_and_means_the_value(factor):
    x = {"a": 0.2 * factor, "b": {"c": -0.5 * factor}, "d": 0.1 * factor}
    found = draws(n.sample(), {"x": x})
    assert_mean(found, {"result": vv.scale(1 / max(1.0, 0.8 * factor), x)})
    data = np.asarray(found.data)
    assert set(np.unique(data)) == {-1.0, 0.0, 1.0}
    assert (np.abs(data).sum(1) <= 1).all()
    if factor > 1:
        assert (np.abs(data).sum(1) == 1).all()


def test_a_stochastic_sum_means_the_linear_combination_of_samples():
    # What three links of weight 0.3, -0.4 and 0.2 carry from three samples.
    inputs = {"one": {"a": 0.3}, "two": {"b": {"c": -0.4}}, "three": {"a": -0.2}}
    found = draws(n.stochastic_sum(), inputs)
    assert_mean(found, {"result": {"a": 0.1, "b": {"c": -0.4}}})
    assert set(np.unique(found.data)) == {-1.0, 0.0, 1.0}
    assert (np.abs(np.asarray(found.data)).sum(1) <= 1).all()


def test_a_chain_of_samples_means_the_product():
    x = vv.flatten({"a": 0.5, "b": -0.5})

    def twice(key):
        first, second = jax.random.split(key)
        return n.sample(vv.scale(0.5, n.sample(x, key=first)), key=second).data

    found = vv.Flat(x.space, jax.vmap(twice)(KEYS))
    assert_mean(found, {"a": 0.25, "b": -0.25})


def test_nothing_in_nothing_out():
    assert not vv.diff(n.sample({}, key=KEYS[0]), {})
    assert not vv.diff(n.stochastic_sum(key=KEYS[0]), {})
    assert not vv.diff(n.stochastic_sum(key=KEYS[0], one={}, two={"a": 0}), {})


def test_one_key_one_draw():
    for kind, x in ((n.noise, {}), (n.sample, {"x": {"a": 0.5, "b": 0.5}})):
        neuron = kind()
        assert not vv.diff(neuron.apply(x, key=KEYS[5]), neuron.apply(x, key=KEYS[5]))
    values = {float(n.noise(key=key)) for key in KEYS[:5]}
    assert len(values) == 5
    assert n.noise(key=KEYS[0], scale=jnp.float32(1)).dtype == jnp.float32
