"""Pictures and reports of fits show the numbers they should; what cannot be drawn is said."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import equinox as eqx
import jax
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import snakebird as sb
from snakebird.errors import FitError, InputError, UnknownNameError
from snakebird.report import (
    plot_extrapolation,
    plot_fit,
    plot_history,
    plot_hole,
    plot_pareto,
    plot_residuals,
    write_report,
)
from snakebird.synthesis import Law

LAW = Law(("x",), ("change",), {"change": "-0.5*x"})


class Model(eqx.Module):
    """A rule of one number, one of two, one of three."""

    rate: sb.Positive
    one: sb.Hole
    two: sb.Hole
    three: sb.Hole

    def __call__(self, t, y, args):
        x, z = y["x"], y["z"]
        # Inside scan, where what a hole is asked is seen by no one outside.
        of_two = jax.lax.map(lambda x: self.two(x, z), x[None])[0]
        return {"x": self.one(x), "z": -args["heat"] * self.rate * z + of_two + self.three(x, z, t)}


def data() -> sb.Trajectories:
    rng = np.random.default_rng(0)
    experiments = []
    for name, heat, times in (("cold", 1.0, np.arange(9) / 2), ("hot", 2.0, np.arange(6) / 2)):
        x, z = 2 * np.exp(-0.5 * times), np.exp(-0.3 * heat * times)
        noisy = {"x": x + 0.01 * rng.standard_normal(len(x)), "z": z}
        noisy["z"][2] = np.nan
        experiments.append(sb.fitting.Experiment(name, times, noisy, conditions={"heat": heat}))
    return sb.Trajectories.of(experiments)


@pytest.fixture(scope="module")
def found() -> sb.fitting.Fit:
    model = Model(
        sb.Positive(0.3),
        sb.Hole("x", "change", sb.Polynomial(1, 1, 1)),
        sb.Hole("x z", "dz", sb.Polynomial(2, 1, 1)),
        sb.Hole("x z time", "dz", sb.Polynomial(3, 1, 1)),
    )
    noise = {"z": sb.fitting.Gaussian(0.02)}
    return sb.fit(model, data(), noise=noise, stages=["trajectories"], starts=1, rounds=1)


@pytest.fixture(scope="module")
def curves(found) -> dict[tuple[str, str], np.ndarray]:
    """What is drawn of each experiment and column: times and values."""
    names = [one.name for one in found.data]
    drawn = {}
    for axes in plot_fit(found).axes:
        lines = [one.get_data() for one in axes.lines if len(one.get_data()[0]) > 100]
        drawn |= {(n, axes.get_title()): np.array(d) for n, d in zip(names, lines, strict=True)}
    return drawn


def seen(found, name: str, column: int) -> np.ndarray:
    """What the model sees at the times of the data, by the residuals of the training."""
    lane, (_, n, k) = found.data[name], found.batch.mask[0].shape
    row = [one.name for one in found.data].index(name)
    own = found.residual.reshape(-1, n, k)[row, : len(lane), column]
    return lane.table[:, column] + own * list(found.noise.values())[column]


def at(curve: np.ndarray, times: np.ndarray) -> np.ndarray:
    """A drawn curve at times it goes through."""
    places = np.searchsorted(curve[0], times)
    np.testing.assert_array_equal(curve[0][places], times)
    return curve[1][places]


class Laws(list):
    """Laws as they are discovered, by a quicker way."""

    hole, sure = "one", False

    @property
    def best(self):
        return self[0].law

    def pareto(self):
        return self[:2]


def laws() -> Laws:
    texts = ("-0.5*x", "0.1 - 0.6*x", "0.2")
    return Laws(
        SimpleNamespace(
            law=Law(("x",), ("change",), {"change": text}), terms=len(text) // 5,
            loss=20.0 + k, score=30.0 + k, weight=0.5**k,
        )
        for k, text in enumerate(texts)
    )  # fmt: skip


def line(axes: Axes, label: str) -> np.ndarray:
    (found,) = [one for one in axes.lines if one.get_label() == label]
    return np.array(found.get_data(), float)


def dots(axes: Axes, marker: str) -> np.ndarray:
    found = [one for one in axes.lines if one.get_marker() == marker and len(one.get_data()[0])]
    return np.array(found[0].get_data(), float)


def drawn(figure: Figure, tmp_path: Path) -> Figure:
    """The figure, once it could be written."""
    figure.savefig(tmp_path / "picture.svg")
    figure.savefig(tmp_path / "picture.png", dpi=50)
    return figure


def test_fit(found, curves, tmp_path):
    before = dict(mpl.rcParams)
    draws = found.vector + 0.1 * np.random.default_rng(1).standard_normal((3, len(found.vector)))
    figure = drawn(plot_fit(found, bands=draws), tmp_path)
    x, z = figure.axes
    assert (x.get_title(), z.get_title()) == ("x", "z")
    cold, hot = found.data
    np.testing.assert_array_equal(dots(x, "o"), [cold.times, cold.values["x"]])
    np.testing.assert_array_equal(dots(z, "s"), [hot.times, hot.values["z"]])
    for (name, column), curve in curves.items():
        experiment, k = found.data[name], found.data.names.index(column)
        known = ~np.isnan(experiment.values[column])
        wanted = seen(found, name, k)[known]
        np.testing.assert_allclose(at(curve, experiment.times)[known], wanted, atol=1e-4)
    # The noise of z is known, so its band is as wide as four times that.
    times, curve = curves["cold", "z"]
    own = z.collections[0].get_paths()[0].vertices
    at_start = own[np.isclose(own[:, 0], times[0]), 1]
    np.testing.assert_allclose([at_start.min(), at_start.max()], curve[0] + np.r_[-0.04, 0.04])
    assert len(z.collections) == 4
    assert dict(mpl.rcParams) == before


def test_bands_of_another_length(found):
    with pytest.raises(InputError, match="vectors of 3 numbers, the fit has 14"):
        plot_fit(found, bands=np.zeros((2, 3)))


def test_residuals(found, curves, tmp_path):
    figure = drawn(plot_residuals(found), tmp_path)
    times, shown = dots(figure.axes[1], "o")
    observed = found.data["cold"].values["z"]
    np.testing.assert_allclose(shown, (at(curves["cold", "z"], times) - observed) / 0.02, atol=1e-3)
    assert np.isnan(shown[2])
    assert figure.axes[1].get_title() == "z: 100% within ±2"
    low, high = figure.axes[1].get_ylim()
    assert low <= -2 <= 2 <= high


def test_history(found, tmp_path):
    steps = [found.history[0]._replace(stage="matching", sizes=()), *found.history * 2]
    figure = drawn(plot_history(replace(found, history=tuple(steps))), tmp_path)
    cost, sizes = figure.axes
    np.testing.assert_array_equal(cost.lines[0].get_ydata(), [s.cost for s in steps])
    assert [text.get_text() for text in cost.texts] == ["matching", "trajectories"]
    np.testing.assert_array_equal(line(sizes, "z")[1], [np.nan, 0.02, 0.02])


def test_a_hole_of_one_input(found, curves, tmp_path):
    (axes,) = drawn(plot_hole(found, "one", law=LAW), tmp_path).axes
    x, y = line(axes, "hole")
    np.testing.assert_allclose(y, [float(found.holes["one"](value)) for value in x], atol=1e-6)
    np.testing.assert_allclose(line(axes, "law")[1], -0.5 * line(axes, "law")[0], atol=1e-6)
    visited = dots(axes, "|")[0]
    states = np.concatenate([curves["cold", "x"][1], curves["hot", "x"][1]])
    # What is drawn as known ends where the data led it.
    np.testing.assert_allclose([visited.min(), visited.max()], [states.min(), states.max()])
    assert x.min() >= visited.min()
    assert x.max() <= visited.max()
    assert axes.get_xlim()[0] < visited.min()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "change")


def test_a_hole_of_two_inputs(found, curves, tmp_path):
    law = Law(("x", "z"), ("dz",), {"dz": "-0.5*x + z"})
    figure = drawn(plot_hole(found, "two", law=law), tmp_path)
    hole, other = figure.axes[:2]
    assert (hole.get_title(), other.get_title()) == ("dz, hole", "dz, law")
    mesh, law_mesh = hole.collections[0], other.collections[0]
    assert mesh.get_clim() == law_mesh.get_clim()
    corners = mesh.get_coordinates()
    x, z = (corners[:-1, :-1] + corners[1:, 1:])[3, 7] / 2
    assert mesh.get_array()[3, 7] == pytest.approx(float(found.holes["two"](x, z)), abs=1e-6)
    assert law_mesh.get_array()[3, 7] == pytest.approx(-0.5 * x + z)
    states = np.concatenate([curves["cold", "x"][1], curves["hot", "x"][1]])
    assert dots(hole, ".")[0].max() == pytest.approx(states.max())


def test_a_hole_of_three_inputs(found, tmp_path):
    figure = drawn(plot_hole(found, "three"), tmp_path)
    assert [axes.get_xlabel() for axes in figure.axes] == ["x", "z", "time"]
    visited = [dots(axes, "|")[0] for axes in figure.axes]
    t, y = line(figure.axes[2], "hole")
    middle = [np.median(visited[0]), np.median(visited[1])]
    wanted = [float(found.holes["three"](*middle, time)) for time in t]
    np.testing.assert_allclose(y, wanted, atol=1e-5)


def test_which_hole(found):
    with pytest.raises(UnknownNameError, match="several holes") as error:
        plot_hole(found)
    assert error.value.hint == "name one of 'one', 'two', 'three'"
    with pytest.raises(UnknownNameError, match="no hole is named 'thre'") as error:
        plot_hole(found, "thre")
    assert error.value.hint == "did you mean 'three'?"


def test_beyond_the_data(found, tmp_path):
    times = np.arange(20.0)
    truth = sb.Trajectories.of(
        [
            sb.fitting.Experiment(
                "hot", times, {"x": 2 * np.exp(-0.5 * times)}, conditions={"heat": 2.0}
            )
        ]
    )
    figure = plot_extrapolation(found, 8.0, law_fit=found, truth=truth)
    titles = [axes.get_title() for axes in drawn(figure, tmp_path).axes]
    assert titles == ["x, cold", "z, cold", "x, hot", "z, hot"]
    t, x = line(figure.axes[2], "model")
    assert t.max() == 8
    # dx/dt = a + b x has a closed solution.
    a = float(found.holes["one"](0.0))
    b = float(found.holes["one"](1.0)) - a
    x0 = found.start[1]["x"]
    np.testing.assert_allclose(x, (x0 + a / b) * np.exp(b * t) - a / b, atol=1e-4)
    np.testing.assert_array_equal(line(figure.axes[2], "truth")[0], times)
    np.testing.assert_array_equal(line(figure.axes[2], "law")[1], x)
    assert not [one for one in figure.axes[0].lines if one.get_label() == "truth"]


def test_beyond_the_data_needs_a_later_time_and_known_columns(found):
    with pytest.raises(InputError, match="until=4 is not beyond the data, which end at 4") as error:
        plot_extrapolation(found, 4.0)
    assert error.value.hint == "give a later time"
    with pytest.raises(UnknownNameError, match="the data have no column 'w'"):
        plot_extrapolation(found, 8.0, truth=sb.Trajectories.of([0, 9], {"w": [1, 2]}))


def test_a_solution_that_ends_early(found, tmp_path):
    problem = found.problem.with_(solver=sb.equations.Explicit(max_steps=12))
    figure = plot_extrapolation(replace(found, problem=problem), 1000.0)
    x = drawn(figure, tmp_path).axes[0]
    (cross,) = [one for one in x.lines if one.get_marker() == "x"]
    t, curve = line(x, "model")
    assert 4 < cross.get_xdata()[0] < 900
    np.testing.assert_array_equal(np.isnan(curve), t > cross.get_xdata()[0])


def test_laws(tmp_path):
    (axes,) = drawn(plot_pareto(laws()), tmp_path).axes
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3"]
    shown = [tuple(points.get_offsets()[0]) for points in axes.collections]
    assert sorted(shown) == sorted((one.terms, one.loss) for one in laws())
    assert "1: change = -x/2" in [text.get_text() for text in axes.get_legend().get_texts()]
    with pytest.raises(FitError, match="there are no laws"):
        plot_pareto([])


class Words(HTMLParser):
    """The text of a page, its pictures, and what it would load."""

    def __init__(self, text: str):
        super().__init__()
        self.text, self.loads, self.pictures = "", [], []
        self.feed(text)

    def handle_data(self, data):
        self.text += data

    def handle_starttag(self, tag, attrs):
        self.loads += [value for name, value in attrs if name in ("src", "href")]
        self.pictures += [dict(attrs)["aria-label"] for _ in [0] if tag == "svg"]


def test_report(found, tmp_path):
    page = write_report(found, tmp_path / "run", laws=laws(), config={"seed": 7})
    folder = page.parent
    text = page.read_text("utf-8")
    words = Words(text)
    assert all(source.startswith(("#", "data:image/png;base64,")) for source in words.loads)
    assert words.pictures[:4] == 2 * ["x against time", "z against time"]
    assert len(words.pictures) == 14
    names = [path.stem for path in sorted((folder / "plots").glob("*.svg"))]
    assert names == ["data", "fit", "history", "hole-1", "hole-2", "hole-3", "laws-1", "residuals"]
    assert len(text) < 1_000_000
    assert "2 experiments: 28 observations of x and z" in words.text
    assert "Training ended by itself after 1 round." in words.text
    assert f"{found.parameters['rate']:.5g}" in words.text
    assert "this one has probability 100%" in words.text
    assert "of_two = jax.lax.map(lambda x: self.two(x, z)" in words.text
    assert "<mark>self.two</mark>(x, z)" in text
    assert "<mark>self.rate</mark>" in text
    assert "A rule of one number, one of two, one of three." in words.text
    assert f"Which law one follows: {laws()[1].law} has probability 50%" in words.text
    assert 'laws_of_one = sb.discover(fit, "one")' in words.text
    assert '"z": sb.fitting.Gaussian(0.02)' in words.text
    entries = json.loads((folder / "laws.json").read_text("utf-8"))["one"]
    assert [one["law"] for one in entries] == [str(one.law) for one in laws()]
    assert entries[0]["python"].startswith("import math")
    assert entries[1]["coefficients"] == {"change": {"1": 0.1, "x": -0.6}}
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert (config["seed"], config["model"], config["noise"]["z"]) == (7, "Model", "Gaussian")
    with np.load(folder / "model.npz") as file:
        np.testing.assert_array_equal(file["vector"], found.vector)
        numbers = dict(zip(file["names"], file["vector"], strict=True))
    assert np.exp(numbers["rate"]) == pytest.approx(found.parameters["rate"])
    assert numbers["start of hot['z']"] == pytest.approx(found.start[1]["z"])


def test_report_again_without_laws(found, tmp_path):
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "laws-1.svg").write_text("old")
    stopped = replace(found, stopped="the budget of 1 s is spent")
    text = write_report(stopped, tmp_path).read_text("utf-8")
    assert "Training is not finished: the budget of 1 s is spent." in text
    assert "all that stands here may still change" in text
    assert "one was learned: change as a function of x; no law for it was looked for." in text
    assert not re.search("<h3>Laws", text)
    assert not (tmp_path / "plots" / "laws-1.svg").exists()
    assert json.loads((tmp_path / "laws.json").read_text()) == {}


def test_a_folder_that_takes_no_files(found, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="cannot write here") as error:
        write_report(found, tmp_path / "taken")
    assert error.value.where == str(tmp_path / "taken")
