"""From a machine to arrays and back: `lower` and `lift`."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import InputError
from snakebird.lowering._lowered import Lowered
from snakebird.lowering._parameters import restored, split
from snakebird.lowering._plan import Plan
from snakebird.lowering._resume import Room
from snakebird.machines import Machine


def lower(
    machine: Machine,
    *,
    record: Any = None,
    grow: Any = None,
    dense: bool | None = None,
    checkpoint: bool | int = False,
    dtype: Any = None,
) -> Lowered:
    """A machine as an Equinox module of a few arrays that runs compiled, with the same answers.

    * `record`: the ports to keep (`"all"`, one, or a list; a path into a stream keeps that part
      alone, `"n.port.:number"` the number at its root); by default those of `output`
      neurons, or all where there is none. What cannot reach them is not computed.
    * `grow`: room for streams that grow for ever: a number of ticks, or a mapping from outputs
      to spaces, paths or trees.
    * `dense`: force the down movement to be a matrix product (True) or a sum over links
      (False); by default the cheaper one, block by block.
    * `checkpoint`: for gradients over long runs: keep the state only every so many ticks (every
      square root of the ticks for True) and compute the ticks between them again.
    * `dtype`: of all numbers; by default JAX's current float.

    Raises `GrowthError` for a stream that never stops growing.

    >>> m = Machine({"n": "timer"}, ["n.timer <- n.timer"])
    >>> lower(m)(ticks=3).number("n.timer").tolist()
    [1.0, 2.0, 3.0]
    """
    dtype = jnp.dtype(jnp.result_type(float) if dtype is None else dtype)
    _check_options(grow, checkpoint, dtype)
    plan = Plan(machine, dtype, record, grow, dense, checkpoint)
    weights = jnp.asarray([float(link.weight) for link in machine.links] or np.zeros(0), dtype)
    start = jnp.asarray(vv.flatten(machine.start, plan.start_space).data, dtype)
    numbers = tuple(
        jax.tree.map(
            lambda *leaves: jnp.stack(leaves),
            *[split(machine.neurons[n], dtype).numbers for n in kind.names],
        )
        for kind in plan.kinds
    )
    return Lowered(weights, start, numbers, plan)


def _check_options(grow: Any, checkpoint: Any, dtype: Any) -> None:
    """Raise `InputError` for options of the wrong kind."""
    ticks = isinstance(grow, int) and not isinstance(grow, bool) and grow >= 0
    if not (grow is None or ticks or isinstance(grow, (Mapping, Room))):
        raise InputError(
            f"grow is {grow!r}, expected a number of ticks or a mapping from outputs to spaces",
            "lower",
            'write grow=100, or grow={"neuron.output": space}',
        )
    if not isinstance(checkpoint, int) or checkpoint < 0:
        raise InputError(
            f"checkpoint is {checkpoint!r}, expected True, False or a number of ticks",
            "lower",
            "write checkpoint=True",
        )
    if not jnp.issubdtype(dtype, jnp.floating):
        raise InputError(f"dtype is {dtype}, expected a float", "lower", "write dtype=jnp.float32")


def lift(low: Lowered) -> Machine:
    """The machine of a lowered one, trained numbers included: the exact inverse of `lower`.

    A number that training left alone keeps its original form (an int stays an int); others are
    the shortest decimals that lower to the same. The fixed links by which a Self that nothing
    changes keeps its matrix belong to the structure: they stay as they were.
    """
    plan, machine = low.plan, low.plan.template
    links = [
        link
        if k in plan.structural or np.asarray(float(link.weight), plan.dtype) == new
        else link.scaled(_shortest(new))
        for k, (link, new) in enumerate(zip(machine.links, np.asarray(low.weights), strict=True))
    ]
    neurons = dict(machine.neurons)
    for kind, numbers in zip(plan.kinds, low.numbers, strict=True):
        for row, name in enumerate(kind.names):
            own = jax.tree.map(itemgetter(row), numbers)
            neurons[name] = restored(neurons[name], own, plan.dtype)
    return machine.replace(links=links, neurons=neurons, start=_restored_start(low))


def _shortest(number: Any) -> float:
    """The shortest decimal that is this number in its own precision: 0.1, not 0.10000000149."""
    return float(str(np.asarray(number)[()]))


def _restored_start(low: Lowered) -> Any:
    machine, space = low.plan.template, low.plan.start_space
    old = np.asarray(vv.flatten(machine.start, space).data, low.plan.dtype)
    new = np.asarray(low.start)
    if np.array_equal(old, new):
        return machine.start
    leaves = {path: new[space.slot(path)] for path in space.paths}
    same = {
        path for path in space.paths if np.array_equal(old[space.slot(path)], new[space.slot(path)])
    }

    def leaf(path: vv.Path, old: Any) -> Any:
        if path in same:
            return old
        new = leaves[path].reshape(space.shape(path))
        return new if space.shape(path) else _shortest(new)

    filled: dict[str, Any] = {}
    waiting: list[tuple[dict[str, Any], Any, vv.Path]] = [(filled, machine.start, ())]
    while waiting:
        made, node, at = waiting.pop()
        for key, branch in node.items():
            path = at if key == vv.NUMBER else (*at, key)
            if isinstance(branch, dict):
                made[key] = {}
                waiting.append((made[key], branch, path))
            else:
                made[key] = leaf(path, branch)
    return filled
