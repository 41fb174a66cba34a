"""Layers of nets as parts of a machine: a few neurons each, over streams of arrays.

Each function is called while a machine is built. It takes a stream and an Equinox module whose
weights it uses (they become parameters of its neurons, open to training), makes neurons named
after `name`, and gives the node that holds the result. Within a tick all goes by instant links;
memory is what ordinary links carry from one tick to the next. What no loop passes through runs over
all ticks at once when the machine is lowered: of a recurrent cell only the part that reads its own
state is left to the scan.
"""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from snakebird.machines.building._stream import Node, Stream, fixed, instant
from snakebird.neurons import (
    accumulator,
    call_neuron,
    gate,
    matrix_product,
    outer,
    timer,
)


def now(stream: Any) -> Stream:
    """A stream of this tick, by links that training leaves alone: the layer has weights enough.

    >>> from snakebird.machines import Builder
    >>> from snakebird.neurons import source
    >>> with Builder() as b:
    ...     _ = matrix_product(now(source(name="a")), now(source(name="x")), name="n")
    >>> [str(link) for link in b.machine.links]
    ['n.x <- a.signal (instant) (fixed)', 'n.y <- x.signal (instant) (fixed)']
    """
    return fixed(instant(stream))


class Affine(eqx.Module):
    """`weight @ x + bias` of an array `[in]`, or of one with more axes before it.

    >>> Affine(jnp.eye(2), jnp.ones(2))(jnp.array([1.0, 2.0])).tolist()
    [2.0, 3.0]
    """

    weight: jax.Array
    bias: jax.Array | None = None

    def __call__(self, x: jax.Array) -> jax.Array:
        y = x @ self.weight.T
        return y if self.bias is None else y + self.bias


def feed_forward(x: Any, net: Callable[..., Any], *, shape: Any, name: str = "net") -> Node:
    """A net, or any function of one array of this shape, as a connector between parts.

    >>> from snakebird.machines import Builder, run
    >>> from snakebird.neurons import constant
    >>> with Builder() as b:
    ...     y = feed_forward(constant(value=jnp.ones(2)), lambda x: 3 * x, shape=(2,))
    >>> run(b.machine, 1)["net.result"][0].tolist()
    [3.0, 3.0]
    """
    neuron = call_neuron(net, inputs=("x",), shapes={"x": tuple(shape)})
    return neuron(now(x), name=name)


