"""An initial value problem as it is posed: checked, flat, and ready for any solver."""

import inspect
from collections.abc import Callable
from typing import Any, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from snakebird.equations._doses import Doses, merged
from snakebird.equations._forcing import corners
from snakebird.equations._parameters import resolve
from snakebird.equations._solvers import Direction, Solver
from snakebird.equations.lanes import Lanes, Span
from snakebird.errors import EquationError, InputError, UnknownNameError, suggest

Names = tuple[tuple[str, tuple[int, ...]], ...]
"""The path and the shape of every leaf of a state."""


class Split(eqx.Module):
    """A model in two parts, whose rates are added: one for explicit steps, one for implicit ones.

    Solvers such as `Diffrax(diffrax.KenCarp4())` take the parts apart; all others take their sum.
    A model of your own with methods `explicit` and `implicit` besides `__call__` does as well.

    >>> model = Split(lambda t, y, args: jnp.sin(t), lambda t, y, args: -50.0 * y)
    >>> float(model(0.0, 2.0, None))
    -100.0
    """

    explicit: Callable[[Any, Any, Any], Any]
    implicit: Callable[[Any, Any, Any], Any]

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        """The sum of both rates."""
        return jax.tree.map(jnp.add, self.explicit(t, y, args), self.implicit(t, y, args))


class Posed(eqx.Module):
    """A model with its arguments on flat states; `first` is the state before any dose."""

    model: Any
    args: Any
    first: Float[Array, " d"]
    unravel: Callable[[Any], Any] = eqx.field(static=True)
    names: Names = eqx.field(static=True)

    def rates(self) -> list[Callable[[Any, Any], Array]]:
        """The rate `(t, [d]) -> [d]`, and where the model has parts, that of each."""
        models = [self.model]
        if hasattr(self.model, "explicit") and hasattr(self.model, "implicit"):
            models += [self.model.explicit, self.model.implicit]

        def flat(model: Any) -> Callable[[Any, Any], Array]:
            def rate(t: Any, y: Any) -> Array:
                out = ravel_pytree(model(t, self.unravel(y), self.args))[0]
                return out.astype(y.dtype)

            return rate

        return [flat(model) for model in models]


class _Field:
    """The field of one lane, with its parts where it has two."""

    def __init__(self, pick: Callable[[Any, Any], list[Any]]):
        self._of = lambda i: lambda t, y, theta, const: pick(theta, const)[i](t, y)
        self.parts = (self._of(1), self._of(2))

    def __call__(self, t: Any, y: Any, theta: Any, const: Any) -> Any:
        return self._of(0)(t, y, theta, const)


class _OneField(_Field):
    def __init__(self, pick: Callable[[Any, Any], list[Any]]):
        super().__init__(pick)
        self.parts = ()


@eqx.filter_jit
def run(
    posed: Posed, y0: Float[Array, " d"], span: Span, solver: Solver, direction: Direction
) -> Lanes:
    """The problem as one lane, compiled."""
    # What functions close over becomes visible to gradients.
    rates = [eqx.filter_closure_convert(f, span.t0[0], y0) for f in posed.rates()]
    theta, rest = eqx.partition(rates, eqx.is_inexact_array)
    const, static = eqx.partition(rest, eqx.is_array)
    pick = lambda theta, const: eqx.combine(theta, const, static)
    field = _Field(pick) if len(rates) > 1 else _OneField(pick)
    lane = lambda tree: jax.tree.map(lambda x: x[None], tree)
    return solver(field, lane(theta), lane(const), y0[None], span, direction)


