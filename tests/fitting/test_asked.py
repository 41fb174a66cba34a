"""What is given to a fit, and asked of it, that cannot be: each is told, none is answered."""

import os
import signal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird.equations import Explicit, Fixed, Positive
from snakebird.errors import FitError, InputError, UnknownNameError
from snakebird.fitting import (
    Experiment,
    Gaussian,
    LogNormal,
    Noise,
    Poisson,
    Relative,
    Trajectories,
    fit,
    laplace,
)
from snakebird.fitting._asked import check_numbers, check_observed, noise_of
from snakebird.fitting._equation import equation_of
from snakebird.fitting._interrupts import interrupts
from snakebird.fitting._setup import Options, setup
from snakebird.fitting._watch import Watch

TIMES = [1.0, 2.0, 3.0, 4.0]
QUICK = {"stages": ["trajectories"], "starts": 1, "rounds": 2}


class Decay(eqx.Module):
    rate: Positive

    def __call__(self, t, y, args):
        return {"x": -self.rate * args["heat"] * y["x"]}


def decayed(name: str = "warm", values: tuple[float, ...] = (1.0, 0.6, 0.4, 0.2)) -> Experiment:
    return Experiment(name, TIMES, {"x": np.array(values)}, conditions={"heat": 1.0})


DATA = Trajectories((decayed(), decayed("hot")))
PLAIN = Trajectories.of(TIMES, {"x": [1.0, 0.6, 0.4, 0.2]})


@pytest.fixture(scope="module")
def found():
    return fit(Decay(Positive(1.0)), DATA, **QUICK)


class TestAskingAFit:
    @pytest.mark.parametrize(
        ("times", "said"),
        [
            ([1.0, 3.0, 2.0], r"times\[2\] = 2 comes after times\[1\] = 3\n.*\n.*sort"),
            ([0.5, 1.0], r"times\[0\] = 0.5 is before the start t0 = 1\n"),
            ([1.0, np.nan], r"times\[1\] is nan"),
            ([[1.0, 2.0]], "a list of numbers"),
            (["soon"], "a list of numbers"),
            ([], "a list of numbers"),
        ],
    )
    def test_times_that_cannot_be(self, found, times, said):
        for ask in (found.predict, found.states, laplace(found).bands):
            with pytest.raises(FitError, match=said):
                ask(times)

    def test_repeated_times_and_those_in_single_precision(self, found):
        seen = found.predict([np.float32(1.0) - np.float32(1e-7), 2.0, 2.0])["x"]
        assert seen[0] == found.predict([1.0])["x"]
        assert seen[1] == seen[2]

    def test_an_experiment_that_is_not_there(self, found):
        with pytest.raises(FitError, match="experiment 5: there are 2 experiments"):
            found.predict(experiment=5)

    @pytest.mark.parametrize("heat", ["high", np.nan, None])
    def test_a_condition_that_is_no_number(self, found, heat):
        with pytest.raises(FitError, match=f"the condition 'heat' is {heat!r}"):
            found.predict(conditions={"heat": heat})


class Summed(Noise):
    size: float | None = eqx.field(static=True, default=None)
    shared: bool = eqx.field(static=True, default=False)

    def residual(self, predicted, observed, size):
        return jnp.sum((predicted - observed) / size)

    def spread(self, predicted, size):
        return size


class TestNoise:
    @pytest.mark.parametrize(
        ("noise", "said"),
        [
            ("relative", r"noise='relative': expected a Noise such as sb.fitting.Relative\(\)"),
            ({"x": "relative"}, r"noise=\{'x': 'relative'\}: expected a Noise"),
            (Poisson, r"the class Poisson, not one of its instances\n.*\n.*call it: Poisson\("),
            (Summed(), r"residual gives shape \(\) for observations of shape"),
        ],
    )
    def test_what_is_none(self, noise, said):
        with pytest.raises(FitError, match=said):
            noise_of(noise, ("x",))

    def test_by_column(self):
        assert noise_of({"x": Relative()}, ("x", "y")) == (Relative(), Gaussian())
        with pytest.raises(UnknownNameError, match="no column is called 'z'"):
            noise_of({"z": Relative()}, ("x", "y"))

    def test_values_that_it_cannot_give(self):
        data = Trajectories((decayed(), decayed("odd", (1.0, np.nan, 0.0, -0.5))))
        said = r"the column 'x' is 0 at t = 3, LogNormal .*\n.*experiment odd\n.*Relative"
        with pytest.raises(InputError, match=said):
            check_observed((LogNormal(),), data)
        with pytest.raises(InputError, match=r"the column 'x' is -0.5 at t = 4, Poisson"):
            check_observed((Poisson(),), data)
        check_observed((Gaussian(),), data)


