# slow
"""A partial differential equation in a hundred dimensions, solved along random paths.

The Hamilton-Jacobi-Bellman equation u_t + lap u - |grad u|^2 = 0, u(1, x) = log((1 + |x|^2)/2), is
of how a particle in a hundred dimensions is best steered. No grid has room for it. J. Han,
A. Jentzen and W. E (PNAS 115, 2018) follow random paths instead: along each, u changes by what its
gradient says, and must arrive at u(1, x). Here the gradient is a hole of time and place, trained
until all paths tell the same u(0, 0). You see that number beside the exact one, and beside what
comes out with |grad u|^2 left away. Draws `hamilton_jacobi.png`: what single paths tell, with the
trained gradient and without one.
"""

# %% The hole: from time and place to the gradient, in units that make its numbers near one.
import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import snakebird as sb
from snakebird.equations import Network

SPACE, STEPS, PATHS, ROUNDS = 100, 20, 128, 1500
STEP = 1.0 / STEPS

places = [f"x{i}" for i in range(SPACE)]
slopes = [f"u_x{i}" for i in range(SPACE)]
network = Network.drawn(SPACE + 1, SPACE, jax.random.key(0), width=2 * SPACE, depth=1)
hole = sb.Hole(["t", *places], slopes, network).scaled(
    center=np.array([0.5, *[0.0] * SPACE]),
    width=np.array([0.5, *[2.0] * SPACE]),
    size=np.full(SPACE, 2 / SPACE),
)


def filled(model):
    """The hole with this model, in the units above."""
    return eqx.tree_at(lambda hole: hole.model, hole, model)


# %% What each path tells of u(0, 0): where it arrives, less what u changed by on the way.
def terminal(x):
    """The solution at time one."""
    return jnp.log((1 + jnp.sum(x**2, axis=-1)) / 2)


def told(gradient, key, paths=PATHS):
    """What `paths` random paths from the origin tell of u(0, 0), an array of shape [paths].

    Along dX = sqrt(2) dW, by Ito's rule, du = |grad u|^2 dt + sqrt(2) grad u . dW.
    """
    moves = jnp.sqrt(2 * STEP) * jax.random.normal(key, (STEPS, paths, SPACE))
    ends = jnp.cumsum(moves, axis=0)
    t = jnp.broadcast_to(STEP * jnp.arange(STEPS)[:, None, None], (STEPS, paths, 1))
    slope = gradient.many(jnp.concatenate([t, ends - moves], axis=-1))
    changes = jnp.sum(STEP * slope**2 + slope * moves, axis=(0, 2))
    return terminal(ends[-1]) - changes


# %% Train it. With the true gradient all paths tell the same, so their variance is made small;
# Han et al. train u(0, 0) too, and their best value is the mean of the paths.
adam = optax.adam(optax.cosine_decay_schedule(4e-3, ROUNDS))


@jax.jit
def train(model, key):
    """The model after all rounds of Adam, each on new paths, and the variance in each round."""
    variance = lambda model, key: jnp.var(told(filled(model), key))

    def advance(carry, key):
        model, state = carry
        spread, slope = jax.value_and_grad(variance)(model, key)
        moves, state = adam.update(slope, state)
        return (optax.apply_updates(model, moves), state), spread

    (model, _), spreads = jax.lax.scan(
        advance, (model, adam.init(model)), jax.random.split(key, ROUNDS)
    )
    return model, spreads


model, spreads = train(network, jax.random.key(1))
print(f"variance of what paths tell: {spreads[0]:.4f} at first, {spreads[-1]:.4f} in the end")


# %% The exact one is -log E exp(-u(1, sqrt(2) W)), here over ten million ends of paths. Without
# |grad u|^2 this is the equation of heat, and u(0, 0) the mean of u(1, sqrt(2) W).
squares = 2 * np.random.default_rng(0).chisquare(SPACE, 10**7)  # |sqrt(2) W|^2
exact = -np.log(np.mean(2 / (1 + squares)))
heat = np.mean(np.log((1 + squares) / 2))


# %% Compare on new paths.
tell = jax.jit(lambda model, key: told(filled(model), key, 1000))
values = np.concatenate([tell(model, key) for key in jax.random.split(jax.random.key(2), 10)])
found = values.mean()
error = abs(found / exact - 1)
print(f"u(0, 0) along paths {found:.4f}, exact {exact:.4f}: {error:.3%} off")
print(f"with |grad u|^2 left away {heat:.4f}: {heat / exact - 1:.3%} off")
assert error < 1e-3
assert abs(found - exact) < 0.4 * abs(heat - exact)


# %% Look at it.
still = jax.tree.map(jnp.zeros_like, model)
untold = np.asarray(tell(still, jax.random.key(3)))
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
shown = {"density": True, "bins": 60, "range": (4.1, 5.0)}
axes.hist(untold, color="0.75", label="no gradient", **shown)
axes.hist(values, color="tab:blue", alpha=0.7, label="trained gradient", **shown)
axes.axvline(exact, color="black", linewidth=1, label="exact")
axes.set(title="u(0, 0) in a hundred dimensions", xlabel="what one path tells", yticks=[])
axes.spines[["top", "right", "left"]].set_visible(False)
axes.legend(frameon=False, loc="upper left")
figure.savefig("hamilton_jacobi.png", dpi=120)
