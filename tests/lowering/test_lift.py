"""`lift` undoes `lower`: machines come back as they were, or with the numbers of training."""

from fractions import Fraction
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from snakebird import neurons as sn, vvalues as vv
from snakebird.errors import GrowthError, MachineError, SnakebirdError
from snakebird.lowering import lift, lower
from snakebird.machines import Link, Machine, run
from snakebird.neurons import trainable
from snakebird.testing import machines, programs

pytestmark = pytest.mark.filterwarnings(
    "ignore:the matrix entry", "ignore:the link .* carries another kind", "ignore:overflow"
)
DTYPES = [jnp.float32, jnp.float64]


@settings(max_examples=40, deadline=None)
@given(machines() | programs(), st.sampled_from(DTYPES))
def test_lift_undoes_lower(machine: Machine, dtype: Any):
    comes_back(machine, dtype)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(machines() | programs(), st.sampled_from(DTYPES))
def test_lift_undoes_lower_for_many_machines(machine: Machine, dtype: Any):
    comes_back(machine, dtype)


def comes_back(machine: Machine, dtype: Any) -> None:
    try:
        low = lower(machine, dtype=dtype, grow=2)
    except SnakebirdError:  # machines of any shape need not fit together
        return
    assert low.weights.dtype == dtype
    found = lift(low)
    assert found == machine
    for link, new in zip(machine.links, found.links, strict=True):
        assert type(link.weight) is type(new.weight)
    assert str(found.start) == str(machine.start)


def exact() -> Machine:
    return Machine(
        {
            "a": sn.leaky_accumulator(rate=trainable(Fraction(1, 3))),
            "b": sn.constant(value={"p": 1, "q": Fraction(2, 7)}),
            "v": sn.constant(value=trainable(np.array([0.1, 0.2], np.float32))),
            "s": sn.superfluid(),
        },
        [
            Link("a", "accum", ("a", "result"), 1, trainable=False),
            Link("a", "delta", ("b", "result"), Fraction(1, 10)),
            Link("s", "x", ("v", "result"), 3),
            Link("s", sn.FUNCTION, ("s", sn.FUNCTION), 1),
        ],
        {
            "a": {"result": {"p": Fraction(1, 3), "q": 2}},
            "s": {sn.FUNCTION: {"tanh": 1, "relu": 0}},
        },
        free_start=["a.result", ("s", sn.FUNCTION)],
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_ints_stay_ints_and_fractions_fractions(dtype: Any):
    machine = exact()
    found = lift(lower(machine, dtype=dtype))
    assert found == machine
    assert [type(link.weight) for link in found.links] == [int, Fraction, int, int]
    assert [link.weight for link in found.links] == [1, Fraction(1, 10), 1, 3]
    assert found.neurons["a"].parameters["rate"] == Fraction(1, 3)
    assert found.neurons["b"].parameters["value"] == {"p": 1, "q": Fraction(2, 7)}
    assert found.start["a"]["result"] == {"p": Fraction(1, 3), "q": 2}
    assert found.neurons["a"].trainable == {"rate"}


def test_only_what_training_changed_gets_another_form():
    machine = exact()
    low = lower(machine)
    weights = low.weights.at[1].add(0.5)
    start = low.start.at[low.plan.start_space.slot(("a", "result", "q"))].add(0.25)
    found = lift(eqx.tree_at(lambda m: (m.weights, m.start), low, (weights, start)))
    assert [link.weight for link in found.links] == [1, 0.6, 1, 3]
    assert [type(link.weight) for link in found.links] == [int, float, int, int]
    assert found.start == {
        "a": {"result": {"p": Fraction(1, 3), "q": 2.25}},
        "s": {sn.FUNCTION: {"tanh": 1, "relu": 0}},
    }
    assert found.neurons["v"].parameters["value"].dtype == np.float32


def test_a_coefficient_that_was_a_written_zero_is_trained():
    low = lower(exact())
    slot = low.plan.start_space.slot(("s", sn.FUNCTION, "relu"))
    found = lift(eqx.tree_at(lambda m: m.start, low, low.start.at[slot].set(0.5)))
    assert found.start["s"] == {sn.FUNCTION: {"tanh": 1, "relu": 0.5}}


def trained(machine: Machine, ticks: int, **options: Any) -> Any:
    low = lower(machine, record="all", **options)
    rng = np.random.default_rng(0)

    def loss(m: Any) -> jax.Array:
        data = m(ticks=ticks).data
        return sum((jnp.sum((x - 0.3) ** 2) for x in data.values()), jnp.zeros(()))

    gradient = eqx.filter_grad(loss)(low)
    size = max([1.0, *(float(jnp.abs(g).max()) for g in jax.tree.leaves(gradient) if g.size)])
    step = lambda x, g: (x - 0.05 / size * g * rng.uniform(0.5, 1.5, g.shape)).astype(x.dtype)
    return jax.tree.map(step, low, gradient)


def same_in_both(low: Any, ticks: int, tolerance: float) -> None:
    found, expected = low(ticks=ticks).ticks(), run(lift(low), ticks)
    for t, (got, want) in enumerate(zip(found, expected, strict=True)):
        size = 1 + float(vv.max_norm(want.outputs))
        lines = vv.diff(want.outputs, got.outputs, tolerance * size)
        assert not lines, (t, lines)


def carrying() -> Machine:
    update = {"n": {"x": {"c": {"result": 0.1}}}}
    return Machine(
        {
            "self": "accumulator",
            "u": sn.constant(value=trainable(update)),
            "n": "tanh",
            "c": sn.constant(value=0.5),
        },
        [
            Link("self", "accum", ("self", "result"), 1, trainable=False),
            "self.delta <- 0.5 * u.result",
            "n.x <- 0.25 * n.result",
            "n.x <- c.result",
        ],
        matrix_from="self.result",
    )


@pytest.mark.parametrize("machine", [exact(), carrying()], ids=["exact", "carrying"])
def test_a_trained_machine_runs_alike_in_both_engines(machine: Machine):
    low = trained(machine, 4)
    assert lift(low) != machine
    same_in_both(low, 4, 1e-12)
    again = lower(lift(low), record="all")
    assert again.plan == low.plan
    for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(low), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_machine_trained_in_single_precision_comes_back_to_the_bit():
    low = trained(carrying(), 4, dtype=jnp.float32)
    again = lower(lift(low), record="all", dtype=jnp.float32)
    for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(low), strict=True):
        assert a.dtype == b.dtype == jnp.float32
        np.testing.assert_array_equal(a, b)
    same_in_both(low, 4, 1e-5)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(programs())
def test_random_machines_run_alike_after_a_training_step(machine: Machine):
    try:
        low = trained(machine, 3, grow=3)
    except (GrowthError, MachineError):
        return
    leaves = [np.asarray(x) for x in jax.tree.leaves(low)]
    if all(np.isfinite(x).all() for x in leaves):
        same_in_both(low, 3, 1e-9)
