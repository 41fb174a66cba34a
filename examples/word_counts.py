"""Count the words of a text with a machine of one accumulator.

    python examples/word_counts.py [FILE]

A word arrives each tick as the vector `{word: 1}`, and an accumulator adds these vectors up: its
value is the table of all counts, one vector in a space with as many dimensions as there are words
(arXiv 1606.09470, section 3). The text is read in pieces, each going on from the state that the one
before left behind, so the file may be long. Without FILE the project's own license is counted.

Draws `word_counts.png`: the ten most frequent words, and how their counts grow through the text.
"""

# %% The text, and its words.
import re
import sys
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb

given = [arg for arg in sys.argv[1:] if Path(arg).is_file()]
path = Path(given[0]) if given else Path(__file__).parents[1] / "LICENSE"
words = re.findall(r"\w+(?:['’]\w+)*", path.read_text("utf-8", errors="replace").lower())
top = [word for word, _ in Counter(words).most_common(10)]


# %% The machine. An instant link brings this tick's word, so that no count comes late.
@sb.machine
def word_counts(word: sb.Tokens(sorted(set(words)))):
    """The table of counts, the parts of it to be drawn, and the largest count."""
    table = sb.accumulate(sb.instant(word))
    shown = {each: sb.instant(table[each]) for each in top}
    return {**shown, ":largest": sb.max_norm(sb.instant(table))}


print(f"{path.name}: {len(words)} words, {len(set(words))} different; {word_counts!r}")


# %% Compiled, and run piece by piece. Only what is drawn is recorded.
low = sb.lower(word_counts)
PIECE = 1000
state, curves = None, []
for begin in range(0, len(words), PIECE):
    piece = words[begin : begin + PIECE]
    trace = low({"word": piece + [None] * (PIECE - len(piece))}, PIECE, state=state)
    state = trace.state
    curves.append(np.stack([trace.number(("output", each)) for each in top], axis=1)[: len(piece)])
curves = np.concatenate(curves)


# %% The last state holds the whole table. It must be what plain Python counts.
table = low.outputs(state)["table"]["result"]
assert table == Counter(words)
for word in top:
    print(f"{int(table[word]):7d}  {word}")


# %% Look at it.
figure, (bars, growth) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
colors = plt.colormaps["viridis"](np.linspace(0, 0.9, len(top)))
bars.barh(top, [table[word] for word in top], color=colors)
bars.invert_yaxis()
bars.set(title=f"Most frequent words of {path.name}", xlabel="count")
for curve, word, color in zip(curves.T, top, colors, strict=True):
    growth.plot(np.arange(1, len(words) + 1), curve, color=color, label=word)
growth.set(title="Their counts through the text", xlabel="words read", ylabel="count")
growth.legend(fontsize="small", frameon=False)
for axes in (bars, growth):
    axes.spines[["top", "right"]].set_visible(False)
figure.savefig("word_counts.png", dpi=120)
