"""What a problem is, and how its data are made."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.integrate import solve_ivp

import snakebird as sb
from snakebird.synthesis.laws import Library


class Case(NamedTuple):
    """A problem: its model, its data by seed, how it is fitted, and the law to be found.

    No law is looked for without a library; `form` is empty where none of its terms is the truth;
    `besides` says what else counts, of one fit and its laws. `draws` of the noise are taken, few
    where a fit is long.
    """

    model: Callable[[], Any]
    data: Callable[[int], sb.Trajectories]
    options: dict[str, Any]
    hole: str
    library: Library | None
    form: dict[str, set[str]]
    besides: Callable[[sb.fitting.Fit, Any], str] = lambda fit, laws: "-"
    draws: int = 3


def solved(rate: Any, start: Any, times: Any, method: str = "DOP853") -> np.ndarray:
    """SciPy's solution from the first of these times on, `[n, d]`."""
    span = (float(times[0]), float(times[-1]))
    out = solve_ivp(rate, span, start, t_eval=times, rtol=1e-10, atol=1e-12, method=method)
    return out.y.T


def noisy(exact: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Gaussian noise, a share of each column's standard deviation."""
    scatter = np.random.default_rng(seed).standard_normal(exact.shape)
    return exact + share * exact.std(0) * scatter


def hole(inputs: str, outputs: str, model: Any = None, **options: Any) -> sb.Hole:
    """A hole drawn with one key."""
    return sb.Hole(inputs, outputs, model, key=jax.random.key(0), **options)
