"""What others make of the same examples in the same time: recurrent nets, and half the search.

Each gets so many seconds a task. Nets are shown by the part of sequences that they answer rightly
at 1, 10 and 100 times the length of training; gradients alone and evolution alone, on the default
template, by whether their program holds at 100 times the length.
"""

import os
from typing import Any

import snakebird as sb
from benchmarks.ladder.tasks import TASKS
from benchmarks.rivals.recurrent_nets import CELLS, right
from benchmarks.synthesis import holds
from snakebird.synthesis.programs._trained import trained_programs

SECONDS = float(os.environ.get("SNAKEBIRD_SECONDS", "30"))
CHOSEN = (
    "P1", "P2a", "P2b", "P3", "P4", "P5", "P6", "P7a", "P7b", "P8", "P9", "P11a", "P11b", "P14",
    "P15", "P15flag", "P15max", "P24k4", "P23",
)  # fmt: skip
"""Tasks whose answers are numbers in every tick."""


def alone(task: Any, method: str, seed: int = 0) -> str:
    """The links of the first program that one method finds and that holds."""
    examples = task.examples(seed)
    template = sb.Layers().machine(examples)
    for machine in trained_programs(template, examples, seed=seed, budget=SECONDS, method=method):
        if holds(machine, task, 100, seed):
            return f"{len(machine.links)} links"
    return "-"


def one(name: str) -> dict[str, Any]:
    """The row of a task."""
    task = TASKS[name]
    nets = {cell: right(task, cell, SECONDS, 0) for cell in CELLS}
    row = {"task": f"{task.id} {task.name}", "level": task.level}
    row |= {cell: ", ".join(f"{part:.2f}" for part in parts) for cell, parts in nets.items()}
    row |= {f"{method} alone": alone(task, method) for method in ("gradient", "evolution")}
    print(row, flush=True)
    return row


def rivals() -> list[dict[str, Any]]:
    """A row for each task."""
    named = os.environ.get("SNAKEBIRD_TASKS")
    return [one(name) for name in (named.split(",") if named else CHOSEN)]
