from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import snakebird as sb
from snakebird.machines import Link, Machine
from snakebird.synthesis.programs._examples import Examples, Integers
from snakebird.synthesis.programs._objective import Problem, errors_of
from snakebird.synthesis.programs._population import init
from snakebird.synthesis.programs._prune import alive, limits, losses, pruned, retrain, without
from snakebird.synthesis.programs._snap import (
    GRID,
    HALVES,
    on_grid,
    rescaled,
    simple_fraction,
    snapped,
)
from snakebird.synthesis.programs._templates import Layers

SUMS = Examples.from_reference(
    lambda x: np.cumsum(x).tolist(), {"x": Integers(-2, 2)}, length=6, count=8
)
PROBLEM = Problem.of(Layers(depth=1, neurons=("identity",)).machine(SUMS), SUMS)
DATA = PROBLEM.data(SUMS.items, SUMS, ticks=6, count=8)
SHORT = retrain(PROBLEM, DATA, steps=40, batch=8)

IN = ("identity", "x", ("x", "signal"), True)
LOOP = ("identity", "x", ("identity", "result"), False)
OUT = ("output", "result", ("identity", "result"), True)
SUM = {IN: 1, LOOP: 1, OUT: 1}


def row(wanted, problem=PROBLEM):
    return np.array([wanted.get(k.place, 0) for k in problem.machine.links], np.float32)


def population(*rows, noise=0.0):
    made = init(PROBLEM, len(rows), key=jax.random.key(0), gated=0.0)
    weights = np.stack([row(one) for one in rows])
    weights = weights + noise * np.random.default_rng(0).standard_normal(weights.shape)
    weights = jnp.asarray(weights, jnp.float32)
    loss = losses(PROBLEM, weights, DATA)
    return made._replace(weights=weights, loss=jnp.asarray(loss, jnp.float32))


def standing(found, k=0):
    weights = np.asarray(found.weights * found.stands)[k]
    return {link.place: w for link, w in zip(PROBLEM.machine.links, weights, strict=True) if w}


@pytest.mark.slow
def test_pruning_leaves_the_links_that_the_loss_needs():
    full = population({**SUM, IN: 2.0, OUT: 0.5}, SUM, noise=0.02)
    found = pruned(PROBLEM, SHORT(full), DATA, retrain=SHORT)
    for k in range(2):
        assert set(standing(found, k)) == set(SUM)
        assert found.loss[k] <= limits(np.zeros(1))[0]


@pytest.mark.slow
def test_a_start_that_does_not_fit_keeps_about_the_loss_it_has():
    wrong = population({IN: 1.0, OUT: 1.0}, SUM, noise=0.02)
    found = pruned(PROBLEM, wrong, DATA, retrain=SHORT, rounds=12)
    assert (np.asarray(found.loss) <= limits(wrong.loss)).all()


def test_pruning_stops_when_there_is_no_time():
    full = population(SUM, SUM, noise=0.02)
    assert set(standing(pruned(PROBLEM, full, DATA, retrain=SHORT, until=0.0))) >= set(SUM)


def test_fixed_links_are_never_pruned():
    fixed = Problem.of(PROBLEM.machine.fixed("output"), SUMS)
    made = init(fixed, 2, key=jax.random.key(0), gated=0.0)
    made = made._replace(
        weights=jnp.asarray(np.stack([row(SUM)] * 2)), loss=jnp.zeros(2, jnp.float32)
    )
    judged = lambda now: now._replace(
        loss=jnp.asarray(losses(fixed, now.weights, DATA), jnp.float32)
    )
    kept = pruned(fixed, made, DATA, retrain=judged)
    at = [k for k, link in enumerate(fixed.machine.links) if link.place == OUT]
    assert np.asarray(kept.weights * kept.stands)[:, at].all()


