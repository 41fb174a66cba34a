"""How often the law comes back: Lotka-Volterra with both interactions unknown, 40 draws a cell.

The problem, its parameters and what others reach with it: C. Rackauckas et al., Universal
differential equations for scientific machine learning, arXiv 2001.04385, and its repository.
"""

import time
from typing import Any

import equinox as eqx
import jax
import numpy as np
from scipy.integrate import solve_ivp

import snakebird as sb
from snakebird.synthesis.laws import polynomials, trigonometric

START = (0.44249296, 4.6280594)
PARAMETERS = (1.3, 0.9, 0.8, 1.8)
NOISES = (0.001, 0.005, 0.01, 0.025, 0.05)
SPARSE_NOISES = (0.005, 0.025)
SEEDS = 40
SPARSE = (0, 10, 20, 30, 40, 50, 60)
"""Where the second state is seen in the sparse case."""


class LotkaVolterra(eqx.Module):
    """Growth and decay are known, what the two species do to each other is not."""

    unknown: sb.Hole

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        a, b = self.unknown(y["x"], y["y"])
        return {"x": 1.3 * y["x"] + a, "y": -1.8 * y["y"] + b}


def truth(times: Any) -> np.ndarray:
    """The exact solution at these times, `[n, 2]`."""
    a, b, c, d = PARAMETERS
    rate = lambda t, y: [a * y[0] - b * y[0] * y[1], c * y[0] * y[1] - d * y[1]]
    span = (0.0, float(times[-1]))
    out = solve_ivp(rate, span, START, t_eval=times, rtol=1e-11, atol=1e-11, method="DOP853")
    return out.y.T


def measured(noise: float, seed: int, *, sparse: bool = False) -> sb.Trajectories:
    """LV-1: 31 times to 3; LV-2: 61 times to 6, of the second state every tenth."""
    times = np.arange(61 if sparse else 31) / 10
    exact = truth(times)
    scatter = np.random.default_rng(seed).standard_normal(exact.shape)
    seen = exact + noise * exact.mean(0) * scatter
    if sparse:
        hidden = np.setdiff1d(np.arange(61), SPARSE)
        seen[hidden, 1] = np.nan
    return sb.Trajectories.of(times, dict(zip("xy", seen.T, strict=True)))


def library() -> Any:
    """Monomials to degree 5 and two sines: 23 terms."""
    return polynomials("x y", 5) + trigonometric("x y", functions=("sin",))


def cell(noise: float, *, sparse: bool = False, seeds: int = SEEDS) -> dict[str, Any]:
    """All draws of one noise level as one batch."""
    begun = time.perf_counter()
    data = [measured(noise, seed, sparse=sparse) for seed in range(seeds)]
    model = LotkaVolterra(sb.Hole("x y", "dx dy", key=jax.random.key(0)))
    fits = sb.fitting.fit_many(model, data)
    fitted = time.perf_counter() - begun
    found = sb.synthesis.discover_many(fits, library=library())
    total = time.perf_counter() - begun
    ranks = [_rank(laws) for laws in found]
    right = [laws for laws, rank in zip(found, ranks, strict=True) if rank == 0]
    errors = np.array([_coefficient_errors(laws[0].law) for laws in right])
    far = [_extrapolation_error(laws[0]) for laws in right]
    size = noise * truth(np.arange(61 if sparse else 31) / 10).mean(0)
    good = [_fits(one, size) for one in fits]
    weights = [laws[rank].weight for laws, rank in zip(found, ranks, strict=True) if rank < 99]
    return {
        "case": "LV-2" if sparse else "LV-1",
        "noise": f"{noise:.1%}",
        "draws": seeds,
        "fit succeeds": f"{np.mean(good):.1%}",
        "form first": f"{np.mean(np.array(ranks) == 0):.1%}",
        "in first three": f"{np.mean(np.array(ranks) < 3):.1%}",
        "median weight of the truth": float(np.median(weights)),
        "median coefficient error": f"{np.median(errors):.2%}",
        "worst coefficient error": f"{np.max(errors):.2%}",
        "median error to 4 horizons": f"{np.median(far):.2%}",
        "worst error to 4 horizons": f"{np.max(far):.2%}",
        "fit s a run": fitted / seeds,
        "all s a run": total / seeds,
    }


def _fits(fit: sb.fitting.Fit, size: np.ndarray) -> bool:
    """Whether the fit reaches the noise: its residuals are no larger than the noise, in truth."""
    table = fit.data[0].table
    predicted = np.stack(list(fit.predict().values()), axis=1)
    root = np.sqrt(np.nanmean((predicted - table) ** 2, axis=0))
    return bool((root < 1.5 * size).all())


def _rank(laws: sb.synthesis.Laws) -> int:
    """At which place the true form stands; 99 if nowhere."""
    for place, one in enumerate(laws):
        forms = [set(terms) for terms in one.law.coefficients.values()]
        if all(len(form) == 1 and str(next(iter(form))) == "x*y" for form in forms):
            return place
    return 99


def _coefficient_errors(law: sb.synthesis.Law) -> tuple[float, float]:
    """The relative errors of the two coefficients."""
    (a,), (b,) = (list(map(float, terms.values())) for terms in law.coefficients.values())
    return abs(a / -0.9 - 1), abs(b / 0.8 - 1)


def _extrapolation_error(one: Any) -> float:
    """The root mean square error over four horizons, relative to that of the states."""
    until = 4 * float(one.fit.data[0].times[-1])
    times = np.linspace(0, until, 241)
    exact = truth(times)
    ours = np.stack(list(one.fit.predict(times).values()), axis=1)
    return float(np.sqrt(np.mean((ours - exact) ** 2) / np.mean(exact**2)))


def recovery() -> dict[str, list[dict[str, Any]]]:
    """All noise levels of the dense case, two of the sparse one."""
    return {
        "LV-1": [cell(noise) for noise in NOISES],
        "LV-2": [cell(noise, sparse=True) for noise in SPARSE_NOISES],
    }
