"""One example of what a program should do: what arrives tick by tick, and what it answers."""

import keyword
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.synthesis.programs._values import Value, as_stream

INPUT, OUTPUT = "x", "result"
"""The names of streams that are given without one."""

_LONG, _SHORT = ("inputs", "outputs"), ("input", "output")


@dataclass(frozen=True)
class Example:
    """Streams that arrive and streams that are asked for, one value a tick in each.

    A value is a number (int, `Fraction` or float), a token (a string, which means `{token: 1}`),
    a tree of numbers, or `None`: in an input nothing arrives, in an output nothing is asked. A
    stream is given as a tuple, a list, an array `[time]` or, for characters, a text; it is kept
    as a tuple. `where` says where the example came from.

    Raises `InputError` for streams of different lengths, for values that are none, and for names
    that cannot name a source of a machine.

    >>> example = Example({"char": "abca"}, {"seen": [0, 0, 0, 1]})
    >>> example.inputs["char"], example.ticks
    (('a', 'b', 'c', 'a'), 4)
    """

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    where: str = field(default="an example", compare=False, kw_only=True)

    def __post_init__(self) -> None:
        for role, word in (("inputs", "input"), ("outputs", "output")):
            given = getattr(self, role)
            object.__setattr__(self, role, _streams(given, word, self.where))
        _check_lengths(self)

    @property
    def ticks(self) -> int:
        """How many ticks it lasts."""
        return len(next(iter(self.inputs.values())))


def _streams(given: Mapping[str, Any], word: str, where: str) -> dict[str, tuple[Value, ...]]:
    for name in given:
        _check_name(name, word, where)
    return {name: as_stream(given[name], f"{where}, {word} {name!r}") for name in given}


def _check_name(name: Any, word: str, where: str) -> None:
    plain = isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)
    if plain and not (word == "input" and name == "output"):
        return
    raise InputError(
        f"an {word} is named {name!r}, which cannot name a part of a program",
        where,
        "give it another name, of letters, digits and `_`; `output` is the neuron that answers",
    )


def _check_lengths(example: Example) -> None:
    lengths = {
        f"{word} {name!r}": len(stream)
        for word, streams in (("input", example.inputs), ("output", example.outputs))
        for name, stream in streams.items()
    }
    for name in example.inputs.keys() & example.outputs.keys():
        what = f"an input and an output are both named {name!r}"
        raise InputError(what, example.where, "give one of them another name")
    if not example.inputs:
        raise InputError("there are no inputs", example.where, f"write {{'{INPUT}': [...]}}")
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(
            f"streams of different lengths: {shown}",
            example.where,
            "give every stream one value a tick; None where nothing arrives or nothing is asked",
        )
    if not example.ticks:
        raise InputError("an example has no ticks", example.where, "leave it out")


def example_of(given: Any, where: str) -> Example:
    """An example from an `Example`, a pair or a dict of inputs and outputs.

    Inputs or outputs that are one stream instead of a dict of streams are called `x` and `result`;
    a dict has the keys `inputs` and `outputs`, or `input` and `output`. Raises `InputError`, and
    `UnknownNameError` for another key.

    >>> example_of(("ab", [1, 2]), "").outputs
    {'result': (1, 2)}
    >>> example_of({"input": "ab", "output": "ba"}, "").inputs
    {'x': ('a', 'b')}
    """
    if isinstance(given, Example):
        return given
    if isinstance(given, Mapping):
        given = _pair(given, where)
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise InputError(
            f"found {type(given).__name__}, expected inputs and outputs",
            where,
            'write ({"x": [...]}, {"result": [...]}), or a dict with inputs and outputs',
        )
    named = zip(given, (INPUT, OUTPUT), strict=True)
    streams = [part if isinstance(part, Mapping) else {name: part} for part, name in named]
    return Example(*streams, where=where)


def _pair(given: Mapping[str, Any], where: str) -> list[Any]:
    for key in given:
        if key not in (*_LONG, *_SHORT):
            known = suggest(str(key), _LONG)
            raise UnknownNameError(f"an example has no part named {key!r}", where, known)
    found = [[key for key in pair if key in given] for pair in zip(_LONG, _SHORT, strict=True)]
    for keys, word in zip(found, _LONG, strict=True):
        if len(keys) != 1:
            what = f"an example has {'no' if not keys else 'twice its'} {word}"
            raise InputError(what, where, 'write {"inputs": {...}, "outputs": {...}}')
    return [given[keys[0]] for keys in found]
