"""Links: the entries of the network matrix."""

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import MachineError, UnknownNameError, suggest

_LINK = re.compile(
    r"^\s*(?P<to>.+?)\s*<-\s*(?:(?P<weight>[-+]?[\d.][\deE+./-]*)\s*\*\s*)?(?P<source>.+?)\s*$"
)


@dataclass(frozen=True)
class Link:
    """`to.input <- weight * source`: one entry of the network matrix.

    `source` is a path: a neuron and one of its outputs; shorter, it carries the whole tree of
    outputs; longer, a part of the stream. An `instant` link carries this tick's output instead
    of the last one's. Training leaves the weight of a link alone unless it is `trainable`.

    >>> print(Link("to", "x", ("from", "result"), 0.5, instant=True))
    to.x <- 0.5 * from.result (instant)
    """

    to: str
    input: str
    source: vv.Path
    weight: Any = 1
    instant: bool = False
    trainable: bool = True

    @property
    def place(self) -> tuple[str, str, vv.Path, bool]:
        """What makes two links one: their weights add up."""
        return self.to, self.input, self.source, self.instant

    @property
    def path(self) -> vv.Path:
        """The path of this entry in the network matrix."""
        return (self.to, self.input, *self.source)

    def scaled(self, weight: Any) -> "Link":
        """The same link with another weight."""
        return replace(self, weight=weight)

    def __str__(self) -> str:
        weight = "" if vv.is_exact(self.weight) and self.weight == 1 else f"{self.weight} * "
        marks = (" (instant)" if self.instant else "") + ("" if self.trainable else " (fixed)")
        return (
            f"{vv.show_path((self.to, self.input))} <- {weight}{vv.show_path(self.source)}{marks}"
        )


def as_link(given: Any, neurons: Container[str]) -> Link:
    """A link from `Link`, `"a.x <- 0.5 * b.result"`, or `(to, source)` / `(to, source, weight)`.

    Ends are `"neuron.port"` or tuples of strings; tuples are needed where names hold dots.
    """
    if isinstance(given, Link):
        link = replace(given, source=as_path(given.source, neurons))
    else:
        to, source, weight = _parts(given)
        link = Link(*as_input(to, neurons), as_path(source, neurons), weight)
    _check_weight(link)
    return link


def _parts(given: Any) -> tuple[Any, Any, Any]:
    """The two ends and the weight of a link that is written as a text or a tuple."""
    match = _LINK.match(given) if isinstance(given, str) else None
    if match is not None:
        return match["to"], match["source"], _weight(given, match["weight"])
    if isinstance(given, (tuple, list)) and len(given) in (2, 3):
        return (*given, 1) if len(given) == 2 else tuple(given)  # type: ignore[return-value]
    raise _unreadable(given)


def _unreadable(given: Any) -> MachineError:
    return MachineError(
        f"cannot read the link {given!r}", hint='write "to.input <- 0.5 * from.output"'
    )


def as_input(end: str | vv.Path, neurons: Container[str]) -> tuple[str, str]:
    """A neuron and one of its inputs."""
    target = as_path(end, neurons)
    if len(target) != 2:
        raise MachineError(
            f"a link ends at {vv.show_path(target)}, expected a neuron and one of its inputs",
            hint='write "neuron.input"',
        )
    return target[0], target[1]


def _check_weight(link: Link) -> None:
    weight = link.weight
    known = vv.is_leaf(weight) and not isinstance(weight, bool)
    if not known or getattr(weight, "dtype", np.dtype(float)).kind in "bcOSUMm":
        ends = f"{vv.show_path((link.to, link.input))} <- {vv.show_path(link.source)}"
        raise MachineError(
            f"a weight is {weight!r}, expected a number",
            f"link {ends}",
            "weights are ints, floats or fractions",
        )


def _weight(link: str, text: str | None) -> Any:
    if text is None:
        return 1
    try:
        exact = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise MachineError(
            f"cannot read the weight {text!r}", f"link {link!r}", "write 2, -0.5, 1e-3 or 1/3"
        ) from None
    return (
        exact.numerator
        if exact.denominator == 1 and "." not in text
        else exact
        if "/" in text
        else float(text)
    )


def as_path(end: str | vv.Path, neurons: Container[str]) -> vv.Path:
    """The path of `"neuron.port"`, split where a known neuron's name ends."""
    if not isinstance(end, str):
        path = tuple(end) if isinstance(end, Iterable) else (end,)
        if all(isinstance(key, str) for key in path):
            return path
        raise MachineError(
            f"found {end!r}, expected a neuron and one of its ports",
            hint='write "neuron.port", or ("neuron", "port")',
        )
    parts = end.split(".")
    splits = [k for k in range(1, len(parts) + 1) if ".".join(parts[:k]) in neurons]
    if len(splits) > 1:
        raise MachineError(
            f"{end!r} can be read in {len(splits)} ways", hint="write it as a tuple of strings"
        )
    if not splits:
        known = neurons if isinstance(neurons, (dict, set, frozenset, tuple, list)) else ()
        raise UnknownNameError(
            f"no neuron is named {parts[0]!r}", f"link end {end!r}", suggest(parts[0], known)
        )
    return (".".join(parts[: splits[0]]), *parts[splits[0] :])


def merge(links: list[Link]) -> tuple[Link, ...]:
    """Links sorted, those with the same ends added up; trainable if one of them is."""
    found: dict[Any, Link] = {}
    for link in links:
        old = found.get(link.place)
        found[link.place] = (
            link
            if old is None
            else replace(
                old, weight=old.weight + link.weight, trainable=old.trainable or link.trainable
            )
        )
    return tuple(found[place] for place in sorted(found))
