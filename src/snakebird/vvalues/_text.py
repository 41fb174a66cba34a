"""V-values as text: JSON, a short printed form, and a diff that names the paths."""

import json
import math
import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from snakebird.errors import ValueFormatError
from snakebird.vvalues._algebra import VValue
from snakebird.vvalues._flat import unflatten
from snakebird.vvalues._norms import canonical, differences
from snakebird.vvalues._tree import Leaf, Path, check, rebuilt, show_path, stored

DIGITS = sys.int_info.default_max_str_digits
"""How many digits a whole number may have in a text, or the parts of a fraction: as in Python."""

_TOO_LONG = 10**DIGITS
_EXPONENT = re.compile(r"[eE]([-+]?[\d_]+)")


def to_json(value: VValue) -> Any:
    """The JSON-ready form of a value: fractions as `"1/3"`, arrays as nested lists.

    Raises `ValueFormatError` where there is junk, a number that is not finite, or an exact one of
    more than `DIGITS` digits.

    >>> to_json({"a": Fraction(1, 3), "b": np.array([1.0, 2.0])})
    {'a': '1/3', 'b': [1.0, 2.0]}
    """
    value = unflatten(value)
    check(value)
    for path, leaf in stored(value):
        if isinstance(leaf, (int, Fraction)):
            if max(abs(leaf.numerator), leaf.denominator) >= _TOO_LONG:
                raise _too_long(show_path(path))
        elif not np.isfinite(leaf).all():
            raise ValueFormatError(
                f"found {leaf}, which JSON cannot hold", show_path(path), "numbers must be finite"
            )
    return rebuilt(_leaf_to_json, value)


def _leaf_to_json(node: Leaf) -> Any:
    if isinstance(node, Fraction):
        return str(node) if node.denominator != 1 else node.numerator
    return node if isinstance(node, (int, float)) else np.asarray(node).tolist()


def _too_long(where: str) -> ValueFormatError:
    what = f"an exact number has more than {DIGITS} digits, which text cannot hold"
    return ValueFormatError(what, where, "round it: write a float")


def from_json(data: Any, where: Path = ()) -> VValue:
    """The value of parsed JSON; raises `ValueFormatError` with the path of what is no number.

    >>> from_json({"a": 1, "b": {"c": 0.5}})
    {'a': 1, 'b': {'c': 0.5}}
    """
    if not isinstance(data, dict):
        return _leaf_of_json(data, where)
    value: dict[str, Any] = {}
    waiting = [(value, data, where)]
    while waiting:
        made, node, path = waiting.pop()
        for key, branch in node.items():
            if isinstance(branch, dict):
                made[key] = {}
                waiting.append((made[key], branch, (*path, key)))
            else:
                made[key] = _leaf_of_json(branch, (*path, key))
    check(value, where)
    return value


def _leaf_of_json(data: Any, where: Path) -> Leaf:
    if isinstance(data, list):
        return _array(data, where)
    if isinstance(data, str):
        number = fraction_of(data)
        if number is not None:
            return number
    elif _is_number(data) and (isinstance(data, int) or math.isfinite(data)):
        return data
    raise ValueFormatError(
        f'found {_short(data)}, expected a number, a fraction like "1/3", '
        "a list of numbers or an object",
        show_path(where),
        "numbers must be finite",
    )


def fraction_of(text: str) -> Fraction | None:
    """The fraction of a text; `None` where it is none, or a part has more than `DIGITS` digits.

    >>> fraction_of("2/6"), fraction_of("1e1000000000")
    (Fraction(1, 3), None)
    """
    exponent = _EXPONENT.search(text)
    try:
        # Before it is made: the digits of 1e1000000000 would fill the memory.
        if len(text) + (abs(int(exponent[1])) if exponent else 0) > 2 * DIGITS + 9:
            return None
        number = Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
    return number if max(abs(number.numerator), number.denominator) < _TOO_LONG else None


def _short(data: Any) -> str:
    text = json.dumps(data)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_number(data: Any) -> bool:
    return isinstance(data, (int, float)) and not isinstance(data, bool)


def _flat_list(data: Any) -> Iterator[Any]:
    if isinstance(data, list):
        for item in data:
            yield from _flat_list(item)
    else:
        yield data


def _array(data: list[Any], where: Path) -> np.ndarray:
    try:
        array = np.array(data, float)
    except (ValueError, TypeError, OverflowError):
        array = np.array(np.nan)
    if not np.isfinite(array).all() or not all(map(_is_number, _flat_list(data))):
        raise ValueFormatError(
            "found a list that is no array of finite numbers",
            show_path(where),
            "make all its rows equally long",
        )
    return array


def dumps(value: VValue) -> str:
    """A value as one line of JSON; raises `ValueFormatError` where it is nested too deep.

    >>> dumps({"a": 1, "b": {"c": 0.5}})
    '{"a": 1, "b": {"c": 0.5}}'
    """
    data = to_json(value)
    try:
        return json.dumps(data, allow_nan=False, ensure_ascii=False)
    except RecursionError:
        depth = max(len(path) for path, _ in stored(unflatten(value)))
        raise ValueFormatError(
            f"this value is {depth} levels deep, and JSON text may have "
            f"{sys.getrecursionlimit()} at most",
            hint="write a long list as an array, or raise sys.setrecursionlimit",
        ) from None


def loads(text: str) -> VValue:
    """The value of a JSON text.

    >>> loads('{"a": {":number": 1, "b": "1/3"}}')
    {'a': {':number': 1, 'b': Fraction(1, 3)}}
    """
    try:
        return from_json(json.loads(text, object_pairs_hook=_unique))
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
    except RecursionError:
        at = "a branch that is too deep"
    except ValueFormatError:
        raise
    except ValueError:  # Python reads no longer number
        raise _too_long("a number without quotes") from None
    raise ValueFormatError("this is not JSON", at, 'write an object like {"a": 1}')


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, branch in pairs:
        if key in found:
            raise ValueFormatError(
                f"the key {json.dumps(key, ensure_ascii=not key.isprintable())} is given twice",
                hint="keep one of the two, or add the values up",
            )
        found[key] = branch
    return found


def show(value: VValue, limit: int = 12) -> str:
    """A value in short: `3 + 2 a.b + ...`, at most `limit` terms.

    >>> show({":number": 3, "a": {"b": 2.5}})
    '3 + 2.5 a.b'
    """
    items = list(canonical(value).items())
    terms = [_term(path, leaf) for path, leaf in items[:limit]]
    if len(items) > limit:
        terms.append(f"... ({len(items)} terms)")
    signed = [f"- {term[1:]}" if term[0] == "-" else f"+ {term}" for term in terms[1:]]
    return " ".join(terms[:1] + signed) or "0"


def _term(path: Path, leaf: Leaf) -> str:
    shape = np.shape(leaf)
    if shape:
        factor = f"array{list(shape)}"
    else:
        factor = str(leaf) if isinstance(leaf, (int, Fraction)) else f"{float(leaf):.6g}"
    return f"{factor} {show_path(path)}" if path else factor


def diff(left: VValue, right: VValue, tolerance: Leaf = 0) -> list[str]:
    """The paths where two values differ, one line each: `a.b: 1 -> 2`.

    >>> diff({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4})
    ['b: 2 -> 3', 'c: absent -> 4']
    """
    shown = lambda leaf: "absent" if leaf is None else _term((), leaf)
    return [
        f"{show_path(path)}: {shown(a)} -> {shown(b)}"
        for path, (a, b) in differences(left, right, tolerance).items()
    ]
