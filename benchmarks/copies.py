"""A thousand copies of a machine: one `jax.vmap` against a loop that waits for every single one.

The small machine counts the characters of a text and says how often the commonest came again: six
links, streams of eight numbers. Its copies share their weights and read different texts, or differ
in both. A scan written by hand for this one machine stands beside it. The layered machine has 1,486
links; its copies differ in their weights.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import machines
from benchmarks.rivals import dmm_lite
from benchmarks.timing import in_turn, ratio
from benchmarks.training import loss_of
from snakebird import neurons as sn
from snakebird.lowering import lower
from snakebird.machines import Machine

COPIES, TOKENS = 1_000, tuple("abcdefgh")
LINKS = (
    "counts.accum <- counts.result",
    "counts.delta <- char.signal",
    "most.x <- counts.result",
    "again.x <- most.norm",
    "again.x <- -1 * one.result",
    "output.again <- again.result",
)


def copies() -> list[dict[str, Any]]:
    """Rows: milliseconds of vmap and loop for a thousand copies, and how many times faster it is.

    The last columns are the same for the scan by hand.
    """
    rows = []
    for ticks in (12, 100):
        ours, plain = small(ticks), by_hand()
        texts, weights = _texts(ticks), _near(ours.weights)
        both = [jax.vmap(f)(weights, texts) for f in (ours.call, plain)]
        np.testing.assert_allclose(*both, rtol=1e-4, atol=1e-5)
        for what, wrap in (("run", lambda f: f), ("gradient", _gradient)):
            runs = [wrap(f) for f in (lambda w, x, f=ours.call: f(w, x), plain)]
            for own in (False, True):
                name = f"small, {ticks} ticks, {what}, {'own' if own else 'shared'} weights"
                given = weights if own else ours.weights
                found = [_against_loop(run, given, texts, own) for run in runs]
                hand = {f"by hand {key}": value for key, value in found[1].items()}
                rows.append({"copies": name, **found[0], **hand})
    for what, wrap in (("run", lambda f: f), ("gradient", jax.grad)):
        call, weights = layered(20)
        run = wrap(call)
        found = _against_loop(lambda w, _, f=run: f(w), weights, jnp.zeros(COPIES), True)
        none = {f"by hand {key}": "-" for key in found}
        rows.append({"copies": f"layered, 20 ticks, {what}, own weights", **found, **none})
    return rows


class Small(eqx.Module):
    """The small machine as a function of weights and a text `[ticks, tokens]`."""

    weights: jax.Array
    call: Callable[[jax.Array, jax.Array], jax.Array] = eqx.field(static=True)


def small(ticks: int) -> Small:
    """The small machine, lowered."""
    kinds = {"counts": sn.accumulator, "most": sn.max_norm, "one": sn.constant}
    kinds |= {"again": sn.relu, "output": sn.output, "char": sn.source(tokens=TOKENS)}
    low = lower(Machine(kinds, LINKS))

    def call(weights: jax.Array, text: jax.Array) -> jax.Array:
        moved = eqx.tree_at(lambda m: m.weights, low, weights)
        return moved({"char": text}, ticks).number("output.again")

    return Small(low.weights, call)


def by_hand() -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The same by a scan that carries one array for each output; the links sorted by target."""

    def call(weights: jax.Array, text: jax.Array) -> jax.Array:
        def tick(outputs: Any, char: jax.Array) -> Any:
            counts, before, most, one, again = outputs
            said = weights[5] * again
            read = weights[4] * counts
            again = jax.nn.relu(weights[0] * most + weights[1] * one)
            counts = weights[2] * counts + weights[3] * before
            most = jnp.max(read * jnp.sign(read), initial=0)
            return (counts, char, most, jnp.ones_like(one), again), said

        zero = jnp.zeros((), text.dtype)
        none = jnp.zeros(len(TOKENS), text.dtype)
        return jax.lax.scan(tick, (none, none, zero, zero, zero), text)[1]

    return call


def layered(ticks: int) -> tuple[Callable[[jax.Array], jax.Array], jax.Array]:
    """The loss of the layered machine as a function of its weights, and weights `[copies, links]`.

    A run and its gradient take 2 * 32,860 * 3 operations a tick and a copy as dense products: 3.9
    billion for a thousand copies over 20 ticks.
    """
    low = lower(
        machines.dmm_lite_machine(), record=["output.dict-1.:number", "output.dict-2.:number"]
    )

    def call(weights: jax.Array) -> jax.Array:
        return loss_of(eqx.tree_at(lambda m: m.weights, low, weights), dmm_lite, ticks)

    return call, 0.01 * jax.random.normal(jax.random.key(0), (COPIES, len(low.weights)))


def _against_loop(
    run: Callable[[Any, Any], Any], weights: jax.Array, texts: jax.Array, own: bool
) -> dict[str, Any]:
    single, batch = jax.jit(run), jax.jit(jax.vmap(run, in_axes=(0 if own else None, 0)))
    each = [(w, x) for w, x in zip(weights if own else [weights] * COPIES, texts, strict=True)]

    def loop() -> None:
        for w, x in each:
            jax.block_until_ready(single(w, x))

    timed = in_turn({"vmap": lambda: batch(weights, texts), "loop": loop}, repeat=9)
    return {
        "vmap (ms)": 1e3 * timed["vmap"].median,
        "loop (ms)": 1e3 * timed["loop"].median,
        "loop / vmap": ratio(timed["loop"], timed["vmap"]),
    }


def _gradient(run: Callable[[Any, Any], jax.Array]) -> Callable[[Any, Any], jax.Array]:
    return jax.grad(lambda w, x: jnp.sum(run(w, x) ** 2))


def _texts(ticks: int) -> jax.Array:
    chosen = np.random.default_rng(0).integers(0, len(TOKENS), (COPIES, ticks))
    return jnp.asarray(np.eye(len(TOKENS), dtype=np.float32)[chosen])


def _near(weights: jax.Array) -> jax.Array:
    return weights + 0.01 * jax.random.normal(jax.random.key(0), (COPIES, len(weights)))
