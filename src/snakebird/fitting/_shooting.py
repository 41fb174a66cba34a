"""Multiple shooting: short pieces first, joined ever more tightly.

(H. G. Bock, Recent advances in parameter identification techniques for O.D.E., 1983.)
"""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np

from snakebird.fitting._problem import Batch, Layout, Problem
from snakebird.fitting._setup import Setup
from snakebird.fitting._smooth import smooth
from snakebird.fitting._trajectories import Trajectories


def in_pieces(given: Setup, data: Trajectories, pieces: int) -> tuple[Problem, Batch, np.ndarray]:
    """The problem with each experiment cut into pieces that have start values of their own.

    Returns the problem, one start's batch, and the start values: those of the experiments first.
    """
    padded = data.padded()
    lanes: list[tuple[int, int, int]] = []
    joins: list[tuple[int, int]] = []
    for e, experiment in enumerate(data):
        edges = np.unique(np.linspace(0, len(experiment.times) - 1, pieces + 1).astype(int))
        for k, (first, last) in enumerate(pairwise(edges)):
            if k:
                joins.append((len(lanes) - 1, len(lanes)))
            lanes.append((e, int(first), int(last)))
    n = max(last - first for _, first, last in lanes) + 1
    old, d = given.problem.layout, given.base.shape[1]
    own = tuple(k == 0 or lanes[k - 1][0] != lanes[k][0] for k in range(len(lanes)))
    free, count, starts = np.full((len(lanes), d), -1), old.count, []
    times, values, mask = [], [], []
    base = np.zeros((len(lanes), d))
    for k, (e, first, last) in enumerate(lanes):
        take = np.minimum(np.arange(first, first + n), last)
        # The join's point belongs to the piece that begins there; the piece before only meets it.
        seen = padded.mask[e, take] & (np.arange(first, first + n) <= last)[:, None]
        if k + 1 < len(lanes) and not own[k + 1]:
            seen[last - first :] = False
        times.append(padded.times[e, take])
        values.append(padded.values[e, take])
        mask.append(seen)
        if own[k]:
            free[k], base[k] = old.free[e], np.where(old.free[e] >= 0, 0.0, given.base[e])
        else:
            free[k] = count + np.arange(d)
            count += d
            starts.append(_guess(given, data, e, padded.times[e, first]))
    pick, row, doses = np.array([e for e, _, _ in lanes]), given.batch, given.problem.doses
    problem = given.problem.with_(
        layout=Layout(free, tuple(joins), own),
        doses=None if doses is None else tuple(x[pick] for x in doses),
    )
    t0 = np.array([row.t0[0, e] if own[k] else padded.times[e, first]
                   for k, (e, first, _) in enumerate(lanes)])  # fmt: skip
    batch = replace_batch(
        row, t0, np.stack(times), np.stack(values), np.stack(mask), base,
        {name: np.asarray(v)[0, pick] for name, v in row.conditions.items()},
    )  # fmt: skip
    return problem, batch, np.concatenate([given.base[given.problem.layout.free >= 0], *starts])


def replace_batch(row: Batch, t0, times, values, mask, base, conditions) -> Batch:
    """One start's batch with other lanes."""
    one = lambda x: jnp.asarray(x)[None]
    return row._replace(
        t0=one(t0), times=one(times), values=one(values), mask=one(mask), base=one(base),
        conditions={k: one(v) for k, v in conditions.items()},
    )  # fmt: skip


def _guess(given: Setup, data: Trajectories, e: int, t: float) -> np.ndarray:
    """A start value for a piece: the smoothed data where a state is seen, else its own start."""
    guess = given.base[e].copy()
    curve = smooth(data[e], 4 * len(data[e].times))
    at = int(np.argmin(np.abs(curve.times - t)))
    for column, entry in enumerate(given.states):
        if entry >= 0:
            guess[entry] = curve.values[at, column]
    return guess
