"""The V-value algebra: every function works on trees and on `Flat`, and mixes them freely.

On trees of Python numbers and fractions the arithmetic is exact. A result is `Flat` as soon as
one argument is. Corner cases follow the laws of a vector space and of bilinearity.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.vvalues._flat import Flat, flatten, flatten_all, whole
from snakebird.vvalues._forms import apply_form
from snakebird.vvalues._slots import rearrange
from snakebird.vvalues._space import Space, refuse_text
from snakebird.vvalues._tree import (
    NUMBER,
    HoldsFlat,
    Leaf,
    Path,
    entries,
    grow,
    is_exact,
    is_leaf,
    is_vacant,
    plus,
    shape_of,
    times,
    unlike,
)

VValue = Any
"""A tree (nested dicts, or a bare number or array) or a `Flat`."""


def zero() -> VValue:
    """The zero value: the empty tree.

    >>> zero()
    {}
    """
    return {}


def add(*values: VValue) -> VValue:
    """The pathwise sum of any number of values.

    >>> add({"a": 1, "b": {"c": 2}}, {"b": 3})
    {'a': 1, 'b': {':number': 3, 'c': 2}}
    """
    return lin_comb([1] * len(values), values)


def scale(factor: VValue, value: VValue) -> VValue:
    """Every number times a factor; the factor may be a number or a V-value's root number.

    >>> scale(2, {"a": 1, "b": {"c": 3}})
    {'a': 2, 'b': {'c': 6}}
    """
    return lin_comb([factor], [value])


def lin_comb(coefficients: Iterable[VValue], values: Iterable[VValue]) -> VValue:
    """The linear combination of values with coefficients.

    >>> lin_comb([2, -1], [{"a": 1}, {"a": 2, "b": 1}])
    {'b': -1}
    """
    coefficients, values = list(coefficients), list(values)
    if not any(isinstance(v, Flat) for v in (*coefficients, *values)):
        try:
            return _lin_comb_of_trees(coefficients, values)
        except HoldsFlat:
            pass
    flats = flatten_all(*values)
    space = reduce(Space.__or__, [f.space for f in flats], Space())
    terms = [
        _scaled(number(c), flatten(f, space).data) for c, f in zip(coefficients, flats, strict=True)
    ]
    return Flat(space, reduce(jnp.add, terms))


def _lin_comb_of_trees(coefficients: list[VValue], values: list[VValue]) -> VValue:
    out: dict[Path, Leaf] = {}
    for coefficient, value in zip(coefficients, values, strict=True):
        factor = number(coefficient)
        one = is_exact(factor) and factor == 1
        for path, leaf in entries(value):
            term = leaf if one else times(factor, leaf)
            out[path] = plus(out[path], term, path) if path in out else term
    return grow(out)


def _scaled(factor: Leaf, data: jax.Array) -> jax.Array:
    if is_exact(factor):
        return data if factor == 1 else float(factor) * data
    return jnp.expand_dims(factor, -1) * data


def mask(mask: VValue, value: VValue) -> VValue:
    """The multiplicative mask: each mask number multiplies all of `value` at and below its path.

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
    return apply_form("mask_sum", matrix, value, level)


def outer(left: VValue, right: VValue) -> VValue:
    """The outer product: every path of `left` followed by every path of `right`.

    The product of two arrays has the axes of both.

    >>> outer({"a": 2}, {"x": 3, "y": 4})
    {'a': {'x': 6, 'y': 8}}
    """
    return apply_form("outer", left, right)


def multiply(left: VValue, right: VValue) -> VValue:
    """The pathwise product.

    >>> multiply({"a": 2, "b": 3}, {"b": 4, "c": 5})
    {'b': 12}
    """
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
        lead = value.data.shape[:-1]
        if () not in value.space:
            return jnp.zeros(lead, value.data.dtype)
        return value.data[..., value.space.slot(())].reshape((*lead, *value.space.shape(())))
    node = value.get(NUMBER, 0) if isinstance(value, (dict, Mapping)) else value
    if isinstance(node, (dict, Mapping, Flat)):
        return number(node)
    return node if is_leaf(node) else 0


