"""All benchmarks: `python -m benchmarks [NAME ...]` writes `benchmarks/results/`."""

import json
import os
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks import (
    copies,
    faults,
    few_strings,
    fit_time,
    fuzzing,
    layers,
    learning,
    learning_rules,
    problems,
    recovery,
    repairs,
    self_modifying,
    solve_growth,
    solves,
    starts,
    synthesis,
    synthesis_rivals,
    ticks,
    training,
)
from benchmarks.page import table, write
from benchmarks.timing import machine_line

RESULTS = Path(__file__).parent / "results"
SUITE: dict[str, tuple[str, Callable[[], Any]]] = {
    "training": ("One training step, 140 ticks, float32", training.training_steps),
    "compile": (
        "Compile time by the number of ticks (layered machine, gradient)",
        training.compile_by_ticks,
    ),
    "memory": ("Temporary memory of a gradient by the number of ticks", training.memory_by_ticks),
    "copies": ("A thousand copies: vmap against a loop", copies.copies),
    "sparse": ("A large sparse machine, float32", ticks.sparse),
    "growth": ("The cost of a tick by size", ticks.growth),
    "self_modifying": (
        "Machines that edit themselves, float32: a tick, the memory of a gradient, inner loops",
        self_modifying.self_modifying,
    ),
    "layers": (
        "Layers as machines against Equinox: a gradient step, 64 ticks, batch 16, width 64",
        layers.training,
    ),
    "solves": (
        "Loss and gradient through a solve: Lotka-Volterra with a net 2-32-32-2, float64",
        solves.solves,
    ),
    "solve_growth": (
        "A gradient through a solve by states, times, trajectories, room for steps and stiffness",
        solve_growth.growth,
    ),
    "fit_time": (
        "A finished fit of Lotka-Volterra from a fresh process, compilation included",
        fit_time.fit_time,
    ),
    "recovery": (
        "Lotka-Volterra with both interactions unknown: what comes back of 40 draws of the noise",
        recovery.recovery,
    ),
    "problems": (
        "What comes back on the problems of the literature, by draws of the noise",
        problems.problems,
    ),
    "synthesis": (
        "Programs from examples, default settings, nothing wired by hand",
        synthesis.ladder,
    ),
    "synthesis_rivals": (
        "The same examples: recurrent nets, gradients alone, evolution alone, 30 s each",
        synthesis_rivals.rivals,
    ),
    "few_strings": (
        "The duplicate detector from one text and from three, 20 seeds",
        few_strings.few_strings,
    ),
    "repairs": ("Programs written by hand, damaged and repaired", repairs.repairs),
    "learning_rules": (
        "Learning rules found from the loss on tasks, the memory in a row of the machine's matrix",
        learning_rules.learning_rules,
    ),
    "learning": ("Learning to learn: the ladder, its oracles and comparators", learning.ladder),
    "fuzzing": (
        "Readers of files on garbled ones, guided by coverage; every failure counts",
        fuzzing.fuzzing,
    ),
    "starts": ("Training many starts side by side", starts.starts_per_second),
    "faults": (
        "Runs that are killed, hindered and gone on from, and memory over a million ticks",
        faults.faults,
    ),
    "stages": ("Where a search by training spends its time", starts.stages),
}


def main(names: list[str]) -> None:
    RESULTS.mkdir(exist_ok=True)
    store = RESULTS / "results.json"
    found = json.loads(store.read_text()) if store.exists() else {}
    for name in names or list(SUITE):
        print(f"{name} ...", flush=True)
        machine = f"{machine_line()}; load before {os.getloadavg()[0]:.1f}"
        rows = SUITE[name][1]()
        found = json.loads(store.read_text()) if store.exists() else {}
        found[name] = {"date": str(date.today()), "machine": machine, "rows": rows}
        print(
            "\n\n".join(
                table(part) for part in (rows.values() if isinstance(rows, dict) else [rows])
            )
        )
        store.write_text(json.dumps(found, indent=1) + "\n")
    titles = {name: title for name, (title, _) in SUITE.items()}
    write({name: found[name] for name in SUITE if name in found}, titles, RESULTS)


if __name__ == "__main__":
    main(sys.argv[1:])
