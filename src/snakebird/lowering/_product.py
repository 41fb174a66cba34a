"""The down movement of one block: rows of outputs to rows of inputs, dense, sparse or by link."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
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


FULL = 0.5
"""Links between numbers are a small matrix if at least this part of it is there."""

PLACED = 64
"""Numbers are put in place by a map of all places if there are at most so many for each."""


Part = tuple[np.ndarray, jax.Array]
"""What one stage gave out of a block: the numbers of rows, those rows `[ticks, rows, width]`."""


@dataclass(frozen=True, eq=False)
class History:
    """The outputs of a block over all ticks, as far as later stages read them.

    With `first`, the rows of a state, each tick sees those of the tick before. Only what is read
    is put together.
    """

    parts: Sequence[Part]
    first: jax.Array | None = None

    def rows(self, reads: np.ndarray | None = None) -> jax.Array:
        """Some rows, in order, or all."""
        found = []
        for numbers, part in self.parts:
            own = np.arange(len(numbers))
            if reads is not None:
                own = np.flatnonzero(np.isin(numbers, reads))
            if len(own):
                rows = some_rows(part, own)
                if self.first is not None:
                    before = some_rows(self.first, numbers[own])
                    rows = jnp.concatenate([before[None], rows[:-1]])[: len(part)]
                found.append(rows)
        return found[0] if len(found) == 1 else jnp.concatenate(found, axis=1)


def some_rows(outputs: jax.Array, reads: np.ndarray) -> jax.Array:
    """Some rows of `[..., rows, width]`, by number."""
    return jnp.swapaxes(vv.rearrange(jnp.swapaxes(outputs, -1, -2), reads), -1, -2)


@dataclass(frozen=True, eq=False)
class Product:
    """`X[..., rows[e], :] += c[e] * Y[..., columns[e], :]` over links e.

    From `[..., n_out, width]` to `[..., n_in, width]`; a leading axis is time. `pick` selects this
    product's coefficients from all of a machine's; `reads` the rows of Y that take part, if not
    all do; `free` tells which coefficients gradients reach. A product that is neither `dense` nor
    `few` is a gather and a sum.
    """

    pick: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    n_in: int
    n_out: int
    dense: bool
    free: np.ndarray
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
        free: np.ndarray,
        changing: bool = False,
    ) -> "Product":
        """Choose the cheapest form for links `(coefficient, row, column)`; `dense` overrides.

        With `changing` coefficients a dense matrix has to be filled anew in every tick.
        """
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
            filling = area * DENSE_NS + len(rows) * SPARSE_NS if changing else 0.0
            dense_cost = area * width * DENSE_NS + filling
            dense = area <= MAX_DENSE and dense_cost <= sparse_cost
        return cls(pick, rows, columns, n_in, n_out, dense and not few, free[pick], few, reads)

    def prepare(self, coefficients: jax.Array) -> Any:
        """The coefficients as this product wants them: a matrix, or a number for each link."""
        if not self.free.any():
            coefficients = jax.lax.stop_gradient(coefficients)
        own = coefficients.at[self.pick].get(mode="promise_in_bounds")
        if self.few:
            parts = [jnp.squeeze(one, 0) for one in jnp.split(own, len(self.pick))]
            stop = jax.lax.stop_gradient
            return [c if f else stop(c) for c, f in zip(parts, self.free, strict=True)]
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
            free=np.concatenate([self.free, other.free]),
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
        return outputs if self.reads is None else some_rows(outputs, self.reads)

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
        rows: list[jax.Array] = []
        for empty, group in groupby(sums, key=lambda total: total is None):
            run = list(group)
            shape = (*outputs.shape[:-2], len(run), outputs.shape[-1])
            rows += [jnp.zeros(shape, outputs.dtype)] if empty else run
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

    `x` and `y` are blocks `[..., rows, width]` with their last two axes made one; of `y` only the
    rows `reads`, if given. `free` tells which coefficients gradients reach. In a `grid` every
    number written reads nearly every number read: `pick` has a row for each target and a column
    for each source, -1 where there is no link.
    """

    pick: np.ndarray
    source: np.ndarray
    target: np.ndarray
    free: np.ndarray
    grid: bool = False
    reads: np.ndarray | None = None

    @classmethod
    def plan(
        cls, pick: np.ndarray, source: np.ndarray, target: np.ndarray, free: np.ndarray
    ) -> "Scatter":
        """Choose the form; `free` is of all of a machine's coefficients."""
        sources, column = np.unique(source, return_inverse=True)
        targets, row = np.unique(target, return_inverse=True)
        loose = cls(pick, source, target, free[pick])
        if len(pick) < FULL * len(targets) * len(sources):
            return loose
        grid = np.full((len(targets), len(sources)), -1)
        grid[row, column] = pick
        alone = np.count_nonzero(grid >= 0) == len(pick)
        return cls(grid, sources, targets, free[pick], grid=True) if alone else loose

    def compact(self, width: int) -> "Scatter":
        """The same without the rows of `width` numbers that no link reads."""
        rows, column = np.divmod(self.source, width)
        reads, row = np.unique(rows, return_inverse=True)
        return replace(self, source=row * width + column, reads=reads)

    def add_to(self, inputs: jax.Array, coefficients: jax.Array, outputs: jax.Array) -> jax.Array:
        """The inputs with the contributions added."""
        into, given = _vectors(inputs), _vectors(outputs)
        if not self.free.any():
            coefficients = jax.lax.stop_gradient(coefficients)
        if self.grid:
            matrix = vv.rearrange(coefficients, self.pick.ravel()).reshape(self.pick.shape)
            terms = vv.rearrange(given, self.source) @ matrix.T
        else:
            terms = vv.rearrange(coefficients, self.pick) * vv.rearrange(given, self.source)
        if self.apart and into.shape[-1] <= PLACED * len(self.target):
            total = into + vv.place(terms, self.target, into.shape[-1])
        else:
            total = into.at[..., self.target].add(terms, mode="promise_in_bounds")
        return total.reshape(inputs.shape)

    @cached_property
    def apart(self) -> bool:
        """Whether nothing is written twice."""
        return len(np.unique(self.target)) == len(self.target)


def _vectors(rows: jax.Array) -> jax.Array:
    *lead, count, width = rows.shape
    return rows.reshape(*lead, count * width)


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
            given = given.rows(scatter.reads) if isinstance(given, History) else given
            if target not in found:
                found[target] = jnp.zeros((*given.shape[:-2], *sizes(target)), given.dtype)
            found[target] = scatter.add_to(found[target], coefficients, given)
        return found
