"""Inputs of a run as arrays with masks, one row a tick."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import InputError, SpaceError, UnknownNameError, suggest
from snakebird.machines import masked, read_messages, wrong_width
from snakebird.neurons import message_space

if TYPE_CHECKING:
    from snakebird.lowering._plan import Plan


class Fed(eqx.Module):
    """For kinds that take messages: values `[time, neurons, size]`, masks `[time, neurons]`."""

    kinds: dict[int, tuple[jax.Array, jax.Array]]


def encode(plan: "Plan", inputs: Mapping[str, Any] | None, ticks: int | None) -> tuple[Fed, int]:
    """The inputs of a run as arrays, and its length."""
    machine = plan.template
    sources = [name for name, neuron in machine.neurons.items() if neuron.type.external]
    found: dict[str, tuple[Any, Any]] = {}
    for name, given in (inputs or {}).items():
        if name not in sources:
            raise UnknownNameError(f"no source is named {name!r}", "inputs", suggest(name, sources))
        found[name] = _arrays(plan, name, given)
    lengths = [values.shape[0] for values, _ in found.values()]
    if ticks is None and not lengths:
        raise InputError(
            "nothing says how long to run", "inputs", "give ticks=, or inputs of some length"
        )
    count = max(lengths) if ticks is None else ticks
    if not isinstance(count, int) or count < 0:
        raise InputError(
            f"ticks is {count!r}, expected a number of ticks", "run", "write ticks=100"
        )
    return Fed({k: _stack(plan, k, found, count) for k in plan.message_spaces}), count


def _stack(
    plan: "Plan", k: int, found: dict[str, tuple[Any, Any]], ticks: int
) -> tuple[jax.Array, jax.Array]:
    size = plan.message_spaces[k].size
    none = jnp.zeros((ticks, size), plan.dtype), jnp.zeros(ticks, bool)
    pairs = [_fit(*found[name], ticks) if name in found else none for name in plan.kinds[k].names]
    return jnp.stack([v for v, _ in pairs], 1), jnp.stack([m for _, m in pairs], 1)


def _fit(values: Any, present: Any, ticks: int) -> tuple[Any, Any]:
    """Cut to the run's length, or go on with nothing."""
    missing = ticks - values.shape[0]
    if missing <= 0:
        return values[:ticks], present[:ticks]
    return jnp.pad(values, ((0, missing), (0, 0))), jnp.pad(present, (0, missing))


def _arrays(plan: "Plan", name: str, given: Any) -> tuple[Any, Any]:
    """One source's values `[time, size]` and its mask `[time]`."""
    space = message_space(plan.template.neurons[name].parameters)
    bare, present = masked(name, given)
    if isinstance(bare, str) or (isinstance(bare, (list, tuple)) and not _plain(bare)):
        trees = read_messages(plan.template, name, given)
        values, present = _from_trees(name, trees, space, plan.dtype)
    elif isinstance(bare, vv.Flat):
        values = _fitting(repr(name), lambda: vv.flatten(bare, space)).data
    else:
        values = _rows(name, bare)
        if values.shape[1] != space.size:
            raise wrong_width(name, values.shape[1], space)
    mask = jnp.ones(values.shape[0], bool) if present is None else jnp.asarray(present, bool)
    return values.astype(plan.dtype), mask


def _plain(given: Any) -> bool:
    """Whether a list holds plain numbers alone, so that it may become an array at once."""
    return bool(given) and all(type(value) in (int, float) for value in given)


def _rows(name: str, given: Any) -> Any:
    """An array, one row a tick."""
    try:
        values = jnp.asarray(given)
    except (TypeError, ValueError):
        values = None
    if values is None or values.ndim == 0:
        raise InputError(
            f"found {type(given).__name__}, expected one value a tick",
            f"inputs of {name!r}",
            "give an array with a leading time axis, a `Flat`, a list of trees, or a text",
        )
    return values.reshape(values.shape[0], -1) if values.size else values.reshape(len(values), 0)


def _from_trees(name: str, given: Any, space: vv.Space, dtype: Any) -> tuple[Any, np.ndarray]:
    rows = [
        _fitting(f"{name!r}, tick {t}", lambda tree=tree: _row(tree, space, dtype))
        for t, tree in enumerate(given)
    ]
    if not rows:
        return jnp.zeros((0, space.size), dtype), np.zeros(0, bool)
    stack = np.stack if all(isinstance(row, np.ndarray) for row in rows) else jnp.stack
    return stack(rows), np.array([tree is not None for tree in given])


def _row(tree: Any, space: vv.Space, dtype: Any) -> Any:
    """A tree as a vector; slot by slot where no number may be traced, which is faster."""
    leaves = dict(vv.entries({} if tree is None else vv.unflatten(tree)))
    plain = not any(isinstance(leaf, jax.Array) for leaf in leaves.values())
    if not plain or any(p not in space or space.shape(p) != vv.shape_of(leaves[p]) for p in leaves):
        return vv.flatten(vv.grow(leaves), space).data.astype(dtype)
    row = np.zeros(space.size, dtype)
    for path, leaf in leaves.items():
        row[space.slot(path)] = np.ravel(np.asarray(leaf, dtype))
    return row


def _fitting(name: str, attempt: Any) -> Any:
    try:
        return attempt()
    except SpaceError as error:
        raise InputError(
            error.what, f"inputs of {name}", "declare what may arrive: source(tokens=...) or space="
        ) from None
