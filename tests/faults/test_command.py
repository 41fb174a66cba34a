"""The command where it cannot write: three lines and exit code 2, never a traceback."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import snakebird as sb
from snakebird.cli import main
from snakebird.fitting._lock import take
from snakebird.synthesis.programs._search import Search
from tests.faults.injection import full, system
from tests.faults.runs import SUMS, total

FIT = """\
import equinox as eqx
import snakebird as sb


class Decay(eqx.Module):
    rate: sb.Positive

    def __call__(self, t, y, args):
        return {"x": -self.rate * y["x"]}


model = Decay(sb.Positive(1.0))
data = sb.Trajectories.of([0, 1, 2, 3], {"x": [1.0, 0.6, 0.4, 0.2]})
options = {"stages": ["trajectories"], "rounds": 2}
"""


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "decay.py").write_text(FIT)
    SUMS.write(tmp_path / "sums.jsonl")
    sb.save(total, tmp_path / "total.json")
    (tmp_path / "x.jsonl").write_text("1\n2\n3\n")
    (tmp_path / "file").touch()


def command(capsys, *args: str) -> tuple[int, str, list[str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        before = warnings.showwarning
        try:
            code = main(args)
        finally:
            warnings.showwarning = before
    out, err = capsys.readouterr()
    return code, out, err.splitlines()


@pytest.mark.parametrize("words", [("fit", "decay.py"), ("synthesize", "sums.jsonl")])
def test_a_folder_that_cannot_be_written(capsys, words):
    code, _, err = command(capsys, *words, "--out", "file/run")
    assert code == 2
    assert err[-3:] == [
        "error: cannot write here: Not a directory",
        "  at --out file/run",
        "  hint: choose another --out",
    ]


@pytest.mark.parametrize("words", [("fit", "decay.py"), ("synthesize", "sums.jsonl")])
def test_a_folder_that_another_run_holds(capsys, words, tmp_path):
    (tmp_path / "run").mkdir()
    held = take(tmp_path / "run")
    code, _, err = command(capsys, *words, "--out", "run")
    held.close()
    assert code == 2
    what, where, hint = err[-3:]
    assert what.startswith("error: another run is using this folder: process ")
    assert where.endswith("run")
    assert hint == "  hint: wait until it is done, end it, or choose another folder"


@pytest.mark.parametrize("words", [("fit", "decay.py"), ("synthesize", "sums.jsonl")])
def test_a_disk_that_is_full_from_the_start(capsys, words):
    with system(full(at=0)):
        code, _, err = command(capsys, *words, "--out", "run")
    assert code == 2
    assert err[-3].startswith("error: cannot write here: No space left on device")
    assert err[-1] == "  hint: choose another folder"


@pytest.mark.parametrize("output", ["file/out.jsonl", "file/out.csv"])
def test_an_output_that_cannot_be_opened(capsys, output):
    code, _, err = command(capsys, "run", "total.json", "--input", "x.jsonl", "--output", output)
    assert (code, len(err)) == (2, 3)
    assert err[0] == "error: cannot write the file: Not a directory"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("output", ["full.jsonl", "full.csv"])
def test_an_output_on_a_full_disk(capsys, tmp_path, output, monkeypatch):
    (tmp_path / output).symlink_to("/dev/full")
    from snakebird.cli._writers import Table

    # Reading from the device what stands there already would never end.
    monkeypatch.setattr(Table, "_widen", lambda self, new: None)
    code, _, err = command(capsys, "run", "total.json", "--input", "x.jsonl", "--output", output)
    assert code == 2
    assert err == [
        "error: cannot write: No space left on device",
        f"  at {output}",
        "  hint: make room there, or write to another place",
    ]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_stdout_on_a_full_disk():
    call = [sys.executable, "-c", "from snakebird.cli import main; raise SystemExit(main())"]
    words = ["run", "total.json", "--input", "x.jsonl"]
    with open("/dev/full", "w") as nowhere:
        done = subprocess.run(
            [*call, *words], stdout=nowhere, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "error: cannot write: No space left on device"
    assert len(done.stderr.splitlines()) == 3


def test_what_was_found_is_said_though_the_disk_is_full(capsys, monkeypatch):
    """The report cannot be written any more; the program is on the screen by then."""
    import snakebird.report
    from snakebird.errors import InputError

    def refuse(found, folder):
        raise InputError("cannot write here: No space left on device", str(folder), "make room")

    monkeypatch.setattr(Search, "_candidates", lambda self, *rest: iter([total]))
    monkeypatch.setattr(snakebird.report, "write_program", refuse)
    words = ("synthesize", "sums.jsonl", "--methods", "grow", "--out", "run")
    code, out, err = command(capsys, *words)
    assert code == 2
    assert "def program(x):" in out
    assert "wrote" not in out
    assert err[-3] == "error: cannot write here: No space left on device"
    assert json.loads(Path("run/checkpoint.json").read_text("utf-8"))["verified"]
