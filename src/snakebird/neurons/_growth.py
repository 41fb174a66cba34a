"""Growth under control: links for what is new, and a guard for what may change."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from snakebird import vvalues as vv
from snakebird.errors import MachineError, RoomError
from snakebird.neurons._define import neuron

Names = tuple[str, ...]


def _a_row_and_a_loop(given: Mapping[str, Any]) -> None:
    where, row, loop = "neuron type allocate_update", given["row"], given["loop"]
    if len(row) == 1:
        what = f"row={row!r}, expected an input of the slots and the stream it shall read"
        raise MachineError(what, where, 'write row=("x", "late", "result")')
    if len(loop) not in (0, 2):
        what = f"loop={loop!r}, expected an input and an output of the slots"
        raise MachineError(what, where, 'write loop=("accum", "result")')


@neuron(outputs=("result", "slot", "refused"), check=_a_row_and_a_loop)
def allocate_update(
    matrix: vv.VValue,
    key: vv.VValue,
    *,
    slots: Names = (),
    row: Names = (),
    loop: Names = (),
) -> vv.VValue:
    """Gives a new key the first neuron of `slots` that is still free.

    `row` is an input of the slots and where they shall read, `(input, from, output, ...)`. The
    number that arrives under a key, if it is above zero and no slot reads that key, becomes the
    weight of a link from there to the first slot on whose input nothing stands. Several new keys
    at once take slots in sorted order. `loop` is an input and an output of the slots that are
    linked with the same weight: memory. `slot` tells which slots were given away, as tokens;
    `refused` the keys for which none was left.

    >>> allocate_update({}, {"b": 1}, slots=("n", "m"), row=("x", "late", "result"))
    {'result': {'n': {'x': {'late': {'result': {'b': 1}}}}}, 'slot': {'n': 1}, 'refused': {}}
    """
    keys = _numbers_by_key(key)
    if not slots or not row:
        return {"result": {}, "slot": {}, "refused": keys}
    if _exact(keys) and _exact(vv.select(matrix, [(slot,) for slot in slots])):
        found = _allocated(matrix, keys, slots, row)
    else:
        found = _allocated_flat(vv.flatten(matrix), vv.flatten(keys), slots, row)
    if not loop:
        return found
    loops = {slot: vv.grow({(slot, loop[0], slot, loop[1]): 1}) for slot in slots}
    return found | {"result": vv.add(found["result"], vv.mask_sum(found["slot"], loops))}


def _numbers_by_key(value: vv.VValue) -> vv.VValue:
    """The numbers right below the root; deeper ones and arrays are left out."""
    space = vv.space_of(value)
    return vv.select(value, lambda path: len(path) == 1 and space.shape(path) == ())


def _exact(value: vv.VValue) -> bool:
    """Whether a value is a tree of Python numbers."""
    value = vv.select(value, lambda path: True)
    return not isinstance(value, vv.Flat) and all(vv.is_exact(x) for _, x in vv.entries(value))


def _allocated(matrix: Any, keys: Any, slots: Names, row: Names) -> dict[str, Any]:
    """The allocation on trees of Python numbers, key by key."""
    free = [slot for slot in slots if not vv.count(vv.get(matrix, slot, row[0]))]
    links: dict[vv.Path, Any] = {}
    given, refused = {}, {}
    for (key,), amount in sorted(vv.entries(keys)):
        known = any(vv.number(vv.get(matrix, slot, *row, key)) for slot in slots)
        if amount <= 0 or known:
            continue
        if free:
            slot = free.pop(0)
            links[slot, *row, key] = given[slot] = amount
        else:
            refused[key] = amount
    return {"result": vv.grow(links), "slot": given, "refused": refused}


def _allocated_flat(
    matrix: vv.Flat, keys: vv.Flat, slots: Names, row: Names
) -> dict[str, vv.VValue]:
    """The allocation as arrays over slots and keys."""
    lead = keys.data.shape[:-1]
    names = [key for (key,) in keys.space.paths]
    place = vv.Space([(slot, *row, key) for slot in slots for key in names])
    order = np.array([[place.slot((s, *row, k)).start for k in names] for s in slots], int)
    shape = (len(slots), len(names))
    held = vv.restrict(matrix, place).data[..., order.reshape(-1)].reshape(*lead, *shape)
    rows = [vv.flatten(vv.get(matrix, slot, row[0])).data for slot in slots]
    free = jnp.stack([jnp.all(x == 0, axis=-1) for x in rows], axis=-1)
    new = (keys.data > 0) & ~jnp.any(held != 0, axis=-2)
    turn, seat = jnp.cumsum(new, axis=-1), jnp.cumsum(free, axis=-1)
    match = turn[..., None, :] == seat[..., :, None]
    links = jnp.where(
        match & new[..., None, :] & free[..., :, None], keys.data[..., None, :], 0
    ).astype(keys.data.dtype)
    link_data = vv.place(links.reshape(*lead, -1), order.reshape(-1), place.size)
    slot_space = vv.Space([(slot,) for slot in slots])
    at = np.array([slot_space.slot((slot,)).start for slot in slots], int)
    lost = new & (turn > seat[..., -1:])
    return {
        "result": vv.Flat(place, link_data),
        "slot": vv.Flat(slot_space, vv.place(jnp.sum(links, axis=-1), at, len(slots))),
        "refused": vv.Flat(keys.space, jnp.where(lost, keys.data, 0)),
    }


@neuron(outputs=("result", "refused"))
def guard(
    delta: vv.VValue,
    matrix: vv.VValue,
    mask: vv.VValue,
    *,
    links: int = -1,
    change: Any = -1.0,
    strict: bool = False,
) -> vv.VValue:
    """Lets an update pass as far as it may: where, how many new links, how much in all.

    1. The update goes through `mask`: `{"n": 1}` lets all links to `n` change, `{"n": {"x": 1}}`
       those to one of its inputs, 1 everything; what is missing in the mask does not change.
    2. Of the links that do not stand in `matrix` yet, the `links` largest pass (the first in
       sorted order where some are alike), the others do not.
    3. If the absolute changes add up to more than `change`, all are scaled down to add up to it.

    Below zero, `links` and `change` set no limit. `refused` is the update less what passed. With
    `strict`, the readable engine stops with a `RoomError` at a change that the first two rules
    refuse; a lowered machine tells on `refused`.

    >>> guard({"n": {"x": 3}, "m": {"x": 1}}, {}, {"n": 1}, change=2)
    {'result': {'n': {'x': 2.0}}, 'refused': {'n': {'x': 1.0}, 'm': {'x': 1}}}
    """
    allowed = vv.mask(mask, delta)
    few = allowed if links < 0 else _largest_new(allowed, matrix, links)
    if strict:
        _refuse(delta, mask, allowed, few, links)
    passed = _scaled_down(few, change)
    return {"result": passed, "refused": vv.add(delta, vv.scale(-1, passed))}


def _largest_new(update: vv.VValue, matrix: vv.VValue, count: int) -> vv.VValue:
    """The update without the new links that are not among the `count` largest ones."""
    if _exact(update) and _exact(matrix):
        stand = {path for path, _ in vv.entries(matrix)}
        found = vv.entries(update)
        new = sorted((-abs(leaf), path) for path, leaf in found if path not in stand)
        lost = {path for _, path in new[count:]}
        return vv.select(update, lambda path: path not in lost)
    flat = vv.flatten(update)
    stands = vv.restrict(matrix, flat.space).data != 0
    size = jnp.where(stands | (flat.data == 0), -1, jnp.abs(flat.data))
    rank = jnp.argsort(jnp.argsort(-size, axis=-1), axis=-1)
    return vv.Flat(flat.space, jnp.where(stands | (rank < count), flat.data, 0))


def _scaled_down(update: vv.VValue, change: Any) -> vv.VValue:
    """The update, scaled down to absolute changes that add up to `change` at most."""
    size = vv.norm(update, 1)
    if vv.is_exact(size) and vv.is_exact(change):
        return vv.scale(change / size, update) if 0 <= change < size else update
    beyond = (change >= 0) & (size > change)
    factor = jnp.where(beyond, change / jnp.where(beyond, size, 1), 1)
    return vv.scale(factor, update)


def _refuse(delta: Any, mask: Any, allowed: Any, few: Any, links: int) -> None:
    """Raise `RoomError` for what is refused, where numbers are known."""
    if lost := _known_paths(delta) - _known_paths(allowed):
        known = ", ".join(vv.show_path(path) for path in sorted(_known_paths(mask)))
        raise RoomError(
            f"an update changes {_shown(lost)}, which may not change",
            f"the mask, which allows {known or 'nothing'}",
            f"let the mask allow it: {{{min(lost)[0]!r}: 1}}, or write strict=False to drop it",
        )
    if lost := _known_paths(allowed) - _known_paths(few):
        count = f"{len(lost)} new link{'s' * (len(lost) > 1)}"
        raise RoomError(
            f"an update brings {count} too many: {_shown(lost)}",
            f"links={links}",
            "allow more with links=..., or write strict=False to drop the smallest",
        )


def _known_paths(value: vv.VValue) -> set[vv.Path]:
    """The paths of a tree where something stands; none where numbers are traced or `Flat`."""
    value = vv.select(value, lambda path: True)
    if isinstance(value, vv.Flat):
        return set()
    leaves = list(vv.entries(value))
    if any(isinstance(leaf, Tracer) for _, leaf in leaves):
        return set()
    return {path for path, leaf in leaves if np.any(np.asarray(leaf) != 0)}


def _shown(paths: Iterable[vv.Path]) -> str:
    """The first of some links, as text."""
    first = min(paths)
    return " <- ".join(vv.show_path(part) for part in (first[:2], first[2:]) if part)
