"""Layers as parts of machines, against Equinox and plain scans with the same weights."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.machines import Machine, motives, run

FEATURES, HIDDEN, STEPS, HEADS = 3, 4, 7, 2
KEYS = jax.random.split(jax.random.key(0), 6)
XS = jax.random.normal(KEYS[0], (STEPS, FEATURES))
WIDE = jax.random.normal(KEYS[1], (STEPS, 6))


def machine_of(shape: tuple[int, ...], make: Callable[[Any], Any]) -> Machine:
    with sb.Builder(fixed=True) as b:
        x = sb.source(space=sb.Space({(): shape}), name="x")
        sb.output(y=sb.instant(make(sb.instant(x))))
    return b.machine


def cell_states(cell: Any, xs: Any) -> Any:
    def step(state: Any, x: Any) -> Any:
        state = cell(x, state)
        return state, state[0] if isinstance(state, tuple) else state

    zero = jnp.zeros(HIDDEN)
    return jax.lax.scan(step, (zero, zero) if isinstance(cell, eqx.nn.LSTMCell) else zero, xs)[1]


def causal(layer: Any, xs: Any, window: int = STEPS) -> Any:
    back = jnp.arange(len(xs))[:, None] - jnp.arange(len(xs))
    return layer(xs, xs, xs, mask=(back >= 0) & (back < window))


def layer(**options: Any) -> eqx.nn.MultiheadAttention:
    return eqx.nn.MultiheadAttention(HEADS, 6, key=KEYS[2], **options)


BIASES = {f"use_{part}_bias": True for part in ("query", "key", "value", "output")}
SIZES = {"qk_size": 5, "vo_size": 2, "output_size": 4}

CASES: dict[str, tuple[Any, Any, Any, Any]] = {
    "lstm": (
        eqx.nn.LSTMCell(FEATURES, HIDDEN, key=KEYS[3]),
        lambda cell: machine_of((FEATURES,), lambda x: motives.lstm(x, cell).hidden),
        cell_states,
        XS,
    ),
    "lstm without bias": (
        eqx.nn.LSTMCell(FEATURES, HIDDEN, use_bias=False, key=KEYS[3]),
        lambda cell: machine_of((FEATURES,), lambda x: motives.lstm(x, cell).hidden),
        cell_states,
        XS,
    ),
    "gru": (
        eqx.nn.GRUCell(FEATURES, HIDDEN, key=KEYS[4]),
        lambda cell: machine_of((FEATURES,), lambda x: motives.gru(x, cell)),
        cell_states,
        XS,
    ),
    "gru without bias": (
        eqx.nn.GRUCell(FEATURES, HIDDEN, use_bias=False, key=KEYS[4]),
        lambda cell: machine_of((FEATURES,), lambda x: motives.gru(x, cell)),
        cell_states,
        XS,
    ),
    "attention over time": (
        layer(**BIASES, **SIZES),
        lambda m: machine_of((6,), lambda x: motives.attention_over_time(x, m, window=STEPS)),
        causal,
        WIDE,
    ),
    "a short window": (
        layer(),
        lambda m: machine_of((6,), lambda x: motives.attention_over_time(x, m, window=3)),
        lambda m, xs: causal(m, xs, 3),
        WIDE,
    ),
    "attention": (
        layer(**BIASES, **SIZES),
        lambda m: machine_of((STEPS, 6), lambda x: motives.attention(x, m, length=STEPS)),
        lambda m, xs: causal(m, xs)[None],
        WIDE[None],
    ),
    "attention to all": (
        layer(),
        lambda m: machine_of(
            (STEPS, 6), lambda x: motives.attention(x, m, length=STEPS, causal=False)
        ),
        lambda m, xs: m(xs, xs, xs)[None],
        WIDE[None],
    ),
    "net": (
        eqx.nn.MLP(FEATURES, 2, 5, 1, key=KEYS[5]),
        lambda net: machine_of(
            (FEATURES,), lambda x: motives.feed_forward(x, net, shape=(FEATURES,))
        ),
        lambda net, xs: jax.vmap(net)(xs),
        XS,
    ),
}


SLOW = ("lstm without bias", "gru without bias", "attention to all", "net")
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in CASES]


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_is_that_of_equinox_with_its_gradient(name):
    weights, make, reference, xs = CASES[name]
    low = sb.lower(make(weights))

    def loss(model: Any, of: Any) -> Any:
        y = of(model)
        return jnp.sum(y * jnp.cos(jnp.arange(y.size).reshape(y.shape))), y

    both = eqx.filter_jit(eqx.filter_value_and_grad(loss, has_aux=True))
    (_, found), gradient = both(low, lambda m: m({"x": xs}).number("output.y"))
    given = xs[0] if name.startswith("attention") and xs.ndim == 3 else xs
    (_, wanted), wanted_gradient = both(weights, lambda m: reference(m, given))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
    # The same numbers, in another order; those of links are not trained.
    ours = np.sort(ravel_pytree(gradient.numbers)[0])
    np.testing.assert_allclose(
        ours[np.abs(ours) > 1e-14],
        np.sort(_nonzero(ravel_pytree(eqx.filter(wanted_gradient, eqx.is_array))[0])),
        rtol=0,
        atol=1e-12,
    )
    assert not np.any(gradient.weights)


def _nonzero(x: Any) -> Any:
    return np.asarray(x)[np.abs(x) > 1e-14]


@pytest.mark.slow
def test_the_readable_engine_agrees():
    make, cell = CASES["lstm"][1], CASES["lstm"][0]
    found = [vv.number(y) for y in run(make(cell), inputs={"x": XS[:3]})["output.y"]]
    np.testing.assert_allclose(jnp.stack(found), cell_states(cell, XS[:3]), atol=1e-12)
    make, attention = CASES["a short window"][1], CASES["a short window"][0]
    found = [vv.number(y) for y in run(make(attention), inputs={"x": WIDE[:4]})["output.y"]]
    np.testing.assert_allclose(jnp.stack(found), causal(attention, WIDE[:4], 3), atol=1e-12)


def streams(kind: str) -> Machine:
    spaces = {"query": (3,), "key": (3,), "value": (2,)} | ({"rate": ()} if "delta" in kind else {})
    with sb.Builder(fixed=True) as b:
        given = [
            sb.instant(sb.source(space=sb.Space({(): shape}), name=name))
            for name, shape in spaces.items()
        ]
        make = motives.delta_memory if "delta" in kind else motives.linear_attention
        sb.output(y=sb.instant(make(*given)))
    return b.machine


@pytest.mark.parametrize("kind", ["linear attention", "delta rule"])
def test_fast_weights_are_those_of_a_plain_scan(kind):
    rng = np.random.default_rng(0)
    given = {"query": rng.normal(size=(9, 3)), "key": rng.normal(size=(9, 3))}
    given |= {"value": rng.normal(size=(9, 2))}
    rate = rng.uniform(size=9)

    def step(weights: Any, now: Any) -> Any:
        query, key, value, beta = now
        if kind == "delta rule":
            weights = weights + beta * jnp.outer(value - weights @ key, key)
        else:
            weights = weights + jnp.outer(value, key)
        return weights, weights @ query

    def scanned(given: Any) -> Any:
        xs = (given["query"], given["key"], given["value"], rate)
        return jax.lax.scan(step, jnp.zeros((2, 3)), xs)[1]

    low = sb.lower(streams(kind))
    own = {"rate": rate} if kind == "delta rule" else {}
    ours = lambda given: low({**given, **own}).number("output.y")
    given = {name: jnp.asarray(x) for name, x in given.items()}
    np.testing.assert_allclose(ours(given), scanned(given), rtol=0, atol=1e-12)
    found, wanted = (jax.grad(lambda g, f=f: jnp.sum(f(g) ** 2))(given) for f in (ours, scanned))
    for name in given:
        np.testing.assert_allclose(found[name], wanted[name], rtol=0, atol=1e-11)


def test_two_layers_in_a_row_and_a_start_value():
    first, second = eqx.nn.GRUCell(3, 4, key=KEYS[3]), eqx.nn.LSTMCell(4, 4, key=KEYS[4])
    start = jnp.arange(4.0)

    def both(x: Any) -> Any:
        hidden = motives.gru(x, first, name="one").starts(start)
        return motives.lstm(hidden, second, name="two").hidden

    found = sb.lower(machine_of((3,), both))({"x": XS}).number("output.y")

    def step(state: Any, x: Any) -> Any:
        one = first(x, state[0])
        two = second(one, state[1])
        return (one, two), two[0]

    wanted = jax.lax.scan(step, (start, (jnp.zeros(4), jnp.zeros(4))), XS)[1]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


def test_only_the_recurrent_part_is_left_to_the_scan():
    low = sb.lower(CASES["gru"][1](CASES["gru"][0]))
    stage = low.plan.stages
    assert [stage.scans[stage.of[n]] for n in ("x", "gru_heard", "gru")] == [False, False, True]
    assert not any(sb.lower(CASES["attention"][1](layer())).plan.stages.scans)
