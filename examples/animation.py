# slow
"""Animations from unit generators: `sin(a*x + b)` of images, masks, shifts, feedback.

Every stream here is an image, and every `a` and `b` is a link or comes by one: sines of sines, as
in the synthesis of sound by frequency modulation. A ring pattern runs outward over a picture, its
brightness `0.25 * sin(...) + 0.75`, its shift `frame / (1 + 0.01 * frame)`; stripes mask it; what
is shown comes back a frame later, moved and weaker. Then the animation is edited while it runs,
without a jump, and gradients find the weights of an animation from its frames (arXiv 1601.00713,
sections 3 and 4). Draws `animation.gif`, `animation.png` and `animation_edited.png`.
"""

# %% What the generators start from: distances from the center, columns, and a picture.
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import snakebird as sb

SIZE, FRAMES, EDIT = 96, 90, 40
RINGS, BEND, SPEED, STRIPES, DRIFT, DECAY = 14.0, 0.8, 0.35, 9.0, 0.1, 0.6
ROW, COLUMN = (np.indices((SIZE, SIZE)) - (SIZE - 1) / 2) / (SIZE / 2)
FAR = np.hypot(ROW, COLUMN)
CHECKS = np.where(np.floor(5 * ROW) % 2 == np.floor(5 * COLUMN) % 2, 1.0, 0.4)
DRAWN = np.where(FAR < 0.9, CHECKS, 0.0)


# %% The machine. All links are instant but the one that closes the loop: a frame is a tick.
def now(neuron, *streams):
    """A neuron on streams of this tick."""
    return neuron(*[sb.instant(stream) for stream in streams])


def wave(argument):
    """A unit generator of an image."""
    return sb.sine(sb.instant(argument), shape=(SIZE, SIZE))


@sb.machine
def rings():
    """Rings that run outward over a picture, behind stripes, with an echo."""
    frame = sb.timer()
    one, far = sb.constant(value=np.ones((SIZE, SIZE))), sb.constant(value=FAR)
    column, picture = sb.constant(value=COLUMN), sb.constant(value=DRAWN)
    slowing = now(sb.product, frame, now(sb.reciprocal, 1 + 0.01 * frame))
    shift, drift = now(sb.gate, slowing, one), now(sb.gate, frame, one)
    bend = wave(5 * far + 0.05 * drift)
    ring = wave(RINGS * far + BEND * bend - SPEED * shift)
    stripe = wave(STRIPES * column + DRIFT * drift)
    lit = now(sb.product, 0.25 * ring + 0.75 * one, now(sb.image_wave, picture))
    masked = now(sb.product, 0.5 * stripe + 0.5 * one, lit)
    echo = sb.image_shift(down=2, right=-1)
    shown = now(sb.identity, masked + DECAY * echo)
    echo.feed(x=shown)
    return shown


print(*rings.links, sep="\n")


# %% Run it: once compiled, an animation is one array, and the same in plain NumPy.
STREAMS = ["ring", "stripe", "masked", "echo", "shown"]
low = sb.lower(rings, record=[f"{name}.result" for name in STREAMS])
trace = low(ticks=FRAMES)
frames = np.asarray(trace.number("shown.result"))

bent, last = np.asarray(sb.image_wave(DRAWN)), np.zeros((SIZE, SIZE))
for t in range(1, FRAMES + 1):
    bend = np.sin(5 * FAR + 0.05 * t)
    ring = np.sin(RINGS * FAR + BEND * bend - SPEED * t / (1 + 0.01 * t))
    stripe = np.sin(STRIPES * COLUMN + DRIFT * t)
    masked = (0.5 + 0.5 * stripe) * (0.75 + 0.25 * ring) * bent
    last = masked + DECAY * np.roll(last, (2, -1), axis=(0, 1))
    np.testing.assert_allclose(frames[t - 1], last, atol=2e-4)


# %% Draw it, with how much happens in its streams.
sb.report.animation(trace, "animation.gif", stream="shown.result", scale=2)
figure = sb.report.time_line(trace, images="shown.result", at=[1, 3, 6, 12, 24, 48, 69, 90])
figure.savefig("animation.png", dpi=110)


# %% Edit it while it runs: a neuron is inserted into the loop, and nothing moves. Then what it
# gives is mixed with a turned picture of the loop.
turning = rings.replace(
    neurons={**rings.neurons, "turned": sb.image_turn(angle=0.1, zoom=0.97)},
    links=[*rings.links, "turned.x <- echo.result"],
)
inserted, mixed = (
    sb.machines.insert(turning, "seam", "echo.x", side="turned.result", share=share)
    for share in (0.0, 0.5)
)
runner = sb.Runner(rings, record=["shown.result"], chunk=10)
runner.advance(EDIT).replace(inserted).advance(10)
np.testing.assert_allclose(runner.number("shown.result"), frames[: EDIT + 10], atol=2e-4)

runner.replace(mixed).advance(FRAMES - EDIT - 10)
edited = np.asarray(runner.number("shown.result"))
moved = np.abs(edited - frames).mean(axis=(1, 2))
print(f"mean difference in frame {EDIT + 10}: {moved[EDIT + 9]:.1e}, at the end {moved[-1]:.2f}")
assert 0.01 < moved[-1] < 1

streams = {"as it was": frames, "edited": edited, "difference": edited - frames}
ticks = [EDIT, EDIT + 10, EDIT + 12, EDIT + 15, EDIT + 20, EDIT + 30, EDIT + 40, FRAMES]
figure = sb.report.time_line(streams, images=edited, at=ticks)
figure.savefig("animation_edited.png", dpi=110)


# %% Find the weights of an animation from its first frames: how dense the rings, how fast.
WANTED, SEEN = frames[:12], 12
ends = [("ring", "far"), ("ring", "shift")]
places = np.array([[(n.to, n.source[0]) for n in rings.links].index(end) for end in ends])


@jax.jit
def difference(weights):
    """The first frames with these weights, less the wanted ones."""
    changed = eqx.tree_at(lambda m: m.weights, low, low.weights.at[places].set(weights))
    return (changed(ticks=SEEN).number("shown.result") - WANTED).ravel()


slopes = jax.jit(jax.jacfwd(difference))
true = np.asarray(low.weights)[places]
found = jnp.array([RINGS - 1, -SPEED + 0.06])
step = jnp.array([0.0, 3e-3])
numeric = (difference(found + step) - difference(found - step)) / 6e-3
np.testing.assert_allclose(slopes(found)[:, 1], numeric, atol=2e-3)

for k in range(5):
    residual = difference(found)
    print(
        f"step {k}: weights {np.round(np.asarray(found), 4)}, error {jnp.abs(residual).max():.1e}"
    )
    found = found - jnp.linalg.lstsq(slopes(found), residual)[0]
np.testing.assert_allclose(found, true, atol=1e-3)
