"""Pages as a reader meets them: hovered, zoomed, in the dark, on a phone, without scripts."""

import json
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

import snakebird as sb
from snakebird.report import _figures as fig, _page, write_program, write_report
from snakebird.report._inline import panels_of
from snakebird.synthesis.programs import Evidence, Examples, Found, Verdict

CHROMIUM = shutil.which("chromium")
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed here"),
]


class Decay(eqx.Module):
    """What is there decays."""

    rate: sb.Positive

    def __call__(self, t, y, args):
        return {"x": -self.rate * y["x"]}


def decay() -> sb.fitting.Fit:
    times = np.linspace(0, 3, 8)
    data = sb.Trajectories.of(times, {"x": 2 * np.exp(-0.5 * times)})
    noise = sb.fitting.Gaussian(0.01)
    options = {"stages": ["trajectories"], "starts": 1, "rounds": 1}
    return sb.fit(Decay(sb.Positive(0.4)), data, noise=noise, **options)


@sb.machine
def score(x: sb.Tokens("abc")):
    counts = sb.accumulate(sb.instant(x["a"] - 0.5 * x["b"]))
    return {"result": sb.instant(counts)}


def program() -> Found:
    examples = Examples.of([("abca", [1, 0.5, 0.5, 1.5]), ("bb", [-0.5, -1])])
    verdicts = (("10 times as long", Verdict(True, 1200, 300, 12345)),)
    return Found(score, True, examples, Evidence((), "Examples: 2", verdicts, 1.0, 0))


def heat_map() -> str:
    """A page of one map of a + 10 b."""
    figure, (axes,) = fig.panels(1)
    a, b = np.arange(4.0), np.arange(1.0, 4.0)
    table = a + 10 * b[:, None]
    image = axes.pcolormesh(a, b, table, label="_z", rasterized=True)
    figure.colorbar(image, ax=axes)
    axes.set(title="z", xlabel="a", ylabel="b")
    return _page.page("A map", [_page.picture("map", panels_of(figure), "z is a + 10 b")])


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "map.html").write_text(heat_map(), "utf-8")
    return {
        "map": folder / "map.html",
        "fit": write_report(decay(), folder / "fit"),
        "program": write_program(program(), folder / "program"),
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as tool:
        own = tool.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield own
        own.close()


class Reader:
    """Opens pages, and notes what they complain of and what they ask the world for."""

    def __init__(self, browser: Browser, places: dict[str, Path]):
        self.browser, self.places = browser, places
        self.complaints: list[str] = []
        self.asked: list[str] = []

    def open(self, name: str, **context: Any) -> Page:
        context = {"viewport": {"width": 1100, "height": 800}, **context}
        page = self.browser.new_context(**context).new_page()
        page.route("**/*", self._only_files)
        page.on("console", lambda one: self.complaints.append(one.text))
        page.on("pageerror", lambda one: self.complaints.append(str(one)))
        page.goto(self.places[name].as_uri())
        return page

    def _only_files(self, route: Any) -> None:
        url = route.request.url
        if url.startswith("file:"):
            route.continue_()
        else:
            self.asked.append(url)
            route.abort()


@pytest.fixture
def reader(browser, places) -> Iterator[Reader]:
    own = Reader(browser, places)
    yield own
    for context in browser.contexts:
        context.close()
    assert own.complaints == []
    assert own.asked == []


def panel(page: Page, about: str) -> Locator:
    found = page.locator(".panel", has=page.locator(f'svg[aria-label="{about}"]')).first
    found.scroll_into_view_if_needed()
    return found


def numbers(own: Locator) -> dict[str, Any]:
    return json.loads(own.locator("script").text_content() or "")


def series(own: Locator, name: str) -> dict[str, Any]:
    return next(one for one in numbers(own)["series"] if one["name"] == name)


def where(own: Locator, x: float, y: float) -> tuple[float, float]:
    """Where on the screen a value stands."""
    data = numbers(own)
    at = [data[axis]["a"] + data[axis]["b"] * value for axis, value in (("x", x), ("y", y))]
    told = own.locator("svg").evaluate(
        "(svg, at) => { const p = new DOMPoint(...at).matrixTransform(svg.getScreenCTM());"
        " return [p.x, p.y]; }",
        at,
    )
    return told[0], told[1]


def view(own: Locator) -> list[float]:
    return [float(part) for part in (own.locator("svg").get_attribute("viewBox") or "").split()]


def contrast(colors: list[str]) -> float:
    """Of two colors as the browser tells them, by the formula of WCAG 2."""
    levels = []
    for color in colors:
        channels = np.array([float(part) for part in re.findall(r"[\d.]+", color)[:3]]) / 255
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        levels.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(levels) + 0.05) / (min(levels) + 0.05)


