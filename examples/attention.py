# slow
"""Attention as a machine: coefficients of linear combinations that other neurons compute.

In a machine every input is a linear combination of streams. Attention is that with coefficients
which are a stream too: one neuron computes them from queries and keys, the next one applies them to
values (arXiv 1706.03762). Here an attention layer, rows of pictures that attend to each other, and
fast weights: a memory that is a matrix, written by outer products and read by a matrix product
(Schlag, Irie and Schmidhuber, arXiv 2102.11174). Draws `attention.png`.
"""

# %% A layer over a stream of rows, with the weights of an Equinox layer; its window grows to six.
import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb
from snakebird.machines import motives

STEPS, FEATURES, WINDOW = 12, 8, 6
layer = eqx.nn.MultiheadAttention(2, FEATURES, key=jax.random.key(0))


@sb.machine(fixed=True)
def attending(x: sb.Space({(): (FEATURES,)})):
    return sb.instant(motives.attention_over_time(sb.instant(x), layer, window=WINDOW))


print(*attending.links, sep="\n")
xs = jax.random.normal(jax.random.key(1), (STEPS, FEATURES))
trace = sb.lower(attending, record="all")({"x": xs}).check()

back = np.subtract.outer(np.arange(STEPS), np.arange(STEPS))
wanted = layer(xs, xs, xs, mask=jnp.asarray((back >= 0) & (back < WINDOW)))
np.testing.assert_allclose(trace.number("output.result"), wanted, atol=1e-5)

# The coefficients are a stream like any other: at each tick they add up to one, for each head.
coefficients = np.asarray(trace.number("attention_coefficients.result"))[:, :, 0]
np.testing.assert_allclose(coefficients.sum(axis=-1), 1, atol=1e-5)
assert (np.count_nonzero(coefficients[:, 0], axis=-1) == np.minimum(np.arange(12) + 1, 6)).all()


# %% Pictures are arrays too: their product, each row of the left one made positive, its sum one.
picture = np.add.outer(np.sin(np.arange(16) / 2.5), np.cos(np.arange(16) / 4)) ** 2


@sb.machine(fixed=True)
def mixing(left: sb.Space({(): (16, 16)}), right: sb.Space({(): (16, 16)})):
    rows = sb.softmax(sb.instant(left), shape=(16, 16))
    return {"mixed": sb.instant(sb.matrix_product(sb.instant(rows), sb.instant(right)))}


mixed = sb.lower(mixing)({"left": 4 * picture[None], "right": picture[None]})
mixed = np.asarray(mixed.number("output.mixed"))[0]
weights = jax.nn.softmax(4 * picture, axis=-1)
np.testing.assert_allclose(mixed, weights @ picture, atol=1e-5)


# %% Fast weights: pairs of keys and values are told one by one, and one key a second time.
def remembering(kind):
    """A machine that is told keys and values, and answers the key it is asked for."""
    with sb.Builder(name=kind, fixed=True) as builder:
        key, query, value = (
            sb.source(space=sb.Space({(): (FEATURES,)}), name=name)
            for name in ("key", "query", "value")
        )
        now = [sb.instant(stream) for stream in (query, key, value)]
        answer = (
            motives.delta_memory(*now, sb.instant(sb.constant(value=1.0)))
            if kind == "delta rule"
            else motives.linear_attention(*now)
        )
        sb.output(answer=sb.instant(answer))
    return builder.machine


basis = np.linalg.qr(np.random.default_rng(0).normal(size=(FEATURES, FEATURES)))[0]
told = np.random.default_rng(1).normal(size=(5, FEATURES))
keys = basis[[0, 1, 2, 3, 1]]  # the second key comes again, with another value
silence = np.zeros((1, FEATURES))
inputs = {
    "key": np.concatenate([keys, silence]),
    "value": np.concatenate([told, silence]),
    "query": np.concatenate([np.zeros((5, FEATURES)), basis[[1]]]),
}
answers = {
    kind: np.asarray(sb.lower(remembering(kind))(inputs).number("output.answer"))[-1]
    for kind in ("linear attention", "delta rule")
}
# Sums keep the old value beside the new one; the delta rule has replaced it.
np.testing.assert_allclose(answers["linear attention"], told[1] + told[4], atol=1e-5)
np.testing.assert_allclose(answers["delta rule"], told[4], atol=1e-5)


# %% Look at it.
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
shown = np.zeros((STEPS, STEPS))
for t in range(STEPS):
    first = max(0, t - WINDOW + 1)
    shown[t, first : t + 1] = coefficients[t, 0, WINDOW - (t + 1 - first) :]
axes[0].imshow(shown, cmap="Blues")
axes[0].set(title="Coefficients of one head", xlabel="of the row of tick", ylabel="at tick")
axes[1].imshow(mixed, cmap="gray")
axes[1].set(title="A picture's rows, mixed by another", xticks=[], yticks=[])
axes[2].plot(told[1], "k:", label="told first")
axes[2].plot(told[4], "k--", label="told later")
for kind, answer in answers.items():
    axes[2].plot(answer, ".-", label=kind)
axes[2].set(title="What is remembered of one key", xlabel="feature")
axes[2].legend(frameon=False, fontsize="small")
for axis in axes:
    axis.spines[["top", "right"]].set_visible(False)
figure.savefig("attention.png", dpi=120)
