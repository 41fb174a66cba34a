"""The layered duplicate detector: 1,486 trainable links, 140 ticks, by hand.

Five layers of two accumulators, norms, compares and dots; every layer reads all earlier ones and
the sources `input`, `eos`, `const_1`. Twelve more links are fixed: the timer's and the
accumulators' own.

Loss: the squared errors of both answers summed over all ticks, plus 0.001 times the sum of the
weights' magnitudes. Adam, rate 0.001.

Source: M. Bukatin, DMM-Lite, 2022, julia-flux-drafts (`feedforward-run-3`).
"""

from collections.abc import Callable, Sequence
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.rivals.detector import CAP, sources, targets
from benchmarks.rivals.scans import answers, placing, train_step

LAYERS, WIDTH = 5, 2
N = LAYERS * WIDTH
RATE, SPARSITY, SPREAD = 1e-3, 1e-3, 0.01
INPUTS = (
    ("accum", "dict-2"),
    ("norm", "dict"),
    ("dot", "dict-1"),
    ("dot", "dict-2"),
    ("compare", "dict-1"),
    ("compare", "dict-2"),
)
OUTPUTS = (
    ("accum", "dict"),
    ("norm", "norm"),
    ("dot", "dot"),
    ("compare", "true"),
    ("compare", "false"),
)
SOURCES = (("input", "char"), ("eos", "char"), ("const_1", "const_1"))
ANSWERS = (("output", "dict-1"), ("output", "dict-2"))

Port = tuple[str, str]


def neurons() -> dict[str, str]:
    """Every neuron's name and kind."""
    named = {kind: kind for kind in ("timer", "input", "eos", "const_1", "output")}
    kinds = dict.fromkeys(kind for kind, _ in INPUTS)
    return named | {f"{kind}-{place}": kind for kind, place in product(kinds, _places())}


def links(seed: int = 0) -> list[tuple[str, str, str, str, float, bool]]:
    """All links: to neuron, input, from neuron, output, weight, trainable; fixed ones last."""
    own = [(f"accum-{p}", "dict-1", f"accum-{p}", "dict") for p in _places()]
    fixed = [("timer", "timer", "timer", "timer"), ("input", "timer", "timer", "timer"), *own]
    soft = zip(_wires(), initial(seed).tolist(), strict=True)
    return [(*to, *source, w, True) for (to, source), w in soft] + [(*f, 1.0, False) for f in fixed]


def initial(seed: int = 0) -> np.ndarray:
    """The trainable weights to start from, in the order of `links`: shape (1486,)."""
    return SPREAD * np.random.default_rng(seed).standard_normal(len(_wires()))


def make_step(dtype: jnp.dtype = jnp.float32, *, form: str = "tuned", seed: int = 0) -> tuple:
    """The training step `(weights, state) -> (weights, state, loss)`, the weights and the state.

    The weights are one flat array; the matrix is gathered from it once a step. As a dense array
    with a mask they took as long in the tuned form and a quarter longer in the plain one.
    """
    step, optimizer = train_step(make_loss(dtype, form=form), RATE)
    weights = jnp.asarray(initial(seed), dtype)
    return step, weights, optimizer.init(weights)


def make_loss(
    dtype: jnp.dtype = jnp.float32, *, form: str = "tuned", sparsity: float = SPARSITY
) -> Callable:
    """The loss as a function of the flat weights.

    form: "plain", one scan of one matrix product a tick with JAX's own gradient, or "tuned", see
    `scans`.

    Per tick of the plain form: (62, 53) @ (53, 10), 32,860 multiply-adds (the layers' wiring leaves
    1,496 of the 3,286 entries other than zero), then 10 norms and 10 dots over 10 keys, about 400
    operations. Read in float32: 13.1 kB of matrix, 2.1 kB of outputs; written: 2.5 kB of inputs and
    2.0 kB of outputs. Backward twice the multiply-adds, and 13.1 kB more read and written for the
    matrix's gradient.

    Per tick of the tuned form: (9, 10) @ (10, 10) in one loop, (50, 50) @ (50) in the other, 3,400
    multiply-adds, 10.4 kB of matrix read and 0.6 kB of state written, and the same again backward.
    Outside the loops, for all ticks together: 0.57 million multiply-adds forward and 1.8 million
    backward, over 0.5 MB of states.
    """
    place = placing([_cell(to, source) for to, source in _wires()], (6 * N + 2, 5 * N + 3))
    entering, wanted = jnp.asarray(sources(first=False), dtype), jnp.asarray(targets(), dtype)
    answer = {"plain": _plain_answers, "tuned": _tuned_answers}[form]
    own = np.eye(6 * N + 2, 5 * N + 3, dtype=dtype) * (np.arange(5 * N + 3) < N)

    def loss(weights: jax.Array) -> jax.Array:
        error = answer(place(weights) + own, entering) - wanted
        return jnp.sum(error**2) + sparsity * jnp.sum(jnp.abs(weights))

    return loss


def _places() -> list[str]:
    return [f"{layer}-{k}" for layer in range(1, LAYERS + 1) for k in range(1, WIDTH + 1)]


def _wires() -> list[tuple[Port, Port]]:
    """The trainable links' ends, layer by layer."""
    readable, found = list(SOURCES), []
    for start in range(0, N, WIDTH):
        places = _places()[start : start + WIDTH]
        found += product(
            [(f"{kind}-{p}", port) for (kind, port), p in product(INPUTS, places)], readable
        )
        readable += [(f"{kind}-{p}", port) for (kind, port), p in product(OUTPUTS, places)]
    return found + list(product(ANSWERS, readable))


def _cell(to: Port, source: Port) -> tuple[int, int]:
    """Row and column in the dense matrix, where inputs and outputs of one kind stand together."""
    return _index(to, INPUTS, ANSWERS), _index(source, OUTPUTS, SOURCES)


def _index(port: Port, grouped: Sequence[Port], single: Sequence[Port]) -> int:
    if port in single:
        return len(grouped) * N + single.index(port)
    kind, _, place = port[0].partition("-")
    return grouped.index((kind, port[1])) * N + _places().index(place)


def _tuned_answers(matrix: jax.Array, entering: jax.Array) -> jax.Array:
    less = matrix[4 * N : 5 * N] - matrix[5 * N : 6 * N]
    return answers(jnp.concatenate([matrix[: 4 * N], less]), matrix[6 * N :], entering, CAP)


def _plain_answers(matrix: jax.Array, entering: jax.Array) -> jax.Array:
    number = jnp.zeros(entering.shape[1], entering.dtype).at[0].set(1)

    def tick(outputs: jax.Array, given: jax.Array) -> tuple:
        inputs = matrix @ jnp.concatenate([outputs, given])
        accum, inner, x, y, high, low = jnp.split(inputs[: 6 * N], 6)
        norm = jnp.abs(inner).max(axis=1)
        dot = jnp.clip((x * y).sum(axis=1), -CAP, CAP)
        less = high[:, 0] - low[:, 0]
        plain = jnp.concatenate([norm, dot, jax.nn.relu(less), jax.nn.relu(-less)])
        return jnp.concatenate([accum, plain[:, None] * number]), inputs[6 * N :, 0]

    start = jnp.zeros((5 * N, entering.shape[1]), entering.dtype)
    return lax.scan(tick, start, entering.swapaxes(1, 2))[1]
