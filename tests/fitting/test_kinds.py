"""Equations that are not plain ones: with doses, delays, in stiff or two-part form."""

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird.equations import Diffrax, Doses, Fixed, Free, Positive, Split, solve_delayed
from snakebird.errors import FitError, InputError, UnknownNameError
from snakebird.fitting import Experiment, Trajectories, fit
from snakebird.fitting._setup import Options, setup
from snakebird.fitting._smooth import smooth

RNG = np.random.default_rng(4)
QUICK = {"stages": ["trajectories"], "starts": 1}


class Clearance(eqx.Module):
    """A drug leaves the blood."""

    rate: Positive

    def __call__(self, t, y, args):
        return {"x": -self.rate * y["x"]}


def decayed(times, doses, rate=0.5):
    """The closed form: every dose decays by itself; at its time it is not there yet."""
    times = np.asarray(times)[:, None]
    at, amounts = map(np.asarray, zip(*doses, strict=True))
    return (np.where(times > at, amounts * np.exp(-rate * (times - at)), 0.0)).sum(1)


class TestDoses:
    @pytest.mark.slow
    def test_one_at_the_start_and_one_between_observations(self):
        times = np.arange(9.0)
        x = decayed(times, [(0.0, 2.0), (3.5, 1.0)])
        data = Trajectories.of(times, {"x": x})
        doses = Doses([0.0, 3.5], [{"x": 2.0}, {"x": 1.0}])
        found = fit(Clearance(Positive(1.0)), data, doses=doses, y0={"x": Fixed(0.0)}, **QUICK)
        assert found.parameters["rate"] == pytest.approx(0.5, rel=1e-4)
        assert np.allclose(found.predict()["x"], x, atol=1e-4)
        assert found.start[0]["x"] == 0.0

    @pytest.mark.slow
    def test_each_experiment_its_own_in_pieces_too(self):
        times = np.arange(13.0)
        given = {"a": [(0.0, 2.0)], "b": [(0.0, 1.0), (4.0, 3.0)], "c": [(0.0, 0.5)]}
        runs = [Experiment(k, times, {"x": decayed(times, own)}) for k, own in given.items()]
        doses = {k: ([t for t, _ in own], [a for _, a in own]) for k, own in given.items()}
        data = Trajectories.of(runs)
        for stages in (["trajectories"], ["shooting", "trajectories"]):
            found = fit(
                Clearance(Positive(1.0)), data, doses=doses, y0={"x": Fixed(0.0)},
                stages=stages, starts=1,
            )  # fmt: skip
            assert found.parameters["rate"] == pytest.approx(0.5, rel=1e-3)

    def test_an_experiment_that_is_not_there(self):
        data = Trajectories.of([0.0, 1.0, 2.0], {"x": [1.0, 0.6, 0.4]})
        with pytest.raises(UnknownNameError) as error:
            fit(Clearance(Positive(1.0)), data, doses={"two": ([0.0], [1.0])})
        assert "no experiment is called 'two'" in str(error.value)


class Logistic(eqx.Module):
    """Growth that is held back by how many there were some time ago (Hutchinson 1948)."""

    rate: Positive
    delays: Positive

    def __call__(self, t, y, past, args):
        return {"n": self.rate * y["n"] * (1 - past["n"])}


class TestDelays:
    times = np.linspace(0, 20, 41)

    def data(self):
        n = solve_delayed(
            lambda t, y, past, args: 0.9 * y * (1 - past), 0.5, self.times, None, delays=1.6
        )
        return Trajectories.of(self.times, {"n": np.asarray(n) + 0.01 * RNG.standard_normal(41)})

    @pytest.mark.slow
    def test_rate_and_delay_are_found(self):
        found = fit(Logistic(Positive(0.5), Positive(1.0)), self.data(), starts=2)
        assert found.parameters["rate"] == pytest.approx(0.9, abs=0.02)
        assert found.parameters["delays"] == pytest.approx(1.6, abs=0.02)
        assert found.noise["n"] == pytest.approx(0.01, rel=0.4)

    @pytest.mark.slow
    def test_it_cannot_be_cut_into_pieces(self):
        with pytest.raises(FitError) as error:
            fit(
                Logistic(Positive(0.5), Positive(1.0)), self.data(),
                stages=["shooting", "trajectories"],
            )  # fmt: skip
        assert "each would need its past" in str(error.value)


class Coupled(eqx.Module):
    """A quick state that follows a slow one."""

    rate: Positive

    def __call__(self, t, y, args):
        return {"x": -5000 * (y["x"] - y["y"]), "y": -self.rate * y["x"]}


