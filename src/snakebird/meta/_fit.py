"""`fit`: the outer loop, one compiled step over a batch of tasks."""

import time
from collections.abc import Callable
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PRNGKeyArray

from snakebird.errors import FitError, InputError, UnknownNameError, suggest
from snakebird.fitting._interrupts import interrupts
from snakebird.meta._episode import check_rule
from snakebird.meta._evaluate import Curve, evaluate
from snakebird.meta._folder import Folder, Step, mark_of
from snakebird.meta._gradients import (
    FINE,
    SLOPE,
    Backpropagation,
    Persistent,
    free_numbers,
    separately,
)
from snakebird.meta._tasks import Tasks, as_tasks

GRADIENTS = ("full", "truncated", "pes")
PATIENCE = 5
"""After so many outer steps in a row in which every task diverged, training cannot go on."""


class Progress(NamedTuple):
    """What `watch` is told after an outer step: `rate` in steps, `remaining` in seconds."""

    step: int
    steps: int
    loss: float
    diverged: list[tuple[int, int]]
    rate: float
    remaining: float


class MetaFit(NamedTuple):
    """A trained rule, the outer steps that led there, and why they ended early."""

    rule: Any
    history: list[Step]
    tasks: Tasks
    stopped: str = ""

    def evaluate(self, tasks: Any = None, *, key: PRNGKeyArray, count: int = 256) -> Curve:
        """The losses on fresh tasks, by default of the family trained on; see `evaluate`."""
        return evaluate(self.rule, self.tasks if tasks is None else tasks, key=key, count=count)


class State(NamedTuple):
    """All that changes from one outer step to the next."""

    params: Any
    optimizer: Any
    memory: Any


class Setup(NamedTuple):
    """What an outer step reads and leaves as it is."""

    static: Any
    tasks: Tasks
    weights: Any
    mask: Any
    estimate: Any
    optimizer: Any
    key: Any
    batch: int


def fit(
    rule: Any,
    tasks: Any,
    *,
    key: PRNGKeyArray,
    steps: int = 1000,
    batch: int = 32,
    optimizer: optax.GradientTransformation | None = None,
    gradient: str = "full",
    length: int | None = None,
    spread: float = 0.1,
    weights: Any = None,
    relative: bool = False,
    watch: Callable[[Progress], None] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    save_every: int = 100,
) -> MetaFit:
    """Train a rule so that it learns well in tasks that are drawn anew in every outer step.

    * `rule`: an `eqx.Module` with `init(observation, *, key)` and a call
      `(state, observation) -> (state, prediction)`; see `Rule`. All its arrays are trained, of
      lowered machines those numbers that are marked trainable.
    * `tasks`: a `Tasks`, or a function `draw(key) -> (observations, targets)`.
    * `gradient`: "full" backpropagation; "truncated" every `length` ticks; or "pes", persistent
      evolution strategies in pieces of `length` ticks with perturbations of size `spread`, which
      need no derivatives and an outer step of which costs two pieces a task.
    * `weights`: how much each tick counts, `[ticks]`; all alike by default.
    * `relative`: every tick counts by the logarithm of its mean loss over the tasks, so that late
      small losses count as much as early large ones. Not with "pes".
    * `optimizer`: optax; by default Adam at 1e-3 behind a clipped gradient.
    * `watch` is told of every outer step. With `out`, a folder, the history and, every
      `save_every` steps, a checkpoint are kept; `resume=True` goes on from there and ends where a
      run without a break ends, bit for bit. An interrupt ends the run after the step at hand.

    A task in which the rule diverges is left out of its outer step, and noted in the history with
    the tick. Raises `InputError` for tasks, rules and options that do not fit, and `FitError`
    where every task of several steps diverged.

    >>> import equinox as eqx
    >>> class Mean(eqx.Module):
    ...     rate: jax.Array
    ...     def init(self, observation, *, key):
    ...         return observation
    ...     def __call__(self, state, observation):
    ...         return state + self.rate * (observation - state), state
    >>> def noisy(key):
    ...     x = 1.0 + jax.random.normal(key, (20,))
    ...     return x, jnp.ones(20)
    >>> found = fit(Mean(jnp.array(0.9)), noisy, key=jax.random.key(0), steps=100,
    ...             optimizer=optax.adam(0.02))
    >>> bool(found.rule.rate < 0.4)
    True
    """
    check_rule(rule)
    tasks = as_tasks(tasks)
    estimate = _estimator(gradient, length, spread, relative, tasks.ticks)
    _check_counts(steps=steps, batch=batch, save_every=save_every)
    optimizer = _adam() if optimizer is None else optimizer
    weights = _weights(weights, tasks.ticks)
    params, static = eqx.partition(rule, eqx.is_inexact_array)
    if not jax.tree.leaves(params):
        raise InputError("the rule has no numbers to train", "rule", "make its numbers jax arrays")
    setup = Setup(static, tasks, weights, free_numbers(rule), estimate, optimizer, key, batch)
    memory = estimate.begin(rule, tasks, _keys(key, -1, batch))
    state = jax.tree.map(_strong, State(params, optimizer.init(params), memory))
    told = (batch, gradient, length, spread, relative, type(tasks).__name__, tasks.ticks)
    told = told if out is None else (*told, _moves_of(optimizer))
    mark = mark_of((params, weights, key, eqx.filter(tasks, eqx.is_array)), told)
    folder = Folder(None if out is None else Path(out), mark)
    return _outer(setup, state, folder, steps, resume, watch, save_every)


