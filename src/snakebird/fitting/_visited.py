"""What goes into a hole and comes out of it along the fitted trajectories."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from snakebird.equations import Hole, with_holes
from snakebird.fitting._field import is_delayed, past_of, rate_of
from snakebird.fitting._problem import Batch, Problem


class _Spy:
    """Calls a hole and notes what went in and came out."""

    def __init__(self, hole: Hole, note: Callable[[Any, Any], None]):
        self.hole, self.note = hole, note

    def __call__(self, *values: Any) -> Any:
        given = jnp.broadcast_arrays(*(jnp.asarray(value) for value in values))
        out = self.many(jnp.stack(given, axis=-1))
        return out[..., 0] if len(self.hole.outputs) == 1 else jnp.moveaxis(out, -1, 0)

    def many(self, x: Any) -> Any:
        """All inputs as one array, and all outputs."""
        out = self.hole.many(x)
        self.note(x, out)
        return out

    array = many


Visited = dict[str, tuple[Float[np.ndarray, "m inputs"], Float[np.ndarray, "m outputs"]]]


def visited(
    problem: Problem, vectors: Float[np.ndarray, "D P"], batch: Batch
) -> tuple[list[Visited], int]:
    """Inputs and outputs of every hole, by name, at the times of the data, for each row.

    Times where an experiment has ended already are left out; a hole called several times a step
    has several rows there. Also says how many steps the solver tried.
    """

    @jax.jit
    def solved(phi: Any, batch: Batch) -> Any:
        states, _, ends = problem.solve(phi, batch)
        return states, ends.tries

    states, tries = solved(jnp.asarray(vectors), batch)
    theta = jnp.asarray(vectors)[:, : len(problem.vector.start)]
    live = np.asarray(batch.mask.any(-1))
    given = problem, theta, states, batch, live
    try:
        return _in_batches(*given), int(tries)
    except jax.errors.UnexpectedTracerError:  # a loop of JAX keeps what a hole sees to itself
        return _one_by_one(*given), int(tries)


def _rates(
    problem: Problem, note: Callable[[str], Callable[[Any, Any], None]]
) -> Callable[..., Any]:
    """The rates at a point, the holes' inputs and outputs noted under their names."""

    def rates(t: Any, y: Any, path: Any, theta: Any, conditions: Any, extra: Any) -> Any:
        spied: Any = lambda name, hole: _Spy(hole, note(name))
        model = with_holes(problem.model(theta, extra), spied)
        past = None
        if is_delayed(model):
            past = jax.tree.map(problem.unravel, past_of(model.delays, t, *path))
        args = problem.arguments({"conditions": conditions})
        return rate_of(model, t, problem.unravel(y), args, past)

    return rates


def _flat(x: Any) -> Any:
    return x.reshape(-1, x.shape[-1])


def _seen_by(problem: Problem) -> Callable[..., Any]:
    """What the holes see at a point, as a function to be batched."""

    def look(*point: Any) -> Any:
        seen: dict[str, list[Any]] = {}
        note = lambda name: lambda x, out: seen.setdefault(name, []).append((_flat(x), _flat(out)))
        _rates(problem, note)(*point)
        return {
            name: tuple(jnp.concatenate(x) for x in zip(*pairs, strict=True))
            for name, pairs in seen.items()
        }

    return look


def _in_batches(
    problem: Problem, theta: Any, states: Any, batch: Batch, live: np.ndarray
) -> list[Visited]:
    @jax.jit
    def run(theta: Any, states: Any, batch: Batch) -> Any:
        times = jax.vmap(_seen_by(problem), in_axes=(0, 0, None, None, None, None))
        lanes = jax.vmap(times, in_axes=(0, 0, (0, 0), None, 0, None))
        given = (batch.times, states, (batch.times, states), theta)
        return jax.vmap(lanes)(*given, batch.conditions, batch.extra)

    found = run(theta, states, batch)
    rows = lambda x, i: np.asarray(x)[i][live[i]].reshape(-1, x.shape[-1])
    return [
        {name: (rows(x, i), rows(out, i)) for name, (x, out) in found.items()}
        for i in range(len(live))
    ]


def _one_by_one(
    problem: Problem, theta: Any, states: Any, batch: Batch, live: np.ndarray
) -> list[Visited]:
    """By callbacks: slower, and holes may stand inside any loop."""
    seen: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}

    def noted(name: str) -> Callable[[Any, Any], None]:
        keep = lambda x, out: seen.setdefault(name, []).append((_flat(x), _flat(out)))
        # What JAX hands over is its own memory.
        return lambda x, out: jax.debug.callback(lambda *a: keep(*map(np.array, a)), x, out)

    rates = _rates(problem, noted)

    @jax.jit
    def run(theta: Any, row: Any, lane: Any, at: Any) -> Any:
        times, states, conditions, extra = row

        def point(given: Any) -> Any:
            lane, at = given
            own = jax.tree.map(lambda x: x[lane], conditions)
            path = times[lane], states[lane]
            return rates(path[0][at], path[1][at], path, theta, own, extra)

        return jax.lax.map(point, (lane, at))

    found = []
    for i in range(len(live)):
        seen.clear()
        row = jax.tree.map(
            lambda x, i=i: x[i], (batch.times, states, batch.conditions, batch.extra)
        )
        jax.block_until_ready(run(theta[i], row, *map(jnp.asarray, np.nonzero(live[i]))))
        jax.effects_barrier()
        found.append(
            {
                name: tuple(np.concatenate(x) for x in zip(*pairs, strict=True))
                for name, pairs in seen.items()
            }
        )
    return found
