# slow
"""A differential equation as a neuron: a pendulum that another neuron keeps upright.

Every tick carries the pendulum's equation forward by a twentieth of a second, with diffrax; in
between its neuron holds where it stands. A neuron of the ordinary kind hears the angle and the
speed and pushes, with limited strength. You see it hold the pendulum upright, and the pendulum
fall once the link is cut. Draws `equation_as_neuron.png`.
"""

# %% The equation. Angle 0 is upright, and the pendulum starts far from there.
import diffrax as dfx
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb

STRETCH, TICKS = 0.05, 200
START = {"angle": 0.8, "speed": 0.0}


def pendulum_field(t, y, args):
    """A pendulum with friction, pushed at its joint."""
    return {"angle": y["speed"], "speed": jnp.sin(y["angle"]) - 0.1 * y["speed"] + args["push"]}


# %% The machine: the equation is a neuron like any other.
@sb.machine(fixed=True)
def balanced():
    """A pendulum held upright by a push of limited strength."""
    solve = sb.solve_neuron(pendulum_field, START, inputs=("push",), duration=STRETCH)
    pendulum = solve()
    angle, speed = pendulum.result["angle"], pendulum.result["speed"]
    effort = sb.tanh(-3 * angle - 2 * speed)
    pendulum.feed(push=2 * effort)


print(*balanced.links, sep="\n")


# %% Run it, with and without the link that pushes.
def angles(machine):
    """The angle after each tick."""
    trace = sb.lower(machine, record="pendulum.result")(ticks=TICKS)
    return np.asarray(trace.number("pendulum.result.angle"))


held = angles(balanced)
fallen = angles(balanced.unlink("pendulum.push <- effort.result"))
print(f"angle after {TICKS * STRETCH:.0f} s: {held[-1]:.4f}, without the push {fallen[-1]:.4f}")
assert abs(held[-1]) < 1e-2
assert fallen.max() > np.pi / 2


# %% Many short solutions, one a tick, are one long one.
seconds = STRETCH * jnp.arange(1, TICKS + 1)
long = dfx.diffeqsolve(
    dfx.ODETerm(lambda t, y, args: pendulum_field(t, y, {"push": 0.0})),
    dfx.Tsit5(), 0.0, seconds[-1], 0.02, START, saveat=dfx.SaveAt(ts=seconds),
    stepsize_controller=dfx.PIDController(rtol=1e-6, atol=1e-6),
).ys["angle"]  # fmt: skip
np.testing.assert_allclose(fallen, long, atol=1e-3)


# %% Look at it.
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
axes.plot(seconds, fallen, color="0.6", label="without the push")
axes.plot(seconds, held, color="tab:blue", label="held by another neuron")
axes.set(
    title="A pendulum as a neuron",
    xlabel="seconds",
    ylabel="angle",
    ylim=(-0.3, 6),
    yticks=[0, np.pi],
)
axes.set_yticklabels(["upright", "hanging"])
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="upper right")
figure.savefig("equation_as_neuron.png", dpi=120)
