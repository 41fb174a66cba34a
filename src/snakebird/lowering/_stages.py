"""Which part of a machine must run tick by tick, and which can run over all ticks at once.

Neurons that no loop of links passes through need no scan: once the streams they read are known
for all ticks, so are theirs. A machine is cut into stages, each reading earlier ones only:

* what nothing trainable reaches (timers, sources, constants), its loops in one scan without
  gradient;
* the loops that training can reach, with everything between them, in one scan;
* before and after each of these, layers of neurons that run over all ticks at once.

A light neuron after a scan that makes few numbers of many joins it, if nobody else needs the many:
they are then not kept for all ticks.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MAX_LAYERS = 3
"""So many layers before and after a scan run over all ticks at once; deeper ones join the scan."""

Edges = Mapping[str, Iterable[str]]


@dataclass(frozen=True)
class Stages:
    """The stage of each neuron, and whether a stage is a scan."""

    of: dict[str, int]
    scans: tuple[bool, ...]


@dataclass(frozen=True)
class Streams:
    """The sizes of outputs that need not be kept, and the neurons that are cheap in a scan."""

    sizes: Mapping[str, int]
    light: frozenset[str]

    def narrows(self, name: str, scan: set[str], reads: Edges, readers: Edges) -> bool:
        """Whether a neuron gives out fewer numbers than it alone reads of a scan."""
        if name not in self.light or name not in self.sizes:
            return False
        alone = [s for s in reads[name] if s in scan and scan.issuperset({*readers[s]} - {name})]
        return self.sizes[name] < sum(self.sizes.get(s, 0) for s in alone)


def one_stage(names: Iterable[str]) -> Stages:
    """Everything in one scan."""
    return Stages(dict.fromkeys(names, 0), (True,))


def cut(names: list[str], edges: Edges, free: set[str], streams: Streams) -> Stages:
    """Cut a machine into stages.

    `edges` gives for each neuron those it reads; `free` are the neurons with something trainable
    in them or in the links that end at them.
    """
    known = set(names)
    reads = {name: [s for s in edges.get(name, ()) if s in known] for name in names}
    order, loops = _components(names, reads)
    readers = _reversed(names, reads)
    reached = closure(free & known, readers)
    narrows = lambda name, scan: streams.narrows(name, scan, reads, readers)
    plan: dict[str, int] = {}
    scans: list[bool] = []
    for part in ([n for n in order if n not in reached], [n for n in order if n in reached]):
        _cut_part(part, reads, {n for n in part if n in loops}, narrows, plan, scans)
    return Stages(plan, tuple(scans))


def _cut_part(
    part: list[str],
    reads: Edges,
    loops: set[str],
    narrows: Callable[[str, set[str]], bool],
    plan: dict[str, int],
    scans: list[bool],
) -> None:
    """Append the stages of one part: layers, at most one scan, layers."""
    inside = set(part)
    forward = {n: [s for s in reads[n] if s in inside] for n in part}
    backward = _reversed(part, forward)
    after_loop, before_loop = closure(loops, backward), closure(loops, forward)
    core = after_loop & before_loop
    late = after_loop - core
    for n in part:
        if n in late and late.isdisjoint(forward[n]) and narrows(n, core):
            core.add(n)
            late.remove(n)
    head = _depths([n for n in part if n not in after_loop], forward)
    tail = _depths([n for n in part if n in late], forward)
    deepest = max(tail.values(), default=0)
    if loops:
        core |= {n for n, depth in head.items() if depth >= MAX_LAYERS}
        core |= {n for n in tail if tail[n] <= deepest - MAX_LAYERS}
    elif max(head.values(), default=0) >= 2 * MAX_LAYERS:
        core = set(part)
    groups = [
        *_layers({n: d for n, d in head.items() if n not in core}),
        [n for n in part if n in core],
        *_layers({n: d for n, d in tail.items() if n not in core}),
    ]
    for group in groups:
        if group:
            plan.update(dict.fromkeys(group, len(scans)))
            scans.append(any(n in core for n in group))


def _layers(depths: Mapping[str, int]) -> list[list[str]]:
    return [[n for n, d in depths.items() if d == depth] for depth in sorted(set(depths.values()))]


def _components(names: list[str], reads: Edges) -> tuple[list[str], set[str]]:
    """The neurons in an order that serves the links as far as loops allow, and those in loops."""
    index = {name: k for k, name in enumerate(names)}
    pairs = [(index[s], index[n]) for n in names for s in reads[n]]
    rows, columns = (np.array(c, int) for c in zip(*pairs, strict=True)) if pairs else ([], [])
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(names), len(names)))
    _, label = connected_components(graph, connection="strong")
    sizes = np.bincount(label, minlength=1)
    loops = {n for n in names if sizes[label[index[n]]] > 1 or n in reads[n]}
    return _sorted(names, reads, {n: int(label[index[n]]) for n in names}), loops


def _sorted(names: list[str], reads: Edges, label: Mapping[str, int]) -> list[str]:
    graph: dict[int, set[int]] = {c: set() for c in label.values()}
    members: dict[int, list[str]] = {}
    for name in names:
        members.setdefault(label[name], []).append(name)
        graph[label[name]] |= {label[s] for s in reads[name] if label[s] != label[name]}
    return [name for c in TopologicalSorter(graph).static_order() for name in members[c]]


def _depths(names: list[str], reads: Edges) -> dict[str, int]:
    """For neurons in order, the length of the longest chain of them that ends there."""
    depths: dict[str, int] = {}
    for name in names:
        depths[name] = max((depths[s] + 1 for s in reads[name] if s in depths), default=0)
    return depths


def _reversed(names: Iterable[str], reads: Edges) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, sources in reads.items():
        for source in sources:
            if source in found and name in found:
                found[source].append(name)
    return found


def closure(start: Iterable[str], edges: Edges) -> set[str]:
    """Everything that can be reached from `start`, itself included."""
    seen, work = set(start), list(start)
    while work:
        for other in edges.get(work.pop(), ()):
            if other not in seen:
                seen.add(other)
                work.append(other)
    return seen
