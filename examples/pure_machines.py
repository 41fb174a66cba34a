# slow
"""Pure machines: the network matrix is the only kind of stream there is.

Every neuron takes in and gives out network matrices. Here the matrix itself, kept by the neuron
`self`, decays, oscillates, or carries a wave, depending on nothing but its start (lightweight pure
machines: arXiv 1610.00831, appendix D.2). The first row, by which Self remembers itself, is kept
from harm: whatever reaches it is replaced by a single 1.

Draws `pure_machines.png`: the entries of the three matrices over time.
"""

# %% Self: a sum of two matrices whose first row cannot be damaged.
import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb
from snakebird import vvalues as vv


@sb.neuron(loops={"accum": "result"})
def guarded_self(accum, delta):
    """The matrix plus its change, but for the row of `self.accum`."""
    return vv.put(vv.add(accum, delta), ("self", "accum"), {"self": {"result": 1}})


def pure(name, row, updates=None):
    """A pure machine with this row `self.delta` at the start, and neurons that emit matrices."""
    neurons = {name: sb.constant(value=matrix) for name, matrix in (updates or {}).items()}
    links = ["self.accum <- self.result", *[("self.delta", *source) for source in row]]
    start = {name: {"result": matrix} for name, matrix in (updates or {}).items()}
    return sb.Machine(
        {"self": guarded_self, **neurons}, links, start, matrix_from="self.result", name=name
    )


def entry(source, weight):
    """The matrix with one entry, in the row `self.delta`."""
    return {"self": {"delta": {source: {"result": weight}}}}


# %% Decay: a tenth of the whole matrix is taken away from it, and so the tenth itself shrinks.
decay = pure("decay", [("self.result", -0.1)])

# %% Oscillator: a neuron emits -2 into the entry by which it is heard, so that this changes sign.
oscillator = pure("oscillator", [("flip.result", 1)], {"flip": entry("flip", -2)})

# %% Wave: five neurons in a ring, each hands its place in the row to the next.
ring = [f"update_{k}" for k in range(5)]
moves = {
    here: vv.add(entry(here, -1), entry(there, 1))
    for here, there in zip(ring, [*ring[1:], ring[0]], strict=True)
}
wave = pure("wave", [("update_0.result", 1)], moves)


# %% Run them, compiled, and read the row of the matrix that changes.
TICKS = 40


def row_over_time(machine):
    """The entries of the row `self.delta` by name, each as an array over time."""
    trace = sb.lower(machine, record="self.result")(ticks=TICKS)
    names = [link.source[0] for link in machine.links if link.input == "delta"]
    names += [name for name in machine.neurons if name not in ("self", *names)]
    return {n: trace.number(("self", "result", "self", "delta", n, "result")) for n in names}


rows = {machine.name: row_over_time(machine) for machine in (decay, oscillator, wave)}

a = -0.1  # the entry a obeys a' = a + a * a, which goes to 0 ever more slowly
for found in rows["decay"]["self"]:
    a += a * a
    np.testing.assert_allclose(found, a, rtol=1e-5)
np.testing.assert_array_equal(rows["oscillator"]["flip"], [-1, 1] * (TICKS // 2))
for k, name in enumerate(ring):
    np.testing.assert_array_equal(rows["wave"][name], np.arange(1, TICKS + 1) % 5 == k)
print(f"decay: -0.1 is {a:.4f} after {TICKS} ticks; oscillator: period 2; wave: period 5")


# %% Look at them.
figure, axes = plt.subplots(3, 1, figsize=(8, 5.4), sharex=True, layout="constrained")
ticks = np.arange(1, TICKS + 1)
axes[0].plot(ticks, rows["decay"]["self"], ".-", color="tab:red")
axes[0].set_title("decay: self.delta <- self.result")
axes[1].step(ticks, rows["oscillator"]["flip"], where="mid", color="tab:green")
axes[1].set_title("oscillator: self.delta <- flip.result")
image = np.stack(list(rows["wave"].values()))
axes[2].imshow(image, cmap="Blues", vmin=-0.15, aspect="auto", extent=(0.5, TICKS + 0.5, 4.5, -0.5))
axes[2].set_yticks(range(5), ring)
axes[2].set(title="wave: self.delta <- update_0 ... update_4", xlabel="tick")
for axis in axes:
    axis.spines[["top", "right"]].set_visible(False)
figure.savefig("pure_machines.png", dpi=120)
