"""A search for programs: methods in turn, candidates held against what they never saw."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from snakebird.errors import InputError
from snakebird.lowering._compiled import make_room
from snakebird.machines import Machine
from snakebird.synthesis.programs._checkpoint import Pass, Progress, name_of
from snakebird.synthesis.programs._examples import Example, Examples
from snakebird.synthesis.programs._found import (
    EXACTLY as IN_EXACT,
    Attempt,
    Evidence,
    Found,
    Look,
)
from snakebird.synthesis.programs._methods import Method, Task, candidates_of, check_names
from snakebird.synthesis.programs._names import spoken
from snakebird.synthesis.programs._run_folder import RunFolder
from snakebird.synthesis.programs._shrink import shortest, shrink
from snakebird.synthesis.programs._verify import Failure, Verdict, verify, verify_fast

TESTS = ((1, 250), (10, 20), (60, 4))
"""Held-out inputs: how many times as long as those of training, and how many of each kind."""

LAST = 500_000
"""Where the seeds of the last held-out inputs begin, which nothing was chosen by."""

EXACTLY = 4
"""So many of each length are checked once more in exact arithmetic."""

LINGER = 0.3
"""After the first program the search for shorter ones takes this part of the time it took."""

LINGERS, PATIENCE = 2.0, 20.0
"""And so many seconds at least; where there is no reference, many programs fit, and more are
looked at."""

MORE = 1.0
"""Few examples are fitted by many programs: a second method is tried so many times as long."""

LONG = 24
"""Longer candidates often fit by chance, and are held against other inputs before they shrink."""

TEACHING = 4
"""Failures within so many times the length of training go back into it."""


PASSES = 4
"""So often a method begins anew with the counterexamples that came up."""


@dataclass
class Search:
    """A search in progress: what is trained on, what was verified, and what was tried.

    One that goes on from another begins the pass that was cut once more, with what that pass began
    with, and leaves out the candidates that were looked at: it comes to the same programs. The
    time for that counts towards the budget, but not towards the search for shorter programs.
    """

    examples: Examples
    seed: int
    ends: float
    look: Look
    verified: list[Machine] = field(default_factory=list)
    rejected: list[tuple[Machine, Failure]] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    more: list[Example] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    first: float | None = None
    interrupted: str = ""
    budget: float = 0.0
    finished: dict[str, float | None] = field(default_factory=dict)
    folder: RunFolder | None = None
    resumed: bool = False
    again: float = 0.0
    course: Pass | None = None
    nearest: tuple[Machine | None, float] = (None, float("inf"))

    @classmethod
    def of(
        cls,
        examples: Examples,
        seed: int,
        budget: float,
        look: Look,
        folder: RunFolder | None,
        known: Progress,
    ) -> "Search":
        """A search that knows something; the seconds that it took count."""
        began = time.monotonic() - known.seconds
        if folder is not None:
            look = folder.looking(look, lambda: time.monotonic() - began)
        return cls(
            examples, seed, began + budget, look, known.verified, known.rejected, known.attempts,
            known.more, began, known.first, "", budget, known.finished, folder, known.seconds > 0,
            known.again, known.course, (known.nearest, known.unexplained),
        )  # fmt: skip

    def __post_init__(self) -> None:
        train, held = self.examples, replace(self.examples, items=())
        if not self.examples.can_draw:
            train, held = self.examples.split(self.seed)
        self.train, self.held = train, held
        self.length = max(item.ticks for item in train.items)
        for _, failure in self.rejected:
            if self._teaches(failure):
                self._hold_no_more(failure)

    def run(self, methods: Sequence[Method], template: Any, starts: int) -> Found:
        """Try the methods in turn, each with a share of the time; then the shortest."""
        if self.resumed:
            about = {"verified": len(self.verified), "rejected": len(self.rejected)}
            self.look("resume", {"seconds": time.monotonic() - self.began, **about})
        try:
            for k, method in enumerate(methods):
                if self._enough():
                    break
                if not self._known.is_done(method.name, self.budget):
                    part = method.share if k + 1 < len(methods) else 1.0
                    self._have_a_turn(method, part, template, starts)
                if self.verified and (self.examples.can_draw or k > 0):
                    break
        except KeyboardInterrupt:
            self.interrupted = "interrupted"
        self._keep()
        return self._found()

    def _have_a_turn(self, method: Method, part: float, template: Any, starts: int) -> None:
        """One method, with a part of the time that is left."""
        share = part * (self.ends - time.monotonic())
        share = min(share, MORE * max(2.0, self.first)) if self.first else share
        ends = time.monotonic() + share
        self._be_quiet(self.course is not None)
        self.look("method", {"method": method.name, "share": share})
        self._try(method, template, starts, ends)
        self.finished[method.name] = None if time.monotonic() < ends else self.budget
        self.course = None
        self._keep()

    def _keep(self) -> None:
        """Note what is known, so that another run can go on from here."""
        if self.folder is not None:
            self.folder.save(self._known)

    @property
    def _known(self) -> Progress:
        return Progress(
            self.verified,
            self.rejected,
            self.attempts,
            self.more,
            self.finished,
            time.monotonic() - self.began,
            self.first,
            self.again,
            self.course,
            *self.nearest,
        )

    @property
    def _spent(self) -> float:
        """Seconds, without those that were spent on what earlier runs had done."""
        return time.monotonic() - self.began - self.again

    def _try(self, method: Method, template: Any, starts: int, ends: float) -> None:
        """One method, again with the counterexamples that came up, until it finds no new ones."""
        name, cut = method.name, self.course
        cut = cut if cut is not None and cut.method == name else None
        for number in range(cut.number if cut else 0, PASSES):
            begun = time.monotonic()
            course = cut or Pass(name, number, len(self.more), len(self.verified))
            self.course, cut = course, None
            self._keep()
            self._go_through(course, self._candidates(method, course, template, starts, ends))
            exact = len(self.verified) - course.exact
            self.attempts.append(Attempt(name, time.monotonic() - begun, len(course.seen), exact))
            none_new = len(self.more) == course.more
            if self.verified or none_new or time.monotonic() > ends:
                return

    def _go_through(self, course: Pass, candidates: Iterable[Machine | None]) -> None:
        """The candidates of a pass, without those that were looked at."""
        left, begun = set(course.seen), time.monotonic()
        self._be_quiet(bool(left))
        for machine in candidates:
            if not isinstance(machine, Machine | None):
                raise InputError(
                    f"a candidate of the kind {type(machine).__name__}",
                    f"method {course.method}",
                    "yield machines, or None where a round is over",
                )
            name = None if machine is None else name_of(machine)
            if left and name is not None:
                left = left - {name} if name in left else set()
                if not left:
                    self.again += time.monotonic() - begun
                    self._be_quiet(False)
            if left:
                continue
            if machine is None or name is None:
                if self.examples.can_draw and len(self.verified) > course.exact:
                    break
                continue
            if name not in course.seen:
                check_names(machine, self.train, course.method)
                self._consider(machine)
                course.seen.append(name)
                self._keep()
            if self._enough() or len(self.more) >= course.more + 4:
                break
        self._be_quiet(False)

    def _be_quiet(self, quiet: bool) -> None:
        """What goes on once more stands in the history."""
        if self.folder is not None:
            self.folder.quiet = quiet

    def _enough(self) -> bool:
        """Whether a program is there and the time to look for a shorter one is over."""
        if self.first is None or time.monotonic() > self.ends:
            return time.monotonic() > self.ends
        least = LINGERS if self.examples.can_draw else PATIENCE
        return self._spent > self.first + max(least, LINGER * self.first)

    def _candidates(
        self, method: Method, course: Pass, template: Any, starts: int, ends: float
    ) -> Iterable[Machine | None]:
        """What a method gives in a pass."""
        known = self.more[: course.more]
        train = replace(self.train, items=(*self.train.items, *known))
        task = Task(
            train, len(known), template, starts, self.seed, max(1.0, ends - time.monotonic()),
            lambda: self.first is not None and self._enough(), self._near, self.look,
        )  # fmt: skip
        return candidates_of(method, task)

    def _consider(self, machine: Machine) -> None:
        """Make a candidate smaller, hold it against what it never saw, and keep it if right."""
        make_room()
        failure = self._fails(machine) if len(machine.links) > LONG else None
        if failure is not None:
            self._reject(machine, failure)
            return
        small = shrink(machine, self._known_examples(2))
        if any(small.links == known.links for known in self.verified):
            return
        for candidate in (small, machine):
            failure = self._fails(candidate)
            if failure is None:
                self.verified.append(candidate)
                if self.first is None:
                    self.first = self._spent
                self.look("verified", {"machine": spoken(candidate), "links": len(candidate.links)})
                return
        self._reject(small, failure)

    def _reject(self, machine: Machine, failure: Failure) -> None:
        self.rejected.append((machine, failure))
        self._learn(failure)
        self.look("rejected", {"machine": machine, "failure": failure})

    def _known_examples(self, longer: int) -> Examples:
        """All that is trained on, and where there is a reference some that are longer."""
        items = (*self.train.items, *self.more)
        if self.examples.can_draw:
            items += self.examples.fresh(longer * self.length, 12, seed=self.seed + 2).items
        return replace(self.train, items=items)

    def _near(self, machine: Machine, unexplained: float) -> None:
        """Note what comes near where nothing is exact."""
        if unexplained < self.nearest[1]:
            self.nearest = machine, unexplained

    def _learn(self, failure: Failure) -> None:
        """Let a failing example teach; one that was held out is so no longer."""
        if self._teaches(failure):
            if failure.prefix not in self.more:
                self.more.append(failure.prefix)
            self._hold_no_more(failure)

    def _teaches(self, failure: Failure) -> bool:
        return failure.tick < TEACHING * self.length and not failure.reason

    def _hold_no_more(self, failure: Failure) -> None:
        left = tuple(item for item in self.held.items if item != failure.example)
        self.held = replace(self.held, items=left)

    def _fails(self, machine: Machine) -> Failure | None:
        """Where a machine fails on inputs that it never saw, the short ones first."""
        trained_on = "trained on", replace(self.train, items=(*self.train.items, *self.more))
        for _, examples in (trained_on, *self._tests(TESTS[:2])):
            verdict = verify_fast(machine, examples)
            if verdict.large or (verdict.failure and verdict.failure.reason):
                verdict = verify(machine, examples)
            if not verdict.right:
                return verdict.failure
        return None

    def _tests(
        self, sizes: Sequence[tuple[int, int]], *, last: bool = False
    ) -> Iterator[tuple[str, Examples]]:
        """Held-out examples by name; half of those that are drawn are drawn differently.

        The `last` ones are others than those that chose among programs.
        """
        first = LAST if last else 1000
        if self.held.items:
            yield "held out", self.held
        if self.examples.can_draw:
            for times, count in sizes:
                draw = lambda wide, t=times, n=count: self.examples.fresh(
                    t * self.length, n, seed=first + self.seed + t, wide=wide
                )
                both = [item for pair in zip(draw(False), draw(True), strict=True) for item in pair]
                name = "as long" if times == 1 else f"{times} times as long"
                yield name, replace(self.examples, items=tuple(both))

    def _found(self) -> Found:
        """The shortest of what was verified, once more in exact arithmetic; else the nearest."""
        for machine in shortest(self.verified):
            failure, verdicts = None, []
            for name, examples in self._tests(TESTS, last=True):
                few = replace(examples, items=examples.items[:EXACTLY])
                for how, verdict in (
                    (name, verify_fast(machine, examples)),
                    (name + IN_EXACT, verify(machine, few)),
                ):
                    verdicts.append((how, verdict))
                    failure = failure or verdict.failure
                if failure is not None:
                    break
            if failure is None and verify(machine, self.train).right:
                return self._as_found(machine, True, verdicts, None)
        if self.rejected:
            machine, failure = max(
                self.rejected, key=lambda pair: (pair[1].tick, -len(pair[0].links))
            )
            return self._as_found(machine, False, [], failure)
        near = self.nearest[0] or _silence(self.examples)
        return self._as_found(near, False, [], verify(near, self.train).failure)

    def _as_found(
        self,
        machine: Machine,
        exact: bool,
        verdicts: list[tuple[str, Verdict]],
        failure: Failure | None,
    ) -> Found:
        evidence = Evidence(
            tuple(self.attempts),
            repr(self.train),
            tuple(verdicts),
            time.monotonic() - self.began,
            self.seed,
            len(self.more),
            self.first,
        )
        return Found(spoken(machine), exact, self.examples, evidence, failure, self.interrupted)


def _silence(examples: Examples) -> Machine:
    """The machine that answers nothing."""
    return Machine({**examples.sources(), "output": "output"})