@eqx.filter_jit
def rates(posed: Posed, t: Float[Array, " n"], y: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """The rate at some times and states."""
    return jax.vmap(posed.rates()[0])(t, y)


def pose(
    model: Any, y0: Any, times: Any, args: Any, t0: Any, doses: Any, where: str
) -> tuple[Posed, Float[Array, " d"], Span]:
    """Check all that can be checked; the problem, the state it starts from, and its span."""
    check_callable(model, where)
    state, flat, unravel, names = state_of(y0, where)
    times, t0 = times_of(times, t0, flat.dtype, where)
    model, args = resolve(model), arguments(args)
    _check_rate(model, t0, state, args, where)
    stops, amounts = stops_of((model, args), state, t0, doses, flat, where)
    posed = Posed(model, args, flat, unravel, names)
    if amounts is not None:
        flat = flat + jnp.sum(jnp.where((stops == t0)[:, None], amounts, 0.0), axis=0)
    lane = lambda x: jnp.asarray(x)[None]
    return posed, flat, Span(lane(t0), lane(times), *jax.tree.map(lane, (stops, amounts)))


def check_callable(model: Any, where: str) -> None:
    """Raise an error for a class, and for what cannot be called."""
    if inspect.isclass(model):
        raise EquationError(
            f"the model is the class {model.__name__}, not one of its instances",
            where,
            f"call it: {model.__name__}(...)",
        )
    if not callable(model):
        raise EquationError(
            f"the model is of type {type(model).__name__}, which cannot be called",
            where,
            "give a function (t, y, args), or an eqx.Module with __call__(self, t, y, args)",
        )
    try:
        inspect.signature(model).bind(0.0, 0.0, None)
    except TypeError as error:
        raise EquationError(
            f"the model cannot be called as model(t, y, args): {error}",
            where,
            "give a function (t, y, args); what else it needs can come in args",
        ) from None
    except ValueError:  # no signature is known
        pass


def check_direction(direction: str, where: str) -> None:
    """Raise an error for what is none of the two directions of derivatives."""
    known = get_args(Direction)
    if direction not in known:
        raise UnknownNameError(
            f"no direction is called {direction!r}", where, suggest(direction, known)
        )


def state_of(y0: Any, where: str) -> tuple[Any, Array, Callable[[Any], Any], Names]:
    """The start as a tree of arrays of one precision and as a vector, and the way back."""
    y0 = resolve(y0)
    leaves = jax.tree_util.tree_leaves_with_path(y0)
    named = lambda path: "y0" + jax.tree_util.keystr(path)
    for path, leaf in leaves:
        if not eqx.is_array_like(leaf) or jnp.iscomplexobj(leaf):
            kind = "complex" if eqx.is_array_like(leaf) else f"of type {type(leaf).__name__}"
            raise EquationError(f"the start is {kind}", named(path), "give real numbers")
        if not isinstance(leaf, Tracer) and not np.all(np.isfinite(leaf)):
            shown = np.array2string(np.asarray(leaf), threshold=6)
            raise EquationError(
                f"the start is not finite: {shown}", named(path), "give a finite number"
            )
    if not sum(np.size(leaf) for _, leaf in leaves):
        raise EquationError("y0 holds no numbers", where, "give the state at the start")
    kind = jnp.result_type(float, *(leaf for _, leaf in leaves))
    state = jax.tree.map(lambda x: jnp.asarray(x, kind), y0)
    flat, unravel = ravel_pytree(state)
    names = tuple(("y" + jax.tree_util.keystr(path), np.shape(leaf)) for path, leaf in leaves)
    return state, flat, unravel, names


def times_of(times: Any, t0: Any, kind: Any, where: str) -> tuple[Array, Array]:
    """The row of times and the start, checked."""
    row = jnp.asarray(times, kind)
    if row.ndim != 1 or not row.size:
        raise EquationError(
            f"times has the shape {row.shape}", where, "give a row of one time or more"
        )
    start = row[0] if t0 is None else jnp.asarray(t0, kind)
    if is_traced((times, t0)):
        return row, start
    # In compiled code `row` is not known, what it was made of is.
    known = np.asarray(times, kind)
    first = known[0] if t0 is None else np.asarray(t0, kind)
    if not np.all(np.isfinite(known)):
        bad = int(np.argmin(np.isfinite(known)))
        raise EquationError(
            f"times[{bad}] is {known[bad]}", f"{where}, times", "give finite times only"
        )
    if not np.isfinite(first):
        raise EquationError(f"t0 is {float(first)}", where, "give a finite time")
    steps = np.diff(known)
    if not np.all(steps > 0):
        bad = int(np.argmin(steps > 0)) + 1
        what = "repeats" if steps[bad - 1] == 0 else "comes after"
        raise EquationError(
            f"times[{bad}] = {known[bad]:.9g} {what} times[{bad - 1}] = {known[bad - 1]:.9g}",
            f"{where}, times",
            "sort them and leave out doubles: numpy.unique(times)",
        )
    if known[0] < first:
        raise EquationError(
            f"times[0] = {known[0]:.9g} is before the start t0 = {float(first):.9g}",
            f"{where}, times",
            "give an earlier t0=, or leave it out to start at the first time",
        )
    return row, start


def arguments(args: Any) -> Any:
    """The arguments with parameters as their values, and numbers that may change as arrays."""
    return jax.tree.map(lambda x: jnp.asarray(x) if isinstance(x, float) else x, resolve(args))


def stops_of(
    trees: Any, state: Any, t0: Any, doses: Any, flat: Array, where: str
) -> tuple[Any, Any]:
    """When a step has to end `[m]`, and what is added to the state there `[m, d]`."""
    knots = corners(trees, flat.dtype)
    if doses is None:
        return (knots, None) if len(knots) else (None, None)
    if not isinstance(doses, Doses):
        doses = Doses(*doses)
    stops, amounts = doses.arrays(state, 1)
    first = stops[0, 0]
    if not isinstance(t0, Tracer) and first < np.asarray(t0):
        raise InputError(
            f"a dose at t = {first:.9g} is before the start t0 = {float(t0):.9g}",
            f"{where}, doses",
            "give an earlier t0=, or add it to y0",
        )
    return merged(stops[0], amounts[0].astype(flat.dtype), knots)


def is_traced(tree: Any) -> bool:
    """Whether any number of a tree is not known yet."""
    return any(isinstance(x, Tracer) for x in jax.tree.leaves(tree))


def seen(tree: Any) -> Any:
    """The numbers of a tree; they stay hidden only in compiled code, not to `jax.grad` as such."""
    # A product with an integer has no derivative, so that none of the tracers of one is left.
    bare = lambda x: jax.lax.stop_gradient(x) if eqx.is_inexact_array(x) else x * 1
    return jax.tree.map(lambda x: bare(x) if isinstance(x, Tracer) else x, tree)


def entry_name(names: Names, entry: int) -> str:
    """The path of an entry of a flat state: `y['position'][2]`."""
    for name, shape in names:
        size = int(np.prod(shape, dtype=int))
        if entry < size:
            return name + "".join(f"[{k}]" for k in np.unravel_index(entry, shape))
        entry -= size
    raise IndexError(entry)


def _check_rate(model: Any, t0: Any, state: Any, args: Any, where: str) -> None:
    parts = [(model, "the model")]
    if hasattr(model, "explicit") and hasattr(model, "implicit"):
        # The sum of parts that do not fit is an error of its own.
        parts[:0] = [(model.explicit, "the explicit part"), (model.implicit, "the implicit part")]
    for part, what in parts:
        check_like(jax.eval_shape(lambda y, p=part: p(t0, y, args), state), state, what, where)


def check_like(tree: Any, state: Any, what: str, where: str) -> None:
    """Raise an error where a tree is not shaped like the state; the message has both."""
    tree = jax.tree.map(lambda x: x if hasattr(x, "shape") else jnp.asarray(x), tree)
    got, due = _outline(tree), _outline(state)
    if got == due and jax.tree.structure(tree) == jax.tree.structure(state):
        return
    differ = [f"no y{p}" for p in due if p not in got]
    differ += [f"y{p} too much" for p in got if p not in due]
    differ += [
        f"y{p} has shape {got[p]}, not {due[p]}" for p in due if p in got and got[p] != due[p]
    ]
    raise EquationError(
        f"{what} returns {_drawn(tree)}, y0 is {_drawn(state)}",
        ", ".join([where, *(differ[:4] or ["other containers"])]),
        "return a number for every entry of y0, in a tree of the same shape",
    )


def _outline(tree: Any) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): tuple(leaf.shape) for path, leaf in leaves}


def _drawn(tree: Any) -> str:
    short = lambda x: f"[{', '.join(map(str, x.shape))}]" if x.shape else "number"
    return str(jax.tree.map(short, tree)).replace("'", "")
