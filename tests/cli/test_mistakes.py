"""A user's mistake gives three lines, what, where and a hint, and the exit code 2."""

from pathlib import Path

import pytest

import snakebird as sb


def files(tmp_path: Path) -> None:
    texts = {
        "bad.txt": "ab\ncxa",
        "empty.txt": "",
        "text.csv": "x,y\n1,2\n3,zz\n",
        "short.csv": "x,y\n1\n",
        "missing.csv": "x,z\n1,2\n",
        "twice.csv": "x,x\n1,2\n",
        "header.csv": "x,y\n",
        "bad.jsonl": '{"x": 1}\n{"x": \n',
        "blank.jsonl": '{"x": 1}\n\n',
        "who.jsonl": '{"x": 1}\n{"z": 1}\n',
        "value.jsonl": '{"x": {"a": 1}}\n',
        "broken.py": "import snakebird\n\n1 / 0\n",
        "syntax.py": "def (\n",
        "broken.json": '{"neurons": ',
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "bytes.txt").write_bytes(b"ab\x00\xff")
    (tmp_path / "folder").mkdir()


MISTAKES = [
    (
        "run letters.json --input bad.txt",
        (
            "error: the character '\\n' is not among the 5 tokens of 'char'\n"
            "  at bad.txt, line 1, column 3 (character 3)\n"
            "  hint: known here: ' ', '.', 'a', 'b', 'c'; --unknown skip leaves it out\n"
        ),
    ),
    (
        "run letters.json --input bad.txt --by words",
        (
            "error: the word 'ab' is not among the 5 tokens of 'char'\n"
            "  at bad.txt, line 1, column 1 (word 1)\n"
            "  hint: did you mean 'b' or 'a'?; --unknown skip leaves it out\n"
        ),
    ),
    (
        "run letters.json --input empty.txt",
        "error: the file is empty\n  at empty.txt\n  hint: give a file with something in it\n",
    ),
    (
        "run letters.json --input folder",
        "error: this is a folder\n  at folder\n  hint: give a file in it\n",
    ),
    (
        "run letters.json --input bd.txt",
        (
            "error: no such file\n  at bd.txt\n"
            "  hint: did you mean 'bad.txt' or 'bytes.txt' or 'empty.txt'?\n"
        ),
    ),
    (
        "run letters.json --input bytes.txt",
        "error: this is not a text file: byte 3 is 0xff\n  at bytes.txt\n  hint: give UTF-8 text\n",
    ),
    (
        "run sums.json --input text.csv",
        (
            "error: found 'zz', expected a number\n  at text.csv, row 3, column 'y'\n"
            "  hint: write a number, or leave the cell empty\n"
        ),
    ),
    (
        "run sums.json --input short.csv",
        (
            "error: found 1 cells, expected 2\n  at short.csv, row 2\n"
            "  hint: every row has as many cells as the header\n"
        ),
    ),
    (
        "run sums.json --input missing.csv",
        "error: the column 'y' is missing\n  at missing.csv, row 1\n  hint: known here: 'x', 'z'\n",
    ),
    (
        "run sums.json --input twice.csv",
        (
            "error: two columns are named 'x'\n  at twice.csv, row 1\n"
            "  hint: give every column its own name\n"
        ),
    ),
    (
        "run sums.json --input header.csv",
        (
            "error: the table has a header and no rows\n  at header.csv\n"
            "  hint: add one row for each tick\n"
        ),
    ),
    (
        "run sums.json --input bad.jsonl",
        (
            "error: this is not JSON\n  at bad.jsonl, line 2, column 7\n"
            '  hint: write one value a line: 1.5, "a", {"x": 1} or null\n'
        ),
    ),
    (
        "run sums.json --input blank.jsonl",
        (
            "error: the line is empty\n  at blank.jsonl, line 2\n"
            "  hint: write null for a tick without a message\n"
        ),
    ),
    (
        "run sums.json --input who.jsonl",
        "error: no source is named 'z'\n  at who.jsonl, line 2\n  hint: known here: 'x', 'y'\n",
    ),
    (
        "run sums.json --input value.jsonl",
        "error: 'x' takes nothing at a\n  at value.jsonl, line 1\n  hint: known here: 'the root'\n",
    ),
    (
        "run sums.json --input bad.txt",
        (
            "error: this machine has 2 sources, a text goes to one\n  at input bad.txt\n"
            "  hint: choose with --source: x, y\n"
        ),
    ),
    (
        "run sums.json",
        (
            "error: nothing says how long to run\n  at the command line\n"
            "  hint: give --input FILE or --ticks N\n"
        ),
    ),
    (
        "run sums.json --ticks 3 --record output.sm",
        "error: 'output' gives no output 'sm'\n  at record\n  hint: did you mean 'sum'?\n",
    ),
    (
        "run sums.json --ticks 3 --output out.xlsx",
        (
            "error: the suffix '.xlsx' says no format\n  at --output out.xlsx\n"
            "  hint: name the file .jsonl or .csv\n"
        ),
    ),
    (
        "run sums.json --ticks 3 --output folder/none/out.csv",
        (
            "error: cannot write the file: No such file or directory\n"
            "  at --output folder/none/out.csv\n  hint: give another file\n"
        ),
    ),
    (
        "run noise.json --ticks 3",
        ("error: 'n' draws at random and there is no key\n  at neuron n\n  hint: give --key 0\n"),
    ),
    (
        "show letters.json --diagram out.png",
        (
            "error: the suffix '.png' says no format\n  at --diagram out.png\n"
            "  hint: name the file .svg or .mmd\n"
        ),
    ),
    (
        "list neurons reluu",
        "error: no neuron type is named 'reluu'\n  at this command\n  hint: did you mean 'relu'?\n",
    ),
    (
        "list neurons --neurons broken.py",
        (
            "error: ZeroDivisionError: division by zero\n  at broken.py, line 3\n"
            "  hint: the file was run for the neuron types it registers; mend it there\n"
        ),
    ),
    (
        "list neurons --neurons syntax.py",
        (
            "error: this is not Python: invalid syntax\n  at syntax.py, line 1\n"
            "  hint: mend that line\n"
        ),
    ),
    (
        "list neurons --neurons none.py",
        "error: no such file\n  at none.py\n  hint: give a Python file with --neurons\n",
    ),
]


