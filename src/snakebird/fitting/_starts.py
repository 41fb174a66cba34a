"""Where the starts of a fit begin: the model as it was given, and others drawn around it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.equations import Hole, redrawn, with_holes
from snakebird.fitting._setup import Setup
from snakebird.fitting._vector import vector_of

_SPREAD = 0.3
"""How far the parameters of other starts lie from the given ones, on the scale without bounds."""


def drawn_starts(given: Setup, starts: int, seed: int) -> np.ndarray:
    """The vectors to start from: the model as given, then others, drawn anew."""
    rows = [given.vector]
    vector = given.problem.vector
    p = len(vector.start)
    for sequence in np.random.SeedSequence(seed).spawn(starts - 1):
        own_seeds = sequence.generate_state(len(vector.holes) + 1)
        rest, keys = own_seeds[0], dict(zip(vector.holes, map(_key, own_seeds[1:]), strict=True))
        drawn = vector_of(with_holes(given.model, _redraw(keys))).start
        shift = _SPREAD * np.random.default_rng(rest).standard_normal(p)
        own = np.where(vector.hole >= 0, drawn, vector.start + shift)
        rows.append(np.concatenate([own, given.vector[p:]]))
    return np.stack(rows)


def _key(seed: Any) -> Any:
    return jax.random.wrap_key_data(jnp.asarray(np.array([0, seed], np.uint32)))


def _redraw(keys: dict[str, Any]) -> Callable[[str, Hole], Hole]:
    return lambda name, hole: redrawn(hole, keys[name])
