"""One step of machine and reference from any state: every case of what arrives, every path."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from typing import Any

from snakebird import vvalues as vv
from snakebird.machines import Machine
from snakebird.synthesis.programs._prove_cells import (
    AT,
    EVERY,
    Cell,
    Encoded,
    Shape,
    kept_outputs,
    machine_values,
    put_machine,
)
from snakebird.synthesis.programs._prove_domains import Domain
from snakebird.synthesis.programs._prove_largest import Largest
from snakebird.synthesis.programs._prove_machine import Terms, Ticker, terms_of
from snakebird.synthesis.programs._prove_symbols import (
    Fresh,
    Symbol,
    Unprovable,
    number,
    paths,
    solver,
)
from snakebird.synthesis.programs._verify import OUTPUT

MANY = 200
"""Up to so many combinations of values are taken one by one, and not as unknown numbers."""

MANY_MORE = 40
"""At least so many tokens beside those looked at are tried: a reference must not notice them."""


@dataclass(frozen=True)
class Step:
    """One path of one case: under `given`, the state `before` becomes `after`.

    `goals` are the formulas that say that the answers agree, by the names of the outputs; `known`
    are those that were made of candidates.
    """

    given: list[Any]
    before: Encoded
    after: Encoded
    goals: dict[str, Any]
    known: dict[Any, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """What is to be proved, and how its states are built of cells."""

    machine: Machine
    step: Callable[..., Any]
    domains: Mapping[str, Domain]
    shape: Shape
    alone: list[Cell]
    family: list[Cell]
    whole: frozenset[Cell]
    tokens: tuple[str, ...]
    more: int = MANY_MORE

    @property
    def open(self) -> bool:
        """Whether there are streams that bring any token."""
        return any(domain.every == "token" for domain in self.domains.values())


class NewCells(Exception):
    """A step writes numbers that no run has shown."""

    def __init__(self, cells: set[Cell]):
        super().__init__(cells)
        self.cells = cells


def steps(task: Task) -> Iterator[Step]:
    """All paths of all cases."""
    for arriving, facts in _arrivals(task):
        fresh = dict.fromkeys(v for v in arriving.values() if isinstance(v, Fresh))
        others = [Fresh("any other token", task.tokens)] if task.open and task.family else []
        points = [*task.tokens, *fresh, *others]
        before = _unknown(task, points)
        largest = Largest(before, points, others[0] if others else None)
        given = [*facts, *_facts(task, before), *largest.facts]
        outputs = Ticker(task.machine, frozenset(others), largest.beyond).tick(
            machine_values(before, [*task.alone, *task.family]),
            {name: _message(v) for name, v in arriving.items() if v is not None},
        )
        after = Encoded({}, {})
        kept = {place: outputs.get(place, {}) for place in kept_outputs(task.machine)}
        put_machine(after, kept, points)
        largest.put(after)
        run = lambda arriving=arriving, before=before, points=points: _referred(
            task, before, arriving, points
        )
        for conditions, (state, answers) in paths(run, given):
            whole = Encoded(
                {**after.alone, **state.alone},
                {t: {**after.tokens.get(t, {}), **state.tokens.get(t, {})} for t in points},
            )
            goals = {name: _agrees(outputs, name, value) for name, value in answers.items()}
            yield Step([*given, *conditions], before, _filled(task, whole), goals)


def _arrivals(task: Task) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Every case of what arrives in a tick, as values or unknown numbers, and what is known."""
    few = 1
    for domain in task.domains.values():
        few *= max(1, len(domain.values))
    choices = [_choices(name, d, few <= MANY) for name, d in task.domains.items()]
    for chosen in product(*choices):
        values = {name: value for name, (value, _) in zip(task.domains, chosen, strict=True)}
        facts = [fact for _, own in chosen for fact in own]
        for placed in _placed(values, [n for n, v in values.items() if v is str], task.tokens):
            yield placed, facts


def _choices(name: str, domain: Domain, few: bool) -> list[tuple[Any, list[Any]]]:
    z3 = solver()
    if domain.every == "token":
        return [(str, [])]
    if domain.values and (few or not all(vv.is_exact(v) for v in domain.values)):
        return [(value, []) for value in domain.values]
    whole = domain.every == "integer" or all(isinstance(v, int) for v in domain.values)
    kind = z3.Int if whole and domain.every != "real" else z3.Real
    term = kind(f"input {name}")
    facts = [z3.Or(*(term == number(v) for v in domain.values))] if domain.values else []
    facts += [] if domain.low is None else [term >= number(domain.low)]
    facts += [] if domain.high is None else [term <= number(domain.high)]
    return [(Symbol(term), facts)]


