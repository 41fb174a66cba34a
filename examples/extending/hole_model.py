# slow
"""A model for a hole of your own: a quotient of polynomials, for what grows and then levels off.

Any callable from an array `[inputs]` to one of `[outputs]` whose arrays can be trained.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import snakebird as sb


class Quotient(eqx.Module):
    """`p(x) / (1 + q(x)^2)` of one input."""

    above: jax.Array
    below: jax.Array

    def __call__(self, x):
        return jnp.polyval(self.above, x) / (1 + jnp.polyval(self.below, x) ** 2)


class Feeding(eqx.Module):
    """Food that is eaten, how fast is not known."""

    eaten: sb.Hole

    def __call__(self, t, y, args):
        return {"food": -self.eaten(y["food"])}


model = Feeding(sb.Hole("food", "eaten", Quotient(jnp.array([0.5, 0.0]), jnp.array([0.1, 0.0]))))
times = np.linspace(0.0, 6.0, 25)
truth = lambda t, y, args: {"food": -2 * y["food"] / (1 + y["food"])}
data = sb.Trajectories.of(times, sb.solve(truth, {"food": 5.0}, times).states)
fit = sb.fit(model, data, starts=1)
print(fit)
assert np.abs(fit.predict(times)["food"] - data[0].values["food"]).max() < 0.05
