"""Which weightings are exact, and programs made smaller that stay so."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import snakebird as sb
from snakebird.synthesis.programs._exactness import Exactness
from snakebird.synthesis.programs._examples import Examples, Integers, OneOf
from snakebird.synthesis.programs._shrink import shortest, shrink, size, tidy
from snakebird.synthesis.programs._verify import verify
from snakebird.testing._machines import _leaves_chance_alone

WEIGHTS = st.sampled_from([1, 1, -1, 2, 0, Fraction(1, 2)])
KINDS = [
    "identity",
    "identity",
    "identity",
    "relu",
    "product",
    "accumulator",
    "constant",
    "less_or_equal",
]


def now(to: str, source: str, weight: Any = 1) -> sb.Link:
    return link_of(to, source, weight, instant=True)


def late(to: str, source: str, weight: Any = 1) -> sb.Link:
    return link_of(to, source, weight, instant=False)


def link_of(to: str, source: str, weight: Any, *, instant: bool) -> sb.Link:
    return sb.Link(*to.split("."), tuple(source.split(".")), weight, instant=instant)


@st.composite
@_leaves_chance_alone
def machines(draw):
    """Machines over a source x, with neurons alike, passed on, unread, and started."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    neurons = {f"n{k}": kind for k, kind in enumerate(kinds)}
    neurons = {n: sb.constant(value=1) if k == "constant" else k for n, k in neurons.items()}
    machine = sb.Machine({"x": sb.source(), **neurons, "output": "output"})
    order = [*machine.neurons]
    path = {n: f"{n}.{(own.type.outputs or ('',))[0]}" for n, own in machine.neurons.items()}
    links = [now("output.y", path[order[-2]])]
    for to in order[1:]:
        kind = machine.neurons[to].type
        ports = kind.inputs or (("y", "z") if to == "output" else ())
        for port in ports:
            for origin in draw(st.lists(st.sampled_from(order[:-1]), max_size=2, unique=True)):
                ahead = order.index(origin) < order.index(to)
                instant = ahead and draw(st.booleans())
                links.append(link_of(f"{to}.{port}", path[origin], draw(WEIGHTS), instant=instant))
    start = {}
    if draw(st.integers(0, 2)) == 0:
        name = draw(st.sampled_from(order[:-1]))
        start = {name: {path[name].split(".")[1]: draw(WEIGHTS)}}
    return sb.Machine(machine.neurons, links, start)


def answers(machine: sb.Machine, x: list) -> list:
    run = sb.run(machine, inputs={"x": x})
    linked = {link.input for link in machine.links if link.to == "output"}
    return [run[f"output.{port}"] if port in linked else [{}] * len(x) for port in "yz"]


def plain(streams: list) -> list:
    return [[0 if value == {} else value for value in stream] for stream in streams]


X = st.lists(st.none() | st.integers(-3, 3), min_size=1, max_size=4)


@settings(max_examples=60)
@given(machines(), X)
def test_a_tidy_machine_answers_as_before_and_is_no_longer(machine, x):
    small = tidy(machine)
    assert plain(answers(small, x)) == plain(answers(machine, x))
    assert len(small.links) <= len(machine.links)
    assert len(small.neurons) <= len(machine.neurons)
    assert {"x", "output"} <= set(small.neurons)


@settings(max_examples=20)
@given(machines())
def test_what_is_tidy_stays_as_it_is(machine):
    small = tidy(machine)
    assert tidy(small) == small


TOTAL = Examples.from_reference(
    lambda x: [sum(x[: k + 1]) for k in range(len(x))], {"x": Integers(-2, 2)}, count=3, length=5
)
WASTEFUL = sb.Machine(
    {"x": sb.source(), "same": "identity", "sum": "identity", "twin": "identity", "off": "relu"}
    | {"one": sb.constant(value=1), "output": "output"},
    [
        now("same.x", "x.signal"),
        now("sum.x", "same.result"),
        late("sum.x", "sum.result"),
        now("twin.x", "same.result"),
        late("twin.x", "twin.result"),
        now("off.x", "one.result", -1),
        now("output.result", "sum.result", Fraction(1, 2)),
        now("output.result", "twin.result", Fraction(1, 2)),
        now("output.result", "off.result", 3),
    ],
)


def test_shrinking_leaves_out_all_that_does_nothing():
    small = shrink(WASTEFUL, TOTAL)
    assert verify(WASTEFUL, TOTAL).right
    assert verify(small, TOTAL.fresh(20, 3, seed=1)).right
    assert [str(link) for link in small.links] == [
        "output.result <- sum.result (instant)",
        "sum.x <- sum.result",
        "sum.x <- x.signal (instant)",
    ]


@settings(max_examples=3)
@given(st.randoms(use_true_random=False))
def test_shrinking_keeps_a_program_exact_and_never_makes_it_longer(chance):
    extra = [
        late("off.x", "x.signal", chance.choice([1, -1])),
        late("same.x", "off.result", chance.choice([1, 2])),
        now("output.result", "off.result", -chance.choice([1, 2])),
    ]
    machine = sb.Machine(WASTEFUL.neurons, [*WASTEFUL.links, *extra])
    wanted = [sb.run(machine, inputs={"x": list(e.inputs["x"])})["output.result"] for e in TOTAL]
    outputs = [{"result": [0 if v == {} else v for v in stream]} for stream in wanted]
    pairs = [(e.inputs, out) for e, out in zip(TOTAL, outputs, strict=True)]
    own = Examples.of(pairs)
    small = shrink(machine, own)
    assert verify(small, own).right
    assert size(small) <= size(machine)


