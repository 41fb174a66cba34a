# slow
"""LSTM and GRU cells as machines, equal to Equinox's to rounding, gradients too.

A gated cell needs no more than sums, sigmoid, tanh and products of two streams. Streams here are
arrays. Everything within a time step is carried by instant links; memory is what the ordinary
links carry, from one tick to the next. The machines are made of the weights of Equinox cells,
and you see how little both differ over a sequence, and in the gradients by every weight.
"""

# %% Parts that both cells share.
import equinox as eqx
import jax
import jax.numpy as jnp

import snakebird as sb

FEATURES, HIDDEN, STEPS = 3, 5, 30
now = sb.instant


def weighed(weight, stream):
    """A trained matrix times a stream, as a stream of this tick."""
    return now(sb.matrix_product(now(sb.constant(value=sb.trainable(weight))), stream))


def bias(value):
    """A trained array as a stream."""
    return now(sb.constant(value=sb.trainable(value)))


def sigmoid(stream):
    """The logistic function of an array of hidden size."""
    return now(sb.sigmoid(stream, shape=(HIDDEN,)))


def times(x, y):
    """The elementwise product, as a stream of this tick."""
    return now(sb.product(x, y))


# %% The cells. Reading `hidden` or `cell` gives what they held at the end of the last tick.
def lstm(parts):
    """An LSTM cell as a machine."""

    @sb.machine(name="lstm", fixed=True)
    def machine(x: sb.Space({(): (FEATURES,)})):
        hidden, cell = sb.identity(), sb.identity()

        def gate(name):
            w, u, b = parts[name]
            return weighed(w, now(x)) + weighed(u, hidden) + bias(b)

        forget, write, show = (sigmoid(gate(name)) for name in ("forget", "write", "show"))
        new = now(sb.tanh(gate("new")))
        cell.feed(times(forget, cell) + times(write, new))
        hidden.feed(times(show, now(sb.tanh(now(cell)))))
        return now(hidden)

    return machine


def gru(parts):
    """A GRU cell as a machine."""

    @sb.machine(name="gru", fixed=True)
    def machine(x: sb.Space({(): (FEATURES,)})):
        hidden = sb.identity()

        def gate(name):
            w, u, b = parts[name]
            return weighed(w, now(x)) + bias(b), weighed(u, hidden)

        reset, keep = (sigmoid(a + b) for a, b in (gate("reset"), gate("keep")))
        outer, inner = gate("new")
        new = now(sb.tanh(outer + times(reset, inner + bias(parts["inner"]))))
        hidden.feed(new + times(keep, hidden - new))
        return now(hidden)

    return machine


# %% Their weights are those of the Equinox cells, cut into gates.
def cut(cell, names):
    """The weights of each gate: for the input, for the hidden state, and the bias."""
    pieces = [jnp.split(a, len(names)) for a in (cell.weight_ih, cell.weight_hh, cell.bias)]
    return dict(zip(names, zip(*pieces, strict=True), strict=True))


def lstm_machine(cell):
    """The machine of an `eqx.nn.LSTMCell`."""
    return lstm(cut(cell, ["write", "forget", "new", "show"]))


def gru_machine(cell):
    """The machine of an `eqx.nn.GRUCell`."""
    return gru({**cut(cell, ["reset", "keep", "new"]), "inner": cell.bias_n})


# %% What a cell and its machine do to a sequence, as functions of the same weights.
def by_machine(make):
    """The function from a cell and a sequence to a machine's hidden states `[time, hidden]`."""
    return lambda cell, xs: sb.lower(make(cell))({"x": xs}).number("output.result")


def by_equinox(cell, xs):
    """The hidden states `[time, hidden]` of the cell itself."""

    def step(state, x):
        state = cell(x, state)
        return state, state[0] if isinstance(state, tuple) else state

    zero = jnp.zeros(HIDDEN)
    first = (zero, zero) if isinstance(cell, eqx.nn.LSTMCell) else zero
    return jax.lax.scan(step, first, xs)[1]


# %% They agree, and so do the gradients of a loss by every weight.
@eqx.filter_jit
def states_and_gradient(run, cell, xs):
    """The hidden states, and the gradient of a loss over them by the weights of the cell."""

    def loss(cell):
        states = run(cell, xs)
        return jnp.mean((states - jnp.sin(jnp.arange(STEPS))[:, None]) ** 2), states

    gradient, states = eqx.filter_grad(loss, has_aux=True)(cell)
    return states, gradient


def gap(a, b):
    """The largest difference between the arrays of two trees."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(float(jnp.max(jnp.abs(x - y))) for x, y in pairs if eqx.is_array(x))


key_x, key_lstm, key_gru = jax.random.split(jax.random.key(0), 3)
xs = jax.random.normal(key_x, (STEPS, FEATURES))
lstm_cell = eqx.nn.LSTMCell(FEATURES, HIDDEN, key=key_lstm)
gru_cell = eqx.nn.GRUCell(FEATURES, HIDDEN, key=key_gru)

for cell, make in ((lstm_cell, lstm_machine), (gru_cell, gru_machine)):
    states, gradient = states_and_gradient(by_machine(make), cell, xs)
    wanted, wanted_gradient = states_and_gradient(by_equinox, cell, xs)
    apart, gradients_apart = gap(states, wanted), gap(gradient, wanted_gradient)
    print(f"{make(cell)!r}: largest difference from Equinox over {STEPS} steps {apart:.1e},")
    print(f"    of the gradients {gradients_apart:.1e}")
    assert apart < 1e-6
    assert gradients_apart < 1e-6
