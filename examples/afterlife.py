# slow
"""The game of afterlife: pure machines from random matrices, which sleep and wake, or swing.

Six neurons take in two network matrices each and give out one: sums, products, maxima. Five more
always give the same matrix. All matrices start at random, the network among them, and after every
frame each is brought to unit size; nothing else is ever put in. The machine rewrites itself for
thousands of frames, hardly moving for a while, then restless again. With a soft rule of Life in
place of sums, products and maxima, the mean of all inputs goes to one of two values of opposite
sign and stays there; from some starts it swings between them without end (the published sketches
are "Lightweight pure DMMs", anhinga/fluid, atparty-2018; the machines are those of arXiv
1610.00831).

Draws how much happens in 3,000 frames of the first, and how its network looks:
`afterlife.png`, `afterlife_wakes.png`, `afterlife.gif`; the second in `afterlife_life.png`.
"""

# %% The shape of everything: 12 inputs by 11 outputs.
import jax.numpy as jnp
import numpy as np

import snakebird as sb
from snakebird import vvalues as vv

FRAMES = 3000
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


def lasting(rule):
    """A neuron type that gives a rule's result and its own two inputs, all at unit size."""

    @sb.neuron(outputs=("result", "x", "y"), loops={"x": "x", "y": "y"}, register=False)
    def kind(x, y):
        return {"result": unit(rule(x, y)), "x": unit(x), "y": unit(y)}

    return kind


MEMORY = vv.grow({(*row, *row): 1 for row in INPUTS})


@sb.neuron(outputs=("result", "matrix", "x", "y"), loops={"x": "x", "y": "y"}, register=False)
def lasting_self(x, y):
    """Self: a sum whose first row is kept from harm, and the network in force."""
    network = unit(vv.put(vv.add(x, y), INPUTS[0], vv.grow({SELF: 1.0})))
    network = vv.put(network, CORNER, 1.0)
    return {"result": network, "matrix": vv.add(network, MEMORY), "x": unit(x), "y": unit(y)}


@lasting
def life(x, y):
    """A soft rule of Life on a torus: black where a cell and its neighbors have too much or little.

    What counts is three times the cell and its eight neighbors: in [-1, 1] and in [4, 6] it is -1,
    else 1. The second input is not asked.
    """
    grid = vv.flatten(x, SPACE).data.reshape(len(INPUTS), len(SOURCES))
    moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    near = 2 * grid + sum(jnp.roll(grid, move, axis=(0, 1)) for move in moves)
    dies = ((near >= -1) & (near <= 1)) | ((near >= 4) & (near <= 6))
    return vv.Flat(SPACE, jnp.where(dies, -1.0, 1.0).ravel())


# %% The machines, from their random start.
def afterlife(seed, *kinds):
    """The machine in which these five types stand beside Self."""
    first = np.random.default_rng(seed).uniform(-1, 1, (11, SPACE.size))
    first = [SPACE.unflatten(matrix) for matrix in first]
    neurons = {name: sb.constant(value=unit(first[j])) for j, (name, _) in enumerate(SOURCES)}
    neurons |= {SOURCES[2 * k][0]: kind for k, kind in enumerate([lasting_self, *kinds])}
    return sb.Machine(
        neurons,
        [(path[:2], path[2:], weight) for path, weight in vv.entries(vv.add(first[0], MEMORY))],
        {name: {"result": first[j]} for j, (name, _) in enumerate(SOURCES)},
        matrix_from=(SELF[0], "matrix"),
        name="afterlife",
    )


add, multiply, larger = lasting(vv.add), lasting(vv.multiply), lasting(sb.maximum)
machine = afterlife(26, add, multiply, multiply, larger, larger)
swinging = afterlife(145, *[life] * 5)
print(repr(machine))


# %% Run the first, compiled.
SHAPE = (len(INPUTS), len(SOURCES))
low = sb.lower(machine, record=".".join(SELF))
networks = np.asarray(low(ticks=FRAMES)[SELF].data)
change = np.abs(np.diff(networks, axis=0)).max(axis=1)


# %% What must hold: unit size, and a first row by which Self remembers itself.
rows = networks.reshape(FRAMES, *SHAPE)
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


# %% Look at it: how much each row of its network changes, all the time, and as it wakes.
look = {"change": True, "log": True, "colors": "RdBu", "limit": 1.0}
at = [250, 325, 340, 370, 410, 550, 1500, 3000]
sb.report.time_line(rows, images=rows, at=at, **look).savefig("afterlife.png", dpi=120)
near = rows[230:430]
figure = sb.report.time_line(near, images=near, at=16, first=231, **look)
figure.savefig("afterlife_wakes.png", dpi=120)
sb.report.animation(near, "afterlife.gif", fps=12.5, colors="RdBu", limit=1.0, scale=20)


# %% The machine with the rule of Life: the mean of all inputs is of one sign, then of the other.
ports = [".".join(row) for row in INPUTS]
trace = sb.lower(swinging, record=ports)(ticks=FRAMES)
inputs = np.mean([np.asarray(trace[port].data).reshape(FRAMES, *SHAPE) for port in ports], axis=0)
means = inputs.mean(axis=(1, 2))
windows = means.reshape(-1, 100)
swings = np.count_nonzero(np.diff(np.sign(means)))
print(f"with Life: {swings} swings, {np.mean(np.abs(means) > 0.4):.0%} of the frames near the ends")
assert (windows.max(axis=1) > 0.45).all()
assert (windows.min(axis=1) < -0.45).all()
assert np.mean(np.abs(means) > 0.4) > 0.7

signs = {"above zero": np.maximum(means, 0)[:120], "below zero": np.minimum(means, 0)[:120]}
figure = sb.report.time_line(signs, images=inputs[:120], at=16, colors="RdBu", limit=1.0)
figure.savefig("afterlife_life.png", dpi=120)
