"""Tables of every kind as trajectories, and where the mistakes in them are."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from snakebird.errors import FileFormatError, InputError, SnakebirdError, UnknownNameError
from snakebird.fitting._trajectories import Trajectories

NAN = float("nan")


class Frame:
    """What pandas and polars have in common: names of columns, and columns by name."""

    def __init__(self, columns):
        self.held = columns

    @property
    def columns(self):
        return list(self.held)

    def __getitem__(self, name):
        return self.held[name]


class ArrowTable(Frame):
    """A pyarrow table: its `columns` are cells."""

    @property
    def columns(self):
        return list(self.held.values())

    @property
    def column_names(self):
        return list(self.held)


class LazyFrame(Frame):
    def collect(self):
        return Frame(self.held)


@pytest.fixture
def csv(tmp_path):
    def write(text: str, name: str = "run.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


def fails(kind: type[SnakebirdError], what: str, where: str, hint: str, source, **options) -> None:
    """Reading fails with these three parts; `FILE` in `where` is the path."""
    with pytest.raises(kind) as caught:
        Trajectories.read(source, **options)
    error = caught.value
    assert type(error) is kind
    assert (error.what, error.where) == (what, where.replace("FILE", str(source)))
    assert hint in error.hint


@pytest.mark.parametrize("mark", [",", ";", "\t", ", ", " ; "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_are_found_in_the_header(csv, mark, end):
    text = end.join(mark.join(row) for row in ("txy", "012", "134", "256"))
    data = Trajectories.read(csv(text))
    assert (data.names, data[0].name) == (("x", "y"), "run")
    assert data[0].times.tolist() == [0, 1, 2]
    assert data[0].values["y"].tolist() == [2, 4, 6]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("t;x (mol,l)\n0;1\n", ("x (mol,l)",)),
        ('t,"x;y;z"\n0,1\n', ("x;y;z",)),
        ('t,"x ""quoted"", then\nbroken"\n0,1\n', ('x "quoted", then\nbroken',)),
        ("\ufefft,x\n0,1\n", ("x",)),
        ("\n\nt,x,\n0,1,\n,,\n\n", ("x",)),
    ],
    ids=["comma in a name", "semicolons in a name", "quotes", "byte order mark", "spreadsheet"],
)
def test_headers(csv, text, names):
    data = Trajectories.read(csv(text))
    assert data.names == names
    assert data[0].table.tolist() == [[1]]


@pytest.mark.parametrize("cell", ["", " ", "-", "NA", "na", "NaN", "nan", "null", "NULL", "None"])
def test_missing_cells(csv, cell):
    data = Trajectories.read(csv(f"t,x,y\n0,{cell},1\n1,-2,1\n"))
    np.testing.assert_array_equal(data[0].values["x"], [NAN, -2])


def test_experiments_may_interleave_and_state_conditions(csv):
    path = csv("run,dose,t,x\nb,5,0,1\na,7,0,2\nb,,1,3\na,7,0.5,4\n")
    data = Trajectories.read(path, experiment="run", conditions="dose")
    assert [e.name for e in data] == ["b", "a"]
    assert [e.conditions for e in data] == [{"dose": 5}, {"dose": 7}]
    assert data["a"].times.tolist() == [0, 0.5]
    assert data["b"].values["x"].tolist() == [1, 3]
    assert data.names == ("x",)


def test_the_column_experiment_is_found(csv):
    data = Trajectories.read(csv("experiment,t,x\n1,0,5\n2,0,6\n"))
    assert [e.name for e in data] == ["1", "2"]


def test_columns_choose_and_order(csv):
    path = csv("t,note,x,y\n0,good,1,2\n")
    assert Trajectories.read(path, columns=["y", "x"]).names == ("y", "x")
    assert Trajectories.read(path, columns="x").names == ("x",)


def test_long_rows_merge_in_any_order(csv):
    path = csv("t,variable,value,unit\n2,y,5,g\n0,x,1,g\n2,x,NA,g\n0,y,3,g\n1,x,2,g\n")
    for layout in ("auto", "long"):
        data = Trajectories.read(path, layout=layout)
        assert data.names == ("y", "x")
        assert data[0].times.tolist() == [0, 1, 2]
        np.testing.assert_array_equal(data[0].table.T, [[3, NAN, 5], [1, 2, NAN]])
    assert Trajectories.read(path, columns="x").names == ("x",)


def test_long_with_names_of_its_own_and_experiments():
    table = {
        "time": [0, 0, 0, 1],
        "id": [1.0, 2.0, 1.0, 1.0],
        "what": ["x", "x", "y", "x"],
        "amount": [1, 2, 3, 4],
        "temperature": [20, 30, 20, 20],
    }
    data = Trajectories.read(
        table,
        time="time",
        experiment="id",
        conditions=["temperature"],
        layout="long",
        variable="what",
        value="amount",
    )
    assert [(e.name, e.conditions["temperature"]) for e in data] == [("1", 20), ("2", 30)]
    np.testing.assert_array_equal(data["1"].table, [[1, 3], [4, NAN]])
    np.testing.assert_array_equal(data["2"].table, [[2, NAN]])


def test_a_table_with_variable_and_value_can_be_wide():
    table = {"t": [0, 1], "variable": [1, 2], "value": [3, 4]}
    assert Trajectories.read(table, layout="wide").names == ("variable", "value")


@pytest.mark.parametrize("kind", [dict, Frame, ArrowTable])
def test_frames_and_dicts(kind):
    held = {
        "t": np.arange(3),
        "whole": [1, 2, 3],
        "text": ["1.5", "NA", " 2 "],
        "gaps": [None, 1.0, NAN],
        "masked": np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False]),
        7: np.array([True, False, True]),
    }
    data = Trajectories.read(kind(held))
    assert data.names == ("whole", "text", "gaps", "masked", "7")
    np.testing.assert_array_equal(
        data[0].table.T,
        [[1, 2, 3], [1.5, NAN, 2], [NAN, 1, NAN], [1, NAN, 3], [1, 0, 1]],
    )
    assert data[0].name == "1"


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_real_frames_and_parquet(library, tmp_path):
    frames = pytest.importorskip(library)
    given = frames.DataFrame({"t": [0, 1], "x": [1, None], "experiment": ["a", "a"]})
    expected = Trajectories.read({"t": [0, 1], "x": [1, None], "experiment": ["a", "a"]})
    assert Trajectories.read(given) == expected
    pytest.importorskip("pyarrow" if library == "pandas" else "polars")
    path = tmp_path / "run.parquet"
    given.to_parquet(path) if library == "pandas" else given.write_parquet(path)
    assert Trajectories.read(path) == expected


@pytest.mark.parametrize(
    ("library", "function"), [("polars", "read_parquet"), ("pyarrow.parquet", "read_table")]
)
def test_parquet_goes_to_the_library_that_is_there(library, function, csv, monkeypatch):
    for name in ("polars", "pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    module = ModuleType(library)
    setattr(module, function, lambda path: Frame({"t": [0], "x": [len(path.name)]}))
    monkeypatch.setitem(sys.modules, library.partition(".")[0], module)
    monkeypatch.setitem(sys.modules, library, module)
    data = Trajectories.read(csv("some bytes", "a b.parquet"))
    assert (data[0].name, data[0].values["x"].tolist()) == ("a b", [11])


def test_parquet_without_a_library(csv, monkeypatch):
    for name in ("polars", "pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    path = csv("some bytes", "run.parquet")
    what = "reading Parquet needs polars or pyarrow"
    fails(SnakebirdError, what, "FILE", "pip install polars", path)


def test_broken_parquet(csv, monkeypatch):
    def broken(path):
        raise RuntimeError("no magic bytes")

    module = ModuleType("polars")
    module.read_parquet = broken  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "polars", module)
    what = "polars cannot read the file: no magic bytes"
    fails(FileFormatError, what, "FILE", "as CSV", csv("bytes", "run.parquet"))


@pytest.mark.parametrize(
    ("cell", "what", "hint"),
    [
        ("abc", "'abc' is not a number", "leave the cell empty"),
        ("1.2.3", "'1.2.3' is not a number", "columns=[...]"),
        ("1_000", "'1_000' is not a number", "write a number"),
        ('"1,5"', "'1,5' is not a number", "write decimals with a point: 1.5"),
        ("inf", "'inf' is not finite", "leave the cell empty"),
    ],
)
def test_a_cell_that_is_no_number(csv, cell, what, hint):
    path = csv(f't,"x\ny"\n0,1\n\n1,{cell}\n')
    fails(InputError, what, "FILE, line 5, column 'x\\ny'", hint, path)


def test_a_cell_of_a_frame_that_is_no_number():
    table = {"t": [0, 1], "x": [1, "abc"]}
    where = "the table, row 1 (the first is 0), column 'x'"
    fails(InputError, "'abc' is not a number", where, "columns=[...]", table)


@pytest.mark.parametrize("kind", ["datetime64[D]", "timedelta64[D]"])
def test_dates_are_not_times(kind):
    table = {"t": np.array([0, 1]).astype(kind), "x": [1, 2]}
    what = "column 't' holds dates or durations, not numbers"
    fails(InputError, what, "the table", "days since the start", table)


@pytest.mark.parametrize(
    ("text", "what", "where", "hint"),
    [
        ("", "the file is empty", "FILE", "a header"),
        (" \n\n", "there are only empty lines", "FILE", "a header"),
        ("t,x\n", "the table has no rows", "FILE", "one row"),
        (
            "0,1\n1,2\n",
            "the first row holds numbers, not the names of columns",
            "FILE, line 1",
            "t",
        ),
        ("t,,x\n0,1,2\n", "column 2 has no name", "FILE, line 1", "index=False"),
        ("t,x, x\n0,1,2\n", "two columns are named 'x'", "FILE, line 1", "rename"),
        ("t\n0\n", "no column is left for what was observed", "FILE", "the columns are 't'"),
        ("t,x\n0,1\n,2\n", "the time is missing", "FILE, line 3, column 't'", "leave the row out"),
        (
            "t,x,y\n0,1,\n1,2,NA\n",
            "nothing was observed of the column 'y': all its values are missing",
            "FILE",
            "columns=[...]",
        ),
        (
            "t,x\n0,1\n2,3\n1,2\n",
            "the times of experiment 'run' are not sorted: 1 follows 2",
            "FILE, line 4, column 't'",
            "experiment='...'",
        ),
        (
            "t,x\n0.5,1\n\n0.5,3\n",
            "the time 0.5 stands twice in experiment 'run'",
            "FILE, line 2, column 't' and FILE, line 4, column 't'",
            "average the two, or shift one by a little",
        ),
        (
            "experiment,t,x\na,0,1\nb,0,1\na,0,1\n",
            "the time 0 stands twice in experiment 'a'",
            "FILE, line 2, column 't' and FILE, line 4, column 't'",
            "average",
        ),
        (
            "experiment,t,x\n,0,1\n",
            "a name is missing",
            "FILE, line 2, column 'experiment'",
            "fill",
        ),
        (
            "t,variable,value\n0,x,1\n1,x,1\n0,x,2\n",
            "'x' stands twice at the time 0 of experiment 'run'",
            "FILE, line 2 and FILE, line 4",
            "average",
        ),
    ],
)
def test_tables_that_are_wrong(csv, text, what, where, hint):
    fails(InputError, what, where, hint, csv(text))


def test_a_row_with_another_number_of_cells(csv):
    what = "this row has 3 cells, the header has 2"
    fails(FileFormatError, what, "FILE, line 3", "double quotes", csv("t,x\n0,1\n1,2,3\n"))
    what = "this row has 1 cell, the header has 3"
    fails(FileFormatError, what, "FILE, line 2", "one cell", csv("t,x,y\n0\n"))


def test_files_that_are_no_text(csv, tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("t,x (µmol)\n0,1\n".encode("latin-1"))
    what = "this is not a text in UTF-8: byte 5 is 0xb5"
    fails(FileFormatError, what, "FILE", "UTF-8", path)
    long = csv(f't,x\n0,"{"1" * 140_000}\n')
    what = "the table is broken: field larger than field limit (131072)"
    fails(FileFormatError, what, "FILE, line 2", "double quote", long)


def test_files_that_are_not_there(csv, tmp_path):
    csv("t,x\n0,1\n", "lynx.csv")
    missing = tmp_path / "linx.csv"
    fails(InputError, "no such file", "FILE", "did you mean 'lynx.csv'?", missing)
    fails(InputError, "no such file", "FILE", "known", tmp_path / "no" / "a.csv")
    fails(InputError, "this is a folder", "FILE", "give a file", tmp_path)


@pytest.mark.parametrize(
    ("role", "given", "hint"),
    [
        ("time", "tine", "time= chooses it; did you mean 'time'?"),
        ("experiment", "rum", "experiment= chooses it; did you mean 'run'?"),
        ("conditions", "does", "conditions= chooses it; did you mean 'dose'?"),
        ("columns", "hair", "columns= chooses it; did you mean 'hare'?"),
    ],
)
def test_columns_that_are_not_there(csv, role, given, hint):
    path = csv("time,run,dose,hare\n0,a,1,2\n")
    what = f"no column is named {given!r}"
    fails(UnknownNameError, what, "FILE", hint, path, **({"time": "time"} | {role: given}))


def test_variables_that_are_not_there(csv):
    path = csv("t,variable,value\n0,hare,1\n")
    what, where = "no variable is named 'hair'", "FILE, column 'variable'"
    fails(UnknownNameError, what, where, "did you mean 'hare'?", path, columns="hair")


def test_a_column_with_two_roles():
    table = {"t": [0], "x": [1]}
    what = "the column 't' has two roles: time= and columns="
    fails(InputError, what, "the table", "one of them", table, columns=["x", "t"])


def test_conditions_that_change_or_are_missing(csv):
    path = csv("t,x,dose\n0,1,5\n1,2,\n2,3,6\n")
    what = "the condition 'dose' changes within experiment 'run': 5, then 6"
    where = "FILE, line 4, column 'dose'"
    fails(InputError, what, where, "leave 'dose' out of conditions=", path, conditions="dose")
    path = csv("t,x,dose\n0,1,\n1,2,\n")
    what = "the condition 'dose' is missing in experiment 'run'"
    where = "FILE, line 2, column 'dose'"
    fails(InputError, what, where, "at least one", path, conditions="dose")


@pytest.mark.parametrize(
    ("table", "what", "where"),
    [
        ({"t": [0, 1], "x": [1]}, "column 'x' has 1 cell, column 't' has 2", "the table"),
        ({"t": [0], "x": [[1]]}, "a column has the shape (1, 1), not [n]", "the table, column 'x'"),
        (
            {"t": [0, 1], "x": [[1], [2, 3]]},
            "a column has the shape of a ragged list, not [n]",
            "the table, column 'x'",
        ),
        ({}, "the table has no rows", "the table"),
        ([1, 2], "a list is not a table", "Trajectories.read"),
        (LazyFrame({"t": [0]}), "a LazyFrame is not a table", "Trajectories.read"),
    ],
)
def test_frames_that_are_wrong(table, what, where):
    hint = "give frame.collect()" if isinstance(table, LazyFrame) else ""
    fails(InputError, what, where, hint, table)
