"""Neurons that emit changes of the network matrix, and a guard for them.

An update is a V-value of the shape of the matrix, `{to: {input: {from: {output: change}}}}`; linked
into `self.delta` it is added to the matrix one tick after it was emitted. Every update here is
linear in its gate: a number scales it, a tree masks it. Those that depend on what stands in the
matrix read it on the input `matrix`, by an instant link, so that they see the matrix they change.

Sources: arXiv 1712.07447, section 5; cloning and insertion: arXiv 1601.00713, sections 4.3, 4.4.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import MachineError
from snakebird.neurons._define import neuron

Names = tuple[str, ...]


@neuron
def add_update(by: vv.VValue, *, at: Names = ()) -> vv.VValue:
    """Adds a stream to the matrix at a place: a number to an entry, a tree to a row.

    >>> add_update({"m": {"result": 0.5}}, at=("n", "x"))
    {'n': {'x': {'m': {'result': 0.5}}}}
    """
    return vv.put({}, at, by)


@neuron
def set_update(
    matrix: vv.VValue, value: vv.VValue, gate: vv.VValue, *, at: Names = ()
) -> vv.VValue:
    """Makes what stands at a place equal to a value, where the gate is 1; `g` goes part of the way.

    The update is `g * (value - what stands there)`.

    >>> set_update({"n": {"x": 3}}, 5, 1, at=("n", "x"))
    {'n': {'x': 2}}
    """
    held = vv.put({}, at, vv.get(matrix, *at))
    return vv.mask(gate, vv.add(vv.put({}, at, value), vv.scale(-1, held)))


def _of_one_length(given: Mapping[str, Any]) -> None:
    at, to = given["at"], given["to"]
    if len(at) != len(to):
        raise MachineError(
            f"at={at!r} and to={to!r}, expected places of one kind",
            "neuron type move_update",
            'give two rows, at=("n", "x"), to=("m", "x"), or two entries',
        )


@neuron(check=_of_one_length)
def move_update(matrix: vv.VValue, gate: vv.VValue, *, at: Names = (), to: Names = ()) -> vv.VValue:
    """Moves what stands at one place of the matrix to another, where it is added.

    >>> move_update({"n": {"x": 3}}, 1, at=("n", "x"), to=("m", "x"))
    {'m': {'x': 3}, 'n': {'x': -3}}
    """
    part = vv.get(matrix, *at)
    return vv.mask(gate, vv.add(vv.put({}, to, part), vv.scale(-1, vv.put({}, at, part))))


def _one_copy_each(given: Mapping[str, Any]) -> None:
    old, new = given["old"], given["new"]
    if len(old) != len(new) or len(set(new)) != len(new) or len(set(old)) != len(old):
        raise MachineError(
            f"old={old!r} and new={new!r}, expected a name of its own for the copy of each",
            "neuron type clone_update",
            'write old=("a", "b"), new=("a2", "b2")',
        )


@neuron(check=_one_copy_each)
def clone_update(
    matrix: vv.VValue, gate: vv.VValue, *, old: Names = (), new: Names = ()
) -> vv.VValue:
    """Copies the rows of the neurons `old` to `new`; a gate that adds up to 1 makes one copy.

    Links among the copied neurons are redirected to the copies, links from outside keep their
    sources, and nothing links from the copies to the outside.

    >>> matrix = {"n": {"x": {"one": {"result": 2}}}}
    >>> clone_update(old=("n",), new=("copy",)).apply({"matrix": matrix, "gate": 1})
    {'result': {'copy': {'x': {'one': {'result': 2}}}}}
    """
    names = dict(zip(old, new, strict=True))

    def copied(path: vv.Path) -> vv.Path | None:
        if len(path) < 3 or path[0] not in names:
            return None
        return (names[path[0]], path[1], names.get(path[2], path[2]), *path[3:])

    return vv.mask(gate, relabeled(matrix, copied))


def _a_place_and_a_neuron(given: Mapping[str, Any]) -> None:
    at, new = given["at"], given["new"]
    if (len(at), len(new)) not in ((0, 0), (2, 3)):
        raise MachineError(
            f"at={at!r} and new={new!r}, expected an input and a neuron with two ports",
            "neuron type insert_update",
            'write at=("n", "x"), new=("mix", "x", "result")',
        )


@neuron(outputs=("result", "late"), loops={"late": "late"}, check=_a_place_and_a_neuron)
def insert_update(
    matrix: vv.VValue,
    gate: vv.VValue,
    late: vv.VValue,
    *,
    at: Names = (),
    new: Names = (),
    side: Names = (),
    share: Any = 0.0,
) -> vv.VValue:
    """Puts the silent neuron `new` (its name, an input, an output) before an input of another.

    A gate of 1 in one tick links to the new neuron what is linked to `at`, and a tick later, when
    the new neuron has something to give, `at` hears `(1 - share) * new + share * side` instead.
    With `share=0` nothing changes but that it comes a tick later. `late` remembers the gate.

    >>> insert = insert_update(at=("n", "x"), new=("late", "x", "result"))
    >>> matrix = {"n": {"x": {"one": {"result": 2}}}}
    >>> insert.apply({"matrix": matrix, "gate": 1})["result"]
    {'late': {'x': {'one': {'result': 2}}}}
    """
    if not at:
        return {"result": {}, "late": gate}
    row = vv.get(matrix, *at)
    through = vv.grow({(new[0], new[2]): 1})
    beside = vv.grow({side: 1}) if side else {}
    turned = vv.lin_comb([1 - share, share, -1], [through, beside, row])
    opened = vv.mask(gate, vv.put({}, new[:2], row))
    return {"result": vv.add(opened, vv.mask(late, vv.put({}, at, turned))), "late": gate}


@neuron
def erase_update(matrix: vv.VValue, symbol: vv.VValue) -> vv.VValue:
    """Takes away all links to and from the neurons whose names arrive, as tokens `{name: 1}`.

    A token of size `g` takes away that part of the links. Several that arrive at once each take
    their part of what the others leave.

    >>> erase_update({"a": {"x": {"b": {"y": 2}}}, "c": {"x": {"c": {"y": 3}}}}, {"b": 1})
    {'a': {'x': {'b': {'y': -2}}}}
    """
    named = vv.select(symbol, lambda path: len(path) == 1)
    links = vv.select(matrix, lambda path: len(path) > 2)
    rows = vv.mask(named, links)
    left = vv.select(vv.add(links, vv.scale(-1, rows)), lambda path: path[0] != path[2])
    turned = relabeled(left, lambda path: (path[2], path[0], path[1], *path[3:]))
    columns = relabeled(vv.mask(named, turned), lambda path: (*path[1:3], path[0], *path[3:]))
    return vv.scale(-1, vv.add(rows, columns))


def relabeled(value: vv.VValue, name: Callable[[vv.Path], vv.Path | None]) -> vv.VValue:
    """The value with every entry put under another path; those that meet add up, `None` drops one.

    >>> relabeled({"a": 1, "b": 2, "c": 3}, lambda path: None if path == ("c",) else ("d",))
    {'d': 3}
    """
    value = vv.select(value, lambda path: name(path) is not None)
    if not isinstance(value, vv.Flat):
        return vv.add(*(vv.grow({name(path) or (): leaf}) for path, leaf in vv.entries(value)))
    space = vv.Space({name(path) or (): shape for path, shape in value.space.items})
    found = [space.slot(name(path) or ()) for path in value.space.paths]
    slots = np.concatenate([np.zeros(0, int), *(np.arange(s.start, s.stop) for s in found)])
    if len(set(slots.tolist())) == len(slots):
        return vv.Flat(space, vv.place(value.data, slots, space.size))
    zeros = jnp.zeros((*value.data.shape[:-1], space.size), value.data.dtype)
    return vv.Flat(space, zeros.at[..., slots].add(value.data))
