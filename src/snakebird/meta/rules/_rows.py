"""A machine that keeps what it learned in rows of its own matrix, and changes them as it learns."""

from typing import Any

import jax
import jax.numpy as jnp

from snakebird import vvalues as vv
from snakebird.lowering import lower
from snakebird.machines import Link, Machine
from snakebird.meta.rules._machine import MachineRule
from snakebird.neurons import clip, constant, neuron, source

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

    With `forget`, the machine learns anew when it is surprised, by an error that is large for what
    the second memory lets expect: then it drops a part of what the first one holds, and opens the
    second again in all directions alike, both before it learns from the error. How surprising is
    how much is learned.

    `frozen` leaves out the link by which the matrix changes; with `random` changes of the same
    size and place, but random, arrive there.

    >>> rows_machine(2).matrix_from
    ('self', 'result')
    """
    names = [f"f{k:03d}" for k in range(inputs)]
    neurons = _neurons(names, [f"o{k:02d}" for k in range(outputs)])
    gain = "sight.result" if forget else "gain"
    links = [*_given_links(gain), *_learned_links(names, gain)]
    changes = [("change.result", 1.0)]
    if forget:
        neurons |= _letting_go(names)
        links += _letting_go_links()
        changes += [("opening.result", 1.0), ("dropping.result", -1.0)]
    if random:
        neurons["chance"] = scrambled
        links.append(_now("self.delta", "chance.result"))
    if not frozen:
        to = "chance.x" if random else "self.delta"
        links += [_now(to, change, weight) for change, weight in changes]
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


def _letting_go(names: list[str]) -> dict[str, Any]:
    """What forgets when it is surprised: how much, and then both memories."""
    diagonal = {"gain": {name: {"x": {"signal": {name: 1.0}}} for name in names}}
    return {
        "miss": "identity",
        "missed": "inner",
        "doubt": "inner",
        "trust": "reciprocal",
        "surprise": "gate",
        "square": "product",
        "alarm": clip(low=0.0, high=1.0),
        "startled": "gate",
        "opened": "identity",
        "all": constant(value=diagonal),
        "opening": "gate",
        "opened_x": "gate",
        "sight": "identity",
        "forgotten": "gate",
        "dropped": "gate",
        "dropping": "gate",
    }


def _letting_go_links() -> list[Link]:
    return [
        _now("miss.x", "y.signal"),
        _now("miss.x", "answer", -1.0),
        _now("missed.x", "miss.result"),
        _now("missed.y", "miss.result"),
        _fixed("doubt.x", "x.signal"),
        _now("doubt.y", "gain"),
        _now("trust.x", "doubt.dot"),
        Link("trust", "x", ("one", "result"), 0.1),
        _now("surprise.mask", "trust.result"),
        _now("surprise.value", "missed.dot"),
        _now("square.x", "surprise.result"),
        _now("square.y", "surprise.result"),
        _learned("alarm.x", "surprise.result", 0.01),
        _learned("alarm.x", "square.result", 0.01),
        _now("startled.mask", "given.signal"),
        _now("startled.value", "alarm.result"),
        _learned("opened.x", "startled.result", 0.5),
        # The second memory is open again in all directions, and so is what it says of x,
        _now("opening.mask", "opened.result"),
        _fixed("opening.value", "all.result"),
        _now("opened_x.mask", "opened.result"),
        _fixed("opened_x.value", "x.signal"),
        _now("sight.x", "gain"),
        _now("sight.x", "opened_x.result"),
        # and the first one is dropped, with what it says.
        _now("dropped.mask", "startled.result"),
        _now("dropped.value", "answer"),
        _now("error.x", "dropped.result"),
        _now("forgotten.mask", "startled.result"),
        _fixed("forgotten.value", "to_answer.result"),
        _now("dropping.mask", "forgotten.result"),
        _fixed("dropping.value", "self.result"),
    ]


def _given_links(gain: str) -> list[Link]:
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
        _now("scaled.value", gain),
        _now("scale.x", "spread.dot"),
        _now("taught.value", "scaled.result"),
        _now("taught.mask", "given.signal"),
        _now("columns.y", "taught.result"),
        _now("error_rows.y", "error.result"),
        _now("gain_rows.y", "weighed.result"),
        _now("change.x", "gain_rows.result", -1.0),
        _now("change.y", "columns.result"),
    ]


def _learned_links(names: list[str], gain: str) -> list[Link]:
    """What is learned: three coefficients, and where the second memory begins."""
    return [
        Link("scale", "x", ("one", "result"), 1.0),
        _learned("change.x", "error_rows.result", 0.5),
        _learned("weighed.x", gain, 0.1),
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
