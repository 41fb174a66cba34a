"""Gradients of lowered machines are those of central differences, in double precision."""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from snakebird import neurons as sn, vvalues as vv
from snakebird.lowering import lift, lower
from snakebird.machines import Link, Machine
from snakebird.neurons import FUNCTION, REGISTRY, trainable
from tests.lowering.slopes import check_slopes, free_numbers, total

KEY = jax.random.key(3)

TREE = {vv.NUMBER: 0.7, "a": -0.55, "b": {vv.NUMBER: 0.9, "c": 0.35}}
OTHER = {vv.NUMBER: 0.45, "a": 0.8, "b": {vv.NUMBER: -0.3, "c": 0.65}}
IMAGE = np.random.default_rng(1).uniform(-1, 1, (5, 4))

GIVEN: dict[str, Any] = {
    "array_source": {"values": np.array([[0.4, -0.6], [0.5, 0.2], [1.1, 0.3]]), "keys": ("a", "b")},
    "clip": {"low": -0.37, "high": 0.41},
    "image_turn": {"angle": 0.3, "zoom": 1.2},
    "image_wave": {"phase": 0.3},
    "token_source": {"text": "ab"},
    "source": {"tokens": ("a", "b"), "default": {"a": 0.3}},
    "linked_source": {"tokens": ("a", "b"), "default": {"a": 0.3}},
}
"""Parameters under which a type has something to compute."""

APART = {"call", "superfluid", "step", "solve"}
"""Types with tests of their own below, or in other rooms."""


def _neuron(kind: sn.NeuronType) -> sn.Neuron:
    """A neuron of a type with every number of its own open to training."""
    own = {**kind.defaults, **GIVEN.get(kind.name, {})}
    free = {
        name: trainable(value)
        if kind.numeric(name) and value is not kind.defaults.get("none")
        else value
        for name, value in own.items()
    }
    return kind.with_parameters(**free)


def _links(name: str, kind: sn.NeuronType, rng: np.random.Generator) -> list[Link]:
    ports = [*kind.inputs, *(["one", "two"] if kind.variadic else [])]
    feeds = ["image"] if name.startswith("image") else ["tree", "other"]
    links = [Link(name, i, (name, o), 1, trainable=False) for i, o in kind.loops.items()]
    for port in ports:
        if port not in kind.loops:
            mine = feeds if port != "timer" else ["clock"]
            links += [Link(name, port, (s, "result"), rng.uniform(0.5, 1.1)) for s in mine]
    return links


def catalogue() -> Machine:
    """Every neuron type of the catalogue once, fed by trees, images and a clock."""
    rng = np.random.default_rng(0)
    kinds = {n: REGISTRY[n] for n in sorted(REGISTRY) if hasattr(sn, n) and n not in APART}
    feeds = {
        "tree": sn.constant(value=TREE),
        "other": sn.constant(value=OTHER),
        "image": sn.constant(value=IMAGE),
        "clock": sn.timer(),
    }
    links = [Link("clock", "timer", ("clock", "timer"), 1, trainable=False)]
    found = dict(feeds)
    for name, kind in kinds.items():
        found[name] = _neuron(kind)
        links += _links(name, kind, rng)
    links = [
        replace(k, source=("clock", "timer"), weight=0.9)
        if k.source[0] == "clock" and k.to != "clock"
        else k
        for k in links
    ]
    return Machine(found, links)


@pytest.mark.slow
def test_every_neuron_of_the_catalogue_passes_gradients_in_a_machine():
    machine = catalogue()
    assert len(machine.neurons) > 40
    low = lower(machine, record="all", grow=4)
    messages = {name: [{"a": 1.0}, None, {"b": 0.5}, None] for name in ("source", "linked_source")}
    check_slopes(low, inputs=messages, ticks=4, key=KEY)


def test_a_surrogate_slope_reaches_the_links_of_a_machine():
    machine = Machine(
        {"c": sn.constant(value=0.5), "s": sn.step(surrogate="straight")}, ["s.x <- 3 * c.result"]
    )
    low = lower(machine, record="s")
    gradient = eqx.filter_grad(lambda m: m(ticks=2).number("s.result").sum())(low)
    assert gradient.weights.tolist() == [0.5]


def test_the_arrays_of_a_module_are_trained_inside_a_machine():
    net = eqx.nn.MLP(2, "scalar", 3, 1, activation=jnp.tanh, key=KEY)
    call = lambda train: sn.call_neuron(net, inputs=("x",), shapes={"x": (2,)}, train=train)
    machine = Machine(
        {
            "v": sn.constant(value=np.array([0.3, -0.8])),
            "net": call(True),
            "twin": call(True),
            "still": call(False),
            "out": "output",
        },
        [
            *(Link(n, "x", ("v", "result"), 0.7) for n in ("net", "twin", "still")),
            *(Link("out", n, (n, "result"), 1) for n in ("net", "twin", "still")),
            Link("net", "x", ("v", "result"), 0.2, instant=True),
        ],
    )
    assert check_slopes(lower(machine, record="all"), ticks=3) < 1e-8


