"""8x8 handwritten digits, two classes after two classes."""

from functools import cache
from importlib.resources import as_file, files

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from snakebird.meta.tasks._supervised import Lesson, Supervised


@cache
def load_digits() -> tuple[Float[np.ndarray, "1797 64"], Int[np.ndarray, " 1797"]]:
    """Images with pixels from 0 to 1, and labels; `data/README.md` says where they are from.

    >>> images, labels = load_digits()
    >>> images.shape, labels[:4].tolist()
    ((1797, 64), [0, 1, 2, 3])
    """
    file = files("snakebird.meta.tasks") / "data" / "digits.npz"
    with as_file(file) as path, np.load(path) as kept:
        images, labels = kept["images"] / 16.0, kept["labels"].astype(int)
    images.flags.writeable = labels.flags.writeable = False
    return images, labels


class DigitSequence(Supervised):
    """Ten classes, learned two at a time, `shots` images of each; then `queries` of all of them.

    Which digits come together, and what number stands for which, is drawn. The queries are images
    that nobody learns from: their targets are not shown. Half the images are for training and
    the others, with `held_out`, for tests. The target is a one-hot row.

    `after` says after how many of the five pairs the queries come, all about the first pair;
    by default after all, about all.

    >>> DigitSequence(shots=2, queries=5).ticks
    25
    """

    images: Float[Array, "n 64"]
    labels: Int[Array, " n"]
    shots: int = eqx.field(static=True)
    queries: int = eqx.field(static=True)
    after: int | None = eqx.field(static=True)
    ticks: int = eqx.field(static=True)

    def __init__(
        self,
        *,
        shots: int = 10,
        queries: int = 20,
        held_out: bool = False,
        after: int | None = None,
    ):
        images, labels = load_digits()
        order = np.argsort(labels[held_out::2], kind="stable")
        own = labels[held_out::2][order]
        each = int(np.bincount(own).min())
        kept = np.concatenate([np.flatnonzero(own == digit)[:each] for digit in range(10)])
        self.images = jnp.asarray(images[held_out::2][order][kept])
        self.labels = jnp.asarray(own[kept])
        self.shots, self.queries, self.after = shots, queries, after
        self.ticks = 2 * shots * (5 if after is None else after) + queries

    def sample(self, key: PRNGKeyArray) -> Lesson:
        a, b, c, d = jax.random.split(key, 4)
        digits = jax.random.permutation(a, 10)
        names = jax.random.permutation(b, 10)
        each = len(self.labels) // 10
        places = jax.vmap(lambda own: jax.random.permutation(own, each))(jax.random.split(c, 10))
        pairs = 5 if self.after is None else self.after
        learned = jax.random.permutation(
            d, jnp.tile(jnp.arange(2), self.shots)[None].repeat(pairs, 0), axis=1, independent=True
        )
        class_of = (learned + 2 * jnp.arange(pairs)[:, None]).reshape(-1)
        asked = jnp.arange(self.queries) % (10 if self.after is None else 2)
        which = jnp.concatenate([class_of, asked])
        before = jnp.cumsum(jax.nn.one_hot(which, 10, dtype=int), 0) - 1
        nth = jnp.take_along_axis(before, which[:, None], 1)[:, 0]
        at = digits[which] * each + places[digits[which], nth]
        target = jax.nn.one_hot(names[which], 10, dtype=self.images.dtype)
        given = (jnp.arange(self.ticks) < len(class_of)).astype(self.images.dtype)
        return Lesson(self.images[at], target, target, given)
