"""Examples of what a program should do: the whole set, what is tested, and where they come from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from snakebird.errors import InputError
from snakebird.neurons import Neuron, source
from snakebird.synthesis.programs._contradiction import check_consistent
from snakebird.synthesis.programs._draws import (
    Draw as Draw,
    Draws,
    Integers as Integers,
    OneOf as OneOf,
    Reals as Reals,
    TokenDraw as TokenDraw,
    drawn,
)
from snakebird.synthesis.programs._example import Example as Example, example_of
from snakebird.synthesis.programs._reference import (
    Reference,
    Stepwise as Stepwise,
    answered,
    check_causal,
)
from snakebird.synthesis.programs._values import Value, kind_of, space_of_values, value_tree

HELD_OUT = 5
"""One example in so many is held out."""


@dataclass(frozen=True)
class Examples:
    """Examples of one program, all with the same streams; made by `of`, `from_reference`, `read`.

    * `tolerance`: 0 asks for exactly equal answers; else how far any number may be off;
    * `latency`: how many ticks late the program answers: what is asked at tick t, it gives at
      t + latency;
    * `reference`, `draws`: a Python function that knows the answers, and how its inputs are
      drawn; with both, new examples can be had from `fresh`.

    Raises `InputError` for examples with different streams.

    >>> examples = Examples.of([({"x": [1, 2]}, {"y": [1, 3]}), ({"x": [5]}, {"y": [5]})])
    >>> examples
    Examples: 2 of 1 to 2 ticks, inputs x (number), outputs y (number)
    """

    items: tuple[Example, ...]
    tolerance: float | Fraction = 0
    latency: int = 0
    reference: Reference | None = None
    draws: Draws | None = None

    def __post_init__(self) -> None:
        if self.tolerance < 0 or self.latency < 0:
            what = f"tolerance is {self.tolerance} and latency {self.latency}"
            raise InputError(what, "Examples", "give numbers that are not negative")
        for example in self.items[1:]:
            _check_alike(self.items[0], example)

    @classmethod
    def of(
        cls,
        given: Iterable[Any],
        *,
        tolerance: float | Fraction = 0,
        latency: int = 0,
        reference: Reference | None = None,
        draws: Draws | None = None,
    ) -> "Examples":
        """Examples from pairs of inputs and outputs, dicts with these parts, or `Example`s.

        Inputs and outputs are dicts of streams; a stream alone is called `x`, or `result`.
        Raises `InputError` as `Example` and `check` do, and where there are none.

        >>> Examples.of([("aba", [0, 0, 1])]).streams
        {'x': 'token', 'result': 'number'}
        """
        if isinstance(given, Mapping | str) or not isinstance(given, Iterable):
            what = f"found {type(given).__name__}, expected a list of examples"
            raise InputError(what, "Examples.of", "write [({...}, {...})]")
        items = tuple(example_of(one, f"example {k}") for k, one in enumerate(given, 1))
        return cls(items, tolerance, latency, reference, draws).check()

    @classmethod
    def from_reference(
        cls,
        reference: Reference,
        draws: Draws,
        *,
        length: int = 12,
        count: int = 24,
        seed: int = 0,
        latency: int = 0,
        tolerance: float | Fraction = 0,
    ) -> "Examples":
        """Examples of a Python function, which is called with a list for each input, by name.

        It gives a list of answers, the output `result`, or a dict of them; or it is a `Stepwise`.
        Raises `InputError` for a reference that fails or that looks ahead.

        >>> Examples.from_reference(lambda x: [2 * n for n in x], {"x": Integers(0, 9)}, count=3)
        Examples: 3 of 12 ticks, inputs x (number), outputs result (number)
        """
        made = cls((), tolerance, latency, reference, draws)._drawn(length, count, [seed, 0], False)
        for example in made.items[:2]:
            check_causal(reference, example, latency=latency, tolerance=tolerance)
        return made.check()

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        tokens: Iterable[str] | Mapping[str, Iterable[str]] | None = None,
        tolerance: float | Fraction = 0,
        latency: int = 0,
        reference: Reference | None = None,
        draws: Draws | None = None,
    ) -> "Examples":
        """Examples from a file, `.jsonl` or `.csv`; `write` makes such files.

        * JSONL has an example a line: `{"inputs": {"x": [1, null]}, "outputs": {"y": [1, 1]}}`, or
          `{"input": ..., "output": ...}` for a single stream of each. A text stands for its
          characters, `null` for nothing.
        * CSV has a tick a row, in columns `in:NAME` and `out:NAME`. Rows with the same cell in a
          column `example` belong together. A cell that reads as a number is one, an empty one
          nothing, any other a token.

        With tolerance 0 decimals are exact fractions. `tokens` are those that may arrive, for all
        inputs or for each by name. Raises `FileFormatError` or `InputError` with file and line.
        """
        from snakebird.synthesis.programs._example_files import read_examples

        items = read_examples(Path(path), exact=not tolerance, tokens=tokens)
        return cls(items, tolerance, latency, reference, draws).check()

    def write(self, path: str | Path) -> None:
        """Write a `.jsonl` or `.csv` file that `read` reads back.

        Raises `InputError` for what such a file cannot hold: 1/3 in JSON, a tree in CSV.
        """
        from snakebird.synthesis.programs._example_files import write_examples

        write_examples(self.items, Path(path))

    def check(self) -> "Examples":
        """These examples, if a program can follow them.

        Raises `InputError` where there are none, where nothing is asked, and where two
        examples contradict each other.
        """
        if not self.items:
            raise InputError("there are no examples", "Examples", "give at least one")
        if not any(v is not None for name in self.outputs for v in self.stream(name)):
            raise InputError(
                "nothing is asked: no example has an answer",
                self.items[0].where,
                "give outputs: a value where the program must answer, None where it need not",
            )
        check_consistent(self.items, latency=self.latency, tolerance=self.tolerance)
        return self

    def fresh(self, length: int, count: int, *, seed: int, wide: bool = False) -> "Examples":
        """New examples, from the reference; `wide` draws the inputs differently.

        Raises `InputError` where there is no reference or nothing says how inputs are drawn.
        """
        return self._drawn(length, count, [seed, 1 + wide], wide)

    @property
    def can_draw(self) -> bool:
        """Whether there can be new examples."""
        return self.reference is not None and self.draws is not None

    def _drawn(self, length: int, count: int, seed: list[int], wide: bool) -> "Examples":
        if self.reference is None or self.draws is None:
            raise InputError(
                "there is no reference to ask for new examples",
                "Examples.fresh",
                "make them by Examples.from_reference, or give reference= and draws=",
            )
        if length < 1 or count < 1:
            what = f"found {count} examples of {length} ticks, expected at least one of each"
            raise InputError(what, "Examples", "write length=12, count=24")
        made = []
        for k in range(count):
            inputs = drawn(self.draws, np.random.default_rng([*seed, length, k]), length, wide=wide)
            made.append(answered(self.reference, inputs, f"drawn example {k + 1}"))
        return replace(self, items=tuple(made))

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Example]:
        return iter(self.items)

    def __getitem__(self, at: int) -> Example:
        return self.items[at]

    def __repr__(self) -> str:
        if not self.items:
            return "Examples: none"
        lengths = sorted({example.ticks for example in self.items})
        ticks = " to ".join(str(n) for n in dict.fromkeys((lengths[0], lengths[-1])))
        inputs, outputs = (
            ", ".join(f"{name} ({self.streams[name]})" for name in names)
            for names in (self.inputs, self.outputs)
        )
        return f"Examples: {len(self)} of {ticks} ticks, inputs {inputs}, outputs {outputs}"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return tuple(self.items[0].inputs) if self.items else ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs."""
        return tuple(self.items[0].outputs) if self.items else ()

    def stream(self, name: str) -> tuple[Value, ...]:
        """All values of a stream, one example after the other."""
        return tuple(
            value
            for example in self.items
            for value in (example.inputs if name in example.inputs else example.outputs)[name]
        )

    @cached_property
    def streams(self) -> dict[str, str]:
        """The kind of every stream: "number", "token" or "tree", which is any mixture too."""
        return {name: kind_of(self.stream(name)) for name in (*self.inputs, *self.outputs)}

    def sources(self) -> dict[str, Neuron]:
        """A source for each input, with the space of everything that arrives in these examples.

        >>> Examples.of([("ab", [1, 2])]).sources()
        {'x': source(tokens=('a', 'b'))}
        """
        return {name: self._source(name) for name in self.inputs}

    def _source(self, name: str) -> Neuron:
        values = self.stream(name)
        if self.streams[name] == "token":
            return source.with_parameters(tokens=tuple(sorted({v for v in values if v})))
        return source.with_parameters(space=space_of_values(values))

    @staticmethod
    def value(given: Value) -> Any:
        """The V-value of a value: a token is `{token: 1}`, all else is as it is."""
        return value_tree(given)

    def split(self, seed: int) -> tuple["Examples", "Examples"]:
        """Examples to learn from, and the longest, about a fifth, that are held out.

        Among examples of equal length the seed chooses; of fewer than four none is held out.
        """
        count = max(1, len(self) // HELD_OUT) if len(self) >= 4 else 0
        ties = np.random.default_rng(seed).permutation(len(self)).tolist()
        order = sorted(range(len(self)), key=lambda k: (-self.items[k].ticks, ties[k]))
        chosen = set(order[:count])
        parts = (
            tuple(one for k, one in enumerate(self.items) if (k in chosen) is held)
            for held in (False, True)
        )
        train, held = (replace(self, items=items) for items in parts)
        return train, held


def _check_alike(first: Example, other: Example) -> None:
    for word in ("input", "output"):
        expected, found = (set(getattr(one, word + "s")) for one in (first, other))
        if expected != found:
            raise InputError(
                f"the {word}s are {_names(found)}, and those of the first example "
                f"{_names(expected)}",
                other.where,
                f"give every example the same {word}s; None where there is nothing",
            )


def _names(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
