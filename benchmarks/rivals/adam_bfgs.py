"""A fit by hand: Lotka-Volterra with both interactions unknown, Adam and then BFGS.

What the published script does, in JAX: one tanh net 2-8-8-2 adds to the known growth and decay,
200 steps of Adam at a rate of 0.1, then BFGS until it settles. A free script: it imports nothing
of this repository. `python adam_bfgs.py DATA.json` reads `times` and `seen` and prints JSON: the
seconds of each part, and the solution at the times.

Source of the problem and the recipe: C. Rackauckas et al., Universal differential equations for
scientific machine learning, arXiv 2001.04385.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import optimistix as optx

ADAM_STEPS, RATE, BFGS_STEPS = 200, 0.1, 2000


def make(seed: int) -> Any:
    """What is trained: the net, drawn small so that the first solve is tame."""
    net = eqx.nn.MLP(2, 2, 8, 2, jnp.tanh, key=jax.random.key(seed), dtype=jnp.float64)
    return jax.tree.map(lambda x: 0.3 * x if eqx.is_inexact_array(x) else x, net)


def solve(net: Any, start: jax.Array, times: jax.Array) -> jax.Array:
    """The states at the times, `[n, 2]`; what is not finite where the solve fails."""
    rate = lambda t, y, net: jnp.stack([1.3 * y[0], -1.8 * y[1]]) + net(y)
    out = dfx.diffeqsolve(
        dfx.ODETerm(rate), dfx.Tsit5(), times[0], times[-1], None, start, net,
        saveat=dfx.SaveAt(ts=times), max_steps=256, throw=False,
        stepsize_controller=dfx.PIDController(rtol=1e-6, atol=1e-6),
    )  # fmt: skip
    return jnp.asarray(out.ys)


def fit(times: jax.Array, seen: jax.Array, seed: int, *, free_start: bool) -> tuple[Any, Any, Any]:
    """The trained net and start values, and the seconds of both parts."""
    arrays, static = eqx.partition(make(seed), eqx.is_inexact_array)

    def loss(p: Any, _: Any = None) -> jax.Array:
        start = p[1] if free_start else seen[0]
        return jnp.mean((solve(eqx.combine(p[0], static), start, times) - seen) ** 2)

    adam = optax.adam(RATE)

    @jax.jit
    def step(p: Any, state: Any) -> Any:
        change, state = adam.update(jax.grad(loss)(p), state)
        return optax.apply_updates(p, change), state

    begun = time.perf_counter()
    p = (arrays, seen[0])
    state = adam.init(p)
    for _ in range(ADAM_STEPS):
        p, state = step(p, state)
    jax.block_until_ready(p)
    first = time.perf_counter() - begun
    bfgs = optx.BFGS(rtol=1e-8, atol=1e-8)
    found = optx.minimise(loss, bfgs, p, max_steps=BFGS_STEPS, throw=False)
    p = jax.block_until_ready(found.value)
    seconds = {"Adam": first, "BFGS": time.perf_counter() - begun - first}
    steps = int(found.stats["num_steps"])
    return eqx.combine(p[0], static), (p[1] if free_start else seen[0]), seconds | {"steps": steps}


def main(path: str, seed: str, free_start: str) -> None:
    """Fit the data of a file and print what came out."""
    jax.config.update("jax_enable_x64", True)
    data = json.loads(Path(path).read_text())
    times, seen = jnp.asarray(data["times"]), jnp.asarray(data["seen"])
    net, start, seconds = fit(times, seen, int(seed), free_start=free_start == "free")
    print(json.dumps({"values": solve(net, start, times).tolist(), "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
