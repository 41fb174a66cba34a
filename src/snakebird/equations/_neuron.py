"""A differential equation as a neuron: each tick solves it over one stretch of time."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import diffrax as dfx
import jax

from snakebird import vvalues as vv
from snakebird.neurons import Neuron, NeuronType

Y = "y"
"""The port that holds the solution, as the difference from `y0`, from tick to tick."""


def solve_neuron(
    field: Callable[[Any, Any, Any], Any],
    y0: vv.VValue,
    *,
    inputs: tuple[str, ...] = (),
    duration: float = 1.0,
    solver: dfx.AbstractSolver | None = None,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    max_steps: int = 4096,
    train: bool = True,
) -> Neuron:
    """A neuron that carries `dy/dt = field(t, y, args)` forward by `duration` each tick.

    `y` is a number, an array or a tree of them, shaped like `y0`; `args` is a dict of the
    neuron's inputs, held constant during the tick. `field` may be an `eqx.Module`, whose arrays
    are then the neuron's parameters (trainable unless `train=False`). Outputs: `result`, the
    solution after the tick, and `y`, its difference from `y0`, which must be linked back to the
    input `y` with weight 1 (a builder does so by itself), so that zero means the start. Any diffrax
    solver will do; by default Tsit5 with adaptive steps. `t` runs from 0 to `duration` each tick.

    >>> decay = solve_neuron(lambda t, y, args: -y, 1.0)
    >>> round(float(decay.apply({})["result"]), 4)
    0.3679
    """
    space = vv.space_of(y0)
    solver = dfx.Tsit5() if solver is None else solver
    kind = _type(tuple(inputs), space, float(duration), solver, rtol, atol, max_steps)
    free = frozenset({"field"}) if train else frozenset()
    return Neuron(kind, {"field": field, "y0": y0}, free)


@lru_cache(maxsize=256)
def _type(
    inputs: tuple[str, ...],
    space: vv.Space,
    duration: float,
    solver: dfx.AbstractSolver,
    rtol: float,
    atol: float,
    max_steps: int,
) -> NeuronType:
    def call(*values: vv.VValue, field: Any, y0: Any) -> dict[str, vv.VValue]:
        *given, held = values
        args = dict(zip(inputs, map(vv.number, given), strict=True))
        first = vv.flatten(y0, space)

        def rate(t: Any, data: jax.Array, args: Any) -> jax.Array:
            return vv.flatten(field(t, _as_user(vv.Flat(space, data)), args), space).data

        solution = dfx.diffeqsolve(
            dfx.ODETerm(rate),
            solver,
            0.0,
            duration,
            None,
            vv.restrict(held, space).data + first.data,
            args=args,
            stepsize_controller=dfx.PIDController(rtol=rtol, atol=atol),
            max_steps=max_steps,
        )
        assert solution.ys is not None
        last = solution.ys[-1]
        return {"result": _as_user(vv.Flat(space, last)), Y: vv.Flat(space, last - first.data)}

    return NeuronType(
        "solve",
        call,
        inputs=(*inputs, Y),
        outputs=("result", Y),
        defaults={"field": None, "y0": 0.0},
        loops={Y: Y},
    )


def _as_user(value: vv.Flat) -> Any:
    """The value as the user wrote it: a number or array where there is only a root, else a tree."""
    if value.space.paths == ((),):
        return vv.number(value)
    leaves = {p: value.data[value.space.slot(p)].reshape(s) for p, s in value.space.items}
    return vv.grow(leaves)
