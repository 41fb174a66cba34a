"""Noise: moments within their Monte Carlo errors, Ito and Stratonovich, gradients, mistakes."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird.equations import solve_random
from snakebird.errors import EquationError, SnakebirdError, SolveError

KEY = jax.random.key(5)
DRIFT, SPREAD = 0.3, 0.4


def drift(t, y, args):
    return DRIFT * y


def spread(t, y, args):
    return SPREAD * y


def ends(paths, **options):
    found = solve_random(drift, spread, 1.0, [0.0, 1.0], key=KEY, paths=paths, **options)
    return np.asarray(found.states[:, 1])


def near(sample, mean, variance):
    """Whether mean and variance are within four of their standard errors."""
    n, off = len(sample), (sample - sample.mean()) ** 2
    return abs(sample.mean() - mean) < 4 * np.sqrt(variance / n) and abs(
        off.mean() - variance
    ) < 4 * off.std() / np.sqrt(n)


@pytest.mark.slow
def test_geometric_brownian_motion_in_both_senses():
    """Ito: mean exp(a t); Stratonovich: exp((a + b^2 / 2) t)."""
    for solver, growth in ((None, DRIFT), (diffrax.Heun(), DRIFT + SPREAD**2 / 2)):
        sample = ends(4000, steps=64, solver=solver)
        mean = np.exp(growth)
        assert near(sample, mean, mean**2 * (np.exp(SPREAD**2) - 1))
    # The two means are farther apart than either test allows.
    assert not near(sample, np.exp(DRIFT), np.exp(2 * DRIFT) * (np.exp(SPREAD**2) - 1))


@pytest.mark.slow
def test_milstein_meets_the_path_itself():
    """exp((a - b^2 / 2) t + b W): W is that of the solve of dx = dW with the same key."""
    options = {"key": KEY, "paths": 3, "steps": 400}
    free = solve_random(lambda t, y, a: 0.0, lambda t, y, a: 1.0, 0.0, [0.0, 1.0], **options)
    exact = np.exp(DRIFT - SPREAD**2 / 2 + SPREAD * free.states[:, 1])
    found = ends(3, steps=400, solver=diffrax.ItoMilstein())
    np.testing.assert_allclose(found, exact, rtol=2e-3)
    assert found.std() > 0.05


def test_shared_noise_and_trees():
    """One Wiener process drives both numbers, so that their difference stays what it was."""
    start = {"a": 1.0, "b": np.zeros(2)}
    still = lambda t, y, args: jax.tree.map(jnp.zeros_like, y)
    both = lambda t, y, args: jax.tree.map(lambda x: jnp.ones((*x.shape, 1)), y)
    times = [0.0, 0.37, 1.0]
    found = solve_random(still, both, start, times, key=KEY, paths=500, noise=1, steps=20)
    assert found.states["b"].shape == (500, 3, 2)
    apart = found.states["a"][..., None] - found.states["b"]
    np.testing.assert_allclose(apart, 1.0, atol=1e-12)
    assert near(np.asarray(found.states["a"][:, 1]), 1.0, 0.37)


@pytest.mark.slow
def test_gradients_along_fixed_paths():
    def mean(growth):
        model = lambda t, y, a: growth * y
        found = solve_random(model, spread, 1.0, [0.0, 1.0], key=KEY, paths=8, steps=40)
        return jnp.mean(found.states[:, 1])

    e = 1e-5
    slope = jax.jit(jax.grad(mean))(0.3)
    run = jax.jit(mean)
    np.testing.assert_allclose(slope, (run(0.3 + e) - run(0.3 - e)) / (2 * e), rtol=1e-7)


def test_the_same_key_gives_the_same_paths_and_the_solution_says_how():
    run = lambda key: solve_random(
        drift, spread, jnp.float32(1.0), [0.0, 0.1, 1.0], key=key, paths=4, steps=16
    )
    found = run(KEY)
    assert found.states.dtype == jnp.float32
    np.testing.assert_array_equal(found.states, run(KEY).states)
    assert np.all(found.states[:, 2] != run(jax.random.key(6)).states[:, 2])
    assert str(found) == (
        "4 solves of y at 3 times from t = 0 to 1\nEuler, 17 steps (Ito, equal steps)"
    )


def test_a_path_that_is_not_finite():
    blow = lambda t, y, args: {"a": jnp.zeros(()), "b": y["b"] ** 3}
    calm = lambda t, y, args: {"a": 1.0, "b": 0.0}
    start = {"a": 1.0, "b": 20.0}
    with pytest.raises(SolveError) as error:
        solve_random(blow, calm, start, [0.0, 0.05, 1.0], key=KEY, paths=2, steps=20)
    assert error.value.what == ("the solve ended at t = 0.05 of 1: not a number (Euler, 20 steps)")
    assert error.value.where == "y['b']"
    assert error.value.hint.startswith("look at the model near t = 0.05: ")
    found = solve_random(
        blow, calm, start, [0.0, 0.05, 1.0], key=KEY, paths=2, steps=20, check=False
    )
    assert found.ok.tolist() == [False, False]
    assert np.isfinite(found.states["a"]).tolist() == [[True, True, False]] * 2


ONES = lambda t, y, args: jnp.ones(3)


@pytest.mark.parametrize(
    ("diffusion", "options", "what", "where", "hint"),
    [
        (spread, {"paths": 0}, "paths=0, steps=1000", "solve_random",
         "give positive numbers of both"),
        (spread, {"times": [0.0]}, "the only time is the start", "solve_random",
         "give a later time"),
        (ONES, {}, "the diffusion returns [3], y0 is number",
         "solve_random, y has shape (3,), not ()",
         "return a number for every entry of y0, in a tree of the same shape"),
        (spread, {"noise": 2}, "the diffusion returns number, y0 is [2]",
         "solve_random, y has shape (), not (2,)",
         "return a number for every entry of y0, in a tree of the same shape"),
        (spread, {"solver": diffrax.Heun}, "the solver is the class Heun, not one of its instances",
         "solve_random", "call it: Heun()"),
        (spread, {"solver": diffrax.Tsit5()}, "Tsit5 does not solve equations with noise",
         "solve_random",
         "give diffrax.Euler() or ItoMilstein() (Ito), diffrax.Heun() or SPaRK() (Stratonovich)"),
    ],
)  # fmt: skip
def test_mistakes(diffusion, options, what, where, hint):
    named = {"times": [0.0, 1.0], "key": KEY} | options
    with pytest.raises(EquationError) as error:
        solve_random(drift, diffusion, 1.0, **named)
    assert (error.value.what, error.value.where, error.value.hint) == (what, where, hint)


def test_traced_times():
    run = lambda end: solve_random(drift, spread, 1.0, jnp.stack([0.0, end]), key=KEY).states
    with pytest.raises(SnakebirdError) as error:
        jax.jit(run)(1.0)
    assert str(error.value) == (
        "the times are traced\n  at solve_random\n  hint: give numbers: no gradient flows to them"
    )
