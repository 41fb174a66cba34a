"""The bilinear forms of the algebra, each defined by which entries meet and where they land.

A form multiplies entry `p` of the left value with entries of the right one and adds the
products to the result at paths that depend on the two paths alone, so bilinearity holds by
construction. On trees the pairs are walked; on `Flat` they are index maps found once per pair
of spaces.

An array is a number per index, as if the index were one more key. So a number scales arrays
and branches alike, and two arrays in one place multiply elementwise, or to their inner product
where a form adds up what it selects.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from snakebird.errors import GrowthError
from snakebird.vvalues._flat import Flat, flatten_all
from snakebird.vvalues._slots import rearrange, sum_at
from snakebird.vvalues._space import Shape, Space
from snakebird.vvalues._tree import (
    NUMBER,
    HoldsFlat,
    Leaf,
    Path,
    entries,
    find,
    grow,
    is_exact,
    plus,
    shape_of,
    times,
    unlike,
)

MAX_PATHS = 1 << 20
"""An outer product with more paths than this is refused, since it would only fill the memory."""

Form = Literal["mask", "mask_sum", "outer", "multiply", "inner"]


class Route(NamedTuple):
    """Where one entry of the left value goes.

    It meets the right value's entries at `look` and, if `deep`, below it; the product with the
    entry at `look + rest` lands at `land + rest`.
    """

    look: Path
    land: Path
    deep: bool = True


def route(form: Form, p: Path, level: int) -> Route | None:
    """The route of the left entry at `p`; `None` where it meets nothing.

    With a `level`, the first keys of `p` name a row of the result, as in a matrix.
    """
    if len(p) < level:
        return None
    match form:
        case "mask":
            return Route(p, p)
        case "mask_sum":
            return Route(p[level:], p[:level])
        case "outer":
            return Route((), p)
        case "multiply":
            return Route(p, p, deep=False)
        case "inner":
            return Route(p, (), deep=False)


def product_shape(form: Form, a: Shape, b: Shape, rest: Path, at: Path) -> Shape | None:
    """The shape of the product of two leaves, or `None` where they do not meet.

    An array in a mask meets what stands in its very place, and nothing below.
    """
    if form == "outer":
        return a + b
    if a and rest:
        return None
    if a and b and a != b:
        raise unlike(a, b, at)
    return () if form == "inner" or (form == "mask_sum" and a and b) else a or b


def apply_form(form: Form, left: Any, right: Any, level: int = 0) -> Any:
    """Apply a bilinear form to two V-values; on `Flat` as soon as one of them is."""
    if not isinstance(left, Flat) and not isinstance(right, Flat):
        try:
            return _on_trees(form, left, right, level)
        except HoldsFlat:
            pass
    u, v = flatten_all(left, right)
    return _on_flat(form, u, v, level)


def _on_trees(form: Form, left: Any, right: Any, level: int) -> Any:
    out: dict[Path, Leaf] = {}
    # In sorted order, so that sums of floats do not depend on the order of keys.
    for p, a in sorted(entries(left), key=itemgetter(0)):
        way = route(form, p, level)
        if way is None:
            continue
        for path, b in _met(way, right):
            exact = is_exact(a) and is_exact(b)
            product = a * b if exact else _product(form, a, b, path[len(way.land) :], p)
            if product is not None:
                out[path] = plus(out[path], product, path) if path in out else product
    return grow(out)


def _met(way: Route, right: Any) -> Iterable[tuple[Path, Leaf]]:
    """The entries of the right tree on a route, each under the path where its product lands."""
    node = find(right, way.look)
    if not way.deep and isinstance(node, Mapping):
        node = node.get(NUMBER)
    return entries(node, way.land)


def _product(form: Form, a: Leaf, b: Leaf, rest: Path, at: Path) -> Leaf | None:
    left, right = shape_of(a), shape_of(b)
    shape = product_shape(form, left, right, rest, at)
    if shape is None:
        return None
    if form == "outer":
        a = a.reshape(left + (1,) * len(right)) if left else a
        return times(a, b)
    product = times(a, b)
    return jnp.sum(product) if shape == () and (left or right) else product


def _on_flat(form: Form, left: Flat, right: Flat, level: int) -> Flat:
    i, j, k, space = _pairs(form, left.space, right.space, level)
    products = rearrange(left.data, i) * rearrange(right.data, j)
    return Flat(space, sum_at(products, k, space.size))


@lru_cache(maxsize=4096)
def _pairs(
    form: Form, u: Space, v: Space, level: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Space]:
    """Index maps `out[k] += left[i] * right[j]` of a form, and the result's space."""
    if form == "outer" and len(u) * len(v) > MAX_PATHS:
        raise GrowthError(
            f"an outer product of {len(u)} and {len(v)} paths is too large",
            hint=f"keep it below {MAX_PATHS} paths",
        )
    found: list[tuple[slice, slice, Path]] = []
    shapes: dict[Path, Shape] = {}
    for p, a in u.items:
        way = route(form, p, level)
        if way is None:
            continue
        for q in v.paths_below(way.look) if way.deep else (way.look,) * (way.look in v):
            rest = q[len(way.look) :]
            path = (*way.land, *rest)
            shape = product_shape(form, a, v.shape(q), rest, p)
            if shape is None:
                continue
            if shapes.setdefault(path, shape) != shape:
                raise unlike(shapes[path], shape, path)
            found.append((u.slot(p), v.slot(q), path))
    space = Space(shapes)
    if not found:
        none = np.zeros(0, int)
        return none, none, none, space
    triples = [_triple(form, s, t, space.slot(path)) for s, t, path in found]
    i, j, k = (np.concatenate(column) for column in zip(*triples, strict=True))
    return i, j, k, space


def _triple(form: Form, s: slice, t: slice, out: slice) -> tuple[np.ndarray, ...]:
    """Index maps of one product of two leaves: of every pair of numbers, or elementwise."""
    a, b, c = (np.arange(x.start, x.stop) for x in (s, t, out))
    if form == "outer":
        return np.repeat(a, len(b)), np.tile(b, len(a)), c
    return tuple(np.broadcast_arrays(a, b, c))
