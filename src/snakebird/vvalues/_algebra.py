"""The V-value algebra: every function works on trees and on `Flat`, and mixes them freely.

On trees of Python numbers and fractions the arithmetic is exact. A result is `Flat` as soon as
one argument is. Corner cases follow the laws of a vector space and of bilinearity.
"""

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.errors import SpaceError
from snakebird.vvalues._flat import Flat, flatten, flatten_all, unflatten
from snakebird.vvalues._forms import apply_form
from snakebird.vvalues._slots import rearrange
from snakebird.vvalues._space import Space
from snakebird.vvalues._tree import (
    NUMBER,
    Leaf,
    Path,
    entries,
    grow,
    is_exact,
    is_leaf,
    is_zero,
    shape_of,
    show_path,
    stored,
)

VValue = Any
"""A tree (nested dicts, or a bare number or array) or a `Flat`."""


def zero() -> VValue:
    """The zero value: the empty tree."""
    return {}


def _any_flat(values: Iterable[Any]) -> bool:
    """Whether one of the values is `Flat` or holds a `Flat` branch."""
    return any(
        isinstance(v, Flat) or (isinstance(v, Mapping) and _any_flat(v.values())) for v in values
    )


def add(*values: VValue) -> VValue:
    """The pathwise sum of any number of values.

    >>> add({"a": 1, "b": {"c": 2}}, {"b": 3})
    {'a': 1, 'b': {':number': 3, 'c': 2}}
    """
    return lin_comb([1] * len(values), values)


def scale(factor: VValue, value: VValue) -> VValue:
    """Every number times a factor; the factor may be a number or a V-value's root number."""
    return lin_comb([factor], [value])


def lin_comb(coefficients: Iterable[VValue], values: Iterable[VValue]) -> VValue:
    """The linear combination of values with coefficients.

    >>> lin_comb([2, -1], [{"a": 1}, {"a": 2, "b": 1}])
    {'b': -1}
    """
    factors, values = [number(c) for c in coefficients], list(values)
    if _any_flat(values):
        flats = flatten_all(*values)
        space = reduce(Space.__or__, [f.space for f in flats])
        return Flat(space, sum(_times(c, flatten(f, space).data) for c, f in zip(factors, flats, strict=True)))  # type: ignore[arg-type]
    out: dict[Path, Leaf] = {}
    for factor, value in zip(factors, values, strict=True):
        for path, leaf in entries(value):
            term = leaf if is_exact(factor) and factor == 1 else factor * leaf
            if path in out and shape_of(out[path]) != shape_of(term):
                raise SpaceError(
                    f"leaves of shape {list(shape_of(out[path]))} and {list(shape_of(term))} meet",
                    show_path(path),
                    "bring both to one shape, or give them different keys",
                )
            out[path] = out[path] + term if path in out else term
    return grow(out)


def _times(factor: Any, data: jax.Array) -> jax.Array:
    if is_exact(factor):
        return data if factor == 1 else float(factor) * data
    return jnp.expand_dims(factor, -1) * data


def mask(mask: VValue, value: VValue) -> VValue:
    """The multiplicative mask: each mask number multiplies the whole part of `value` below its path.

    Bilinear. A mask's number that stands beside branches multiplies the whole branch too.

    >>> mask({"a": 2, "b": {"c": 0.5}}, {"a": {"x": 1}, "b": {"c": 4, "d": 9}})
    {'a': {'x': 2}, 'b': {'c': 2.0}}
    """
    return apply_form("mask", mask, value)


def mask_sum(row: VValue, value: VValue) -> VValue:
    """One row of a matrix applied to a value: as `mask`, but all contributions are added up.

    >>> mask_sum({"n1": {"out": 2}, "n2": 3}, {"n1": {"out": {"x": 1}}, "n2": 5})
    {':number': 15, 'x': 2}
    """
    return apply_form("mask_sum", row, value)


def apply_matrix(matrix: VValue, value: VValue, level: int = 1) -> VValue:
    """A matrix applied to a value: the first `level` keys name a row, the rest is the row.

    With `level=1` this is also the product of two matrices held as trees of depth two.

    >>> apply_matrix({"x": {"a": 8}, "y": {"b": 10}}, {"a": 3, "b": 5})
    {'x': 24, 'y': 50}
    """
    return apply_form("rows", matrix, value, level)


