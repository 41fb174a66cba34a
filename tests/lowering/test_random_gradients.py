"""Random machines: forward and reverse mode agree with central differences, in every form."""

from typing import Any
from unittest.mock import patch

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from jax.flatten_util import ravel_pytree

from snakebird.errors import GrowthError
from snakebird.lowering import lower
from snakebird.machines import Machine
from snakebird.testing import programs
from tests.lowering.slopes import as_function, free_numbers, total

pytestmark = pytest.mark.filterwarnings(
    "ignore:the matrix entry", "ignore:the link .* carries another kind"
)
common = dict(
    deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
FORMS = st.sampled_from([{}, {"checkpoint": 2}, {"dense": True}, {"dense": False}])
TICKS, STEP = 4, 1e-6


def slopes_agree(machine: Machine, seed: int, options: dict[str, Any]) -> None:
    """At a point away from the corners that simple weights sit on."""
    try:
        with patch("snakebird.lowering._spaces.MAX_SIZE", 3000):
            low = lower(machine, record="all", grow=TICKS, **options)
    except GrowthError:
        return
    rng = np.random.default_rng(seed)
    low = eqx.tree_at(
        lambda m: m.weights, low, low.weights + 0.1 * rng.normal(size=low.weights.shape)
    )
    inputs = {
        name: [{"a": 1.0}, None, {"b": 0.5}, None]
        for name, neuron in machine.neurons.items()
        if neuron.type.external
    }
    function, point = as_function(low, lambda m: total(m(inputs, TICKS, key=jax.random.key(0))))
    free = ravel_pytree(free_numbers(low))[0]
    move = jnp.asarray(rng.normal(size=point.size) * free)

    @jax.jit
    def slopes(z: jax.Array) -> list[jax.Array]:
        ahead, behind = jax.vmap(function)(jnp.stack([z + STEP * move, z - STEP * move]))
        forward = jax.jvp(function, (z,), (move,))[1]
        return [function(z), jax.grad(function)(z), forward, (ahead - behind) / (2 * STEP)]

    value, gradient, forward, steps = map(np.asarray, slopes(point))
    if not np.abs(value) < 1e4:
        return
    assert np.isfinite(gradient).all()
    assert not gradient[~free.astype(bool)].any()
    size = 1 + np.abs(value) + np.abs(gradient).max(initial=0)
    np.testing.assert_allclose(gradient @ move, forward, rtol=0, atol=1e-10 * size)
    np.testing.assert_allclose(forward, steps, rtol=0, atol=1e-5 * size)


@pytest.mark.slow
@settings(max_examples=6, **common)
@given(programs(max_neurons=5, max_links=10), st.integers(0, 100), FORMS)
def test_random_machines_have_the_gradients_of_differences(machine, seed, options):
    slopes_agree(machine, seed, options)


@pytest.mark.slow
@settings(max_examples=60, **common)
@given(programs(), st.integers(0, 100), FORMS)
def test_many_random_machines_have_the_gradients_of_differences(machine, seed, options):
    slopes_agree(machine, seed, options)
