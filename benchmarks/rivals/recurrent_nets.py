"""A recurrent net of 64 units on a task of the ladder, trained for some seconds on fresh examples.

Cells as in Equinox, Adam with a cosine rate; tokens as one-hot vectors of those in training and
one place for all others. A sequence counts where every answer is right: to the nearest half where
answers are whole numbers, within 0.01 else.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import snakebird as sb
from benchmarks.ladder.tasks import Task

WIDTH, BATCH, POOL, CHUNK = 64, 64, 2048, 50
CELLS: dict[str, Callable[..., Any]] = {"LSTM": eqx.nn.LSTMCell, "GRU": eqx.nn.GRUCell}


class Net(eqx.Module):
    """A cell and a linear readout."""

    cell: Any
    readout: eqx.nn.Linear

    def __call__(self, inputs: Any) -> Any:
        """Answers `[tick, output]` to inputs `[tick, number]`."""
        zero = jnp.zeros(WIDTH)
        start = (zero, zero) if isinstance(self.cell, eqx.nn.LSTMCell) else zero

        def tick(state: Any, now: Any) -> tuple[Any, Any]:
            state = self.cell(now, state)
            hidden = state[0] if isinstance(state, tuple) else state
            return state, self.readout(hidden)

        return jax.lax.scan(tick, start, inputs)[1]


class Coder:
    """Examples as arrays: numbers as they are, tokens by the place of those known."""

    def __init__(self, known: sb.Examples):
        self.inputs, self.outputs = known.inputs, known.outputs
        self.tokens = {
            name: sorted({v for v in known.stream(name) if isinstance(v, str)})
            for name in self.inputs
        }

    @property
    def size(self) -> int:
        """Numbers that arrive in a tick."""
        return sum(len(known) + 1 for known in self.tokens.values())

    def arrays(self, items: Sequence[Any]) -> tuple[Any, Any]:
        """Inputs `[example, tick, number]` and answers `[example, tick, output]`."""
        given = np.stack(
            [np.concatenate([self._coded(e, n) for n in self.inputs], 1) for e in items]
        )
        asked = np.array([[list(map(float, e.outputs[n])) for n in self.outputs] for e in items])
        return given.astype(np.float32), asked.transpose(0, 2, 1).astype(np.float32)

    def _coded(self, example: Any, name: str) -> np.ndarray:
        known = self.tokens[name]
        coded = np.zeros((example.ticks, len(known) + 1))
        for t, value in enumerate(example.inputs[name]):
            if isinstance(value, str):
                coded[t, known.index(value) if value in known else -1] = 1
            elif value is not None:
                coded[t, -1] = float(value)
        return coded


def right(task: Task, cell: str, seconds: float, seed: int) -> list[float]:
    """The part of sequences that are right at 1, 10 and 100 times the length of training."""
    examples = task.examples(seed)
    coder = Coder(examples)
    pool = coder.arrays(examples.fresh(task.train_length, POOL, seed=seed + 1).items)
    key = jax.random.key(seed)
    one, two, key = jax.random.split(key, 3)
    net = Net(
        CELLS[cell](coder.size, WIDTH, key=one),
        eqx.nn.Linear(WIDTH, len(coder.outputs), key=two),
    )
    net = _trained(net, pool, seconds, key)
    answer = eqx.filter_jit(lambda net, given: jax.vmap(net)(given))
    close = 0.5 if (pool[1] == np.round(pool[1])).all() else 0.01
    found = []
    for times in (1, 10, 100):
        items = examples.fresh(times * task.train_length, 50, seed=7000 + seed).items
        given, asked = coder.arrays(items)
        error = np.abs(np.asarray(answer(net, given)) - asked)
        found.append(float((error < close).all((1, 2)).mean()))
    return found


def _trained(net: Net, pool: Any, seconds: float, key: Any) -> Net:
    """Adam until the time is over, compilation not counted; the rate falls with the time."""
    optimizer = optax.inject_hyperparams(optax.adam)(3e-3)
    state = optimizer.init(eqx.filter(net, eqx.is_array))
    given, asked = map(jnp.asarray, pool)

    @eqx.filter_jit
    def steps(net: Net, state: Any, key: Any, rate: Any) -> Any:
        state.hyperparams["learning_rate"] = rate
        arrays, static = eqx.partition(net, eqx.is_array)

        def step(carry: Any, key: Any) -> tuple[Any, None]:
            arrays, state = carry
            rows = jax.random.randint(key, (BATCH,), 0, len(given))

            def loss(arrays: Any) -> Any:
                answers = jax.vmap(eqx.combine(arrays, static))(given[rows])
                return jnp.mean((answers - asked[rows]) ** 2)

            update, state = optimizer.update(jax.grad(loss)(arrays), state)
            return (eqx.apply_updates(arrays, update), state), None

        (arrays, state), _ = jax.lax.scan(step, (arrays, state), jax.random.split(key, CHUNK))
        return eqx.combine(arrays, static), state

    jax.block_until_ready(eqx.filter(steps(net, state, key, 0.0)[0], eqx.is_array))
    begun = time.perf_counter()
    while (spent := (time.perf_counter() - begun) / seconds) < 1:
        key, own = jax.random.split(key)
        net, state = steps(net, state, own, 3e-3 * 0.5 * (1 + np.cos(np.pi * spent)))
        jax.block_until_ready(eqx.filter(net, eqx.is_array))
    return net
