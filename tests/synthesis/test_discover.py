"""Laws found again: in the equation, from few and noisy data."""

from itertools import pairwise

import equinox as eqx
import jax
import numpy as np
import pytest

import snakebird as sb
from snakebird.errors import FitError, UnknownNameError
from snakebird.synthesis.laws import monod, polynomials, simplified
from tests.unchecked import unchecked


class Growth(eqx.Module):
    rate: sb.Hole
    feed: sb.Positive

    def __call__(self, t, y, args):
        return {"x": self.rate(y["x"]) + self.feed * args["dose"]}


def grown(rate, seed, noise=0.003, start=0.2):
    """Two experiments with different doses, 20 times each."""
    from scipy.integrate import solve_ivp

    rng, times, found = np.random.default_rng(seed), np.linspace(0, 6, 20), []
    for number, dose in enumerate((0.0, 1.0)):
        f = lambda t, y, dose=dose: [rate(y[0]) + 0.2 * dose]
        x = solve_ivp(f, (0, 6), [start], t_eval=times, rtol=1e-10, atol=1e-10).y[0]
        x = x + noise * rng.standard_normal(20)
        found.append(sb.fitting.Experiment(str(number), times, {"x": x}, conditions={"dose": dose}))
    return sb.Trajectories.of(found)


@pytest.fixture(scope="module")
def logistic():
    model = Growth(sb.Hole("x", "rate", key=jax.random.key(0)), sb.Positive(0.5))
    data = [grown(lambda x: x - 0.5 * x**2, seed) for seed in range(2)]
    return sb.fitting.fit_many(model, data, starts=3)


@pytest.fixture(scope="module")
def laws(logistic):
    return sb.synthesis.discover_many(logistic, library=polynomials("x", 4), terms=4, candidates=16)


@pytest.mark.slow
def test_the_logistic_law_comes_back_beside_a_trained_parameter(logistic, laws):
    for fit, found in zip(logistic, laws, strict=True):
        assert fit.noise["x"] == pytest.approx(0.003, rel=0.4)
        assert [str(term) for term in found.best.coefficients["rate"]] == ["x", "x**2"]
        a, b = map(float, found.best.coefficients["rate"].values())
        assert (a, b) == (pytest.approx(1, rel=0.05), pytest.approx(-0.5, rel=0.05))
        assert found[0].fit.parameters["feed"] == pytest.approx(0.2, rel=0.15)


def test_weights_are_probabilities_in_order(laws):
    for found in laws:
        weights = [one.weight for one in found]
        assert sum(weights) == pytest.approx(1)
        assert weights == sorted(weights, reverse=True)
        front = found.pareto()
        assert [one.terms for one in front] == sorted({one.terms for one in front})
        assert all(a.loss > b.loss for a, b in pairwise(front))


def test_standard_errors_hold_the_truth(laws):
    for found in laws:
        truth = {"x": 1.0, "x**2": -0.5}
        for one, value in found.best.coefficients["rate"].items():
            error = found.best.errors["rate"][one]
            assert abs(float(value) - truth[str(one)]) < 4 * float(error)
            assert float(error) < 0.1


def test_the_law_predicts_where_the_hole_was_never(laws):
    at = laws[0][0].fit.predict([0.0, 30.0], experiment="1")["x"]
    # The fixed point of x - x^2/2 + 0.2.
    assert at[1] == pytest.approx(1 + np.sqrt(1.4), rel=0.03)


def test_true_terms_are_chosen_whatever_observations_are_drawn(laws):
    for found in laws:
        shares = found.stability(draws=20)
        assert min(shares["rate", "x"], shares["rate", "x**2"]) > 0.8
        assert all(share < 0.5 for (_, term), share in shares.items() if term not in ("x", "x**2"))
        assert found.stability(draws=20) == shares


def test_laws_that_miss_say_so(logistic, laws):
    assert not laws[0].missed
    found = sb.discover(logistic[0], library=polynomials("x", 0), terms=1, candidates=4)
    assert found.missed
    assert not found.sure
    assert "No law that was tried meets the data as well as the hole does." in repr(found)


def test_what_is_identifiable_can_be_asked_of_a_law(laws):
    assert "determine" in str(sb.fitting.identifiability(laws[0][0].fit))


def test_it_prints_as_a_table(laws):
    text = str(laws[0])
    assert text.startswith("Laws for rate")
    assert "x^2" in text


def test_simple_numbers_are_offered_and_tested(laws):
    for found in laws:
        simple = simplified(found[0])
        assert 0 <= simple.p <= 1
        assert all(number.bits > 0 for number in simple.numbers)
    exact = [str(simplified(found[0]).law) for found in laws]
    assert "rate = x - x^2/2" in exact
    # Far from what was fitted the data say no.
    far = laws[0][0].refit.held(laws[0][0].judged, 1.3 * laws[0][0].judged.phi[:2])
    assert far.loss > laws[0][0].loss + 100


@pytest.mark.slow
def test_constants_inside_a_term_are_fitted_too():
    model = Growth(sb.Hole("x", "rate", key=jax.random.key(0)), sb.Positive(0.5))
    data = grown(lambda x: -x / (0.5 + x), 3, start=3.0)
    fit = sb.fit(model, data, starts=3)
    found = sb.discover(fit, library=polynomials("x", 2) + monod("x"), terms=3, candidates=16)
    ((term, value),) = found.best.coefficients["rate"].items()
    assert not term.is_polynomial()
    assert float(value) == pytest.approx(-1, rel=0.1)
    assert float(found.best(0.5)) == pytest.approx(-0.5, rel=0.1)


def test_mistakes_are_explained(logistic):
    with pytest.raises(UnknownNameError, match="no hole is called 'rat'") as error:
        sb.discover(logistic[0], "rat")
    assert "rate" in error.value.hint
    with pytest.raises(FitError, match="the library is of z, the hole of x"):
        sb.discover(logistic[0], library=polynomials("z", 2))
    with pytest.raises(FitError, match="library='monod' is no library of terms"):
        unchecked(sb.synthesis.discover_many)([logistic[0]], library="monod")


def test_a_law_has_no_laws(laws):
    with pytest.raises(FitError, match="the hole rate is a law already"):
        sb.discover(laws[0][0].fit)