def _strong(x: Any) -> Any:
    """With the type it will keep: numbers made of Python's would compile twice."""
    return jax.lax.convert_element_type(x, x.dtype) if eqx.is_inexact_array(x) else x


def _moves_of(optimizer: optax.GradientTransformation) -> str:
    """What an optimizer does with a few slopes, as text: another one does something else."""
    point, moves = jnp.array([0.5, -1.0, 2.0]), []
    try:
        state = optimizer.init(point)
        for size in (1.0, 0.1):
            move, state = optimizer.update(size * point, state, point)
            moves += np.asarray(move).tolist()
    except Exception:  # one that is made for the numbers of its rule alone
        return ""
    return " ".join(f"{move:.4e}" for move in moves)


@cache
def _adam() -> optax.GradientTransformation:
    """Always the same object, so that a second fit need not compile again."""
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))


def _outer(
    setup: Setup, state: State, folder: Folder, steps: int, resume: bool, watch: Any, every: int
) -> MetaFit:
    """The loop, in its folder."""
    try:
        first, history = 0, []
        if resume:
            first, state, history = folder.load(state)
        else:
            folder.begin(state)
        return _steps(setup, state, folder, (first, steps, every), history, watch)
    finally:
        folder.close()


def _steps(
    setup: Setup, state: State, folder: Folder, steps: Any, history: list[Step], watch: Any
) -> MetaFit:
    """The loop itself: from the first step to the last, with a checkpoint every few."""
    first, last, every = steps
    begun, lost, at, stopped = time.monotonic(), _lost(history, setup.batch), first, ""
    signals: list[str] = []
    with interrupts(signals.append):
        for at in range(first, last):
            state, note = _one(setup, state, at)
            history.append(note)
            folder.note(note)
            lost = lost + 1 if len(note.diverged) == setup.batch else 0
            stopped = f"interrupted by {signals[0]}" if signals else ""
            if lost == PATIENCE or stopped or at + 1 == last or (at + 1) % every == 0:
                folder.save(at + 1, state)
            if lost == PATIENCE:
                raise _hopeless(note)
            if watch is not None:
                watch(_progress(note, at + 1 - first, last, begun))
            if stopped:
                break
    return MetaFit(eqx.combine(state.params, setup.static), history, setup.tasks, stopped)


def _lost(history: list[Step], batch: int) -> int:
    """In how many steps in a row, up to the last, every task diverged."""
    last = takewhile(lambda step: len(step.diverged) == batch, reversed(history))
    return len(list(last)) % PATIENCE


def _one(setup: Setup, state: State, at: int) -> tuple[State, Step]:
    """One outer step; again, task by task, where a task diverged."""
    new, report = _step(setup, state, jnp.asarray(at))
    if not report.fine and isinstance(setup.estimate, Backpropagation):
        new, report = _careful(setup, state, jnp.asarray(at))
    where, losses = np.asarray(report.where), np.asarray(report.losses)
    good = losses[where == FINE]
    diverged = [(int(k), int(where[k])) for k in np.flatnonzero(where != FINE)]
    loss = float(good.mean()) if good.size else None
    return new, Step(at, loss, float(report.norm), diverged)


class Report(NamedTuple):
    """What Python has to know of an outer step."""

    losses: Any
    where: Any
    norm: Any
    fine: Any


