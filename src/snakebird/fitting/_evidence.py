"""How large the noise is and how wild the holes may be, found from the data themselves.

The evidence approximation (D. J. C. MacKay, Bayesian interpolation, Neural Computation 4, 1992,
sections 3 and 4): each data column has its own noise, each hole its own prior precision, and both
are re-estimated with the number of directions the data determine.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from snakebird.fitting._least_squares import Prior, State, curvature

_BORROWED = 3.0
"""How many observations the noise of other columns is worth where a column says nothing itself."""


def covariance(state: State, prior: Prior) -> Float[Array, "S P P"]:
    """The inverse of the Gauss-Newton matrix: the posterior covariance where it is normal."""
    matrix = curvature(state, prior)
    scale = 1 / jnp.sqrt(jnp.diagonal(matrix, axis1=1, axis2=2))
    scaled = matrix * scale[:, :, None] * scale[:, None, :]
    small = 1e-13 * jnp.eye(matrix.shape[-1])
    return jnp.linalg.inv(scaled + small) * scale[:, :, None] * scale[:, None, :]


def reestimate(
    state: State,
    prior: Prior,
    size: Float[Array, "S K"],
    column: Float[Array, "R K"],
    seen: Float[Array, "S R"],
    sized: Float[Array, " K"],
    pool: Float[Array, "K K"],
    kin: Float[Array, "K K"],
    groups: Float[Array, "G P"],
    least: Float[Array, "S K"],
) -> tuple[Prior, Float[Array, "S K"]]:
    """Better noise sizes and prior precisions at the present state.

    `column` says which data column a residual belongs to, `seen` which residuals were observed,
    `sized` which sizes are to be found, `pool` which columns have one together, `kin` which others
    are of its kind, `groups` which numbers share a precision. Sizes stay above `least`, which has
    the units of each column.
    """
    spread = covariance(state, prior)
    leverage = jnp.einsum("srp,spq,srq->sr", state.jacobian, spread, state.jacobian)
    column = column @ pool
    left = jnp.maximum((seen - leverage * seen) @ column, 0.1 * seen @ column)
    count = seen @ column
    # A column whose few observations the model goes through says little of its noise itself.
    borrowed = _BORROWED * (1 - left / jnp.maximum(count, 1)) ** 2 * (kin.sum(1) > 0)
    usual = least * jnp.exp(jnp.log(size / least) * left @ kin / jnp.maximum(left @ kin, 1e-9))
    sums = (state.residual**2 * seen) @ column + borrowed * (usual / size) ** 2
    factor = jnp.sqrt(sums / jnp.maximum(left + borrowed, 1e-9))
    larger = jnp.maximum(size * jnp.where(left > 0, factor, 1.0), least)
    size = jnp.where(sized > 0, larger, size)
    known = 1 - prior.precision * jnp.diagonal(spread, axis1=1, axis2=2)
    length = (state.phi - prior.mean) ** 2 @ groups.T
    precision = jnp.clip((known @ groups.T) / jnp.maximum(length, 1e-12), 1e-3, 1e4)
    own = 1 - jnp.clip(jnp.sum(groups, 0), 0, 1)
    return prior._replace(precision=prior.precision * own + precision @ groups), size


def log_evidence(state: State, prior: Prior, logs: Any) -> Float[Array, " S"]:
    """The log of the marginal likelihood by Laplace's method, but for a constant.

    `logs` is the sum of the logarithms of the sizes over the observations.
    """
    matrix = curvature(state, prior)
    _, volume = jnp.linalg.slogdet(matrix)
    return -state.cost - logs - 0.5 * volume + 0.5 * jnp.sum(jnp.log(prior.precision), -1)
