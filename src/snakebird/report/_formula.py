"""The printed text of a law, `dx = 1.3 x - x y/(2 + x)`, as mathematics in a page (MathML)."""

import re
from html import escape

_TOKEN = re.compile(
    r"(?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(?P<name>[^\W\d]\w*)"
    r"|(?P<sign>[-+/^(),=])|(?P<gap>\s+)"
)
_GAP = '<mspace width="0.22em"/>'


class _Unreadable(Exception):
    """The text is none of those that laws are printed as."""


def formula(line: str) -> str:
    """One equation as MathML; an empty text where it cannot be read.

    >>> formula("dx = x/2").removeprefix("<math>").removesuffix("</math>")
    '<mi>dx</mi><mo>=</mo><mfrac><mi>x</mi><mn>2</mn></mfrac>'
    >>> formula("what is this?")
    ''
    """
    try:
        reader = _Reader(line)
        left = reader.sum()
        reader.take("=")
        right = reader.sum()
        if reader.at < len(reader.tokens):
            raise _Unreadable
    except _Unreadable:
        return ""
    return f"<math>{left}<mo>=</mo>{right}</math>"


class _Reader:
    """Goes through the signs of a line; every method takes what it is named after."""

    def __init__(self, line: str):
        self.tokens: list[tuple[str, str, bool]] = []
        self.at, place, free = 0, 0, False
        while place < len(line):
            found = _TOKEN.match(line, place)
            if found is None:
                raise _Unreadable
            kind, place = str(found.lastgroup), found.end()
            if kind != "gap":
                self.tokens.append((kind, found[0], free))
            free = kind == "gap"

    @property
    def next(self) -> tuple[str, str, bool]:
        """The kind of the next sign, its text, and whether there is a gap before it."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "", False)

    def take(self, sign: str) -> None:
        if self.next[1] != sign:
            raise _Unreadable
        self.at += 1

    def sum(self) -> str:
        text = ""
        if self.next[1] == "-":
            self.at += 1
            text = '<mo form="prefix">−</mo>'
        text += self.product()
        while self.next[1] in ("+", "-"):
            sign = "−" if self.next[1] == "-" else "+"
            self.at += 1
            text += f"<mo>{sign}</mo>{self.product()}"
        return text

    def product(self) -> str:
        factors = [self.power()]
        while True:
            kind, sign, _ = self.next
            if sign == "/":
                self.at += 1
                factors = [f"<mfrac>{_one(factors)}{self.power(bare=True)}</mfrac>"]
            elif kind in ("number", "name") or sign == "(":
                factors.append(self.power())
            else:
                return _GAP.join(factors)

    def power(self, *, bare: bool = False) -> str:
        base = self.atom(bare=bare)
        if self.next[1] != "^":
            return base
        self.at += 1
        return f"<msup>{base}{self.atom(bare=True)}</msup>"

    def atom(self, *, bare: bool = False) -> str:
        """A number, a name, a call, or a sum in parentheses, which `bare` leaves out."""
        kind, text, _ = self.next
        self.at += 1
        if kind == "number":
            return _number(text)
        if kind == "name":
            _, sign, free = self.next
            name = f"<mi>{escape(text)}</mi>"
            return f"<mrow>{name}{self._called()}</mrow>" if sign == "(" and not free else name
        if text != "(":
            raise _Unreadable
        inside = self.sum()
        self.take(")")
        if bare and self.next[1] != "^":
            return f"<mrow>{inside}</mrow>"
        return f"<mrow><mo>(</mo>{inside}<mo>)</mo></mrow>"

    def _called(self) -> str:
        self.take("(")
        inside = self.sum()
        while self.next[1] == ",":
            self.at += 1
            inside += f"<mo>,</mo>{self.sum()}"
        self.take(")")
        return f"<mo>(</mo>{inside}<mo>)</mo>"


def _one(factors: list[str]) -> str:
    return factors[0] if len(factors) == 1 else f"<mrow>{_GAP.join(factors)}</mrow>"


def _number(text: str) -> str:
    value, _, exponent = text.lower().partition("e")
    if not exponent:
        return f"<mn>{value}</mn>"
    power = str(int(exponent)).replace("-", "−")
    ten = f"<msup><mn>10</mn><mn>{power}</mn></msup>"
    return f"<mrow><mn>{value}</mn><mo>·</mo>{ten}</mrow>"
