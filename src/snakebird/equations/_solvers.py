"""What carries an equation forward: the fast explicit method, or any solver of diffrax."""

from collections.abc import Callable
from typing import Any, Literal

import diffrax as dfx
import equinox as eqx
import jax

from snakebird.equations import _folded as folded, _segments as segments, lanes
from snakebird.equations.lanes import Field, Lanes, Span
from snakebird.errors import EquationError

Direction = Literal["forward", "reverse"]
Solver = Callable[[Field, Any, Any, Any, Span, Direction], Lanes]
"""`solver(field, theta, const, y0, span, direction)`: all lanes, differentiable that way."""


class Explicit(eqx.Module):
    """Tsitouras' method 5(4) on lanes: quick, for equations that are not stiff.

    >>> Explicit(rtol=1e-9).rtol
    1e-09
    """

    rtol: float = eqx.field(static=True, default=1e-6)
    atol: float = eqx.field(static=True, default=1e-8)
    max_steps: int = eqx.field(static=True, default=256)

    @property
    def settings(self) -> lanes.Settings:
        """Tolerances and room for steps, as the lanes take them."""
        return lanes.Settings(self.rtol, self.atol, self.max_steps)

    def __call__(
        self, field: Field, theta: Any, const: Any, y0: Any, span: Span, direction: Direction
    ) -> Lanes:
        solve = lanes.solve_forward if direction == "forward" else folded.solve_reverse
        return solve(field, self.settings, theta, const, y0, span)


class Diffrax(eqx.Module):
    """Any solver of ordinary differential equations in diffrax, by default implicit Kvaerno5.

    Steps adapt to `rtol` and `atol`. A solver that does not estimate its error takes steps of
    `step`, and so does any other once `step` is given. Solvers that treat one part of an equation
    explicitly and the other implicitly (`diffrax.KenCarp4()`, ...) need a field in two parts: a
    model wrapped in `Split`.

    Raises `EquationError` for what is no such solver, and for a missing `step`.

    >>> import diffrax
    >>> Diffrax(diffrax.Euler(), step=0.1).step
    0.1
    """

    solver: Any
    rtol: float = eqx.field(static=True, default=1e-6)
    atol: float = eqx.field(static=True, default=1e-8)
    max_steps: int = eqx.field(static=True, default=4096)
    step: float | None = eqx.field(static=True, default=None)

    def __init__(
        self,
        solver: Any = None,
        *,
        rtol: float = 1e-6,
        atol: float = 1e-8,
        max_steps: int = 4096,
        step: float | None = None,
    ):
        self.solver = dfx.Kvaerno5() if solver is None else solver
        self.rtol, self.atol, self.max_steps, self.step = rtol, atol, max_steps, step
        _check(self.solver, step)

    def method(self, direction: Direction) -> segments.Method:
        """The solver with all that diffrax is told besides."""
        forward = direction == "forward"
        adjoint = dfx.ForwardMode() if forward else dfx.RecursiveCheckpointAdjoint()
        return segments.Method(
            segments.sure(self.solver), adjoint, self.rtol, self.atol, self.max_steps, self.step
        )

    def __call__(
        self, field: Field, theta: Any, const: Any, y0: Any, span: Span, direction: Direction
    ) -> Lanes:
        method = self.method(direction)
        lane = lambda *given: segments.solve(method, field, *given)
        given = (theta, const, y0, span)
        if y0.shape[0] > 1:
            return segments.together(jax.vmap(lane)(*given))
        # One problem runs without the selections that a vectorized loop makes in every step.
        return segments.together(jax.tree.map(lambda x: x[None], lane(*_first(given))))


def _first(tree: Any) -> Any:
    return jax.tree.map(lambda x: x[0], tree)


def _check(solver: Any, step: float | None) -> None:
    where = "Diffrax"
    if isinstance(solver, type):
        raise EquationError(
            f"the solver is the class {solver.__name__}, not one of its instances",
            where,
            f"call it: {solver.__name__}()",
        )
    if not isinstance(solver, dfx.AbstractSolver):
        raise EquationError(
            f"the solver is {solver!r}, which is none of diffrax",
            where,
            "give diffrax.Tsit5(), diffrax.Kvaerno5(), ...",
        )
    if segments.parts(solver) is None:
        raise EquationError(
            f"{type(solver).__name__} is not for ordinary differential equations of one state",
            where,
            "give diffrax.Tsit5(), diffrax.Kvaerno5(), or for noise use solve_random",
        )
    if step is None and not isinstance(solver, dfx.AbstractAdaptiveSolver):
        raise EquationError(
            f"{type(solver).__name__} does not estimate its error, so its steps cannot adapt",
            where,
            f"give their length: Diffrax({type(solver).__name__}(), step=0.01)",
        )
    if step is not None and not step > 0:
        raise EquationError(f"the step is {step}", where, "give a positive number")
