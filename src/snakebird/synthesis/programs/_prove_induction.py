"""Proof by induction: what held in runs is dropped until the rest keeps itself up.

Source of the method: Flanagan and Leino, "Houdini, an annotation assistant for ESC/Java", 2001.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

from snakebird import vvalues as vv
from snakebird.machines import Machine
from snakebird.synthesis.programs._prove_candidates import Candidate, candidates
from snakebird.synthesis.programs._prove_cells import (
    EVERY,
    Cell,
    Encoded,
    Shape,
    kept_outputs,
    named_cells,
    put_machine,
)
from snakebird.synthesis.programs._prove_domains import POOL, Domain
from snakebird.synthesis.programs._prove_largest import looks_at_all, put_largest
from snakebird.synthesis.programs._prove_steps import MANY_MORE, NewCells, Step, Task, steps
from snakebird.synthesis.programs._prove_symbols import NewToken, Unprovable, solver

MOST_TOKENS = 12
"""More tokens than this are not told apart."""

MOST_COUNTED = 10_000
"""Larger numbers in a reference are not taken for numbers of tokens."""

States = Sequence[tuple[Any, Any]]
"""Pairs of all outputs of a machine and the state of a reference, after the same ticks."""


@dataclass
class Clock:
    """How much time is left."""

    end: float

    @property
    def left(self) -> float:
        """Seconds; raises `Unprovable` when there are none."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise Unprovable("the time is over")
        return left


def by_induction(
    machine: Machine, step: Any, domains: Mapping[str, Domain], states: States, clock: Clock
) -> list[Candidate]:
    """Invariants that hold at the start, are kept by every step, and make all answers agree.

    `states` were reached in runs, the start among them. Raises `Unprovable`.
    """
    known = spoken_of(machine, step, domains)
    more: set[Cell] = set()
    real: set[Cell] = set()
    while len(known) <= MOST_TOKENS:
        task, rows = _task(machine, step, domains, states, known, more, real)
        try:
            found = list(steps(task))
        except NewToken as new:
            known = [*known, new.token]
            continue
        except NewCells as new:
            if not new.cells - more or len(more) > 100:
                raise Unprovable("the machine remembers ever more numbers") from None
            more |= new.cells
            continue
        kept, lost = _proven(task, found, candidates(*rows), clock)
        if not lost:
            return _needed(task, found, kept, clock)
        real |= lost
    raise Unprovable("there are too many tokens to tell apart")


def _task(
    machine: Machine,
    step: Any,
    domains: Mapping[str, Domain],
    states: States,
    known: list[str],
    more: set[Cell],
    real: set[Cell],
) -> tuple[Task, tuple[list[dict[Cell, Any]], list[dict[Cell, Any]]]]:
    """The cells of all states, and the numbers in them: rows alone, and rows at tokens."""
    shape = Shape([state for _, state in states])
    told = {*known, *(shape.tokens - {*POOL})} if _has_tokens(domains) else set()
    tokens = [*sorted(told), *(POOL if _is_open(domains) else ())]
    encoded = []
    for outputs, state in states:
        one = Encoded({}, {token: {} for token in tokens})
        kept = {p: dict(vv.entries(vv.get(outputs, *p))) for p in kept_outputs(machine)}
        put_machine(one, kept, tokens)
        shape.put(one, state, tokens)
        if looks_at_all(machine) and _is_open(domains):
            put_largest(one)
        encoded.append(one)
    alone = _cells([one.alone for one in encoded], {c for c in more if EVERY not in c})
    family = _cells(
        [row for one in encoded for row in one.tokens.values()], {c for c in more if EVERY in c}
    )
    named = {key for link in machine.links for key in link.source[2:]}
    alone += named_cells(sorted(told & named), family)
    for one in encoded:
        one.name_tokens(alone)
    rows = [{c: one.alone.get(c, 0) for c in alone} for one in encoded]
    own = [row for one in encoded for row in _rows_of_tokens(one, alone, family)]
    whole = {c for c in alone if all(type(row[c]) is int for row in rows)}
    whole |= {c for c in family if all(type(row[c]) is int for row in own)}
    more_tokens = max([MANY_MORE, *(n + 2 for n in _numbers_in(step))])
    task = Task(
        machine=machine,
        step=step,
        domains=domains,
        shape=shape,
        alone=alone,
        family=family,
        whole=frozenset(whole - real),
        tokens=tuple(sorted(told)),
        more=more_tokens,
    )
    return task, (_distinct(rows), _distinct(own) if family else [])


