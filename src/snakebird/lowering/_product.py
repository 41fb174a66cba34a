"""The down movement of one block: rows of outputs to rows of inputs, dense or sparse."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

DENSE_NS, SPARSE_NS, SPARSE_LINK_NS = 0.05, 1.0, 2.0
"""Measured cost on a CPU core of one dense multiply-add, one gathered one, and one link's indices."""

MAX_DENSE = 1 << 24


@dataclass(frozen=True, eq=False)
class Product:
    """`X[rows[e]] += c[e] * Y[columns[e]]` over links e, from `[n_out, width]` to `[n_in, width]`.

    `pick` selects this product's coefficients from all of a machine's; `first_row` is the first
    input row it writes, for products that serve only some rows of a block.
    """

    pick: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    n_in: int
    n_out: int
    dense: bool

    @classmethod
    def plan(
        cls,
        pick: list[int],
        rows: list[int],
        columns: list[int],
        n_in: int,
        n_out: int,
        width: int,
        dense: bool | None,
    ) -> "Product":
        """Choose by density which form is cheaper; `dense` overrides the choice."""
        order = np.argsort(np.asarray(rows, int), kind="stable")
        if dense is None:
            area = n_in * n_out
            sparse_cost = len(rows) * (SPARSE_NS * width + SPARSE_LINK_NS)
            dense = area <= MAX_DENSE and area * width * DENSE_NS <= sparse_cost
        arrays = [np.asarray(column, np.int32)[order] for column in (pick, rows, columns)]
        return cls(*arrays, n_in, n_out, dense)

    def prepare(self, coefficients: jax.Array) -> jax.Array:
        """The coefficients as this product wants them: a matrix, or one number a link."""
        own = coefficients.at[self.pick].get(mode="promise_in_bounds")
        if not self.dense:
            return own
        flat = jnp.zeros(self.n_in * self.n_out, own.dtype)
        places = self.rows * self.n_out + self.columns
        return flat.at[places].add(own, mode="promise_in_bounds").reshape(self.n_in, self.n_out)

    def apply(self, prepared: jax.Array, outputs: jax.Array) -> jax.Array:
        """The input rows of one tick."""
        if self.dense:
            return prepared @ outputs
        gathered = outputs.at[self.columns].get(mode="promise_in_bounds")
        zeros = jnp.zeros((self.n_in, outputs.shape[-1]), outputs.dtype)
        return zeros.at[self.rows].add(
            prepared[:, None] * gathered, mode="promise_in_bounds", indices_are_sorted=True
        )


@dataclass(frozen=True, eq=False)
class Scatter:
    """Links that select inside streams, number by number: `x[target] += c[pick] * y[source]`."""

    pick: np.ndarray
    source: np.ndarray
    target: np.ndarray

    def add_to(self, inputs: jax.Array, coefficients: jax.Array, outputs: jax.Array) -> jax.Array:
        """Flat inputs with the contributions added."""
        terms = coefficients.at[self.pick].get(mode="promise_in_bounds") * outputs.at[
            self.source
        ].get(mode="promise_in_bounds")
        return inputs.at[self.target].add(terms, mode="promise_in_bounds")
