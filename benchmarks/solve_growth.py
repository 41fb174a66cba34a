"""Time and memory of a gradient through a solve: by states, times, trajectories, room, stiffness.

The first four on a ring of cells that exchange with their neighbors and react by a hole, beside
the same gradient through diffrax; stiffness on the oscillator of van der Pol.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.timing import in_turn, ratio
from snakebird.equations import Diffrax, Explicit, Hole, Solver, lanes

TOLERANCES = 1e-6, 1e-8
END = 3.0


class Size(NamedTuple):
    """How large the ring's problem is; `room` is for how many steps there is memory."""

    states: int = 20
    times: int = 31
    trajectories: int = 1
    room: int = 256


SWEEPS: dict[str, tuple[int, ...]] = {
    "states": (2, 20, 200, 2_000),
    "times": (10, 100, 1_000),
    "trajectories": (1, 32, 1_024),
    "room": (64, 256, 1_024, 4_096),
}


def rate(t: Any, u: Any, hole: Hole, _: Any = None) -> jax.Array:
    """Exchange with both neighbors, decay, and what is not known."""
    return jnp.roll(u, 1) - 2 * u + jnp.roll(u, -1) - 0.1 * u + hole(u)


def ring(size: Size) -> tuple[Any, dict[str, Callable[[Any], jax.Array]]]:
    """The hole's parameters, and the loss by both ways as a function of them."""
    rng = np.random.default_rng(0)
    starts = jnp.asarray(rng.uniform(0.5, 1.5, (size.trajectories, size.states)))
    times = jnp.linspace(0.0, END, size.times)
    hole = Hole("u", "reaction", key=jax.random.key(0))
    arrays, static = eqx.partition(hole, eqx.is_inexact_array)
    field = lambda t, u, arrays, _: rate(t, u, eqx.combine(arrays, static))
    settings = lanes.Settings(*TOLERANCES, size.room, shared=True)
    every = jnp.broadcast_to(times, (len(starts), len(times)))
    span = lanes.Span(jnp.zeros(len(starts)), every)

    def ours(arrays: Any) -> jax.Array:
        return lanes.solve_reverse(field, settings, arrays, None, starts, span).values

    def theirs(arrays: Any) -> jax.Array:
        one = lambda start: dfx.diffeqsolve(
            dfx.ODETerm(lambda t, u, p: field(t, u, p, None)), dfx.Tsit5(), 0.0, END, None, start,
            arrays, saveat=dfx.SaveAt(ts=times), max_steps=size.room,
            stepsize_controller=dfx.PIDController(rtol=TOLERANCES[0], atol=TOLERANCES[1]),
        ).ys  # fmt: skip
        return jnp.asarray(jax.vmap(one)(starts))

    def loss(solve: Any) -> Callable[[Any], jax.Array]:
        return lambda arrays: jnp.mean(solve(arrays) ** 2)

    return arrays, {"ours": loss(ours), "diffrax": loss(theirs)}


def sweep(vary: str, values: tuple[int, ...], repeat: int = 15) -> list[dict[str, Any]]:
    """Rows: milliseconds and megabytes of a gradient, ours and diffrax's, as one size varies."""
    rows = []
    for value in values:
        arrays, losses = ring(Size()._replace(**{vary: value}))
        made = {name: jax.jit(jax.value_and_grad(f)).lower(arrays) for name, f in losses.items()}
        steps = {name: lowered.compile() for name, lowered in made.items()}
        first, other = (jax.tree.leaves(step(arrays)) for step in steps.values())
        for one, two in zip(first, other, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)
        timed = in_turn({n: partial(s, arrays) for n, s in steps.items()}, repeat=repeat)
        rows.append(
            {vary: value}
            | {f"{name} (ms)": 1e3 * timed[name].median for name in steps}
            | {"ours / diffrax": ratio(timed["ours"], timed["diffrax"])}
            | {f"{name} (MB)": _megabytes(step) for name, step in steps.items()}
        )
        jax.clear_caches()
    return rows


def _megabytes(compiled: Any) -> float:
    """What it needs beside its arguments."""
    return compiled.memory_analysis().temp_size_in_bytes / 1e6


def van_der_pol(t: Any, y: Any, theta: Any, _: Any) -> jax.Array:
    """The oscillator with the one parameter `mu`."""
    return jnp.stack([y[1], theta[0] * (1 - y[0] ** 2) * y[1] - y[0]])


def oscillation(solver: Solver, mu: float) -> tuple[Any, Any]:
    """The compiled gradient by `mu` of the mean square over [0, 2 mu], and its argument."""
    times = jnp.linspace(0.0, 2 * mu, 51)[None]
    span = lanes.Span(jnp.zeros(1), times)

    def loss(theta: Any) -> Any:
        start = jnp.array([[2.0, 0.0]])
        out = solver(van_der_pol, theta, None, start, span, "reverse")
        return jnp.mean(out.values[..., 0] ** 2), out.outcome

    theta = jnp.array([[mu]])
    return jax.jit(jax.value_and_grad(loss, has_aux=True)).lower(theta).compile(), theta


SOLVERS: dict[str, Solver] = {
    "Explicit": Explicit(max_steps=65_536),
    "Diffrax, Kvaerno5": Diffrax(max_steps=8_192),
    "Diffrax, Tsit5": Diffrax(dfx.Tsit5(), max_steps=65_536),
}


def stiffness(repeat: int = 5) -> list[dict[str, Any]]:
    """Rows: what each solver takes as `mu` grows, and how wrong its value and gradient are.

    The reference is Kvaerno5 at much smaller tolerances. The derivatives of an explicit method at
    the edge of its stability may be wrong by many orders though the solution is right: the steps
    keep the solution in place together with their control, their derivatives leave it out.
    """
    rows = []
    exact = Diffrax(rtol=1e-9, atol=1e-10, max_steps=65_536)
    for mu in (1.0, 10.0, 100.0, 1_000.0):
        compiled, theta = oscillation(exact, mu)
        (right, _), slope = compiled(theta)
        for name, solver in SOLVERS.items():
            step, theta = oscillation(solver, mu)
            (value, end), gradient = step(theta)
            timed = in_turn({name: partial(step, theta)}, repeat=repeat)[name]
            arrived = int(end.code[0]) == lanes.OK
            rows.append(
                {"mu": int(mu), "solver": name, "steps tried": int(end.tries)}
                | {"ms": 1e3 * timed.median, "MB": _megabytes(step)}
                | {"error of the loss": float(abs(value / right - 1)) if arrived else "no room"}
                | {
                    "error of its gradient": float(abs(gradient / slope - 1)[0, 0])
                    if arrived
                    else "-"
                }
            )
        jax.clear_caches()
    return rows


def growth() -> dict[str, list[dict[str, Any]]]:
    """A table for each size, and one for stiffness; in double precision."""
    with jax.enable_x64(True):
        found = {vary: sweep(vary, values) for vary, values in SWEEPS.items()}
        return found | {"stiffness": stiffness()}
