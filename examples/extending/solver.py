# slow
"""A solver of your own: any Runge-Kutta method, written as diffrax has them.

This one is A. Ralston's of order 3 (Mathematics of Computation 16, 1962), with an embedded method
of order 2 that estimates the error, so that its steps adapt.
"""

from collections.abc import Callable
from typing import ClassVar

import diffrax as dfx
import jax
import numpy as np

import snakebird as sb

TABLEAU = dfx.ButcherTableau(
    a_lower=(np.array([1 / 2]), np.array([0.0, 3 / 4])),
    b_sol=np.array([2 / 9, 1 / 3, 4 / 9]),
    b_error=np.array([2 / 9 - 0.0, 1 / 3 - 1.0, 4 / 9 - 0.0]),
    c=np.array([1 / 2, 3 / 4]),
)


class Ralston3(dfx.AbstractERK):
    """Three stages a step; the difference to the midpoint method is its error."""

    tableau: ClassVar[dfx.ButcherTableau] = TABLEAU
    interpolation_cls: ClassVar[Callable] = dfx.ThirdOrderHermitePolynomialInterpolation.from_k

    def order(self, terms):
        """The order of the solution."""
        return 3


def decay(t, y, rate):
    return -rate * y


found = sb.solve(
    decay, 1.0, [0.0, 1.0], args=2.0, solver=sb.equations.Diffrax(Ralston3(), rtol=1e-6)
)
assert abs(float(found.states[-1]) - np.exp(-2.0)) < 1e-4

# Of order 3: with steps half as long the error is an eighth.
with jax.enable_x64(True):
    errors = [
        abs(
            float(sb.solve(decay, 1.0, [0.0, 1.0], args=2.0, solver=solver).states[-1]) - np.exp(-2)
        )
        for solver in (
            sb.equations.Diffrax(Ralston3(), step=0.1),
            sb.equations.Diffrax(Ralston3(), step=0.05),
        )
    ]
assert 7 < errors[0] / errors[1] < 9.5
