"""Edit a machine while it runs: a neuron appears and disappears by edits of the matrix.

A neuron that no link ends at is silent. The machine carries its own matrix on the neuron `self`,
and listens to a source `editor`; the edit sent there is a change of the matrix like any other
stream. Two ticks after the editor gives it out, the new link brings its first input, and the
neuron is there; the opposite edit takes it away (arXiv 1712.07447, section 5: the network is
countable, and a finite part of it is active). Draws `live_edit.png`.
"""

# %% The machine: a clock, and a neuron `shadow` to which nothing links yet.
import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb
from snakebird import vvalues as vv

appear = {"shadow": {"x": {"clock": {"timer": 1}}}}
disappear = vv.scale(-1, appear)
louder = vv.scale(0.5, appear)

with sb.Builder(name="edited") as builder:
    clock = sb.timer()
    shadow = sb.identity()
    editor = sb.source(space=vv.space_of(appear))
    network = sb.accumulator(delta=editor, name="self")
    sb.carries_matrix(network)
machine = builder.machine
print(*machine.links, sep="\n")


# %% A runner keeps the machine alive: advance, look, send, advance.
runner = sb.Runner(machine, record=["clock.timer", "shadow.result", "editor.signal"])
runner.advance(5)
assert "shadow" not in runner.outputs

runner.send("editor", appear).advance(10)
print("\nafter the first edit:", *runner.machine.links, sep="\n")
assert runner.outputs["shadow"] == {"result": 14}  # what the clock said a tick ago

runner.send("editor", louder).advance(5)
assert runner.outputs["shadow"] == {"result": 1.5 * 19}

runner.send("editor", vv.scale(1.5, disappear)).advance(10)
assert "shadow" not in runner.outputs
assert runner.machine == machine  # the edits added up to nothing


# %% Latency: given out at tick t, in the matrix at t + 1, at work in t + 2.
given = np.flatnonzero(runner["editor.signal"].data.any(axis=-1)) + 1
heard = runner.number("shadow.result")
there = np.flatnonzero(heard) + 1
print(f"\nedits given out at ticks {given}, `shadow` active in ticks {there[0]} to {there[-1]}")
assert there[0] == given[0] + 2
assert there[-1] == given[2] + 1  # the last tick before the removal acts

# Given the same messages in advance, the readable engine does the same.
edits = {5: appear, 15: louder, 20: vv.scale(1.5, disappear)}  # ticks count from 0 here
readable = sb.run(machine, 30, inputs={"editor": edits.get})
np.testing.assert_array_equal(heard, [vv.number(x) for x in readable["shadow.result"]])


# %% A runner can also reach into the matrix from outside, where no source does.
clock_said, ticks = runner.number("clock.timer"), np.arange(1, 31)
runner.edit("shadow.x <- -2 * clock.timer").advance(1)
assert runner.outputs["shadow"] == {"result": -2 * 30}


# %% Look at it.
figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
axes.plot(ticks, clock_said, ".-", color="0.7", label="clock.timer")
axes.plot(there, heard[there - 1], "o-", color="tab:blue", label="shadow.result, while it is there")
for tick, what in zip(given, ("link 1", "link + 0.5", "link - 1.5"), strict=True):
    axes.axvline(tick, color="tab:orange", linewidth=1)
    axes.annotate(what, (tick, 37), xytext=(3, 0), textcoords="offset points", color="tab:orange")
axes.set(xlabel="tick", title="A neuron that edits bring and take away", ylim=(0, 40))
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="lower right")
figure.savefig("live_edit.png", dpi=120)
