"""Traced functions: the machine computes what the function does, and says what it cannot."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import snakebird as sb
from snakebird.errors import InputError, MachineError, SnakebirdError
from snakebird.machines import Machine

TICKS = 2
RNG = np.random.default_rng(0)
SMOOTH = {"tanh": jnp.tanh, "sin": jnp.sin, "cos": jnp.cos, "logistic": jax.nn.sigmoid}
ONE = SMOOTH | {
    "neg": lambda a: -a,
    "abs": jnp.abs,
    "relu": jax.nn.relu,
    "sign": jnp.sign,
    "square": jnp.square,
    "cube": lambda a: a**3,
    "half": lambda a: 0.5 * a - 0.25,
    "third": lambda a: a / 3.0,
    "inverse": lambda a: 1 / (2 + a * a),
    "exp": lambda a: jnp.exp(jnp.tanh(a)),
    "clip": lambda a: jnp.clip(a, -0.5, 0.75),
    "flip": lambda a: a[..., ::-1] if a.ndim else a,
    "normal": lambda a: a / (1 + jnp.sum(a * a)),
    "spread": lambda a: a - a.max(),
}
TWO = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - 2 * b,
    "mul": lambda a, b: a * b,
    "max": jnp.maximum,
    "min": jnp.minimum,
    "where": lambda a, b: jnp.where(a > b, a, 0.5 * b),
    "equal": lambda a, b: jnp.where(a != b, a, 1.0),
    "logic": lambda a, b: jnp.where((a > 0) & ~(b >= 0) | (a < b), a, b),
    "cond": lambda a, b: jax.lax.cond(
        a.sum() > b.sum(), lambda p, q: p - q, lambda p, q: p * q, a, b
    ),
    "switch": lambda a, b: jax.lax.switch(
        (a.sum() > 0).astype(int) + (b.sum() > 0), [jnp.sin, lambda x: -x, lambda x: x * x], a
    ),
    "wide": lambda a, b: jax.lax.switch(
        2 * (a.sum() > 0).astype(int), [jnp.tanh, jnp.abs, lambda x: 2 * x], b
    ),
    "dot": lambda a, b: jnp.dot(a, b) + a,
}


@st.composite
def functions(draw):
    """A function of a number x and a vector v, as a list of calls, each of earlier results."""
    steps = []
    for k in range(draw(st.integers(1, 6))):
        name = draw(st.sampled_from([*ONE, *TWO]))
        steps.append((name, *(draw(st.integers(0, k + 2)) for _ in range(1 + (name in TWO)))))

    def function(x, v):
        known = [x, v, jnp.stack([x, 0.5 * v[0], v[1]])]
        for name, *args in steps:
            values = [known[k] for k in args]
            known.append(ONE[name](*values) if name in ONE else _alike(name, *values))
        return {"last": known[-1], "sum": known[-1].sum() + known[-2].sum()}

    function.__doc__ = str(steps)
    return function


def _alike(name, a, b):
    if name == "dot" and not (a.ndim and b.ndim):
        return a * b
    a, b = jnp.broadcast_arrays(a, b)
    return TWO[name](a, b)


def streams():
    return {"x": RNG.normal(size=TICKS), "v": RNG.normal(size=(TICKS, 3))}


def agree(machine: Machine, function, inputs) -> None:
    expected = jax.jit(jax.vmap(lambda given: function(**given)))(inputs)
    run, fast = sb.run(machine, inputs=inputs), sb.lower(machine)(inputs)
    for name, wanted in expected.items():
        slow = np.stack(
            [np.broadcast_to(_array(v), wanted.shape[1:]) for v in run[f"output.{name}"]]
        )
        np.testing.assert_allclose(slow, wanted, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(fast.number(f"output.{name}"), wanted, rtol=1e-10, atol=1e-10)


def _array(value):
    return np.zeros(()) if isinstance(value, dict) else np.asarray(value)


@settings(max_examples=settings().max_examples // 20)  # each is a machine to compile
@given(functions())
def test_a_random_function_is_the_machine_it_becomes(function):
    agree(sb.trace(function, x=0.0, v=np.zeros(3)), function, streams())


@pytest.mark.parametrize("names", [list(ONE), list(TWO)], ids=["one", "two"])
@pytest.mark.slow
def test_every_rule_of_the_grammar(names):
    def function(x, v):
        found = {}
        for name in names:
            if name in ONE:
                found |= {name: ONE[name](x), f"{name}_v": ONE[name](v)}
            else:
                found |= {name: _alike(name, x, v[1]), f"{name}_v": _alike(name, v, x + v[::-1])}
        return found

    agree(sb.trace(function, x=0.0, v=np.zeros(3)), function, streams())


W = RNG.normal(size=(4, 3))
M = RNG.normal(size=(2, 4))


def arrays(v, m):
    hidden = jnp.tanh(W @ v + 0.5)
    return {
        "layers": M @ hidden,
        "scaled": W[:3, 0] * v,
        "outer": jnp.outer(v, hidden),
        "rows": m @ v,
        "both": m @ jnp.outer(v, v),
        "inner": v @ v,
        "attention": jax.nn.softmax(m @ v) @ m,
        "centered": (v - v.mean()) / jnp.sqrt(v.var() + 0.1) + jnp.hypot(v[0], 1.0) % 0.7,
        "sums": m.sum(0) + v,
        "means": m.mean(axis=1),
        "row": m[1] - v[0],
        "columns": jnp.abs(m + m.mean(1)[:, None]),
        "joined": jnp.concatenate([v[1:], jnp.array([7.0]), m[0]]),
        "total": (m * m).sum(),
        "largest": m.max(),
        "product": v.prod() + m.min(axis=1)[0],
        "set": v.at[1].set(2.0) + v.at[0].add(m[0, 0]),
    }


@pytest.mark.slow
def test_arrays_and_matrices_agree():
    inputs = {"v": RNG.normal(size=(TICKS, 3)), "m": RNG.normal(size=(TICKS, 2, 3))}
    agree(sb.trace(arrays, v=np.zeros(3), m=np.zeros((2, 3))), arrays, inputs)


def kinked(x, v):
    gap = jnp.where(x > 0.1, x * v[0], jnp.abs(x))
    return jnp.exp(-gap) + jax.nn.relu(v @ v - 1) * jnp.maximum(x, v[1]) / (2 + jnp.sin(x) ** 2)


def test_gradients_are_those_of_the_function():
    low = sb.lower(sb.trace(kinked, x=0.0, v=np.zeros(3)))
    xs, vs = RNG.normal(size=TICKS), RNG.normal(size=(TICKS, 3))
    by_machine = jax.grad(lambda x, v: low({"x": x, "v": v}).number("output.result").sum(), (0, 1))
    wanted = jax.grad(lambda x, v: jax.vmap(kinked)(x, v).sum(), (0, 1))(xs, vs)
    for own, other in zip(by_machine(xs[:, None], vs), wanted, strict=True):
        np.testing.assert_allclose(np.reshape(own, other.shape), other, rtol=1e-9, atol=1e-12)


def pendulum(state, push):
    speed = state["speed"] + 0.05 * (jnp.sin(state["angle"]) - 0.3 * state["speed"] + push)
    angle = state["angle"] + 0.05 * speed
    return {"angle": angle, "speed": speed}, {"height": jnp.cos(angle), "angle": angle}


START = {"angle": 0.5, "speed": 0.0}


def test_a_step_with_state_is_a_machine_with_memory():
    machine = sb.trace(pendulum, state=START, push=0.0)
    pushes = RNG.normal(size=20)
    _, wanted = jax.lax.scan(pendulum, START, pushes)
    run, fast = sb.run(machine, inputs={"push": pushes}), sb.lower(machine)({"push": pushes})
    for name in wanted:
        np.testing.assert_allclose(run[f"output.{name}"], wanted[name], rtol=1e-12)
        np.testing.assert_allclose(fast.number(f"output.{name}"), wanted[name], rtol=1e-12)
    np.testing.assert_allclose(run["angle.result"], wanted["angle"], rtol=1e-12)


def test_states_may_be_passed_on_reset_and_shared():
    def step(state, x):
        a, b, c, d = state
        return (b, a, 0.5, b), {"all": a + 10 * b + 100 * c + 1000 * d + x}

    machine = sb.trace(jax.jit(step), state=(1.0, 2.0, 3.0, 4.0), x=0.0)
    xs = np.zeros(3)
    _, wanted = jax.lax.scan(step, (1.0, 2.0, 3.0, 4.0), xs)
    assert sb.run(machine, inputs={"x": xs})["output.all"] == wanted["all"].tolist()


def test_a_new_state_is_read_where_it_was_computed():
    def leap(state, _):
        speed = state["speed"] - 0.1 * state["place"]
        return {"speed": speed, "place": state["place"] + 0.1 * speed}, ()

    for function in (leap, jax.jit(leap)):
        machine = sb.trace(function, state={"place": 1.0, "speed": 0.0}, _=0.0)
        assert "place.x <- 0.1 * speed.result (instant)" in map(str, machine.links)


def test_it_reads_as_the_function_did():
    machine = sb.trace(pendulum, state=START, push=0.0)
    assert [str(link) for link in machine.links if link.to in ("angle", "speed")] == [
        "angle.x <- angle.result",
        "angle.x <- 0.05 * speed.result (instant)",
        "speed.x <- 0.05 * push.signal (instant)",
        "speed.x <- 0.05 * sine.result (instant)",
        "speed.x <- 0.985 * speed.result",
    ]
    built = {}
    exec(sb.machines.to_source(machine), built)
    assert built["pendulum"] == machine


def test_a_number_in_the_function_is_a_weight_that_trains():
    factor = 0.7
    low = sb.lower(sb.trace(lambda x: jnp.tanh(factor * x) + 0.2, x=0.0))
    xs = np.array([[0.3], [-1.1]])
    loss = lambda low: low({"x": xs}).number("output.result").sum()
    found = eqx.filter_grad(loss)(low).weights
    by_number = jax.grad(lambda f, c: (jnp.tanh(f * xs) + c).sum(), (0, 1))(factor, 0.2)
    links = [str(link) for link in sb.lift(low).links]
    weights = dict(zip(links, found, strict=True))
    np.testing.assert_allclose(weights["tanh.x <- 0.7 * x.signal (instant)"], by_number[0])
    np.testing.assert_allclose(weights["output.result <- 0.2 * one.result (instant)"], by_number[1])


def test_arrays_of_the_function_train_and_moves_do_not():
    machine = sb.trace(lambda v: W @ v[::-1], v=np.zeros(3))
    constants = [n for n in machine.neurons.values() if n.type.name == "constant"]
    assert {bool(n.trainable) for n in constants} == {True, False}
    held = sb.trace(lambda v: W @ v[::-1], v=np.zeros(3), fixed=True)
    assert not any(n.trainable for n in held.neurons.values())
    assert not any(link.trainable for link in held.links)


def test_streams_may_be_trees_and_stacked_numbers_are_links():
    def rates(y, u):
        state = jnp.stack([y["a"], y["b"]])
        return jnp.array([[0.0, 1.0], [-2.0, -0.5]])[1] @ state + u[0]

    machine = sb.trace(rates, y={"a": 0.0, "b": 0.0}, u=(0.0,))
    assert [str(link) for link in machine.links] == [
        "output.result <- u.signal.0 (instant)",
        "output.result <- -2.0 * y.signal.a (instant)",
        "output.result <- -0.5 * y.signal.b (instant)",
    ]
    done = sb.run(machine, inputs={"y": [{"a": 1.0, "b": 2.0}], "u": [{"0": 0.5}]})
    assert done["output.result"] == [-2.5]


def test_the_slope_of_a_comparison_is_a_choice():
    steps = lambda x: jnp.where(x > 0, 1.0, 0.0)
    slope = lambda machine: jax.grad(
        lambda x: sb.lower(machine)({"x": x}).number("output.result").sum()
    )(jnp.full((1, 1), 0.1))
    assert slope(sb.trace(steps, x=0.0)) == 0
    assert slope(sb.trace(steps, x=0.0, surrogate="straight")) == 1


KEY = jax.random.key(0)


def halving(x):
    return jax.lax.while_loop(lambda v: v > 1.0, lambda v: v / 2, x)  # while


def sorting(v):
    return jnp.tanh(jnp.sort(v))  # sort


def turned(m):
    return jnp.tanh(m.T)  # transpose


def branching(x):
    return x if x > 0 else -x  # if


def printing(x):
    jax.debug.print("{}", x)  # print
    return x


def drawing(x):
    return x + jax.random.normal(KEY)  # draw


def picking(v, k):
    return v[k.astype(int)]  # pick


def wholes(x):
    return (3 * x).astype(int) & 1  # whole


REFUSED = {
    halving: ("`while`", "# while", {"x": 0.0}, "opaque=True"),
    sorting: ("`sort`", "# sort", {"v": np.zeros(3)}, "opaque=True"),
    turned: ("`transpose`", "# transpose", {"m": np.zeros((2, 3))}, "opaque=True"),
    branching: ("decides in Python", "# if", {"x": 0.0}, "jnp.where"),
    printing: ("something besides", "# print", {"x": 0.0}, "record="),
    drawing: ("by chance", "# draw", {"x": 0.0}, "sb.noise"),
    picking: ("`convert_element_type`", "# pick", {"v": np.zeros(3), "k": 0.0}, "opaque=True"),
    wholes: ("whole ones", "# whole", {"x": 0.0}, "opaque=True"),
}


@pytest.mark.parametrize("function", REFUSED, ids=lambda f: f.__name__)
def test_what_cannot_be_said_is_named_with_its_line(function):
    named, mark, streams, hint = REFUSED[function]
    with pytest.raises(SnakebirdError) as caught:
        sb.trace(function, **streams)
    assert named in caught.value.what
    lines = Path(__file__).read_text("utf-8").splitlines()
    line = next(k for k, text in enumerate(lines, 1) if text.endswith(mark))
    assert caught.value.where == f"{__file__}, line {line}"
    assert hint in caught.value.hint


@pytest.mark.parametrize("function", [halving, sorting, turned], ids=lambda f: f.__name__)
def test_opaque_keeps_it_as_one_neuron(function):
    ((name, example),) = REFUSED[function][2].items()
    inputs = {name: 3 * RNG.normal(size=(TICKS, *np.shape(example)))}
    wrapped = lambda **given: {"result": function(*given.values())}
    agree(sb.trace(wrapped, opaque=True, **{name: example}), wrapped, inputs)


@pytest.mark.parametrize(
    ("call", "what", "hint"),
    [
        (lambda: sb.trace(lambda speed: speed, sped=0.0), "sped", "did you mean 'speed'"),
        (lambda: sb.trace(lambda a, b: a, a=0.0), "missing", "example of b"),
        (lambda: sb.trace(lambda x: x + jnp.inf, x=0.0), "not finite", "opaque"),
        (
            lambda: jax.jit(lambda w: sb.trace(lambda x: w * x, x=0.0) and w)(1.0),
            "JAX is tracing",
            "outside of jit",
        ),
        (lambda: sb.trace(jnp.abs, x=0.0), "positional only", "lambda x"),
        (lambda: sb.trace(lambda k: k, k=jax.random.key(0)), "expected a number", "sb.noise"),
        (lambda: sb.trace(lambda k: k, k="text"), "found str", "x=0.0"),
        (lambda: sb.trace(lambda s: s, state=1.0), "than two values", "(state, outputs)"),
        (lambda: sb.trace(lambda s: ({"b": s["a"]}, 0.0), state={"a": 1.0}), "shaped", "same keys"),
        (lambda: sb.trace(lambda s, a: (s, a), state={"a": 1.0}, a=0.0), "named 'a'", "rename"),
        (lambda: sb.trace(lambda x: {"a": {"b": x}, "a_b": x}, x=0.0), "two values", "rename"),
        (lambda: sb.trace(lambda x: x / jnp.zeros(()), x=0.0), "divided by a constant", "opaque"),
    ],
)  # fmt: skip
def test_mistakes_are_named(call, what, hint):
    with pytest.raises((InputError, MachineError)) as caught:
        call()
    assert what in caught.value.what
    assert hint in caught.value.hint
