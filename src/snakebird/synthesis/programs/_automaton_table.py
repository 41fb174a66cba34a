"""A finite machine as a table of numbers, and codes: what numbers stand for its states."""

import itertools as it
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from snakebird import vvalues as vv
from snakebird.synthesis.programs._automaton_merge import Finite

Code = Float[np.ndarray, "registers states"]


@dataclass(frozen=True)
class Table:
    """Every state with every symbol that occurs in it, a row each.

    `inputs` are the numbers that arrive, by stream and path; `answers` those that are asked, by
    output and path, with the rows where they are; `before` and `after` the states.
    """

    before: Int[np.ndarray, " rows"]
    after: Int[np.ndarray, " rows"]
    inputs: Mapping[tuple[str, vv.Path], Float[np.ndarray, " rows"]]
    answers: Mapping[
        tuple[str, vv.Path], tuple[Float[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]
    ]
    states: int


def table_of(machine: Finite, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Table:
    """The table of a finite machine with these streams."""
    rows = sorted(machine.after, key=repr)
    symbols = [symbol for _, symbol in rows]
    answers = [machine.answers[row] for row in rows]
    found = {}
    for name, values in zip(outputs, zip(*answers, strict=True), strict=True):
        asked = np.array([value is not None for value in values])
        for path, numbers in _by_path(values).items():
            found[name, path] = numbers, asked
    given = {
        (name, path): numbers
        for name, values in zip(inputs, zip(*symbols, strict=True), strict=True)
        for path, numbers in _by_path(values).items()
    }
    before = np.array([state for state, _ in rows])
    after = np.array([machine.after[row] for row in rows])
    return Table(before, after, given, found, machine.states)


def _by_path(values: Any) -> dict[vv.Path, np.ndarray]:
    """For every path in some values the numbers there."""
    trees = [dict(value or ()) for value in values]
    paths = sorted({path for tree in trees for path in tree})
    return {path: np.array([float(tree.get(path, 0)) for tree in trees]) for path in paths}


def codes(table: Table) -> Iterator[Code]:
    """Codes of the states; 0 in all registers is the state at the start.

    By turns one register with small whole numbers, two, and three that each tell two sets of
    states apart, or hold what is answered on the way into a state; then one for each state.
    """
    n = table.states
    if n == 1:
        yield np.zeros((0, 1))
        return
    features = _features(table)
    # What the first register is now, the second may read; of three one order must do.
    several = [it.permutations(features, 2), it.combinations(features, 3)] if n > 2 else []
    for turn in it.zip_longest(_scalars(n), *(_telling(chosen, n) for chosen in several)):
        yield from (code for code in turn if code is not None)
    if n > 3:
        yield np.eye(n)[1:]


def _telling(choices: Iterable[tuple[np.ndarray, ...]], n: int) -> Iterator[Code]:
    """Registers that together tell all states apart, and none of them in vain."""
    for chosen in choices:
        code = np.stack(chosen)
        if _told(code) == n and all(_told(np.delete(code, k, 0)) < n for k in range(len(code))):
            yield code


def _told(code: Code) -> int:
    return np.unique(code, axis=1).shape[1]


def _scalars(n: int) -> Iterator[Code]:
    """Whole numbers for states, small ones first; of many states only in their order."""
    if n > 4:
        yield np.arange(n)[None].astype(float)
        return
    choice = [v for k in range(1, n) for v in (k, -k)]
    for code in sorted(it.permutations(choice, n - 1), key=lambda code: max(map(abs, code))):
        if n < 4 or code[0] > 0:
            yield np.array([[0, *code]], float)


def _features(table: Table) -> list[np.ndarray]:
    """What one register of several may hold: a set of states, or an answer."""
    n = table.states
    sets = [
        np.array([0, *bits], float)
        for bits in it.product((0, 1), repeat=n - 1)
        if any(bits) and n <= 5
    ]
    found = sets or [np.eye(n)[k] for k in range(1, n)]
    for values, asked in table.answers.values():
        told: dict[int, set[float]] = {q: set() for q in range(n)}
        for value, state in zip(values[asked], table.after[asked], strict=True):
            told[int(state)].add(float(value))
        if all(len(told[q]) <= 1 for q in range(1, n)) and told[0] <= {0.0}:
            found.append(np.array([max(told[q], default=0.0) for q in range(n)]))
    unique = {tuple(one): one for one in found if one.any()}
    return list(unique.values())
