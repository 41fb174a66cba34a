"""One training step (loss, gradient, Adam) of the published machines against hand-written scans."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from benchmarks import machines
from benchmarks.rivals import detector, dmm_lite, superfluid
from benchmarks.timing import in_turn, once, ratio
from snakebird.lowering import Lowered, lower

MACHINES: dict[str, tuple[Callable[[], Any], ModuleType]] = {
    "layered, 1,486 links": (machines.dmm_lite_machine, dmm_lite),
    "superfluid, 2,906 numbers": (machines.superfluid_machine, superfluid),
}


def loss_of(low: Lowered, rival: ModuleType, ticks: int = detector.TICKS) -> jax.Array:
    """The loss of the rival: squared errors at the inputs of `output`, and what it adds."""
    trace = low(ticks=ticks)
    read = [trace.inputs(("output", port)) for port in ("dict-1", "dict-2")]
    got = jnp.stack([flat.data[:, flat.space.slot(())][:, 0] for flat in read], axis=1)
    error = got - jnp.asarray(detector.targets(ticks=ticks), got.dtype)
    if rival is superfluid:
        return jnp.sum(error[1:] ** 2)
    free = low.plan.free_weights
    return jnp.sum(error**2) + dmm_lite.SPARSITY * jnp.sum(jnp.abs(low.weights) * free)


def ours(build: Callable[[], Any], rival: ModuleType, **options: Any) -> Callable[[], Any]:
    """One compiled training step as a call without arguments; the first call compiles."""
    low = lower(build(), record=["output.dict-1.:number", "output.dict-2.:number"], **options)
    arrays, static = eqx.partition(low, eqx.is_inexact_array)
    optimizer = optax.adam(rival.RATE)
    state = optimizer.init(arrays)

    @jax.jit
    def step(arrays: Any, state: Any) -> Any:
        value, grad = jax.value_and_grad(lambda a: loss_of(eqx.combine(a, static), rival))(arrays)
        change, state = optimizer.update(grad, state)
        return optax.apply_updates(arrays, change), state, value

    return lambda: step(arrays, state)


def theirs(rival: ModuleType, form: str) -> Callable[[], Any]:
    """The rival's training step as a call without arguments."""
    step, weights, state = rival.make_step(form=form)
    return lambda: step(weights, state)


def training_steps() -> list[dict[str, Any]]:
    """Rows: compile seconds, milliseconds a step, and the ratio to both hand-written forms."""
    rows = []
    for name, (build, rival) in MACHINES.items():
        calls = {"ours": ours(build, rival)} | {f: theirs(rival, f) for f in ("plain", "tuned")}
        assert abs(float(calls["ours"]()[2]) / float(calls["plain"]()[2]) - 1) < 1e-4
        jax.clear_caches()
        calls = {"ours": ours(build, rival)} | {f: theirs(rival, f) for f in ("plain", "tuned")}
        timed = in_turn(calls, repeat=60)
        rows.append(
            {"machine": name}
            | {f"{who} compile (s)": timed[who].first for who in timed}
            | {f"{who} (ms)": 1e3 * timed[who].median for who in timed}
            | {f"ratio to {who}": ratio(timed["ours"], timed[who]) for who in ("plain", "tuned")}
        )
    return rows


def compile_by_ticks(counts: tuple[int, ...] = (10, 100, 1_000, 10_000)) -> list[dict[str, Any]]:
    """Rows: seconds to trace and compile a gradient, by the number of ticks; medians of three."""
    rows = []
    for ticks in counts:
        seconds = []
        for _ in range(3):
            jax.clear_caches()
            seconds.append(_compile(ticks, checkpoint=False)[0])
        rows.append({"ticks": ticks, "compile (s)": sorted(seconds)[1]})
    return rows


def memory_by_ticks(counts: tuple[int, ...] = (100, 1_000, 10_000)) -> list[dict[str, Any]]:
    """Rows: megabytes a compiled gradient needs beside its arguments, and with checkpoints."""
    rows = []
    for ticks in counts:
        plain, kept = (_compile(ticks, checkpoint)[1] for checkpoint in (False, True))
        rows.append({"ticks": ticks, "plain (MB)": plain / 1e6, "checkpoint (MB)": kept / 1e6})
    return rows


def _compile(ticks: int, checkpoint: bool) -> tuple[float, int]:
    """Seconds to compile, and bytes of temporary memory."""
    low = lower(
        machines.dmm_lite_machine(),
        record=["output.dict-1.:number", "output.dict-2.:number"],
        checkpoint=checkpoint,
    )
    arrays, static = eqx.partition(low, eqx.is_inexact_array)
    made: list[Any] = []

    def build() -> Any:
        loss = lambda a: loss_of(eqx.combine(a, static), dmm_lite, ticks)
        made.append(jax.jit(jax.value_and_grad(loss)).lower(arrays).compile())
        return ()

    seconds = once(build)
    return seconds, made[0].memory_analysis().temp_size_in_bytes
