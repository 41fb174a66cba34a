"""The walk of `examples/road.py` on a few ticks: every stage gives the same numbers and slopes."""

from functools import cache

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import snakebird as sb

H, TICKS = 0.1, 6
START = np.array([1.0, -0.4])
PORTS = ["place.result", "speed.result"]


class Friction(eqx.Module):
    linear: jax.Array
    quadratic: jax.Array

    def __call__(self, speed):
        return self.linear * speed + self.quadratic * speed * jnp.abs(speed)


class Field(eqx.Module):
    friction: Friction | sb.Hole

    def __call__(self, t, y, args):
        return jnp.stack([y[1], args["push"] - y[0] - self.friction(y[1])])


class Head(eqx.Module):
    bias: jax.Array
    out: jax.Array

    def __call__(self, x):
        return self.out @ jnp.tanh(x + self.bias)


class Model(eqx.Module):
    field: Field
    mix: jax.Array
    head: Head


def swing(model):
    """Place and speed after each tick, by diffrax."""

    def tick(y, _):
        args = {"push": model.head(model.mix @ y)}
        done = dfx.diffeqsolve(
            dfx.ODETerm(model.field), dfx.Euler(), 0.0, H, H, y, args, max_steps=1
        )
        return done.ys[-1], done.ys[-1]

    return jax.lax.scan(tick, jnp.asarray(START), length=TICKS)[1]


head = Head(jnp.array([0.1, -0.2, 0.0]), jnp.array([-0.8, 0.3, 0.5]))
model = Model(
    Field(Friction(jnp.array(0.1), jnp.array(0.4))),
    jnp.array([[0.3, 0.5], [-0.7, 0.2], [0.4, 0.9]]),
    head,
)


@sb.machine
def drag(speed: sb.Numbers()):
    bend = sb.product(speed, sb.absolute(speed))
    return {"force": 0.1 * speed + 0.4 * bend}


hole = sb.Hole("speed", "force", sb.equations.MachineModel(drag))
with_hole = eqx.tree_at(lambda m: m.field.friction, model, hole)


@sb.machine
def neurons():
    solve = sb.solve_neuron(
        with_hole.field, START, inputs=("push",), duration=H, solver=dfx.Euler(), step=H
    )
    plant = solve()
    plant.starts(result=START)
    weights = sb.constant(value=sb.trainable(np.asarray(model.mix)))
    mixed = sb.matrix_product(sb.instant(weights), plant.result)
    push = sb.call_neuron(model.head, shapes={"x": (3,)})(sb.instant(mixed))
    plant.feed(push=sb.instant(push))


def step(state):
    y = jnp.stack([state["place"], state["speed"]])
    place, speed = y + H * model.field(0.0, y, {"push": model.head(model.mix @ y)})
    return {"place": place, "speed": speed}, ()


whole = sb.trace(step, state={"place": START[0], "speed": START[1]})
ROW = ("speed", "x", "speed", "result")
itself = sb.Machine(
    {**whole.neurons, "self": "accumulator", "edit": sb.source(space=sb.Space([ROW]))},
    [*whole.links, "self.accum <- self.result", "self.delta <- edit.signal"],
    whole.start,
    matrix_from="self.result",
)


def run(low, ports, **inputs):
    found = low(inputs, ticks=TICKS)
    return jnp.concatenate([found.number(port).reshape(TICKS, -1) for port in ports], axis=1)


STAGES = {
    "plain": (model, swing),
    "hole": (with_hole, swing),
    "neurons": (sb.lower(neurons, record="plant.result"), lambda m: run(m, ["plant.result"])),
    "whole": (sb.lower(whole, record=PORTS), lambda m: run(m, PORTS)),
    "itself": (sb.lower(itself, record=PORTS), lambda m: run(m, PORTS)),
}


@cache
def compiled(stage):
    """All numbers of a stage as a vector, what it computes of them, and the way back."""
    given, run_of = STAGES[stage]
    free, rest = eqx.partition(given, eqx.is_inexact_array)
    vector, back = ravel_pytree(free)
    rows = lambda v: run_of(eqx.combine(back(v), rest))
    loss = lambda v: (jnp.mean((found := rows(v))[:, 0] ** 2), found)
    return vector, jax.jit(jax.value_and_grad(loss, has_aux=True)), back


@pytest.fixture(scope="module")
def plain():
    vector, computed, _ = compiled("plain")
    return np.asarray(computed(vector)[0][1])


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.slow
def test_a_stage_gives_the_same_numbers_and_its_slopes_are_right(stage, plain):
    vector, computed, _ = compiled(stage)
    (_, found), slope = computed(vector)
    np.testing.assert_allclose(found, plain, rtol=1e-12, atol=1e-14)

    # Numbers that are not trainable have the slope zero; along the others, any direction will do.
    assert np.count_nonzero(slope) >= 5
    direction = np.random.default_rng(1).normal(size=vector.size) * (slope != 0)
    above, below = (computed(vector + 1e-5 * sign * direction)[0][0] for sign in (1, -1))
    np.testing.assert_allclose(slope @ direction, (above - below) / 2e-5, rtol=1e-7)


def slope_of(stage):
    vector, computed, back = compiled(stage)
    return back(computed(vector)[1])


def test_the_slope_by_the_friction_is_one_number_at_all_stages():
    wanted = slope_of("plain").field.friction.linear
    assert wanted != 0
    rows = slope_of("hole").field.friction.model.rows
    np.testing.assert_allclose(rows[-1][0, 1], wanted, rtol=1e-9)
    for machine, stage in ((whole, "whole"), (itself, "itself")):
        at = [link.path for link in machine.links].index(ROW)
        np.testing.assert_allclose(-H * slope_of(stage).weights[at], wanted, rtol=1e-9)


def test_the_readable_engine_walks_along(plain):
    for machine in (whole, itself):
        done = sb.run(machine, TICKS)
        both = np.stack([np.array(done[port]) for port in PORTS], axis=1)
        np.testing.assert_allclose(both, plain, rtol=1e-12, atol=1e-14)


def test_an_edit_of_its_own_matrix_is_another_friction_from_then_on(plain):
    edit = [None, {"speed": {"x": {"speed": {"result": -0.2 * H}}}}]
    done = sb.run(itself, TICKS, inputs={"edit": edit})
    found = np.stack([np.array(done[port]) for port in PORTS], axis=1)
    np.testing.assert_allclose(found[:3], plain[:3], rtol=1e-12)
    harder = eqx.tree_at(lambda m: m.field.friction.linear, model, jnp.array(0.3))
    y = jnp.asarray(plain[2])
    for own in found[3:]:
        y = y + H * harder.field(0.0, y, {"push": harder.head(harder.mix @ y)})
        np.testing.assert_allclose(own, y, rtol=1e-12)
