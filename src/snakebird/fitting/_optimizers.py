"""Optimizers of optax and solvers of optimistix in the place of Levenberg-Marquardt."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optimistix as optx
from jaxtyping import Array, Float

from snakebird.errors import FitError
from snakebird.fitting._least_squares import Prior

UPDATES = 300
"""How many updates of an optax optimizer, or steps of another solver, a round has at most."""

Residuals = Callable[..., tuple[Any, Any]]
"""`residuals(phi [S, P], batch, direction) -> (r [S, R], fine [S])`."""


def check_optimizer(optimizer: Any) -> None:
    """Raise `FitError` for what is none."""
    kinds = (
        optax.GradientTransformation,
        optx.AbstractLeastSquaresSolver,
        optx.AbstractMinimiser,
    )
    if optimizer is None or (isinstance(optimizer, kinds) and not isinstance(optimizer, type)):
        return
    shown = getattr(optimizer, "__name__", type(optimizer).__name__)
    raise FitError(
        f"the optimizer is {shown}, which is none",
        "optimizer",
        "give optax.adam(1e-2), optimistix.BFGS(rtol=1e-6, atol=1e-6), ..., or leave it out",
    )


def optimized(
    optimizer: Any, residuals: Residuals, phi: Float[Array, "S P"], batch: Any, prior: Prior
) -> Float[Array, "S P"]:
    """Every start after a round of an optimizer; one that ends worse stays where it was."""
    if isinstance(optimizer, optax.GradientTransformation):
        return _descended(optimizer, residuals, phi, batch, prior)
    least = isinstance(optimizer, optx.AbstractLeastSquaresSolver)
    one = lambda tree: jax.tree.map(lambda x: x[None], tree)

    def misses(x: Any, given: Any) -> Any:
        own, prior = given
        r, fine = residuals(x[None], one(own), "forward")
        away = jnp.sqrt(prior.precision) * (x - prior.mean)
        return jnp.where(fine[0], jnp.concatenate([r[0], away]), jnp.inf)

    def row(x: Any, given: Any) -> Any:
        if least:
            return optx.least_squares(
                misses, optimizer, x, given, max_steps=UPDATES, throw=False
            ).value
        half = lambda x, given: 0.5 * jnp.sum(misses(x, given) ** 2)
        return optx.minimise(
            half, optimizer, x, given, options={"autodiff_mode": "fwd"}, max_steps=UPDATES,
            throw=False,
        ).value  # fmt: skip

    new = jax.vmap(row)(phi, (batch, prior))
    return jnp.where(jnp.all(jnp.isfinite(new), 1, keepdims=True), new, phi)


def _descended(
    optimizer: Any, residuals: Residuals, phi: Float[Array, "S P"], batch: Any, prior: Prior
) -> Float[Array, "S P"]:
    """The best of the points that gradient descent came by."""

    def costs(phi: Any) -> Any:
        r, fine = residuals(phi, batch, "reverse")
        cost = 0.5 * (jnp.sum(r**2, 1) + jnp.sum(prior.precision * (phi - prior.mean) ** 2, 1))
        return jnp.sum(jnp.where(fine, cost, 0.0)), jnp.where(fine, cost, jnp.inf)

    def one(carry: Any, _: Any) -> Any:
        phi, memory, best, least = carry
        (_, cost), slope = jax.value_and_grad(costs, has_aux=True)(phi)
        better = jnp.isfinite(cost) & (cost < least)
        best = jnp.where(better[:, None], phi, best)
        # Where a solve fails there is no slope: the others go on, that start tries with momentum.
        slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
        change, memory = optimizer.update(slope, memory, phi)
        return (optax.apply_updates(phi, change), memory, best, jnp.fmin(cost, least)), None

    memory = optimizer.init(phi)
    first = (phi, memory, phi, jnp.full(len(phi), jnp.inf))
    return jax.lax.scan(one, first, None, length=UPDATES)[0][2]
