"""A library as columns that can be switched on one by one inside a hole."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from snakebird.synthesis.laws._library import Library
from snakebird.synthesis.laws._terms import Term

_STARTS = 6
"""From how many places inner constants are fitted."""


class Column(NamedTuple):
    """One term with values for its inner constants, from which those are fitted."""

    term: Term
    start: tuple[float, ...] = ()


class Columns:
    """All terms of a library, those with inner constants once for each of several starts.

    The linear ones come first, in the library's order. `scale[o, j]` is what the coefficient of
    column `j` in output `o` is measured in: about one where the column matters.
    """

    def __init__(self, library: Library, inputs: Float[np.ndarray, "m n"], outputs: Any):
        self.library = library
        self.columns = [Column(term) for term in library.linear]
        for term in library.nonlinear:
            for start in _starts(term, inputs):
                self.columns.append(Column(term, start))
        self.inner = max((len(c.start) for c in self.columns), default=0)
        values = np.asarray(self.values(jnp.asarray(inputs)))
        size = np.sqrt(np.mean(np.square(outputs), axis=0)) + 1e-300
        root = np.sqrt(np.mean(np.square(values), axis=0))
        fine = np.isfinite(root) & (root > 1e-12)
        self.usable = fine
        self.scale = size[:, None] / np.where(fine, root, 1.0)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def costs(self) -> Float[np.ndarray, " columns"]:
        """The length of each column's term in bits."""
        return np.array([float(column.term.cost) for column in self.columns])

    def values(self, x: Any) -> Any:
        """All columns at inputs `[..., n]`, inner constants at their starts: `[..., columns]`."""
        parts = [self.library(x)] if self.library.linear else []
        own = [c.term.evaluate(x, jnp.array(c.start))[..., None] for c in self.columns if c.start]
        return jnp.concatenate([*parts, *own], axis=-1)


def _starts(term: Term, inputs: np.ndarray) -> list[tuple[float, ...]]:
    """Starts for inner constants, from small to large beside what the hole sees."""
    names = [str(name) for name in term.inputs]
    used = [names.index(str(s)) for s in term.expression.free_symbols if str(s) in names]
    seen = np.abs(inputs[:, used]) if used else np.ones((1, 1))
    low, high = np.quantile(seen[np.isfinite(seen)], [0.05, 0.95])
    places = np.geomspace(max(low, 0.02 * high, 1e-12), max(2 * high, 1e-11), _STARTS)
    inside = lambda own, at: float(
        np.clip(at if own.positive else own.start, own.low + 1e-9, own.high - 1e-9)
    )
    return list(dict.fromkeys(tuple(inside(own, at) for own in term.inner) for at in places))


class Blend(eqx.Module):
    """A trained model and every column beside it: `(1 - off) * net + sum of columns`.

    Where `off` is 0 and the coefficients are 0 this is the net, and the derivatives say what each
    column would do to the solution in its place.
    """

    off: Any
    coefficients: Any
    net: Any
    columns: Any = eqx.field(static=True)

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        scaled = self.coefficients * self.columns.scale[: len(self.coefficients)]
        return (1 - self.off) * self.net(x)[: len(scaled)] + scaled @ self.columns.values(x)


class Sum(eqx.Module):
    """A few columns with coefficients, and inner constants, of their own.

    `pick[k, o, j]` is the scale of coefficient `k` if it belongs to output `o` and linear column
    `j`, else 0; `pick_inner` the same for the terms with inner constants, which start at
    `start[k]`.
    """

    coefficients: Any
    inner: Any
    pick: Any
    pick_inner: Any
    start: Any
    columns: Any = eqx.field(static=True)

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        columns = self.columns
        out = jnp.zeros(self.pick.shape[1])
        if columns.library.linear:
            out = jnp.einsum("k,koj,j->o", self.coefficients, self.pick, columns.library(x))
        for number, term in enumerate(columns.library.nonlinear):
            for k in range(len(self.coefficients)):
                value = term.evaluate(x, constants(term, self.start[k], self.inner[k]))
                out = out + self.coefficients[k] * self.pick_inner[k, :, number] * value
        return out


def constants(term: Term, start: Any, free: Any) -> Any:
    """Inner constants from their starts and what is trained: the logarithm of positive ones."""
    own = [
        start[i] * jnp.exp(free[i]) if inner.positive else start[i] + free[i]
        for i, inner in enumerate(term.inner)
    ]
    return jnp.stack(own)
