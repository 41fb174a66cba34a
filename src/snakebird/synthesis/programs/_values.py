"""What one tick of an example holds: a number, a token, a tree of numbers, or nothing."""

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from snakebird import vvalues as vv
from snakebird.errors import InputError, ValueFormatError

Value = Any
"""A number (int, `Fraction`, float), a token (a string that means `{token: 1}`), a tree (nested
dicts with numbers as leaves), or `None`: nothing arrives, or nothing is asked."""

_NUMBERS = (int, float, Fraction)


def as_value(given: Any, where: str) -> Value:
    """A value as it is kept: NumPy's numbers and truth values become Python's.

    Raises `InputError` with `where` for what is no value, for NaN and for infinity.

    >>> as_value(True, ""), as_value(Fraction(1, 2), ""), as_value("a", "")
    (1, Fraction(1, 2), 'a')
    """
    kind = type(given)
    if kind is int or given is None:
        return given
    if kind is str:
        return _token(given, where)
    if hasattr(given, "item") and getattr(given, "shape", None) == ():
        given = given.item()
    if isinstance(given, _NUMBERS):
        return _finite(int(given) if isinstance(given, bool) else given, where)
    if isinstance(given, Mapping):
        return _tree(given, where)
    raise InputError(
        f"found {given!r} ({type(given).__name__}), expected a number, a token, a tree or None",
        where,
        "write a token as a string, several numbers of one tick as a dict, nothing as None",
    )


def _token(given: str, where: str) -> str:
    if given != vv.NUMBER:
        return given
    raise InputError(f"the token {given!r} is a reserved key", where, "call the token otherwise")


def _finite(number: Any, where: str) -> Any:
    # A large Fraction or int has no float.
    if not isinstance(number, float) or math.isfinite(number):
        return number
    raise InputError(
        f"found {number}, expected a finite number", where, "write None where there is nothing"
    )


def _tree(given: Mapping[Any, Any], where: str) -> dict[str, Any]:
    try:
        vv.check(given)
    except ValueFormatError as error:
        raise InputError(error.what, f"{where}, at {error.where}", error.hint) from None
    for path, leaf in vv.stored(given):
        if not isinstance(leaf, _NUMBERS):
            what = f"a leaf is {leaf!r} ({type(leaf).__name__}), expected a number"
            raise InputError(what, f"{where}, at {vv.show_path(path)}", "give each number a key")
        _finite(leaf, f"{where}, at {vv.show_path(path)}")
    return dict(given)


def value_tree(value: Value) -> Any:
    """The V-value of a value: `{token: 1}` for a token; numbers, trees and `None` as they are.

    >>> value_tree("a"), value_tree(3), value_tree(None)
    ({'a': 1}, 3, None)
    """
    return {value: 1} if isinstance(value, str) else value


def identity_of(value: Value) -> Any:
    """What is equal for equal V-values, and can be hashed; `None` counts as zero.

    >>> identity_of("a") == identity_of({"a": 1.0, "b": 0}), identity_of(None) == identity_of(0)
    (True, True)
    """
    if isinstance(value, str):
        return (((value,), 1),)
    if isinstance(value, Mapping):
        return tuple(sorted(dict(vv.entries(value)).items()))
    return (((), value),) if value else ()


def difference(left: Value, right: Value) -> Any:
    """The largest absolute difference between the numbers of two values, exact for exact ones.

    >>> difference("a", {"a": 1, "b": Fraction(1, 3)})
    Fraction(1, 3)
    """
    left, right = (_entries(value) for value in (left, right))
    paths = left.keys() | right.keys()
    return max((abs(left.get(path, 0) - right.get(path, 0)) for path in paths), default=0)


def _entries(value: Value) -> dict[vv.Path, Any]:
    return dict(identity_of(value))


def kind_of(values: Iterable[Value]) -> str:
    """The kind of a stream: "number", "token" or "tree"; a mixture is a tree.

    Nothing and the empty tree are of every kind; a stream without any other value is of numbers.

    >>> kind_of(["a", None, "b"]), kind_of([0, Fraction(1, 2)]), kind_of(["a", {"b": 2}])
    ('token', 'number', 'tree')
    """
    found = {_kind(value) for value in values if value is not None and value != {}}
    return found.pop() if len(found) == 1 else "tree" if found else "number"


def _kind(value: Value) -> str:
    return "token" if isinstance(value, str) else "tree" if isinstance(value, Mapping) else "number"


def space_of_values(values: Iterable[Value]) -> vv.Space:
    """The space of everything in a stream."""
    shown = {identity_of(value) for value in values if isinstance(value, str | Mapping)}
    paths = {path for entries in shown for path, _ in entries}
    numbers = any(_is_number(value) for value in values)
    return vv.Space(paths | ({()} if numbers or not paths else set()))


def _is_number(value: Value) -> bool:
    return value is not None and not isinstance(value, str | Mapping)


def show(value: Value) -> str:
    """A value for people, short.

    >>> show(Fraction(1, 2)), show("a"), show(None)
    ('1/2', "'a'", 'nothing')
    """
    if value is None:
        return "nothing"
    text = str(value) if _is_number(value) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def as_stream(given: Any, where: str) -> tuple[Value, ...]:
    """A stream as a tuple of values, from a text (its characters), a list, a tuple or an array.

    Raises `InputError` for what is no stream, and for what is no value, with its tick.
    """
    listed = isinstance(given, Iterable) and not isinstance(given, Mapping)
    if not listed or getattr(given, "shape", None) == ():
        raise InputError(
            f"found {show(given)}, expected one value for each tick",
            where,
            "give a text, a list or an array [time]",
        )
    tolist = getattr(given, "tolist", None)
    rows = tolist() if tolist else given
    return tuple(as_value(value, f"{where}, tick {t}") for t, value in enumerate(rows))
