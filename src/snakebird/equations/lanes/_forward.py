"""The adaptive loop: all lanes together, one slot of the record a step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from snakebird.equations.lanes import _tsit5 as method

OK, MAX_STEPS, TOO_SMALL, NOT_FINITE = 0, 1, 2, 3
"""How a lane ended."""

_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 10.0


class Settings(NamedTuple):
    """What is fixed when a solve is compiled: tolerances, and the room for steps.

    `shared` says that all lanes read one tree of parameters, instead of each its own row.
    """

    rtol: float = 1e-6
    atol: float = 1e-8
    max_steps: int = 256
    shared: bool = False


class Record(NamedTuple):
    """The steps of every lane; a slot where a lane took no step has length `h = 0` there."""

    used: Int[Array, ""]
    t: Float[Array, "slots lanes"]
    h: Float[Array, "slots lanes"]
    y: Float[Array, "slots lanes d"]
    stages: Float[Array, "slots 7 lanes d"]
    stop: Int[Array, "slots lanes"] | None


class Outcome(NamedTuple):
    """How each lane ended: its code, the time it reached, the worst state, the tries taken."""

    code: Int[Array, " lanes"]
    time: Float[Array, " lanes"]
    state: Int[Array, " lanes"]
    tries: Int[Array, ""]


class Span(NamedTuple):
    """Where a lane starts, when it is read, and when something is added to its state.

    `stops` are sorted times at which a step has to end; unused ones are infinite. After the step
    that ends at `stops[:, i]`, `doses[:, i]` is added to the state. Both may be `None`.
    """

    t0: Float[Array, " lanes"]
    times: Float[Array, "lanes n"]
    stops: Float[Array, "lanes m"] | None = None
    doses: Float[Array, "lanes m d"] | None = None


class _Carry(NamedTuple):
    slot: Any
    tries: Any
    t: Any
    h: Any
    y: Any
    k: Any
    code: Any
    worst: Any
    place: Any
    record: Record


Field = Callable[[Any, Any, Any, Any], Any]
"""`field(t, y, theta, const)` of one lane, y of shape [d]."""

Rates = Callable[[Any, Any, Any], Any]
"""`rates(t, y, theta)` of all lanes."""


def rates_of(field: Field, settings: Settings, const: Any) -> Rates:
    """The field of one lane as a function of all."""
    every = jax.vmap(field, in_axes=(0, 0, None if settings.shared else 0, 0))
    return lambda t, y, theta: every(t, y, theta, const)


def column(x: Array) -> Array:
    """One number a lane, ready to scale its state."""
    return x[:, None]


def stages(rates: Rates, theta: Any, t: Any, h: Any, y: Any, k: Any) -> tuple[Any, list[Any]]:
    """One step from `y`, whose rate is `k`: the new state and the seven stages."""
    ks, z = [k], y
    for node, weights in zip(method.NODES[1:], method.WEIGHTS, strict=True):
        z = y + column(h) * method.combine(weights, ks)
        ks.append(rates(t + node * h, z, theta))
    return z, ks


def advance(
    rates: Rates, settings: Settings, theta: Any, y0: Float[Array, "lanes d"], span: Span
) -> tuple[Record, Int[Array, "lanes n"], Outcome]:
    """Step all lanes to the last of their times.

    Returns the record, the slot in which each output time lies, and how each lane ended.
    """
    end = span.times[:, -1]
    k = rates(span.t0, y0, theta)
    carry = _Carry(
        slot=jnp.array(0),
        tries=jnp.array(0),
        t=span.t0,
        h=_first_step(rates, settings, theta, span.t0, y0, k),
        y=y0,
        k=k,
        code=jnp.where(jnp.all(jnp.isfinite(k), -1), OK, NOT_FINITE),
        worst=jnp.argmax(~jnp.isfinite(k), -1),
        place=jnp.zeros(span.times.shape, int),
        record=_empty(settings, y0, span),
    )

    def active(c: _Carry) -> Array:
        return (c.t < end) & (c.code == OK)

    def go(c: _Carry) -> Array:
        # Rejected tries take no slot, so they are counted apart.
        room = (c.slot < settings.max_steps) & (c.tries < 2 * settings.max_steps)
        return room & jnp.any(active(c))

    last = jax.lax.while_loop(go, lambda c: _try(rates, settings, theta, span, active(c), c), carry)
    code = jnp.where(active(last), MAX_STEPS, last.code)
    record = last.record._replace(used=last.slot)
    return record, last.place, Outcome(code, last.t, last.worst, last.tries)


def _empty(settings: Settings, y0: Array, span: Span) -> Record:
    slots, (lanes, d) = settings.max_steps, y0.shape
    stop = None if span.stops is None else jnp.full((slots, lanes), -1)
    zeros = lambda *shape: jnp.zeros(shape, y0.dtype)
    return Record(
        jnp.array(0), zeros(slots, lanes), zeros(slots, lanes), zeros(slots, lanes, d),
        zeros(slots, method.STAGES, lanes, d), stop,
    )  # fmt: skip


def _try(
    rates: Rates,
    settings: Settings,
    theta: Any,
    span: Span,
    active: Bool[Array, " lanes"],
    c: _Carry,
) -> _Carry:
    """One step of every lane that has not arrived; those whose error is too large try again."""
    end, stop = _next_end(span, c.t)
    left = end - c.t
    last = c.h >= left
    h = jnp.where(last, left, c.h)
    y, ks = stages(rates, theta, c.t, h, c.y, c.k)
    scale = settings.atol + settings.rtol * jnp.maximum(jnp.abs(c.y), jnp.abs(y))
    error = column(h) * method.combine(method.ERROR, ks) / scale
    size = _norm(error)
    accept = active & (size <= 1)  # false where it is not a number
    t = jnp.where(accept, jnp.where(last, end, c.t + h), c.t)
    place = jnp.where(
        column(accept) & (span.times > column(c.t)) & (span.times <= column(t)), c.slot, c.place
    )
    stop = None if stop is None else jnp.where(accept & last, stop, -1)
    record = _write(c.record, c.slot, c.t, jnp.where(accept, h, 0.0), c.y, _kept(accept, ks), stop)
    k = ks[-1]
    if stop is not None and span.doses is not None:
        y = y + dose(span.doses, stop)
        k = rates(t, y, theta)
    small = active & ~accept & (h < 1e-14 * jnp.maximum(jnp.abs(c.t), jnp.abs(span.times[:, -1])))
    bad = jnp.where(jnp.isfinite(error), jnp.abs(error), jnp.inf)
    code = jnp.where(small, jnp.where(jnp.isfinite(size), TOO_SMALL, NOT_FINITE), c.code)
    return _Carry(
        slot=c.slot + jnp.any(accept),
        tries=c.tries + 1,
        t=t,
        h=jnp.where(active, h * _factor(size, accept), c.h),
        y=jnp.where(column(accept), y, c.y),
        k=jnp.where(column(accept), k, c.k),
        code=code,
        worst=jnp.where(active & ~accept, jnp.argmax(bad, -1), c.worst),
        place=place,
        record=record,
    )


def _next_end(span: Span, t: Array) -> tuple[Array, Array | None]:
    """Up to where the next step may go, and the number of the stop there, -1 for none."""
    end = span.times[:, -1]
    if span.stops is None:
        return end, None
    ahead = jnp.where(span.stops > column(t), span.stops, jnp.inf)
    index = jnp.argmin(ahead, -1)
    stop = jnp.min(ahead, -1)
    return jnp.minimum(end, stop), jnp.where(stop <= end, index, -1)


def dose(doses: Float[Array, "lanes m d"], stop: Int[Array, " lanes"]) -> Float[Array, "lanes d"]:
    """What is added to each lane's state at its stop; nothing where there is none."""
    chosen = jnp.take_along_axis(doses, jnp.maximum(stop, 0)[:, None, None], axis=1)[:, 0]
    return jnp.where(column(stop >= 0), chosen, 0.0)


