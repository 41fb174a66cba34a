"""`Lowered`: a machine on a few flat arrays, an Equinox module like any other."""

import zlib
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import InputError
from snakebird.lowering._feeds import Fed, encode
from snakebird.lowering._parameters import join
from snakebird.lowering._plan import Down, Plan
from snakebird.lowering._trace import Trace


class State(eqx.Module):
    """All outputs between two ticks: one array `[rows, width]` a block, and the ticks done so far."""

    blocks: tuple[jax.Array, ...]
    tick: jax.Array


class Emitted(eqx.Module):
    """What one tick gives out: arrays `[neurons, size]` of kinds, and whether room was exceeded."""

    data: dict[tuple[str, int], jax.Array]
    overflow: dict[int, jax.Array]


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
        checkpoint: bool | int = False,
    ) -> Trace:
        """Run for a number of ticks, or as long as the inputs last.

        `inputs` maps sources to arrays `[time, size]` or `[time]`, `Flat` values with a leading
        time axis, a pair `(values, present)` with a mask `[time]`, a list of trees with `None`
        for nothing, or a text. `state` goes on from `trace.state` of another run. With
        `checkpoint`, gradients over long runs need memory for about twice the square root of
        the ticks (or for chunks of the given length) and recompute the rest.
        """
        fed, count = encode(self.plan, inputs, ticks)
        return _run(self, fed, count, key, self.first_state if state is None else state, checkpoint)

    def tick(
        self, state: State, inputs: Mapping[str, Any] | None = None, *, key: Any = None
    ) -> tuple[State, Trace]:
        """One two-stroke cycle: the next state, and a trace of length one. `inputs` hold one tick each."""
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
            blocks[b] = (
                blocks[b].at[row, columns[plan.matrix_slots]].set(weights[plan.ordinary_links])
            )
        return State(tuple(blocks), jnp.zeros((), int))

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
    return (
        [value]
        if isinstance(value, (Mapping, int, float)) or value is None
        else jnp.asarray(value)[None]
    )


@eqx.filter_jit
def _run(
    low: Lowered, fed: Fed, ticks: int, key: Any, state: State, checkpoint: bool | int
) -> Trace:
    prepared = _Prepared(low, key)

    def step(state: State, now: Fed) -> tuple[State, Emitted]:
        return prepared.step(state, now)

    last, out = _scan(step, state, fed, ticks, checkpoint)
    return Trace(out.data, out.overflow, last, low.plan)


def _scan(
    step: Any, state: State, fed: Fed, ticks: int, checkpoint: bool | int
) -> tuple[State, Emitted]:
    """A scan over ticks; with checkpoints, a scan over chunks whose inside is computed again."""
    chunk = (
        (int(np.ceil(np.sqrt(ticks))) if checkpoint is True else int(checkpoint))
        if checkpoint
        else 0
    )
    if not 1 < chunk < ticks:
        return jax.lax.scan(step, state, fed, length=ticks)
    whole, rest = divmod(ticks, chunk)
    head = jax.tree.map(lambda x: x[: whole * chunk].reshape(whole, chunk, *x.shape[1:]), fed)
    inside = jax.checkpoint(lambda s, now: jax.lax.scan(step, s, now, length=chunk))  # type: ignore[arg-type]
    state, out = jax.lax.scan(inside, state, head, length=whole)
    out = jax.tree.map(lambda x: x.reshape(whole * chunk, *x.shape[2:]), out)
    if rest:
        state, tail = jax.lax.scan(
            step, state, jax.tree.map(lambda x: x[whole * chunk :], fed), length=rest
        )
        out = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), out, tail)
    return state, out


class _Prepared:
    """Everything that is the same in every tick, computed once before the scan."""

    def __init__(self, low: Lowered, key: Any):
        self.plan, self.key = low.plan, key
        self.weights, _, self.numbers = low._free()
        self.fixed = None if self.plan.carried else self._products(self.plan.ordinary, self.weights)
        self.instants = {
            level: self._products(d, self.weights) for level, d in self.plan.instant.items()
        }
        self.kinds = [_kind_function(self.plan, k) for k in range(len(self.plan.kinds))]

    def _products(self, down: Down, coefficients: jax.Array) -> dict[int, jax.Array]:
        return {b: product.prepare(coefficients) for b, product in down.products.items()}

    def step(self, state: State, fed: Fed) -> tuple[State, Emitted]:
        """One tick: down by the matrix in force, then up, level by level."""
        plan = self.plan
        coefficients, active = self.weights, None
        if plan.carried:
            b, row, columns = plan.matrix_row  # type: ignore[misc]
            coefficients = vv.rearrange(state.blocks[b][row], columns)
            active = _active(plan, coefficients)
        prepared = self._products(plan.ordinary, coefficients) if self.fixed is None else self.fixed
        inputs = _down(plan, plan.ordinary, prepared, coefficients, state.blocks, None)
        key = None if self.key is None else jax.random.fold_in(self.key, state.tick)
        outputs: list[jax.Array] = []
        emitted = Emitted({}, {})
        level = 0
        for k, kind in enumerate(plan.kinds):
            if kind.level != level:
                level = kind.level
                if level in plan.instant:
                    fresh = _gather(plan, outputs)
                    inputs = _down(
                        plan, plan.instant[level], self.instants[level], self.weights, fresh, inputs
                    )
            x = _read(plan, k, inputs)
            y, over = self.kinds[k](self.numbers[k], x, _keys(plan, k, key), fed.kinds.get(k))
            if active is not None and not plan.active[k].all():
                y = jnp.where((active[k] | plan.active[k])[:, None], y, 0)
            elif active is None and not plan.active[k].all():
                y = jnp.where(plan.active[k][:, None], y, 0)
            outputs.append(y)
            for side, data in (("in", x), ("out", y)):
                if (side, k) in plan.kept:
                    emitted.data[side, k] = data
            if over is not None:
                emitted.overflow[k] = over
        return State(tuple(_gather(plan, outputs)), state.tick + 1), emitted


