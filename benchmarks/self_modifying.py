"""What self-modification costs: a tick, the memory of a gradient, learners inside machines."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import snakebird as sb
from benchmarks.timing import in_turn, ratio
from snakebird.machines import Editor, Link, Machine

PORTS, TICKS = 5, 200
INPUTS, OUTPUTS, INNER = 16, 4, 20


def fixed_machine(neurons: int, seed: int = 0) -> Machine:
    """A sparse random machine of scalar neurons, five links into each."""
    rng = np.random.default_rng(seed)
    names = [f"n{k}" for k in range(neurons)]
    links = [
        Link(name, "x", (names[source], "result"), float(rng.normal() / 2))
        for name in names
        for source in rng.choice(neurons, PORTS, replace=False)
    ]
    start = {name: {"result": float(rng.normal())} for name in names}
    return Machine(dict.fromkeys(names, "tanh"), links, start)


def editing_machine(neurons: int, seed: int = 0) -> Machine:
    """The same, but it carries its matrix, and one neuron edits the row of `n0` in every tick."""
    machine = fixed_machine(neurons, seed)
    row = [link for link in machine.links if link.to == "n0"]
    with sb.Builder() as b:
        Editor().set("n0.x", {link.source[0]: {"result": 0.1} for link in row}, by=0.1)
    links = [*machine.links, *b.machine.links]
    together = {**machine.neurons, **b.machine.neurons}
    return Machine(together, links, machine.start, matrix_from=b.machine.matrix_from)


def _pass(build: Callable[[int], Machine], neurons: int) -> Callable[[], Any]:
    low = sb.lower(build(neurons), record="n0.result")
    return lambda: low(ticks=TICKS).number("n0.result")


def _loss(low: Any, ticks: int) -> jax.Array:
    return jnp.mean(low(ticks=ticks).number("n0.result") ** 2)


def _gradient(build: Callable[[int], Machine], neurons: int) -> Callable[[], Any]:
    arrays, static = eqx.partition(
        sb.lower(build(neurons), record="n0.result"), eqx.is_inexact_array
    )
    compiled = jax.jit(jax.grad(lambda a: _loss(eqx.combine(a, static), TICKS)))
    return lambda: compiled(arrays)


def a_tick(sizes: tuple[int, ...] = (50, 200, 800)) -> list[dict[str, Any]]:
    """Rows: microseconds a tick of a machine that edits itself, and of one that does not."""
    rows = []
    for what, make in (("run", _pass), ("gradient", _gradient)):
        for neurons in sizes:
            calls = {"editing": make(editing_machine, neurons)}
            calls["fixed"] = make(fixed_machine, neurons)
            timed = in_turn(calls, repeat=25)
            rows.append(
                {"what": what, "neurons": neurons, "links": PORTS * neurons}
                | {f"{who} compile (s)": timed[who].first for who in timed}
                | {f"{who} (us/tick)": 1e6 * timed[who].median / TICKS for who in timed}
                | {"ratio": ratio(timed["editing"], timed["fixed"])}
            )
    return rows


def memory(counts: tuple[int, ...] = (100, 1_000), neurons: int = 200) -> list[dict[str, Any]]:
    """Rows: megabytes a compiled gradient needs beside its arguments, by the number of ticks."""
    rows = []
    for ticks in counts:
        row: dict[str, Any] = {"neurons": neurons, "ticks": ticks}
        for name, build, checkpoint in (
            ("fixed", fixed_machine, False),
            ("editing", editing_machine, False),
            ("editing, checkpoint", editing_machine, True),
        ):
            low = sb.lower(build(neurons), record="n0.result", checkpoint=checkpoint)
            row[f"{name} (MB)"] = _temporary(low, ticks) / 1e6
        rows.append(row)
    return rows


def _temporary(low: Any, ticks: int) -> int:
    arrays, static = eqx.partition(low, eqx.is_inexact_array)
    gradient = jax.jit(jax.grad(lambda a: _loss(eqx.combine(a, static), ticks)))
    compiled: Any = gradient.lower(arrays).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def learner() -> Machine:
    """The delta rule in a machine's own rows: `answer` is a linear map, `self` corrects it."""
    inputs = [f"f{k:02d}" for k in range(INPUTS)]
    outputs = [f"o{k}" for k in range(OUTPUTS)]
    with sb.Builder(fixed=True) as b:
        Editor()
        x = sb.source(space=sb.Space([(name,) for name in inputs]), name="x")
        y = sb.source(space=sb.Space([(name,) for name in outputs]), name="y")
        seen, target = sb.identity(x, name="seen"), sb.identity(y, name="target")
        answer = sb.output(name="answer")
        error = sb.identity(sb.instant(target) - sb.instant(answer.all), name="error")
        rows = sb.outer(_there({"answer": 1.0}), sb.instant(error))
        columns = sb.outer(_there({"x": {"signal": 1.0}}), sb.instant(seen))
        sb.outer(sb.instant(rows), sb.instant(columns), name="change")
    links = [Link("self", "delta", ("change", "result"), 0.05, instant=True)]
    links += [Link("answer", o, ("x", "signal", i), 0.01) for o in outputs for i in inputs]
    return Machine(b.machine.neurons, [*b.machine.links, *links], matrix_from=b.machine.matrix_from)


