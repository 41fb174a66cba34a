"""The parts of a page: panels that stand alone, their numbers, formulas, colored source, tables."""

import re
import xml.etree.ElementTree as ET
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snakebird.report import _figures as fig, _page
from snakebird.report._fit_page import _coefficients
from snakebird.report._formula import formula
from snakebird.report._highlight import highlighted
from snakebird.report._inline import panels_of, renamed, themed
from snakebird.report._model_source import model_source, model_words
from snakebird.report._repeat import command_line
from snakebird.synthesis import Law


def two() -> tuple[Figure, list[Axes]]:
    figure, (left, right) = fig.panels(2)
    x = np.linspace(1, 100, 7)
    left.fill_between(x, x - 1, x + 1, color=fig.color(1), label="_cold: band")
    left.plot(x, x, color=fig.color(0), label="_cold: model")
    left.plot(x, [np.nan, *x[1:]], "o", color="white", label="data")
    left.plot([50], [0.5], "|", color="0.2", transform=left.get_xaxis_transform(), label="visited")
    left.axhline(3, color="0.6")
    left.set(xlabel="time", title="x", xscale="log")
    table = np.arange(6.0).reshape(3, 2)
    map_ = right.pcolormesh([0.0, 1.0], [0.0, 1.0, 2.0], table, label="_z", rasterized=True)
    figure.colorbar(map_, ax=right)
    right.set(xlabel="a", ylabel="b")
    return figure, [left, right]


def test_every_series_is_there_with_its_numbers():
    left, right = panels_of(two()[0])
    known = {one["name"]: one for one in left.data["series"]}
    assert known.keys() == {"band", "model", "data"}
    assert {name: one["kind"] for name, one in known.items()} == {
        "band": "band", "model": "line", "data": "points",
    }  # fmt: skip
    assert (known["model"]["group"], "group" in known["data"]) == ("cold", False)
    x = np.linspace(1, 100, 7)
    np.testing.assert_allclose(known["model"]["x"], x, rtol=1e-4)
    np.testing.assert_allclose(known["data"]["y"], x[1:], rtol=1e-4)
    np.testing.assert_allclose(known["band"]["low"], x - 1, atol=1e-3)
    np.testing.assert_allclose(known["band"]["high"], x + 1, atol=1e-3)
    (cells,) = right.data["series"]
    assert (cells["x"], cells["y"]) == ([0, 1], [0, 1, 2])
    assert cells["z"] == [[0, 1], [2, 3], [4, 5]]


def test_values_lie_where_the_drawing_has_them():
    figure, _ = two()
    (panel, _) = panels_of(figure)
    root = ET.fromstring(panel.svg)
    x, y = panel.data["x"], panel.data["y"]
    assert x["log"]
    curve = next(one for one in panel.data["series"] if one["kind"] == "line")
    at = np.stack([x["a"] + x["b"] * np.log10(curve["x"]), y["a"] + y["b"] * np.array(curve["y"])])
    paths = [one.get("d", "") for one in root.iter("path") if "--s0" in one.get("style", "")]
    drawn = np.array([float(part) for part in re.findall(r"-?[\d.]+", paths[0])]).reshape(-1, 2).T
    np.testing.assert_allclose(at, drawn, atol=0.02)


def test_a_panel_refers_to_nothing_outside_itself():
    for number, panel in enumerate(panels_of(two()[0])):
        svg = renamed(panel.svg, f"p{number}-")
        names = re.findall(r'\bid="([^"]+)"', svg)
        used = {*re.findall(r"url\(#([^)]+)\)", svg), *re.findall(r'href="#([^"]+)"', svg)}
        assert used
        assert used == set(names)
        assert len(names) == len(set(names))
        assert all(name.startswith(f"p{number}-") for name in names)
        assert "<style" not in svg
        assert "<text" in svg
        assert not re.search(r"#[0-9a-f]{6}\b", svg)


def test_panels_beside_each_other_are_as_high():
    heights = [float(re.findall(r'viewBox="([^"]+)"', one.svg)[0].split()[3])
               for one in panels_of(two()[0])]  # fmt: skip
    assert heights[0] == heights[1]


def test_axes_that_cannot_be_read_are_drawn_all_the_same():
    figure, (axes,) = fig.panels(1)
    axes.plot([1, 2], [3, 4], label="x")
    axes.set_xscale("symlog")
    (panel,) = panels_of(figure)
    assert panel.data == {}
    assert 'class="panel"' in _page.picture("one", [panel], "nothing to hover over")


@pytest.mark.parametrize(
    ("color", "own"),
    [("#000000", "ink"), ("#666666", "soft"), ("#999999", "faint"), ("#ededed", "shade"),
     ("#ffffff", "paper"), ("#D55E00", "s1")],
)  # fmt: skip
def test_colors_of_the_page(color, own):
    assert themed(color) == f"var(--{own})"


LAWS = (
    "1.3*x - 0.9*x*y", "x*y/(2 + x)", "-x/2", "0.000013*x**2*y", "sin(x)*exp(-y)", "sqrt(x + y)",
    "x**(y + 1)", "(x - y)**2/(x*y)", "3", "1/x", "x*(y - 2)", "log(x)**2", "-(x + y)/(x - y)",
    "0", "2*x/3",
)  # fmt: skip


