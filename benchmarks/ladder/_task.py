"""What a task of the ladder is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snakebird.synthesis.programs._draws import Draw
from snakebird.synthesis.programs._examples import Example, Examples, Stepwise
from snakebird.synthesis.programs._reference import answered

Streams = dict[str, list[Any]]
"""Input streams of one length."""


@dataclass(frozen=True)
class Task:
    """A program to find: what it answers, how its inputs are drawn, and where it is tested.

    `adversarial(length)` gives inputs that programs of the wrong kind fail on; `reference_links`
    is how many links a program written by hand has. `arrives` says of each stream what a proof
    must hold for, where that is more than `draws` say.
    """

    id: str
    name: str
    level: int
    reference: Stepwise
    draws: Mapping[str, Draw] | Callable[..., Streams]
    train_length: int
    test_lengths: tuple[int, ...]
    adversarial: Callable[[int], list[Streams]]
    reference_links: int
    tolerance: float = 0
    latency: int = 0
    arrives: Mapping[str, Any] | None = None

    @property
    def domains(self) -> Mapping[str, Any] | None:
        """What may arrive in each stream, if the streams do not depend on each other."""
        return (
            self.draws if self.arrives is None and isinstance(self.draws, Mapping) else self.arrives
        )

    def examples(self, seed: int, *, count: int = 24, length: int | None = None) -> Examples:
        """Examples to learn from; 1, 3 or 10 of them make the harder half of the protocol."""
        return Examples.from_reference(
            self.reference,
            self.draws,
            length=length or self.train_length,
            count=count,
            seed=seed,
            latency=self.latency,
            tolerance=self.tolerance,
        )

    def hard(self, length: int) -> tuple[Example, ...]:
        """The adversarial inputs with their answers."""
        cases = enumerate(self.adversarial(length), 1)
        return tuple(
            answered(self.reference, inputs, f"{self.id}, hard case {k}") for k, inputs in cases
        )


def extremes(name: str, low: Any, high: Any) -> Callable[[int], list[Streams]]:
    """Constant, alternating, and one exception: at the beginning, in the middle, at the end."""

    def cases(length: int) -> list[Streams]:
        middle = length // 2
        alone = [[low] * at + [high] + [low] * (length - 1 - at) for at in (0, middle, length - 1)]
        turning = ([low, high] * length)[:length]
        return [{name: x} for x in ([low] * length, [high] * length, turning, *alone)]

    return cases


def together(**streams: Sequence[Any]) -> Callable[[int], list[Streams]]:
    """Inputs that repeat these patterns, each pattern of one with the same of the others."""

    def repeated(pattern: Sequence[Any], length: int) -> list[Any]:
        return (list(pattern) * length)[:length]

    def cases(length: int) -> list[Streams]:
        return [
            {name: repeated(pattern, length) for name, pattern in zip(streams, row, strict=True)}
            for row in zip(*streams.values(), strict=True)
        ]

    return cases
