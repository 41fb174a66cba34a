"""Running a plan on arrays: stage by stage, each a scan over ticks or all ticks at once."""

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import InputError
from snakebird.lowering._carried import (
    by_kind,
    carried_matrix,
    constant_entries,
    linked,
    linked_by_constants,
    scale_since,
)
from snakebird.lowering._feeds import Fed
from snakebird.lowering._overflow import listening
from snakebird.lowering._parameters import join
from snakebird.lowering._plan import Plan
from snakebird.lowering._product import History, Part, some_rows
from snakebird.lowering._trace import Trace

Rows = dict[int, jax.Array]
"""For some blocks, rows of streams `[..., rows, width]`."""

Ports = dict[str, jax.Array]
"""The streams of a kind by port, each `[neurons, size]`."""


class State(eqx.Module):
    """All outputs between two ticks: `[rows, width]` for each block, and the ticks done so far."""

    blocks: tuple[jax.Array, ...]
    tick: jax.Array


class Emitted(eqx.Module):
    """What a stage gives out, a row a tick: streams `[neurons, size]`, rows of blocks, overflow.

    Of the blocks these are the rows that later stages read.
    """

    data: dict[tuple[str, int, str], jax.Array]
    rows: Rows
    overflow: dict[int, jax.Array]


class Execution:
    """A plan with its numbers and a state: what is the same in every tick is computed once, here.

    That includes the entries of a carried matrix that no update can change.
    """

    def __init__(
        self, plan: Plan, weights: jax.Array, numbers: Sequence[Any], key: Any, state: State
    ):
        self.plan, self.weights, self.numbers, self.key = plan, weights, numbers, key
        self.state = state
        self.functions = [_kind_function(plan, k) for k in range(len(plan.kinds))]
        self.coefficients = constant_entries(plan, state.blocks) if plan.carried else weights
        own = [m.own.prepare(self.coefficients) for m in plan.moves]
        instant = [{n: d.prepare(weights) for n, d in m.own_instant.items()} for m in plan.moves]
        self.own, self.own_instant = own, instant
        self.linked = linked_by_constants(plan, self.coefficients)

    def run(self, fed: Fed, ticks: int) -> Trace:
        """All stages, one after the other, over all ticks."""
        plan, state = self.plan, self.state
        times = state.tick + jnp.arange(ticks)
        history: list[list[Part]] = [[] for _ in plan.blocks]
        last = [[block[:0]] for block in state.blocks]
        data: dict[tuple[str, int, str], jax.Array] = {}
        overflow: dict[int, jax.Array] = {}
        for stage, scan in enumerate(plan.stages.scans):
            base, early = self._entering(stage, state, history)
            if scan:
                end, out = self._scan(stage, state, (base, early), fed, times)
            else:
                end, out = self._layer(stage, state, base, fed, times)
            for b, rows in end.items():
                last[b].append(rows)
            for b, rows in out.rows.items():
                history[b].append((plan.emitted[stage][b], rows))
            data |= out.data
            overflow |= out.overflow
        blocks = tuple(map(jnp.concatenate, last))
        return Trace(data, overflow, State(blocks, state.tick + ticks), plan, ticks)

    def _entering(self, stage: int, state: State, history: list[list[Part]]) -> tuple[Rows, Rows]:
        """What earlier stages bring to this one, for all ticks at once.

        Inputs made of it, and, where a scan takes it cheaper as it is, the rows of outputs.
        """
        moves = self.plan.moves[stage]
        sizes = lambda b: self._shape("in", b, stage)
        found: Rows = {}
        early: Rows = {}
        if moves.past or moves.past_instant:
            now = [History(parts) for parts in history]
            past = [History(parts, state.blocks[b]) for b, parts in enumerate(history)]
            early = {b: moves.past.products[b].read(past[b]) for b in moves.merged}
            prepared = moves.past.prepare(self.weights)
            rest = moves.past.without(moves.merged)
            found = rest.apply(prepared, self.weights, past, found, sizes)
            prepared = moves.past_instant.prepare(self.weights)
            found = moves.past_instant.apply(prepared, self.weights, now, found, sizes)
        return found, early

    def _layer(
        self, stage: int, state: State, base: Rows, fed: Fed, times: jax.Array
    ) -> tuple[Rows, Emitted]:
        """One stage for all ticks at once: its rows after the last tick, and what it emits."""
        step = jax.vmap(lambda rows, now, t: self._up(stage, rows, now, t))
        rows, out = step(base, _of_stage(self.plan, stage, fed), times)
        end = {b: r[-1] for b, r in rows.items()} if len(times) else self._before(stage, state)
        return end, out

    def _scan(
        self, stage: int, state: State, given: tuple[Rows, Rows], fed: Fed, times: jax.Array
    ) -> tuple[Rows, Emitted]:
        """One stage tick by tick; what it carries, and has after the last tick, are its rows."""

        def step(rows: Rows, now: Any) -> tuple[Rows, Emitted]:
            (entering, early), message, t = now
            return self._up(stage, entering, message, t, rows, early)

        inputs = (given, _of_stage(self.plan, stage, fed), times)
        start = self._before(stage, state)
        return _scan(step, start, inputs, len(times), self.plan.checkpoint)

    def _before(self, stage: int, state: State) -> Rows:
        """The rows of one stage in a state."""
        own = {b: block.rows("out", stage) for b, block in enumerate(self.plan.blocks)}
        return {b: state.blocks[b][rows] for b, rows in own.items() if rows.stop}

    def _changed(
        self, stage: int, blocks: Sequence[Any], inputs: Rows, t: jax.Array
    ) -> tuple[Rows, jax.Array]:
        """With a matrix that changes: the inputs, from those by constant entries; who is linked."""
        plan, down = self.plan, self.plan.moves[stage].changing
        matrix = carried_matrix(plan, blocks)
        changing, at = np.flatnonzero(plan.changing), plan.carrying_slot
        active = linked(plan, vv.rearrange(matrix, changing), changing)
        if at is not None:
            scale = scale_since(self.coefficients[at], matrix[at], t == self.state.tick)
            inputs = {b: scale * rows for b, rows in inputs.items()}
            active |= self.linked & (scale != 0)  # type: ignore[operator]
        sizes = lambda b: self._shape("in", b, stage)
        return down.apply(down.prepare(matrix), matrix, blocks, inputs, sizes), active

    def _shape(self, side: str, block: int, stage: int) -> tuple[int, int]:
        rows = self.plan.blocks[block].rows(side, stage)
        return rows.stop - rows.start, self.plan.blocks[block].space.size

    def _up(
        self,
        stage: int,
        entering: Rows,
        message: Any,
        t: jax.Array,
        carry: Rows | None = None,
        early: Rows | None = None,
    ) -> tuple[Rows, Emitted]:
        """One tick of a stage: its own links' down movement, then its kinds, level by level."""
        plan, moves = self.plan, self.plan.moves[stage]
        sizes = lambda b: self._shape("in", b, stage)
        inputs, active = dict(entering), self.linked
        if carry:
            blocks: list[Any] = [carry.get(b) for b in range(len(plan.blocks))]
            for b, rows in (early or {}).items():
                blocks[b] = jnp.concatenate([blocks[b], rows])
            inputs = moves.own.apply(self.own[stage], self.coefficients, blocks, inputs, sizes)
            if plan.carried:
                inputs, active = self._changed(stage, blocks, inputs, t)
        gates = None if active is None else by_kind(plan, active)
        key = None if self.key is None else jax.random.fold_in(self.key, t)
        outputs: dict[int, Ports] = {}
        emitted = Emitted({}, {}, {})
        level, streams = 0, _split(plan, stage, inputs)
        for k, kind in plan.kinds_of(stage):
            if kind.level != level:
                level = kind.level
                if level in moves.own_instant:
                    fresh = _gather(plan, stage, outputs)
                    blocks = [fresh.get(b) for b in range(len(plan.blocks))]
                    prepared, down = self.own_instant[stage][level], moves.own_instant[level]
                    inputs = down.apply(prepared, self.weights, blocks, inputs, sizes)  # type: ignore[arg-type]
                    streams = _split(plan, stage, inputs)
            x = _read(plan, k, streams)
            y, over = self.functions[k](self.numbers[k], x, _keys(plan, k, key), message.get(k))
            outputs[k] = _gated(y, plan.active[k], None if gates is None else gates[k])
            for side, ports in (("in", x), ("out", outputs[k])):
                emitted.data.update(_recorded(plan, side, k, ports))
            if over is not None:
                emitted.overflow[k] = over
        rows = _gather(plan, stage, outputs)
        emitted.rows.update(_read_later(plan, stage, rows))
        return rows, emitted