MIXTURES = {
    "f": {"accumulator": 0.8, "max_norm": 0.4, "tanh": -0.6},
    "g": {"compare": 0.9, "inner": 0.5, "identity": 1.1},
}


def superfluid_machine() -> Machine:
    links = [Link(n, FUNCTION, (n, FUNCTION), 0.95) for n in MIXTURES]
    return Machine(
        {"f": sn.superfluid(), "g": sn.superfluid(), "c": sn.constant(value={"a": 0.4, "b": -0.7})},
        [
            *links,
            "f.accum <- 0.6 * f.result",
            "f.delta <- 0.5 * c.result",
            "f.x <- 0.3 * g.result",
            "g.x <- 0.7 * f.result",
            "g.y <- 0.4 * c.result",
            "g.x <- 0.2 * f.norm",
        ],
        {name: {FUNCTION: mixture} for name, mixture in MIXTURES.items()},
        free_start=[(name, FUNCTION) for name in MIXTURES],
    )


@pytest.mark.slow
def test_gradients_pass_through_the_coefficients_of_superfluid_neurons():
    low = lower(superfluid_machine(), record="all")
    assert free_numbers(low).start.all()
    gradient = eqx.filter_grad(lambda m: total(m(ticks=6)))(low)
    assert np.abs(np.asarray(gradient.start)).min() > 1e-6
    check_slopes(low, ticks=6)


def self_modifying() -> Machine:
    """A machine whose matrix is moved by trained constants and by products of its own streams."""
    change = {"n": {"x": {"n": {"result": 0.02}, "m": {"result": -0.01}}}}
    change |= {"m": {"y": {"m": {"result": 0.03}}}}
    habit = {"m": {"x": {"n": {"result": 0.05}}}, "n": {"x": {"c": {"result": -0.04}}}}
    return Machine(
        {
            "self": "accumulator",
            "c": sn.constant(value=trainable(0.6)),
            "update": sn.constant(value=trainable(change)),
            "habit": sn.constant(value=habit),
            "n": "tanh",
            "m": "product",
            "hebb": "gate",
        },
        [
            Link("self", "accum", ("self", "result"), 1, trainable=False),
            "self.delta <- 0.3 * update.result",
            "self.delta <- 0.2 * hebb.result",
            "hebb.mask <- 0.5 * m.result",
            "hebb.value <- 0.7 * habit.result",
            "n.x <- 0.5 * c.result",
            "n.x <- 0.8 * n.result",
            "m.x <- 0.9 * n.result",
            "m.y <- 0.6 * c.result",
            "m.y <- 0.4 * n.result",
        ],
        matrix_from="self.result",
    )


def test_gradients_pass_through_fifty_ticks_of_self_modification():
    low = lower(self_modifying(), record=["n.result", "m.result"])
    assert low.plan.carried
    matrix = low.outputs(low(ticks=50).state)["self"]["result"]
    assert matrix["n"]["x"]["n"]["result"] > 0.9  # 0.8 at the start
    assert matrix["m"]["x"]["n"]["result"] != 0.9
    check_slopes(low, ticks=50)


def wired() -> Machine:
    """Instant links in two levels, a whole-neuron link, and deep links both ways."""
    return Machine(
        {
            "c": sn.constant(value=trainable({"p": {"a": 0.4, "b": -0.3}, "q": 0.8})),
            "memo": sn.leaky_accumulator(rate=trainable(0.7)),
            "both": "compare",
            "bent": "tanh",
            "norm": "max_norm",
            "wave": sn.sine(frequency=trainable(1.3), phase=trainable(0.2)),
        },
        [
            Link("memo", "accum", ("memo", "result"), 0.9),
            Link("memo", "delta", ("c", "result"), 0.5, instant=True),
            Link("bent", "x", ("memo", "result", "p"), 0.6, instant=True),
            Link("bent", "x", ("bent", "result", "a"), 0.3),
            Link("both", "x", ("memo", "result", "q"), 0.8),
            Link("both", "y", ("bent", "result", "b"), 0.4, instant=True),
            Link("norm", "x", ("both",), 1.2),
            Link("norm", "x", ("memo",), 0.3, instant=True),
            Link("wave", "x", ("norm", "norm"), 0.7),
        ],
    )


def test_gradients_pass_through_instant_whole_and_deep_links():
    check_slopes(lower(wired(), record="all"), ticks=5)


