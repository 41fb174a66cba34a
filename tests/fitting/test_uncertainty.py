"""Posterior, profiles, ensembles and what cannot be told, against closed forms; few compiles."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import chi2

from snakebird.equations import Hole, Polynomial, Positive
from snakebird.errors import FitError, UnknownNameError
from snakebird.fitting import (
    Gaussian,
    LogNormal,
    NegativeBinomial,
    Poisson,
    Relative,
    Trajectories,
    fit,
)
from snakebird.fitting._ensemble import Ensemble, ensemble, resampled
from snakebird.fitting._identify import identifiability
from snakebird.fitting._profile import profile
from snakebird.fitting._uncertainty import laplace, root_of_inverse

TIMES = np.linspace(0, 4, 21)
AT = np.linspace(0, 6, 7)
QUICK = {"stages": ["trajectories"], "starts": 1}
NOISE = 0.02


class Decay(eqx.Module):
    rate: Positive

    def __call__(self, t, y, args):
        return {"x": -self.rate * y["x"]}


def decayed(missing: bool = False) -> Trajectories:
    x = 2 * np.exp(-0.5 * TIMES) + NOISE * np.random.default_rng(0).standard_normal(len(TIMES))
    x[5] = np.nan if missing else x[5]
    return Trajectories.of(TIMES, {"x": x})


@pytest.fixture(scope="module")
def decay():
    return fit(Decay(Positive(1.0)), decayed(), noise=Gaussian(NOISE), **QUICK)


def curve(rate: float, start: float, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The solution, and its slopes by the logarithm of the rate and by the start value."""
    fall = np.exp(-rate * times)
    return start * fall, np.stack([-start * rate * times * fall, fall], axis=1)


@pytest.fixture(scope="module")
def exact(decay):
    """Best rate and start value, and the covariance of the rate's logarithm and the start."""
    rate, start = decay.parameters["rate"], float(decay.vector[1])
    slope = curve(rate, start, TIMES)[1] / NOISE
    return rate, start, np.linalg.inv(slope.T @ slope)


