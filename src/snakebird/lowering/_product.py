"""The down movement of one block: rows of outputs to rows of inputs, dense, sparse or by link."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv

DENSE_NS, SPARSE_NS, SPARSE_LINK_NS = 0.05, 1.0, 2.0
"""Measured on a CPU core: a dense multiply-add, a gathered one, the indices of one link."""

MAX_DENSE = 1 << 24

FEW = 8
"""At most so many links are added one by one: slices and sums, which a compiler fuses."""


@dataclass(frozen=True, eq=False)
class History:
    """The outputs of a block over all ticks, in `parts` of rows `[ticks, rows, width]`.

    With `first`, the rows of a state, each tick sees those of the tick before. Only what is read
    is put together.
    """

    parts: Sequence[jax.Array]
    first: jax.Array | None = None

    def rows(self, reads: np.ndarray | None = None) -> jax.Array:
        """Some rows, in order, or all."""
        found, start = [], 0
        for part in self.parts:
            own = np.arange(part.shape[1])
            if reads is not None:
                own = reads[(reads >= start) & (reads < start + part.shape[1])] - start
            if len(own):
                rows = _rows(part, own)
                if self.first is not None:
                    before = _rows(self.first[start : start + part.shape[1]], own)
                    rows = jnp.concatenate([before[None], rows[:-1]])[: len(part)]
                found.append(rows)
            start += part.shape[1]
        return found[0] if len(found) == 1 else jnp.concatenate(found, axis=1)


def _rows(outputs: jax.Array, reads: np.ndarray) -> jax.Array:
    return jnp.swapaxes(vv.rearrange(jnp.swapaxes(outputs, -1, -2), reads), -1, -2)


@dataclass(frozen=True, eq=False)
class Product:
    """`X[..., rows[e], :] += c[e] * Y[..., columns[e], :]` over links e.

    From `[..., n_out, width]` to `[..., n_in, width]`; a leading axis is time. `pick` selects this
    product's coefficients from all of a machine's; `reads` the rows of Y that take part, if not
    all do. A product that is neither `dense` nor `few` is a gather and a sum.
    """

    pick: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    n_in: int
    n_out: int
    dense: bool
    few: bool = False
    reads: np.ndarray | None = None

    @classmethod
    def plan(
        cls,
        links: list[tuple[int, int, int]],
        n_in: int,
        n_out: int,
        width: int,
        dense: bool | None,
    ) -> "Product":
        """Choose the cheapest form for links `(coefficient, row, column)`; `dense` overrides."""
        pick, rows, columns = (
            np.array(c, np.int32) for c in zip(*sorted(links, key=_by_row), strict=True)
        )
        reads = np.unique(columns)
        if len(reads) < n_out:
            columns, n_out = np.searchsorted(reads, columns).astype(np.int32), len(reads)
        else:
            reads = None
        few = dense is None and len(rows) <= FEW
        if dense is None:
            area = n_in * n_out
            sparse_cost = len(rows) * (SPARSE_NS * width + SPARSE_LINK_NS)
            dense = area <= MAX_DENSE and area * width * DENSE_NS <= sparse_cost
        return cls(pick, rows, columns, n_in, n_out, dense and not few, few, reads)

    def prepare(self, coefficients: jax.Array) -> Any:
        """The coefficients as this product wants them: a matrix, or a number for each link."""
        own = coefficients.at[self.pick].get(mode="promise_in_bounds")
        if self.few:
            return [jnp.squeeze(one, 0) for one in jnp.split(own, len(self.pick))]
        if not self.dense:
            return own
        flat = jnp.zeros(self.n_in * self.n_out, own.dtype)
        places = self.rows.astype(np.int64) * self.n_out + self.columns
        return flat.at[places].add(own, mode="promise_in_bounds").reshape(self.n_in, self.n_out)

    def beside(self, other: "Product") -> "Product":
        """One product of the same form for this one's rows of Y followed by those `other` reads."""
        return replace(
            self,
            pick=np.concatenate([self.pick, other.pick]),
            rows=np.concatenate([self.rows, other.rows]),
            columns=np.concatenate([self.columns, other.columns + self.n_out]),
            n_out=self.n_out + other.n_out,
        )

    @property
    def whole(self) -> bool:
        """Whether all rows of Y take part."""
        return self.reads is None

    def read(self, outputs: "jax.Array | History") -> jax.Array:
        """The rows of Y that take part."""
        if isinstance(outputs, History):
            return outputs.rows(self.reads)
        return outputs if self.reads is None else _rows(outputs, self.reads)

    def apply(self, prepared: Any, outputs: "jax.Array | History") -> jax.Array:
        """The rows of inputs, of one tick or of all."""
        outputs = self.read(outputs)
        if self.few:
            return self._link_by_link(prepared, outputs)
        if self.dense:
            return _times(prepared, outputs)
        terms = prepared[:, None] * outputs.at[..., self.columns, :].get(mode="promise_in_bounds")
        zeros = jnp.zeros((*outputs.shape[:-2], self.n_in, outputs.shape[-1]), outputs.dtype)
        return zeros.at[..., self.rows, :].add(
            terms, mode="promise_in_bounds", indices_are_sorted=True
        )

    def _link_by_link(self, coefficients: Sequence[jax.Array], outputs: jax.Array) -> jax.Array:
        pieces = jnp.split(outputs, self.n_out, axis=-2)
        sums: list[Any] = [None] * self.n_in
        for c, row, column in zip(coefficients, self.rows, self.columns, strict=True):
            term = c * pieces[column]
            sums[row] = term if sums[row] is None else sums[row] + term
        rows = [jnp.zeros_like(pieces[0]) if total is None else total for total in sums]
        return rows[0] if len(rows) == 1 else jnp.concatenate(rows, axis=-2)


