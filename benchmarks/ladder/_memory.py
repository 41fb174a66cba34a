"""Memory over an open vocabulary: stores, lists, queues and stacks."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.ladder._counting import LETTERS
from benchmarks.ladder._task import Streams, Task
from snakebird.synthesis.programs._examples import Stepwise, TokenDraw


def _store(held: dict[str, Any], write: Any, value: Any, read: Any) -> tuple[dict[str, Any], Any]:
    """The value last written under the key that is read; asked only where one is read."""
    if write is not None:
        held = {**held, write: value}
    return held, {"value_read": None if read is None else held.get(read, {})}


def accesses(rng: np.random.Generator, length: int, wide: bool = False) -> Streams:
    """In each tick a value is written under a key, or a key is read; most keys are known."""
    count = 64 if wide else 8
    keys = TokenDraw([f"k{k}" for k in range(8)], more=count).draw(rng, length, wide)
    values = TokenDraw([f"v{k}" for k in range(8)], more=count).draw(rng, length, wide)
    writes = (rng.random(length) < 0.5).tolist()
    return _accesses(keys, values, writes)


def _accesses(keys: list[str], values: list[str], writes: list[bool]) -> Streams:
    rows = list(zip(keys, values, writes, strict=True))
    return {
        "write": [key if writes else None for key, _, writes in rows],
        "value": [value if writes else None for _, value, writes in rows],
        "read": [None if writes else key for key, _, writes in rows],
    }


def hard_accesses(length: int) -> list[Streams]:
    """One key overwritten and read in turn; all written before all are read; nothing written."""
    values = [f"v{k}" for k in range(length)]
    half = length // 2
    many = [f"k{k}" for k in range(half)]
    last = [f"k{k}" for k in range(length - half)]
    turns = [t % 2 == 0 for t in range(length)]
    return [
        _accesses(["k"] * length, values, turns),
        _accesses(many + last, values, [t < half for t in range(length)]),
        _accesses(["k"] * length, values, [False] * length),
    ]


ALWAYS_ASKED = 16
"""A list is asked for in so many first ticks, and then at powers of two: it is long."""


def _events(state: tuple[int, Any], click: Any) -> tuple[Any, dict[str, Any]]:
    """All clicks so far, the last one outermost."""
    tick, clicks = state
    if click is not None:
        clicks = {"this": click, **({"rest": clicks} if clicks else {})}
    tick += 1
    asked = tick <= ALWAYS_ASKED or tick & (tick - 1) == 0
    return (tick, clicks), {"clicks": clicks if asked else None}


def clicks(rng: np.random.Generator, length: int, wide: bool = False) -> Streams:
    """Clicks at places, some 50 at most; drawn widely, they are rare or frequent."""
    often = min(0.5 if not wide else rng.choice([0.1, 0.9]), 50 / length)
    places = rng.integers(1, 10, size=(length, 2)).tolist()
    there = rng.random(length) < often
    return {
        "click": [{"x": x, "y": y} if k else None for (x, y), k in zip(places, there, strict=True)]
    }


def hard_clicks(length: int) -> list[Streams]:
    """None, one at the end, the same one all over, one coordinate that is zero."""
    end = [None] * (length - 1)
    few = [t < 50 for t in range(length)]
    return [
        {"click": [None] * length},
        {"click": [*end, {"x": 1, "y": 2}]},
        {"click": [{"x": 1, "y": 1} if now else None for now in few]},
        {"click": [{"x": t % 2, "y": 1} if now else None for t, now in enumerate(few)]},
    ]


def _replay(last_first: bool) -> Callable[..., Any]:
    """After the go tick the tokens before it, one a tick; nothing is asked before that."""

    def step(state: tuple[tuple[str, ...], bool], x: Any, go: int) -> tuple[Any, dict[str, Any]]:
        held, gone = state
        if not gone:
            held = held if x is None else (*held, x)
            return (held, bool(go)), {"replayed": None}
        if not held:
            return state, {"replayed": {}}
        token, rest = (held[-1], held[:-1]) if last_first else (held[0], held[1:])
        return (rest, True), {"replayed": token}

    return step


def recordings(rng: np.random.Generator, length: int, wide: bool = False) -> Streams:
    """Tokens, the go tick, and time to replay them; drawn widely, any number of them."""
    most = (length - 1) // 2
    count = int(rng.integers(1 if wide else max(1, most // 2), most + 1))
    return _recording(LETTERS.draw(rng, count, wide), length)


def _recording(tokens: list[str], length: int) -> Streams:
    silent = length - len(tokens)
    return {
        "x": [*tokens, *[None] * silent],
        "go": [*[0] * len(tokens), 1, *[0] * (silent - 1)],
    }


def hard_recordings(length: int) -> list[Streams]:
    """All alike, all different, a palindrome, a single one."""
    most = (length - 1) // 2
    new = [f"n{k}" for k in range(most)]
    mirrored = (new[: most // 2] + new[: most // 2][::-1]) or new
    return [_recording(tokens, length) for tokens in (["a"] * most, new, mirrored, ["a"])]


OPENS = {")": "(", "]": "["}


def _dyck(stack: str, x: str) -> tuple[str, int]:
    """1 where all brackets so far are closed by their own kind; a wrong one breaks it for ever."""
    if stack == "!" or (x in OPENS and stack[-1:] != OPENS[x]):
        return "!", 0
    stack = stack[:-1] if x in OPENS else stack + x
    return stack, int(not stack)


def two_kinds(rng: np.random.Generator, length: int, wide: bool = False) -> Streams:
    """Well nested brackets of two kinds; in half of them one is exchanged for another."""
    up = rng.choice([0.1, 0.5, 0.9]) if wide else 0.5
    chars, waiting = [], ""
    for chance, kind in zip(rng.random(length), rng.integers(2, size=length), strict=True):
        if chance < up or not waiting:
            chars.append("(["[kind])
            waiting += ")]"[kind]
        else:
            chars.append(waiting[-1])
            waiting = waiting[:-1]
    if rng.random() < 0.5:
        chars[rng.integers(length)] = "()[]"[rng.integers(4)]
    return {"x": chars}


def hard_brackets(length: int) -> list[Streams]:
    """The deepest nesting of each kind and of both, crossed ones, the flattest."""
    half = length // 2
    both = ("([" * half)[:half]
    closed = "".join({"(": ")", "[": "]"}[c] for c in reversed(both))
    texts = ("(" * half + ")" * half, both + closed, both + ")" * half, "[]" * half, "([)]" * half)
    return [{"x": list((text + "()" * length)[:length])} for text in texts]


MEMORY = (
    Task(
        id="P18",
        name="key-value store with overwriting",
        level=3,
        reference=Stepwise(_store, {}),
        draws=accesses,
        train_length=20,
        test_lengths=(200, 2000),
        adversarial=hard_accesses,
        reference_links=12,
    ),
    Task(
        id="P19",
        name="list of events",
        level=3,
        reference=Stepwise(_events, (0, {})),
        draws=clicks,
        train_length=10,
        test_lengths=(100, 1000),
        adversarial=hard_clicks,
        reference_links=8,
    ),
    Task(
        id="P20",
        name="copy after a go marker",
        level=4,
        reference=Stepwise(_replay(last_first=False), ((), False)),
        draws=recordings,
        train_length=21,
        test_lengths=(201, 2001),
        adversarial=hard_recordings,
        reference_links=12,
    ),
    Task(
        id="P21",
        name="reverse after a go marker",
        level=4,
        reference=Stepwise(_replay(last_first=True), ((), False)),
        draws=recordings,
        train_length=21,
        test_lengths=(201, 2001),
        adversarial=hard_recordings,
        reference_links=14,
    ),
    Task(
        id="P21dyck",
        name="brackets of two kinds",
        level=4,
        reference=Stepwise(_dyck, ""),
        draws=two_kinds,
        train_length=20,
        test_lengths=(200, 2000),
        adversarial=hard_brackets,
        reference_links=14,
    ),
)
"""Tasks that must keep what has come."""
