"""The links into one input as a sum."""

from collections.abc import Callable, Iterable
from fractions import Fraction

from snakebird import vvalues as vv
from snakebird.machines._link import Link
from snakebird.machines.printing._layout import Doc, Group, Joined, Sum
from snakebird.machines.printing._literals import Literals, plain

_MARKS = {
    (False, False): "",
    (True, False): "sb.instant(",
    (False, True): "sb.fixed(",
    (True, True): "sb.instant(sb.fixed(",
}


def sum_of(
    links: Iterable[Link],
    port: Callable[[vv.Path], Doc],
    literals: Literals,
    one: str | None,
    fixed: bool,
) -> Doc:
    """The sum of links, `sb.instant(...)` and `sb.fixed(...)` around those so marked.

    `port` writes an output; `one` names the neuron whose links are plain numbers; without
    `fixed` that mark is left out. A number that stands before an instant sum would be taken for
    a part of it, so an ordinary one is marked as such.
    """
    marked: dict[tuple[bool, bool], list[Link]] = {mark: [] for mark in _MARKS}
    for link in links:
        marked[link.instant, fixed and not link.trainable].append(link)
    terms: list[tuple[str, Doc]] = []
    for mark, opening in _MARKS.items():
        found = [_term(link, port, literals, one) for link in marked[mark]]
        found.sort(key=lambda term: term[0])
        signed: list[tuple[str, Doc]] = [(sign, doc) for _, sign, doc in found]
        if not opening and _taken_in(marked, one):
            signed = [(sign, Group("sb.instant(", (doc, "now=False"), ")")) for sign, doc in signed]
        if opening and signed:
            terms.append(
                ("+", Group(opening, (_one_or_sum(signed),), ")" * opening.count("("), comma=False))
            )
        else:
            terms += signed
    return _one_or_sum(terms)


def _taken_in(marked: dict[tuple[bool, bool], list[Link]], one: str | None) -> bool:
    """Whether links without a mark are numbers alone, and the sum goes on with an instant one."""
    first, *rest = marked.items()
    following = next(((mark, links) for mark, links in rest if links), ((False, False), []))
    streams = any(link.source[0] != one for link in following[1])
    return following[0][0] and streams and all(link.source[0] == one for link in first[1])


def _one_or_sum(terms: list[tuple[str, Doc]]) -> Doc:
    return terms[0][1] if len(terms) == 1 and terms[0][0] == "+" else Sum(tuple(terms))


def _term(
    link: Link, port: Callable[[vv.Path], Doc], literals: Literals, one: str | None
) -> tuple[int, str, Doc]:
    """How late in the sum a term stands, its sign and itself."""
    weight = plain(link.weight)
    sign = "-" if vv.is_exact(weight) and weight < 0 else "+"
    size = -weight if sign == "-" else weight
    size = int(size) if isinstance(size, bool) else abs(size) if vv.is_exact(size) else size
    if link.source[0] == one:
        # `1 - x` reads better than `-x + 1`, `x - 1` better than `-1 + x`
        return (1 if sign == "+" else 3), sign, literals.write(size)
    stream = port(link.source)
    late = 0 if sign == "+" else 2
    if vv.is_exact(size) and size == 1:
        return late, sign, stream
    if isinstance(size, Fraction) and size.denominator != 1:
        parts = [stream, f" / {size.denominator}"]
        return (
            late,
            sign,
            Joined(tuple(parts if size.numerator == 1 else [f"{size.numerator} * ", *parts])),
        )
    number = size.numerator if isinstance(size, Fraction) else size
    return late, sign, Joined((literals.write(number), " * ", stream))
