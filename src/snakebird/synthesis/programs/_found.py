"""What a synthesis gives: the program, the evidence for it, and how to take it along."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from snakebird.errors import InputError
from snakebird.machines import Machine, to_source
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._prove import Proof, prove
from snakebird.synthesis.programs._reference import Stepwise
from snakebird.synthesis.programs._verify import Failure, Verdict

EXACTLY = ", in exact arithmetic"
"""How the name of a set ends that is checked once more, by the readable engine."""


@dataclass(frozen=True)
class Attempt:
    """One way of searching: what was tried, for how long, and how many candidates came of it.

    `exact` of the `candidates` were right on all examples and all held-out ones.
    """

    method: str
    seconds: float
    candidates: int = 0
    exact: int = 0
    note: str = ""

    def __str__(self) -> str:
        note = f"; {self.note}" if self.note else ""
        return (
            f"{self.method}: {self.exact} of {self.candidates} candidates exact, "
            f"{self.seconds:.1f} s{note}"
        )


@dataclass(frozen=True)
class Evidence:
    """What speaks for a program: what was tried, and on which inputs it was verified.

    `verdicts` name each set of examples that took no part in the search, with what came of it.
    """

    attempts: tuple[Attempt, ...]
    trained_on: str
    verdicts: tuple[tuple[str, Verdict], ...]
    seconds: float
    seed: int
    counterexamples: int = 0
    first_seconds: float | None = None

    @property
    def checked(self) -> int:
        """How many held-out examples the program was right on."""
        return sum(v.checked for name, v in self.verdicts if v.right and not name.endswith(EXACTLY))

    @property
    def longest(self) -> int:
        """The longest input on which the program was right."""
        return max((v.longest for _, v in self.verdicts if v.right), default=0)

    def __str__(self) -> str:
        lines = [f"trained on {self.trained_on}; seed {self.seed}, {self.seconds:.1f} s"]
        if self.counterexamples:
            lines.append(f"{self.counterexamples} failing examples went back into training")
        lines += [f"tried {attempt}" for attempt in self.attempts]
        lines += [f"{name}: {verdict}" for name, verdict in self.verdicts]
        return "\n".join(lines)


@dataclass(frozen=True)
class Found:
    """The shortest program that was verified, or, with `exact` false, the best approximation."""

    machine: Machine
    exact: bool
    examples: Examples = field(repr=False)
    evidence: Evidence = field(repr=False)
    failure: Failure | None = None
    interrupted: str = ""
    proof: Proof | None = None

    def proven(self, *, seconds: float = 60.0) -> "Found":
        """The same with its `proof`: `prove` was given the reference, and what it draws from.

        Raises `InputError` where there is no reference that goes step by step, and `MachineError`
        where z3 is not installed.
        """
        reference, draws = self.examples.reference, self.examples.draws
        if not isinstance(reference, Stepwise) or not isinstance(draws, Mapping):
            raise InputError(
                "only what a reference answers step by step can be proven",
                "Found.proven",
                "give Examples.from_reference a Stepwise, or call prove with one",
            )
        late = self.examples.latency
        return replace(
            self, proof=prove(self.machine, reference, draws, latency=late, seconds=seconds)
        )

    @property
    def source(self) -> str:
        """The program as builder source; run, it makes the machine again."""
        return to_source(self.machine)

    @property
    def python(self) -> str:
        """The program as a Python function that needs nothing but Python."""
        from snakebird.synthesis.programs._standalone import to_python

        return to_python(self.machine, name=self.machine.name or "program")

    @property
    def links(self) -> int:
        """How long the program is."""
        return len(self.machine.links)

    @property
    def statement(self) -> str:
        """In one sentence: is it exact, on what was it checked, or where does it fail first."""
        if self.exact and not self.evidence.verdicts:
            count = len(self.examples)
            fitted = "the only example" if count == 1 else f"all {count} examples"
            return (
                f"a program of {_counted(self.links, 'link')} that fits {fitted}; "
                "no other was there to verify it on"
            )
        if self.exact:
            return (
                f"an exact program of {_counted(self.links, 'link')}, verified on "
                f"{_counted(self.evidence.checked, 'example')} it never saw, "
                f"up to {_counted(self.evidence.longest, 'tick')}"
            )
        where = f"; it fails first at {self.failure}" if self.failure else ""
        return (
            f"no exact program was found in {self.evidence.seconds:.0f} s; "
            f"the best approximation has {_counted(self.links, 'link')}{where}"
        )

    def __str__(self) -> str:
        proof = f"{self.proof}\n" if self.proof else ""
        return f"{self.source.rstrip()}\n\n{self.statement}\n{proof}{self.evidence}"


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"


Look = Callable[[str, dict[str, Any]], None]
"""Who looks on: called with the name of a stage and what is known."""