class TestLaplace:
    def test_covariance_is_that_of_the_closed_form(self, decay, exact):
        np.testing.assert_allclose(laplace(decay).covariance, exact[2], rtol=1e-3)

    def test_errors_are_in_the_units_of_the_parameters(self, decay, exact):
        rate, _, covariance = exact
        errors = laplace(decay).standard_errors
        assert errors["rate"] == pytest.approx(rate * np.sqrt(covariance[0, 0]), rel=1e-3)
        assert errors["start.x"] == pytest.approx(np.sqrt(covariance[1, 1]), rel=1e-3)

    def test_intervals_are_transformed_not_their_width(self, decay, exact):
        rate, start, covariance = exact
        found = laplace(decay).intervals(level=0.9)
        reach = 1.6448536 * np.sqrt(np.diag(covariance))
        ends = rate * np.exp(-reach[0]), rate * np.exp(reach[0])
        assert found["rate"] == pytest.approx(ends, rel=1e-4)
        assert found["start.x"] == pytest.approx((start - reach[1], start + reach[1]), rel=1e-4)

    def test_draws_have_the_mean_and_covariance(self, decay):
        posterior = laplace(decay)
        draws = posterior.sample(jax.random.key(0), 4000)
        np.testing.assert_allclose(np.cov(draws.T), posterior.covariance, rtol=0.15)
        own = posterior.parameters(draws)
        assert np.mean(own["rate"]) == pytest.approx(decay.parameters["rate"], rel=1e-3)
        np.testing.assert_allclose(np.log(own["rate"]), draws[:, 0])
        np.testing.assert_array_equal(own["start.x"], draws[:, 1])

    def test_bands_are_those_of_the_closed_form(self, decay, exact):
        rate, start, covariance = exact
        center, slope = curve(rate, start, AT)
        spread = np.sqrt(np.einsum("np,pq,nq->n", slope, covariance, slope))
        bands = laplace(decay).bands(AT)
        np.testing.assert_allclose(bands.center["x"], center, rtol=1e-4)
        np.testing.assert_allclose(bands.upper["x"], center + 1.959964 * spread, rtol=1e-4)
        noisy = laplace(decay).bands(AT, noise=True, level=0.5)
        reach = 0.6744898 * np.hypot(spread, NOISE)
        np.testing.assert_allclose(noisy.lower["x"], center - reach, rtol=1e-4)

    @pytest.mark.slow
    def test_draws_through_the_model_give_nearly_the_same_bands(self, decay):
        posterior = laplace(decay)
        for noise in (False, True):
            line = posterior.bands(AT, noise=noise)
            drawn = posterior.bands(AT, samples=500, key=jax.random.key(1), noise=noise)
            width = line.upper["x"] - line.lower["x"]
            np.testing.assert_allclose(drawn.upper["x"] - drawn.lower["x"], width, rtol=0.25)
            assert (np.abs(drawn.center["x"] - line.center["x"]) < 0.1 * width).all()

    def test_times_that_no_solution_reaches(self, decay):
        with pytest.raises(FitError, match=r"ends before the last time\n.*experiment 1\n.*earlier"):
            laplace(decay).bands(1e7 * AT)

    def test_it_prints_each_number_with_its_interval(self, decay):
        lines = str(laplace(decay)).splitlines()
        assert lines[0] == "Posterior of Decay, intervals of 95%"
        low, high = laplace(decay).intervals()["rate"]
        assert lines[1].startswith(f"  rate = {decay.parameters['rate']:.4g} ± ")
        assert lines[1].endswith(f"({low:.4g} .. {high:.4g})")


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(0, 8))
def test_the_root_is_that_of_the_inverse(seed, numbers, rows):
    rng = np.random.default_rng(seed)
    jacobian = rng.standard_normal((rows, numbers)) * 10 ** rng.uniform(-3, 3, numbers)
    precision = 10 ** rng.uniform(-2, 2, numbers)
    root = root_of_inverse(jacobian, precision)
    matrix = jacobian.T @ jacobian + np.diag(precision)
    scale = np.sqrt(np.diag(matrix))
    product = (matrix @ root @ root.T) / scale[:, None] * scale
    np.testing.assert_allclose(product, np.eye(numbers), atol=1e-6)


def test_the_root_keeps_what_squares_would_lose():
    # The sum is known to 1e-5, the difference only from the prior: 20 digits apart in the square.
    jacobian, precision = np.array([[1e5, 1e5]]), np.full(2, 1e-10)
    root = root_of_inverse(jacobian, precision)
    assert np.linalg.norm([1.0, -1.0] @ root) == pytest.approx(np.sqrt(2) * 1e5, rel=1e-4)


@pytest.mark.parametrize(
    "noise", [Gaussian(), Relative(), LogNormal(), Poisson(), NegativeBinomial(50.0)]
)
def test_observations_scatter_as_the_noise_says(noise):
    drawn = noise.drawn(np.full(20000, 100.0), 0.05, np.random.default_rng(0))
    assert np.mean(drawn) == pytest.approx(100, rel=0.01)
    assert np.std(drawn) == pytest.approx(float(noise.spread(jnp.array(100.0), 0.05)), rel=0.05)


