# slow
"""An optimizer that is learned on small nets, and then used like any other.

A rule with about a hundred numbers is trained to train nets: 50 steps each, on points of random
clouds. What comes out is an optax transformation. Here it fits a curve by a net that is deeper,
and of another kind, than those it was trained on, against Adam at the best of a few rates.

Draws `learned_optimizer.png`: both losses over the steps.
"""

# %% Learn an optimizer. The outer loop is short here; a few hundred steps do better.
import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax

from snakebird import meta

key = jax.random.key(0)
tasks = meta.tasks.NetTraining(inputs=4, hidden=8, points=64, batch=32, ticks=30)
start = meta.LearnedOptimizer(key=key)
found = meta.fit(start, tasks, key=key, steps=40, batch=8, optimizer=optax.adam(0.03))
before, after = (
    meta.evaluate(rule, tasks, key=jax.random.key(1), count=16).mean[-1]
    for rule in (start, found.rule)
)
print(f"loss after 30 steps: {before:.3f} as it began, {after:.3f} learned")
assert after < before


# %% Use it: a curve, a net with two hidden layers, ten times as many steps.
x = jnp.linspace(-1, 1, 64)[:, None]
y = jnp.sin(4 * x) * jnp.exp(-x)


def losses(optimizer, steps=300):
    net = eqx.nn.MLP(1, 1, 16, 2, activation=jnp.tanh, key=key)
    weights, rest = eqx.partition(net, eqx.is_array)
    miss = lambda weights: jnp.mean((jax.vmap(eqx.combine(weights, rest))(x) - y) ** 2)

    def step(carry, _):
        weights, state = carry
        loss, slopes = jax.value_and_grad(miss)(weights)
        moves, state = optimizer.update(slopes, state, weights)
        return (optax.apply_updates(weights, moves), state), loss

    return jax.lax.scan(step, (weights, optimizer.init(weights)), None, length=steps)[1]


learned = losses(found.rule.as_optax())
adam = {rate: losses(optax.adam(rate)) for rate in (0.003, 0.01, 0.03)}
best = min(adam, key=lambda rate: adam[rate][-1])
print(
    f"the curve: {learned[-1]:.2g} learned, {adam[best][-1]:.2g} by Adam at its best rate, {best}"
)
assert learned[-1] < 0.05 * learned[0]


# %% Look at it.
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.semilogy(learned, label="learned")
axes.semilogy(adam[best], label=f"Adam, rate {best}")
axes.set(xlabel="step", ylabel="loss", title="A curve that neither has seen")
axes.legend()
figure.savefig("learned_optimizer.png", dpi=120)
