"""Delay differential equations by the method of steps, with gradients in the delays too.

Source: Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I (1993), section
II.17: the pair of Dormand and Prince on a mesh that holds the points where derivatives jump, its
continuous extension giving the past. Here the mesh is found first, without gradients; the steps
are then taken again on that mesh, and gradients see only these.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.flatten_util import ravel_pytree
from jax.typing import ArrayLike

from snakebird.equations._dense import NODES, ORDER, evaluate, step
from snakebird.errors import InputError, SnakebirdError

_WHERE = "solve_delayed"
_CHUNK = 32
_MOST_JUMPS = 100


def solve_delayed(
    field: Callable[[Any, Any, Any, Any], Any],
    history: Any,
    times: ArrayLike | Sequence[float],
    args: Any,
    *,
    delays: Any,
    t0: ArrayLike | None = None,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    steps: int | None = None,
    max_steps: int = 1024,
) -> Any:
    """The solution of `dy/dt = field(t, y, past, args)` at `times`, `past` being y some time ago.

    `delays` is a number or a tree of numbers, positive, and may be trained like any other; `past`
    has its shape, with `y(t - delay)` in place of each: `delays=(1.0, 2.5)` gives
    `past = (y(t - 1.0), y(t - 2.5))`. `history` is y at `t0` and before: a function of t that JAX
    can trace, or a constant; `y` is a number, array or tree of them. `t0` is the first of `times`
    unless given; `times` has shape `[k]`, in any order. Returns the tree of y, leaves `[k, ...]`.

    Differentiable in both directions with respect to `delays`, `args`, `times`, and the arrays of
    `field` and `history`, `jax.jit` and `jax.vmap` included; not with respect to `t0`.

    The order is 5, between steps 4 (local error `h**5`). Steps adapt to `rtol` and `atol`, or
    there are `steps` equal ones, cut where needed: the mesh always holds the points
    `t0 + (sums of up to five delays)`, where derivatives of y jump even for smooth equations
    (with many delays sums of fewer, at most a hundred in all). A jump inside `field` or `history`
    itself costs order, or with adaptive steps smaller steps. No step is longer than the shortest
    delay, so a delay must not be very short against the time solved for. Equations that are stiff
    need many steps. Equal steps that are too long for the equation may end in NaN.

    Memory and the cost of gradients grow with `max_steps`, and under `jax.vmap` the time does too.

    Raises `InputError` for delays that are not positive, for a history that is not finite, and
    for steps longer than a delay; `SnakebirdError` where `max_steps` are too few. In compiled
    code these are an `equinox.EquinoxRuntimeError`.

    >>> y = solve_delayed(lambda t, y, past, args: -past, 1.0, [0.0, 0.5, 1.5], None,
    ...                   delays=1.0)
    >>> [round(float(v), 4) for v in y]
    [1.0, 0.5, -0.375]
    """
    kind = _precision(history, times if t0 is None else t0)
    row = jnp.asarray(times, kind)
    if row.ndim != 1 or not row.size:
        raise InputError(f"times has shape {row.shape}", _WHERE, "give a row of times, [k]")
    t0 = row[0] if t0 is None else jnp.asarray(t0, kind)
    row = _guard(row, ~(jnp.min(row) >= t0), lambda: _too_early(row, t0))
    taus, tree = _delays(delays, kind)
    taus = _guard(taus, ~jnp.all((taus > 0) & jnp.isfinite(taus)), lambda: _not_positive(taus))
    end = jnp.max(row)
    span = end - t0
    if steps is not None:
        _check_steps(steps)
        too_long = span > steps * jnp.min(taus) * (1 + 1e-6)
        taus = _guard(taus, too_long, lambda: _too_long(span, steps, taus))
    parts = (field, history, tree, args)
    bounds = (jnp.asarray(rtol, kind), jnp.asarray(atol, kind))
    found, finite, last = carried(parts, taus, row, t0, bounds, steps, max_steps)
    found = _guard(found, ~finite, lambda: _not_finite(t0))
    return _guard(found, ~(last >= end), lambda: _unfinished(last, t0, end, taus, max_steps))


class _Problem(eqx.Module):
    """The equation on vectors, all it depends on being in its leaves."""

    field: Callable
    history: Callable
    args: Any
    taus: jax.Array
    t0: jax.Array
    of_vector: Callable = eqx.field(static=True)
    tree: Any = eqx.field(static=True)

    def rate(self, t: jax.Array, y: jax.Array, past: jax.Array) -> jax.Array:
        """dy/dt `[d]`, from y `[d]` and the past `[m, d]`."""
        given = jax.tree.unflatten(self.tree, [self.of_vector(row) for row in past])
        return _vector(self.field(t, self.of_vector(y), given, self.args), y.dtype)

    def before(self, t: jax.Array) -> jax.Array:
        """The history `[d]`."""
        return _vector(self.history(t), self.t0.dtype)


@eqx.filter_jit
def carried(
    parts: Any,
    taus: jax.Array,
    times: jax.Array,
    t0: jax.Array,
    tolerances: tuple[jax.Array, jax.Array],
    steps: int | None,
    max_steps: int,
) -> tuple[Any, jax.Array, jax.Array]:
    """The solution, whether its history is finite, and the time that was reached."""
    problem, y0 = _problem(parts, taus, t0)
    past = jax.vmap(problem.before)(t0 - taus)
    finite = jnp.all(jnp.isfinite(y0)) & jnp.all(jnp.isfinite(past))
    # Gradients see the steps on a mesh that stands still.
    still = jax.tree.map(lambda x: jax.lax.stop_gradient(x) if eqx.is_array(x) else x, problem)
    end = jax.lax.stop_gradient(jnp.maximum(jnp.max(times), t0))
    jumps = _jumps(still, end)
    if steps is None:
        mesh = _adaptive_mesh(still, jax.lax.stop_gradient(y0), jumps, end, tolerances, max_steps)
    else:
        mesh = jnp.sort(jnp.concatenate([jnp.linspace(still.t0, end, steps + 1), jumps]))
    # Nodes that were not reached have no steps between them.
    last = jnp.max(jnp.where(jnp.isfinite(mesh), mesh, -jnp.inf))
    missing = -(len(mesh) - 1) % _CHUNK
    mesh = jnp.pad(jnp.minimum(mesh, last), (0, missing), constant_values=last)
    pieces = _steps(problem, y0, mesh)
    rows = _at(pieces, mesh, times, len(mesh) - 1)
    return jax.vmap(problem.of_vector)(rows), finite, last


def _problem(parts: Any, taus: jax.Array, t0: jax.Array) -> tuple[_Problem, jax.Array]:
    """The equation and its start; what functions close over becomes visible to gradients."""
    field, history, tree, args = parts
    before = history if callable(history) else lambda t: history
    before = eqx.filter_closure_convert(before, t0)
    start = before(t0)
    y0 = _vector(start, t0.dtype)
    of_vector = ravel_pytree(jax.tree.map(lambda x: jnp.asarray(x, t0.dtype), start))[1]
    y = of_vector(y0)
    past = jax.tree.unflatten(tree, [y] * len(taus))
    _check_shape(jax.eval_shape(lambda: field(t0, y, past, args)), y)
    field = eqx.filter_closure_convert(field, t0, y, past, args)
    return _Problem(field, before, args, taus, t0, of_vector, tree), y0


def _jumps(problem: _Problem, end: jax.Array) -> jax.Array:
    """The times after the start and up to the end where derivatives of y may jump."""
    many, most = len(problem.taus), 1
    while most < ORDER and math.comb(many + most + 1, most + 1) <= _MOST_JUMPS:
        most += 1
    picks = [
        pick
        for count in range(1, most + 1)
        for pick in itertools.combinations_with_replacement(range(many), count)
    ]
    counts = np.array([np.bincount(pick, minlength=many) for pick in picks])
    return jnp.minimum(problem.t0 + jnp.asarray(counts, problem.t0.dtype) @ problem.taus, end)


def _steps(problem: _Problem, y0: jax.Array, mesh: jax.Array) -> jax.Array:
    """The polynomials `[n, 5, d]` of the steps between the nodes `[n + 1]` of a mesh."""

    def one(carry: Any, n: jax.Array) -> tuple[Any, None]:
        y, pieces = carry
        y, own, _ = _step(problem, mesh[n], mesh[n + 1] - mesh[n], y, pieces, mesh, n)
        return (y, pieces.at[n].set(own)), None

    def chunk(carry: Any, numbers: jax.Array) -> tuple[Any, None]:
        ahead = mesh[numbers[0]] < mesh[-1]
        walk = lambda carry: jax.lax.scan(one, carry, numbers)[0]
        return jax.lax.cond(ahead, walk, lambda carry: carry, carry), None

    count = len(mesh) - 1
    # What stands still gives the start: where the whole mesh is one point there are no steps.
    empty = jnp.zeros((count, 5, len(y0)), y0.dtype).at[0, 0].set(y0)
    numbers = jnp.arange(count).reshape(-1, _CHUNK)
    return jax.lax.scan(chunk, (y0, empty), numbers)[0][1]


def _step(
    problem: _Problem,
    t: jax.Array,
    h: jax.Array,
    y: jax.Array,
    pieces: jax.Array,
    mesh: jax.Array,
    n: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A step from node `n`, with the past from the `n` polynomials before it."""
    at = t + jnp.asarray(NODES, t.dtype) * h
    when = at[:, None] - problem.taus
    # A whole step lies on one side of a jump, so the side is that of its middle.
    old = jnp.broadcast_to(t + h / 2 - problem.taus <= problem.t0, when.shape)
    before = jax.vmap(jax.vmap(problem.before))(jnp.where(old, when, problem.t0))
    past = jnp.where(old[..., None], before, _at(pieces, mesh, when, n))
    return step(lambda k, y: problem.rate(at[k], y, past[k]), y, h)


