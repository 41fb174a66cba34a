"""Equations with delays on lanes, so that they can be fitted like all others."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from snakebird.equations._delay import carried
from snakebird.equations._segments import together
from snakebird.equations.lanes import MAX_STEPS, NOT_FINITE, OK, Field, Lanes, Outcome, Span
from snakebird.errors import EquationError


class Delayed(eqx.Module):
    """The method of steps for models with delays, as `solve_delayed` has it.

    `fit` takes it by itself where a model has an attribute `delays`: a number, a parameter, or a
    tuple of them. Such a model is called as `model(t, y, past, args)`, `past` being the state so
    long ago, for each delay; before the start it was what it is at the start.

    >>> Delayed(rtol=1e-4).max_steps
    512
    """

    rtol: float = eqx.field(static=True, default=1e-6)
    atol: float = eqx.field(static=True, default=1e-8)
    max_steps: int = eqx.field(static=True, default=512)

    def __call__(
        self, field: Field, theta: Any, const: Any, y0: Any, span: Span, direction: Any
    ) -> Lanes:
        if getattr(field, "past", None) is None:
            raise EquationError(
                "the model has no delays", "Delayed", "leave out solver=, or give the model delays"
            )
        if span.stops is not None:
            raise EquationError(
                "doses and delays do not go together", "Delayed", "put the doses into the model"
            )
        lanes = jax.vmap(lambda *lane: self._lane(field, *lane))(theta, const, y0, *span[:2])
        return together(lanes)

    def _lane(self, field: Any, theta: Any, const: Any, y0: Any, t0: Any, times: Any) -> Lanes:
        leaves, tree = jax.tree.flatten(field.delays(theta, const))
        taus = jnp.stack([jnp.asarray(leaf, y0.dtype) for leaf in leaves])
        good = jnp.all((taus > 0) & jnp.isfinite(taus))
        taus = jnp.where(good, taus, jnp.max(times) - t0 + 1)
        rate = lambda t, y, past, given: field.past(t, y, past, *given)
        bounds = (jnp.asarray(self.rtol, y0.dtype), jnp.asarray(self.atol, y0.dtype))
        parts = (rate, y0, tree, (theta, const))
        values, finite, last = carried(parts, taus, times, t0, bounds, None, self.max_steps)
        finite = finite & good & jnp.all(jnp.isfinite(values))
        code = jnp.where(finite, jnp.where(last >= jnp.max(times), OK, MAX_STEPS), NOT_FINITE)
        worst = jnp.argmax(jnp.abs(values[-1]))
        outcome = Outcome(code, last, worst, jnp.asarray(self.max_steps))
        return Lanes(values, outcome)