def test_hovering_tells_the_value_of_the_nearest_point(reader):
    page = reader.open("fit")
    own = panel(page, "x against time")
    data = series(own, "data")
    page.mouse.move(*where(own, data["x"][3], data["y"][3]))
    assert (
        own.locator(".tip").inner_text() == f"data\ntime {data['x'][3]:.5g}\nx {data['y'][3]:.5g}"
    )
    assert data["y"][3] == pytest.approx(2 * np.exp(-0.5 * data["x"][3]), abs=1e-4)
    x, y = where(own, data["x"][3], data["y"][3])
    ring = own.locator(".ring").bounding_box()
    assert ring is not None
    assert ring["x"] + ring["width"] / 2 == pytest.approx(x, abs=1)
    assert ring["y"] + ring["height"] / 2 == pytest.approx(y, abs=1)
    page.mouse.move(5, 5)
    assert own.locator(".tip").inner_text() == ""


def test_a_curve_is_told_with_its_band(reader):
    page = reader.open("fit")
    own = page.locator(".panel", has=page.locator("svg")).nth(1)
    own.scroll_into_view_if_needed()
    curve = series(own, "model")
    k = next(k for k, x in enumerate(curve["x"]) if 1.0 < x < 1.1)
    page.mouse.move(*where(own, curve["x"][k], curve["y"][k]))
    text = own.locator(".tip").inner_text()
    assert text.startswith("model\n")
    low, high = map(float, re.findall(r"observations: (\S+) to (\S+)", text)[0])
    told = float(re.findall(r"^x (\S+)", text, re.MULTILINE)[0])
    assert (low + 0.02, high - 0.02) == pytest.approx((told, told), abs=1e-3)


def test_a_heat_map_tells_the_cell_under_the_pointer(reader):
    page = reader.open("map")
    own = page.locator(".panel")
    page.mouse.move(*where(own, 2.2, 2.9))
    assert own.locator(".tip").inner_text() == "a 2\nb 3\nz 32"
    page.mouse.move(*where(own, -0.3, 1.3))
    assert own.locator(".tip").inner_text() == "a 0\nb 1\nz 10"


def test_the_wheel_zooms_where_the_pointer_is_and_reset_resets(reader):
    page = reader.open("fit")
    own = panel(page, "x against time")
    home = view(own)
    data = series(own, "data")
    place = where(own, data["x"][4], data["y"][4])
    page.mouse.move(place[0] - 3, place[1])
    page.mouse.move(*place)
    for _ in range(4):
        page.mouse.wheel(0, -120)
    page.wait_for_function("() => document.querySelector('.zoomed')")
    page.wait_for_timeout(100)
    assert view(own)[2] < 0.8 * home[2]
    assert where(own, data["x"][4], data["y"][4]) == pytest.approx(
        place, abs=4
    )  # the pointer stands on whole pixels
    near = view(own)
    page.mouse.down()
    page.mouse.move(place[0] + 30, place[1])
    page.mouse.up()
    assert view(own)[0] < near[0]
    assert view(own)[2] == pytest.approx(near[2])
    own.get_by_role("button", name="reset the zoom").click()
    assert view(own) == pytest.approx(home)
    own.get_by_role("button", name="zoom in").click()
    assert view(own)[2] < home[2]
    page.mouse.dblclick(*place)
    assert view(own) == pytest.approx(home)


def test_a_wheel_that_scrolls_past_a_picture_leaves_it(reader):
    page = reader.open("fit")
    own = panel(page, "x against time")
    home = view(own)
    page.mouse.move(*where(own, 1.0, 1.0))
    page.evaluate("window.scrollBy(0, 20)")
    page.wait_for_timeout(100)
    page.mouse.wheel(0, -40)
    page.wait_for_timeout(100)
    assert view(own) == home


def test_keys_do_what_the_pointer_does(reader):
    page = reader.open("fit")
    own = panel(page, "x against time")
    home, data = view(own), series(own, "data")
    own.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert f"x {data['y'][2]:.5g}" in own.locator(".tip").inner_text()
    page.keyboard.press("+")
    assert view(own)[2] == pytest.approx(home[2] / 1.5, rel=1e-3)
    before = view(own)
    page.keyboard.press("Shift+ArrowRight")
    assert view(own)[0] > before[0]
    page.keyboard.press("0")
    assert view(own) == pytest.approx(home)


