"""Sequences of inputs whose targets are shown one tick later."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from snakebird.meta._tasks import Tasks, squared


class Lesson(eqx.Module):
    """One task: inputs, the targets that are shown (`y`), those that are meant, and which count.

    `given` is 1 where the target of a tick is shown at the next one, else 0.
    """

    x: Float[Array, "ticks inputs"]
    y: Float[Array, "ticks outputs"]
    target: Float[Array, "ticks outputs"]
    given: Float[Array, " ticks"]


class Supervised(Tasks):
    """Prediction with feedback one tick late.

    The rule sees `{"x": [inputs], "y": [outputs], "given": []}`: the input of this tick and what
    was shown as the target of the last one, zeros where nothing was. It predicts `[outputs]`, and
    the loss is the mean squared distance from the target that is meant, without noise.
    """

    def observe(self, task: Lesson, world: Any, tick: Any) -> Any:
        before = jnp.maximum(tick - 1, 0)
        given = jnp.where(tick > 0, task.given[before], 0.0)
        return {"x": task.x[tick], "y": given * task.y[before], "given": given}

    def respond(self, task: Lesson, world: Any, tick: Any, prediction: Any) -> tuple[Any, Any]:
        return world, squared(prediction, task.target[tick])
