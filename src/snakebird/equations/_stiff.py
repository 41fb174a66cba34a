"""Whether an equation is stiff: found by trying, and by how fast its Jacobian lets errors grow."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from snakebird.equations._posed import seen
from snakebird.equations._solvers import Diffrax, Explicit, Solver
from snakebird.equations.lanes import MAX_STEPS, NOT_FINITE, OK, TOO_SMALL, Lanes, Span

MANY = 400
"""More steps than these are looked into."""

_LIMIT = 1.5
"""Steps longer than this over the spectral radius are limited by stability: explicit methods of
order 5 are unstable from about 3.3 on, and take steps around half as long where they are shaken."""

_MEMORY = 2**28
"""How many bytes the record of an explicit solve may take."""

Run = Callable[[Solver], Lanes]


class Choice(NamedTuple):
    """A solver, why it was chosen, and the solution it found."""

    solver: Solver
    why: str
    lanes: Lanes


def choose(
    run: Run,
    rates: Callable[[Any, Any], Any],
    y0: Float[Array, "lanes d"],
    span: Span,
    *,
    rtol: float,
    atol: float,
    max_steps: int,
) -> Choice:
    """Try the explicit solver; where it fails or is held short, others, and take the best.

    `rates(t, y)` are those of all lanes, `[lanes]` and `[lanes, d]` to `[lanes, d]`.
    """
    quick = Explicit(rtol, atol, max_steps)
    first = Choice(quick, "not stiff", run(quick))
    code = seen(first.lanes.outcome.code)
    if isinstance(code, Tracer):
        return first._replace(why="no choice in compiled code")
    if _arrived(first) and _steps(first) <= MANY:
        return first
    if not _arrived(first) and np.all(np.isin(code, (OK, NOT_FINITE))):
        return first._replace(why="no solver helps where a rate is not a number")
    held = _held(rates, y0, span, first.lanes)
    stiff = held > _LIMIT
    implicit = Diffrax(rtol=rtol, atol=atol)
    if _arrived(first):
        if not stiff:
            return first
        other = Choice(
            implicit, f"stiff: the explicit one took {_steps(first)} steps", run(implicit)
        )
        return other if _arrived(other) and 4 * _steps(other) < _steps(first) else first
    patient = Explicit(rtol, atol, _room(16 * max_steps, y0))
    failed = "stalls" if np.any(code == TOO_SMALL) else f"needs more than {max_steps} steps"
    tries: list[tuple[Solver, str]] = [(implicit, f"stiff: the explicit one {failed}")]
    if np.any(code == MAX_STEPS) and patient.max_steps > max_steps:
        tries.insert(1 if stiff else 0, (patient, "not stiff, but long"))
    best = first
    for solver, why in tries:
        found = Choice(solver, why, run(solver))
        if _arrived(found):
            return found
        best = max(best, found, key=_reached)
    return best._replace(why="all solvers tried fail, this one last")


def _arrived(choice: Choice) -> bool:
    return bool(np.all(seen(choice.lanes.outcome.code) == OK))


def _steps(choice: Choice) -> int:
    return int(seen(choice.lanes.outcome.tries))


def _reached(choice: Choice) -> float:
    return float(jnp.sum(seen(choice.lanes.outcome.time)))


def _room(steps: int, y0: Any) -> int:
    """As many steps as the record of the stages has memory for."""
    return int(min(steps, _MEMORY // (9 * y0.size * y0.dtype.itemsize)))


def _held(rates: Any, y0: Any, span: Span, out: Lanes) -> float:
    """The mean step times the spectral radius of the Jacobian, in the lane where it is largest.

    The radius is the mean over some states of the solution, each by a power iteration.
    """
    y0, out, span = seen((y0, out, span))
    step = (out.outcome.time - span.t0) / jnp.maximum(out.outcome.tries, 1)
    picks = np.unique(np.linspace(0, span.times.shape[1] - 1, 5).astype(int))
    points = [(span.t0, y0)] + [(span.times[:, k], out.values[:, k]) for k in picks]
    radii = []
    for t, y in points:
        there = (t <= out.outcome.time) & jnp.all(jnp.isfinite(y), axis=1)
        y = jnp.where(there[:, None], y, y0)
        t = jnp.where(there, t, span.t0)
        radius = seen(spectral_radius(lambda y, t=t: rates(t, y), y))
        radii.append(np.where(there, radius, np.nan))
    held = np.asarray(step) * np.nanmean(radii, axis=0)
    return float(np.nanmax(held))


def spectral_radius(
    rates: Callable[[Any], Any], y: Float[Array, "lanes d"], *, rounds: int = 24
) -> Float[Array, " lanes"]:
    """About the largest absolute eigenvalue of the Jacobian of every lane, by power iteration.

    The mean growth over the last half of the rounds, so that pairs of complex eigenvalues, under
    which the growth of a vector swings, do as well.

    >>> import jax.numpy as jnp
    >>> A = jnp.array([[0.0, 3.0], [-3.0, 0.0]])
    >>> round(float(spectral_radius(lambda y: y @ A, jnp.zeros((1, 2)))[0]), 4)
    3.0
    """
    push = jax.linearize(rates, y)[1]
    start = jax.random.normal(jax.random.key(0), y.shape, y.dtype)

    def one(v: Any, _: Any) -> Any:
        v = push(v / jnp.linalg.norm(v, axis=1, keepdims=True))
        size = jnp.linalg.norm(v, axis=1)
        return jnp.where((size > 0)[:, None], v, start), jnp.log(size + 1e-300**0.5)

    _, growth = jax.lax.scan(one, start, None, length=rounds)
    return jnp.exp(jnp.mean(growth[rounds // 2 :], axis=0))