def _read_later(plan: Plan, stage: int, rows: Rows) -> Rows:
    """Of a stage's rows those that later stages read."""
    first = {b: plan.blocks[b].rows("out", stage).start for b in rows}
    reads = {b: plan.emitted[stage][b] - first[b] for b in rows}
    return {b: some_rows(rows[b], read) for b, read in reads.items() if len(read)}


def _recorded(plan: Plan, side: str, k: int, ports: Ports) -> dict[tuple[str, int, str], jax.Array]:
    """The part of a kind's streams that a run keeps."""
    found = {}
    for port, values in ports.items():
        keep = plan.kept.get((side, k, port))
        if keep is not None:
            some = len(keep.rows) < len(values)
            rows = values[np.array(keep.rows)] if some else values
            columns = keep.space.inclusion(plan.port_space(side, k, port))
            found[side, k, port] = vv.rearrange(rows, columns)
    return found


def _split(plan: Plan, stage: int, inputs: Rows) -> dict[tuple[int, int], jax.Array]:
    """The rows of inputs cut apart: by block and first row, those of one port of a kind.

    One split, since the gradient of a split is one concatenation.
    """
    found = {}
    for b, rows in inputs.items():
        starts = plan.cuts(b, stage)
        if len(starts) == 1:
            found[b, starts[0]] = rows
        else:
            pieces = jnp.split(rows, np.array(starts[1:]) - starts[0])
            found |= {(b, start): piece for start, piece in zip(starts, pieces, strict=True)}
    return found


