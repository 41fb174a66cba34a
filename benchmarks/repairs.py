"""Three programs written by hand, damaged at random, and repaired from examples alone.

A damage takes out one to three links, or changes their weights. A repair counts where the program
is exact again, at ten times the length and on adversarial inputs that the search never saw.
"""

import os
import time
from typing import Any

import numpy as np

import snakebird as sb
from benchmarks.ladder.tasks import TASKS
from benchmarks.synthesis import holds

DAMAGES = int(os.environ.get("SNAKEBIRD_SEEDS", "20"))
BUDGET = 60.0
CHANGES = (-2, -1, 0.5, 2, 3)
"""A changed weight is the old one times one of these."""


def detector() -> sb.Machine:
    """How often the most frequent token was repeated, and how many full stops there were."""
    with sb.Builder() as made:
        x = sb.source(tokens=(".",))
        counts = sb.accumulate(sb.instant(x))
        most = sb.max_norm(sb.instant(counts))
        sb.output(duplicate=sb.instant(most - 1), end=sb.instant(counts["."]))
    return made.machine


def repeats() -> sb.Machine:
    """How many tokens had come before: a set that takes in only what is new."""
    with sb.Builder() as made:
        x = sb.source(tokens=("a",))
        seen, again, old, total = sb.identity(), sb.inner(), sb.gate(), sb.identity()
        again.feed(x=seen, y=sb.instant(x))
        old.feed(mask=sb.instant(again), value=sb.instant(x))
        seen.feed(x=seen + sb.instant(x) - sb.instant(old))
        total.feed(x=total + sb.instant(again))
        sb.output(result=sb.instant(total))
    return made.machine


def brackets() -> sb.Machine:
    """Whether all brackets are closed, and none was that had not been opened."""
    with sb.Builder() as made:
        x = sb.source()
        depth = sb.accumulate(sb.instant(x))
        lowest = sb.minimum()
        lowest.feed(x=lowest, y=sb.instant(depth))
        closed = sb.step(sb.instant(1 - depth + 2 * lowest))
        sb.output(result=sb.instant(closed))
    return made.machine


PROGRAMS = {"P15max": detector, "P15": repeats, "P11b": brackets}
"""The programs by the task of the ladder that they do."""


def damaged(machine: sb.Machine, seed: int) -> sb.Machine:
    """One to three links taken out or given another weight."""
    rng = np.random.default_rng(seed)
    links = list(machine.links)
    for at in rng.choice(len(links), rng.integers(1, 4), replace=False):
        old = links[at]
        factor = 0 if rng.random() < 0.5 else CHANGES[rng.integers(len(CHANGES))]
        links[at] = sb.Link(old.to, old.input, old.source, factor * old.weight, old.instant)
    return machine.replace(links=[link for link in links if link.weight])


def one(name: str) -> dict[str, Any]:
    """All damages of one program."""
    task, machine = TASKS[name], PROGRAMS[name]()
    if not holds(machine, task, 10, 0):
        raise AssertionError(f"the program written for {name} is not right")
    seconds, exact, links = [], [], []
    for seed in range(DAMAGES):
        broken = damaged(machine, seed)
        begun = time.perf_counter()
        found = sb.repair(broken, task.examples(seed), seed=seed, budget=BUDGET)
        seconds.append(time.perf_counter() - begun)
        exact.append(found.exact and holds(found.machine, task, 10, seed))
        links.append(found.links)
        print(name, seed, exact[-1], f"{seconds[-1]:.1f} s", found.links, flush=True)
    return {
        "program": f"{name} {task.name}",
        "links": len(machine.links),
        "damages": DAMAGES,
        "exact again": sum(exact),
        "links afterwards": f"{min(links)} to {max(links)}",
        "s, median": float(np.median(seconds)),
        "s, worst": max(seconds),
    }


def repairs() -> list[dict[str, Any]]:
    """A row for each program."""
    return [one(name) for name in PROGRAMS]
