"""The task of both trained machines: detect repeated characters in a short string.

A character enters every tenth tick. The wanted answers are those of a hand-made machine of nine
neurons: `dict-1` is how often the commonest character was seen beyond the first time, `dict-2` the
number of full stops; both are read at the inputs of the neuron `output`.

Source: M. Bukatin, julia-flux-drafts, `arxiv-1606-09470-section3/May-August-2022/v0-1`.
"""

import numpy as np

TEXT = "test string."
TICKS = 140
EVERY = 10
CAP = 4.0
KEYS = (":number", *sorted(set(TEXT)))
"""The paths of every stream of the task; the plain number comes first."""


def emitted(text: str = TEXT, ticks: int = TICKS) -> np.ndarray:
    """What the neuron `input` gives out in each tick: shape (ticks, keys).

    The timer value it receives in tick `t` is `t`; the last character repeats for ever.
    """
    out = np.zeros((ticks, len(KEYS)))
    for t in range(0, ticks, EVERY):
        out[t, KEYS.index(text[min(t // EVERY, len(text) - 1)])] = 1.0
    return out


def sources(first: bool, text: str = TEXT, ticks: int = TICKS) -> np.ndarray:
    """The outputs of `input`, `eos`, `const_1` that are read in each tick: shape (ticks, keys, 3).

    first: whether `eos` and `const_1` already speak in the first tick. `input` never does: a tick
    reads what the tick before gave out.
    """
    out = np.zeros((ticks, len(KEYS), 3))
    out[1:, :, 0] = emitted(text, ticks)[:-1]
    out[0 if first else 1 :, KEYS.index("."), 1] = 1.0
    out[0 if first else 1 :, 0, 2] = 1.0
    return out


def targets(text: str = TEXT, ticks: int = TICKS) -> np.ndarray:
    """The hand-made machine's answers `dict-1`, `dict-2` in each tick: shape (ticks, 2).

    Every line below reads only values of the tick before, so a character reaches `dict-2` after
    three ticks and `dict-1` after four.
    """
    stop = KEYS.index(".")
    char, counts = np.zeros(len(KEYS)), np.zeros(len(KEYS))
    norm = compare = dot = 0.0
    out = np.zeros((ticks, 2))
    for t, entering in enumerate(emitted(text, ticks)):
        out[t] = compare, dot
        compare, dot = max(norm - 1.0, 0.0), min(counts[stop], CAP)
        norm, counts, char = np.abs(counts).max(), counts + char, entering
    return out
