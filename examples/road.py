# slow
"""The road from a JAX program to a machine that holds its own matrix, in five stages.

A weight on a spring is to be brought to rest. Its friction is unknown and learned from one free
swing; what pushes it, a small net that is asked once a tick, is learned from how far the weight
strays. The program is then turned into a machine piece by piece, and after every turn it gives
the numbers it gave before, and the same slopes: one can train it, stop and go on at any stage. At
the end an edit of the program is sent into it while it runs. Draws `road.png`.
"""

# %% The problem. The place pulls back, friction holds, a push comes from outside.
import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import snakebird as sb

H, TICKS = 0.05, 100
START = np.array([1.0, 0.0])  # place and speed


class Friction(eqx.Module):
    """A force against the speed."""

    linear: jax.Array
    quadratic: jax.Array

    def __call__(self, speed):
        return self.linear * speed + self.quadratic * speed * jnp.abs(speed)


class Field(eqx.Module):
    """The rates of place and speed, whatever the friction is."""

    friction: Friction | sb.Hole

    def __call__(self, t, y, args):
        place, speed = y
        return jnp.stack([speed, args["push"] - place - self.friction(speed)])


class Head(eqx.Module):
    """A net of three units."""

    bias: jax.Array
    out: jax.Array

    def __call__(self, x):
        return self.out @ jnp.tanh(x + self.bias)


class Model(eqx.Module):
    """The equation, and what pushes: `head(mix @ y)`, held during a tick."""

    field: Field
    mix: jax.Array
    head: Head


# %% (a) Plain Equinox and diffrax. Each tick asks the net, then solves the equation until the next.
def swing(model, *, pushed=True):
    """Place and speed after each tick, `[ticks, 2]`."""

    def tick(y, _):
        args = {"push": model.head(model.mix @ y) * pushed}
        done = dfx.diffeqsolve(
            dfx.ODETerm(model.field), dfx.Euler(), 0.0, H, H, y, args, max_steps=1
        )
        return done.ys[-1], done.ys[-1]

    return jax.lax.scan(tick, jnp.asarray(START), length=TICKS)[1]


def strays(ys):
    """How far the weight is from rest: what is to be made small."""
    return jnp.mean(ys[:, 0] ** 2)


# %% Learn both parts. The training sees how the true weight swings, not what its friction is.
number = lambda *x: jnp.array(x if len(x) > 1 else x[0], float)
mix = 0.5 * jax.random.normal(jax.random.key(0), (3, 2))
net = Head(jnp.zeros(3), 0.3 * jnp.ones(3))
true = Model(Field(Friction(number(0.1), number(0.4))), mix, net)
model = Model(Field(Friction(number(0.0), number(0.0))), mix, net)
seen = swing(true, pushed=False)


def loss(model):
    """How wrong the free swing is, and how far the pushed one strays, whatever the friction."""
    given = eqx.tree_at(lambda m: m.field, model, jax.lax.stop_gradient(model.field))
    return jnp.mean((swing(model, pushed=False) - seen) ** 2) + strays(swing(given))


adam = optax.adam(0.03)


@eqx.filter_jit
def train(model, steps=400):
    """The model after so many steps of Adam, and the loss before each."""

    def step(carry, _):
        model, state = carry
        value, slope = eqx.filter_value_and_grad(loss)(model)
        updates, state = adam.update(slope, state)
        return (eqx.apply_updates(model, updates), state), value

    return jax.lax.scan(step, (model, adam.init(model)), length=steps)


(model, _), losses = train(model)
friction = model.field.friction
print(f"loss {losses[0]:.3f}, then {losses[-1]:.4f}")
print(f"friction {friction.linear:.2f} v + {friction.quadratic:.2f} v|v|, in truth 0.1 and 0.4")
assert losses[-1] < losses[0] / 3
plain = jax.jit(swing)(model)
EXACT = 1e-10 if plain.dtype == np.float64 else 2e-5


# %% (b) A machine as the hole. What changes is one field of the model.
linear, quadratic = float(friction.linear), float(friction.quadratic)


@sb.machine
def drag(speed: sb.Numbers()):
    """The friction: two links to be trained."""
    bend = sb.product(speed, sb.absolute(speed))
    return {"force": linear * speed + quadratic * bend}


hole = sb.Hole("speed", "force", sb.equations.MachineModel(drag))
with_hole = eqx.tree_at(lambda m: m.field.friction, model, hole)
np.testing.assert_allclose(jax.jit(swing)(with_hole), plain, atol=EXACT)


