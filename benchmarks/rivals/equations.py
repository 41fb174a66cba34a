"""A training step of Lotka-Volterra with a net as the unknown part, by hand, in several libraries.

`dx/dt = 1.3 x + net_0(x, y)`, `dy/dt = -1.8 y + net_1(x, y)`, the net 2-32-32-2 with tanh; states
at 31 times in [0, 3] for many start values with the same weights, rtol = atol = 1e-6. A step is
the mean square loss with its gradient to all weights, without an optimizer. Each maker takes a
`Problem` and gives `step(weights) -> (loss, gradient)`, not yet compiled; run it in double
precision.

The torch rivals are in `equations_torch`, which runs in a process of its own.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.ode import odeint
from scipy.integrate import solve_ivp

RTOL = ATOL = 1e-6
MAX_STEPS = 64
TIMES = np.arange(31) / 10
START = (0.44249296, 4.6280594)
SIZES = (2, 32, 32, 2)

Step = Callable[[Any], Any]


class Problem(NamedTuple):
    """Start values `[n, 2]`, targets `[n, 31, 2]`, and weights: a pair of arrays a layer."""

    starts: np.ndarray
    targets: np.ndarray
    weights: list[tuple[np.ndarray, np.ndarray]]


def problem(trajectories: int) -> Problem:
    """Start values that scatter by a tenth, the exact solutions as targets, weights of a seed."""
    rng = np.random.default_rng(0)
    weights = [
        (0.5 * rng.standard_normal((a, b)) / np.sqrt(a), np.zeros(b)) for a, b in pairwise(SIZES)
    ]
    starts = np.array(START) * (1 + 0.1 * rng.standard_normal((trajectories, 2)))
    return Problem(starts, _truth(starts), weights)


def _truth(starts: np.ndarray) -> np.ndarray:
    def rate(_: float, flat: np.ndarray) -> np.ndarray:
        x, y = flat.reshape(-1, 2).T
        return np.stack([1.3 * x - 0.9 * x * y, 0.8 * x * y - 1.8 * y], axis=1).ravel()

    out = solve_ivp(rate, (0, 3), starts.ravel(), "DOP853", TIMES, rtol=1e-9, atol=1e-9)
    return out.y.T.reshape(len(TIMES), -1, 2).swapaxes(0, 1)


def rate(t: Any, y: Any, weights: Any) -> jax.Array:
    """The vector field on states `[..., 2]`."""
    z = y
    for weight, bias in weights[:-1]:
        z = jnp.tanh(z @ weight + bias)
    weight, bias = weights[-1]
    return y * jnp.array([1.3, -1.8]) + z @ weight + bias


def _step(given: Problem, solve: Callable[[Any], Any]) -> Step:
    loss = lambda weights: jnp.mean((solve(weights) - given.targets) ** 2)
    return jax.value_and_grad(loss)


def _diffrax(weights: Any, start: Any) -> Any:
    return dfx.diffeqsolve(
        dfx.ODETerm(rate), dfx.Tsit5(), 0.0, 3.0, None, start, weights,
        saveat=dfx.SaveAt(ts=jnp.asarray(TIMES)), max_steps=MAX_STEPS,
        stepsize_controller=dfx.PIDController(rtol=RTOL, atol=ATOL),
        adjoint=dfx.RecursiveCheckpointAdjoint(),
    ).ys  # fmt: skip


def diffrax_vmap(given: Problem) -> Step:
    """Each trajectory with its own step sizes; a single one without vmap."""
    starts = jnp.asarray(given.starts)
    if len(starts) == 1:
        return _step(given, lambda weights: jnp.asarray(_diffrax(weights, starts[0]))[None])
    return _step(given, lambda weights: jax.vmap(_diffrax, (None, 0))(weights, starts))


def diffrax_joint(given: Problem) -> Step:
    """All trajectories as one state with one step size."""
    starts = jnp.asarray(given.starts)
    return _step(given, lambda weights: jnp.swapaxes(_diffrax(weights, starts), 0, 1))


def odeint_vmap(given: Problem) -> Step:
    """JAX's own solver, each trajectory with its own step sizes; its gradient solves backward."""
    starts, times = jnp.asarray(given.starts), jnp.asarray(TIMES)
    one = lambda weights, start: odeint(
        lambda y, t, w: rate(t, y, w), start, times, weights, rtol=RTOL, atol=ATOL
    )
    return _step(given, lambda weights: jax.vmap(one, (None, 0))(weights, starts))


def odeint_joint(given: Problem) -> Step:
    """JAX's own solver with all trajectories as one state."""
    starts, times = jnp.asarray(given.starts), jnp.asarray(TIMES)
    solve = lambda weights: odeint(
        lambda y, t, w: rate(t, y, w), starts, times, weights, rtol=RTOL, atol=ATOL
    )
    return _step(given, lambda weights: jnp.swapaxes(solve(weights), 0, 1))


RIVALS: dict[str, Callable[[Problem], Step]] = {
    "diffrax, vmap": diffrax_vmap,
    "diffrax, one joint state": diffrax_joint,
    "jax.experimental.ode, vmap": odeint_vmap,
    "jax.experimental.ode, one joint state": odeint_joint,
}
