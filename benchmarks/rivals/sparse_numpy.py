"""A large sparse machine of scalar neurons, advanced by SciPy and NumPy.

Every neuron gives out one number, on the output `value`. The kinds: `tanh`, `relu` and `identity`
of the input `x`, and `product`, `x` times `y`. Neurons of one kind stand next to each other, and
so do the rows of one input name, so that a tick is one sparse product and three calls on slices.
A neuron without links gives out 0.
"""

from collections.abc import Callable

import numpy as np
from scipy import sparse

KINDS = ("tanh", "relu", "identity", "product")
GAIN = 1.3


def neurons(n_neurons: int = 10_000) -> dict[str, str]:
    """Every neuron's name and kind, a quarter of each kind."""
    bounds = _bounds(n_neurons)
    return {f"n{i}": KINDS[np.searchsorted(bounds, i, "right") - 1] for i in range(n_neurons)}


def links(n_neurons: int = 10_000, n_links: int = 50_000, seed: int = 0) -> list[tuple]:
    """All links: to neuron, to input, from neuron, from output, weight, trainable (none is)."""
    rows, columns, weights = _entries(n_neurons, n_links, seed)
    products = _bounds(n_neurons)[-1]
    to = [
        (f"n{r}", "x") if r < n_neurons else (f"n{r - n_neurons + products}", "y")
        for r in rows.tolist()
    ]
    ends = zip(to, columns.tolist(), weights.tolist(), strict=True)
    return [(*port, f"n{column}", "value", weight, False) for port, column, weight in ends]


def starts(n_neurons: int = 10_000, seed: int = 0) -> np.ndarray:
    """The outputs before the first tick, in the order of `neurons`: shape (n_neurons,)."""
    return np.random.default_rng([seed, 1]).standard_normal(n_neurons)


def make_tick(
    n_neurons: int = 10_000, n_links: int = 50_000, seed: int = 0, dtype: type = np.float32
) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """The function from the outputs of one tick to those of the next, and the first outputs.

    Per tick with the default sizes: 50,000 multiply-adds, 2,500 tanh, 5,000 other operations. Moved
    in float32: 400 kB of weights and column numbers, 50 kB of row starts, 200 kB gathered from the
    40 kB of outputs (which stay in cache), 50 kB of inputs written and read, 40 kB of outputs
    written: about 590 kB from and to memory.
    """
    rows, columns, weights = _entries(n_neurons, n_links, seed)
    _, relus, identities, products = _bounds(n_neurons)
    matrix = sparse.csr_array(
        (weights.astype(dtype), (rows.astype(np.int32), columns.astype(np.int32))),
        shape=(2 * n_neurons - products, n_neurons),
    )

    def tick(outputs: np.ndarray) -> np.ndarray:
        inputs = matrix @ outputs
        following = inputs[:n_neurons]
        np.tanh(inputs[:relus], out=following[:relus])
        np.maximum(inputs[relus:identities], 0, out=following[relus:identities])
        np.multiply(inputs[products:n_neurons], inputs[n_neurons:], out=following[products:])
        return following

    return tick, starts(n_neurons, seed).astype(dtype)


def _bounds(n_neurons: int) -> list[int]:
    """The number of the first neuron of each kind."""
    return [n_neurons * i // len(KINDS) for i in range(len(KINDS))]


def _entries(n_neurons: int, n_links: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and weights of distinct links; row `n_neurons + k` is `y` of the k-th product.

    Products read only tanh neurons, so that the numbers neither grow without bound nor die out.
    """
    _, tanhs, _, products = _bounds(n_neurons)
    height = 2 * n_neurons - products
    generator = np.random.default_rng([seed, 0])
    readable = np.where(np.arange(height) < products, n_neurons, tanhs)
    ends = np.cumsum(readable)
    cells = np.sort(generator.choice(ends[-1], n_links, replace=False))
    rows = np.searchsorted(ends, cells, "right")
    weights = generator.standard_normal(n_links) * GAIN * np.sqrt(height / n_links)
    return rows, cells - (ends - readable)[rows], weights
