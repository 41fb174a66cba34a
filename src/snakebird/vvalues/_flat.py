"""`Flat`: the array carrier of V-values, one vector in a known `Space`."""

import itertools as it
from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.dtypes import canonicalize_dtype

from snakebird.vvalues._slots import place
from snakebird.vvalues._space import Shape, Space, no_room
from snakebird.vvalues._tree import (
    NUMBER,
    Path,
    is_exact,
    is_leaf,
    is_zero,
    rebuilt,
    refuse_branches,
    shape_of,
    unlike,
)


class Flat(eqx.Module):
    """A V-value as the vector `data[..., space.size]`; leading axes are batches.

    >>> flatten({"b": 2.0, "a": {"c": 1.0}})
    Flat(Space(a.c, b), [1. 2.])
    """

    space: Space = eqx.field(static=True)
    data: jax.Array

    def __repr__(self) -> str:
        known = isinstance(self.data, (jax.Array, np.ndarray)) and not isinstance(self.data, Tracer)
        shown = (
            str(np.asarray(self.data))
            if known and self.data.size <= 12
            else f"{jnp.shape(self.data)}"
        )
        return f"Flat({self.space!r}, {shown})"


def holds_flat(value: Any) -> bool:
    """Whether a value is `Flat` or a tree that holds a `Flat` branch."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (dict, Mapping)):
            waiting += node.values()
        elif isinstance(node, Flat):
            return True
    return False


def whole(value: Any) -> Any:
    """A tree that holds `Flat` branches as one `Flat`; any other value as it is."""
    return flatten(value) if holds_flat(value) else value


def flatten(value: Any, space: Space | None = None) -> Flat:
    """A V-value of either carrier as `Flat`, in its own space or in a larger given one.

    Branches of a tree may themselves be `Flat`. Raises `SpaceError` where the value does not
    fit; a zero that is written down in a tree fits everywhere.

    >>> print(flatten({"b": 2.0, "a": {"c": 1.0}}))
    Flat(Space(a.c, b), [1. 2.])
    """
    if not isinstance(value, Flat):
        pieces = _collect(value)
        dtype = _dtype(pieces.values())
        if space is None:
            return _assemble(pieces, _space_of(pieces), dtype)
        fitting = {at: piece for at, piece in pieces.items() if _matters(at, piece, space)}
        return _assemble(fitting, space, dtype)
    if space is None or space == value.space:
        return value
    return Flat(space, place(value.data, value.space.inclusion(space), space.size))


def flatten_all(*values: Any) -> list[Flat]:
    """Several values as `Flat`, each in its own space; plain numbers take the arrays' dtype."""
    parts = [{(): value} if isinstance(value, Flat) else _collect(value) for value in values]
    dtype = _dtype(piece for pieces in parts for piece in pieces.values())
    return [
        value if isinstance(value, Flat) else _assemble(pieces, _space_of(pieces), dtype)
        for value, pieces in zip(values, parts, strict=True)
    ]


def unflatten(value: Any) -> Any:
    """The tree of a V-value of either carrier; the numbers of a traced `Flat` stay traced.

    >>> unflatten({"x": flatten({"a": 1.0, "b": 0.0})})
    {'x': {'a': 1.0}}
    """
    return rebuilt(_tree, value)


def _tree(part: Any) -> Any:
    if not isinstance(part, Flat):
        return part
    data = part.data
    return part.space.unflatten(data if isinstance(data, Tracer) else np.asarray(data))


def space_of(value: Any) -> Space:
    """The space of a V-value of either carrier; a tree's written zeros count.

    >>> space_of({"b": 2.0, "a": {"c": 0.0}})
    Space(a.c, b)
    """
    return value.space if isinstance(value, Flat) else _space_of(_collect(value))


def _collect(value: Any) -> dict[Path, Any]:
    """The leaves and `Flat` branches of a tree under their paths."""
    pieces: dict[Path, Any] = {}
    waiting: list[tuple[Path, Any]] = [((), value)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, (dict, Mapping)):
            if NUMBER in node:
                refuse_branches(node[NUMBER], path)
            below = [(path if k == NUMBER else (*path, k), branch) for k, branch in node.items()]
            waiting += reversed(below)
        elif isinstance(node, Flat) or is_leaf(node):
            pieces[path] = node
    return pieces


def _matters(at: Path, piece: Any, space: Space) -> bool:
    """Whether a piece has a place in `space` or is not known to be zero."""
    if isinstance(piece, Flat) or not is_zero(piece):
        return True
    return at in space and space.shape(at) == shape_of(piece)


def _paths(at: Path, piece: Any) -> Iterable[tuple[Path, Shape]]:
    """Every path of a piece with its shape, in the order of its numbers."""
    if isinstance(piece, Flat):
        return [((*at, *path), shape) for path, shape in piece.space.items]
    return [(at, shape_of(piece))]


def _space_of(pieces: dict[Path, Any]) -> Space:
    return Space(dict(it.chain.from_iterable(_paths(at, piece) for at, piece in pieces.items())))


def _dtype(pieces: Iterable[Any]) -> Any:
    """The dtype that pieces have in common; that of floats if all are plain numbers."""
    arrays = [p.data if isinstance(p, Flat) else p for p in pieces if not is_exact(p)]
    # NumPy's doubles count as what JAX is set to make of them, without its warning.
    return jnp.result_type(float, *(canonicalize_dtype(array.dtype) for array in arrays))


def _assemble(pieces: dict[Path, Any], space: Space, dtype: Any) -> Flat:
    """One vector from pieces that cover disjoint parts of `space`, zero elsewhere."""
    # What is known becomes one constant; what may be traced is put together at run time.
    known = {at: piece for at, piece in pieces.items() if not isinstance(piece, (Flat, jax.Array))}
    constant = np.zeros(space.size, dtype)
    for at, piece in known.items():
        constant[_slots(at, piece, space)] = np.ravel(np.asarray(piece, float))
    if len(known) == len(pieces):
        return Flat(space, jnp.asarray(constant))
    vectors, slots = [], []
    for at, piece in pieces.items():
        if at not in known:
            vectors.append(piece.data if isinstance(piece, Flat) else jnp.ravel(piece))
            slots.append(_slots(at, piece, space))
    if known:
        rest = np.concatenate([_slots(at, piece, space) for at, piece in known.items()])
        vectors.append(jnp.asarray(constant[rest]))
        slots.append(rest)
    lead = jnp.broadcast_shapes(*[v.shape[:-1] for v in vectors])
    spread = [jnp.broadcast_to(v, (*lead, v.shape[-1])).astype(dtype) for v in vectors]
    data = jnp.concatenate(spread, axis=-1)
    return Flat(space, place(data, np.concatenate(slots), space.size))


def _slots(at: Path, piece: Any, space: Space) -> np.ndarray:
    """Where the numbers of a piece stand in `space`."""
    if isinstance(piece, Flat):
        return piece.space.under(at).inclusion(space)
    if at not in space:
        raise no_room([at])
    if space.shape(at) != shape_of(piece):
        raise unlike(shape_of(piece), space.shape(at), at)
    slot = space.slot(at)
    return np.arange(slot.start, slot.stop)