def _down(
    plan: Plan,
    down: Down,
    prepared: dict[int, jax.Array],
    coefficients: jax.Array,
    outputs: Any,
    inputs: dict[int, jax.Array] | None,
) -> dict[int, jax.Array]:
    """Apply one down movement; with `inputs` given, add to them."""
    found = dict(inputs or {})
    for b, product in down.products.items():
        rows = product.apply(prepared[b], outputs[b])
        found[b] = found[b] + rows if b in found else rows
    for (source, target), scatter in down.scatters.items():
        block = plan.blocks[target]
        shape = (block.inputs, block.space.size)
        before = (
            found[target].reshape(-1)
            if target in found
            else jnp.zeros(shape[0] * shape[1], plan.dtype)
        )
        found[target] = scatter.add_to(before, coefficients, outputs[source].reshape(-1)).reshape(
            shape
        )
    return found


def _read(plan: Plan, k: int, inputs: dict[int, jax.Array]) -> jax.Array:
    """The inputs `[neurons, size]` of a kind, cut out of the blocks."""
    kind = plan.kinds[k]
    parts = []
    for port in kind.ports("in"):
        b, rows = kind.rows["in", port]
        columns = plan.columns["in", k, port]
        count = len(kind.names)
        if b in inputs:
            parts.append(vv.rearrange(inputs[b][rows], columns))
        else:
            parts.append(jnp.zeros((count, len(columns)), plan.dtype))
    if not parts:
        return jnp.zeros((len(kind.names), kind.inputs.size), plan.dtype)
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=-1)


def _gather(plan: Plan, outputs: list[jax.Array]) -> list[jax.Array]:
    """The blocks of outputs from the outputs of kinds; kinds not yet run give zero."""
    rows: list[list[jax.Array]] = [[] for _ in plan.blocks]
    for k, kind in enumerate(plan.kinds):
        for port in kind.ports("out"):
            b, _ = kind.rows["out", port]
            size = plan.blocks[b].space.size
            if k < len(outputs):
                part = outputs[k][:, kind.outputs.below((port,))]
                rows[b].append(vv.place(part, plan.columns["out", k, port], size))
            else:
                rows[b].append(jnp.zeros((len(kind.names), size), plan.dtype))
    empty = [jnp.zeros((block.outputs, block.space.size), plan.dtype) for block in plan.blocks]
    return [
        jnp.concatenate(parts) if len(parts) > 1 else parts[0] if parts else none
        for parts, none in zip(rows, empty, strict=True)
    ]


def _keys(plan: Plan, k: int, key: Any) -> Any:
    """One random key a neuron, for kinds that draw."""
    kind = plan.kinds[k]
    if "key" not in plan.template.neurons[kind.names[0]].type.feeds:
        return None
    if key is None:
        name = kind.names[0]
        raise InputError(
            f"{name!r} draws at random and there is no key",
            f"neuron {name}",
            "give key=jax.random.key(0)",
        )
    codes = np.array([zlib.crc32(name.encode()) & 0x7FFFFFFF for name in kind.names], np.uint32)
    return jax.vmap(lambda code: jax.random.fold_in(key, code))(codes)


def _active(plan: Plan, matrix: jax.Array) -> list[jax.Array]:
    """For each kind, which neurons have a link that is not zero, by the matrix of this tick."""
    nonzero = jnp.zeros(len(plan.order) + 1, bool).at[plan.rows_of_matrix].max(matrix != 0)
    ends = np.cumsum([0, *(len(kind.names) for kind in plan.kinds)])
    return [nonzero[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)]


def _kind_function(plan: Plan, k: int) -> Any:
    """The stacked activation of a kind: numbers, inputs, keys, messages -> outputs, overflow."""
    kind = plan.kinds[k]
    neuron = plan.template.neurons[kind.names[0]]
    structure = plan.splits[kind.names[0]].structure
    clipped = kind.names[0] in plan.spaces.clipped

    def one(numbers: Any, x: jax.Array, key: Any, message: Any) -> tuple[jax.Array, Any]:
        feeds = {"key": key}
        if message is not None:
            feeds |= {"message": vv.Flat(plan.message_spaces[k], message[0]), "present": message[1]}
        result = vv.flatten(
            join(neuron, structure, numbers).apply(vv.Flat(kind.inputs, x), **feeds)
        )
        kept = vv.restrict(result, kind.outputs).data.astype(plan.dtype)
        if not clipped:
            return kept, None
        lost = vv.select(result, lambda path: path not in kind.outputs)
        return kept, jnp.any(lost.data != 0)

    return jax.vmap(one)