def _read(plan: Plan, k: int, streams: dict[tuple[int, int], jax.Array]) -> Ports:
    """The inputs of a kind, by port."""
    kind = plan.kinds[k]
    found = {}
    for port in kind.ports("in"):
        b, rows = kind.rows["in", port]
        columns = plan.columns["in", k, port]
        if (b, rows.start) in streams:
            found[port] = vv.rearrange(streams[b, rows.start], columns)
        else:
            found[port] = jnp.zeros((len(kind.names), len(columns)), plan.dtype)
    return found


def _of_stage(plan: Plan, stage: int, fed: Fed) -> dict[int, Any]:
    return {k: fed.kinds[k] for k, _ in plan.kinds_of(stage) if k in fed.kinds}


def _gather(plan: Plan, stage: int, outputs: dict[int, Ports]) -> Rows:
    """A stage's rows of blocks from the outputs of its kinds; kinds not yet run give zero."""
    rows: dict[int, list[tuple[np.ndarray, jax.Array]]] = {}
    for k, kind in plan.kinds_of(stage):
        for port in kind.ports("out"):
            b, _ = kind.rows["out", port]
            columns = plan.columns["out", k, port]
            shape = len(kind.names), len(columns)
            part = outputs[k][port] if k in outputs else jnp.zeros(shape, plan.dtype)
            parts = rows.setdefault(b, [])
            if parts and np.array_equal(parts[-1][0], columns):
                parts[-1] = columns, jnp.concatenate([parts[-1][1], part])
            else:
                parts.append((columns, part))
    return {b: _stacked(parts, plan.blocks[b].space.size) for b, parts in rows.items()}


def _stacked(parts: list[tuple[np.ndarray, jax.Array]], size: int) -> jax.Array:
    placed = [vv.place(part, columns, size) for columns, part in parts]
    return placed[0] if len(placed) == 1 else jnp.concatenate(placed)


def _gated(outputs: Ports, always: np.ndarray, now: jax.Array | None) -> Ports:
    """Outputs with those of inactive neurons zero."""
    if always.all():
        return outputs
    on = (always if now is None else now | always)[:, None]
    return {port: jnp.where(on, y, 0) for port, y in outputs.items()}


