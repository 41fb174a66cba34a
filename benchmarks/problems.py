"""What comes back on other problems: the hole's law, its place, and what the data cannot tell.

Truths and data as in the literature each problem names; where a case is not identifiable, the
statement of the tool is part of the row.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

import snakebird as sb
from snakebird.synthesis.laws import Library, default_library, polynomials, saturating, terms

SEEDS = 5


class Case(NamedTuple):
    """A problem: its model, its data by seed, how it is fitted, and the law to be found."""

    model: Callable[[], Any]
    data: Callable[[int], sb.Trajectories]
    options: dict[str, Any]
    hole: str
    library: Library
    form: dict[str, set[str]]


def solved(rate: Any, start: Any, times: Any, method: str = "DOP853") -> np.ndarray:
    """SciPy's solution, `[n, d]`."""
    span = (float(times[0]), float(times[-1]))
    out = solve_ivp(rate, span, start, t_eval=times, rtol=1e-10, atol=1e-12, method=method)
    return out.y.T


def noisy(exact: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Gaussian noise, a share of each column's standard deviation."""
    scatter = np.random.default_rng(seed).standard_normal(exact.shape)
    return exact + share * exact.std(0) * scatter


class FitzHughNagumo(eqx.Module):
    """R. FitzHugh, Biophysical Journal 1, 1961: the cubic is unknown."""

    cubic: sb.Hole

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        v, w = y["v"], y["w"]
        return {"v": self.cubic(v) - w + 0.5, "w": 0.08 * (v + 0.7 - 0.8 * w)}


def _nerve(seed: int, *, both: bool = True) -> sb.Trajectories:
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


def _swings(seed: int) -> sb.Trajectories:
    times = np.arange(200) / 20
    rate = lambda t, y: [y[1], -9.81 * np.sin(y[0]) - 0.2 * y[1] - 0.05 * y[1] * abs(y[1])]
    runs = []
    for number, angle in enumerate((0.5, 1.2, 2.2)):
        seen = noisy(solved(rate, [angle, 0.0], times)[:, :1], 0.01, 10 * seed + number)
        runs.append((times, {"angle": seen[:, 0]}))
    return sb.Trajectories.of(runs)


class Daily(eqx.Module):
    """Susceptible and infected shares, new cases seen: how they come about is unknown."""

    incidence: sb.Hole
    population: float = 20000.0

    def start(self, args: Any) -> Any:
        return {"I": 0.002, "S": 0.998}

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        new = self.incidence(y["S"], y["I"])
        return {"I": new - 0.25 * y["I"], "S": -new}

    def observe(self, t: Any, y: Any, args: Any) -> Any:
        return {"cases": self.population * self.incidence(y["S"], y["I"])}


def _cases(seed: int) -> sb.Trajectories:
    times = np.arange(1.0, 61.0)
    new = lambda s, i: 0.6 * s * i / (1 + 4.0 * i)
    rate = lambda t, y: [new(y[1], y[0]) - 0.25 * y[0], -new(y[1], y[0])]
    path = solved(rate, [0.002, 0.998], np.concatenate([[0.0], times]))[1:]
    mean = 20000 * new(path[:, 1], path[:, 0])
    counts = np.random.default_rng(seed).poisson(mean).astype(float)
    return sb.Trajectories.of(times, {"cases": counts})


class OneSpecies(eqx.Module):
    """Lotka-Volterra of which only the prey is seen."""

    unknown: sb.Hole

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        a, b = self.unknown(y["x"], y["y"])
        return {"x": 1.3 * y["x"] + a, "y": -1.8 * y["y"] + b}

    def observe(self, t: Any, y: Any, args: Any) -> Any:
        return {"x": y["x"]}


def _prey(seed: int) -> sb.Trajectories:
    times = np.arange(31) / 10
    rate = lambda t, y: [1.3 * y[0] - 0.9 * y[0] * y[1], 0.8 * y[0] * y[1] - 1.8 * y[1]]
    exact = solved(rate, [0.44249296, 4.6280594], times)
    scatter = np.random.default_rng(seed).standard_normal(31)
    return sb.Trajectories.of(times, {"x": exact[:, 0] + 0.005 * exact[:, 0].mean() * scatter})


class Wave(eqx.Module):
    """R. A. Fisher, Annals of Eugenics 7, 1937: reaction and diffusion are unknown."""

    reaction: sb.Hole
    diffusion: sb.Positive
    grid: sb.Grid = eqx.field(static=True)

    def __call__(self, t: Any, u: Any, args: Any) -> Any:
        return self.diffusion * self.grid.laplacian(u) + self.reaction(u)


def _fronts(seed: int) -> sb.Trajectories:
    grid, times = sb.Grid(0.0, 1.0, 25), np.arange(0, 5.01, 0.5)
    x = np.asarray(grid.x)
    start = 0.5 * (np.tanh((x - 0.25) / 0.05) - np.tanh((x - 0.75) / 0.05))
    h = x[1] - x[0]
    spread = lambda u: 0.01 * (np.roll(u, 1) - 2 * u + np.roll(u, -1)) / h**2
    exact = solved(lambda t, u: spread(u) + u * (1 - u), start, times)
    scatter = np.random.default_rng(seed).standard_normal(exact.shape)
    seen = exact + 0.005 * exact.mean() * scatter
    return sb.Trajectories.of(times, seen, names=[f"u{i}" for i in range(25)])


def hole(inputs: str, outputs: str, **options: Any) -> sb.Hole:
    """A default hole."""
    return sb.Hole(inputs, outputs, key=jax.random.key(0), **options)


def cases() -> dict[str, Case]:
    """All problems by name."""
    rational = polynomials("S I", 3, constant=False) + saturating("S I")
    friction = default_library("p") + terms("p", "Abs(p)", "p*Abs(p)")
    plain = {"x": 0.44, "y": 4.6}
    grid = sb.Grid(0.0, 1.0, 25)
    return {
        "FitzHugh-Nagumo, v and w": Case(
            lambda: FitzHughNagumo(hole("v", "rate")), _nerve, {}, "cubic",
            default_library("v"), {"rate": {"v", "v**3"}},
        ),
        "FitzHugh-Nagumo, v alone": Case(
            lambda: FitzHughNagumo(hole("v", "rate")), lambda seed: _nerve(seed, both=False),
            {"y0": {"v": -1.0, "w": 0.5}}, "cubic",
            default_library("v"), {"rate": {"v", "v**3"}},
        ),
        "pendulum, angle only": Case(
            lambda: Pendulum(hole("p", "force")), _swings, {"y0": {"p": 0.0, "q": 1.0}},
            "friction", friction, {"force": {"p", "p*Abs(p)"}},
        ),
        "SIR, saturating incidence, Poisson": Case(
            lambda: Daily(hole("S I", "new", positive=True)), _cases,
            {"noise": sb.Poisson(), "t0": 0.0}, "incidence", rational, {"new": {"I*S/(I + K)"}},
        ),
        "Lotka-Volterra, one species seen": Case(
            lambda: OneSpecies(hole("x y", "dx dy")), _prey, {"y0": plain}, "unknown",
            default_library("x y"), {"dx": {"x*y"}, "dy": {"x*y"}},
        ),
        "Fisher-KPP, reaction and D": Case(
            lambda: Wave(hole("u", "rate"), sb.Positive(0.02), grid), _fronts,
            {"y0": np.full(25, 0.5)}, "reaction", polynomials("u", 5), {"rate": {"u", "u**2"}},
        ),
    }  # fmt: skip


def problem(name: str, *, seeds: int = SEEDS) -> dict[str, Any]:
    """All seeds of one problem as one batch."""
    case = cases()[name]
    begun = time.perf_counter()
    fits = sb.fit_many(case.model(), [case.data(seed) for seed in range(seeds)], **case.options)
    found = sb.discover_many(fits, case.hole, library=case.library)
    ranks = [_rank(laws, case.form) for laws in found]
    middle = found[0]
    return {
        "problem": name,
        "draws": seeds,
        "form first": f"{np.mean(np.array(ranks) == 0):.0%}",
        "in first three": f"{np.mean(np.array(ranks) < 3):.0%}",
        "weight of the truth": _weights(found, ranks),
        "law of the first draw": "; ".join(str(middle.best).splitlines()),
        "what the data cannot tell": " / ".join(sb.identifiability(fits[0]).problems) or "-",
        "s a run": (time.perf_counter() - begun) / seeds,
    }


def _rank(laws: sb.Laws, form: dict[str, set[str]]) -> int:
    for place, one in enumerate(laws):
        if all(_shape(one, name) == wanted for name, wanted in form.items()):
            return place
    return 99


def _shape(one: Any, output: str) -> set[str]:
    columns, judged = one.refit.columns, one.judged
    names = one.refit.fits[judged.candidate.fit].holes[one.refit.hole].outputs
    return {
        str(columns.columns[p % len(columns)].term)
        for p in judged.candidate.support
        if names[p // len(columns)] == output
    }


def _weights(found: list[sb.Laws], ranks: list[int]) -> str:
    own = [laws[rank].weight for laws, rank in zip(found, ranks, strict=True) if rank < 99]
    return f"{np.median(own):.2f}" if own else "-"


def problems() -> list[dict[str, Any]]:
    """Every problem."""
    return [problem(name) for name in cases()]
