"""Image transforms: linear, and exact where pixels go to pixels."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from snakebird import neurons as n, vvalues as vv

rng = np.random.default_rng(3)
GRAY, COLOR = rng.normal(size=(5, 5)), rng.normal(size=(4, 4, 3))

TRANSFORMS = [
    n.image_shift(down=2, right=-1),
    n.image_turn(angle=0.4, zoom=1.3),
    n.image_wave(size=0.3, frequency=0.8, phase=0.2),
    n.image_blur(),
]


@pytest.mark.parametrize("image", [GRAY, COLOR], ids=["gray", "color"])
def test_a_shift_by_whole_pixels_is_exact(image):
    found = n.image_shift(image, down=2, right=-1)
    np.testing.assert_array_equal(found, np.roll(image, (2, -1), axis=(0, 1)))
    np.testing.assert_array_equal(n.image_shift(found, down=-2, right=1), image)


@pytest.mark.parametrize("image", [GRAY, COLOR], ids=["gray", "color"])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_quarter_turn_moves_pixels_to_pixels(image, quarters):
    found = n.image_turn(image, angle=quarters * math.pi / 2)
    np.testing.assert_allclose(found, np.rot90(image, quarters), atol=1e-12)


def test_a_turn_by_nothing_and_a_wave_of_no_size_are_the_identity():
    np.testing.assert_allclose(n.image_turn(COLOR), COLOR, atol=1e-14)
    np.testing.assert_allclose(n.image_wave(COLOR, size=0.0), COLOR, atol=1e-14)


def test_zoom_enlarges():
    spot = np.zeros((5, 5))
    spot[2, 3] = 1.0
    np.testing.assert_allclose(n.image_turn(spot, zoom=2.0)[2], [0, 0, 0, 0.5, 1.0], atol=1e-14)


def test_a_wave_reads_from_nearer_or_farther():
    ramp = np.tile(np.abs(np.arange(5) - 2.0), (5, 1))
    # At the end of the middle row r = 2 * 2 / 5, so the factor is 1 + size * sin(pi / 2).
    found = n.image_wave(ramp, size=-0.25, frequency=0.25 / 0.8)[2]
    assert math.isclose(found[0], 2 * 0.75)
    assert found[2] == 0


def test_a_blur_is_the_mean_of_five():
    spot = jnp.zeros((4, 4)).at[0, 0].set(1.0)
    expected = np.zeros((4, 4))
    expected[[0, 1, 3, 0, 0], [0, 0, 0, 1, 3]] = 0.2
    np.testing.assert_allclose(n.image_blur(spot), expected, atol=1e-15)


def test_images_anywhere_in_a_tree_and_nothing_else():
    found = n.image_shift({"a": GRAY, "b": {"c": COLOR}, "k": 3, "v": np.ones(2)}, down=1)
    assert vv.equal(found, {"a": np.roll(GRAY, 1, axis=0), "b": {"c": np.roll(COLOR, 1, axis=0)}})
    assert n.image_blur({}) == {}


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda t: t.type.name)
@settings(max_examples=10)
@given(a=st.floats(-4, 4), b=st.floats(-4, 4), seed=st.integers(0, 99))
def test_transforms_are_linear(transform, a, b, seed):
    u, v = np.random.default_rng(seed).normal(size=(2, 5, 5))
    apply = lambda image: transform.apply({"x": image})["result"]
    np.testing.assert_allclose(apply(a * u + b * v), a * apply(u) + b * apply(v), atol=1e-12)
