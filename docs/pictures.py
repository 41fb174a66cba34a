"""Draws `docs/pictures/front.svg`, the picture of the README: everything in it is a true result.

    python docs/pictures.py

Left, the real catches of hares and lynxes, a model with a hole trained on them, and the law that
was found for the hole. Right, examples of how deep brackets are nested, the machine that was
found, and its source. Takes about a minute.
"""

import re
from html import escape
from pathlib import Path

import equinox as eqx
import jax
import numpy as np

import snakebird as sb
from snakebird.report import to_svg
from snakebird.report._highlight import highlighted

PLACE = Path(__file__).parent / "pictures" / "front.svg"

WIDE, HIGH, CARD, PAD = 1200, 660, 588, 32
ROWS = (62, 246, 486)
"""Where the three steps begin, below their names."""

STYLE = """
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
.card { fill: #ffffff; stroke: #dde1e7; }
.name { font-size: 15px; font-weight: 600; fill: #566070; }
.small { font-size: 13px; fill: #566070; }
.law { font-size: 23px; fill: #1b2027; }
.found { font-weight: 650; }
.mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.code { font-size: 15.5px; fill: #1b2027; }
.token { font-size: 17px; fill: #1b2027; }
.k { fill: #7a3aa5; } .s { fill: #1a6b41; }
.axis { fill: none; stroke: #9aa3ae; }
.arrow { fill: none; stroke: #9aa3ae; stroke-width: 2; stroke-linecap: round; }
.curve { fill: none; stroke-width: 2.2; }
.band { opacity: 0.15; }
.hare.dot, .hare.band, .hare.small { fill: #0072b2; } .hare.curve { stroke: #0072b2; }
.lynx.dot, .lynx.band, .lynx.small { fill: #c25400; } .lynx.curve { stroke: #d55e00; }
@media (prefers-color-scheme: dark) {
.card { fill: #14181d; stroke: #323a43; }
.name, .small { fill: #a3aebb; }
.law, .code, .token { fill: #e6eaef; }
.k { fill: #cfa3f0; } .s { fill: #83d3a6; }
.axis, .arrow { stroke: #6d7884; }
.band { opacity: 0.25; }
.hare.dot, .hare.band, .hare.small { fill: #4da9e6; } .hare.curve { stroke: #4da9e6; }
.lynx.dot, .lynx.band, .lynx.small { fill: #ff8c42; } .lynx.curve { stroke: #ff8c42; }
}
"""


class LynxHare(eqx.Module):
    """Hares that multiply and are eaten, lynxes that eat and die."""

    births: sb.Positive
    deaths: sb.Positive
    gain: sb.Positive
    eaten: sb.Hole

    def __call__(self, t, y, args):
        eaten = self.eaten(y["hare"], y["lynx"])
        return {
            "hare": self.births * y["hare"] - eaten,
            "lynx": self.gain * eaten - self.deaths * y["lynx"],
        }


def equation() -> tuple[sb.fitting.Fit, sb.synthesis.Laws]:
    """The fit of the hole, and the laws for it."""
    hole = sb.Hole(
        "hare lynx", "eaten", positive=True, increasing="hare lynx", key=jax.random.key(0)
    )
    model = LynxHare(sb.Positive(0.5), sb.Positive(0.8), sb.Positive(0.8), hole)
    found = sb.fit(model, sb.load_dataset("lynx_hare"), noise=sb.fitting.LogNormal(), starts=2)
    return found, sb.discover(found)


def depth(x: list[str]) -> list[int]:
    """How many brackets are open."""
    steps = [{"(": 1, ")": -1}.get(token, 0) for token in x]
    return np.cumsum(steps).tolist()


def program() -> sb.synthesis.Found:
    """The program that was found from examples of `depth`."""
    examples = sb.Examples.from_reference(depth, {"x": sb.synthesis.TokenDraw("(a)")}, length=16)
    return sb.synthesize(examples, budget=30)


# Parts of the picture, each from an x and a y on.


