# slow
"""The program that was found by training in 2022, found again without attendance.

M. Bukatin trained a layered machine of 1,486 links to notice repeated characters in one text,
"test string.", and then took links away, by hand and over days, until 19 were left (DMM-Lite:
anhinga/julia-flux-drafts, arxiv-1606-09470-section3/May-August-2022/v0-1/feedforward-run-3). Here
a script does it: train, take out the smallest links, train a little, put back what was needed.

You see the losses beside the published ones, the program, and how it does on texts it never saw.
One text teaches the wrong program: nothing in it tells counting characters from counting time.
The same machine on random texts, new ones in every step, becomes a program of whole numbers.
"""

# %% The task: a character every ten ticks, the last one again for ever; two counts are asked.
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import snakebird as sb
from snakebird import vvalues as vv

TEXT, TICKS, EVERY, CAP = "test string.", 140, 10, 4.0
ALPHABET = "".join(sorted(set(TEXT)))
LETTERS, STOP = len(ALPHABET), ALPHABET.index(".")
PORTS, LATE = ("again", "stops"), (4, 3)  # the answers, and their ticks after a character
began = time.perf_counter()


def say(what):
    """A line with the seconds since the beginning."""
    seconds = time.perf_counter() - began
    print(f"{time.process_time():6.1f} cpu {seconds:6.1f} s  {what}", flush=True)


def spread(codes, ticks=TICKS, size=LETTERS):
    """Characters by number as a stream `[tick, character]`, nothing between two of them."""
    return jnp.zeros((ticks, size)).at[::EVERY].set(jax.nn.one_hot(codes, size))


