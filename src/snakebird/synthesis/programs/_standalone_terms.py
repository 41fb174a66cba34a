"""Terms of standalone Python: a piece of code, and which kind of value it stands for.

A stream is kept in the simplest form that holds all it ever carries: a number; a `map`, a dict
token -> number; or a `tree`, a dict path -> number with tuples as paths. What is always zero is
of the kind `zero`, and is left out wherever it stands.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from snakebird import vvalues as vv

ZERO, NUMBER, MAP, TREE = KINDS = ("zero", "number", "map", "tree")

CHOICE, SUM, PRODUCT, ATOM = range(4)
"""How tightly the parts of a piece of code hold together, the loosest first."""


class Term(NamedTuple):
    """Code for a value of a kind; `level` says how tightly it holds together."""

    code: str
    kind: str
    level: int = ATOM

    def inside(self, level: int) -> str:
        """The code where parts must hold together at least so tightly."""
        return self.code if self.level >= level else f"({self.code})"


NOTHING = Term("0", ZERO)

Sum = Sequence[tuple[Any, Term]]
"""A linear combination: pairs of a weight and a term."""


def join(*kinds: str) -> str:
    """The simplest kind that holds values of several.

    >>> join("zero", "map"), join("number", "map")
    ('map', 'tree')
    """
    found = {kind for kind in kinds if kind != ZERO}
    return ZERO if not found else found.pop() if len(found) == 1 else TREE


def kind_of_paths(paths: Iterable[vv.Path]) -> str:
    """The kind of values with entries at these paths."""
    return join(*((NUMBER, MAP)[len(path)] if len(path) < 2 else TREE for path in paths))


def literal(value: Any, kind: str | None = None) -> Term:
    """The term of a known V-value, in the form of a kind.

    >>> literal({"a": Fraction(1, 2)}).code, literal(2, "tree").code
    ("{'a': Fraction(1, 2)}", '{(): 2}')
    """
    found = dict(vv.entries(value))
    kind = kind_of_paths(found) if kind is None else kind
    if kind in (ZERO, NUMBER):
        number = found.get((), 0)
        return Term(show_number(number), kind, ATOM if number >= 0 else PRODUCT)
    keys = {p: p[0] if kind == MAP else p for p in found}
    items = ", ".join(f"{keys[p]!r}: {show_number(n)}" for p, n in found.items())
    return Term(f"{{{items}}}", kind)


def show_number(number: Any) -> str:
    """A number as code."""
    if isinstance(number, Fraction):
        return f"Fraction({number.numerator}, {number.denominator})"
    return repr(number)


def cast(term: Term, kind: str) -> Term:
    """The same value in the form of a more general kind."""
    if term.kind == kind:
        return term
    if term.kind == ZERO:
        return Term("0" if kind == NUMBER else "{}", kind)
    return Term(f"{{(): {term.code}}}" if term.kind == NUMBER else f"deep({term.code})", TREE)


def added(terms: Sum) -> Term:
    """A linear combination as one term."""
    terms = [(weight, term) for weight, term in terms if weight != 0 and term.kind != ZERO]
    terms.sort(key=lambda pair: pair[0] < 0)
    kind = join(*(term.kind for _, term in terms))
    if kind == ZERO:
        return NOTHING
    if kind == NUMBER:
        return _numbers_added(terms)
    parts = [scaled(weight, cast(term, kind)) for weight, term in terms]
    return parts[0] if len(parts) == 1 else _call("add", kind, *parts)


def _numbers_added(terms: Sum) -> Term:
    code = ""
    for weight, term in terms:
        part = _multiple(abs(weight), term)
        sign = "-" if weight < 0 else "+"
        shown = part.inside(PRODUCT)
        code = f"{code} {sign} {shown}" if code else f"-{shown}" if sign == "-" else part.code
    if len(terms) == 1:
        weight, term = terms[0]
        return _multiple(weight, term) if weight > 0 else Term(code, NUMBER, PRODUCT)
    return Term(code, NUMBER, SUM)


def _multiple(weight: Any, term: Term) -> Term:
    if weight == 1:
        return term
    return Term(f"{show_number(weight)} * {term.inside(PRODUCT)}", NUMBER, PRODUCT)


def scaled(weight: Any, term: Term) -> Term:
    """A multiple of a map or a tree by a known number."""
    return term if weight == 1 else _call("scale", term.kind, literal(weight, NUMBER), term)


def _call(name: str, kind: str, *terms: Term) -> Term:
    return Term(f"{name}({', '.join(term.code for term in terms)})", kind)


def product(x: Term, y: Term) -> Term:
    """The pathwise product."""
    if ZERO in (x.kind, y.kind) or {x.kind, y.kind} == {NUMBER, MAP}:
        return NOTHING
    if x.kind == y.kind == NUMBER:
        return Term(f"{x.inside(PRODUCT)} * {y.inside(ATOM)}", NUMBER, PRODUCT)
    kind = join(x.kind, y.kind)
    return _call("times", kind, cast(x, kind), cast(y, kind))


def inner(x: Term, y: Term) -> Term:
    """The inner product."""
    if ZERO in (x.kind, y.kind) or {x.kind, y.kind} == {NUMBER, MAP}:
        return NOTHING
    if x.kind == y.kind == NUMBER:
        return product(x, y)
    kind = join(x.kind, y.kind)
    return _call("inner", NUMBER, cast(x, kind), cast(y, kind))


def gate(mask: Term, value: Term) -> Term:
    """A value through a mask."""
    kinds = mask.kind, value.kind
    if ZERO in kinds or kinds == (MAP, NUMBER):
        return NOTHING
    if kinds in ((NUMBER, NUMBER), (MAP, MAP)):
        return product(mask, value)
    if mask.kind == NUMBER:
        return _call("scale", value.kind, mask, value)
    return _call("masked", TREE, cast(mask, TREE), cast(value, TREE))


def mask_sum(row: Term, value: Term) -> Term:
    """A row of a matrix applied to a value."""
    kinds = row.kind, value.kind
    if row.kind == NUMBER or ZERO in kinds or kinds == (MAP, NUMBER):
        return gate(row, value)
    if kinds == (MAP, MAP):
        return inner(row, value)
    return _call("mask_sum", TREE, cast(row, TREE), cast(value, TREE))


def outer(x: Term, y: Term) -> Term:
    """The outer product."""
    if ZERO in (x.kind, y.kind) or x.kind == NUMBER:
        return gate(x, y)
    if y.kind == NUMBER:
        return gate(y, x)
    return _call("outer", TREE, cast(x, TREE), cast(y, TREE))


def each(name: str, x: Term) -> Term:
    """A function of one number (`relu`, `step`, `abs`) of every number of a value."""
    if x.kind == ZERO:
        return NOTHING
    if x.kind != NUMBER:
        return Term(f"each({_FUNCTIONS[name]}, {x.code})", x.kind)
    if name == "step":
        return Term(f"1 if {x.inside(SUM)} > 0 else 0", NUMBER, CHOICE)
    return Term(f"max({x.code}, 0)" if name == "relu" else f"abs({x.code})", NUMBER)


_FUNCTIONS = {
    "relu": "lambda n: max(n, 0)",
    "step": "lambda n: 1 if n > 0 else 0",
    "abs": "abs",
}


def pairwise(name: str, x: Term, y: Term) -> Term:
    """The larger (`max`) or smaller (`min`) number at every path."""
    kind = join(x.kind, y.kind)
    if kind == ZERO:
        return NOTHING
    x, y = cast(x, kind), cast(y, kind)
    if kind == NUMBER:
        return _call(name, NUMBER, x, y)
    return _call("both", kind, Term(name, kind), x, y)


def root(x: Term) -> Term:
    """The number at the root of a value."""
    if x.kind == TREE:
        return Term(f"{x.code}.get((), 0)", NUMBER)
    return x if x.kind == NUMBER else NOTHING


def part(x: Term, path: vv.Path) -> Term:
    """The part of a value at a path."""
    if not path:
        return x
    if x.kind == MAP and len(path) == 1:
        return Term(f"{x.code}.get({path[0]!r}, 0)", NUMBER)
    return Term(f"below({x.code}, {path!r})", TREE) if x.kind == TREE else NOTHING


def gathered(ports: dict[str, Term]) -> Term:
    """All outputs of a neuron as one value."""
    ports = {port: term for port, term in ports.items() if term.kind != ZERO}
    if not ports:
        return NOTHING
    if all(term.kind == NUMBER for term in ports.values()):
        return Term(f"{{{', '.join(f'{p!r}: {t.code}' for p, t in ports.items())}}}", MAP)
    parts = [Term(f"under({p!r}, {cast(t, TREE).code})", TREE) for p, t in ports.items()]
    return added([(1, term) for term in parts])
