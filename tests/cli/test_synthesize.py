"""`snakebird synthesize`: a folder to read, runs that go on where they were cut, mistakes told."""

import io
import json
import os
import runpy
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console
from rich.spinner import Spinner

import snakebird as sb
from snakebird.cli import _synthesize, _synthesize_watch
from snakebird.cli._synthesize_watch import Watch, described, watching
from snakebird.synthesis.programs import Attempt, verify
from snakebird.synthesis.programs._search import Search

SUM = """\
from snakebird.synthesis.programs import Integers

reference = lambda x: [sum(x[: t + 1]) for t in range(len(x))]
draws = {"x": Integers(-2, 2)}
length, count = 6, 8
"""
LINES = (
    '{"input": [1, 2, 1, 0], "output": [1, 3, 4, 4]}\n'
    '{"input": [0, 2, 5], "output": [0, 2, 7]}\n'
    '{"input": [7], "output": [7]}\n'
    '{"input": [2, 2, 2, 0, 1], "output": [2, 4, 6, 6, 7]}\n'
    '{"input": [-3, 1, -2], "output": [-3, -2, -4]}\n'
)


@sb.machine
def total(x):
    return {"result": sb.instant(sb.accumulate(sb.instant(x)))}


@sb.machine
def echo(x):
    return {"result": sb.instant(x)}


@pytest.fixture
def lines(tmp_path: Path) -> str:
    (tmp_path / "sums.jsonl").write_text(LINES)
    return "sums.jsonl"


