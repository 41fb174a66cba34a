"""Levels 0 and 1, brackets, and logic: streams of numbers."""

from fractions import Fraction
from typing import Any

import numpy as np

from benchmarks.ladder._task import Streams, Task, extremes, together
from snakebird.synthesis.programs._examples import Integers, OneOf, Reals, Stepwise

BIT = OneOf(0, 1)
REAL = Reals(-1, 1, denominator=8)
SHORT, LONG = (120, 1200), (200, 2000)


def delay(ticks: int) -> Stepwise:
    """What came so many ticks ago, 0 before."""
    return Stepwise(lambda past, x: ((*past[1:], x), past[0]), (0,) * ticks)


def _pid(state: tuple[Any, Any], e: Any) -> tuple[Any, Any]:
    total, last = state
    total += e
    return (total, e), e + total / Fraction(10) + (e - last) / Fraction(2)


def _average(past: tuple[Any, ...], x: Any) -> tuple[Any, Any]:
    window = (*past, x)
    return window[1:], sum(window) / Fraction(len(window))


def _modulo(count: int, x: int) -> tuple[int, Any]:
    count = (count + x) % 3
    return count, {"zero": int(count == 0), "one": int(count == 1), "two": int(count == 2)}


MEALY = {
    ("s", 0): ("t", 0),
    ("s", 1): ("u", 1),
    ("t", 0): ("t", 1),
    ("t", 1): ("s", 0),
    ("u", 0): ("s", 1),
    ("u", 1): ("t", 1),
}
"""From a state and an input bit to the next state and the output bit."""


def _mealy(state: str, a: int, b: int) -> tuple[str, Any]:
    state, bit = MEALY[state, b]
    return state, {"u": 1 - bit, "v": bit}


def one_hot(rng: np.random.Generator, length: int, wide: bool = False) -> Streams:
    """Input `a` or input `b` is 1 in every tick, the other 0."""
    bits = BIT.draw(rng, length, wide)
    return {"a": [1 - bit for bit in bits], "b": bits}


def _add(carry: int, a: int, b: int) -> tuple[int, int]:
    return (a + b + carry) // 2, (a + b + carry) % 2


def _run_length(run: int, x: int) -> tuple[int, int]:
    run = (run + 1) * x
    return run, run


def _balanced(state: tuple[int, int], x: int) -> tuple[tuple[int, int], int]:
    """1 where as many brackets have closed as opened, and none closed that was not open."""
    depth = state[0] + x
    lowest = min(state[1], depth)
    return (depth, lowest), int(depth == 0 and lowest == 0)


def brackets(rng: np.random.Generator, length: int, wide: bool = False) -> Streams:
    """A walk that never goes below zero; drawn widely, it climbs or stays low."""
    up = rng.choice([0.1, 0.5, 0.9]) if wide else 0.5
    return {"x": _walk(rng, length, up, floor=0)}


def broken(rng: np.random.Generator, length: int, wide: bool = False) -> Streams:
    """The same, but half of the walks close a bracket too many somewhere."""
    walk = brackets(rng, length, wide)["x"]
    if rng.random() < 0.5:
        at = int(rng.integers(length))
        depth = sum(walk[:at])
        tail = _walk(rng, length, 0.5, floor=None)
        walk = (walk[:at] + [-1] * (depth + 1) + tail)[:length]
    return {"x": walk}


def _walk(rng: np.random.Generator, length: int, up: float, floor: int | None) -> list[int]:
    steps, depth = [], 0
    for chance in rng.random(length).tolist():
        step = 1 if chance < up or depth == floor else -1
        depth += step
        steps.append(step)
    return steps


def nested(length: int) -> list[Streams]:
    """The deepest nesting, the flattest, one that is left open."""
    half = length // 2
    deep = [1] * half + [-1] * half + [1] * (length - 2 * half)
    return [{"x": x} for x in (deep, ([1, -1] * length)[:length], [1] * length)]


def unnested(length: int) -> list[Streams]:
    """Violations: at once, after the deepest nesting, and made good again."""
    half = length // 2
    late = ([1] * (half - 1) + [-1] * half + [1] * length)[:length]
    healed = ([-1, 1] * length)[:length]
    return [*nested(length), *({"x": x} for x in ([-1] * length, late, healed))]


def _rule_110(state: None, left: int, center: int, right: int) -> tuple[None, int]:
    return None, (110 >> (4 * left + 2 * center + right)) & 1


def trace(rng: np.random.Generator, length: int, wide: bool = False) -> Streams:
    """A row of cells of rule 110, some steps after a random one, each with its neighbors."""
    row = np.array(BIT.draw(rng, length, wide))
    for _ in range(rng.integers(8)):
        row = (110 >> (4 * np.roll(row, 1) + 2 * row + np.roll(row, -1))) & 1
    rows = {"left": np.roll(row, 1), "center": row, "right": np.roll(row, -1)}
    return {name: cells.tolist() for name, cells in rows.items()}


