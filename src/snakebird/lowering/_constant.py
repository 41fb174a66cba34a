"""Whether Self ever changes the matrix it carries."""

from typing import Any

import numpy as np

from snakebird import vvalues as vv
from snakebird.machines import Machine, tick


def carries_constant_matrix(machine: Machine) -> bool:
    """Whether the matrix stays what it is at the start, so that it need not be read every tick.

    True only if all links into Self are fixed and come from Self itself, its start values and
    parameters are fixed, and the neuron then hands on two matrices drawn at random unchanged.
    """
    port = machine.matrix_from
    assert port is not None
    name = port[0]
    neuron = machine.neurons[name]
    rows = [link for link in machine.links if link.to == name]
    free = neuron.trainable or any(path[0] == name for path in machine.free_start)
    if (
        free
        or neuron.type.feeds
        or any(link.trainable or link.instant or link.source[0] != name for link in rows)
    ):
        return False
    alone = Machine({name: neuron}, rows, {name: machine.start.get(name, {})}, matrix_from=port)
    rng = np.random.default_rng(0)
    for _ in range(2):
        other = {
            path: float(rng.normal()) for path, _ in vv.entries(machine.matrix) if path[0] != name
        }
        before = vv.add(
            alone.first_outputs, {name: vv.grow({(*port[1:], *p): w for p, w in other.items()})}
        )
        if not _stays(alone, before, name):
            return False
    return True


def _stays(machine: Machine, before: Any, name: str) -> bool:
    after = tick(machine, before).outputs
    return vv.canonical(after.get(name, {})) == vv.canonical(before.get(name, {}))
