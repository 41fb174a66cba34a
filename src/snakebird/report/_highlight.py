"""Python source as HTML: words of the language, texts and comments in colors, pieces marked."""

import io
import keyword
import re
import tokenize
from collections.abc import Iterable, Iterator
from html import escape

_Span = tuple[int, int, str]


def highlighted(text: str, *, marked: Iterable[str] = ()) -> str:
    """The source, escaped; `marked` are pieces that stand out wherever they occur as whole words.

    >>> highlighted("def f(x):  # twice", marked=["x"])
    '<span class="k">def</span> f(<mark>x</mark>):  <span class="c"># twice</span>'
    """
    spans = [*_spans(text)]
    for piece in marked:
        for found in re.finditer(rf"(?<!\w){re.escape(piece)}(?!\w)", text):
            inside = any(a < found.end() and found.start() < b for a, b, _ in spans)
            spans += [] if inside else [(found.start(), found.end(), "mark")]
    result, last = "", 0
    for begin, end, kind in sorted(spans):
        inside = escape(text[begin:end], quote=False)
        result += escape(text[last:begin], quote=False)
        result += f"<mark>{inside}</mark>" if kind == "mark" else _span(kind, inside)
        last = end
    return result + escape(text[last:], quote=False)


def _span(kind: str, inside: str) -> str:
    return f'<span class="{kind}">{inside}</span>'


def _spans(text: str) -> Iterator[_Span]:
    """What is colored: from where, to where, in which class."""
    begins = [0]
    for line in text.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    try:
        for one in tokenize.generate_tokens(io.StringIO(text).readline):
            kind = _kind(one)
            if kind:
                (row, column), (end_row, end_column) = one.start, one.end
                yield begins[row - 1] + column, begins[end_row - 1] + end_column, kind
    except (tokenize.TokenError, SyntaxError):
        return  # what comes after a mistake stays as it is


def _kind(one: tokenize.TokenInfo) -> str:
    if one.type == tokenize.COMMENT:
        return "c"
    if one.type == tokenize.STRING:
        return "s"
    return "k" if one.type == tokenize.NAME and keyword.iskeyword(one.string) else ""