def _placed(
    values: dict[str, Any], streams: list[str], known: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Every way in which the tokens that arrive may be known ones, new ones, or the same."""
    if not streams:
        yield values
        return
    first, *rest = streams
    plain = [token for token in known if type(token) is str]
    for token in known:
        yield from _placed({**values, first: token}, rest, known)
    new = Fresh(f"the token of {first}", plain)
    yield from _placed({**values, first: new}, rest, [*known, new])


def _unknown(task: Task, points: Sequence[str]) -> Encoded:
    """A state of which nothing is known: a variable for every cell."""
    z3 = solver()
    places = {cell: k for k, cell in enumerate([*task.alone, *task.family])}

    def variable(cell: Cell, at: Any) -> Any:
        kind = z3.Int if cell in task.whole else z3.Real
        return kind(f"cell {places[cell]} at {at}")

    state = Encoded(
        {cell: variable(cell, "all") for cell in task.alone if cell[0] != AT},
        {t: {c: variable(c, k) for c in task.family} for k, t in enumerate(points)},
    )
    state.name_tokens(task.alone)
    return state


def _facts(task: Task, state: Encoded) -> list[Any]:
    """What holds of every state by the way in which it is written as numbers."""
    z3, facts = solver(), []
    for row in [state.alone, *state.tokens.values()]:
        for cell, term in row.items():
            if cell in task.shape.modes:
                codes = range(len(task.shape.modes[cell]))
                facts.append(z3.Or(*(term == code for code in codes)))
            flag = _flag_of(cell, row)
            if flag is not None:
                facts += [z3.Or(flag == 0, flag == 1), z3.Or(flag == 1, term == 0)]
            elif cell[-1] == EVERY and cell[-2:-1] == ("has",):
                facts.append(z3.Or(term == 0, term == 1))
    return facts


def _flag_of(cell: Cell, row: Mapping[Cell, Any]) -> Any:
    """The number that says whether there is one in this cell."""
    if cell[-1] == EVERY:
        return row.get((*cell[:-1], "has", EVERY))
    return row.get((*cell, "given"))


def _message(value: Any) -> Terms:
    if isinstance(value, str):
        return {(value,): 1}
    found = {(): value.term} if isinstance(value, Symbol) else terms_of(value)
    return {path: term for path, term in found.items() if not isinstance(term, int) or term}


def _referred(
    task: Task, before: Encoded, arriving: Mapping[str, Any], points: Sequence[str]
) -> tuple[Encoded, dict[str, Any]]:
    """The next state and the answers of the reference, which must not notice more tokens."""
    results = []
    for more in (0, 1, task.more) if task.family else (0,):
        state, answer = task.step(task.shape.build(before, more, task.tokens), **arriving)
        encoded = Encoded({}, {})
        task.shape.put(encoded, state, points)
        answers = answer if isinstance(answer, Mapping) else {"": answer}
        flat = {name: None if v is None else _flat(v, points) for name, v in answers.items()}
        results.append((encoded, flat))
    if not all(_alike(results[0], other) for other in results[1:]):
        raise Unprovable("the reference looks at all tokens at once")
    return results[0]


def _flat(value: Any, points: Sequence[str]) -> Terms:
    """An answer of the reference as paths and terms; what it has for more tokens is left out."""
    if isinstance(value, str):
        return {(value,): 1}
    if not isinstance(value, Mapping):
        return {(): number(value)}
    found: Terms = {}
    for key, part in value.items():
        if isinstance(key, Fresh) and not any(key is point for point in points):
            continue
        for path, term in _flat(part, points).items():
            found[path if key is vv.NUMBER else (key, *path)] = term
    return found


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = zip(one.items(), other.items(), strict=False)
        return len(one) == len(other) and all(
            _alike_keys(k, m) and _alike(v, w) for (k, v), (m, w) in pairs
        )
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    z3 = solver()
    if z3.is_expr(one) and z3.is_expr(other):
        return bool(z3.eq(one, other))
    return type(one) is type(other) and one == other


def _alike_keys(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_alike_keys, one, other))
    return one is other or (
        not isinstance(one, Fresh) and not isinstance(other, Fresh) and one == other
    )


def _agrees(outputs: Mapping[tuple[str, str], Terms], name: str, expected: Terms | None) -> Any:
    """The formula that an answer of the machine is what is expected."""
    if expected is None:
        return True
    if not name:
        name = next((port for neuron, port in outputs if neuron == OUTPUT), "result")
    found = outputs.get((OUTPUT, name), {})
    pairs = [(found.get(p, 0), expected.get(p, 0)) for p in {**found, **expected}]
    return solver().And(True, *(a == b for a, b in pairs))


def _filled(task: Task, state: Encoded) -> Encoded:
    """A state with a number in every cell; zero where none was written."""
    new = {c for c in state.alone if c not in task.alone}
    new |= {c for row in state.tokens.values() for c in row if c not in task.family}
    if new:
        raise NewCells(new)
    filled = Encoded(
        {cell: _as_term(state.alone.get(cell, 0)) for cell in task.alone},
        {t: {c: _as_term(row.get(c, 0)) for c in task.family} for t, row in state.tokens.items()},
    )
    filled.name_tokens(task.alone)
    return filled


def _as_term(value: Any) -> Any:
    return number(value) if isinstance(value, Fraction) else value
