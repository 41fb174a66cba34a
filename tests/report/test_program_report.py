"""The page of a found program says what was asked, what was found, and what speaks for it."""

import json
import re
import runpy
from dataclasses import replace
from fractions import Fraction
from html import unescape
from pathlib import Path

import numpy as np
import pytest

import snakebird as sb
from snakebird.errors import InputError
from snakebird.report import program_report, write_program
from snakebird.report._example_plots import draw_example
from snakebird.report._inline import panels_of
from snakebird.report._program_page import program_page
from snakebird.report._search_history import Search, draw_search, search_folder
from snakebird.synthesis.programs import Attempt, Evidence, Examples, Found, Proof, Verdict, verify


@sb.machine
def total(x):
    return {"result": sb.instant(sb.accumulate(sb.instant(x)))}


EXAMPLES = Examples.of(
    [([k, None, Fraction(1, 2)], [k, None, k + Fraction(1, 2)]) for k in range(8)]
    + [([1] * 30, [*range(1, 31)])]
)


def found(**changed) -> Found:
    evidence = Evidence(
        (Attempt("grow", 1.25, 3, 1), Attempt("train", 20.0, note="<no> luck")),
        "Examples: 8",
        (("10 times as long", Verdict(True, 1200, 300, 12345)),),
        21.25,
        7,
        2,
        1.0,
    )
    return replace(Found(total, True, EXAMPLES, evidence), **changed)


