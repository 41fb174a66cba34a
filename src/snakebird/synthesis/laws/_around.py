"""The equation to first order about a solution: how the residuals move with every column."""

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from snakebird.equations import Fixed, Hole, holes, with_holes
from snakebird.fitting import Fit
from snakebird.fitting.core import Vector, least_squares, vector_of
from snakebird.synthesis.laws._columns import Blend, Columns
from snakebird.synthesis.laws._search import Support, without

_WEAK = 1e-10


class Local(NamedTuple):
    """A linear problem: find few coefficients c, and a shift of the other numbers, with

    `columns @ c + others @ shift` near `target`. Priors of the other numbers are rows of it.
    """

    columns: Float[np.ndarray, "rows columns"]
    others: Float[np.ndarray, "rows others"]
    target: Float[np.ndarray, " rows"]
    moved: Float[np.ndarray, " others"]

    def alone(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns and target with all that the other numbers can do taken out."""
        columns, target = without(self.others, self.columns, self.target)
        return columns, target

    def solve(self, support: Support) -> tuple[tuple[float, ...], np.ndarray]:
        """The coefficients of some columns, and how the other numbers have to move."""
        mine = self.columns[:, list(support)]
        both = np.concatenate([mine, self.others], axis=1)
        size = np.linalg.norm(both, axis=0) + 1e-300
        found = np.linalg.lstsq(both / size, self.target, rcond=1e-11)[0] / size
        return tuple(map(float, found[: len(support)])), self.moved + found[len(support) :]


class Around:
    """Linearizes several fits of one model, each about its net or about a law; compiled once."""

    def __init__(self, fits: list[Fit], hole: str, columns: Columns):
        self.fits, self.hole, self.columns = fits, hole, columns
        outputs = fits[0].holes[hole].free_outputs
        blend = Blend(jnp.zeros(()), jnp.zeros((outputs, len(columns))), Fixed(0.0), columns)
        self.vectors = [
            vector_of(with_holes(one.model, lambda n, h: h.with_model(blend) if n == hole else h))
            for one in fits
        ]
        first = fits[0].problem
        inject = partial(_put_net, hole, first.vector)
        self.problem = first.with_(vector=self.vectors[0], inject=inject)
        names = self.vectors[0].names
        prefix = f"{hole}.model." if hole else "model."
        self.off = names.index(f"{prefix}off")
        self.coefficient = [i for i, n in enumerate(names) if n.startswith(f"{prefix}coefficients")]
        total = len(names) + first.layout.count
        own = {self.off, *self.coefficient}
        self.others = [i for i in range(total) if i not in own]
        run = lambda phi, batch: least_squares.linearized(self.problem, phi, batch)
        self._compiled = jax.jit(run)

    def start(self, i: int) -> Float[np.ndarray, " P"]:
        """The vector of fit `i` with its net in place and no column beside it."""
        fit = self.fits[i]
        return np.concatenate([self.vectors[i].start, fit.vector[len(fit.problem.vector.start) :]])

    def __call__(self, phi: list[Float[np.ndarray, " P"]]) -> list[Local]:
        """The linear problem about each vector, one a fit."""
        own = [one.batch._replace(extra=jnp.asarray(one.theta)[None]) for one in self.fits]
        batch = jax.tree.map(lambda *x: jnp.concatenate(x), *own)
        r, jacobian, _ = map(np.asarray, self._compiled(jnp.asarray(np.stack(phi)), batch))
        return [self._local(i, phi[i], r[i], jacobian[i]) for i in range(len(phi))]

    def _local(self, i: int, phi: np.ndarray, r: np.ndarray, jacobian: np.ndarray) -> Local:
        vector = self.vectors[i]
        extra = self.problem.layout.count
        precision = np.concatenate([vector.precision, np.full(extra, _WEAK)])[self.others]
        mean = np.concatenate([vector.mean, np.zeros(extra)])[self.others]
        columns = jacobian[:, self.coefficient]
        # All of the net is to go; what coefficients there are already count as part of the law.
        left = (1 - phi[self.off]) * jacobian[:, self.off] - columns @ phi[self.coefficient]
        root = np.sqrt(precision)
        finite = np.isfinite(r).all() and np.isfinite(jacobian).all()
        tidy = np.asarray if finite else np.nan_to_num
        return Local(
            tidy(np.concatenate([columns, np.zeros((len(root), columns.shape[1]))])),
            tidy(np.concatenate([jacobian[:, self.others], np.diag(root)])),
            tidy(np.concatenate([-(r + left), -root * (phi[self.others] - mean)])),
            phi[self.others] - self.start(i)[self.others],
        )


def _put_net(hole: str, vector: Vector, model: Any, weights: Any) -> Any:
    """Let the blend call the hole as it was trained."""
    net = holes(vector.model(weights))[hole]

    def change(name: str, own: Hole) -> Hole:
        return eqx.tree_at(lambda h: h.model.net, own, net.array) if name == hole else own

    return with_holes(model, change)
