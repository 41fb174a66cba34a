"""Machines that edit themselves by catalogue parts, in both engines, with gradients."""

from collections import Counter
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.errors import MachineError, RoomError
from snakebird.lowering import lower
from snakebird.machines import Editor, Machine, from_json, run, to_json
from snakebird.machines._updates import place
from tests.lowering.slopes import check_slopes

NUMBER = vv.Space([()])


def numbers(name: str) -> Any:
    return sb.source(space=NUMBER, name=name)


def both(machine: Machine, ticks: int, **inputs: Any) -> list[Any]:
    """The outputs tick by tick; the two engines have to agree on all of them."""
    slow = [now.outputs for now in run(machine, ticks, inputs=inputs or None)]
    trace = lower(machine, record="all")(inputs or None, ticks).check()
    for t, (a, b) in enumerate(zip(slow, trace.ticks(), strict=True)):
        assert vv.equal(a, b.outputs, 1e-12), (t, vv.diff(a, b.outputs, 1e-12))
    return slow


def matrices(outputs: list[Any]) -> list[Any]:
    return [now["self"]["result"] for now in outputs]


def entry(outputs: list[Any], at: str) -> list[Any]:
    return [vv.number(vv.get(matrix, *place(at))) for matrix in matrices(outputs)]


def test_add_adds_in_every_tick_what_its_stream_says():
    with sb.Builder() as b:
        edit, go = Editor(), numbers("go")
        sb.constant(name="one")
        sb.identity(name="n")
        edit.add("n.x <- one.result", by=sb.instant(go), weight=2)
    found = both(b.machine, 6, go=[1, 0, 0.5, -1.5])
    assert entry(found, "n.x <- one.result") == [0, 2, 2, 3, 0, 0]
    assert [vv.number(vv.get(now, "n", "result")) for now in found] == [0, 0, 2, 2, 3, 0]
    # Where the entry is zero the neuron is silent again.
    assert ["n" in now for now in found] == [False, False, True, True, True, False]


@pytest.mark.filterwarnings("ignore:the matrix entry n.y")
def test_set_holds_a_value_however_long_the_gate_is_open():
    with sb.Builder() as b:
        edit = Editor()
        one, n = sb.constant(name="one"), sb.identity(name="n")
        n.feed(4 * one)
        edit.set("n.x <- one.result", 0.5, by=sb.constant(value=1))
        edit.set("n.y", {"one": {"result": 8}}, by=sb.constant(value=0.5))
    found = both(b.machine, 6)
    assert entry(found, "n.x <- one.result") == [4, 4, 0.5, 0.5, 0.5, 0.5]
    # Half of the way in each tick; what addresses no input has no effect, but is kept.
    assert entry(found, "n.y <- one.result") == [0, 0, 4, 6, 7, 7.5]


def test_move_moves_a_row():
    with sb.Builder() as b:
        edit, go = Editor(), numbers("go")
        one = sb.constant(name="one")
        n, m = sb.identity(name="n"), sb.identity(name="m")
        n.feed(3 * one + 2 * m)
        edit.move("n.x", "m.x", by=sb.instant(go))
    found = both(b.machine, 5, go=[0, 1])
    rows = [(vv.get(w, "n"), vv.get(w, "m")) for w in matrices(found)]
    whole = {"x": {"one": {"result": 3}, "m": {"result": 2}}}
    assert rows == [(whole, {}), (whole, {}), ({}, whole), ({}, whole), ({}, whole)]


def turning(edit: Editor) -> tuple[Any, Any]:
    x, y = sb.identity(name="x"), sb.identity(name="y")
    x.feed(0.75 * x - 0.5 * y + 0.25 * sb.constant(name="drive")).starts(1.0)
    y.feed(0.75 * y + 0.5 * x)
    return x, y


def test_clone_copies_a_part_that_then_does_the_same():
    with sb.Builder() as b:
        edit, go = Editor(), numbers("go")
        turning(edit)
        for name in ("x2", "y2"):
            sb.identity(name=name)
        edit.clone({"x": "x2", "y": "y2"}, by=sb.instant(go))
    found = both(b.machine, 7, go=[0.25, 0.25, 0.5])
    matrix = matrices(found)[-1]
    assert vv.get(matrix, "x2") == {
        "x": {"x2": {"result": 0.75}, "y2": {"result": -0.5}, "drive": {"result": 0.25}}
    }
    assert vv.get(matrix, "y2") == {"x": {"y2": {"result": 0.75}, "x2": {"result": 0.5}}}
    assert vv.get(matrix, "x") == vv.get(matrices(found)[0], "x")


