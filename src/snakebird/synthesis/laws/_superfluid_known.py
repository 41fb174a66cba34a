"""What a fit knows of a hole: its values where the trajectories went, and how sure they are."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from snakebird.equations import holes
from snakebird.fitting import Fit
from snakebird.fitting.core import visited

_MOST = 120
"""How many values of a hole are looked at."""
_BLUR = 3e-3
"""The error that a value has in any case, in units of the size of the output."""


class Known(NamedTuple):
    """Points a hole has seen, its values there in units of `size`, and `white`: the inverse of a
    root of their covariance, so that `white @ (values - others)` has the size of one an entry.
    """

    points: Float[np.ndarray, "m inputs"]
    values: Float[np.ndarray, "m outputs"]
    white: Float[np.ndarray, "r r"]
    size: Float[np.ndarray, " outputs"]


def known(fit: Fit, name: str) -> Known:
    """The normal distribution of a hole's values that the data leave (Laplace's method).

    To first order the values of a hole follow the trained numbers linearly, so their covariance
    is that of the numbers, start values and parameters included, carried over.
    """
    with jax.enable_x64(True):
        seen, _ = visited(fit.problem, fit.vector[None], fit.batch)
        points = seen[0][name][0]
        free = fit.holes[name].free_outputs
        most = max(2, _MOST // free)
        if len(points) > most:
            points = points[np.unique(np.linspace(0, len(points) - 1, most).astype(int))]
        p = len(fit.problem.vector.start)

        def value(theta: jax.Array) -> jax.Array:
            hole = holes(fit.problem.vector.model(theta))[name]
            return hole.many(jnp.asarray(points))[:, :free]

        theta = jnp.asarray(fit.vector[:p])
        values = np.asarray(value(theta))
        moves = np.asarray(jax.jit(jax.jacfwd(value))(theta)).reshape(values.size, p)
    size = np.sqrt(np.mean(values**2, axis=0)) + 1e-300
    moves = moves / np.tile(size, len(points))[:, None]
    rows = np.concatenate([fit.jacobian, np.diag(np.sqrt(np.asarray(fit.prior.precision[0])))])
    _, singular, v = np.linalg.svd(rows, full_matrices=False)
    root = moves @ (v.T / np.maximum(singular, 1e-12 * singular[0]))[:p]
    covariance = root @ root.T + _BLUR**2 * np.eye(values.size)
    return Known(points, values / size, np.linalg.inv(np.linalg.cholesky(covariance)), size)