def _there(tree: dict[str, Any]) -> Any:
    return sb.instant(sb.constant(value=tree))


def _answers(low: Any, xs: jax.Array, ys: jax.Array) -> jax.Array:
    trace = low({"x": xs, "y": ys}, ticks=INNER + 1)
    return trace["answer"].data[1:]


def _by_hand(weights: Any, xs: jax.Array, ys: jax.Array) -> jax.Array:
    rate, first = weights

    def step(matrix: jax.Array, now: Any) -> Any:
        x, y = now
        answer = matrix @ x
        return matrix + rate * jnp.outer(y - answer, x), answer

    return jax.lax.scan(step, first, (xs, ys))[1]


def _learning(model: Any, answers: Callable[..., jax.Array], batch: int) -> Callable[[], Any]:
    """The compiled loss of a batch of learners and its gradient, as a call without arguments."""
    arrays, static = eqx.partition(model, eqx.is_inexact_array)
    keys = jax.random.split(jax.random.key(0), 2)
    xs = jax.random.normal(keys[0], (batch, INNER, INPUTS))
    ys = jnp.einsum("bti,boi->bto", xs, jax.random.normal(keys[1], (batch, OUTPUTS, INPUTS)))

    def loss(arrays: Any) -> jax.Array:
        whole = eqx.combine(arrays, static)
        return jnp.mean((jax.vmap(lambda x, y: answers(whole, x, y))(xs, ys) - ys) ** 2)

    step = jax.jit(jax.value_and_grad(loss))
    return lambda: step(arrays)


def inner_loops(batches: tuple[int, ...] = (1, 16, 256, 2_048)) -> list[dict[str, Any]]:
    """Rows: inner loops of twenty ticks a second with a gradient through them, by batch."""
    low = sb.lower(learner(), record="answer")
    rate, first = jnp.array(0.05), jnp.full((OUTPUTS, INPUTS), 0.01)
    rows = []
    for batch in batches:
        calls = {
            "ours": _learning(low, _answers, batch),
            "by hand": _learning((rate, first), _by_hand, batch),
        }
        values = [float(call()[0]) for call in calls.values()]
        assert abs(values[0] / values[1] - 1) < 1e-4
        timed = in_turn(calls, repeat=15 if batch > 1_000 else 40)
        rows.append(
            {"batch": batch}
            | {f"{who} (loops/s)": batch / timed[who].median for who in timed}
            | {"ratio": ratio(timed["ours"], timed["by hand"])}
        )
    return rows


def self_modifying() -> dict[str, list[dict[str, Any]]]:
    """The cost of a tick, the memory of a gradient, inner loops a second."""
    return {"a tick": a_tick(), "memory": memory(), "inner loops": inner_loops()}
