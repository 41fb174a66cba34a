"""A lowered machine is an Equinox module like any other."""

from io import BytesIO
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from snakebird import neurons as sn, vvalues as vv
from snakebird.lowering import lift, lower
from snakebird.machines import Link, Machine, run
from snakebird.neurons import trainable

KEY = jax.random.key(5)
SPACE = vv.Space([("a",), ("b",)])


def counter() -> Machine:
    """Counts tokens, with a loop, layers before and after it, and an output."""
    return Machine(
        {
            "s": sn.source(tokens=("a", "b")),
            "bent": "tanh",
            "m": "accumulator",
            "norm": "max_norm",
            "out": "output",
        },
        [
            Link("bent", "x", ("s", "signal"), 0.8),
            Link("m", "accum", ("m", "result"), 1, trainable=False),
            Link("m", "delta", ("bent", "result"), 0.5),
            Link("norm", "x", ("m", "result"), 1.5),
            Link("out", "counts", ("m", "result"), 1),
            Link("out", "norm", ("norm", "norm"), 1),
        ],
    )


@pytest.fixture(scope="module")
def low() -> Any:
    return lower(counter())


def values(*lead: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(*lead, 2))


def norms(low: Any, inputs: Any, **given: Any) -> jax.Array:
    return low({"s": inputs}, **given).number("out.norm")


def test_inputs_of_every_form_give_the_same_run(low: Any):
    trees = [{"a": 1.0}, None, {"b": 1.0}, {"a": 1.0}, None]
    array = np.array([[1.0, 0], [7, 7], [0, 1], [1, 0], [7, 7]])
    mask = np.array([True, False, True, True, False])
    silent = array * mask[:, None]
    flat = vv.Flat(SPACE, jnp.asarray(silent))
    narrow = [vv.Flat(vv.Space([("a",)]), jnp.ones(1)), None, {"b": jnp.asarray(1.0)}, "a", None]
    expected = [now.outputs["out"].get("norm", 0) for now in run(counter(), inputs={"s": trees})]
    assert max(expected) > 0.4
    for given in (trees, (array, mask), (silent, mask), flat, (flat, mask), silent, narrow,
                  ["a", None, "b", "a", None]):  # fmt: skip
        np.testing.assert_allclose(norms(low, given), expected, rtol=1e-12)
    text = [now.outputs["out"].get("norm", 0) for now in run(counter(), inputs={"s": "abba"})]
    for given in ("abba", list("abba"), tuple("abba")):
        np.testing.assert_allclose(norms(low, given), text, rtol=1e-12)


def test_a_mask_of_nothing_is_not_a_message_of_zeros():
    machine = Machine(
        {"s": sn.source(tokens=("a",), default={"a": 0.5}), "out": "output"}, ["out.p <- s.signal"]
    )
    trace = lower(machine)({"s": (np.zeros((3, 1)), [True, False, True])}, ticks=5)
    assert trace["out.p"].data[:, 0].tolist() == [0, 0, 0.5, 0, 0.5]


def test_inputs_are_cut_or_go_on_with_nothing(low: Any):
    whole = norms(low, values(6))
    assert norms(low, values(6), ticks=4).tolist() == whole[:4].tolist()
    longer = norms(low, values(6), ticks=8)
    assert longer[:6].tolist() == whole.tolist()
    assert len(longer) == 8


def test_lists_of_traced_trees_are_inputs(low: Any):
    def last(x: jax.Array) -> jax.Array:
        return norms(low, [{"a": x}, None, {"a": 2 * x}, None, None])[-1]

    assert float(jax.jit(last)(0.3)) == float(last(jnp.asarray(0.3)))
    step = 1e-6
    slope = (last(jnp.asarray(0.3 + step)) - last(jnp.asarray(0.3 - step))) / (2 * step)
    assert float(jax.grad(last)(0.3)) == pytest.approx(float(slope), rel=1e-8)


def test_jit_grad_and_vmap_over_inputs(low: Any):
    batch = values(3, 5)
    each = [norms(low, one) for one in batch]
    np.testing.assert_allclose(jax.jit(jax.vmap(lambda x: norms(low, x)))(batch), each, rtol=1e-12)
    trace = jax.vmap(lambda x: low({"s": x}))(batch)
    assert len(trace.check()) == 5
    np.testing.assert_allclose(trace.number("out.norm"), each, rtol=1e-12)
    assert trace["out.counts"].data.shape == (3, 5, 2)
    assert trace["out.absent"].data.shape == (3, 5, 0)
    gradient = jax.vmap(jax.grad(lambda x: norms(low, x).sum()))(batch)
    assert gradient.shape == batch.shape
    assert float(jnp.abs(gradient).max()) > 0.1