class TestProfile:
    @pytest.mark.slow
    def test_costs_and_interval_are_those_of_the_closed_form(self, decay):
        seen = decay.data[0].values["x"]

        def cost(rate: float) -> float:
            fall = np.exp(-rate * TIMES)
            start = (fall @ seen) / (fall @ fall)
            return 0.5 * float(np.sum((start * fall - seen) ** 2)) / NOISE**2

        found = profile(decay, "rate", level=0.9)
        np.testing.assert_allclose(found.cost, [cost(k) for k in found.values], rtol=2e-3)
        best = minimize_scalar(cost, bounds=(0.3, 0.7)).x
        over = lambda k: cost(k) - cost(best) - chi2.ppf(0.9, 1) / 2
        ends = brentq(over, 0.3, best), brentq(over, best, 0.7)
        assert found.interval == pytest.approx(ends, rel=1e-3)
        assert found.bounded == (True, True)
        assert str(found).startswith(f"rate = {found.best:.4g}; at 90%, between")

    def test_a_start_value_has_the_interval_of_its_error(self, decay):
        low, high = laplace(decay).intervals()["start.x"]
        assert profile(decay, "start.x").interval == pytest.approx((low, high), rel=1e-3)

    def test_its_own_prior_does_not_count(self, decay):
        prior = decay.prior
        strict = prior._replace(precision=prior.precision.at[0, 0].set(1e5))
        with_prior = profile(replace(decay, prior=strict), "rate")
        assert with_prior.interval == pytest.approx(profile(decay, "rate").interval, rel=1e-3)

    def test_an_unknown_name(self, decay):
        with pytest.raises(UnknownNameError, match=r"called 'rat'\n.*\n.*mean 'rate'"):
            profile(decay, "rat")

    def test_too_few_points(self, decay):
        with pytest.raises(FitError, match=r"2 points are too few(.*\n)*.*at least 5"):
            profile(decay, "rate", points=2)


class Saturating(eqx.Module):
    """Two rates of which only the product counts, and a level far above what was seen."""

    a: Positive
    b: Positive
    level: Positive

    def __call__(self, t, y, args):
        return {"x": -self.a * self.b * y["x"] / (1 + y["x"] / self.level)}


@pytest.fixture(scope="module")
def saturating():
    model = Saturating(Positive(0.7), Positive(0.7), Positive(1e3))
    return fit(model, decayed(), noise=Gaussian(NOISE), **QUICK)


class Held(eqx.Module):
    """A hole whose inputs hardly vary, and a state that nothing depends on."""

    law: Hole

    def __call__(self, t, y, args):
        out = self.law(y["x"], 3 * y["x"], 7.0)
        return {"x": out, "hidden": -y["hidden"]}


@pytest.fixture(scope="module")
def held():
    model = Held(Hole("mass weight air", "rate", Polynomial(3, 1, 1)))
    return fit(model, decayed(), y0={"x": 2.0, "hidden": 1.0}, rounds=1, **QUICK)


@pytest.mark.slow
class TestWhatCannotBeTold:
    def test_all_is_determined(self, decay):
        statement = identifiability(decay)
        assert not statement
        assert str(statement) == "the data determine all parameters"

    def test_products_and_limits(self, saturating):
        statement = identifiability(saturating)
        (direction,) = statement.directions
        assert direction == {"a": pytest.approx(1), "b": pytest.approx(-1)} or direction == {
            "a": pytest.approx(-1), "b": pytest.approx(1)}  # fmt: skip
        text = str(statement)
        assert "a and b are known only together: if a grows and b shrinks" in text
        assert "level = " in text
        assert "is not determined" in text
        assert len(statement.problems) == 2

    @pytest.mark.slow
    def test_a_number_that_is_bounded_on_one_side_only(self, saturating):
        found = profile(saturating, "level")
        assert found.bounded == (True, False)
        assert 2 < found.interval[0] < 200
        assert found.interval[1] == np.inf
        assert "level" in str(found)
        assert "at 95%, above" in str(found)
        assert "not bounded above by the data" in str(found)

    def test_what_a_hole_never_saw_and_states_nobody_observed(self, held):
        statement = identifiability(held)
        text = str(statement)
        assert "law: its inputs mass and weight never change independently" in text
        assert "law: its input air stays near 7; what it does elsewhere is not known" in text
        assert "start.hidden = " in text
        assert "is not determined: it may be anything" in text
        assert len(statement.problems) == 3
        (note,) = statement.notes
        assert note == "hidden is never observed: what is said of it rests on the equations"

    def test_a_number_that_a_hole_can_stand_in_for(self, held):
        # As if the start of the hidden state moved the data as all weights together do.
        weights = held.problem.vector.hole >= 0
        jacobian = held.jacobian.copy()
        jacobian[:, -1] = jacobian[:, : len(weights)] @ np.ones(len(weights))
        wide = held.prior._replace(precision=held.prior.precision.at[0, : len(weights)].set(1e-8))
        text = str(identifiability(replace(held, jacobian=jacobian, prior=wide)))
        assert "is not determined: it may be anything; a hole can stand in for it" in text

    def test_a_prior_that_the_data_add_nothing_to(self, saturating):
        vector = saturating.problem.vector
        told = (*vector.leaves[:2], Positive(1e3, prior=(1e3, 0.1)))
        problem = saturating.problem.with_(vector=vector._replace(leaves=told))
        prior = saturating.prior
        prior = prior._replace(precision=prior.precision.at[0, 2].set(100.0))
        text = str(identifiability(replace(saturating, problem=problem, prior=prior)))
        assert "level is known from its prior alone: the data add hardly anything" in text


