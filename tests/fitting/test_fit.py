"""One call from a model and data to a trained model; few fits, shared, since each compiles."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird.equations import Bounded, Fixed, Free, Hole, Polynomial, Positive
from snakebird.errors import EquationError, FitError, InputError, SnakebirdError, UnknownNameError
from snakebird.fitting import Experiment, Gaussian, Poisson, Trajectories, fit, fit_many

TIMES = np.linspace(0, 4, 17)
QUICK = {"stages": ["trajectories"], "starts": 1}


class Cooling(eqx.Module):
    """Decays at a rate that grows with a condition towards a level given in args."""

    rate: Positive
    slope: Bounded

    def __call__(self, t, y, args):
        k = self.rate + self.slope * args["heat"]
        return {"x": -k * (y["x"] - args["level"])}


def cooled(seed: int, noise: float = 0.02) -> Trajectories:
    rng = np.random.default_rng(seed)
    experiments = []
    for name, heat in (("cold", 0.0), ("warm", 1.0)):
        x = 1 + 2 * np.exp(-(0.5 + 0.3 * heat) * TIMES) + noise * rng.standard_normal(len(TIMES))
        x[3] = np.nan if heat else x[3]
        experiments.append(Experiment(name, TIMES, {"x": x}, conditions={"heat": heat}))
    return Trajectories(tuple(experiments))


MODEL = Cooling(Positive(1.0), Bounded(0.5, 0.0, 1.0))
OPTIONS = {"args": {"level": 1.0}, "stages": ["trajectories"], "starts": 2, "seed": 3}


@pytest.fixture(scope="module")
def cooling():
    return fit(MODEL, cooled(0), **OPTIONS)


class TestFit:
    def test_parameters_are_found_within_their_standard_errors(self, cooling):
        assert cooling.parameters["rate"] == pytest.approx(0.5, abs=0.03)
        assert cooling.parameters["slope"] == pytest.approx(0.3, abs=0.04)
        assert cooling.noise["x"] == pytest.approx(0.02, rel=0.3)

    def test_start_values_of_every_experiment_are_found(self, cooling):
        assert [float(one["x"]) for one in cooling.start] == pytest.approx([3.0, 3.0], abs=0.06)

    def test_a_missing_value_has_no_residual(self, cooling):
        residual = cooling.residual.reshape(2, len(TIMES))
        assert residual[1, 3] == 0
        assert not cooling.jacobian.reshape(2, len(TIMES), -1)[1, 3].any()
        assert np.count_nonzero(residual) == 2 * len(TIMES) - 1

    def test_cost_residual_and_jacobian_are_those_of_the_noise_that_was_found(self, cooling):
        rate = cooling.parameters["rate"] + cooling.parameters["slope"]
        seen = 1 + (float(cooling.start[1]["x"]) - 1) * np.exp(-rate * TIMES)
        residual = (seen - cooling.data["warm"].values["x"]) / cooling.noise["x"]
        own = cooling.residual.reshape(2, -1)[1]
        np.testing.assert_allclose(own, np.nan_to_num(residual), atol=1e-3)
        prior = cooling.prior.precision[0] * (cooling.vector - cooling.prior.mean[0]) ** 2
        assert cooling.cost == pytest.approx(0.5 * (sum(cooling.residual**2) + sum(prior)))

    def test_what_was_cut_short_goes_on_to_the_same_end_to_the_last_bit(self, cooling, tmp_path):
        cut = fit(MODEL, cooled(0), out=tmp_path, budget=0.0, **OPTIONS)
        assert "budget" in cut.stopped
        assert len(cut.history) == 1
        whole = fit(MODEL, cooled(0), out=tmp_path, resume=True, **OPTIONS)
        assert not whole.stopped
        assert np.array_equal(whole.vector, cooling.vector)
        assert np.array_equal(whole.scores, cooling.scores)
        assert [step.cost for step in whole.history] == [step.cost for step in cooling.history]
        for other, data, options in [
            ("data", cooled(1), OPTIONS),
            ("noise and seed", cooled(0), {**OPTIONS, "seed": 5, "noise": Gaussian(0.1)}),
        ]:
            with pytest.raises(FitError, match=f"belongs to a fit with other {other}\\n"):
                fit(MODEL, data, out=tmp_path, resume=True, **options)

    def test_it_predicts_from_other_states_and_under_other_conditions(self, cooling):
        rate = cooling.parameters["rate"] + 3.0 * cooling.parameters["slope"]
        seen = cooling.predict([0.0, 1.0], start={"x": 5.0}, conditions={"heat": 3.0})["x"]
        np.testing.assert_allclose(seen, [5.0, 1 + 4 * np.exp(-rate)], rtol=1e-6)
        assert cooling.states([1.0], experiment=1, start={})["x"] == pytest.approx(
            cooling.predict([1.0], experiment=1)["x"]
        )
        for wrong, error in [
            ({"start": {"y": 1.0}}, "no entry of the state is called 'y'"),
            ({"start": {"x": "a"}}, "a state of another form: {'x': 'a'}"),
            ({"conditions": {"worm": 1.0}}, "no condition is called 'worm'"),
        ]:
            with pytest.raises(SnakebirdError, match=error):
                cooling.predict([1.0], **wrong)

    def test_many_are_as_one_by_one(self, cooling):
        many = fit_many(MODEL, [cooled(0), cooled(1)], **OPTIONS)
        assert many[0].parameters == pytest.approx(cooling.parameters, rel=1e-4)
        assert many[1].parameters["rate"] == pytest.approx(0.5, abs=0.03)
        assert many[1].parameters["rate"] != many[0].parameters["rate"]


class Growth(eqx.Module):
    """What grows by an unknown law of itself; a second state is carried along, still."""

    law: Hole

    def __call__(self, t, y, args):
        return {"x": self.law(y["x"]) * y["food"], "food": 0.0 * y["food"]}


@pytest.mark.slow
def test_a_hole_is_found_and_a_fixed_start_value_stays():
    rng = np.random.default_rng(0)
    x = 0.2 * np.exp(TIMES) / (1 + 0.2 * (np.exp(TIMES) - 1))
    data = Trajectories.of(TIMES, {"x": x + 0.003 * rng.standard_normal(len(TIMES))})
    model = Growth(Hole("x", "rate", Polynomial(1, 1, 2)))
    found = fit(model, data, y0={"x": 0.2, "food": Fixed(2.0)}, **QUICK)
    at = np.linspace(0.3, 0.9, 4)
    law = [float(found.holes["law"](value)) for value in at]
    np.testing.assert_allclose(2 * np.array(law), at * (1 - at), atol=0.02)
    assert float(found.start[0]["food"]) == 2.0


class Spring(eqx.Module):
    """Starts where its own parameter says, and is seen only through counts of its square."""

    pull: Free
    begin: Positive

    def __call__(self, t, y, args):
        return jnp.stack([y[1], -self.pull * y[0]])

    def start(self, args):
        return jnp.stack([self.begin * 1.0, jnp.zeros(())])

    def observe(self, t, y, args):
        return {"count": 40 * y[0] ** 2}


def test_counts_of_a_part_of_a_state_that_starts_where_the_model_says():
    rng = np.random.default_rng(2)
    mean = 40 * (2 * np.cos(np.sqrt(1.5) * TIMES)) ** 2
    data = Trajectories.of(TIMES, {"count": rng.poisson(mean)})
    model = Spring(Free(1.4), Positive(1.5))
    found = fit(model, data, noise=Poisson(), **QUICK)
    assert found.noise == {"count": 1.0}
    assert found.parameters["pull"] == pytest.approx(1.5, abs=0.05)
    assert found.parameters["begin"] == pytest.approx(2.0, abs=0.1)
    assert found.start[0] == pytest.approx([found.parameters["begin"], 0.0])


class Decay(eqx.Module):
    rate: Positive

    def __call__(self, t, y, args):
        return {"x": -self.rate * y["x"]}


class Astray(Decay):
    def __call__(self, t, y, args):
        return {"z": y["x"]}


class Lost(Decay):
    def __call__(self, t, y, args):
        return {"x": jnp.sqrt(-self.rate) * y["x"]}


class Still(eqx.Module):
    def __call__(self, t, y, args):
        return {"x": -y["x"]}

    def start(self, args):
        return {"x": 1.0}


class TestErrors:
    data = Trajectories.of([0, 1, 2, 3], {"x": [1.0, 0.6, 0.4, 0.2]})
    decay = Decay(Positive(1.0))

    def test_a_class_for_an_instance(self):
        with pytest.raises(
            EquationError, match=r"the class Decay, not one .*\n.*\n.*Decay\(\.\.\.\)"
        ):
            fit(Decay, self.data)

    def test_what_cannot_be_called(self):
        with pytest.raises(EquationError, match="a float, which cannot be called"):
            fit(1.0, self.data)

    def test_a_field_of_another_tree_shows_both(self):
        with pytest.raises(
            EquationError, match=r"returns \{z: number\}, the state is \{x: number\}"
        ):
            fit(Astray(Positive(1.0)), self.data)

    def test_an_observation_before_the_start(self):
        with pytest.raises(InputError, match=r"at t = 0, before the start t0 = 1\n.*experiment 1"):
            fit(self.decay, self.data, t0=1.0)

    def test_nothing_to_train(self):
        with pytest.raises(FitError, match=r"nothing to train\n.*Still\n.*put a Hole"):
            fit(Still(), self.data)

    def test_an_unknown_stage(self):
        with pytest.raises(UnknownNameError, match=r"called 'shoting'(.*\n)*.*mean 'shooting'"):
            fit(self.decay, self.data, stages=["shoting", "trajectories"])

    def test_stages_that_do_not_end_with_trajectories(self):
        with pytest.raises(FitError, match="last stage must be 'trajectories'"):
            fit(self.decay, self.data, stages=["shooting"])

    def test_matching_what_is_not_seen(self):
        with pytest.raises(FitError, match=r"not every state is observed\n.*\n.*'shooting'"):
            fit(self.decay, self.data, stages=["matching", "trajectories"],
                observe=lambda t, y, args: y)  # fmt: skip

    def test_a_column_the_state_does_not_have(self):
        with pytest.raises(
            UnknownNameError, match=r"column 'x', the state has none\n.*\n.*observe="
        ):
            fit(self.decay, self.data, y0={"y": 1.0})

    def test_a_column_that_is_not_observed(self):
        with pytest.raises(EquationError, match=r"gives y, the data have a column 'x'"):
            fit(self.decay, self.data, observe=lambda t, y, args: {"y": y["x"]})

    def test_noise_of_a_column_that_is_not_there(self):
        with pytest.raises(UnknownNameError, match="no column is called 'y'"):
            fit(self.decay, self.data, noise={"y": Gaussian()})

    def test_resuming_without_a_folder(self):
        with pytest.raises(FitError, match="no folder to resume from"):
            fit(self.decay, self.data, resume=True)

    def test_resuming_what_never_began(self, tmp_path):
        with pytest.raises(FitError, match="there is no checkpoint"):
            fit(self.decay, self.data, resume=True, out=tmp_path, **QUICK)

    @pytest.mark.slow
    def test_no_start_survives(self):
        with pytest.raises(
            FitError, match=r"no start survived(.*\n)*.*stage trajectories\n.*bounds"
        ):
            fit(Lost(Positive(1.0)), self.data, **QUICK)
