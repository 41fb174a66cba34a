"""Drawings of machines: complete, well formed, and nothing on top of anything else."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given

import snakebird as sb
from snakebird.machines import Link, Machine
from snakebird.report import to_mermaid, to_svg
from snakebird.report._boxes import shared_ones
from snakebird.report._diagram import _printable
from snakebird.report._geometry import lay_out
from snakebird.testing import machines

SVG = "{http://www.w3.org/2000/svg}"


@sb.machine
def detector(char: sb.Tokens("abc .")):
    counts = sb.accumulate(char)
    return {"duplicate": sb.relu(sb.max_norm(counts) - 1), "end": sb.inner(counts, {".": 1})}


def texts(svg: str, kind: str) -> list[str]:
    root = ET.fromstring(svg)
    return [t.text or "" for t in root.iter(f"{SVG}text") if t.get("class", "").startswith(kind)]


@given(machines(max_neurons=8))
def test_a_drawing_is_well_formed_and_complete(machine: Machine):
    svg = to_svg(machine)
    root = ET.fromstring(svg)
    titles = [title.text or "" for title in root.iter(f"{SVG}title")]
    drawing = lay_out(machine)
    drawn = [link for route in drawing.routes for link in route.links]
    shared = shared_ones(machine)
    written = [link for link in machine.links if link.source[0] in shared]
    assert sorted(map(str, [*drawn, *written])) == sorted(map(str, machine.links))
    assert set(texts(svg, "sbd-name")) == {_printable(box.title) for box in drawing.boxes}
    assert len(titles) == 1 + len(drawing.boxes) + len(drawing.routes)
    assert svg == to_svg(machine)


@given(machines(max_neurons=8))
def test_boxes_do_not_overlap_and_stay_inside(machine: Machine):
    drawing = lay_out(machine)
    for k, a in enumerate(drawing.boxes):
        assert a.x >= 0
        assert a.y >= -1e-6
        assert a.x + a.width <= drawing.width
        assert a.y + a.height <= drawing.height
        for b in drawing.boxes[k + 1 :]:
            beside = a.x + a.width <= b.x or b.x + b.width <= a.x
            below = a.y + a.height <= b.y + 1e-6 or b.y + b.height <= a.y + 1e-6
            assert beside or below, (a.name, b.name)


@given(machines(max_neurons=8))
def test_lines_run_right_unless_they_lead_back(machine: Machine):
    for route in lay_out(machine).routes:
        (start, _), (end, _) = route.points[0], route.points[-1]
        assert route.back == (start >= end)
        if not route.back:
            across = [x for x, _ in route.points]
            assert across == sorted(across)


def test_instant_links_always_run_right():
    with sb.Builder() as b:
        x = sb.identity(name="x")
        y = sb.identity(sb.instant(x), name="y")
        x.feed(x=y)
    back = {str(r.links[0]): r.back for r in lay_out(b.machine).routes}
    assert back == {"x.x <- y.result": True, "y.x <- x.result (instant)": False}


def test_what_stands_in_a_drawing():
    svg = to_svg(detector)
    names = {"char", "counts", "max_norm", "inner", "relu", "constant", "output"}
    assert set(texts(svg, "sbd-name")) == names
    assert texts(svg, "sbd-number") == ["-1"]
    assert {"source, 5 tokens", "carries the last tick's value", "not trained"} <= set(
        texts(svg, "sbd-type")
    )
    assert {"accum", "delta", "duplicate", "end"} <= set(texts(svg, "sbd-port"))


def test_weights_and_parts_stand_beside_their_links():
    @sb.machine
    def m(x: sb.Numbers("a", "b")):
        y = sb.tanh(0.5 * x["a"] - 0.25 * x["b"])
        return -2 * y

    assert texts(to_svg(m), "sbd-label") == ["-2", "0.5 [a], -0.25 [b]"]


def test_the_legend_says_only_what_is_shown():
    link = Link("n", "x", ("n", "result"), -1, instant=False)
    plain = Machine({"n": "relu"}, [link])
    assert texts(to_svg(plain), "sbd-type") == [
        "relu",
        "carries the last tick's value",
        "negative weight",
    ]
    carrier = plain.replace(matrix_from=("n", "result"))
    assert texts(to_svg(carrier), "sbd-type")[-1] == "carries the matrix"


def test_labels_do_not_meet():
    many = {f"n{k}": "relu" for k in range(12)}
    links = [Link("n11", "x", (f"n{k}", "result"), 0.5 + k) for k in range(11)]
    places = [r.label_at for r in lay_out(Machine(many, links)).routes if r.label_at]
    assert len(places) == 11
    for k, (x, y) in enumerate(places):
        for to_x, to_y in places[k + 1 :]:
            assert abs(x - to_x) > 16 or abs(y - to_y) >= 16


def test_light_and_dark_and_odd_names():
    svg = to_svg(Machine({'<b>"&\x00': "relu", "名前": "relu"}, name="a<b"))
    assert "@media (prefers-color-scheme: dark)" in svg
    assert texts(svg, "sbd-name") == ['<b>"&·', "名前"]
    assert ET.fromstring(svg).get("aria-label") == "a<b"


def test_an_empty_machine_is_drawn():
    ET.fromstring(to_svg(Machine({})))


def test_mermaid():
    with sb.Builder() as b:
        x = sb.source(tokens=("a",), name='x "<1>"')
        y = sb.relu(0.5 * x["a"] + sb.instant(x) - 1, name="y")
        sb.carries_matrix(y)
    assert to_mermaid(b.machine) == (
        "flowchart LR\n"
        '  n0(["<b>x #34;#60;1#62;#34;</b><br/>source"])\n'
        '  n1["<b>y</b><br/>relu"]\n'
        '  n2["<b>one</b><br/>constant"]\n'
        '  n2 -->|"result → x: -1"| n1\n'
        '  n0 -.->|"signal → x"| n1\n'
        '  n0 -->|"signal → x: 0.5 [a]"| n1\n'
        "  style n1 stroke-width:3px\n"
    )


@given(machines(max_neurons=4))
def test_mermaid_has_a_line_for_everything(machine: Machine):
    lines = to_mermaid(machine).split("\n")
    extra = 2 + (machine.matrix_from is not None)
    assert len(lines) == extra + len(machine.neurons) + len(machine.links)


@pytest.mark.parametrize("count", [3, 40])
def test_a_long_chain_is_one_row(count: int):
    names = [f"n{k}" for k in range(count)]
    links = [Link(b, "x", (a, "result")) for a, b in pairwise(names)]
    boxes = lay_out(Machine(dict.fromkeys(names, "relu"), links)).boxes
    assert {round(box.y, 6) for box in boxes} == {0.0}
    assert [box.column for box in boxes] == list(range(count))
