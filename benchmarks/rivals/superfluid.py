"""The feed-forward network of superfluid neurons: 2,906 trainable numbers, 140 ticks, by hand.

Twenty fluid neurons, five layers of four, each computes four functions of its five inputs and
gives out their results times four coefficients, which are numbers of the machine as well: they
stand in the neuron's output `:function`, which a link of weight 1 brings back to its input. Each
neuron also has a trained link from its own `result` to `accum`.

The wiring is the one that was published, one layer short: a layer reads the sources and the
layers before the one before it. So the first fluid layer hears only itself, and nobody hears the
last. Both are computed here all the same.

Loss: the squared errors of both answers summed over all ticks but the first. Adam, rate 0.01.

Source: M. Bukatin, 2024-jax-drafts, `superfluid`.
"""

import math
from collections.abc import Callable, Sequence
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.rivals.detector import TICKS, sources, targets
from benchmarks.rivals.scans import answers, placing, train_step

LAYERS, WIDTH = 5, 4
N = LAYERS * WIDTH
RATE, SPREAD = 1e-2, 0.1
INPUTS = ("accum", "delta", "dict", "x", "y")
OUTPUTS = ("result", "norm", "dot", "true", "false")
FUNCTIONS = ("accum_add_args", "max_norm_dict", "dot_product", "compare_scalars")
FIXED = {
    "timer": "timer_add_one",
    "input": "input_dummy",
    "const_1": "const_1",
    "eos": "const_end",
    "output": "output_dummy",
    "self": "accum_add_args",
}
SOURCES = (("input", "char"), ("eos", "char"), ("const_1", "const_1"))
ANSWERS = (("output", "dict-1"), ("output", "dict-2"))

Port = tuple[str, str]


def neurons() -> dict[str, tuple[str, ...]]:
    """Every neuron's name and the activation functions it mixes."""
    return {name: (function,) for name, function in FIXED.items()} | dict.fromkeys(
        _fluid(), FUNCTIONS
    )


def links(seed: int = 0) -> list[tuple[str, str, str, str, float, bool]]:
    """All links: to neuron, input, from neuron, output, weight, trainable; fixed ones last."""
    fixed = [(name, ":function", name, ":function") for name in neurons()]
    fixed += [(name, "timer", "timer", "timer") for name in ("timer", "input")]
    fixed.append(("self", "accum", "self", "result"))
    wires = _wires()
    soft = zip(wires, initial(seed)[: len(wires)].tolist(), strict=True)
    return [(*to, *source, w, True) for (to, source), w in soft] + [(*f, 1.0, False) for f in fixed]


def starts(seed: int = 0) -> list[tuple[str, str, tuple[str, ...], float, bool]]:
    """What the outputs hold before the first tick: neuron, output, path, value, trainable.

    `self` also starts with the whole matrix on its output `result`.
    """
    coefficients = initial(seed)[len(_wires()) :].tolist()
    names = product(_fluid(), FUNCTIONS)
    soft = [(n, ":function", (f,), c, True) for (n, f), c in zip(names, coefficients, strict=True)]
    fixed = [(name, ":function", (function,), 1.0, False) for name, function in FIXED.items()]
    fixed += [("const_1", "const_1", (":number",), 1.0, False), ("eos", "char", (".",), 1.0, False)]
    return soft + [*fixed, ("timer", "timer", (":number",), 0.0, False)]


def initial(seed: int = 0) -> np.ndarray:
    """The trainable numbers to start from, those of `links` before those of `starts`: (2906,)."""
    count = len(_wires()) + N * len(FUNCTIONS)
    return SPREAD * np.random.default_rng(seed).standard_normal(count)


def make_step(dtype: jnp.dtype = jnp.float32, *, form: str = "tuned", seed: int = 0) -> tuple:
    """The training step `(weights, state) -> (weights, state, loss)`, the weights and the state.

    The weights are one flat array; the matrix is gathered from it once a step.
    """
    step, optimizer = train_step(make_loss(dtype, form=form), RATE)
    weights = jnp.asarray(initial(seed), dtype)
    return step, weights, optimizer.init(weights)


