"""The order in which instant links let neurons run."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError as GraphCycle, TopologicalSorter
from typing import Any

from snakebird.errors import CycleError
from snakebird.machines._link import Link


def instant_order(neurons: Mapping[str, Any], links: Iterable[Link]) -> tuple[str, ...]:
    """All neurons, each after those it has instant links from; raises `CycleError`."""
    before: dict[str, set[str]] = {name: set() for name in neurons}
    for link in links:
        if link.instant:
            before[link.to].add(link.source[0])
    try:
        return tuple(TopologicalSorter(before).static_order())
    except GraphCycle as error:
        cycle = list(reversed(error.args[1]))
        raise CycleError(
            "instant links form a cycle: " + " <- ".join(cycle),
            hint="make one of them an ordinary link, for example "
            f"the one from {cycle[1]!r} to {cycle[0]!r}",
        ) from None


def instant_levels(neurons: Mapping[str, Any], links: Iterable[Link]) -> dict[str, int]:
    """How many instant links stand at most one after another before each neuron."""
    links = [link for link in links if link.instant]
    levels = dict.fromkeys(neurons, 0)
    sources: dict[str, set[str]] = {}
    for link in links:
        sources.setdefault(link.to, set()).add(link.source[0])
    for name in instant_order(neurons, links):
        levels[name] = max((levels[s] + 1 for s in sources.get(name, ())), default=0)
    return levels
