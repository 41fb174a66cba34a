"""What a lowered run leaves behind."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import InputError, RoomError
from snakebird.lowering._overflow import growing_in, inner_plan
from snakebird.lowering._ports import check_port
from snakebird.machines import Tick, as_path

if TYPE_CHECKING:
    from snakebird.lowering._plan import Plan


class Trace(eqx.Module):
    """The recorded streams of a run, each with a leading time axis.

    `trace["output.word"]` is a `Flat` with data `[time, size]`; `trace.number(port)` the array
    `[time]` of the numbers at its root. `trace.state` goes on where the run ended. What `vmap`
    gives has the axes of the batch before that of time.
    """

    data: dict[tuple[str, int, str], jax.Array]
    overflow: dict[int, jax.Array]
    state: Any
    plan: "Plan" = eqx.field(static=True)
    length: int = eqx.field(static=True)

    def __len__(self) -> int:
        return self.length

    def __repr__(self) -> str:
        return f"<trace of {len(self)} ticks: {', '.join(self.ports)}>"

    @property
    def ports(self) -> list[str]:
        """The recorded outputs."""
        return sorted(
            vv.show_path((self.plan.kinds[k].names[row], port))
            for (side, k, port), keep in self.plan.kept.items()
            if side == "out"
            for row in keep.rows
        )

    def __getitem__(self, port: str | vv.Path) -> vv.Flat:
        return self._stream("out", port)

    def inputs(self, port: str | vv.Path) -> vv.Flat:
        """The stream of an input, `"neuron.input"`."""
        return self._stream("in", port)

    def number(self, port: str | vv.Path) -> jax.Array:
        """The numbers `[time]` (or arrays) at the root of an output stream."""
        return vv.number(self[port])

    def trees(self, port: str | vv.Path) -> list[vv.VValue]:
        """What an output gave, a tree a tick, as the readable engine has it; not under `vmap`."""
        stream = self[port]
        if stream.data.ndim != 2:
            raise InputError(
                f"the trace has axes {stream.data.shape[:-2]} before that of time",
                "trees",
                "take one run out first, jax.tree.map(lambda x: x[0], trace)",
            )
        return [stream.space.unflatten(now) for now in np.asarray(stream.data)]

    def _stream(self, side: str, port: str | vv.Path) -> vv.Flat:
        path = as_path(port, self.plan.template.neurons)
        check_port(self.plan.template, path, "trace", (side,))
        kind, row = self.plan.layout.place.get(path[0], (-1, 0))
        found = {
            p: self._flat(s, k, p, keep.rows.index(row))
            for (s, k, p), keep in self.plan.kept.items()
            if (s, k) == (side, kind) and row in keep.rows
        }
        there = bool(found) if len(path) == 1 else path[1] in found
        asked = self.plan.record is None or any(p == path[: len(p)] for p in self.plan.record)
        if kind < 0 or not (there or asked):
            raise InputError(
                f"{vv.show_path(path)} was not recorded",
                hint=f'lower(machine, record=[..., "{vv.show_path(path)}"]), or record="all"',
            )
        if not there:
            none = (*self.state.tick.shape, len(self), 0)
            return vv.Flat(vv.Space(), jnp.zeros(none, self.plan.dtype))
        return vv.flatten(vv.get(found, *path[1:]))

    def _flat(self, side: str, kind: int, port: str, at: int) -> vv.Flat:
        space = self.plan.kept[side, kind, port].space
        return vv.Flat(space, self.data[side, kind, port][..., at, :])

    def check(self) -> "Trace":
        """The trace itself; raises `RoomError` if a neuron wrote outside the room it has."""
        for k, over in self.overflow.items():
            *_, times, rows = np.nonzero(np.asarray(over))
            if len(times):
                raise _outgrown(self.plan, self.plan.kinds[k], int(rows[0]), int(times[0]) + 1)
        return self

    def ticks(self) -> list[Tick]:
        """The run as trees, tick by tick, as the readable engine gives it."""
        found: dict[str, list[tuple[str, str, vv.Space, np.ndarray]]] = {"in": [], "out": []}
        for (side, k, port), keep in self.plan.kept.items():
            for at, row in enumerate(keep.rows):
                flat = self._flat(side, k, port, at)
                name = self.plan.kinds[k].names[row]
                found[side].append((name, port, flat.space, np.asarray(flat.data)))
        return [Tick(_tree(found["in"], t), _tree(found["out"], t)) for t in range(len(self))]


def _outgrown(plan: "Plan", kind: Any, row: int, tick: int) -> RoomError:
    """The error of a neuron, or of the machine inside one, that outgrew its room."""
    name = kind.names[row]
    inner = inner_plan(plan.template.neurons[name])
    if inner is not None and name not in plan.spaces.clipped:
        return RoomError(
            f"the machine in neuron {name!r} outgrew its room at tick {tick} of this run",
            growing_in(inner),
            "reserve more with machine_neuron(..., grow=...), or use a Runner, which grows",
        )
    return RoomError(
        f"neuron {name!r} outgrew its room at tick {tick} of this run",
        f"the outputs of {name!r}, now {kind.outputs!r}",
        "reserve more with lower(machine, grow=...), or use a Runner, which grows",
    )


def _tree(streams: list[tuple[str, str, vv.Space, np.ndarray]], t: int) -> Any:
    tree: dict[str, Any] = {}
    for name, port, space, data in streams:
        tree.setdefault(name, {})[port] = space.unflatten(data[t])
    return tree


def outputs_of(plan: "Plan", blocks: tuple[jax.Array, ...]) -> Any:
    """The tree of all outputs a state holds: neuron -> output -> value, zeros left out."""
    found: dict[vv.Path, Any] = {}
    arrays = [np.asarray(block) for block in blocks]
    for kind in plan.kinds:
        for port in kind.ports("out"):
            b, rows = kind.rows["out", port]
            space = kind.outputs.sub((port,))
            columns = space.inclusion(plan.blocks[b].space)
            for row, name in enumerate(kind.names):
                tree = space.unflatten(arrays[b][rows.start + row][columns])
                found.update({(name, port, *path): leaf for path, leaf in vv.entries(tree)})
    return vv.grow(found)
