"""A machine that keeps what it learned in rows of its own matrix, and changes them as it learns."""

from typing import Any

import jax
import jax.numpy as jnp

from snakebird import vvalues as vv
from snakebird.lowering import lower
from snakebird.machines import Link, Machine
from snakebird.meta.rules._machine import MachineRule
from snakebird.neurons import constant, neuron, source

_PLACE = {"x": {"signal": 1.0}}
"""Where rows of the memory begin in the matrix: they read the source `x`."""


@neuron
def scrambled(x: vv.VValue, *, key: jax.Array) -> vv.VValue:
    """A random value of the same size in the same place."""
    flat = vv.flatten(x)
    drawn = jax.random.normal(key, flat.data.shape, flat.data.dtype)
    size = jnp.sqrt(jnp.sum(flat.data**2) / jnp.maximum(jnp.sum(drawn**2), 1e-12))
    return vv.Flat(flat.space, size * drawn)


def rows_machine(
    inputs: int,
    outputs: int = 1,
    *,
    forget: bool = False,
    frozen: bool = False,
    random: bool = False,
) -> Machine:
    """A machine that learns a linear map from `inputs` to `outputs` numbers in its own matrix.

    The rows of the neuron `answer` are the map, those of `gain` a second memory of the inputs.
    In each tick both change by one outer product: of a linear combination of the error and the
    gain, with the gain over its spread. The coefficients are to be learned, and where the second
    memory begins. Where the gain has no part in the changes, that is the delta rule; where it has
    as much as the error, recursive least squares, the second memory being the inverse of the
    inputs' covariance. No coefficients above zero make the second memory unstable.

    With `forget`, the second memory opens again, in all directions alike, by a learned amount every
    tick and one more for each squared error: the machine learns anew when it is surprised.

    `frozen` leaves out the link by which the matrix changes; with `random` changes of the same
    size and place, but random, arrive there.

    >>> rows_machine(2).matrix_from
    ('self', 'result')
    """
    names = [f"f{k:03d}" for k in range(inputs)]
    neurons = _neurons(names, [f"o{k:02d}" for k in range(outputs)])
    links = [*_given_links(), *_learned_links(names)]
    changes = ["change.result"]
    if forget:
        neurons |= _opening(names)
        links += _opening_links()
        changes.append("opening.result")
    if random:
        neurons["chance"] = scrambled
        links.append(_now("self.delta", "chance.result"))
    if not frozen:
        links += [_now("chance.x" if random else "self.delta", change) for change in changes]
    return Machine(neurons, links, matrix_from="self.result", name="rows")


def rows_rule(
    inputs: int,
    outputs: int = 1,
    *,
    features: Any = None,
    forget: bool = False,
    frozen: bool = False,
    random: bool = False,
) -> MachineRule:
    """`rows_machine` as a rule for `{"x": [inputs], "y": [outputs], "given": []}`.

    With `features`, a module from what is seen to `inputs` numbers, trained along.

    >>> rule = rows_rule(2)
    >>> seen = {"x": jnp.ones(2), "y": jnp.zeros(1), "given": jnp.ones(())}
    >>> rule(rule.init(seen, key=jax.random.key(0)), seen)[1].shape
    (1,)
    """
    machine = rows_machine(inputs, outputs, forget=forget, frozen=frozen, random=random)
    wires = {"x": "x", "y": "y", "given": "given"}
    ports = [f"answer.o{k:02d}" for k in range(outputs)]
    return MachineRule(lower(machine, record=ports), wires, ports, features=features)


def _neurons(inputs: list[str], outputs: list[str]) -> dict[str, Any]:
    """What computes: the two memories, the error, and what is made of them."""
    known = lambda names: source(space=vv.Space([(name,) for name in names]))
    return {
        "x": known(inputs),
        "y": known(outputs),
        "given": source(space=vv.Space([()])),
        "one": constant(value=1.0),
        "to_answer": constant(value={"answer": 1.0}),
        "to_gain": constant(value={"gain": 1.0}),
        "place": constant(value=_PLACE),
        "self": "accumulator",
        "answer": "output",
        "gain": "output",
        "error": "identity",
        "weighed": "identity",
        "spread": "inner",
        "scale": "reciprocal",
        "scaled": "gate",
        "taught": "gate",
        "error_rows": "outer",
        "gain_rows": "outer",
        "columns": "outer",
        "change": "outer",
    }


def _opening(names: list[str]) -> dict[str, Any]:
    """What opens the second memory again."""
    diagonal = {"gain": {name: {"x": {"signal": {name: 1.0}}} for name in names}}
    return {
        "surprise": "inner",
        "all": constant(value=diagonal),
        "seen": "gate",
        "opening": "gate",
    }


def _opening_links() -> list[Link]:
    return [
        _now("surprise.x", "error.result"),
        _now("surprise.y", "error.result"),
        _now("seen.mask", "given.signal"),
        _now("seen.value", "all.result"),
        _now("opening.value", "seen.result"),
        _learned("opening.mask", "surprise.dot", 0.1),
        Link("opening", "mask", ("one", "result"), 0.01),
    ]


def _given_links() -> list[Link]:
    """What is wired as it is: the error, the spread of the input, and where rows belong."""
    return [
        _fixed("self.accum", "self.result"),
        _fixed("error_rows.x", "to_answer.result"),
        _fixed("gain_rows.x", "to_gain.result"),
        _fixed("columns.x", "place.result"),
        _fixed("spread.x", "x.signal"),
        _now("error.x", "y.signal"),
        _now("error.x", "answer", -1.0),
        _now("spread.y", "weighed.result"),
        _now("scaled.mask", "scale.result"),
        _now("scaled.value", "gain"),
        _now("scale.x", "spread.dot"),
        _now("taught.value", "scaled.result"),
        _now("taught.mask", "given.signal"),
        _now("columns.y", "taught.result"),
        _now("error_rows.y", "error.result"),
        _now("gain_rows.y", "weighed.result"),
        _now("change.x", "gain_rows.result", -1.0),
        _now("change.y", "columns.result"),
    ]


def _learned_links(names: list[str]) -> list[Link]:
    """What is learned: three coefficients, and where the second memory begins."""
    return [
        Link("scale", "x", ("one", "result"), 1.0),
        _learned("change.x", "error_rows.result", 0.5),
        _learned("weighed.x", "gain", 0.1),
        *(Link("gain", name, ("x", "signal", name), 1.0) for name in names),
    ]


def _path(text: str) -> vv.Path:
    return tuple(text.split("."))


def _learned(to: str, start: str, weight: float) -> Link:
    name, port = to.split(".")
    return Link(name, port, _path(start), weight, instant=True)


def _now(to: str, start: str, weight: float = 1.0) -> Link:
    name, port = to.split(".")
    return Link(name, port, _path(start), weight, instant=True, trainable=False)


def _fixed(to: str, start: str) -> Link:
    name, port = to.split(".")
    return Link(name, port, _path(start), 1.0, trainable=False)