@pytest.mark.slow
def test_insert_changes_nothing_but_a_tick_of_delay_and_then_fades_in_a_side():
    def machine(inserted: bool, share: float = 0.0) -> Machine:
        with sb.Builder() as b:
            edit, go = Editor(), numbers("go")
            x, _ = turning(edit)
            sb.identity(x, name="reader")
            if inserted:
                edit.insert("mix", "reader.x", by=sb.instant(go), side="y.result", share=share)
        return b.machine

    go = [0, 0, 0, 1]
    plain, with_it, half = (
        [vv.number(now["reader"]["result"]) for now in both(m, 9, go=go)]
        for m in (machine(False), machine(True), machine(True, share=0.5))
    )
    # Emitted in tick 3, opened in 4, in the matrix from 5 on: tick 6 repeats, then all is late.
    assert with_it == [*plain[:6], *plain[5:8]]
    y = [vv.number(now["y"]["result"]) for now in both(machine(False), 9, go=go)]
    assert half[6:] == [0.5 * plain[k] + 0.5 * y[k] for k in (5, 6, 7)]


def test_erase_by_symbol_takes_away_all_links_of_the_named_neuron():
    with sb.Builder() as b:
        edit = Editor()
        token = sb.source(tokens=("x", "y"), name="token")
        x, y = turning(edit)
        sb.identity(x + y, name="reader")
        edit.erase(sb.instant(token))
    found = both(b.machine, 4, token=[None, "y"])
    before, after = matrices(found)[1], matrices(found)[2]
    links = {path for path, _ in vv.entries(before)}
    left = {path for path, _ in vv.entries(after)}
    assert links - left == {p for p in links if "y" in (p[0], p[2])}
    assert "y" in found[2]
    assert "y" not in found[3]


def counting(slots: int) -> Machine:
    """A neuron for every new key, which counts how often the key comes."""
    names = [f"n{k}" for k in range(slots)]
    with sb.Builder() as b:
        edit = Editor()
        char = sb.source(tokens=tuple("abcd"), name="char")
        sb.identity(char, name="late")
        for name in names:
            sb.accumulator(name=name, loops=False)
        new = edit.allocate(sb.instant(char), names, "delta <- late.result", loop="accum <- result")
        sb.output(refused=sb.accumulate(new.refused))
    return b.machine


def test_allocate_makes_a_neuron_for_every_new_key_and_no_more():
    text = "ccacbbaacb"
    found = both(counting(4), len(text) + 4, char=text)
    matrix, last = matrices(found)[-1], found[-1]
    keys = {f"n{k}": key for k, key in enumerate("cab")}
    assert {n for n in last if n in ("n0", "n1", "n2", "n3")} == set(keys)
    for name, key in keys.items():
        assert vv.get(matrix, name, "delta") == {"late": {"result": {key: 1}}}
        assert last[name]["result"] == Counter(text)[key]


def test_allocate_tells_for_which_keys_there_is_no_neuron():
    found = both(counting(2), 12, char="abcabc")
    assert found[-1]["output"] == {"refused": {"c": 2}}


@pytest.mark.slow
def test_weights_and_gates_are_trained_through_ten_self_modifying_ticks():
    free = sb.trainable
    with sb.Builder() as b:
        edit = Editor(change=free(0.9), strict=False)
        x, y = turning(edit)
        x2, y2 = sb.identity(name="x2"), sb.identity(name="y2")
        pulse = sb.tanh(0.3 * x + 0.2)
        edit.add("x.x <- y.result", by=pulse, weight=0.1)
        edit.set("y.x <- x.result", sb.constant(value=free(0.3)), by=pulse, weight=0.5)
        edit.move("y.x <- y.result", "x.x <- x.result", by=0.1 * pulse)
        edit.clone({"x": "x2", "y": "y2"}, by=0.3 * pulse, weight=0.7)
        edit.erase(sb.outer({"drive": 0.02}, pulse))
        sb.output(x=x + x2, y=y + y2)
    low = lower(b.machine)
    assert float(low(ticks=10).number("output.x")[-1]) != 0
    check_slopes(low, ticks=10)


def guarded(strict: bool, **limits: Any) -> Machine:
    with sb.Builder() as b:
        edit = Editor(strict=strict, **limits)
        sb.constant(name="one")
        for name in ("a", "b", "c"):
            sb.identity(name=name)
            edit.add(f"{name}.x <- one.result", by={"a": 1, "b": 3, "c": -2}[name])
    return b.machine


@pytest.mark.parametrize(
    ("limits", "rows"),
    [
        ({"rows": {"a": 1, "c": {"x": 0.5}}}, (1, 0, -1)),
        ({"links": 1}, (0, 3, 0)),
        ({"links": 2}, (0, 3, -2)),
        ({"change": 3.0}, (0.5, 1.5, -1)),
        ({"rows": {"a": 1, "b": 1}, "links": 2, "change": 2.0}, (0.5, 1.5, 0)),
    ],
)
def test_a_guard_lets_pass_what_it_should_and_tells_the_rest(limits, rows):
    found = both(guarded(strict=False, **limits), 2)
    matrix = matrices(found)[-1]
    assert tuple(vv.number(vv.get(matrix, n, "x", "one", "result")) for n in "abc") == rows
    asked = {"a": 1, "b": 3, "c": -2}
    refused = {n: asked[n] - r for n, r in zip("abc", rows, strict=True)}
    told = vv.get(found[0], "guard", "refused")
    assert {n: vv.number(vv.get(told, n, "x", "one", "result")) for n in "abc"} == refused