def chain(bits: int) -> Task:
    """The parity of so many bits that come at once: no part of the answer helps the rest."""
    names = [f"x{k}" for k in range(1, bits + 1)]
    ones, zeros = [[1]] * bits, [[0]] * bits
    last = [[0]] * (bits - 1) + [[1]]
    rows = zip(ones, zeros, last, [[0, 1]] * bits, strict=True)
    return Task(
        id=f"P24k{bits}",
        name=f"parity chain of {bits} bits",
        level=5,
        reference=Stepwise(lambda state, **x: (None, sum(x.values()) % 2), None),
        draws=dict.fromkeys(names, BIT),
        train_length=16,
        test_lengths=(160, 1600),
        adversarial=together(**dict(zip(names, rows, strict=True))),
        reference_links=3 * bits + 1,
    )


NUMBERS = (
    Task(
        id="P1",
        name="running sum",
        level=0,
        reference=Stepwise(lambda total, x: (total + x, total + x), 0),
        draws={"x": Integers(-2, 2)},
        train_length=12,
        test_lengths=SHORT,
        adversarial=extremes("x", -2, 2),
        reference_links=3,
    ),
    Task(
        id="P2a",
        name="delay by 2 ticks",
        level=0,
        reference=delay(2),
        draws={"x": REAL},
        train_length=12,
        test_lengths=SHORT,
        adversarial=extremes("x", -1, 1),
        reference_links=5,
    ),
    Task(
        id="P2b",
        name="delay by 4 ticks",
        level=0,
        reference=delay(4),
        draws={"x": REAL},
        train_length=12,
        test_lengths=SHORT,
        adversarial=extremes("x", -1, 1),
        reference_links=5,
    ),
    Task(
        id="P3",
        name="proportional, integral and differential control",
        level=0,
        reference=Stepwise(_pid, (0, 0)),
        draws={"e": REAL},
        train_length=20,
        test_lengths=LONG,
        adversarial=extremes("e", -1, 1),
        reference_links=7,
    ),
    Task(
        id="P4",
        name="moving average of 4",
        level=0,
        reference=Stepwise(_average, (0, 0, 0)),
        draws={"x": REAL},
        train_length=20,
        test_lengths=LONG,
        adversarial=extremes("x", -1, 1),
        reference_links=8,
    ),
    Task(
        id="P5",
        name="running maximum",
        level=1,
        reference=Stepwise(lambda top, x: (max(top, x),) * 2, 0),
        draws={"x": Integers(0, 9)},
        train_length=12,
        test_lengths=SHORT,
        adversarial=extremes("x", 0, 9),
        reference_links=6,
    ),
    Task(
        id="P6",
        name="parity",
        level=1,
        reference=Stepwise(lambda odd, x: ((odd + x) % 2,) * 2, 0),
        draws={"x": BIT},
        train_length=12,
        test_lengths=SHORT,
        adversarial=extremes("x", 0, 1),
        reference_links=5,
    ),
    Task(
        id="P7a",
        name="count modulo 3, one output for each remainder",
        level=1,
        reference=Stepwise(_modulo, 0),
        draws={"x": BIT},
        train_length=12,
        test_lengths=SHORT,
        adversarial=extremes("x", 0, 1),
        reference_links=12,
    ),
    Task(
        id="P7b",
        name="Mealy machine of 3 states",
        level=1,
        reference=Stepwise(_mealy, "s"),
        draws=one_hot,
        train_length=12,
        test_lengths=SHORT,
        adversarial=together(a=([1], [0], [1, 0], [1, 1, 0]), b=([0], [1], [0, 1], [0, 0, 1])),
        reference_links=12,
    ),
    Task(
        id="P8",
        name="serial adder",
        level=1,
        reference=Stepwise(_add, 0),
        draws={"a": BIT, "b": BIT},
        train_length=12,
        test_lengths=SHORT,
        adversarial=together(a=([1], [0], [1], [1, 0], [1]), b=([1], [0], [0], [0, 1], [1, 0])),
        reference_links=15,
    ),
    Task(
        id="P9",
        name="length of the run of ones",
        level=1,
        reference=Stepwise(_run_length, 0),
        draws={"x": BIT},
        train_length=12,
        test_lengths=SHORT,
        adversarial=extremes("x", 0, 1),
        reference_links=6,
    ),
    Task(
        id="P11a",
        name="brackets: depth zero",
        level=2,
        reference=Stepwise(_balanced, (0, 0)),
        draws=brackets,
        train_length=12,
        test_lengths=SHORT,
        adversarial=nested,
        reference_links=5,
    ),
    Task(
        id="P11b",
        name="brackets: balanced so far, or broken for ever",
        level=2,
        reference=Stepwise(_balanced, (0, 0)),
        draws=broken,
        arrives={"x": (1, -1)},
        train_length=12,
        test_lengths=SHORT,
        adversarial=unnested,
        reference_links=8,
    ),
    Task(
        id="P23",
        name="local rule 110 from traces",
        level=5,
        reference=Stepwise(_rule_110, None),
        draws=trace,
        arrives=dict.fromkeys(("left", "center", "right"), BIT),
        train_length=16,
        test_lengths=(160, 1600),
        adversarial=together(
            left=([0], [1], [0, 1], [0, 0, 1, 1]),
            center=([0], [1], [1, 0], [0, 1, 1, 0]),
            right=([0], [1], [0, 1], [1, 1, 0, 0]),
        ),
        reference_links=10,
    ),
    chain(4),
    chain(8),
    chain(16),
)
"""Tasks whose streams are numbers."""
