"""What goes into a hole and comes out of it along the fitted trajectories."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from snakebird.equations import Hole, with_holes
from snakebird.fitting._problem import Batch, Problem


class _Spy:
    """Calls a hole and notes what went in and came out."""

    def __init__(self, hole: Hole):
        self.hole = hole
        self.seen: list[tuple[Any, Any]] = []

    def __call__(self, *values: Any) -> Any:
        x = jnp.stack([jnp.asarray(value) for value in values])
        out = self.hole.array(x)
        self.seen.append((x, out))
        return out[0] if len(self.hole.outputs) == 1 else out


def visited(
    problem: Problem, vector: Any, batch: Batch
) -> dict[str, tuple[Float[np.ndarray, "m inputs"], Float[np.ndarray, "m outputs"]]]:
    """Inputs and outputs of every hole, by name, at the times of the data of the first start.

    Times where an experiment has ended already are left out; a hole called several times a step
    has several rows there.
    """

    def look(t: Any, y: Any, const: Any) -> Any:
        spies: dict[str, _Spy] = {}

        def spied(name: str, hole: Hole) -> Any:
            return spies.setdefault(name, _Spy(hole))

        model = with_holes(problem.model(theta, const["extra"]), spied)
        model(t, problem.unravel(y), problem.arguments(const))
        stack = lambda pairs: tuple(jnp.stack(x) for x in zip(*pairs, strict=True))
        return {name: stack(spy.seen) for name, spy in spies.items() if spy.seen}

    one = lambda tree: jax.tree.map(lambda x: x[:1], tree)
    phi, batch = jnp.asarray(vector)[None], one(batch)
    theta = phi[0, : len(problem.vector.start)]
    states, _, _ = problem.solve(phi, batch)
    conditions = {k: v[0] for k, v in batch.conditions.items()}
    extra = jax.tree.map(lambda x: x[0], batch.extra)
    lane = lambda t, y, conditions: jax.vmap(
        lambda t, y: look(t, y, {"conditions": conditions, "extra": extra})
    )(t, y)
    found = jax.vmap(lane)(batch.times[0], states[0], conditions)
    live = np.asarray(batch.mask[0].any(-1))
    rows = lambda x: np.asarray(x)[live].reshape(-1, x.shape[-1])
    return {name: (rows(x), rows(out)) for name, (x, out) in found.items()}
