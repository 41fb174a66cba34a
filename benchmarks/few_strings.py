"""The duplicate detector from one string and from three: what is found, and what is proven.

M. Bukatin's problem of 2022: how often the most frequent character of a text has been repeated,
and how many full stops there were, from nothing but texts with the answers. Texts have twelve
characters, drawn from those of "test string."; nothing says that there are others. Each program
is then proven, or refuted, for all texts over any alphabet.
"""

import os
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

import snakebird as sb

SEEDS = int(os.environ.get("SNAKEBIRD_SEEDS", "20"))
BUDGET = 120.0
TEXT = "test string."
CHARACTERS = sorted(set(TEXT))


def step(state: Any, x: str) -> tuple[Any, dict[str, int]]:
    """The counts of all characters and the largest of them; the two answers."""
    counts, most = state
    counts = {**counts, x: counts.get(x, 0) + 1}
    most = max(most, counts[x])
    return (counts, most), {"duplicate": most - 1, "end": counts.get(".", 0)}


REFERENCE = sb.Stepwise(step, ({}, 0))


def examples(texts: Iterable[str]) -> sb.Examples:
    """Texts with their answers, and no way to ask for others."""
    return sb.Examples.of([({"x": list(text)}, REFERENCE(x=list(text))) for text in texts])


def drawn(seed: int) -> list[str]:
    """Three random texts."""
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(CHARACTERS, len(TEXT))) for _ in range(3)]


def one(texts: Iterable[str], seed: int) -> dict[str, Any]:
    """One run, its program and what was proven of it."""
    begun = time.perf_counter()
    found = sb.synthesize(examples(texts), seed=seed, budget=BUDGET)
    seconds = time.perf_counter() - begun
    proof = sb.prove(found.machine, REFERENCE, {"x": str}, seconds=120)
    row = {"seed": seed, "fits": found.exact, "links": found.links, "s": seconds}
    print(row, str(proof).replace("\n", "; ")[:300], flush=True)
    return {**row, "proven": proof.holds, "found": found, "proof": proof}


def summary(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of a table."""
    proven = [row["links"] for row in rows if row["proven"]]
    return {
        "from": name,
        "runs": len(rows),
        "fit what was given": sum(row["fits"] for row in rows),
        "proven for all texts": len(proven),
        "refuted": sum(row["proven"] is False for row in rows),
        "links of those proven": ", ".join(map(str, sorted(set(proven)))) or "-",
        "s a run, median": float(np.median([row["s"] for row in rows])),
        "s a run, worst": max(row["s"] for row in rows),
    }


def few_strings() -> list[dict[str, Any]]:
    """Both problems, and the shortest program that fits the single text."""
    three = [one(drawn(seed), seed) for seed in range(SEEDS)]
    single = [one([TEXT], seed) for seed in range(SEEDS)]
    best = min(single, key=lambda row: (not row["fits"], row["links"]))
    print(best["found"].source, best["proof"], sep="\n", flush=True)
    return [summary("three random texts", three), summary(f"{TEXT!r} alone", single)]
