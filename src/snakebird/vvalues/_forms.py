"""The bilinear forms of the algebra, each defined by which pairs of paths meet and where they go.

A form multiplies entry `p` of the left value with entry `q` of the right one and adds the
product to the result at a path that depends on `p` and `q` alone, so bilinearity holds by
construction. On trees the pairs are walked; on `Flat` they are index maps found once per pair
of spaces.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from snakebird.vvalues._flat import Flat, flatten
from snakebird.vvalues._slots import rearrange, sum_at
from snakebird.vvalues._space import Space
from snakebird.vvalues._tree import NUMBER, Leaf, Path, entries, grow, is_exact, shape_of

Form = Literal["mask", "mask_sum", "rows", "outer", "multiply", "inner"]


def target(form: Form, p: Path, q: Path, level: int) -> Path | None:
    """Where the product of entry `p` (left) and entry `q` (right) goes; `None`: nowhere.

    * mask: `p` begins `q`; goes to `q`.
    * mask_sum: `p` begins `q`; goes to the rest of `q`.
    * rows: as mask_sum behind the first `level` keys of `p`, which stay.
    * outer: always; goes to `p` followed by `q`.
    * multiply: `p` equals `q`; goes there. inner: the same, all to the root.
    """
    if form == "outer":
        return (*p, *q)
    if form == "multiply":
        return p if p == q else None
    if form == "inner":
        return () if p == q else None
    row, column = p[:level], p[level:]
    if len(p) < level or q[: len(column)] != column:
        return None
    return q if form == "mask" else (*row, *q[len(column) :])


def apply_form(form: Form, left: Any, right: Any, level: int = 0) -> Any:
    """Apply a bilinear form to two V-values; on `Flat` as soon as one of them is."""
    if isinstance(left, Flat) or isinstance(right, Flat):
        return _on_flat(form, flatten(left), flatten(right), level)
    out: dict[Path, Leaf] = {}
    for p, a in sorted(entries(left), key=itemgetter(0)):
        for q, b in _partners(form, p, right, level):
            path = target(form, p, q, level)
            if path is None or not _compatible(shape_of(a), shape_of(b), len(q) - len(p) + level):
                continue
            product = _sum_all(a * b) if form == "inner" else a * b
            if path not in out:
                out[path] = product
            elif shape_of(out[path]) == shape_of(product):
                out[path] = out[path] + product
    return grow(out)


def _partners(form: Form, p: Path, right: Any, level: int) -> Iterable[tuple[Path, Leaf]]:
    """Those entries of the right tree that may meet entry `p` of the left one."""
    if form == "outer":
        return entries(right)
    column = p[level:]
    node = right
    for key in column:
        node = node.get(key) if isinstance(node, Mapping) else None
    if form in ("multiply", "inner"):
        node = node.get(NUMBER) if isinstance(node, Mapping) else node
    return entries(node, column)


def _sum_all(leaf: Leaf) -> Leaf:
    return leaf if is_exact(leaf) else jnp.sum(leaf)


def _compatible(a: tuple[int, ...], b: tuple[int, ...], rest: int) -> bool:
    """Numbers scale anything; two arrays meet only at the same place and in the same shape."""
    return a == () or b == () or (a == b and rest == 0)


def _on_flat(form: Form, left: Flat, right: Flat, level: int) -> Flat:
    i, j, k, space = _pairs(form, left.space, right.space, level)
    products = rearrange(left.data, i) * rearrange(right.data, j)
    return Flat(space, sum_at(products, k, space.size))


@lru_cache(maxsize=4096)
def _pairs(form: Form, u: Space, v: Space, level: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, Space]:
    """Index maps `out[k] += left[i] * right[j]` of a form between two spaces, and the result's space."""
    found: list[tuple[slice, slice, Path]] = []
    shapes: dict[Path, tuple[int, ...]] = {}
    for p in u.paths:
        for q in _partner_paths(form, p, v, level):
            path, a, b = target(form, p, q, level), u.shape(p), v.shape(q)
            if path is None or not _compatible(a, b, len(q) - len(p) + level):
                continue
            shape = () if form == "inner" else (a or b)
            if shapes.setdefault(path, shape) == shape:
                found.append((u.slot(p), v.slot(q), path))
    space = Space(shapes)
    triples = [_triple(s, t, space.slot(path)) for s, t, path in found]
    if not triples:
        none = np.zeros(0, int)
        return none, none, none, space
    i, j, k = (np.concatenate(column) for column in zip(*triples, strict=True))
    return i, j, k, space


def _partner_paths(form: Form, p: Path, v: Space, level: int) -> tuple[Path, ...]:
    if form == "outer":
        return v.paths
    if form in ("multiply", "inner"):
        return (p,) if p in v else ()
    return v.paths_below(p[level:])


def _triple(s: slice, t: slice, out: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index maps of one product of two leaves: elementwise, or a number times an array."""
    n = max(s.stop - s.start, t.stop - t.start)
    spread = [np.arange(x.start, x.stop) if x.stop - x.start == n else np.full(n, x.start) for x in (s, t, out)]
    return spread[0], spread[1], spread[2]
