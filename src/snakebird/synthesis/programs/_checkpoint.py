"""What a search knows, and the same as the text of a file, exactly."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import Any

from snakebird.errors import FileFormatError, MachineError, SnakebirdError
from snakebird.fitting._keeping import ANEW
from snakebird.machines import Machine, from_json, to_json
from snakebird.synthesis.programs._example import Example
from snakebird.synthesis.programs._found import Attempt
from snakebird.synthesis.programs._verify import Failure

_LONG = 4096
"""Whole numbers with more bits are written in hexadecimal, which Python reads at any length."""


@dataclass
class Pass:
    """Once through the candidates of a method: pass `number`, counted from 0.

    It began with the first `more` counterexamples and `exact` programs; `seen` names the
    candidates that were looked at since.
    """

    method: str
    number: int = 0
    more: int = 0
    exact: int = 0
    seen: list[str] = field(default_factory=list)


@dataclass
class Progress:
    """What a search knows.

    `finished` has the methods that are done: with `None` those that ended by themselves, with the
    budget of the whole search, in seconds, those that spent their share of it. Of `seconds` in
    all, `again` were spent on what earlier runs had done. `nearest` is no program yet, and misses
    the part `unexplained` of the answers. `lines` of the history led here.
    """

    verified: list[Machine] = field(default_factory=list)
    rejected: list[tuple[Machine, Failure]] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    more: list[Example] = field(default_factory=list)
    finished: dict[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0
    first: float | None = None
    again: float = 0.0
    course: Pass | None = None
    nearest: Machine | None = None
    unexplained: float = math.inf
    lines: int = 0

    def is_done(self, method: str, budget: float) -> bool:
        """Whether a method has nothing left to do within a budget."""
        spent = self.finished.get(method, 0.0)
        return spent is None or budget <= spent


@dataclass(eq=False)
class Writer:
    """Writes `Progress` as text; what it wrote once it does not work out again."""

    _known: dict[int, tuple[Any, Any]] = field(default_factory=dict)

    def text(self, progress: Progress, question: str) -> str:
        """The text of a checkpoint; machines that no file can hold are left out."""
        verified = [self._once(machine, to_json) for machine in progress.verified]
        rejected = [self._once(pair, _rejection) for pair in progress.rejected]
        saved = {
            "question": question,
            "seconds": progress.seconds,
            "first": progress.first,
            "again": progress.again,
            "course": None if progress.course is None else asdict(progress.course),
            "nearest": self._near(progress),
            "lines": progress.lines,
            "finished": progress.finished,
            "attempts": [asdict(attempt) for attempt in progress.attempts],
            "more": [_example(one) for one in progress.more],
            "verified": [text for text in verified if text is not None],
            "rejected": [entry for entry in rejected if entry is not None],
        }
        return json.dumps(saved) + "\n"

    def _near(self, progress: Progress) -> dict[str, Any] | None:
        text = progress.nearest and self._once(progress.nearest, to_json)
        return {"machine": text, "unexplained": progress.unexplained} if text else None

    def _once(self, given: Any, write: Callable[[Any], Any]) -> Any:
        if id(given) not in self._known:
            try:
                written = write(given)
            except MachineError:
                written = None
            self._known[id(given)] = given, written  # kept, so that its id names nothing else
        return self._known[id(given)][1]


def name_of(machine: Machine) -> str:
    """A short text that tells a candidate from others, in every run alike."""
    try:
        text = to_json(machine)
    except MachineError:
        text = repr(machine.links)
    return sha256(text.encode()).hexdigest()[:16]


def read(text: str, where: str) -> tuple[str, Progress]:
    """The question and the progress that a text holds; raises `FileFormatError` for another."""
    try:
        saved = json.loads(text)
        course, near = saved["course"], saved["nearest"]
        progress = Progress(
            [from_json(machine, where) for machine in saved["verified"]],
            [_read_rejection(entry, where) for entry in saved["rejected"]],
            [Attempt(**entry) for entry in saved["attempts"]],
            [_read_example(entry) for entry in saved["more"]],
            dict(saved["finished"]),
            float(saved["seconds"]),
            saved["first"],
            float(saved["again"]),
            None if course is None else Pass(**course),
            None if near is None else from_json(near["machine"], where),
            math.inf if near is None else float(near["unexplained"]),
            int(saved["lines"]),
        )
        return str(saved["question"]), progress
    except SnakebirdError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError):
        raise FileFormatError("this is no checkpoint of a search", where, ANEW) from None


def packed(value: Any) -> Any:
    """A value as JSON that `unpacked` reads back: numbers stay what they are.

    >>> packed({"a": Fraction(1, 3), "b": 2}), unpacked(packed({"a": Fraction(1, 3), "b": 2}))
    ({'a': {'/': [1, 3]}, 'b': 2}, {'a': Fraction(1, 3), 'b': 2})
    """
    if isinstance(value, Mapping):
        return {key: packed(part) for key, part in value.items()}
    if isinstance(value, Fraction):
        return {"/": [packed(value.numerator), packed(value.denominator)]}
    if type(value) is int and value.bit_length() > _LONG:
        return {"0x": hex(value)}
    tolist = getattr(value, "tolist", None)
    return tolist() if tolist else value


def unpacked(value: Any) -> Any:
    """The value that `packed` made JSON of."""
    if not isinstance(value, Mapping):
        return value
    (key, part), *others = value.items() or [("", None)]
    if not others and key == "/" and isinstance(part, list):
        return Fraction(*map(unpacked, part))
    if not others and key == "0x" and isinstance(part, str):
        return int(part, 16)
    return {key: unpacked(part) for key, part in value.items()}


def _rejection(pair: tuple[Machine, Failure]) -> dict[str, Any]:
    machine, failure = pair
    return {
        "machine": to_json(machine),
        "index": failure.index,
        "tick": failure.tick,
        "stream": failure.stream,
        "expected": packed(failure.expected),
        "found": packed(failure.found),
        "example": _example(failure.example),
        "reason": failure.reason,
    }


def _read_rejection(entry: Mapping[str, Any], where: str) -> tuple[Machine, Failure]:
    parts = {name: part for name, part in entry.items() if name != "machine"}
    for name in ("expected", "found"):
        parts[name] = unpacked(parts[name])
    failure = Failure(**{**parts, "example": _read_example(entry["example"])})
    return from_json(entry["machine"], where), failure


def _example(example: Example) -> dict[str, Any]:
    pack = lambda streams: {name: [packed(v) for v in some] for name, some in streams.items()}
    return {
        "where": example.where,
        "inputs": pack(example.inputs),
        "outputs": pack(example.outputs),
    }


def _read_example(entry: Mapping[str, Any]) -> Example:
    unpack = lambda streams: {n: [unpacked(v) for v in some] for n, some in streams.items()}
    return Example(unpack(entry["inputs"]), unpack(entry["outputs"]), where=entry["where"])
