"""Making an exact machine smaller while it stays exact."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from snakebird import neurons as nr, vvalues as vv
from snakebird.errors import GrowthError
from snakebird.machines import Link, Machine
from snakebird.synthesis.programs._exactness import Exactness
from snakebird.synthesis.programs._examples import Examples


def shrink(machine: Machine, examples: Examples) -> Machine:
    """Leave out, one after the other, every link without which the examples stay exact.

    Neurons that no longer reach the output go, equal ones become one, and identities that only
    pass a sum on are left out.
    """
    machine = tidy(machine)
    try:
        test = Exactness(machine, examples)
    except GrowthError:  # lists have no fixed width: the readable engine alone runs them
        return machine
    weights = np.array([link.weight for link in test.machine.links], object)
    if not test.right([weights])[0]:
        return machine
    weights = _without_links(test, weights, [x.trainable for x in test.machine.links])
    kept = [link.scaled(w) for link, w in zip(test.machine.links, weights, strict=True) if w != 0]
    return tidy(machine.replace(links=kept))


def _without_links(test: Exactness, weights: np.ndarray, free: list[bool]) -> np.ndarray:
    """Greedy deletion: the link after which most others can go, too."""
    while True:
        standing = [k for k in range(len(weights)) if weights[k] != 0 and free[k]]
        tries = [_with(weights, {k: 0}) for k in standing]
        good = [k for k, fine in zip(standing, test.right(tries), strict=True) if fine]
        if not good:
            return weights
        pairs = [(a, b) for i, a in enumerate(good) for b in good[i + 1 :]]
        if pairs:
            fine = test.right([_with(weights, {a: 0, b: 0}) for a, b in pairs])
            tally = {k: sum(f for p, f in zip(pairs, fine, strict=True) if k in p) for k in good}
            weights = _with(weights, {max(good, key=lambda k: tally[k]): 0})
        else:
            weights = _with(weights, {good[0]: 0})


def _with(weights: np.ndarray, changes: dict[int, Any]) -> np.ndarray:
    own = weights.copy()
    for k, w in changes.items():
        own[k] = w
    return own


def tidy(machine: Machine) -> Machine:
    """The same program without what does nothing: see `shrink`."""
    while True:
        smaller = _reaching(machine)
        if machine.matrix_from is None:  # else links may come to any neuron, by its name
            smaller = _merged(_bypassed(smaller))
        if len(smaller.links) == len(machine.links) and len(smaller.neurons) == len(
            machine.neurons
        ):
            return smaller
        machine = smaller


def _reaching(machine: Machine) -> Machine:
    """Only neurons that reach the output, and sources, which say what may arrive."""
    links = _telling(machine)
    waiting = ["output", *(machine.matrix_from or ())[:1]]
    needed = set(waiting)
    while waiting:
        to = waiting.pop()
        for link in links:
            if link.to == to and link.source[0] not in needed:
                needed.add(link.source[0])
                waiting.append(link.source[0])
    kept = [n for n, x in machine.neurons.items() if n in needed or x.type.external]
    return _of_these(machine, kept, [link for link in links if link.to in kept])


def _telling(machine: Machine) -> list[Link]:
    """All links but those of weight 0; one of these stays where a neuron needs it to be active."""
    heard = {link.to for link in machine.links if link.weight != 0}
    found = []
    for link in machine.links:
        if link.weight != 0:
            found.append(link)
        elif link.to not in heard and not _is_silent(machine, link.to):
            heard.add(link.to)
            found.append(link)
    return found


def _is_silent(machine: Machine, name: str) -> bool:
    """Whether a neuron that hears zero gives zero, as it does without any links."""
    neuron = machine.neurons[name]
    if name == "output" or "key" in neuron.type.feeds or _is_given(machine, name):
        return name == "output"
    try:
        return vv.equal(neuron.apply({}), {})
    except ArithmeticError:
        return False


def _of_these(machine: Machine, names: Iterable[str], links: list[Link]) -> Machine:
    """The machine with some of its neurons, and these links."""
    kept = set(names)
    return machine.replace(
        neurons={n: x for n, x in machine.neurons.items() if n in kept},
        links=links,
        start={n: value for n, value in dict(machine.start).items() if n in kept},
        free_start=[path for path in machine.free_start if path[0] in kept],
    )


def _bypassed(machine: Machine) -> Machine:
    """Leave out identities whose readers may read what they read, with no more links."""
    for name, neuron in machine.neurons.items():
        if neuron.type is not nr.identity or _is_given(machine, name):
            continue
        fed = [link for link in machine.links if link.to == name]
        readers = [link for link in machine.links if link.source[0] == name]
        if any(link.source[0] == name for link in fed):
            continue
        if not fed and not all(_is_silent(machine, link.to) for link in readers):
            continue
        through = _through(machine, fed, readers)
        if through is not None and len(through) <= len(fed) + len(readers):
            rest = [link for link in machine.links if link not in fed and link not in readers]
            others = [n for n in machine.neurons if n != name]
            joined = _of_these(machine, others, [*rest, *through])
            if len(joined.links) <= len(machine.links):
                return joined
    return machine


def _is_given(machine: Machine, name: str) -> bool:
    """Whether a neuron has an output before the first tick, or is the network matrix."""
    return name in dict(machine.start) or name in (machine.matrix_from or ())[:1]


def _through(machine: Machine, fed: list[Link], readers: list[Link]) -> list[Link] | None:
    """The links of readers to what an identity reads, or None.

    There are none where there would be two delays, where a reader takes the whole neuron, and
    where it would see in the first tick what was there before.
    """
    found = []
    for reader in readers:
        for link in fed:
            if len(reader.source) < 2 or not (reader.instant or link.instant):
                return None
            if not reader.instant and _is_given(machine, link.source[0]):
                return None
            found.append(
                replace(
                    link,
                    to=reader.to,
                    input=reader.input,
                    weight=link.weight * reader.weight,
                    source=(*link.source, *reader.source[2:]),
                    instant=reader.instant and link.instant,
                )
            )
    return found


def _merged(machine: Machine) -> Machine:
    """Neurons of one kind that read the same become one."""
    seen: dict[Any, str] = {}
    for name, neuron in machine.neurons.items():
        if neuron.type.external or name == "output":
            continue
        own = frozenset(
            (
                link.input,
                ("", *link.source[1:]) if link.source[0] == name else link.source,
                link.weight,
                link.instant,
            )
            for link in machine.links
            if link.to == name
        )
        key = (repr(neuron), own, repr(vv.get(machine.start, name)))
        if key in seen:
            return _renamed(machine, name, seen[key])
        seen[key] = name
    return machine


def _renamed(machine: Machine, gone: str, kept: str) -> Machine:
    links = [
        replace(link, source=(kept, *link.source[1:])) if link.source[0] == gone else link
        for link in machine.links
        if link.to != gone
    ]
    return _of_these(machine, [n for n in machine.neurons if n != gone], links)


def size(machine: Machine) -> int:
    """The number of links: how long a program is."""
    return len(machine.links)


def shortest(machines: Iterable[Machine]) -> list[Machine]:
    """Machines by their number of links, then by how simple their weights are."""
    return sorted(machines, key=lambda m: (size(m), sum(_plainness(x.weight) for x in m.links)))


def _plainness(weight: Any) -> float:
    """0 for 1, a little for -1, more for other whole numbers and fractions."""
    if weight in (1, -1):
        return 0.0 if weight == 1 else 0.1
    return 1.0 + 0.1 * getattr(weight, "denominator", 9)
