# slow
"""A memory that is written and read by name, from examples of its use.

In a tick either a value is written under a key, or a key is read; only then an answer is asked for.
The program that is found has the whole store in one vector, keys times values, and works for keys
and values that no example holds: it is tried on an alphabet of its own.
"""

# %% A store, in Python.
import snakebird as sb


def step(store, write, value, read):
    """The store after a tick, and what was read; None where nothing is asked."""
    if write is not None:
        store = {**store, write: value}
    return store, {"found": None if read is None else store.get(read, {})}


def draws(rng, length, wide=False):
    """Streams that hang together: a tick writes or reads. `wide` brings other names."""
    keys, values = (
        (["k1", "k2", "k3"], list("uvw")) if not wide else (list("abcdefgh"), list("xyz"))
    )
    writes = rng.random(length) < 0.5
    return {
        "write": [str(rng.choice(keys)) if now else None for now in writes],
        "value": [str(rng.choice(values)) if now else None for now in writes],
        "read": [None if now else str(rng.choice(keys)) for now in writes],
    }


examples = sb.Examples.from_reference(sb.Stepwise(step, {}), draws)
print(examples)


# %% The program.
found = sb.synthesize(examples)
print(found)
assert found.exact


# %% It works on names nobody has told it, and what is written again is written over.
anything = {name: sb.source() for name in examples.inputs}
store = found.machine.replace(neurons={**found.machine.neurons, **anything})
run = sb.run(
    store,
    inputs={
        "write": ["Ada", "Bob", None, "Ada", None, None],
        "value": ["tea", "milk", None, "water", None, None],
        "read": [None, None, "Ada", None, "Ada", "Eve"],
    },
)
answers = run["output.found"]
print(answers)
assert [answers[t] for t in (2, 4, 5)] == [{"tea": 1}, {"water": 1}, {}]
