"""How well a fit says what it was not trained on."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.errors import InputError
from snakebird.fitting._asked import check_observed
from snakebird.fitting._problem import Layout, batch_of
from snakebird.fitting._setup import Setup
from snakebird.fitting._smooth import smooth
from snakebird.fitting._trajectories import Trajectories


def validated(
    given: Setup, data: Trajectories, validation: Trajectories
) -> Callable[[Any, Any], Any]:
    """`loss(phi [S, P], size [S, K]) -> [S]`: minus the mean log-likelihood of held-out data.

    An experiment of the data goes on from its own start; another starts in its first observation.
    """
    _check(given, data, validation)
    check_observed(given.problem.noise, validation)
    names = [one.name for one in data]
    lanes = [names.index(one.name) if one.name in names else -1 for one in validation]
    row, d = given.batch, given.base.shape[1]
    free, base, t0 = np.full((len(lanes), d), -1), np.zeros((len(lanes), d)), np.zeros(len(lanes))
    for i, (lane, own) in enumerate(zip(lanes, validation, strict=True)):
        if lane >= 0:
            free[i], base[i], t0[i] = (
                given.problem.layout.free[lane],
                row.base[0, lane],
                row.t0[0, lane],
            )
        else:
            base[i], t0[i] = _first(given, own), own.times[0]
        if own.times[0] < t0[i]:
            raise InputError(
                f"held-out data at t = {own.times[0]:g}, before the start {t0[i]:g}",
                f"experiment {own.name}",
                "hold out later times, or whole experiments",
            )
    problem = given.problem.with_(layout=Layout(free, own=(True,) * len(lanes)), doses=None)
    batch = batch_of(validation, base, row.size[0], starts=1, t0=None)._replace(t0=t0[None])

    def loss(phi: Any, size: Any) -> Any:
        many = jax.tree.map(lambda x: jnp.repeat(jnp.asarray(x), len(phi), axis=0), batch)
        r, fine = problem(phi, many._replace(size=size))
        seen = jnp.sum(many.mask, (1, 2))
        total = 0.5 * jnp.sum(r**2, 1) + jnp.sum(seen * jnp.log(size), 1)
        return jnp.where(fine, total / jnp.sum(seen, 1), jnp.inf)

    return loss


def _first(given: Setup, experiment: Any) -> np.ndarray:
    """Where an experiment starts that is not trained on: in its smoothed data."""
    base, curve = given.base[0].copy(), smooth(experiment)
    for column, entry in enumerate(given.states):
        if entry >= 0:
            base[entry] = curve.values[0, column]
    return base


def _check(given: Setup, data: Trajectories, validation: Trajectories) -> None:
    if validation.names != data.names or validation.conditions != data.conditions:
        raise InputError(
            f"the validation data have {', '.join((*validation.names, *validation.conditions))}, "
            f"the data {', '.join((*data.names, *data.conditions))}",
            "validation",
            "give the same columns and conditions in the same order",
        )
    if given.problem.process is not None or given.problem.doses is not None:
        raise InputError(
            "validation goes neither with random=True nor with doses",
            "validation",
            "leave it out, and compare fit.predict() with the held-out data",
        )
