"""What a variable of a traced function is: a sum of outputs under linear maps, and a constant."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from snakebird import vvalues as vv
from snakebird.machines.building._stream import Node

Shape = tuple[int, ...]


class Inexpressible(Exception):
    """No neuron of the catalogue computes this; `equation` is the one to blame, if not this one."""

    def __init__(self, why: str, equation: Any = None):
        super().__init__(why)
        self.why, self.equation = why, equation


class Origin(NamedTuple):
    """An output of a neuron: this tick's, or (a state) that of the last one."""

    node: Node
    path: vv.Path
    shape: Shape
    instant: bool = True


class Part(NamedTuple):
    """`weight * map(origin)`.

    `map` has the axes of the origin and then those of the wire; `None` is the identity. It is
    `free` where the user's own numbers stand in it, and not only which entry goes where.
    `equation` is the last one that had a hand in it.
    """

    origin: Origin
    weight: Any = 1
    map: np.ndarray | None = None
    free: bool = False
    equation: Any = None


@dataclass(frozen=True, eq=False)
class Wire:
    """A variable while a machine is traced; without parts it is a constant, `offset` alone."""

    shape: Shape
    parts: tuple[Part, ...] = ()
    offset: np.ndarray | None = None

    @property
    def known(self) -> bool:
        """Whether this is a constant."""
        return not self.parts

    @property
    def value(self) -> np.ndarray:
        """The constant that is added to the parts, zeros where there is none."""
        return np.zeros(self.shape) if self.offset is None else self.offset

    def scaled(self, factor: Any) -> "Wire":
        """The same times a number."""
        if factor == 0:
            return Wire(self.shape)
        parts = tuple(part._replace(weight=part.weight * factor) for part in self.parts)
        return replace(self, parts=parts, offset=_times(factor, self.offset))

    def plus(self, other: "Wire") -> "Wire":
        """The sum with one of the same shape; parts from one output under one map become one."""
        found: dict[Any, Part] = {}
        for part in (*self.parts, *other.parts):
            at = (part.origin, None if part.map is None else (part.free, id(part.map)))
            old = found.get(at)
            found[at] = part if old is None else old._replace(weight=old.weight + part.weight)
        parts = tuple(part for part in found.values() if part.weight != 0)
        return Wire(self.shape, parts, _sum(self.offset, other.offset))


def constant(value: Any) -> Wire:
    """A constant; zeros count as nothing."""
    array = np.asarray(value)
    floating = array.dtype.kind == "f"
    return Wire(array.shape, (), array if array.any() or not floating else None)


def plain(number: Any) -> Any:
    """A number as Python has it: in the shortest form that gives its own precision back.

    >>> plain(np.float32(0.1)), plain(np.int32(2)), plain(True)
    (0.1, 2, 1)
    """
    scalar = np.asarray(number)[()]
    if isinstance(scalar, (bool, np.bool_, np.integer)):
        return int(scalar)
    return float(str(scalar)) if isinstance(scalar, np.floating) else scalar


def simplified(part: Part, shape: Shape) -> Part | None:
    """The same part with its map as a weight where it is one; `None` where it is zero."""
    if part.map is None:
        return part
    if not part.map.any():
        return None
    if part.origin.shape != shape:
        return part
    size = int(np.prod(shape, dtype=int))
    square = part.map.reshape(size, size)
    factor = square[0, 0]
    if not np.array_equal(square, factor * np.eye(size)):
        return part
    weight = part.weight if factor == 1 else part.weight * plain(factor)
    return Part(part.origin, weight)


def _times(factor: Any, offset: np.ndarray | None) -> np.ndarray | None:
    return None if offset is None else offset * factor


def _sum(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    return a if b is None else b if a is None else a + b
