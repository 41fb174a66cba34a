"""The readable engine: the two-stroke cycle on plain trees, and the oracle for the fast one.

One tick: the *down movement* makes every input a linear combination of outputs, by the matrix
found in the current outputs; the *up movement* lets every active neuron compute. A change of
the matrix emitted at tick t is added by Self at t+1 and acts on the inputs of tick t+2.

Activity: a neuron is active while a link ends at it. Links of a fixed matrix count whatever
their weight; in a matrix carried by Self, where zero and absent are one, those that are not
zero. Types without any input port are always active. What is not active gives zero. Entries of
such a matrix that address no neuron of the machine, or no input that it has, have no effect.

Kinds of streams: where links bring leaves of different shapes to one path of an input, the first
in sorted order stays (instant links come last) and the others count as zero, with a warning.
"""

import warnings
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from snakebird import vvalues as vv
from snakebird.errors import InputError, MachineError, SnakebirdError, SpaceError
from snakebird.machines._machine import Machine
from snakebird.neurons import Neuron, NeuronType


class Tick(NamedTuple):
    """What a machine held in one tick: a tree of all inputs and a tree of all outputs."""

    inputs: Any
    outputs: Any


def down(matrix: Any, outputs: Any, only: str | None = None) -> dict[str, Any]:
    """The down movement: every row of the matrix (or of one neuron only) applied to the outputs.

    >>> down({"n": {"x": {"m": {"out": 2}}}}, {"m": {"out": {"k": 4}}})
    {'n': {'x': {'k': 8}}}
    """
    return {
        to: {
            port: _row(row, outputs, (to, port)) for port, row in rows.items() if port != vv.NUMBER
        }
        for to, rows in matrix.items()
        if isinstance(rows, Mapping) and only in (None, to)
    }


def _row(row: Any, outputs: Any, at: vv.Path) -> Any:
    """One row applied; where leaves of two shapes meet, the first in sorted order stays."""
    terms = [
        (path, weight, vv.get(outputs, *path))
        for path, weight in sorted(vv.entries(row), key=lambda e: e[0])
    ]
    weights = [weight for _, weight, _ in terms]
    try:
        return vv.lin_comb(weights, [part for _, _, part in terms])
    except SpaceError:
        shapes: dict[vv.Path, Any] = {}
        names = [f"{vv.show_path(at)} <- {vv.show_path(path)}" for path, _, _ in terms]
        parts = [
            _fitting(part, shapes, name) for (*_, part), name in zip(terms, names, strict=True)
        ]
        return vv.lin_comb(weights, parts)


def _fitting(part: Any, shapes: dict[vv.Path, Any], link: str) -> Any:
    """The leaves of a stream that have the shape of what came before; the others count as zero."""
    own = {path: vv.shape_of(leaf) for path, leaf in vv.entries(part)}
    clash = {path: shape for path, shape in own.items() if shapes.setdefault(path, shape) != shape}
    if not clash:
        return part
    warnings.warn(
        f"the link {link} carries another kind of stream and counts as zero: "
        f"leaves of shape {list(next(iter(clash.values())))}",
        stacklevel=2,
    )
    return vv.select(part, lambda path: path not in clash)


def _with_instant(machine: Machine, own: Any, now: Any, fresh: Any, at: vv.Path) -> Any:
    """An input with what instant links bring added, which comes after what the others bring."""
    try:
        return vv.add(own, now)
    except SpaceError:
        shapes = {path: vv.shape_of(leaf) for path, leaf in vv.entries(own)}
        for link in machine.links:
            if link.instant and (link.to, link.input) == at:
                name = f"{vv.show_path(at)} <- {vv.show_path(link.source)}"
                part = _fitting(vv.get(fresh, *link.source), shapes, name)
                own = vv.add(own, vv.scale(link.weight, part))
        return own


