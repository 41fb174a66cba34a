"""Evolution of simple weights: links added, taken out, moved and changed; no gradients needed.

Ask for candidates, evaluate them in any way, tell what came of them. Parents are chosen by
lexicase selection (T. Helmuth, L. Spector and J. Matheson, Solving uncompromising problems with
lexicase selection, IEEE Trans. Evol. Comput. 19, 2015) or by their mean error; of candidates that
behave alike the one with the fewest links lives on.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snakebird.synthesis.programs._objective import Errors, Problem

VALUES = (1, -1, 1, -1, 0.5, -0.5, 2, -2)
"""What a new link may weigh; 1 and -1 twice as often."""

PENALTY = 2e-3
"""What a link costs, in errors of one case."""

CASES = 8
"""So many cases at most decide between parents."""


@dataclass(frozen=True)
class Wiring:
    """What evolution must know of a machine's links: which are free, and which belong together.

    `ports[link]` numbers the port at which a link ends, `origins[link]` the stream it reads,
    `neurons[link]` the neuron at which it ends.
    """

    free: np.ndarray
    ports: np.ndarray
    origins: np.ndarray
    neurons: np.ndarray

    @classmethod
    def of(cls, problem: Problem) -> "Wiring":
        """The links of a problem's machine."""
        links = problem.machine.links
        return cls(
            np.asarray(problem.free) > 0,
            _numbered([(link.to, link.input) for link in links]),
            _numbered([(link.source, link.instant) for link in links]),
            _numbered([link.to for link in links]),
        )


def _numbered(keys: list[Any]) -> np.ndarray:
    known = {key: k for k, key in enumerate(dict.fromkeys(keys))}
    return np.array([known[key] for key in keys], int)


