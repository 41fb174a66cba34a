"""Gradients through running machines, self-modifying ones among them, against published values."""

from collections.abc import Callable
from itertools import product
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from snakebird import vvalues as vv
from snakebird.lowering import Lowered, lower
from snakebird.machines import Machine, Tick, run
from snakebird.neurons import FUNCTION
from tests.golden.programs import MIXED, detector, feed_forward, fluid, golden, wave, wires

SELF = ("result", "self", "accum", "self", "result")


def _gradient(
    machine: Machine, outputs: Any, ticks: int, loss: Callable[[tuple[Tick, ...]], Any]
) -> tuple[float, Any]:
    """A loss over some ticks of the readable engine, and its gradient by all numbers before."""
    outputs = jax.tree.map(float, outputs)
    value, found = jax.value_and_grad(lambda o: loss(run(machine, ticks, outputs=o).ticks))(outputs)
    return float(value), vv.canonical(found)


def test_the_gradient_through_the_memory_of_self_is_whole() -> None:
    """x^2 + (x after the down movement)^2 + (x accumulated)^2; cutting memory would give 6."""
    wanted = golden("machine_gradients")["memory_of_self"]
    machine = wave()
    outputs = jax.tree.map(float, run(machine, 4).last)

    def loss(outputs: Any) -> Any:
        (now,) = run(machine, 1, outputs=outputs).ticks
        copies = [
            (outputs, "self", *SELF),
            (now.inputs, "self", "accum", *SELF[1:]),
            (now.outputs, "self", *SELF),
        ]
        return sum(vv.get(tree, *path) ** 2 for tree, *path in copies)

    value, found = jax.value_and_grad(loss)(outputs)
    assert value == wanted["value"] == 3.0
    assert vv.get(found, "self", *SELF) == wanted["gradient"] == 10.0


def test_the_gradient_through_three_ticks_of_the_wave() -> None:
    wanted = golden("machine_gradients")["wave_3_ticks"]
    targets = {"update-1": 0.0, "update-2": 0.5, "update-3": 0.25}

    def loss(ticks: tuple[Tick, ...]) -> Any:
        row = vv.get(ticks[-1].outputs, "self", "result", "self", "delta")
        return sum(
            (vv.number(vv.get(row, n, "result")) - target) ** 2 for n, target in targets.items()
        )

    value, found = _gradient(wave(), wave().first_outputs, 3, loss)
    assert value == wanted["value"] == 1.3125
    assert found == vv.canonical(wanted["gradient"])


def test_the_gradient_of_the_detector_reaches_functions_and_matrix() -> None:
    wanted = golden("detector")["gradient"]

    def loss(ticks: tuple[Tick, ...]) -> Any:
        answers = [vv.number(vv.get(now.inputs, "output", "dict-1")) for now in ticks]
        return sum(2 * (answer - 10) ** 2 for answer in answers)

    value, found = _gradient(detector(), wanted["outputs"], 5, loss)
    assert value == wanted["loss"] == 464.0
    assert found == vv.canonical(wanted["of"])
    assert found["self", "result", "self", FUNCTION, "self", FUNCTION] == -15460


@pytest.mark.slow
def test_the_gradient_of_the_superfluid_network_by_all_its_numbers() -> None:
    trace = golden("superfluid")

    def loss(ticks: tuple[Tick, ...]) -> Any:
        answers = [vv.get(ticks[1].inputs, "output", port) for port in ("dict-1", "dict-2")]
        return sum(vv.number(answer) ** 2 for answer in answers)

    machine = feed_forward()
    value, found = _gradient(machine, machine.first_outputs, 2, loss)
    wanted = {tuple(path): number for *path, number in trace["gradient"]}
    assert value == pytest.approx(dict(trace["losses"])[2], abs=1e-7)
    assert len(wanted) == 249
    assert found.keys() == wanted.keys()
    assert max(abs(float(found[path]) - wanted[path]) for path in wanted) < 1e-7


ANSWERS = ("dict-1", "dict-2")


def _lowered_loss(low: Lowered, ticks: int) -> jax.Array:
    """The squared errors of both answers over all ticks but the first."""
    wanted = jnp.array([row[4:] for row in golden("superfluid")["rows"][:ticks]])
    trace = low(ticks=ticks)
    answers = [vv.number(trace.inputs(f"output.{port}")) for port in ANSWERS]
    return jnp.sum((jnp.stack(answers, axis=1) - wanted)[1:] ** 2)


def _lowered() -> Lowered:
    return lower(feed_forward(), record=[f"output.{port}" for port in ANSWERS])


@pytest.mark.slow
def test_the_lowered_superfluid_network_has_the_same_gradient() -> None:
    low, machine = _lowered(), feed_forward()
    found = eqx.filter_grad(_lowered_loss)(low, 2)

    wanted = {tuple(path): number for *path, number in golden("superfluid")["gradient"]}
    trained = set(wires())
    for link, number in zip(machine.links, np.asarray(found.weights), strict=True):
        expected = wanted.get(("self", "result", *link.path), 0) if link.path in trained else 0
        assert number == pytest.approx(expected, abs=1e-7), link
    for path in product(fluid(), (FUNCTION,), MIXED):
        (number,) = np.asarray(found.start[low.plan.start_space.slot(path)])
        assert number == pytest.approx(wanted.get(path, 0), abs=1e-7), path


@pytest.mark.slow
def test_training_the_superfluid_network_gives_the_published_losses() -> None:
    """In single precision, as published: Adam's bias correction is rounded by 6e-6 there."""
    wanted, losses = golden("superfluid")["adam_losses"], []
    assert len(wanted) == 4
    with jax.enable_x64(False):
        low, optimizer = _lowered(), optax.adam(0.1)
        state = optimizer.init(eqx.filter(low, eqx.is_inexact_array))
        step = eqx.filter_jit(eqx.filter_value_and_grad(_lowered_loss))
        for _ in wanted:
            loss, gradient = step(low, 2)
            updates, state = optimizer.update(gradient, state)
            low = eqx.apply_updates(low, updates)
            losses.append(float(loss))
    np.testing.assert_allclose(losses, wanted, rtol=1e-5)


@pytest.mark.slow
def test_the_loss_of_the_lowered_superfluid_network_over_140_ticks() -> None:
    loss, gradient = eqx.filter_value_and_grad(_lowered_loss)(_lowered(), 140)
    assert float(loss) == pytest.approx(dict(golden("superfluid")["losses"])[140], rel=1e-6)
    assert float(jnp.abs(gradient.weights).max()) > 1
