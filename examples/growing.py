# slow
"""A machine that makes itself a new neuron whenever a new word comes.

At first there is a pool of silent neurons, and the network matrix has no link to any of them. A
word that nobody counts yet gets the first free one: the machine emits a change of its own matrix
that links the neuron to what stands under that word in the stream, and to itself, so that it
remembers. What comes again finds its neuron there. So the machine is as large as what it has met
(arXiv 1712.07447, section 5: the network is countable, and a finite part of it is active). Draws
`growing.png`.
"""

# %% The machine. What it counts is late enough for the new link to hear the first word too.
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb
from snakebird import vvalues as vv

SENTENCE = "a rose is a rose is a rose said the rose and the rose is a rose"
TEXT = SENTENCE.split()
POOL = [f"counter {k}" for k in range(8)]


def growing(pool):
    """The machine that counts words with the neurons of this pool."""
    with sb.Builder(name="growing") as builder:
        edit = sb.machines.Editor(links=2)  # no more new links in a tick: to a word, to itself
        word = sb.source(tokens=sorted({*TEXT}))
        sb.identity(word, name="late")  # where new links begin
        for name in pool:
            sb.accumulator(name=name, loops=False)
        new = edit.allocate(sb.instant(word), pool, "delta <- late.result", loop="accum <- result")
        sb.output(without=sb.accumulate(new.refused))
    return builder.machine


machine = growing(POOL)
print(*machine.links, sep="\n")


# %% Let it read, and ask the matrix which neuron serves which word.
TICKS = len(TEXT) + 3
trace = sb.lower(machine, record="all")({"word": TEXT}, TICKS)
ticks = trace.ticks()


def served(matrix):
    """Which neuron counts which word, by the links of a matrix."""
    return {
        p[4]: p[0]
        for p, _ in vv.entries(matrix)
        if p[0] in POOL and p[1:4] == ("delta", "late", "result")
    }


last = ticks[-1].outputs
neurons = served(last["self"]["result"])
counts = {word: last[name]["result"] for word, name in neurons.items()}
print("\n", counts)

# It counts like Python, and it grew by one neuron for each word, in the order in which they came.
assert counts == Counter(TEXT)
assert neurons == dict(zip(dict.fromkeys(TEXT), POOL, strict=False))
assert not vv.count(last["output"])

# The readable engine does the same.
readable = sb.run(machine, TICKS, inputs={"word": TEXT})
assert all(vv.equal(a.outputs, b.outputs) for a, b in zip(readable, ticks, strict=True))


# %% A pool that is too small serves those who came first, and says who was sent away.
small = sb.run(growing(POOL[:3]), TICKS, inputs={"word": TEXT})
refused = small.last["output"]["without"]
assert refused == {word: n for word, n in Counter(TEXT).items() if word not in ("a", "rose", "is")}
print("\nno neuron was left for", refused)


# %% Look at it: the machine grows only where something new comes.
steps = np.arange(1, TICKS + 1)
size = [len(served(now.outputs["self"]["result"])) for now in ticks]
figure, axes = plt.subplots(2, 1, figsize=(9, 4.6), sharex=True, layout="constrained")
axes[0].step(steps, size, where="mid", color="tab:orange")
axes[0].set(title="Neurons that count", ylim=(0, len(POOL)))
image = np.array(
    [[vv.number(vv.get(now.outputs, name, "result")) for now in ticks] for name in neurons.values()]
)
axes[1].imshow(
    image, cmap="Blues", vmin=-0.4, aspect="auto", extent=(0.5, TICKS + 0.5, len(image) - 0.5, -0.5)
)
axes[1].set_yticks(range(len(neurons)), neurons)
axes[1].set_xticks(steps[: len(TEXT)], TEXT, rotation=90)
axes[1].set(title="What they have counted")
axes[0].spines[["top", "right"]].set_visible(False)
figure.savefig("growing.png", dpi=120)
