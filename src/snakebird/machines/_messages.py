"""What arrives from outside, tick by tick."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import InputError, SpaceError, UnknownNameError, ValueFormatError, suggest
from snakebird.machines._machine import Machine
from snakebird.neurons import message_space

Inputs = Mapping[str, Any]
"""For each source: a text (one token a tick), a sequence of tokens and values (`None`: nothing),
an array or `Flat` with a row for each tick, a pair of values and a mask of truth values,
a `collections.deque` that others fill (at most one message a tick is taken), or a function of the
tick."""


class Messages:
    """Reads the inputs of a run, one tick after the other; knows how many ticks they last."""

    def __init__(self, machine: Machine, inputs: Inputs | None):
        self._feeds = {name: _feed(machine, name, given) for name, given in (inputs or {}).items()}
        lengths = [length for _, length in self._feeds.values() if length is not None]
        self.length = max(lengths, default=None)

    def at(self, tick: int) -> dict[str, Any]:
        """The messages of a tick; sources without one are absent."""
        found = {name: feed(tick) for name, (feed, _) in self._feeds.items()}
        return {name: message for name, message in found.items() if message is not None}


def _feed(machine: Machine, name: str, given: Any) -> tuple[Callable[[int], Any], int | None]:
    sources = [key for key, neuron in machine.neurons.items() if neuron.type.external]
    if name not in sources:
        raise UnknownNameError(f"no source is named {name!r}", "inputs", suggest(name, sources))
    if isinstance(given, deque):
        return (
            lambda tick: read_messages(machine, name, [given.popleft()], tick)[0] if given else None
        ), None
    if callable(given):
        return (lambda tick: read_messages(machine, name, [given(tick)], tick)[0]), None
    many = isinstance(given, Iterable) and not isinstance(given, Mapping)
    if not (many or isinstance(given, vv.Flat)) or (vv.is_leaf(given) and not vv.shape_of(given)):
        raise InputError(
            f"found {type(given).__name__}, "
            "expected a text, a list of values, a deque or a function of the tick",
            f"inputs of {name!r}",
            f"for one message write {{{name!r}: [value]}}",
        )
    values = read_messages(machine, name, given)
    return (lambda tick: values[tick] if tick < len(values) else None), len(values)


def read_messages(machine: Machine, name: str, given: Any, first: int = 0) -> list[Any]:
    """The messages of a source, a tree or `None` for each tick, from whatever form they came in.

    `given` is a text, words and values in any order (`None`: nothing; a row stands for the paths
    of the source's space, in order), an array or a `Flat` with a leading axis of time, or a pair
    of any of those and a mask of truth values. Raises `InputError` for what is no message or
    lies outside what the source declares; `first` is the tick of the first one.
    """
    given, mask = masked(name, given)
    if isinstance(given, vv.Flat):
        given = [vv.Flat(given.space, row) for row in given.data]
    space = message_space(machine.neurons[name].parameters)
    words = tokens(machine, name, given)
    there = [True] * len(words) if mask is None else [bool(m) for m in mask]
    return [
        _message(word, space, name, t) if present else None
        for t, (word, present) in enumerate(zip(words, there, strict=True), first)
    ]


def masked(name: str, given: Any) -> tuple[Any, Any]:
    """What was given as values and their mask, `None` where it has none."""
    if not (isinstance(given, tuple) and len(given) == 2 and _is_mask(given[1])):
        return given, None
    values, mask = given
    count = len(values.data if isinstance(values, vv.Flat) else values)
    if len(mask) != count:
        raise InputError(
            f"{count} values have a mask of {len(mask)}",
            f"inputs of {name!r}",
            "give one truth value for each",
        )
    return values, mask


def _is_mask(given: Any) -> bool:
    if isinstance(given, (np.ndarray, jax.Array)):
        return given.dtype == bool and given.ndim == 1
    return isinstance(given, (list, tuple)) and all(type(m) in (bool, np.bool_) for m in given)


def _message(given: Any, space: vv.Space, name: str, tick: int) -> Any:
    where = f"inputs of {name!r}, tick {tick}"
    if given is None:
        return None
    if isinstance(given, (list, tuple)):
        given = _row(given, where)
    if vv.is_leaf(given) and not isinstance(given, bool) and space.items:
        given = _placed(given, space, name)
    tree = vv.unflatten(given)
    try:
        vv.check(tree)
        if space.items:
            vv.Space.of(vv.grow(dict(vv.entries(tree)))).inclusion(space)
    except SpaceError as error:
        hint = "declare what may arrive: source(tokens=...) or space="
        raise InputError(error.what, where, hint) from None
    except ValueFormatError as error:
        at = f"{where}, {error.where}" if isinstance(tree, Mapping) else where
        raise InputError(error.what, at, error.hint) from None
    return tree


def _row(given: Any, where: str) -> Any:
    try:
        return np.asarray(given, float)
    except (TypeError, ValueError):
        raise InputError(
            f"found {given!r}, expected numbers", where, "a list within a list is a row of numbers"
        ) from None


def _placed(row: Any, space: vv.Space, name: str) -> Any:
    """The tree of a number or a row of numbers: its numbers at the paths of a space, in order."""
    shape = vv.shape_of(row)
    if () in space and space.shape(()) == shape:
        return row
    size = math.prod(shape)
    if size != space.size:
        raise wrong_width(name, size, space)
    if not shape:
        return vv.grow({space.paths[0]: row})
    return space.unflatten(row.reshape(-1))


def wrong_width(name: str, size: int, space: vv.Space) -> InputError:
    """The error of rows that have more or fewer numbers than a source takes."""
    return InputError(
        f"rows have {size} numbers, expected {space.size}: {space!r}",
        f"inputs of {name!r}",
        "give one column a path, in order, or declare tokens= or space= of the source",
    )


def tokens(machine: Machine, name: str, words: Iterable[Any]) -> list[Any]:
    """The messages `{token: 1}` for a text or a list of words; what is no text stays as it is.

    Raises `InputError` for a word outside the token set.
    """
    known = dict.fromkeys(machine.neurons[name].parameters.get("tokens") or ())
    found = list(words)
    for at, word in enumerate(found):
        if known and isinstance(word, str) and word not in known:
            raise InputError(
                f"token {word!r} at position {at} is not among the {len(known)} tokens of {name!r}",
                f"inputs of {name!r}",
                suggest(word, known) + "; or leave it out, or add it to tokens=",
            )
    return [{word: 1} if isinstance(word, str) else word for word in found]