@pytest.mark.parametrize(("line", "text"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_three_lines(command, letters, sums, tmp_path, line, text):
    files(tmp_path)
    sb.save(sb.Machine({"n": "noise", "o": "output"}, ["o.x <- n.result"]), "noise.json")
    done = command(*line.split())
    assert done.err == text
    assert done.out == ""
    assert done.code == 2


@pytest.mark.parametrize("what", ["show none.json", "check broken.json", "show folder"])
def test_machine_files_that_are_none(command, tmp_path, what):
    files(tmp_path)
    done = command(*what.split())
    assert done.code == 2
    first, second, third = done.err.splitlines()
    assert first.startswith("error: ")
    assert second.startswith(f"  at {what.split()[1]}")
    assert third.startswith("  hint: ")


OPTIONS = [
    ("rnu m.json", "no command is named 'rnu'", "snakebird", "did you mean 'run'?"),
    ("--all", "no option is named '--all'", "snakebird", "commands: run, show"),
    ("run", "MACHINE is missing", "snakebird run", "see snakebird run --help"),
    ("run --tick 3", "no option is named '--tick'", "snakebird run", "did you mean '--ticks'"),
    ("run m.json -n 3", "no option is named '-n'", "snakebird run", "known here: '--by'"),
    ("run m.json --ticks 1e3", "--ticks 1e3: expected a whole number", "snakebird run", "write"),
    ("run m.json --ticks", "--ticks is given without a value", "snakebird run", "write --ticks"),
    ("run m.json --ticks --key 1", "--ticks is given without a value", "snakebird run", "write"),
    ("run m.json --by=word", "--by cannot be 'word'", "snakebird run", "did you mean 'words'?"),
    ("run m.json n.json", "found 'n.json', where nothing more", "snakebird run", "see"),
    ("show m.json --links=3", "--links takes no value", "snakebird show", "write --links alone"),
    ("list neuron", "WHAT cannot be 'neuron'", "snakebird list", "did you mean 'neurons'?"),
    ("demo --seed one", "--seed one: expected a whole number", "snakebird demo", "write digits"),
]


@pytest.mark.parametrize(("line", "what", "where", "hint"), OPTIONS)
def test_wrong_options(command, line, what, where, hint):
    done = command(*line.split())
    assert (done.code, done.out) == (2, "")
    first, second, third = done.err.splitlines()
    assert first.startswith(f"error: {what}")
    assert second == f"  at {where}"
    assert third.startswith(f"  hint: {hint}")


LARGE = [
    ("x.jsonl", "1" + "0" * 400, "a number is too large"),
    ("x.jsonl", "1" + "0" * 5000, "a number is too large"),
    ("x.jsonl", '{"a":' * 900 + "1" + "}" * 900, "the value is nested more than 100 deep"),
    ("x.jsonl", "[" * 90_000 + "]" * 90_000, "the value is nested more than 100 deep"),
    ("x.csv", "1," + "2" * 140_000, "this is no table: field larger than field limit"),
]


@pytest.mark.parametrize(("name", "line", "what"), LARGE, ids=range(len(LARGE)))
def test_input_beyond_all_measure(command, sums, name, line, what):
    Path(name).write_text(f"x,y\n{line}\n" if name == "x.csv" else f'null\n{{"x": {line}}}\n')
    done = command("run", sums, "--input", name)
    assert done.code == 2
    first, second, third = done.err.splitlines()
    assert first.startswith(f"error: {what}")
    assert second == f"  at {name}, line 2"
    assert third.startswith("  hint: ")


def test_a_file_of_neurons_that_ends_python(command, letters):
    Path("ends.py").write_text("import sys\nsys.exit(5)\n")
    assert command("check", letters, "--neurons", "ends.py") == (
        2,
        "",
        (
            "error: the file ends Python with sys.exit(5)\n  at ends.py\n"
            "  hint: a file of neuron types only registers them; take the exit out\n"
        ),
    )


def test_a_folder_that_takes_no_files_is_told_before_training(command):
    Path("taken").write_text("")
    done = command("demo", "--folder", "taken")
    assert done.code == 2
    assert "cannot write here" in done.err
    assert "  at --folder taken\n" in done.err
    assert "training" not in done.out


def test_a_neuron_named_like_the_field_of_ticks(command):
    sb.save(sb.Machine({"tick": "timer"}, ["tick.timer <- tick.timer"]), "timer.json")
    assert command("run", "timer.json", "--ticks", "1").out == '{"tick": 1, "tick.timer": 1.0}\n'
    sb.save(sb.Machine({"tick": "superfluid"}, []), "open.json")
    done = command("run", "open.json", "--ticks", "1")
    assert done.code == 2
    assert "'tick' would stand under the name of the tick itself" in done.err


def test_a_fit_refuses_a_folder_of_other_files(command):
    Path("decay.py").write_text(
        "import snakebird as sb\n"
        "model = object()\n"
        "data = sb.Trajectories.of([0.0, 1.0], {'x': [1.0, 2.0]})\n"
    )
    Path("own").mkdir()
    Path("own/config.json").write_text("mine")
    done = command("fit", "decay.py", "--out", "own")
    assert done.code == 2
    assert done.err == (
        "error: the folder has files that are of no run: config.json\n"
        "  at --out own\n  hint: choose another folder\n"
    )
    assert Path("own/config.json").read_text() == "mine"
