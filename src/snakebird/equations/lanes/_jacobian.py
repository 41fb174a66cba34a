"""All derivatives of few states: the variational equation, on the recorded steps.

Where the state is small, the Jacobians of the field at every stage of many steps can be taken
together, and only a d x d recurrence remains to be followed from step to step. The cost does not
grow with the number of directions as that of forward mode does, nor with the number of outputs as
that of backward mode does. (Hairer, Norsett, Wanner: Solving ODEs I, II.6, on the discrete scheme.)
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from snakebird.equations.lanes import _tsit5 as method
from snakebird.equations.lanes._forward import Field, Record, Settings, Span, column
from snakebird.equations.lanes._replay import output_weights

_TOGETHER = 8
"""How many steps are differentiated together; bounds the memory."""


def jacobian(
    field: Field,
    settings: Settings,
    theta: Float[Array, "*lanes p"],
    const: Any,
    record: Record,
    place: Int[Array, "lanes n"],
    span: Span,
) -> Float[Array, "lanes n d columns"]:
    """How the outputs move with each parameter and then with each start value: p + d columns."""
    lanes, d = record.y.shape[1:]
    p = theta.shape[-1]
    weights = output_weights(record, place, span)
    lane = jnp.arange(lanes)[:, None]
    record = _padded(record)

    def chunk(carry: Any) -> Any:
        first, X, out = carry
        part = jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, first, _TOGETHER), record)
        G = _stage_moves(field, settings, theta, const, part)
        X, U = jax.lax.scan(_follow, X, (part.h, G))
        here = (place >= first) & (place < first + _TOGETHER)
        inside = jnp.clip(place - first, 0, _TOGETHER - 1)
        before, moves = U
        value = before[inside, lane] + jnp.einsum(
            "bns,bnsdq->bndq", weights, jnp.moveaxis(moves, 1, 2)[inside, lane]
        )
        return first + _TOGETHER, X, jnp.where(here[..., None, None], value, out)

    start = jnp.concatenate([jnp.zeros((d, p)), jnp.eye(d)], axis=1)
    X = jnp.broadcast_to(start, (lanes, d, p + d)).astype(record.y.dtype)
    still = jnp.broadcast_to(X[:, None], (*place.shape, d, p + d))
    out = jax.lax.while_loop(lambda c: c[0] < record.used[0], chunk, (jnp.array(0), X, still))[2]
    return jnp.where((span.times > column(span.t0))[..., None, None], out, still)


def _padded(record: Record) -> Record:
    """The record with a whole number of chunks, and a count that can be sliced like the rest."""
    more = -record.t.shape[0] % _TOGETHER
    grown = jax.tree.map(
        lambda x: jnp.pad(x, [(0, more)] + [(0, 0)] * (x.ndim - 1)), record._replace(used=record.t)
    )
    return grown._replace(used=jnp.broadcast_to(record.used, grown.t.shape[:1]))


def _stage_moves(
    field: Field, settings: Settings, theta: Any, const: Any, part: Record
) -> Float[Array, "steps 7 lanes d columns"]:
    """How each stage moves with the parameters and with the state its step starts from."""
    h = part.h[..., None]
    ks = [part.stages[:, s] for s in range(method.STAGES)]
    rows = ((), *method.WEIGHTS)
    z = jnp.stack([part.y + h * method.combine(row, ks) for row in rows], axis=1)
    t = jnp.stack([part.t + node * part.h for node in method.NODES], axis=1)
    one = jax.jacrev(field, argnums=(1, 2))
    every = jax.vmap(one, in_axes=(0, 0, None if settings.shared else 0, 0))
    every = jax.vmap(jax.vmap(every, in_axes=(0, 0, None, None)), in_axes=(0, 0, None, None))
    by_y, by_theta = every(t, z, theta, const)
    d, p = by_theta.shape[-2:]
    eye = jnp.concatenate([jnp.zeros((d, p)), jnp.eye(d)], axis=1).astype(z.dtype)
    moves: list[Any] = []
    for s, row in enumerate(rows):
        into = eye + h[..., None] * method.combine(row, moves)
        direct = jnp.concatenate([by_theta[:, s], jnp.zeros_like(by_y[:, s])], axis=-1)
        moves.append(_times(by_y[:, s], into) + direct)
    return jnp.stack(moves, axis=1)


def _follow(X: Array, step: Any) -> Any:
    """Over one step: the moves of its start become those of its end."""
    h, G = step
    d = X.shape[-2]
    own, through = G[..., :-d], G[..., -d:]
    own = jnp.concatenate([own, jnp.zeros_like(through)], axis=-1)
    moves = _times(through, X[None]) + own
    after = X + h[:, None, None] * method.combine(method.WEIGHTS[-1], moves)
    return after, (X, moves)


def _times(a: Array, b: Array) -> Any:
    """Many small matrix products; as sums where the matrices are so small that calls cost more."""
    if a.shape[-1] > 6:
        return a @ b
    return sum(a[..., :, j, None] * b[..., None, j, :] for j in range(a.shape[-1]))
