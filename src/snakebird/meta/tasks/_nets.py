"""Small nets to optimize: the world of a learned optimizer."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from snakebird.meta._tasks import Tasks
from snakebird.meta.tasks._digits import load_digits

_CENTERS = 0.8
"""How far the centers of clouds lie from the middle, in each direction; a cloud has width one."""


class NetTraining(Tasks):
    """A net with one hidden layer of tanh neurons that tells classes apart, trained anew each time.

    The rule sees `{"gradient": tree, "loss": [], "weights": tree}`, of a batch of `batch` points,
    and gives a step: a tree that is added to the weights. The loss is the cross-entropy over
    `points` points after the step. `data` is "mixtures": two normal clouds a class, drawn anew for
    each task, which overlap, and from which every batch is fresh; or "digits": 8x8 images, batches
    of the same `points` images.

    >>> NetTraining().sample(jax.random.key(0))["x"].shape
    (256, 8)
    """

    inputs: int = eqx.field(static=True, default=8)
    hidden: int = eqx.field(static=True, default=16)
    classes: int = eqx.field(static=True, default=4)
    points: int = eqx.field(static=True, default=256)
    batch: int = eqx.field(static=True, default=64)
    ticks: int = eqx.field(static=True, default=50)
    data: str = eqx.field(static=True, default="mixtures")

    def sample(self, key: PRNGKeyArray) -> Any:
        own, first, last, order = jax.random.split(key, 4)
        clouds = _CENTERS * jax.random.normal(own, (2 * self.classes, self.inputs))
        digits = self.data == "digits"
        x, labels = _digits(own, self.points) if digits else _drawn(order, clouds, self.points)
        a = jax.random.normal(first, (x.shape[1], self.hidden)) / jnp.sqrt(x.shape[1])
        b = jax.random.normal(last, (self.hidden, self.classes)) / jnp.sqrt(self.hidden)
        start = {"a": a, "b": b, "p": jnp.zeros(self.hidden), "q": jnp.zeros(self.classes)}
        return {"x": x, "label": labels, "clouds": clouds, "start": start, "order": order}

    def start(self, task: Any) -> Any:
        return task["start"]

    def observe(self, task: Any, world: Any, tick: Any) -> Any:
        own = jax.random.fold_in(task["order"], tick)
        part = _drawn(own, task["clouds"], self.batch)
        if self.data == "digits":
            some = jax.random.randint(own, (self.batch,), 0, self.points)
            part = task["x"][some], task["label"][some]
        loss, gradient = jax.value_and_grad(_entropy)(world, *part)
        return {"gradient": gradient, "loss": loss, "weights": world}

    def respond(self, task: Any, world: Any, tick: Any, prediction: Any) -> tuple[Any, Any]:
        world = jax.tree.map(jnp.add, world, prediction)
        return world, _entropy(world, task["x"], task["label"])


def _drawn(key: PRNGKeyArray, clouds: Float[Array, "clouds inputs"], count: int) -> tuple[Any, Any]:
    """Points of the clouds, and their classes: every class has two."""
    which, off = jax.random.split(key)
    cloud = jax.random.randint(which, (count,), 0, len(clouds))
    x = clouds[cloud] + jax.random.normal(off, (count, clouds.shape[1]), clouds.dtype)
    return x, cloud % (len(clouds) // 2)


def _digits(key: PRNGKeyArray, points: int) -> tuple[Any, Any]:
    images, labels = load_digits()
    some = jax.random.choice(key, len(labels), (points,), replace=False)
    return jnp.asarray(images)[some].astype(jnp.result_type(float)), jnp.asarray(labels)[some]


def _entropy(net: Any, x: Float[Array, "n inputs"], labels: Any) -> Float[Array, ""]:
    hidden = jnp.tanh(x @ net["a"] + net["p"])
    out = jax.nn.log_softmax(hidden @ net["b"] + net["q"])
    return -jnp.mean(jnp.take_along_axis(out, labels[:, None], 1))
