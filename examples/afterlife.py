"""The game of afterlife: a pure machine from random matrices that sleeps and wakes.

Six neurons take in two network matrices each and give out one: sums, products, maxima. Five more
always give the same matrix. All matrices start at random, the network among them, and after every
frame each is brought to unit size; nothing else is ever put in. The machine rewrites itself for
thousands of frames, hardly moving for a while, then restless again (the published sketch is
"Lightweight pure DMMs", anhinga/fluid, atparty-2018; the machines are those of arXiv 1610.00831).

Draws `afterlife.png`: how much the network changes in each of 3,000 frames, and how it looks.
"""

# %% The shape of everything: 12 inputs by 11 outputs.
import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb
from snakebird import vvalues as vv

SEED, FRAMES = 26, 3000
SOURCES = [(f"{j:02}", "result") for j in range(11)]
INPUTS = [(f"{j:02}", port) for j in range(0, 12, 2) for port in ("x", "y")]
SELF = SOURCES[0]
CORNER = (*INPUTS[0], *SELF)
SPACE = vv.Space([(*row, *source) for row in INPUTS for source in SOURCES])


# %% The neurons. Inputs are not cleared between frames: each comes back, at unit size, by a link
# of weight 1 that no change of the network touches.
def unit(matrix):
    """A matrix divided by the size of its largest entry."""
    return vv.scale(1 / vv.max_norm(matrix), matrix)


def neuron(rule):
    """A neuron type that gives a rule's result and its own two inputs, all at unit size."""

    @sb.neuron(outputs=("result", "x", "y"), loops={"x": "x", "y": "y"}, register=False)
    def lasting(x, y):
        return {"result": unit(rule(x, y)), "x": unit(x), "y": unit(y)}

    return lasting


MEMORY = vv.grow({(*row, *row): 1 for row in INPUTS})


@sb.neuron(outputs=("result", "matrix", "x", "y"), loops={"x": "x", "y": "y"}, register=False)
def lasting_self(x, y):
    """Self: a sum whose first row is kept from harm, and the network in force."""
    network = unit(vv.put(vv.add(x, y), INPUTS[0], vv.grow({SELF: 1.0})))
    network = vv.put(network, CORNER, 1.0)
    return {"result": network, "matrix": vv.add(network, MEMORY), "x": unit(x), "y": unit(y)}


# %% The machine, from its random start.
first = np.random.default_rng(SEED).uniform(-1, 1, (11, SPACE.size))
first = [SPACE.unflatten(matrix) for matrix in first]
add, multiply, larger = neuron(vv.add), neuron(vv.multiply), neuron(sb.maximum)
kinds = [lasting_self, add, multiply, multiply, larger, larger]
neurons = {name: sb.constant(value=unit(first[j])) for j, (name, _) in enumerate(SOURCES)}
neurons |= {SOURCES[2 * k][0]: kind for k, kind in enumerate(kinds)}
machine = sb.Machine(
    neurons,
    [(path[:2], path[2:], weight) for path, weight in vv.entries(vv.add(first[0], MEMORY))],
    {name: {"result": first[j]} for j, (name, _) in enumerate(SOURCES)},
    matrix_from=(SELF[0], "matrix"),
    name="afterlife",
)
print(repr(machine))


# %% Run it, compiled.
low = sb.lower(machine, record=".".join(SELF))
networks = np.asarray(low(ticks=FRAMES)[SELF].data)
change = np.abs(np.diff(networks, axis=0)).max(axis=1)


# %% What must hold: unit size, and a first row by which Self remembers itself.
rows = networks.reshape(FRAMES, len(INPUTS), len(SOURCES))
np.testing.assert_allclose(np.abs(networks).max(axis=1), 1, rtol=1e-5)
np.testing.assert_array_equal(rows[:, 0], np.broadcast_to(np.eye(11)[0], (FRAMES, 11)))

# It sleeps, with steps a hundred times smaller than when it is awake, and it wakes again.
calm = np.convolve(change, np.ones(25) / 25, mode="valid")[100:]
asleep, awake = calm < 0.003, calm > 0.05
falls = np.flatnonzero(np.diff(np.where(asleep, -1, np.where(awake, 1, 0))[asleep | awake]) < 0)
print(f"asleep in {asleep.mean():.0%} of the frames, awake in {awake.mean():.0%}")
print(f"it falls asleep {len(falls)} times")
assert asleep.mean() > 0.1
assert awake.mean() > 0.1
assert len(falls) >= 3


# %% Look at it.
figure = plt.figure(figsize=(11, 4.6), layout="constrained")
axes = figure.subplot_mosaic([["line"] * 6, list("abcdef")], height_ratios=[1.2, 1])
axes["line"].fill_between(np.arange(1, FRAMES), 1e-5, change, color="tab:blue", linewidth=0)
axes["line"].set(yscale="log", ylim=(1e-5, 1), xlim=(0, FRAMES), xlabel="frame")
axes["line"].set_title("Largest change of any entry of the network matrix, frame by frame")
for name, frame in zip("abcdef", [250, 325, 340, 370, 410, 550], strict=True):
    axes[name].imshow(rows[frame - 1], cmap="RdBu", vmin=-1, vmax=1)
    axes[name].set(title=f"frame {frame}", xticks=[], yticks=[])
figure.savefig("afterlife.png", dpi=120)
