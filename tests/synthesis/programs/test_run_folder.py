"""A folder beside a search: what a checkpoint holds, to whom it belongs, what stands in it."""

import json
import math
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

import snakebird as sb
from snakebird.errors import FileFormatError, InputError, SnakebirdError
from snakebird.synthesis.programs import Attempt, Examples, Integers, synthesize, verify
from snakebird.synthesis.programs._checkpoint import (
    Pass,
    Progress,
    Writer,
    name_of,
    packed,
    read,
    unpacked,
)
from snakebird.synthesis.programs._run_folder import RunFolder, question_of

EXAMPLES = Examples.of([([1, 2, 1], [1, 3, 4])])
ASKED = {"methods": ("grow",), "template": None, "starts": 8, "seed": 0, "budget": 9.0}

NUMBERS = st.one_of(
    st.integers(),
    st.fractions().filter(lambda x: x.denominator > 1),
    st.floats(allow_nan=False),
    st.integers(2**5000, 2**5001),
)
VALUES = st.one_of(
    st.none(),
    st.text(),
    NUMBERS,
    st.recursive(NUMBERS, lambda leaf: st.dictionaries(st.text(), leaf, max_size=3), max_leaves=4),
    st.just({"/": 1, "0x": 2}),
    st.just({"/": {"0x": Fraction(1, 2**5000)}}),
)


@sb.machine
def echo(x):
    return {"result": sb.instant(x)}


@given(VALUES)
def test_values_are_packed_exactly(value):
    back = unpacked(json.loads(json.dumps(packed(value))))
    assert back == value
    assert type(back) is type(value)


def test_a_checkpoint_holds_what_a_search_knows():
    fractions = Examples.of([([Fraction(1, 3), None], [{}, None])])
    failure = verify(echo, fractions).failure
    assert failure is not None
    half = echo.replace(links=[link.scaled(Fraction(1, 2)) for link in echo.links])
    progress = Progress(
        [half],
        [(echo, failure)],
        [Attempt("grow", 1.5, 3, 1, "a note")],
        [fractions[0]],
        {"grow": None, "train": 30.0},
        12.5,
        3.25,
        0.5,
        Pass("grow", 1, 2, 3, [name_of(echo)]),
        half,
        0.125,
        17,
    )
    question, back = read(Writer().text(progress, "who"), "a file")
    assert question == "who"
    assert back == progress
    assert back.verified[0].links[0].weight == Fraction(1, 2)
    assert back.rejected[0][1].example.where == fractions[0].where


def test_a_method_is_done_within_the_budget_it_had():
    progress = Progress(finished={"grow": None, "train": 30.0})
    budgets = {"grow": 1e9, "train": 30.0, "automaton": 1.0}
    assert [progress.is_done(*pair) for pair in budgets.items()] == [True, True, False]
    assert not progress.is_done("train", 31.0)


def test_machines_that_no_file_holds_are_left_out():
    machine = sb.Machine(
        {"n": sb.Neuron(sb.clip, {"low": -1.0, "high": math.inf}), "output": "output"}, []
    )
    _, back = read(Writer().text(Progress([machine, echo]), ""), "")
    assert back.verified == [echo]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"verified": 3}', "null"])
def test_what_is_no_checkpoint_is_told(text):
    with pytest.raises(FileFormatError) as caught:
        read(text, "a folder/checkpoint.json")
    assert caught.value.args[0] == (
        "this is no checkpoint of a search\n"
        "  at a folder/checkpoint.json\n"
        "  hint: leave out resume to begin anew"
    )


def test_a_folder_belongs_to_one_question(tmp_path):
    RunFolder.begin(tmp_path, EXAMPLES, ASKED).close()
    folder, known = RunFolder.resume(tmp_path, EXAMPLES, {**ASKED, "budget": 99.0})
    folder.close()
    assert known == Progress()
    assert folder.shortest is None
    assert json.loads((tmp_path / "config.json").read_text("utf-8"))["budget"] == 99.0
    others = [
        (Examples.of([([1, 2, 1], [1, 3, 5])]), ASKED),
        (EXAMPLES, {**ASKED, "seed": 1}),
        (EXAMPLES, {**ASKED, "template": echo}),
    ]
    for examples, asked in others:
        with pytest.raises(InputError, match="belongs to other examples or other options"):
            RunFolder.resume(tmp_path, examples, asked)


def test_a_reference_is_part_of_the_question():
    asked = [
        Examples.from_reference(reference, {"x": Integers(0, 9)}, length=1, count=1)
        for reference in (lambda x: x, lambda x: [sum(x[: t + 1]) for t in range(len(x))])
    ]
    assert asked[0].items == asked[1].items
    marks = [question_of(examples, ASKED) for examples in asked]
    assert marks[0] != marks[1]
    assert marks[0] == question_of(asked[0], ASKED)


def test_a_new_search_leaves_nothing_of_the_old_one(tmp_path):
    folder = RunFolder.begin(tmp_path, EXAMPLES, ASKED)
    folder.note("verified", {"machine": echo, "links": 1}, 1.0)
    assert sb.load(tmp_path / "best.json") == echo
    folder.note("verified", {"machine": echo.link("output.y <- x.signal"), "links": 2}, 2.0)
    assert sb.load(tmp_path / "best.json") == echo  # the shorter one stays
    folder.save(Progress())
    folder.close()
    thirds = Examples.of([([Fraction(1, 3)], [1])])
    RunFolder.begin(tmp_path, thirds, ASKED).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.json",
        "config.json",
        "examples.csv",  # JSON holds no 1/3
    ]
    assert Examples.read(tmp_path / "examples.csv").items == thirds.items


def test_examples_that_no_file_holds_are_left_out(tmp_path):
    both = Examples.of([([{"a": Fraction(1, 3)}], [1])])
    RunFolder.begin(tmp_path, both, ASKED).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.json", "config.json"]


def test_lines_after_the_checkpoint_are_left_out(tmp_path):
    folder = RunFolder.begin(tmp_path, EXAMPLES, ASKED)
    folder.note("train", {"round": 1, "machine": echo, "things": (1, None)}, 1.23456)
    folder.save(Progress())
    folder.note("train", {"round": 2}, 2.0)
    folder.close()
    with (tmp_path / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"time":')
    RunFolder.resume(tmp_path, EXAMPLES, ASKED)[0].close()
    (line,) = (tmp_path / "history.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line) == {
        "time": 1.235,
        "stage": "train",
        "round": 1,
        "machine": sb.machines.to_source(echo),
        "things": [1, None],
    }


def test_what_stands_in_the_history_is_not_noted_again(tmp_path):
    folder = RunFolder.begin(tmp_path, EXAMPLES, ASKED)
    told = []
    look = folder.looking(lambda stage, known: told.append(stage), lambda: 0.0)
    folder.quiet = True
    look("grow", {})
    folder.quiet = False
    look("train", {})
    folder.close()
    assert told == ["grow", "train"]
    noted = (tmp_path / "history.jsonl").read_text("utf-8")
    assert noted == '{"time": 0.0, "stage": "train"}\n'


def test_folders_that_cannot_be(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="cannot write here: File exists"):
        synthesize(EXAMPLES, out=tmp_path / "taken")
    with pytest.raises(InputError, match="there is no checkpoint"):
        synthesize(EXAMPLES, out=tmp_path / "new", resume=True)
    with pytest.raises(SnakebirdError, match="there is no folder to resume from"):
        synthesize(EXAMPLES, resume=True)
