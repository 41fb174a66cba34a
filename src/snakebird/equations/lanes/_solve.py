"""Solutions at given times, differentiable backward or forward."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from snakebird.equations.lanes._forward import Field, Outcome, Settings, Span, advance, rates_of
from snakebird.equations.lanes._jacobian import jacobian
from snakebird.equations.lanes._replay import cotangents, read, tangents

SMALL = 32
"""Up to how many states all derivatives are taken at once."""


class Lanes(NamedTuple):
    """The states `values[lane, time]` and how each lane ended."""

    values: Float[Array, "lanes n d"]
    outcome: Outcome


def solve_reverse(
    field: Field,
    settings: Settings,
    theta: Any,
    const: Any,
    y0: Float[Array, "lanes d"],
    span: Span,
) -> Lanes:
    """Solve `dy/dt = field(t, y, theta, const)` on every lane, differentiable backward.

    `field` is that of one lane: `t` a number, `y` of shape [d]. The leaves of `theta` and `const`
    have a leading axis of lanes, but for those of `theta` where `settings.shared`. Gradients flow
    to `theta`, `y0` and `span.doses`; `const` may hold whole numbers.

    The forward loop keeps (t, h, y) and the stages of every accepted step; the backward loop
    takes one vector-Jacobian product a step, last step first.
    """
    out: Any = _reverse(field, settings, theta, y0, span.doses, const, _still(span))
    return Lanes(*out)


def solve_forward(
    field: Field,
    settings: Settings,
    theta: Any,
    const: Any,
    y0: Float[Array, "lanes d"],
    span: Span,
) -> Lanes:
    """As `solve_reverse`, differentiable forward.

    Where the state is small and the parameters are one array, all derivatives are taken at once,
    as `solve_jacobian` does, and serve every tangent. Else the recorded steps are replayed with
    the tangents.
    """
    out: Any = _forward(field, settings, theta, y0, span.doses, const, _still(span))
    return Lanes(*out)


def solve_jacobian(
    field: Field,
    settings: Settings,
    theta: Float[Array, "*lanes p"],
    const: Any,
    y0: Float[Array, "lanes d"],
    span: Span,
) -> tuple[Lanes, Float[Array, "lanes n d columns"]]:
    """The solution with all its derivatives by parameters and start values: p + d columns.

    For small systems: takes memory of some 60 (p + d) d numbers a lane.
    """
    out, (_, record, place, span) = _run(field, settings, theta, y0, span.doses, const, span)
    return Lanes(*out), jacobian(field, settings, theta, const, record, place, span)


def _still(span: Span) -> Span:
    """The times of a span, to which no gradient flows."""
    return jax.tree.map(jax.lax.stop_gradient, span._replace(doses=None))


def _run(
    field: Field, settings: Settings, theta: Any, y0: Array, doses: Any, const: Any, still: Span
) -> Any:
    span, rates = still._replace(doses=doses), rates_of(field, settings, const)
    record, place, outcome = advance(rates, settings, theta, y0, span)
    values = read(record.y, record.stages, y0, record, place, span)
    return (values, outcome), (rates, record, place, span)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _reverse(
    field: Any, settings: Any, theta: Any, y0: Any, doses: Any, const: Any, still: Any
) -> Any:
    return _run(field, settings, theta, y0, doses, const, still)[0]


def _keep(
    field: Any, settings: Any, theta: Any, y0: Any, doses: Any, const: Any, still: Any
) -> Any:
    out, (_, record, place, _) = _run(field, settings, theta, y0, doses, const, still)
    return out, (theta, y0, doses, const, still, record, place)


def _pull(field: Field, settings: Settings, kept: Any, given: Any) -> Any:
    theta, y0, doses, const, still, record, place = kept
    rates, span = rates_of(field, settings, const), still._replace(doses=doses)
    return *cotangents(rates, theta, y0, record, place, span, given[0]), None, None


_reverse.defvjp(_keep, _pull)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _forward(
    field: Any, settings: Any, theta: Any, y0: Any, doses: Any, const: Any, still: Any
) -> Any:
    return _run(field, settings, theta, y0, doses, const, still)[0]


@_forward.defjvp
def _push(field: Field, settings: Settings, at: Any, moved: Any) -> Any:
    theta, y0, doses, const, still = at
    out, (rates, record, place, span) = _run(field, settings, theta, y0, doses, const, still)
    if doses is None and isinstance(theta, jax.Array) and y0.shape[1] <= SMALL:
        full = jacobian(field, settings, theta, const, record, place, span)
        d_theta = jnp.broadcast_to(moved[0], (*y0.shape[:1], *theta.shape[-1:]))
        d_values = jnp.einsum("bndp,bp->bnd", full, jnp.concatenate([d_theta, moved[1]], 1))
    else:
        d_values = tangents(rates, at[:3], moved[:3], record, place, span)
    return out, (d_values, jax.tree.map(_no_tangent, out[1]))


def _no_tangent(x: Array) -> Any:
    if jnp.issubdtype(x.dtype, jnp.inexact):
        return jnp.zeros_like(x)
    return np.zeros(x.shape, jax.dtypes.float0)
