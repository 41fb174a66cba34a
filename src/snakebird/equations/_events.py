"""Events that depend on the state: solve until one, or through many with a reset at each."""

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jax.core import Tracer
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from snakebird.equations import _segments as segments
from snakebird.equations._parameters import resolve
from snakebird.equations._posed import Posed, check_direction, check_like, pose, seen
from snakebird.equations._solution import TOO_MANY_EVENTS, Solution, raise_failure
from snakebird.equations._solvers import Diffrax, Direction
from snakebird.equations.lanes import OK, Span
from snakebird.errors import EquationError

_WHERE = "solve_until"


def solve_until(
    model: Callable[[Any, Any, Any], Any],
    y0: Any,
    t1: Any,
    condition: Callable[[Any, Any, Any], Any],
    *,
    args: Any = None,
    t0: Any = 0.0,
    times: Any = None,
    rising: bool | None = None,
    reset: Callable[[Any, Any, Any], Any] | None = None,
    events: int = 16,
    solver: Diffrax | None = None,
    check: bool = True,
    direction: Direction = "reverse",
) -> Solution:
    """Solve from `t0` to `t1`, or until `condition(t, y, args)` passes through zero.

    The condition is a number, not a truth; it counts where it changes its sign from one step to
    the next, with `rising=True` only from below, with `rising=False` only from above. Without
    `reset` the solve ends there. With it the state becomes `reset(t, y, args)` and the solve goes
    on, through at most `events` of them.

    `Solution.event_times` are the times of the events, infinite where there was none, and
    `event_states` the states just before; `event_time` and `event_state` are the first. `states`
    are those at `times` (`[t1]` unless given), NaN after the end. All are differentiable, as in
    `solve`. `solver` is `Diffrax(diffrax.Tsit5())` unless given.

    Raises `EquationError` for a problem that is put together wrongly and, with `check`, outside
    of compiled code `SolveError` for a solve that fails or has more events.

    >>> fall = lambda t, y, g: {"height": y["speed"], "speed": -g}
    >>> ball = {"height": 5.0, "speed": 0.0}
    >>> ground = lambda t, y, g: y["height"]
    >>> round(float(solve_until(fall, ball, 9.0, ground, args=10.0).event_time), 4)
    1.0
    """
    solver = _known(solver)
    check_direction(direction, _WHERE)
    _check_end(t0, t1)
    row = jnp.asarray(t1)[None] if times is None else times
    posed, y0, span = pose(model, y0, row, args, t0, None, _WHERE)
    functions = resolve(condition), resolve(reset)
    end = jnp.asarray(t1, y0.dtype)
    _check_times(span, end)
    _check(posed, span, functions[0], functions[1], events)
    found = _through(posed, y0, span, end, functions, rising, events, solver, direction)
    (times, values, at), (event_times, event_states) = found
    states = jax.vmap(posed.unravel)
    solution = Solution(
        times, states(values), at.code == OK, at.steps, at.code, at.time, at.state, span.t0[0],
        solver, "as given", posed.names, event_times, states(event_states),
    )  # fmt: skip
    if check:
        raise_failure(solution)
    return solution


@eqx.filter_jit
def _through(
    posed: Posed,
    y0: Float[Array, " d"],
    span: Span,
    end: Float[Array, ""],
    functions: tuple[Any, Any],
    rising: bool | None,
    events: int,
    solver: Diffrax,
    direction: Direction,
) -> Any:
    """From event to event; the states at the times, and at the events."""
    condition, reset = functions
    rate, *parts = posed.rates()
    # In the default precision, whatever that of the state: diffrax compares it with zeros.
    value = lambda t, y: jnp.asarray(condition(t, posed.unravel(y), posed.args), float)
    event = dfx.Event(_signed(value, rate), _root_finder(y0.dtype), rising)
    method = solver.method(direction)._replace(event=event)
    terms, times = segments.terms_of(solver.solver, [rate, *parts]), span.times[0]

    def one(carry: Any, _: Any) -> Any:
        at, values, done = carry
        before = at.time
        at, found = segments.segment(method, terms, rate, at, jnp.where(done, before, end), times)
        values = jnp.where(((times > before) & (times <= at.time))[:, None], found, values)
        seen = jnp.where(at.event, at.time, jnp.inf), jnp.where(at.event, at.y, jnp.nan)
        if reset is None:
            return (at, values, jnp.array(True)), seen
        after = ravel_pytree(reset(at.time, posed.unravel(at.y), posed.args))[0].astype(y0.dtype)
        y = jnp.where(at.event, after, at.y)
        return (at._replace(y=y), values, ~at.event), seen

    first = jnp.where((times <= span.t0[0])[:, None], y0, jnp.nan)
    start = (segments.begin(rate, span.t0[0], y0), first, jnp.array(False))
    (at, values, _), seen = jax.lax.scan(one, start, length=1 if reset is None else events + 1)
    if reset is not None:
        # The last segment only shows whether there are more events.
        seen, more = jax.tree.map(lambda x: x[:-1], seen), at.event
        at = at._replace(code=jnp.where(more, TOO_MANY_EVENTS, at.code))
    return (times, values, at), seen