def test_the_mask_of_a_guard_may_be_a_stream():
    with sb.Builder() as b:
        mask = sb.source(space=vv.Space([("n",)]), name="mask")
        edit = Editor(rows=sb.instant(mask), strict=False)
        sb.constant(name="one")
        sb.identity(name="n")
        edit.add("n.x <- one.result")
    found = both(b.machine, 5, mask=[None, {"n": 1}, {"n": 0.5}])
    assert entry(found, "n.x <- one.result") == [0, 0, 1, 1.5, 1.5]


def test_a_machine_that_edits_itself_is_saved_and_printed():
    machine = guarded(strict=True, rows={"a": 1}, links=2)
    assert from_json(to_json(machine)) == machine
    assert "sb.guard(" in str(machine)


def test_what_a_strict_guard_says_and_what_the_fast_engine_does_then():
    machine = guarded(strict=True, rows={"a": 1, "c": {"x": 1}})
    with pytest.raises(RoomError) as caught:
        run(machine, 3)
    assert str(caught.value) == (
        "an update changes b.x <- one.result, which may not change\n"
        "  at neuron 'guard', the mask, which allows a, c.x\n"
        "  hint: let the mask allow it: {'b': 1}, or write strict=False to drop it"
    )
    trace = lower(machine, record="guard.refused")(ticks=3)
    assert trace.number(("guard", "refused", "b", "x", "one", "result")).tolist() == [3, 3, 3]
    with pytest.raises(RoomError) as caught:
        run(guarded(strict=True, links=2), 3)
    assert str(caught.value) == (
        "an update brings 1 new link too many: a.x <- one.result\n"
        "  at neuron 'guard', links=2\n"
        "  hint: allow more with links=..., or write strict=False to drop the smallest"
    )


def test_places():
    assert place("n.x") == ("n", "x")
    assert place(" n.x<- m.result.a ") == ("n", "x", "m", "result", "a")
    for wrong in ("n. <- m", 3, ("a", 1)):
        with pytest.raises(MachineError, match="expected a place in the network matrix") as caught:
            place(wrong)
        assert caught.value.hint == 'write "n.x" for a row, "n.x <- m.result" for an entry'


def inner() -> Machine:
    """A machine that edits itself, and hears lessons: what it learns is its own matrix."""
    with sb.Builder(name="inner") as b:
        edit = Editor()
        lesson = sb.source(space=vv.Space([("x", "x", "x", "result")]), name="lesson")
        edit.send(sb.instant(lesson))
        x, _ = turning(edit)
        edit.add("y.x <- y.result", by=-0.05)
        sb.output(x=x, program=edit.network)
    return b.machine


@pytest.mark.slow
def test_many_cycles_of_a_machine_that_edits_itself_inside_one_outer_tick():
    cycles, ticks = 5, 3
    neuron = sb.machine_neuron(inner(), ticks=cycles)
    with sb.Builder() as b:
        host = neuron(name="host")
        sb.output(x=host.x)
    outer = both(b.machine, ticks)
    alone = run(inner(), cycles * ticks)["output.x"]
    assert [now["host"]["x"] for now in outer] == pytest.approx(alone[cycles - 1 :: cycles])


@pytest.mark.slow
def test_one_hosted_machine_edits_another_and_gradients_pass():
    neuron = sb.machine_neuron(inner(), ticks=2)
    with sb.Builder() as b:
        a, c = neuron(name="a"), neuron(name="c")
        c.feed(lesson=0.25 * a.program - 0.5 * c.program)
        sb.output(x=c.x)
    found = both(b.machine, 4)
    programs = [vv.get(found[-1], n, "program", "x", "x", "x", "result") for n in ("a", "c")]
    assert programs[0] == 0.75
    assert programs[1] < 0.25
    low = lower(b.machine)
    at = lambda w: eqx.tree_at(lambda m: m.weights, low, w)(ticks=4).number("output.x")[-1]
    free = np.flatnonzero(low.plan.free_weights)
    gradient = jax.jit(jax.grad(at))(low.weights)
    moved = low.weights + 1e-6 * np.concatenate([np.eye(len(gradient)), -np.eye(len(gradient))])
    ahead, behind = np.split(np.asarray(jax.jit(jax.vmap(at))(moved)), 2)
    assert np.abs(gradient[free]).min() > 1e-3
    np.testing.assert_allclose(gradient[free], ((ahead - behind) / 2e-6)[free], atol=1e-7)
