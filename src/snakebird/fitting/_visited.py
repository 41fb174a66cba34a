"""What goes into a hole and comes out of it along the fitted trajectories."""

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

    def __init__(self, hole: Hole):
        self.hole = hole
        self.seen: list[tuple[Any, Any]] = []

    def __call__(self, *values: Any) -> Any:
        given = jnp.broadcast_arrays(*(jnp.asarray(value) for value in values))
        x = jnp.stack(given, axis=-1)
        out = self.hole.many(x)
        flat = lambda a: a.reshape(-1, a.shape[-1])
        self.seen.append((flat(x), flat(out)))
        return out[..., 0] if len(self.hole.outputs) == 1 else jnp.moveaxis(out, -1, 0)


Visited = dict[str, tuple[Float[np.ndarray, "m inputs"], Float[np.ndarray, "m outputs"]]]


def visited(
    problem: Problem, vectors: Float[np.ndarray, "D P"], batch: Batch
) -> tuple[list[Visited], int]:
    """Inputs and outputs of every hole, by name, at the times of the data, for each row.

    Times where an experiment has ended already are left out; a hole called several times a step
    has several rows there. Also says how many steps the solver tried.
    """

    def look(t: Any, y: Any, path: Any, theta: Any, conditions: Any, extra: Any) -> Any:
        spies: dict[str, _Spy] = {}

        def spied(name: str, hole: Hole) -> Any:
            return spies.setdefault(name, _Spy(hole))

        model = with_holes(problem.model(theta, extra), spied)
        past = None
        if is_delayed(model):
            ago = past_of(model.delays, t, *path)
            past = jax.tree.map(problem.unravel, ago)
        args = problem.arguments({"conditions": conditions})
        rate_of(model, t, problem.unravel(y), args, past)
        stack = lambda pairs: tuple(jnp.concatenate(x) for x in zip(*pairs, strict=True))
        return {name: stack(spy.seen) for name, spy in spies.items() if spy.seen}

    @jax.jit
    def run(phi: Any, batch: Batch) -> Any:
        states, _, ends = problem.solve(phi, batch)
        times = jax.vmap(look, in_axes=(0, 0, None, None, None, None))
        lanes = jax.vmap(times, in_axes=(0, 0, (0, 0), None, 0, None))
        theta = phi[:, : len(problem.vector.start)]
        given = (batch.times, states, (batch.times, states), theta)
        found = jax.vmap(lanes)(*given, batch.conditions, batch.extra)
        return found, ends.tries

    found, tries = run(jnp.asarray(vectors), batch)
    live = np.asarray(batch.mask.any(-1))
    rows = lambda x, i: np.asarray(x)[i][live[i]].reshape(-1, x.shape[-1])
    each = [
        {name: (rows(x, i), rows(out, i)) for name, (x, out) in found.items()}
        for i in range(len(live))
    ]
    return each, int(tries)
