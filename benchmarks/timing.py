"""Honest timing: compile apart from run, medians, rivals in turn so that drift hits both."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import jax
import numpy as np


@dataclass(frozen=True)
class Timed:
    """Seconds of the first call, which compiles, and of later calls: all of them, in order."""

    first: float
    runs: list[float]

    @property
    def median(self) -> float:
        return float(np.median(self.runs))


def once(call: Callable[[], object]) -> float:
    """Seconds of one call, its result waited for."""
    begin = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - begin


def in_turn(calls: dict[str, Callable[[], object]], repeat: int = 30) -> dict[str, Timed]:
    """Time several rivals round by round: A B C A B C ..., after one first call each."""
    first = {name: once(call) for name, call in calls.items()}
    runs: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeat):
        for name, call in calls.items():
            runs[name].append(once(call))
    return {name: Timed(first[name], runs[name]) for name in calls}


def ratio(ours: Timed, theirs: Timed) -> float:
    """The median of the ratios pair by pair."""
    return float(np.median(np.array(ours.runs) / np.array(theirs.runs)))


def machine_line() -> str:
    """What the figures were taken on."""
    names = ("jax", "equinox", "numpy", "scipy")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    cores = len(os.sched_getaffinity(0))
    device = jax.devices()[0].device_kind
    python = platform.python_version()
    return f"{cores} cores, {platform.machine()}, {device}; Python {python}, {packages}"
