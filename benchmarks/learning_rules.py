"""Learning rules found from the loss on tasks alone, in machines whose memory is a row of their own
matrix.

*Recall*: keys are tokens, each bound to a number, and bound anew in three of ten ticks; asked is
what a key was bound to before. Trained on four keys and fourteen ticks; the rule must then make no
error with 256 keys over 20,000 ticks, in exact arithmetic for part of it. *Regression*: the answer
is an unknown linear function of vectors of very different lengths; no rule is exact. *Least
squares*: the machine of `meta.rules.rows_machine` on noisy regression in four dimensions; its
numbers, rounded to one digit, against the Bayes oracle in others.
"""

import os
import time
from fractions import Fraction
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import snakebird as sb
from snakebird import meta
from snakebird.meta import Plastic, learned_rules, oracles, read_update, rules
from snakebird.meta.tasks import Lesson, Supervised
from snakebird.synthesis.programs._verify import verify, verify_fast

RUNS = int(os.environ.get("SNAKEBIRD_SEEDS", "10"))
BUDGET = 600.0
KEYS, TICKS = 4, 14
MANY_KEYS, MANY_TICKS, EXACT_TICKS = 256, 20_000, 2_000
DIMENSIONS = (2, 4, 8, 16, 32, 64)
AGAIN = 0.3
"""The part of the ticks in which a known key is bound anew."""


def bound(rng: np.random.Generator, length: int, wide: bool = False, keys: int = KEYS) -> Any:
    """Keys at random with what they are bound to; widely: of sixteen times as many keys."""
    held: dict[str, Fraction] = {}
    names = [f"k{k}" for k in rng.integers(16 * keys if wide else keys, size=length)]
    for name, new in zip(names, rng.integers(-8, 9, size=length).tolist(), strict=True):
        if name not in held or rng.random() < AGAIN:
            held[name] = Fraction(new, 8)
        yield name, held[name]


def recall_draws(rng: np.random.Generator, length: int, wide: bool = False) -> dict[str, Any]:
    """The streams of a task of recall."""
    names, values = zip(*bound(rng, length, wide), strict=True)
    return {"key": list(names), "value": list(values)}


def remembered(held: dict[str, Any], key: str, value: Any) -> tuple[dict[str, Any], Any]:
    """What the key was bound to before this tick."""
    return {**held, key: value}, held.get(key, 0)


def recall(seed: int) -> sb.Examples:
    """Twenty-four tasks of recall; more can be drawn."""
    reference = sb.Stepwise(remembered, {})
    return sb.Examples.from_reference(
        reference, recall_draws, length=TICKS, count=24, seed=seed, latency=1
    )


def regression_draws(rng: np.random.Generator, length: int, wide: bool = False) -> dict[str, Any]:
    """Vectors of lengths that differ by a factor of seven, and a linear function of them."""
    true = rng.standard_normal(KEYS)
    sizes = np.exp(rng.uniform(-1, 1, size=(length, 1)))
    vectors = sizes * rng.standard_normal((length, KEYS))
    return {
        "key": [{f"k{k}": float(v) for k, v in enumerate(row)} for row in vectors],
        "value": [float(v) for v in vectors @ true],
    }


def regression(seed: int) -> sb.Examples:
    """Tasks of regression: the value is to be told before it is seen."""
    return sb.Examples.from_reference(
        lambda key, value: value,
        regression_draws,
        length=TICKS,
        count=24,
        seed=seed,
        latency=1,
        tolerance=0.1,
    )


def far(seed: int, ticks: int) -> sb.Examples:
    """One task of many keys and ticks."""
    rng = np.random.default_rng(60_000 + seed)
    names, values = zip(*bound(rng, ticks, keys=MANY_KEYS), strict=True)
    streams = {"key": list(names), "value": list(values)}
    reference = sb.Stepwise(remembered, {})
    return sb.Examples.of([(streams, reference(**streams))], latency=1)


def one_recall(seed: int) -> dict[str, Any]:
    """One run of recall and what its rule is."""
    examples, begun = recall(seed), time.perf_counter()
    found = sb.synthesize(examples, template=Plastic(), seed=seed, starts=16, budget=BUDGET)
    seconds = time.perf_counter() - begun
    rule = read_update(found.machine) if found.exact else None
    holds = found.exact and verify_fast(found.machine, far(seed, MANY_TICKS)).right
    exactly = holds and verify(found.machine, far(seed, EXACT_TICKS)).right
    row = {
        "exact": found.exact,
        "no error with 256 keys, 20,000 ticks": holds,
        "in exact arithmetic, 2,000 ticks": exactly,
        "delta rule": bool(rule and rule.is_delta_rule),
        "links": found.links,
        "s": seconds,
    }
    print("recall", seed, row, rule, flush=True)
    return row


def one_regression(seed: int) -> dict[str, Any]:
    """One run of regression: the rule that was kept, and its loss."""
    begun = time.perf_counter()
    template = Plastic(normalized=True, sealed=True)
    best, *_ = learned_rules(template, regression(seed), seed=seed, budget=BUDGET)
    rule = read_update(best.machine)
    row = {
        "normalized": rule.is_normalized,
        "rule": str(rule),
        "loss": best.loss,
        "links": best.links,
        "s": time.perf_counter() - begun,
    }
    print("regression", seed, row, flush=True)
    return row


