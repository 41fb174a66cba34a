"""`Space`: an immutable set of paths with a fixed order, so that a V-value in it is a vector."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np

from snakebird.errors import SpaceError, ValueFormatError
from snakebird.vvalues._tree import Path, grow, shape_of, show_path, stored, unlike

Shape = tuple[int, ...]


def refuse_text(path: Any) -> None:
    """Refuse a bare string as a path: it would be read letter by letter."""
    if isinstance(path, str):
        raise ValueFormatError(
            f"a path is {path!r}, expected a tuple of strings", hint=f"write ({path!r},)"
        )


class Space:
    """A finite set of paths, each with the shape of its leaf, in sorted order.

    Sorted tuples keep every branch together: the part below a key is one slice.

    >>> space = Space.of({"a": {":number": 1.0, "b": 2.0}, "c": 3.0})
    >>> space.paths
    (('a',), ('a', 'b'), ('c',))
    >>> space | Space([("d",)])
    Space(a, a.b, c, d)
    """

    __slots__ = ("__dict__", "_hash", "items")

    items: tuple[tuple[Path, Shape], ...]

    def __init__(self, paths: Iterable[Any] = ()):
        shapes = paths if isinstance(paths, Mapping) else dict.fromkeys(paths, ())
        for path in shapes:
            refuse_text(path)
        self.items = tuple(sorted((tuple(path), tuple(shape)) for path, shape in shapes.items()))
        self._hash = hash(self.items)

    @classmethod
    def of(cls, value: Any) -> "Space":
        """The space of the entries written in a tree, zeros included."""
        return cls({path: shape_of(leaf) for path, leaf in stored(value)})

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        # Hashes of strings are another process's own.
        return Space, (dict(self.items),)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Space) and self._hash == other._hash and self.items == other.items
        )

    def __len__(self) -> int:
        return len(self.items)

    def __contains__(self, path: object) -> bool:
        return path in self._offsets

    def __repr__(self) -> str:
        shown = [show_path(p) + (str(list(s)) if s else "") for p, s in self.items[:8]]
        more = [f"... {len(self)} paths"] if len(self) > 8 else []
        return f"Space({', '.join(shown + more)})"

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """All paths, in order."""
        return tuple(path for path, _ in self.items)

    @cached_property
    def size(self) -> int:
        """How many numbers a value in this space has."""
        return sum(prod(shape) for _, shape in self.items)

    @cached_property
    def _offsets(self) -> dict[Path, tuple[int, Shape]]:
        table, at = {}, 0
        for path, shape in self.items:
            table[path] = (at, shape)
            at += prod(shape)
        return table

    @cached_property
    def _numbers_only(self) -> bool:
        return all(shape == () for _, shape in self.items)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The first keys of the paths, each once; the root's own number has none."""
        return tuple(dict.fromkeys(path[0] for path in self.paths if path))

    def slot(self, path: Path) -> slice:
        """Where the leaf at `path` stands in the vector."""
        try:
            start, shape = self._offsets[path]
        except KeyError:
            raise SpaceError(
                f"no path {show_path(path)} in {self!r}", hint="union the spaces first"
            ) from None
        return slice(start, start + prod(shape))

    def shape(self, path: Path) -> Shape:
        """The shape of the leaf at `path`."""
        return self._offsets[path][1]

    def sub(self, prefix: Path) -> "Space":
        """The part below `prefix`, with the prefix taken off."""
        return _sub(self, prefix)

    def paths_below(self, prefix: Path) -> tuple[Path, ...]:
        """The paths that begin with `prefix`: one run, since paths are sorted."""
        n = len(prefix)
        low = bisect_left(self.paths, prefix, key=lambda path: path[:n])
        return self.paths[low : bisect_right(self.paths, prefix, low, key=lambda path: path[:n])]

    def below(self, prefix: Path) -> slice:
        """The slice of the vector that holds the part below `prefix`."""
        paths = self.paths_below(prefix)
        return slice(self.slot(paths[0]).start, self.slot(paths[-1]).stop) if paths else slice(0, 0)

    def under(self, prefix: Path) -> "Space":
        """The same space with `prefix` put before every path."""
        return _under(self, prefix)

    def __or__(self, other: "Space") -> "Space":
        return self if other <= self else other if self <= other else _union(self, other)

    def __le__(self, other: "Space") -> bool:
        return self is other or (len(self) <= len(other) and _included(self, other))

    def __and__(self, other: "Space") -> "Space":
        return Space(dict(set(self.items) & set(other.items)))

    def inclusion(self, other: "Space") -> np.ndarray:
        """Static index map: the slot in `other`, which must include this space, of each slot."""
        return _inclusion(self, other)

    def clash(self, other: "Space") -> Path | None:
        """A path where both spaces have leaves of different shapes, if there is one."""
        small, large = sorted((self, other), key=len)
        return next((p for p, s in small.items if p in large and large.shape(p) != s), None)

    def unflatten(self, data: Any) -> Any:
        """The tree of a vector: the inverse of `flatten`; zeros are left out."""
        if isinstance(data, np.ndarray) and data.ndim == 1 and self._numbers_only:
            return grow(dict(zip(self.paths, data.tolist(), strict=True)))
        leaves = {}
        for path, shape in self.items:
            leaf = data[..., self.slot(path)].reshape((*data.shape[:-1], *shape))
            leaves[path] = leaf.item() if isinstance(leaf, np.ndarray) and not leaf.shape else leaf
        return grow(leaves)

    def listing(self) -> str:
        """One line a path: slot, path and shape."""
        return "\n".join(
            f"{self.slot(p).start:6d}  {show_path(p)}  {list(s) or ''}".rstrip()
            for p, s in self.items
        )


def no_room(lost: list[Path]) -> SpaceError:
    """The error of a value that has paths a space has not."""
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return SpaceError(
        f"the space has no room for {show_path(lost[0])}{more}", hint="union the spaces first"
    )


@lru_cache(maxsize=4096)
def _union(a: Space, b: Space) -> Space:
    path = a.clash(b)
    if path is not None:
        raise unlike(a.shape(path), b.shape(path), path)
    return Space({**dict(a.items), **dict(b.items)})


@lru_cache(maxsize=4096)
def _included(a: Space, b: Space) -> bool:
    return all(path in b and b.shape(path) == shape for path, shape in a.items)


@lru_cache(maxsize=4096)
def _sub(space: Space, prefix: Path) -> Space:
    n = len(prefix)
    return Space({path[n:]: shape for path, shape in space.items if path[:n] == prefix})


@lru_cache(maxsize=4096)
def _under(space: Space, prefix: Path) -> Space:
    return Space({(*prefix, *path): shape for path, shape in space.items})


@lru_cache(maxsize=4096)
def _inclusion(a: Space, b: Space) -> np.ndarray:
    path = a.clash(b)
    if path is not None:
        raise unlike(a.shape(path), b.shape(path), path)
    if not a <= b:
        raise no_room([p for p in a.paths if p not in b])
    slots = np.concatenate(
        [np.zeros(0, int), *(np.arange(s.start, s.stop) for s in map(b.slot, a.paths))]
    )
    slots.setflags(write=False)
    return slots