def _kept(accept: Array, ks: list[Array]) -> Array:
    """The stages to record: of a rejected try, whose stages may be infinite, only the first."""
    return jnp.where(accept[:, None], jnp.stack(ks), ks[0])


def _write(
    record: Record, slot: Array, t: Array, h: Array, y: Array, ks: Array, stop: Array | None
) -> Record:
    marks = None if record.stop is None else record.stop.at[slot].set(stop)
    return Record(
        record.used,
        record.t.at[slot].set(t),
        record.h.at[slot].set(h),
        record.y.at[slot].set(y),
        record.stages.at[slot].set(ks),
        marks,
    )


def _norm(x: Array) -> Array:
    return jnp.sqrt(jnp.mean(x * x, -1))


def _factor(size: Array, accept: Array) -> Array:
    """By how much the next step is longer."""
    factor = jnp.clip(_SAFETY * size ** (-1 / 5), _SHRINK, _GROW)
    factor = jnp.where(jnp.isfinite(factor), factor, _SHRINK)
    return jnp.where(accept, jnp.maximum(factor, 1.0), jnp.minimum(factor, _SAFETY))


def _first_step(
    rates: Rates, settings: Settings, theta: Any, t: Array, y: Array, k: Array
) -> Float[Array, " lanes"]:
    """A first step size (Hairer, Norsett, Wanner: Solving ODEs I, II.4)."""
    scale = settings.atol + settings.rtol * jnp.abs(y)
    size, slope = _norm(y / scale), _norm(k / scale)
    small = (size < 1e-5) | (slope < 1e-5)
    h = jnp.where(small, 1e-6, 0.01 * size / jnp.where(small, 1.0, slope))
    bend = _norm((rates(t + h, y + column(h) * k, theta) - k) / scale) / h
    steep = jnp.maximum(slope, bend)
    flat = ~(steep > 1e-15)
    longer = jnp.where(
        flat, jnp.maximum(1e-6, h * 1e-3), (0.01 / jnp.where(flat, 1.0, steep)) ** (1 / 5)
    )
    return jnp.minimum(100 * h, longer)
