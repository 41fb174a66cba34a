"""How often a term is chosen when the data are drawn again: what a law owes to single points.

(F. Bach, Bolasso: model consistent Lasso estimation through the bootstrap, ICML 2008;
N. Meinshausen, P. Bühlmann, Stability selection, J. R. Statist. Soc. B 72, 2010.)
"""

from typing import Any

import numpy as np

from snakebird.synthesis.laws._around import Local
from snakebird.synthesis.laws._refit import Refit
from snakebird.synthesis.laws._search import best_subsets

_BEAM = 8
"""How many sets of each size are kept in the search of a draw."""


def stability(
    local: Local, refit: Refit, *, most: int, draws: int, seed: int
) -> dict[tuple[str, str], float]:
    """The share of bootstrap draws whose best law has a term, by output and term, largest first.

    Observations are drawn with replacement and the linear problem about the best law is searched
    again; nothing is refitted in the equation, so a draw takes little.
    """
    rng = np.random.default_rng(seed)
    priors = local.others.shape[1]
    rows = len(local.target) - priors
    observed = np.flatnonzero(np.abs(local.columns[:rows]).sum(1) + np.abs(local.target[:rows]) > 0)
    usable = np.tile(refit.columns.usable, refit.outputs)
    counts = np.zeros(local.columns.shape[1])
    for _ in range(draws):
        weight = np.zeros(rows)
        np.add.at(weight, rng.choice(observed, len(observed)), 1.0)
        root = np.sqrt(np.concatenate([weight, np.ones(priors)]))
        drawn = Local(
            root[:, None] * local.columns, root[:, None] * local.others, root * local.target,
            local.moved,
        )  # fmt: skip
        found = best_subsets(*drawn.alone(), beam=_BEAM, most=most, usable=usable)
        price = lambda s: refit.description(s) + np.log(len(observed)) * len(s)
        counts[list(min(found, key=lambda s: found[s] + price(s)))] += 1
    return _by_term(counts / draws, refit)


def _by_term(shares: np.ndarray, refit: Refit) -> dict[tuple[str, str], float]:
    columns, names = refit.columns, refit.fits[0].holes[refit.hole].outputs
    found: dict[tuple[str, str], Any] = {}
    for place in np.argsort(-shares, kind="stable"):
        if shares[place] > 0:
            o, j = divmod(int(place), len(columns))
            name = names[o], str(columns.columns[j].term)
            found[name] = min(1.0, found.get(name, 0.0) + float(shares[place]))
    return found
