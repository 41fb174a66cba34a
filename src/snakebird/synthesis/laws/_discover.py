"""From a trained hole to ranked laws, each refitted inside the equation.

What a change of the hole does to the solution is, to first order, linear in the change. So which
few terms can take the net's place is a linear regression on the raw residuals, with every noise
and every start value in its place; no derivative of the data and no output of the net is fitted.
Its best subsets become candidates, each is refitted in the equation itself, and the search is
repeated about the best of them.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.errors import FitError, UnknownNameError, suggest
from snakebird.fitting import Fit
from snakebird.fitting.core import visited
from snakebird.synthesis.laws._around import Around, Local
from snakebird.synthesis.laws._columns import Columns
from snakebird.synthesis.laws._library import Library, default_library
from snakebird.synthesis.laws._ranked import Laws, ranked
from snakebird.synthesis.laws._refit import Candidate, Judged, Refit
from snakebird.synthesis.laws._search import Support, best_subsets

_EACH = 3
"""How many laws of each size are refitted in any case."""
_PASSES = 3
"""How often the search is repeated about the best law, at most."""
_PRUNED = 12
"""Of how many of the best laws every term is left out in turn."""


def discover(
    fit: Fit,
    hole: str | None = None,
    *,
    library: Library | None = None,
    terms: int = 6,
    candidates: int = 64,
) -> Laws:
    """Closed-form laws for a hole, the most probable first.

    `library` holds the terms to try, by default polynomials and sines of the hole's inputs;
    `terms` is how many a law has at most, all outputs together; `candidates` how many are refitted
    in each of two passes. The laws are ranked by their evidence, which weighs how well the raw
    data are met against how much the law could have said; their weights are posterior
    probabilities among the candidates. Several laws with weight are several answers that the
    data allow.

    Raises `FitError` for a fit without holes, `UnknownNameError` for a hole it does not have.
    """
    return discover_many([fit], hole, library=library, terms=terms, candidates=candidates)[0]


def discover_many(
    fits: Sequence[Fit],
    hole: str | None = None,
    *,
    library: Library | None = None,
    terms: int = 6,
    candidates: int = 64,
) -> list[Laws]:
    """`discover` for several fits of one model, such as those of `fit_many`, all at once."""
    fits = list(fits)
    name = _chosen(fits[0], hole)
    inputs = fits[0].holes[name].inputs
    library = default_library(inputs) if library is None else library
    if not isinstance(library, Library):
        raise FitError(
            f"library={library!r} is no library of terms", "discover",
            'write sb.synthesis.laws.monod("x"), + between two of them',
        )  # fmt: skip
    if library.inputs != inputs:
        raise FitError(
            f"the library is of {', '.join(library.inputs)}, the hole of {', '.join(inputs)}",
            f"discover({name!r})",
            f"make it with inputs {' '.join(inputs)!r}",
        )
    with jax.enable_x64(True):
        return _discover(fits, name, library, terms, candidates)


def _chosen(fit: Fit, hole: str | None) -> str:
    names = list(fit.holes)
    if not names:
        raise FitError("the model has no hole", "discover", "put a Hole where the law should be")
    if hole is None and len(names) == 1:
        hole = names[0]
    if hole not in names:
        what = "there are several holes" if hole is None else f"no hole is called {hole!r}"
        raise UnknownNameError(what, "discover", suggest(hole or "", names))
    if hasattr(fit.holes[hole].model, "law"):
        what, hint = f"the hole {hole} is a law already", "give the fit that the laws are of"
        raise FitError(what, "discover", hint)
    return hole


def _discover(
    fits: list[Fit], name: str, library: Library, terms: int, candidates: int
) -> list[Laws]:
    batch = jax.tree.map(lambda *x: jnp.concatenate(x), *[one.batch for one in fits])
    seen, tries = visited(fits[0].problem, np.stack([one.vector for one in fits]), batch)
    inputs = np.concatenate([one[name][0] for one in seen])
    outputs = np.concatenate([one[name][1] for one in seen])
    columns = Columns(library, inputs, outputs[:, : fits[0].holes[name].free_outputs])
    refit = Refit(fits, name, columns, terms, tries)
    around = Around(fits, name, columns)
    numbers = range(len(fits))
    tried: list[set[Support]] = [set() for _ in fits]
    first = around([around.start(i) for i in numbers])
    new = _candidates(first, refit, terms, candidates, tried)
    judged: list[list[Judged]] = [[] for _ in fits]
    for one in refit(new):
        judged[one.candidate.fit].append(one)
    near, at = first, [None for _ in fits]
    for _ in range(_PASSES):
        best = [min(own, key=lambda one: one.score) for own in judged]
        if [one.candidate.support for one in best] == at:
            break
        at = [one.candidate.support for one in best]
        near = around([_about(one, refit, around) for one in best])
        for one in refit(_candidates(near, refit, terms, candidates // 2, tried)):
            judged[one.candidate.fit].append(one)
        for one in refit(_simpler(judged, refit, tried)):
            judged[one.candidate.fit].append(one)
    return [ranked(own, refit, local) for own, local in zip(judged, near, strict=True)]


def _about(one: Judged, refit: Refit, around: Around) -> np.ndarray:
    """The vector of the linear problem with a law in the net's place."""
    phi = around.start(one.candidate.fit)
    phi[around.off] = 1.0
    phi[around.others] = one.phi[refit.others]
    for k, place in enumerate(one.candidate.support):
        phi[around.coefficient[place]] += one.phi[refit.coefficient[k]]
    return phi


