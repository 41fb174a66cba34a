"""Python expressions as small documents, and how they break over lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

WIDTH = 88
_STEP = 4


@dataclass(frozen=True)
class Group:
    """`open item, item close`; broken, one item a line, or as many as fit with `fill`."""

    open: str
    items: "tuple[Doc, ...]"
    close: str
    fill: bool = False
    comma: bool = True
    lone_comma: bool = False


@dataclass(frozen=True)
class Joined:
    """Documents written one after the other: `x=` and a value, a call and `.true`."""

    parts: "tuple[Doc, ...]"


@dataclass(frozen=True)
class Sum:
    """Terms with their signs, `"+"` or `"-"`; broken, one term a line."""

    terms: "tuple[tuple[str, Doc], ...]"


Doc: TypeAlias = str | Group | Joined | Sum


def call(function: str, items: Sequence[Doc]) -> Group:
    """`function(item, ...)`."""
    return Group(f"{function}(", tuple(items), ")")


def flat(doc: Doc) -> str:
    """A document on one line.

    >>> flat(call("f", ["x", Sum((("-", "y"), ("+", "2 * z")))]))
    'f(x, -y + 2 * z)'
    """
    if isinstance(doc, str):
        return doc
    if isinstance(doc, Joined):
        return "".join(map(flat, doc.parts))
    if isinstance(doc, Sum):
        (sign, first), *rest = doc.terms
        lead = ("-" if sign == "-" else "") + flat(first)
        return lead + "".join(f" {sign} {flat(term)}" for sign, term in rest)
    lone = "," if doc.lone_comma and len(doc.items) == 1 else ""
    return doc.open + ", ".join(map(flat, doc.items)) + lone + doc.close


def render(doc: Doc, indent: int = 0, used: int = 0, tail: int = 0) -> str:
    """A document broken where it must be: `used` columns stand before it, `tail` after it.

    >>> print(render(call("f", ["x" * 50, "y" * 50])))
    f(
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,
        yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy,
    )
    """
    line = flat(doc)
    if isinstance(doc, str) or used + len(line) + tail <= WIDTH:
        return line
    if isinstance(doc, Joined):
        return _joined(doc, indent, used, tail)
    if isinstance(doc, Sum):
        return _sum(doc, indent, tail)
    inner, pad = indent + _STEP, "\n" + " " * (indent + _STEP)
    if not doc.items:
        return line
    if doc.fill:
        body = pad.join(_filled([flat(item) for item in doc.items], WIDTH - inner))
    else:
        comma = "," if doc.comma else ""
        body = pad.join(render(item, inner, inner, len(comma)) + comma for item in doc.items)
    return f"{doc.open}{pad}{body}\n{' ' * indent}{doc.close}"


def _joined(doc: Joined, indent: int, used: int, tail: int) -> str:
    text = ""
    for k, part in enumerate(doc.parts):
        after = sum(len(flat(p)) for p in doc.parts[k + 1 :]) + tail
        column = used + len(text) if "\n" not in text else len(text.rsplit("\n", 1)[1])
        text += render(part, indent, column, after)
    return text


def _sum(doc: Sum, indent: int, tail: int) -> str:
    lines = []
    for k, (sign, term) in enumerate(doc.terms):
        lead = f"{sign} " if k else "-" if sign == "-" else ""
        lines.append(lead + render(term, indent, indent + len(lead), tail))
    return ("\n" + " " * indent).join(lines)


def _filled(items: Sequence[str], width: int) -> list[str]:
    lines, line = [], ""
    for item in items:
        if line and len(line) + len(item) + 2 > width:
            lines.append(line)
            line = ""
        line += f"{' ' if line else ''}{item},"
    return [*lines, line]