class Noisy(Supervised):
    """Regression with coefficients of variance 1 in any dimension, and noise of a tenth."""

    inputs: int = eqx.field(static=True, default=KEYS)
    ticks: int = eqx.field(static=True, default=20)

    def sample(self, key: Any) -> Lesson:
        """The vectors, what is told of them, and what it would be without noise."""
        own, line, off = jax.random.split(key, 3)
        x = jax.random.normal(own, (self.ticks, self.inputs))
        exact = (x @ jax.random.normal(line, (self.inputs,)))[:, None]
        told = exact + 0.1 * jax.random.normal(off, exact.shape)
        return Lesson(x, told, exact, jnp.ones(self.ticks))


def numbers_of(machine: sb.Machine) -> tuple[float, float]:
    """The two numbers of a trained machine where the gain and the 1 beside it have the weight 1."""
    links = {(x.to, x.source[0]): float(x.weight) for x in machine.links if x.trainable}
    begun = np.mean([w for (to, _), w in links.items() if to == "gain"])
    gain = links["weighed", "gain"]
    return links["change", "error_rows"] / gain, gain * float(begun) / links["scale", "one"]


def with_numbers(inputs: int, error: float, begun: float) -> sb.Machine:
    """The machine of these numbers in any dimension."""
    known = {"change": error, "weighed": 1.0, "scale": 1.0, "gain": begun}
    machine = rules.rows_machine(inputs)
    weights = [known[x.to] if x.trainable else x.weight for x in machine.links]
    return machine.with_weights(weights)


def least_squares() -> list[dict[str, Any]]:
    """One training; then each dimension, the largest difference from the oracle in any answer."""
    adam = optax.adam(optax.cosine_decay_schedule(0.1, 800))
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), adam)
    found = meta.fit(
        rules.rows_rule(KEYS),
        Noisy(),
        key=jax.random.key(0),
        steps=800,
        batch=64,
        relative=True,
        optimizer=optimizer,
    )
    trained = numbers_of(found.rule.machine)
    simple = tuple(float(f"{number:.1g}") for number in trained)
    return [
        {"trained": str(trained), "rounded": str(simple), **_apart(d, simple)} for d in DIMENSIONS
    ]


def _apart(inputs: int, numbers: tuple[float, ...]) -> dict[str, Any]:
    with jax.enable_x64(True):
        ports = ["answer.o00"]
        low = sb.lower(with_numbers(inputs, *numbers), record=ports, dtype=jnp.float64)
        rule = meta.MachineRule(low, {"x": "x", "y": "y", "given": "given"}, ports)
        tasks = Noisy(inputs, 4 * inputs)
        oracle = oracles.RecursiveLeastSquares(ridge=0.01)
        apart = 0.0
        for seed in range(4):
            lesson = tasks.sample(jax.random.key(100 + seed))
            told = [_answers(one, lesson) for one in (rule, oracle)]
            apart = max(apart, float(np.abs(told[0] - told[1]).max()))
    row = {"dimension": inputs, "ticks": 4 * inputs, "furthest from the oracle": apart}
    print("least squares", row, flush=True)
    return row


def _answers(rule: Any, lesson: Lesson) -> np.ndarray:
    seen = {"x": lesson.x, "y": lesson.y, "given": lesson.given}
    first = jax.tree.map(lambda x: x[0], seen)
    start = rule.init(first, key=jax.random.key(0))
    return np.asarray(jax.lax.scan(lambda state, now: rule(state, now), start, seen)[1])


def learning_rules() -> dict[str, list[dict[str, Any]]]:
    """Both problems: how many runs find the rule."""
    told = [one_recall(seed) for seed in range(RUNS)]
    kept = [row for row in told if row["delta rule"]]
    recalls = {
        "runs": RUNS,
        **{key: sum(row[key] for row in told) for key in list(told[0])[:4]},
        "links": ", ".join(str(n) for n in sorted({row["links"] for row in kept})) or "-",
        "s a run, median": float(np.median([row["s"] for row in told])),
        "s a run, worst": max(row["s"] for row in told),
    }
    fitted = [one_regression(seed) for seed in range(RUNS)]
    normalized = [row for row in fitted if row["normalized"]]
    regressions = {
        "runs": RUNS,
        "normalized least mean squares": len(normalized),
        "its loss": float(np.median([row["loss"] for row in normalized])) if normalized else "-",
        "links": ", ".join(str(n) for n in sorted({row["links"] for row in normalized})) or "-",
        "loss of the other rules": ", ".join(
            f"{row['loss']:.2f}" for row in fitted if not row["normalized"]
        )
        or "-",
        "s a run, median": float(np.median([row["s"] for row in fitted])),
    }
    return {
        "recall": [recalls],
        "regression": [regressions],
        "least squares": least_squares(),
    }
