"""The demo: its parts are honest, and the whole of it tells and writes what it found."""

import csv
from pathlib import Path

import pytest

import snakebird as sb
from snakebird.cli import _demo
from snakebird.cli._search import simple, template, without_idle
from snakebird.machines import Link, Machine


def counter(**weights: float) -> Machine:
    w = {"delta": 1.0, "norm": 1.0, "relu": 1.0, "bias": -1.0, "dot": 1.0, "out": 1.0, **weights}
    return Machine(
        {
            "word": sb.source(tokens=("a", "b", "c", "d", "e", ".")),
            "one": "constant",
            "stop": sb.constant(value={".": 1.0}),
            "count": "accumulator",
            "norm": "max_norm",
            "inner": "inner",
            "relu": "relu",
            "output": "output",
        },
        [
            Link("count", "accum", ("count", "result"), trainable=False),
            ("count.delta", "word.signal", w["delta"]),
            ("norm.x", "count.result", w["norm"]),
            ("relu.x", ("norm", sb.max_norm.outputs[0]), w["relu"]),
            ("relu.x", "one.result", w["bias"]),
            ("inner.x", "count.result", 1.0),
            ("inner.y", "stop.result", w["dot"]),
            ("output.repeats", "relu.result", w["out"]),
            ("output.stops", ("inner", sb.inner.outputs[0]), 1 / w["dot"] / w["delta"]),
        ],
    )


def test_the_check_tells_right_from_wrong():
    assert _demo.is_exact(counter())
    assert not _demo.is_exact(counter(out=1.001))
    assert not _demo.is_exact(counter(bias=-2.0))


def test_simple_weights_compute_the_same():
    trained = counter(delta=-0.5, norm=-0.25, relu=2.0, bias=-0.25, dot=-3.0, out=4.0)
    assert _demo.is_exact(trained)
    plain = simple(trained)
    assert _demo.is_exact(plain)
    assert {abs(link.weight) for link in plain.links} == {1}
    uneven = {str(link.path[:2]): link.weight for link in simple(counter(out=1.3)).links}
    assert uneven["('output', 'repeats')"] == pytest.approx(1.3)


def test_idle_neurons_go_and_names_lose_their_numbers():
    bare = template(("a", ".")).unlink(*template(("a", ".")).links)
    kept = without_idle(bare.link("output.stops <- norm2.norm", "norm2.x <- word.signal"))
    assert set(kept.neurons) == {"word", "norm", "output"}
    assert [str(link) for link in kept.links] == [
        "norm.x <- word.signal",
        "output.stops <- norm.norm",
    ]
    both = without_idle(bare.link("output.stops <- norm2.norm", "output.stops <- norm1.norm"))
    assert {"norm1", "norm2"} <= set(both.neurons)


def test_plain_counting_comes_as_late_as_the_machine_knows():
    found = _demo.expected(["a", "a", ".", "a", "b", "b"])
    assert found == {"repeats": [0, 0, 0, 0, 0, 1], "stops": [0, 0, 0, 0, 0, 1]}


def test_the_license_is_found():
    words = _demo.words_of(_demo.license_text())
    assert {"license", "work", "."} <= set(words)
    assert len(words) > 1000


@pytest.mark.slow
def test_the_whole_demo(command):
    done = command("demo")
    assert done.code == 0, done.out + done.err
    assert done.out.splitlines()[0].startswith("snakebird demo:")
    assert "NOT equal" not in done.out
    assert done.out.count("all equal") == 2
    folder = Path("snakebird-demo")
    assert sorted(p.name for p in folder.iterdir()) == ["counts.csv", "diagram.svg", "machine.json"]
    machine = sb.load(folder / "machine.json")
    assert (
        sb.run(machine, inputs={"word": ["the", "the", "work", "."]}, ticks=8)["output.repeats"][-1]
        == 1
    )
    with open(folder / "counts.csv", newline="", encoding="utf-8") as file:
        counts = {row["word"]: int(row["count"]) for row in csv.DictReader(file)}
    words = _demo.words_of(_demo.license_text())
    assert counts == {word: words.count(word) for word in set(words)}
