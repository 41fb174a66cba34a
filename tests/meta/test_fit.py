"""The outer loop: its three gradients, divergence, resuming, errors."""

import json
import os
import signal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from snakebird import meta
from snakebird.errors import FitError, InputError, UnknownNameError
from snakebird.meta._gradients import Backpropagation, Persistent

KEY = jax.random.key(7)


class Leaky(eqx.Module):
    """Two numbers: how fast a running mean moves, and where it begins."""

    rate: jax.Array
    start: jax.Array

    def __init__(self, rate=0.9, start=0.3):
        self.rate, self.start = jnp.array(rate), jnp.array(start)

    def init(self, observation, *, key):
        return self.start + 0 * observation

    def __call__(self, state, observation):
        return state + self.rate * (observation - state), state


class Quadratic(eqx.Module):
    """An unrolled problem whose loss is quadratic in the rule's two numbers."""

    theta: jax.Array

    def init(self, observation, *, key):
        return jnp.zeros(2)

    def __call__(self, state, observation):
        turned = jnp.array([[0.9, -0.3], [0.3, 0.9]]) @ state
        state = turned + self.theta * jnp.array([observation, 1.0])
        return state, state


def steps_down(key):
    x = jnp.linspace(1.0, -1.0, 6)
    return x, jnp.stack([x, -x], 1)


def noisy(key):
    x = 1.0 + jax.random.normal(key, (8,))
    return x, jnp.ones(8)


def keys_of(count):
    return jax.random.split(KEY, count)


def exact(rule, tasks, keys):
    """The gradient of the mean loss, by differentiating whole episodes."""

    def loss(rule):
        one = lambda key: meta.episode(
            rule, tasks, tasks.sample(jax.random.fold_in(key, 0)), key=jax.random.fold_in(key, 1)
        ).mean()
        return jax.vmap(one)(keys).mean()

    return eqx.filter_grad(loss)(rule)


def test_the_full_gradient_and_the_truncated_one_of_full_length_are_exact():
    tasks, rule, keys = meta.Sequences(noisy), Leaky(), keys_of(5)
    want = exact(rule, tasks, keys)
    got = Backpropagation(8)(rule, tasks, jnp.ones(8), (), keys)
    np.testing.assert_allclose(got.gradient.rate, want.rate, rtol=1e-10)
    np.testing.assert_allclose(got.gradient.start, want.start, rtol=1e-10)
    eps = 1e-6
    up, down = (
        Backpropagation(8)(Leaky(0.9 + d), tasks, jnp.ones(8), (), keys).losses.mean()
        for d in (eps, -eps)
    )
    np.testing.assert_allclose(got.gradient.rate, (up - down) / (2 * eps), rtol=1e-6)


def test_truncation_cuts_what_reaches_back_and_nothing_else():
    tasks, rule, keys = meta.Sequences(noisy), Leaky(), keys_of(4)
    cut = Backpropagation(4)(rule, tasks, jnp.ones(8), (), keys)
    full = Backpropagation(8)(rule, tasks, jnp.ones(8), (), keys)
    np.testing.assert_allclose(cut.losses, full.losses, rtol=1e-12)
    # The start acts on the first piece alone, by (1 - rate)^t, so little is lost of it.
    assert not np.allclose(cut.gradient.start, full.gradient.start, rtol=1e-6)
    weights = jnp.array([1.0] * 4 + [0.0] * 4)
    first, whole = (Backpropagation(n)(rule, tasks, weights, (), keys) for n in (4, 8))
    np.testing.assert_allclose(first.gradient.start, whole.gradient.start, rtol=1e-12)


def test_the_relative_gradient_is_that_of_the_mean_logarithm():
    tasks, rule, keys = meta.Sequences(noisy), Leaky(), keys_of(5)

    def loss(rate):
        one = lambda key: meta.episode(
            Leaky(rate), tasks, tasks.sample(jax.random.fold_in(key, 0)), key=key
        )
        return jnp.log(jax.vmap(one)(keys).mean(0)).mean()

    got = Backpropagation(8, relative=True)(rule, tasks, jnp.ones(8), (), keys)
    np.testing.assert_allclose(got.gradient.rate, jax.grad(loss)(0.9), rtol=1e-5)