def test_a_neuron_lights_its_links_and_a_link_tells_its_weight(reader):
    page = reader.open("program")
    own = page.locator(".panel.machine")
    own.scroll_into_view_if_needed()
    own.locator('[data-neuron="counts"] .sbd-name').hover()
    assert own.locator(".tip").inner_text() == "counts: accumulator"
    lit = own.locator(".sbd-link.lit")
    assert lit.count() == own.locator(".sbd-link[data-to]").count() == 3
    own.locator('[data-neuron="x"] .sbd-name').hover()
    assert lit.count() == 1
    link = own.locator('.sbd-link[data-from="x"] .sbd-line')
    page.mouse.move(*link.evaluate(
        "(line) => { const p = line.getPointAtLength(line.getTotalLength() / 4)"
        ".matrixTransform(line.getScreenCTM()); return [p.x, p.y]; }"
    ))  # fmt: skip
    assert "-0.5" in own.locator(".tip").inner_text()


def test_tokens_are_told_by_name(reader):
    page = reader.open("program")
    own = panel(page, "input x against tick")
    page.mouse.move(*where(own, 1, 1))
    assert own.locator(".tip").inner_text() == "x\ntick 1\ninput x b"


COLORS = """(selector) => [...document.querySelectorAll(selector)].map((one) => {
  let back = one;
  const clear = (own) => getComputedStyle(own).backgroundColor === "rgba(0, 0, 0, 0)";
  while (clear(back) && back.parentElement) back = back.parentElement;
  const style = getComputedStyle(one);
  const ink = one.closest("svg") ? style.fill : style.color;
  return [ink, getComputedStyle(back).backgroundColor];
})"""
TEXTS = "h1, h2, h3, p, th, td, pre, mark, pre span, figcaption, summary, svg.plot text, button"


@pytest.mark.parametrize("name", ["fit", "program"])
def test_text_is_legible_in_light_and_dark(reader, name):
    backgrounds = []
    for scheme in ("light", "dark"):
        page = reader.open(name, color_scheme=scheme)
        found = page.evaluate(COLORS, TEXTS)
        assert len(found) > 40
        assert min(contrast(pair) for pair in found) >= 4.5
        backgrounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.get_by_role("button", name="light or dark").click()
        backgrounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert backgrounds == [backgrounds[0], backgrounds[1], backgrounds[1], backgrounds[0]]
    assert backgrounds[0] != backgrounds[1]


@pytest.mark.parametrize("name", ["fit", "program"])
def test_a_phone_needs_no_scrolling_to_the_side(reader, name):
    phone = {"width": 375, "height": 667}
    page = reader.open(name, viewport=phone, has_touch=True, is_mobile=True)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 375
    for box in page.locator("button").evaluate_all(
        "all => all.map((one) => [one.offsetWidth, one.offsetHeight])"
    ):
        assert min(box) >= 44
    if name == "fit":
        own = panel(page, "x against time")
        data = series(own, "data")
        page.touchscreen.tap(*where(own, data["x"][5], data["y"][5]))
        assert f"x {data['y'][5]:.5g}" in own.locator(".tip").inner_text()


@pytest.mark.parametrize("name", ["fit", "program"])
def test_without_scripts_everything_is_there(reader, name):
    page = reader.open(name, java_script_enabled=False)
    for own in page.locator("figure svg").all():
        box = own.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) > 40
    assert page.get_by_text("How to repeat it").is_visible()


@pytest.mark.parametrize("name", ["fit", "program"])
def test_the_page_is_well_built(reader, name):
    page = reader.open(name)
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map((one) => +one.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    ids = page.locator("[id]").evaluate_all("all => all.map((one) => one.id)")
    assert len(ids) == len(set(ids))
    named = page.locator("figure svg").evaluate_all("all => all.map((o) => o.ariaLabel)")
    assert all(named)
    used = page.locator("figure svg [href^='#']").evaluate_all(
        "all => all.map((one) => one.getAttribute('href').slice(1))"
    )
    assert used
    assert set(used) <= set(ids)
    places = [page.content().index(word) for word in ("What was found", "The question",
              "What is not known", "How to repeat it")]  # fmt: skip
    assert places == sorted(places)
