"""Fronts that spread: R. A. Fisher, Annals of Eugenics 7, 1937; the reaction is unknown."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import snakebird as sb
from benchmarks.problems._case import Case, hole, solved
from snakebird.synthesis.laws import polynomials

LINE, SQUARE = sb.Grid(0.0, 1.0, 25), sb.Grid((0.0, 0.0), (1.0, 1.0), (64, 64))
EVERY = 8
"""In the plane, every eighth point each way is looked at."""


class Wave(eqx.Module):
    """Reaction and diffusion are unknown."""

    reaction: sb.Hole
    diffusion: sb.Positive
    grid: sb.Grid = eqx.field(static=True)

    def __call__(self, t: Any, u: Any, args: Any) -> Any:
        return self.diffusion * self.grid.laplacian(u) + self.reaction(u)


class Plane(Wave):
    """The same in two dimensions, seen at some points; refitting laws of 4096 states takes long."""

    def observe(self, t: Any, u: Any, args: Any) -> Any:
        return dict(zip(names(EVERY), u[::EVERY, ::EVERY].reshape(-1), strict=True))


def names(every: int) -> list[str]:
    """The columns of the plane."""
    some = range(0, 64, every)
    return [f"u{i}_{j}" for i in some for j in some]


def line(seed: int) -> sb.Trajectories:
    """25 points, 11 times to 5; noise 0.5% of the mean."""
    times, x = np.arange(0, 5.01, 0.5), np.asarray(LINE.x)
    start = 0.5 * (np.tanh((x - 0.25) / 0.05) - np.tanh((x - 0.75) / 0.05))
    h = x[1] - x[0]
    spread = lambda u: 0.01 * (np.roll(u, 1) - 2 * u + np.roll(u, -1)) / h**2
    exact = solved(lambda t, u: spread(u) + u * (1 - u), start, times)
    return _seen(exact, times, [f"u{i}" for i in range(25)], seed)


def blots() -> np.ndarray:
    """Where the plane starts: two blots."""
    x, y = np.meshgrid(np.arange(64) / 64, np.arange(64) / 64, indexing="ij")
    one = np.exp(-(((x - 0.3) ** 2 + (y - 0.4) ** 2) / 0.01))
    return 0.8 * one + 0.5 * np.exp(-(((x - 0.7) ** 2 + (y - 0.65) ** 2) / 0.02))


def plane(seed: int) -> sb.Trajectories:
    """10 frames to 5 of 64 x 64 points, D = 0.001, r = 1; noise 0.5% of the mean."""
    times = np.linspace(0, 5, 11)[1:]

    def rate(t: Any, flat: Any) -> np.ndarray:
        u = flat.reshape(64, 64)
        around = sum(np.roll(u, step, axis) for axis in (0, 1) for step in (1, -1)) - 4 * u
        return (1e-3 * 64**2 * around + u * (1 - u)).reshape(-1)

    exact = solved(rate, blots().reshape(-1), np.concatenate([[0.0], times]))[1:]
    some = exact.reshape(-1, 64, 64)[:, ::EVERY, ::EVERY].reshape(len(times), -1)
    return _seen(some, times, names(EVERY), seed)


def _seen(exact: np.ndarray, times: Any, columns: list[str], seed: int) -> sb.Trajectories:
    scatter = np.random.default_rng(seed).standard_normal(exact.shape)
    return sb.Trajectories.of(times, exact + 0.005 * exact.mean() * scatter, names=columns)


def diffusion(fit: sb.fitting.Fit, laws: sb.synthesis.Laws) -> str:
    """How near the diffusion that was found with the law comes to the true one."""
    return f"D {abs(laws[0].fit.parameters['diffusion'] / 0.01 - 1):.2%} off"


def both(fit: sb.fitting.Fit, laws: None) -> str:
    """How near diffusion and reaction come: the root mean square error, relative to its size."""
    u = np.linspace(0.01, 0.99, 99)
    with jax.enable_x64(True):
        found = np.asarray(fit.holes["reaction"](jnp.asarray(u)))
    truth = u * (1 - u)
    off = np.sqrt(np.mean((found - truth) ** 2) / np.mean(truth**2))
    return f"D {abs(fit.parameters['diffusion'] / 0.001 - 1):.2%} off, reaction {off:.2%} off"


def cases() -> dict[str, Case]:
    """All of them by name."""
    small = hole("u", "rate", sb.Polynomial(1, 1, 3))
    return {
        "Fisher-KPP, reaction and D": Case(
            lambda: Wave(hole("u", "rate"), sb.Positive(0.02), LINE), line,
            {"y0": np.full(25, 0.5), "starts": 2}, "reaction",
            polynomials("u", 5), {"rate": {"u", "u**2"}}, diffusion, 1,
        ),
        "Fisher-KPP in the plane, reaction and D": Case(
            lambda: Plane(small, sb.Positive(0.002), SQUARE), plane,
            {"y0": sb.Fixed(blots()), "t0": 0.0, "starts": 1, "stages": ["trajectories"]},
            "reaction", None, {}, both, 1,
        ),
    }  # fmt: skip
