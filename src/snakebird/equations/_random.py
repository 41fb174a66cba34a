"""Equations driven by noise: many paths of a stochastic differential equation."""

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PRNGKeyArray

from snakebird.equations._parameters import resolve
from snakebird.equations._posed import Posed, check_like, is_traced, pose
from snakebird.equations._solution import Solution, raise_failure
from snakebird.equations.lanes import NOT_FINITE, OK, Span
from snakebird.errors import EquationError

_WHERE = "solve_random"


def solve_random(
    model: Callable[[Any, Any, Any], Any],
    diffusion: Callable[[Any, Any, Any], Any],
    y0: Any,
    times: Any,
    *,
    key: PRNGKeyArray,
    paths: int = 1,
    args: Any = None,
    t0: Any = None,
    noise: int | None = None,
    solver: Any = None,
    steps: int = 1000,
    check: bool = True,
) -> Solution:
    """Random paths of `dy = model(t, y, args) dt + diffusion(t, y, args) dW` at `times`.

    The diffusion gives a tree like `y0`, a Wiener process for every number; with `noise=m` its
    leaves are `[..., m]`, and m Wiener processes drive all numbers. `steps` equal steps are taken
    from `t0` to the last time, more where `times` lie between them.

    The solver decides what the product with dW means. The default `diffrax.Euler()` and the
    other Ito solvers of diffrax take it in the sense of Ito, `diffrax.Heun()`, `EulerHeun()` and
    other Stratonovich ones in that of Stratonovich; where the diffusion does not depend on y
    both are one. Orders, weak and strong, are those of the solver: 1 and 1/2 for Euler.
    `Solution.why` states the sense.

    Every array of the `Solution` leads with the paths. Differentiable by `jax.grad`, with the
    paths of a key fixed.

    Raises `EquationError` for a problem that is put together wrongly and, with `check`, outside
    of compiled code `SolveError` where a path is not finite.

    >>> import jax
    >>> walk = solve_random(lambda t, y, args: -y, lambda t, y, args: 0.1, 1.0, [0.0, 1.0],
    ...                     key=jax.random.key(0), paths=4, steps=50)
    >>> walk.states.shape
    (4, 2)
    """
    solver = dfx.Euler() if solver is None else solver
    sense = _sense(solver)
    if paths < 1 or steps < 1:
        raise EquationError(
            f"paths={paths}, steps={steps}", _WHERE, "give positive numbers of both"
        )
    posed, y0, span = pose(model, y0, times, args, t0, None, _WHERE)
    _check_diffusion(posed, span, diffusion, noise)
    mesh = _mesh(times, t0, steps, y0.dtype)
    keys = jax.random.split(key, paths)
    values = _paths(posed, resolve(diffusion), y0, span.times[0], mesh, keys, noise, solver)
    solution = _solution(posed, span, values, solver, f"{sense}, equal steps", len(mesh) - 1)
    if check:
        raise_failure(solution)
    return solution


@eqx.filter_jit
def _paths(
    posed: Posed,
    diffusion: Any,
    y0: Float[Array, " d"],
    times: Float[Array, " n"],
    mesh: Float[Array, " m"],
    keys: Key[Array, " paths"],
    noise: int | None,
    solver: Any,
) -> Float[Array, "paths n d"]:
    rate, tolerance = posed.rates()[0], jnp.min(jnp.diff(mesh)) / 2
    levy = getattr(solver, "minimal_levy_area", dfx.BrownianIncrement)
    shape = y0.shape if noise is None else (noise,)

    def spread(t: Any, y: Any, _: Any) -> lx.AbstractLinearOperator:
        out = diffusion(t, posed.unravel(y), posed.args)
        if noise is None:
            return lx.DiagonalLinearOperator(ravel_pytree(out)[0].astype(y.dtype))
        rows = jax.vmap(lambda part: ravel_pytree(part)[0], in_axes=-1, out_axes=-1)(out)
        return lx.MatrixLinearOperator(rows.astype(y.dtype))

    def one(key: PRNGKeyArray) -> Any:
        inside = jax.ShapeDtypeStruct(shape, y0.dtype)
        path = dfx.VirtualBrownianTree(mesh[0], mesh[-1], tolerance, inside, key, levy)
        terms = dfx.MultiTerm(
            dfx.ODETerm(lambda t, y, _: rate(t, y)), dfx.ControlTerm(spread, path)
        )
        return dfx.diffeqsolve(
            terms, solver, mesh[0], mesh[-1], None, y0, saveat=dfx.SaveAt(ts=times),
            stepsize_controller=dfx.StepTo(mesh), max_steps=len(mesh), throw=False,
        ).ys  # fmt: skip

    return jax.vmap(one)(keys)


def _sense(solver: Any) -> str:
    """In what sense a solver takes the product with dW."""
    ours = dfx.AbstractItoSolver, dfx.AbstractStratonovichSolver
    if isinstance(solver, ours):
        return "Ito" if isinstance(solver, ours[0]) else "Stratonovich"
    if isinstance(solver, type):
        raise EquationError(
            f"the solver is the class {solver.__name__}, not one of its instances",
            _WHERE,
            f"call it: {solver.__name__}()",
        )
    raise EquationError(
        f"{type(solver).__name__} does not solve equations with noise",
        _WHERE,
        "give diffrax.Euler() or ItoMilstein() (Ito), diffrax.Heun() or SPaRK() (Stratonovich)",
    )


def _check_diffusion(posed: Posed, span: Span, diffusion: Any, noise: int | None) -> None:
    state = posed.unravel(posed.first)
    out = jax.eval_shape(lambda y: resolve(diffusion)(span.t0[0], y, posed.args), state)
    if noise is not None:
        many = lambda x: jax.ShapeDtypeStruct((*x.shape, noise), x.dtype)
        state = jax.tree.map(many, state)
    check_like(out, state, "the diffusion", _WHERE)


def _mesh(times: Any, t0: Any, steps: int, kind: Any) -> Float[Array, " m"]:
    """The start, the times, and equal steps between, where they are not at one of the times."""
    if is_traced((times, t0)):
        raise EquationError(
            "the times are traced", _WHERE, "give numbers: no gradient flows to them"
        )
    row = np.asarray(times, kind)
    start = row[0] if t0 is None else np.asarray(t0, kind)
    if row[-1] <= start:
        raise EquationError("the only time is the start", _WHERE, "give a later time")
    due = np.union1d(start, row)
    equal = np.linspace(start, row[-1], steps + 1)
    near = np.min(np.abs(equal[:, None] - due), axis=1) < 1e-4 * (row[-1] - start) / steps
    return jnp.asarray(np.union1d(due, equal[~near]), kind)


def _solution(posed: Posed, span: Span, values: Any, solver: Any, why: str, steps: int) -> Solution:
    times = jnp.broadcast_to(span.times[0], values.shape[:2])
    fine = jnp.all(jnp.isfinite(values), axis=2)
    ok = jnp.all(fine, axis=1)
    reached = jnp.max(jnp.where(fine, times, span.t0), axis=1)
    entry = jnp.argmax(jnp.any(~jnp.isfinite(values), axis=1), axis=1)
    every = lambda x: jnp.full(ok.shape, x)
    return Solution(
        times, jax.vmap(jax.vmap(posed.unravel))(jnp.where(fine[..., None], values, jnp.nan)),
        ok, every(steps), jnp.where(ok, OK, NOT_FINITE), reached, entry, every(span.t0[0]),
        solver, why, posed.names,
    )  # fmt: skip
