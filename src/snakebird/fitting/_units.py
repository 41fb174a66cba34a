"""Holes in units of the data: what goes through each is near one, whatever the data's units."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from snakebird.equations import Hole, holes, resolve, with_holes
from snakebird.fitting._field import rate_of
from snakebird.fitting._smooth import Curves
from snakebird.fitting._trajectories import Trajectories

_LOOKED_AT = 40
"""At how many points of the data a hole is looked at."""


def in_units(
    model: Any,
    data: Trajectories,
    curves: tuple[Curves, ...],
    states: np.ndarray,
    unravel: Any,
    base: np.ndarray,
    args: Any,
) -> Any:
    """The model, each hole scaled by what it sees and by what it has to explain."""
    if not holes(model):
        return model
    points = _points(data, curves, states, base)
    seen = [
        _look(model, t, unravel(jnp.asarray(y)), {**(args or {}), **own} if own else args)
        for t, y, _, own in points
    ]
    speed = _speed(points, states)
    out = {}
    for name in holes(model):
        inputs = np.array([x for one in seen for x in one.get(name, [])], float)
        inputs = inputs[np.isfinite(inputs).all(1)] if inputs.size else inputs
        if not inputs.size:
            continue
        width = np.std(inputs, 0)
        center = np.mean(inputs, 0)
        out[name] = center, np.where(width > 1e-9, width, np.maximum(np.abs(center), 1.0))

    def scaled(name: str, hole: Hole) -> Hole:
        if name not in out:
            return hole
        center, width = out[name]
        return hole.scaled(center, width, np.full(len(hole.outputs), speed))

    return with_holes(model, scaled)


class _Spy:
    """Stands in for a hole: notes what it is asked, also inside JAX's loops; answers zero."""

    def __init__(self, hole: Hole):
        self.inputs, self.outputs = hole.inputs, hole.outputs
        self.asked: list[np.ndarray] = []

    def __call__(self, *values: Any) -> Any:
        if any(isinstance(value, Tracer) for value in values):
            jax.debug.callback(self._note, *values)
        else:
            self._note(*values)
        shape = jnp.broadcast_shapes(*(jnp.shape(value) for value in values))
        return jnp.zeros(shape if len(self.outputs) == 1 else (len(self.outputs), *shape))

    def many(self, x: Any) -> Any:
        """All inputs as one array, and all outputs."""
        out = self(*jnp.moveaxis(x, -1, 0))
        return out[..., None] if len(self.outputs) == 1 else jnp.moveaxis(out, 0, -1)

    array = many

    def _note(self, *values: Any) -> None:
        given = np.broadcast_arrays(*(np.asarray(value, float) for value in values))
        self.asked.extend(np.stack(given, -1).reshape(-1, len(given)))


def _look(model: Any, t: float, y: Any, args: Any) -> dict[str, list[np.ndarray]]:
    spies: dict[str, _Spy] = {}

    def spied(name: str, hole: Hole) -> Any:
        spies[name] = _Spy(hole)
        return spies[name]

    with jax.disable_jit():
        rate_of(resolve(with_holes(model, spied)), jnp.asarray(t), y, args)
    jax.effects_barrier()
    return {name: spy.asked for name, spy in spies.items()}


def _points(
    data: Trajectories, curves: tuple[Curves, ...], states: np.ndarray, base: np.ndarray
) -> list[tuple[float, np.ndarray, np.ndarray, dict[str, float]]]:
    """Times, states and rates along the smoothed data; unseen states stay at their start."""
    found = []
    each = max(1, _LOOKED_AT // len(curves))
    for lane, (curve, experiment) in enumerate(zip(curves, data, strict=True)):
        for i in np.unique(np.linspace(0, len(curve.times) - 1, each).astype(int)):
            y, rate = base[lane].copy(), np.zeros(base.shape[1])
            for column, entry in enumerate(states):
                if entry >= 0:
                    y[entry], rate[entry] = curve.values[i, column], curve.slopes[i, column]
            found.append((float(curve.times[i]), y, rate, dict(experiment.conditions)))
    return found


def _speed(points: Any, states: np.ndarray) -> float:
    """How fast the state changes: what a hole has to explain."""
    rates = np.array([rate for _, _, rate, _ in points])
    known = states[states >= 0]
    size = float(np.sqrt(np.mean(rates[:, known] ** 2))) if len(known) else 0.0
    if size > 0:
        return size
    span = max(points[-1][0] - points[0][0], 1e-9)
    return float(np.mean([np.abs(y).max() for _, y, _, _ in points])) / span or 1.0
