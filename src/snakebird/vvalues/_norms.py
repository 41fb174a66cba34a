"""How large a V-value is, and how two compare."""

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.vvalues._algebra import VValue, lin_comb
from snakebird.vvalues._flat import Flat, flatten, unflatten, whole
from snakebird.vvalues._tree import HoldsFlat, Leaf, Path, entries, grow, is_exact, is_zero, stored


def max_norm(value: VValue) -> Leaf:
    """The largest absolute number; 0 for zero. At ties the gradient is shared evenly.

    >>> max_norm({"a": {"b": -7.5}, "c": 3})
    7.5
    """
    sizes = _exact_sizes(value)
    if sizes is None:
        return jnp.max(_sizes(flatten(value).data), axis=-1, initial=0)
    largest = max(sizes, default=0)
    # A NaN compares with nothing, so that `max` may pass it by.
    return next((size for size in sizes if size != size), largest)


def norm(value: VValue, order: Leaf = 2) -> Leaf:
    """The p-norm over all numbers; `order` may be 1, 2, any p >= 1, or infinity.

    >>> norm({"a": 3, "b": {"c": 4}}), norm({"a": -3, "b": 4}, 1)
    (5.0, 7)
    """
    if order < 1:
        raise ValueError(f"norm got order={order}, expected 1 or more")
    if order == float("inf"):
        return max_norm(value)
    sizes = _exact_sizes(value)
    if sizes is not None:
        total = sum(size**order for size in sizes)
        return total if order == 1 else total ** (1 / order)
    total = jnp.sum(_sizes(flatten(value).data) ** order, axis=-1)
    if order == 1:
        return total
    # The root has no slope at 0; there the gradient is 0.
    return jnp.where(total > 0, jnp.where(total > 0, total, 1) ** (1 / order), 0)


def _sizes(data: jax.Array) -> jax.Array:
    """Absolute numbers whose slope at 0 is 0, as that of a number that is absent; `abs` has 1."""
    return data * jnp.sign(data)


def _exact_sizes(value: VValue) -> list[Leaf] | None:
    """The absolute numbers of a tree that holds Python numbers alone, else `None`."""
    if isinstance(value, Flat):
        return None
    try:
        leaves = [leaf for _, leaf in entries(value)]
    except HoldsFlat:
        return None
    return [abs(leaf) for leaf in leaves] if all(map(is_exact, leaves)) else None


def trim(value: VValue, threshold: Leaf) -> VValue:
    """Drop every number that is not larger than `threshold` in size; the root's own is kept.

    >>> trim({"a": {"b": -0.7, "c": 0.1}}, 0.3), trim(0.1, 0.3)
    ({'a': {'b': -0.7}}, 0.1)
    """
    value = whole(value)
    if isinstance(value, Flat):
        kept = np.zeros(value.space.size, bool)
        if () in value.space:
            kept[value.space.slot(())] = True
        large = jnp.abs(value.data) > float(threshold)
        return Flat(value.space, jnp.where(large | kept, value.data, 0))
    return grow({path: _trimmed(path, leaf, threshold) for path, leaf in entries(value)})


def _trimmed(path: Path, leaf: Leaf, threshold: Leaf) -> Leaf:
    if not path:
        return leaf
    if is_exact(leaf):
        return leaf if abs(leaf) > threshold else 0
    return jnp.where(jnp.abs(leaf) > float(threshold), leaf, 0)


def count(value: VValue, zeros: bool = False) -> int:
    """How many numbers are not zero; with `zeros=True`, how many are written down.

    >>> count({"a": 1, "b": {"c": 0}}), count({"a": 1, "b": {"c": 0}}, zeros=True)
    (1, 2)
    """
    value = whole(value)
    if isinstance(value, Flat):
        return value.space.size if zeros else int(jnp.count_nonzero(value.data))
    leaves = (leaf for _, leaf in stored(value))
    return sum(int(np.size(x) if zeros else np.count_nonzero(x)) for x in leaves)


def is_nonnegative(value: VValue) -> bool:
    """Whether no number is below zero.

    >>> is_nonnegative({"a": 1}), is_nonnegative({"a": -1})
    (True, False)
    """
    return all(bool(np.all(np.asarray(x) >= 0)) for _, x in entries(unflatten(value)))


def less_equal(left: VValue, right: VValue) -> bool:
    """Whether `left <= right` at every path; a missing number is 0.

    >>> less_equal({"a": -1}, {"b": 2}), less_equal({"a": 1}, {})
    (True, False)
    """
    return is_nonnegative(lin_comb([-1, 1], [left, right]))


def equal(left: VValue, right: VValue, tolerance: Leaf = 0) -> bool:
    """Whether two values are the same in max norm, up to a tolerance.

    Exact numbers are compared exactly; an exact number and a float as floats.

    >>> equal({"a": 3}, {"a": {":number": 3, "b": 0}})
    True
    >>> equal({"a": 3.0}, {"a": 3.1}, tolerance=0.2)
    True
    """
    return not differences(left, right, tolerance)


def differences(left: VValue, right: VValue, tolerance: Leaf = 0) -> dict[Path, tuple[Leaf, Leaf]]:
    """The two numbers of every path where two values differ; `None` for an absent one."""
    u, v = canonical(left), canonical(right)
    pairs = {path: (u.get(path), v.get(path)) for path in sorted(u.keys() | v.keys())}
    return {path: (a, b) for path, (a, b) in pairs.items() if not _close(a, b, tolerance)}


def _close(a: Leaf | None, b: Leaf | None, tolerance: Leaf) -> bool:
    if a is None or b is None:
        a, b = (b, 0) if a is None else (a, 0)
    elif np.shape(a) != np.shape(b):
        return False
    if is_exact(a) and is_exact(b):
        return bool(a == b or abs(a - b) <= tolerance)
    x, y = np.asarray(a, float), np.asarray(b, float)
    with np.errstate(invalid="ignore"):
        return bool(np.all((x == y) | (np.abs(x - y) <= tolerance)))


def canonical(value: VValue) -> dict[Path, Leaf]:
    """The value as a finite map *path -> number*, sorted, zeros dropped: for comparison and I/O.

    >>> canonical({"b": {":number": 1, "c": 2}, "a": {"d": 0}})
    {('b',): 1, ('b', 'c'): 2}
    """
    found = sorted(entries(unflatten(value)), key=lambda item: item[0])
    return {path: leaf for path, leaf in found if is_exact(leaf) or not is_zero(np.asarray(leaf))}
