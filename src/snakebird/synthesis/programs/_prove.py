"""Proofs that a machine answers as a reference does, whatever arrives and for however long."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

from snakebird import vvalues as vv
from snakebird.errors import InputError, SnakebirdError, UnknownNameError, suggest
from snakebird.machines import Machine, tick
from snakebird.synthesis.programs._exact import exact_tree, exactly
from snakebird.synthesis.programs._example import Example
from snakebird.synthesis.programs._prove_cells import kept_outputs
from snakebird.synthesis.programs._prove_domains import Domain, as_domain
from snakebird.synthesis.programs._prove_induction import (
    MOST_TOKENS,
    Clock,
    by_induction,
    spoken_of,
)
from snakebird.synthesis.programs._prove_symbols import Unprovable
from snakebird.synthesis.programs._reference import Stepwise, state_and_answer
from snakebird.synthesis.programs._values import show, value_tree
from snakebird.synthesis.programs._verify import OUTPUT, Failure

RUNS, LENGTH = 16, 12
"""How many random runs are made, and how many ticks each lasts: for candidates, and to refute."""

FIRST = 300
"""So many pairs of states are tried before a proof by induction, and all others after it."""


@dataclass(frozen=True)
class Proof:
    """What came of a proof.

    `holds` is true where machine and reference agree on everything that may arrive, false where
    `counterexample` shows that they do not, and `None` where neither is known, for the `reason`.
    `kind` is "finite cases", where all `pairs` of states that can be reached were gone through,
    or "induction", where the solver confirmed that every tick keeps up the `invariants`.
    """

    holds: bool | None
    kind: str = ""
    pairs: int = 0
    invariants: tuple[str, ...] = ()
    counterexample: Failure | None = None
    reason: str = ""

    def __str__(self) -> str:
        if self.counterexample is not None:
            return f"refuted: {self.counterexample}"
        if not self.holds:
            return f"not proven: {self.reason}"
        if self.kind == "finite cases":
            return f"proven for all inputs: all {self.pairs} states that can be reached agree"
        lines = "".join(f"\n  {text}" for text in self.invariants)
        return f"proven for all inputs, by induction over ticks{':' if lines else ''}{lines}"


def prove(
    machine: Machine,
    reference: Stepwise,
    inputs: Mapping[str, Any],
    *,
    latency: int = 0,
    seconds: float = 60.0,
    pairs: int = 20_000,
    seed: int = 0,
) -> Proof:
    """Prove or refute that a machine answers as a reference, for all sequences of inputs.

    `machine` is a `Machine`, `reference` a `Stepwise`, one step and the state it starts from.
    `inputs` say what may arrive at each source, by name: a list of values, a `Draw`, or a type:
    `int` for any whole number, `Fraction` for any number, `str` for any token. With a `latency`
    the machine answers so many ticks later.

    Where the states that can be reached are at most `pairs`, all are gone through, in exact
    arithmetic. Else z3 proves by induction that machine and reference agree: their numbers are
    tied by invariants, found in runs, which every tick keeps up. For that the reference is run on
    unknown numbers; it may compare and add them, and keep numbers in tuples, and in dicts and
    sets by token. Of those it may read and write only what stands at a token that arrives.

    Raises `InputError` for inputs that do not fit, `UnknownNameError` for those of other names
    than the machine's sources have, `MachineError` where z3 is not installed.

    >>> from snakebird.machines import Link, Machine
    >>> now = Link("output", "result", ("x", "signal"), 2, instant=True)
    >>> double = Machine({"x": "source", "output": "output"}, [now])
    >>> print(prove(double, Stepwise(lambda state, x: (state, 2 * x), 0), {"x": [0, 1]}))
    proven for all inputs: all 1 states that can be reached agree
    """
    _check_asked(machine, reference, inputs)
    domains = {name: as_domain(name, given) for name, given in inputs.items()}
    pair = _Pair(exactly(machine), reference, domains, latency)
    clock = Clock(time.monotonic() + seconds)
    try:
        found = _finite(pair, min(pairs, FIRST), clock)
        if found is not None:
            return Proof(True, "finite cases", pairs=found)
        states = _runs(pair, seed)
        return _induced(pair, states, pairs, clock)
    except _Refuted as refuted:
        return Proof(False, counterexample=refuted.failure)
    except Unprovable as none:
        return Proof(None, reason=str(none))


def _check_asked(machine: Any, reference: Any, inputs: Any) -> None:
    if not isinstance(machine, Machine):
        what = f"found {type(machine).__name__}, expected a machine"
        raise InputError(what, "prove", "of what synthesize found, give found.machine")
    if not isinstance(reference, Stepwise):
        raise InputError(
            f"the reference is a {type(reference).__name__}, expected a Stepwise",
            "prove",
            "give sb.Stepwise(step, start), where step(state, x=...) gives (state, answer)",
        )
    if not isinstance(inputs, Mapping):
        what = f"inputs are a {type(inputs).__name__}, expected what may arrive by source"
        raise InputError(what, "prove", 'write {"x": int}')
    free = [n for n, x in machine.neurons.items() if x.type.external and n not in inputs]
    for name in inputs:
        # A machine may lack a source that it would ignore.
        if name not in machine.neurons and free:
            what = f"the machine has no source named {name!r}"
            raise UnknownNameError(what, "prove, inputs", suggest(str(name), free))


def _induced(pair: "_Pair", states: list[tuple[Any, Any]], pairs: int, clock: Clock) -> Proof:
    try:
        kept = by_induction(pair.machine, pair.step, pair.domains, states, clock)
        return Proof(True, "induction", invariants=tuple(map(str, kept)))
    except Unprovable as none:
        reason = str(none)
    except SnakebirdError:
        raise
    except Exception as error:  # whatever the reference does not expect
        reason = f"the reference cannot be run on unknown numbers: {_said(error)}"
    found = _finite(pair, pairs, clock) if pairs > FIRST else None
    if found is not None:
        return Proof(True, "finite cases", pairs=found)
    return Proof(None, reason=reason)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


class _Refuted(Exception):
    """A sequence of inputs for which the answers differ."""

    def __init__(self, failure: Failure):
        super().__init__(str(failure))
        self.failure = failure


class _Pair:
    """A machine and a reference, tick by tick."""

    def __init__(
        self, machine: Machine, reference: Stepwise, domains: Mapping[str, Domain], latency: int
    ):
        if OUTPUT not in machine.neurons:
            hint = suggest(OUTPUT, machine.neurons)
            raise InputError(f"the machine has no neuron named {OUTPUT!r}", "prove", hint)
        if machine.matrix_from is not None:
            raise InputError("the machine carries its own matrix", "prove", "use verify")
        self.machine, self.domains = machine, domains
        self.step, self.start = reference.step, exact_tree(reference.start)
        if latency:
            self.step, self.start = (
                _delayed(reference.step, latency),
                (self.start, (None,) * latency),
            )
        self.kept = kept_outputs(machine)
        self.tokens = spoken_of(machine, self.step, domains)[:MOST_TOKENS]
        ports = [link.input for link in machine.links if link.to == OUTPUT]
        self.port = ports[0] if ports else "result"

    def tick(
        self, outputs: Any, state: Any, arriving: Mapping[str, Any], history: Any
    ) -> tuple[Any, Any]:
        """All outputs and the state after a tick; raises `_Refuted` where the answers differ."""
        messages = {n: value_tree(v) for n, v in arriving.items() if v is not None}
        known = {n: v for n, v in messages.items() if n in self.machine.neurons}
        state, answer = self._stepped(state, arriving)
        answers = answer if isinstance(answer, Mapping) else {self.port: answer}
        try:
            outputs = tick(self.machine, outputs, messages=known).outputs
        except SnakebirdError as error:
            self._refute(history, arriving, "", None, None, f"the machine breaks: {error.what}")
        for name, expected in answers.items():
            if expected is not None:
                expected, found = exact_tree(value_tree(expected)), vv.get(outputs, OUTPUT, name)
                if not vv.equal(found, expected):
                    self._refute(history, arriving, name, expected, found, "")
        return outputs, state

    def _stepped(self, state: Any, arriving: Mapping[str, Any]) -> tuple[Any, Any]:
        try:
            return state_and_answer(self.step(state, **arriving))
        except SnakebirdError:
            raise
        except Exception as error:
            came = ", ".join(f"{name} = {show(value)}" for name, value in arriving.items())
            raise InputError(
                f"the step of the reference raised {_said(error)}",
                f"prove, where {came} arrives",
                "it is called as step(state, x=..., ...) and gives a state and an answer",
            ) from error

    def _refute(
        self, history: Any, last: Any, name: str, expected: Any, found: Any, reason: str
    ) -> None:
        ticks = [*_unwound(history), last]
        streams = {n: tuple(now[n] for now in ticks) for n in self.domains}
        asked = {name or self.port: (None,) * (len(ticks) - 1) + (expected,)}
        example = Example(streams, asked)
        raise _Refuted(Failure(0, len(ticks) - 1, name, expected, found, example, reason))


def _unwound(history: Any) -> list[Any]:
    """The inputs of a history, which is a pair of an older one and the last input."""
    found = []
    while history is not None:
        history, last = history
        found.append(last)
    return found[::-1]


def _delayed(step: Any, latency: int) -> Any:
    """A step whose answers come later."""

    def later(state: Any, **inputs: Any) -> tuple[Any, Any]:
        own, waiting = state
        own, answer = state_and_answer(step(own, **inputs))
        return (own, (*waiting[1:], answer)), waiting[0]

    return later


def _runs(pair: _Pair, seed: int) -> list[tuple[Any, Any]]:
    """The states of random runs, the start among them; raises the shortest `_Refuted`."""
    rng, found = Random(seed), [(pair.machine.first_outputs, pair.start)]
    worst: _Refuted | None = None
    for run in range(RUNS):
        length = LENGTH if run else 10 * LENGTH
        try:
            found += _run(pair, rng, length if worst is None else worst.failure.tick)
        except _Refuted as refuted:
            worst = refuted
    if worst is not None:
        raise worst
    return found


def _run(pair: _Pair, rng: Random, length: int) -> list[tuple[Any, Any]]:
    outputs, state, history = pair.machine.first_outputs, pair.start, None
    found = []
    for _ in range(length):
        arriving = {name: domain.sample(rng, pair.tokens) for name, domain in pair.domains.items()}
        outputs, state = pair.tick(outputs, state, arriving, history)
        history = (history, arriving)
        found.append((outputs, state))
    return found


def _finite(pair: _Pair, pairs: int, clock: Clock) -> int | None:
    """How many pairs of states can be reached, if that is finite and all agree."""
    if any(domain.every for domain in pair.domains.values()):
        return None
    choices = [dict(zip(pair.domains, v, strict=True)) for v in _combinations(pair)]
    first = (pair.machine.first_outputs, pair.start, None)
    seen, waiting = {_key(pair, *first[:2])}, deque([first])
    while waiting:
        outputs, state, history = waiting.popleft()
        for arriving in choices:
            after = pair.tick(outputs, state, arriving, history)
            key = _key(pair, *after)
            if key not in seen:
                seen.add(key)
                waiting.append((*after, (history, arriving)))
        if len(seen) > pairs or clock.left < 0:
            return None
    return len(seen)


def _combinations(pair: _Pair) -> Iterator[tuple[Any, ...]]:
    return product(*(domain.values for domain in pair.domains.values()))


def _key(pair: _Pair, outputs: Any, state: Any) -> Any:
    """What two pairs of states have in common that go on alike."""
    kept = [tuple(sorted(vv.entries(vv.get(outputs, *place)))) for place in pair.kept]
    return tuple(kept), _frozen(state)


def _frozen(state: Any) -> Any:
    if isinstance(state, Mapping):
        return frozenset((key, _frozen(part)) for key, part in state.items())
    if isinstance(state, set | frozenset):
        return frozenset(map(_frozen, state))
    if isinstance(state, list | tuple):
        return tuple(map(_frozen, state))
    return state
