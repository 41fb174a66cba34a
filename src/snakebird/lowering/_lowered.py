"""`Lowered`: a machine on a few flat arrays, an Equinox module like any other."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.lowering._execute import Execution, State
from snakebird.lowering._feeds import Fed, encode
from snakebird.lowering._plan import Plan
from snakebird.lowering._trace import Trace, outputs_of


class Lowered(eqx.Module):
    """A machine as arrays; made by `lower`, turned back by `lift`.

    * `weights`: one number a link, in the order of `machine.links`.
    * `start`: the numbers of the start values, in the order of their space.
    * `numbers`: for each kind of neuron, its stacked parameters.

    Numbers that are not marked trainable take part in no gradient. Works under `jax.jit`,
    `grad`, `vmap` and `scan`; changing numbers does not recompile.
    """

    weights: jax.Array
    start: jax.Array
    numbers: tuple[dict[str, Any], ...]
    plan: Plan = eqx.field(static=True)

    def __repr__(self) -> str:
        plan = self.plan
        blocks = ", ".join(f"{b.outputs}x{b.space.size}" for b in plan.blocks)
        return f"<lowered {plan.template!r}: {len(plan.kinds)} kinds, blocks {blocks}>"

    def __call__(
        self,
        inputs: Mapping[str, Any] | None = None,
        ticks: int | None = None,
        *,
        key: Any = None,
        state: State | None = None,
    ) -> Trace:
        """Run for a number of ticks, or as long as the inputs last.

        `inputs` maps sources to arrays `[time, size]` or `[time]`, `Flat` values with a leading
        time axis, a pair `(values, present)` with a mask `[time]`, a list of trees with `None`
        for nothing, or a text. `state` goes on from `trace.state` of another run.
        """
        fed, count = encode(self.plan, inputs, ticks)
        key = jax.random.key(key) if isinstance(key, int) else key
        return _run(self, fed, count, key, self.first_state if state is None else state)

    def tick(
        self, state: State, inputs: Mapping[str, Any] | None = None, *, key: Any = None
    ) -> tuple[State, Trace]:
        """One two-stroke cycle: the next state, and a trace of length one.

        `inputs` hold one tick each.
        """
        one = {name: _one_tick(value) for name, value in (inputs or {}).items()}
        trace = self(one, 1, key=key, state=state)
        return trace.state, trace

    @property
    def first_state(self) -> State:
        """The outputs before the first tick."""
        plan = self.plan
        weights, start, _ = self._free()
        blocks = [jnp.zeros((block.outputs, block.space.size), plan.dtype) for block in plan.blocks]
        for b, source, target in plan.start_map:
            flat = blocks[b].reshape(-1).at[target].set(start[source], mode="promise_in_bounds")
            blocks[b] = flat.reshape(blocks[b].shape)
        if plan.matrix_row is not None:
            b, row, columns = plan.matrix_row
            own = weights[plan.ordinary_links]
            blocks[b] = blocks[b].at[row, columns[plan.matrix_slots]].set(own)
        return State(tuple(blocks), jnp.zeros((), int))

    def outputs(self, state: State) -> Any:
        """The tree of all outputs a state holds: neuron -> output -> value, zeros left out."""
        return outputs_of(self.plan, state.blocks)

    def _free(self) -> tuple[jax.Array, jax.Array, tuple[dict[str, Any], ...]]:
        """The numbers, with gradients cut for those that are not trainable."""
        plan = self.plan
        numbers = tuple(
            {k: v if k in free else jax.lax.stop_gradient(v) for k, v in own.items()}
            for own, free in zip(self.numbers, plan.free_parameters, strict=True)
        )
        return _cut(self.weights, plan.free_weights), _cut(self.start, plan.free_starts), numbers


def _cut(data: jax.Array, free: np.ndarray) -> jax.Array:
    if free.all():
        return data
    return (
        jnp.where(free, data, jax.lax.stop_gradient(data))
        if free.any()
        else jax.lax.stop_gradient(data)
    )


def _one_tick(value: Any) -> Any:
    if isinstance(value, vv.Flat):
        return vv.Flat(value.space, value.data[None])
    if isinstance(value, tuple) and len(value) == 2:
        return _one_tick(value[0]), jnp.asarray(value[1])[None]
    if isinstance(value, (Mapping, int, float, str)) or value is None:
        return [value]
    return jnp.asarray(value)[None]


@eqx.filter_jit
def _run(low: Lowered, fed: Fed, ticks: int, key: Any, state: State) -> Trace:
    weights, _, numbers = low._free()
    return Execution(low.plan, weights, numbers, key, state).run(fed, ticks)
