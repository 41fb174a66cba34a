"""What tells one equation from another: what it gives at a few states."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def equation_of(problem: Any, phi: Any, batch: Any) -> str:
    """What the equations give at a few states and times, as text: another where they are others.

    It is of seven digits of the largest, so that the last ones, which may round otherwise, and what
    cancels do not count; empty where the equations cannot be asked.
    """
    try:
        theta, const, y0 = problem._lanes(jnp.asarray(phi), batch)
        found = jax.jit(jax.vmap(_rates(problem)))(batch.times[0], y0, theta, const)
        rates = np.asarray(found, float).ravel()
        largest = float(np.abs(rates).max())
        size = 10.0 ** np.floor(np.log10(largest)) if largest > 0 else 1.0
        return " ".join(f"{x:.7f}" for x in np.round(rates / size, 7) + 0.0)
    except Exception:  # a model may fail where it is asked here, and be fine where it is solved
        return ""


_SHIFTS = ((0.0, 0.0), (0.1, 0.13), (-0.3, 0.4), (0.7, 1.0))
"""By how much of its size the state is moved, and of the time of the data, where it is asked."""


def _rates(problem: Any) -> Callable[..., Any]:
    """`rates(times [n], y0 [d], theta, const)`: rates and columns where equations are compared."""
    field = problem.field

    def rates(times: Any, y0: Any, theta: Any, const: Any) -> Any:
        found = []
        for move, along in _SHIFTS:
            t = times[0] + along * (times[-1] - times[0])
            y = y0 + move * jnp.asarray(problem.scale) * jnp.cos(jnp.arange(len(y0)))
            given = (t, y, theta, const)
            if field.past is not None:
                past = jax.tree.map(lambda _, y=y: 0.9 * y, field.delays(theta, const))
                found.append(field.past(t, y, past, theta, const))
            elif field.parts:
                found += [part(*given) for part in field.parts]
            else:
                found.append(field(*given))
            found.append(problem._predict(*given))
        return jnp.concatenate(found)

    return rates