def slow():
    times = np.linspace(0, 4, 7)
    return Trajectories.of(times, {"y": 2 * np.exp(-0.5 * times)})


@pytest.mark.slow
def test_where_the_explicit_solver_fails_another_is_taken():
    found = fit(Coupled(Positive(1.0)), slow(), y0={"x": 1.0, "y": 1.0}, **QUICK)
    assert isinstance(found.problem.solver, Diffrax)
    assert found.parameters["rate"] == pytest.approx(0.5, rel=1e-3)


class Parts(eqx.Module):
    """The same in two parts."""

    rate: Positive

    def explicit(self, t, y, args):
        return {"x": jnp.zeros(()), "y": -self.rate * y["x"]}

    def implicit(self, t, y, args):
        return {"x": -5000 * (y["x"] - y["y"]), "y": jnp.zeros(())}

    def __call__(self, t, y, args):
        return Split(self.explicit, self.implicit)(t, y, args)


@pytest.mark.slow
def test_a_model_in_two_parts_with_a_solver_for_both():
    solver = Diffrax(dfx.KenCarp4())
    found = fit(Parts(Positive(1.0)), slow(), y0={"x": 2.0, "y": 2.0}, solver=solver, **QUICK)
    assert found.parameters["rate"] == pytest.approx(0.5, rel=1e-3)


class Drawn(eqx.Module):
    """A state that is drawn to a level (G. E. Uhlenbeck, L. S. Ornstein, Physical Review 36)."""

    rate: Positive
    level: Free

    def __call__(self, t, y, args):
        return {"x": -self.rate * (y["x"] - self.level)}


def wandering(paths=40, n=60, h=0.25):
    """Exact draws: the transition is normal."""
    decay, x = np.exp(-2.0 * h), np.full(paths, 1.0)
    spread = 0.6 * np.sqrt((1 - decay**2) / 4.0)
    rows = [x]
    for _ in range(n):
        x = 0.5 + (x - 0.5) * decay + spread * RNG.standard_normal(paths)
        rows.append(x)
    return [(h * np.arange(n + 1), {"x": path}) for path in np.array(rows).T]


class TestRandom:
    @pytest.mark.slow
    def test_drift_and_diffusion_of_exact_paths(self):
        data = Trajectories.of(wandering())
        found = fit(Drawn(Positive(1.0), Free(0.0)), data, random=True, starts=1)
        assert found.parameters["rate"] == pytest.approx(2.0, rel=0.1)
        assert found.parameters["level"] == pytest.approx(0.5, abs=0.03)
        assert found.noise["x"] == pytest.approx(0.6, rel=0.04)
        # A prediction runs freely from the first observation.
        assert found.predict(np.array([0.0, 8.0]))["x"] == pytest.approx([1.0, 0.5], abs=0.03)

    @pytest.mark.slow
    def test_its_jacobian_is_that_of_differences(self):
        data = Trajectories.of(wandering(paths=2, n=4))
        given = setup(Drawn(Positive(1.0), Free(0.0)), data, Options(random=True))
        phi, step = jnp.asarray(given.vector)[None], 1e-6
        _, jacobian, fine = given.problem.linearized(phi, given.batch)
        assert fine.all()
        for k in range(2):
            move = jnp.zeros_like(phi).at[0, k].set(step)
            ahead, back = (given.problem(phi + s * move, given.batch)[0] for s in (1, -1))
            assert np.allclose(jacobian[0, :, k], (ahead - back)[0] / (2 * step), atol=1e-5)

    def test_a_gap(self):
        data = Trajectories.of([0.0, 1.0, 2.0], {"x": [1.0, None, 0.4]})
        with pytest.raises(InputError) as error:
            fit(Drawn(Positive(1.0), Free(0.0)), data, random=True)
        assert "a gap at t = 1" in str(error.value)

    def test_pieces(self):
        data = Trajectories.of(wandering(paths=2, n=4))
        with pytest.raises(FitError) as error:
            fit(
                Drawn(Positive(1.0), Free(0.0)), data, random=True,
                stages=["shooting", "trajectories"],
            )  # fmt: skip
        assert "in pieces already" in str(error.value)


def test_times_over_many_decades_are_smoothed():
    times = np.concatenate([[0.0], np.logspace(-6, 4, 41)])
    curve = smooth(Experiment("a", times, {"x": np.exp(-times)}))
    assert np.allclose(curve.values[:, 0], np.exp(-times), atol=0.02)
