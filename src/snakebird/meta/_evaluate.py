"""How well a rule learns, tick by tick."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from snakebird.errors import InputError
from snakebird.meta._episode import check_rule, episode
from snakebird.meta._tasks import as_tasks

_AT_ONCE = 64
"""So many tasks run side by side."""


class Curve(NamedTuple):
    """The losses of a rule over fresh tasks, one row a task, one column a tick.

    Tasks in which it diverged are counted and have no row.
    """

    losses: Float[np.ndarray, "tasks ticks"]
    diverged: int

    @property
    def mean(self) -> Float[np.ndarray, " ticks"]:
        """The mean loss at every tick; no numbers where every task diverged."""
        if not len(self.losses):
            return np.full(self.losses.shape[1], np.nan)
        return self.losses.mean(0)

    @property
    def error(self) -> Float[np.ndarray, " ticks"]:
        """The standard error of that mean."""
        if len(self.losses) < 2:
            return np.full(self.losses.shape[1], np.nan)
        return self.losses.std(0, ddof=1) / np.sqrt(len(self.losses))

    def __repr__(self) -> str:
        count, ticks = self.losses.shape
        mean = float(self.losses.mean()) if count else float("nan")
        return f"<{count} tasks of {ticks} ticks, mean loss {mean:.4g}, {self.diverged} diverged>"


def evaluate(rule: Any, tasks: Any, *, key: PRNGKeyArray, count: int = 256) -> Curve:
    """The loss of every tick in `count` fresh tasks.

    The same `key` gives the same tasks to any rule.
    """
    check_rule(rule)
    tasks = as_tasks(tasks)
    if count < 2:
        what = f"count is {count}, expected 2 or more, for a standard error"
        raise InputError(what, "evaluate", "write count=256")
    keys = jax.random.split(key, count)
    parts = [np.asarray(_losses(rule, tasks, keys[k : k + _AT_ONCE])) for k in _starts(count)]
    losses = np.concatenate(parts)
    fine = np.isfinite(losses).all(1)
    return Curve(losses[fine], int((~fine).sum()))


def _starts(count: int) -> range:
    return range(0, count, _AT_ONCE)


@eqx.filter_jit
def _losses(rule: Any, tasks: Any, keys: Any) -> Any:
    def one(key: Any) -> Any:
        draw, own = jax.random.fold_in(key, 0), jax.random.fold_in(key, 1)
        return episode(rule, tasks, tasks.sample(draw), key=own)

    return jax.vmap(one)(keys)
