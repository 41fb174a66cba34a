# slow
"""An optimizer of your own: any optax transformation, for a fit as for a loop of your own.

This one goes by the signs of slopes, each number with a step of its own that grows while the sign
stays and shrinks when it changes (M. Riedmiller, H. Braun, ICNN 1993).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import snakebird as sb


def signs(first=0.05, up=1.2, down=0.5, largest=0.5):
    """Resilient propagation."""

    def init(params):
        return jax.tree.map(lambda p: (jnp.full_like(p, first), jnp.zeros_like(p)), params)

    def update(slopes, state, params=None):
        def one(slope, pair):
            size, last = pair
            grow = jnp.where(slope * last > 0, up, jnp.where(slope * last < 0, down, 1.0))
            size = jnp.minimum(size * grow, largest)
            return -size * jnp.sign(slope), (size, slope)

        leaves, tree = jax.tree.flatten(slopes)
        pairs = [one(s, p) for s, p in zip(leaves, tree.flatten_up_to(state), strict=True)]
        moves, new = zip(*pairs, strict=True)
        return tree.unflatten(moves), tree.unflatten(new)

    return optax.GradientTransformation(init, update)


class Decay(eqx.Module):
    """What is there decays."""

    rate: sb.Positive

    def __call__(self, t, y, args):
        return {"x": -self.rate * y["x"]}


times = np.linspace(0.0, 3.0, 16)
seen = np.exp(-0.7 * times) + 0.01 * np.random.default_rng(0).normal(size=16)
data = sb.Trajectories.of(times, {"x": seen})
given = dict(starts=1, stages=["trajectories"])
fit = sb.fit(Decay(sb.Positive(2.0)), data, optimizer=signs(), **given)
usual = sb.fit(Decay(sb.Positive(2.0)), data, **given)
print(fit)
assert abs(float(fit.model.rate.value) - float(usual.model.rate.value)) < 1e-3
