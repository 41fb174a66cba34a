"""Machines as the models of holes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snakebird as sb
from snakebird.equations import MachineModel, redrawn, superfluid_hole, superfluid_machine
from snakebird.errors import EquationError, UnknownNameError
from snakebird.fitting.core import vector_of


@sb.machine
def deep(x: sb.Numbers(), y: sb.Numbers()):
    """Four ticks from the sources to the output."""
    bent = sb.tanh(0.5 * x - y + 0.25)
    return {"a": 0.5 * x + 2.0 * sb.product(bent, y), "b": sb.fixed(3 * bent)}


def truth(x, y):
    bent = np.tanh(0.5 * x - y + 0.25)
    return 0.5 * x + 2.0 * bent * y, 3 * bent


def test_a_machine_gives_what_it_settles_to_and_what_enough_ticks_give():
    x, y = np.array([0.3, -1.0, 2.0]), np.array([1.0, 0.5, -0.7])
    for ticks in (None, 4):
        hole = sb.Hole("x y", "a b", MachineModel(deep, ticks=ticks))
        np.testing.assert_allclose(np.asarray(hole(x, y)), truth(x, y), rtol=1e-12)
    early = sb.Hole("x y", "a b", MachineModel(deep, ticks=3))(0.3, 1.0)
    np.testing.assert_allclose(np.asarray(early), [0.15, truth(0.3, 1.0)[1]], rtol=1e-12)


def test_gradients_are_those_of_finite_differences():
    hole = superfluid_hole("x y", "a b", key=jax.random.key(3))
    vector = vector_of(hole)
    f = lambda theta: jnp.sum(jnp.sin(vector.model(theta)(0.4, -1.2)))
    found = np.asarray(jax.jit(jax.jacfwd(f))(jnp.asarray(vector.start)))
    rows = np.eye(len(vector.start)) * 1e-6
    many = jax.jit(jax.vmap(f))
    expected = (many(vector.start + rows) - many(vector.start - rows)) / 2e-6
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-6, atol=1e-8)


def test_only_what_is_trainable_is_trained_and_drawn_anew():
    model = MachineModel(deep)
    hole = sb.Hole("x y", "a b", model)
    assert model.size == sum(link.trainable for link in deep.links)
    assert len(vector_of(hole).start) == model.size
    new = redrawn(hole, jax.random.key(1))
    changed = [
        a.weight != b.weight for a, b in zip(deep.links, new.model.machine.links, strict=True)
    ]
    assert changed == [link.trainable for link in deep.links]


def test_the_machine_comes_back_and_runs_alike():
    new = redrawn(sb.Hole("x y", "a b", MachineModel(deep)), jax.random.key(2))
    back = new.model.machine
    assert [link.place for link in back.links] == [link.place for link in deep.links]
    out = sb.lower(back)({"x": np.full((4, 1), 0.3), "y": np.full((4, 1), 0.8)}, 4)
    np.testing.assert_allclose(
        [out.number("output.a")[-1], out.number("output.b")[-1]], new(0.3, 0.8), rtol=1e-12
    )


def test_a_loop_runs_for_as_many_ticks_as_are_said():
    m = sb.Machine(
        {"x": "source", "sum": "accumulator", "out": "output"},
        ["sum.accum <- sum.result", "sum.delta <- 0.5 * x.signal", "out.r <- 1.0 * sum.result"],
    )
    with pytest.raises(EquationError, match=r"loop through(.|\n)*ticks=10"):
        MachineModel(m)
    # One tick to the sum, one to the output; 0.5 more with every other.
    assert float(sb.Hole("x", "r", MachineModel(m, ticks=6))(2.0)) == pytest.approx(4.0)


def test_single_precision_and_double_are_both_kept():
    hole = superfluid_hole("x", "r", layers=(1,), functions=(("product", "sine"),))
    assert hole.array(jnp.ones(1)).dtype == jnp.float64
    single = eqx.tree_at(
        lambda h: h.model, hole, jax.tree.map(lambda x: x.astype(jnp.float32), hole.model)
    )
    assert single.model(jnp.ones(1, jnp.float32)).dtype == jnp.float32


def test_names_of_sources_and_outputs_choose_the_order():
    swapped = MachineModel(deep, inputs="y x", outputs="output.b output.a")
    np.testing.assert_allclose(np.asarray(swapped(jnp.array([1.0, 0.3]))), truth(0.3, 1.0)[::-1])


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: MachineModel(deep, ticks=0), EquationError, "ticks=0"),
        (lambda: MachineModel(deep, inputs="x z"), UnknownNameError, "no source is named 'z'"),
        (lambda: MachineModel(deep, outputs="bend.result"), UnknownNameError, "bent"),
        (lambda: MachineModel(deep.fixed()), EquationError, "nothing in the machine"),
        (
            lambda: MachineModel(sb.Machine({"x": "source"}, [])),
            EquationError,
            'outputs="neuron.port',
        ),
        (
            lambda: MachineModel(sb.Machine({"c": "constant", "o": "output"}, ["o.r <- c.result"])),
            EquationError,
            "no source",
        ),
        (
            lambda: MachineModel(
                sb.Machine(
                    {"x": "source", "n": "noise", "o": "output"}, ["o.r <- 1.0 * n.result"]
                )
            ),
            EquationError,
            "draws at random",
        ),
        (
            lambda: MachineModel(
                sb.Machine(
                    {"x": sb.source(tokens=("a", "b")), "o": "output"}, ["o.r <- 0.5 * x.signal"]
                )
            ),
            EquationError,
            "not one number",
        ),
        (lambda: sb.Hole("x", "a b", MachineModel(deep))(1.0), EquationError, "1 inputs for the"),
        (lambda: superfluid_hole("x", "r", layers=(1,)), EquationError, "1 layers"),
        (
            lambda: superfluid_machine(["x"], ["r"], layers=(1,), functions=(("sin",),)),
            UnknownNameError,
            "'sin' cannot be mixed(.|\n)*sine",
        ),
    ],
)  # fmt: skip
def test_errors_say_what_to_type(make, kind, words):
    with pytest.raises(kind, match=words):
        make()


def test_a_conserved_superfluid_hole_sums_to_zero_and_names_may_collide():
    hole = superfluid_hole("one output", "a b", conserved=True)
    assert float(jnp.sum(hole(1.0, 2.0))) == pytest.approx(0.0, abs=1e-15)