def encoded(text, ticks=TICKS, alphabet=ALPHABET):
    """A text as a stream `[tick, character]`."""
    entered = [text[min(k, len(text) - 1)] for k in range(-(-ticks // EVERY))]
    return spread(jnp.array([alphabet.index(char) for char in entered]), ticks, len(alphabet))


def wanted(stream, stop=STOP):
    """The answers `[tick, 2]`: how often the commonest character came again, the full stops."""
    counts = jnp.cumsum(stream, axis=0)
    right = counts.max(axis=1) - 1, jnp.minimum(counts[:, stop], CAP)
    late = [jnp.pad(x, (ticks, 0))[: len(x)] for x, ticks in zip(right, LATE, strict=True)]
    return jnp.stack(late, axis=1)


# %% The machine: five layers; each reads all earlier ones, the text, a full stop and a one.
@sb.neuron(outputs=("dot",))
def clipped(x, y):
    """An inner product kept within the cap."""
    return jnp.clip(vv.inner(x, y), -CAP, CAP)


KINDS = {
    "accum": (sb.accumulator, ["delta"], ["result"]),
    "norm": (sb.max_norm, ["x"], ["norm"]),
    "dot": (clipped, ["x", "y"], ["dot"]),
    "compare": (sb.compare, ["x", "y"], ["true", "false"]),
}
SOURCES = {
    "input": sb.source(tokens=tuple(ALPHABET)),
    "stop": sb.constant(value={".": 1}),
    "one": sb.constant(value=1),
}


def layered(seed, layers=5, width=2):
    """All wires with small random weights; only the accumulators' own loops are fixed."""
    neurons, wires, loops = dict(SOURCES), [], []
    readable = [(name, output) for name, x in SOURCES.items() for output in x.type.outputs]
    for layer in range(1, layers + 1):
        names = {f"{kind}-{layer}-{k}": kind for kind in KINDS for k in range(1, width + 1)}
        neurons |= {name: KINDS[kind][0] for name, kind in names.items()}
        for name, kind in names.items():
            wires += [(name, port, source) for port in KINDS[kind][1] for source in readable]
            if kind == "accum":
                loops.append(sb.Link(name, "accum", (name, "result"), trainable=False))
        readable += [(name, port) for name, kind in names.items() for port in KINDS[kind][2]]
    wires += [("output", port, source) for port in PORTS for source in readable]
    weights = 0.01 * np.random.default_rng(seed).standard_normal(len(wires))
    soft = [sb.Link(*wire, float(w)) for wire, w in zip(wires, weights, strict=True)]
    return sb.Machine(neurons | {"output": sb.output}, soft + loops, name="detector")


def lowered(machine):
    """The machine as arrays; of what it answers only the numbers."""
    return sb.lower(machine, record=[f"output.{port}.:number" for port in PORTS], dtype=jnp.float32)


def size(machine):
    """How many links training may change."""
    return sum(link.trainable for link in machine.links)


# %% The loss, and many steps of training as one compiled scan.
def errors(low, weights, stream, stop=STOP):
    """How far off the answers are `[tick, 2]`."""
    trace = eqx.tree_at(lambda low: low.weights, low, weights)({"input": stream})
    found = [trace.inputs(("output", port)).data[:, 0] for port in PORTS]
    return jnp.stack(found, axis=1) - wanted(stream, stop)


def loss(low, weights, streams):
    """The squared errors of a text summed over all ticks; the mean over texts."""
    return jnp.mean(jax.vmap(lambda x: jnp.sum(errors(low, weights, x) ** 2))(streams))


@eqx.filter_jit
def trained(low, weights, stands, draw, schedule):
    """Adam on texts drawn anew each step, for each row of `stands[some, link]`, 0 for links out.

    `schedule[step, 3]` holds the rate, the weight of an L1 penalty, and the length to which longer
    gradients are cut. Gives the weights, their losses, and the losses on the way.
    """
    adam = optax.scale_by_adam()
    free = jnp.asarray(low.plan.free_weights, jnp.float32)

    def one(stands):
        def step(state, now):
            weights, memory = state
            (rate, l1, longest), key = now
            value, slope = jax.value_and_grad(lambda w: loss(low, w, draw(key)))(weights)
            slope = (slope + l1 * jnp.sign(weights)) * free * stands
            slope *= jnp.minimum(1, longest / (jnp.linalg.norm(slope) + 1e-9))
            move, memory = adam.update(slope, memory)
            return (weights - rate * move, memory), value

        keys = jax.random.split(jax.random.key(1), len(schedule))
        start = weights * stands, adam.init(weights)
        (found, _), history = jax.lax.scan(step, start, (schedule, keys))
        final = loss(low, found, draw(jax.random.key(2), 16))
        return found, jnp.where(jnp.isfinite(final), final, jnp.inf), history

    return jax.vmap(one)(stands)


def steady(steps, rate=1e-3, l1=1e-3):
    """The published way: always the same rate and penalty, gradients as they come."""
    return jnp.tile(jnp.array([rate, l1, jnp.inf]), (steps, 1))


def falling(steps, l1, rate=3e-3):
    """A rate that rises for a tenth of the steps and falls, as the penalty does; gradients cut."""
    t = jnp.linspace(0, 1, steps)
    fade = 0.5 * (1 + jnp.cos(jnp.pi * t))
    return jnp.stack([rate * (0.02 + fade) * jnp.minimum(1, 10 * t), l1 * fade, 0 * t + 1], axis=1)


def retrained(machine, draw, schedule):
    """The machine after training, its loss, and the losses on the way."""
    low = lowered(machine)
    all_stand = np.ones((1, len(low.weights)), np.float32)
    found, final, history = trained(low, low.weights, all_stand, draw, schedule)
    return machine.with_weights(found[0].tolist()), float(final[0]), history[0]


def one_text(key, number=1):
    """Always the published text."""
    return encoded(TEXT)[None]


def many_texts(key, number=2):
    """Random texts: each has its own favorite characters, and full stops anywhere."""
    mix, pick = jax.random.split(key)
    likes = 1.5 * jax.random.normal(mix, (number, 1, len(ALPHABET)))
    return jax.vmap(spread)(jax.random.categorical(pick, likes, shape=(number, TICKS // EVERY)))


# %% Pruning begins with growing cutoffs.
def useful(machine):
    """The machine without links of weight 0, and without what leads from or to nowhere."""
    links, before = [link for link in machine.links if link.weight != 0], None
    while before != len(links):
        before = len(links)
        fed = {*SOURCES} | {k.to for k in links if k.source[0] != k.to}
        used = {"output"} | {k.source[0] for k in links if k.source[0] != k.to}
        links = [k for k in links if k.source[0] in fed and k.to in used]
    names = {"input", "output"} | {name for k in links for name in (k.to, k.source[0])}
    kept = {name: x for name, x in machine.neurons.items() if name in names}
    return machine.replace(neurons=kept, links=links)


def cut(machine, draw, cutoffs):
    """Drop links below growing cutoffs, until training does not make up for it."""
    allowed = np.inf
    for cutoff in cutoffs:
        sparse, *_ = retrained(machine, draw, falling(600, l1=0.2))
        small = [0 if k.trainable and abs(k.weight) < cutoff else k.weight for k in sparse.links]
        tried, after, _ = retrained(useful(sparse.with_weights(small)), draw, falling(600, l1=0.05))
        say(f"{size(tried):4d} links of at least {cutoff}: loss {after:.4f}")
        if after > allowed:
            break
        machine, allowed = tried, max(0.1, 1.5 * after)
    return machine


# %% Then a share goes at a time, at last one link: what is needed is put back and locked.
@dataclass
class Pruning:
    """How far pruning has come: the share to try next, the lowest loss seen, links to keep."""

    draw: Callable
    floor: float
    share: float = 0.25
    lowest: float = np.inf
    locked: set = field(default_factory=set)

    @property
    def limit(self):
        """The loss that is allowed: a little more than the lowest."""
        return max(self.floor, 1.3 * self.lowest)

    def halved(self, machine):
        """The machine with half its links, or fewer if all that stay are locked; whether so."""
        low = lowered(machine)
        weights, stands = low.weights, np.ones(len(machine.links), np.float32)
        fixed = np.array([k.path in self.locked or not k.trainable for k in machine.links])
        while stands.sum() > 0.5 * len(stands) and (stands * ~fixed).any():
            groups = self.groups(weights, np.flatnonzero(stands * ~fixed))
            found, rows, losses = self.without(low, weights, stands, groups)
            best = losses.argmin()
            if len(groups) > 1:
                fixed[[k for (k,), x in zip(groups, losses, strict=True) if x > self.limit]] = True
            if losses[best] <= self.limit:
                weights, stands = found[best], rows[best]
                if losses[best] < 0.5 * self.limit:
                    self.share = min(0.25, 1.5 * self.share)
                self.lowest = min(self.lowest, losses[best])
            elif len(groups) == 1:
                self.share /= 2
        self.locked = {k.path for k, f in zip(machine.links, fixed, strict=True) if f}
        small = useful(machine.with_weights((np.asarray(weights) * stands).tolist()))
        return small, not (stands * ~fixed).any()

    def groups(self, weights, able):
        """The smallest links, to go together, or the four smallest, to go one or another."""
        order = able[np.argsort(np.abs(np.asarray(weights))[able])]
        many = int(self.share * len(able))
        return [order[:many]] if many > 1 else [order[[min(k, len(able) - 1)]] for k in range(4)]

    def without(self, low, weights, stands, groups):
        """Weights, links that stand and losses, one for each group taken out."""
        rows = np.repeat(stands[None], len(groups), axis=0)
        for row, group in zip(rows, groups, strict=True):
            row[group] = 0
        found, losses, _ = trained(low, weights, rows, self.draw, falling(500, l1=0.05))
        return found, rows, np.asarray(losses)


def pruned(machine, draw, floor):
    """The machine with as few links as its loss allows, which may always be `floor`."""
    pruning, most = Pruning(draw, floor), 0
    while True:
        machine, done = pruning.halved(machine)
        say(f"{size(machine):4d} links: loss at best {pruning.lowest:.2g}")
        if done and size(machine) == most:
            return machine
        if done:  # with fewer links, others may go
            pruning.locked, most = set(), size(machine)


# %% At last plain numbers: neurons pass on the scale of what they read, so it can be moved.
def scaled(machine):
    """The same machine, with weights 1 where a neuron can pass the scale on.

    The cap fixes the size of an inner product; there scale moves from one factor to the other.
    """
    weights = {link.path: link.weight for link in machine.links}
    for name, neuron in machine.neurons.items():
        into = [k for k in machine.links if k.to == name and k.trainable]
        if name == "output" or not into:
            continue
        after = [k for k in machine.links if k.source[0] == name and k.trainable]
        if neuron.type is clipped:
            after = [k for k in into if k.input != into[0].input]
            into = [k for k in into if k.input == into[0].input]
        scale = max((weights[k.path] for k in into), key=abs)
        scale = abs(scale) if neuron.type is sb.compare else scale
        for link in into:
            weights[link.path] /= scale
        for link in after:
            weights[link.path] *= abs(scale) if neuron.type is sb.max_norm else scale
    return machine.with_weights([weights[link.path] for link in machine.links])


def rounded(machine):
    """The machine with weights of three digits, whole ones as whole numbers."""
    short = [round(link.weight, 3) for link in machine.links]
    return machine.with_weights([int(w) if w == int(w) else w for w in short])


# %% Texts to test on: how long, and the summed and the largest squared error published.
TESTS = [
    (TEXT, 140, "0.00161", "0.00053"),
    (TEXT, 150, "0.678", "0.113"),
    ("teest string.", 140, "0.00134", "0.00053"),
    ("teest string.", 150, "0.00145", ""),
    ("tets string.", 140, "0.00144", ""),
    ("tets. str.ingtb str.ingtb", 140, "1.62", "0.944"),
    ("tets. str.ingtb str.ingtb", 180, "9.00", "0.967"),
    ("tets. str.ingtb str.ingtb", 250, "50.6", "1.74"),
    ("abcdefghij.", 150, "", ""),
    ("aaaabbbb....", 200, "", ""),
]
WIDE = "".join(sorted(set("".join(text for text, *_ in TESTS))))


@eqx.filter_jit
def squares(low, streams):
    """The squared errors `[text, tick, 2]` of texts in the wide alphabet."""
    return jax.vmap(lambda x: errors(low, low.weights, x, WIDE.index(".")) ** 2)(streams)


def tested(machine):
    """The summed and the largest squared error on each text."""
    wide = {**machine.neurons, "input": sb.source(tokens=tuple(WIDE))}
    longest = max(ticks for _, ticks, *_ in TESTS)
    streams = jnp.stack([encoded(text, longest, WIDE) for text, *_ in TESTS])
    off = np.asarray(squares(lowered(machine.replace(neurons=wide)), streams))
    return [(own[:n].sum(), own[:n].max()) for own, (_, n, *_) in zip(off, TESTS, strict=True)]


def shown(rows):
    """The errors of machines beside the published ones, as a table."""
    heads = "".join(f"{head:>22}" for head in ("published, 19 links", *rows))
    print(f"\n{'squared errors: sum, largest':34}{heads}")
    for k, (text, ticks, total, most) in enumerate(TESTS):
        ours = "".join(f"{row[k][0]:13.2g}{row[k][1]:9.2g}" for row in rows.values())
        print(f"{text:26}{ticks:4} ticks{total:>11}{most:>9}  {ours}")
    print(flush=True)


# %% The story: as it was published, on the one text.
PUBLISHED = {
    1: 435.0, 2: 417.9, 5: 366.4, 10: 219.7, 20: 107.9, 82: 22.5, 100: 20.9, 200: 11.0,
    500: 5.58, 1000: 0.608, 1500: 0.143, 2000: 0.0978, 2500: 0.0546,
}  # fmt: skip
STEPS = 2500
start = layered(seed=0)
say(f"{size(start)} links to train")
_, _, history = retrained(start, one_text, steady(STEPS))
say("trained as published")
large, _, better = retrained(start, one_text, falling(STEPS, l1=1e-3))
say("trained with a falling rate and short gradients")
print("\nloss at step   published   the same here   falling rate")
for step, value in PUBLISHED.items():
    print(f"{step:12}{value:12}{history[step - 1]:16.3g}{better[step - 1]:15.3g}")


def finished(small, draw):
    """A pruned machine trained without penalty, with weights 1 where they can be."""
    small, found, _ = retrained(small, draw, falling(STEPS, l1=0))
    say(f"{size(small)} links, loss {found:.2g}")
    return scaled(small)


# %% One text: what is left after pruning fits it, and little else.
small = finished(pruned(large, one_text, floor=0.05), one_text)
print(small)
one = {"one text, 1486 links": tested(large), f"{size(small)} links": tested(small)}

# %% Many texts: the same machine, the same start, and a program.
large, *_ = retrained(start, many_texts, falling(STEPS, l1=1e-3))
say("trained on many texts")
small = cut(large, many_texts, cutoffs=(0.01, 0.03, 0.06, 0.1, 0.15))
small = finished(pruned(small, many_texts, floor=0.01), many_texts)
program = rounded(small)
print(program)
many = {"many, 1486 links": tested(large), f"{size(program)} links": tested(program)}
shown(one | many)
