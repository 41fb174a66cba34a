"""Trees: the nested-dict carrier of V-values, and its translation to *path -> number*.

A V-value is a finite map from paths (tuples of strings) to numbers. As a tree it is written
with nested dicts; the number that stands beside branches stands under `:number`. Zero entries
and empty branches are the same as absent ones (Bukatin, Matthews, Radul, arXiv 1712.07447,
sections 3 and 5.3). A leaf may also be an array of a fixed shape, a number of another kind.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import jax
import numpy as np

from snakebird.errors import SpaceError, ValueFormatError

NUMBER = ":number"
"""The reserved key of the number that stands at a node itself."""

Path = tuple[str, ...]
"""Where a number stands: the keys that lead to it."""

Leaf = Any
"""A Python number, a fraction, or an array (NumPy, JAX or traced) of a fixed shape."""

# In this order because asking whether something is a Fraction is slow.
_EXACT = (float, int, Fraction)


class HoldsFlat(ValueFormatError):
    """A walk over a tree met a branch that is `Flat`."""


def is_exact(leaf: object) -> bool:
    """Whether a leaf is a plain Python number (int, float or Fraction).

    >>> is_exact(3), is_exact(Fraction(1, 3)), is_exact(np.float32(3))
    (True, True, False)
    """
    return isinstance(leaf, _EXACT)


def is_leaf(node: object) -> bool:
    """Whether a node is a number or an array; anything else that is no dict counts as zero.

    >>> is_leaf(3), is_leaf({"a": 3}), is_leaf("a")
    (True, False, False)
    """
    return isinstance(node, (*_EXACT, jax.Array, np.ndarray, np.generic))


def is_zero(leaf: Leaf) -> bool:
    """Whether a leaf is known to be zero without looking into a JAX array."""
    if isinstance(leaf, _EXACT):
        return bool(leaf == 0)
    return isinstance(leaf, (np.ndarray, np.generic)) and not np.any(leaf)


def is_vacant(node: object) -> bool:
    """Whether a branch is known to be zero as a whole."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (dict, Mapping)):
            waiting += node.values()
        elif not is_zero(node) if is_leaf(node) else hasattr(node, "space"):
            return False
    return True


def shape_of(leaf: Leaf) -> tuple[int, ...]:
    """The shape of a leaf; `()` for a number.

    >>> shape_of(3), shape_of(np.zeros((2, 5)))
    ((), (2, 5))
    """
    return () if isinstance(leaf, _EXACT) else tuple(leaf.shape)


def plus(a: Leaf, b: Leaf, path: Path) -> Leaf:
    """The sum of two leaves; raises `SpaceError` where their shapes differ."""
    if isinstance(a, _EXACT) and isinstance(b, _EXACT):
        return a + b
    if shape_of(a) != shape_of(b):
        raise unlike(shape_of(a), shape_of(b), path)
    return _operand(a) + _operand(b)


def times(a: Leaf, b: Leaf) -> Leaf:
    """The product of two leaves, elementwise."""
    if isinstance(a, _EXACT) and isinstance(b, _EXACT):
        return a * b
    return _operand(a) * _operand(b)


def _operand(leaf: Leaf) -> Any:
    """A leaf as arrays can take it."""
    return float(leaf) if isinstance(leaf, Fraction) else leaf


def unlike(a: tuple[int, ...], b: tuple[int, ...], path: Path) -> SpaceError:
    """The error of two leaves of different shapes that meet at one path."""
    return SpaceError(
        f"leaves of shape {list(a)} and {list(b)} meet",
        show_path(path),
        "bring both to one shape, or give them different keys",
    )


