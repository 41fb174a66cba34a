"""The rules of what moves entries of arrays and adds them up, and of products of arrays."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird import neurons as sn
from snakebird.machines.tracing._rule import result_shape, rule
from snakebird.machines.tracing._walk import Walk, bind
from snakebird.machines.tracing._wires import Inexpressible, Shape, Wire

LINEAR: dict[str, tuple[int, ...]] = {
    "cumsum": (0,), "dynamic_slice": (0,), "gather": (0,), "pad": (0, 1),
    "dynamic_update_slice": (0, 1), "scatter": (0, 2), "scatter-add": (0, 2),
}  # fmt: skip
"""Primitives that only move entries and add them up, and the inputs that are moved."""


MOVES: dict[str, Callable[..., Any]] = {
    "reshape": lambda x, p: np.reshape(x, p["new_sizes"]),
    "squeeze": lambda x, p: np.squeeze(x, p["dimensions"]),
    "transpose": lambda x, p: np.transpose(x, p["permutation"]),
    "broadcast_in_dim": lambda x, p: _broadcast(x, p["shape"], p["broadcast_dimensions"]),
    "slice": lambda x, p: x[_cuts(p["start_indices"], p["limit_indices"], p["strides"])],
    "rev": lambda x, p: np.flip(x, p["dimensions"]),
    "reduce_sum": lambda x, p: np.asarray(np.sum(x, p["axes"])),
}
"""The most frequent of them as functions of NumPy and their parameters."""


JOINS: dict[str, Callable[..., Any]] = {
    "concatenate": lambda xs, p: np.concatenate(xs, p["dimension"]),
    "stack": lambda xs, p: np.stack(xs, p["axis"]),
}
"""Those with any number of inputs."""


def _broadcast(x: Any, shape: Shape, axes: tuple[int, ...]) -> np.ndarray:
    wide = [x.shape[axes.index(k)] if k in axes else 1 for k in range(len(shape))]
    return np.broadcast_to(np.reshape(x, wide), shape)


def _cuts(first: Any, last: Any, strides: Any) -> tuple[slice, ...]:
    steps = strides or (1,) * len(first)
    return tuple(slice(*cut) for cut in zip(first, last, steps, strict=True))


@rule(*MOVES)
def _move(walk: Walk, equation: Any, x: Wire) -> Wire:
    name = equation.primitive.name
    move = lambda v: MOVES[name](v, equation.params)
    return walk.linear(equation, move, [x], (0,), renames=name in ("reshape", "squeeze"))


@rule(*JOINS)
def _join(walk: Walk, equation: Any, *wires: Wire) -> Wire:
    join = JOINS[equation.primitive.name]
    return walk.linear(equation, lambda *v: join(v, equation.params), wires, range(len(wires)))


@rule("split")
def _split(walk: Walk, equation: Any, x: Wire) -> list[Wire]:
    ends, axis = np.cumsum(equation.params["sizes"])[:-1], equation.params["axis"]
    return [
        walk.linear(equation, lambda v, k=k: np.split(v, ends, axis)[k], [x], (0,))
        for k in range(len(equation.outvars))
    ]


@rule(*LINEAR)
def _linear(walk: Walk, equation: Any, *wires: Wire) -> Wire:
    slots = LINEAR[equation.primitive.name]
    if not all(wire.known for k, wire in enumerate(wires) if k not in slots):
        raise Inexpressible("which entries it takes depends on a stream")
    kinds = [var.aval.dtype for var in equation.invars]

    def move(*values: Any) -> Any:
        typed = (jnp.asarray(x, None if k in slots else kinds[k]) for k, x in enumerate(values))
        return bind(equation, *typed)[0]

    return walk.linear(equation, move, wires, slots)


@rule("dot_general")
def _dot(walk: Walk, equation: Any, x: Wire, y: Wire) -> Wire:
    (left, right), (batch, _) = equation.params["dimension_numbers"]
    if x.known or y.known:
        dot = lambda a, b: np.asarray(np.tensordot(a, b, (left, right)))
        if batch:
            numbers = equation.params["dimension_numbers"]
            dot = lambda a, b: jax.lax.dot_general(jnp.asarray(a), jnp.asarray(b), numbers)
        if x.known:
            return walk.linear(equation, lambda v: dot(x.value, v), [y], (0,), free=True)
        return walk.linear(equation, lambda v: dot(v, y.value), [x], (0,), free=True)
    axes, ranks = (tuple(left), tuple(right)), (len(x.shape), len(y.shape))
    if axes == ((0,), (0,)) and ranks == (1, 1):
        return walk.neuron(sn.inner, {"x": x, "y": y}, result_shape(equation))
    if axes == ((), ()) and not batch:
        return walk.neuron(sn.outer, {"x": x, "y": y}, result_shape(equation))
    if axes == ((ranks[0] - 1,), (0,)) and max(ranks) == 2:
        return walk.neuron(sn.matrix_product, {"x": x, "y": y}, result_shape(equation))
    raise Inexpressible("it is neither an inner, an outer nor a matrix product")


@rule("reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or")
def _reduce(walk: Walk, equation: Any, x: Wire) -> Wire:
    name = equation.primitive.name.removeprefix("reduce_")
    kinds = {"max": sn.maximum, "or": sn.maximum, "prod": sn.product}
    axes = equation.params["axes"]
    rest = result_shape(equation)
    front = lambda v: np.moveaxis(v, axes, range(len(axes))).reshape(-1, *rest)
    if len(axes) == 1:
        return _combined(walk, equation, kinds.get(name, sn.minimum), x, axes[0])
    rows = walk.linear(equation, front, [x], (0,))
    return _combined(walk, equation, kinds.get(name, sn.minimum), rows, 0)


def _combined(walk: Walk, equation: Any, kind: Any, x: Wire, axis: int) -> Wire:
    """All entries along an axis combined, each half of them with the other half."""
    size = x.shape[axis]
    if size == 0:
        raise Inexpressible("there is nothing to combine")

    def cut(low: int, high: int) -> Wire:
        part = lambda v: np.take(v, range(low, high), axis)
        sole = lambda v: np.asarray(np.take(v, low, axis))
        return walk.linear(equation, sole if high - low == 1 else part, [x], (0,))

    half = size // 2
    if half == 0:
        return cut(0, 1)
    first, second = cut(0, half), cut(half, 2 * half)
    both = walk.neuron(kind, {"x": first, "y": second}, first.shape)
    both = _combined(walk, equation, kind, both, axis) if half > 1 else both
    if size == 2 * half:
        return both
    return walk.neuron(kind, {"x": both, "y": cut(size - 1, size)}, both.shape)
