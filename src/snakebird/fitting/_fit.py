"""One call from a model and data to a trained model: warm start, pieces, whole trajectories."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.equations import Explicit, Solver
from snakebird.errors import FitError, UnknownNameError, suggest
from snakebird.fitting import _least_squares as ls
from snakebird.fitting._asked import check_numbers
from snakebird.fitting._equation import equation_of
from snakebird.fitting._matching import matchable, matching, points_of
from snakebird.fitting._noise import Noise
from snakebird.fitting._optimizers import check_optimizer
from snakebird.fitting._problem import Batch
from snakebird.fitting._result import Fit, LostError, result
from snakebird.fitting._setup import Options, Setup, setup
from snakebird.fitting._shooting import in_pieces
from snakebird.fitting._starts import drawn_starts
from snakebird.fitting._train import Rows, Step, Trainer, train
from snakebird.fitting._trajectories import Trajectories
from snakebird.fitting._validation import validated
from snakebird.fitting._watch import Watch

MATCHING, PIECES, WHOLE = "matching", "shooting", "trajectories"
_PIECE, _MOST_PIECES = 6, 12
"""How many observations a piece has, and how many pieces there are at most."""
_EARLY = 2
"""For how many rounds on whole trajectories noise does not grow."""
_JOINS = (1.0, 10.0, 100.0, 1000.0)
"""How much it counts, round by round, that pieces meet; one is the size of a state."""


def fit(
    model: Any,
    data: Trajectories,
    *,
    y0: Any = None,
    observe: Callable[..., Any] | None = None,
    noise: Noise | Mapping[str, Noise] | None = None,
    args: Mapping[str, Any] | None = None,
    doses: Any = None,
    t0: float | None = None,
    solver: Solver | None = None,
    random: bool = False,
    validation: Trajectories | None = None,
    optimizer: Any = None,
    stages: Sequence[str] | None = None,
    starts: int = 6,
    seed: int = 0,
    rounds: int = 12,
    budget: float | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    progress: Callable[[Step], None] | None = None,
) -> Fit:
    """Train all that is unknown in `model` so that its trajectories pass through `data`.

    `model` is called as `model(t, y, args)` and gives the rate of every entry of `y`, which is a
    dict of the data's columns unless `y0` gives another tree of start values (`Fixed` ones are
    not trained) or the model has a method `start(args)`. What is seen of a state is its entries
    by name, or what `observe(t, y, args)` or the model's method of that name says: a dict of
    columns. `args` and the conditions of each experiment together are the dict `args`.

    Without `solver` it is `Explicit()`, or `Delayed()` for a model with delays; where no start
    survives that, one for stiff equations or with room for more steps, whichever solves the model
    as given.
    `doses` are `Doses`, or a dict of them by experiment.

    With `validation`, data of the same columns that are not trained on, training ends when they are
    met no better for three rounds, and what met them best is returned. `optimizer` takes the place
    of Levenberg-Marquardt: an optax transformation, such as `optax.adam(1e-2)`, or a least-squares
    solver or minimiser of optimistix, each for up to 300 steps a round.

    `random` is for states that noise itself drives, dy = model dt + size dW, every entry observed
    without error: each observation is compared with the solution from the one before, over the
    root of the time between (the likelihood of small steps; P. E. Kloeden, E. Platen, Numerical
    Solution of Stochastic Differential Equations, 1992, section 6.4), and the noise sizes are those
    of the diffusion.

    Noise sizes and the wildness of the holes are found from the data (evidence). `stages` are, in
    order, any of `"matching"` (the field against slopes of the smoothed data), `"shooting"` (short
    pieces that are joined ever more tightly) and `"trajectories"`; by default those that the data
    allow and that are needed. `starts` are trained side by side, the worse half dropped early.
    The best is returned; all runs with one `seed` are equal.

    `budget` ends the training after so many seconds, an interrupt after the round that runs; either
    leaves what was reached. A second interrupt raises `KeyboardInterrupt`. With `out`, a folder,
    each round leaves a checkpoint that `resume=True` goes on from.

    Raises `EquationError`, `InputError`, `FitError` before any work where something does not fit,
    and `FitError` where no start survives.

    >>> import equinox as eqx
    >>> import snakebird as sb
    >>> class Decay(eqx.Module):
    ...     rate: sb.Positive
    ...     def __call__(self, t, y, args):
    ...         return {"x": -self.rate * y["x"]}
    >>> data = sb.Trajectories.of([0, 1, 2, 3], {"x": [1.0, 0.61, 0.37, 0.22]})
    >>> found = sb.fit(Decay(sb.Positive(1.0)), data, starts=1)
    >>> round(float(found.model.rate.value), 1)
    0.5
    """
    options = Options(y0, observe, noise, args, doses, t0, solver, random)
    watch = _watch(progress, budget, out, resume)
    check_numbers(starts, seed, rounds, budget)
    plan = Plan(tuple(stages) if stages else None, starts, seed, rounds, optimizer, validation)
    with jax.enable_x64(True), watch.catching():
        found = _fit(model, [data], options, plan, watch)[0]
    return replace(found, stopped=watch.stopped) if watch.stopped else found


def fit_many(
    model: Any,
    data: Sequence[Trajectories],
    *,
    stages: Sequence[str] | None = None,
    starts: int = 6,
    seed: int = 0,
    rounds: int = 12,
    optimizer: Any = None,
    progress: Callable[[Step], None] | None = None,
    **options: Any,
) -> list[Fit]:
    """Fit one model to many data sets of one shape at once; options as those of `fit`.

    Far quicker than one after the other: they share one compilation and advance together.
    A list of models, one a data set, lets each start from its own; all are of one structure.
    """
    check_numbers(starts, seed, rounds, None)
    watch = _watch(progress, None, None, False)
    plan = Plan(tuple(stages) if stages else None, starts, seed, rounds, optimizer)
    with jax.enable_x64(True), watch.catching():
        return _fit(model, list(data), Options(**options), plan, watch)


class Plan(NamedTuple):
    """How a fit goes about it."""

    stages: tuple[str, ...] | None
    starts: int
    seed: int
    rounds: int
    optimizer: Any = None
    validation: Trajectories | None = None


def _watch(progress: Any, budget: float | None, out: Any, resume: bool) -> Watch:
    if resume and out is None:
        raise FitError("there is no folder to resume from", "fit", "give out= as well")
    return Watch(progress, budget, None if out is None else Path(out), resume)


def _fit(
    model: Any, data: list[Trajectories], options: Options, plan: Plan, watch: Watch
) -> list[Fit]:
    models = model if isinstance(model, list) else [model] * len(data)
    given = [setup(own, one, options) for own, one in zip(models, data, strict=True)]
    stages = plan.stages or _stages(given)
    _check_stages(stages, given)
    check_optimizer(plan.optimizer)
    held = [] if plan.validation is None else list(plan.validation)
    phi = jnp.asarray(np.concatenate([drawn_starts(one, plan.starts, plan.seed) for one in given]))
    tables = [t for one in [*data, held] for e in one for t in (e.times, e.table)]
    watch.begin(
        data=tables, model=[np.asarray(phi)[0], given[0].problem.vector.names], stages=stages,
        starts=plan.starts, seed=plan.seed, rounds=plan.rounds,
        optimizer=type(plan.optimizer).__name__,
        noise=options.noise, args=options.args, solver=options.solver,
        equation=equation_of(given[0].problem, given[0].vector[None], given[0].batch),
    )  # fmt: skip
    try:
        found = _through(stages, given, data, phi, plan, watch)
    except LostError:
        solver = _another(given, phi, plan) if options.solver is None else None
        if solver is None:
            raise
        given = [one._replace(problem=one.problem.with_(solver=solver)) for one in given]
        watch.attempt = 3
        return _through(stages, given, data, phi, plan, watch)
    lost = [i for i, one in enumerate(found) if _missed(one)]
    again = plan.stages is None and PIECES not in stages and _cut(given)
    if again and lost and not watch.stopped:
        # Those starts were in another valley: pieces, being short, are drawn to the data.
        stages, watch.attempt = (*stages[:-1], PIECES, WHOLE), 2
        rows = np.concatenate([np.arange(plan.starts) + i * plan.starts for i in lost])
        some = [given[i] for i in lost], [data[i] for i in lost], phi[rows]
        for i, one in zip(lost, _through(stages, *some, plan, watch), strict=True):
            found[i] = max(found[i], one, key=lambda own: own.score)
    return found


def _another(given: list[Setup], phi: Any, plan: Plan) -> Solver | None:
    """A solver that can do what the explicit one could not, tried on the model as it was given."""
    problem = given[0].problem
    if not isinstance(problem.solver, Explicit):
        return None
    solver = problem.chosen(phi[:1], given[0].batch)
    return None if solver == problem.solver else solver


def _through(
    stages: Sequence[str],
    given: list[Setup],
    data: list[Trajectories],
    phi: Any,
    plan: Plan,
    watch: Watch,
) -> list[Fit]:
    """All stages, or those that are left after the one a checkpoint was written in."""
    saved = watch.saved()
    todo = list(stages)
    if saved is not None:
        todo = todo[todo.index(saved.stage) :]
    makers = {MATCHING: _match, PIECES: _shoot, WHOLE: _whole}
    found: Any = None
    for stage in todo:
        at = saved if saved is not None and saved.stage == stage else None
        phi, found = makers[stage](given, data, phi, plan, watch, at)
        if watch.stopped and stage != WHOLE:
            # What was reached is judged on whole trajectories, and gone on from where it is.
            judge = replace(watch, keeper=None, places={})
            found = _whole(given, data, phi, plan._replace(rounds=1), judge, None)[1]
            break
    trainer, rows = found
    # The noise was found after the last step: cost and derivatives are those of what is returned.
    rows, state = trainer.judged(rows)
    n, history = plan.starts, tuple(watch.history)
    return [
        result(one, own, trainer, rows, state, slice(i * n, (i + 1) * n), history, watch.stopped)
        for i, (one, own) in enumerate(zip(given, data, strict=True))
    ]


def _stages(given: list[Setup]) -> tuple[str, ...]:
    if given[0].problem.process is None and all(matchable(one) for one in given):
        return MATCHING, WHOLE
    if not _cut(given):
        return (WHOLE,)
    return (PIECES, WHOLE) if given[0].batch.times.shape[-1] >= 8 else (WHOLE,)


def _cut(given: list[Setup]) -> bool:
    """Whether solutions can be cut into pieces."""
    return given[0].problem.field.past is None and given[0].problem.process is None


def _check_stages(stages: Sequence[str], given: list[Setup]) -> None:
    for stage in stages:
        if stage not in (MATCHING, PIECES, WHOLE):
            raise UnknownNameError(
                f"no stage is called {stage!r}", "stages", suggest(stage, [MATCHING, PIECES, WHOLE])
            )
    if not stages or stages[-1] != WHOLE:
        raise FitError("the last stage must be 'trajectories'", "stages", "add it at the end")
    if PIECES in stages and not _cut(given):
        why = "an equation with delays cannot be cut into pieces: each would need its past"
        if given[0].problem.process is not None:
            why = "a random equation is in pieces already, from each observation to the next"
        raise FitError(why, "stages", "leave 'shooting' out")
    if MATCHING in stages and not all(matchable(one) for one in given):
        jumps = given[0].problem.doses is not None
        why = "doses make states jump" if jumps else "not every state is observed"
        raise FitError(
            f"gradients cannot be matched: {why}",
            "stages",
            "begin with 'shooting' instead",
        )


def _match(given: Any, data: Any, phi: Any, plan: Plan, watch: Watch, at: Any) -> Any:
    """Warm start: the vector field against slopes; start values stay."""
    points = [points_of(one, own) for one, own in zip(given, data, strict=True)]
    batch = jax.tree.map(
        lambda *x: jnp.asarray(np.repeat(np.stack(x), plan.starts, axis=0)), *points
    )
    vector = given[0].problem.vector
    p = len(vector.start)
    each = lambda x: jnp.asarray(np.broadcast_to(x, (len(phi), p)))
    prior = ls.Prior(each(vector.mean), each(vector.precision))
    residuals = matching(given[0])
    begun = time.perf_counter()

    @jax.jit
    def match(theta: Any) -> ls.State:
        state = ls.begin(residuals, theta, batch)
        return ls.iterate(residuals, state, batch, prior, steps=30, tol=1e-3)

    start = np.asarray(phi)
    state = jax.tree.map(np.asarray, match(start[:, :p]))
    fine = np.isfinite(state.cost) & np.isfinite(state.phi).all(1)
    best = int(np.argmin(np.where(fine, state.cost, np.inf)))
    watch.note(Step(MATCHING, 0, float(state.cost[best]), best, (), int(fine.sum()),
                    time.perf_counter() - begun))  # fmt: skip
    theta = np.where(fine[:, None], state.phi, start[:, :p])
    return jnp.asarray(np.concatenate([theta, start[:, p:]], axis=1)), None


def _shoot(given: Any, data: Any, phi: Any, plan: Plan, watch: Watch, at: Any) -> Any:
    """Short pieces, their ends drawn together; then the start values of the first ones."""
    count = int(np.clip(given[0].batch.times.shape[-1] // _PIECE, 2, _MOST_PIECES))
    cut = [in_pieces(one, own, count) for one, own in zip(given, data, strict=True)]
    batch = _stacked([batch for _, batch, _ in cut], plan.starts)
    p, own = len(given[0].problem.vector.start), given[0].problem.layout.count
    nodes = np.repeat(np.stack([starts[own:] for _, _, starts in cut]), plan.starts, axis=0)
    trainer = Trainer(cut[0][0], batch, _least(given, plan), optimizer=plan.optimizer)
    rows, first = trainer.begin(jnp.concatenate([phi, jnp.asarray(nodes)], axis=1)), 0
    if at is not None:
        first, rows = at.following, at.rows

    def tighter(number: int) -> None:
        trainer.batch = batch._replace(join=jnp.full(len(phi), _JOINS[number]))

    rows = train(
        trainer, rows, stage=PIECES, rounds=len(_JOINS), steps=20, starts=plan.starts,
        before=tighter, after=watch.after, settle=False,
        first=len(_JOINS) if first < 0 else first,
    )  # fmt: skip
    good = rows.alive[:, None]
    return jnp.where(good, rows.phi[:, : p + own], phi), None


def _whole(given: Any, data: Any, phi: Any, plan: Plan, watch: Watch, at: Any) -> Any:
    """Whole trajectories, noise and priors found on the way."""
    batch = _stacked([one.batch for one in given], plan.starts)
    check = None
    if plan.validation is not None:
        check = validated(given[0], data[0], plan.validation)
    trainer = Trainer(
        given[0].problem, batch, _least(given, plan), optimizer=plan.optimizer, validation=check
    )
    first, rows = 0, trainer.begin(phi)
    if at is not None:
        first, rows = at.following, at.rows
        trainer.batch = batch if at.driven is None else batch._replace(driven=at.driven)

    def after(step: Step, rows: Rows) -> bool:
        return watch.after(step, rows, trainer.batch.driven)

    rows = train(
        trainer, rows, stage=WHOLE, rounds=plan.rounds, starts=plan.starts,
        keep=(plan.starts + 1) // 2, early=_EARLY, after=after,
        first=plan.rounds if first < 0 else first,
    )  # fmt: skip
    if check is not None:
        rows = _by_validation(rows)
    return rows.phi, (trainer, rows)


def _by_validation(rows: Rows) -> Rows:
    """Only the start that met the held-out data best, and where it did."""
    loss = np.where(rows.alive, rows.loss, np.inf)
    if not np.isfinite(loss).any():
        return rows
    chosen = np.arange(len(loss)) == int(np.argmin(loss))
    return rows._replace(phi=rows.best, alive=rows.alive & jnp.asarray(chosen))


def _stacked(batches: list[Batch], starts: int) -> Batch:
    repeat = lambda *x: jnp.asarray(np.repeat(np.concatenate(x), starts, axis=0))
    return jax.tree.map(repeat, *batches)


def _least(given: list[Setup], plan: Plan) -> Any:
    return jnp.asarray(np.repeat([one.least for one in given], plan.starts, axis=0))


def _missed(found: Fit) -> bool:
    """Whether a fit is much worse than a smooth curve through its data."""
    scatter = np.sqrt(np.mean([curve.scatter**2 for curve in found.setup.curves], axis=0))
    scale = np.array(list(found.data.scale().values()))
    sized = np.array([noise.size is None for noise in found.problem.noise])
    noise = np.array(list(found.noise.values()))
    return bool((noise > 3 * scatter + 0.1 * scale)[sized].any())
