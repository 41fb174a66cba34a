# slow
"""A kind of noise of your own: one that forgives a few observations that are far off.

Student's t with three degrees of freedom. The residual is the signed root of minus twice the
log-likelihood, less that of a perfect answer, so that its square counts as any other.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

import snakebird as sb

FREEDOM = 3.0


class Forgiving(sb.fitting.Noise):
    """Scatter about the model with long tails."""

    size: float | None = eqx.field(static=True, default=None)
    shared: bool = eqx.field(static=True, default=False)

    def residual(self, predicted, observed, size):
        """About a standard normal number for most observations, and never very large."""
        away = (predicted - observed) / size
        deviance = (FREEDOM + 1) * jnp.log1p(away**2 / FREEDOM)
        return jnp.where(away == 0, 1.0, jnp.sign(away)) * jnp.sqrt(deviance + 1e-12)

    def spread(self, predicted, size):
        """The standard deviation of an observation."""
        return size * jnp.sqrt(FREEDOM / (FREEDOM - 2)) * jnp.ones_like(predicted)


class Decay(eqx.Module):
    """What is there decays."""

    rate: sb.Positive

    def __call__(self, t, y, args):
        return {"x": -self.rate * y["x"]}


times = np.linspace(0.0, 3.0, 16)
seen = np.exp(-0.7 * times) + 0.01 * np.random.default_rng(0).normal(size=16)
seen[5] += 2.0  # somebody wrote down the wrong number
data = sb.Trajectories.of(times, {"x": seen})
fit = sb.fit(Decay(sb.Positive(1.0)), data, noise=Forgiving(), starts=1, stages=["trajectories"])
print(fit)
assert abs(float(fit.model.rate.value) - 0.7) < 0.05