@pytest.mark.slow
def test_persistent_evolution_is_unbiased():
    """Over a whole episode, on a loss that is quadratic, so that smoothing does not bend it."""
    tasks, rule = meta.Sequences(steps_down), Quadratic(jnp.array([0.7, -0.4]))
    want = exact(rule, tasks, keys_of(2)).theta
    pes, many, parts = Persistent(2, 0.3), 4000, 3
    step = eqx.filter_jit(lambda memory, keys: pes(rule, tasks, jnp.ones(6), memory, keys))
    fresh = pes.begin(rule, tasks, keys_of(many))._replace(tick=jnp.zeros(many, int))
    samples = []
    for chunk in jax.random.split(jax.random.key(1), 8):
        memory, total = fresh, 0
        for k in range(parts):
            got = step(memory, jax.random.split(jax.random.fold_in(chunk, k), many))
            memory, total = got.memory, total + got.gradient.theta / parts
        assert bool(memory.fresh.all())
        samples.append(total)
    mean, error = np.mean(samples, 0), np.std(samples, 0, ddof=1) / np.sqrt(8)
    assert np.all(np.abs(mean - want) < 5 * error)
    cut = Backpropagation(2)(rule, tasks, jnp.ones(6), (), keys_of(2)).gradient.theta
    assert np.linalg.norm(mean - want) < 0.2 * np.linalg.norm(cut - want)


@pytest.mark.parametrize(
    "options",
    [{}, {"gradient": "truncated", "length": 4}, {"gradient": "pes", "length": 4, "spread": 0.1}],
)
def test_training_lowers_the_loss(options):
    found = meta.fit(
        Leaky(), noisy, key=KEY, steps=60, batch=32, optimizer=optax.adam(0.05), **options
    )
    before, after = (meta.evaluate(r, noisy, key=KEY, count=64) for r in (Leaky(), found.rule))
    assert after.mean.mean() < 0.6 * before.mean.mean()
    assert len(found.history) == 60
    assert found.evaluate(key=KEY, count=8).error.shape == (8,)


@pytest.mark.parametrize("options", [{}, {"gradient": "pes", "length": 4}])
def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path, options):
    run = lambda steps, **more: meta.fit(
        Leaky(), noisy, key=KEY, steps=steps, batch=4, save_every=3, **options, **more
    )
    whole = run(9)
    run(5, out=tmp_path)
    with open(tmp_path / "history.jsonl", "a") as file:
        file.write('{"step": 99, "lo')  # a run that was killed while it wrote
    seen = []
    rest = run(9, out=tmp_path, resume=True, watch=seen.append)
    assert [s.step for s in seen] == [5, 6, 7, 8]
    assert seen[-1].remaining == 0
    assert rest.history == whole.history
    for a, b in zip(jax.tree.leaves(whole.rule), jax.tree.leaves(rest.rule), strict=True):
        assert a.tobytes() == b.tobytes()
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(9))


