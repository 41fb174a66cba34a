"""The scans the two trained machines share, written for speed.

Three facts about these machines are used, all of which an expert would see at once:

* What enters from `input`, `eos` and `const_1` is known beforehand, so its product with the
  matrix is one matrix product for all ticks, outside the loop; so is the product that reads the
  answer.
* Only accumulators give out whole dictionaries. The norm, dot and compare neurons give out
  plain numbers, so the characters' parts run through the accumulators alone, which are linear,
  and the plain numbers run as one vector.
* The gradient by the matrix is a sum over ticks, so the backward loop needs to carry the
  state's gradient only; the sum is one matrix product after it.

Layout: a state row is [accum, norm, dot, true, false], n of each; the sources [input, eos,
const_1] follow it. A row of inputs is [accum, norm, x, y, x - y], n of each, the last for the
compare neurons.
"""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax


def delayed(values: jax.Array) -> jax.Array:
    """What each tick reads where `values` is given out: the tick before, at first nothing."""
    return jnp.concatenate([jnp.zeros_like(values[:1]), values[:-1]])


def placing(cells: Sequence[tuple[int, int]], shape: tuple[int, int]) -> Callable:
    """A function that puts flat weights into these cells (row, column) of a zero matrix.

    Its gradient is a gather. With the scatter that JAX would derive, the plain form of the
    duplicate detector took a quarter longer.
    """
    rows, columns = np.asarray(cells).T
    index = np.full(shape, len(rows), np.int32)
    index[rows, columns] = np.arange(len(rows))

    @jax.custom_vjp
    def placed(weights: jax.Array) -> jax.Array:
        return jnp.append(weights, 0)[index]

    placed.defvjp(lambda weights: (placed(weights), None), lambda _, grad: (grad[rows, columns],))
    return placed


@jax.custom_vjp
def accumulate(matrix: jax.Array, drive: jax.Array) -> jax.Array:
    """`state[t] = drive[t] + state[t - 1] @ matrix.T`, for (ticks, keys, n) arrays."""

    def tick(state: jax.Array, entering: jax.Array) -> tuple:
        state = entering + state @ matrix.T
        return state, state

    return lax.scan(tick, jnp.zeros_like(drive[0]), drive)[1]


def _accumulate_forward(matrix: jax.Array, drive: jax.Array) -> tuple:
    states = accumulate(matrix, drive)
    return states, (matrix, states)


def _accumulate_backward(saved: tuple, grad: jax.Array) -> tuple:
    matrix, states = saved

    def tick(later: jax.Array, now: jax.Array) -> tuple:
        total = now + later @ matrix
        return total, total

    total = lax.scan(tick, jnp.zeros_like(grad[0]), grad, reverse=True)[1]
    return jnp.einsum("tki,tkj->ij", total[1:], states[:-1]), total


accumulate.defvjp(_accumulate_forward, _accumulate_backward)


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def numbers(
    matrix: jax.Array, drive: jax.Array, norms: jax.Array, dots: jax.Array, cap: float
) -> jax.Array:
    """The plain numbers of all outputs in all ticks: shape (ticks, 5 n).

    matrix, drive: (5 n, 5 n) and (ticks, 5 n), the number part of the down movement. norms, dots:
    (ticks, n), what the characters add to the norms and the dot products. cap: dots stay within it.
    """
    n = norms.shape[1]

    def tick(state: jax.Array, entering: tuple) -> tuple:
        pushed, norm, dot = entering
        accum, inner, x, y, less = jnp.split(pushed + matrix @ state, 5)
        norm = jnp.maximum(norm, jnp.abs(inner))
        dot = jnp.clip(dot + x * y, -cap, cap)
        state = jnp.concatenate([accum, norm, dot, jnp.maximum(less, 0), jnp.maximum(-less, 0)])
        return state, state

    return lax.scan(tick, jnp.zeros(5 * n, drive.dtype), (drive, norms, dots))[1]


def _numbers_forward(
    matrix: jax.Array, drive: jax.Array, norms: jax.Array, dots: jax.Array, cap: float
) -> tuple:
    states = numbers(matrix, drive, norms, dots, cap)
    return states, (matrix, drive, norms, dots, states)


def _numbers_backward(cap: float, saved: tuple, grad: jax.Array) -> tuple:
    """All slopes at once for all ticks, then a backward loop that is linear."""
    matrix, drive, norms, dots, states = saved
    n, before = norms.shape[1], delayed(states)
    _, inner, x, y, less = jnp.split(drive + before @ matrix.T, 5, axis=1)
    own = jnp.abs(inner) > norms
    free = (jnp.abs(dots + x * y) < cap).astype(x.dtype)
    slopes = jnp.concatenate(
        [jnp.ones_like(x), own * jnp.sign(inner), free * y, free * x, (less > 0).astype(x.dtype)],
        axis=1,
    )
    falls = (less < 0).astype(x.dtype)

    def tick(later: jax.Array, now: tuple) -> tuple:
        given, slope, fall = now
        total = given + later
        first, dot, true, false = (
            total[: 2 * n],
            total[2 * n : 3 * n],
            total[3 * n : 4 * n],
            total[4 * n :],
        )
        inputs = slope * jnp.concatenate([first, dot, dot, true])
        inputs = jnp.concatenate([inputs[: 4 * n], inputs[4 * n :] - fall * false])
        return inputs @ matrix, (inputs, total[n : 3 * n])

    _, (inputs, total) = lax.scan(
        tick, jnp.zeros_like(grad[0]), (grad, slopes, falls), reverse=True
    )
    return inputs.T @ before, inputs, total[:, :n] * ~own, total[:, n:] * free


numbers.defvjp(_numbers_forward, _numbers_backward)


def answers(rows: jax.Array, last: jax.Array, sources: jax.Array, cap: float) -> jax.Array:
    """The inputs `dict-1`, `dict-2` of `output` in every tick: shape (ticks, 2).

    rows: (5 n, 5 n + 3), the matrix's rows for [accum, norm, x, y, x - y]. last: (2, 5 n + 3),
    the rows of `output`. sources: (ticks, keys, 3).
    """
    n = len(rows) // 5
    wide, entering = 5 * n, rows[:, 5 * n :]
    pushed = sources[:, 1:] @ entering[: 4 * n].T
    counts = delayed(accumulate(rows[:n, :n], pushed[..., :n]))
    inner, x, y = jnp.split(pushed[..., n:] + counts @ rows[n : 4 * n, :n].T, 3, axis=2)
    states = numbers(
        rows[:, :wide],
        sources[:, 0] @ entering.T,
        jnp.abs(inner).max(axis=1),
        (x * y).sum(axis=1),
        cap,
    )
    return delayed(states) @ last[:, :wide].T + sources[:, 0] @ last[:, wide:].T


def train_step(
    loss: Callable[[jax.Array], jax.Array], rate: float
) -> tuple[Callable, optax.GradientTransformation]:
    """One jitted Adam step on a flat array, and the optimizer that makes its state."""
    optimizer = optax.adam(rate)

    @jax.jit
    def step(weights: jax.Array, state: optax.OptState) -> tuple:
        value, grad = jax.value_and_grad(loss)(weights)
        change, state = optimizer.update(grad, state)
        return optax.apply_updates(weights, change), state, value

    return step, optimizer