def _rows_of_tokens(one: Encoded, alone: list[Cell], family: list[Cell]) -> list[dict[Cell, Any]]:
    own = {c: one.alone.get(c, 0) for c in alone}
    return [{**own, **{c: row.get(c, 0) for c in family}} for row in one.tokens.values()]


def _cells(rows: Iterable[Mapping[Cell, Any]], more: set[Cell]) -> list[Cell]:
    return list(dict.fromkeys([*(cell for row in rows for cell in row), *sorted(more, key=str)]))


def _distinct(rows: list[dict[Cell, Any]]) -> list[dict[Cell, Any]]:
    return list({tuple(row.values()): row for row in rows}.values())


def _is_open(domains: Mapping[str, Domain]) -> bool:
    return any(domain.every == "token" for domain in domains.values())


def _has_tokens(domains: Mapping[str, Domain]) -> bool:
    return _is_open(domains) or any(_words(domain) for domain in domains.values())


def _words(domain: Domain) -> list[str]:
    return [value for value in domain.values if isinstance(value, str)]


def spoken_of(machine: Machine, step: Any, domains: Mapping[str, Domain]) -> list[str]:
    """The tokens that machine, reference or domains name, which are to be told apart."""
    found = {word for domain in domains.values() for word in _words(domain)}
    if _is_open(domains):
        found |= {key for link in machine.links for key in link.source[2:]}
        found |= {link.source[0] for link in machine.links if len(link.source) == 1}
        for link in machine.links:
            if len(link.source) == 1:
                found |= {*(machine.neurons[link.source[0]].type.outputs or ())}
        values = [
            n.parameters.get(k) for n in machine.neurons.values() for k in ("value", "default")
        ]
        values += [vv.get(machine.start, *place) for place in kept_outputs(machine)]
        found |= {key for value in values for path, _ in vv.entries(value or {}) for key in path}
        found |= _texts_in(step)
    return sorted(found - {vv.NUMBER})


def _texts_in(function: Any) -> set[str]:
    """All texts that a function names."""
    skip = {function.__doc__} if getattr(function, "__doc__", None) else set()
    return _texts(_named_in(function, set())) - skip


def _numbers_in(function: Any) -> list[int]:
    """The whole numbers of moderate size that a function names: what it may count up to."""
    named = _named_in(function, set())
    return [n for n in named if isinstance(n, int) and 0 < n < MOST_COUNTED]


def _named_in(function: Any, seen: set[int]) -> list[Any]:
    """All constants of a function, and what it closes over or uses by name, functions too."""
    code = getattr(function, "__code__", None)
    if code is None or id(function) in seen:
        return []
    seen.add(id(function))
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    used = [function.__globals__.get(name) for name in code.co_names]
    found = [*_constants(code), *cells, *used, *(function.__defaults__ or ())]
    return [*found, *(value for part in found for value in _named_in(part, seen))]


def _constants(code: CodeType) -> list[Any]:
    nested = [part for part in code.co_consts if isinstance(part, CodeType)]
    plain = [part for part in code.co_consts if not isinstance(part, CodeType)]
    return [*plain, *(value for part in nested for value in _constants(part))]


def _texts(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value} if "<locals>" not in value and "<lambda>" not in value else set()
    if isinstance(value, Mapping):
        return _texts([*value, *value.values()])
    if isinstance(value, list | tuple | set | frozenset):
        return {text for part in value for text in _texts(part)}
    return set()


def _places(state: Encoded, candidate: Candidate) -> list[dict[Cell, Any]]:
    """The rows of a state of which a candidate speaks."""
    if not candidate.family:
        return [state.alone]
    return [{**state.alone, **row} for row in state.tokens.values()]


def _assumed(step: Step, kept: Sequence[Candidate]) -> list[Any]:
    return [*step.given, *(f for c in kept for f in _formulas(step, c, "before"))]