def staged(loops: bool = True) -> Machine:
    """What nothing trains, layers, loops and layers again: several stages."""
    links = [
        Link("clock", "timer", ("clock", "timer"), 1, trainable=False),
        Link("wave", "x", ("clock", "timer"), 0.3, trainable=False),
        Link("still", "accum", ("still", "result"), 1, trainable=False),
        Link("still", "delta", ("wave", "result"), 0.1, trainable=False),
        "h1.x <- 0.8 * wave.result",
        "h1.x <- 0.2 * still.result",
        "h2.x <- 0.9 * h1.result",
        "core.accum <- 0.6 * core.result",
        "core.delta <- 0.5 * h2.result",
        "core.delta <- 0.4 * back.result",
        "back.x <- 0.3 * core.result",
        Link("back", "x", ("h1", "result"), 0.2, instant=True),
        "t1.x <- 0.7 * core.result",
        "t1.y <- 0.6 * h1.result",
        Link("t2", "x", ("t1", "result"), 0.5, instant=True),
        "out.p <- 0.9 * t2.result",
        "out.q <- 0.9 * back.result",
    ]
    return Machine(
        {
            "clock": "timer", "wave": "sine", "still": "accumulator", "h1": "tanh", "h2": "tanh",
            "core": "accumulator", "back": "tanh", "t1": "product", "t2": "tanh", "out": "output",
        },
        links,
        {"core": {"result": 0.3}},
        free_start=["core.result"],
    )  # fmt: skip


def gradient_of(low: Any, ticks: int) -> np.ndarray:
    loss = lambda m: sum(jnp.sum(x**2) for x in m(ticks=ticks).data.values())
    return np.asarray(ravel_pytree(eqx.filter_grad(loss)(low))[0])


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    size = np.abs(expected).max()
    assert size > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * size)


@pytest.mark.slow
def test_stages_have_the_gradients_of_one_scan_with_checkpoints():
    machine = staged()
    low = lower(machine)
    assert low.plan.stages.scans == (True, False, False, True, False, False, False)
    check_slopes(low, ticks=9)
    expected = gradient_of(low, 23)
    one = lower(machine, checkpoint=4)
    assert one.plan.stages.scans == (True,)
    assert_same(gradient_of(one, 23), expected)


@pytest.mark.slow
def test_checkpoints_change_no_gradient_of_self_modification():
    machine = self_modifying()
    expected = gradient_of(lower(machine), 17)
    for checkpoint in (True, 5):
        assert_same(gradient_of(lower(machine, checkpoint=checkpoint), 17), expected)


def test_second_derivatives_are_differences_of_first_ones():
    machine = Machine(
        {"n": "tanh", "m": "product", "c": sn.constant(value=0.7)},
        ["n.x <- 0.8 * n.result", "n.x <- 0.5 * m.result", "n.x <- 0.9 * c.result",
         "m.x <- 0.6 * n.result", "m.y <- 1.1 * n.result"],
    )  # fmt: skip
    low = lower(machine, record="n")

    def loss(weights: jax.Array) -> jax.Array:
        return jnp.sum(eqx.tree_at(lambda m: m.weights, low, weights)(ticks=5).number("n.result"))

    hessian = np.asarray(jax.jit(jax.hessian(loss))(low.weights))
    slope, step = jax.jit(jax.grad(loss)), 1e-5
    moves = step * np.eye(len(low.weights))
    expected = [(slope(low.weights + m) - slope(low.weights - m)) / (2 * step) for m in moves]
    assert np.abs(hessian).max() > 0.1
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-12)
    np.testing.assert_allclose(hessian, expected, atol=1e-8)


def test_what_is_not_marked_trainable_gets_no_gradient():
    machine = self_modifying().fixed("n", "self.delta")
    gradient = eqx.filter_grad(lambda m: total(m(ticks=6)))(lower(machine, record="all"))
    free = np.array([link.trainable for link in machine.links])
    assert np.asarray(gradient.weights)[~free].tolist() == [0] * (~free).sum()
    assert np.abs(np.asarray(gradient.weights)[free]).min() > 0
    own = {
        name: np.abs(np.asarray(jax.tree.leaves(numbers)[0])[row]).max()
        for kind, numbers in zip(gradient.plan.kinds, gradient.numbers, strict=True)
        for row, name in enumerate(kind.names)
        if numbers
    }
    assert own.keys() == {"c", "update", "habit"}
    assert own["habit"] == 0 < min(own["c"], own["update"])


def test_a_step_along_the_gradient_lowers_the_loss_of_the_lifted_machine():
    low = lower(wired(), record="all")
    loss = lambda m: total(m(ticks=4)) ** 2
    gradient = eqx.filter_grad(loss)(low)
    better = jax.tree.map(lambda x, g: x - 1e-4 * g, low, gradient)
    assert loss(lower(lift(better), record="all")) < loss(low)
