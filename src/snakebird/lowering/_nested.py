"""A whole machine as one neuron of another, with its own number of inner ticks."""

from collections.abc import Callable, Mapping
from functools import lru_cache, reduce
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from snakebird import vvalues as vv
from snakebird.errors import MachineError, RoomError, UnknownNameError, suggest
from snakebird.lowering._execute import State
from snakebird.lowering._lower import lift, lower
from snakebird.lowering._lowered import Lowered
from snakebird.lowering._overflow import growing, growing_in, heard, inner_plan
from snakebird.lowering._plan import Plan
from snakebird.lowering._resume import Room
from snakebird.lowering._spaces import as_space
from snakebird.lowering._trace import Trace
from snakebird.machines import Machine, as_path
from snakebird.neurons import Neuron, NeuronType, Recipe, call_neuron

STATE = "state"
"""The port through which an inner machine keeps its outputs from tick to tick."""

_WHERE = "machine_neuron"


def as_neuron(given: Machine | Callable[..., Any], **options: Any) -> Neuron:
    """A machine, a JAX function or an Equinox module as a neuron.

    Machines take the options of `machine_neuron`, all else those of `call_neuron`.
    """
    return (
        machine_neuron(given, **options)
        if isinstance(given, Machine)
        else call_neuron(given, **options)
    )


def machine_neuron(
    machine: Machine,
    *,
    inputs: Mapping[str, str] | None = None,
    outputs: Mapping[str, Any] | None = None,
    ticks: int = 1,
    grow: Any = None,
    train: bool = True,
) -> Neuron:
    """A machine as one neuron that runs `ticks` inner ticks in each outer one.

    `inputs` maps input ports to sources of the machine (by default each source is a port), which
    hold their value during the inner ticks; `outputs` maps output ports to outputs of the machine
    (by default the ports of its `output` neurons). What the inner machine remembers stands in the
    output `state`, as the difference from its start values, and must be linked back to the input
    `state` with weight 1, which a builder does by itself. The numbers of the machine are the
    neuron's parameters, trainable unless `train=False`.

    `grow` reserves room for inner streams that grow for ever, in inner ticks from the first outer
    tick. Once one outgrows it, the readable engine stops with a `RoomError`, and of a lowered run
    `trace.check()` raises it; a `Runner` makes more room by itself.

    Raises `MachineError` if it has no outputs to give or two ports are one, `UnknownNameError` for
    a source or output that is not there.
    """
    if isinstance(ticks, bool) or not isinstance(ticks, int) or ticks < 1:
        raise MachineError(f"ticks={ticks!r}, expected a whole number", _WHERE, "give 1 or more")
    sources = [n for n, neuron in machine.neurons.items() if neuron.type.external]
    inputs = dict(zip(sources, sources, strict=True) if inputs is None else inputs)
    _check_inputs(inputs, sources)
    low = lower(machine, record="all", grow=grow)
    if outputs is None:
        ports = _default_outputs(low.plan)
    else:
        ports = {port: _path(port, path, machine) for port, path in outputs.items()}
    _check_outputs(low.plan, ports)
    kind = _type(tuple(inputs.items()), tuple(ports.items()), ticks, _draws(machine))
    return Neuron(kind, {"machine": low}, frozenset({"machine"}) if train else frozenset())


def _path(port: str, given: Any, machine: Machine) -> vv.Path:
    try:
        return as_path(given, machine.neurons)
    except UnknownNameError as error:
        where = f"{_WHERE}, output {port!r}"
        raise UnknownNameError(error.what, where, error.hint) from None


def _check_inputs(inputs: Mapping[str, str], sources: list[str]) -> None:
    _check_state("input", inputs)
    for port, source in inputs.items():
        if source not in sources:
            what = f"no source is named {source!r}"
            raise UnknownNameError(what, f"{_WHERE}, input {port!r}", suggest(source, sources))
    twice = [source for source in sources if list(inputs.values()).count(source) > 1]
    if twice:
        what = f"two inputs lead to the source {twice[0]!r}"
        raise MachineError(what, _WHERE, "give it one, and link both streams to that")


