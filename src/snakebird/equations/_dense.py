"""One step of the pair of Dormand and Prince, and the polynomial that joins its two ends.

Source: Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I (1993), table II.5.2
(the method and its error estimate) and section II.6 (the polynomial, in the form of their code
DOPRI5: of degree 4, with the value and slope of the step at both ends).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

ORDER = 5

NODES = np.array([0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1])
"""When the field is evaluated, in steps; at 1 twice."""

_STAGES = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_ERROR = (71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
_MIDDLE = (
    -12715105075 / 11282082432,
    0,
    87487479700 / 32700410799,
    -10690763975 / 1880347072,
    701980252875 / 199316789632,
    -1453857185 / 822651844,
    69997945 / 29380423,
)


def step(
    rate: Callable[[int, jax.Array], jax.Array], y: Inexact[Array, "d"], h: Inexact[Array, ""]
) -> tuple[Inexact[Array, "d"], Inexact[Array, "5 d"], Inexact[Array, "d"]]:
    """The state after a step of `h`, the polynomial of the step, and the estimate of its error.

    `rate(k, y)` is the field at node `k` of `NODES`.
    """
    slopes: list[jax.Array] = []
    after = y
    for k, row in enumerate(_STAGES):
        after = y + h * _mix(row, slopes) if row else y
        slopes.append(rate(min(k, len(NODES) - 1), after))
    rise = after - y
    low = h * slopes[0] - rise
    pieces = [y, rise, low, rise - h * slopes[-1] - low, h * _mix(_MIDDLE, slopes)]
    return after, jnp.stack(pieces), h * _mix(_ERROR, slopes)


def evaluate(
    pieces: Inexact[Array, "*n 5 d"], part: Inexact[Array, "*n"]
) -> Inexact[Array, "*n d"]:
    """The polynomial after a part of its step, 0 at the start and 1 at the end."""
    x = part[..., None]
    p0, p1, p2, p3, p4 = (pieces[..., k, :] for k in range(5))
    return p0 + x * (p1 + (1 - x) * (p2 + x * (p3 + (1 - x) * p4)))


def _mix(weights: tuple[float, ...], slopes: list[jax.Array]) -> jax.Array:
    parts = [w * k for w, k in zip(weights, slopes, strict=True) if w]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
