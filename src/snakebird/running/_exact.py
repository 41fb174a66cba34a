"""Numbers as JSON without loss: what JSON has no number for stands as a text."""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import FileFormatError
from snakebird.vvalues import Space
from snakebird.vvalues._text import fraction_of

_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def plain(value: Any) -> Any:
    """A tree of numbers and arrays, or a list of trees, as JSON data.

    >>> plain({"a": Fraction(1, 3), "b": np.array([1.5, np.inf])})
    {'a': '1/3', 'b': [1.5, 'inf']}
    """
    if isinstance(value, Mapping):
        return {key: plain(branch) for key, branch in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        return plain(np.asarray(value).tolist())
    if isinstance(value, Fraction):
        return str(value)
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def tree(data: Any) -> Any:
    """The tree of JSON data; raises `FileFormatError` for what is no number."""
    if isinstance(data, dict):
        return {key: tree(branch) for key, branch in data.items()}
    if isinstance(data, list):
        return array(data)
    if isinstance(data, str):
        return _SPECIAL[data] if data in _SPECIAL else _fraction(data)
    if isinstance(data, bool) or not isinstance(data, (int, float)):
        raise FileFormatError(f"found {data!r}, expected a number")
    return data


def _fraction(text: str) -> Fraction:
    number = fraction_of(text)
    if number is None:
        raise FileFormatError(f"found {text[:60]!r}, expected a number")
    return number


def array(data: Any, dtype: Any = float) -> np.ndarray:
    """The array of nested lists; raises `FileFormatError` where they are none."""

    def number(item: Any) -> Any:
        return list(map(number, item)) if isinstance(item, list) else tree(item)

    try:
        return np.array(number(data), dtype)
    except (ValueError, TypeError):
        raise FileFormatError("found a list that is no array of numbers") from None


def space_data(space: Space) -> list[Any]:
    """A space as JSON data: paths, and with its shape for each that holds an array."""
    return [[list(p), list(s)] if s else list(p) for p, s in space.items]


def space_of_data(data: list[Any]) -> Space:
    """The space of JSON data."""
    found: dict[vv.Path, tuple[int, ...]] = {}
    for entry in data:
        with_shape = bool(entry) and isinstance(entry[0], list)
        path, shape = entry if with_shape else (entry, [])
        if not all(isinstance(key, str) for key in path):
            raise FileFormatError(f"found {path!r}, expected a list of texts")
        found[tuple(path)] = tuple(int(n) for n in shape)
    return Space(found)


def key_data(key: Any) -> Any:
    """A random key as JSON data."""
    if key is None:
        return None
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    words = jax.random.key_data(key) if typed else key
    return {"kind": str(jax.random.key_impl(key)) if typed else None, "words": words.tolist()}


def key_of_data(data: Any) -> Any:
    """The random key of JSON data."""
    if data is None:
        return None
    words = jnp.asarray(data["words"], jnp.uint32)
    return words if data["kind"] is None else jax.random.wrap_key_data(words, impl=data["kind"])