def test_what_is_not_exact_is_only_tidied():
    wrong = sb.Machine({"x": sb.source(), "output": "output"}, [now("output.result", "x.signal")])
    assert shrink(wrong, TOTAL) == wrong


@pytest.mark.slow
def test_a_machine_whose_streams_grow_is_only_tidied():
    machine = sb.Machine(
        {"x": sb.source(), "list": "cons", "unread": "relu", "output": "output"},
        [late("list.list", "list.list"), now("list.signal", "x.signal"),
         now("output.clicks", "list.list")],
    )  # fmt: skip
    examples = Examples.of([({"x": ["a", None]}, {"clicks": [{"this": {"a": 1}}] * 2})])
    small = shrink(machine, examples)
    assert small.links == machine.links
    assert set(small.neurons) == {"x", "list", "output"}


def test_the_shortest_come_first_and_among_them_the_plainest():
    def scaled(*weights):
        links = [now("output.y", "x.signal", w) for w in weights[:1]]
        links += [late("output.y", "x.signal", w) for w in weights[1:]]
        return sb.Machine({"x": sb.source(), "output": "output"}, links)

    order = [scaled(1), scaled(-1), scaled(2), scaled(Fraction(1, 3)), scaled(1, 1), scaled(1, -1)]
    assert shortest(reversed(order)) == order
    assert [size(machine) for machine in order] == [1, 1, 1, 1, 2, 2]


# Many weightings at once


SWITCH = sb.Machine(
    {"x": sb.source(), "y": sb.source(), "output": "output"},
    [now("output.a", "x.signal"), late("output.a", "y.signal"), now("output.b", "y.signal")],
)


@pytest.fixture(scope="module")
def switched() -> Examples:
    """Outputs of two inputs, of which one is not always asked for."""
    cases = [([1, 2, 3], [4, 5, 6]), ([0, 1], [1, 1])]
    return Examples.of(
        [
            (
                {"x": x, "y": y},
                {"a": [2 * a - b for a, b in zip(x, [0, *y], strict=False)],
                 "b": [None, *y[1:]]},
            )
            for x, y in cases
        ]
    )  # fmt: skip


def test_those_weightings_are_exact_that_verify_finds_right(switched):
    test = Exactness(SWITCH, switched)
    links = test.machine.links
    right = {"output.a.x": 2, "output.a.y": -1, "output.b.y": 1}
    keys = [f"{link.to}.{link.input}.{link.source[0]}" for link in links]
    rows = np.array([[right[key] for key in keys]] * 4, object)
    rows[1, 0], rows[2, 1], rows[3, 2] = Fraction(5, 2), 0, 5
    found = test.right(rows).tolist()
    assert found == [True, False, False, False]
    for row, fine in zip(rows, found, strict=True):
        own = test.machine.replace(
            links=[link.scaled(w) for link, w in zip(links, row, strict=True)]
        )
        assert verify(own, switched).right is fine


def test_many_weightings_are_judged_in_parts(switched):
    test = Exactness(SWITCH, switched)
    test._at_once = 2
    right = [2 if "x" in link.source else -1 if link.input == "a" else 1 for link in SWITCH.links]
    rows = [right if k % 3 == 0 else [0, 0, 0] for k in range(7)]
    assert test.right(rows).tolist() == [k % 3 == 0 for k in range(7)]
    assert test.right([]).tolist() == []


def test_a_tolerance_allows_what_it_says():
    line = sb.Machine({"x": sb.source(), "output": "output"}, [now("output.y", "x.signal")])
    examples = Examples.of([([1.0, -2.0], [1.05, -2.05])], tolerance=0.1)
    line = line.replace(links=[now("output.result", "x.signal")])
    assert Exactness(line, examples).right([[1.0], [1.1]]).tolist() == [True, False]


def test_an_answer_that_is_no_number_is_not_right():
    grown = sb.Machine(
        {"x": sb.source(), "square": "product", "output": "output"},
        [now("square.x", "x.signal"), late("square.x", "square.result"),
         now("square.y", "x.signal"), late("square.y", "square.result"),
         now("output.result", "square.result")],
    )  # fmt: skip
    examples = Examples.of([([2] * 14, [0] * 14)])
    rows = [[1e6] * 5, [0] * 5]
    assert Exactness(grown, examples).right(rows).tolist() == [False, True]


def test_late_answers_are_looked_for_late():
    examples = Examples.of([([1, 2, 3], [1, 2, 3])], latency=1)
    delayed = sb.Machine(
        {"x": sb.source(), "output": "output"}, [late("output.result", "x.signal")]
    )
    assert Exactness(delayed, examples).right([[1], [2]]).tolist() == [True, False]


def test_a_gate_for_bits_keeps_its_links():
    both = lambda a, b: [x * y for x, y in zip(a, b, strict=True)]
    bits = {"a": OneOf(0, 1), "b": OneOf(0, 1)}
    examples = Examples.from_reference(both, bits, count=3, length=6)
    machine = sb.Machine(
        {"a": sb.source(), "b": sb.source(), "both": "product", "output": "output"},
        [now("both.x", "a.signal"), now("both.y", "b.signal"), now("output.result", "both.result")],
    )
    assert len(shrink(machine, examples).links) == 3
