"""From wires to links: a map becomes a weight where it is one number, else one linear neuron."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from snakebird import neurons as sn
from snakebird.machines.building._builder import Builder
from snakebird.machines.building._stream import Node, Stream, Term
from snakebird.machines.tracing._wires import Inexpressible, Origin, Part, Shape, Wire, plain

FORMS = (
    ("m", "n", "nm", sn.matrix_product, "cx"),
    ("mk", "nk", "nm", sn.matrix_product, "cx"),
    ("nm", "nk", "mk", sn.matrix_product, "xc"),
    ("nm", "m", "n", sn.matrix_product, "cx"),
    ("nm", "n", "m", sn.matrix_product, "xc"),
    ("n", "mn", "m", sn.outer, "cx"),
    ("n", "nm", "m", sn.outer, "xc"),
)
"""Linear neurons: the axes of the stream, of what comes out and of the constant, which neuron, and
whether the constant or the stream is its first input. An axis that goes in and out stays itself."""


class Emitter:
    """Makes the neurons and links of a builder; what was made already is not made again."""

    def __init__(self, builder: Builder, *, fixed: bool, opaque: bool):
        self.builder, self._fixed, self._opaque = builder, fixed, opaque
        self._made: dict[Any, Node] = {}
        self._kept: list[Any] = []

    def stream(self, wire: Wire) -> Stream:
        """What to link: every part as a term."""
        terms = [self._term(part, wire.shape) for part in wire.parts]
        if wire.offset is not None or not terms:
            terms.append(self._offset(wire.value))
        return Stream(tuple(terms))

    def call(
        self, kind: Any, wires: Mapping[str, Wire | Stream], parameters: Mapping[str, Any]
    ) -> Node:
        """A neuron with these inputs."""
        streams = {
            port: wire if isinstance(wire, Stream) else self.stream(wire)
            for port, wire in wires.items()
        }
        terms = tuple((port, stream._terms) for port, stream in streams.items())
        at = (id(kind), tuple(sorted(parameters.items())), terms)
        if at not in self._made:
            self._kept.append(kind)
            self._made[at] = self.builder.call(kind, (), {**streams, **parameters})
        return self._made[at]

    def flushed(self, part: Part, shape: Shape) -> Part:
        """The same part as an output of its own, so that another map may follow."""
        term = self._term(part, shape)
        assert term.node is not None
        return Part(Origin(term.node, term.rest, shape, term.instant), term.weight)

    def _term(self, part: Part, shape: Shape) -> Term:
        """A part as a link, from the neuron that computes its map if it has one."""
        origin = part.origin
        if part.map is None:
            return Term(origin.node, origin.path, part.weight, origin.instant)
        x = Stream((Term(origin.node, origin.path, 1, origin.instant),))
        node = self._map(part, shape, x)
        if node is None and part.before is not None:
            earlier = part.before()
            assert earlier is not None
            return self._term(earlier._replace(spot=part.spot), shape)
        node = self._opaque_map(part, x) if node is None else node
        return Term(node, (_output(node),), part.weight, True)

    def _offset(self, value: np.ndarray) -> Term:
        """A constant: a link from the neuron `one`, or for an array a neuron of its own."""
        if not np.isfinite(value).all():
            raise Inexpressible("a constant in it is not finite")
        if value.shape == ():
            return Term(None, (), plain(value), True)
        return Term(self._constant(value, True), ("result",), 1, True)

    def _constant(self, value: np.ndarray, free: bool) -> Node:
        free = free and not self._fixed
        at = ("constant", value.shape, value.tobytes(), free)
        if at not in self._made:
            own = value.astype(float) if value.dtype.kind in "biu" else value
            given = sn.trainable(own) if free else own
            self._made[at] = self.builder.call(sn.constant, (), {"value": given})
        return self._made[at]

    def _map(self, part: Part, shape: Shape, x: Stream) -> Node | None:
        """The neuron that computes `map(x)`, if one does."""
        assert part.map is not None
        taken = part.origin.shape
        given = lambda value: Stream(
            (Term(self._constant(np.ascontiguousarray(value), part.free), ("result",), 1, True),)
        )
        if taken == ():
            return self.call(sn.gate, {"mask": x, "value": given(part.map)}, {})
        if shape == ():
            return self.call(sn.inner, {"x": given(part.map), "y": x}, {})
        diagonal = _diagonal(part.map, taken, shape)
        if diagonal is not None:
            return self.call(sn.product, {"x": given(diagonal), "y": x}, {})
        for *letters, kind, order in FORMS:
            matrix = _factor(part.map, taken, shape, *letters)
            if matrix is not None:
                first, second = (given(matrix) if o == "c" else x for o in order)
                return self.call(kind, {"x": first, "y": second}, {})
        return None

    def _opaque_map(self, part: Part, x: Stream) -> Node:
        if not self._opaque:
            raise Inexpressible("no neuron of the catalogue moves entries so", part.spot)
        assert part.map is not None
        function = partial(_apply, map=part.map, axes=len(part.origin.shape))
        at = ("map", part.origin, part.map.tobytes())
        if at not in self._made:
            kind = sn.call_neuron(
                function, inputs=("x",), shapes={"x": part.origin.shape}, train=False
            )
            self._made[at] = self.builder.call(kind, (), {"x": x})
        return self._made[at]


def _apply(x: Any, *, map: np.ndarray, axes: int) -> Any:
    return jnp.tensordot(x, jnp.asarray(map, x.dtype), axes)


def _output(node: Node) -> str:
    return node._sole_output


def _diagonal(map: np.ndarray, taken: Shape, given: Shape) -> np.ndarray | None:
    """What is multiplied with each entry, where that is all a map does."""
    if taken != given:
        return None
    size = int(np.prod(taken, dtype=int))
    square = map.reshape(size, size)
    own = np.diagonal(square)
    return own.reshape(taken) if np.array_equal(square, np.diag(own)) else None


def _factor(
    map: np.ndarray, taken: Shape, given: Shape, a: str, b: str, c: str
) -> np.ndarray | None:
    """The constant `c` of `map[a, b] = c` times the identity on the axes that `a` and `b` share."""
    if len(a) != len(taken) or len(b) != len(given):
        return None
    kept = [k for k in a if k in b]
    sizes = dict(zip(a, taken, strict=True))
    if any(taken[a.index(k)] != given[b.index(k)] for k in kept):
        return None
    at = tuple(0 if k in kept else slice(None) for k in a + b)
    left = "".join(k for k in a + b if k not in kept)
    matrix = np.einsum(f"{left}->{c}", map[at])
    out = "".join(k.upper() if k in kept else k for k in b)
    eyes = [np.eye(sizes[k]) for k in kept]
    spec = ",".join([c, *(k + k.upper() for k in kept)])
    return matrix if np.array_equal(np.einsum(f"{spec}->{a}{out}", matrix, *eyes), map) else None
