"""Random machines that run tamely: to hold two engines against each other."""

from typing import Any

from hypothesis import strategies as st

from snakebird import neurons as sn, vvalues as vv
from snakebird.machines import Link, Machine
from snakebird.neurons import FUNCTION, Neuron
from snakebird.testing._machines import _leaves_chance_alone

TOKENS = ("a", "b", "c.d")

weights: st.SearchStrategy[Any] = st.sampled_from([1, -1, 0.5, -0.5, 0.25, -0.75, 0, 2])
"""Sums of eighths: exact in floating point, so that zero is zero in every order of adding."""

_leaf = st.sampled_from([1, -1, 2, 0.5, 0.25])
_values: st.SearchStrategy[Any] = st.one_of(
    _leaf,
    st.dictionaries(st.sampled_from(TOKENS), _leaf, max_size=3),
    st.dictionaries(
        st.sampled_from(["a", vv.NUMBER]), st.one_of(_leaf, st.just({"b": 2.0})), max_size=2
    ).filter(lambda tree: not isinstance(tree.get(vv.NUMBER), dict)),
)

_mixtures = st.dictionaries(
    st.sampled_from(
        ["accumulator", "max_norm", "compare", "inner", "constant", "tanh", "identity"]
    ),
    weights,
    min_size=1,
    max_size=3,
)


def _plain() -> st.SearchStrategy[Neuron]:
    simple = [
        sn.identity, sn.accumulator, sn.memory, sn.total, sn.output, sn.timer, sn.relu, sn.absolute,
        sn.tanh, sn.maximum, sn.minimum, sn.compare, sn.max_norm, sn.inner, sn.gate, sn.mask_sum,
        sn.clip, sn.sigmoid, sn.sine, sn.cosine, sn.superfluid, sn.softmax, sn.product, sn.cons,
    ]  # fmt: skip
    return st.one_of(
        st.sampled_from(simple).map(lambda kind: kind.with_parameters()),
        st.builds(lambda v: sn.constant(value=v), _values),
        st.builds(lambda k: sn.delay(ticks=k), st.integers(0, 2)),
        st.builds(lambda r: sn.leaky_accumulator(rate=r), st.sampled_from([0.5, 0.25])),
        st.just(sn.source(tokens=TOKENS)),
        st.just(sn.source(tokens=TOKENS, default={"a": 0.5})),
    )


def _output_of(name: str, neuron: Neuron) -> st.SearchStrategy[vv.Path]:
    outputs = neuron.type.outputs
    if outputs is None:
        outputs = (
            (FUNCTION, "result", "norm", "true") if neuron.type is sn.superfluid else ("p", "q")
        )
    port = st.sampled_from(outputs).map(lambda p: (name, p))
    deeper = st.tuples(st.just(name), st.sampled_from(outputs), st.sampled_from(TOKENS))
    return st.one_of(port, port, port, deeper, st.just((name,)))


def _inputs_of(neuron: Neuron) -> tuple[str, ...]:
    if neuron.type is sn.superfluid:
        return (FUNCTION, "accum", "delta", "x", "y")
    return ("p", "q") if neuron.type.variadic else neuron.type.inputs


@st.composite
@_leaves_chance_alone
def programs(draw: Any, max_neurons: int = 7, max_links: int = 14) -> Machine:
    """Machines that run for some ticks without running away, some carrying their own matrix.

    Give a lowered one `grow=` for the ticks it shall run, and messages to the sources.
    """
    count = draw(st.integers(1, max_neurons))
    found = {f"n{k}": draw(_plain()) for k in range(count)}
    sinks = [name for name, neuron in found.items() if _inputs_of(neuron)]
    links: list[Link] = []
    for _ in range(draw(st.integers(0, max_links)) if sinks else 0):
        links.append(draw(_link(found, sinks)))
    for name, neuron in found.items():
        if draw(st.integers(0, 3)):
            links += [
                Link(name, i, (name, o), 1, trainable=False) for i, o in neuron.type.loops.items()
            ]
        if neuron.type is sn.superfluid:
            links.append(Link(name, FUNCTION, (name, FUNCTION), draw(st.sampled_from([1, 1, 0.5]))))
    start = {
        n: {FUNCTION: draw(_mixtures)}
        for n, neuron in found.items()
        if neuron.type is sn.superfluid
    }
    if draw(st.booleans()) or not sinks:
        return Machine(found, links, start)
    return _carrying(draw, found, links, start, sinks)


@st.composite
@_leaves_chance_alone
def _link(draw: Any, found: dict[str, Neuron], sinks: list[str]) -> Link:
    to = draw(st.sampled_from(sinks))
    order = list(found)
    origin = draw(st.sampled_from(order))
    earlier = order.index(origin) < order.index(to)
    port = draw(st.sampled_from(_inputs_of(found[to])))
    if port == FUNCTION:
        mixed = [name for name in order if found[name].type is sn.superfluid]
        return Link(to, port, (draw(st.sampled_from(mixed)), FUNCTION), draw(weights))
    instant = earlier and draw(st.integers(0, 3)) == 0
    return Link(to, port, draw(_output_of(origin, found[origin])), draw(weights), instant=instant)


def _carrying(draw: Any, found: Any, links: list[Link], start: Any, sinks: list[str]) -> Machine:
    """The machine with a Self that adds up what some constants send it."""
    found = {**found, "self": sn.accumulator()}
    links = [*links, Link("self", "accum", ("self", "result"), 1, trainable=False)]
    for k in range(draw(st.integers(0, 2))):
        changes = [draw(_link(found, [*sinks, "self"])) for _ in range(draw(st.integers(1, 3)))]
        update = vv.grow({link.path: link.weight for link in changes if link.to != "self"})
        found[f"update{k}"] = sn.constant(value=update)
        links.append(
            Link("self", "delta", (f"update{k}", "result"), draw(st.sampled_from([1, 0.5, -1])))
        )
        start = {**start, f"update{k}": {"result": update}} if draw(st.booleans()) else start
    return Machine(found, links, start, matrix_from=("self", "result"))