def kind_clash(name: str, kind: NeuronType, error: SpaceError) -> MachineError:
    """The error of a neuron whose inputs are of kinds that do not fit together."""
    ports = f", inputs {' and '.join(kind.inputs)}" if len(kind.inputs) > 1 else ""
    below = f", {error.where}" if error.where else ""
    hint = "say shape= where the type has it, or give start values of the shape that comes"
    return MachineError(error.what, f"neuron {name!r} ({kind.name}{ports}){below}", hint)


def _computed(neuron: Neuron, name: str, inputs: Any, fed: Mapping[str, Any]) -> Any:
    """What a neuron gives; errors name it."""
    try:
        return vv.unflatten(neuron.apply(inputs, **fed))
    except SpaceError as error:
        raise kind_clash(name, neuron.type, error) from None
    except SnakebirdError as error:
        where = f"neuron {name!r}" + (f", {error.where}" if error.where else "")
        raise type(error)(error.what, where, error.hint) from None


def tick(machine: Machine, outputs: Any, *, messages: Any = None, key: Any = None) -> Tick:
    """One two-stroke cycle from the outputs of the last tick.

    `messages` maps sources to what arrived for them; `key` is this tick's random key.
    """
    inputs, active = _down_stroke(machine, outputs)
    fresh: dict[str, Any] = {}
    for name in machine.order:
        neuron = machine.neurons[name]
        for port, now in down(machine.instant_matrix, fresh, only=name).get(name, {}).items():
            own = inputs.setdefault(name, {})
            own[port] = _with_instant(machine, vv.get(own, port), now, fresh, (name, port))
        if name in active or neuron.type.always_active:
            fed = _feeds(neuron, name, messages or {}, key)
            fresh[name] = _computed(neuron, name, inputs.get(name, {}), fed)
    ordered = [name for name in machine.neurons if name in fresh]
    return Tick(
        {name: inputs[name] for name in ordered if name in inputs},
        {name: fresh[name] for name in ordered},
    )


def _down_stroke(machine: Machine, outputs: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """All inputs by the matrix in force, and the neurons that are active under it."""
    if machine.matrix_from is None:
        return down(machine.matrix, outputs), machine.linked
    matrix = vv.get(outputs, *machine.matrix_from)
    rows = {
        to: {
            port: _known(machine, row) for port, row in ports.items() if is_input(machine, to, port)
        }
        for to, ports in (matrix.items() if isinstance(matrix, Mapping) else ())
        if to in machine.neurons and isinstance(ports, Mapping)
    }
    instant = {link.to for link in machine.links if link.instant}
    fed = {name for name, row in rows.items() if any(True for _ in vv.entries(row))}
    return down(rows, outputs), frozenset(instant | fed)


def is_input(machine: Machine, to: str, port: str) -> bool:
    """Whether a link may end here: a known neuron, and an input that it has or can have."""
    kind = machine.neurons[to].type if to in machine.neurons else None
    if kind is None or port == vv.NUMBER:
        return False
    own = port in kind.defaults or port in kind.feeds
    return port in kind.inputs or (kind.variadic and not own)


def _known(machine: Machine, row: Any) -> Any:
    """The part of a row that reads neurons of this machine."""
    if not isinstance(row, Mapping):
        return {}
    return {name: part for name, part in row.items() if name in machine.neurons}


def neuron_key(key: Any, name: str) -> Any:
    """The random key of one neuron, from this tick's key."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()) & 0x7FFFFFFF)


def _feeds(neuron: Neuron, name: str, messages: Mapping[str, Any], key: Any) -> dict[str, Any]:
    feeds = neuron.type.feeds
    fed: dict[str, Any] = {}
    if "message" in feeds:
        message = messages.get(name)
        fed |= {"message": {} if message is None else message, "present": message is not None}
    if "key" in feeds:
        if key is None:
            raise InputError(
                f"{name!r} draws at random and there is no key",
                f"neuron {name}",
                "give key=jax.random.key(0)",
            )
        fed["key"] = neuron_key(key, name)
    return fed
