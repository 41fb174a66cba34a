"""A model and its data as residuals: what every stage of a fit makes small."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field as default, replace
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float

from snakebird.equations import (
    Direction,
    Explicit,
    Fixed,
    Parameter,
    Solver,
    choose_solver,
    lanes,
)
from snakebird.equations.lanes import OK, Lanes, Outcome, Span
from snakebird.fitting._field import Field
from snakebird.fitting._noise import Noise
from snakebird.fitting._trajectories import Trajectories
from snakebird.fitting._vector import Vector


class Batch(NamedTuple):
    """What differs from start to start but is not trained; leaves lead with the starts, S.

    L lanes are the experiments, or pieces of them. `base` holds the start values that are not
    trained, `size` the noise of each of K columns, `join` how much it counts where pieces do not
    meet; `extra` is handed to the model as it is; `driven`, `[S, L, n, K]`, says how far a noise of
    size one drives each column from one observation to the next, where states are driven by noise.
    """

    t0: Float[Array, "S L"]
    times: Float[Array, "S L n"]
    values: Float[Array, "S L n K"]
    mask: Bool[Array, "S L n K"]
    conditions: dict[str, Float[Array, "S L"]]
    base: Float[Array, "S L d"]
    size: Float[Array, "S K"]
    join: Float[Array, " S"]
    extra: Any = None
    driven: Any = None


@dataclass(frozen=True)
class Layout:
    """Which number of the trained vector is which start value, and where pieces must join.

    `free[l, i]` is the entry, after the model's own, that holds state `i` of lane `l`; -1 where
    it is not trained. `joins` are pairs of lanes: the first ends where the second begins. `own`
    says which lanes begin an experiment.
    """

    free: np.ndarray
    joins: tuple[tuple[int, int], ...] = ()
    own: tuple[bool, ...] = ()

    @cached_property
    def count(self) -> int:
        """How many start values are trained."""
        return int(self.free.max(initial=-1)) + 1

    @cached_property
    def spread(self) -> Float[np.ndarray, "L d C"]:
        """Puts the trained start values where they belong."""
        return (self.free[..., None] == np.arange(self.count)).astype(float)


@dataclass(frozen=True, eq=False)
class Problem:
    """How a vector of trained numbers becomes residuals, for many starts at once.

    `vector` gives the model; `unravel` the state; `observe(t, y, args, model)` a dict of columns;
    `doses` are times `[L, m]` and amounts `[L, m, d]`. For a state that is itself driven by noise,
    `process` says which column each of its entries is: solutions then run from each observation to
    the next, and what scatters grows with the root of the time between.
    """

    vector: Vector
    unravel: Callable[[Any], Any]
    columns: tuple[str, ...]
    observe: Callable[[Any, Any, Any, Any], Mapping[str, Any]]
    noise: tuple[Noise, ...]
    layout: Layout
    solver: Solver = default(default_factory=Explicit)
    args: Any = None
    scale: Any = None
    inject: Callable[[Any, Any], Any] | None = None
    doses: Any = None
    process: tuple[int, ...] | None = None

    @property
    def numbers(self) -> int:
        """How many numbers are trained: the model's and the start values."""
        return len(self.vector.start) + self.layout.count

    def model(self, theta: Any, extra: Any = None) -> Any:
        """The model with these numbers."""
        model = self.vector.model(theta)
        return model if self.inject is None else self.inject(model, extra)

    def arguments(self, const: Any) -> Any:
        """What the vector field gets as `args`."""
        conditions = const["conditions"]
        if not conditions:
            return self.args
        return {**(self.args or {}), **conditions}

    @cached_property
    def field(self) -> Field:
        """The vector field on flat states."""
        return Field(self)

    def _start(self, theta: Any, w: Any, const: Any) -> Any:
        model = self.model(theta, const["extra"])
        if not hasattr(model, "start"):
            return w
        own = ravel_pytree(model.start(self.arguments(const)))[0].astype(w.dtype)
        return jnp.where(const["own"], own, w)

    def _predict(self, t: Any, y: Any, theta: Any, const: Any) -> Any:
        model = self.model(theta, const["extra"])
        seen = self.observe(t, self.unravel(y), self.arguments(const), model)
        return jnp.stack([jnp.asarray(seen[name], y.dtype) for name in self.columns])

    def solve(
        self, phi: Float[Array, "S P"], batch: Batch, direction: Direction = "forward"
    ) -> tuple[Float[Array, "S L n d"], Float[Array, "S L n K"], Outcome]:
        """States and predictions at the times of the data, and how each lane ended."""
        states, ends = self._states(phi, batch, direction)
        return states, self._seen(states, phi, batch), ends

    @cached_property
    def free(self) -> "Problem":
        """The problem for predictions, which run on from the start without looking at data."""
        return self if self.process is None else self.with_(process=None)

    def _stepwise(self, batch: Batch) -> tuple["Problem", Batch]:
        """Each time between two observations as a lane of its own, that starts in the first."""
        assert self.process is not None
        S, L, n = batch.times.shape
        each = lambda x: x.reshape(S, L * (n - 1), *x.shape[3:])
        repeat = lambda x: jnp.repeat(x, n - 1, axis=1)
        lanes = Layout(np.full((L * (n - 1), len(self.process)), -1))
        steps = batch._replace(
            t0=each(batch.times[:, :, :-1]), times=each(batch.times[:, :, 1:, None]),
            values=each(batch.values[:, :, 1:, None]), mask=each(batch.mask[:, :, 1:, None]),
            base=each(batch.values[:, :, :-1][..., np.array(self.process)]),
            conditions={name: repeat(x) for name, x in batch.conditions.items()}, driven=None,
        )  # fmt: skip
        return self.with_(process=None, layout=lanes), steps

    def _from_steps(self, first: Any, steps: Any, batch: Batch) -> Any:
        """What was found for every step, behind what holds at the first observation."""
        S, L, n = batch.times.shape
        steps = steps.reshape(S, L, n - 1, *steps.shape[3:])
        first = jnp.broadcast_to(first, (S, L, *steps.shape[3:]))
        return jnp.concatenate([first[:, :, None], steps], axis=2)

    def _states(self, phi: Any, batch: Batch, direction: Direction) -> tuple[Any, Outcome]:
        if self.process is not None:
            problem, steps = self._stepwise(batch)
            states, ends = problem._states(phi, steps, direction)
            return self._from_steps(batch.base, states, batch), ends
        theta, const, y0 = self._lanes(phi, batch)
        span = self._span(batch)
        first = y0
        if span.stops is not None and span.doses is not None:
            now = (span.stops == span.t0[:, None])[..., None]
            first = y0 + jnp.sum(jnp.where(now, span.doses, 0.0), axis=1)
        out = self.solver(self.field, theta, const, first, span, direction)
        if first is not y0:
            # What is observed at the time of a dose is the state before it.
            early = (span.times <= span.t0[:, None])[..., None]
            out = out._replace(values=jnp.where(early, y0[:, None], out.values))
        return self._by_start(out, batch)

    def chosen(self, phi: Float[Array, "1 P"], batch: Batch) -> Solver:
        """The solver that suits the problem at these numbers, found by trying."""
        theta, const, y0 = self._lanes(phi, batch)
        return choose_solver(self.field, theta, const, y0, self._span(batch))

    def _span(self, batch: Batch) -> Span:
        S, L = batch.times.shape[:2]
        flat = lambda x: x.reshape(S * L, *x.shape[2:])
        span = Span(flat(batch.t0), flat(batch.times))
        if self.doses is None:
            return span
        stops, amounts = (
            jnp.broadcast_to(x, (S, *np.shape(x))).reshape(S * L, *np.shape(x)[1:])
            for x in self.doses
        )
        return span._replace(stops=stops, doses=amounts)

    def _by_start(self, out: Lanes, batch: Batch) -> tuple[Any, Outcome]:
        S, L, n = batch.times.shape
        ends = out.outcome
        ends = ends._replace(
            **{k: getattr(ends, k).reshape(S, L) for k in ("code", "time", "state")}
        )
        return out.values.reshape(S, L, n, -1), ends

    def _seen(self, states: Any, phi: Any, batch: Batch) -> Float[Array, "S L n K"]:
        S, L, n = batch.times.shape
        theta, const, _ = self._lanes(phi, batch, start=False)
        predict = jax.vmap(jax.vmap(self._predict, (0, 0, None, None)))
        flat = lambda x: x.reshape(S * L, *x.shape[2:])
        return predict(flat(batch.times), flat(states), theta, const).reshape(S, L, n, -1)

    def start_states(self, phi: Any, batch: Batch) -> Float[Array, "S L d"]:
        """The state every lane starts from."""
        return self._lanes(phi, batch)[2].reshape(*batch.base.shape)

    def _lanes(self, phi: Any, batch: Batch, start: bool = True) -> tuple[Any, Any, Any]:
        S, L = batch.times.shape[:2]
        p = len(self.vector.start)
        repeat = lambda x: jnp.repeat(x, L, axis=0)
        theta = repeat(phi[:, :p])
        own = jnp.array(self.layout.own or (True,) * L)
        const = {
            "conditions": {k: v.reshape(S * L) for k, v in batch.conditions.items()},
            "extra": jax.tree.map(repeat, batch.extra),
            "own": jnp.broadcast_to(own, (S, L)).reshape(-1),
        }
        if not start:
            return theta, const, None
        w = self._free(phi, batch).reshape(S * L, -1)
        return theta, const, jax.vmap(self._start)(theta, w, const)

    def __call__(
        self, phi: Float[Array, "S P"], batch: Batch, direction: Direction = "forward"
    ) -> tuple[Float[Array, "S R"], Bool[Array, " S"]]:
        """Whitened residuals of all observations, then of all joins, and whether all lanes ran."""
        states, ends = self._states(phi, batch, direction)
        return self._compared(states, phi, batch), jnp.all(ends.code == OK, axis=1)

    def linearized(
        self, phi: Float[Array, "S P"], batch: Batch
    ) -> tuple[Float[Array, "S R"], Float[Array, "S R P"], Bool[Array, " S"]]:
        """The residuals, their Jacobian, and whether all lanes ran."""
        basis = jnp.eye(phi.shape[1], dtype=phi.dtype)
        small = self.doses is None and batch.base.shape[-1] <= lanes.SMALL
        if not (small and isinstance(self.solver, Explicit)):
            return _pushed(lambda x: self(x, batch), phi, basis)
        states, moves, ends = self._moved(phi, batch)
        r = self._compared(states, phi, batch)

        def push(direction: Any, move: Any) -> Any:
            moved = jnp.broadcast_to(direction, phi.shape)
            compare = lambda states, phi: self._compared(states, phi, batch)
            return jax.jvp(compare, (states, phi), (move, moved))[1]

        jacobian = jax.vmap(push, in_axes=(0, -1), out_axes=-1)(basis, moves)
        return r, jacobian, jnp.all(ends.code == OK, axis=1)

    def _moved(self, phi: Any, batch: Batch) -> tuple[Any, Float[Array, "S L n d P"], Outcome]:
        """The states, and how they move with all trained numbers."""
        if self.process is not None:
            return self._moved_stepwise(phi, batch)
        theta, const, y0 = self._lanes(phi, batch)
        settings = self.solver.settings  # pyright: ignore[reportFunctionMemberAccess]
        out, full = lanes.solve_jacobian(self.field, settings, theta, const, y0, self._span(batch))
        states, ends = self._by_start(out, batch)
        basis = jnp.eye(phi.shape[1], dtype=phi.dtype)
        moves = self._moves(full.reshape(*states.shape, -1), phi, batch, basis)
        return states, moves, ends

    def _moved_stepwise(self, phi: Any, batch: Batch) -> tuple[Any, Any, Outcome]:
        """The same, step by step: many short solves of few states, so backwards is quickest."""
        problem, steps = self._stepwise(batch)
        _, const, y0 = problem._lanes(phi, steps)
        S, L = steps.times.shape[:2]
        theta, span = jnp.repeat(phi, L, axis=0), problem._span(steps)
        solve = lambda theta: problem.solver(problem.field, theta, const, y0, span, "reverse")
        values, pull, outcome = jax.vjp(lambda x: tuple(solve(x)), theta, has_aux=True)  # pyright: ignore
        each = jnp.eye(values.shape[-1], dtype=values.dtype)
        rows = [pull(jnp.broadcast_to(one, values.shape))[0] for one in each]
        states, ends = problem._by_start(Lanes(values, outcome), steps)
        moves = jnp.stack(rows, axis=1).reshape(S, L, 1, len(each), -1)
        still = jnp.zeros(moves.shape[3:])
        return (
            self._from_steps(batch.base, states, batch),
            self._from_steps(still, moves, batch),
            ends,
        )

    def _moves(self, full: Any, phi: Any, batch: Batch, basis: Any) -> Float[Array, "S L n d P"]:
        """How states move with all trained numbers, from how they do with parameters and starts."""
        p = len(self.vector.start)
        start = lambda x: self.start_states(x, batch)
        along = lambda e: jax.jvp(start, (phi,), (jnp.broadcast_to(e, phi.shape),))[1]
        moves = jnp.einsum("slnde,slep->slndp", full[..., p:], jax.vmap(along, out_axes=-1)(basis))
        return moves.at[..., :p].add(full[..., :p])

    def _compared(self, states: Any, phi: Any, batch: Batch) -> Float[Array, "S R"]:
        """Residuals of states that were solved for."""
        S = phi.shape[0]
        seen = self._seen(states, phi, batch)
        unit = jnp.ones(1) if batch.driven is None else batch.driven
        size = lambda k: unit[..., k % unit.shape[-1]] * batch.size[:, None, None, k]
        parts = [
            noise.residual(seen[..., k], batch.values[..., k], size(k))
            for k, noise in enumerate(self.noise)
        ]
        r = jnp.where(batch.mask, jnp.stack(parts, -1), 0.0).reshape(S, -1)
        if not self.layout.joins:
            return r
        before, after = (np.array(x) for x in zip(*self.layout.joins, strict=True))
        gaps = (states[:, before, -1] - self._free(phi, batch)[:, after]) / self.scale
        gaps = batch.join[:, None, None] * gaps
        return jnp.concatenate([r, gaps.reshape(S, -1)], axis=1)

    def driven(self, phi: Any, batch: Batch) -> Float[Array, "S L n K"]:
        """How far noise drives each column from one observation to the next, for a size of one.

        A scatter that the field draws together or apart on the way, at the rate `a` with which a
        state's rate changes with the state: the root of `(exp(2 a h) - 1) / (2 a)`. It is held
        while the model is trained, or a field that drives apart would excuse every miss.
        """
        assert self.process is not None
        S, L, n = batch.times.shape
        order = np.array(self.process)
        theta, const, _ = self._lanes(phi, batch, start=False)
        flat = lambda x: x.reshape(S * L, n, *x.shape[3:])

        def slope(t: Any, y: Any, theta: Any, const: Any) -> Any:
            return jnp.diagonal(jax.jacfwd(lambda y: self.field(t, y, theta, const))(y))

        here = flat(batch.values[..., order])
        every = jax.vmap(jax.vmap(slope, (0, 0, None, None)))
        a = every(flat(batch.times), here, theta, const)
        a = 0.5 * (a[:, :-1] + a[:, 1:])
        h = jnp.diff(flat(batch.times), axis=1)[..., None]
        grown = jnp.where(jnp.abs(a * h) > 1e-6, jnp.expm1(2 * a * h) / (2 * a), h)
        grown = jnp.where(grown > 0, grown, 1.0)
        grown = jnp.concatenate([jnp.ones_like(grown[:, :1]), grown], axis=1)
        return jnp.sqrt(grown).reshape(S, L, n, -1)[..., np.argsort(order)]

    def _free(self, phi: Any, batch: Batch) -> Float[Array, "S L d"]:
        """Start values before the model has a say in them."""
        free = phi[:, len(self.vector.start) :]
        return batch.base + jnp.einsum("sc,ldc->sld", free, self.layout.spread)

    def with_(self, **changes: Any) -> "Problem":
        """The same problem, otherwise put."""
        return replace(self, **changes)


