# slow
"""A machine that edits itself: a wave in the row that controls the editing.

Three neurons each emit a change of the network matrix. Which one of them reaches Self is decided
by the row of the matrix that ends at Self's own input `delta`; and the change each of them brings
is to that very row: it takes itself out and puts the next one in. So a 1 travels through the row,
with period three, for ever (arXiv 1706.00648, appendix B.2).

Draws `self_editing_wave.png`: the control row over time.
"""

# %% The machine.
import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb

COUNT = 3
NAMES = [f"update_{k}" for k in range(COUNT)]


def handing_on(k):
    """The change of the matrix that moves the 1 in the control row from neuron k to the next."""
    return {"self": {"delta": {NAMES[k]: {"result": -1}, NAMES[(k + 1) % COUNT]: {"result": 1}}}}


with sb.Builder(name="wave") as builder:
    updates = [sb.constant(value=handing_on(k), name=NAMES[k]) for k in range(COUNT)]
    network = sb.accumulator(delta=updates[0], name="self")  # a matrix that remembers itself
    sb.carries_matrix(network)
wave = builder.machine
print(*wave.links, sep="\n")


# %% The readable engine shows the control row as a tree.
TICKS = 40
readable = sb.run(wave, TICKS)
rows = [now.outputs["self"]["result"]["self"]["delta"] for now in readable]
print(*rows[:6], sep="\n")

# There is always a single 1 in it, and after three ticks it is where it was.
assert all(list(row.values()) == [{"result": 1}] for row in rows)
assert rows[:-COUNT] == rows[COUNT:]


# %% Compiled, the matrix is one array among the others, and changes as freely.
trace = sb.lower(wave, record="self.result")(ticks=TICKS)
image = np.stack(
    [trace.number(("self", "result", "self", "delta", name, "result")) for name in NAMES]
)
np.testing.assert_array_equal(
    image, [[row.get(name, {}).get("result", 0) for row in rows] for name in NAMES]
)


# %% Look at it.
figure, axes = plt.subplots(figsize=(9, 1.9), layout="constrained")
axes.imshow(image, cmap="Blues", vmin=-0.15, vmax=1.1, aspect="auto")
axes.set_yticks(range(COUNT), [f"self.delta <- {name}" for name in NAMES])
axes.set_xticks(range(4, TICKS, 5), range(5, TICKS + 1, 5))
axes.set(xlabel="tick", title="The control row of the network matrix")
axes.set_xticks(np.arange(TICKS + 1) - 0.5, minor=True)
axes.set_yticks(np.arange(COUNT + 1) - 0.5, minor=True)
axes.grid(which="minor", color="white", linewidth=1.5)
axes.tick_params(which="both", length=0)
axes.spines[:].set_visible(False)
figure.savefig("self_editing_wave.png", dpi=120)
