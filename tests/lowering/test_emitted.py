"""What a scan gives out and carries, and what of a carried matrix is read anew in every tick."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snakebird as sb
from snakebird import neurons as sn, vvalues as vv
from snakebird.lowering import lower
from snakebird.lowering._parameters import silent, split
from snakebird.machines import Editor, Link, Machine, run
from snakebird.neurons import REGISTRY

TEXT = "abcabca"


def registers() -> Machine:
    """Two memories in loops, of three and of five entries; a part of the first is read later."""
    return Machine(
        {
            "x": sn.source(tokens=("a", "b", "c")),
            "three": "accumulator",
            "five": "leaky_accumulator",
            "all": sn.constant(value=dict.fromkeys("pqrst", 1.0)),
            "read": "tanh",
            "late": "identity",
        },
        [
            "three.accum <- three.result",
            "three.delta <- 0.5 * x.signal",
            "three.delta <- five.result.p",
            "five.accum <- 0.9 * five.result",
            "five.delta <- all.result",
            "read.x <- three.result.a",
            "late.x <- read.result",
        ],
    )


def stacked(jaxpr: Any) -> list[tuple[int, ...]]:
    """The shapes of what the scans in a program stack over time."""
    found = []
    for eqn in jaxpr.eqns:
        inner = [p for p in eqn.params.values() if hasattr(p, "jaxpr")]
        found += [shape for part in inner for shape in stacked(part.jaxpr)]
        if eqn.primitive.name == "scan":
            found += [var.aval.shape for var in eqn.outvars[eqn.params["num_carry"] :]]
    return found


def test_a_scan_gives_out_only_rows_that_later_stages_read():
    low = lower(registers(), record=["late", "read"])
    numbers, rest = eqx.partition(low, eqx.is_array)
    run_it = lambda n: eqx.combine(n, rest)({"x": TEXT}).number("late.result")
    shapes = stacked(jax.make_jaxpr(run_it)(numbers).jaxpr)
    rows = [low.plan.layout.row("out", name, "result") for name in ("three", "five")]
    assert [low.plan.blocks[row[0]].space.size for row in rows if row] == [4, 5]
    assert shapes == [(len(TEXT), 1, 4)]


@pytest.mark.parametrize("record", ["late", "read", "all"])
def test_what_is_not_given_out_is_still_in_the_state(record: str):
    machine = registers()
    low = lower(machine, record=record)
    trace = low({"x": TEXT})
    expected = run(machine, len(TEXT), inputs={"x": list(TEXT)})
    found = low.outputs(trace.state)
    for name in ("three", "five", *(["late"] if record != "read" else [])):
        assert not vv.diff(found[name]["result"], expected[f"{name}.result"][-1], 1e-12)
    halves = low({"x": TEXT[:3]})
    again = low({"x": TEXT[3:]}, state=halves.state)
    for a, b in zip(again.state.blocks, trace.state.blocks, strict=True):
        assert np.allclose(a, b, atol=1e-12)
    none = low(ticks=0, state=halves.state)
    assert all(map(np.array_equal, none.state.blocks, halves.state.blocks))


def editing(keep: float = 1.0, first: float = 0.0) -> Machine:
    """The row of `n` is edited; the link to `m` stays. One link begins at `first`."""
    with sb.Builder() as b:
        edit = Editor()
        one, n = sb.constant(name="one"), sb.tanh(name="n")
        m = sb.tanh(name="m")
        m.feed(x=0.7 * n)
        edit.set("n.x <- m.result", 0.5, by=0.25)
        edit.add("n.x <- one.result", by=sb.instant(one), weight=0.1)
        sb.output(n=n, m=m)
    machine = b.machine
    links = [
        Link("self", "accum", link.source, keep, trainable=False) if link.input == "accum" else link
        for link in machine.links
    ]
    links.append(Link("n", "x", ("one", "result"), first))
    return machine.replace(links=links)


def changing(machine: Machine) -> set[vv.Path]:
    plan = lower(machine).plan
    return {plan.matrix_space.paths[k] for k in np.flatnonzero(plan.changing)}


def test_only_entries_that_an_update_can_reach_are_read_in_every_tick():
    assert changing(editing()) == {("n", "x", "m", "result"), ("n", "x", "one", "result")}


def test_every_entry_may_change_where_self_is_not_kept_as_it_is():
    machine = editing()
    every = set(lower(machine).plan.matrix_space.paths)
    trained = [
        Link("self", "accum", link.source, 1.0) if link.input == "accum" else link
        for link in machine.links
    ]
    assert changing(machine.replace(links=trained)) == every
    leaky = machine.replace(neurons={**machine.neurons, "self": sn.leaky_accumulator(rate=1)})
    assert changing(leaky) == every
    more = sn.constant(value={"n": {"x": {"m": {"result": 0.1}}}})
    twice = machine.replace(neurons={**machine.neurons, "more": more})
    twice = twice.link(Link("self", "accum", ("more", "result"), 1.0, trainable=False))
    assert changing(twice) == set(lower(twice).plan.matrix_space.paths)


@pytest.mark.parametrize("keep", [1.0, 0.5, 0.0, -1.0])
def test_constant_entries_follow_the_link_that_keeps_them(keep: float):
    machine = editing(keep, first=0.3)
    assert len(changing(machine)) == 2
    low = lower(machine, record="all")
    wanted = run(machine, 9)
    for begin in (0, 1, 4):
        start = low(ticks=begin)
        trace = low(ticks=9 - begin, state=start.state)
        for t, tick in enumerate(trace.ticks()):
            got = vv.get(tick.outputs, "n"), vv.get(tick.outputs, "m")
            want = (
                {"result": wanted["n.result"][begin + t]},
                {"result": wanted["m.result"][begin + t]},
            )
            assert not vv.diff(got[0], want[0], 1e-12)
            assert not vv.diff(got[1], want[1], 1e-12)


@pytest.mark.parametrize("checkpoint", [False, 3])
@pytest.mark.parametrize("first", [0.0, 0.3])
def test_gradients_through_an_edited_matrix(first: float, checkpoint: Any):
    low = lower(editing(first=first), checkpoint=checkpoint)
    loss = lambda w: jnp.sum(_with(low, w)(ticks=8).number("output.n") ** 2)
    found = jax.jit(jax.grad(loss))(low.weights)
    value = jax.jit(loss)
    free = np.flatnonzero([link.trainable for link in low.plan.template.links])
    assert len(free) > 4
    for k in free:
        step = jnp.zeros_like(low.weights).at[k].set(1e-6)
        slope = (value(low.weights + step) - value(low.weights - step)) / 2e-6
        assert np.isclose(found[k], slope, rtol=1e-6, atol=1e-8), low.plan.template.links[k]


def _with(low: Any, weights: jax.Array) -> Any:
    return eqx.tree_at(lambda m: m.weights, low, weights)


def test_types_that_need_no_gate_are_silent_on_arrays_too():
    space = vv.Space([("a",), ("b",)])
    names = [n for n, kind in REGISTRY.items() if silent(kind(), split(kind(), float))]
    assert {"tanh", "accumulator", "output"} <= set(names)
    assert not {"sigmoid", "constant", "cosine", "superfluid"} & set(names)
    for name in names:
        ports = REGISTRY[name].inputs or ("x",)
        given = {port: vv.Flat(space, jnp.zeros(2)) for port in ports}
        assert not jnp.any(vv.flatten(REGISTRY[name]().apply(given)).data), name


def selecting(missing: int) -> Machine:
    """Links from single entries to single ports, all but a few of a grid; one is twice there."""
    keys = "abcd"
    pairs = [(port, key) for port in ("p", "q", "r") for key in keys][missing:]
    links = [
        Link("out", port, ("x", "signal", key), 0.1 + 0.2 * k)
        for k, (port, key) in enumerate(pairs)
    ]
    links += [Link("loop", "accum", ("loop", "result"), 0.5)]
    links += [Link("loop", "delta", ("out", "p"), 1.0)]
    links += [
        Link("part", "x", ("loop", "result"), 1.0),
        Link("part", "x", ("x", "signal", "a"), 2),
    ]
    return Machine(
        {
            "x": sn.source(tokens=tuple(keys)),
            "out": "output",
            "loop": "accumulator",
            "part": "tanh",
        },
        links,
    )


@pytest.mark.parametrize(("missing", "grid"), [(0, True), (3, True), (11, True)])
def test_links_between_numbers_as_a_small_matrix(missing: int, grid: bool):
    machine = selecting(missing)
    low = lower(machine, record="all")
    forms = [s.grid for m in low.plan.moves for d in (m.past, m.own) for s in d.scatters.values()]
    assert (True in forms) == grid
    wanted = run(machine, 6, inputs={"x": list("abcdab")})
    for t, tick in enumerate(low({"x": "abcdab"}).ticks()):
        for name, port in (("out", "p"), ("out", "r"), ("loop", "result"), ("part", "result")):
            want = wanted[f"{name}.{port}"][t]
            assert not vv.diff(vv.get(tick.outputs, name, port), want, 1e-12)
