"""Neurons on images: arrays `[height, width]` or `[height, width, channels]` as leaves.

The zero image is mid-gray; every transform is linear in the image.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from snakebird import vvalues as vv
from snakebird.neurons import _numbers as num
from snakebird.neurons._define import neuron


def _on_images(function: Callable[[jax.Array], jax.Array], value: vv.VValue) -> vv.VValue:
    """Apply a function to every leaf that is an image; other leaves are left out."""
    images = {path: leaf for path, leaf in num.leaves(value).items() if leaf.ndim in (2, 3)}
    return vv.grow({path: function(image) for path, image in images.items()})


@neuron
def image_shift(x: vv.VValue, *, down: int = 0, right: int = 0) -> vv.VValue:
    """The image moved over a torus by whole pixels.

    >>> image = jnp.eye(3)
    >>> image_shift(right=1).apply({"x": image})["result"][0].tolist()
    [0.0, 1.0, 0.0]
    """
    return _on_images(lambda image: jnp.roll(image, (down, right), axis=(0, 1)), x)


@neuron
def image_turn(x: vv.VValue, *, angle: Any = 0.0, zoom: Any = 1.0) -> vv.VValue:
    """The image turned counterclockwise by `angle` radians and enlarged `zoom` times.

    About its center, by bilinear interpolation; what comes from outside is zero.

    >>> image = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    >>> turned = image_turn(angle=jnp.pi / 2).apply({"x": image})["result"]
    >>> turned.round(2).tolist()
    [[2.0, 4.0], [1.0, 3.0]]
    """

    def turn(image: jax.Array) -> jax.Array:
        row, column = _centered(image)
        c, s = jnp.cos(angle) / zoom, jnp.sin(angle) / zoom
        return _sample_at(image, c * row + s * column, c * column - s * row)

    return _on_images(turn, x)


@neuron
def image_wave(
    x: vv.VValue, *, size: Any = 0.1, frequency: Any = 4.0, phase: Any = 0.0
) -> vv.VValue:
    """The image bent by a radial wave.

    Each point reads from `1 + size * sin(2 pi * frequency * r + phase)` times as far from the
    center, where its own distance is `r` halves of the larger side.

    >>> image = jnp.ones((4, 4))
    >>> image_wave(size=0.0).apply({"x": image})["result"].shape
    (4, 4)
    """

    def bend(image: jax.Array) -> jax.Array:
        row, column = _centered(image)
        radius = 2 * jnp.hypot(row, column) / max(image.shape[:2])
        factor = 1 + size * jnp.sin(2 * jnp.pi * frequency * radius + phase)
        return _sample_at(image, factor * row, factor * column)

    return _on_images(bend, x)


@neuron
def image_blur(x: vv.VValue) -> vv.VValue:
    """Each pixel replaced by the mean of itself and its four neighbors on a torus.

    >>> image = jnp.zeros((3, 3)).at[1, 1].set(5.0)
    >>> image_blur(image).tolist()
    [[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]]
    """

    def blur(image: jax.Array) -> jax.Array:
        moves = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]
        return sum(jnp.roll(image, move, axis=(0, 1)) for move in moves) / 5  # type: ignore[return-value]

    return _on_images(blur, x)


def _centered(image: jax.Array) -> tuple[jax.Array, jax.Array]:
    height, width = image.shape[:2]
    row, column = jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij")
    return row - (height - 1) / 2, column - (width - 1) / 2


def _sample_at(image: jax.Array, row: jax.Array, column: jax.Array) -> jax.Array:
    height, width = image.shape[:2]
    places = [row + (height - 1) / 2, column + (width - 1) / 2]

    def read(plane: jax.Array) -> jax.Array:
        return jax.scipy.ndimage.map_coordinates(plane, places, order=1, mode="constant")

    return read(image) if image.ndim == 2 else jax.vmap(read, in_axes=2, out_axes=2)(image)
