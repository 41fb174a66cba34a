"""Parameters of neurons: what each may hold, by the kind of its default."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from snakebird import vvalues as vv
from snakebird.errors import MachineError, ValueFormatError


def checked(kind: str, name: str, default: Any, value: Any, numeric: bool) -> Any:
    """A parameter in the form its neuron takes it; raises `MachineError` for what it cannot be.

    Numbers may be any V-value, or lists of them; other parameters are of the type of their
    default, a text standing for its characters where tokens are meant.
    """
    if numeric:
        return _numbers(kind, name, value)
    if name == "space" and default is None and not isinstance(value, (vv.Space, type(None))):
        hint = 'write space=sb.Space([("x",), ("y",)])'
        raise refused(kind, name, value, "a Space", hint)
    if isinstance(default, tuple):
        return _names(kind, name, default, value)
    if isinstance(default, bool):
        fits = isinstance(value, (bool, np.bool_))
    elif isinstance(default, int):
        fits = _is_whole(value)
        value = int(value) if fits else value  # type: ignore[arg-type]
    else:
        fits = not isinstance(default, str) or isinstance(value, str)
    if not fits:
        kinds = {bool: "True or False", int: "a whole number", str: "a text"}
        wanted = next(text for type_, text in kinds.items() if isinstance(default, type_))
        raise refused(kind, name, value, wanted, f"write {name}={default!r}, or another")
    return value


def refused(kind: str, name: str, value: Any, wanted: str, hint: str) -> MachineError:
    """The error of a parameter that is something else than wanted."""
    shown = repr(value) if len(repr(value)) <= 60 else f"a {type(value).__name__}"
    return MachineError(f"{name}={shown}, expected {wanted}", f"neuron type {kind}", hint)


def _numbers(kind: str, name: str, value: Any) -> Any:
    wanted, hint = "a number, an array or a tree of numbers", f"write {name}=0.5, for example"
    if isinstance(value, (list, tuple)):
        try:
            value = np.asarray(value, float)
        except (TypeError, ValueError):
            raise refused(kind, name, value, wanted, hint) from None
    leaves = [value.data] if isinstance(value, vv.Flat) else []
    try:
        if not leaves and not _holds_flat(value):
            vv.check(value)
            leaves = [leaf for _, leaf in vv.stored(value)]
    except ValueFormatError as error:
        where = f"neuron type {kind}, {name}" + (f": {error.where}" if error.where else "")
        if isinstance(value, Mapping):
            raise MachineError(error.what, where, error.hint) from None
        raise refused(kind, name, value, wanted, hint) from None
    for leaf in leaves:
        if not vv.is_exact(leaf) and leaf.dtype.kind in "OSUcMm":
            raise refused(kind, name, value, "real numbers", hint)
        if not _finite(leaf):
            raise refused(kind, name, value, "finite numbers", hint)
    return value


def _holds_flat(value: Any) -> bool:
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, vv.Flat):
            return True
        waiting += node.values() if isinstance(node, Mapping) else ()
    return False


def _finite(leaf: Any) -> bool:
    """Whether all numbers are finite; of numbers that are traced nobody knows."""
    if isinstance(leaf, (Tracer, jax.ShapeDtypeStruct)):
        return True
    try:
        return bool(np.isfinite(np.asarray(leaf, float)).all())
    except OverflowError:
        return False


def _names(kind: str, name: str, default: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    """A parameter that is a tuple: of names, or of whole numbers where it is a shape."""
    if isinstance(value, str) and name == "tokens":
        return tuple(dict.fromkeys(value))
    counts = isinstance(default[0], int) if default else name == "shape"
    item, wanted = (int, "a tuple of whole numbers") if counts else (str, "a tuple of texts")
    if isinstance(value, (list, tuple)) and all(_is_item(part, item) for part in value):
        return tuple(value)
    hint = (
        f"write {name}=(2, 3), for example" if counts else f'write {name}=("a", "b"), for example'
    )
    raise refused(kind, name, value, wanted, hint)


def _is_item(part: Any, item: type) -> bool:
    if item is str:
        return isinstance(part, str)
    return _is_whole(part) and bool(part >= 0)


def _is_whole(given: Any) -> bool:
    return isinstance(given, (int, np.integer)) and not isinstance(given, bool)