# %% (c) The equation, a matrix product and the net as neurons; the scan is now that of the machine.
@sb.machine
def neurons():
    """Three neurons in a loop: `plant` remembers, the others answer in the same tick."""
    solve = sb.solve_neuron(
        with_hole.field, START, inputs=("push",), duration=H, solver=dfx.Euler(), step=H
    )
    plant = solve()
    plant.starts(result=START)
    weights = sb.constant(value=sb.trainable(np.asarray(model.mix)))
    mixed = sb.matrix_product(sb.instant(weights), plant.result)
    push = sb.call_neuron(model.head, shapes={"x": (3,)})(sb.instant(mixed))
    plant.feed(push=sb.instant(push))


def run(machine, ports, **inputs):
    """The named ports of a machine after each tick, side by side."""
    trace = sb.lower(machine, record=list(ports))(inputs, ticks=TICKS)
    return jnp.concatenate([trace.number(port).reshape(TICKS, -1) for port in ports], axis=1)


np.testing.assert_allclose(run(neurons, ["plant.result"]), plain, atol=EXACT)


# %% (d) The whole program a machine: one step, traced. Its numbers are weights and constants now.
def whole(state):
    """A step of Euler's method, from place and speed to place and speed."""
    y = jnp.stack([state["place"], state["speed"]])
    args = {"push": model.head(model.mix @ y)}
    place, speed = y + H * model.field(0.0, y, args)
    return {"place": place, "speed": speed}, ()


machine = sb.trace(whole, state={"place": 1.0, "speed": 0.0})
print(machine)
PORTS = ["place.result", "speed.result"]
np.testing.assert_allclose(run(machine, PORTS), plain, atol=EXACT)
slow = sb.run(machine, 5)
np.testing.assert_allclose(slow["place.result"], plain[:5, 0], atol=EXACT)


# %% (e) The same machine holds its own matrix: one neuron more, and a way to send it an edit.
ROW = ("speed", "x", "speed", "result")  # how much of its speed the weight keeps in a tick
itself = sb.Machine(
    {**machine.neurons, "self": "accumulator", "edit": sb.source(space=sb.Space([ROW]))},
    [*machine.links, "self.accum <- self.result", "self.delta <- edit.signal"],
    machine.start,
    matrix_from="self.result",
)
np.testing.assert_allclose(run(itself, PORTS), plain, atol=EXACT)

# An edit that arrives at tick 6 is added at 7 and acts from 8: the weight moves through honey.
honey = [None] * 6 + [{"speed": {"x": {"speed": {"result": -0.2}}}}]
edited = run(itself, PORTS, edit=honey)
np.testing.assert_allclose(edited[:8], plain[:8], atol=EXACT)
assert not np.allclose(edited[8:], plain[8:], atol=0.1)


# %% The slopes are the same at every stage. Here: of the straying, by the linear friction.
def slope_by_weight(machine, path):
    """The slope of the straying by the weight of one link."""
    low = sb.lower(machine, record=PORTS)
    far = lambda low: strays(low(ticks=TICKS).number("place.result")[:, None])
    at = [link.path for link in machine.links].index(path)
    return eqx.filter_grad(far)(low).weights[at]


by_number = eqx.filter_grad(lambda m: strays(swing(m)))(model).field.friction.linear
slopes = {
    "a": by_number,
    "b": eqx.filter_grad(lambda m: strays(swing(m)))(with_hole).field.friction.model.rows[-1][0, 1],
    # The link from the speed to itself has the weight 1 - H * linear.
    "d": -H * slope_by_weight(machine, ROW),
    "e": -H * slope_by_weight(itself, ROW),
}
print({stage: f"{slope:.6f}" for stage, slope in slopes.items()})
for slope in slopes.values():
    np.testing.assert_allclose(slope, by_number, rtol=100 * EXACT)


# %% Look at it.
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
seconds = H * np.arange(1, TICKS + 1)
axes.plot(seconds, seen[:, 0], color="0.7", label="nobody pushes")
axes.plot(seconds, plain[:, 0], color="tab:blue", linewidth=4, alpha=0.4, label="the JAX program")
axes.plot(seconds, run(itself, PORTS)[:, 0], color="tab:blue", label="the machine with its matrix")
axes.plot(seconds, edited[:, 0], color="tab:red", label="its matrix edited at 0.4 seconds")
axes.set(title="One program, five stages", xlabel="seconds", ylabel="place", xlim=(0, H * TICKS))
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize="small")
figure.savefig("road.png", dpi=120)
