"""How far many weight vectors of one machine are from what examples ask, compiled once.

A `Problem` is a lowered machine whose trainable links are free; `Data` are examples as arrays of
fixed shapes, so that other examples, weights and masks need no new compilation.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from snakebird import vvalues as vv
from snakebird.errors import SpaceError
from snakebird.lowering import Lowered, lower
from snakebird.machines import Machine
from snakebird.neurons import FUNCTION, message_space
from snakebird.synthesis.programs._examples import Example, Examples

OUTPUT = "output"

CLOSE = 1e-3
"""Answers of simple weights that are no further off, in single precision, count as right."""


class Data(NamedTuple):
    """Examples as arrays: what arrives, what is wanted, and where something is asked.

    `inputs` are by source `values[example, tick, number]` and `present[example, tick]`; `wanted`
    and `asked` have axes [example, tick, number], the numbers of all outputs side by side;
    `scale[number]` is the size of what an output varies.
    """

    inputs: dict[str, tuple[Any, Any]]
    wanted: Any
    asked: Any
    scale: Any

    @property
    def number(self) -> int:
        """How many examples there are, those that ask nothing included."""
        return len(self.wanted)

    def some(self, rows: Any) -> "Data":
        """Some of the examples."""
        inputs = {name: (v[rows], there[rows]) for name, (v, there) in self.inputs.items()}
        return Data(inputs, self.wanted[rows], self.asked[rows], self.scale)


class Problem(eqx.Module):
    """A machine with free links and the outputs that examples ask of it; made by `of`.

    `free[link]` is 1 for free links; `rows[link]` numbers the port at which a link ends;
    `fluid[pair, 2]` are pairs of links of superfluid neurons: the coefficient of an accumulator
    and its loop.
    """

    low: Lowered
    free: Any
    rows: Any
    fluid: Any
    spaces: tuple[tuple[str, vv.Space], ...] = eqx.field(static=True)
    close: float = eqx.field(static=True)

    @classmethod
    def of(cls, machine: Machine, examples: Examples, *, dtype: Any = np.float32) -> "Problem":
        """The problem of making a machine do what some examples ask."""
        machine = _receiving(machine, examples)
        low = lower(machine, record=[(OUTPUT, name) for name in examples.outputs], dtype=dtype)
        free = np.array([link.trainable for link in machine.links], dtype)
        ports = {(link.to, link.input): 0 for link in machine.links}
        number = {port: k for k, port in enumerate(ports)}
        rows = np.array([number[link.to, link.input] for link in machine.links], int)
        spaces = low.plan.spaces.inputs[OUTPUT]
        own = tuple((name, spaces.sub((name,))) for name in examples.outputs)
        return cls(
            low, free, rows, _fluid_pairs(machine), own, max(CLOSE, float(examples.tolerance))
        )

    @property
    def machine(self) -> Machine:
        """The machine, with the weights it had."""
        return self.low.plan.template

    @property
    def size(self) -> int:
        """How many links there are."""
        return len(self.free)

    def start(self) -> np.ndarray:
        """The weights of the machine."""
        return np.asarray(self.low.weights)

    def data(self, examples: Sequence[Example], of: Examples, *, ticks: int, count: int) -> Data:
        """Some examples as arrays; those missing to `count` ask nothing.

        Raises `SpaceError` for an example with paths that the machine has no room for.
        """
        inputs = {}
        for name in of.inputs:
            space = message_space(self.machine.neurons[name].parameters)
            inputs[name] = _filled([e.inputs[name] for e in examples], space, ticks, count)
        parts = []
        for name, space in self.spaces:
            late = [((None,) * of.latency + e.outputs[name])[:ticks] for e in examples]
            values, asked = _filled(late, space, ticks, count)
            parts.append(
                (values, np.repeat(asked[..., None], space.size, -1), _scale(values, asked))
            )
        wanted, asked, scale = (np.concatenate(part, -1) for part in zip(*parts, strict=True))
        return jax.tree.map(jnp.asarray, Data(inputs, wanted, asked, scale))

    def answers(self, weights: Any, data: Data) -> Float[Array, "examples ticks numbers"]:
        """What one vector of weights answers to examples."""
        own = eqx.tree_at(lambda low: low.weights, self.low, jnp.asarray(weights))
        ticks = data.wanted.shape[1]

        def one(inputs: Any) -> Any:
            trace = own(inputs, ticks)
            return jnp.concatenate([_numbers(trace[OUTPUT, n], s) for n, s in self.spaces], -1)

        return jax.vmap(one)(data.inputs)

    def loss(self, weights: Any, data: Data, horizon: Any) -> Float[Array, ""]:
        """The mean error up to a tick: squares of small errors, sizes of large ones.

        About 1 for a machine that always answers the mean.
        """
        before = (jnp.arange(data.wanted.shape[1]) < horizon)[:, None]
        asked = data.asked & before
        error = jnp.where(asked, (self.answers(weights, data) - data.wanted) / data.scale, 0)
        size = jnp.abs(error)
        ticks = jnp.maximum(jnp.any(asked, -1).sum(), 1)
        return jnp.sum(error * error / (1 + size)) / ticks


def _receiving(machine: Machine, examples: Examples) -> Machine:
    """The machine whose sources have room for what arrives in examples."""
    sources = {}
    for name, wide in examples.sources().items():
        if name in machine.neurons:
            old = machine.neurons[name].parameters
            space = message_space(old) | message_space(wide.parameters)
            default = old.get("default", {})
            sources[name] = machine.neurons[name].type.with_parameters(space=space, default=default)
    return machine.replace(neurons={**machine.neurons, **sources})


def _fluid_pairs(machine: Machine) -> np.ndarray:
    """Pairs of links: the coefficient of an accumulator, and the loop that makes it a memory."""
    at = {link.place: k for k, link in enumerate(machine.links)}
    pairs = [
        (at[place], k)
        for k, link in enumerate(machine.links)
        if (link.input, link.source[:2]) == ("accum", (link.to, "result"))
        and (place := (link.to, FUNCTION, ("accumulator", "result"), True)) in at
    ]
    return np.array(pairs, int).reshape(-1, 2)


def _numbers(flat: vv.Flat, space: vv.Space) -> Any:
    return (
        flat.data
        if flat.space == space
        else vv.place(flat.data, flat.space.inclusion(space), space.size)
    )


def _scale(values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The size of what is asked about its mean, the same for all numbers of an output."""
    rows = values[asked] if asked.any() else np.zeros((1, values.shape[-1]))
    size = float(np.sqrt(np.square(rows - rows.mean(0)).sum(-1).mean()))
    return np.full(values.shape[-1], size if size > 1e-6 else 1.0, np.float32)


