"""Derivatives of a recorded solution: each accepted step once more, backward or forward."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from snakebird.equations.lanes import _tsit5 as method
from snakebird.equations.lanes._forward import Rates, Record, Span, column, dose, stages


def read(
    y: Float[Array, "slots lanes d"],
    ks: Float[Array, "slots 7 lanes d"],
    y0: Float[Array, "lanes d"],
    record: Record,
    place: Int[Array, "lanes n"],
    span: Span,
) -> Float[Array, "lanes n d"]:
    """The states at the output times, by the interpolant of the step each lies in."""
    lane = jnp.arange(place.shape[0])[:, None]
    weights = output_weights(record, place, span)
    inside = y[place, lane] + jnp.einsum("bns,bnsd->bnd", weights, ks[place, :, lane])
    return jnp.where((span.times > column(span.t0))[..., None], inside, y0[:, None])


def output_weights(record: Record, place: Array, span: Span) -> Float[Array, "lanes n 7"]:
    """What each stage of the step an output time lies in adds to the state there."""
    lane = jnp.arange(place.shape[0])[:, None]
    h = record.h[place, lane]
    s = jnp.where(h > 0, (span.times - record.t[place, lane]) / jnp.where(h > 0, h, 1.0), 0.0)
    return method.interpolant(s) * h[..., None]


def _step(rates: Rates, record: Record, span: Span, slot: Any) -> Any:
    """The step of a slot as a function of what gradients flow to.

    Gives the next state, its rate as the stage of the next step, and the stages. Where doses may
    change the state, the rate is computed anew; else it is the last stage.
    """
    t, h = record.t[slot], record.h[slot]

    def step(y: Any, k: Any, theta: Any, doses: Any) -> Any:
        after, ks = stages(rates, theta, t, h, y, k)
        if doses is None or record.stop is None:
            return after, ks[-1], jnp.stack(ks)
        after = after + dose(doses, record.stop[slot])
        return after, rates(t + h, after, theta), jnp.stack(ks)

    return step


def cotangents(
    rates: Rates, theta: Any, y0: Array, record: Record, place: Array, span: Span, given: Array
) -> tuple[Any, Array, Any]:
    """The gradient to parameters, start and doses of what `given` weighs at the output times."""
    weights = output_weights(record, place, span)
    before = ~(span.times > column(span.t0))[..., None]
    start = jnp.sum(jnp.where(before, given, 0.0), axis=1)
    given = jnp.where(before, 0.0, given)
    none = jnp.zeros_like(y0)
    zeros = jax.tree.map(jnp.zeros_like, (theta, span.doses))

    def back(carry: Any) -> Any:
        slot, to_after, to_rate, sums = carry
        # Chosen here, step by step: cotangents of the whole record would take as much room again.
        here = jnp.where((place == slot)[..., None], given, 0.0)
        to_ks = jnp.einsum("bns,bnd->sbd", weights, here)
        inputs = (record.y[slot], record.stages[slot, 0], theta, span.doses)
        pull = jax.vjp(_step(rates, record, span, slot), *inputs)[1]
        to_before, to_first, *more = pull((to_after, to_rate, to_ks))
        to_before = to_before + jnp.sum(here, axis=1)
        return slot - 1, to_before, to_first, jax.tree.map(jnp.add, sums, tuple(more))

    first = (record.used - 1, none, none, zeros)
    _, to_y0, to_rate, (to_theta, to_doses) = jax.lax.while_loop(lambda c: c[0] >= 0, back, first)
    at_start = jax.vjp(lambda y, theta: rates(span.t0, y, theta), y0, theta)[1](to_rate)
    to_theta = jax.tree.map(jnp.add, to_theta, at_start[1])
    return to_theta, to_y0 + at_start[0] + start, to_doses


def tangents(
    rates: Rates, primal: Any, moved: Any, record: Record, place: Array, span: Span
) -> Float[Array, "lanes n d"]:
    """How the output moves with parameters, start and doses: one pass over the steps."""
    (theta, y0, doses), (d_theta, d_y0, d_doses) = primal, moved
    at_start = lambda y, theta: rates(span.t0, y, theta)
    d_rate = jax.jvp(at_start, (y0, theta), (d_y0, d_theta))[1]
    weights = output_weights(record, place, span)

    def forth(carry: Any) -> Any:
        slot, d_y, d_k, out = carry
        step = _step(rates, record, span, slot)
        at = (record.y[slot], record.stages[slot, 0], theta, doses)
        d_after, d_next, d_ks = jax.jvp(step, at, (d_y, d_k, d_theta, d_doses))[1]
        here = d_y[:, None] + jnp.einsum("bns,sbd->bnd", weights, d_ks)
        out = jnp.where((place == slot)[..., None], here, out)
        return slot + 1, d_after, d_next, out

    start = jnp.broadcast_to(d_y0[:, None], (*place.shape, y0.shape[1]))
    carry = (jnp.array(0), d_y0, d_rate, start)
    out = jax.lax.while_loop(lambda c: c[0] < record.used, forth, carry)[3]
    return jnp.where((span.times > column(span.t0))[..., None], out, start)
