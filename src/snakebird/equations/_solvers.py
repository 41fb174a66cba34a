"""What carries an equation forward: the fast explicit method, or any solver of diffrax."""

from collections.abc import Callable
from typing import Any, Literal

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp

from snakebird.equations import lanes
from snakebird.equations.lanes import Field, Lanes, Outcome, Span

Direction = Literal["forward", "reverse"]
Solver = Callable[[Field, Any, Any, Any, Span, Direction], Lanes]
"""`solver(field, theta, const, y0, span, direction)`: all lanes, differentiable that way."""


class Explicit(eqx.Module):
    """Tsitouras' method 5(4) on lanes: quick, for equations that are not stiff."""

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
        settings = self.settings
        solve = lanes.solve_forward if direction == "forward" else lanes.solve_reverse
        return solve(field, settings, theta, const, y0, span)


class Diffrax(eqx.Module):
    """Any solver of ordinary differential equations in diffrax, by default implicit Kvaerno5."""

    solver: Any
    rtol: float = eqx.field(static=True, default=1e-6)
    atol: float = eqx.field(static=True, default=1e-8)
    max_steps: int = eqx.field(static=True, default=4096)

    def __init__(
        self,
        solver: dfx.AbstractSolver | None = None,
        *,
        rtol: float = 1e-6,
        atol: float = 1e-8,
        max_steps: int = 4096,
    ):
        self.solver = dfx.Kvaerno5() if solver is None else solver
        self.rtol, self.atol, self.max_steps = rtol, atol, max_steps

    def __call__(
        self, field: Field, theta: Any, const: Any, y0: Any, span: Span, direction: Direction
    ) -> Lanes:
        adjoint = dfx.ForwardMode() if direction == "forward" else dfx.RecursiveCheckpointAdjoint()
        controller = dfx.PIDController(rtol=self.rtol, atol=self.atol)

        def one(theta: Any, const: Any, y0: Any, span: Span) -> Any:
            # Padding repeats the last time, which diffrax does not take.
            times = jnp.minimum(span.times, span.times[-1])
            jumps = None if span.stops is None else span.stops
            out = dfx.diffeqsolve(
                dfx.ODETerm(lambda t, y, _: field(t, y, theta, const)),
                self.solver, span.t0, span.times[-1], None, y0,
                saveat=dfx.SaveAt(ts=times),
                stepsize_controller=controller if jumps is None else dfx.ClipStepSizeController(
                    controller, step_ts=jumps
                ),
                adjoint=adjoint, max_steps=self.max_steps, throw=False,
            )  # fmt: skip
            good = out.result == dfx.RESULTS.successful
            code = jnp.where(good, lanes.OK, lanes.MAX_STEPS)
            code = jnp.where(
                jnp.all(jnp.isfinite(jnp.asarray(out.ys))) | ~good, code, lanes.NOT_FINITE
            )
            steps = jnp.asarray(out.stats["num_steps"])
            return out.ys, code, span.times[-1], jnp.array(0), steps

        if span.doses is not None:
            raise NotImplementedError("doses go with the explicit solver")
        values, code, time, state, steps = jax.vmap(one)(theta, const, y0, span)
        return Lanes(values, Outcome(code, time, state, jnp.max(steps)))
