import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.errors import SpaceError
from snakebird.synthesis.programs._examples import Example, Examples, Integers, TokenDraw
from snakebird.synthesis.programs._gates import draw_gates, mean_gates, open_chance
from snakebird.synthesis.programs._objective import Problem, errors_of
from snakebird.synthesis.programs._population import (
    Course,
    init,
    reseeded,
    settled,
    train,
)
from snakebird.synthesis.programs._templates import Layers, Superfluid


def running_sum(x):
    return np.cumsum(x).tolist()


SUMS = Examples.from_reference(running_sum, {"x": Integers(-2, 2)}, length=6, count=8)
TEMPLATE = Layers(depth=1, neurons=("identity",)).machine(SUMS)
PROBLEM = Problem.of(TEMPLATE, SUMS)
DATA = PROBLEM.data(SUMS.items, SUMS, ticks=6, count=8)
SUM = {
    ("identity", "x", ("x", "signal"), True): 1,
    ("identity", "x", ("identity", "result"), False): 1,
    ("output", "result", ("identity", "result"), True): 1,
}


def weights_of(problem, wanted):
    return np.array([wanted.get(k.place, 0) for k in problem.machine.links], np.float32)


def start(count=4, seed=0, **more):
    return init(PROBLEM, count, key=jax.random.key(seed), **more)


def test_gates_are_open_as_often_as_they_say():
    logits = jnp.linspace(-3, 3, 7)
    drawn = draw_gates(jax.random.key(0), jnp.broadcast_to(logits, (4000, 7)))
    assert float(drawn.min()) == 0
    assert float(drawn.max()) == 1
    np.testing.assert_allclose((drawn > 0).mean(0), open_chance(logits), atol=0.04)


def test_gates_without_chance_go_from_shut_to_open_and_never_fall():
    gates = np.asarray(mean_gates(jnp.linspace(-6, 6, 99)))
    assert gates[0] == 0
    assert gates[-1] == 1
    assert (np.diff(gates) >= 0).all()


def test_a_problem_answers_as_the_readable_engine_does():
    rng = np.random.default_rng(0)
    for maker, examples in [(Layers(), SUMS), (Superfluid(layers=(1,)), TOKENS)]:
        machine = maker.machine(examples)
        problem = Problem.of(machine, examples)
        weights = np.where(rng.random(problem.size) < 0.2, rng.integers(-2, 3, problem.size) / 2, 0)
        data = problem.data(examples.items[:1], examples, ticks=4, count=2)
        found = problem.answers(weights.astype(np.float32), data)
        ((_, space),) = problem.spaces
        filled = machine.with_weights(weights.tolist())
        message = {"x": list(examples.items[0].inputs["x"][:4])}
        trees = sb.run(
            filled, 4, inputs={n: [examples.value(v) for v in s] for n, s in message.items()}
        )
        for t, tick in enumerate(trees):
            expected = vv.flatten(tick.outputs.get("output", {}).get("result", {}), space)
            np.testing.assert_allclose(
                found[0, t], np.asarray(expected.data, float), rtol=1e-4, atol=1e-5
            )


TOKENS = Examples.from_reference(
    lambda x: [x[: t + 1].count(c) for t, c in enumerate(x)],
    {"x": TokenDraw("ab")},
    length=4,
    count=2,
)


@pytest.mark.slow
def test_the_gradient_of_the_loss_is_that_of_finite_differences():
    machine = Layers(depth=1, neurons=("identity", "product")).machine(SUMS)
    problem = Problem.of(machine, SUMS, dtype=np.float64)
    data = problem.data(SUMS.items[:3], SUMS, ticks=5, count=3)
    weights = 0.3 * np.random.default_rng(1).standard_normal(problem.size)
    check_grads(lambda w: problem.loss(w, data, 4), (weights,), 1, ["rev"], atol=1e-4, rtol=1e-4)


def test_the_right_weights_have_no_error_and_wrong_ones_say_where():
    right = weights_of(PROBLEM, SUM)
    errors = errors_of(PROBLEM, np.stack([right, 2 * right, right]), DATA)
    assert errors.exact.tolist() == [True, False, True]
    assert errors.behavior[0] == errors.behavior[2] != errors.behavior[1]
    assert errors.cases[0].max() == 0 < errors.cases[1].min()
    assert float(PROBLEM.loss(right, DATA, 6)) == 0


def test_what_is_not_asked_and_what_comes_later_than_the_horizon_does_not_count():
    item = SUMS.items[0]
    asked = item.outputs["result"][:3] + (None,) * 3
    some = Examples.of([Example(item.inputs, {"result": asked})])
    data = PROBLEM.data(some.items, some, ticks=6, count=3)
    assert np.asarray(data.asked).sum() == 3
    other = {**SUM, ("output", "result", ("x", "signal"), False): 1.0}
    wrong = weights_of(PROBLEM, other)
    assert float(PROBLEM.loss(wrong, DATA, 6)) > 0
    assert float(PROBLEM.loss(wrong, DATA, 1)) == 0


