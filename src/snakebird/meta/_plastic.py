"""A template whose memory is a row of its own matrix: what it writes there, and when, is free.

The row links the parts of a stream of keys to the neuron `recall`, as a matrix row does; updates of
the row are masks of trees by numbers, both free combinations. Fixed are only the loop that keeps
the matrix, and that updates are of this row.
"""

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from snakebird import neurons as nr, vvalues as vv
from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.machines import Link, Machine
from snakebird.synthesis.programs._examples import Examples

SELF, RECALL, CHANGE, OUTPUT, ONE = "self", "recall", "change", "output", "one"


@dataclass(frozen=True)
class Plastic:
    """Makes machines with a plastic row, for `synthesize` and `learned_rules`.

    * `key`: the input stream that the row reads: tokens, or trees of numbers;
    * `writes`: how many masked trees an update may be a sum of; `products`: how many products of
      two sums of numbers may stand in their masks;
    * `normalized`: also offers 1 over the squared length of the key;
    * `sealed`: the answer is what was recalled, and nothing else may enter it.

    The matrix acts on what came a tick ago, so a machine answers one tick late: give the examples
    `latency=1`.

    >>> from snakebird.synthesis import Examples
    >>> pairs = [({"key": ["a", "b", "a"], "value": [1, 2, 3]}, [0, 0, 1])]
    >>> Plastic().machine(Examples.of(pairs, latency=1))
    <machine: 13 neurons, 39 links>
    """

    _: KW_ONLY
    key: str = "key"
    writes: int = 2
    products: int = 1
    normalized: bool = False
    sealed: bool = False

    def machine(self, examples: Examples) -> Machine:
        """The template for some examples. Raises `InputError` where their streams do not fit."""
        values = self._check(examples)
        made: dict[str, Any] = {**examples.sources(), ONE: nr.constant(value=1)}
        late = {name: f"late_{name}" for name in (self.key, *values)}
        made |= dict.fromkeys((*late.values(), RECALL, "total"), nr.identity())
        row = (RECALL, "x", self.key, "signal")
        links = [Link(new, "x", (old, "signal"), trainable=False) for old, new in late.items()]
        numbers = [(late[name], "result") for name in values]
        numbers += [(RECALL, "result"), (ONE, "result")]
        trees: list[vv.Path] = [(late[self.key], "result")]
        if self.normalized:
            made |= {"length": nr.inner(), "over": nr.reciprocal()}
            links += [_now("length", port, trees[0], 1) for port in ("x", "y")]
            links.append(_now("over", "x", ("length", "dot"), 1))
            numbers.append(("over", "result"))
        links += [_now("total", "x", source) for source in numbers]
        links.append(Link("total", "x", ("total", "result"), 0))
        numbers.append(("total", "result"))
        for k in range(self.products):
            name = f"product_{k + 1}"
            made[name] = nr.product()
            links += [_now(name, port, source) for port in ("x", "y") for source in numbers]
            numbers.append((name, "result"))
        for k in range(self.writes):
            name = f"write_{k + 1}"
            made[name] = nr.gate()
            links += [_now(name, "mask", source) for source in numbers]
            links += [_now(name, "value", source) for source in trees]
            links.append(Link(name, "value", (SELF, "result", *row), 0))
            trees.append((name, "result"))
        made |= {CHANGE: nr.add_update(at=row), SELF: nr.accumulator()}
        links += [_now(CHANGE, "by", source) for source in trees]
        links.append(Link(SELF, "accum", (SELF, "result"), trainable=False))
        links.append(Link(SELF, "delta", (CHANGE, "result"), 1, instant=True, trainable=False))
        made[OUTPUT] = nr.output()
        told = [(RECALL, "result")] if self.sealed else numbers
        for port in examples.outputs:
            links += [_now(OUTPUT, port, source) for source in told]
        return Machine(made, links, matrix_from=(SELF, "result"))

    def _check(self, examples: Examples) -> list[str]:
        """The streams of numbers; raises `InputError` where others do not fit."""
        kinds = examples.streams
        if self.key not in examples.inputs:
            what = f"the examples have no input stream {self.key!r}"
            raise UnknownNameError(what, "Plastic", suggest(self.key, examples.inputs))
        if kinds[self.key] == "number":
            raise InputError(
                f"the stream {self.key!r} holds numbers, expected tokens or trees",
                "Plastic",
                'give numbers under names: {"a": 0.5, "b": 2.0}',
            )
        values = [name for name in examples.inputs if name != self.key]
        _all_numbers(kinds[name] == "number" for name in values)
        _all_numbers(kinds[name] == "number" for name in examples.outputs)
        if examples.latency < 1:
            raise InputError(
                "the matrix acts on what came a tick ago, so no answer can come at once",
                "Plastic",
                "give the examples latency=1",
            )
        return values


def _now(to: str, port: str, source: vv.Path, weight: float = 0) -> Link:
    return Link(to, port, source, weight, instant=True, trainable=weight == 0)


def _all_numbers(are: Iterable[bool]) -> None:
    if not all(are):
        raise InputError(
            "only the keys may be tokens or trees here",
            "Plastic",
            "give values and answers as numbers",
        )
