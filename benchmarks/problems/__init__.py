"""What comes back on the problems of the literature: the law, and what the data cannot tell.

Truths and data as in the source each problem names; where a case is not identifiable, the
statement of the tool is part of its row.
"""

import time
from typing import Any

import numpy as np

import snakebird as sb
from benchmarks.problems import epidemics, oscillators, stiff, waves
from benchmarks.problems._case import Case as Case

HEADS = ("form first", "in first three", "weight of the truth", "sure", "law of the first draw")


def cases() -> dict[str, Case]:
    """All problems by name."""
    found: dict[str, Case] = {}
    for kind in (oscillators, epidemics, waves, stiff):
        found |= kind.cases()
    return found


def problem(name: str) -> dict[str, Any]:
    """All draws of one problem as one batch."""
    case = cases()[name]
    seeds = case.draws
    begun = time.perf_counter()
    fits = sb.fitting.fit_many(
        case.model(), [case.data(seed) for seed in range(seeds)], **case.options
    )
    search = case.library is not None
    found = sb.synthesis.discover_many(fits, case.hole, library=case.library) if search else []
    return {
        "problem": name,
        "draws": seeds,
        **_laws(found, case.form),
        "what the data cannot tell": " / ".join(sb.fitting.identifiability(fits[0]).problems)
        or "-",
        "besides, first draw": case.besides(fits[0], found[0] if found else None),
        "s a run": (time.perf_counter() - begun) / seeds,
    }


def _laws(found: list[sb.synthesis.Laws], form: dict[str, set[str]]) -> dict[str, str]:
    """How often the true form came back, and the law of the first draw."""
    ranks = np.array([rank(laws, form) for laws in found])
    if not found:
        shown = ["not looked for", *"----"]
    else:
        shown = [
            f"{np.mean(ranks == 0):.0%}" if form else "no such law",
            f"{np.mean(ranks < 3):.0%}" if form else "-",
            _weights(found, ranks),
            f"{np.mean([laws.sure for laws in found]):.0%}",
            "; ".join(str(found[0].best).splitlines()),
        ]
    return dict(zip(HEADS, shown, strict=True))


def rank(laws: sb.synthesis.Laws, form: dict[str, set[str]]) -> int:
    """At which place a form stands, given as the terms of each output; 99 if nowhere."""
    if not form:
        return 99
    for place, one in enumerate(laws):
        if all(_shape(one, name) == wanted for name, wanted in form.items()):
            return place
    return 99


def _shape(one: Any, output: str) -> set[str]:
    columns, judged = one.refit.columns, one.judged
    names = one.refit.fits[judged.candidate.fit].holes[one.refit.hole].outputs
    return {
        str(columns.columns[p % len(columns)].term)
        for p in judged.candidate.support
        if names[p // len(columns)] == output
    }


def _weights(found: list[sb.synthesis.Laws], ranks: np.ndarray) -> str:
    own = [laws[place].weight for laws, place in zip(found, ranks, strict=True) if place < 99]
    return f"{np.median(own):.2f}" if own else "-"


def problems() -> list[dict[str, Any]]:
    """Every problem."""
    return [problem(name) for name in cases()]