def test_vmap_over_stacked_copies(low: Any):
    copies = [jax.tree.map(lambda x, k=k: x * (1 + 0.1 * k), low) for k in range(3)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *copies)
    inputs = values(5)
    found = eqx.filter_vmap(lambda m: norms(m, inputs))(stacked)
    np.testing.assert_allclose(found, [norms(m, inputs) for m in copies], rtol=1e-12)
    axes = jax.tree.map(lambda _: None, low)
    axes = eqx.tree_at(lambda m: m.weights, axes, 0, is_leaf=lambda x: x is None)
    only = eqx.tree_at(lambda m: m.weights, low, stacked.weights)
    found = jax.vmap(lambda m: norms(m, inputs), in_axes=(axes,))(only)
    assert found.shape == (3, 5)


def test_ticks_inside_a_scan_are_one_run(low: Any):
    inputs = jnp.asarray(values(6))

    @jax.jit
    def scanned(low: Any, inputs: jax.Array) -> Any:
        def step(state: Any, x: jax.Array) -> Any:
            state, trace = low.tick(state, {"s": x})
            return state, trace.number("out.norm")[0]

        return jax.lax.scan(step, low.first_state, inputs)

    state, found = scanned(low, inputs)
    np.testing.assert_allclose(found, norms(low, inputs), rtol=1e-12)
    assert int(state.tick) == 6


ARRAY = np.array([1.0, 0.0])
FORMS = [{"a": 1.0}, "a", ARRAY, (ARRAY, True), vv.Flat(SPACE, jnp.asarray(ARRAY))]


@pytest.mark.parametrize("message", FORMS, ids=["tree", "token", "array", "pair", "flat"])
def test_a_tick_takes_messages_of_every_form(low: Any, message: Any):
    state, trace = low.tick(low.first_state, {"s": message})
    assert low.outputs(state)["s"] == {"signal": {"a": 1.0}}
    assert len(trace) == 1
    state, _ = low.tick(state, {"s": None})
    assert "s" not in low.outputs(state)


def noisy() -> Machine:
    """Several stages, a loop, random neurons before and inside it."""
    return Machine(
        {
            "n": sn.noise(scale=trainable(0.3)),
            "drop": sn.dropout(keep=0.5),
            "m": "memory",
            "bent": "tanh",
            "clock": "timer",
            "out": "output",
        },
        [
            Link("clock", "timer", ("clock", "timer"), 1, trainable=False),
            Link("bent", "x", ("n", "result"), 2),
            Link("drop", "x", ("m", "result"), 0.9),
            Link("m", "x", ("drop", "result"), 0.5),
            Link("m", "x", ("bent", "result"), 0.5),
            Link("m", "x", ("clock", "timer"), 0.01),
            Link("out", "p", ("m", "result"), 1),
        ],
    )


