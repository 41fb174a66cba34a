# slow
"""Copy part of a running machine, and put a neuron into a link, without disturbing anything.

A copy of a subgraph gets links among its own neurons like those among the originals, hears what
they hear, and is heard by nobody (arXiv 1601.00713, section 4.3). So the machine behaves as before,
and the copy behaves like the original, at once if it inherits what the originals remember. Then it
may be faded in: a neuron put before an input passes on what came there, and a growing share of
something else (section 4.4). Draws `cloning.png`.
"""

# %% A machine with memory: two neurons that turn round each other, and one that reads them.
import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb

with sb.Builder(name="turning") as builder:
    x, y = sb.identity(), sb.identity()
    x.feed(0.98 * x - 0.2 * y).starts(1)
    y.feed(0.98 * y + 0.2 * x)
    reader = sb.tanh(x)
machine = builder.machine
TICKS = 60


def heard(machine, *ports):
    """Outputs over time, one row each."""
    trace = sb.lower(machine, record=list(ports))(ticks=TICKS)
    return np.stack([trace.number(port) for port in ports])


# %% A clone with the state of the original does the same; one without has nothing to start from.
names = {"x": "x2", "y": "y2"}
twins = sb.machines.clone(machine, names)
empty = sb.machines.clone(machine, names, state=False)
print(*[link for link in twins.links if link.to in names.values()], sep="\n")

before = heard(machine, "x.result", "y.result", "reader.result")
with_twins = heard(twins, "x.result", "y.result", "reader.result", "x2.result", "y2.result")
np.testing.assert_array_equal(with_twins[:3], before)
np.testing.assert_array_equal(with_twins[3:], before[:2])
np.testing.assert_array_equal(heard(empty, "x2.result", "y2.result"), 0)


# %% The same while it runs: after 30 ticks the copies start from what the originals hold by then.
runner = sb.Runner(machine, record=["reader.result"]).advance(30)
held = runner.outputs
runner.replace(sb.machines.clone(runner.machine, names))
for old, new in names.items():
    runner.set_output(f"{new}.result", held[old]["result"])
runner.advance(TICKS - 30)
np.testing.assert_allclose(runner.number("reader.result"), before[2], atol=1e-6)
assert runner.outputs["x2"] == runner.outputs["x"]


# %% Change the copy, and nobody notices: it turns more slowly now.
slower = twins.link("x2.x <- 0.08 * y2.result", "y2.x <- -0.08 * x2.result")
np.testing.assert_array_equal(heard(slower, "reader.result")[0], before[2])


# %% Put a neuron before the reader, and beside it the copy, which has no share yet: no change.
def shared(share):
    """The machine whose reader hears `share` of the copy and the rest of the original."""
    return sb.machines.insert(slower, "mix", "reader.x", side="x2.result", share=share)


print("", *[link for link in shared(0.25).links if link.to in ("mix", "reader")], sep="\n")
np.testing.assert_allclose(heard(shared(0), "reader.result")[0], before[2], atol=1e-6)
np.testing.assert_allclose(
    heard(shared(1), "reader.result")[0, 1:], np.tanh(heard(slower, "x2.result")[0, :-1]), atol=1e-6
)


# %% Look at it.
figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
shares = np.linspace(0, 1, 6)
for share, color in zip(shares, plt.colormaps["viridis"](0.9 * shares), strict=True):
    curve = heard(shared(share), "reader.result")[0]
    axes.plot(np.arange(1, TICKS + 1), curve, color=color, label=f"{share:.0%}")
axes.plot(np.arange(1, TICKS + 1), before[2], "k:", linewidth=2, label="before")
axes.set(title="What the reader says while the copy is faded in", xlabel="tick")
axes.spines[["top", "right"]].set_visible(False)
figure.legend(title="share of the copy", frameon=False, loc="outside right center")
figure.savefig("cloning.png", dpi=120)
