"""Finite machines from examples: the states of a prefix tree that nothing tells apart are merged.

Evidence-driven merging, red and blue (K. J. Lang, B. A. Pearlmutter, R. A. Price, Results of the
Abbadingo One DFA learning competition, ICGI 1998), for machines that answer at every step.
"""

import itertools as it
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from snakebird.synthesis.programs._examples import Example, Examples
from snakebird.synthesis.programs._values import identity_of

Symbol = tuple[Any, ...]
"""What arrives in one tick: for every input stream its value as `identity_of` gives it."""

Answer = tuple[Any, ...]
"""What is asked in one tick: for every output stream its value, or `None`."""

Trace = list[tuple[Symbol, Answer]]

MOST_SYMBOLS = 16
"""A program that sees more different inputs is none with few states."""

DRAWN, LONGEST, ROUNDS = 200, 40, 8


@dataclass(frozen=True)
class Finite:
    """A finite machine: the next state and the answer for every state and symbol that occurs.

    State 0 is where it starts.
    """

    after: dict[tuple[int, Symbol], int]
    answers: dict[tuple[int, Symbol], Answer]
    states: int

    def first_wrong(self, trace: Trace) -> int | None:
        """The first tick of a trace that goes another way; `None` where there is none."""
        state = 0
        for t, (symbol, asked) in enumerate(trace):
            key = state, symbol
            known = self.answers.get(key)
            if known is None or (known != asked and _joined(known, asked) is None):
                return t
            state = self.after[key]
        return None


