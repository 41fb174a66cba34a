"""The matrix that a machine carries, in a run: its entries, their scale, who is linked by them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.lowering._plan import Plan


def carried_matrix(plan: Plan, blocks: Sequence[Any]) -> jax.Array:
    """The entries `[size]` of the matrix that these outputs carry, in the order of its space."""
    if plan.matrix_row is None:
        return jnp.zeros(plan.matrix_space.size, plan.dtype)
    b, row, columns = plan.matrix_row
    return vv.rearrange(blocks[b][row], columns)


def constant_entries(plan: Plan, blocks: Sequence[Any]) -> jax.Array:
    """The matrix a run begins with, without gradients for links that are not trainable."""
    matrix = carried_matrix(plan, blocks)
    return jnp.where(plan.trained_slots, matrix, jax.lax.stop_gradient(matrix))


def scale_since(first: jax.Array, now: jax.Array, begins: jax.Array) -> jax.Array:
    """By what all constant entries were multiplied since a run began; 1 in its first tick.

    From what one of them was and is: the link by which Self keeps its matrix. Its weight is 1
    unless somebody chose another.
    """
    scale = jnp.where(first == 0, begins, now / jnp.where(first == 0, 1, first))
    return jax.lax.stop_gradient(scale)


def linked_by_constants(plan: Plan, coefficients: jax.Array) -> jax.Array | None:
    """Which neurons have a link that is not zero and never changes; `None`: there is no gate."""
    if plan.carried:
        constant = np.flatnonzero(~plan.changing)
        return linked(plan, vv.rearrange(coefficients, constant), constant)
    if plan.surely_linked is None:
        return None
    return linked(plan, coefficients[plan.ordinary_links], plan.matrix_slots)


def linked(plan: Plan, values: jax.Array, slots: np.ndarray) -> jax.Array:
    """Which neurons, in order, have a link that is not zero among these slots of the matrix."""
    none = jnp.zeros(len(plan.order) + 1, bool)
    return none.at[plan.rows_of_matrix[slots]].max(values != 0)[:-1]


def by_kind(plan: Plan, neurons: jax.Array) -> list[jax.Array]:
    """What stands for each neuron, in order, as an array a kind."""
    ends = np.cumsum([0, *(len(kind.names) for kind in plan.kinds)])
    return [neurons[a:b] for a, b in pairwise(ends)]
