"""What a solve gives: states, and when, where and why it failed."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from snakebird.equations import lanes
from snakebird.equations._posed import entry_name, seen
from snakebird.equations._solvers import Diffrax
from snakebird.errors import SolveError

TOO_MANY_EVENTS = 4
"""How a solve may end besides the codes of the lanes."""

_REASONS = {
    lanes.MAX_STEPS: "too many steps",
    lanes.TOO_SMALL: "step too small",
    lanes.NOT_FINITE: "not a number",
    TOO_MANY_EVENTS: "too many events",
}


class Failure(NamedTuple):
    """Where a solve ended early: the time, the entry of the state, and the reason.

    The reason is "too many steps", "step too small", "not a number", "not a number at the start"
    or "too many events".
    """

    time: float
    state: str
    reason: str

    def __str__(self) -> str:
        return f"{self.reason} at t = {self.time:.6g} in {self.state}"


class Solution(eqx.Module):
    """The states at some times, and how the solve went.

    `states` is a tree like the start, its leaves `[n, ...]` with time first, NaN after the time
    where the solve failed. `ok` says whether it arrived, `steps` how many steps were tried,
    `solver` what was used and `why`. Of many solves under `jax.vmap`, every array leads with them.
    """

    times: Float[Array, "*batch n"]
    states: Any
    ok: Bool[Array, "*batch"]
    steps: Int[Array, "*batch"]
    code: Int[Array, "*batch"]
    reached: Float[Array, "*batch"]
    entry: Int[Array, "*batch"]
    start: Float[Array, "*batch"]
    solver: Any = eqx.field(static=True)
    why: str = eqx.field(static=True)
    names: tuple[tuple[str, tuple[int, ...]], ...] = eqx.field(static=True)
    event_times: Float[Array, "*batch m"] | None = None
    event_states: Any = None

    @property
    def event_time(self) -> Float[Array, "*batch"]:
        """When the first event was; infinite where there was none."""
        if self.event_times is None:
            raise SolveError(
                "this solve knew of no events", "Solution.event_time", "use solve_until"
            )
        return self.event_times[..., 0]

    @property
    def event_state(self) -> Any:
        """The state just before the first event; NaN where there was none."""
        axis = jnp.ndim(self.event_time)
        return jax.tree.map(lambda x: jnp.take(x, 0, axis=axis), self.event_states)

    @property
    def failure(self) -> Failure | None:
        """How the solve failed, `None` where it did not; of many, the first that did.

        Raises `SolveError` in compiled code, where it is not known yet; `ok` is an array there.
        """
        found = seen((self.ok, self.code, self.reached, self.entry, self.start, self.steps))
        if any(isinstance(x, Tracer) for x in found):
            raise SolveError(
                "how a solve failed is not known while code is compiled",
                "Solution.failure",
                "use solution.ok there, or look at the solution outside of jax.jit and jax.vmap",
            )
        if np.all(found[0]):
            return None
        at = int(np.argmin(np.ravel(found[0])))
        _, code, time, entry, start, steps = (np.ravel(x)[at].item() for x in found)
        reason = _REASONS[code]
        if code == lanes.NOT_FINITE and time <= start and not steps:
            reason += " at the start"
        return Failure(time, entry_name(self.names, entry), reason)

    def __str__(self) -> str:
        ok, times, steps = seen((self.ok, self.times, self.steps))
        if any(isinstance(x, Tracer) for x in (ok, times, steps)):
            return "Solution(being compiled)"
        times, names = np.asarray(times), [name for name, _ in self.names]
        many = f"{ok.size} solves of " if ok.ndim else ""
        shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
        how = f"{type(self.solver).__name__}, {int(np.max(steps))} steps ({self.why})"
        end = "" if self.failure is None else f"\nfailed: {self.failure}"
        reach = f"from t = {times.min():.6g} to {times.max():.6g}"
        return f"{many}{shown} at {times.shape[-1]} times {reach}\n{how}{end}"


def raise_failure(solution: Solution) -> None:
    """Raise `SolveError` where the solve failed; what is being compiled goes by."""
    if isinstance(seen(solution.ok), Tracer) or (failure := solution.failure) is None:
        return
    end, steps = np.max(seen(solution.times)), np.max(seen(solution.steps))
    raise SolveError(
        f"the solve ended at t = {failure.time:.6g} of {end:.6g}: {failure.reason} "
        f"({type(solution.solver).__name__}, {steps} steps)",
        failure.state,
        _hint(solution, failure),
    )


def _hint(solution: Solution, failure: Failure) -> str:
    """What to type next."""
    solver, look = solution.solver, f"look at the model near t = {failure.time:.6g}"
    if failure.reason == "not a number at the start":
        return "call the model with t0, y0 and args, and look at what it returns there"
    if failure.reason == "not a number":
        return f"{look}: the root or logarithm of a negative number, a division by zero?"
    stiff = "" if isinstance(solver, Diffrax) else "solver=Diffrax() for a stiff equation"
    if failure.reason == "too many events":
        return f"give more events=, or an earlier t1=; else {look}"
    digits = ""
    if solution.times.dtype == jnp.float32:
        digits = "jax.config.update('jax_enable_x64', True) for more digits"
    if failure.reason == "too many steps":
        name = type(solver).__name__
        more = f"solver={name}(..., max_steps={4 * getattr(solver, 'max_steps', 1024)})"
        return " or ".join(part for part in (stiff, more, digits) if part) + f"; else {look}"
    grows = f"{look}: it may grow without bound there"
    return "; or ".join(part for part in (grows, stiff, digits) if part)
