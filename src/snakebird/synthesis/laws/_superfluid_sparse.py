"""Sparse superfluid machines that say what a hole says: many starts, pruned side by side."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Bool, Float

from snakebird.equations import MachineModel
from snakebird.fitting.core import Prior, least_squares
from snakebird.synthesis.laws._superfluid_known import Known

_HELD = 1e14
"""The precision of a weight that is pruned."""
_LARGE = 1e3
"""The precision from which a weight counts as pruned: it is below 0.03."""
_ROUNDS, _STEPS = 15, 4


class Pruned(NamedTuple):
    """Machines as rows of numbers, which of those are left, and their misfits, chi squared."""

    phi: Float[np.ndarray, "S P"]
    live: Bool[np.ndarray, "S P"]
    misfit: Float[np.ndarray, " S"]


class Pruner:
    """Trains machines of one structure to known values of a hole; compiled once."""

    def __init__(self, model: MachineModel, known: Known, width: Any, price: float):
        self.start, self.unravel = ravel_pytree(model)
        self.price = price
        points = jnp.asarray(known.points / width)
        white, values = jnp.asarray(known.white), jnp.asarray(known.values)

        def residual(phi: Any) -> Any:
            out = jax.vmap(self.unravel(phi))(points)
            return white @ (out - values).reshape(-1)

        def residuals(phi: Any, batch: Any) -> Any:
            r = jax.vmap(residual)(phi)
            return r, jnp.all(jnp.isfinite(r), 1)

        def run(phi: Any, precision: Any, steps: Any) -> Any:
            prior = Prior(jnp.zeros_like(phi), precision)
            state = least_squares.begin(residuals, phi, None)
            state = least_squares.iterate(residuals, state, None, prior, steps=steps, tol=1e-5)
            return state.phi, state.jacobian, jnp.sum(state.residual**2, 1), state.cost

        # Apart, since XLA computes the curvature far slower beside the loop.
        self._run, self._variances = jax.jit(run), jax.jit(_variances)

    def __call__(self, phi: Float[np.ndarray, "S P"], live: Bool[np.ndarray, "S P"]) -> Pruned:
        phi, live = self._relevant(np.where(live, phi, 0.0), live)
        return self._eliminated(phi, live)

    def train(self, phi: Any, precision: Any, steps: int) -> Any:
        """Numbers after some steps of least squares, their variances, misfits and costs."""
        precision = jnp.asarray(precision)
        phi, jacobian, misfit, cost = self._run(jnp.asarray(phi), precision, jnp.asarray(steps))
        found = phi, self._variances(jacobian, precision), misfit, cost
        return tuple(map(np.array, found))

    def _relevant(self, phi: Any, live: Any) -> tuple[Any, Any]:
        """A precision for each weight, found by evidence, until many weights are gone.

        (D. J. C. MacKay, Network 6, 1995, 469-505, on automatic relevance determination.)
        """
        precision = np.where(live, 1.0, _HELD)
        phi, spread, _, _ = self.train(phi, precision, 40)
        for _ in range(_ROUNDS):
            known = np.clip(1 - precision * spread, 1e-6, 1)
            new = np.clip(known / np.maximum(phi**2, 1e-14), 1e-4, _HELD)
            precision = np.where((precision >= _LARGE) | (new > _LARGE), _HELD, new)
            phi = np.where(precision >= _HELD, 0.0, phi)
            phi, spread, _, _ = self.train(phi, precision, _STEPS)
        return phi, precision < _HELD

    def _eliminated(self, phi: Any, live: Any) -> Pruned:
        """Weight by weight, the least missed first, as long as the misfit grows less than `price`.

        What the misfit would grow by once the others have moved is w^2 over its variance
        (B. Hassibi, D. G. Stork, Optimal brain surgeon, NeurIPS 1992); each is tried.
        """
        weak = lambda live: np.where(live, 1e-2, _HELD)
        phi, spread, misfit, _ = self.train(phi, weak(live), 20)
        kept, rows = np.zeros_like(live), np.arange(len(phi))
        for _ in range(2 * live.sum(1).max()):
            loss = np.where(live & ~kept, phi**2 / spread, np.inf)
            least = loss.argmin(1)
            open_ = np.isfinite(loss[rows, least])
            if not open_.any():
                break
            fewer = live.copy()
            fewer[rows, least] = False
            new, wide, left, cost = self.train(np.where(fewer, phi, 0.0), weak(fewer), 5)
            good = open_ & np.isfinite(cost) & (left < misfit + self.price)
            kept[rows[open_ & ~good], least[open_ & ~good]] = True
            phi[good], spread[good] = new[good], wide[good]
            misfit[good], live[good] = left[good], fewer[good]
        return Pruned(np.where(live, phi, 0.0), live, misfit)


def _variances(jacobian: Any, precision: Any) -> Any:
    """The posterior variance of every number, the others free."""
    matrix = jnp.swapaxes(jacobian, 1, 2) @ jacobian + jax.vmap(jnp.diag)(precision)
    scale = 1 / jnp.sqrt(jnp.diagonal(matrix, axis1=1, axis2=2))
    scaled = matrix * scale[:, :, None] * scale[:, None, :]
    inverse = jnp.linalg.inv(scaled + 1e-12 * jnp.eye(matrix.shape[-1]))
    return jnp.maximum(jnp.diagonal(inverse, axis1=1, axis2=2), 0) * scale**2
