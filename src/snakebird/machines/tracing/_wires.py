"""What a variable of a traced function is: a sum of outputs under linear maps, and a constant."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from snakebird import vvalues as vv
from snakebird.errors import MachineError
from snakebird.machines.building._stream import Node

Shape = tuple[int, ...]


class Spot(NamedTuple):
    """An equation of a jaxpr, and the calls inside of which it stands, the outermost first."""

    equation: Any
    calls: tuple[Any, ...] = ()


class Inexpressible(Exception):
    """No neuron of the catalogue computes this; `spot` is to blame, if not the present equation."""

    def __init__(self, why: str, spot: Spot | None = None):
        super().__init__(why)
        self.why, self.spot = why, spot


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
    `spot` is the last equation that had a hand in it; `before` gives the same part with this last
    map alone, what came before it being an output of its own.
    """

    origin: Origin
    weight: Any = 1
    map: np.ndarray | None = None
    free: bool = False
    spot: Spot | None = None
    before: Callable[[], "Part | None"] | None = None


@dataclass(frozen=True, eq=False)
class Wire:
    """A variable while a machine is traced; without parts it is a constant, `offset` alone."""

    shape: Shape
    parts: tuple[Part, ...] = ()
    offset: Any = None

    @property
    def known(self) -> bool:
        """Whether this is a constant."""
        return not self.parts

    @property
    def value(self) -> Any:
        """The constant that is added to the parts, zeros where there is none."""
        return np.zeros(self.shape) if self.offset is None else self.offset

    def scaled(self, factor: Any) -> "Wire":
        """The same times a number; a zero keeps its links, since training may change them."""
        parts = tuple(part._replace(weight=part.weight * factor) for part in self.parts)
        return replace(self, parts=parts, offset=_times(factor, self.offset))

    def plus(self, other: "Wire") -> "Wire":
        """The sum with one of the same shape; parts from one output under one map become one."""
        found: dict[Any, Part] = {}
        for part in (*self.parts, *other.parts):
            at = (part.origin, None if part.map is None else (part.free, id(part.map)))
            old = found.pop(at, None)
            weight = part.weight if old is None else old.weight + part.weight
            if old is None or weight != 0:
                found[at] = part._replace(weight=weight)
        return Wire(self.shape, tuple(found.values()), _sum(self.offset, other.offset))


def constant(value: Any) -> Wire:
    """A constant; zeros count as nothing, and random keys stay what they are.

    Raises `MachineError` for a value that JAX is tracing itself.
    """
    if isinstance(value, Tracer):
        what = "the function holds a value that JAX is tracing, which cannot become a weight"
        hint = "trace outside of jit, grad and vmap, and change the weights of the lowered machine"
        raise MachineError(what, "trace", hint)
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.extended):
        return Wire(value.shape, (), value)
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


def _times(factor: Any, offset: Any) -> Any:
    return None if offset is None else np.asarray(offset * factor)


def _sum(a: Any, b: Any) -> Any:
    return a if b is None else b if a is None else np.asarray(a + b)
