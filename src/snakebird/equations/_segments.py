"""One problem through diffrax: from dose to dose, with where and how it ended."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, get_origin

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx

from snakebird.equations.lanes import (
    MAX_STEPS,
    NOT_FINITE,
    OK,
    TOO_SMALL,
    Field,
    Lanes,
    Outcome,
    Span,
)
from snakebird.errors import EquationError


class _Steps(dfx.PIDController):
    """Steps that adapt, and say so where one that was rejected cannot become any shorter.

    How short that is depends on the time: near zero much shorter steps can be told apart.
    """

    reach: Any = 0.0

    def adapt_step_size(self, *given: Any, **named: Any) -> Any:
        keep, t0, t1, jump, state, result = super().adapt_step_size(*given, **named)
        t0 = jnp.asarray(t0)
        least = jnp.maximum(32 * jnp.finfo(t0.dtype).eps * jnp.abs(t0), 1e-14 * jnp.abs(self.reach))
        short = ~jnp.asarray(keep) & (t1 - t0 < jax.lax.stop_gradient(least))
        result = dfx.RESULTS.where(short, dfx.RESULTS.dt_min_reached, result)
        return keep, t0, t1, jump, state, result


class Method(NamedTuple):
    """What `diffrax.diffeqsolve` is told, whatever the equation."""

    solver: dfx.AbstractSolver
    adjoint: dfx.AbstractAdjoint
    rtol: float
    atol: float
    max_steps: int
    step: float | None
    event: dfx.Event | None = None

    def controller(self, reach: Any) -> dfx.AbstractStepSizeController:
        """How long steps are: adapted where `step` is not given. `reach` is the latest time."""
        if not isinstance(self.solver, dfx.AbstractAdaptiveSolver):
            return dfx.ConstantStepSize()
        if self.step is not None:
            # Implicit solvers take the tolerances of their root finder from here, so that steps
            # that are fixed are adaptive ones without a choice.
            return dfx.PIDController(
                self.rtol, self.atol, dtmin=self.step, dtmax=self.step, force_dtmin=True
            )
        # Implicit solvers reject far fewer steps with some memory of the error before
        # (Hairer and Wanner: Solving ODEs II, IV.2).
        implicit = isinstance(self.solver, dfx.AbstractImplicitSolver)
        memory = (0.3, 0.3) if implicit else (0.0, 1.0)
        reach = jax.lax.stop_gradient(reach)
        return _Steps(self.rtol, self.atol, pcoeff=memory[0], icoeff=memory[1], reach=reach)


class At(NamedTuple):
    """Where a solve is between two segments, and whether an event ended the one before."""

    y: Any
    code: Any
    time: Any
    state: Any
    steps: Any
    event: Any


def sure(solver: dfx.AbstractSolver) -> dfx.AbstractSolver:
    """The solver with a root finder that converges.

    That of diffrax 0.7.2 does not where an equation has two parts, and steps become tiny.
    """
    finder = getattr(solver, "root_finder", None)
    if parts(solver) != 2 or not isinstance(finder, dfx.VeryChord):
        return solver
    chord = optx.Chord(rtol=finder.rtol, atol=finder.atol, norm=finder.norm)
    return eqx.tree_at(lambda s: s.root_finder, solver, chord)


def parts(solver: dfx.AbstractSolver) -> int | None:
    """Into how many parts a solver takes an equation apart; None where it solves others."""
    terms = solver.term_structure
    if isinstance(terms, type) and issubclass(terms, dfx.AbstractTerm):
        return 1
    random = isinstance(solver, dfx.AbstractItoSolver | dfx.AbstractStratonovichSolver)
    return 2 if get_origin(terms) is dfx.MultiTerm and not random else None


def begin(rate: Any, t0: Any, y0: Any) -> At:
    """The start; failed where the rate is not a number."""
    finite = jnp.isfinite(rate(t0, y0))
    code = jnp.where(jnp.all(finite), OK, NOT_FINITE)
    return At(y0, code, t0, jnp.argmin(finite), jnp.array(0), jnp.array(False))


def solve(method: Method, field: Field, theta: Any, const: Any, y0: Any, span: Span) -> Lanes:
    """One lane, as `Lanes` without the leading axis."""
    fixed = lambda f: lambda t, y: f(t, y, theta, const)
    rate = fixed(field)
    terms = terms_of(method.solver, [rate, *map(fixed, getattr(field, "parts", ()))])
    times, end = span.times, span.times[-1]
    at = begin(rate, span.t0, y0)
    if span.stops is None:
        at, values = segment(method, terms, rate, at, end, times)
        return _lanes(values, at)
    given = (span.stops > span.t0) & (span.stops <= end)
    ends = jnp.where(given, span.stops, jnp.where(span.stops > end, end, span.t0))
    doses = jnp.zeros((len(ends), len(y0))) if span.doses is None else span.doses
    doses = jnp.where(given[:, None], doses, 0.0)

    def one(carry: Any, item: Any) -> Any:
        at, values = carry
        stop, dose = item
        before = at.time
        at, found = segment(method, terms, rate, at, stop, times)
        values = jnp.where(((times > before) & (times <= stop))[:, None], found, values)
        return (at._replace(y=at.y + dose), values), None

    first = (at, jnp.broadcast_to(y0, (*times.shape, *y0.shape)))
    items = (jnp.append(ends, end), jnp.concatenate([doses, jnp.zeros_like(doses[:1])]))
    (at, values), _ = jax.lax.scan(one, first, items)
    return _lanes(values, at)


def together(out: Lanes) -> Lanes:
    """Lanes whose count of steps is that of the longest."""
    return out._replace(outcome=out.outcome._replace(tries=jnp.max(out.outcome.tries)))


def _lanes(values: Any, at: At) -> Lanes:
    return Lanes(values, Outcome(at.code, at.time, at.state, at.steps))


def terms_of(solver: dfx.AbstractSolver, rates: Sequence[Callable[[Any, Any], Any]]) -> Any:
    """The terms a solver asks for, from a rate `(t, y)` and, if there are any, its two parts."""
    mend = _finite if isinstance(solver, dfx.AbstractImplicitSolver) else lambda rate: rate
    own = lambda f: dfx.ODETerm(lambda t, y, _: mend(f(t, y)))
    if parts(solver) == 1:
        return own(rates[0])
    if len(rates) != 3:
        raise EquationError(
            f"{type(solver).__name__} needs an equation in two parts, the model is one",
            "Diffrax",
            "wrap it: Split(explicit, implicit), two models whose rates are added",
        )
    return dfx.MultiTerm(*map(own, rates[1:]))


def _finite(rate: Any) -> Any:
    """What is no number as a large one: such a step is rejected; a linear solver would raise."""
    return jnp.where(jnp.isfinite(rate), rate, 1e30)


def segment(method: Method, terms: Any, rate: Any, at: At, end: Any, times: Any) -> Any:
    """From where the solve is to `end`, which is no step at all where it failed before.

    Gives where it is then, and the states `[n, d]` at those `times` that lie between.
    """
    end = jnp.where(at.code == OK, jnp.maximum(end, at.time), at.time)
    save = [
        dfx.SubSaveAt(ts=jnp.clip(times, at.time, end)),
        dfx.SubSaveAt(t1=True, fn=lambda t, y, _: (jnp.asarray(t, at.time.dtype), y)),
    ]
    out = dfx.diffeqsolve(
        terms, method.solver, at.time, end, method.step, at.y, saveat=dfx.SaveAt(subs=save),
        stepsize_controller=method.controller(end), adjoint=method.adjoint,
        max_steps=method.max_steps, throw=False, event=method.event,
    )  # fmt: skip
    values, (reached, last) = out.ys  # pyright: ignore[reportGeneralTypeIssues]
    time, y = reached[-1], last[-1]
    event = out.result == dfx.RESULTS.event_occurred
    code, state = _ended(out.result, rate, time, y, 1e-8 * (end - at.time))
    # Steps of a fixed length go on with what is not a number.
    lost = (code == OK) & ~jnp.all(jnp.isfinite(y))
    fine = jnp.all(jnp.isfinite(values), axis=1) & (times <= end)
    last = jnp.maximum(at.time, jnp.max(jnp.where(fine, times, at.time)))
    # A solve that arrives is there, whatever rounding says of its last step.
    time = jnp.where(lost, last, jnp.where((code == OK) & ~event, end, time))
    code = jnp.where(lost, NOT_FINITE, code)
    state = jnp.where(lost, jnp.argmin(jnp.isfinite(y)), state)
    failed = at.code != OK
    code, state = jnp.where(failed, at.code, code), jnp.where(failed, at.state, state)
    steps = at.steps + out.stats["num_steps"]
    return At(y, code, time, state, steps, event & ~failed), values


def _ended(result: Any, rate: Any, time: Any, y: Any, ahead: Any) -> tuple[Any, Any]:
    """The code, and the state that is not finite a little `ahead`, or else changes most."""
    time, y, ahead = jax.lax.stop_gradient((time, y, ahead))
    slope = rate(time, y)
    beyond = rate(time + ahead, y + ahead * slope)
    wrong = ~(jnp.isfinite(slope) & jnp.isfinite(beyond))
    steep = jnp.abs(slope) / (jnp.abs(y) + 1e-3 * jnp.max(jnp.abs(y)) + 1e-30)
    state = jnp.argmax(jnp.where(wrong, jnp.inf, steep))
    code = jnp.where(result == dfx.RESULTS.max_steps_reached, MAX_STEPS, TOO_SMALL)
    code = jnp.where(jnp.any(wrong), NOT_FINITE, code)
    good = (result == dfx.RESULTS.successful) | (result == dfx.RESULTS.event_occurred)
    return jnp.where(good, OK, code), state