def entries(tree: Any, prefix: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """Walk a tree: every path with its leaf, known zeros and junk left out.

    >>> list(entries({"a": {":number": 3, "b": 0, "c": 4}}))
    [(('a',), 3), (('a', 'c'), 4)]
    """
    return iter(_walk(tree, prefix, zeros=False))


def stored(tree: Any, prefix: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """Like `entries`, but with the zeros that are written down.

    >>> list(stored({"a": 0, "b": {"c": 1}}))
    [(('a',), 0), (('b', 'c'), 1)]
    """
    return iter(_walk(tree, prefix, zeros=True))


def _walk(tree: Any, prefix: Path, zeros: bool) -> list[tuple[Path, Leaf]]:
    found: list[tuple[Path, Leaf]] = []
    waiting = [(prefix, tree)]
    while waiting:
        path, node = waiting.pop()
        # A dict is asked for first: to learn that it is no Fraction takes longer.
        if not isinstance(node, dict) and isinstance(node, _EXACT):
            if zeros or node != 0:
                found.append((path, node))
        elif isinstance(node, (dict, Mapping)):
            if NUMBER in node:
                refuse_branches(node[NUMBER], path)
            waiting += [(path if k == NUMBER else (*path, k), node[k]) for k in reversed(node)]
        elif is_leaf(node):
            if zeros or not is_zero(node):
                found.append((path, node))
        elif hasattr(node, "space"):
            raise HoldsFlat("this branch is a `Flat`", show_path(path), "flatten the whole tree")
    return found


def find(tree: Any, path: Path) -> Any:
    """What a tree holds at a path; `None` where it holds nothing."""
    for key in path:
        if isinstance(tree, (dict, Mapping)):
            tree = tree.get(key)
        elif hasattr(tree, "space"):
            raise HoldsFlat("this branch is a `Flat`", hint="flatten the whole tree")
        else:
            return None
    return tree


def refuse_branches(node: Any, where: Path) -> None:
    """Raise `ValueFormatError` where what stands under `:number` has branches of its own."""
    if isinstance(node, _EXACT):
        return
    paths = getattr(getattr(node, "space", None), "paths", ())
    if any(paths) or (isinstance(node, Mapping) and any(key != NUMBER for key in node)):
        raise ValueFormatError(
            f"`{NUMBER}` holds branches, expected a number or an array",
            show_path(where),
            f"put the branches beside `{NUMBER}`",
        )


def grow(items: Mapping[Path, Leaf]) -> Any:
    """The tree with these entries: the inverse of `entries`, in normal form.

    >>> grow({("a",): 3, ("a", "b"): 4})
    {'a': {':number': 3, 'b': 4}}
    """
    root: dict[str, Any] = {}
    for path, leaf in items.items():
        if is_zero(leaf):
            continue
        if not path:
            root = {NUMBER: leaf, **root}
            continue
        node = root
        for key in path[:-1]:
            below = node.get(key)
            if not isinstance(below, dict):
                below = node[key] = {} if below is None else {NUMBER: below}
            node = below
        own, last = node.get(path[-1]), path[-1]
        # A number that comes after its branches still goes before them.
        node[last] = {NUMBER: leaf, **own} if isinstance(own, dict) else leaf
    return root[NUMBER] if len(root) == 1 and NUMBER in root else root


def check(tree: Any, where: Path = ()) -> None:
    """Raise `ValueFormatError` at the first node that is neither a dict, a number nor an array.

    >>> check({"a": {"b": 1}})
    """
    waiting = [(where, tree)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, Mapping):
            _check_keys(node, path)
            waiting += [(path if k == NUMBER else (*path, k), node[k]) for k in reversed([*node])]
        elif isinstance(node, bool) or not is_leaf(node):
            raise ValueFormatError(
                f"a leaf is {node!r} ({type(node).__name__}), "
                "expected a number, an array or a dict",
                show_path(path),
                "give numbers as numbers, names as keys",
            )


def _check_keys(node: Mapping[Any, Any], where: Path) -> None:
    for key in node:
        if not isinstance(key, str):
            raise ValueFormatError(
                f"a key is {key!r} ({type(key).__name__}), expected a string",
                show_path(where),
                f"write {str(key)!r}",
            )
    if NUMBER in node:
        refuse_branches(node[NUMBER], where)


def rebuilt(function: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with a function applied to everything in it that is no dict."""
    if not isinstance(tree, (dict, Mapping)):
        return function(tree)
    root: dict[str, Any] = {}
    waiting = [(root, tree)]
    while waiting:
        made, node = waiting.pop()
        for key, branch in node.items():
            if isinstance(branch, (dict, Mapping)):
                made[key] = {}
                waiting.append((made[key], branch))
            else:
                made[key] = function(branch)
    return root


def show_path(path: Path) -> str:
    """A path for people: joined with dots where that is unambiguous, else as a list of strings.

    >>> show_path(("accum", "delta")), show_path(("a.b", "c"))
    ('accum.delta', "['a.b', 'c']")
    """
    if not path:
        return "the root"
    shown = ".".join(path)
    plain = all(key and "." not in key and key == key.strip() for key in path)
    if plain and shown.isprintable() and shown[0] != "[" and shown != "the root":
        return shown
    return repr(list(path))
