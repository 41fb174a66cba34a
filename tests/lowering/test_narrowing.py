"""Which neurons after a loop join its scan, and that no number depends on it."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird import neurons as sn
from snakebird.lowering import lower
from snakebird.lowering._parameters import light, split
from snakebird.lowering._stages import Stages, Streams, cut
from snakebird.machines import Machine, run

TEXT = "abcaacb"


def counting(narrow: Any = "max_norm", *, also: tuple[str, ...] = ()) -> Machine:
    """Counts of characters, what one neuron makes of them, and other readers of the counts."""
    narrow = sn.REGISTRY[narrow]() if isinstance(narrow, str) else narrow
    port = narrow.type.inputs[0]
    (result,) = narrow.type.outputs
    return Machine(
        {"char": sn.source(tokens=("a", "b", "c")), "counts": "accumulator", "narrow": narrow}
        | {"end": "tanh"}
        | dict.fromkeys(also, "tanh"),
        [
            "counts.accum <- 0.9 * counts.result",
            "counts.delta <- char.signal",
            f"narrow.{port} <- 2 * counts.result",
            f"end.x <- narrow.{result}",
            *(f"{name}.x <- counts.result" for name in also),
        ],
    )


def joins(machine: Machine, record: Any = ("end",)) -> bool:
    of = lower(machine, record=list(record)).plan.stages.of
    return of["narrow"] == of["counts"]


def test_a_norm_joins_the_scan_that_only_it_reads():
    assert joins(counting())
    assert not joins(counting("tanh"))  # as many numbers as it reads


@pytest.mark.parametrize("record", [("end", "counts"), ("end", "narrow")])
def test_what_is_recorded_is_kept_anyway(record: tuple[str, ...]):
    assert not joins(counting(), record)


def test_what_others_read_is_kept_anyway():
    assert not joins(counting(also=("other",)), ("end", "other"))
    assert joins(counting(also=("other",)))  # the other one does not run


def test_neurons_that_may_cost_much_are_not_light():
    given = [sn.call_neuron(jnp.sum, inputs=("x",)), sn.leaky_accumulator(), sn.superfluid()]
    assert not any(light(neuron, split(neuron, float)) for neuron in given)
    assert all(light(n, split(n, float)) for n in (sn.max_norm(), sn.inner(), sn.relu()))


def test_one_after_the_other_while_numbers_get_fewer():
    reads = {"loop": ["loop"], "a": ["loop"], "b": ["a"], "c": ["b", "head"], "head": []}
    sizes = {"loop": 9, "a": 4, "b": 2, "c": 2, "head": 5}
    streams = Streams(sizes, frozenset(sizes))
    found = cut(list(reads), reads, set(), streams)
    assert found == Stages({"head": 0, "loop": 1, "a": 1, "b": 1, "c": 2}, (False, True, False))
    slow = cut(list(reads), reads, set(), Streams(sizes, frozenset("bc")))
    assert slow.of["loop"] < slow.of["a"] < slow.of["b"]


@pytest.mark.parametrize("record", [("end",), ("end", "counts")])
def test_runs_agree_with_the_readable_engine(record: tuple[str, ...]):
    machine = counting()
    low = lower(machine, record=list(record))
    wanted = [float(v or 0) for v in run(machine, 9, inputs={"char": list(TEXT)})["end.result"]]
    assert np.allclose(low({"char": TEXT}, 9).number("end.result"), wanted, atol=1e-12)
    first = low({"char": TEXT[:4]})
    rest = low({"char": TEXT[4:]}, 5, state=first.state)
    halves = [*first.number("end.result"), *rest.number("end.result")]
    assert np.allclose(halves, wanted, atol=1e-12)


def test_copies_and_gradients_are_those_of_one_scan():
    text = jnp.asarray(np.eye(3)[np.random.default_rng(0).integers(0, 3, (4, 6))])
    found = []
    for checkpoint in (False, 6):
        low = lower(counting(), record=["end"], checkpoint=checkpoint)

        def loss(weights: jax.Array, x: jax.Array, low: Any = low) -> jax.Array:
            moved = eqx.tree_at(lambda m: m.weights, low, weights)
            return jnp.sum(moved({"char": x}).number("end.result") ** 2)

        both = jax.jit(jax.vmap(jax.value_and_grad(loss), in_axes=(None, 0)))
        found.append(both(low.weights, text))
    for one, other in zip(*found, strict=True):
        assert np.all(np.any(np.asarray(one).reshape(4, -1) != 0, axis=1))
        assert np.allclose(one, other, rtol=1e-12, atol=1e-14)
