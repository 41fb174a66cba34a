"""The cost of one tick: a large sparse machine against SciPy, and how it grows with size."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from benchmarks import machines
from benchmarks.rivals import sparse_numpy
from benchmarks.timing import in_turn, once, ratio
from snakebird import neurons as sn
from snakebird.lowering import lower
from snakebird.machines import Link, Machine

TICKS = 200


def sparse(n_neurons: int = 10_000, n_links: int = 50_000) -> list[dict[str, Any]]:
    """Rows: microseconds a tick of a random machine of scalar neurons, ours and SciPy's."""
    machine = machines.sparse_machine(n_neurons, n_links)
    low: list[Any] = []
    lowering = once(lambda: low.append(lower(machine, record=["n1"])))
    tick, first = sparse_numpy.make_tick(n_neurons, n_links)

    def scipy() -> Any:
        outputs = first
        for _ in range(TICKS):
            outputs = tick(outputs)
        return outputs

    timed = in_turn({"ours": lambda: low[0](ticks=TICKS), "scipy": scipy}, repeat=15)
    return [
        {
            "neurons": n_neurons,
            "links": n_links,
            "lower (s)": lowering,
            "compile (s)": timed["ours"].first,
            "ours (us/tick)": 1e6 * timed["ours"].median / TICKS,
            "SciPy + NumPy (us/tick)": 1e6 * timed["scipy"].median / TICKS,
            "ratio": ratio(timed["ours"], timed["scipy"]),
        }
    ]


KINDS = [
    sn.tanh,
    sn.relu,
    sn.identity,
    sn.absolute,
    sn.clip,
    sn.leaky_accumulator,
    sn.maximum,
    sn.product,
]


def random_machine(neurons: int, ports: int, width: int, kinds: int, seed: int = 0) -> Machine:
    """`neurons` neurons, `ports` links into each input, streams of `width` numbers, some kinds."""
    rng = np.random.default_rng(seed)
    chosen = [KINDS[k % kinds] for k in range(neurons)]
    names = [f"n{k}" for k in range(neurons)]
    links = [
        Link(name, port, (names[source], "result"), float(rng.normal() / (2 * ports)))
        for name, kind in zip(names, chosen, strict=True)
        for port in kind.inputs
        for source in rng.choice(neurons, size=min(ports, neurons), replace=False)
    ]
    start = {
        name: {"result": {f"k{i}": float(rng.normal()) for i in range(width)}} for name in names
    }
    return Machine(dict(zip(names, chosen, strict=True)), links, start)


def cost(vary: str, values: tuple[int, ...]) -> list[dict[str, Any]]:
    """Rows: seconds to lower and compile, and microseconds a tick, when one size varies."""
    rows = []
    for value in values:
        sizes = {"neurons": 100, "ports": 5, "width": 4, "kinds": 4} | {vary: value}
        machine = random_machine(**sizes)
        low: list[Any] = []
        lowering = once(lambda m=machine, out=low: out.append(lower(m, record=["n0"])))
        run: Callable[[], Any] = lambda found=low: found[0](ticks=TICKS)
        first = once(run)
        tick = float(np.median([once(run) for _ in range(7)])) / TICKS
        rows.append(
            {vary: value, "lower (s)": lowering, "compile (s)": first, "us/tick": 1e6 * tick}
        )
        jax.clear_caches()
    return rows


def growth() -> dict[str, list[dict[str, Any]]]:
    """The cost of a tick against neurons, links into an input, width of streams, kinds."""
    return {
        "neurons": cost("neurons", (10, 100, 1_000, 10_000)),
        "ports": cost("ports", (1, 5, 20, 100)),
        "width": cost("width", (1, 10, 100, 1_000)),
        "kinds": cost("kinds", (1, 2, 4, 8)),
    }