def test_a_machine_may_answer_late():
    late = Examples.of([({"x": [1, 2, 3]}, {"y": [1, 2, 3]})], latency=1)
    machine = sb.Machine({"x": "source", "output": "output"}, ["output.y <- x.signal"])
    problem = Problem.of(machine, late)
    data = problem.data(late.items, late, ticks=3, count=1)
    assert errors_of(problem, problem.start()[None], data, chunk=1).exact.all()


def test_an_example_that_holds_what_the_template_has_no_room_for_is_refused():
    machine = Layers(depth=1, neurons=("inner",)).machine(TOKENS)
    other = Examples.of([("zz", [1, 2])])
    with pytest.raises(SpaceError, match="has the path z, and there is no room for it"):
        Problem.of(machine, TOKENS).data(other.items, other, ticks=2, count=1)


@pytest.mark.slow
def test_training_finds_the_running_sum_and_traces_once(monkeypatch):
    traced = []
    loss = Problem.loss
    monkeypatch.setattr(Problem, "loss", lambda *a: (traced.append(1), loss(*a))[1])
    population, first = start(8), None
    for k in range(4):
        course = Course(rate=(0.05, 0.01), noise=(0.1 - 0.03 * k, 0.0), l1=(0.0, 1e-4 * k))
        population = train(PROBLEM, population, DATA, course, steps=80, batch=8)
        first = first or len(traced)
    assert len(traced) == first
    assert float(population.loss.min()) < 1e-3
    assert np.isfinite(np.asarray(population.weights)).all()


@pytest.mark.slow
def test_links_that_are_out_or_frozen_stay_as_they_are():
    population = start(8)
    stands = population.stands.at[:, 0].set(0)
    frozen = population._replace(stands=stands, open=population.open.at[:, 1].set(0))
    after = train(PROBLEM, frozen, DATA, Course(), steps=80, batch=8)
    before, now = np.asarray(frozen.weights), np.asarray(after.weights)
    np.testing.assert_array_equal(now[:, :2], before[:, :2])
    assert (now[:, 2:] != before[:, 2:]).any(1).all()
    assert (np.asarray(after.effective)[:, 0] == 0).all()


def test_fixed_links_begin_with_their_own_weight_and_others_near_the_ones_given():
    machine = TEMPLATE.fixed("output").with_weights(range(1, 1 + len(TEMPLATE.links)))
    problem = Problem.of(machine, SUMS)
    given = problem.start() + 10 * problem.free
    drawn = np.asarray(init(problem, 5, key=jax.random.key(0), weights=given).weights)
    fixed = problem.free == 0
    assert fixed.any()
    np.testing.assert_array_equal(drawn[:, fixed], np.tile(problem.start()[fixed], (5, 1)))
    assert 0 < np.abs(drawn - given)[:, ~fixed].max() < 1


def test_the_worst_starts_and_those_that_broke_are_replaced_by_the_best():
    population = start(8)
    loss = jnp.array([0.5, jnp.inf, 0.1, 0.9, 0.6, 0.7, 0.8, 0.2], jnp.float32)
    broken = population._replace(loss=loss, weights=population.weights.at[1].set(jnp.nan))
    after = reseeded(broken, share=0.25, size=0.01)
    old, new = np.asarray(broken.weights), np.asarray(after.weights)
    moved = {k for k in range(8) if not np.array_equal(old[k], new[k])}
    assert moved == {1, 3}
    for k in moved:
        assert min(np.abs(new[k] - old[2]).max(), np.abs(new[k] - old[7]).max()) < 0.1


def test_gates_become_part_of_the_weights():
    population = start(4, gated=0.5)
    shut = population._replace(gates=population.gates.at[:, 0].set(-9.0))
    after = settled(shut)
    np.testing.assert_array_equal(after.effective, shut.effective)
    assert not np.asarray(after.gated).any()
    assert np.asarray(after.stands)[:, 0].tolist() == [1, 1, 0, 0]


@pytest.mark.slow
def test_the_two_regularizers_pull_row_sums_to_one_and_coefficients_to_loops():
    machine = Superfluid(layers=(1,), activations=("accumulator",)).machine(SUMS)
    problem = Problem.of(machine, SUMS)
    ((coefficient, loop),) = problem.fluid
    names = [machine.links[k] for k in (coefficient, loop)]
    assert [(k.input, k.source[0]) for k in names] == [
        (":function", "accumulator"),
        ("accum", "fluid"),
    ]
    population = init(problem, 2, key=jax.random.key(0), gated=0.0)
    data = problem.data(SUMS.items, SUMS, ticks=6, count=8)
    course = Course(rate=(0.05, 0.01), fluid=100.0, row_sum=100.0)
    for _ in range(3):
        population = train(problem, population, data, course, steps=100, batch=8)
    weights = np.asarray(population.weights)
    np.testing.assert_allclose(weights[:, coefficient], weights[:, loop], atol=0.05)
    for port in set(problem.rows):
        np.testing.assert_allclose(weights[:, problem.rows == port].sum(1), 1, atol=0.1)
