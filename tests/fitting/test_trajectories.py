"""Experiments and trajectories: what they hold, how they print, and that files keep all of it."""

import math
import pickle
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, strategies as st

from snakebird.errors import InputError, SnakebirdError, UnknownNameError
from snakebird.fitting._datasets import DATASETS, load_dataset
from snakebird.fitting._experiment import Experiment
from snakebird.fitting._trajectories import Trajectories

NAN = float("nan")

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
    lambda name: name == name.strip() and name not in ("t", "experiment")
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def plans(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Arguments of experiments in which every column was observed at least once."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    split = draw(st.integers(1, len(names)))
    found = []
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        times = draw(st.lists(NUMBERS, min_size=1, max_size=5, unique=True).map(sorted))
        cell = st.one_of(st.just(NAN), NUMBERS) if found else NUMBERS
        column = st.lists(cell, min_size=len(times), max_size=len(times))
        values = {column_name: draw(column) for column_name in names[:split]}
        conditions = {condition: draw(NUMBERS) for condition in names[split:]}
        found.append({"name": name, "times": times, "values": values, "conditions": conditions})
    return draw(st.permutations(found))


def made(plan: list[dict[str, Any]]) -> Trajectories:
    return Trajectories.of([Experiment(**arguments) for arguments in plan])


def three() -> Trajectories:
    """Experiments of unlike lengths, of which one lacks a column."""
    return Trajectories.of(
        [
            Experiment("a", [0, 1, 2], {"x": [1, NAN, 3], "y": [4, 5, 6]}, conditions={"dose": 1}),
            Experiment("b", [0, 0.5], {"x": [7, 8]}, conditions={"dose": 2}),
            Experiment("c", [-3], {"y": [9]}, conditions={"dose": 4}),
        ]
    )


@given(plans())
def test_files_keep_everything(plan):
    data = made(plan)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        data.write(path)
        back = Trajectories.read(path, conditions=data.conditions, layout="wide")
    assert back == data
    assert [list(e.conditions) for e in back] == [list(e.conditions) for e in data]


@given(plans())
def test_padding_keeps_every_observation_in_its_place(plan):
    data = made(plan)
    times, values, mask, conditions = data.padded()
    assert values.shape == mask.shape == (*times.shape, len(data.names))
    assert np.isfinite(values).all()
    assert (values[~mask] == 0).all()
    assert (np.diff(times) >= 0).all()
    for i, experiment in enumerate(data):
        n = len(experiment)
        np.testing.assert_array_equal(times[i, :n], experiment.times)
        assert (times[i, n:] == experiment.times[-1]).all()
        assert not mask[i, n:].any()
        there = np.where(mask, values, NAN)[i, :n]
        np.testing.assert_array_equal(there, experiment.table)
        assert {name: held[i] for name, held in conditions.items()} == experiment.conditions


@given(plans())
def test_scales_are_positive_numbers(plan):
    data = made(plan)
    scales = data.scale()
    assert tuple(scales) == data.names
    assert all(0 < scale < math.inf for scale in scales.values())


def test_scale_is_the_standard_deviation_over_all_experiments():
    data = Trajectories.of([([0, 1], {"x": [1, NAN]}), ([0, 1], {"x": [4, 10], "y": [0.1, 0.1]})])
    assert data.scale() == {"x": pytest.approx(np.std([1, 4, 10])), "y": 0.1}
    assert Trajectories.of([0, 1], {"x": [0, 0]}).scale() == {"x": 1}
    assert data[:1].scale()["y"] == 1


def test_padded_arrays_go_through_jax():
    padded = three().padded()
    total = jax.jit(lambda data: (data.values * data.mask).sum() + data.conditions["dose"].sum())
    assert total(padded) == 1 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 7


def test_a_sequence_of_experiments():
    data = three()
    assert (len(data), data.names, data.conditions) == (3, ("x", "y"), ("dose",))
    assert [e.name for e in data] == ["a", "b", "c"]
    assert data[-1] is data[2] is data["c"]
    assert [e.name for e in data[1:]] == ["b", "c"]
    assert data[2:].names == data.names
    assert data[:] == data != data[1:]
    assert data.times.tolist() == [-3, 0, 0.5, 1, 2]
    assert np.isnan(data["b"].values["y"]).all()


def test_printing():
    assert repr(three()) == (
        "Trajectories: 3 experiments, columns x, y, conditions dose\n"
        "  experiment  times     points  missing\n"
        "  a           0 .. 2         3        1\n"
        "  b           0 .. 0.5       2        2\n"
        "  c           -3 .. -3       1        1"
    )
    assert repr(three()["a"]) == "Experiment('a': 3 times, x, y, dose=1)"
    many = Trajectories.of([([0], {"x": [1]})] * 12)
    assert repr(many).splitlines()[-2:] == [
        "  10          0 .. 0       1        0",
        "  ... and 2 more",
    ]


@pytest.mark.parametrize(
    "data",
    [
        Trajectories.of([0, 1], {"a": [1, None], "b": (3, 4)}),
        Trajectories.of([0, 1], np.array([[1, NAN], [3, 4]]).T, names=["a", "b"]),
        Trajectories.of(jax.numpy.arange(2), [[1, 3], [NAN, 4]], names=("a", "b")),
        Trajectories.of([([0, 1], {"a": np.ma.array([1, 2], mask=[False, True]), "b": [3, 4]})]),
        Trajectories.of([Experiment("1", [0, 1], {"a": [1, NAN], "b": [3, 4]})]),
    ],
    ids=["dict", "array", "lists", "pair", "experiment"],
)
def test_the_ways_to_give_arrays(data):
    assert data == Trajectories((Experiment("1", [0, 1], {"a": [1, NAN], "b": [3, 4]}),))


def test_one_column_needs_no_second_dimension():
    data = Trajectories.of([([0, 1], [5, 6]), ([0], [7])], names="x")
    assert [e.values["x"].tolist() for e in data] == [[5, 6], [7]]


def test_nothing_can_be_written_to():
    times, column = np.arange(2.0), np.ones(2)
    data = Trajectories.of(times, {"x": column})
    times[0] = column[0] = -5
    assert (data[0].times[0], data[0].values["x"][0]) == (0, 1)
    for array in (data[0].times, data[0].values["x"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 2


def test_equality_sees_every_part():
    one = Experiment("a", [0, 1], {"x": [1, NAN]}, conditions={"dose": 1})
    assert one == Experiment("a", [0, 1], {"x": [1, NAN]}, conditions={"dose": 1})
    assert one == pickle.loads(pickle.dumps(one))
    for other in [
        Experiment("b", [0, 1], {"x": [1, NAN]}, conditions={"dose": 1}),
        Experiment("a", [0, 2], {"x": [1, NAN]}, conditions={"dose": 1}),
        Experiment("a", [0, 1], {"y": [1, NAN]}, conditions={"dose": 1}),
        Experiment("a", [0, 1], {"x": [1, 2]}, conditions={"dose": 1}),
        Experiment("a", [0, 1], {"x": [1, NAN]}, conditions={"dose": 2}),
        "a",
    ]:
        assert one != other


X = {"x": [1, 2]}
LINES = "give values={'x': [...]}"


@pytest.mark.parametrize(
    ("make", "what", "where", "hint"),
    [
        (
            lambda: Experiment("a", [0, 2, 1], {"x": [1, 2, 3]}),
            "the times of experiment 'a' are not sorted: 1 follows 2",
            "experiment 'a', times[2]",
            "sort the rows by time; if several runs are stacked",
        ),
        (
            lambda: Experiment("a", [0.5, 0.5], X),
            "the time 0.5 stands twice in experiment 'a'",
            "experiment 'a', times[0] and experiment 'a', times[1]",
            "average the two, or shift one by a little",
        ),
        (
            lambda: Experiment("a", [0, NAN], X),
            "a time of experiment 'a' is nan",
            "experiment 'a', times[1]",
            "finite time",
        ),
        (
            lambda: Experiment("a", [-math.inf, 0], X),
            "a time of experiment 'a' is -inf",
            "experiment 'a', times[0]",
            "finite time",
        ),
        (lambda: Experiment("a", [], {"x": []}), "there are no times", "experiment 'a'", "one"),
        (
            lambda: Experiment("a", [[0, 1]], X),
            "the times have the shape (1, 2), not [n]",
            "experiment 'a'",
            "one number for each time",
        ),
        (
            lambda: Experiment("a", [0, 1, 2], X),
            "there are 2 values at 3 times",
            "experiment 'a', column 'x'",
            "NaN where it is missing",
        ),
        (
            lambda: Experiment("a", [0, 1], {"x": [1, math.inf]}),
            "a value is inf",
            "experiment 'a', column 'x', values[1]",
            "NaN",
        ),
        (
            lambda: Experiment("a", [0, 1], {"x": [1, 2j]}),
            "the values are not numbers: they are complex",
            "experiment 'a', column 'x'",
            "give numbers",
        ),
        (
            lambda: Experiment("a", [0, 1], {"x": ["one", 2]}),
            "the values are not numbers: could not convert string to float: 'one'",
            "experiment 'a', column 'x'",
            "give numbers",
        ),
        (lambda: Experiment("a", [0], {}), "there is no column of values", "experiment 'a'", LINES),
        (
            lambda: Experiment("a", [0, 1], X, conditions={"x": 3}),
            "'x' is both a column and a condition",
            "experiment 'a'",
            "another name",
        ),
        (
            lambda: Experiment("a", [0, 1], X, conditions={"dose": NAN}),
            "a condition is nan",
            "experiment 'a', condition 'dose'",
            "one finite number",
        ),
        (lambda: Experiment("", [0, 1], X), "an experiment has no name: ''", "", "give it a name"),
        (
            lambda: Experiment("a", [0], {" x ": [1]}),
            "a column is named ' x ', with spaces around it",
            "experiment 'a'",
            "name it 'x'",
        ),
        (lambda: Trajectories.of([]), "there are no experiments", "Trajectories", "at least one"),
        (lambda: three()[3:], "there are no experiments", "Trajectories", "at least one"),
        (
            lambda: Trajectories.of([Experiment("a", [0, 1], X)] * 2),
            "two experiments are named 'a'",
            "experiment 'a'",
            "rename",
        ),
        (
            lambda: Trajectories.of(
                [Experiment("a", [0, 1], X, conditions={"dose": 3}), Experiment("b", [0, 1], X)]
            ),
            "the condition 'dose' is not stated",
            "experiment 'b'",
            "the same conditions",
        ),
        (
            lambda: Trajectories.of([0, 1], {"x": [1, 2], "y": [NAN, NAN]}),
            "nothing was observed of the column 'y': all its values are missing",
            "Trajectories.of",
            "leave the column out",
        ),
        (
            lambda: Trajectories.of([0, 1], [[1, 2], [3, 4]]),
            "the values have the shape (2, 2), with no names",
            "experiment '1'",
            "names=[...]",
        ),
        (
            lambda: Trajectories.of([0, 1], [[1, 2], [3, 4]], names=["a"]),
            "the values have the shape (2, 2), with 1 names (a)",
            "experiment '1'",
            "names=[...]",
        ),
        (
            lambda: Trajectories.of([0, 1]),
            "item 1 is neither an Experiment nor a pair (times, values)",
            "Trajectories.of",
            "Trajectories.of(times, {'x': [...]})",
        ),
        (
            lambda: Trajectories.of(Experiment("a", [0, 1], X)),
            "this is no list of experiments",
            "Trajectories.of",
            "of([",
        ),
        (
            lambda: Trajectories.of([0], {"t": [1]}).write("never.csv"),
            "two columns would be named 't'",
            "Trajectories.write",
            "give time='...'",
        ),
    ],
)
def test_mistakes(make, what, where, hint):
    with pytest.raises(InputError) as caught:
        make()
    assert (caught.value.what, caught.value.where) == (what, where)
    assert hint in caught.value.hint


def test_a_column_of_one_experiment_may_not_be_a_condition_of_all():
    with pytest.raises(InputError, match="'y' is a condition in 'a' and a column in 'b'"):
        Trajectories.of(
            [
                Experiment("a", [0, 1], X, conditions={"y": 3}),
                Experiment("b", [0, 1], {"y": [1, 2]}),
            ]
        )


def test_experiments_that_are_not_there():
    with pytest.raises(UnknownNameError, match=r"(?s)no experiment is named 'run-1'.*'run 1'"):
        Trajectories.of([Experiment("run 1", [0, 1], X)])["run-1"]
    with pytest.raises(UnknownNameError, match=r"(?s)no experiment 3.*from 0 to 2, or a name"):
        three()[3]


def test_writing_names_the_columns_as_told(tmp_path):
    path = tmp_path / "data.csv"
    data = Trajectories.of([0, 1], {"t": [5, NAN], "experiment": [0.1, 1e-300]})
    data.write(path, time="hours, h", experiment="run")
    assert path.read_text() == 'run,"hours, h",t,experiment\n1,0.0,5.0,0.1\n1,1.0,,1e-300\n'
    assert Trajectories.read(path, time="hours, h", experiment="run") == data


def test_writing_where_nothing_can_be_written(tmp_path):
    with pytest.raises(InputError, match=r"(?s)cannot write the file: .*nowhere"):
        three().write(tmp_path / "nowhere" / "data.csv")


def test_data_sets():
    lynx = load_dataset("lynx_hare")["lynx_hare"]
    assert (len(lynx), lynx.times[0], lynx.times[-1]) == (21, 1900, 1920)
    assert lynx.table[[0, 20]].tolist() == [[30, 4], [24.7, 8.6]]
    assert lynx.table.sum(axis=0).tolist() == pytest.approx([715.7, 423.5])
    flu = load_dataset("influenza_1978")[0]
    assert (len(flu), flu.conditions) == (14, {"population": 763})
    assert (flu.times[0], flu.values["in_bed"].max(), flu.table.sum()) == (1, 298, 1559)
    yeast = load_dataset("yeast_1913")[0]
    assert (len(yeast), yeast.times[-1]) == (19, 18)
    assert (np.diff(yeast.values["biomass"]) > 0).all()
    # The hours that textbooks repeat: 1, 4, 7, 10, 13 and 16 of Carlson's table, counted from 1.
    assert yeast.values["biomass"][[0, 3, 6, 9, 12, 15]].tolist() == [
        9.6, 47.2, 174.6, 441.0, 594.8, 651.1,
    ]  # fmt: skip


def test_every_data_set_is_told_of():
    folder = files("snakebird.fitting") / "datasets"
    shipped = {item.name for item in folder.iterdir() if item.name.endswith(".csv")}
    assert shipped == {f"{name}.csv" for name in DATASETS}
    told = (folder / "README.md").read_text("utf-8")
    for name in DATASETS:
        assert f"`{name}.csv`" in told
        assert f"`{name}`" in str(load_dataset.__doc__)
        assert load_dataset(name)[0].name == name


def test_a_data_set_that_is_not_there():
    with pytest.raises(SnakebirdError, match=r"(?s)'lynx'.*did you mean 'lynx_hare'"):
        load_dataset("lynx")