def test_state_goes_on_exactly_with_stages_and_random_neurons():
    low = lower(noisy())
    assert len(low.plan.stages.scans) > 3
    whole = low(ticks=9, key=KEY)
    assert len(set(whole.number("out.p").tolist())) == 8
    first = low(ticks=4, key=KEY)
    second = low(ticks=5, key=KEY, state=first.state)
    parts = [*first.number("out.p"), *second.number("out.p")]
    np.testing.assert_allclose(parts, whole.number("out.p"), rtol=1e-13)
    state, ticked = low.first_state, []
    for _ in range(9):
        state, trace = low.tick(state, key=KEY)
        ticked.append(float(trace.number("out.p")[0]))
    np.testing.assert_allclose(ticked, whole.number("out.p"), rtol=1e-13)
    for a, b in zip(jax.tree.leaves(whole.state), jax.tree.leaves(state), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
    expected = [vv.number(v) for v in run(noisy(), 9, key=KEY)["out.p"]]
    np.testing.assert_allclose(ticked, np.array(expected, float), rtol=1e-12)
    assert low(ticks=9, key=jax.random.key(6)).number("out.p").tolist() != ticked


@pytest.mark.parametrize("options", [{}, {"checkpoint": True}, {"checkpoint": 2}], ids=str)
@pytest.mark.parametrize("make", [counter, noisy])
def test_no_tick_and_one_tick(make: Any, options: dict):
    low = lower(make(), record="all", **options)
    none = low(ticks=0, key=KEY)
    assert len(none) == 0
    assert none.ticks() == []
    for a, b in zip(jax.tree.leaves(none.state), jax.tree.leaves(low.first_state), strict=True):
        np.testing.assert_array_equal(a, b)
    one, expected = low(ticks=1, key=KEY), run(make(), 1, key=KEY)
    assert one.check().length == 1
    assert not vv.diff(expected.last, low.outputs(one.state), 1e-12)


def test_a_machine_as_a_vector_field():
    """`dy/dt = -y + tanh(w y)`: the machine gives the bent part of the right side in one tick."""
    machine = Machine(
        {"y": sn.source(space=vv.Space([("u",), ("v",)])), "bent": "tanh", "out": "output"},
        [
            Link("bent", "x", ("y", "signal"), 1.5, instant=True),
            Link("out", "p", ("bent", "result"), 1, instant=True),
        ],
    )
    low = lower(machine)

    def field(t: Any, y: jax.Array, args: Any) -> jax.Array:
        _, trace = args.tick(args.first_state, {"y": y})
        return trace["out.p"].data[0] - y

    def end(low: Any, field: Any = field) -> jax.Array:
        y0, saveat = jnp.array([0.5, -0.2]), diffrax.SaveAt(t1=True)
        term, solver = diffrax.ODETerm(field), diffrax.Heun()
        return diffrax.diffeqsolve(term, solver, 0, 1, 0.05, y0, args=low, saveat=saveat).ys[0]

    direct = end(None, lambda t, y, args: jnp.tanh(1.5 * y) - y)
    np.testing.assert_allclose(eqx.filter_jit(end)(low), direct, rtol=1e-12)
    gradient = eqx.filter_grad(lambda m: end(m)[0])(low)
    assert float(gradient.weights[list(machine.links).index(machine.links[0])]) > 0.1


def test_leaves_are_saved_and_read_again(low: Any):
    file = BytesIO()
    other = jax.tree.map(lambda x: x + 0.5, low)
    eqx.tree_serialise_leaves(file, other)
    file.seek(0)
    found = eqx.tree_deserialise_leaves(file, low)
    assert eqx.tree_equal(found, other)


def test_an_optimizer_of_optax_trains_it():
    low, inputs = lower(counter().fixed("out", "norm")), values(6)
    target = 2 * norms(low, inputs)
    optimizer = optax.adam(0.1)
    state = optimizer.init(eqx.filter(low, eqx.is_inexact_array))

    @eqx.filter_jit
    def step(low: Any, state: Any) -> Any:
        loss = lambda m: jnp.mean((norms(m, inputs) - target) ** 2)
        error, gradient = eqx.filter_value_and_grad(loss)(low)
        updates, state = optimizer.update(gradient, state)
        return eqx.apply_updates(low, updates), state, error

    losses = []
    for _ in range(60):
        low, state, error = step(low, state)
        losses.append(float(error))
    assert losses[-1] < 1e-2 * losses[0]
    machine = lift(low)
    fixed = [link.weight for link in machine.links if not link.trainable]
    assert fixed == [1, 1.5, 1, 1]


@pytest.mark.parametrize(
    ("record", "ports"),
    [
        (None, ["out.counts", "out.norm"]),
        ("m.result", ["m.result"]),
        (("m", "result"), ["m.result"]),
        (["m.result", ("norm", "norm")], ["m.result", "norm.norm"]),
        ("out", ["out.counts", "out.norm"]),
        ("all", ["bent.result", "m.result", "norm.norm", "out.counts", "out.norm", "s.signal"]),
    ],
    ids=str,
)
def test_what_is_recorded(record: Any, ports: list[str]):
    trace = lower(counter(), record=record)({"s": values(3)})
    assert trace.ports == ports
    assert all(len(trace[port].data) == 3 for port in ports)


def test_a_whole_neuron_and_parts_of_ports_are_read(low: Any):
    trace = low({"s": "ab"}, ticks=5)
    whole = trace["out"]
    assert whole.space == vv.Space([("counts", "a"), ("counts", "b"), ("norm",)])
    assert whole.data[:, 0].tolist() == trace.number("out.counts.a").tolist()
    assert trace["out.counts"].space == SPACE
    assert "trace of 5 ticks: out.counts, out.norm" in repr(trace)
    both = lower(counter(), record="norm")({"s": "ab"}, ticks=5)
    assert both.inputs("norm.x").space == SPACE
    part = lower(counter(), record=["m.result.a", "norm.norm.:number"])({"s": "ab"}, ticks=5)
    assert part["m.result"].space == vv.Space([("a",)])
    assert part.number("norm.norm").tolist() == both.number("norm.norm").tolist()


def test_other_precision():
    single = lower(counter(), dtype=jnp.float32)
    trace = single({"s": values(4)})
    assert {leaf.dtype for leaf in jax.tree.leaves((single, trace.data))} == {jnp.dtype("float32")}
    double = lower(counter())({"s": values(4)})
    np.testing.assert_allclose(trace.number("out.norm"), double.number("out.norm"), rtol=1e-6)


def test_copies_by_link_by_matrix_and_by_gather_agree():
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(3, len(counter().links))))
    texts = jnp.asarray(values(3, 6))
    found = []
    for dense in (None, True, False):
        low = lower(counter(), dense=dense)

        def loss(w: jax.Array, x: jax.Array, low: Any = low) -> jax.Array:
            return jnp.sum(norms(eqx.tree_at(lambda m: m.weights, low, w), x) ** 2)

        found.append(jax.vmap(jax.value_and_grad(loss, argnums=(0, 1)))(weights, texts))
    moves = [move for d in (None, True) for move in lower(counter(), dense=d).plan.moves]
    few = {product.few for move in moves for product in move.own.products.values()}
    assert few == {True, False}
    for other in found[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), found[0], other)


def test_a_trace_gives_the_trees_that_the_readable_engine_has():
    text = "abba"
    trace = lower(counter(), record=["m.result"])({"s": text}, ticks=6)
    expected = run(counter(), 6, inputs={"s": text})["m.result"]
    for found, tree in zip(trace.trees("m.result"), expected, strict=True):
        assert found == pytest.approx(tree)
