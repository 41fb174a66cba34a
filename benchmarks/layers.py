"""Layers as machines against their Equinox counterparts: one gradient step each, in one run."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

import snakebird as sb
from benchmarks.timing import in_turn, ratio
from snakebird.machines import Machine, motives

WIDTH, TICKS, BATCH, HEADS, RATE = 64, 64, 16, 4, 0.01


class Layer(NamedTuple):
    """An Equinox layer, its machine, how both run on one sequence `[TICKS, WIDTH]`."""

    weights: Any
    machine: Machine
    ours: Callable[[Any, jax.Array], jax.Array]
    theirs: Callable[[Any, jax.Array], jax.Array]


def machine_of(shape: tuple[int, ...], make: Callable[[Any], Any]) -> Machine:
    """The machine of one layer, from a source to an output; only the layer's weights train."""
    with sb.Builder(fixed=True) as b:
        x = sb.source(space=sb.Space({(): shape}), name="x")
        sb.output(y=sb.instant(make(sb.instant(x))))
    return b.machine


def over_time(low: Any, xs: jax.Array) -> jax.Array:
    return low({"x": xs}).number("output.y")


def whole(low: Any, xs: jax.Array) -> jax.Array:
    return low({"x": xs[None]}).number("output.y")[0]


def scanned(cell: Any, xs: jax.Array) -> jax.Array:
    def step(state: Any, x: Any) -> Any:
        state = cell(x, state)
        return state, state[0] if isinstance(state, tuple) else state

    zero = jnp.zeros(WIDTH)
    first = (zero, zero) if isinstance(cell, eqx.nn.LSTMCell) else zero
    return jax.lax.scan(step, first, xs)[1]


def causal(layer: Any, xs: jax.Array) -> jax.Array:
    return layer(xs, xs, xs, mask=jnp.tril(jnp.ones((TICKS, TICKS), bool)))


def layers() -> dict[str, Layer]:
    """The layers by name."""
    keys = jax.random.split(jax.random.key(0), 3)
    lstm = eqx.nn.LSTMCell(WIDTH, WIDTH, key=keys[0])
    gru = eqx.nn.GRUCell(WIDTH, WIDTH, key=keys[1])
    attention = eqx.nn.MultiheadAttention(HEADS, WIDTH, key=keys[2])
    by_lstm = machine_of((WIDTH,), lambda x: motives.lstm(x, lstm).hidden)
    by_gru = machine_of((WIDTH,), lambda x: motives.gru(x, gru))
    at_once = machine_of((TICKS, WIDTH), lambda x: motives.attention(x, attention, length=TICKS))
    recent = machine_of((WIDTH,), lambda x: motives.attention_over_time(x, attention, window=TICKS))
    return {
        "LSTM": Layer(lstm, by_lstm, over_time, scanned),
        "GRU": Layer(gru, by_gru, over_time, scanned),
        "attention, a window a tick": Layer(attention, at_once, whole, causal),
        "attention, a row a tick": Layer(attention, recent, over_time, causal),
    }


def step_of(model: Any, run: Callable[[Any, jax.Array], jax.Array]) -> Callable[[], Any]:
    """One compiled gradient step on a batch, as a call without arguments."""
    arrays, static = eqx.partition(model, eqx.is_inexact_array)
    xs, ys = jax.random.normal(jax.random.key(1), (2, BATCH, TICKS, WIDTH))

    def loss(arrays: Any) -> jax.Array:
        whole = eqx.combine(arrays, static)
        return jnp.mean((jax.vmap(lambda x: run(whole, x))(xs) - ys) ** 2)

    @jax.jit
    def step(arrays: Any) -> Any:
        value, grad = jax.value_and_grad(loss)(arrays)
        return value, jax.tree.map(lambda p, g: p - RATE * g, arrays, grad)

    return lambda: step(arrays)


def training() -> list[dict[str, Any]]:
    """Rows: compile seconds, milliseconds a step, and the ratio to Equinox."""
    rows = []
    for name, layer in layers().items():
        calls = {
            "ours": step_of(sb.lower(layer.machine), layer.ours),
            "Equinox": step_of(layer.weights, layer.theirs),
        }
        timed = in_turn(calls, repeat=10 if "row" in name else 60)
        values = [float(call()[0]) for call in calls.values()]
        assert abs(values[0] / values[1] - 1) < 1e-5
        rows.append(
            {"layer": name}
            | {f"{who} compile (s)": timed[who].first for who in timed}
            | {f"{who} (ms)": 1e3 * timed[who].median for who in timed}
            | {"ratio": ratio(timed["ours"], timed["Equinox"])}
        )
    return rows
