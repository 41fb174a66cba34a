"""Many weightings of one machine held against examples at once."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.lowering import lower
from snakebird.machines import Machine
from snakebird.synthesis.programs._arrays import arrays_of
from snakebird.synthesis.programs._examples import Examples

LANES = 1 << 22
"""Numbers computed at once, roughly."""


class Exactness:
    """A machine lowered once, and examples as arrays: which weightings answer them exactly?"""

    def __init__(self, machine: Machine, examples: Examples):
        arrays = arrays_of(examples)
        self.machine = machine.replace(neurons={**machine.neurons, **arrays.sources})
        self.slack = max(float(examples.tolerance), 1e-6)
        with jax.enable_x64(True):
            low = lower(self.machine, record=["output"], dtype=jnp.float64)
            self._run = _compiled(low, arrays)
        self.links = len(self.machine.links)
        ticks = next(iter(arrays.inputs.values()))[1].shape
        self._at_once = max(1, LANES // (int(np.prod(ticks[:2])) * max(1, len(machine.neurons))))

    def right(self, weightings: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Which rows of `[weighting, link]` answer every example."""
        rows = np.asarray([[float(w) for w in row] for row in weightings], float)
        rows = rows.reshape(len(weightings), self.links)
        size = min(self._at_once, 1 << max(0, (len(rows) - 1)).bit_length())
        found = []
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            padded = np.pad(part, ((0, size - len(part)), (0, 0)))
            with jax.enable_x64(True):
                found.append(np.asarray(self._run(jnp.asarray(padded)))[: len(part)])
        worst = np.concatenate(found) if found else np.zeros(0)
        return worst <= self.slack


def _compiled(low: Any, arrays: Any) -> Any:
    inputs = {name: jnp.asarray(values) for name, (_, values) in arrays.inputs.items()}
    spaces = {name: space for name, (space, _) in arrays.inputs.items()}
    ticks = next(iter(inputs.values())).shape[1]

    def worst(weights: Any) -> Any:
        own = eqx.tree_at(lambda l: l.weights, low, weights)

        def one(values: Any, wanted: Any) -> Any:
            trace = own({n: vv.Flat(spaces[n], x) for n, x in values.items()}, ticks)
            gaps = []
            for name, target in arrays.targets.items():
                found = trace[("output", name)]
                both = found.space | target.space
                shown = vv.flatten(found, both).data
                right = vv.flatten(vv.Flat(target.space, wanted[name][0]), both).data
                off = jnp.where(wanted[name][1][:, None], jnp.abs(shown - right), 0.0)
                gaps.append(jnp.max(jnp.where(jnp.isfinite(off), off, jnp.inf), initial=0.0))
            return jnp.max(jnp.stack(gaps))

        wanted = {
            n: (jnp.asarray(t.values), jnp.asarray(t.asked)) for n, t in arrays.targets.items()
        }
        return jnp.max(jax.vmap(one)(inputs, wanted))

    return jax.jit(jax.vmap(worst))