def _times(matrix: jax.Array, rows: jax.Array) -> jax.Array:
    """A matrix times rows `[..., n_out, width]`; all ticks at once as one wide product."""
    if rows.ndim == 2:
        return matrix @ rows
    ticks, _, width = rows.shape
    wide = jnp.swapaxes(rows, 0, 1).reshape(rows.shape[1], ticks * width)
    return jnp.swapaxes((matrix @ wide).reshape(matrix.shape[0], ticks, width), 0, 1)


def _by_row(link: tuple[int, int, int]) -> int:
    return link[1]


@dataclass(frozen=True, eq=False)
class Scatter:
    """Links that select inside streams, number by number: `x[target] += c[pick] * y[source]`.

    `x` and `y` are blocks `[..., rows, width]` with their last two axes made one.
    """

    pick: np.ndarray
    source: np.ndarray
    target: np.ndarray

    def add_to(self, inputs: jax.Array, coefficients: jax.Array, outputs: jax.Array) -> jax.Array:
        """The inputs with the contributions added."""
        lead = outputs.shape[:-2]
        flat = outputs.reshape(*lead, -1).at[..., self.source].get(mode="promise_in_bounds")
        terms = coefficients.at[self.pick].get(mode="promise_in_bounds") * flat
        total = inputs.reshape(*lead, -1).at[..., self.target].add(terms, mode="promise_in_bounds")
        return total.reshape(inputs.shape)


@dataclass(frozen=True, eq=False)
class Down:
    """A down movement, or a part of one: products by block, and links number by number."""

    products: dict[int, Product]
    scatters: dict[tuple[int, int], Scatter]

    def __bool__(self) -> bool:
        return bool(self.products or self.scatters)

    def without(self, blocks: Container[int]) -> "Down":
        """The same movement without the products of some blocks."""
        return Down({b: p for b, p in self.products.items() if b not in blocks}, self.scatters)

    def prepare(self, coefficients: jax.Array) -> dict[int, Any]:
        """What can be done once for all ticks while the coefficients stay."""
        return {b: product.prepare(coefficients) for b, product in self.products.items()}

    def apply(
        self,
        prepared: Mapping[int, Any],
        coefficients: jax.Array,
        outputs: Sequence[Any],
        inputs: dict[int, jax.Array],
        sizes: Callable[[int], tuple[int, int]],
    ) -> dict[int, jax.Array]:
        """The inputs with what these links bring added; `sizes` gives the shape of a block."""
        found = dict(inputs)
        for b, product in self.products.items():
            rows = product.apply(prepared[b], outputs[b])
            found[b] = found[b] + rows if b in found else rows
        for (source, target), scatter in self.scatters.items():
            given = outputs[source]
            given = given.rows() if isinstance(given, History) else given
            if target not in found:
                found[target] = jnp.zeros((*given.shape[:-2], *sizes(target)), given.dtype)
            found[target] = scatter.add_to(found[target], coefficients, given)
        return found
