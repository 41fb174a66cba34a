"""A differential equation as a neuron: each tick solves it over one stretch of time."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer

from snakebird import vvalues as vv
from snakebird.errors import MachineError, SnakebirdError, SpaceError
from snakebird.neurons import Neuron, NeuronType

Y = "y"
"""The port that holds the solution, as the difference from `y0`, from tick to tick."""

_WHERE = "solve_neuron"


def solve_neuron(
    field: Callable[[Any, Any, Any], Any],
    y0: vv.VValue,
    *,
    inputs: str | Iterable[str] | Mapping[str, vv.VValue] = (),
    duration: float = 1.0,
    solver: dfx.AbstractSolver | None = None,
    step: float | None = None,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    max_steps: int = 4096,
    train: bool = True,
) -> Neuron:
    """A neuron that carries `dy/dt = field(t, y, args)` forward by `duration` each tick.

    `y` is a number, an array or a tree of them, shaped like `y0`; `args` is a dict of the
    neuron's inputs, held constant during the tick: numbers, arrays or trees, as they arrive.
    What is zero may be missing from a tree; `inputs={"u": {"a": 0, "b": 0}}` instead of a list of
    names says how an input is shaped, and then its zeros are there too. `t` runs from 0 to
    `duration` each tick. `field` may be an `eqx.Module`, whose arrays are then the neuron's
    parameters (trainable unless `train=False`).

    Outputs: `result`, the solution after the tick, and `y`, its difference from `y0`, which must
    be linked back to the input `y` with weight 1 (a builder does so by itself), so that zero means
    the start.

    Any diffrax solver of ordinary differential equations will do, by default Tsit5. Steps adapt
    to `rtol` and `atol`; a solver that does not estimate its error takes steps of `step`, by
    default a twentieth of `duration`, and so does any other once `step` is given. A solution that
    needs more than `max_steps` steps in a tick, or fails in another way, raises a
    `SnakebirdError`; a compiled run says the same in an `equinox.EquinoxRuntimeError`.

    >>> decay = solve_neuron(lambda t, y, args: -y, 1.0)
    >>> round(float(decay.apply({})["result"]), 4)
    0.3679
    """
    solver = dfx.Tsit5() if solver is None else solver
    known = _inputs(inputs)
    _check(y0, known, duration, solver, step)
    if step is None and not isinstance(solver, dfx.AbstractAdaptiveSolver):
        step = duration / 20
    if step is not None and duration / step > max_steps * (1 + 1e-9):
        raise MachineError(
            f"steps of {step} through a duration of {duration} are more than {max_steps}",
            _WHERE,
            "give a longer step=, a shorter duration= or more max_steps=",
        )
    controller = _controller(solver, step, rtol, atol)
    kind = _type(known, vv.space_of(y0), float(duration), solver, step, controller, max_steps)
    free = frozenset({"field"}) if train else frozenset()
    return Neuron(kind, {"field": field, "y0": y0}, free)


def _inputs(given: Any) -> tuple[tuple[str, vv.Space | None], ...]:
    """The names of the inputs, each with its space where that is known."""
    if isinstance(given, Mapping):
        return tuple((name, vv.space_of(value)) for name, value in given.items())
    return tuple((name, None) for name in ((given,) if isinstance(given, str) else given))


def _check(
    y0: Any, inputs: Any, duration: float, solver: dfx.AbstractSolver, step: float | None
) -> None:
    names = [name for name, _ in inputs]
    if not vv.space_of(y0).size:
        raise MachineError(
            f"y0 is {y0!r}, which holds no numbers", _WHERE, "give the zeros of y0 as well"
        )
    if Y in names or len(set(names)) < len(names):
        twice = Y if Y in names else next(name for name in names if names.count(name) > 1)
        what = "holds the solution" if twice == Y else "stands twice"
        raise MachineError(f"the input {twice!r} {what}", _WHERE, "give it another name")
    for word, value in (("duration", duration), ("step", step)):
        if value is not None and not 0 < value < math.inf:
            raise MachineError(f"the {word} is {value}", _WHERE, "give a positive number")
    terms = solver.term_structure
    if not (isinstance(terms, type) and issubclass(terms, dfx.AbstractTerm)):
        raise MachineError(
            f"{type(solver).__name__} solves equations of several terms, this one has one",
            _WHERE,
            "give a solver of ordinary equations: diffrax.Tsit5(), diffrax.Kvaerno5(), ...",
        )


def _controller(
    solver: dfx.AbstractSolver, step: float | None, rtol: float, atol: float
) -> dfx.AbstractStepSizeController:
    if not isinstance(solver, dfx.AbstractAdaptiveSolver):
        return dfx.ConstantStepSize()
    # Implicit solvers take the tolerances of their root finder from here, so that steps that
    # are fixed are adaptive ones without a choice.
    fixed = {} if step is None else {"dtmin": step, "dtmax": step, "force_dtmin": True}
    return dfx.PIDController(rtol=rtol, atol=atol, **fixed)


class _Rate(eqx.Module):
    """The field on vectors; compares by its contents, so that solving again need not recompile."""

    field: Any
    space: vv.Space = eqx.field(static=True)

    def __call__(self, t: Any, data: jax.Array, args: Any) -> jax.Array:
        change = self.field(t, _as_user(vv.Flat(self.space, data)), args)
        try:
            return vv.flatten(change, self.space).data.astype(data.dtype)
        except SpaceError as error:
            raise SpaceError(
                f"the field does not fit y0: {error.what}",
                ", ".join(part for part in (_WHERE, error.where) if part),
                f"return what is shaped like y0: {self.space!r}",
            ) from None


@lru_cache(maxsize=256)
def _type(
    inputs: tuple[tuple[str, vv.Space | None], ...],
    space: vv.Space,
    duration: float,
    solver: dfx.AbstractSolver,
    step: float | None,
    controller: dfx.AbstractStepSizeController,
    max_steps: int,
) -> NeuronType:
    """One type for each setting, so that fields of one structure run as one stacked call."""
    failure = partial(
        SnakebirdError,
        f"the equation could not be solved over a duration of {duration} in at most "
        f"{max_steps} steps",
        _WHERE,
        "give a shorter duration=, more max_steps=, or for a stiff equation "
        "solver=diffrax.Kvaerno5()",
    )

    def call(*values: vv.VValue, field: Any, y0: Any) -> dict[str, vv.VValue]:
        *given, held = values
        args = {
            name: _as_user(vv.flatten(value) if own is None else vv.restrict(value, own))
            for (name, own), value in zip(inputs, given, strict=True)
        }
        first = vv.flatten(y0, space).data
        before = vv.restrict(held, space).data + first
        found = dfx.diffeqsolve(
            dfx.ODETerm(_Rate(field, space)),
            solver,
            jnp.asarray(0.0, before.dtype),
            jnp.asarray(duration, before.dtype),
            step,
            before,
            args=args,
            stepsize_controller=controller,
            max_steps=max_steps,
            throw=False,
        )
        assert found.ys is not None
        last = _solved(found.ys[-1], found.result, failure)
        return {"result": _as_user(vv.Flat(space, last)), Y: vv.Flat(space, last - first)}

    return NeuronType(
        "solve",
        call,
        inputs=(*(name for name, _ in inputs), Y),
        outputs=("result", Y),
        defaults={"field": None, "y0": 0.0},
        loops={Y: Y},
    )


def _solved(last: jax.Array, result: Any, failure: Any) -> jax.Array:
    """The solution itself; raises the error where the solver gave up, also in compiled code."""
    failed = result != dfx.RESULTS.successful
    if isinstance(failed, Tracer):
        return eqx.error_if(last, failed, str(failure()))
    if jnp.any(failed):
        raise failure()
    return last


def _as_user(value: vv.Flat) -> Any:
    """The value as the user wrote it: a number or array where there is only a root, else a tree."""
    if value.space.paths in ((), ((),)):
        return vv.number(value)
    leaves = {p: value.data[value.space.slot(p)].reshape(s) for p, s in value.space.items}
    return vv.grow(leaves)
