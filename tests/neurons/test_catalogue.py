"""Every neuron type of the catalogue passes the check every neuron must pass."""

import re
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from snakebird import neurons as n, vvalues as vv
from snakebird.testing import check_neuron

CATALOGUE = {
    name: kind
    for name, kind in n.REGISTRY.items()
    if kind.function.__module__.startswith("snakebird.neurons.")
}
# Steps whose slope is not the derivative, or that look at the timer's whole part only.
STEPS = {"step", "token_source"}

rng = np.random.default_rng(7)


def array(*shape):
    return rng.uniform(0.2, 1.2, shape) * rng.choice([-1, 1], shape)


PICTURES = {"x": {"gray": array(4, 5), "color": array(3, 3, 2), "no image": 2.0}}
MATRIX = {"x": {"a": {"u": 0.5, "w": -1.5}, "b": {"u": 2.5}}}
LIST = vv.from_list([{"a": 0.5}, {"b": 1.5}])

SPECIAL = {
    "image_shift": (n.image_shift(down=1, right=-2), [PICTURES], {}),
    "image_turn": (n.image_turn(angle=0.3, zoom=1.2), [PICTURES], {}),
    "image_wave": (n.image_wave(size=0.2, frequency=0.7, phase=0.3), [PICTURES], {}),
    "image_blur": (n.image_blur(), [PICTURES], {}),
    "constant tree": (n.constant(value={"a": 0.5, "b": {"c": -2.0}}), None, {}),
    "constant array": (n.constant(value=array(2, 3)), None, {}),
    "leaky_accumulator": (n.leaky_accumulator(rate=-0.5), None, {}),
    "delay 0": (n.delay(ticks=0), [{"x": {"a": 0.5}}], {}),
    "delay 3": (
        n.delay(ticks=3),
        [{"x": {"a": 0.5}, "line": {"0": {"b": 1.5}, "1": -0.5, "2": {"a": 0.7, ":number": 2.0}}}],
        {},
    ),
    "clip above zero": (n.clip(low=0.3, high=0.5), None, {}),
    "step none": (n.step(surrogate="none"), None, {}),
    "step straight": (n.step(surrogate="straight"), None, {"gradients": False}),
    "step triangle": (n.step(surrogate="triangle", width=3.0), None, {"gradients": False}),
    "less": (n.less_or_equal(), [{"left": {"a": 0.5, "b": -1.0}, "right": {"a": 0.75}}], {}),
    "sigmoid": (n.sigmoid(shape=(3,)), [{"x": array(3)}, {"x": 0.5}], {}),
    "sine": (n.sine(frequency=1.5, phase=0.3, shape=(2, 2)), [{"x": array(2, 2)}], {}),
    "cosine": (n.cosine(frequency=1.5, phase=0.3, shape=(2,)), [{"x": array(2)}], {}),
    "reciprocal": (n.reciprocal(floor=0.5), None, {}),
    "softmax array": (n.softmax(), [{"x": array(2, 3)}], {}),
    "softmax shape": (n.softmax(shape=(3,)), [{"x": array(3)}], {}),
    "softmax keys": (n.softmax(keys=("a", "b", "z")), [{"x": {"a": 0.5, "b": {"c": 1.0}}}], {}),
    "outer": (n.outer(), [{"x": {"a": array(2), "b": 0.5}, "y": array(3)}], {"padding": None}),
    "matrix_product trees": (
        n.matrix_product(),
        [
            {**MATRIX, "y": {"u": 0.5, "w": 3.0}},
            {**MATRIX, "y": {"w": {"k": 2.0}, "u": {"l": 1.0}}},
        ],
        {},
    ),
    "matrix_product arrays": (
        n.matrix_product(),
        [{"x": array(2, 3), "y": array(3, 2)}, {"x": array(2, 3), "y": array(3)}],
        {},
    ),
    "noise": (n.noise(scale=0.5, shape=(2, 3)), None, {}),
    "dropout": (n.dropout(keep=0.5), None, {}),
    "sample": (n.sample(), [{"x": {"a": 0.1, "b": array(3)}}], {}),
    "source tokens": (n.source(tokens=("a", "b")), None, {}),
    "source space": (n.source(space=vv.Space([(), ("a", "b")]), default={"k": 0.5}), None, {}),
    "linked_source": (n.linked_source(tokens=("a",), default={"b": 1.5}), None, {}),
    "token_source": (
        n.token_source(text="abca", every=2),
        [{"timer": float(t)} for t in (-2, -1, 0, 1, 2, 6, 20)],
        {"gradients": False},
    ),
    "array_source keys": (
        n.array_source(values=array(4, 2), keys=("a", "b")),
        [{"timer": t} for t in (-0.5, 0.5, 3.5, 4.5)],
        {},
    ),
    "array_source arrays": (n.array_source(values=array(2, 2, 2)), [{"timer": 1.5}], {}),
    "array_source whole": (
        n.array_source(values=array(3)),
        [{"timer": t} for t in (0.0, 2.0, 3.0)],
        {"gradients": False},
    ),
    "cons": (n.cons(), [{"signal": {"a": 0.5}, "list": LIST}, {"list": LIST}], {}),
    "cons flag": (
        n.cons(flag="go"),
        [{"signal": {"a": 0.5, "go": 1.5}, "list": LIST}, {"signal": {"a": 0.5}, "list": LIST}],
        {},
    ),
    "superfluid": (
        n.superfluid(),
        [
            {
                ":function": {"relu": 0.5, "compare": -1.5},
                "x": {":number": 0.5, "a": -2.0},
                "y": 1.5,
            },
            {":function": {"accumulator": 0.7}, "accum": {"a": 0.5}, "delta": {"b": 1.5}},
        ],
        # A zero coefficient must be that of some neuron type.
        {"padding": "identity"},
    ),
    "call": (
        n.call_neuron(lambda a, b: {"s": a * jnp.sin(b), "c": jnp.cos(b)}, outputs=("s", "c")),
        None,
        {},
    ),
    "call module": (
        n.call_neuron(eqx.nn.MLP(3, 2, 4, 1, key=jax.random.key(0)), shapes={"x": (3,)}),
        [{"x": array(3)}, {"x": 0.5}],
        {"gradients": True},
    ),
}


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.slow
def test_at_drawn_inputs(name):
    check_neuron(CATALOGUE[name], gradients=name not in STEPS)


@pytest.mark.parametrize("name", SPECIAL)
def test_at_special_inputs(name):
    neuron, inputs, options = SPECIAL[name]
    check_neuron(neuron, inputs=inputs, **options)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_name_is_found_exported_and_explained(name):
    kind = CATALOGUE[name]
    assert n.find(name) is getattr(n, name) is kind
    assert kind.__doc__ is not None
    assert len(kind.__doc__) > 20
    assert set(kind.loops) <= set(kind.inputs)
    assert set(kind.loops.values()) <= set(kind.outputs or ())


def test_the_page_lists_the_catalogue():
    page = (Path(__file__).parents[2] / "docs/concepts/neurons.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert listed == set(CATALOGUE)
