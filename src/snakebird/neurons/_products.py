"""Neurons that multiply: the second order without which no machine can gate or compare."""

import jax.numpy as jnp

from snakebird import vvalues as vv
from snakebird.errors import SpaceError
from snakebird.neurons._define import neuron


@neuron
def product(x: vv.VValue, y: vv.VValue) -> vv.VValue:
    """The pathwise product of two linear combinations: the vital binary multiplication.

    >>> product({"a": 2, "b": 3}, {"a": 5})
    {'a': 10}
    """
    return vv.multiply(x, y)


@neuron
def gate(mask: vv.VValue, value: vv.VValue) -> vv.VValue:
    """A value through a mask: a number scales all of it, a tree masks it.

    Source: arXiv 1712.07447, section 6.

    >>> gate(0.5, {"a": 2, "b": 4})
    {'a': 1.0, 'b': 2.0}
    >>> gate({"a": 1}, {"a": 2, "b": 4})
    {'a': 2}
    """
    return vv.mask(mask, value)


@neuron
def mask_sum(row: vv.VValue, value: vv.VValue) -> vv.VValue:
    """One matrix row applied to a value: a linear combination whose coefficients are a stream.

    >>> mask_sum({"m": 2, "n": 3}, {"m": {"a": 1}, "n": 5})
    {':number': 15, 'a': 2}
    """
    return vv.mask_sum(row, value)


@neuron(outputs=("dot",))
def inner(x: vv.VValue, y: vv.VValue) -> vv.VValue:
    """The inner product of two values.

    >>> inner({"a": 2, "b": 3}, {"a": 5})
    10
    """
    return vv.inner(x, y)


@neuron
def outer(x: vv.VValue, y: vv.VValue) -> vv.VValue:
    """The outer product: every path of `x` followed by every path of `y`.

    The product of two arrays there has the axes of both.

    >>> outer({"a": 2}, {"b": 3, "c": 1})
    {'a': {'b': 6, 'c': 2}}
    """
    return vv.outer(x, y)


@neuron
def matrix_product(x: vv.VValue, y: vv.VValue) -> vv.VValue:
    """The product of two matrices, or of a matrix and a vector.

    Either are arrays at the root, or trees: a matrix of depth two, a vector of depth one.

    >>> matrix_product({"r": {"a": 2, "b": 3}}, {"a": 5, "b": 1})
    {'r': 13}
    """
    rows = vv.apply_matrix(x, y, level=1)
    a, b = vv.number(x), vv.number(y)
    if not vv.shape_of(a) or not vv.shape_of(b):
        return rows
    if vv.shape_of(a)[-1] != vv.shape_of(b)[-2:][0]:
        raise SpaceError(
            f"no matrix product of shapes {list(vv.shape_of(a))} and {list(vv.shape_of(b))}",
            "neuron type matrix_product",
            "the columns of the left one must be as many as the rows of the right one",
        )
    return vv.add(rows, jnp.matmul(a, b))