def _signed(value: Any, rate: Any) -> Callable[..., Any]:
    """The condition as diffrax calls it; zero at the start of a segment counts as just after."""

    def after(t: Any, y: Any) -> Any:
        slope = jax.jvp(value, (t, y), (jnp.ones_like(t), rate(t, y)))[1]
        return jnp.finfo(slope.dtype).eps * jnp.sign(jax.lax.stop_gradient(slope))

    def event(t: Any, y: Any, args: Any, *, t0: Any, **more: Any) -> Any:
        t, now = jnp.asarray(t, y.dtype), value(t, y)
        return jax.lax.cond((t == t0) & (now == 0), after, lambda t, y: now, t, y)

    return event


def _known(solver: Any) -> Diffrax:
    if solver is None:
        return Diffrax(dfx.Tsit5())
    if isinstance(solver, Diffrax):
        return solver
    raise EquationError(
        f"the solver is {solver!r}", _WHERE, "events need one of diffrax: Diffrax(...)"
    )


class _Halving(optx.Bisection):
    """Bisection until the time is known, whatever the unit of the condition."""

    def terminate(
        self, fn: Any, y: Any, args: Any, options: Any, state: Any, tags: Any
    ) -> tuple[Any, optx.RESULTS]:
        width = jnp.abs(state.upper - state.lower)
        return width < self.atol + self.rtol * jnp.abs(y), optx.RESULTS.successful


def _root_finder(kind: Any) -> optx.AbstractRootFinder:
    small = 8 * float(jnp.finfo(kind).eps)
    return _Halving(rtol=small, atol=small, flip="detect", expand_if_necessary=False)


def _check_end(t0: Any, t1: Any) -> None:
    start, end = seen((jnp.asarray(t0, float), jnp.asarray(t1, float)))
    if isinstance(start, Tracer) or isinstance(end, Tracer):
        return
    if not (np.isfinite(end) and end > start):
        raise EquationError(
            f"the end t1 = {float(end):.9g} is not after the start t0 = {float(start):.9g}",
            _WHERE,
            "give a later t1=",
        )


def _check_times(span: Span, end: Any) -> None:
    times, end = seen((span.times[0], end))
    if isinstance(times, Tracer) or isinstance(end, Tracer) or times[-1] <= end:
        return
    raise EquationError(
        f"times[{len(times) - 1}] = {float(times[-1]):.9g} is after the end t1 = {float(end):.9g}",
        f"{_WHERE}, times",
        "give a later t1=, or leave out what comes after it",
    )


def _drawn(tree: Any) -> str:
    short = lambda x: f"{x.dtype}{list(x.shape) if x.shape else ''}"
    return str(jax.tree.map(short, tree)).replace("'", "")


def _check(posed: Posed, span: Span, condition: Any, reset: Any, events: int) -> None:
    """The condition must give a number, the reset a state."""
    state, t0 = posed.unravel(posed.first), span.t0[0]
    seen = jax.eval_shape(lambda y: condition(t0, y, posed.args), state)
    if getattr(seen, "shape", None) != () or not jnp.issubdtype(seen.dtype, jnp.floating):
        raise EquationError(
            f"the condition gives {_drawn(seen)}",
            f"{_WHERE}, condition",
            'give one number that passes through zero: y["x"] - 1 instead of y["x"] > 1',
        )
    if reset is None:
        return
    if events < 1:
        raise EquationError(f"events is {events}", _WHERE, "give a positive number")
    after = jax.eval_shape(lambda y: reset(t0, y, posed.args), state)
    check_like(after, state, "the reset", _WHERE)