def _at(pieces: jax.Array, mesh: jax.Array, when: jax.Array, count: Any) -> jax.Array:
    """The solution at some times, from the first `count` polynomials."""
    node = jnp.searchsorted(mesh, when, method="compare_all") - 1
    node = jnp.clip(node, 0, jnp.maximum(count - 1, 0))
    h = mesh[node + 1] - mesh[node]
    return evaluate(pieces[node], (when - mesh[node]) / jnp.where(h > 0, h, 1))


def _adaptive_mesh(
    problem: _Problem,
    y0: jax.Array,
    jumps: jax.Array,
    end: jax.Array,
    tolerances: tuple[jax.Array, jax.Array],
    max_steps: int,
) -> jax.Array:
    """The nodes `[max_steps + 1]` that the tolerances ask for; infinite beyond the last one.

    Section II.4 of the source: steps whose estimated error, in the root mean square over the
    components, is above the tolerance are taken again, shorter.
    """
    rtol, atol = tolerances
    # Two jumps, or steps, closer than rounding are one.
    tiny = 50 * jnp.finfo(y0.dtype).eps * jnp.maximum(jnp.abs(problem.t0), jnp.abs(end))
    longest = jnp.minimum(jnp.min(problem.taus), end - problem.t0)

    def going(state: Any) -> jax.Array:
        n, t, h, *_ = state
        return (n < max_steps) & (t < end) & (h > tiny)

    def advance(state: Any) -> Any:
        n, t, h, y, mesh, pieces = state
        stop = jnp.min(jnp.where(jumps > t + tiny, jumps, end))
        room = stop - t
        hits = h >= room * (1 - 1e-9)
        own = jnp.where(hits, room, jnp.where(2 * h > room, room / 2, h))
        then = jnp.where(hits, stop, t + own)
        after, piece, error = _step(problem, t, own, y, pieces, mesh, n)
        scale = atol + rtol * jnp.maximum(jnp.abs(y), jnp.abs(after))
        ratio = jnp.sqrt(jnp.mean((error / scale) ** 2))
        accepted = ratio <= 1
        factor = jnp.where(ratio < jnp.inf, jnp.clip(0.9 * ratio ** (-1 / ORDER), 0.2, 5), 0.2)
        # A step cut short to end at a jump says little against the longer one it was to be.
        kept = jnp.where(accepted & (factor > 1), h, 0)
        return (
            n + accepted,
            jnp.where(accepted, then, t),
            jnp.minimum(jnp.maximum(own * factor, kept), longest),
            jnp.where(accepted, after, y),
            mesh.at[n + 1].set(jnp.where(accepted, then, jnp.inf)),
            pieces.at[n].set(piece),
        )

    mesh = jnp.full(max_steps + 1, jnp.inf, y0.dtype).at[0].set(problem.t0)
    pieces = jnp.zeros((max_steps, 5, len(y0)), y0.dtype)
    state = (jnp.asarray(0), problem.t0, longest / 8, y0, mesh, pieces)
    return jax.lax.while_loop(going, advance, state)[4]