def outer(left: VValue, right: VValue) -> VValue:
    """The outer product: every path of `left` followed by every path of `right`.

    >>> outer({"a": 2}, {"x": 3, "y": 4})
    {'a': {'x': 6, 'y': 8}}
    """
    return apply_form("outer", left, right)


def multiply(left: VValue, right: VValue) -> VValue:
    """The pathwise product."""
    return apply_form("multiply", left, right)


def inner(left: VValue, right: VValue) -> Leaf:
    """The inner product: the sum of the products of equal paths.

    >>> inner({"a": 2, "b": {"c": 3}}, {"a": 5, "b": {"c": 7, "d": 1}})
    31
    """
    return number(apply_form("inner", left, right))


def number(value: VValue) -> Leaf:
    """The number (or array) at the root of a value; 0 where there is none.

    >>> number({":number": 2, "a": 1}), number(3), number({"a": 1})
    (2, 3, 0)
    """
    if isinstance(value, Flat):
        if () not in value.space:
            return jnp.zeros(value.data.shape[:-1], value.data.dtype)
        return value.data[..., value.space.slot(())].reshape(*value.data.shape[:-1], *value.space.shape(()))
    node = value.get(NUMBER, 0) if isinstance(value, Mapping) else value
    return number(node) if isinstance(node, (Mapping, Flat)) else node if is_leaf(node) else 0


def keys(value: VValue) -> tuple[str, ...]:
    """The first keys of a value; those of a `Flat` are all that its space has."""
    if isinstance(value, Flat):
        return value.space.keys
    return tuple(k for k in value if k != NUMBER) if isinstance(value, Mapping) else ()


def get(value: VValue, *path: str) -> VValue:
    """The part of a value below a path; zero where there is none.

    >>> get({"a": {"b": 3, "c": 4}}, "a", "b"), get({"a": 1}, "z")
    (3, {})
    """
    for depth, key in enumerate(path):
        if isinstance(value, Flat):
            prefix = path[depth:]
            return Flat(value.space.sub(prefix), value.data[..., value.space.below(prefix)])
        value = value.get(key, {}) if isinstance(value, Mapping) else {}
    return value


def put(value: VValue, path: Path, part: VValue) -> VValue:
    """The value with the part below `path` replaced.

    >>> put({"a": {"b": 3}}, ("a", "c"), 4)
    {'a': {'b': 3, 'c': 4}}
    """
    wrapped = part
    for key in reversed(path):
        wrapped = {key: wrapped}
    return add(select(value, lambda p: p[: len(path)] != path), wrapped)


def select(value: VValue, keep: Iterable[Path] | Callable[[Path], bool]) -> VValue:
    """Only the entries at or below the given paths, or those whose path a function accepts.

    >>> select({"a": {"b": 3}, "c": 4}, [("a",)])
    {'a': {'b': 3}}
    """
    if not callable(keep):
        prefixes = [tuple(path) for path in keep]
        return select(value, lambda p: any(p[: len(prefix)] == prefix for prefix in prefixes))
    if isinstance(value, Flat):
        space = Space({path: shape for path, shape in value.space.items if keep(path)})
        return Flat(space, rearrange(value.data, space.inclusion(value.space)))
    return grow({path: leaf for path, leaf in entries(value) if keep(path)})


def restrict(value: VValue, space: Space) -> Flat:
    """The part of a value that lies in `space`, as `Flat` in exactly that space."""
    flat = select(flatten(value), lambda path: path in space)
    return flatten(flat, space)


def map_numbers(function: Callable[[Any], Any], value: VValue) -> VValue:
    """Apply a function with `function(0) == 0` to every number.

    On trees it sees one leaf at a time, on `Flat` the whole vector; zeros stay zeros in both.
    """
    if isinstance(value, Flat):
        return Flat(value.space, function(value.data))
    return grow({path: function(leaf) for path, leaf in entries(value)})


def combine(function: Callable[[Any, Any], Any], left: VValue, right: VValue) -> VValue:
    """Apply a function with `function(0, 0) == 0` to the two numbers at every path."""
    if _any_flat((left, right)):
        flats = flatten_all(left, right)
        space = flats[0].space | flats[1].space
        return Flat(space, function(*(flatten(flat, space).data for flat in flats)))
    u, v = dict(entries(left)), dict(entries(right))
    return grow({path: function(u.get(path, 0), v.get(path, 0)) for path in u | v})


def where(condition: Any, left: VValue, right: VValue) -> VValue:
    """`left` where a condition (a truth value, traced or not) holds, else `right`."""
    if isinstance(condition, (bool, np.bool_)):
        return left if condition else right
    return combine(lambda a, b: jnp.where(condition, a, b), left, right)