@pytest.mark.parametrize("text", LAWS)
def test_printed_laws_are_read_as_mathematics(text):
    line = str(Law(("x", "y"), ("rate_of_x",), {"rate_of_x": text}))
    math = formula(line)
    root = ET.fromstring(math)
    shown = "".join(root.itertext()).replace("−", "-")
    # All numbers and names, in their order; only signs may be drawn instead of written.
    parts = r"[^\W\d]\w*|\d+(?:\.\d+)?"
    assert re.findall(parts, re.sub(r"e-0?(\d)", r" 10 \1", line)) == re.findall(
        parts, " ".join(root.itertext()).replace("−", "-")
    )
    assert shown.count("(") == shown.count(")")
    assert len(list(root.iter("mfrac"))) == line.count("/")


def test_fractions_and_powers_stand_where_they_belong():
    assert formula("a = x y/(2 + x)") == (
        '<math><mi>a</mi><mo>=</mo><mfrac><mrow><mi>x</mi><mspace width="0.22em"/><mi>y</mi></mrow>'
        "<mrow><mn>2</mn><mo>+</mo><mi>x</mi></mrow></mfrac></math>"
    )
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in formula("a = 3 x^2")
    assert "<mo>(</mo>" in formula("a = x (1 - y)")
    assert "<mn>1.5</mn><mo>·</mo><msup><mn>10</mn><mn>−5</mn></msup>" in formula("a = 1.5e-05")


@pytest.mark.parametrize("text", ["", "x", "a = ", "a = (x", "a = x)", "a = x ! y", "a = f(x", "="])
def test_what_is_no_law_is_shown_as_it_is(text):
    assert formula(text) == ""
    assert _page.law(f"{text}<") == f'<div class="law"><code>{text}&lt;</code></div>'


@given(st.text(alphabet="def if(x):\n #'\"<&=_1") | st.text())
def test_colored_source_reads_as_the_source(text):
    html = highlighted(text, marked=["x", "def"])
    assert unescape(re.sub(r"</?(?:span|mark)[^>]*>", "", html)) == text


def test_source_is_colored_and_marked():
    html = highlighted('if self.hole("self.hole"):  # self.hole\n', marked=["self.hole"])
    assert html == (
        '<span class="k">if</span> <mark>self.hole</mark>(<span class="s">"self.hole"</span>):  '
        '<span class="c"># self.hole</span>\n'
    )


def test_tables_align_numbers_and_escape_texts():
    html = _page.table(["", "n", "note"], [["1", "1,200", "<1"], ["2", "−3.5e-07", "2"]])
    assert html.count('<td class="number">') == 2
    assert "<td>&lt;1</td>" in html
    assert "<thead>" not in _page.table(["", ""], [["a", "b"]])
    assert "<td><b>" in _page.table(["a"], [[_page.Html("<b>")]])


def test_numbers_cannot_end_the_script_they_stand_in():
    panels = panels_of(two()[0])
    data = {**panels[0].data, "x": {"name": "</script>"}}
    html = _page.picture("one", [panels[0]._replace(data=data)], "")
    assert html.count("</script>") == 1


class Model:
    """Decays,
    slowly.

    And so on.
    """

    def __call__(self, t, y, args):
        return -y


def test_the_source_of_a_model():
    assert model_source(Model()) == "def __call__(self, t, y, args):\n    return -y"
    assert model_words(Model()) == "Decays, slowly."
    assert model_source(lambda t, y, args: -y).startswith("assert model_source(lambda")
    assert model_source(Law(("x",), ("dx",), {"dx": "x"})) == ""
    assert model_words(Law(("x",), ("dx",), {"dx": "x"})) == ""
    namespace: dict = {}
    exec("class Typed:\n    def __call__(self, t, y, args): return -y", namespace)
    assert model_source(namespace["Typed"]()) == ""
    assert model_words(namespace["Typed"]()) == ""


def test_the_line_that_was_typed():
    asked = {"data": "my data.csv", "out": "runs/a", "seed": 0, "budget": None}
    line = command_line("snakebird fit", "a.py", asked, ("data", "out", "seed", "budget"))
    assert line == "snakebird fit a.py --data 'my data.csv' --out runs/a --seed 0"


def test_the_picture_of_the_readme_stands_alone():
    path = Path(__file__).parents[2] / "docs" / "pictures" / "front.svg"
    text = path.read_text("utf-8")
    ET.fromstring(text)
    assert path.stat().st_size < 300_000
    assert "@media (prefers-color-scheme: dark)" in text
    assert not re.search(r"href=|url\(|@import", text)


def test_coefficients_come_with_their_errors():
    law = Law("x", ("y",), {"y": "2*x - 3"}, errors={"y": {"x": 0.125, "1": (-3.5, -2.5)}})
    (table,) = _coefficients(law)
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in table.split("<tr>")]
    assert ["y", "constant", "-3", "-3.5 to -2.5"] in rows
    assert ["y", "x", "2", "0.12"] in rows
    assert _coefficients(Law("x", ("y",), {"y": "2*x"})) == []