def _check_outputs(plan: Plan, ports: Mapping[str, vv.Path]) -> None:
    if not ports:
        raise MachineError(
            "this machine has no `output` neuron",
            f"{plan.template!r}",
            "say outputs={port: 'neuron.port'}",
        )
    _check_state("output", ports)
    for port, path in ports.items():
        where, known = f"{_WHERE}, output {port!r}", plan.template.neurons
        if path[0] not in known:
            raise UnknownNameError(
                f"no neuron is named {path[0]!r}", where, suggest(path[0], known)
            )
        space, declared = plan.spaces.outputs[path[0]], known[path[0]].type.outputs or ()
        if len(path) > 1 and path[1:] not in [(name,) for name in declared]:
            _check_path(space, path, declared, where)


def _check_path(space: vv.Space, path: vv.Path, declared: tuple[str, ...], where: str) -> None:
    """Raise `UnknownNameError` where a neuron's outputs never hold anything at or below a path."""
    for depth in range(1, len(path)):
        keys = {*space.sub(path[1:depth]).keys, *(declared if depth == 1 else ())}
        if path[depth] == vv.NUMBER and depth > 1:
            return
        if path[depth] not in keys:
            what = f"{vv.show_path(path[:depth])!r} has no output {path[depth]!r}"
            raise UnknownNameError(what, where, suggest(path[depth], keys))


def _check_state(side: str, ports: Mapping[str, Any]) -> None:
    if STATE in ports:
        whole = ports[STATE]
        text = whole if isinstance(whole, str) else vv.show_path(whole)
        raise MachineError(
            f"the {side} {STATE!r} is where the neuron keeps what the machine remembers",
            _WHERE,
            f"rename it: {side}s={{'other': {text!r}, ...}}",
        )


def _default_outputs(plan: Plan) -> dict[str, vv.Path]:
    """The ports of the `output` neurons; raises `MachineError` where two have one name."""
    found: dict[str, vv.Path] = {}
    for kind in plan.kinds:
        for name in (
            kind.names if plan.template.neurons[kind.names[0]].type.name == "output" else ()
        ):
            for port in kind.ports("out"):
                if port in found:
                    raise MachineError(
                        f"{found[port][0]!r} and {name!r} both have an output {port!r}",
                        _WHERE,
                        "say outputs={port: 'neuron.port'}",
                    )
                found[port] = (name, port)
    return found


def _draws(machine: Machine) -> bool:
    return any("key" in neuron.type.feeds for neuron in machine.neurons.values())


@lru_cache(maxsize=256)
def _type(inputs: Any, outputs: Any, ticks: int, draws: bool) -> NeuronType:
    """One type for each set of ports, so that machines of one structure run as one stacked call."""

    def call(*values: vv.VValue, machine: Lowered, key: Any = None) -> dict[str, vv.VValue]:
        *given, held = values
        plan = machine.plan
        fed = {}
        for (_, source), value in zip(inputs, given, strict=True):
            space = plan.message_spaces[plan.layout.place[source][0]]
            row = vv.restrict(value, space).data
            fed[source] = vv.Flat(space, jnp.broadcast_to(row, (ticks, space.size)))
        space = state_space(plan)
        first = machine.first_state
        before = _unpack(plan, vv.restrict(held, space).data + _pack(plan, first.blocks))
        trace = machine(fed, ticks, key=key, state=State(before, first.tick))
        found = {port: _last(trace[path]) for port, path in outputs}
        change = _pack(plan, trace.state.blocks) - _pack(plan, first.blocks)
        return _roomy(trace, found | {STATE: vv.Flat(space, change)})

    def recipe(neuron: Neuron) -> Recipe:
        low = neuron.parameters["machine"]
        given = {"machine": lift(low), "inputs": dict(inputs), "outputs": dict(outputs)}
        given |= {"ticks": ticks, "grow": _grow_of(low.plan), "train": bool(neuron.trainable)}
        return Recipe("machine_neuron", given)

    return NeuronType(
        "machine",
        call,
        inputs=(*(port for port, _ in inputs), STATE),
        outputs=(*(port for port, _ in outputs), STATE),
        defaults={"machine": None},
        loops={STATE: STATE},
        feeds=frozenset({"key"}) if draws else frozenset(),
        recipe=recipe,
    )


