"""Families of tasks: shapes, what is shown when, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird import meta
from snakebird.errors import InputError
from snakebird.meta import tasks as mt

KEY = jax.random.key(3)


def test_shapes_that_vary_are_refused():
    def growing(key):
        count = int(jax.random.randint(key, (), 2, 40))
        return {"x": jnp.zeros((count, 2))}, jnp.zeros(count)

    with pytest.raises(InputError) as caught:
        meta.Sequences(growing)
    assert "the leaf [0]['x'] has the shape [" in caught.value.what
    assert "in one task and [" in caught.value.what
    assert "mask" in caught.value.hint


def test_structures_that_vary_are_refused():
    def sometimes(key):
        x = jnp.zeros(3)
        return ({"x": x} if jax.random.uniform(key) < 0.5 else {"z": x}), x

    with pytest.raises(InputError, match="trees of different structure"):
        meta.Sequences(sometimes)


def test_a_draw_that_cannot_be_compiled_is_refused():
    def draw(key):
        x = jnp.full(3, float(jax.random.uniform(key)))
        return x, x

    with pytest.raises(InputError, match=r"(?s)cannot be compiled.*jax.random and jax.numpy"):
        meta.Sequences(draw)


def test_what_is_no_pair_of_sequences_is_refused():
    with pytest.raises(InputError, match=r"gives a ArrayImpl|gives a ShapeDtypeStruct"):
        meta.Sequences(lambda key: jnp.zeros(3))
    with pytest.raises(InputError, match=r"shapes \[3\], \[4, 2\], expected one row a tick"):
        meta.Sequences(lambda key: (jnp.zeros(3), jnp.zeros((4, 2))))
    with pytest.raises(InputError, match=r"(?s)have 3 ticks.*gives 5 rows"):
        meta.Sequences(lambda key: (jnp.zeros(3), jnp.zeros(3))).with_ticks(5)


@pytest.mark.parametrize(
    "tasks",
    [
        mt.Sinusoids(), mt.LinearRegression(inputs=3), mt.SwitchingRegression(ticks=70),
        mt.Recall(keys=3),
    ],
)  # fmt: skip
def test_targets_are_shown_one_tick_late(tasks):
    task = tasks.sample(KEY)
    assert task.x.shape[0] == task.y.shape[0] == tasks.ticks
    first, third = (tasks.observe(task, (), t) for t in (0, 3))
    assert not first["y"].any()
    assert float(first["given"]) == 0
    np.testing.assert_array_equal(third["y"], task.y[2])
    np.testing.assert_array_equal(third["x"], task.x[3])
    assert float(tasks.respond(task, (), 3, task.target[3])[1]) == 0
    assert tasks.with_ticks(5).sample(KEY).x.shape[0] == 5


def test_sinusoids_are_two_dimensional():
    task = mt.Sinusoids(ticks=40).sample(KEY)
    waves = np.concatenate([np.sin(task.x), np.cos(task.x)], 1)
    coefficients, residual, *_ = np.linalg.lstsq(waves, np.asarray(task.y), rcond=None)
    assert residual.item() < 1e-18
    assert 0.1 <= np.hypot(*coefficients[:, 0]) <= 5
    shots = mt.SinusoidShots(shots=5)
    seen = shots.observe(shots.sample(KEY), (), 0)
    assert {name: x.shape for name, x in seen.items()} == {
        "x": (5, 1), "y": (5, 1), "query": (20, 1),
    }  # fmt: skip


def test_regression_switches_when_it_says_so():
    tasks = mt.SwitchingRegression(inputs=2, noise=0.0, every=10, ticks=20)
    task = jax.tree.map(np.asarray, tasks.sample(KEY))
    fits = [np.linalg.lstsq(task.x[a : a + 10], task.y[a : a + 10], rcond=None) for a in (0, 10)]
    assert all(fit[1].item() < 1e-18 for fit in fits)
    assert not np.allclose(fits[0][0], fits[1][0], atol=1e-3)


def test_bandits_pay_by_chance_and_count_regret():
    tasks = mt.Bandits(arms=3, ticks=400)
    task = tasks.sample(KEY)
    pull = lambda arm: jax.vmap(lambda t: tasks.respond(task, (), t, jax.nn.one_hot(arm, 3)))(
        jnp.arange(400)
    )
    for arm in range(3):
        world, loss = pull(arm)
        chance = float(task["chance"][arm])
        assert abs(float(world["reward"].mean()) - chance) < 0.12
        np.testing.assert_allclose(loss, float(task["chance"].max()) - chance, atol=1e-12)


def test_digits_in_sequence():
    tasks = mt.DigitSequence(shots=3, queries=10)
    task = tasks.sample(KEY)
    assert task.x.shape == (40, 64)
    given = np.asarray(task.given).astype(bool)
    assert given.sum() == 30
    classes = np.asarray(task.target).argmax(1)
    pairs = [set(classes[6 * k : 6 * k + 6]) for k in range(5)]
    assert sorted(c for pair in pairs for c in pair) == list(range(10))
    assert sorted(classes[~given]) == list(range(10))
    assert len(np.unique(np.asarray(task.x), axis=0)) == 40
    other = mt.DigitSequence(held_out=True)
    assert not set(map(bytes, np.asarray(tasks.images))) & set(map(bytes, np.asarray(other.images)))
    early = mt.DigitSequence(shots=3, queries=4, after=2)
    assert early.ticks == 16
    last = np.asarray(early.sample(KEY).target).argmax(1)
    assert set(last[-4:]) == set(last[:6])


@pytest.mark.parametrize("data", ["mixtures", "digits"])
@pytest.mark.slow
def test_nets_to_train(data):
    sizes = {"classes": 10} if data == "digits" else {}
    tasks = mt.NetTraining(data=data, points=64, **sizes)
    task = tasks.sample(KEY)
    world = tasks.start(task)
    seen = tasks.observe(task, world, 0)
    step = jax.tree.map(lambda g: -0.1 * g, seen["gradient"])
    none = jax.tree.map(jnp.zeros_like, step)
    assert tasks.respond(task, world, 0, step)[1] < tasks.respond(task, world, 0, none)[1]


def test_recall_asks_for_what_a_key_was_bound_to_before():
    tasks = mt.Recall(keys=3, ticks=60)
    task, held, bound_anew = tasks.sample(KEY), {}, 0
    for x, shown, asked in zip(task.x, task.y[:, 0], task.target[:, 0], strict=True):
        key = int(np.argmax(x))
        assert float(asked) == held.get(key, 0.0)
        bound_anew += key in held and held[key] != float(shown)
        held[key] = float(shown)
    assert 8 < bound_anew < 30
    curve = meta.evaluate(meta.oracles.LeastMeanSquares(rate=1.0), tasks, key=KEY, count=4)
    np.testing.assert_allclose(curve.losses, 0, atol=1e-20)
