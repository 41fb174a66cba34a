"""Stacks and queues: against Python's own, in both engines, and machines made of them."""

from collections import deque

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

from snakebird import neurons as n, vvalues as vv
from snakebird.errors import MachineError, RoomError
from snakebird.lowering import lower
from snakebird.machines import Link, Machine, run
from snakebird.testing import check_neuron

LIST = vv.from_list([{"a": 0.5}, -1.5])

values = st.none() | st.integers(-3, 3) | st.sampled_from([{"a": 1}, {"b": {"c": -2}}])
steps = st.lists(st.tuples(values, st.sampled_from([None, 0, 1, 2, -1])), max_size=12)


def store(kind: str) -> Machine:
    """A store whose input streams are `push` and `pop`, and what it gives."""
    whole = vv.Space([(), ("a",), ("b", "c")])
    return Machine(
        {"push": n.source(space=whole), "pop": n.source(space=vv.Space([()])), kind: kind,
         "output": "output"},
        [
            Link(kind, kind, (kind, kind)),
            Link(kind, "push", ("push", "signal"), instant=True),
            Link(kind, "pop", ("pop", "signal"), instant=True),
            Link("output", "y", (kind, "result"), instant=True),
        ],
    )  # fmt: skip


def expected(kind: str, tape: list) -> list:
    held: deque = deque()
    answers = []
    for push, pop in tape:
        taken = (held.pop if kind == "stack" else held.popleft)() if held and (pop or 0) > 0 else {}
        answers.append(taken)
        if push:
            held.append(push)
    return answers


@pytest.mark.parametrize("kind", ["stack", "queue"])
@given(steps)
def test_they_are_those_of_python(kind, tape):
    columns = {"push": [v for v, _ in tape], "pop": [p for _, p in tape]}
    found = run(store(kind), inputs=columns)
    assert found["output.y"] == expected(kind, tape)


@pytest.mark.parametrize("kind", ["stack", "queue"])
def test_the_fast_engine_agrees(kind):
    low = lower(store(kind), grow=12)
    rng = np.random.default_rng(3)
    for _ in range(6):
        tape = [
            (
                [None, 0, 2, {"a": 1.0}, {"b": {"c": -2.0}}][rng.integers(5)],
                int(rng.integers(-1, 2)),
            )
            for _ in range(10)
        ]
        columns = {"push": [v for v, _ in tape], "pop": [p for _, p in tape]}
        trace = low(columns, 10)
        trace.check()
        space, rows = trace["output.y"].space, np.asarray(trace["output.y"].data)
        for row, wanted in zip(rows, expected(kind, tape), strict=True):
            assert vv.equal(space.unflatten(row), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [n.stack, n.queue])
def test_lists_pass_what_every_neuron_must_pass(kind):
    check_neuron(kind, inputs={kind.name: LIST, "push": {"a": 0.7}, "pop": 0.5})


def test_a_list_keeps_what_closes_it():
    closed = vv.from_list([{"a": 1}])
    assert n.stack(closed, {}, 1) == {"result": {"a": 1}, "stack": vv.END}
    assert n.stack(vv.END, {}, 1) == {"result": {}, "stack": vv.END}
    assert n.queue(closed, {"b": 1}, 0)["queue"] == vv.from_list([{"a": 1}, {"b": 1}])
    assert n.queue(closed, {"b": 1}, 1) == {"result": {"a": 1}, "queue": vv.from_list([{"b": 1}])}


def test_nothing_given_is_changed():
    held, push = vv.from_list([1, 2]), {"a": 1}
    n.stack(held, push, 1)
    n.queue(held, push, 0)
    assert held == vv.from_list([1, 2])
    assert push == {"a": 1}


def test_a_pop_that_is_no_number():
    with pytest.raises(MachineError) as caught:
        n.stack(LIST, {}, jnp.ones(2))
    assert str(caught.value) == (
        "pop has the shape [2], expected a number\n"
        "  at neuron type stack\n"
        "  hint: link a number to it, or a norm of what comes"
    )


def test_room_is_said():
    trace = lower(store("queue"), grow=3)({"push": [{"a": 1.0}] * 8, "pop": [0.0] * 8})
    with pytest.raises(RoomError, match="outgrew its room"):
        trace.check()


def replay(kind: str) -> Machine:
    """Keeps tokens until `go`, then gives them back, one a tick."""
    return Machine(
        {"x": n.source(tokens=("a", "b")), "go": n.source(space=vv.Space([()])), "gone": "memory",
         kind: kind, "output": "output"},
        [
            "gone.x <- gone.result",
            Link("gone", "x", ("go", "signal"), instant=True),
            Link(kind, kind, (kind, kind)),
            Link(kind, "push", ("x", "signal"), instant=True),
            Link(kind, "pop", ("gone", "result")),
            Link("output", "replayed", (kind, "result"), instant=True),
        ],
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["stack", "queue"])
@pytest.mark.parametrize("ticks", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_copy_and_reverse(kind, ticks):
    half = ticks // 2
    tokens = np.random.default_rng(0).choice(["a", "b"], half - 1).tolist()
    silent = ticks - len(tokens)
    found = run(
        replay(kind),
        inputs={
            "x": [*({t: 1} for t in tokens), *[None] * silent],
            "go": [*[0] * len(tokens), 1, *[0] * (silent - 1)],
        },
    )
    wanted = tokens if kind == "queue" else tokens[::-1]
    assert found["output.replayed"][half : half + len(tokens)] == [{t: 1} for t in wanted]
    assert vv.count(found["output.replayed"][-1]) == 0
