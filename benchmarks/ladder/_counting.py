"""The acceptor of level 2, and counting over an open vocabulary."""

from typing import Any

import numpy as np

from benchmarks.ladder._task import Streams, Task
from snakebird import vvalues as vv
from snakebird.synthesis.programs._examples import Stepwise, TokenDraw

LETTERS = TokenDraw("abcdef", more=40)


def _acceptor(state: tuple[int, int, int, bool], x: str) -> tuple[Any, dict[str, int]]:
    """Whether the letters so far can still become a^n b^n c^n, n > 0, and whether they are it."""
    a, b, c, possible = state
    if x == "a":
        a, possible = a + 1, possible and b == c == 0
    elif x == "b":
        b, possible = b + 1, possible and c == 0 and b < a
    else:
        c, possible = c + 1, possible and b == a and c < a
    accepted = possible and a == b == c
    return (a, b, c, possible), {"possible": int(possible), "accepted": int(accepted)}


def _word(n: int) -> str:
    return "a" * n + "b" * n + "c" * n


def near_words(rng: np.random.Generator, length: int, wide: bool = False) -> Streams:
    """Members and what comes after them, members with one letter wrong, missing or too many."""
    word = list(_word(int(rng.integers(1, length // 3 + 2))))
    at = int(rng.integers(min(len(word), length)))
    letter = "abc"[rng.integers(3)]
    change = rng.integers(5)
    if change == 0:
        word[at] = letter
    elif change == 1:
        word.insert(at, letter)
    elif change == 2:
        del word[at]
    tail = ["abc"[k] for k in rng.integers(3, size=length)]
    return {"x": (word + tail)[:length]}


def hard_words(length: int) -> list[Streams]:
    """The longest members, one letter too few or too many, and one letter only."""
    n = length // 3
    words = (
        _word(n),
        "a" * n + "b" * (n - 1) + "c" * n,
        "a" * n + "b" * (n + 1),
        "a" * (n - 1) + "b" * (n - 1) + "c" * n,
        "a" * length,
        "b",
        "c",
    )
    return [{"x": list((word + "a" * length)[:length])} for word in words]


def _more(counts: dict[str, int], x: str) -> dict[str, int]:
    return {**counts, x: counts.get(x, 0) + 1}


def _count(counts: dict[str, int], x: str) -> tuple[dict[str, int], int]:
    counts = _more(counts, x)
    return counts, counts[x]


def _repeats(state: tuple[dict[str, int], int], x: str) -> tuple[Any, int]:
    counts, repeats = state
    repeats += x in counts
    return (_more(counts, x), repeats), repeats


def _largest(state: tuple[dict[str, int], int], x: str) -> tuple[Any, dict[str, int]]:
    counts, most = state
    counts = _more(counts, x)
    most = max(most, counts[x])
    return (counts, most), {"duplicate": most - 1, "end": counts.get(".", 0)}


def sentences(rng: np.random.Generator, length: int, wide: bool = False) -> Streams:
    """Letters, and now and then a full stop."""
    tokens, ends = LETTERS.draw(rng, length, wide), rng.random(length) < 0.15
    return {"x": ["." if end else token for token, end in zip(tokens, ends, strict=True)]}


def new_tokens(length: int) -> list[Streams]:
    """Every token new; always the same; each twice; one that comes back only at the end."""
    new = [f"n{k}" for k in range(length)]
    twice = [token for token in new for _ in range(2)][:length]
    return [{"x": x} for x in (new, ["q"] * length, twice, [*new[:-1], new[0]])]


def full_stops(length: int) -> list[Streams]:
    """The same with full stops: at the end, only, and before all else."""
    ended = [{"x": [*case["x"][:-1], "."]} for case in new_tokens(length)]
    new = [f"n{k}" for k in range(length)]
    return [*ended, {"x": ["."] * length}, {"x": [".", *new[1:]]}]


def _words(state: tuple[tuple[str, ...], Any], x: str) -> tuple[Any, dict[str, Any]]:
    """How often each word came, as a tree below its letters; asked where a space ends a word."""
    word, counts = state
    if x != " ":
        return ((*word, x), counts), {"words": None}
    branch: Any = 1
    for letter in reversed(word):
        branch = {letter: branch}
    counts = vv.add(counts, branch)
    return ((), counts), {"words": counts}


def text(rng: np.random.Generator, length: int, wide: bool = False) -> Streams:
    """Words of a small vocabulary with a space after each; drawn widely, of other letters."""
    letters = LETTERS.values(rng, 40, wide) if wide else list("abcdef")
    vocabulary = [
        [letters[k] for k in rng.integers(len(letters), size=rng.integers(1, 5))]
        for _ in range(40 if wide else 5)
    ]
    chars: list[str] = []
    while len(chars) < length:
        chars += [*vocabulary[rng.integers(len(vocabulary))], " "]
    return {"x": chars[:length]}


def hard_texts(length: int) -> list[Streams]:
    """One word over and over, words that begin like others, one-letter words, a long word."""
    begun = [c for n in (1, 2, 3) for c in [*"abc"[:n], " "]]
    long = [*"abcdefghij"[: length - 1], " "]
    return [{"x": (x * length)[:length]} for x in ([*"ab", " "], begun, [*"a b "], long)]


COUNTING = (
    Task(
        id="P12",
        name="acceptor of a^n b^n c^n",
        level=2,
        reference=Stepwise(_acceptor, (0, 0, 0, True)),
        draws=near_words,
        arrives={"x": ("a", "b", "c")},
        train_length=18,
        test_lengths=(180, 1800),
        adversarial=hard_words,
        reference_links=14,
    ),
    Task(
        id="P14",
        name="how often this token has come",
        level=3,
        reference=Stepwise(_count, {}),
        draws={"x": LETTERS},
        train_length=12,
        test_lengths=(120, 1000),
        adversarial=new_tokens,
        reference_links=5,
    ),
    Task(
        id="P15",
        name="how many tokens had come before",
        level=3,
        reference=Stepwise(_repeats, ({}, 0)),
        draws={"x": LETTERS},
        train_length=12,
        test_lengths=(120, 1000),
        adversarial=new_tokens,
        reference_links=12,
    ),
    Task(
        id="P15flag",
        name="whether this token has come before",
        level=3,
        reference=Stepwise(lambda seen, x: (seen | {x}, int(x in seen)), frozenset()),
        draws={"x": LETTERS},
        train_length=12,
        test_lengths=(120, 1000),
        adversarial=new_tokens,
        reference_links=6,
    ),
    Task(
        id="P15max",
        name="how often the most frequent token was repeated, and full stops",
        level=3,
        reference=Stepwise(_largest, ({}, 0)),
        draws=sentences,
        arrives={"x": str},
        train_length=12,
        test_lengths=(120, 1000),
        adversarial=full_stops,
        reference_links=11,
    ),
    Task(
        id="P17",
        name="word count from characters, as a tree of letters",
        level=3,
        reference=Stepwise(_words, ((), {})),
        draws=text,
        train_length=30,
        test_lengths=(300, 3000),
        adversarial=hard_texts,
        reference_links=10,
    ),
)
"""Tasks that count tokens."""
