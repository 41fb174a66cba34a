"""Lanes under `jax.vmap`: what is mapped over becomes more lanes of one loop.

A loop that is vectorized as it is selects, in every step, between all that it carries before and
after the step, the whole record included. Lanes have a loop of their own that does not.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from snakebird.equations.lanes import Field, Lanes, Outcome, Settings, Span
from snakebird.equations.lanes._forward import Record, advance, rates_of
from snakebird.equations.lanes._replay import cotangents, read

_ALL = -1
"""Marks what is one for all lanes."""
_LANES = Lanes(0, Outcome(0, 0, 0, _ALL))  # pyright: ignore[reportArgumentType]
_RECORD = Record(_ALL, 1, 1, 1, 2, 1)  # pyright: ignore[reportArgumentType]
"""Which axis of each array is that of the lanes."""


def solve_reverse(
    field: Field,
    settings: Settings,
    theta: Any,
    const: Any,
    y0: Float[Array, "lanes d"],
    span: Span,
) -> Lanes:
    """As that of the lanes, every lane with its own row of `theta`; quick under `jax.vmap` too."""
    still = jax.tree.map(jax.lax.stop_gradient, span._replace(doses=None))
    return _solve(field, settings, theta, y0, span.doses, const, still)


def _step(
    field: Field, settings: Settings, theta: Any, y0: Any, doses: Any, const: Any, still: Span
) -> tuple[Lanes, Record, Array]:
    span, rates = still._replace(doses=doses), rates_of(field, settings, const)
    record, place, outcome = advance(rates, settings, theta, y0, span)
    values = read(record.y, record.stages, y0, record, place, span)
    return Lanes(values, outcome), record, place


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _solve(field: Any, settings: Any, *given: Any) -> Any:
    alone = lambda *given: _step(field, settings, *given)[0]
    return _fold(alone, (0,) * len(given), _LANES)(*given)


def _keep(field: Any, settings: Any, *given: Any) -> Any:
    step = partial(_step, field, settings)
    out, record, place = _fold(step, (0,) * len(given), (_LANES, _RECORD, 0))(*given)
    return out, (given, record, place)


def _pull(field: Any, settings: Any, kept: Any, weights: Any) -> Any:
    given, record, place = kept

    def back(
        theta: Any, y0: Any, doses: Any, const: Any, still: Any, record: Any, place: Any, to: Any
    ) -> Any:
        rates, span = rates_of(field, settings, const), still._replace(doses=doses)
        return cotangents(rates, theta, y0, record, place, span, to)

    axes = (*(0,) * len(given), _RECORD, 0, 0)
    return *_fold(back, axes, (0, 0, 0))(*given, record, place, weights.values), None, None


_solve.defvjp(_keep, _pull)


def _fold(f: Callable[..., Any], axes: tuple[Any, ...], out_axes: Any) -> Callable[..., Any]:
    """A function of lanes, under `jax.vmap` one of more lanes; `axes` are those of the lanes."""
    folded = jax.custom_batching.custom_vmap(f)

    @folded.def_vmap
    def rule(size: int, batched: Any, *given: Any) -> Any:
        args = tuple(given)
        inside = jax.tree.map(partial(_into, size), args, _spread(axes, args), tuple(batched))
        out = folded(*inside)
        apart = jax.tree.map(partial(_apart, size), out, _spread(out_axes, out))
        return apart, jax.tree.map(lambda _: True, out)

    return folded


def _spread(axes: Any, tree: Any) -> Any:
    """The axis of every leaf, from a prefix of the tree."""
    fill = lambda axis, part: jax.tree.map(lambda _: axis, part)
    return jax.tree.map(fill, axes, tree)


def _into(size: int, x: Array, axis: int, batched: bool) -> Array:
    if axis == _ALL:
        return jnp.max(x)
    x = jnp.moveaxis(x, 0, axis) if batched else jnp.broadcast_to(
        jnp.expand_dims(x, axis), (*x.shape[:axis], size, *x.shape[axis:])
    )  # fmt: skip
    return x.reshape(*x.shape[:axis], -1, *x.shape[axis + 2 :])


def _apart(size: int, x: Array, axis: int) -> Array:
    if axis == _ALL:
        return jnp.broadcast_to(x, (size,))
    lanes = x.shape[axis] // size
    return jnp.moveaxis(x.reshape(*x.shape[:axis], size, lanes, *x.shape[axis + 1 :]), axis, 0)
