"""An order in which a machine can be read: each neuron after those it reads."""

import heapq
from collections.abc import Iterable, Mapping

from snakebird.machines._link import Link


def reading_order(names: Iterable[str], incoming: Mapping[str, Iterable[Link]]) -> list[str]:
    """Each name after those it reads; in a cycle, first the one that waits for least.

    `incoming` are the links that end at each name. Instant links form no cycle, so they always
    lead from earlier names to later ones; of equals, the one that stands first in `names`.

    >>> reading_order("ba", {"a": [], "b": [Link("b", "x", ("a", "y"))]})
    ['a', 'b']
    """
    names = list(names)
    place = {name: k for k, name in enumerate(names)}
    links = [(n, k.source[0], k.instant) for n in names for k in incoming[n]]
    reads = {(to, source) for to, source, _ in links if source in place and source != to}
    at_once = {(to, source) for to, source, instant in links if instant and source in place}
    readers: dict[str, list[str]] = {name: [] for name in names}
    missing, instant = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for to, source in sorted(reads):
        readers[source].append(to)
        missing[to] += 1
        instant[to] += (to, source) in at_once
    ready = [place[name] for name in names if not missing[name]]
    left, order = dict.fromkeys(names), []
    while left:
        if ready:
            name = names[heapq.heappop(ready)]
        else:
            name = min(left, key=lambda n: (instant[n] > 0, missing[n], place[n]))
        if name not in left:
            continue
        del left[name]
        order.append(name)
        for reader in readers[name]:
            missing[reader] -= 1
            instant[reader] -= (reader, name) in at_once
            if not missing[reader]:
                heapq.heappush(ready, place[reader])
    return order


def cycles(names: Iterable[str], links: Iterable[Link]) -> list[list[str]]:
    """The groups of two neurons or more that read each other, directly or through others.

    >>> cycles("abc", [Link("a", "x", ("b", "y")), Link("b", "x", ("a", "y"))])
    [['a', 'b']]
    """
    names = list(names)
    ahead: dict[str, list[str]] = {name: [] for name in names}
    behind: dict[str, list[str]] = {name: [] for name in names}
    for link in links:
        ahead[link.source[0]].append(link.to)
        behind[link.to].append(link.source[0])
    finished = [name for tree in _trees(names, ahead) for name in tree]
    groups = [set(tree) for tree in _trees(reversed(finished), behind)]
    return [[name for name in names if name in group] for group in groups if len(group) > 1]


def _trees(roots: Iterable[str], edges: Mapping[str, list[str]]) -> list[list[str]]:
    """Depth first from each root not seen yet: what is newly reached, in the order it is left."""
    seen: set[str] = set()
    trees = []
    for root in roots:
        tree: list[str] = []
        stack = [] if root in seen else [(root, iter(edges[root]))]
        seen.add(root)
        while stack:
            name, rest = stack[-1]
            new = next((n for n in rest if n not in seen), None)
            if new is None:
                tree.append(name)
                stack.pop()
            else:
                seen.add(new)
                stack.append((new, iter(edges[new])))
        trees += [tree] if tree else []
    return trees
