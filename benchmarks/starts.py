"""How many starts train per second, by how many train side by side; and where a search's time goes.

The task is parity of bits on the default template; compile and run time are apart. The stages are
those of one hybrid search for the counter of repeated tokens, which neither gradients nor
evolution finds alone.
"""

import itertools as it
import time
from typing import Any

import jax
import numpy as np

import snakebird as sb
from benchmarks.ladder.tasks import TASKS
from snakebird.synthesis.programs import _population as population
from snakebird.synthesis.programs._objective import Problem
from snakebird.synthesis.programs._population import Course
from snakebird.synthesis.programs._trained import trained_programs

SIZES = (1, 4, 16, 64, 256)
STEPS, BATCH = 100, 24
SECONDS = 120.0


def starts_per_second() -> list[dict[str, Any]]:
    """Steps of training by the size of the batch of starts, the single start as the rival."""
    examples = TASKS["P6"].examples(0)
    problem = Problem.of(sb.Layers().machine(examples), examples)
    data = problem.data(examples.items, examples, ticks=12, count=24)
    rows = []
    for size in SIZES:
        many = population.init(problem, size, key=jax.random.key(0))
        run = lambda many=many: population.train(
            problem, many, data, Course(), steps=STEPS, batch=BATCH
        )
        first, *others = [_timed(run) for _ in range(6)]
        step = float(np.median(others)) / STEPS
        rows.append(
            {"starts": size, "links": problem.size, "compile s": first, "step ms": 1e3 * step}
        )
    alone = rows[0]["step ms"]
    return [
        {
            **row,
            "steps of a start per second": 1e3 * row["starts"] / row["step ms"],
            "times one start": row["starts"] * alone / row["step ms"],
        }
        for row in rows
    ]


def _timed(run: Any) -> float:
    begun = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - begun


def stages() -> list[dict[str, Any]]:
    """Seconds of each stage of a search until its first program, compilation included."""
    spent: dict[str, float] = {}
    last = [0.0]

    def watch(stage: str, known: dict[str, Any]) -> None:
        spent[stage] = spent.get(stage, 0.0) + known["seconds"] - last[0]
        last[0] = known["seconds"]

    examples = TASKS["P15"].examples(0)
    found = trained_programs(
        sb.Layers().machine(examples), examples, seed=0, budget=SECONDS, watch=watch
    )
    machine = next(it.chain(found, [None]))
    total = sum(spent.values())
    return [
        {
            "stage": stage,
            "s": seconds,
            "share": f"{seconds / total:.0%}",
            "found": "-" if machine is None else f"{len(machine.links)} links",
        }
        for stage, seconds in spent.items()
    ]