def test_links_that_reach_no_output_or_come_from_nothing_are_dead():
    names = ["a", "b", "c", "d"]
    machine = Machine(
        {"x": sb.source(tokens=("t",)), **dict.fromkeys(names, "identity"), "output": "output"},
        [
            Link("a", "x", ("x", "signal")),
            Link("output", "y", ("a", "result")),
            Link("b", "x", ("a", "result")),
            Link("c", "x", ("c", "result")),
            Link("output", "y", ("c", "result")),
            Link("output", "y", ("d", "result"), 0),
        ],
    )
    kept = alive(machine, [link.weight for link in machine.links])
    left = {(k.to, k.source[0]) for k, stays in zip(machine.links, kept, strict=True) if stays}
    assert left == {("a", "x"), ("output", "a")}


def test_snapping_brings_real_weights_to_simple_ones_and_stays_right():
    real = population({IN: 0.83, LOOP: 1.003, OUT: 1.2}, {IN: -2.9, LOOP: 0.99, OUT: -0.34})
    real = without(real, np.asarray(real.weights) == 0)
    found = snapped(PROBLEM, SHORT(real), DATA, retrain=SHORT)
    weights = np.asarray(found.weights * found.stands)
    np.testing.assert_array_equal(weights, on_grid(weights))
    assert errors_of(PROBLEM, weights, DATA, chunk=2).exact.all()
    assert not np.asarray(found.open)[weights != 0].any()


def test_a_weight_that_no_grid_takes_stays_real():
    tenth = Examples.from_reference(
        lambda x: [0.3 * v for v in x], {"x": Integers(-9, 9)}, length=6, count=8
    )
    data = PROBLEM.data(tenth.items, tenth, ticks=6, count=8)
    place = ("output", "result", ("x", "signal"), True)
    real = population({place: 0.3001}, {place: 0.2999})
    real = without(real, np.asarray(real.weights) == 0)
    short = retrain(PROBLEM, data, steps=40, batch=8)
    found = snapped(PROBLEM, short(real), data, retrain=short, grid=HALVES)
    assert simple_fraction(float(standing(found)[place])) == Fraction(3, 10)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=5))
def test_the_grid_gives_its_nearest_point(weights):
    found = on_grid(weights)
    assert set(found) <= set(GRID)
    for weight, near in zip(weights, found, strict=True):
        assert abs(weight - near) == min(abs(weight - point) for point in GRID)


@given(st.fractions(-4, 4, max_denominator=12), st.floats(-1e-4, 1e-4))
def test_a_simple_fraction_is_found_from_near_it(fraction, off):
    assert simple_fraction(float(fraction) + off) == fraction


RESULTS = {"max_norm": "norm"}


def homogeneous(kind, port, more=()):
    return Machine(
        {"x": sb.source(space=sb.Space([()])), "n": kind, "output": "output"},
        [
            Link("n", port, ("x", "signal"), 1, True),
            Link("output", "y", ("n", RESULTS.get(kind, "result")), 1, True),
            *more,
        ],
    )


@pytest.mark.parametrize("kind", ["identity", "relu", "absolute", "max_norm", "step", "product"])
@settings(max_examples=20)
@given(st.floats(0.1, 9), st.sampled_from([-1, 1]), st.floats(0.1, 9))
def test_rescaling_changes_no_answer(kind, into, sign, out):
    more = [Link("n", "y", ("x", "signal"), sign * 0.7, True)] if kind == "product" else []
    machine = homogeneous(kind, "x", more)
    weights = np.array([[{"n": sign * into, "output": out}[k.to] for k in machine.links]])
    found = rescaled(machine, weights)

    def answers(row):
        inputs = {"x": [-2, 0.5, 3]}
        ticks = sb.run(machine.with_weights(row.tolist()), 3, inputs=inputs)
        return [tick.outputs.get("output", {}).get("y", 0) for tick in ticks]

    np.testing.assert_allclose(answers(found[0]), answers(weights[0]), rtol=1e-9)


def test_rescaling_makes_the_weights_of_a_scaled_program_simple():
    odd = row({IN: 0.37, LOOP: 1, OUT: 1 / 0.37})
    np.testing.assert_allclose(rescaled(PROBLEM.machine, odd[None])[0], row(SUM), atol=1e-6)
