"""Rules: machines, their rows, the learned optimizer, the learned start, bandits, known rules."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

import snakebird as sb
from snakebird import meta
from snakebird.errors import InputError, UnknownNameError
from snakebird.meta import oracles, rules as mr, tasks as mt

KEY = jax.random.key(11)


def least_squares_machine(inputs, prior):
    """The coefficients that make the rows machine recursive least squares."""
    machine = mr.rows_machine(inputs)
    to = {"change": 1.0, "weighed": 1.0, "gain": prior, "scale": 1.0}
    weights = [to[link.to] if link.trainable else link.weight for link in machine.links]
    return machine.with_weights(weights)


@pytest.mark.slow
def test_a_machine_in_its_own_rows_is_recursive_least_squares():
    low = sb.lower(least_squares_machine(3, 30.0), record="answer.o00")
    rule = mr.MachineRule(low, {"x": "x", "y": "y", "given": "given"}, "answer.o00")
    tasks = mt.LinearRegression(inputs=3, ticks=25)
    ours, known = (
        meta.evaluate(r, tasks, key=KEY, count=4).losses
        for r in (rule, oracles.RecursiveLeastSquares(ridge=1 / 30))
    )
    np.testing.assert_allclose(ours, known, atol=1e-11)


def test_recursive_least_squares_is_ridge_regression():
    tasks = mt.LinearRegression(inputs=3, ticks=9)
    task = jax.tree.map(np.asarray, tasks.sample(KEY))
    rule, ridge = oracles.RecursiveLeastSquares(ridge=0.3), 0.3
    state = rule.init(tasks.observe(task, (), 0), key=KEY)
    for tick in range(9):
        state, said = rule(state, tasks.observe(task, (), tick))
    x, y = task.x[:8], task.y[:8]
    w = np.linalg.solve(x.T @ x + ridge * np.eye(3), x.T @ y)
    np.testing.assert_allclose(said, task.x[8] @ w, rtol=1e-9)


@pytest.mark.slow
def test_rows_learn_and_their_comparators_do_not():
    tasks = mt.LinearRegression(inputs=2, ticks=12)
    curve = lambda **how: meta.evaluate(mr.rows_rule(2, **how), tasks, key=KEY, count=32)
    own, frozen, random = curve(), curve(frozen=True), curve(random=True)
    assert own.mean[-3:].mean() < 0.5 * frozen.mean[-3:].mean()
    assert random.diverged or own.mean[-3:].mean() < 0.5 * random.mean[-3:].mean()
    # With its Self frozen it says nothing: what is left is the size of the targets.
    draws = [jax.random.fold_in(key, 0) for key in jax.random.split(KEY, 32)]
    targets = np.stack([tasks.sample(key).target for key in draws])
    np.testing.assert_allclose(frozen.losses, targets[..., 0] ** 2, rtol=1e-9)


@pytest.mark.slow
def test_rows_that_forget_learn_anew_after_a_switch():
    tasks = mt.SwitchingRegression(inputs=3, every=20, ticks=60)
    steps, options = 200, {"batch": 32, "relative": True, "key": KEY}
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(3e-2))
    found = meta.fit(
        mr.rows_rule(3, forget=True), tasks, steps=steps, optimizer=optimizer, **options
    )
    rules = found.rule, mr.rows_rule(3, forget=True, frozen=True)
    ours, frozen = (meta.evaluate(rule, tasks, key=KEY, count=128).mean for rule in rules)
    assert ours.mean() < frozen.mean() / 4
    assert ours[50:].mean() < 0.02 * frozen.mean()  # ten ticks after the second switch


@pytest.mark.slow
def test_gradients_pass_through_the_rows_and_keep_the_signs_of_links():
    tasks = mt.LinearRegression(inputs=2, ticks=5)
    rule, task = mr.rows_rule(2, forget=True), tasks.sample(KEY)
    loss = lambda rule: meta.episode(rule, tasks, task, key=KEY).mean()
    slopes = eqx.filter_grad(loss)(rule).factors
    free = rule.low.plan.free_weights
    assert (np.asarray(slopes)[free] != 0).all()
    assert not np.asarray(slopes)[~free].any()
    at = int(np.flatnonzero(free)[0])
    moved = lambda d: eqx.tree_at(lambda r: r.factors, rule, rule.factors.at[at].add(d))
    eps = 1e-6
    slope = (loss(moved(eps)) - loss(moved(-eps))) / (2 * eps)
    np.testing.assert_allclose(slopes[at], slope, rtol=1e-5)
    machine = moved(-3.0).machine
    old, new = rule.low.plan.template.links[at], machine.links[at]
    assert new.weight == pytest.approx(float(old.weight) * np.exp(-3.0))


def test_pes_leaves_what_is_not_trainable():
    machine = sb.Machine(
        {"x": sb.source(space=sb.Space([()])), "y": "identity"},
        [sb.Link("y", "x", ("x", "signal"), 2.0, trainable=False)],
    )
    rule = mr.MachineRule(sb.lower(machine), {"x": "x"}, "y.result")
    draw = lambda key: ({"x": jnp.ones(4)}, jnp.ones(4))
    found = meta.fit(
        rule, draw, key=KEY, steps=2, batch=2, gradient="pes", length=2, optimizer=optax.sgd(1.0)
    )
    assert found.rule.machine == machine


def test_a_machine_rule_names_what_is_missing():
    low = sb.lower(mr.rows_machine(2), record="answer")
    with pytest.raises(UnknownNameError, match=r"(?s)no source 'given1'.*did you mean 'given'"):
        mr.MachineRule(low, {"given1": "given"}, "answer")
    with pytest.raises(InputError, match=r"(?s)latency is -1.*write latency=1"):
        mr.MachineRule(low, {"x": "x"}, "answer", latency=-1)


def wide_net():
    return eqx.nn.MLP(3, 1, 4, 1, key=KEY)


@pytest.mark.slow
def test_the_learned_optimizer_is_an_optax_transformation_under_jit():
    optimizer = optax.chain(
        optax.clip_by_global_norm(10.0), meta.LearnedOptimizer(key=KEY, rate=0.05).as_optax()
    )
    x = jax.random.normal(KEY, (32, 3))
    loss = lambda net: jnp.mean((jax.vmap(net)(x)[:, 0] - x[:, 0]) ** 2)
    net = wide_net()
    state = optimizer.init(eqx.filter(net, eqx.is_array))

    @eqx.filter_jit
    def step(net, state):
        slopes = eqx.filter_grad(loss)(net)
        moves, state = optimizer.update(slopes, state, eqx.filter(net, eqx.is_array))
        return eqx.apply_updates(net, moves), state

    before = loss(net)
    for _ in range(60):
        net, state = step(net, state)
    assert loss(net) < 0.1 * before
    with pytest.raises(InputError, match=r"(?s)no weights.*update\(gradient, state, weights\)"):
        optimizer.update(eqx.filter(net, eqx.is_array), state)


@pytest.mark.slow
def test_a_learned_optimizer_moves_no_weight_far():
    """Whatever its net and however long it runs: at most three rates, bent by at most exp(1.5)."""
    optimizer = meta.LearnedOptimizer(key=KEY, rate=0.01)
    wild = jax.tree.map(
        lambda x: x + 10.0 * jax.random.normal(KEY, x.shape), eqx.filter(optimizer, eqx.is_array)
    )
    optimizer = eqx.tree_at(
        lambda o: (o.net, o.mixture),
        optimizer,
        (eqx.combine(wild.net, optimizer.net), wild.mixture),
    )
    tool = optimizer.as_optax()
    weights = jnp.ones(4)
    state = tool.init(weights)
    for tick in range(20):
        slopes = 10.0 ** jax.random.uniform(jax.random.key(tick), (4,), minval=-9, maxval=9)
        moves, state = tool.update(slopes, state, weights)
        assert float(jnp.abs(moves).max()) <= 0.01 * 3 * np.exp(1.5)


@pytest.mark.slow
def test_training_an_optimizer_makes_it_better():
    tasks = mt.NetTraining(inputs=2, classes=2, points=16, batch=8, hidden=4, ticks=6)
    start = meta.LearnedOptimizer(key=KEY, rate=0.005)
    found = meta.fit(start, tasks, key=KEY, steps=12, batch=4, optimizer=optax.adam(0.1))
    assert float(found.rule.rate) > float(start.rate) + 0.5


@pytest.mark.parametrize("rates", ["one", "each"])
def test_a_learned_start_takes_gradient_steps(rates):
    model = eqx.nn.MLP(1, 1, 6, 1, key=KEY)
    rule = meta.LearnedStart(model, rate=0.05, rates=rates)
    tasks = mt.SinusoidShots(shots=5, queries=3)
    seen = tasks.observe(tasks.sample(KEY), (), 0)
    _, said = rule(rule.init(seen, key=KEY), seen)
    slopes = eqx.filter_grad(lambda m: jnp.mean((jax.vmap(m)(seen["x"]) - seen["y"]) ** 2))(model)
    want = eqx.apply_updates(model, jax.tree.map(lambda g: -0.05 * g, slopes))
    np.testing.assert_allclose(said, jax.vmap(want)(seen["query"]), rtol=1e-12)
    many = {"one": 1, "each": 19}[rates]
    assert sum(x.size for x in jax.tree.leaves(rule.logs)) == many


@pytest.mark.slow
def test_learned_rates_and_starts_are_trained_and_mistakes_told():
    tasks = mt.SinusoidShots(shots=5, queries=5, ticks=2)
    rule = meta.LearnedStart(eqx.nn.MLP(1, 1, 8, 1, key=KEY))
    found = meta.fit(rule, tasks, key=KEY, steps=30, batch=8, optimizer=optax.adam(0.02))
    before, after = (meta.evaluate(r, tasks, key=KEY, count=64).mean for r in (rule, found.rule))
    assert after[-1] < before[-1]
    with pytest.raises(UnknownNameError, match=r"(?s)named 'eech'.*did you mean 'each'"):
        meta.LearnedStart(rule.model, rates="eech")


def bandit_regret(rule, arms=2, ticks=30):
    return meta.evaluate(rule, mt.Bandits(arms=arms, ticks=ticks), key=KEY, count=128).losses.sum(1)


@pytest.mark.slow
def test_bandit_rules_learn_and_their_comparators_do_not():
    own, frozen = (
        bandit_regret(mr.IndexRule(key=KEY, updates=how)).mean() for how in ("learned", "frozen")
    )
    guess = 30 / 6  # the mean distance from the better of two uniform numbers, half the time
    assert own < 0.7 * guess
    assert frozen == pytest.approx(guess, rel=0.25)
    assert bandit_regret(oracles.Thompson()).mean() < 0.7 * guess
    with pytest.raises(InputError, match=r"updates is 'on'"):
        mr.IndexRule(key=KEY, updates="on")


def test_indices_of_known_bandit_rules():
    pulls, wins = jnp.array([3.0, 10.0]), jnp.array([1.0, 7.0])
    upper = oracles.BayesUCB().index(pulls, wins, jnp.array(18.0), KEY)
    want = stats.beta(1 + wins, 1 + pulls - wins).ppf(1 - 1 / 20)
    np.testing.assert_allclose(upper, want, atol=1e-5)
    bonus = oracles.UCB1().index(pulls, wins, jnp.array(18.0), KEY)
    np.testing.assert_allclose(bonus, wins / pulls + np.sqrt(2 * np.log(18) / pulls), rtol=1e-9)


@pytest.mark.slow
def test_the_sine_oracle_and_the_nearest_mean():
    waves = mt.Sinusoids(ticks=8)
    curve = meta.evaluate(oracles.SineBayes(), waves, key=KEY, count=32)
    assert curve.mean[7] < 0.02 < curve.mean[0]
    digits = mt.DigitSequence(shots=5, queries=20, held_out=True)
    rule, task = oracles.NearestMean(), digits.sample(KEY)
    curve = meta.evaluate(rule, digits, key=KEY, count=4)
    assert curve.mean[-20:].mean() < 0.5 * (0.1 * 0.9)
    assert task.target.shape == (70, 10)


@pytest.mark.parametrize("kind", [mr.GRURule, mr.DeltaRule])
@pytest.mark.slow
def test_plain_nets_are_rules(kind):
    tasks = mt.LinearRegression(inputs=1, ticks=8)
    rule = kind(3, 1, 8, key=KEY)
    found = meta.fit(rule, tasks, key=KEY, steps=120, batch=32, optimizer=optax.adam(0.05))
    first, last = (np.mean([s.loss for s in found.history[k]]) for k in (slice(8), slice(-8, None)))
    assert last < 0.9 * first


def test_the_delta_rule_stores_what_it_is_told():
    """With a rate of one, the value of a key is what was written last."""
    rule = mr.DeltaRule(2, 1, 3, depth=1, key=KEY)
    wanted = jnp.array([0.3, -1.0, 2.0, 1.5, 0.2, -0.7, 0.3, -1.0, 2.0, 30.0])
    fast, out = rule._layer(jnp.zeros((3, 3)), wanted)
    key = jax.nn.elu(wanted[:3]) + 1
    key = key / key.sum()
    np.testing.assert_allclose(out, wanted[3:6] * (key @ key), rtol=1e-9)
    assert fast.shape == (3, 3)
