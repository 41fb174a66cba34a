"""Idioms: small groups of neurons that hold what arrives, in the ways programs usually do.

A delay line, an associative memory (writing under a key erases what was there), a list, a stack
and a queue.
They are candidates like single neurons; only which streams they read is looked for.
"""

import itertools as it
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from snakebird import neurons as nr, vvalues as vv
from snakebird.synthesis.programs._bank import Bank, Made, Use, before

LONGEST_DELAY = 6


class Idiom(NamedTuple):
    """Neurons in order, from place `first` of a bank on; the last of them gives `values`."""

    first: int
    made: tuple[Made, ...]
    space: vv.Space
    values: np.ndarray


def shifted(made: Made, first: int, by: int) -> Made:
    """A neuron that reads streams from place `first` on so many places later."""
    moved = lambda use: use._replace(stream=use.stream + by) if use.stream >= first else use
    return made._replace(ports={p: tuple(map(moved, uses)) for p, uses in made.ports.items()})


def idioms(
    bank: Bank, trees: Sequence[Use], numbers: Sequence[Use], wanted: Sequence[vv.Space]
) -> Iterator[Idiom]:
    """All idioms over these streams whose results fit one of the spaces that are wanted."""
    first = len(bank.entries)
    space = lambda use: bank.entries[use.stream].space
    flat = [use for use in trees if all(len(path) == 1 for path in space(use).paths)]
    for signal in (*trees, *(use for use in numbers if bank.entries[use.stream].made is None)):
        if not signal.before:
            yield from _delays(bank, first, signal)
    for key, value, read in it.product(flat, repeat=3):
        if len({key, value, read}) == 3 and space(value) in wanted:
            yield _store(bank, first, key, value, read)
    for signal in trees:
        for target in wanted:
            if ("this", *next(iter(space(signal).paths))) in target:
                yield _list(bank, signal, target)
        if space(signal) in wanted:
            for pop in numbers:
                for kind in (nr.stack, nr.queue):
                    yield _line(bank, kind, signal, pop)


def _delays(bank: Bank, first: int, signal: Use) -> Iterator[Idiom]:
    """A chain of identities, each a tick later than the one before."""
    values, chain = bank.values(signal), ()
    space = bank.entries[signal.stream].space
    for k in range(LONGEST_DELAY):
        told = signal if k == 0 else Use(first + k - 1)
        chain = (*chain, Made(nr.identity(), {"x": (told._replace(before=True),)}))
        values = before(values)
        if k:
            yield Idiom(first, chain, space, values)


def _store(bank: Bank, first: int, key: Use, value: Use, read: Use) -> Idiom:
    """`held = held' - gate(key, held') + outer(key, value)`, and `mask_sum(read, held)`."""
    k, v, r = (bank.values(use) for use in (key, value, read))
    own, other = (bank.entries[use.stream].space for use in (key, read))
    shared = [(own.slot(p).start, other.slot(p).start) for p in own.paths if p in other]
    held = np.zeros((len(k), k.shape[2], v.shape[2]))
    out = np.zeros_like(v)
    for t in range(k.shape[1]):
        held = held * (1 - k[:, t, :, None]) + k[:, t, :, None] * v[:, t, None, :]
        for a, b in shared:
            out[:, t] += r[:, t, b, None] * held[:, a]
    memory = Use(first + 2)
    made = (
        Made(nr.outer(), {"x": (key,), "y": (value,)}),
        Made(nr.gate(), {"mask": (key,), "value": (memory._replace(before=True),)}),
        Made(nr.identity(), {"x": (Use(first), memory._replace(before=True), Use(first + 1, -1))}),
        Made(nr.mask_sum(), {"row": (read,), "value": (memory,)}),
    )
    return Idiom(first, made, bank.entries[value.stream].space, out)


def _list(bank: Bank, signal: Use, target: vv.Space) -> Idiom:
    """A list of all that arrived that is not nothing, the last outermost."""
    arrived, own = bank.values(signal), bank.entries[signal.stream].space
    out = np.zeros((*arrived.shape[:2], target.size))
    for e in range(len(arrived)):
        items: list[np.ndarray] = []
        for t in range(arrived.shape[1]):
            items += [arrived[e, t]] if arrived[e, t].any() else []
            for depth, item in enumerate(reversed(items)):
                for k, path in enumerate(own.paths):
                    at = (*("rest",) * depth, "this", *path)
                    if at in target:
                        out[e, t, target.slot(at)] = item[k]
    made = Made(nr.cons(), {"signal": (signal,)}, {"list": "list"})
    return Idiom(len(bank.entries), (made,), target, out)


def _line(bank: Bank, kind: nr.NeuronType, signal: Use, pop: Use) -> Idiom:
    """A stack or a queue: what is taken away in each tick."""
    arrived, taken = bank.values(signal), bank.values(pop)[..., 0] > 0
    out = np.zeros_like(arrived)
    for e in range(len(arrived)):
        held: list[np.ndarray] = []
        for t in range(arrived.shape[1]):
            if taken[e, t] and held:
                out[e, t] = held.pop(-1 if kind is nr.stack else 0)
            held += [arrived[e, t]] if arrived[e, t].any() else []
    ports = {"push": (signal,), "pop": (pop,)}
    made = Made(kind.with_parameters(), ports, {kind.name: kind.name})
    return Idiom(len(bank.entries), (made,), bank.entries[signal.stream].space, out)
