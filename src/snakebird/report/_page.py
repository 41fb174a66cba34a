"""One HTML page that needs nothing else: sections, tables, and pictures that can be read.

What every page of the package looks like is said in `page.css`; `page.js` lets pictures be zoomed
and hovered over. Without it they are all there.
"""

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Literal

from snakebird.machines import Machine
from snakebird.report._diagram import to_svg
from snakebird.report._formula import formula
from snakebird.report._highlight import highlighted
from snakebird.report._inline import Panel, renamed
from snakebird.report._style import PAGE as DIAGRAM, STYLE

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
"""The browser itself sees to it that nothing is fetched."""


class Html(str):
    """Text that is HTML already."""


def page(title: str, parts: Iterable[str], *, kind: str = "") -> str:
    """The whole page; `kind` says in a few words above the title what it is."""
    above = f'<p class="kind">{escape(kind)}</p>\n' if kind else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escape(title)}</title>\n"
        f"<style>\n{_text('page.css')}{DIAGRAM}</style>\n</head>\n<body>\n"
        f"<header>\n<div>{above}<h1>{escape(title)}</h1></div>\n</header>\n<main>\n"
        + "\n".join(parts)
        + f"\n</main>\n<script>\n{_text('page.js')}</script>\n</body>\n</html>\n"
    )


@cache
def _text(name: str) -> str:
    return (files("snakebird.report") / name).read_text("utf-8")


def heading(text: str, *, level: Literal[2, 3] = 2) -> str:
    """The title of a section."""
    return f"<h{level}>{escape(text)}</h{level}>"


def words(text: str) -> str:
    """A paragraph."""
    return f"<p>{escape(text)}</p>"


def points(texts: Iterable[str]) -> str:
    """A list of sentences."""
    return "<ul>\n" + "\n".join(f"<li>{escape(text)}</li>" for text in texts) + "\n</ul>"


def answer(parts: Iterable[str]) -> str:
    """What was found, before all else."""
    inside = "\n".join(parts)
    return f'<section class="answer">\n<h2>What was found</h2>\n{inside}\n</section>'


def code(text: str) -> str:
    """Text in which every space counts."""
    return f"<pre>{escape(text)}</pre>"


def source(text: str, *, marked: Iterable[str] = ()) -> str:
    """Python source in colors, the given pieces of it marked."""
    return f"<pre>{highlighted(text, marked=marked)}</pre>"


def law(text: str) -> Html:
    """Equations, one a line, as mathematics if they can be read, and as they are otherwise."""
    lines = [
        f'<div class="law">{formula(line) or f"<code>{escape(line)}</code>"}</div>'
        for line in text.splitlines()
    ]
    return Html("\n".join(lines))


def folded(title: str, parts: Iterable[str]) -> str:
    """Parts that open with a touch of their title."""
    inside = "\n".join(parts)
    return f"<details><summary>{escape(title)}</summary>\n{inside}\n</details>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts or `Html`; columns of numbers, after the first, are aligned to the right.

    >>> table(["a", "b"], [["<1", "1.5"]]).count('<td>&lt;1</td><td class="number">1.5</td>')
    1
    """
    lines = [list(row) for row in rows]
    kinds = [k > 0 and _are_numbers(line[k] for line in lines) for k in range(len(head))]
    body = "\n".join(_row("td", line, kinds) for line in lines)
    top = f"<thead>{_row('th', head, kinds)}</thead>\n" if any(head) else ""
    return f'<div class="scroll"><table>\n{top}<tbody>\n{body}\n</tbody></table></div>'


def _row(tag: str, cells: Sequence[str], kinds: Sequence[bool]) -> str:
    classes = [' class="number"' if number else "" for number in kinds]
    inside = "".join(
        f"<{tag}{own}>{_escaped(cell)}</{tag}>" for cell, own in zip(cells, classes, strict=True)
    )
    return f"<tr>{inside}</tr>"


def _escaped(cell: str) -> str:
    return cell if isinstance(cell, Html) else escape(cell)


def _are_numbers(cells: Iterable[str]) -> bool:
    own = [cell for cell in cells if cell]
    return bool(own) and all(re.fullmatch(r"[-+−]?[\d,.]+(e[-+]?\d+)?%?", cell) for cell in own)


def picture(name: str, panels: Iterable[Panel], caption: str) -> str:
    """Panels beside each other, and below what they show; `name` is no other picture's."""
    drawn = "\n".join(_panel(f"{name}-{k}-", one) for k, one in enumerate(panels))
    return (
        f'<figure>\n<div class="panels">\n{drawn}\n</div>\n'
        f"<figcaption>{escape(caption)}</figcaption>\n</figure>"
    )


def _panel(prefix: str, one: Panel) -> str:
    svg = renamed(one.svg, prefix)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(one.about)}" ', 1)
    data = json.dumps(one.data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    numbers = f'<script type="application/json">{data}</script>' if one.data else ""
    return f'<div class="panel" style="--wide:{one.width:.0f}">{svg}{numbers}</div>'


def drawing(machine: Machine, caption: str) -> str:
    """The diagram of a machine."""
    svg = to_svg(machine).replace(f"<style>{STYLE}</style>", "")
    width = re.search(r'width="(\d+)"', svg)
    wide = width[1] if width else "600"
    return (
        f'<figure>\n<div class="panels"><div class="panel machine" style="--wide:{wide}">\n{svg}'
        f"</div></div>\n<figcaption>{escape(caption)}</figcaption>\n</figure>"
    )
