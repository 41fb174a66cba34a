"""The demo: its parts are honest, and the whole of it tells and writes what it found."""

import csv
import errno
import re
from collections import Counter
from pathlib import Path

import pytest

import snakebird as sb
from snakebird.cli import _demo
from snakebird.errors import InputError

README = Path(__file__).parents[2] / "README.md"


def program(weight: float = 1) -> sb.Machine:
    links = ["counts.accum <- counts.result", ("match.y", "counts.result", weight)]
    return sb.Machine(
        {
            "word": sb.source(tokens=("a", "b")),
            "counts": "accumulator",
            "match": "inner",
            "output": "output",
        },
        [
            *links,
            sb.Link("counts", "delta", ("word", "signal"), instant=True),
            sb.Link("match", "x", ("word", "signal"), instant=True),
            sb.Link("output", "result", ("match", "dot"), instant=True),
        ],
    )


def exact(machine: sb.Machine) -> sb.Machine:
    """With the link from the counts at once, as the demo finds it."""
    kept = [link for link in machine.links if link.source != ("counts", "result")]
    own = sb.Link("counts", "accum", ("counts", "result"))
    at_once = sb.Link("match", "y", ("counts", "result"), instant=True)
    others = [link for link in kept if link not in (own, at_once)]
    return sb.Machine(machine.neurons, [own, at_once, *others])


@pytest.mark.parametrize(("right", "said"), [(True, "all equal"), (False, "NOT equal")])
def test_reading_the_license_tells_right_from_wrong(tmp_path, capsys, right, said):
    machine = exact(program()) if right else program(2)
    sb.save(machine, tmp_path / "best.json")
    assert _demo.read_license(tmp_path) == (0 if right else 1)
    assert capsys.readouterr().out.rstrip().endswith(said)
    with open(tmp_path / "counts.csv", newline="", encoding="utf-8") as file:
        counts = {row["word"]: int(row["count"]) for row in csv.DictReader(file)}
    assert counts == Counter(_demo.words_of(_demo.license_text()))


def test_the_license_is_found():
    words = _demo.words_of(_demo.license_text())
    assert {"license", "work"} <= set(words)
    assert len(words) > 1000


def test_a_folder_that_takes_no_files(tmp_path, monkeypatch):
    def full(*args: object, **options: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="cannot write here: No space left"):
        _demo.law(tmp_path, 0)


@pytest.mark.slow
def test_the_whole_demo(command):
    done = command("demo")
    assert done.code == 0, done.out + done.err
    assert done.out.splitlines()[0].startswith("snakebird demo:")
    laws = done.out[done.out.index("Laws for eaten") :].splitlines()
    assert laws[2].endswith("eaten = 0.028 hare lynx")
    assert "proven for all inputs" in done.out
    shown = re.search(r"```text\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert shown
    # The last digits of a weight are those of the machine's arithmetic.
    form = lambda text: [re.sub(r"\d+(\.\d+)?", "0", line) for line in text.splitlines()]
    assert set(form(shown[1])) <= set(form(done.out))
    assert "all equal" in done.out
    folder = Path("runs/demo")
    assert {p.name for p in folder.iterdir()} >= {"lynx_hare.py", "word_count.py"}
    assert (folder / "lynx_hare" / "report.html").stat().st_size > 10_000
    assert (folder / "word_count" / "report.html").stat().st_size > 10_000
    machine = sb.load(folder / "word_count" / "best.json")
    assert sb.run(machine, inputs={"word": ["a", "b", "a"]}, ticks=3)["output.result"][-1] == 2