def history(folder: str) -> list[dict]:
    text = (Path(folder) / "history.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.slow
def test_a_program_is_found_and_written(command, lines):
    done = command("synthesize", lines, "--methods", "grow")
    assert done.code == 0
    folder = Path("runs/sums")
    source = (folder / "program.py").read_text("utf-8")
    assert done.out.startswith(source)
    assert "\nan exact program of 3 links, verified on " in done.out
    assert done.out.endswith("wrote runs/sums/report.html\n")
    first, second, *_, last = done.err.splitlines()
    assert first == "  reading sums.jsonl ..."
    assert second.startswith("  trying grow  0.")
    assert last == "  writing runs/sums ..."
    assert "  verified: a program of 3 links  " in done.err
    assert "    def program(x):\n" in done.err

    machine = runpy.run_path(str(folder / "program.py"))["program"]
    assert machine.links == sb.load(folder / "best.json").links
    program = runpy.run_path(str(folder / "standalone.py"))["program"]
    assert program([1, -5, 7]) == {"result": [1, -4, 3]}
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert (config["methods"], config["seed"], config["examples"]) == (["grow"], 0, 5)
    assert set(config["versions"]) >= {"snakebird", "jax", "python"}
    copy = (folder / "examples.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["inputs"]["x"] for line in copy][1] == [0, 2, 5]
    evidence = json.loads((folder / "evidence.json").read_text("utf-8"))
    assert evidence["exact"] is True
    assert evidence["statement"] in done.out
    stages = [entry["stage"] for entry in history("runs/sums")]
    assert stages[0] == "method"
    assert "verified" in stages
    assert (folder / "diagram.svg").read_text("utf-8").startswith("<svg ")
    assert "<!DOCTYPE html>" in (folder / "report.html").read_text("utf-8")
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_run_that_is_cut_goes_on(command, lines, monkeypatch):
    """Methods that are done are not repeated, and what failed is not forgotten."""
    tried = []

    def candidates(self, method, *rest):
        method = method.name
        tried.append(method)
        if method == "grow" and len(tried) > 1:
            return
        if method == "grow":
            self.rejected.append((echo, verify(echo, self.train).failure))
            self.more.append(self.train[0])
            return
        if tried.count(method) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        assert self.more == [self.train[0]]
        yield total

    monkeypatch.setattr(Search, "_candidates", candidates)
    cut = command("synthesize", lines, "--out", "a cut", "--tolerance", "0.5")
    assert cut.code == 130
    assert "no exact program was found" in cut.out
    said, how = cut.err.splitlines()[-2:]
    assert said == "interrupted; what was done stands in a cut"
    assert how.startswith("to go on: snakebird synthesize sums.jsonl --out 'a cut' --budget 5m")
    assert sb.load("a cut/best.json").links == echo.links
    assert "was interrupted" in Path("a cut/report.html").read_text("utf-8")
    with open("a cut/history.jsonl", "a", encoding="utf-8") as file:
        file.write('{"time": 0.1, "sta')  # as a kill in the middle of a line leaves it

    args = shlex.split(how.removeprefix("to go on: snakebird "))
    done = command(*args)
    assert done.code == 0
    assert tried == ["grow", "grow", "automaton", "automaton"]
    assert "going on, with 0 programs and 1 that failed" in done.err
    assert "an exact program of 3 links" in done.out
    stages = [entry["stage"] for entry in history("a cut")]
    assert stages.count("resume") == 1
    assert stages[-1] == "verified"

    again = command(*args)  # all is done: nothing is searched again
    assert (again.code, tried.count("automaton")) == (0, 2)
    assert again.out == done.out


def test_a_folder_of_another_question(command, lines, monkeypatch, tmp_path):
    monkeypatch.setattr(Search, "_candidates", lambda self, *rest: iter([total]))
    assert command("synthesize", lines, "--out", "one").code == 0
    refused = command("synthesize", lines, "--out", "one", "--resume", "--seed", "1")
    assert refused.code == 2
    assert refused.err.splitlines()[-3:] == [
        "error: the checkpoint belongs to other examples or other options",
        "  at one/checkpoint.json",
        "  hint: give the same ones, or another folder",
    ]
    (tmp_path / lines).write_text(LINES.replace("4, 4]", "4, 5]"))
    refused = command("synthesize", lines, "--out", "one", "--resume")
    assert refused.err.splitlines()[-3:][0] == (
        "error: the checkpoint belongs to other examples or other options"
    )


def test_a_budget_of_a_second_keeps_the_best_so_far(command, lines, monkeypatch):
    def candidates(self, *rest):
        yield echo
        while time.monotonic() < self.ends:
            time.sleep(0.05)

    monkeypatch.setattr(Search, "_candidates", candidates)
    done = command("synthesize", lines, "--budget", "1", "--methods", "train")
    assert done.code == 1
    assert "def program(x):" in done.out
    assert "the best approximation has 1 link; it fails first at example " in done.out
    spent, how = done.err.splitlines()[-2:]
    assert spent == "the budget of 1 s is spent; to go on with twice what was spent:"
    told = json.loads(Path("runs/sums/evidence.json").read_text("utf-8"))["seconds"]
    words = shlex.split(how)
    at = words.index("--budget") + 1
    assert float(words[at].removesuffix("s")) >= 2 * told >= 2
    words[at] = "3s"
    assert shlex.join(words) == (
        "snakebird synthesize sums.jsonl --out runs/sums --budget 3s --starts 32 --seed 0 "
        "--methods train --resume"
    )


def test_methods_that_find_nothing(command, lines, monkeypatch):
    monkeypatch.setattr(Search, "_candidates", lambda self, *rest: iter(()))
    done = command("synthesize", lines)
    assert done.code == 1
    assert done.err.endswith(
        "the methods found nothing more; give more examples, other --methods or --seed\n"
    )
    assert not Path("runs/sums/standalone.py").exists()


def test_interrupted_before_there_is_anything(command, lines, monkeypatch):
    def terminated(*args, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

    monkeypatch.setattr(_synthesize.Problem, "search", terminated)
    before = signal.getsignal(signal.SIGTERM)
    done = command("synthesize", lines)
    assert done == (
        130,
        "",
        (
            "  reading sums.jsonl ...\n"
            "interrupted before the search began; there is nothing to go on from\n"
        ),
    )
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_template_and_options_of_the_file(command, tmp_path, monkeypatch):
    seen = {}

    def search(examples, **options):
        seen.update(options, examples=examples)
        raise KeyboardInterrupt

    monkeypatch.setattr("snakebird.cli._synthesize_problem.synthesize", search)
    (tmp_path / "sum.py").write_text(SUM + "tolerance, latency, template = 0.5, 1, 'a maker'\n")
    assert command("synthesize", "sum.py", "--budget", "1.5m", "--latency", "2").code == 130
    assert (seen["template"], seen["budget"], seen["methods"]) == ("a maker", 90, None)
    examples = seen["examples"]
    assert (examples.tolerance, examples.latency, len(examples)) == (0.5, 2, 8)

    text = SUM + "from snakebird.synthesis.programs import Examples\ndef examples():\n"
    (tmp_path / "made.py").write_text(text + "    return Examples.of([([1, 2], [1, 3])])\n")
    assert command("synthesize", "made.py", "--tolerance", "0.25").code == 130
    assert (len(seen["examples"]), seen["examples"].tolerance) == (1, 0.25)


WRONG = {
    "empty.jsonl": "",
    "ragged.jsonl": '{"input": [1, 2], "output": [1]}\n',
    "both.jsonl": '{"input": [1], "output": [1]}\n{"input": [1], "output": [2]}\n',
    "ragged.csv": "in:x,out:y\n1,2\n3\n",
    "nothing.py": "exmples = 3\n",
    "number.py": "examples = 3\n",
    "draws.py": "reference = lambda x: x\n",
    "tokens.py": (
        "from snakebird.synthesis.programs import Examples\n\n"
        'examples = Examples.read("letters.jsonl", tokens="ab")\n'
    ),
    "letters.jsonl": '{"input": "abc", "output": [1, 2, 3]}\n',
    "fails.py": (
        "from snakebird.synthesis.programs import Integers\n"
        'draws = {"x": Integers(0, 9)}\n\n\ndef reference(x):\n    return [1 / 0 for _ in x]\n'
    ),
    "broken.py": "1 / 0\n",
    "notes.txt": "",
}
HOW = "examples = Examples.of([({'x': [1, 2]}, {'y': [1, 3]})]), or define reference and draws"
GIVE = "give a .jsonl or .csv file, or a .py file that defines examples"
SYNTHESIZE = "snakebird synthesize"
MISTAKES = {
    "leters.jsonl": (
        "no such file",
        "leters.jsonl",
        "did you mean 'letters.jsonl' or 'empty.jsonl' or 'both.jsonl'?",
    ),
    "nowhere/x.jsonl": ("no such file", "nowhere/x.jsonl", GIVE),
    "folder": ("this is a folder", "folder", None),
    "notes.txt": ("'.txt' is no file of examples", "notes.txt", GIVE),
    "empty.jsonl": ("there are no examples", "empty.jsonl", "write at least one"),
    "ragged.jsonl": (
        "streams of different lengths: input 'x' 2, output 'result' 1",
        "ragged.jsonl, line 1",
        "give every stream one value a tick; None where nothing arrives or nothing is asked",
    ),
    "ragged.csv": ("a row has 1 cells, the header 2", "ragged.csv, line 3", None),
    "both.jsonl": (None, "both.jsonl, line 1; both.jsonl, line 2; common inputs x: 1", None),
    "tokens.py": (
        "the token 'c' is not among the 2 that may arrive",
        "tokens.py, line 3: letters.jsonl, line 1, input 'x', tick 2",
        None,
    ),
    "nothing.py": (
        "the file defines no examples",
        "nothing.py",
        f"did you mean 'exmples'? write {HOW}",
    ),
    "number.py": ("examples is of the type int", "number.py", f"write {HOW}"),
    "draws.py": ("the file defines no draws", "draws.py", "write draws = {'x': Integers(0, 9)}"),
    "fails.py": (None, None, "it is called with one list for each input, by name"),
    "broken.py": ("ZeroDivisionError: division by zero", "broken.py, line 1", "mend that line"),
    "letters.jsonl --methods grow,trian": (
        "no method is named 'trian'",
        "methods",
        "did you mean 'train'?",
    ),
    "letters.jsonl --budget soon": (
        "--budget soon: expected a time",
        SYNTHESIZE,
        "write 90s, 5m or 1h",
    ),
    "letters.jsonl --budget 0": (
        "--budget 0: expected a time",
        SYNTHESIZE,
        "write 90s, 5m or 1h",
    ),
    "letters.jsonl --starts 1": ("--starts 1", SYNTHESIZE, "give two starts or more"),
    "letters.jsonl --seed=-1": ("--seed -1", SYNTHESIZE, "give 0 or a larger number"),
    "letters.jsonl --methods auto,grow": (
        "no method is named 'auto'",
        "methods",
        "did you mean 'automaton'?",
    ),
    "letters.jsonl --tolerance=-1": (
        "--tolerance -1.0",
        SYNTHESIZE,
        "write --tolerance 0.001",
    ),
    "letters.jsonl --tolerance much": (
        "--tolerance much: expected a number",
        SYNTHESIZE,
        "write --tolerance 0.5",
    ),
    "letters.jsonl --latency=-1": ("--latency -1", SYNTHESIZE, "give a number of ticks"),
    "letters.jsonl --out notes.txt": (
        "cannot write here: File exists",
        "--out notes.txt",
        "choose another --out",
    ),
    "letters.jsonl --resume": (
        "there is no checkpoint",
        "runs/letters/checkpoint.json",
        "leave out resume to begin anew",
    ),
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes(command, tmp_path, line):
    (tmp_path / "folder").mkdir()
    for name, text in WRONG.items():
        (tmp_path / name).write_text(text)
    done = command("synthesize", *line.split())
    assert (done.code, done.out) == (2, "")
    first, second, third = done.err.splitlines()[-3:]
    assert [first[:7], second[:5], third[:8]] == ["error: ", "  at ", "  hint: "]
    for wanted, said in zip(MISTAKES[line], (first[7:], second[5:], third[8:]), strict=True):
        assert wanted in (None, said)
    assert len(done.err.splitlines()) <= 4  # before it, at most which file is read
    assert not Path("runs").exists()


def test_plain_lines_of_one_stage_come_slowly(capsys):
    with watching(60.0) as watch:
        for loss in (0.5, 0.25):
            watch.see("train", {"round": 0, "loss": loss})
        watch.see("resume", {"seconds": 10.0, "verified": 1, "rejected": 2})
        for links in (3, 4):
            watch.see("verified", {"machine": total, "links": links})
    assert watch.elapsed > 10
    text = capsys.readouterr().err
    assert "train: round 0, loss 0.5  0.0 s, 0m 59s left\n" in text
    assert "0.25" not in text
    assert "going on, with 1 programs and 2 that failed  10." in text
    assert text.count("def total(x):") == 1
    assert "verified: a program of 3 links" in text
    assert text.count("    def ") == 1  # the longer program is no better


def test_a_terminal_shows_what_goes_on_and_the_best(monkeypatch):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(_synthesize_watch, "Console", lambda **options: console)
    with watching(60.0) as watch:
        watch.see("verified", {"machine": total, "links": 3})
        watch.see("train", {"round": 0, "loss": 0.5})
        console.print(watch.drawn(Spinner("dots")))
    shown = file.getvalue()
    assert "train: round 0, loss 0.5" in shown
    assert "best so far: 3 links" in shown
    assert shown.count("def total(x):") == 1


def test_a_watch_without_a_program_says_so():
    file = io.StringIO()
    console = Console(file=file, width=80)
    console.print(Watch(60.0, console).drawn(Spinner("dots")))
    assert "no exact program yet" in file.getvalue()


def test_attempts_are_kept(command, lines, monkeypatch):
    monkeypatch.setattr(Search, "_candidates", lambda self, *rest: iter([total]))
    assert command("synthesize", lines).code == 0
    saved = json.loads(Path("runs/sums/checkpoint.json").read_text("utf-8"))
    assert Attempt(**saved["attempts"][0]).exact == 1
    assert saved["finished"]["grow"] is None


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on(tmp_path):
    """No cleanup runs, and still what was done is there; the first line comes before JAX does."""
    rows = [[3, 1, 2, 5, 7, 1, 3], [2, 1, 2, 5, 3, 1, 3], [5, 1, 2, 5, 3, 1, 9]]
    texts = [json.dumps({"input": row, "output": [x * 7 % 5 for x in row[::-1]]}) for row in rows]
    (tmp_path / "hard.jsonl").write_text("\n".join(texts))
    call = [sys.executable, "-c", "from snakebird.cli import main; raise SystemExit(main())"]
    call += ["synthesize", "hard.jsonl", "--out", "run", "--budget", "60"]
    first = subprocess.Popen(call, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert first.stderr is not None
    assert first.stderr.readline() == "  reading hard.jsonl ...\n"
    file = tmp_path / "run" / "checkpoint.json"
    until = time.monotonic() + 90
    while time.monotonic() < until:
        if file.exists() and json.loads(file.read_text("utf-8"))["finished"]:
            break
        time.sleep(0.1)
    first.kill()
    first.communicate()
    done = json.loads(file.read_text("utf-8"))["finished"]
    second = subprocess.run(
        [*call[:-1], "1", "--resume"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert second.returncode in (0, 1), second.stderr
    after = [entry for entry in history(str(tmp_path / "run"))]
    begun = max(k for k, entry in enumerate(after) if entry["stage"] == "resume")
    again = {entry["method"] for entry in after[begun:] if entry["stage"] == "method"}
    assert not again & set(done)


@pytest.mark.parametrize("wrong", ["--methods grow,auto", "--budget soon", "--seed=-1"])
def test_a_mistake_leaves_the_finished_run_where_it_is(command, lines, wrong):
    page = Path("runs/sums/report.html")
    page.parent.mkdir(parents=True)
    page.write_text("done")
    assert command("synthesize", lines, *wrong.split()).code == 2
    assert page.read_text() == "done"
    assert not Path("runs/sums.before").exists()


def test_a_folder_of_other_files_is_refused(command, lines, monkeypatch):
    monkeypatch.setattr(Search, "_candidates", lambda self, *rest: iter([total]))
    own = Path("own/config.json")
    own.parent.mkdir()
    own.write_text("mine")
    done = command("synthesize", lines, "--out", "own")
    assert done.code == 2
    assert done.err.splitlines()[-3:] == [
        "error: the folder has files that are of no run: config.json",
        "  at --out own",
        "  hint: choose another folder",
    ]
    assert [path.name for path in own.parent.iterdir()] == ["config.json"]
    assert own.read_text() == "mine"

    Path("new").mkdir()
    Path("new/sums.jsonl").write_text(LINES)  # what the command is given may stand there
    assert command("synthesize", "new/sums.jsonl", "--out", "new").code == 0
    assert command("synthesize", "new/sums.jsonl", "--out", "new").code == 0
    page = Path("new/report.html")
    page.unlink()  # as a run that was cut leaves it
    assert command("synthesize", lines, "--out", "new").code == 0


def test_the_help_names_every_method(command):
    assert "automaton, grow, train and deepen" in " ".join(command("synthesize", "-h").out.split())


def test_one_link_is_no_plural():
    machine = echo.replace(name="echo")
    assert described("verified", {"machine": machine, "links": 1}).endswith("of 1 link")
    assert described("verified", {"machine": machine, "links": 2}).endswith("of 2 links")