def max_norm(value: VValue) -> Leaf:
    """The largest absolute number; 0 for zero. At ties the gradient is shared evenly.

    >>> max_norm({"a": {"b": -7.5}, "c": 3})
    7.5
    """
    if isinstance(value, Flat):
        return jnp.max(jnp.abs(value.data), axis=-1, initial=0)
    sizes = [abs(leaf) if is_exact(leaf) else jnp.max(jnp.abs(leaf)) for _, leaf in entries(value)]
    if all(map(is_exact, sizes)):
        return max(sizes, default=0)
    return jnp.max(jnp.stack([jnp.asarray(size, float) for size in sizes]))


def norm(value: VValue, order: float = 2) -> Leaf:
    """The p-norm over all numbers; `order` may be 1, 2, any p >= 1, or infinity.

    >>> norm({"a": 3, "b": {"c": 4}}), norm({"a": -3, "b": 4}, 1)
    (5.0, 7)
    """
    if order == float("inf"):
        return max_norm(value)
    if isinstance(value, Flat):
        if order == 1:
            return jnp.sum(jnp.abs(value.data), axis=-1)
        total = jnp.sum(jnp.abs(value.data) ** order, axis=-1)
        return jnp.where(total > 0, jnp.where(total > 0, total, 1) ** (1 / order), 0)
    total = sum(abs(leaf) ** order if is_exact(leaf) else jnp.sum(jnp.abs(leaf) ** order) for _, leaf in entries(value))
    return total if order == 1 else total ** (1 / order)


def trim(value: VValue, threshold: float) -> VValue:
    """Drop every number that is not larger than `threshold` in size; a bare number is kept.

    >>> trim({"a": {"b": -0.7, "c": 0.1}}, 0.3)
    {'a': {'b': -0.7}}
    """
    if isinstance(value, Flat):
        if value.space.paths == ((),):
            return value
        return map_numbers(lambda x: jnp.where(jnp.abs(x) > threshold, x, 0), value)
    if not isinstance(value, Mapping) or all(path == () for path, _ in entries(value)):
        return value
    keep = {p: leaf if is_exact(leaf) else jnp.where(jnp.abs(leaf) > threshold, leaf, 0) for p, leaf in entries(value)}
    return grow({path: leaf for path, leaf in keep.items() if not is_exact(leaf) or abs(leaf) > threshold})


def count(value: VValue, zeros: bool = False) -> int:
    """How many numbers are not zero; with `zeros=True`, how many are written down.

    >>> count({"a": 1, "b": {"c": 0}}), count({"a": 1, "b": {"c": 0}}, zeros=True)
    (1, 2)
    """
    if isinstance(value, Flat):
        return value.space.size if zeros else int(jnp.count_nonzero(value.data))
    leaves = [leaf for _, leaf in (stored(value) if zeros else entries(value))]
    return sum(1 if is_exact(x) else int(np.size(x) if zeros else jnp.count_nonzero(x)) for x in leaves)


def is_nonnegative(value: VValue) -> bool:
    """Whether no number is below zero."""
    return all(x >= 0 if is_exact(x) else bool((x >= 0).all()) for _, x in entries(unflatten(value)))


def less_equal(left: VValue, right: VValue) -> bool:
    """Whether `left <= right` at every path; a missing number is 0."""
    return is_nonnegative(lin_comb([-1, 1], [left, right]))


def equal(left: VValue, right: VValue, tolerance: float = 0.0) -> bool:
    """Whether two values are the same in max norm, up to a tolerance."""
    left, right = unflatten(left), unflatten(right)
    if any(left_s != right_s for left_s, right_s in _shared_shapes(left, right)):
        return False
    return bool(max_norm(lin_comb([1, -1], [left, right])) <= tolerance)


def _shared_shapes(left: Any, right: Any) -> list[tuple[Any, Any]]:
    u, v = dict(entries(left)), dict(entries(right))
    return [(shape_of(u[path]), shape_of(v[path])) for path in u.keys() & v.keys()]


def canonical(value: VValue) -> dict[Path, Leaf]:
    """The value as a finite map *path -> number*, sorted, zeros dropped: for comparison and I/O."""
    return {
        path: leaf
        for path, leaf in sorted(entries(unflatten(value)), key=lambda item: item[0])
        if not is_zero(np.asarray(leaf) if not isinstance(leaf, Fraction) else leaf)
    }
