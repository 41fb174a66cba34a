"""Values as Python expressions: numbers exactly, trees, arrays, spaces."""

import keyword
import math
import unicodedata
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import jax
import jax.core
import numpy as np

from snakebird import vvalues as vv
from snakebird.machines._depth import DEEPEST, deeper
from snakebird.machines._machine import _same
from snakebird.machines.printing._layout import Doc, Group, Joined, call

RESERVED = frozenset({"sb", "np", "Fraction"})
"""Names that a printed source uses itself."""

PLACEHOLDER = "..."


class DeepTree:
    """Stands for a tree that is nested deeper than Python reads."""

    def __repr__(self) -> str:
        return f"a tree of more than {DEEPEST} levels"


class Literals:
    """Writes values as documents; keeps the imports they need, and what could not be written."""

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.unwritten: list[Any] = []

    def write(self, value: Any) -> Doc:
        """A value as an expression; `...` for a Python object, which `unwritten` then holds."""
        value = plain(value)
        if deeper(value):
            self.unwritten.append(DeepTree())
            return PLACEHOLDER
        if value is None or isinstance(value, (bool, int)):
            return repr(value)
        if isinstance(value, float):
            return self._float(value)
        if isinstance(value, str):
            return quote(value)
        if isinstance(value, Fraction):
            self.imports.add("from fractions import Fraction")
            return f"Fraction({value.numerator}, {value.denominator})"
        if isinstance(value, vv.Flat):
            return self.write(vv.unflatten(value))
        if isinstance(value, vv.Space):
            return self._space(value)
        if isinstance(value, Mapping):
            return Group("{", tuple(self._pair(k, v) for k, v in value.items()), "}")
        if isinstance(value, (tuple, list)):
            return self._sequence(value)
        if isinstance(value, (np.ndarray, jax.Array)):
            return self._array(value)
        self.unwritten.append(value)
        return PLACEHOLDER

    def _float(self, value: float) -> str:
        if math.isfinite(value):
            return repr(value)
        self.imports.add("import numpy as np")
        return "np.nan" if math.isnan(value) else "np.inf" if value > 0 else "-np.inf"

    def _pair(self, key: Any, value: Any) -> Doc:
        return Joined((self.write(key), ": ", self.write(value)))

    def _sequence(self, value: Any) -> Doc:
        items = tuple(self.write(item) for item in value)
        fill = all(isinstance(item, str) for item in items)
        if isinstance(value, list):
            return Group("[", items, "]", fill)
        return Group("(", items, ")", fill, lone_comma=True)

    def _array(self, value: Any) -> Doc:
        if isinstance(value, jax.core.Tracer):
            self.unwritten.append(value)
            return PLACEHOLDER
        self.imports.add("import numpy as np")
        array = np.asarray(value)
        usual = array.dtype == np.float64 or array.dtype.kind in "iub"
        kind = "" if usual else str(array.dtype)
        if array.size == 0:
            return call("np.zeros", [self.write(array.shape), *([quote(kind)] if kind else [])])
        return call("np.array", [self._nested(array), *([quote(kind)] if kind else [])])

    def _nested(self, array: Any) -> Doc:
        """Rows as lists; numbers in the shortest form that gives their own type back."""
        if array.ndim == 0:
            short = array.dtype in (np.float32, np.float16) and np.isfinite(array)
            return str(array[()]) if short else self.write(array.item())
        return Group("[", tuple(self._nested(row) for row in array), "]", fill=array.ndim == 1)

    def _space(self, space: vv.Space) -> Doc:
        if not space.items:
            return "sb.Space()"
        if any(shape for _, shape in space.items):
            pairs = tuple(self._pair(path, shape) for path, shape in space.items)
            return call("sb.Space", [Group("{", pairs, "}")])
        return call("sb.Space", [self.write(list(space.paths))])


def plain(value: Any) -> Any:
    """A scalar of NumPy or JAX as a Python number; anything else as it is."""
    if isinstance(value, jax.core.Tracer):
        return value
    if isinstance(value, np.generic) or (vv.is_leaf(value) and not vv.is_exact(value)):
        return value.item() if vv.shape_of(value) == () else value
    return value


def is_default(value: Any, default: Any) -> bool:
    """Whether a parameter need not be written: the default, of the same kind of number."""
    same_kind = not vv.is_exact(default) or type(plain(value)) is type(default)
    return same_kind and _same(value, default)


def quote(text: str) -> str:
    """A text in double quotes where it holds none itself.

    >>> quote("it's"), quote('"')
    ('"it\\'s"', '\\'"\\'')
    """
    return repr(text) if '"' in text else '"' + repr("'" + text)[2:]


def is_identifier(name: str) -> bool:
    """Whether Python takes a name as it is for a keyword argument or an attribute."""
    known = name.isidentifier() and not keyword.iskeyword(name)
    return known and unicodedata.normalize("NFKC", name) == name


def is_plain_name(name: str) -> bool:
    """Whether a name may be a variable of a printed source."""
    special = name in RESERVED or name.startswith("__") or not name.strip("_0123456789")
    return is_identifier(name) and not special
