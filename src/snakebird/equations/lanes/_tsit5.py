"""The Runge-Kutta method 5(4) with a free interpolant of order 4.

Ch. Tsitouras, Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying
assumption, Computers & Mathematics with Applications 62 (2011), sections 3 and 4.
"""

from typing import Any

import diffrax as dfx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_TABLEAU = dfx.Tsit5.tableau
NODES = (0.0, *(float(c) for c in _TABLEAU.c))
"""Where in a step each of the seven stages stands; the last is the first of the next step."""
WEIGHTS = tuple(tuple(float(a) for a in row) for row in _TABLEAU.a_lower)
"""How stage s + 1 starts from the stages before it; the last row gives the new state."""
ERROR = tuple(float(e) for e in np.asarray(_TABLEAU.b_error))
STAGES = len(NODES)


def combine(weights: Any, stages: Any) -> Any:
    """The sum of stages with weights, those that are zero left out."""
    return sum(w * k for w, k in zip(weights, stages, strict=False) if w != 0)


def interpolant(s: Float[Array, "*n"]) -> Float[Array, "*n 7"]:
    """Weights of the seven stages for the state at the fraction `s` of a step.

    The state there is `y + h * sum(weights * stages)`.
    """
    q = s * s
    return jnp.stack(
        [
            -1.0530884977290216
            * s
            * (s - 1.3299890189751412)
            * (q - 1.4364028541716351 * s + 0.7139816917074209),
            0.1017 * q * (q - 2.1966568338249754 * s + 1.2949852507374631),
            2.490627285651252793 * q * (q - 2.38535645472061657 * s + 1.57803468208092486),
            -16.54810288924490272 * q * (s - 1.21712927295533244) * (s - 0.61620406037800089),
            47.37952196281928122 * q * (s - 1.203071208372362603) * (s - 0.658047292653547382),
            -34.87065786149660974 * q * (s - 1.2) * (s - 2 / 3),
            2.5 * q * (s - 1) * (s - 0.6),
        ],
        axis=-1,
    )
