# slow
"""A machine as the right-hand side of a differential equation, trained through its solver.

One tick of a machine of instant links is one evaluation of a vector field. Of this oscillator it
is known that the place changes by the speed; what changes the speed is a hole, a sum of four
candidates. Their links are trained through diffrax until the trajectory is the observed one, and
the machine, printed as source, says which equation that was: van der Pol's.

Draws `machine_as_equation.png`: what the training saw, and what was found.
"""

# %% The machine. None of the four candidates has any weight yet.
import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optimistix as optx

import snakebird as sb

now = sb.instant


@sb.machine
def oscillator(y: sb.Numbers("place", "speed")):
    """The rates of both numbers: `place' = speed`, and `speed'` a sum to be found."""
    place, speed = now(y["place"]), now(y["speed"])
    square = sb.product(place, place)
    cube = sb.product(now(square), place)
    bend = sb.product(now(square), speed)
    return {"place": speed, "speed": 0 * place + 0 * speed + now(0 * cube + 0 * bend)}


HOLE = [k for k, link in enumerate(oscillator.links) if link.path[:2] == ("output", "speed")]
low = sb.lower(oscillator)


def filled(weights):
    """The compiled machine with these weights on the links of the hole."""
    return eqx.tree_at(lambda low: low.weights, low, low.weights.at[jnp.array(HOLE)].set(weights))


# %% One tick of it is one evaluation of the field; no state goes on from one to the next.
def field(t, y, machine):
    """The rates by one tick of the machine."""
    _, trace = machine.tick(machine.first_state, {"y": y})
    return jnp.stack([trace.number("output.place")[0], trace.number("output.speed")[0]])


def van_der_pol(t, y, args):
    """The equation that made the observations; the machine never sees it."""
    return jnp.stack([y[1], 1.5 * (1 - y[0] ** 2) * y[1] - y[0]])


def solve(field, args, times):
    """The trajectory from (1, 0) at these times."""
    return dfx.diffeqsolve(
        dfx.ODETerm(field), dfx.Tsit5(), 0.0, times[-1], 0.02, jnp.array([1.0, 0.0]), args,
        saveat=dfx.SaveAt(ts=times), adjoint=dfx.ForwardMode(),
        stepsize_controller=dfx.PIDController(rtol=1e-6, atol=1e-6),
    ).ys  # fmt: skip


times = jnp.linspace(0, 10, 101)
SEEN = 26  # the training sees a quarter of the trajectory
observed = solve(van_der_pol, None, times)


# %% Train the hole through the solver.
def residuals(weights, _):
    """How far the machine is from what was observed."""
    return solve(field, filled(weights), times[:SEEN]) - observed[:SEEN]


levenberg = optx.LevenbergMarquardt(rtol=1e-6, atol=1e-6)
weights = optx.least_squares(residuals, levenberg, jnp.zeros(4)).value
print("the hole as trained:", weights)

found = sb.lift(filled(weights.round(2)))
print(found)
hole = {".".join(found.links[k].source): found.links[k].weight for k in HOLE}
assert hole == {"bend.result": -1.5, "cube.result": 0, "y.signal.place": -1, "y.signal.speed": 1.5}

predicted = solve(field, sb.lower(found), times)
print(f"largest error over the whole time: {jnp.max(jnp.abs(predicted - observed)):.1e}")
np.testing.assert_allclose(predicted, observed, atol=1e-3)


# %% Look at it.
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.axvspan(0, times[SEEN - 1], color="0.92", label="seen in training")
axes.plot(times, observed[:, 0], color="0.75", linewidth=6, label="observed")
axes.plot(times, predicted[:, 0], color="tab:blue", label="the machine found")
axes.set(title="A machine as a vector field", xlabel="time", ylabel="place", xlim=(0, 10))
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize="small", loc="upper right")
figure.savefig("machine_as_equation.png", dpi=120)
