"""Other optimizers, held-out data, and columns that share their noise."""

import equinox as eqx
import numpy as np
import optax
import optimistix as optx
import pytest

from snakebird.equations import Positive
from snakebird.errors import FitError, InputError
from snakebird.fitting import Gaussian, Relative, Trajectories, fit, split_in_time

TIMES = np.linspace(0, 4, 21)
QUICK = {"stages": ["trajectories"], "starts": 1}


class Decay(eqx.Module):
    """Two columns that decay at one rate."""

    rate: Positive

    def __call__(self, t, y, args):
        return {name: -self.rate * x for name, x in y.items()}


MODEL = Decay(Positive(1.0))


def decayed(*sizes, seed=1):
    rng = np.random.default_rng(seed)
    x = np.exp(-0.5 * TIMES)
    names = ("a", "b")
    return Trajectories.of(
        TIMES,
        {
            n: (1 + i) * x + s * rng.standard_normal(21)
            for i, (n, s) in enumerate(zip(names, sizes, strict=True))
        },
    )


DATA = decayed(0.02, 0.04)


@pytest.fixture(scope="module")
def plain():
    return fit(MODEL, DATA, **QUICK)


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimizer",
    [optax.adam(3e-2), optx.BFGS(1e-8, 1e-8), optx.LevenbergMarquardt(1e-8, 1e-8)],
    ids=["adam", "bfgs", "levenberg-marquardt"],
)
def test_other_optimizers_come_to_the_same_numbers(plain, optimizer):
    found = fit(MODEL, DATA, optimizer=optimizer, **QUICK)
    assert found.parameters["rate"] == pytest.approx(plain.parameters["rate"], rel=1e-3)
    assert found.noise["a"] == pytest.approx(plain.noise["a"], rel=1e-2)


@pytest.mark.parametrize("wrong", [optx.BFGS, "adam", 0.1])
def test_what_is_no_optimizer(wrong):
    with pytest.raises(FitError, match=r"which is none\n.*optimizer\n.*optax\.adam"):
        fit(MODEL, DATA, optimizer=wrong, **QUICK)


@pytest.mark.slow
def test_columns_have_noise_of_their_own_or_share_it(plain):
    assert plain.noise["b"] > 1.3 * plain.noise["a"]
    found = fit(MODEL, DATA, noise=Gaussian(shared=True), **QUICK)
    assert found.noise["a"] == found.noise["b"]
    assert plain.noise["a"] < found.noise["a"] < plain.noise["b"]
    # About the root of the mean square of all residuals.
    misses = np.concatenate([found.predict()[k] - DATA[0].values[k] for k in ("a", "b")])
    assert found.noise["a"] == pytest.approx(np.sqrt(np.sum(misses**2) / (42 - 3)), rel=0.02)


@pytest.mark.slow
def test_kinds_do_not_share_with_each_other():
    noise = {"a": Gaussian(shared=True), "b": Relative(shared=True)}
    found = fit(MODEL, DATA, noise=noise, **QUICK)
    assert found.noise["a"] != found.noise["b"]


class TestValidation:
    @pytest.mark.slow
    def test_later_times_are_met_and_the_loss_is_the_best_seen(self):
        train, later = split_in_time(DATA, fraction=0.6)
        found = fit(MODEL, train, validation=later, stages=["trajectories"], starts=3)
        assert found.parameters["rate"] == pytest.approx(0.5, abs=0.05)
        misses = found.predict(later.times)["a"] - later[0].values["a"]
        assert np.abs(misses).max() < 0.08

    def test_other_columns(self):
        other = Trajectories.of(TIMES, {"b": TIMES, "a": TIMES})
        with pytest.raises(InputError, match=r"the validation data have b, a, the data a, b\n"):
            fit(MODEL, DATA, validation=other, **QUICK)

    def test_times_before_the_start(self):
        train, later = split_in_time(DATA, fraction=0.6)
        with pytest.raises(InputError, match=r"held-out data at t = 0, before the start 2\.6\n"):
            fit(MODEL, later, validation=train, **QUICK)