@pytest.mark.parametrize(
    "wrong", [{"starts": "2"}, {"starts": 0}, {"rounds": "3"}, {"seed": 1.5}, {"budget": "5s"}]
)
def test_numbers_that_are_none(wrong):
    given = {"starts": 1, "seed": np.int64(0), "rounds": 3, "budget": None, **wrong}
    ((name, value),) = wrong.items()
    with pytest.raises(FitError, match=f"^{name}={value!r}: expected a "):
        check_numbers(**given)


class Fast(Decay):
    def __call__(self, t, y, args):
        return {"x": -self.rate * y["speed"]}


class TestNames:
    model = Decay(Positive(1.0))

    def test_args_that_are_not_given(self):
        said = r"args\['heat'\] is asked for, args has nothing\n.*\n.*args=\{'heat'.*conditions=\("
        with pytest.raises(FitError, match=said):
            fit(self.model, PLAIN)

    def test_args_of_another_name(self):
        with pytest.raises(FitError, match=r"args has 'haet'\n.*\n.*did you mean 'haet'\?"):
            fit(self.model, PLAIN, args={"haet": 1.0})

    def test_a_state_without_an_entry(self):
        said = r"y\['speed'\] is asked for, the state has 'x'\n.*Fast\n.*y0=\{\.\.\., 'speed'"
        with pytest.raises(FitError, match=said):
            fit(Fast(Positive(1.0)), PLAIN)

    def test_other_errors_of_a_model_stay_as_they_are(self):
        known: dict[str, float] = {}
        with pytest.raises(KeyError, match="own"):
            fit(self.model, DATA, observe=lambda t, y, args: known["own"])


class Falling(eqx.Module):
    drag: Positive
    look: str = eqx.field(static=True, default="")

    def __call__(self, t, y, args):
        g = 9.80 if self.look == "other" else 9.81
        return {"x": y["v"], "v": g - self.drag * y["v"]}


class Late(eqx.Module):
    drag: Positive
    delays: float
    look: str = eqx.field(static=True, default="")

    def __call__(self, t, y, past, args):
        return {"x": (0.2 if self.look == "other" else 0.3) - self.drag * past["x"]}


class TestEquation:
    def told(self, model, **options):
        with jax.enable_x64(True):
            given = setup(model, PLAIN, Options(**options))
            return equation_of(given.problem, given.vector[None], given.batch)

    @pytest.mark.parametrize("kind", [Falling, lambda *a, look="": Late(*a, 0.5, look=look)])
    def test_a_constant_in_it_is_told_from_another(self, kind):
        y0 = {"y0": {"x": 1.0, "v": Fixed(0.0)}} if kind is Falling else {}
        one, other = kind(Positive(1.0)), kind(Positive(1.0), look="other")
        assert len(self.told(one, **y0)) > 20
        assert self.told(one, **y0) == self.told(one, **y0) != self.told(other, **y0)

    def test_a_checkpoint_of_another_equation_is_refused(self, tmp_path):
        rest = {"y0": {"x": 1.0, "v": 0.0}, "out": tmp_path, "solver": Explicit(), **QUICK}
        fit(Falling(Positive(1.0)), PLAIN, budget=0.0, **rest)
        with pytest.raises(FitError, match="belongs to a fit with other equation\n"):
            fit(Falling(Positive(1.0), look="other"), PLAIN, resume=True, **rest)


def test_an_interrupt_is_told_at_once_and_a_second_one_stops(capsys, tmp_path):
    watch = Watch(folder=tmp_path)
    watch.begin(run="some")
    kept = (tmp_path / "checkpoint.npz").read_bytes()

    def twice() -> None:
        with watch.catching():
            os.kill(os.getpid(), signal.SIGINT)
            said = capsys.readouterr().err
            assert said == "interrupted: ending after this round; press again to stop at once\n"
            assert watch.stopped == "interrupted by SIGINT"
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        twice()
    assert capsys.readouterr().err == ""
    assert (tmp_path / "checkpoint.npz").read_bytes() == kept
    with interrupts(lambda name: None):  # the handlers of before are back, and can be set again
        os.kill(os.getpid(), signal.SIGINT)
