"""Examples that no program can follow: the same inputs so far, and different answers."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from snakebird.errors import InputError
from snakebird.synthesis.programs._example import Example
from snakebird.synthesis.programs._values import Value, difference, identity_of, show

SHOWN = 8
"""How many ticks of the common inputs a message shows."""


class _Answer(NamedTuple):
    example: Example
    number: int
    value: Value


def check_consistent(items: Sequence[Example], *, latency: int, tolerance: Any) -> None:
    """Raise `InputError` for two examples whose inputs agree and whose answers do not.

    The answer to tick t may follow from all that arrives up to tick t + latency; after an example
    nothing arrives. Nothing and zero are the same to a program.
    """
    nodes: dict[Any, int] = {}
    asked: dict[Any, list[_Answer]] = {}
    for number, example in enumerate(items):
        for t, (node, now) in enumerate(_answers(example, latency, nodes)):
            for name, value in now.items():
                others = asked.setdefault((node, name), [])
                given = _Answer(example, number, value)
                for other in others:
                    if difference(other.value, value) > 2 * tolerance:
                        raise _contradiction(other, given, name, t, latency)
                if not any(other.value == value for other in others):
                    others.append(given)


def _answers(
    example: Example, latency: int, nodes: dict[Any, int]
) -> Iterator[tuple[int, dict[str, Value]]]:
    """For each tick what is known when its answers are due, as a node, and what is asked."""
    known, at = [], 0
    for t in range(example.ticks + latency):
        arrived = tuple(
            (name, identity_of(stream[t]))
            for name, stream in sorted(example.inputs.items())
            if t < example.ticks and identity_of(stream[t])
        )
        at = nodes.setdefault((at, arrived), len(nodes) + 1)
        known.append(at)
    for t, node in enumerate(known[latency:]):
        now = {name: stream[t] for name, stream in example.outputs.items()}
        yield node, {name: value for name, value in now.items() if value is not None}


def _contradiction(one: _Answer, two: _Answer, name: str, t: int, latency: int) -> InputError:
    last = t + latency
    return InputError(
        f"examples {one.number + 1} and {two.number + 1} contradict each other: the inputs "
        f"agree up to tick {last}, and {name!r} at tick {t} is {show(one.value)} in one, "
        f"{show(two.value)} in the other",
        f"{one.example.where}; {two.example.where}; common inputs {_shown(one.example, last)}",
        "correct one of them, or give the inputs that tell them apart"
        + ("" if latency else "; latency= where an answer needs later inputs"),
    )


def _shown(example: Example, last: int) -> str:
    first = max(0, last + 1 - SHOWN)
    dots = "..., " if first else ""
    return "; ".join(
        f"{name}: {dots}" + ", ".join(show(value) for value in stream[first : last + 1])
        for name, stream in example.inputs.items()
    )
