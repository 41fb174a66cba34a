"""Levenberg-Marquardt for many starts at once.

All starts take their steps together, each with its own damping (H. B. Nielsen, Damping parameter
in Marquardt's method, IMM-REP-1999-05). The priors of the numbers are part of the sum of squares.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Residuals = Callable[..., tuple[Any, Any]]
"""`residuals(phi [S, P], batch) -> (r [S, R], fine [S])`, row by row.

One with a method `linearized` gives its Jacobian by itself.
"""


class Prior(NamedTuple):
    """Normal priors of all numbers, independent of each other."""

    mean: Float[Array, "S P"]
    precision: Float[Array, "S P"]


class State(NamedTuple):
    """Where each start stands. `cost` is half the sum of squares, priors included."""

    phi: Float[Array, "S P"]
    residual: Float[Array, "S R"]
    jacobian: Float[Array, "S R P"]
    cost: Float[Array, " S"]
    damping: Float[Array, " S"]
    growth: Float[Array, " S"]
    trial: Float[Array, "S P"]
    promised: Float[Array, " S"]
    done: Bool[Array, " S"]


def linearized(residuals: Residuals, phi: Any, batch: Any) -> tuple[Any, Any, Any]:
    """Residuals, their Jacobian and whether all is well, for each start."""

    own = getattr(residuals, "linearized", None)
    if own is not None:
        return own(phi, batch)

    def push(direction: Any) -> Any:
        moved = jnp.broadcast_to(direction, phi.shape)
        (r, fine), (dr, _) = jax.jvp(lambda x: residuals(x, batch), (phi,), (moved,))
        return r, fine, dr

    basis = jnp.eye(phi.shape[-1], dtype=phi.dtype)
    r, fine, columns = jax.vmap(push, out_axes=(None, None, -1))(basis)
    return r, columns, fine


def begin(residuals: Residuals, phi: Float[Array, "S P"], batch: Any, damping: Any = 1e-2) -> State:
    """A state that has seen nothing yet."""
    starts, numbers = phi.shape
    rows = jax.eval_shape(residuals, phi, batch)[0].shape[1]
    each = lambda value: jnp.full(starts, value)
    return State(
        phi, jnp.zeros((starts, rows)), jnp.zeros((starts, rows, numbers)), each(jnp.inf),
        each(1.0) * damping, each(2.0), phi, each(1.0), jnp.zeros(starts, bool),
    )  # fmt: skip


def again(state: State) -> State:
    """The state to go on from after what is minimized has changed."""
    return state._replace(
        cost=jnp.full_like(state.cost, jnp.inf),
        trial=state.phi,
        growth=jnp.full_like(state.growth, 2.0),
        done=jnp.zeros_like(state.done),
        damping=jnp.clip(state.damping, 1e-9, 1.0),
    )


def iterate(
    residuals: Residuals, state: State, batch: Any, prior: Prior, *, steps: Any, tol: Any = 1e-8
) -> State:
    """Up to `steps` steps; a start is done when a step gains less than `tol` of its cost."""

    def go(carry: Any) -> Any:
        return (carry[0] < steps) & ~jnp.all(carry[1].done)

    def step(carry: Any) -> Any:
        return carry[0] + 1, _step(residuals, carry[1], batch, prior, tol)

    return jax.lax.while_loop(go, step, (jnp.array(0), state))[1]


def _step(residuals: Residuals, state: State, batch: Any, prior: Prior, tol: Any) -> State:
    """Judge the trial of each start, then make the next."""
    r, jacobian, fine = linearized(residuals, state.trial, batch)
    cost = _cost(r, state.trial, prior)
    fine = fine & jnp.isfinite(cost) & jnp.all(jnp.isfinite(jacobian), (1, 2))
    first = jnp.isinf(state.cost)
    accept = fine & ~state.done & (first | (cost < state.cost))
    gain = jnp.where(first, 1.0, (state.cost - cost) / state.promised)
    less = jnp.where(first, 1.0, jnp.maximum(1 / 3, 1 - (2 * gain - 1) ** 3))
    small = accept & ~first & (state.cost - cost <= tol * (cost + tol))
    lost = (first & ~fine) | (state.damping > 1e16)
    pick = lambda new, old: jnp.where(accept.reshape(-1, *[1] * (new.ndim - 1)), new, old)
    state = state._replace(
        phi=pick(state.trial, state.phi),
        residual=pick(r, state.residual),
        jacobian=pick(jacobian, state.jacobian),
        cost=pick(cost, state.cost),
        damping=jnp.where(accept, state.damping * less, state.damping * state.growth),
        growth=jnp.where(accept, 2.0, 2 * state.growth),
        done=state.done | small | lost,
    )
    move, promised = _move(state, prior)
    return state._replace(trial=state.phi + move, promised=promised)


def _cost(r: Array, phi: Array, prior: Prior) -> Array:
    return 0.5 * (jnp.sum(r**2, -1) + jnp.sum(prior.precision * (phi - prior.mean) ** 2, -1))


def curvature(state: State, prior: Prior) -> Float[Array, "S P P"]:
    """The Gauss-Newton matrix of each start, priors included."""
    J = state.jacobian
    return jnp.swapaxes(J, 1, 2) @ J + jax.vmap(jnp.diag)(prior.precision)


def _move(state: State, prior: Prior) -> tuple[Array, Array]:
    """The damped Gauss-Newton step, and the decrease of the cost it promises."""
    matrix = curvature(state, prior)
    slope = jnp.einsum("srp,sr->sp", state.jacobian, state.residual)
    slope = slope + prior.precision * (state.phi - prior.mean)
    diagonal = jnp.diagonal(matrix, axis1=1, axis2=2)
    damp = state.damping[:, None] * (diagonal + 1e-10 * jnp.max(diagonal, 1, keepdims=True) + 1e-30)
    matrix = matrix + jax.vmap(jnp.diag)(damp)
    # Columns differ by many orders; scaled, the factorization is as exact as it can be.
    scale = 1 / jnp.sqrt(jnp.diagonal(matrix, axis1=1, axis2=2))
    factor = jnp.linalg.cholesky(matrix * scale[:, :, None] * scale[:, None, :])
    solve = jax.vmap(lambda L, b: jax.scipy.linalg.cho_solve((L, True), b))
    move = -scale * solve(factor, scale * slope)
    promised = 0.5 * jnp.sum(move * (damp * move - slope), -1)
    return move, jnp.maximum(promised, 1e-300)
