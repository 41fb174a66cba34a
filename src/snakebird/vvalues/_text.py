"""V-values as text: JSON, a short printed form, and a diff that names the paths."""

import json
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from snakebird.errors import ValueFormatError
from snakebird.vvalues._algebra import VValue, canonical
from snakebird.vvalues._flat import unflatten
from snakebird.vvalues._tree import Leaf, Path, show_path


def to_json(value: VValue) -> Any:
    """The JSON-ready form of a value: fractions as `"1/3"`, arrays as nested lists."""
    value = unflatten(value)
    if isinstance(value, Mapping):
        return {key: to_json(branch) for key, branch in value.items()}
    if isinstance(value, Fraction):
        return str(value) if value.denominator != 1 else value.numerator
    if isinstance(value, (int, float)):
        return value
    array = np.asarray(value)
    return array.item() if array.shape == () else array.tolist()


def from_json(data: Any, where: Path = ()) -> VValue:
    """The value of parsed JSON; raises `ValueFormatError` with the path of what is no number."""
    if isinstance(data, dict):
        return {key: from_json(branch, (*where, key)) for key, branch in data.items()}
    if isinstance(data, list):
        return _array(data, where)
    if isinstance(data, str):
        try:
            return Fraction(data)
        except (ValueError, ZeroDivisionError):
            pass
    elif isinstance(data, (int, float)) and not isinstance(data, bool) and math.isfinite(data):
        return data
    raise ValueFormatError(
        f"found {json.dumps(data)}, expected a number, a fraction like \"1/3\", a list of numbers or an object",
        show_path(where),
        "numbers must be finite",
    )


def _array(data: list[Any], where: Path) -> np.ndarray:
    try:
        array = np.array(data, float)
    except (ValueError, TypeError, OverflowError):
        array = np.array(np.nan)
    if not np.isfinite(array).all():
        raise ValueFormatError(
            "found a list that is no array of finite numbers", show_path(where), "make all its rows equally long"
        )
    return array


def dumps(value: VValue) -> str:
    """A value as one line of JSON."""
    return json.dumps(to_json(value), allow_nan=False, ensure_ascii=False)


def loads(text: str) -> VValue:
    """The value of a JSON text.

    >>> loads('{"a": {":number": 1, "b": "1/3"}}')
    {'a': {':number': 1, 'b': Fraction(1, 3)}}
    """
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        at = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "some depth"
        raise ValueFormatError("this is not JSON", at, "write an object like {\"a\": 1}") from None
    return from_json(data)


def show(value: VValue, limit: int = 12) -> str:
    """A value in short: `3 + 2 a.b + ...`, at most `limit` terms.

    >>> show({":number": 3, "a": {"b": 2.5}})
    '3 + 2.5 a.b'
    """
    items = list(canonical(value).items())
    terms = [_term(path, leaf) for path, leaf in items[:limit]]
    if len(items) > limit:
        terms.append(f"... ({len(items)} terms)")
    return " + ".join(terms).replace("+ -", "- ") or "0"


def _term(path: Path, leaf: Leaf) -> str:
    shape = np.shape(leaf)
    if shape:
        factor = f"array{list(shape)}"
    else:
        factor = str(leaf) if isinstance(leaf, (int, Fraction)) else f"{float(leaf):.6g}"
    return f"{factor} {show_path(path)}" if path else factor


def diff(left: VValue, right: VValue, tolerance: float = 0.0) -> list[str]:
    """The paths where two values differ, one line each: `a.b: 1 -> 2`.

    >>> diff({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4})
    ['b: 2 -> 3', 'c: absent -> 4']
    """
    u, v = canonical(left), canonical(right)
    lines = []
    for path in sorted(u.keys() | v.keys()):
        a, b = u.get(path, 0), v.get(path, 0)
        if np.shape(a) != np.shape(b) or np.max(np.abs(np.asarray(a - b, float))) > tolerance:
            before, after = (_term((), x) if path in side else "absent" for x, side in ((a, u), (b, v)))
            lines.append(f"{show_path(path)}: {before} -> {after}")
    return lines
