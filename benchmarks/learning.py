"""Learning to learn: the ladder M1 to M7, each rung with what it must be compared with.

`SNAKEBIRD_RUNGS=M1,M7` runs some of them, `SNAKEBIRD_EFFORT=0.1` a tenth of the training. Nothing
is chosen on the tasks that are reported: those are drawn from a key of their own. Adam's rate in
M6 is chosen on other tasks, for each horizon.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

import snakebird as sb
from snakebird import meta
from snakebird.errors import FitError
from snakebird.meta import oracles, rules as mr, tasks as mt
from snakebird.meta._gradients import free_numbers

TRAIN, TEST, TUNE = (jax.random.key(k) for k in (0, 1, 2))
EFFORT = float(os.environ.get("SNAKEBIRD_EFFORT", "1"))
Row = dict[str, Any]


def trained(rule: Any, tasks: Any, steps: int, rate: float, **options: Any) -> tuple[Any, float]:
    """A rule after training with a rate that falls to zero, and the seconds it took."""
    begun, steps = time.perf_counter(), max(int(steps * EFFORT), 2)
    adam = optax.adam(optax.cosine_decay_schedule(rate, steps))
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), adam)
    options = {"batch": 32, **options}
    found = meta.fit(rule, tasks, key=TRAIN, steps=steps, optimizer=optimizer, **options)
    return found.rule, time.perf_counter() - begun


def size_of(rule: Any) -> int:
    """How many numbers of a rule are trained."""
    return int(sum(np.sum(x) for x in jax.tree.leaves(free_numbers(rule))))


def compared(
    rung: str,
    rules: dict[str, tuple[Any, dict[str, Any] | None]],
    tasks: Any,
    look: Callable[[Any], Row],
) -> list[Row]:
    """Each rule trained with its options, or as it is where there are none, and looked at."""
    rows = []
    for name, (rule, options) in rules.items():
        seconds = 0.0
        if options is not None:
            try:
                rule, seconds = trained(rule, tasks, **options)
            except FitError:
                name = f"{name}, untrained: every task diverged"
        found = {k: "-" if v != v else v for k, v in look(rule).items()}
        numbers = size_of(rule) if options is not None else 0
        rows.append({"rung": rung, "rule": name, **found, "numbers": numbers, "seconds": seconds})
        print(rows[-1], flush=True)
    return rows


def means_at(tasks: Any, ticks: dict[str, int], count: int = 512) -> Callable[[Any], Row]:
    """The mean loss at some ticks of fresh tasks."""

    def look(rule: Any) -> Row:
        curve = meta.evaluate(rule, tasks, key=TEST, count=count)
        return {name: float(curve.mean[t]) for name, t in ticks.items()} | {
            "diverged": curve.diverged
        }

    return look


def waves(count: int, *, key: Any) -> eqx.Module:
    """Features of a number: a small net."""
    net = eqx.nn.MLP(1, count, 24, 2, activation=jnp.tanh, key=key)
    return eqx.tree_at(lambda own: own.layers[0].weight, net, replace_fn=lambda w: w * 1.5)


def m1() -> list[Row]:
    """Sinusoids from 5 and 10 points."""
    key, tasks = jax.random.key(5), mt.Sinusoids(ticks=11)
    own = {"steps": 3000, "rate": 5e-3, "relative": True}
    plain = {"steps": 3000, "rate": 5e-3}
    rows = lambda **how: mr.rows_rule(8, features=waves(8, key=key), **how)
    rules = {
        "Bayes": (oracles.SineBayes(cells=128, spread=0.02), None),
        "rows": (rows(), own),
        "rows, Self frozen": (rows(frozen=True), {**own, "steps": 300}),
        "rows, random changes": (rows(random=True), {**own, "steps": 300}),
        "GRU": (mr.GRURule(3, 1, 22, key=key), plain),
        "delta rule": (mr.DeltaRule(3, 1, 16, key=key), plain),
    }
    found = compared("M1", rules, tasks, means_at(tasks, {"K=5": 5, "K=10": 10}))
    return [*found, *m1_steps(key)]


def m1_steps(key: Any) -> list[Row]:
    """The same by gradient steps from a learned start."""
    rows = []
    for rates in ("fixed", "each"):
        found, seconds = {}, 0.0
        for shots in (5, 10):
            net = eqx.nn.MLP(1, 1, 36, 2, key=key)
            rule = meta.LearnedStart(net, rate=0.01 if rates == "fixed" else 0.05, rates=rates)
            one = mt.SinusoidShots(shots=shots, queries=10, ticks=1)
            rule, spent = trained(rule, one, 3000, 3e-3)
            curve = meta.evaluate(rule, mt.SinusoidShots(shots=shots), key=TEST, count=512)
            found[f"K={shots}"], seconds = float(curve.mean[0]), seconds + spent
        name = f"learned start, rates {rates}, 1 step"
        rows.append({"rung": "M1", "rule": name, **found, "diverged": 0,
                     "numbers": size_of(rule), "seconds": seconds})  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def m2() -> list[Row]:
    """Linear regression in context; trained on 20 ticks, looked at to 200."""
    key, tasks = jax.random.key(6), mt.LinearRegression(inputs=5, ticks=20)
    own = {"steps": 600, "rate": 3e-2, "relative": True, "batch": 64}
    plain = {"steps": 3000, "rate": 5e-3}
    ridge = oracles.RecursiveLeastSquares(ridge=0.05)
    rules = {
        "ridge": (ridge, None),
        "normalized LMS": (oracles.LeastMeanSquares(rate=0.8, normalized=True), None),
        "rows": (mr.rows_rule(5), own),
        "rows, Self frozen": (mr.rows_rule(5, frozen=True), {**own, "steps": 50}),
        "rows, random changes": (mr.rows_rule(5, random=True), {**own, "steps": 50}),
        "GRU": (mr.GRURule(7, 1, 32, key=key), plain),
        "delta rule": (mr.DeltaRule(7, 1, 24, key=key), plain),
    }
    longer = tasks.with_ticks(200)
    best = meta.evaluate(ridge, longer, key=TEST, count=512).mean
    ticks = {"t=4": 4, "t=9": 9, "t=19": 19, "t=199": 199}

    def look(rule: Any) -> Row:
        found = means_at(longer, ticks)(rule)
        curve = meta.evaluate(rule, longer, key=TEST, count=512).mean
        return found | {"worst ratio to ridge": float(np.max(curve / best))}

    return compared("M2", rules, tasks, look)


def m3() -> list[Row]:
    """Keys that are bound anew; trained on 14 ticks, looked at to 1,400, and with more keys."""
    key, tasks, many = jax.random.key(11), mt.Recall(), mt.Recall(keys=64, ticks=1400)
    own = {"steps": 600, "rate": 3e-2, "relative": True, "batch": 64}
    plain = {"steps": 3000, "rate": 5e-3}
    rules = {
        "delta rule, rate 1": (oracles.LeastMeanSquares(rate=1.0), None),
        "rows": (mr.rows_rule(4), own),
        "rows, Self frozen": (mr.rows_rule(4, frozen=True), {**own, "steps": 50}),
        "rows, random changes": (mr.rows_rule(4, random=True), {**own, "steps": 50}),
        "GRU": (mr.GRURule(6, 1, 24, key=key), plain),
        "delta rule": (mr.DeltaRule(6, 1, 16, key=key), plain),
    }

    def look(rule: Any) -> Row:
        row = {}
        for ticks in (14, 1400):
            curve = meta.evaluate(rule, tasks.with_ticks(ticks), key=TEST, count=256)
            row[f"{ticks} ticks"] = float(curve.mean.mean())
            row["diverged"] = curve.diverged
        wide = isinstance(rule, mr.MachineRule) and not row["diverged"]
        return row | {"64 keys": float(_widened(rule, many).mean.mean()) if wide else "-"}

    return compared("M3", rules, tasks, look)


def _widened(rule: Any, tasks: Any) -> Any:
    """How a rule of rows does with more keys: its numbers, the same for every key."""
    numbers: dict[tuple[str, str], list[float]] = {}
    for link in rule.machine.links:
        if link.trainable:
            numbers.setdefault((link.to, link.source[0]), []).append(float(link.weight))
    machine = mr.rows_machine(tasks.keys)
    weights = [
        np.mean(numbers[x.to, x.source[0]]) if x.trainable else x.weight for x in machine.links
    ]
    ports = ["answer.o00"]
    low = sb.lower(machine.with_weights(weights), record=ports)
    wide = mr.MachineRule(low, {"x": "x", "y": "y", "given": "given"}, ports)
    return meta.evaluate(wide, tasks, key=TEST, count=16)


def m4() -> list[Row]:
    """Coefficients that change every 30 ticks: the loss, and how soon it is low again."""
    key, tasks = jax.random.key(7), mt.SwitchingRegression(inputs=5, ticks=120)
    own = {"steps": 400, "rate": 3e-2, "relative": True}
    plain = {"steps": 800, "rate": 5e-3}
    best = min(
        (meta.evaluate(_forgetting(one), tasks, key=TUNE, count=256).mean.mean(), one)
        for one in (0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
    )[1]
    rules = {
        f"least squares, forgetting {best}": (_forgetting(best), None),
        "rows that forget": (mr.rows_rule(5, forget=True), own),
        "rows, Self frozen": (mr.rows_rule(5, forget=True, frozen=True), {**own, "steps": 50}),
        "rows, random changes": (
            mr.rows_rule(5, forget=True, random=True), {**own, "steps": 50},
        ),
        "GRU": (mr.GRURule(7, 1, 32, key=key), plain),
        "delta rule": (mr.DeltaRule(7, 1, 24, key=key), plain),
    }  # fmt: skip

    def look(rule: Any) -> Row:
        curve = meta.evaluate(rule, tasks, key=TEST, count=512)
        after = curve.mean[30:].reshape(3, 30).mean(0) if len(curve.losses) else np.ones(30)
        low = np.flatnonzero(after < 0.1)
        return {
            "mean loss": float(curve.mean.mean()),
            "before a switch": float(after[-5:].mean()),
            "ticks to a loss of 0.1": int(low[0]) if low.size else "never",
            "diverged": curve.diverged,
        }

    return compared("M4", rules, tasks, look)


def _forgetting(rate: float) -> Any:
    return oracles.RecursiveLeastSquares(ridge=0.05, forgetting=rate)


def m5() -> list[Row]:
    """Digits, two classes after two classes; all ten are asked for at the end."""
    key, width = jax.random.key(8), 16
    tasks = mt.DigitSequence(shots=10, queries=20)
    ask = {
        "after 5 pairs": mt.DigitSequence(shots=10, queries=20, held_out=True),
        "first pair, after 1": mt.DigitSequence(shots=10, queries=20, held_out=True, after=1),
        "first pair, after 5": mt.DigitSequence(shots=10, queries=20, held_out=True, after=5),
    }
    view = lambda: eqx.nn.MLP(64, width, 32, 1, activation=jnp.tanh, key=key)
    own = {"steps": 200, "rate": 1e-2, "batch": 8, "weights": _last(tasks.ticks, 20)}
    rows = lambda **how: mr.rows_rule(width, 10, features=view(), **how)
    rules = {
        "nearest class mean": (oracles.NearestMean(), None),
        "rows": (rows(), own),
        "rows, Self frozen": (rows(frozen=True), {**own, "steps": 20}),
        "rows, random changes": (rows(random=True), {**own, "steps": 20}),
        "GRU": (mr.GRURule(75, 10, 32, key=key), {**own, "steps": 600}),
        "delta rule": (mr.DeltaRule(75, 10, 24, key=key), {**own, "steps": 600}),
    }

    def look(rule: Any) -> Row:
        return {name: f"{_right(rule, one):.1%}" for name, one in ask.items()}

    return compared("M5", rules, tasks, look)


def _last(ticks: int, count: int) -> Any:
    """Ones for the last ticks."""
    return (jnp.arange(ticks) >= ticks - count).astype(float)


def _right(rule: Any, tasks: mt.DigitSequence, count: int = 64) -> float:
    """How many of the queries are told right."""

    @eqx.filter_jit
    def one(rule: Any, key: Any) -> Any:
        task = tasks.sample(key)
        state = rule.init(tasks.observe(task, (), 0), key=key)
        step = lambda state, tick: rule(state, tasks.observe(task, (), tick))
        _, said = jax.lax.scan(step, state, jnp.arange(tasks.ticks))
        hit = said.argmax(1) == task.target.argmax(1)
        return hit[-tasks.queries :].mean()

    return float(np.mean([one(rule, key) for key in jax.random.split(TEST, count)]))


class Known(eqx.Module):
    """An optimizer of optax as a rule."""

    name: str = eqx.field(static=True)
    rate: jax.Array

    def _own(self) -> optax.GradientTransformation:
        make = {"Adam": optax.adam, "momentum": lambda rate: optax.sgd(rate, momentum=0.9)}
        return make[self.name](self.rate)

    def init(self, observation: Any, *, key: Any) -> Any:
        return self._own().init(observation["gradient"])

    def __call__(self, state: Any, observation: Any) -> Any:
        moves, state = self._own().update(observation["gradient"], state)
        return state, moves


class CoordinateGRU(eqx.Module):
    """A GRU that moves every number by its own slopes (M. Andrychowicz et al., NeurIPS 2016)."""

    cell: eqx.nn.GRUCell
    out: eqx.nn.Linear

    def __init__(self, width: int, *, key: jax.Array):
        own, last = jax.random.split(key)
        self.cell = eqx.nn.GRUCell(2, width, key=own)
        self.out = eqx.nn.Linear(width, 1, key=last)

    def init(self, observation: Any, *, key: Any) -> Any:
        slopes = ravel_pytree(observation["gradient"])[0]
        return jnp.zeros((slopes.size, self.cell.hidden_size), slopes.dtype)

    def __call__(self, state: Any, observation: Any) -> Any:
        slopes, back = ravel_pytree(observation["gradient"])
        size = jnp.log(jnp.abs(slopes) + 1e-8) / 10  # a slope as its size and its sign
        state = jax.vmap(self.cell)(jnp.stack([size, jnp.sign(slopes)], 1), state)
        return state, back(0.1 * jax.vmap(self.out)(state)[:, 0])


def m6() -> list[Row]:
    """Nets to train: learned on 50 steps, used for 50, 200 and 1000, and on digits."""
    key, short = jax.random.key(9), mt.NetTraining(ticks=50)
    digits = mt.NetTraining(data="digits", hidden=32, classes=10, points=512, ticks=50)
    own, seconds = trained(meta.LearnedOptimizer(key=key), short, 300, 1e-2, batch=16)
    gru, _ = trained(CoordinateGRU(4, key=key), short, 300, 1e-2, batch=16)
    rows = []
    for name, tasks in {"mixtures": short, "digits": digits}.items():
        for ticks in (50, 200, 1000):
            longer, count = tasks.with_ticks(ticks), 64 if name == "mixtures" else 16
            known = {kind: _tuned(kind, longer, count) for kind in _GRID}
            ours = _final(own, longer, TEST, count)
            rows.append({
                "rung": "M6", "nets on": name, "steps": ticks, "learned": ours,
                "GRU": _final(gru, longer, TEST, count),
                **{f"{k}, tuned": v for k, (v, _) in known.items()},
                "Adam's rate": known["Adam"][1], "ratio to Adam": ours / known["Adam"][0],
                "numbers": size_of(own), "seconds": seconds,
            })  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def _final(rule: Any, tasks: Any, key: Any, count: int) -> float:
    return float(meta.evaluate(rule, tasks, key=key, count=count).mean[-1])


def _tuned(kind: str, tasks: Any, count: int) -> tuple[float, float]:
    """The final loss with the rate that is best on other tasks, and that rate."""
    make = lambda rate: Known(kind, jnp.array(rate))
    best = min(_GRID[kind], key=lambda rate: _final(make(rate), tasks, TUNE, 16))
    return _final(make(best), tasks, TEST, count), best


_GRID = {
    "Adam": (0.003, 0.01, 0.03, 0.06, 0.1, 0.2, 0.4),
    "momentum": (0.03, 0.1, 0.3, 1.0),
}
"""The rates that are tried for each horizon."""


def m7() -> list[Row]:
    """Bandits: learned with 5 arms and 100 pulls, used elsewhere too."""
    key, tasks = jax.random.key(10), mt.Bandits(arms=5, ticks=100)
    pes = {"steps": 600, "rate": 3e-2, "batch": 256}
    pes |= {"gradient": "pes", "length": 50, "spread": 0.3}
    own = lambda how: mr.IndexRule(key=key, updates=how)
    rules = {
        "Bayes-UCB": (oracles.BayesUCB(), None),
        "Thompson": (oracles.Thompson(), None),
        "UCB1": (oracles.UCB1(), None),
        "learned index": (own("learned"), pes),
        "memory frozen": (own("frozen"), {**pes, "steps": 50}),
        "random changes": (own("random"), {**pes, "steps": 50}),
        "GRU": (mr.GRURule(7, 5, 12, key=key), {**pes, "spread": 0.1}),
        "delta rule": (mr.DeltaRule(7, 5, 8, key=key), {**pes, "spread": 0.1}),
    }
    places = [(2, 50), (5, 100), (10, 100), (10, 500)]

    def look(rule: Any) -> Row:
        found = {}
        for arms, ticks in places:
            only = isinstance(rule, mr.GRURule | mr.DeltaRule) and arms != 5
            here = mt.Bandits(arms=arms, ticks=ticks)
            curve = None if only else meta.evaluate(rule, here, key=TEST, count=4096)
            sums = None if curve is None else curve.losses.sum(1)
            found[f"{arms} arms, {ticks} pulls"] = "" if sums is None else float(sums.mean())
        return found

    return compared("M7", rules, tasks, look)


RUNGS: dict[str, Callable[[], list[Row]]] = {
    "M1": m1, "M2": m2, "M3": m3, "M4": m4, "M5": m5, "M6": m6, "M7": m7,
}  # fmt: skip


def ladder() -> dict[str, list[Row]]:
    """The rungs asked for, or all."""
    asked = os.environ.get("SNAKEBIRD_RUNGS", ",".join(RUNGS)).split(",")
    return {name: RUNGS[name]() for name in asked}