def _filled(streams: list[Any], space: vv.Space, ticks: int, count: int) -> tuple[Any, Any]:
    """Streams as `values[stream, tick, number]` and where there is something."""
    values = np.zeros((count, ticks, space.size), np.float32)
    there = np.zeros((count, ticks), bool)
    slots = {path: space.slot(path).start for path in space.paths}
    for e, stream in enumerate(streams):
        for t, value in enumerate(stream[:ticks]):
            there[e, t] = value is not None
            for path, leaf in _entries(value):
                if path not in slots and leaf:
                    raise SpaceError(
                        f"a value has the path {vv.show_path(path)}, and there is no room for it",
                        "examples of a trained program",
                        "make the template of examples that hold it",
                    )
                if leaf:
                    values[e, t, slots[path]] = float(leaf)
    return values, there


def _entries(value: Any) -> Any:
    if isinstance(value, str):
        return (((value,), 1),)
    return () if value is None else vv.entries(value)


@eqx.filter_jit
def _errors(problem: Problem, weights: Any, data: Data) -> tuple[Any, Any, Any]:
    def one(w: Any) -> tuple[Any, Any, Any]:
        found = problem.answers(w, data)
        off = jnp.where(data.asked, jnp.abs(found - data.wanted), 0)
        off = jnp.where(jnp.isfinite(off), off, 1e30)
        asked = jnp.maximum(jnp.any(data.asked, -1).sum(-1), 1)
        soft = jnp.minimum((off / data.scale).sum(-1), 4.0).sum(-1) / asked
        wrong = jnp.any(off > problem.close, -1).sum(-1) / asked
        behavior = jnp.where(data.asked, jnp.round(found * 64), 0)
        spread = jnp.cos(jnp.arange(behavior.size) * 1.7 + 0.3).reshape(behavior.shape)
        sign = jnp.sum(
            jnp.where(jnp.isfinite(behavior), jnp.clip(behavior, -1e6, 1e6), 7e6) * spread
        )
        return 0.5 * soft + wrong, off.max((1, 2)), sign

    return jax.vmap(one)(weights)


class Errors(NamedTuple):
    """What came of weight vectors: `cases[vector, example]` is 0 for examples that are right.

    `worst[vector, example]` is the largest error of a number, `behavior[vector]` the same number
    for vectors that answer alike.
    """

    cases: np.ndarray
    worst: np.ndarray
    behavior: np.ndarray
    close: float

    @property
    def exact(self) -> np.ndarray:
        """Which vectors are right on all examples."""
        return np.asarray((self.worst <= self.close).all(1))


def errors_of(problem: Problem, weights: Any, data: Data, *, chunk: int = 256) -> Errors:
    """The errors of any number of weight vectors, in chunks of one size."""
    weights = np.asarray(weights, np.float32)
    parts = []
    for start in range(0, len(weights), chunk):
        some = weights[start : start + chunk]
        full = np.pad(some, ((0, chunk - len(some)), (0, 0)))
        parts.append([np.asarray(x)[: len(some)] for x in _errors(problem, full, data)])
    cases, worst, behavior = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Errors(cases, worst, behavior, problem.close)