def test_an_interrupt_leaves_a_run_to_go_on_from(tmp_path):
    def stop(progress):
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    options = {"key": KEY, "steps": 6, "batch": 4, "out": tmp_path}
    cut = meta.fit(Leaky(), noisy, watch=stop, **options)
    assert cut.stopped == "interrupted by SIGINT"
    assert len(cut.history) == 4
    rest = meta.fit(Leaky(), noisy, resume=True, **options)
    assert len(rest.history) == 6
    assert not rest.stopped


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    options = {"steps": 2, "batch": 4, "out": tmp_path}
    with pytest.raises(FitError, match="there is no checkpoint"):
        meta.fit(Leaky(), noisy, key=KEY, resume=True, **options)
    meta.fit(Leaky(), noisy, key=KEY, **options)
    with pytest.raises(FitError, match="belongs to another rule, other tasks or other options"):
        meta.fit(Leaky(), noisy, key=jax.random.key(0), resume=True, **options)
    other = optax.adam(0.5)  # of the same shape
    with pytest.raises(FitError, match="belongs to another rule, other tasks or other options"):
        meta.fit(Leaky(), noisy, key=KEY, resume=True, **options, optimizer=other)
    whole = (tmp_path / "checkpoint.npz").read_bytes()
    for garbled in (b"", b"junk", whole[: len(whole) // 2]):
        for name in ("checkpoint.npz", "checkpoint.before.npz"):
            (tmp_path / name).write_bytes(garbled)
        with pytest.raises(FitError, match=r"(?s)no whole checkpoint.*leave out resume"):
            meta.fit(Leaky(), noisy, key=KEY, resume=True, **options)
    (tmp_path / "file").touch()
    with pytest.raises(FitError, match=r"(?s)cannot write here.*choose another folder"):
        meta.fit(Leaky(), noisy, key=KEY, steps=1, out=tmp_path / "file" / "run")
    with pytest.raises(FitError, match=r"(?s)no folder to resume from.*give out="):
        meta.fit(Leaky(), noisy, key=KEY, resume=True)


class Fragile(Leaky):
    """Diverges at the third tick in every other task."""

    often: float = eqx.field(static=True, default=0.5)

    def __init__(self, often):
        super().__init__()
        self.often = often

    def init(self, observation, *, key):
        bad = jax.random.uniform(key) < self.often
        return {"mean": self.start, "bad": bad, "tick": 0}

    def __call__(self, state, observation):
        mean, said = super().__call__(state["mean"], observation)
        said = said / jnp.where(state["bad"] & (state["tick"] == 2), 0.0, 1.0)
        return {"mean": mean, "bad": state["bad"], "tick": state["tick"] + 1}, said


@pytest.mark.parametrize("options", [{}, {"gradient": "pes", "length": 4}])
@pytest.mark.slow
def test_a_task_that_diverges_is_left_out_and_told(options):
    seen = []
    found = meta.fit(Fragile(0.5), noisy, key=KEY, steps=8, batch=6, watch=seen.append, **options)
    diverged = [pair for step in found.history for pair in step.diverged]
    # Half of the pairs of evolution strategies begin in the middle of an episode.
    assert {tick for _, tick in diverged} == ({2, 6} if options else {2})
    assert 5 < len(diverged) < 43
    assert [step.diverged for step in found.history] == [p.diverged for p in seen]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found.rule))
    assert float(found.rule.rate) != 0.9
    assert found.evaluate(key=KEY, count=20).diverged > 3


def test_when_every_task_diverges_training_ends():
    with pytest.raises(FitError) as caught:
        meta.fit(Fragile(2.0), noisy, key=KEY, steps=20, batch=3)
    error = caught.value
    assert (
        "every task of the last 5 outer steps diverged; task 0 of the batch at tick 2" in error.what
    )
    assert error.where == "meta.fit, outer step 4"
    assert "optax.adam(1e-4)" in error.hint


def test_mistakes():
    go = lambda rule=None, tasks=noisy, **more: meta.fit(
        Leaky() if rule is None else rule, tasks, key=KEY, steps=1, **more
    )
    with pytest.raises(UnknownNameError, match=r"(?s)named 'truncate'.*did you mean 'truncated'"):
        go(gradient="truncate")
    with pytest.raises(InputError, match=r"(?s)length is not given.*the 8 of.*write length=2"):
        go(gradient="truncated")
    with pytest.raises(InputError, match=r"length is 3, expected a number of ticks that divides"):
        go(gradient="pes", length=3)
    with pytest.raises(InputError, match=r"(?s)spread is 0.*write spread=0.1"):
        go(gradient="pes", length=4, spread=0.0)
    with pytest.raises(InputError, match=r"(?s)relative losses.*gradient='truncated'"):
        go(gradient="pes", length=4, relative=True)
    with pytest.raises(InputError, match=r"batch is 0, expected 1 or more"):
        go(batch=0)
    with pytest.raises(InputError, match=r"weights has the shape \[3\], expected .* the 8 ticks"):
        go(weights=jnp.ones(3))
    with pytest.raises(InputError, match=r"the rule is the class Leaky"):
        go(rule=Leaky)
    with pytest.raises(InputError, match=r"the tasks are 3, expected a family of tasks"):
        go(tasks=3)
    with pytest.raises(InputError, match=r"no numbers to train"):
        go(rule=Frozen())
    with pytest.raises(InputError, match=r"count is 1, expected 2 or more"):
        meta.evaluate(Leaky(), noisy, key=KEY, count=1)


class Frozen(eqx.Module):
    def init(self, observation, *, key):
        return 0.0

    def __call__(self, state, observation):
        return state, observation