def _formulas(step: Step, candidate: Candidate, when: str) -> list[Any]:
    """What a candidate says of all rows of a state before or after a step."""
    key = candidate, when
    if key not in step.known:
        places = _places(getattr(step, when), candidate)
        step.known[key] = [candidate.holds(row) for row in places]
    return step.known[key]


def _check(formulas: Sequence[Any], clock: Clock) -> Any:
    """A model of all formulas, or `None` where there provably is none."""
    z3 = solver()
    checker = z3.Solver()
    checker.set("timeout", max(1, int(1000 * min(20, clock.left))))
    checker.add(*formulas)
    answer = checker.check()
    if answer == z3.unsat:
        return None
    if answer == z3.unknown:
        raise Unprovable("the solver found no answer")
    return checker.model()


def _kept_up(found: Sequence[Step], start: list[Candidate], clock: Clock) -> list[Candidate]:
    """The largest part of the candidates that every step keeps up."""
    kept, changed = start, True
    while changed:
        changed = False
        for step in found:
            while (lost := _lost(step, kept, clock)) is not None:
                kept, changed = [c for c in kept if c not in lost], True
    return kept


def _lost(step: Step, kept: list[Candidate], clock: Clock) -> set[Candidate] | None:
    """Some candidates that a step may break, or `None` if it can break none."""
    z3 = solver()
    after = [(c, formula) for c in kept for formula in _formulas(step, c, "after")]
    broken = {c for c, formula in after if formula is False}
    if broken:
        return broken
    goals = [(c, formula) for c, formula in after if formula is not True]
    if not goals:
        return None
    every = z3.Not(z3.And(*(formula for _, formula in goals)))
    model = _check([*_assumed(step, kept), every], clock)
    if model is None:
        return None
    lost = {c for c, f in goals if not z3.is_true(model.eval(f, model_completion=True))}
    if not lost:
        raise Unprovable("the solver gave a model that breaks nothing")
    return lost


def _not_whole(
    task: Task, found: Sequence[Step], kept: Sequence[Candidate], clock: Clock
) -> set[Cell]:
    """The cells that were taken for whole numbers and need not stay so."""
    z3, lost = solver(), set()
    for step in found:
        for row in [step.after.alone, *step.after.tokens.values()]:
            for cell in task.whole.intersection(row):
                term = row[cell]
                if isinstance(term, int) or z3.is_int(term) or cell in lost:
                    continue
                formulas = [*_assumed(step, kept), z3.Not(z3.IsInt(term))]
                if _check(formulas, clock) is not None:
                    lost.add(cell)
    return lost


def _proven(
    task: Task, found: Sequence[Step], start: list[Candidate], clock: Clock
) -> tuple[list[Candidate], set[Cell]]:
    """Invariants that make the answers agree, of few candidates if these are enough.

    Else cells that need not stay whole numbers, which invariants took for granted.
    """
    equal = [c for c in start if c.relation == "zero"]
    single = [c for c in start if c.relation == "zero" or len(c.terms) == 1]
    reason = ""
    for some in (equal, single, start):
        kept = _kept_up(found, some, clock)
        lost = _not_whole(task, found, kept, clock)
        reason = _disagreement(found, kept, clock)
        if not reason and not lost:
            return kept, set()
    if lost:
        return [], lost
    raise Unprovable(reason)


def _needed(
    task: Task, found: Sequence[Step], kept: list[Candidate], clock: Clock
) -> list[Candidate]:
    """Invariants without those that can be left out, the last ones first."""
    for candidate in reversed(kept):
        fewer = [c for c in kept if c is not candidate]
        held = all(_lost(step, fewer, clock) is None for step in found)
        if held and not (
            _disagreement(found, fewer, clock) or _not_whole(task, found, fewer, clock)
        ):
            kept = fewer
    return kept


def _disagreement(found: Sequence[Step], kept: Sequence[Candidate], clock: Clock) -> str:
    """Why the invariants are not enough that all answers agree, or nothing."""
    z3 = solver()
    for step in found:
        for name, goal in step.goals.items():
            if (
                goal is not True
                and _check([*_assumed(step, kept), z3.Not(goal)], clock) is not None
            ):
                which = f" as {name!r}" if name else ""
                return f"no invariant was found that makes the answers{which} agree"
    return ""
