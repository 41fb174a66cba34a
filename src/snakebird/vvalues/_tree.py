"""Trees: the nested-dict carrier of V-values, and its translation to *path -> number*.

A V-value is a finite map from paths (tuples of strings) to numbers. As a tree it is written
with nested dicts; the number that stands beside branches stands under `:number`. Zero entries
and empty branches are the same as absent ones (Bukatin, Matthews, Radul, arXiv 1712.07447,
sections 3 and 5.3). A leaf may also be an array of a fixed shape, a number of another kind.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import jax
import numpy as np

from snakebird.errors import ValueFormatError

NUMBER = ":number"
"""The reserved key of the number that stands at a node itself."""

Path = tuple[str, ...]
Leaf = Any
"""A Python number, a fraction, or an array (NumPy, JAX or traced) of a fixed shape."""

_EXACT = (int, float, Fraction)


def is_exact(leaf: object) -> bool:
    """Whether a leaf is a plain Python number (int, float or Fraction)."""
    return isinstance(leaf, _EXACT)


def is_leaf(node: object) -> bool:
    """Whether a node is a number or an array; anything else that is no dict counts as zero."""
    return isinstance(node, (*_EXACT, jax.Array, np.ndarray, np.generic))


def is_zero(leaf: Leaf) -> bool:
    """Whether a leaf is known to be zero without looking into a JAX array."""
    if isinstance(leaf, _EXACT):
        return leaf == 0
    return isinstance(leaf, (np.ndarray, np.generic)) and not np.any(leaf)


def shape_of(leaf: Leaf) -> tuple[int, ...]:
    """The shape of a leaf; `()` for a number."""
    return () if isinstance(leaf, _EXACT) else tuple(leaf.shape)


def entries(tree: Any, prefix: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """Walk a tree: every path with its leaf, known zeros and junk left out.

    >>> list(entries({"a": {":number": 3, "b": 0, "c": 4}}))
    [(('a',), 3), (('a', 'c'), 4)]
    """
    if isinstance(tree, Mapping):
        for key, branch in tree.items():
            yield from entries(branch, prefix if key == NUMBER else (*prefix, key))
    elif is_leaf(tree) and not is_zero(tree):
        yield prefix, tree


def stored(tree: Any, prefix: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """Like `entries`, but with the zeros that are written down."""
    if isinstance(tree, Mapping):
        for key, branch in tree.items():
            yield from stored(branch, prefix if key == NUMBER else (*prefix, key))
    elif is_leaf(tree):
        yield prefix, tree


def grow(items: Mapping[Path, Leaf]) -> Any:
    """The tree with these entries: the inverse of `entries`, in normal form.

    >>> grow({("a",): 3, ("a", "b"): 4})
    {'a': {':number': 3, 'b': 4}}
    """
    root: dict[str, Any] = {}
    for path, leaf in items.items():
        if is_zero(leaf):
            continue
        node = root
        for key in path:
            node = node.setdefault(key, {})
        node[NUMBER] = leaf
    return _settle(root)


def _settle(node: dict[str, Any]) -> Any:
    """Fold `{":number": x}` to `x` all the way down, and put `:number` first where it stays."""
    if len(node) == 1 and NUMBER in node:
        return node[NUMBER]
    first = {NUMBER: node[NUMBER]} if NUMBER in node else {}
    rest = {key: branch for key, branch in node.items() if key != NUMBER}
    return first | {key: _settle(branch) if isinstance(branch, dict) else branch for key, branch in rest.items()}


def check(tree: Any, where: Path = ()) -> None:
    """Raise `ValueFormatError` at the first node that is neither a dict, a number nor an array."""
    if isinstance(tree, Mapping):
        for key, branch in tree.items():
            if not isinstance(key, str):
                raise ValueFormatError(
                    f"a key is {key!r} ({type(key).__name__}), expected a string",
                    show_path(where),
                    f"write {str(key)!r}",
                )
            check(branch, where if key == NUMBER else (*where, key))
    elif isinstance(tree, bool) or not is_leaf(tree):
        raise ValueFormatError(
            f"a leaf is {tree!r} ({type(tree).__name__}), expected a number, an array or a dict",
            show_path(where),
            "give numbers as numbers, names as keys",
        )


def show_path(path: Path) -> str:
    """A path for people: joined with dots where that is unambiguous, else as a list of strings.

    >>> show_path(("accum", "delta")), show_path(("a.b", "c"))
    ('accum.delta', "['a.b', 'c']")
    """
    if not path:
        return "the root"
    if all(key and "." not in key and not key.isspace() for key in path):
        return ".".join(path)
    return repr(list(path))
