"""`snakebird fit`: a report to read, runs that go on bit for bit, mistakes in three lines."""

import json
import os
import shlex
import signal
from pathlib import Path

import numpy as np
import pytest

import snakebird.report
import snakebird.synthesis
from snakebird.cli import _fit
from snakebird.errors import FitError, SnakebirdError

PROBLEM = """\
import equinox as eqx
import numpy as np
import snakebird as sb


class Decay(eqx.Module):
    rate: sb.Hole

    def __call__(self, t, y, args):
        return {"x": -self.rate(y["x"])}


model = Decay(sb.Hole("x", "rate", sb.Polynomial(1, 1, 1)))
t = np.linspace(0, 4, 12)
data = sb.Trajectories.of(t, {"x": 2 * np.exp(-0.5 * t) + 0.02 * np.sin(9 * t)})
options = {"stages": ["shooting", "trajectories"], "rounds": 3}
"""


@pytest.fixture
def problem(tmp_path: Path) -> str:
    (tmp_path / "decay.py").write_text(PROBLEM)
    return "decay.py"


def rows(folder: str) -> list[dict]:
    lines = (Path(folder) / "history.jsonl").read_text("utf-8").splitlines()
    return [{**json.loads(line), "seconds": 0} for line in lines]


@pytest.mark.slow
def test_a_run_that_is_cut_goes_on_bit_for_bit(command, problem, monkeypatch):
    monkeypatch.setattr(snakebird.synthesis, "discover", no_laws)
    whole = command("fit", problem, "--starts", "2")
    assert whole.code == 0
    assert whole.out.startswith("Fit of Decay: noise x ±0.0")
    assert whole.out.endswith("wrote runs/decay/report.html\n")
    first, *_, last, warning = whole.err.splitlines()
    assert first.startswith("  shooting 1  cost ")
    assert " s/round  " in first
    assert first.endswith("s left")
    assert last == "  looking for laws for the hole rate ..."
    assert warning == "warning: no laws for rate: there is nothing to tell"

    with monkeypatch.context() as patched:
        patched.setattr(_fit, "described", interrupt)
        cut = command("fit", problem, "--starts", "2", "--out", "a cut")
    assert cut.code == 130
    assert len(rows("a cut")) == 1
    said, how = cut.err.splitlines()[-2:]
    assert said == "interrupted; what was done stands in a cut"
    assert how.startswith("to go on: snakebird fit decay.py --out 'a cut'")
    assert "interrupted by SIGINT" in Path("a cut/report.html").read_text("utf-8")

    monkeypatch.setattr(snakebird.report, "write_report", lambda fit, out, **rest: out)
    args = shlex.split(how.removeprefix("to go on: snakebird "))
    assert command(*args, "--no-discover").code == 0
    assert rows("a cut") == rows("runs/decay")
    with np.load("a cut/checkpoint.npz") as ours, np.load("runs/decay/checkpoint.npz") as theirs:
        assert set(ours) == set(theirs)
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])


def test_laws_that_are_interrupted_leave_the_fit(command, problem, monkeypatch):
    def interrupted(fit, hole):
        assert Path("runs/decay/report.html").is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(snakebird.synthesis, "discover", interrupted)
    done = command("fit", problem, "--starts", "1")
    assert done.code == 130
    assert done.out.startswith("Fit of Decay")
    assert done.out.endswith("wrote runs/decay/report.html\n")
    assert "interrupted while laws for rate were sought" in done.err

    monkeypatch.setattr(snakebird.report, "write_report", lambda fit, out, **rest: out)
    again = command("fit", problem, "--starts", "1", "--no-discover")
    assert "the run that was in runs/decay is now in runs/decay.before" in again.err
    assert Path("runs/decay.before/report.html").is_file()
    assert not Path("runs/decay/report.html").is_file()


def no_laws(fit, hole):
    raise FitError("there is nothing to tell")


def interrupt(step, columns):
    if step.stage == "shooting":
        os.kill(os.getpid(), signal.SIGINT)
    return "interrupting"