def _keys(plan: Plan, k: int, key: Any) -> Any:
    """One random key a neuron, for kinds that draw."""
    kind = plan.kinds[k]
    if "key" not in plan.template.neurons[kind.names[0]].type.feeds:
        return None
    if key is None:
        raise InputError(
            f"{kind.names[0]!r} draws at random and there is no key",
            f"neuron {kind.names[0]}",
            "give key=jax.random.key(0)",
        )
    codes = [zlib.crc32(name.encode()) & 0x7FFFFFFF for name in kind.names]
    return jax.vmap(lambda code: jax.random.fold_in(key, code))(np.array(codes, np.uint32))


def _kind_function(plan: Plan, k: int) -> Callable[..., Any]:
    """The stacked activation of a kind: numbers, inputs, keys, messages -> outputs, overflow."""
    kind = plan.kinds[k]
    neuron = plan.template.neurons[kind.names[0]]
    structure = plan.splits[kind.names[0]].structure
    clipped = kind.names[0] in plan.spaces.clipped

    spaces = {port: kind.inputs.sub((port,)) for port in kind.ports("in")}
    wanted = {port: kind.outputs.sub((port,)) for port in kind.ports("out")}

    def one(numbers: Any, x: Ports, key: Any, message: Any) -> tuple[Ports, Any]:
        feeds = {"key": key}
        if message is not None:
            feeds |= {"message": vv.Flat(plan.message_spaces[k], message[0]), "present": message[1]}
        inputs = {port: vv.Flat(space, x[port]) for port, space in spaces.items()}
        with listening() as over:
            result = join(neuron, structure, numbers).apply(inputs, **feeds)
        kept = {
            p: vv.restrict(vv.get(result, p), s).data.astype(plan.dtype) for p, s in wanted.items()
        }
        if clipped:
            lost = vv.select(vv.flatten(result), lambda path: path not in kind.outputs)
            over.append(jnp.any(lost.data != 0))
        return kept, jnp.any(jnp.stack(over)) if over else None

    count = len(kind.names)
    # Reductions over two axes take XLA a third of the time of those over three, one of them 1 long.
    alone = count == 1 and any(space.size > kind.outputs.size for space in spaces.values())

    def stacked(numbers: Any, x: Ports, keys: Any, message: Any) -> tuple[Ports, Any]:
        given = numbers, x, keys, message
        if alone:
            found = one(*jax.tree.map(lambda y: jnp.squeeze(y, 0), given))
            return jax.tree.map(lambda y: jnp.expand_dims(y, 0), found)
        if jax.tree.leaves(given):
            return jax.vmap(one)(*given)
        same = one(numbers, x, keys, message)
        return jax.tree.map(lambda y: jnp.broadcast_to(y, (count, *y.shape)), same)

    return stacked


def _scan(step: Any, start: Any, xs: Any, ticks: int, checkpoint: bool | int) -> tuple[Any, Any]:
    """A scan over ticks; with checkpoints, over chunks whose inside is computed again.

    The gradient then needs memory for about twice the square root of the ticks.
    """
    chunk = int(np.ceil(np.sqrt(ticks))) if checkpoint is True else int(checkpoint)
    if not 1 < chunk < ticks:
        return jax.lax.scan(step, start, xs, length=ticks)
    whole, rest = divmod(ticks, chunk)

    def inside(carry: Any, now: Any) -> tuple[Any, Any]:
        return jax.lax.scan(step, carry, now, length=chunk)

    head = jax.tree.map(lambda x: x[: whole * chunk].reshape(whole, chunk, *x.shape[1:]), xs)
    carry, out = jax.lax.scan(jax.checkpoint(inside), start, head, length=whole)
    out = jax.tree.map(lambda x: x.reshape(whole * chunk, *x.shape[2:]), out)
    if rest:
        tail = jax.tree.map(lambda x: x[whole * chunk :], xs)
        carry, last = jax.lax.scan(step, carry, tail, length=rest)
        out = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), out, last)
    return carry, out
