# slow
"""A continuous cellular automaton whose rule is switched on while it runs.

A board is one stream, an image on a torus from black (-1) to white (1). Until frame 9 a constant
pattern is linked to it with weight 1; from frame 10 on that weight is 0, and three neighbors of
each cell are linked with weight 1/3 (arXiv 1601.01050, section 4). Two machines do the same:

* in one, an edit is sent to Self, which adds it to the network matrix;
* in the other the weights themselves are streams: one number opens and closes the gates of the
  pattern and of all the neighbors (section 4.1), one frame later.

Draws `continuous_automaton.png`: the boards of both around the switch.
"""

# %% The pattern, and the neighbors of a cell as shifts of the whole board.
import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb
from snakebird import vvalues as vv

SIZE, SWITCH, FRAMES = 64, 10, 60
NEIGHBORS = {"below": (-1, 0), "right": (0, -1), "above_left": (1, 1)}

row, column = np.indices((SIZE, SIZE)) - SIZE / 2
drawn = np.where(np.hypot(row, column) < SIZE / 5, 1.0, -1.0)  # a white disk on black
drawn[SIZE // 8 : SIZE // 4, SIZE // 8 : -SIZE // 8] = 1.0  # and a bar


# %% The first machine: everything that reads the board reads the same four streams, and the weights
# are entries of the network matrix.
with sb.Builder(name="edited") as builder:
    pattern = sb.constant(value=drawn).starts(drawn)
    board = sb.identity(pattern)
    shifts = [sb.image_shift(pattern, down=d, right=r, name=n) for n, (d, r) in NEIGHBORS.items()]
    readers = ["board", *NEIGHBORS]
    to_neighbors = {"pattern": {"result": -1}} | {n: {"result": 1 / 3} for n in NEIGHBORS}
    edit = {reader: {"x": to_neighbors} for reader in readers}
    editor = sb.source(space=vv.space_of(edit))
    network = sb.accumulator(delta=editor, name="self")
    sb.carries_matrix(network)
edited = builder.machine

# An edit that Self hears at tick t is in the matrix at t + 1 and acts on the frame after that.
edits = {"editor": [None] * (SWITCH - 3) + [edit]}
boards = np.asarray(sb.lower(edited, record="board.result")(edits, FRAMES).number("board.result"))


# %% The second machine: one number, `spread`, is the weight of all neighbors; 1 less it that of the
# pattern. The links that carry it are instant, so that it rules the frame in which it arrives.
@sb.machine
def steered(hand):
    """The automaton under a hand that turns `spread` from 0 to 1."""
    spread = sb.memory(sb.instant(hand))
    pattern = sb.constant(value=drawn)
    shown = sb.gate(sb.instant(1 - spread), sb.instant(pattern)).starts(drawn)
    near = sb.gate(sb.instant(spread / 3))
    shifts = [sb.image_shift(sb.instant(near), down=d, right=r) for d, r in NEIGHBORS.values()]
    board = sb.identity(shown + sum(shifts))
    near.feed(value=shown + sum(shifts))
    return board


turns = {"hand": [0] * (SWITCH - 1) + [1]}
low = sb.lower(steered, record="board.result")
late = np.asarray(low(turns, FRAMES).number("board.result"))


# %% Both show the same boards, one a frame after the other.
changed = (boards != drawn).any(axis=(1, 2))
np.testing.assert_array_equal(changed, np.arange(1, FRAMES + 1) >= SWITCH)
np.testing.assert_allclose(late[1:], boards[:-1], atol=1e-5)
mean, spread = boards.mean(axis=(1, 2)), boards.std(axis=(1, 2))
np.testing.assert_allclose(mean, drawn.mean(), atol=1e-5)  # averages neither make nor lose white
assert (np.diff(spread[SWITCH - 2 :]) <= 1e-6).all()  # and level out what there is
print(f"spread of the cells: {spread[SWITCH - 2]:.3f} drawn, {spread[-1]:.3f} in frame {FRAMES}")


# %% Look at them.
shown = [9, 10, 11, 13, 16, 22, 35, FRAMES]
figure, axes = plt.subplots(2, len(shown), figsize=(12, 3.5), layout="constrained")
for line, (found, title) in zip(axes, ((boards, "edited"), (late, "steered")), strict=True):
    line[0].set_ylabel(title)
    for axis, frame in zip(line, shown, strict=True):
        axis.imshow(found[frame - 1], cmap="gray", vmin=-1, vmax=1)
        axis.set(xticks=[], yticks=[])
for axis, frame in zip(axes[0], shown, strict=True):
    axis.set_title(f"frame {frame}")
figure.savefig("continuous_automaton.png", dpi=120)