def _simpler(
    judged: list[list[Judged]], refit: Refit, tried: list[set[Support]]
) -> list[Candidate]:
    """The best laws with one term less each, where that was not tried yet.

    Far from the truth the linear problem may see a term as needed that the equation does not need.
    """
    found = []
    for i, own in enumerate(judged):
        for one in sorted(own, key=lambda one: one.score)[:_PRUNED]:
            support, (values, shift) = one.candidate.support, refit.place(one)
            for k in range(len(support)):
                less = (*support[:k], *support[k + 1 :])
                if less and less not in tried[i]:
                    tried[i].add(less)
                    found.append(Candidate(i, less, (*values[:k], *values[k + 1 :]), shift))
    return found


def _candidates(
    local: list[Local], refit: Refit, terms: int, most: int, tried: list[set[Support]]
) -> list[Candidate]:
    """The best few subsets of each linear problem that were not tried yet."""
    found = []
    usable = np.tile(refit.columns.usable, refit.outputs)
    for i, problem in enumerate(local):
        A, b = problem.alone()
        subsets = best_subsets(A, b, most=terms, usable=usable)
        new = {s: left for s, left in subsets.items() if s not in tried[i] and _plain(s, refit)}
        for support in _chosen_among(new, refit, most):
            tried[i].add(support)
            coefficients, shift = problem.solve(support)
            found.append(Candidate(i, support, coefficients, shift))
    return found


def _chosen_among(new: dict[Support, float], refit: Refit, most: int) -> list[Support]:
    """The best few of each size, and then those that promise the best score."""
    sizes = sorted({len(support) for support in new})
    some = [
        support
        for size in sizes
        for support in sorted((s for s in new if len(s) == size), key=new.__getitem__)[:_EACH]
    ]
    promising = sorted(new, key=lambda s: new[s] + _price(s, refit))
    return list(dict.fromkeys([*some, *promising]))[: max(most, len(some))]


def _plain(support: Support, refit: Refit) -> bool:
    """Whether no term stands twice in an output, with different constants inside."""
    columns = refit.columns
    forms = [(p // len(columns), columns.columns[p % len(columns)].term) for p in support]
    return len(set(forms)) == len(forms)


def _price(support: Support, refit: Refit) -> float:
    """About what a form pays for itself: its description, and a coefficient for each term."""
    rows = np.log(float(refit.fits[0].batch.mask.sum()))
    return refit.description(support) + rows * len(support)