@eqx.filter_jit
def _step(setup: Setup, state: State, at: Any) -> tuple[State, Report]:
    """One outer step."""
    rule = eqx.combine(state.params, setup.static)
    keys = _keys(setup.key, at, setup.batch)
    found = setup.estimate(rule, setup.tasks, setup.weights, state.memory, keys)
    return _update(setup, state, found)


@eqx.filter_jit
def _careful(setup: Setup, state: State, at: Any) -> tuple[State, Report]:
    """One outer step, task by task."""
    rule = eqx.combine(state.params, setup.static)
    keys = _keys(setup.key, at, setup.batch)
    found = separately(setup.estimate, rule, setup.tasks, setup.weights, state.memory, keys)
    return _update(setup, state, found)


def _update(setup: Setup, state: State, found: Any) -> tuple[State, Report]:
    """The parameters moved, unless nothing is known about where to."""
    gradient = jax.tree.map(jnp.multiply, found.gradient, setup.mask)
    norm = optax.tree.norm(gradient)
    fine = jnp.isfinite(norm) & (found.where == FINE).all()
    moves, memory = setup.optimizer.update(gradient, state.optimizer, state.params)
    moves = jax.tree.map(jnp.multiply, moves, setup.mask)
    new = optax.apply_updates(state.params, moves), memory
    usable = jnp.isfinite(norm) & (found.where == FINE).any()
    old = state.params, state.optimizer
    params, memory = jax.tree.map(lambda a, b: jnp.where(usable, a, b), new, old)
    return State(params, memory, found.memory), Report(found.losses, found.where, norm, fine)


def _keys(key: Any, at: Any, batch: int) -> Any:
    """One key a task; those of an outer step depend on its number alone."""
    return jax.random.split(jax.random.fold_in(key, jnp.asarray(at, jnp.int32) + 1), batch)


def _progress(note: Step, done: int, steps: int, begun: float) -> Progress:
    rate = done / max(time.monotonic() - begun, 1e-9)
    loss = float("nan") if note.loss is None else note.loss
    return Progress(note.step, steps, loss, note.diverged, rate, (steps - note.step - 1) / rate)


def _hopeless(note: Step) -> FitError:
    task, tick = note.diverged[0]
    where = "in its gradient" if tick == SLOPE else f"at tick {tick}"
    return FitError(
        f"every task of the last {PATIENCE} outer steps diverged; task {task} of the batch {where}",
        f"meta.fit, outer step {note.step}",
        "train with a smaller step (optimizer=optax.adam(1e-4)), begin from a tamer rule, or "
        'shorten what the gradient passes (gradient="truncated", length=...)',
    )


def _estimator(gradient: str, length: int | None, spread: float, relative: bool, ticks: int) -> Any:
    """How the gradient is found. Raises `UnknownNameError` and `InputError`."""
    if gradient not in GRADIENTS:
        hint = suggest(gradient, GRADIENTS)
        raise UnknownNameError(f"no gradient is named {gradient!r}", "meta.fit, gradient", hint)
    if gradient == "full":
        return Backpropagation(ticks, relative)
    if length is None or length < 1 or ticks % length:
        what = "is not given" if length is None else f"is {length}"
        raise InputError(
            f"length {what}, expected a number of ticks that divides the {ticks} of an episode",
            f"meta.fit, gradient={gradient!r}",
            f"write length={_divisor(ticks)}",
        )
    if not spread > 0:
        raise InputError(f"spread is {spread}", "meta.fit", "write spread=0.1")
    if gradient == "truncated":
        return Backpropagation(length, relative)
    if relative:
        raise InputError(
            "relative losses have no evolution strategy",
            "meta.fit, gradient='pes'",
            "leave out relative=, or write gradient='truncated'",
        )
    return Persistent(length, spread)


def _divisor(ticks: int) -> int:
    """The divisor nearest the root."""
    return min((k for k in range(1, ticks + 1) if ticks % k == 0), key=lambda k: abs(k * k - ticks))


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise InputError(
                f"{name} is {count}, expected 1 or more", "meta.fit", f"write {name}=32"
            )


def _weights(weights: Any, ticks: int) -> Any:
    found = jnp.ones(ticks) if weights is None else jnp.asarray(weights, jnp.result_type(float))
    if found.shape != (ticks,):
        raise InputError(
            f"weights has the shape {list(found.shape)}, expected one number for each of the "
            f"{ticks} ticks",
            "meta.fit, weights",
            "write weights=jnp.ones(tasks.ticks), or leave it out",
        )
    return found
