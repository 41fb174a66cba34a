"""The readable engine is the oracle: random machines must agree in both, tick by tick."""

import random
from unittest.mock import patch

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from snakebird import vvalues as vv
from snakebird.errors import GrowthError
from snakebird.lowering import lift, lower
from snakebird.machines import Machine, run
from snakebird.testing import programs

TICKS = 8
KEY = jax.random.key(7)

pytestmark = pytest.mark.filterwarnings(
    "ignore:the matrix entry", "ignore:the link .* carries another kind"
)


def messages(machine: Machine, seed: int) -> dict:
    rng = random.Random(seed)
    return {
        name: [{rng.choice("ab"): 1.0} if rng.random() < 0.6 else None for _ in range(TICKS)]
        for name, neuron in machine.neurons.items()
        if neuron.type.external
    }


def agree(machine: Machine, seed: int, **options) -> None:
    inputs = messages(machine, seed)
    expected = run(machine, TICKS, inputs=inputs, key=KEY)
    try:
        with patch("snakebird.lowering._spaces.MAX_SIZE", 3000):
            low = lower(machine, record="all", grow=TICKS, **options)
    except GrowthError:  # streams that double every tick soon outgrow any room
        return
    assert lift(low) == machine
    found = low(inputs, TICKS, key=KEY).check().ticks()
    for t, (want, got) in enumerate(zip(expected, found, strict=True)):
        size = 1 + float(vv.max_norm(want.outputs))
        if not np.isfinite(size) or size > 1e12:
            return
        lines = vv.diff(want.outputs, got.outputs, 1e-10 * size)
        assert not lines, (t, lines)
        inputs = {name: got.inputs.get(name, {}) for name in want.inputs}
        lines = vv.diff(want.inputs, inputs, 1e-10 * size)
        assert not lines, (t, "inputs", lines)


common = dict(
    deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
"""Each example compiles; a failing one is shrunk by hand, since every try costs a second."""


@settings(max_examples=25, **common)
@given(programs(), st.integers(0, 100))
def test_random_machines_agree(machine, seed):
    agree(machine, seed)


@pytest.mark.slow
@settings(max_examples=15, **common)
@given(programs(), st.sampled_from([dict(dense=True), dict(dense=False), dict(checkpoint=3)]))
def test_every_form_of_lowering_agrees(machine, options):
    agree(machine, 3, **options)


@pytest.mark.slow
@settings(max_examples=250, **common)
@given(programs(max_neurons=9, max_links=20), st.integers(0, 100))
def test_many_random_machines_agree(machine, seed):
    agree(machine, seed)