def keys(value: VValue) -> tuple[str, ...]:
    """The first keys of a value that are not known to be zero.

    Those of a `Flat` are all that its space has.

    >>> keys({"a": {"b": 1}, "c": 0, ":number": 2})
    ('a',)
    """
    if isinstance(value, Flat):
        return value.space.keys
    if not isinstance(value, Mapping):
        return ()
    return tuple(k for k, branch in value.items() if k != NUMBER and not is_vacant(branch))


def get(value: VValue, *path: str) -> VValue:
    """The part of a value below a path; zero where there is none.

    >>> get({"a": {"b": 3, "c": 4}}, "a", "b"), get({"a": 1}, "z")
    (3, {})
    """
    for depth, key in enumerate(path):
        if key == NUMBER:
            value = number(value)
        elif isinstance(value, Flat):
            prefix = path[depth:]
            if NUMBER in prefix:
                prefix = prefix[: prefix.index(NUMBER)]
            part = Flat(value.space.sub(prefix), value.data[..., value.space.below(prefix)])
            return get(part, *path[depth + len(prefix) :])
        else:
            value = value.get(key, {}) if isinstance(value, (dict, Mapping)) else {}
    return value


def put(value: VValue, path: Path, part: VValue) -> VValue:
    """The value with the part below `path` replaced.

    >>> put({"a": {"b": 3}}, ("a", "c"), 4)
    {'a': {'b': 3, 'c': 4}}
    """
    refuse_text(path)
    path = tuple(path)
    if path and path[-1] == NUMBER:
        branches = select(get(value, *path[:-1]), lambda p: p != ())
        return put(value, path[:-1], add(branches, number(part)))
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
        prefixes = Space(keep).paths
        return select(value, lambda p: any(p[: len(prefix)] == prefix for prefix in prefixes))
    value = whole(value)
    if isinstance(value, Flat):
        space = Space({path: shape for path, shape in value.space.items if keep(path)})
        return Flat(space, rearrange(value.data, space.inclusion(value.space)))
    return grow({path: leaf for path, leaf in entries(value) if keep(path)})


def restrict(value: VValue, space: Space) -> Flat:
    """The part of a value that lies in `space`, as `Flat` in exactly that space.

    >>> restrict({"a": 1, "b": 2.0}, Space([("b",), ("c",)]))
    Flat(Space(b, c), [2. 0.])
    """
    flat = select(flatten(value), lambda path: path in space)
    return flatten(flat, space)


def map_numbers(function: Callable[[Any], Any], value: VValue) -> VValue:
    """Apply a function with `function(0) == 0` to every number.

    On trees it sees one leaf at a time, on `Flat` the whole vector; zeros stay zeros in both.

    >>> map_numbers(abs, {"a": -1, "b": 2})
    {'a': 1, 'b': 2}
    """
    value = whole(value)
    if isinstance(value, Flat):
        return Flat(value.space, function(value.data))
    return grow({path: function(leaf) for path, leaf in entries(value)})


def combine(function: Callable[[Any, Any], Any], left: VValue, right: VValue) -> VValue:
    """Apply a function with `function(0, 0) == 0` to the two numbers at every path.

    >>> combine(max, {"a": 1, "b": -2}, {"a": 3})
    {'a': 3}
    """
    left, right = whole(left), whole(right)
    if isinstance(left, Flat) or isinstance(right, Flat):
        u, v = flatten_all(left, right)
        space = u.space | v.space
        return Flat(space, function(flatten(u, space).data, flatten(v, space).data))
    u, v = dict(entries(left)), dict(entries(right))
    for path in u.keys() & v.keys():
        if shape_of(u[path]) != shape_of(v[path]):
            raise unlike(shape_of(u[path]), shape_of(v[path]), path)
    return grow({path: function(u.get(path, 0), v.get(path, 0)) for path in u | v})


def where(condition: Any, left: VValue, right: VValue) -> VValue:
    """`left` where a condition (a truth value, traced or not) holds, else `right`.

    >>> where(True, {"a": 1}, {"b": 2})
    {'a': 1}
    """
    if isinstance(condition, (bool, np.bool_)):
        return left if condition else right
    return combine(lambda a, b: jnp.where(condition, a, b), left, right)
