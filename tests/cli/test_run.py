"""`snakebird run` on texts, tables and JSON lines."""

import csv
import json
from pathlib import Path

import pytest

import snakebird as sb


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def table(path: str) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("engine", ["compiled", "readable"])
def test_a_text_by_characters(command, letters, engine):
    Path("text.txt").write_text("abcab.\n")
    done = command("run", letters, "--input", "text.txt", "--ticks", "10", "--engine", engine)
    assert done.code == 0, done.err
    rows = lines(done.out)
    assert [row["tick"] for row in rows] == list(range(1, 11))
    assert [row["output.repeats"] for row in rows] == [0] * 7 + [1] * 3
    assert rows[-1]["output.counts"] == {".": 1, "a": 2, "b": 2, "c": 1}
    assert rows[0]["output.counts"] == 0


def test_both_engines_write_the_same_table(command, letters):
    Path("text.txt").write_text("abcab. cab")
    for engine in ("compiled", "readable"):
        assert command(
            "run", letters, "--input", "text.txt", "--output", f"{engine}.csv", "--engine", engine
        ) == (0, "", "")
    assert Path("compiled.csv").read_bytes() == Path("readable.csv").read_bytes()
    rows = table("compiled.csv")
    assert list(rows[0]) == [
        "tick", "output.counts. ", "output.counts..", "output.counts.a", "output.counts.b",
        "output.counts.c", "output.repeats",
    ]  # fmt: skip
    assert list(rows[-1].values()) == ["10", "1", "1", "2", "2", "2", "1"]


def test_a_text_by_words(command):
    @sb.machine
    def said(word: sb.Tokens(["go", "stop"])):
        return {"counts": sb.accumulate(word)}

    sb.save(said, "said.json")
    Path("text.txt").write_text("go  stop\ngo go\n")
    done = command("run", "said.json", "--input", "text.txt", "--by", "words", "--ticks", "6")
    assert lines(done.out)[-1]["output.counts"] == {"go": 3, "stop": 1}


def test_unknown_characters_can_be_skipped(command, letters):
    Path("text.txt").write_text("a-b\nc", encoding="utf-8")
    done = command("run", letters, "--input", "text.txt", "--unknown", "skip", "--ticks", "6")
    assert lines(done.out)[-1]["output.counts"] == {"a": 1, "b": 1, "c": 1}


def test_a_table(command, sums):
    Path("in.csv").write_text("x,note,y\n1,a,2\n,b,\n0.5,c,-1\n")
    done = command("run", sums, "--input", "in.csv", "--output", "out.csv", "--ticks", "5")
    assert done == (0, "", "")
    rows = table("out.csv")
    assert [row["output.sum"] for row in rows] == ["0", "3", "0", "-0.5", "0"]
    assert [row["output.total"] for row in rows] == ["0", "0", "-1", "-1", "0.5"]


def test_json_lines_with_several_sources(command, sums):
    Path("in.jsonl").write_text('{"x": 1, "y": "1/2"}\nnull\n{"y": 4}\n')
    done = command("run", sums, "--input", "in.jsonl", "--ticks", "4", "--record", "output.sum")
    assert lines(done.out) == [
        {"tick": t, "output.sum": value} for t, value in enumerate([0, 1.5, 0, 4], 1)
    ]


def test_json_lines_with_one_source(command, letters):
    Path("in.jsonl").write_text('"a"\n{"b": 2}\nnull\n')
    done = command("run", letters, "--input", "in.jsonl", "--record", "char.signal")
    assert [row["char.signal"] for row in lines(done.out)] == [{"a": 1}, {"b": 2}, 0]


def test_a_machine_that_grows_past_its_room(command, growing):
    clicks = [{"x": k, "y": 1} for k in range(1, 21)]
    Path("in.jsonl").write_text("".join(json.dumps(click) + "\n" for click in clicks))
    for engine in ("compiled", "readable"):
        args = ("--input", "in.jsonl", "--output", f"{engine}.jsonl", "--engine", engine)
        assert command("run", growing, *args) == (0, "", "")
    rows = [lines(Path(f"{e}.jsonl").read_text()) for e in ("compiled", "readable")]
    assert rows[0] == rows[1]
    assert rows[0][-1]["output.list"]["this"] == {"x": 18, "y": 1}


def test_random_machines_follow_the_key(command):
    sb.save(sb.Machine({"n": "noise", "o": "output"}, ["o.x <- n.result"]), "noise.json")
    runs = [
        command("run", "noise.json", "--ticks", "5", "--key", key, "--engine", engine)
        for key, engine in (("1", "compiled"), ("1", "readable"), ("2", "compiled"))
    ]
    numbers = [[row["o.x"] for row in lines(run.out)] for run in runs]
    assert numbers[0] == pytest.approx(numbers[1])
    assert numbers[0] != numbers[2]


def test_neuron_types_of_your_own(command):
    Path("mine.py").write_text(
        "import snakebird as sb\n\n"
        "@sb.neuron\ndef cli_double(x):\n    return sb.vvalues.scale(2, x)\n"
    )
    command("list", "neurons", "cli_double", "--neurons", "mine.py")
    m = sb.Machine(
        {"n": "timer", "d": "cli_double", "o": "output"},
        ["n.timer <- n.timer", "d.x <- n.timer", "o.d <- d.result"],
    )
    sb.save(m, "mine.json")
    done = command("run", "mine.json", "--ticks", "4", "--neurons", "mine.py")
    assert [row["o.d"] for row in lines(done.out)] == [0, 0, 2, 4]


@pytest.mark.parametrize("engine", ["compiled", "readable"])
@pytest.mark.parametrize("output", ["-", "out.jsonl", "out.csv"])
def test_a_stream_that_explodes_keeps_what_was_before(command, engine, output):
    machine = sb.Machine(
        {"g": "accumulator", "o": "output"},
        [("g.accum", "g.result", 1e6), ("o.v", "g.result")],
        start={"g": {"result": 1.0}},
    )
    sb.save(machine, "blow.json")
    done = command("run", "blow.json", "--ticks", "60", "--engine", engine, "--output", output)
    assert done.code == 2
    first, second, third = done.err.splitlines()
    assert first == "error: o.v stops being a finite number"
    tick = int(second.removeprefix("  at tick "))
    kept = "stdout" if output == "-" else output
    assert third.endswith(f"; ticks 1 to {tick - 1} stand in {kept}")
    text = done.out if output == "-" else Path(output).read_text()
    assert len(text.splitlines()) == tick - 1 + output.endswith(".csv")
    assert "inf" not in text
    assert "nan" not in text