def _grow_of(plan: Plan) -> Any:
    """The argument `grow=` a plan was made with; of a mapping the paths and spaces it means."""
    if not isinstance(plan.grow, Mapping):
        return plan.grow
    return {as_path(p, plan.template.neurons): as_space(room) for p, room in plan.grow.items()}


def _roomy(trace: Trace, outputs: Any) -> Any:
    """The outputs themselves; what outgrew its room is told to the run around, or raised."""
    if not trace.overflow:
        return outputs
    over = jnp.any(jnp.stack([jnp.any(flags) for flags in trace.overflow.values()]))
    if heard(over):
        return outputs
    error = RoomError(
        "a nested machine outgrew its room",
        growing_in(trace.plan),
        "reserve more with machine_neuron(..., grow=...)",
    )
    if isinstance(over, Tracer):
        return eqx.error_if(outputs, over, str(error))
    if over:
        raise error
    return outputs


def widened(neuron: Neuron, held: vv.Space, ticks: int) -> Neuron:
    """A `machine_neuron` with room for what its `state` holds and for so many more outer ticks.

    Other neurons are given back as they are, and so are machines in which nothing grows.
    """
    if neuron.type.recipe is None or inner_plan(neuron) is None:
        return neuron
    given = dict(neuron.type.recipe(neuron).arguments)
    machine, count = given["machine"], ticks * given["ticks"]
    below = {
        name: widened(inner, held.sub((name, STATE)), count)
        for name, inner in machine.neurons.items()
    }
    if not growing(inner_plan(neuron)):
        return neuron
    grow = given["grow"]
    if inner_plan(neuron).spaces.clipped:
        room = _room(grow)
        grow = Room(held | room.space, max(count, room.ticks or 0))
    return machine_neuron(**given | {"machine": machine.replace(neurons=below), "grow": grow})


def _room(grow: Any) -> Room:
    """The argument `grow=` as one kind of thing."""
    if isinstance(grow, Mapping):
        parts = [space.under(path) for path, space in grow.items()]
        return Room(reduce(vv.Space.__or__, parts, vv.Space()))
    return grow if isinstance(grow, Room) else Room(ticks=grow)


def _last(stream: Any) -> vv.VValue:
    return (
        jax.tree.map(lambda x: x[-1], stream)
        if eqx.is_array(jax.tree.leaves(stream)[0])
        else stream
    )


@lru_cache(maxsize=64)
def state_space(plan: Plan) -> vv.Space:
    """The space of all outputs of a plan's neurons, as one tree."""
    items = {
        (name, *path): shape
        for kind in plan.kinds
        for name in kind.names
        for path, shape in kind.outputs.items
    }
    return vv.Space(items)


@lru_cache(maxsize=64)
def _slots(plan: Plan) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each block, slots in the state's space and the places in the flat block they hold."""
    space = state_space(plan)
    pairs: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in plan.blocks]
    for path in space.paths:
        found = plan.layout.row("out", path[0], path[1])
        assert found is not None
        b, row = found
        inside = plan.blocks[b].space
        a, c = space.slot(path), inside.slot(path[2:])
        pairs[b].append(
            (np.arange(a.start, a.stop), np.arange(c.start, c.stop) + row * inside.size)
        )
    none = np.zeros(0, int)
    return [
        (np.concatenate([a for a, _ in p] or [none]), np.concatenate([c for _, c in p] or [none]))
        for p in pairs
    ]


def _pack(plan: Plan, blocks: tuple[jax.Array, ...]) -> jax.Array:
    """All outputs of a state as one vector in `state_space`."""
    flat = jnp.zeros(state_space(plan).size, plan.dtype)
    for (slots, places), block in zip(_slots(plan), blocks, strict=True):
        flat = flat.at[slots].set(block.reshape(-1)[places])
    return flat


def _unpack(plan: Plan, flat: jax.Array) -> tuple[jax.Array, ...]:
    """The blocks of a state from a vector in `state_space`: the inverse of `_pack`."""
    found = []
    for (slots, places), block in zip(_slots(plan), plan.blocks, strict=True):
        data = jnp.zeros(block.outputs * block.space.size, plan.dtype).at[places].set(flat[slots])
        found.append(data.reshape(block.outputs, block.space.size))
    return tuple(found)