class _LSTM(eqx.Module):
    """The new hidden state and cell; `heard` is write, forget, new and show side by side."""

    recall: Affine

    def __call__(
        self, heard: jax.Array, hidden: jax.Array, cell: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        write, forget, new, show = jnp.split(heard + self.recall(hidden), 4)
        cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(write) * jnp.tanh(new)
        return jax.nn.sigmoid(show) * jnp.tanh(cell), cell


def lstm(x: Any, cell: eqx.nn.LSTMCell, *, name: str = "lstm") -> Node:
    """An LSTM: `cell' = forget * cell + write * new`, `hidden = show * tanh(cell')`.

    `x` is a stream of arrays `[input_size]`; the node has the outputs `hidden` and `cell`, each
    `[hidden_size]`, zero at first unless you give start values. Two neurons: what is heard, and
    the cell. Source: Hochreiter and Schmidhuber, Neural Computation 9 (1997).

    >>> from snakebird.machines import Builder
    >>> from snakebird.neurons import source
    >>> key = jax.random.key(0)
    >>> with Builder() as b:
    ...     made = lstm(source(name="x"), eqx.nn.LSTMCell(2, 3, key=key))
    >>> list(b.machine.neurons)
    ['x', 'lstm_heard', 'lstm']
    """
    heard = _heard(x, cell, f"{name}_heard")
    size = cell.hidden_size
    step = call_neuron(
        _LSTM(Affine(cell.weight_hh)),
        outputs=("hidden", "cell"),
        shapes={"heard": (4 * size,), "hidden": (size,), "cell": (size,)},
    )
    node = step(heard=heard, name=name)
    return node.feed(hidden=fixed(node.hidden), cell=fixed(node.cell))


class _GRU(eqx.Module):
    """The new hidden state; `heard` is reset, keep and new side by side."""

    recall: Affine
    bias: jax.Array | None

    def __call__(self, heard: jax.Array, hidden: jax.Array) -> jax.Array:
        recalled = self.recall(hidden)
        size = len(hidden)
        reset, keep = jnp.split(jax.nn.sigmoid(heard[:-size] + recalled[:-size]), 2)
        inside = recalled[-size:] if self.bias is None else recalled[-size:] + self.bias
        new = jnp.tanh(heard[-size:] + reset * inside)
        return new + keep * (hidden - new)


def gru(x: Any, cell: eqx.nn.GRUCell, *, name: str = "gru") -> Node:
    """A GRU: `hidden' = new + keep * (hidden - new)`, `new = tanh(outside + reset * inside)`.

    `x` is a stream of arrays `[input_size]`; the node has the output `hidden`, `[hidden_size]`.
    Two neurons: what is heard, and the cell. Source: Cho et al., arXiv 1406.1078.

    >>> from snakebird.machines import Builder
    >>> from snakebird.neurons import source
    >>> key = jax.random.key(0)
    >>> with Builder() as b:
    ...     made = gru(source(name="x"), eqx.nn.GRUCell(2, 3, key=key))
    >>> list(b.machine.neurons)
    ['x', 'gru_heard', 'gru']
    """
    heard = _heard(x, cell, f"{name}_heard")
    size = cell.hidden_size
    step = call_neuron(
        _GRU(Affine(cell.weight_hh), cell.bias_n),
        outputs=("hidden",),
        shapes={"heard": (3 * size,), "hidden": (size,)},
    )
    node = step(heard=heard, name=name)
    return node.feed(hidden=fixed(node.hidden))


def _heard(x: Any, cell: eqx.nn.LSTMCell | eqx.nn.GRUCell, name: str) -> Stream:
    """What a cell makes of its input alone: no loop, so it runs over all ticks at once."""
    weights = Affine(cell.weight_ih, cell.bias)
    return now(feed_forward(x, weights, shape=(cell.input_size,), name=name))


def linear_attention(query: Any, key: Any, value: Any, *, name: str = "fast") -> Node:
    """Linear attention: a matrix to which `outer(value, key)` is added, applied to the query.

    Keys and queries are streams of arrays `[k]`, values of arrays `[v]`; the node holds `[v]`. The
    matrix, `[v, k]`, is the output of the neuron `name_weights`: fast weights. For other kernels
    than the inner product put a function before keys and queries, by `feed_forward`. Source:
    Schlag, Irie and Schmidhuber, arXiv 2102.11174, section 3.

    >>> from snakebird.machines import Builder
    >>> from snakebird.neurons import source
    >>> with Builder() as b:
    ...     x = source(name="x")
    ...     made = linear_attention(x, x, x)
    >>> list(b.machine.neurons)
    ['x', 'fast_written', 'fast_weights', 'fast']
    """
    written = outer(now(value), now(key), name=f"{name}_written")
    weights = accumulator(delta=now(written), name=f"{name}_weights")
    return matrix_product(now(weights), now(query), name=name)


def delta_memory(query: Any, key: Any, value: Any, rate: Any, *, name: str = "fast") -> Node:
    """Fast weights with the delta rule: what a key brings is corrected towards its value.

    `weights' = weights + rate * outer(value - weights @ key, key)`; `rate` is a stream of numbers,
    the others as in `linear_attention`. Source: Schlag et al., arXiv 2102.11174, section 4.2.

    >>> from snakebird.machines import Builder
    >>> from snakebird.neurons import source
    >>> with Builder() as b:
    ...     x = source(name="x")
    ...     made = delta_memory(x, x, x, 0.5)
    >>> list(b.machine.neurons)
    ['x', 'fast_weights', 'fast_recalled', 'fast_error', 'fast_written', 'fast', 'one']
    """
    weights = accumulator(name=f"{name}_weights")
    recalled = matrix_product(fixed(weights), now(key), name=f"{name}_recalled")
    error = gate(now(rate), now(value) - now(recalled), name=f"{name}_error")
    weights.feed(delta=now(outer(now(error), now(key), name=f"{name}_written")))
    return matrix_product(now(weights), now(query), name=name)


class _Heads(eqx.Module):
    """Projected arrays, cut into heads: `[time, features]` to `[heads, time, size]`."""

    affine: Affine
    heads: int = eqx.field(static=True)

    def __call__(self, x: jax.Array) -> jax.Array:
        y = self.affine(jnp.atleast_2d(x))
        return jnp.swapaxes(y.reshape(len(y), self.heads, -1), 0, 1)


class _Joined(eqx.Module):
    """The heads side by side, projected: `[heads, time, size]` to `[time, features]`."""

    affine: Affine
    single: bool = eqx.field(static=True)

    def __call__(self, x: jax.Array) -> jax.Array:
        y = jnp.swapaxes(x, 0, 1)
        y = self.affine(y.reshape(len(y), -1))
        return y[0] if self.single else y


def _coefficients(queries: jax.Array, keys: jax.Array, seen: jax.Array) -> jax.Array:
    """The coefficients of a linear combination of values, by how well keys fit queries."""
    scores = queries @ jnp.swapaxes(keys, 1, 2) / math.sqrt(queries.shape[-1])
    return jax.nn.softmax(jnp.where(seen, scores, jnp.finfo(scores.dtype).min), axis=-1)


def _of_earlier(queries: jax.Array, keys: jax.Array) -> jax.Array:
    return _coefficients(queries, keys, jnp.tril(jnp.ones((keys.shape[1],) * 2, bool)))


def _of_all(queries: jax.Array, keys: jax.Array) -> jax.Array:
    return _coefficients(queries, keys, jnp.ones((), bool))


def _of_recent(queries: jax.Array, keys: jax.Array, ticks: Any) -> jax.Array:
    back = jnp.arange(keys.shape[1])[::-1]
    return _coefficients(queries, keys, back < ticks)


def _shifted(held: jax.Array, x: jax.Array) -> jax.Array:
    """The last arrays that came, the newest at the end."""
    return jnp.concatenate([held[:, 1:], x], axis=1)


def attention(
    x: Any,
    layer: eqx.nn.MultiheadAttention,
    *,
    length: int,
    causal: bool = True,
    name: str = "attention",
) -> Node:
    """Self-attention over a stream of windows: arrays `[length, features]`, one a tick.

    The neuron `name_coefficients` computes with which coefficients `name_mixed` takes a linear
    combination of values, for each head and each place in the window. With `causal`, no place
    reads a later one.

    >>> from snakebird.machines import Builder
    >>> from snakebird.neurons import source
    >>> key = jax.random.key(0)
    >>> layer = eqx.nn.MultiheadAttention(1, 4, key=key)
    >>> with Builder() as b:
    ...     made = attention(source(name="x"), layer, length=3)
    >>> [name for name in b.machine.neurons if name.endswith("ed")]
    ['attention_mixed']
    """
    heads, size = layer.num_heads, layer.qk_size
    shape = (length, layer.query_size)
    queries, keys, values = _projected(x, layer, shape, name)
    kept = {"queries": (heads, length, size), "keys": (heads, length, size)}
    by = call_neuron(_of_earlier if causal else _of_all, shapes=kept)
    coefficients = by(now(queries), now(keys), name=f"{name}_coefficients")
    return _mixed(coefficients, now(values), layer, length, name)


def attention_over_time(
    x: Any, layer: eqx.nn.MultiheadAttention, *, window: int, name: str = "attention"
) -> Node:
    """Self-attention of a stream of arrays `[features]` to the last `window` of them, itself too.

    Keys and values of the last ticks are kept in two arrays, which are empty at first: the window
    grows until it is full.

    >>> from snakebird.machines import Builder
    >>> from snakebird.neurons import source
    >>> key = jax.random.key(0)
    >>> layer = eqx.nn.MultiheadAttention(1, 4, key=key)
    >>> with Builder() as b:
    ...     made = attention_over_time(source(name="x"), layer, window=3)
    >>> [name for name in b.machine.neurons if "recent" in name]
    ['attention_recent_keys', 'attention_recent_values']
    """
    heads, size = layer.num_heads, layer.qk_size
    queries, keys, values = _projected(x, layer, (layer.query_size,), name)
    recent = []
    for part, depth, label in ((keys, size, "keys"), (values, layer.vo_size, "values")):
        shapes = {"held": (heads, window, depth), "x": (heads, 1, depth)}
        shift = call_neuron(_shifted, shapes=shapes)
        held = shift(x=now(part), name=f"{name}_recent_{label}")
        recent.append(now(held.feed(held=fixed(held))))
    kept = {"queries": (heads, 1, size), "keys": (heads, window, size)}
    ticks = now(timer(name=f"{name}_ticks"))
    coefficients = call_neuron(_of_recent, shapes=kept)(
        now(queries), recent[0], ticks, name=f"{name}_coefficients"
    )
    return _mixed(coefficients, recent[1], layer, 1, name, single=True)


def _projected(
    x: Any, layer: eqx.nn.MultiheadAttention, shape: tuple[int, ...], name: str
) -> list[Node]:
    parts = {"queries": layer.query_proj, "keys": layer.key_proj, "values": layer.value_proj}
    return [
        feed_forward(
            x,
            _Heads(Affine(part.weight, part.bias), layer.num_heads),
            shape=shape,
            name=f"{name}_{label}",
        )
        for label, part in parts.items()
    ]


def _mixed(
    coefficients: Node,
    values: Any,
    layer: eqx.nn.MultiheadAttention,
    length: int,
    name: str,
    *,
    single: bool = False,
) -> Node:
    mixed = matrix_product(now(coefficients), values, name=f"{name}_mixed")
    last = layer.output_proj
    join = _Joined(Affine(last.weight, last.bias), single)
    return feed_forward(mixed, join, shape=(layer.num_heads, length, layer.vo_size), name=name)
