"""Things that swing: a nerve, a pendulum, two species, and yeast that digests sugar."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

import snakebird as sb
from benchmarks.problems._case import Case, hole, noisy, solved
from snakebird.synthesis.laws import default_library, polynomials, terms


class FitzHughNagumo(eqx.Module):
    """R. FitzHugh, Biophysical Journal 1, 1961: the cubic is unknown."""

    cubic: sb.Hole

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        v, w = y["v"], y["w"]
        return {"v": self.cubic(v) - w + 0.5, "w": 0.08 * (v + 0.7 - 0.8 * w)}


def nerve(seed: int, *, both: bool = True) -> sb.Trajectories:
    """200 times to 100, noise 1%."""
    times = np.linspace(0, 100, 200)
    rate = lambda t, y: [y[0] - y[0] ** 3 / 3 - y[1] + 0.5, 0.08 * (y[0] + 0.7 - 0.8 * y[1])]
    seen = noisy(solved(rate, [-1.0, 1.0], times), 0.01, seed)
    columns = {"v": seen[:, 0], "w": seen[:, 1]} if both else {"v": seen[:, 0]}
    return sb.Trajectories.of(times, columns)


class Pendulum(eqx.Module):
    """A damped pendulum of which only the angle is seen: the friction is unknown."""

    friction: sb.Hole

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        return {"p": -9.81 * jnp.sin(y["q"]) + self.friction(y["p"]), "q": y["p"]}

    def observe(self, t: Any, y: Any, args: Any) -> Any:
        return {"angle": y["q"]}


def swings(seed: int) -> sb.Trajectories:
    """Three releases, ten seconds at 20 Hz, noise 1%."""
    times = np.arange(200) / 20
    rate = lambda t, y: [y[1], -9.81 * np.sin(y[0]) - 0.2 * y[1] - 0.05 * y[1] * abs(y[1])]
    runs = []
    for number, angle in enumerate((0.5, 1.2, 2.2)):
        seen = noisy(solved(rate, [angle, 0.0], times)[:, :1], 0.01, 10 * seed + number)
        runs.append((times, {"angle": seen[:, 0]}))
    return sb.Trajectories.of(runs)


class OneSpecies(eqx.Module):
    """Lotka-Volterra of which only the prey is seen."""

    unknown: sb.Hole

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        a, b = self.unknown(y["x"], y["y"])
        return {"x": 1.3 * y["x"] + a, "y": -1.8 * y["y"] + b}

    def observe(self, t: Any, y: Any, args: Any) -> Any:
        return {"x": y["x"]}


def prey(seed: int) -> sb.Trajectories:
    """31 times to 3, noise 0.5% of the mean."""
    times = np.arange(31) / 10
    rate = lambda t, y: [1.3 * y[0] - 0.9 * y[0] * y[1], 0.8 * y[0] * y[1] - 1.8 * y[1]]
    exact = solved(rate, [0.44249296, 4.6280594], times)
    scatter = np.random.default_rng(seed).standard_normal(31)
    return sb.Trajectories.of(times, {"x": exact[:, 0] + 0.005 * exact[:, 0].mean() * scatter})


class Glycolysis(eqx.Module):
    """Seven states, of which NADH and ATP are seen: how ATP slows its own making is unknown.

    J. Wolf, R. Heinrich, Biochemical Journal 345, 2000, with the constants of B. C. Daniels,
    I. Nemenman, PLoS ONE 10, 2015, e0119821: sugar s1, triose s2, bisphosphoglycerate s3,
    pyruvate and acetaldehyde s4, NADH s5, ATP s6, s4 outside the cell s7. The unknown law is
    100 s6/(1 + (s6/0.52)^4), times s1.
    """

    intake: sb.Hole

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        return pathway(y, y["s1"] * self.intake(y["s6"]))


def pathway(y: Any, taken: Any) -> dict[str, Any]:
    """The rates, given how fast sugar is taken."""
    split, spent = 6.0 * y["s2"] * (1.0 - y["s5"]), 12.0 * y["s2"] * y["s5"]
    made, drawn = 16.0 * y["s3"] * (4.0 - y["s6"]), 100.0 * y["s4"] * y["s5"]
    leak = 13.0 * (y["s4"] - y["s7"])
    return {
        "s1": 2.5 - taken,
        "s2": 2 * taken - split - spent,
        "s3": split - made,
        "s4": made - drawn - leak,
        "s5": split - drawn - spent,
        "s6": -2 * taken + 2 * made - 1.28 * y["s6"],
        "s7": 0.1 * leak - 1.8 * y["s7"],
    }


SUGAR = {"s1": 1.0, "s2": 1.0, "s3": 0.1, "s4": 0.2, "s5": 0.2, "s6": 1.5, "s7": 0.1}
"""Where it starts, which is not known either."""


def sugar(seed: int) -> sb.Trajectories:
    """NADH and ATP at 100 times to 5, noise 1%."""

    def rate(t: Any, state: Any) -> list[Any]:
        y = dict(zip(SUGAR, state, strict=True))
        taken = 100 * y["s1"] * y["s6"] / (1 + (y["s6"] / 0.52) ** 4)
        return list(pathway(y, taken).values())

    times = np.linspace(0, 5, 100)
    exact = solved(rate, list(SUGAR.values()), times, "LSODA")
    seen = noisy(exact[:, 4:6], 0.01, seed)
    return sb.Trajectories.of(times, {"s5": seen[:, 0], "s6": seen[:, 1]})


def missed(fit: sb.fitting.Fit, laws: sb.synthesis.Laws) -> str:
    """How far the fit stays from the noise that is in the data."""
    least = 0.01 * fit.data[0].table.std(0)
    times = [f"{size / own:.0f}" for size, own in zip(fit.noise.values(), least, strict=True)]
    return f"misses the data: noise of {', '.join(fit.noise)} {', '.join(times)} times the true one"


def cases() -> dict[str, Case]:
    """All of them by name."""
    cubic = hole("v", "rate")
    friction = default_library("p") + terms("p", "Abs(p)", "p*Abs(p)")
    intake = polynomials("s6", 4) + terms("s6", "s6/(1 + (s6/K)**4)", inner={"K": 1.0})
    guess = {"s1": 0.8, "s2": 0.8, "s3": 0.1, "s4": 0.2, "s5": 0.2, "s6": 1.4, "s7": 0.1}
    return {
        "FitzHugh-Nagumo, v and w": Case(
            lambda: FitzHughNagumo(cubic), nerve, {}, "cubic",
            default_library("v"), {"rate": {"v", "v**3"}},
        ),
        "FitzHugh-Nagumo, v alone": Case(
            lambda: FitzHughNagumo(cubic), lambda seed: nerve(seed, both=False),
            {"y0": {"v": -1.0, "w": 0.5}}, "cubic",
            default_library("v"), {"rate": {"v", "v**3"}},
        ),
        "pendulum, angle only": Case(
            lambda: Pendulum(hole("p", "force")), swings, {"y0": {"p": 0.0, "q": 1.0}},
            "friction", friction, {"force": {"p", "p*Abs(p)"}},
        ),
        "Lotka-Volterra, one species seen": Case(
            lambda: OneSpecies(hole("x y", "dx dy")), prey, {"y0": {"x": 0.44, "y": 4.6}},
            "unknown", default_library("x y"), {"dx": {"x*y"}, "dy": {"x*y"}},
        ),
        "glycolysis, 2 of 7 states seen": Case(
            lambda: Glycolysis(hole("s6", "rate", positive=True)), sugar, {"y0": guess},
            "intake", intake, {"rate": {"s6/(1 + s6**4/K**4)"}}, missed, 1,
        ),
    }  # fmt: skip
