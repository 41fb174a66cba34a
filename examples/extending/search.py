"""A search of your own: ask for candidates, run them as one batch, tell what came of them.

`synthesize` has its methods built in. A candidate of any origin can be held against examples, made
exact, and proven, as one that it found itself.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import snakebird as sb


class Climber:
    """The best whole-number weights so far, and small random steps from there."""

    def __init__(self, size, seed=0):
        self.best, self.error, self.rounds = np.zeros(size), np.inf, 0
        self.rng = np.random.default_rng(seed)

    def ask(self, count=64):
        """So many weight vectors."""
        steps = self.rng.integers(-1, 2, size=(count, self.best.size))
        return self.best + steps * (self.rng.random(steps.shape) < 0.5)

    def tell(self, asked, errors):
        """What came of each."""
        self.rounds += 1
        if errors.min() <= self.error:
            self.best, self.error = asked[errors.argmin()], errors.min()


@sb.machine
def sketch(x):
    before = sb.instant(sb.identity(x))
    both = sb.product(sb.instant(x), before)
    return sb.instant(0.0 * x + 0.0 * before + 0.0 * both)


def asked_for(before, x):
    return x, 2 * x - 3 * before * x


examples = sb.Examples.from_reference(
    sb.Stepwise(asked_for, 0), {"x": sb.synthesis.Integers(-3, 3)}
)
xs = jnp.array([example.inputs["x"] for example in examples.items], float)
wanted = jnp.array([example.outputs["result"] for example in examples.items], float)
free = [k for k, link in enumerate(sketch.links) if link.to == "output"]
low = sb.lower(sketch)


@eqx.filter_jit
def errors_of(weights):
    def one(weights):
        machine = eqx.tree_at(
            lambda m: m.weights, low, low.weights.at[jnp.array(free)].set(weights)
        )
        answers = jax.vmap(lambda x: machine({"x": x[:, None]}).number("output.result"))(xs)
        return jnp.mean(jnp.abs(answers - wanted))

    return jax.vmap(one)(weights)


search = Climber(len(free))
while search.error > 0 and search.rounds < 300:
    candidates = search.ask()
    search.tell(candidates, np.asarray(errors_of(jnp.asarray(candidates))))

weights = dict(zip(free, search.best.astype(int).tolist(), strict=True))
links = [link.scaled(weights.get(k, link.weight)) for k, link in enumerate(sketch.links)]
candidate = sketch.replace(links=links)
print(candidate)
assert sb.verify(candidate, examples).right
