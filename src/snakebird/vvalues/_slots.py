"""Moving numbers between vectors by static index maps, as slices where a map has few runs."""

import jax
import jax.numpy as jnp
import numpy as np

MAX_RUNS = 16
"""An index map of at most this many runs is moved as slices, a longer one as one gather."""


def rearrange(data: jax.Array, source: np.ndarray) -> jax.Array:
    """`out[..., k] = data[..., source[k]]`, and zero where `source[k]` is -1.

    The map is known at trace time: runs of neighbors become slices, runs of one repeated slot
    broadcasts, runs of -1 zeros, so that XLA can fuse them; only a ragged map becomes a gather.

    >>> rearrange(jnp.array([5.0, 7.0]), np.array([1, -1, 0])).tolist()
    [7.0, 0.0, 5.0]
    """
    width = data.shape[-1]
    if len(source) == width and np.array_equal(source, np.arange(width)):
        return data
    runs = _runs(source)
    if len(runs) > MAX_RUNS:
        if (source >= 0).all():
            return data.at[..., source].get(mode="promise_in_bounds")
        padded = jnp.concatenate([data, jnp.zeros((*data.shape[:-1], 1), data.dtype)], axis=-1)
        return padded.at[..., np.where(source < 0, width, source)].get(mode="promise_in_bounds")
    parts = [_run(data, *run) for run in runs]
    if not parts:
        return data[..., :0]
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=-1)


def place(data: jax.Array, slots: np.ndarray, size: int) -> jax.Array:
    """A vector of `size` with `out[..., slots[k]] = data[..., k]`, zero elsewhere.

    The slots are distinct.

    >>> place(jnp.array([5.0, 7.0]), np.array([2, 0]), 3).tolist()
    [7.0, 0.0, 5.0]
    """
    source = np.full(size, -1)
    source[slots] = np.arange(len(slots))
    return rearrange(data, source)


def sum_at(data: jax.Array, slots: np.ndarray, size: int) -> jax.Array:
    """A vector of `size` with `out[..., s]` the sum of all `data[..., k]` with `slots[k] == s`."""
    if len(np.unique(slots)) == len(slots):
        return place(data, slots, size)
    if size == 1:
        return jnp.sum(data, axis=-1, keepdims=True)
    zeros = jnp.zeros((*data.shape[:-1], size), data.dtype)
    return zeros.at[..., slots].add(data, mode="promise_in_bounds")


def _runs(source: np.ndarray) -> list[tuple[int, int, int]]:
    """Cut an index map into runs `(first, step, length)` with step 0 or 1.

    Stops at more than `MAX_RUNS`.
    """
    runs: list[tuple[int, int, int]] = []
    for index in source.tolist():
        if runs:
            first, step, length = runs[-1]
            gap = index - (first + step * (length - 1))
            if (length == 1 and (gap == 0 or (gap == 1 and first >= 0))) or (
                length > 1 and gap == step
            ):
                runs[-1] = (first, gap, length + 1)
                continue
        if len(runs) > MAX_RUNS:
            break
        runs.append((index, 0, 1))
    return runs


def _run(data: jax.Array, first: int, step: int, length: int) -> jax.Array:
    lead = data.shape[:-1]
    if first < 0:
        return jnp.zeros((*lead, length), data.dtype)
    if step == 1 or length == 1:
        return data[..., first : first + length]
    return jnp.broadcast_to(data[..., first : first + 1], (*lead, length))
