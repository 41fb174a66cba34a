# slow
"""A machine learns how to learn: the delta rule, found in its own matrix from a task alone.

Keys arrive, each with a number that it is bound to, and are bound anew now and then. Asked is what
a key was bound to before. Memory is a row of the machine's own matrix, which the machine writes
while it runs; how it writes is free. Trained are 16 random starts on four keys and 14 ticks; what
comes out is short, exact, and right for any number of keys, because it is a rule: what is wrong
with the answer, times the key, is added to the row (B. Widrow and M. Hoff 1960).

Where keys are vectors of any length, no rule is exact. The best one found divides by the squared
length of the key: normalized least mean squares (S. Kaczmarz 1937).
"""

# %% Tasks: keys, what each is bound to in every tick, and what it was bound to before.
from fractions import Fraction

import numpy as np

import snakebird as sb

KEYS, TICKS, AGAIN = 4, 14, 0.3


def pairs(rng, length, wide=False, keys=KEYS):
    """Keys at random; a known one keeps its number in seven of ten ticks."""
    held, values = {}, []
    names = [f"k{k}" for k in rng.integers(16 * keys if wide else keys, size=length)]
    for name, new in zip(names, rng.integers(-8, 9, size=length).tolist(), strict=True):
        if name not in held or rng.random() < AGAIN:
            held[name] = Fraction(new, 8)
        values.append(held[name])
    return {"key": names, "value": values}


def before(held, key, value):
    """One step of the reference: the new bindings, and what the key was bound to."""
    return {**held, key: value}, held.get(key, 0)


tasks = sb.Examples.from_reference(sb.Stepwise(before, {}), pairs, length=TICKS, latency=1)

# %% Train, prune, snap, verify: nothing says what the row must hold, or what is to be added.
found = sb.synthesize(tasks, template=sb.meta.Plastic(), starts=16, seed=1, budget=300)
print(found.source)
print(found.evidence)
assert found.exact
assert found.links <= 14

# %% Read it: run on symbols, what one pair changes is a formula.
rule = sb.meta.read_update(found.machine)
print("\nwhat one pair changes:", rule)
assert rule.is_delta_rule

# %% It knows nothing of four keys: 256 of them, 2,000 ticks, no error at all.
many = pairs(np.random.default_rng(7), 2_000, keys=256)
trace = sb.lower(found.machine.replace(
    neurons={**found.machine.neurons, "key": sb.source(tokens=sorted(set(many["key"])))}
))(many | {"value": [float(v) for v in many["value"]]})  # fmt: skip
wanted, held = [], {}
for key, value in zip(many["key"], many["value"], strict=True):
    wanted.append(float(held.get(key, 0)))
    held[key] = value
np.testing.assert_array_equal(trace.number("output.result")[1:], wanted[:-1])
print("256 keys, 2,000 ticks: every answer is right")


# %% Vectors instead of tokens: the answer is an unknown linear function of them.
def regression(rng, length, wide=False):
    """Vectors of lengths that differ by a factor of seven, and what a hidden row makes of them."""
    sizes = np.exp(rng.uniform(-1, 1, size=(length, 1)))
    vectors = sizes * rng.standard_normal((length, KEYS))
    named = [{f"k{k}": float(v) for k, v in enumerate(row)} for row in vectors]
    return {"key": named, "value": [float(v) for v in vectors @ rng.standard_normal(KEYS)]}


tasks = sb.Examples.from_reference(
    lambda key, value: value, regression, length=TICKS, latency=1, tolerance=0.1
)
template = sb.meta.Plastic(normalized=True, sealed=True)
best, *others = sb.meta.learned_rules(template, tasks, seed=1, budget=300)
print(f"\nloss {best.loss:.3f}:", sb.meta.read_update(best.machine))
for other in others[:4]:
    print(f"loss {other.loss:.3f}:", sb.meta.read_update(other.machine))