def _pushed(residuals: Any, phi: Any, basis: Any) -> tuple[Any, Any, Any]:
    """Residuals and Jacobian, direction by direction."""

    def push(direction: Any) -> Any:
        (r, fine), (dr, _) = jax.jvp(residuals, (phi,), (jnp.broadcast_to(direction, phi.shape),))
        return r, fine, dr

    r, fine, jacobian = jax.vmap(push, out_axes=(None, None, -1))(basis)
    return r, jacobian, fine


def columns_of(problem: Problem, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Which column each residual belongs to, as 0 and 1, and which residuals were observed."""
    L, n, K = batch.mask.shape[1:]
    joins = len(problem.layout.joins) * problem.layout.free.shape[1]
    column = np.concatenate([np.tile(np.eye(K), (L * n, 1)), np.zeros((joins, K))])
    seen = np.asarray(batch.mask, float).reshape(len(batch.mask), -1)
    return column, np.concatenate([seen, np.zeros((len(seen), joins))], axis=1)


def batch_of(data: Trajectories, base: Any, size: Any, *, starts: int, t0: float | None) -> Batch:
    """One data set, the same for all starts."""
    padded = data.padded()
    first = np.full(len(data), t0) if t0 is not None else padded.times[:, 0]
    each = lambda x: jnp.broadcast_to(jnp.asarray(x), (starts, *np.shape(x)))
    return Batch(
        each(first), each(padded.times), each(padded.values), each(padded.mask),
        {k: each(v) for k, v in padded.conditions.items()}, each(base), each(size),
        jnp.ones(starts),
    )  # fmt: skip


def start_layout(template: Any, experiments: int) -> tuple[Layout, np.ndarray]:
    """The layout where every start value is trained but for `Fixed` ones, and the values."""
    leaves, tree = jax.tree.flatten(template, is_leaf=lambda x: isinstance(x, Parameter))
    values = [np.asarray(x.value if isinstance(x, Parameter) else x, float) for x in leaves]
    fixed = [
        np.full(np.shape(v), isinstance(x, Fixed)) for x, v in zip(leaves, values, strict=True)
    ]
    flat = np.asarray(ravel_pytree(jax.tree.unflatten(tree, values))[0], float)
    still = np.asarray(ravel_pytree(jax.tree.unflatten(tree, fixed))[0], bool)
    free = np.full((experiments, len(flat)), -1)
    trained = np.flatnonzero(~still)
    for e in range(experiments):
        free[e, trained] = e * len(trained) + np.arange(len(trained))
    return Layout(free, own=(True,) * experiments), flat
