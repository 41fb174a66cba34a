# slow
"""A way to search of your own: ask for candidates, run them as one batch, tell what came of them.

A method of `synthesize` is a function from a task to machines. It may be wrong: what it gives is
made smaller and held against inputs that it never saw, and where it fails it is called again, with
the counterexamples.
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


def climb(task):
    """Whole numbers for the links of the sketch into the output, and then the next ones."""
    xs = jnp.array([example.inputs["x"] for example in task.examples.items], float)
    wanted = jnp.array([example.outputs["result"] for example in task.examples.items], float)
    free = np.array([k for k, link in enumerate(sketch.links) if link.to == "output"])
    low = sb.lower(sketch)

    @eqx.filter_jit
    def errors_of(weights):
        def one(weights):
            new = low.weights.at[free].set(weights)
            machine = eqx.tree_at(lambda m: m.weights, low, new)
            answers = jax.vmap(lambda x: machine({"x": x[:, None]}).number("output.result"))(xs)
            return jnp.mean(jnp.abs(answers - wanted))

        return jax.vmap(one)(weights)

    search = Climber(len(free), task.seed)
    while search.error > 0 and search.rounds < 300 and not task.enough():
        candidates = search.ask()
        search.tell(candidates, np.asarray(errors_of(jnp.asarray(candidates))))
    weights = dict(zip(free.tolist(), search.best.astype(int).tolist(), strict=True))
    yield sketch.replace(
        links=[link.scaled(weights.get(k, link.weight)) for k, link in enumerate(sketch.links)]
    )


found = sb.synthesize(examples, methods=[climb], budget=60)
print(found)
assert found.exact
