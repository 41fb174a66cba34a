"""What a fit gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float

from snakebird.equations import Explicit, Hole, holes, resolve
from snakebird.equations.lanes import OK
from snakebird.errors import FitError, UnknownNameError, suggest
from snakebird.fitting._least_squares import Prior, State
from snakebird.fitting._problem import Batch, Problem
from snakebird.fitting._setup import Setup
from snakebird.fitting._train import Rows, Step, Trainer
from snakebird.fitting._trajectories import Trajectories

_solve = jax.jit(Problem.solve, static_argnums=0)
"""Compiled once for each problem and number of times."""

_FAR = 4096
"""How many steps a prediction may take, which may reach far past the data."""

_CLOSE = 1e-6
"""How far before the start a time may lie, in parts of it."""


@lru_cache(maxsize=32)
def _far(problem: Problem) -> Problem:
    solver = problem.solver
    if not isinstance(solver, Explicit):
        return problem.free
    room = max(solver.max_steps, _FAR)
    return problem.free.with_(solver=Explicit(solver.rtol, solver.atol, room))


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained model and all that is known about how well it fits.

    `model` is the one given, trained, its parameters still parameters; `vector` the same as
    numbers, the start values at its end; `noise` the noise size of each column; `score` the log
    evidence of each start, the best one first kept; `stopped` says why training ended early.
    """

    model: Any
    data: Trajectories
    setup: Setup
    problem: Problem
    batch: Batch
    vector: Float[np.ndarray, " P"]
    prior: Prior
    jacobian: Float[np.ndarray, "R P"]
    residual: Float[np.ndarray, " R"]
    cost: float
    scores: Float[np.ndarray, " starts"]
    history: tuple[Step, ...]
    stopped: str = ""

    @property
    def score(self) -> float:
        """The log evidence of the start that was kept."""
        return float(np.max(self.scores))

    @property
    def holes(self) -> dict[str, Hole]:
        """The trained holes by name."""
        return holes(self.model)

    @property
    def noise(self) -> dict[str, float]:
        """The size of the noise in each column."""
        return dict(zip(self.problem.columns, map(float, self.batch.size[0]), strict=True))

    @property
    def parameters(self) -> dict[str, float]:
        """The trained numbers outside holes, by name, in their own units."""
        with jax.enable_x64(True):
            solid = self.problem.vector.trained(self.theta)
        found = jax.tree_util.tree_flatten_with_path(resolve(solid))[0]
        values = {jax.tree_util.keystr(path).lstrip("."): leaf for path, leaf in found}
        vector = self.problem.vector
        names = [n for n, hole in zip(vector.names, vector.hole, strict=True) if hole < 0]
        return {n: float(np.asarray(_entry(values, n))) for n in names}

    @property
    def theta(self) -> Float[np.ndarray, " p"]:
        """The model's own numbers, without the start values."""
        return self.vector[: len(self.problem.vector.start)]

    @property
    def start(self) -> list[Any]:
        """The state each experiment starts from."""
        with jax.enable_x64(True):
            y0 = self.problem.start_states(jnp.asarray(self.vector)[None], self.batch)[0]
            return [jax.tree.map(np.asarray, self.problem.unravel(y)) for y in y0]

    def predict(
        self,
        times: Any = None,
        *,
        experiment: str | int = 0,
        start: Any = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> dict[str, Float[np.ndarray, " n"]]:
        """The columns as the model sees them at `times`, by default those of the data.

        All is as in `experiment`, but for another `start`, a state, of whose entries those that are
        not named stay, and for other `conditions`, by name.

        Raises `FitError` where the solution does not reach the times, for times that do not ascend
        or lie before the start, and for a state of another form, and `UnknownNameError` for what
        the experiments do not have.
        """
        return self._solve(times, experiment, start, conditions or {})[1]

    def states(
        self,
        times: Any = None,
        *,
        experiment: str | int = 0,
        start: Any = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> Any:
        """The state at `times`, a tree of arrays with time first; arguments as of `predict`."""
        return self._solve(times, experiment, start, conditions or {})[0]

    def _solve(
        self, times: Any, experiment: str | int, start: Any, conditions: Mapping[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        lane = self.lane(experiment)
        with jax.enable_x64(True):
            batch = self._under(conditions, lane, self.batch_at(times, lane))
            if start is not None:
                batch = self._from(start, lane, batch)
            states, seen, outcome = _solve(
                _far(self.problem), jnp.asarray(self.vector)[None], batch
            )
            if int(outcome.code[0, lane]) != OK:
                raise FitError(
                    f"the solution ends at t = {float(outcome.time[0, lane]):.4g}",
                    f"experiment {self.data[lane].name}",
                    "ask for earlier times",
                )
            unravel = jax.vmap(self.problem.unravel)
            tree = jax.tree.map(np.asarray, unravel(states[0, lane]))
        columns = np.asarray(seen[0, lane]).T
        return tree, dict(zip(self.problem.columns, columns, strict=True))

    def lane(self, experiment: str | int) -> int:
        """The position of an experiment."""
        if isinstance(experiment, int | np.integer):
            count = len(self.data)
            if not -count <= experiment < count:
                there = "there is 1 experiment" if count == 1 else f"there are {count} experiments"
                raise FitError(
                    f"experiment {experiment}: {there}",
                    "fit",
                    "give its name, or its position from 0 on",
                )
            return range(count)[experiment]
        names = [one.name for one in self.data]
        if experiment not in names:
            raise UnknownNameError(
                f"no experiment is called {experiment!r}", "fit", suggest(experiment, names)
            )
        return names.index(experiment)

    def _under(self, conditions: Mapping[str, Any], lane: int, batch: Batch) -> Batch:
        """The batch with other conditions in a lane."""
        own = dict(batch.conditions)
        for name, value in conditions.items():
            if name not in own:
                what = f"no condition is called {name!r}"
                raise UnknownNameError(what, "predict", suggest(name, list(own)))
            try:
                number = float(value)
            except (TypeError, ValueError):
                number = np.nan
            if not np.isfinite(number):
                raise FitError(
                    f"the condition {name!r} is {value!r}"[:200],
                    "predict(conditions=...)",
                    "give a finite number",
                )
            own[name] = own[name].at[0, lane].set(number)
        return batch._replace(conditions=own)

    def _from(self, start: Any, lane: int, batch: Batch) -> Batch:
        """The batch with another state at the start of a lane."""
        if hasattr(self.model, "start"):
            raise FitError(
                "the model has a method `start`, which says where solutions begin",
                "predict(start=...)",
                "give conditions= that it reads, or use sb.solve",
            )
        own = self.start[lane]
        if isinstance(own, dict) and isinstance(start, Mapping):
            for name in start.keys() - own.keys():
                what = f"no entry of the state is called {name!r}"
                raise UnknownNameError(what, "predict", suggest(name, list(own)))
            start = {name: start.get(name, value) for name, value in own.items()}
        try:
            new = jax.tree.map(
                lambda x, y: np.broadcast_to(np.asarray(y, float), x.shape), own, start
            )
        except (ValueError, TypeError):
            raise FitError(
                f"a state of another form: {start!r}"[:200],
                "predict(start=...)",
                f"give one such as {self.start[lane]!r}"[:200],
            ) from None
        moved = ravel_pytree(new)[0] - ravel_pytree(own)[0]
        return batch._replace(base=batch.base.at[0, lane].add(moved))

    def times_at(self, times: Any, lane: int) -> Float[np.ndarray, " n"]:
        """Times of an experiment, by default those of its data.

        Raises `FitError` for times that do not ascend or lie before its start.
        """
        own = self.data[lane].times if times is None else times
        return _checked(own, float(self.batch.t0[0, lane]), f"experiment {self.data[lane].name}")

    def batch_at(self, times: Any, lane: int) -> Batch:
        """This fit's batch with other output times in every lane."""
        at = self.times_at(times, lane)
        L, K = self.batch.times.shape[1], self.batch.values.shape[-1]
        shape = (1, L, len(at))
        return self.batch._replace(
            times=jnp.broadcast_to(jnp.asarray(at), shape),
            values=jnp.zeros((*shape, K)),
            mask=jnp.ones((*shape, K), bool),
        )

    def __repr__(self) -> str:
        seen = ", ".join(f"{name} ±{size:.3g}" for name, size in self.noise.items())
        lines = [f"Fit of {type(self.model).__name__}: noise {seen}"]
        lines += [f"  {name} = {value:.4g}" for name, value in self.parameters.items()]
        for name, hole in self.holes.items():
            said = f"hole ({', '.join(hole.inputs)}) -> {', '.join(hole.outputs)}"
            lines.append(f"  {name}: {getattr(hole.model, 'law', said)}")
        if self.stopped:
            lines.append(f"  not finished: {self.stopped}")
        return "\n".join(lines)


class LostError(FitError):
    """No start survived."""


def _checked(times: Any, start: float, where: str) -> Float[np.ndarray, " n"]:
    """Times in ascending order, none before the start; `FitError` for others."""
    try:
        at = np.atleast_1d(np.asarray(times, float))
    except (TypeError, ValueError):
        at = None
    if at is None or at.ndim != 1 or not len(at):
        what = f"the times are {times!r}"[:200]
        raise FitError(what, where, "give a list of numbers in ascending order")
    if not np.isfinite(at).all():
        bad = int(np.argmin(np.isfinite(at)))
        raise FitError(f"times[{bad}] is {at[bad]}", where, "give finite times only")
    if np.any(np.diff(at) < 0):
        bad = int(np.argmax(np.diff(at) < 0)) + 1
        raise FitError(
            f"times[{bad}] = {at[bad]:.9g} comes after times[{bad - 1}] = {at[bad - 1]:.9g}",
            where,
            "sort them: numpy.sort(times)",
        )
    # A time in single precision may lie a little before the same in double.
    if at[0] < start - _CLOSE * abs(start):
        raise FitError(
            f"times[0] = {at[0]:.9g} is before the start t0 = {start:.9g}",
            where,
            "leave out earlier times, or fit with an earlier t0=",
        )
    return np.maximum(at, start)


def _entry(values: Mapping[str, Any], name: str) -> Any:
    if name in values:
        return values[name]
    base, _, rest = name.rpartition("[")
    index = tuple(int(i) for i in rest.rstrip("]").split(","))
    return np.asarray(values[base])[index]


def result(
    given: Setup,
    data: Trajectories,
    trainer: Trainer,
    rows: Rows,
    state: State,
    own: slice,
    history: tuple[Step, ...],
    stopped: str,
) -> Fit:
    """The best start of one data set."""
    scores = trainer.score(rows, state)[own]
    if not np.isfinite(scores).any():
        raise LostError(
            "no start survived: every solve failed, or gave what is not a number",
            _where(history),
            "give better start values, bounds (Positive, Bounded), or a solver for stiff equations",
        )
    best = own.start + int(np.argmax(scores))
    pick = lambda tree: jax.tree.map(lambda x: x[best : best + 1], tree)
    batch: Batch = pick(trainer.batch)
    vector = np.asarray(rows.phi[best])
    own_numbers = trainer.problem.vector
    model = own_numbers.trained(vector[: len(own_numbers.start)])
    return Fit(
        model, data, given, trainer.problem, batch._replace(size=rows.size[best : best + 1]),
        vector, pick(trainer.prior(rows)), np.asarray(state.jacobian[best]),
        np.asarray(state.residual[best]), float(rows.cost[best]), scores, history, stopped,
    )  # fmt: skip


def _where(history: tuple[Step, ...]) -> str:
    return f"stage {history[-1].stage}" if history else "fit"
