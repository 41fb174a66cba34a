"""The page of a found program says what was asked, what was found, and what speaks for it."""

import base64
import json
import re
import runpy
from dataclasses import replace
from fractions import Fraction
from html import unescape
from pathlib import Path

import pytest

import snakebird as sb
from snakebird.errors import InputError
from snakebird.report import program_report, write_program
from snakebird.synthesis.programs import Attempt, Evidence, Examples, Found, Verdict, verify


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
    return [[unescape(cell) for cell in re.findall(r"<t[dh]>(.*?)</t[dh]>", row)] for row in rows]


def test_the_page_says_all_and_needs_no_other_file(tmp_path):
    path = program_report(found(), tmp_path / "new" / "page.html")
    assert path == tmp_path / "new" / "page.html"
    text = path.read_text("utf-8")
    words = unescape(text)
    assert "An exact program of 3 links, verified on 1,200 examples it never saw" in words
    assert sb.to_source(total).rstrip() in words
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
    (image,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', text)
    assert base64.b64decode(image).startswith(b"<svg ")
    assert "http" not in re.sub(r'src="data:[^"]+"', "", text)


def test_long_examples_are_cut_and_odd_values_are_told():
    from snakebird.report._program_report import _page_of

    tokens = Examples.of([(["a", " ", "\n", None] + ["b"] * 30, [{}] * 33 + [{"a": {"b": 1}}])])
    rows = cells(_page_of(found(examples=replace(tokens, tolerance=0.5, latency=2))))
    (shown,) = [row[2] for row in rows if row[:2] == ["1", "x"]]
    assert shown.startswith("a ' ' '\\n' · b b")
    assert shown.endswith("b ...")
    (answers,) = [row[2] for row in rows if row[:2] == ["1", "result"]]
    assert answers == " ".join(["0"] * 24) + " ..."
    last = Examples.of([(["a"], [{"a": {"b": 1}}])])
    page = unescape(_page_of(found(examples=replace(last, tolerance=0.5, latency=2))))
    assert "{a: {b: 1}}" in page
    assert "Numbers may be off by 0.5. They may come 2 ticks late." in page


def test_a_program_that_fails_says_where():
    from snakebird.report._program_report import _page_of

    wrong = total.replace(links=[link.scaled(2 * link.weight) for link in total.links])
    failure = verify(wrong, EXAMPLES).failure
    assert failure is not None
    best = found(machine=wrong, exact=False, failure=failure, interrupted="interrupted")
    text = unescape(_page_of(best))
    assert "No exact program was found in 21 s" in text
    assert f"It fails first at {failure}." in text
    assert "The search was interrupted" in text


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
