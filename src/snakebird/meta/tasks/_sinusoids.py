"""Sine waves of random amplitude and phase, as in C. Finn et al. 2017, section 5.1."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from snakebird.meta._tasks import Tasks, squared
from snakebird.meta.tasks._supervised import Lesson, Supervised


class Sinusoids(Supervised):
    """Points on `amplitude * sin(x + phase)`, one a tick, each predicted before it is shown.

    Amplitudes are uniform in 0.1 to 5, phases in 0 to pi, inputs in -5 to 5. The loss at tick K
    is that after K shots.

    >>> Sinusoids(ticks=11).sample(jax.random.key(0)).x.shape
    (11, 1)
    """

    ticks: int = eqx.field(static=True, default=11)

    def sample(self, key: PRNGKeyArray) -> Lesson:
        wave, own = jax.random.split(key)
        x = jax.random.uniform(own, (self.ticks, 1), minval=-5.0, maxval=5.0)
        y = _wave(wave, x)
        return Lesson(x, y, y, jnp.ones(self.ticks))


class SinusoidShots(Tasks):
    """A few points at once, shown again at every tick: for rules that take gradient steps.

    The rule sees `{"x": [shots, 1], "y": [shots, 1], "query": [queries, 1]}` and predicts at the
    queries; the loss at tick t is that after t + 1 steps.

    >>> SinusoidShots(shots=5, ticks=2).ticks
    2
    """

    ticks: int = eqx.field(static=True, default=1)
    shots: int = eqx.field(static=True, default=10)
    queries: int = eqx.field(static=True, default=20)

    def sample(self, key: PRNGKeyArray) -> Any:
        wave, own = jax.random.split(key)
        x = jax.random.uniform(own, (self.shots + self.queries, 1), minval=-5.0, maxval=5.0)
        return {"x": x, "y": _wave(wave, x)}

    def observe(self, task: Any, world: Any, tick: Any) -> Any:
        n = self.shots
        return {"x": task["x"][:n], "y": task["y"][:n], "query": task["x"][n:]}

    def respond(self, task: Any, world: Any, tick: Any, prediction: Any) -> tuple[Any, Any]:
        return world, squared(prediction, task["y"][self.shots :])


def _wave(key: Any, x: Float[Array, "n 1"]) -> Float[Array, "n 1"]:
    high, along = jax.random.split(key)
    amplitude = jax.random.uniform(high, minval=0.1, maxval=5.0)
    return amplitude * jnp.sin(x + jax.random.uniform(along, maxval=jnp.pi))
