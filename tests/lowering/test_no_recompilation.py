"""Numbers may change without a new trace; machines of one structure share one compiled program."""

import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird import neurons as sn, vvalues as vv
from snakebird.lowering import lower
from snakebird.machines import Link, Machine
from snakebird.neurons import trainable

traces: list[str] = []


@pytest.fixture
def counted() -> Any:
    """A neuron type that notes every time it is traced, a new one for each test."""

    @sn.neuron(register=False)
    def counting(x: Any, *, by: Any = 1.0) -> Any:
        traces.append("up")
        return vv.scale(by, x)

    return counting


def machine(kind: Any, weight: float = 0.5, by: float = 2.0, start: float = 0.25) -> Machine:
    return Machine(
        {"s": sn.source(tokens=("a", "b")), "n": kind(by=trainable(by)), "m": "accumulator"},
        [
            Link("n", "x", ("s", "signal"), weight),
            Link("n", "x", ("m", "result"), 0.1),
            Link("m", "accum", ("m", "result"), 1, trainable=False),
            Link("m", "delta", ("n", "result"), weight),
        ],
        {"m": {"result": {"a": start}}},
        free_start=["m.result"],
    )


def test_only_numbers_change_and_nothing_is_traced_again(counted: Any):
    low = lower(machine(counted))
    low({"s": np.ones((5, 2))})
    traces.clear()
    for k in range(1, 4):
        other = jax.tree.map(lambda x, k=k: x + 0.1 * k, low)
        trace = other({"s": k * np.ones((5, 2))})
        other({"s": np.ones((5, 2))}, state=trace.state)
        lower(machine(counted, 0.1 * k, 3.0 + k, 0.5 * k))({"s": np.ones((5, 2))})
        other({"s": "abbaa"})
        other({"s": [{"a": 2.0}, None, {"b": 1.0}, None, None]})
    assert traces == []


def test_another_length_is_traced_once(counted: Any):
    low = lower(machine(counted))
    for length in (5, 7, 5, 7):
        low({"s": np.ones((length, 2))})
    count = len(traces)
    low(ticks=7)
    assert len(traces) == count


def test_machines_that_differ_in_numbers_share_a_plan(counted: Any):
    one, other = lower(machine(counted)), lower(machine(counted, 0.75, 3.0, 9.0))
    assert one.plan == other.plan
    assert hash(one.plan) == hash(other.plan)
    assert jax.tree.structure(one) == jax.tree.structure(other)
    assert one.plan.layout is other.plan.layout
    assert lower(machine(counted), record="all").plan != one.plan
    assert lower(machine(counted).fixed("m.delta")).plan != one.plan


def test_a_jitted_training_step_is_traced_once(counted: Any):
    low = lower(machine(counted), record="m.result")

    @eqx.filter_jit
    @eqx.debug.assert_max_traces(max_traces=1)
    def step(low: Any, inputs: jax.Array) -> Any:
        gradient = eqx.filter_grad(lambda m: jnp.sum(m({"s": inputs})["m.result"].data ** 2))(low)
        return jax.tree.map(lambda x, g: x - 0.01 * g, low, gradient)

    for k in range(4):
        low = step(low, k * jnp.ones((3, 2)))
    step(lower(machine(counted, 0.3), record="m.result"), jnp.ones((3, 2)))


def test_a_weight_that_becomes_zero_needs_no_other_plan():
    def carrying(weight: float) -> Machine:
        return Machine(
            {"self": "accumulator", "c": "cosine", "n": "timer"},
            [
                Link("self", "accum", ("self", "result"), 1, trainable=False),
                Link("n", "timer", ("n", "timer"), 1, trainable=False),
                Link("c", "x", ("n", "timer"), weight),
            ],
            matrix_from="self.result",
        )

    active, silent = (lower(carrying(w), record="c.result") for w in (0.5, 0.0))
    assert active.plan == silent.plan
    assert active(ticks=3).number("c.result").tolist() == pytest.approx(np.cos([0, 0.5, 1]))
    assert silent(ticks=3).number("c.result").tolist() == [0, 0, 0]


def test_reserved_room_is_part_of_the_plan_in_full(counted: Any):
    paths = [(f"k{n}",) for n in range(20)]
    spaces = [vv.Space(paths), vv.Space([*paths[:-1], ("other",)])]
    assert repr(spaces[0]) == repr(spaces[1])
    plans = [lower(machine(counted), grow={"n.result": space}).plan for space in spaces]
    assert plans[0] != plans[1]
    for plan, space in zip(plans, spaces, strict=True):
        assert space <= plan.spaces.outputs["n"].sub(("result",))


def test_lowering_a_known_structure_again_is_quick():
    width = 30

    def network(seed: int) -> Machine:
        rng = np.random.default_rng(seed)
        names = [f"n{k}" for k in range(width)]
        links = [Link(a, "x", (b, "result"), rng.normal()) for a in names for b in names]
        return Machine({name: sn.tanh() for name in names}, links)

    first, second = network(0), network(1)
    started = time.process_time()
    plan = lower(first).plan
    _ = plan.moves
    middle = time.process_time()
    assert lower(second).plan.layout is plan.layout
    assert time.process_time() - middle < max(0.5 * (middle - started), 0.1)
