"""Outbreaks: how people fall ill is unknown."""

from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import snakebird as sb
from benchmarks.problems._case import Case, hole, solved
from snakebird.synthesis.laws import default_library, polynomials, saturating, terms

POPULATION = 20000.0


class Daily(eqx.Module):
    """Susceptible and infected shares, new cases seen: how they come about is unknown."""

    incidence: sb.Hole

    def start(self, args: Any) -> Any:
        return {"I": 0.002, "S": 0.998}

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        new = self.incidence(y["S"], y["I"])
        return {"I": new - 0.25 * y["I"], "S": -new}

    def observe(self, t: Any, y: Any, args: Any) -> Any:
        return {"cases": POPULATION * self.incidence(y["S"], y["I"])}


class Switching(eqx.Module):
    """As `Daily`, but what is unknown is how infectious each day was."""

    contact: sb.Hole

    def start(self, args: Any) -> Any:
        return {"I": 0.002, "S": 0.998}

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        new = self.contact(t) * y["S"] * y["I"]
        return {"I": new - 0.25 * y["I"], "S": -new}

    def observe(self, t: Any, y: Any, args: Any) -> Any:
        return {"cases": POPULATION * self.contact(t) * y["S"] * y["I"]}


def switched(t: Any) -> Any:
    """Contacts a day: many, few from day 20 on, many again from day 35 on."""
    return np.where(t < 20, 0.45, np.where(t < 35, 0.2, 0.5))


def counted(new: Any, seed: int, *stops: float) -> sb.Trajectories:
    """Sixty daily counts, Poisson, of `new(t, S, I)`, solved anew from each stop on."""
    times, edges = np.arange(1.0, 61.0), [0.0, *stops, 60.0]
    rate = lambda t, y: [new(t, y[1], y[0]) - 0.25 * y[0], -new(t, y[1], y[0])]
    y, path = np.array([0.002, 0.998]), []
    for low, high in pairwise(edges):
        # The rate on the left of a stop is the one of the days before it.
        before = lambda t, y, high=high: rate(min(t, np.nextafter(high, 0)), y)
        days = times[(times > low) & (times <= high)]
        path.append(solved(before, y, np.concatenate([[low], days]))[1:])
        y = path[-1][-1]
    states = np.concatenate(path)
    mean = POPULATION * new(times, states[:, 1], states[:, 0])
    counts = np.random.default_rng(seed).poisson(mean).astype(float)
    return sb.Trajectories.of(times, {"cases": counts})


def curve(fit: sb.fitting.Fit, laws: sb.synthesis.Laws) -> str:
    """How near the hole's curve comes, and whether any law meets the data as well."""
    days = np.setdiff1d(np.arange(1.0, 61.0), (19, 20, 21, 34, 35, 36))
    with jax.enable_x64(True):
        found = np.asarray(fit.holes["contact"](jnp.asarray(days)))
    off = np.sqrt(np.mean((found / switched(days) - 1) ** 2))
    miss = lambda one: float(np.mean(one.residual[: one.batch.mask.size] ** 2))
    return (
        f"curve {off:.1%} off away from the switches; mean square residual of the hole "
        f"{miss(fit):.2f}, of the best law {miss(laws[0].fit):.2f}"
    )


class Exposure(eqx.Module):
    """Covid-19 in seven compartments: how the susceptible are exposed is unknown.

    C. Rackauckas et al., arXiv 2001.04385, with the constants of its repository: susceptible S,
    exposed E, infected I, removed R, all N, severe cases and deaths D, all cases C, and contacts
    0.5944 (1 - 0.4239) (1 - D/N)^1117.3, which is to be found as a function of S/N, I and D/N.
    """

    exposure: sb.Hole

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        return compartments(y, self.exposure(y["S"] / y["N"], y["I"], y["D"] / y["N"]))


START = {"S": 0.9 * 14e6, "E": 0.0, "I": 0.0, "R": 0.0, "N": 14e6, "D": 0.0, "C": 0.0}


def compartments(y: Any, exposed: Any) -> dict[str, Any]:
    """The rates a day, given how many are exposed."""
    leaving, falling = 0.02, y["E"] / 3
    outside = 0.5944 * 10.0 * y["S"] / y["N"]
    return {
        "S": -outside - exposed - leaving * y["S"],
        "E": outside + exposed - falling - leaving * y["E"],
        "I": falling - (0.2 + leaving) * y["I"],
        "R": 0.2 * y["I"] - leaving * y["R"],
        "N": -leaving * y["N"],
        "D": 0.2 * 0.2 * y["I"] - y["D"] / 11.2,
        "C": falling,
    }


def epidemic(times: Any) -> dict[str, np.ndarray]:
    """The exact solution, by compartment."""

    def rate(t: Any, state: Any) -> list[Any]:
        y = dict(zip(START, state, strict=True))
        contacts = 0.5944 * (1 - 0.4239) * (1 - y["D"] / y["N"]) ** 1117.3
        return list(compartments(y, contacts * y["S"] / y["N"] * y["I"]).values())

    exact = solved(rate, list(START.values()), times)
    return dict(zip(START, exact.T, strict=True))


def three_weeks(seed: int) -> sb.Trajectories:
    """Exposed, infected and removed, day by day; noise 0.5% of each mean."""
    times = np.arange(22.0)
    exact = epidemic(times)
    rng = np.random.default_rng(seed)
    noise = {k: 0.005 * exact[k].mean() * rng.standard_normal(22) for k in "EIR"}
    return sb.Trajectories.of(times, {k: exact[k] + noise[k] for k in "EIR"})


def day_sixty(fit: sb.fitting.Fit, laws: sb.synthesis.Laws) -> str:
    """The errors of the infected at day 60: of the hole, and of its law."""
    truth = epidemic(np.array([0.0, 60.0]))["I"][-1]
    off = lambda one: abs(one.predict([60.0])["I"][0] / truth - 1)
    return f"infected at day 60: hole {off(fit):.1%} off, law {off(laws[0].fit):.1%}"


def cases() -> dict[str, Case]:
    """All of them by name."""
    rational = polynomials("S I", 3, constant=False) + saturating("S I")
    slowed = terms("s I d", "s*I*exp(-K*d)", inner={"K": 500.0})
    start = {name: sb.Fixed(value) for name, value in START.items()}
    return {
        "SIR, saturating incidence, Poisson": Case(
            lambda: Daily(hole("S I", "new", positive=True)),
            lambda seed: counted(lambda t, s, i: 0.6 * s * i / (1 + 4.0 * i), seed),
            {"noise": sb.fitting.Poisson(), "t0": 0.0}, "incidence",
            rational, {"new": {"I*S/(I + K)"}},
        ),
        "SIR, contacts that switch, Poisson": Case(
            lambda: Switching(hole("t", "contacts", positive=True)),
            lambda seed: counted(lambda t, s, i: switched(t) * s * i, seed, 20.0, 35.0),
            {"noise": sb.fitting.Poisson(), "t0": 0.0}, "contact", default_library("t"), {}, curve,
        ),
        "SEIR, exposure, 21 of 60 days": Case(
            lambda: Exposure(hole("s I d", "exposed")), three_weeks, {"y0": start}, "exposure",
            polynomials("s I d", 3) + slowed, {"exposed": {"I*s"}}, day_sixty,
        ),
    }  # fmt: skip