def _precision(history: Any, t0: Any) -> Any:
    """The floating-point type of the history, in which everything is computed."""
    at = jnp.asarray(t0, float).ravel()[0]
    leaves = jax.tree.leaves(jax.eval_shape(history, at) if callable(history) else history)
    if not leaves:
        raise InputError("the history holds no numbers", _WHERE, "give y before t0")
    kind = jnp.result_type(*leaves)
    return kind if jnp.issubdtype(kind, jnp.floating) else jnp.result_type(float)


def _vector(value: Any, kind: Any) -> jax.Array:
    return ravel_pytree(jax.tree.map(lambda x: jnp.asarray(x, kind), value))[0]


def _delays(delays: Any, kind: Any) -> tuple[jax.Array, Any]:
    """All delays as a row, and the shape of their tree."""
    leaves, tree = jax.tree.flatten(delays)
    wrong = next((jnp.shape(leaf) for leaf in leaves if jnp.shape(leaf)), None)
    if not leaves or wrong is not None:
        what = "no delays" if wrong is None else f"a delay of shape {wrong}"
        raise InputError(what, _WHERE, "give delays= a number or a tuple of numbers")
    return jnp.stack([jnp.asarray(leaf, kind) for leaf in leaves]), tree


def _guard(value: Any, bad: jax.Array, error: Callable[[], SnakebirdError]) -> Any:
    """The value; raises the error where it is bad, also in compiled code."""
    if isinstance(bad, Tracer):
        return eqx.error_if(value, bad, str(error()))
    if bad:
        raise error()
    return value


