"""An initial value problem, from trees to trees, by a solver that is chosen where none is given."""

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from snakebird.equations import lanes
from snakebird.equations._doses import Doses
from snakebird.equations._posed import Posed, check_direction, pose, rates, run
from snakebird.equations._solution import Solution, raise_failure
from snakebird.equations._solvers import Direction, Solver
from snakebird.equations._stiff import Choice, choose
from snakebird.equations.lanes import Span
from snakebird.errors import EquationError

_WHERE = "solve"


def solve(
    model: Callable[[Any, Any, Any], Any],
    y0: Any,
    times: Any,
    *,
    args: Any = None,
    t0: Any = None,
    solver: Solver | None = None,
    doses: Doses | tuple[Any, Any] | None = None,
    check: bool = True,
    direction: Direction = "reverse",
) -> Solution:
    """The solution of `dy/dt = model(t, y, args)`, `y(t0) = y0`, at `times`.

    `y0` is a number, an array or a tree of them, parameters included; the model gives the rate in
    a tree of the same shape. `times` is a row `[n]` in ascending order; `t0` is the first of them
    unless given. Everything is in the precision of `y0`.

    Without `solver` the choice is automatic: the explicit one, and where it runs out of steps,
    stalls, or is held short by stability, the implicit `Diffrax()`; `Solution.why` says it. Under
    `jax.jit` and `jax.vmap` it is `Explicit(max_steps=1024)` whatever the equation.

    `doses` (`Doses`, or times and amounts) are added to the state; what is read at the time of a
    dose is the state just before it. The knots of `Forcing`s where a stretch without change ends
    are never stepped over.

    Differentiable by `jax.grad`, or by `jax.jvp` with `direction="forward"`, with respect to `y0`,
    `args`, amounts of doses and the arrays of the model; not to times. A function is compiled
    once: numbers it reads from outside, other than through `args`, stay what they were.

    Raises `EquationError` for a problem that is put together wrongly, and, with `check`, outside
    of compiled code `SolveError` where the solve fails. Without it `Solution.ok` says so.

    >>> decay = solve(lambda t, y, rate: {"x": -rate * y["x"]}, {"x": 1.0}, [0.0, 1.0], args=2.0)
    >>> round(float(decay.states["x"][-1]), 4)
    0.1353
    """
    solver = _known(solver)
    check_direction(direction, _WHERE)
    posed, start, span = pose(model, y0, times, args, t0, doses, _WHERE)
    solution = _solution(posed, span, _choose(posed, start, span, solver, direction))
    if check:
        raise_failure(solution)
    return solution


def choose_solver(
    field: lanes.Field,
    theta: Any,
    const: Any,
    y0: Float[Array, "lanes d"],
    span: Span,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    max_steps: int = 256,
) -> Solver:
    """The solver for `field(t, y, theta, const)` on lanes: explicit, or implicit where stiff.

    Tries both on the problem as it is, outside of compiled code; a solver that fails is chosen
    only where both do.

    >>> import jax.numpy as jnp
    >>> span = Span(jnp.zeros(1), jnp.ones((1, 1)))
    >>> field = lambda t, y, rate, const: -rate * (y - jnp.cos(t))
    >>> [type(choose_solver(field, jnp.array([k]), None, jnp.ones((1, 1)), span)).__name__
    ...  for k in (1.0, 1e5)]
    ['Explicit', 'Diffrax']
    """
    run = jax.jit(
        lambda solver, theta, const, y0, span: solver(field, theta, const, y0, span, "reverse"),
        static_argnums=0,
    )
    flow = lambda t, y: jax.vmap(field)(t, y, theta, const)
    return choose(
        lambda solver: run(solver, theta, const, y0, span), flow, y0, span,
        rtol=rtol, atol=atol, max_steps=max_steps,
    ).solver  # fmt: skip


def _known(solver: Any) -> Any:
    """The solver, if it is one."""
    if isinstance(solver, type):
        raise EquationError(
            f"the solver is the class {solver.__name__}, not one of its instances",
            _WHERE,
            f"call it: {_wrapped(solver)}",
        )
    if isinstance(solver, dfx.AbstractSolver):
        raise EquationError(
            f"the solver is {type(solver).__name__} of diffrax as it is",
            _WHERE,
            f"wrap it: {_wrapped(type(solver))}",
        )
    if solver is not None and not callable(solver):
        raise EquationError(
            f"the solver is {solver!r}, which cannot be called",
            _WHERE,
            "give Explicit(), Diffrax(), or leave it out for the choice to be made",
        )
    return solver


def _wrapped(kind: type) -> str:
    own = issubclass(kind, dfx.AbstractSolver)
    return f"Diffrax(diffrax.{kind.__name__}())" if own else f"{kind.__name__}()"


def _choose(
    posed: Posed, y0: Array, span: Span, solver: Solver | None, direction: Direction
) -> Choice:
    attempt = lambda solver: run(posed, y0, span, solver, direction)
    if solver is not None:
        return Choice(solver, "as given", attempt(solver))
    flow = lambda t, y: rates(posed, t, y)
    return choose(attempt, flow, y0[None], span, rtol=1e-6, atol=1e-8, max_steps=1024)


def _solution(posed: Posed, span: Span, chosen: Choice) -> Solution:
    outcome, times = chosen.lanes.outcome, span.times[0]
    ok = outcome.code[0] == lanes.OK
    lost = ~ok & (times > outcome.time[0])
    values = jnp.where(lost[:, None], jnp.nan, chosen.lanes.values[0])
    # What is read at the time of a dose is the state before it, at the start too.
    values = jnp.where((times <= span.t0[0])[:, None], posed.first, values)
    return Solution(
        times, jax.vmap(posed.unravel)(values), ok, outcome.tries, outcome.code[0],
        outcome.time[0], outcome.state[0], span.t0[0], chosen.solver, chosen.why, posed.names,
    )  # fmt: skip