def finite_machine(
    examples: Examples, *, most_states: int, seed: int = 0, until: float = float("inf")
) -> Finite | None:
    """A small finite machine that answers all examples, and new ones where they can be had.

    `None` where it would need more states, more than 16 symbols, or more time (`until` as
    `time.monotonic` tells it).
    """
    traces = [trace_of(example, examples) for example in examples.items]
    found = _from_traces(traces, most_states, until)
    if found is None or not examples.can_draw:
        return found
    length = min(LONGEST, 3 * max(example.ticks for example in examples.items))
    for k in range(ROUNDS):
        # Widely drawn inputs show whether the alphabet is closed at all.
        fresh = examples.fresh(length, DRAWN // 2, seed=seed + k, wide=bool(k % 2))
        new = [trace_of(example, examples) for example in fresh.items]
        wrong = [found.first_wrong(trace) for trace in new]
        if k > 1 and all(at is None for at in wrong):
            break
        cut = zip(new, wrong, strict=True)
        traces += [trace if k < 2 else trace[: at + 1] for trace, at in cut if at is not None]
        found = _from_traces(traces, most_states, until)
        if found is None:
            return None
    return found


def trace_of(example: Example, examples: Examples) -> Trace:
    """An example tick by tick, the answers as late as they may come."""
    late, ticks = examples.latency, example.ticks
    inputs = [(*map(identity_of, example.inputs[name]), *[()] * late) for name in examples.inputs]
    outputs = [
        (*[None] * late, *(None if v is None else identity_of(v) for v in example.outputs[name]))
        for name in examples.outputs
    ]
    symbols = list(zip(*inputs, strict=True))
    answers = list(zip(*outputs, strict=True)) if outputs else [()] * (ticks + late)
    return list(zip(symbols, answers, strict=True))


def _from_traces(traces: Iterable[Trace], most_states: int, until: float) -> Finite | None:
    tree = _Tree()
    for trace in traces:
        tree.add(trace)
        if len(tree.symbols) > MOST_SYMBOLS:
            return None
    reds = _merged(tree, most_states, until)
    return None if reds is None else _smallest(_numbered(tree))


class _Tree:
    """All prefixes of the traces; merging makes a graph of it."""

    def __init__(self) -> None:
        self.after: list[dict[Symbol, int]] = [{}]
        self.answers: list[dict[Symbol, Answer]] = [{}]
        self.weight: list[int] = [0]
        self.symbols: set[Symbol] = set()

    def add(self, trace: Trace) -> None:
        node = 0
        for symbol, asked in trace:
            self.symbols.add(symbol)
            self.weight[node] += 1
            known = self.answers[node].get(symbol)
            both = asked if known is None or known == asked else _joined(known, asked)
            self.answers[node][symbol] = asked if both is None else both
            if symbol not in self.after[node]:
                self.after[node][symbol] = len(self.after)
                self.after.append({})
                self.answers.append({})
                self.weight.append(0)
            node = self.after[node][symbol]


def _merged(tree: _Tree, most_states: int, until: float) -> list[int] | None:
    """Merge until only states are left that differ; the states, or `None` where they are many."""
    reds = [0]
    while time.monotonic() < until:
        edges = [(r, s, b) for r in reds for s, b in tree.after[r].items() if b not in reds]
        if not edges:
            return reds
        # The one that most examples pass is told from the others best.
        parent, symbol, blue = max(edges, key=lambda edge: (tree.weight[edge[2]], -edge[2]))
        folds = [_folded(tree, red, blue, (parent, symbol)) for red in reds]
        score, best = max((fold[0], -k) for k, fold in enumerate(folds))
        if score < 0:
            reds.append(blue)
            if len(reds) > most_states:
                return None
            continue
        _, after, answers = folds[-best]
        for (node, key), child in after.items():
            tree.after[node][key] = child
        for (node, key), answer in answers.items():
            tree.answers[node][key] = answer
    return None


def _folded(
    tree: _Tree, red: int, blue: int, edge: tuple[int, Symbol]
) -> tuple[int, dict[Any, int], dict[Any, Answer]]:
    """How many answers agree if a subtree is laid upon a state, and what changes; -1 if one does
    not."""
    after, answers, score = {edge: red}, {}, 0
    waiting = [(red, blue)]
    while waiting:
        a, b = waiting.pop()
        for symbol, asked in tree.answers[b].items():
            known = answers.get((a, symbol), tree.answers[a].get(symbol))
            both = asked if known is None or known == asked else _joined(known, asked)
            if both is None:
                return -1, {}, {}
            if known is not None:
                score += len(asked) - max(known.count(None), asked.count(None))
            answers[a, symbol] = both
            below, child = after.get((a, symbol), tree.after[a].get(symbol)), tree.after[b][symbol]
            if below is None:
                after[a, symbol] = child
            else:
                waiting.append((below, child))
    return score, after, answers


def _joined(known: Answer, asked: Answer) -> Answer | None:
    """Two answers as one; `None` where they differ."""
    if known == asked:
        return known
    pairs = list(zip(known, asked, strict=True))
    if any(x is not None and y is not None and x != y for x, y in pairs):
        return None
    return tuple(y if x is None else x for x, y in pairs)


def _numbered(tree: _Tree) -> Finite:
    """The states that are reached, numbered in the order in which they are."""
    number, waiting = {0: 0}, [0]
    after, answers = {}, {}
    while waiting:
        node = waiting.pop(0)
        for symbol in sorted(tree.after[node], key=repr):
            child = tree.after[node][symbol]
            if child not in number:
                number[child] = len(number)
                waiting.append(child)
            after[number[node], symbol] = number[child]
            answers[number[node], symbol] = tree.answers[node][symbol]
    return Finite(after, answers, len(number))


def _smallest(machine: Finite) -> Finite:
    """The machine with pairs of states made one as long as some can be."""
    for a, b in it.combinations(range(machine.states), 2):
        smaller = _united(machine, a, b)
        if smaller is not None:
            return _smallest(smaller)
    return machine


def _united(machine: Finite, a: int, b: int) -> Finite | None:
    """The machine with two states made one, and all that follows from it."""
    own = list(range(machine.states))
    waiting = [(a, b)]
    while waiting:
        x, y = (own[state] for state in waiting.pop())
        if x == y:
            continue
        own = [min(x, y) if state in (x, y) else state for state in own]
        after: dict[tuple[int, Symbol], int] = {}
        answers: dict[tuple[int, Symbol], Answer] = {}
        for (state, symbol), child in machine.after.items():
            key, asked = (own[state], symbol), machine.answers[state, symbol]
            both = _joined(answers.get(key, asked), asked)
            if both is None:
                return None
            answers[key] = both
            if own[after.setdefault(key, child)] != own[child]:
                waiting.append((after[key], child))
    kept = sorted(set(own))
    number = {state: kept.index(own[state]) for state in range(machine.states)}
    after = {(number[q], s): number[child] for (q, s), child in machine.after.items()}
    joined: dict[tuple[int, Symbol], Answer] = {}
    for (q, s), asked in machine.answers.items():
        key = number[q], s
        joined[key] = _joined(joined.get(key, asked), asked) or asked
    return Finite(after, joined, len(kept))