def make_loss(
    dtype: jnp.dtype = jnp.float32, *, form: str = "tuned", ticks: int = TICKS
) -> Callable:
    """The loss as a function of the flat weights; the matrix is taken as constant in time.

    form: "plain", one scan of one matrix product a tick with JAX's own gradient, or "tuned", see
    `scans`; there a coefficient is multiplied into the columns that read its output, and the rows
    of `accum` and `delta`, which are only ever added, into one.

    Per tick of the plain form: (102, 103) @ (103, 10), 105,060 multiply-adds (the wiring leaves
    2,826 of 10,506 entries other than zero), then 20 norms and 20 dots over 10 keys, about 1,000
    operations with the coefficients. Read in float32: 42.0 kB of matrix, 4.1 kB of outputs;
    written: 4.1 kB of inputs and 4.0 kB of outputs. Backward twice the multiply-adds, and 42.0 kB
    more read and written for the matrix's gradient.

    Per tick of the tuned form: (9, 20) @ (20, 20) in one loop, (100, 100) @ (100) in the other,
    13,600 multiply-adds, 41.6 kB of matrix read and 1.1 kB of state written, and the same again
    backward. Outside the loops, for all ticks together: 1.9 million multiply-adds forward and 6.7
    million backward, over 1 MB of states.
    """
    wires = _wires()
    place = placing([_cell(to, source) for to, source in wires], (5 * N + 2, 5 * N + 3))
    entering = jnp.asarray(sources(first=True, ticks=ticks), dtype)
    wanted = jnp.asarray(targets(ticks=ticks), dtype)
    answer = {"plain": _plain_answers, "tuned": _tuned_answers}[form]

    def loss(weights: jax.Array) -> jax.Array:
        coefficients = weights[len(wires) :].reshape(N, len(FUNCTIONS))
        error = answer(place(weights[: len(wires)]), coefficients, entering) - wanted
        return jnp.sum(error[1:] ** 2)

    return loss


def _fluid() -> list[str]:
    return [f"fluid-{layer}-{k}" for layer, k in product(range(LAYERS), range(WIDTH))]


def _wires() -> list[tuple[Port, Port]]:
    """The trainable links' ends, layer by layer, the recurrences last."""
    names, found = _fluid(), []
    for layer in range(1, LAYERS + 1):
        heard = names[: WIDTH * (layer - 1)]
        readable = [*SOURCES, *product(heard, OUTPUTS)]
        hearing = list(product(names[WIDTH * layer : WIDTH * (layer + 1)], INPUTS)) or ANSWERS
        found += product(hearing, readable)
    return found + [((name, "accum"), (name, "result")) for name in names]


def _cell(to: Port, source: Port) -> tuple[int, int]:
    """Row and column in the dense matrix, where inputs and outputs of one name stand together."""
    return _index(to, INPUTS, ANSWERS), _index(source, OUTPUTS, SOURCES)


def _index(port: Port, grouped: tuple[str, ...], single: Sequence[Port]) -> int:
    if port in single:
        return len(grouped) * N + single.index(port)
    return grouped.index(port[1]) * N + _fluid().index(port[0])


def _tuned_answers(matrix: jax.Array, coefficients: jax.Array, entering: jax.Array) -> jax.Array:
    result, norm, dot, compare = coefficients.T
    scale = jnp.concatenate([result, norm, dot, compare, compare, jnp.ones(3, matrix.dtype)])
    accum, delta, inner, x, y = jnp.split(matrix[: 5 * N] * scale, 5)
    rows = jnp.concatenate([accum + delta, inner, x, y, x - y])
    return answers(rows, matrix[5 * N :] * scale, entering, math.inf)


def _plain_answers(matrix: jax.Array, coefficients: jax.Array, entering: jax.Array) -> jax.Array:
    number = jnp.zeros(entering.shape[1], entering.dtype).at[0].set(1)
    of_result, of_norm, of_dot, of_compare = coefficients.T
    of_plain = jnp.concatenate([of_norm, of_dot, of_compare, of_compare])

    def tick(outputs: jax.Array, given: jax.Array) -> tuple:
        inputs = matrix @ jnp.concatenate([outputs, given])
        accum, delta, inner, x, y = jnp.split(inputs[: 5 * N], 5)
        norm = jnp.abs(inner).max(axis=1)
        less = x[:, 0] - y[:, 0]
        plain = jnp.concatenate([norm, (x * y).sum(axis=1), jax.nn.relu(less), jax.nn.relu(-less)])
        results = of_result[:, None] * (accum + delta)
        return jnp.concatenate([results, (of_plain * plain)[:, None] * number]), inputs[5 * N :, 0]

    start = jnp.zeros((5 * N, entering.shape[1]), entering.dtype)
    return lax.scan(tick, start, entering.swapaxes(1, 2))[1]
