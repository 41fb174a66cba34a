"""Splitting data into a part to fit to and a part to check on: each observation in one of them."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from snakebird.errors import InputError
from snakebird.fitting._experiment import Experiment
from snakebird.fitting._trajectories import Trajectories


def split_in_time(
    data: Trajectories, *, fraction: float = 0.8
) -> tuple[Trajectories, Trajectories]:
    """The first `fraction` of each experiment's times for training, the rest for validation.

    Both parts have all experiments and at least one time of each. Raises `InputError` for an
    experiment with a single time, for a part in which nothing was observed, and for a fraction
    that is not between 0 and 1.

    >>> train, validation = split_in_time(Trajectories.of([0, 1, 2, 3], {"x": [1, 2, 3, 4]}))
    >>> train.times, validation.times
    (array([0., 1., 2.]), array([3.]))
    """
    _check_fraction(fraction, "split_in_time")
    for experiment in data:
        if len(experiment) < 2:
            raise InputError(
                f"experiment {experiment.name!r} has one time, a split needs two",
                "split_in_time",
                "leave the experiment out, or use split_by_experiment",
            )
    cuts = [_share(fraction, len(experiment)) for experiment in data]
    parts = (
        [_rows(e, slice(cut)) for e, cut in zip(data, cuts, strict=True)],
        [_rows(e, slice(cut, None)) for e, cut in zip(data, cuts, strict=True)],
    )
    return _pair(*parts, "split_in_time")


def split_by_experiment(
    data: Trajectories, *, fraction: float = 0.8, seed: int = 0
) -> tuple[Trajectories, Trajectories]:
    """A random `fraction` of the experiments for training, the others for validation.

    Each part has at least one, in the order of the data. Raises `InputError` for a single
    experiment, for a part in which nothing was observed, and for a fraction that is not between
    0 and 1.

    >>> data = Trajectories.of([([0, 1], {"x": [i, i]}) for i in range(5)])
    >>> [len(part) for part in split_by_experiment(data)]
    [4, 1]
    """
    _check_fraction(fraction, "split_by_experiment")
    if len(data) < 2:
        raise InputError(
            "there is one experiment, a split needs two",
            "split_by_experiment",
            "use split_in_time or hold_out",
        )
    order = np.random.default_rng(seed).permutation(len(data))
    chosen = set(order[: _share(fraction, len(data))].tolist())
    return _pair(
        [experiment for i, experiment in enumerate(data) if i in chosen],
        [experiment for i, experiment in enumerate(data) if i not in chosen],
        "split_by_experiment",
    )


def hold_out(
    data: Trajectories, *, fraction: float = 0.2, seed: int = 0
) -> tuple[Trajectories, Trajectories]:
    """A random `fraction` of the single observations for validation, the others for training.

    Both parts keep all experiments, columns and times; what the other part holds is NaN. At least
    one observation is held out, and at least one of each column stays. Raises `InputError` if
    that cannot be, and for a fraction that is not between 0 and 1.

    >>> train, validation = hold_out(Trajectories.of([0, 1, 2], {"x": [5, 6, 7]}))
    >>> train[0].values["x"], validation[0].values["x"]
    (array([nan,  6.,  7.]), array([ 5., nan, nan]))
    """
    _check_fraction(fraction, "hold_out")
    table = np.concatenate([experiment.table for experiment in data])
    rng = np.random.default_rng(seed)
    seen = rng.permutation(np.argwhere(~np.isnan(table)))
    # The first of each column in this random order stays.
    stays = np.unique(seen[:, 1], return_index=True)[1]
    free = np.delete(seen, stays, axis=0)
    if not len(free):
        raise InputError(
            "no column has two observations, so none can be held out",
            "hold_out",
            "give more data",
        )
    held = np.zeros(table.shape, bool)
    held[tuple(free[: max(1, round(fraction * len(seen)))].T)] = True
    masks = np.split(held, np.cumsum([len(experiment) for experiment in data])[:-1])
    return _pair(
        [_where(e, ~mask) for e, mask in zip(data, masks, strict=True)],
        [_where(e, mask) for e, mask in zip(data, masks, strict=True)],
        "hold_out",
    )


def _check_fraction(fraction: float, where: str) -> None:
    if not 0 < fraction < 1:
        raise InputError(
            f"the fraction is {fraction}", where, "give a number between 0 and 1, such as 0.8"
        )


def _share(fraction: float, count: int) -> int:
    """About `fraction` of `count`, leaving at least one on either side."""
    return min(max(round(fraction * count), 1), count - 1)


def _rows(experiment: Experiment, rows: slice) -> Experiment:
    values = {name: column[rows] for name, column in experiment.values.items()}
    return replace(experiment, times=experiment.times[rows], values=values)


def _where(experiment: Experiment, mask: np.ndarray) -> Experiment:
    """The experiment with NaN where the mask `[n, k]` is False."""
    table = np.where(mask, experiment.table, np.nan)
    return replace(experiment, values=dict(zip(experiment.values, table.T, strict=True)))


def _pair(
    train: Iterable[Experiment], validation: Iterable[Experiment], where: str
) -> tuple[Trajectories, Trajectories]:
    parts = Trajectories(tuple(train)), Trajectories(tuple(validation))
    for name, part in zip(("training", "validation"), parts, strict=True):
        if not part.padded().mask.any():
            raise InputError(
                f"nothing was observed in the part for {name}",
                where,
                "give another fraction= or more data",
            )
    return parts