def _known(*values: Any) -> bool:
    """Whether these can be shown: in compiled code a message can hold no numbers."""
    return not any(isinstance(value, Tracer) for value in values)


def _check_shape(change: Any, y: Any) -> None:
    shapes = [jax.tree.map(jnp.shape, tree) for tree in (change, y)]
    if jax.tree.structure(change) != jax.tree.structure(y) or shapes[0] != shapes[1]:
        raise InputError(
            f"the field returns {_outline(change)}, y is {_outline(y)}",
            _WHERE,
            "return dy/dt, of the shape of the history",
        )


def _outline(tree: Any) -> str:
    return str(jax.tree.map(lambda leaf: "x".join(map(str, leaf.shape)) or "number", tree))


def _not_positive(taus: Any) -> InputError:
    shown = f"the delays are {taus.tolist()}" if _known(taus) else "a delay is not positive"
    return InputError(shown, _WHERE, "give positive, finite delays; train their logarithms, say")


def _too_early(times: Any, t0: Any) -> InputError:
    shown = f"from {times.min()}, the start is {t0}" if _known(times, t0) else "before the start"
    return InputError(f"times are {shown}", _WHERE, "give t0=, a time not after the first")


def _check_steps(steps: int) -> None:
    if steps < 1:
        raise InputError(f"steps is {steps}", _WHERE, "give a positive number of steps")


def _too_long(span: Any, steps: int, taus: Any) -> InputError:
    if not _known(span, taus):
        return InputError(f"{steps} steps are longer than a delay", _WHERE, "give more steps=")
    shortest = taus.min()
    return InputError(
        f"steps of {span / steps:.6g} are longer than a delay of {shortest:.6g}",
        _WHERE,
        f"give steps={math.ceil(span / shortest * (1 - 1e-6))} or more",
    )


def _not_finite(t0: Any) -> InputError:
    at = f" {t0}" if _known(t0) else ""
    return InputError(
        "the history is not finite",
        _WHERE,
        f"history(t) must be finite at t0{at and ' =' + at} and at t0 - delay for each delay",
    )


def _unfinished(last: Any, t0: Any, end: Any, taus: Any, max_steps: int) -> SnakebirdError:
    if not _known(last, t0, end, taus):
        what = f"the equation could not be solved in at most {max_steps} steps"
        return SnakebirdError(what, _WHERE, _LONGER)
    return SnakebirdError(
        f"the equation could not be solved from {t0} to {end} in at most {max_steps} steps: "
        f"it came to {last:.6g}",
        _WHERE,
        f"{_LONGER}; no step is longer than the shortest delay, {taus.min():.6g}",
    )


_LONGER = "give more max_steps=, or a greater rtol= and atol="
