# slow
"""A machine that hosts machines, which teach each other their programs.

Four machines live as neurons in one. Each turns a point round, by four links of a network matrix
that it carries itself; in each tick of the host it does three ticks of its own. A matrix is a
stream like any other. So the host can link the program of one machine, less that of another, to
the input where that one hears lessons, and adds them to its own matrix: it changes step by step
into its teacher. Who teaches whom is a link of the host, which carries its own matrix as well, and
while all run gives one of the four another teacher. Draws `hosting.png`.
"""

# %% One inhabitant: it turns by an angle in each tick, and adds to its matrix what it is taught.
import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb
from snakebird import vvalues as vv

ROWS = [(to, "x", source, "result") for to in "xy" for source in "xy"]
CYCLES, RATE = 3, 0.05


def inhabitant(angle):
    """A machine that turns by this angle, and can be taught another program."""
    with sb.Builder(name="inhabitant") as builder:
        lesson = sb.source(space=sb.Space(ROWS))
        network = sb.accumulator(delta=sb.instant(lesson), name="self")
        sb.carries_matrix(network)
        x, y = sb.identity(), sb.identity()
        x.feed(np.cos(angle) * x - np.sin(angle) * y).starts(1.0)
        y.feed(np.sin(angle) * x + np.cos(angle) * y)
        sb.output(x=sb.instant(x), program=sb.instant(network))
    return builder.machine


# %% The host: ann teaches bob, cat teaches dan; when told so, the host gives dan to bob.
ANGLES = {"ann": 0.1, "bob": 0.25, "cat": -0.2, "dan": 0.4}

with sb.Builder(name="host") as builder:
    edit = sb.machines.Editor()
    told = sb.source(space=sb.Space([()]))
    edit.move("dan.lesson <- cat.program", "dan.lesson <- bob.program", by=sb.instant(told))
    ann, bob, cat, dan = (
        sb.machine_neuron(inhabitant(angle), ticks=CYCLES)(name=name)
        for name, angle in ANGLES.items()
    )
    bob.feed(lesson=RATE * ann.program - RATE * bob.program)
    dan.feed(lesson=RATE * cat.program - RATE * dan.program)
host = builder.machine
print(*[link for link in host.links if link.input == "lesson"], sep="\n")


# %% Let them live for a while; then dan gets a new teacher.
TICKS, TOLD = 70, 25
arrives = {"told": [*[0] * TOLD, 1]}
record = [f"{name}.{port}" for name in ANGLES for port in ("x", "program")]
trace = sb.lower(host, record=record)(arrives, TICKS)
programs = np.array([[trace.number((n, "program", *path)) for path in ROWS] for n in ANGLES])
print("\nthe programs at the end:\n", programs[:, :, -1].round(3))

# Lessons are linear, so that each program follows from those before. The first tick has none yet;
# what is told at tick t is in the host's matrix at t + 1, and brings other lessons from t + 2 on.
now = np.array([[np.cos(a), -np.sin(a), np.sin(a), np.cos(a)] for a in ANGLES.values()])
for t in range(TICKS):
    teachers = now[[0, 0, 2, 2 if t < TOLD + 2 else 1]]
    now = now + (CYCLES * RATE * (teachers - now) if t else 0)
    np.testing.assert_allclose(programs[:, :, t], now, atol=1e-5)
np.testing.assert_allclose(programs[[1, 3], :, -1], programs[[0, 0], :, -1], atol=0.02)

# The readable engine agrees, tick by tick.
for t, tick in enumerate(sb.run(host, 4, inputs=arrives)):
    held = [[vv.number(vv.get(tick.outputs, n, "program", *p)) for p in ROWS] for n in ANGLES]
    np.testing.assert_allclose(held, programs[:, :, t], atol=1e-6)


# %% Look at it.
ticks = np.arange(1, TICKS + 1)
figure, axes = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
for name, program in zip(ANGLES, programs, strict=True):
    axes[0].plot(ticks, np.arctan2(program[2], program[0]), label=name)
    axes[1].plot(ticks, trace.number(f"{name}.x"))
axes[0].axvline(TOLD + 2, color="0.7", linewidth=1, zorder=0)
axes[0].annotate(
    "dan hears bob\ninstead of cat", (TOLD + 2, 0.2), xytext=(4, 0), textcoords="offset points"
)
axes[0].set(title="The angle by which their programs turn")
axes[0].legend(frameon=False, ncols=4, loc="upper right")
axes[1].set(title="What they do with it", xlabel="tick of the host")
for axis in axes:
    axis.spines[["top", "right"]].set_visible(False)
figure.savefig("hosting.png", dpi=120)
