"""`Flat`: the array carrier of V-values, one vector in a known `Space`."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from snakebird.errors import ValueFormatError
from snakebird.vvalues._slots import place
from snakebird.vvalues._space import Space
from snakebird.vvalues._tree import NUMBER, Path, is_exact, is_leaf, shape_of, show_path


class Flat(eqx.Module):
    """A V-value as the vector `data[..., space.size]`; leading axes are batches.

    >>> flatten({"b": 2.0, "a": {"c": 1.0}})
    Flat(Space(a.c, b), [1. 2.])
    """

    space: Space = eqx.field(static=True)
    data: jax.Array

    def __repr__(self) -> str:
        known = isinstance(self.data, (jax.Array, np.ndarray)) and not isinstance(self.data, jax.core.Tracer)
        shown = str(np.asarray(self.data)) if known and self.data.size <= 12 else f"{jnp.shape(self.data)}"
        return f"Flat({self.space!r}, {shown})"


def flatten(value: Any, space: Space | None = None) -> Flat:
    """A V-value of either carrier as `Flat`, in its own space or in a larger given one.

    Branches of a tree may themselves be `Flat`. Raises `SpaceError` where the value does not fit.
    """
    if not isinstance(value, Flat):
        pieces = _collect(value)
        return _assemble(pieces, _space_of(pieces) if space is None else space)
    if space is None or space == value.space:
        return value
    return Flat(space, place(value.data, value.space.inclusion(space), space.size))


def flatten_all(*values: Any) -> list[Flat]:
    """Several values as `Flat`, each in its own space; plain numbers take the dtype of the arrays."""
    flats = [flatten(value) for value in values]
    arrays = [_holds_arrays(value) for value in values]
    if all(arrays) or not any(arrays):
        return flats
    dtype = jnp.result_type(*(f.data.dtype for f, own in zip(flats, arrays, strict=True) if own))
    return [
        f if own else Flat(f.space, f.data.astype(dtype))
        for f, own in zip(flats, arrays, strict=True)
    ]


def _holds_arrays(value: Any) -> bool:
    if isinstance(value, Flat):
        return True
    return any(not is_exact(piece) for piece in _collect(value).values())


def unflatten(value: Any) -> Any:
    """The tree of a V-value of either carrier; the numbers of a traced `Flat` stay traced.

    >>> unflatten({"x": flatten({"a": 1.0, "b": 0.0})})
    {'x': {'a': 1.0}}
    """
    if isinstance(value, Flat):
        data = value.data
        return value.space.unflatten(data if isinstance(data, jax.core.Tracer) else np.asarray(data))
    if isinstance(value, Mapping):
        return {key: unflatten(branch) for key, branch in value.items()}
    return value


def space_of(value: Any) -> Space:
    """The space of a V-value of either carrier; a tree's written zeros count."""
    return value.space if isinstance(value, Flat) else _space_of(_collect(value))


def _collect(value: Any) -> dict[Path, Any]:
    """The leaves and `Flat` branches of a tree under their paths."""
    pieces: dict[Path, Any] = {}

    def walk(node: Any, prefix: Path) -> None:
        if isinstance(node, Mapping):
            for key, branch in node.items():
                walk(branch, prefix if key == NUMBER else (*prefix, key))
        elif isinstance(node, Flat) or is_leaf(node):
            if prefix in pieces:
                raise ValueFormatError("this path is given twice", show_path(prefix), "add the two values first")
            pieces[prefix] = node

    walk(value, ())
    return pieces


def _piece_space(prefix: Path, piece: Any) -> Space:
    return piece.space.under(prefix) if isinstance(piece, Flat) else Space({prefix: shape_of(piece)})


def _space_of(pieces: dict[Path, Any]) -> Space:
    return Space({path: shape for at, piece in pieces.items() for path, shape in _piece_space(at, piece).items})


def _vector(piece: Any) -> jax.Array:
    if isinstance(piece, Flat):
        return piece.data
    return jnp.ravel(jnp.asarray(float(piece) if isinstance(piece, (int, Fraction)) else piece))


def _assemble(pieces: dict[Path, Any], space: Space) -> Flat:
    """One vector from pieces that cover disjoint parts of `space`, zero elsewhere."""
    if not pieces:
        return Flat(space, jnp.zeros(space.size))
    vectors = [_vector(piece) for piece in pieces.values()]
    strong = [v.dtype for v, p in zip(vectors, pieces.values(), strict=True) if hasattr(p, "dtype") or isinstance(p, Flat)]
    dtype = jnp.result_type(float, *strong)
    lead = jnp.broadcast_shapes(*[v.shape[:-1] for v in vectors])
    data = jnp.concatenate([jnp.broadcast_to(v, (*lead, v.shape[-1])).astype(dtype) for v in vectors], axis=-1)
    slots = np.concatenate([_piece_space(at, piece).inclusion(space) for at, piece in pieces.items()])
    return Flat(space, place(data, slots, space.size))