def words(x: float, y: float, text: str, kind: str, *, anchor: str = "start") -> str:
    """A line of text."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def step(x: float, row: int, name: str) -> str:
    """The name of a step, and above all but the first an arrow."""
    y, middle = ROWS[row], x + CARD / 2
    arrow = f"M{middle} {y - 52}v20m-7 -7l7 7l7 -7"
    drawn = f'<path class="arrow" d="{arrow}"/>' if row else ""
    return drawn + words(x + PAD, y - 18, name, "name")


def plot(x: float, y: float, high: float, fit: sb.fitting.Fit, *, learned: bool) -> str:
    """Both columns of the data over the years; with what was learned, curves and bands."""
    one = fit.data[0]
    left, wide = x + PAD + 4, CARD - 2 * PAD - 60
    years = np.linspace(one.times[0], one.times[-1], 160)
    at_x = lambda t: left + wide * (np.asarray(t) - years[0]) / (years[-1] - years[0])
    at_y = lambda v: y + high * (1 - np.asarray(v) / 90)
    parts = [f'<path class="axis" d="M{left} {y}V{y + high}H{left + wide}"/>']
    for name in fit.data.names:
        if learned:
            curve, spread = fit.predict(years)[name], np.exp(fit.noise[name])
            edge = np.concatenate([curve * spread, (curve / spread)[::-1]])
            band = path(at_x(np.r_[years, years[::-1]]), at_y(np.minimum(edge, 90)))
            parts.append(f'<path class="{name} band" d="{band}z"/>')
            parts.append(f'<path class="{name} curve" d="{path(at_x(years), at_y(curve))}"/>')
        for t, v in zip(at_x(one.times), at_y(one.values[name]), strict=True):
            parts.append(f'<circle class="{name} dot" cx="{t:.1f}" cy="{v:.1f}" r="3.2"/>')
        last = float(at_y(one.values[name][-1]))
        parts.append(words(left + wide + 10, last + 4, name, f"{name} small"))
    for year in (1900, 1905, 1910, 1915, 1920):
        parts.append(words(at_x(year), y + high + 18, str(year), "small", anchor="middle"))
    return "\n".join(parts)


def path(x: np.ndarray, y: np.ndarray) -> str:
    """A line through points."""
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))


def equations(x: float, y: float, laws: sb.synthesis.Laws) -> str:
    """The known equations with their numbers, and the law that was found."""
    best = laws[0]
    own = best.fit.parameters
    lines = (
        f"hare′ = {own['births']:.2f} hare − eaten",
        f"lynx′ = {own['gain']:.2f} eaten − {own['deaths']:.2f} lynx",
    )
    parts = [words(x + PAD, y + 18 + 34 * k, italic(line), "law") for k, line in enumerate(lines)]
    parts.append(words(x + PAD, y + 94, italic(str(best.law)), "law found"))
    sure = f"{best.weight:.0%} of the probability among {len(laws)} laws that were tried"
    return "\n".join([*parts, words(x + PAD, y + 128, sure, "small")])


def italic(text: str) -> str:
    """Names slanted, as in a book."""
    return re.sub(r"([a-z]{2,})", r'<tspan font-style="italic">\1</tspan>', escape(text))


def examples(x: float, y: float, found: sb.synthesis.Found) -> str:
    """Three examples, tokens above their answers."""
    parts = []
    for k, one in enumerate(found.examples.items[:3]):
        for name, down, values in (("in", 0, one.inputs["x"]), ("out", 19, one.outputs["result"])):
            at = y + 14 + 46 * k + down
            parts.append(words(x + PAD, at, name, "small"))
            for place, value in enumerate(values):
                where = x + PAD + 56 + 30 * place
                kind = "mono token" if name == "in" else "mono small"
                parts.append(words(where, at, escape(str(value)), kind, anchor="middle"))
    return "\n".join(parts)


def diagram(x: float, y: float, high: float, machine: sb.Machine) -> str:
    """The drawing of the machine."""
    svg = to_svg(machine)
    head = svg[: svg.index(">") + 1]
    (view,) = re.findall(r'viewBox="[^"]+"', head)
    place = f'x="{x + PAD - 16}" y="{y - 14}" width="{CARD - 2 * PAD + 16}" height="{high}"'
    new = f'<svg class="sbd" {place} {view} preserveAspectRatio="xMinYMid meet">'
    return svg.replace(head, new, 1)


def source(x: float, y: float, found: sb.synthesis.Found) -> str:
    """The program and how sure it is."""
    lines = re.sub(r"\n{2,}", "\n", found.source.strip()).splitlines()
    parts = []
    for k, line in enumerate(lines):
        colored = re.sub(r"(</?)span", r"\1tspan", highlighted(line.replace("    ", "\u00a0" * 4)))
        parts.append(words(x + PAD, y + 10 + 23 * k, colored, "mono code"))
    checked = f"exact on {found.evidence.checked:,} examples it never saw"
    told = f"{checked}, up to {found.evidence.longest:,} ticks long"
    return "\n".join([*parts, words(x + PAD, y + 128, told, "small")])


def picture(fit: sb.fitting.Fit, laws: sb.synthesis.Laws, found: sb.synthesis.Found) -> str:
    """The whole picture."""
    right = WIDE - CARD - 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" role="img">',
        "<title>From data to a law, and from examples to a program</title>",
        f"<style>{STYLE}</style>",
    ]
    for x in (1, right):
        box = f'x="{x}" y="1" width="{CARD}" height="{HIGH - 2}" rx="14"'
        parts.append(f'<rect class="card" {box}/>')
    names = (("noisy data", "a trained model with a hole", "the law in the hole"),
             ("examples", "a machine that answers like them", "its source"))  # fmt: skip
    parts += [step(x, row, name) for x, own in zip((1, right), names, strict=True)
              for row, name in enumerate(own)]  # fmt: skip
    parts += [plot(1, ROWS[0], 104, fit, learned=False), plot(1, ROWS[1], 160, fit, learned=True)]
    parts += [equations(1, ROWS[2], laws), examples(right, ROWS[0], found)]
    parts += [diagram(right, ROWS[1], 180, found.machine), source(right, ROWS[2], found)]
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    PLACE.write_text(picture(*equation(), program()), "utf-8")
