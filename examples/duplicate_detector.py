"""A machine that notices repeated characters: readable, compiled, differentiable.

The detector of arXiv 1606.09470, section 3: an accumulator counts the characters of a text, the
largest count less one says how often the most frequent character was seen again, and an inner
product with one character counts the full stops. You see its source as it is written and as it is
printed from the matrix, its answers tick by tick from both engines, and what a loss says about
every single link. Draws `duplicate_detector.png`.
"""

# %% The machine.
import equinox as eqx
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import snakebird as sb

TEXT = "test string."


@sb.machine
def duplicate_detector(char: sb.Tokens("abcdefghijklmnopqrstuvwxyz .")):
    """How often the most frequent character came again, and how many full stops there were."""
    counts = sb.accumulate(char)
    again = sb.relu(sb.max_norm(counts) - 1)
    return {"again": again, "stops": sb.inner(counts, {".": 1})}


print(duplicate_detector)  # the source, from the matrix
print(*duplicate_detector.links, "", sep="\n")


# %% The readable engine: plain trees, exact numbers. A character shows four ticks later.
LATENCY = 4
text = [*TEXT, *[None] * LATENCY]
readable = sb.run(duplicate_detector, inputs={"char": text})
for char, counts in zip(TEXT, readable["counts.result"][1:], strict=False):
    print(f"{char!r} -> {counts}")

answers = [readable.last["output"][port] for port in ("again", "stops")]
assert answers == [2, 1]  # "t" came three times, and one "."


# %% The compiled engine: the same machine on a few arrays, the same answers.
detector = sb.lower(duplicate_detector)
trace = detector({"char": text})
ports = ("output.again", "output.stops")
fast = np.stack([trace.number(port) for port in ports], axis=1)
slow = [[now.outputs["output"].get(p, 0) for p in ("again", "stops")] for now in readable]
np.testing.assert_array_equal(fast, slow)


# %% A loss, and its gradient by every link. Asked for one repeat more, which links would help?
@eqx.filter_jit
def loss(detector):
    """The squared distance from the answers to those wanted."""
    trace = detector({"char": text})
    return jnp.sum((jnp.stack([trace.number(p)[-1] for p in ports]) - jnp.array([3.0, 1.0])) ** 2)


gradient = eqx.filter_grad(loss)(detector)
for link, slope in zip(duplicate_detector.links, gradient.weights, strict=True):
    print(f"{float(slope):7.2f}  {link}")


# %% The slopes are true: a small step along them lowers the loss by as much as they say.
def moved(step):
    """The detector with its links moved against the gradient."""
    return eqx.tree_at(lambda d: d.weights, detector, detector.weights - step * gradient.weights)


STEP = 1e-4
expected = float(jnp.sum(gradient.weights**2))
measured = float(loss(moved(-STEP)) - loss(moved(STEP))) / (2 * STEP)
print(f"slope along the gradient: {measured:.3f} measured, {expected:.3f} by the gradient")
np.testing.assert_allclose(measured, expected, rtol=1e-2)


# %% Look at it.
figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
ticks = np.arange(len(text))
axes.step(ticks, fast[:, 0], where="mid", label="again", color="tab:blue", linewidth=2)
axes.step(ticks, fast[:, 1], where="mid", label="stops", color="tab:orange", linewidth=2)
axes.set_xticks(ticks, [char or "" for char in text])
axes.set_yticks([0, 1, 2])
axes.set(title="What the detector says, tick by tick", xlabel="the character that arrives")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
figure.savefig("duplicate_detector.png", dpi=120)
