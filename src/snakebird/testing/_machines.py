"""Random machines: every neuron type of the catalogue, odd names, all kinds of links."""

import random
from collections.abc import Callable
from fractions import Fraction
from functools import wraps
from typing import Any

import numpy as np
from hypothesis import strategies as st

from snakebird import neurons, vvalues as vv
from snakebird.machines import Link, Machine
from snakebird.neurons import REGISTRY, Neuron, NeuronType, trainable

_PLAIN = ["a", "b", "n", "x", "y", "counts", "output", "one", "result", "self", "name", "loops"]
_ODD = ["a.b", "two words", "class", "sb", "np", "_", "__x", "1st", "π", "ﬁ", "q\"'\\", "\n", "{0}"]
_TYPES = [getattr(neurons, name) for name in sorted(REGISTRY) if hasattr(neurons, name)]

names: st.SearchStrategy[str] = st.one_of(
    st.sampled_from(_PLAIN),
    st.sampled_from([name for kind in _TYPES for name in (kind.name, f"{kind.name}_2")]),
    st.sampled_from([*_ODD, neurons.FUNCTION]),
    st.text(min_size=1, max_size=4).filter(lambda name: name != vv.NUMBER),
)
"""Names of neurons and ports: plain ones, those a builder would give, and odd ones."""

numbers: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([1, -1, 0, 2, 0.5, -0.25, 1.0, Fraction(1, 3), Fraction(-3, 4)]),
    st.integers(-(10**20), 10**20),
    st.floats(-1e6, 1e6, allow_subnormal=True),
    st.fractions(-10, 10, max_denominator=97),
)
"""Ints, floats and fractions, simple ones above all."""


def _leaves_chance_alone(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put the state of `random` back: run-time type checks use it, Hypothesis watches it."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        state = random.getstate()
        try:
            return function(*args, **kwargs)
        finally:
            random.setstate(state)

    return wrapped


@_leaves_chance_alone
def _is_tree(tree: dict[str, Any]) -> bool:
    try:
        paths = [path for path, _ in vv.stored(tree)]
    except ValueError:
        return False
    return len(set(paths)) == len(paths)


_arrays = st.sampled_from(
    [np.array([1.0, -0.1]), np.arange(6).reshape(2, 3), np.array([0.1, 0.2], np.float32)]
)

trees: st.SearchStrategy[Any] = st.recursive(
    numbers | _arrays,
    lambda inner: st.dictionaries(names | st.just(vv.NUMBER), inner, max_size=3).filter(_is_tree),
    max_leaves=4,
)
"""V-values as trees, written zeros and arrays among them."""

_spaces = st.builds(
    vv.Space, st.lists(st.lists(names, max_size=2).map(tuple), max_size=3)
) | st.just(vv.Space({("image",): (2, 3), ("a", "b"): ()}))

_OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "flag": names,
    "keys": st.lists(names, max_size=3).map(tuple),
    **dict.fromkeys(("at", "to", "old", "new", "side", "slots", "row", "loop"), st.just(())),
    "shape": st.lists(st.integers(1, 3), max_size=2).map(tuple),
    "space": st.none() | st.just(vv.Space([()])) | st.just(vv.Space([("x",), ("y",)])) | _spaces,
    "strict": st.booleans(),
    "surrogate": st.sampled_from(["none", "straight", "sigmoid", "triangle"]),
    "text": st.text(max_size=5),
    "tokens": st.just(()) | st.lists(names, max_size=3).map(tuple) | st.just(("a", "b", " ")),
}


@st.composite
@_leaves_chance_alone
def machines(draw: Any, max_neurons: int = 6, max_links: int = 12) -> Machine:
    """Machines of any shape: not meant to run, but to be written, saved and drawn.

    Instant links lead from earlier neurons to later ones, so that they form no cycle.
    """
    keys = draw(st.lists(names, unique=True, min_size=1, max_size=max_neurons))
    found = {name: draw(_neurons(draw(st.sampled_from(_TYPES)))) for name in keys}
    links = [link for _ in range(draw(st.integers(0, max_links))) if (link := _link(draw, found))]
    links += [link for name in keys if draw(st.booleans()) for link in _memory(name, found[name])]
    carrier = draw(st.none() | _output(found))
    start = {
        path[0]: {path[1]: draw(trees)}
        for path in draw(st.lists(_output(found), max_size=2))
        if len(path) > 1 and (carrier is None or path[0] != carrier[0])
    }
    return Machine(
        found,
        links,
        start,
        matrix_from=carrier,
        free_start=draw(st.lists(_output(found), max_size=2)),
        name=draw(st.just("") | names),
    )


@st.composite
def _neurons(draw: Any, kind: NeuronType) -> Neuron:
    given = {}
    for name in kind.defaults:
        if draw(st.booleans()):
            continue
        value = draw(_value(kind, name))
        numeric = kind.numeric(name)
        given[name] = trainable(value) if numeric and draw(st.integers(0, 3)) == 0 else value
    return kind.with_parameters(**given)


def _value(kind: NeuronType, name: str) -> st.SearchStrategy[Any]:
    if name in _OTHERS:
        return _OTHERS[name]
    if isinstance(kind.defaults[name], int):
        return st.integers(1, 5)
    if name == "values":
        return _arrays
    return trees if name in ("value", "default") else numbers


def _output(found: dict[str, Neuron]) -> st.SearchStrategy[vv.Path]:
    """The path of an output, sometimes that of a whole neuron or of a part of an output."""

    def ports(name: str) -> st.SearchStrategy[vv.Path]:
        outputs = found[name].type.outputs
        port = names if outputs is None else st.sampled_from(outputs) if outputs else st.nothing()
        usual = port.map(lambda p: (name, p))
        deeper = st.tuples(st.just(name), port, names)
        return st.one_of(usual, usual, usual, deeper, st.just((name,)))

    return st.sampled_from(sorted(found)).flatmap(ports)


def _link(draw: Any, found: dict[str, Neuron]) -> Link | None:
    order = list(found)
    to = draw(st.sampled_from(order))
    kind = found[to].type
    own = set(kind.defaults) | kind.feeds
    variadic = [names.filter(lambda port: port not in own)] if kind.variadic else []
    ports = [st.sampled_from(kind.inputs)] if kind.inputs else []
    if not ports and not variadic:
        return None
    source = draw(_output(found))
    earlier = order.index(source[0]) < order.index(to)
    return Link(
        to,
        draw(st.one_of(*ports, *variadic)),
        source,
        draw(numbers),
        instant=earlier and draw(st.booleans()),
        trainable=draw(st.booleans()),
    )


def _memory(name: str, neuron: Neuron) -> list[Link]:
    """The links that a builder makes for the memory of a neuron."""
    loops = neuron.type.loops.items()
    return [Link(name, port, (name, out), 1, trainable=False) for port, out in loops]