def test_interrupted_before_there_is_anything(command, problem, monkeypatch):
    def terminated(*args, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

    monkeypatch.setattr(_fit, "fit", terminated)
    before = signal.getsignal(signal.SIGTERM)
    done = command("fit", problem)
    assert done == (
        130,
        "",
        "interrupted before the first round was done; there is nothing to go on from\n",
    )
    assert signal.getsignal(signal.SIGTERM) is before


CHANGED = 'data = sb.Trajectories.of(t, {"x": 2'
MISTAKES = {
    "the file is not there": (
        None,
        "nothing.py",
        ("no such file", "nothing.py", "give a Python file that defines model and data"),
    ),
    "a folder": (
        None,
        "folder",
        ("this is a folder", "folder", "give a Python file that defines model and data"),
    ),
    "no model": (
        ("model =", "modle ="),
        "decay.py",
        (
            "the file defines no model",
            "decay.py",
            "did you mean 'modle'? write model = MyModel(...), what is to be fitted",
        ),
    ),
    "no data": (
        ("data = sb.Trajectories", "table = sb.Trajectories"),
        "decay.py",
        (
            "the file defines no data",
            "decay.py",
            "write data = sb.Trajectories.read(...), or give --data FILE",
        ),
    ),
    "a class": (
        ("model = Decay(", "model = Decay or ("),
        "decay.py",
        (
            "model is the class Decay, not one of its instances",
            "decay.py",
            "write model = Decay(...)",
        ),
    ),
    "data of another kind": (
        (CHANGED, 'data = dict(t=t, y=1) or sb.Trajectories.of(t, {"x": 2'),
        "decay.py",
        (
            "data is of the type dict",
            "decay.py",
            "make it with sb.Trajectories.of(times, values) or sb.Trajectories.read('data.csv')",
        ),
    ),
    "data that do not fit": (
        ('t, {"x": 2', 't, {"xx": 2'),
        "decay.py",
        (
            "y['x'] is asked for, the state has 'xx'",
            "decay.py: Decay",
            (
                "did you mean 'xx'? Or give y0={..., 'x': 1.0} for a state that has more than the "
                "columns of the data"
            ),
        ),
    ),
    "data with a column too many": (
        (CHANGED, 'data = sb.Trajectories.of(t, {"w": t, "x": 2'),
        "decay.py",
        (
            "the vector field returns {x: number}, the state is {w: number, x: number}",
            "decay.py: Decay",
            "return the rate of every entry of the state, in a tree of the same shape",
        ),
    ),
    "a function without a path": (
        (CHANGED, 'data = lambda path: sb.Trajectories.of(t, {"x": 2'),
        "decay.py",
        ("data is a function of a path, and no path is given", "decay.py", "give --data FILE"),
    ),
    "a table that is not there": (
        None,
        "decay.py --data nothing.csv",
        ("no such file", "--data nothing.csv", "give a table of data"),
    ),
    "a table that is none": (
        None,
        "decay.py --data empty.csv",
        ("the file is empty", "empty.csv", "give a file with a header and one row for each time"),
    ),
    "no budget": (
        None,
        "decay.py --budget 5d",
        ("--budget 5d: expected a time", "snakebird fit", "write 90s, 5m or 1h"),
    ),
    "a negative budget": (
        None,
        "decay.py --budget=-1m",
        ("--budget -1m: expected a time", "snakebird fit", "write 90s, 5m or 1h"),
    ),
    "no starts": (
        None,
        "decay.py --starts 0",
        ("--starts 0", "snakebird fit", "give one start or more"),
    ),
    "an unknown option": (
        ('"rounds"', '"round"'),
        "decay.py",
        ("fit takes no option 'round'", "decay.py, options", "did you mean 'rounds' or 'random'?"),
    ),
    "an option of the command": (
        ('"rounds"', '"seed"'),
        "decay.py",
        (
            "options has 'seed', which is an option of the command",
            "decay.py",
            "take it out of options; see snakebird fit --help, and type --seed",
        ),
    ),
    "options of another kind": (
        ('options = {"stages": ["shooting", "trajectories"], "rounds": 3}', "options = []"),
        "decay.py",
        (
            "options is of the type list",
            "decay.py",
            "write options = {...}, arguments of sb.fit by name",
        ),
    ),
    "a mistake in the file": (
        ("np.linspace(0, 4, 12)", "np.linspace(0, 4, 12) / None"),
        "decay.py",
        (
            "TypeError: unsupported operand type(s) for /: 'float' and 'NoneType'",
            "decay.py, line 14",
            "mend that line",
        ),
    ),
    "what the library refuses": (
        ("sb.Polynomial(1, 1, 1)", "sb.Polynomial"),
        "decay.py",
        (
            "the model is the class Polynomial, not one of its instances",
            "decay.py, line 13: Hole('x', ...)",
            "call it: Polynomial(...)",
        ),
    ),
    "not Python": (
        ("class Decay", "klass Decay"),
        "decay.py",
        ("this is not Python: invalid syntax", "decay.py, line 6", "mend that line"),
    ),
    "the end of Python": (
        ("t = np", "raise SystemExit(3)\nt = np"),
        "decay.py",
        (
            "the file ends Python with sys.exit(3)",
            "decay.py",
            "a file for fit only defines model and data; take the exit out",
        ),
    ),
    "a folder that cannot be": (
        None,
        "decay.py --out decay.py",
        ("cannot write here: File exists", "--out decay.py", "choose another --out"),
    ),
    "nothing to go on from": (
        None,
        "decay.py --resume",
        (
            "there is no checkpoint",
            "decay.py: runs/decay/checkpoint.npz",
            "leave out resume to begin anew",
        ),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(command, problem, tmp_path, name):
    change, line, wanted = MISTAKES[name]
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.csv").write_text("")
    if change:
        assert PROBLEM.count(change[0]) == 1
        (tmp_path / problem).write_text(PROBLEM.replace(*change))
    done = command("fit", *line.split())
    assert (done.code, done.out) == (2, "")
    what, where, hint = wanted
    assert done.err == f"error: {what}\n  at {where}\n  hint: {hint}\n"


def test_data_by_a_function_and_by_a_table(problem, tmp_path):
    from snakebird.cli._problem import read_problem

    (tmp_path / "table.csv").write_text("t,x\n0,1\n1,0.5\n")
    path = tmp_path / problem
    read = read_problem(path, tmp_path / "table.csv")
    assert read.data[0].values["x"].tolist() == [1, 0.5]
    assert read.options == {"stages": ["shooting", "trajectories"], "rounds": 3}
    (tmp_path / "helper.py").write_text("SCALE = 10\n")
    function = "def data(path):\n    return sb.Trajectories.of([0, 1], {'x': [helper.SCALE, 2]})\n"
    path.write_text(f"import helper\n{PROBLEM.replace('data =', 'other =')}\n{function}")
    read = read_problem(path, tmp_path / "table.csv")
    assert read.data[0].values["x"].tolist() == [10, 2]


def test_a_table_with_its_times_elsewhere(problem, tmp_path):
    from snakebird.cli._problem import read_problem

    (tmp_path / "table.csv").write_text("year,x\n0,1\n1,0.5\n")
    (tmp_path / problem).write_text(PROBLEM)
    with pytest.raises(SnakebirdError, match="no column is named 't'") as raised:
        read_problem(tmp_path / problem, tmp_path / "table.csv")
    assert raised.value.hint.endswith("return sb.Trajectories.read(path, time='year')")


def test_data_that_takes_no_path(problem, tmp_path):
    from snakebird.cli._problem import read_problem

    (tmp_path / "table.csv").write_text("t,x\n0,1\n")
    path = tmp_path / problem
    path.write_text(f"{PROBLEM.replace('data =', 'other =')}\ndef data():\n    return other\n")
    with pytest.raises(SnakebirdError, match="not of one path") as raised:
        read_problem(path, tmp_path / "table.csv")
    assert raised.value.hint == "write def data(path): ..."


@pytest.mark.parametrize(("text", "seconds"), [("30", 30), ("90s", 90), ("5m", 300), ("1h", 3600)])
def test_budget(text, seconds):
    assert _fit.seconds_of(text, "") == seconds