@dataclass(frozen=True)
class Evolution:
    """A population of weight vectors `pool[member, link]` with what is known of each.

    `cases[member, case]` are errors, 0 for right; `behavior[member]` is equal for members that
    answer alike. Nothing is known of new ones before the first `tell`.
    """

    wiring: Wiring
    pool: np.ndarray
    cases: np.ndarray
    behavior: np.ndarray
    size: int = 384
    seed: int = 0
    generation: int = 0

    @classmethod
    def init(cls, wiring: Wiring, weights: Any, *, size: int = 384, seed: int = 0) -> "Evolution":
        """A population that begins from some weight vectors, or from one of zeros."""
        pool = np.atleast_2d(np.asarray(weights, float))
        nothing = np.zeros((0, 1))
        return cls(wiring, pool, nothing, np.zeros(0), size, seed)

    @property
    def _rng(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.generation])

    @property
    def score(self) -> np.ndarray:
        """Mean error and price of links, small for good members."""
        return self.cases.mean(1) + PENALTY * (self.pool != 0).sum(1)

    def ask(self, count: int = 256) -> np.ndarray:
        """Candidates `[candidate, link]`: the same each time until `tell`.

        At first they are the members themselves, and then changed ones.
        """
        rng = self._rng
        if len(self.cases):
            return changed(self.wiring, rng, self.pool, self._parents(rng, count))
        first = self.pool[:count]
        rest = rng.integers(len(self.pool), size=count - len(first))
        return np.concatenate([first, changed(self.wiring, rng, self.pool, rest)])

    def tell(self, candidates: np.ndarray, errors: Errors) -> "Evolution":
        """The next generation: the best of members and candidates, none twice."""
        known = len(self.cases) > 0
        pool = np.concatenate([self.pool, candidates]) if known else candidates
        cases = np.concatenate([self.cases, errors.cases]) if known else errors.cases
        behavior = np.concatenate([self.behavior, errors.behavior]) if known else errors.behavior
        whole = replace(self, pool=pool, cases=cases, behavior=behavior)
        keep = whole._survivors()
        return replace(
            whole,
            pool=pool[keep],
            cases=cases[keep],
            behavior=behavior[keep],
            generation=self.generation + 1,
        )

    def _survivors(self) -> np.ndarray:
        """The best by score, and the best at each case, one for each behavior."""
        order = np.argsort(self.score, kind="stable")
        _, first = np.unique(self.behavior[order], return_index=True)
        order = order[np.sort(first)]
        best_at = np.unique(self.cases[order].argmin(0))
        ranked = np.concatenate([best_at, np.setdiff1d(np.arange(len(order)), best_at)])
        return order[np.sort(ranked[: self.size])]

    def _parents(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Half by lexicase over a few cases, half the best of some by score."""
        half = count // 2
        return np.concatenate(
            [_lexicase(rng, self.cases, half), self._tournament(rng, count - half)]
        )

    def _tournament(self, rng: np.random.Generator, count: int) -> np.ndarray:
        drawn = rng.integers(len(self.pool), size=(count, 6))
        return drawn[np.arange(count), self.score[drawn].argmin(1)]


def _lexicase(rng: np.random.Generator, cases: np.ndarray, count: int) -> np.ndarray:
    """Members that are best at a first case, of these at a second, and so on."""
    some = min(CASES, cases.shape[1])
    orders = rng.permuted(np.tile(np.arange(cases.shape[1]), (count, 1)), axis=1)[:, :some]
    left = np.ones((count, len(cases)), bool)
    for case in orders.T:
        values = np.where(left, cases.T[case], np.inf)
        left &= values <= values.min(1, keepdims=True) + 1e-6
    return np.where(left, rng.random(left.shape), -1).argmax(1)


def changed(
    wiring: Wiring, rng: np.random.Generator, pool: np.ndarray, parents: np.ndarray
) -> np.ndarray:
    """Children: a third take some neurons' links from another member; most change a little."""
    children = pool[parents].copy()
    crossed = np.flatnonzero(rng.random(len(children)) < 0.3)
    other = pool[rng.integers(len(pool), size=len(crossed))]
    taken = rng.random((len(crossed), wiring.neurons.max(initial=0) + 1)) < 0.3
    children[crossed] = np.where(taken[:, wiring.neurons] & wiring.free, other, children[crossed])
    rows = np.flatnonzero(
        (rng.random(len(children)) < 0.9) | ~np.isin(np.arange(len(children)), crossed)
    )
    while len(rows):
        kind = rng.choice(len(_CHANGES), size=len(rows), p=_CHANCES)
        for k, change in enumerate(_CHANGES):
            some = rows[kind == k]
            if len(some):
                children[some] = change(wiring, rng, children[some])
        rows = rows[rng.random(len(rows)) < 0.5]
    return children


def _pick(rng: np.random.Generator, able: np.ndarray) -> np.ndarray:
    """One of the links that are able in each row; -1 where there is none."""
    chosen = np.where(able, rng.random(able.shape), -1).argmax(1)
    return np.where(able.any(1), chosen, -1)


def _add(wiring: Wiring, rng: np.random.Generator, weights: np.ndarray) -> np.ndarray:
    """A new link; more often to a neuron that is used already."""
    used = np.zeros((len(weights), wiring.neurons.max() + 1), bool)
    rows, links = np.nonzero(weights)
    used[rows, wiring.neurons[links]] = True
    near = used[:, wiring.neurons] | (rng.random((len(weights), 1)) < 0.4)
    able = wiring.free & (weights == 0) & near
    return _put(weights, _pick(rng, able), rng.choice(VALUES, len(weights)))


def _remove(wiring: Wiring, rng: np.random.Generator, weights: np.ndarray) -> np.ndarray:
    return _put(weights, _pick(rng, wiring.free & (weights != 0)), np.zeros(len(weights)))


def _revalue(wiring: Wiring, rng: np.random.Generator, weights: np.ndarray) -> np.ndarray:
    """Another weight for a link: turned, halved, doubled, or a new one."""
    at = _pick(rng, wiring.free & (weights != 0))
    old = weights[np.arange(len(weights)), at]
    factor = rng.choice([-1.0, -1.0, 0.5, 2.0, 0.0], len(weights))
    return _put(weights, at, np.where(factor == 0, rng.choice(VALUES, len(weights)), old * factor))


def _move(wiring: Wiring, rng: np.random.Generator, weights: np.ndarray) -> np.ndarray:
    """A link goes to another source at the same port, or from its source to another port."""
    at = _pick(rng, wiring.free & (weights != 0))
    group = np.where(rng.random((len(weights), 1)) < 0.6, wiring.ports, wiring.origins)
    same = group == group[np.arange(len(weights)), at][:, None]
    to = np.where(at < 0, -1, _pick(rng, same & wiring.free & (weights == 0)))
    value = weights[np.arange(len(weights)), at]
    emptied = _put(weights, np.where(to < 0, -1, at), np.zeros(len(weights)))
    return _put(emptied, to, value)


def _swap(wiring: Wiring, rng: np.random.Generator, weights: np.ndarray) -> np.ndarray:
    """Two links exchange their weights."""
    one, other = (_pick(rng, wiring.free & (weights != 0)) for _ in range(2))
    rows = np.arange(len(weights))
    a, b = weights[rows, one], weights[rows, other]
    return _put(_put(weights, one, b), other, a)


def _put(weights: np.ndarray, at: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Rows with a value each at some link; -1 leaves a row alone."""
    new, rows = weights.copy(), np.flatnonzero(at >= 0)
    new[rows, at[rows]] = values[rows]
    return new


_CHANGES = (_add, _remove, _move, _revalue, _swap)
_CHANCES = (0.3, 0.2, 0.25, 0.2, 0.05)