def cells(page: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    cell = re.compile(r"<t[dh](?: [^>]*)?>(.*?)</t[dh]>", re.DOTALL)
    return [[unescape(text) for text in cell.findall(row)] for row in rows]


def words_of(page: str) -> str:
    """What is read on a page."""
    return unescape(re.sub(r"<[^>]*>", "", re.sub(r"(?s)<(style|script).*?</\1>", "", page)))


def page_of(found: Found) -> str:
    return program_page(found, Search({}, ()))


def test_the_page_says_all_and_needs_no_other_file(tmp_path):
    path = program_report(found(), tmp_path / "new" / "page.html")
    assert path == tmp_path / "new" / "page.html"
    text = path.read_text("utf-8")
    words = words_of(text)
    assert "An exact program of 3 links, verified on 1,200 examples it never saw" in words
    assert sb.machines.to_source(total).rstrip() in words
    assert found().python.rstrip() in words
    assert "9 examples of 3 to 30 ticks. Answers must be exactly equal." in words
    assert "... and 3 more." in words
    assert "2 failing examples went back into the search." in words
    assert "with seed 7" in words
    rows = cells(text)
    assert ["x", "input", "number"] in rows
    assert ["result", "output", "number"] in rows
    assert ["1", "x", "0 · 1/2"] in rows
    assert ["2", "result", "1 · 3/2"] in rows
    assert ["grow", "1.2", "3", "1", ""] in rows
    assert ["train", "20.0", "0", "0", "<no> luck"] in rows
    assert ["10 times as long", "yes", "1,200", "300", "12,345", ""] in rows
    assert any(row[0] == "snakebird" for row in rows)
    assert text.count("<figure>") == text.count("<figcaption>") == 2
    assert len(re.findall(r'<svg [^>]*aria-label="[^"]+"', text)) == 3
    assert not re.search(r"\b(src|srcset)=|@import|url\((?!#)", text)
    assert not re.search(r'href="(?!#)', text)
    order = ["What was found", "The question", "The examples", "Evidence", "What is not known"]
    places = [words.index(f"{title}\n") for title in [*order, "How to repeat it"]]
    assert places == sorted(places)
    assert "found = sb.synthesize(examples, seed=7)" in words


def test_long_examples_are_cut_and_odd_values_are_told():
    tokens = Examples.of([(["a", " ", "\n", None] + ["b"] * 30, [{}] * 33 + [{"a": {"b": 1}}])])
    rows = cells(page_of(found(examples=replace(tokens, tolerance=0.5, latency=2))))
    (shown,) = [row[2] for row in rows if row[:2] == ["1", "x"]]
    assert shown.startswith("a ' ' '\\n' · b b")
    assert shown.endswith("b ...")
    (answers,) = [row[2] for row in rows if row[:2] == ["1", "result"]]
    assert answers == " ".join(["0"] * 24) + " ..."
    last = Examples.of([(["a"], [{"a": {"b": 1}}])])
    page = words_of(page_of(found(examples=replace(last, tolerance=0.5, latency=2))))
    assert "{a: {b: 1}}" in page
    assert "Numbers may be off by 0.5. They may come 2 ticks late." in page


def test_a_program_that_fails_says_where():
    wrong = total.replace(links=[link.scaled(2 * link.weight) for link in total.links])
    failure = verify(wrong, EXAMPLES).failure
    assert failure is not None
    best = found(machine=wrong, exact=False, failure=failure, interrupted="interrupted")
    text = words_of(page_of(best))
    assert "No exact program was found in 21 s" in text
    assert f"It fails first at {failure}." in text
    assert "The search was interrupted" in text


def test_a_proof_is_told(tmp_path):
    proven = found(proof=Proof(True, "induction", invariants=("result = state",)))
    assert "Proven for all inputs, by induction over ticks:\n  result = state." in words_of(
        page_of(proven)
    )
    write_program(proven, tmp_path)
    evidence = json.loads((tmp_path / "evidence.json").read_text("utf-8"))
    assert evidence["proof"] == str(proven.proof)


def test_the_folder_has_every_form_of_the_program(tmp_path):
    page = write_program(found(), tmp_path / "run")
    assert page == tmp_path / "run" / "report.html"
    folder = page.parent
    assert {path.name for path in folder.iterdir()} == {
        "best.json",
        "diagram.svg",
        "evidence.json",
        "program.py",
        "report.html",
        "standalone.py",
    }
    assert sb.load(folder / "best.json") == total
    assert runpy.run_path(str(folder / "program.py"))["total"].links == total.links
    program = runpy.run_path(str(folder / "standalone.py"))["total"]
    assert program([1, None, 2])["result"] == [1, 1, 3]
    evidence = json.loads((folder / "evidence.json").read_text("utf-8"))
    assert (evidence["exact"], evidence["links"], evidence["seed"]) == (True, 3, 7)
    assert evidence["tried"][0] == {
        "method": "grow",
        "seconds": 1.25,
        "candidates": 3,
        "exact": 1,
        "note": "",
    }
    assert evidence["verified"][0]["ticks"] == 12345
    assert "snakebird" in evidence["versions"]


def test_what_cannot_be_made_of_a_machine_is_left_out(tmp_path):
    write_program(found(), tmp_path)
    nothing = sb.Machine({**EXAMPLES.sources(), "output": "output"})
    write_program(found(machine=nothing, exact=False), tmp_path)
    assert not (tmp_path / "standalone.py").exists()
    assert "nothing but Python" not in (tmp_path / "report.html").read_text("utf-8")


def test_the_history_of_the_search_is_drawn(tmp_path):
    about = {"seed": 7, "examples": 9, "streams": dict(EXAMPLES.streams), "starts": 32}
    steps = [
        {"time": 0.1, "stage": "method", "method": "grow"},
        {"time": 1.0, "stage": "verified", "links": 5},
        {"time": 2.5, "stage": "verified", "links": 3},
    ]
    (tmp_path / "config.json").write_text(json.dumps(about))
    lines = [*map(json.dumps, steps), '{"time": 3.0, "sta']
    (tmp_path / "history.jsonl").write_text("\n".join(lines))
    search = search_folder(tmp_path, found())
    assert search.steps == tuple(steps)
    figure = draw_search(search, 4.0)
    assert figure is not None
    best, each = figure.axes[0].get_lines()[:2]
    np.testing.assert_array_equal(best.get_ydata(), [5, 3, 3])
    np.testing.assert_array_equal(each.get_xdata(), [1.0, 2.5])
    words = words_of(write_program(found(), tmp_path).read_text("utf-8"))
    assert 'examples = sb.Examples.read("examples.jsonl")' in words
    assert "sb.synthesize(examples, seed=7, starts=32)" in words
    assert "links the shortest of them had" in words


@pytest.mark.parametrize("text", ["", "[]", '{"seed": 8}', "{"])
def test_the_history_of_another_search_is_not(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    (tmp_path / "history.jsonl").write_text('{"time": 1.0, "stage": "verified", "links": 5}\n')
    assert search_folder(tmp_path, found()) == Search({}, ())
    assert draw_search(Search({}, ()), 1.0) is None


def test_an_example_is_drawn_tick_by_tick():
    examples = Examples.of([({"x": "ab"}, {"n": [1.5, None], "v": [1, 2]})])
    tokens, numbers, answers = examples_drawn(examples)
    assert tokens["y"]["names"] == ["a", "b"]
    assert tokens["series"][0]["y"] == [0, 1]
    assert (numbers["series"][0]["x"], numbers["series"][0]["y"]) == ([0], [1.5])
    assert answers["series"][0]["y"] == [1, 2]
    assert draw_example(Examples.of([(["a"], [{"a": {"b": 1}}])])) is not None
    assert draw_example(Examples.of([([{"a": 1}], [{"a": {"b": 1}}])])) is None


def examples_drawn(examples: Examples) -> list[dict]:
    figure = draw_example(examples)
    assert figure is not None
    return [panel.data for panel in panels_of(figure)]


@pytest.mark.parametrize("write", [program_report, write_program])
def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, write):
    taken = tmp_path / "taken"
    taken.write_text("")
    place = taken / "page.html" if write is program_report else taken
    with pytest.raises(InputError, match="cannot write here: ") as caught:
        write(found(), place)
    assert caught.value.where == str(taken)
    assert caught.value.hint == "choose another folder"


def test_a_folder_is_no_page(tmp_path):
    with pytest.raises(InputError, match="cannot write here: Is a directory"):
        program_report(found(), tmp_path)
    assert not list(tmp_path.parent.glob("*.tmp"))
