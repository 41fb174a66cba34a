"""Stiff equations, seen at times that lie evenly on a logarithmic scale.

Their time is the logarithm of time, so that the rates are those of the source times exp(t): smooth
curves through ten decades of time itself cannot be drawn.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

import snakebird as sb
from benchmarks.problems._case import Case, hole, noisy, solved
from snakebird.synthesis.laws import polynomials


class VanDerPol(eqx.Module):
    """An oscillator, mu = 1000, as E. Hairer and G. Wanner, Solving ODEs II, IV.10, write it.

    Time is in units of mu; the damping, 1 - x^2, is unknown.
    """

    damping: sb.Hole

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        x, v = y["x"], y["v"]
        return {"v": jnp.exp(t) * 1e6 * (self.damping(x) * v - x), "x": jnp.exp(t) * v}


def relaxation(seed: int) -> sb.Trajectories:
    """Place and speed at 60 times from 1e-8 to 0.8, just before the jump; noise 1%."""
    times = np.geomspace(1e-8, 0.8, 60)
    rate = lambda t, y: [1e6 * ((1 - y[1] ** 2) * y[0] - y[1]), y[0]]
    exact = solved(rate, [0.0, 2.0], np.concatenate([[0.0], times]), "Radau")[1:]
    return sb.Trajectories.of(np.log(times), noisy(exact, 0.01, seed), names=["v", "x"])


class Robertson(eqx.Module):
    """Three substances and three reactions, H. H. Robertson, 1966: the fastest one is unknown.

    Its rate is 3e7 b^2; here, with b in units of 1e-4, 0.3 b^2. That there is none without b is
    known, so what is to be found is 0.3 b, times b.
    """

    fastest: sb.Hole

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        made = y["b"] * self.fastest(y["b"])
        gone = 0.04 * y["a"] - y["b"] * y["c"]
        rates = {"a": -gone, "b": 1e4 * (gone - made), "c": made}
        return {name: jnp.exp(t) * rate for name, rate in rates.items()}


def reactions(seed: int) -> sb.Trajectories:
    """All three at 50 times from 1e-5 to 1e5; noise 1%."""
    times = np.geomspace(1e-5, 1e5, 50)

    def rate(t: Any, y: Any) -> list[Any]:
        gone, made = 0.04 * y[0] - y[1] * y[2], 0.3 * y[1] ** 2
        return [-gone, 1e4 * (gone - made), made]

    exact = solved(rate, [1.0, 0.0, 0.0], np.concatenate([[0.0], times]), "Radau")[1:]
    return sb.Trajectories.of(np.log(times), noisy(exact, 0.01, seed), names=["a", "b", "c"])


def cases() -> dict[str, Case]:
    """All of them by name."""
    known = {"solver": sb.equations.Diffrax(), "starts": 2}
    still, full = sb.Fixed(0.0), sb.Fixed(1.0)
    return {
        "van der Pol, mu = 1000": Case(
            lambda: VanDerPol(hole("x", "damping")), relaxation,
            known | {"y0": {"v": still, "x": sb.Fixed(2.0)}, "t0": float(np.log(1e-10))},
            "damping", polynomials("x", 4), {"damping": {"1", "x**2"}}, draws=1,
        ),
        "Robertson, fastest reaction": Case(
            lambda: Robertson(hole("b", "rate", positive=True)), reactions,
            known | {"y0": {"a": full, "b": still, "c": still}, "t0": float(np.log(1e-7)),
            "stages": ["trajectories"]},
            "fastest", polynomials("b", 4), {"rate": {"b"}}, draws=1,
        ),
    }  # fmt: skip
