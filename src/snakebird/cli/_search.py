"""The demo's search: a machine with every link open, trained, thinned out and made simple."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from snakebird import neurons as nr
from snakebird.lowering import lift, lower
from snakebird.machines import Link, Machine

LETTERS, STOP = ("a", "b", "c", "d", "e"), "."
MEMBERS, BATCH, TICKS, STEPS = 8, 16, 24, 100
LATENCY = {"repeats": 4, "stops": 3}
"""How many ticks after a token its effect is seen."""


def template(tokens: tuple[str, ...]) -> Machine:
    """Two neurons of each of four types in layers, every link between layers open to training."""
    layers = [[f"{kind}{k}" for k in (1, 2)] for kind in ("count", "norm", "inner", "relu")]
    counts, norms, inners, relus = layers
    kinds = [nr.accumulator, nr.max_norm, nr.inner, nr.relu]
    made: dict[str, Any] = {n: kind for kind, ns in zip(kinds, layers, strict=True) for n in ns}
    out = {name: (name, kind.outputs[0]) for name, kind in made.items()}
    trees = [("word", "signal"), ("stop", "result"), *(out[n] for n in counts)]
    numbers = [("one", "result"), *(out[n] for n in norms + inners)]
    ends = [(n, "delta", trees[:2]) for n in counts]
    ends += [(n, "x", [trees[0], *trees[2:]]) for n in norms]
    ends += [(n, port, trees) for n in inners for port in ("x", "y")]
    ends += [(n, "x", numbers) for n in relus]
    ends += [("output", port, [*numbers, *(out[n] for n in relus)]) for port in LATENCY]
    links = [Link(to, port, source) for to, port, sources in ends for source in sources]
    loops = [Link(n, "accum", out[n], trainable=False) for n in counts]
    fixed = {
        "word": nr.source(tokens=tokens),
        "one": nr.constant(value=1.0),
        "stop": nr.constant(value={STOP: 1.0}),
        "output": nr.output,
    }
    return Machine({**fixed, **made}, [*links, *loops], name="count_words")


def targets(tokens: np.ndarray, stop: int) -> np.ndarray:
    """What plain counting says, each result as late as the machine can know it."""
    counts = np.cumsum(tokens, axis=1)
    wanted = {"repeats": np.maximum(counts.max(-1) - 1, 0), "stops": counts[..., stop]}
    late = [np.pad(w, ((0, 0), (LATENCY[port], 0)))[:, : w.shape[1]] for port, w in wanted.items()]
    return np.stack(late, axis=-1)


class Population(NamedTuple):
    """Weights of several machines, which links stand, and the loss of each."""

    weights: Any
    stands: Any
    loss: Any


class Search:
    """Training of many machines of one template at once, on random texts of a few letters."""

    def __init__(self, seed: int):
        self.machine = template((*LETTERS, STOP))
        self.low = lower(self.machine)
        (space,) = self.low.plan.message_spaces.values()
        self._size, self._stop = space.size, space.slot((STOP,)).start
        self._texts = np.random.default_rng(seed)
        self.free = np.array([link.trainable for link in self.machine.links])
        draws = 0.3 * jax.random.normal(jax.random.key(seed), (MEMBERS, len(self.free)))
        self.start = Population(jnp.where(self.free, draws, 1), jnp.ones_like(draws), None)
        self._fresh = tuple(part[0] for part in self._draw(1, 64))

    def _draw(self, steps: int, batch: int = BATCH) -> tuple[Any, Any]:
        """Random texts `[steps, batch, ticks, tokens]` and what they should give."""
        shape = steps * batch, TICKS
        tokens = np.eye(self._size)[self._texts.integers(0, self._size, shape)]
        both = tokens, targets(tokens, self._stop)
        x, y = (part.reshape(steps, batch, *part.shape[1:]) for part in both)
        return jnp.asarray(x), jnp.asarray(y)

    def train(self, now: Population, sparsity: float, rate: float) -> Population:
        """Some steps of Adam for every member; links that do not stand stay out."""
        low, free = self.low, jnp.asarray(self.free, self.low.weights.dtype)
        options = jnp.asarray(sparsity), jnp.asarray(rate)
        weights = _train(low, now.weights, now.stands, free, *self._draw(STEPS), *options)
        loss = _losses(low, weights, now.stands, *self._fresh)
        return Population(weights, now.stands, np.asarray(loss))

    def thinned(self, now: Population, below: float) -> Population:
        """Every member without its links of small weight."""
        large = jnp.abs(now.weights) > below
        stands = jnp.where(self.free, large & (now.stands > 0), True).astype(now.weights.dtype)
        return Population(now.weights * stands, stands, now.loss)

    def pruned(self, now: Population, member: int, limit: float = 3e-3) -> Population:
        """One member with as few links as its loss allows, the best of several deletions a time."""
        weights, stands = now.weights[member], now.stands[member]
        while True:
            open_ = np.flatnonzero(np.asarray(stands) * self.free)
            small = open_[np.argsort(np.abs(np.asarray(weights)[open_]))][:MEMBERS]
            tried = jnp.stack([stands.at[k].set(0) for k in np.resize(small, MEMBERS)])
            several = Population(jnp.broadcast_to(weights, tried.shape), tried, None)
            found = self.train(several, 5e-4, 0.5)
            best = int(np.argmin(found.loss))
            if not found.loss[best] <= limit:
                return Population(weights, stands, None)
            weights, stands = found.weights[best] * tried[best], tried[best]

    def lifted(self, found: Population) -> Machine:
        """The machine of one member, without links and neurons that do nothing."""
        low = eqx.tree_at(lambda low: low.weights, self.low, found.weights)
        machine = lift(low)
        gone = [
            link for link, s in zip(machine.links, np.asarray(found.stands), strict=True) if not s
        ]
        return without_idle(machine.unlink(*gone))


def _loss(low: Any, weights: Any, x: Any, y: Any) -> Any:
    own = eqx.tree_at(lambda low: low.weights, low, weights)

    def gives(text: Any) -> Any:
        trace = own({"word": text})
        return jnp.stack([trace.number(("output", port)) for port in LATENCY], axis=-1)

    return jnp.mean((jax.vmap(gives)(x) - y) ** 2)


@eqx.filter_jit
def _losses(low: Any, weights: Any, stands: Any, x: Any, y: Any) -> Any:
    return jax.vmap(lambda w, s: _loss(low, w * s, x, y))(weights, stands)


@eqx.filter_jit
def _train(
    low: Any, weights: Any, stands: Any, free: Any, x: Any, y: Any, sparsity: Any, rate: Any
) -> Any:
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.03))

    def one_step(w: Any, s: Any, memory: Any, now: Any, scale: Any) -> Any:
        def total(w: Any) -> Any:
            return _loss(low, w * s, *now) + sparsity * jnp.sum(jnp.abs(w * s * free))

        update, memory = optimizer.update(jax.grad(total)(w) * s * free, memory)
        return w + scale * update * s * free, memory

    def step(carry: Any, now: Any) -> Any:
        weights, memory, k = carry
        scale = rate * (1 - 0.9 * k / len(x))
        each = jax.vmap(one_step, in_axes=(0, 0, 0, None, None))
        weights, memory = each(weights, stands, memory, now, scale)
        return (weights, memory, k + 1), None

    start = weights, jax.vmap(optimizer.init)(weights), jnp.zeros((), int)
    return jax.lax.scan(step, start, (x, y))[0][0]


def without_idle(machine: Machine) -> Machine:
    """The machine without neurons that reach no output; numbers leave names where they can."""
    alive, work = set(), [n for n, neuron in machine.neurons.items() if neuron.type is nr.output]
    while work:
        name = work.pop()
        if name not in alive:
            alive.add(name)
            work += [link.source[0] for link in machine.links if link.to == name]
    alive |= {n for n, neuron in machine.neurons.items() if neuron.type.external}
    stems = [name.rstrip("12") for name in machine.neurons if name in alive]
    called = {n: s if stems.count(s := n.rstrip("12")) == 1 else n for n in machine.neurons}
    return Machine(
        {called[n]: neuron for n, neuron in machine.neurons.items() if n in alive},
        [
            replace(link, to=called[link.to], source=(called[link.source[0]], *link.source[1:]))
            for link in machine.links
            if link.to in alive and link.source[0] in alive
        ],
        name=machine.name,
    )


def simple(machine: Machine) -> Machine:
    """The same function with weights as simple as they come: rescaled, then rounded to halves.

    What enters an accumulator, an inner product, a norm or a relu may be scaled if what leaves
    it is scaled back; for a norm the sign does not matter either, for a relu it must stay.
    """
    weights = {link.place: float(link.weight) for link in machine.links}
    for kind, scale in _SCALES.items():
        for name in [n for n, neuron in machine.neurons.items() if neuron.type is kind]:
            for port in kind.inputs:
                _rescale(machine, weights, name, port, scale)
    return machine.replace(
        links=[
            link.scaled(_rounded(weights[link.place])) if link.trainable else link
            for link in machine.links
        ]
    )


_SCALES: dict[Any, Callable[[float], tuple[float, float]]] = {
    nr.accumulator: lambda w: (w, w),
    nr.inner: lambda w: (w, w),
    nr.max_norm: lambda w: (w, abs(w)),
    nr.relu: lambda w: (abs(w), abs(w)),
}
"""By what the links into a neuron may be divided, and those out of it multiplied."""


def _rescale(machine: Machine, weights: dict[Any, float], name: str, port: str, scale: Any) -> None:
    own = [x for x in machine.links if (x.to, x.input) == (name, port) and x.source[0] != name]
    if not own:
        return
    divide, multiply = scale(max((weights[link.place] for link in own), key=abs))
    if divide:
        for link in own:
            weights[link.place] /= divide
        for link in machine.links:
            if link.source[0] == name and link.to != name:
                weights[link.place] *= multiply


def _rounded(weight: float) -> int | float:
    half = round(2 * weight) / 2
    near = half if abs(half - weight) < 0.05 and half else weight
    return int(near) if near == int(near) else near
