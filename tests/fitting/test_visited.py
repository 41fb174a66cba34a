"""What a hole sees along a fit, however the model calls it."""

import equinox as eqx
import jax
import numpy as np
import pytest

import snakebird as sb
from snakebird.fitting.core import visited

DATA = sb.Trajectories.of([0, 1, 2, 3, 4], {"x": [1.0, 0.61, 0.37, 0.22, 0.13]})
CALLS = {
    "plainly": lambda hole, x: hole(x),
    "by vmap": lambda hole, x: jax.vmap(hole)(x[None])[0],
    "by map": lambda hole, x: jax.lax.map(hole, x[None])[0],
    "with an array": lambda hole, x: hole.array(x[None])[0],
    "with many": lambda hole, x: hole.many(x[None, None])[0, 0],
    "twice": lambda hole, x: hole(x) + 0 * hole(2 * x),
}


class Decay(eqx.Module):
    rate: sb.Hole
    how: str = eqx.field(static=True)

    def __call__(self, t, y, args):
        return {"x": CALLS[self.how](self.rate, y["x"])}


def seen(how: str) -> np.ndarray:
    """Inputs and outputs in the order of inputs, of a fit."""
    hole = sb.Hole("x", "rate", model=sb.Polynomial(1, 1, degree=1))
    fit = sb.fit(Decay(hole, how), DATA, starts=1, stages=["trajectories"])
    (found,), _ = visited(fit.problem, fit.vector[None], fit.batch)
    rows = np.hstack(found["rate"])
    return rows[np.argsort(rows[:, 0])]


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    return seen("plainly")


SLOW = [pytest.param(how, marks=pytest.mark.slow) for how in ("by map", "by vmap", "with many")]


@pytest.mark.parametrize("how", ["with an array", *SLOW])
def test_what_a_hole_sees_rests_not_on_how_it_is_called(plain: np.ndarray, how: str):
    assert plain.shape == (5, 2)
    np.testing.assert_allclose(seen(how), plain, rtol=1e-6)


@pytest.mark.slow
def test_a_hole_that_is_called_twice_sees_both():
    assert seen("twice").shape == (10, 2)
