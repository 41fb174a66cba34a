"""What is learned from: families of tasks, each written once, for one task."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from snakebird.errors import InputError

_DRAWS = 4
"""From so many draws it is judged whether shapes vary."""


class Tasks(eqx.Module):
    """A family of tasks: how one is drawn, and what it is to live through it tick by tick.

    All shapes are those of every task of the family, so that many run side by side. `ticks` is how
    long an episode lasts. The world is what changes within one: the place of an agent, the net
    that an optimizer is at work on; sequences have none.
    """

    ticks: eqx.AbstractVar[int]

    @abstractmethod
    def sample(self, key: PRNGKeyArray) -> Any:
        """One task: a tree of arrays."""

    def start(self, task: Any) -> Any:
        """The world before the first tick."""
        return ()

    @abstractmethod
    def observe(self, task: Any, world: Any, tick: Any) -> Any:
        """What the rule is shown at this tick."""

    @abstractmethod
    def respond(self, task: Any, world: Any, tick: Any, prediction: Any) -> tuple[Any, Any]:
        """The world after the rule's prediction, and the loss of this tick, a number."""

    def with_ticks(self, ticks: int) -> "Tasks":
        """The same family with longer or shorter episodes."""
        return replace(self, ticks=ticks)


def squared(prediction: Any, target: Any) -> Float[Array, ""]:
    """The mean squared error, over the entries of the target."""
    return jnp.mean((prediction - target) ** 2)


class Sequences(Tasks):
    """Tasks that are sequences: `draw(key)` gives observations and targets, one row a tick each.

    The rule predicts the target of a tick from the observations up to that tick; that these do
    not give the target away is the business of `draw`. `loss(prediction, target)` is a number.

    >>> def echo(key):
    ...     x = jax.random.normal(key, (6,))
    ...     return x, x
    >>> Sequences(echo).ticks
    6
    """

    draw: Callable[[Any], tuple[Any, Any]] = eqx.field(static=True)
    loss: Callable[[Any, Any], Any] = eqx.field(static=True)
    ticks: int = eqx.field(static=True)

    def __init__(self, draw: Callable[[Any], tuple[Any, Any]], *, loss: Callable = squared):
        self.draw, self.loss = draw, loss
        self.ticks = _rows(check_shapes(draw))

    def with_ticks(self, ticks: int) -> "Tasks":
        """Raises `InputError`: how long a sequence is says the function that draws it."""
        raise InputError(
            f"these sequences have {self.ticks} ticks because `draw` gives so many",
            "with_ticks",
            f"write a draw that gives {ticks} rows, and Sequences(draw)",
        )

    def sample(self, key: PRNGKeyArray) -> Any:
        return self.draw(key)

    def observe(self, task: Any, world: Any, tick: Any) -> Any:
        return jax.tree.map(lambda x: x[tick], task[0])

    def respond(self, task: Any, world: Any, tick: Any, prediction: Any) -> tuple[Any, Any]:
        return world, self.loss(prediction, jax.tree.map(lambda x: x[tick], task[1]))


def as_tasks(tasks: Any) -> Tasks:
    """The family itself, or that of the sequences a plain function draws; its shapes are checked.

    Raises `InputError` for something else, and for what `check_shapes` finds.
    """
    if isinstance(tasks, Tasks):
        check_shapes(tasks.sample)
        return tasks
    if callable(tasks) and not isinstance(tasks, type):
        draw: Callable[[Any], Any] = tasks
        return Sequences(draw)
    shown = tasks.__name__ if isinstance(tasks, type) else repr(tasks)
    raise InputError(
        f"the tasks are {shown}, expected a family of tasks or a function of a key",
        "tasks",
        "give an instance such as meta.tasks.Sinusoids(), or a function "
        "draw(key) -> (observations, targets)",
    )


def check_shapes(draw: Callable[[Any], Any]) -> Any:
    """The shapes of what `draw(key)` gives, which must be the same for every key.

    Raises `InputError` with the leaf and two of its shapes where they vary, and where the draw
    cannot be compiled.

    >>> drawn = check_shapes(lambda key: (jax.random.normal(key, (20,)), jax.random.normal(key)))
    >>> jax.tree.map(lambda leaf: leaf.shape, drawn)
    ((20,), ())
    """
    found = [
        jax.tree.map(_shape_of, draw(jax.random.key(k)), is_leaf=lambda x: x is None)
        for k in range(_DRAWS)
    ]
    for other in found[1:]:
        _compare(found[0], other)
    try:
        return jax.eval_shape(draw, jax.random.key(0))
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError) as error:
        raise InputError(
            f"the draw of a task cannot be compiled: {str(error).splitlines()[0]}",
            "sample(key)",
            "draw with jax.random and jax.numpy, not with Python's or NumPy's numbers",
        ) from None


class _Shape(tuple):
    """A shape that is a leaf."""


def _shape_of(leaf: Any) -> Any:
    return _Shape(jnp.shape(leaf))


def _compare(first: Any, other: Any) -> None:
    a, b = (jax.tree_util.tree_flatten_with_path(x)[0] for x in (first, other))
    if [path for path, _ in a] != [path for path, _ in b]:
        raise InputError(
            "two draws of a task are trees of different structure",
            "sample(key)",
            "give every task the same leaves; mark what is missing by a mask of zeros",
        )
    for (path, one), (_, two) in zip(a, b, strict=True):
        if one != two:
            raise InputError(
                f"the leaf {jax.tree_util.keystr(path) or 'itself'} has the shape {list(one)} in "
                f"one task and {list(two)} in another",
                "sample(key)",
                "draw the largest shape always, and mark what counts by a mask of zeros and ones",
            )


def _rows(shapes: Any) -> int:
    """The number of ticks: how many rows every leaf has. Raises `InputError` where they differ."""
    if not isinstance(shapes, tuple) or len(shapes) != 2:
        raise InputError(
            f"the draw gives a {type(shapes).__name__}, expected a pair",
            "draw(key)",
            "return (observations, targets), trees of arrays with one row a tick",
        )
    rows = {leaf.shape[:1] for leaf in jax.tree.leaves(shapes)}
    if len(rows) != 1 or () in rows:
        shown = ", ".join(str(list(leaf.shape)) for leaf in jax.tree.leaves(shapes))
        raise InputError(
            f"observations and targets have the shapes {shown}, expected one row a tick in each",
            "draw(key)",
            "give all arrays the same first axis, that of time",
        )
    return rows.pop()[0]
