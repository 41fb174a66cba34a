"""Programs from examples, with default settings: what is found, how fast, and how far it holds.

A run counts as *gold* when the program is exact at a hundred times the length of training and on
the adversarial inputs, its weights are 0, ±1/2, ±1, ±2 (any fraction where the task is about
fractions), and it has at most twice the links of a program written by hand. Which program is kept
is decided by the search alone; the inputs here are drawn afterwards, with other seeds.
"""

import os
import time
from fractions import Fraction
from typing import Any

import numpy as np

import snakebird as sb
from benchmarks.ladder.tasks import TASKS
from snakebird.synthesis.programs._verify import verify, verify_fast

SEEDS = int(os.environ.get("SNAKEBIRD_SEEDS", "5"))
BUDGET = {0: 300.0, 1: 300.0, 2: 300.0, 3: 600.0, 4: 1200.0, 5: 3600.0}
"""Seconds a run may take, by level."""

SIMPLE = {Fraction(n, 2) for n in (-4, -2, -1, 0, 1, 2, 4)}
FRACTIONS = {"P3", "P4"}
"""Tasks whose weights are fractions by nature."""

LISTS = {"P17", "P19", "P20", "P21", "P21dyck"}
"""Tasks whose programs hold lists, which the readable engine alone runs."""


def holds(machine: sb.Machine, task: Any, times: int, seed: int) -> bool:
    """Whether a program is right at so many times the length, drawn alike and differently."""
    length, lists = times * task.train_length, task.id in LISTS
    check, count = (verify, 2) if lists else (verify_fast, 50)
    length = min(length, 600) if lists else length
    examples = task.examples(0)
    hard = sb.Examples.of(task.hard(length), tolerance=task.tolerance, latency=task.latency)
    drawn = [examples.fresh(length, count, seed=9000 + seed, wide=wide) for wide in (False, True)]
    return all(check(machine, one).right for one in (*drawn, hard))


def plain(machine: sb.Machine, task: Any) -> bool:
    """Whether all weights are as simple as the protocol asks."""
    return task.id in FRACTIONS or all(Fraction(x.weight) in SIMPLE for x in machine.links)


def proven(machine: sb.Machine, task: Any) -> bool | None:
    """Whether a program is proven for all inputs, with no limit of length."""
    if task.domains is None:
        return None
    return sb.prove(machine, task.reference, task.domains, latency=task.latency).holds


def one(task: Any) -> dict[str, Any]:
    """The row of one task."""
    runs = []
    for seed in range(SEEDS):
        begun = time.perf_counter()
        found = sb.synthesize(task.examples(seed), seed=seed, budget=BUDGET[task.level])
        seconds = time.perf_counter() - begun
        far = found.exact and holds(found.machine, task, 100, seed)
        short = found.links <= 2 * task.reference_links
        gold = far and short and plain(found.machine, task)
        first = found.evidence.first_seconds
        proof = proven(found.machine, task) if far else None
        method = next((a.method for a in found.evidence.attempts if a.exact), "-")
        runs.append((found.exact, far, gold, proof, first, seconds, found.links, method))
        print(task.id, seed, runs[-1], flush=True)
    return row_of(task, runs)


def row_of(task: Any, runs: list[tuple[Any, ...]]) -> dict[str, Any]:
    """What runs of one task come to."""
    exact, far, gold, proofs, first, seconds, links, methods = zip(*runs, strict=True)
    times = [f for f in first if f is not None]
    total = sum(seconds)
    return {
        "task": f"{task.id} {task.name}",
        "level": task.level,
        "runs": len(runs),
        "verified": sum(exact),
        "exact at 100 times the length": sum(far),
        "gold": sum(gold),
        "proven": sum(map(bool, proofs)) if task.domains else "-",
        "s to the first, median": float(np.median(times)) if times else "-",
        "s a run, median": float(np.median(seconds)),
        "s a run, worst": float(max(seconds)),
        "s for a verified program": total / sum(exact) if any(exact) else "-",
        "links": ", ".join(
            str(n) for n in sorted(set(x for x, e in zip(links, exact, strict=True) if e))
        )
        or "-",
        "links by hand": task.reference_links,
        "found by": ", ".join(sorted(set(methods) - {"-"})) or "-",
    }


def ladder() -> list[dict[str, Any]]:
    """All tasks, the low levels first; `SNAKEBIRD_TASKS` names some of them."""
    named = os.environ.get("SNAKEBIRD_TASKS")
    chosen = named.split(",") if named else sorted(TASKS, key=lambda t: TASKS[t].level)
    return [one(TASKS[name]) for name in chosen]