class TestEnsemble:
    def test_resampled_data_scatter_around_the_fit(self, decay, exact):
        rng = np.random.default_rng(0)
        lacking = replace(decay, data=decayed(missing=True))
        drawn = [resampled(lacking, rng)[0].values["x"] for _ in range(200)]
        off = np.array(drawn) - curve(exact[0], exact[1], TIMES)[0]
        assert np.isnan(off[:, 5]).all()
        off = np.delete(off, 5, axis=1)
        assert np.std(off) == pytest.approx(NOISE, rel=0.1)
        assert np.abs(np.mean(off, 0)).max() < 0.006

    @pytest.mark.slow
    def test_its_spread_is_that_of_the_posterior(self, decay, exact):
        found = ensemble(
            Decay(Positive(1.0)), decayed(), members=20, noise=Gaussian(NOISE), **QUICK
        )
        assert len(found) + found.missed == 20
        assert found.missed < 4
        expected = laplace(decay)
        for name, error in found.standard_errors.items():
            assert error == pytest.approx(expected.standard_errors[name], rel=0.35)
        low, high = found.intervals()["rate"]
        assert low < exact[0] < high
        bands, line = found.bands(AT), expected.bands(AT)
        width = line.upper["x"] - line.lower["x"]
        np.testing.assert_allclose(bands.upper["x"] - bands.lower["x"], width, rtol=0.4)
        assert str(found).splitlines()[1].startswith("  rate = 0.5")

    def test_without_bootstrap_only_the_starts_differ(self, decay, monkeypatch):
        asked = {}

        def fits(models, samples, **options):
            asked.update(models=models, samples=samples, **options)
            good = replace(decay, scores=np.array([60.0]))
            return [good, good, replace(decay, scores=np.array([-60.0]))]

        monkeypatch.setattr("snakebird.fitting._ensemble.fit_many", fits)
        data = decayed()
        found = ensemble(Decay(Positive(1.0)), data, members=3, bootstrap=False, rounds=4)
        assert all(one is data for one in asked["samples"])
        assert len({float(model.rate.value) for model in asked["models"]}) == 3
        assert asked["rounds"] == 4
        assert (len(found), found.missed) == (2, 1)

    def test_what_the_holes_of_its_members_give(self, held):
        twice = np.where(held.problem.vector.hole >= 0, 2.0, 1.0)
        vector = held.vector * np.append(twice, [1.0, 1.0])
        model = held.problem.vector.trained(vector[:-2])
        found = Ensemble((held, replace(held, vector=vector, model=model)), 0)
        points = np.array([[1.0, 3.0, 7.0], [0.5, 1.5, 7.0]])
        first, second = found.hole("law", points)[..., 0]
        np.testing.assert_allclose(first, [held.holes["law"](*x) for x in points], rtol=1e-6)
        np.testing.assert_allclose(second, 2 * first)
        with pytest.raises(UnknownNameError, match=r"no hole is called 'low'(.*\n)*.*'law'"):
            found.hole("low", points)

    def test_one_member_has_no_spread(self):
        with pytest.raises(FitError, match=r"1 member has no spread(.*\n)*.*members=2"):
            ensemble(Decay(Positive(1.0)), decayed(), members=1)
