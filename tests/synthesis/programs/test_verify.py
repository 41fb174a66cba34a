import random
from fractions import Fraction

import pytest
from hypothesis import given, settings, strategies as st

import snakebird as sb
from snakebird.errors import InputError
from snakebird.synthesis.programs._exact import exactly
from snakebird.synthesis.programs._example import Example
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._verify import verify, verify_fast

BOTH = pytest.mark.parametrize("check", [verify, verify_fast])


def now(to, port, source, weight=1):
    return sb.Link(to, port, source, weight, instant=True)


def running(kind="accumulator", weight=1, late=False):
    """The running sum of x as y; with `late` it comes a tick later."""
    return sb.Machine(
        {"x": sb.source(), "s": kind, "output": "output"},
        [
            "s.accum <- s.result",
            now("s", "delta", ("x", "signal"), weight),
            sb.Link("output", "y", ("s", "result"), instant=not late),
        ],
    )


def duplicates(forgets=True):
    """How many tokens came before: `counts` holds 1 for every token seen."""
    links = [
        "counts.accum <- counts.result",
        now("counts", "delta", ("x", "signal")),
        sb.Link("again", "x", ("counts", "result")),
        now("again", "y", ("x", "signal")),
        now("once", "mask", ("again", "dot")),
        now("once", "value", ("x", "signal")),
        "total.accum <- total.result",
        now("total", "delta", ("again", "dot")),
        now("output", "y", ("total", "result")),
    ]
    links += [now("counts", "delta", ("once", "result"), -1)] * forgets
    kinds = {"counts": "accumulator", "again": "inner", "once": "gate", "total": "accumulator"}
    return sb.Machine({"x": sb.source(), **kinds, "output": "output"}, links)


def examples(reference, rows, **more):
    items = [Example({"x": tuple(row)}, {"y": tuple(reference(row))}) for row in rows]
    return Examples(tuple(items), **more)


def sums(row):
    return [sum(x for x in row[: t + 1] if x is not None) for t in range(len(row))]


def repeats(row):
    again = [x in row[:t] for t, x in enumerate(row)]
    return [sum(again[: t + 1]) for t in range(len(row))]


ROWS = [[1, -2, 0, 2], [2, 2], [0], [-1, None, 1]]
WORDS = ["abab", "zzz", "q", "hello there"]


@BOTH
def test_right_machines_are_right(check):
    verdict = check(running(), examples(sums, ROWS))
    assert verdict.right
    assert (verdict.checked, verdict.longest, verdict.ticks) == (4, 4, 10)
    assert str(verdict) == "right on 4 examples of up to 4 ticks, 10 in all"
    assert check(duplicates(), examples(repeats, WORDS)).right


@BOTH
def test_the_failure_is_the_one_with_the_shortest_prefix(check):
    verdict = check(duplicates(forgets=False), examples(repeats, WORDS))
    failure = verdict.failure
    assert not verdict.right
    assert (failure.index, failure.tick, failure.stream) == (1, 2, "y")
    assert (failure.expected, failure.found) == (2, 3)
    assert failure.prefix == Example({"x": tuple("zzz")}, {"y": (0, 1, 2)})
    assert "example 1, tick 2: y is 3" in str(verdict)
    assert "after x = 'z' 'z' 'z'" in str(verdict)


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=6), min_size=1, max_size=4))
def test_a_right_verdict_means_that_all_answers_are_the_same(rows):
    task = examples(sums, rows)
    wrong = running(weight=Fraction(3, 2))
    assert verify(running(), task).right
    ticks = [next((t for t, x in enumerate(sums(row)) if x), None) for row in rows]
    ticks = [t for t in ticks if t is not None]
    found = verify(wrong, task).failure
    assert (found.tick if found else None) == min(ticks, default=None)


@BOTH
def test_what_is_not_asked_is_not_compared(check):
    task = Examples((Example({"x": (1, 1, 1)}, {"y": (None, None, 3)}),))
    assert check(running(), task).right
    assert check(running(weight=2), task).failure.tick == 2


@BOTH
def test_zero_asked_is_compared_and_so_are_numbers_beside_branches(check):
    zero = Examples((Example({"x": (1, 1)}, {"y": ({}, 2)}),))
    tree = Examples((Example({"x": ({"a": 1}, "b")}, {"y": ("a", {"a": 1, "c": 1})}),))
    assert check(running(), zero).failure.tick == 0
    assert check(running(), tree).failure.tick == 1


@BOTH
def test_latency_shifts_the_answers_and_nothing_arrives_after_the_end(check):
    assert check(running(late=True), examples(sums, ROWS, latency=1)).right
    assert not check(running(late=True), examples(sums, ROWS)).right
    assert not check(running(), examples(sums, ROWS, latency=1)).right


@BOTH
def test_several_outputs_and_streams_the_machine_does_not_know(check):
    item = Example({"x": (1, 2), "unused": (5, 6)}, {"y": (1, 3), "z": (0, 0)})
    assert check(running(), Examples((item,))).right
    item = Example({"x": (1, 2)}, {"y": (1, 3), "z": (0, 1)})
    failure = check(running(), Examples((item,))).failure
    assert (failure.stream, failure.tick, failure.expected) == ("z", 1, 1)


def test_floats_count_as_the_fractions_they_are():
    tenth = running(weight=0.1)
    task = examples(lambda row: [Fraction(s, 10) for s in sums(row)], [[1] * 3])
    assert verify(tenth, task).failure.expected == Fraction(1, 10)
    assert verify(running(weight=Fraction(1, 10)), task).right
    near = Examples(task.items, tolerance=1e-9)
    assert verify(tenth, near).right
    assert verify(tenth, near, exact=False).right
    kind = exactly(sb.Machine({"n": sb.leaky_accumulator(rate=0.5)})).neurons["n"]
    assert kind.parameters["rate"] == Fraction(1, 2)


@BOTH
def test_a_default_of_a_source_is_kept(check):
    machine = running()
    machine = machine.replace(neurons={**machine.neurons, "x": sb.source(default=5)})
    task = Examples((Example({"x": (1, None)}, {"y": (1, 6)}),))
    assert check(machine, task).right


def squaring():
    links = ["p.x <- p.result", "p.y <- p.result", now("p", "x", ("x", "signal"))]
    return sb.Machine(
        {"x": sb.source(), "p": "product", "output": "output"},
        [*links, now("p", "y", ("x", "signal")), now("output", "y", ("p", "result"))],
    )


def test_numbers_that_run_away_are_a_failure():
    task = Examples((Example({"x": (2,) * 40}, {"y": (None,) * 39 + (0,)}),))
    failure = verify(squaring(), task).failure
    assert "runs away" in failure.reason
    assert "runs away" in str(failure)
    fast = verify_fast(squaring(), task)
    assert fast.large
    assert not fast.right
    assert "too large for floats" in str(fast)


@BOTH
def test_a_machine_that_breaks_is_a_failure(check):
    @sb.neuron(register=False)
    def broken(x):
        raise InputError("this breaks")

    machine = running().replace(
        neurons={**running().neurons, "s": "output", "b": broken},
        links=["b.x <- x.signal", now("output", "y", ("b", "result"))],
    )
    failure = check(machine, examples(sums, [[1, 2]])).failure
    assert failure.reason == "the machine breaks: this breaks"
    assert (failure.index, failure.tick) == (0, 0)


def test_streams_that_grow_for_ever_are_left_to_the_readable_engine():
    machine = sb.Machine(
        {"x": sb.source(), "l": "cons", "output": "output"},
        [
            "l.list <- l.list",
            now("l", "signal", ("x", "signal")),
            now("output", "y", ("l", "list")),
        ],
    )
    right = Example({"x": (7, 8)}, {"y": ({"this": 7}, {"this": 8, "rest": {"this": 7}})})
    wrong = Example({"x": (7, 8)}, {"y": ({"this": 7}, {"this": 8})})
    assert verify_fast(machine, Examples((right,))).right
    assert verify_fast(machine, Examples((wrong,))).failure.tick == 1


@BOTH
def test_a_machine_without_an_output_is_refused(check):
    with pytest.raises(InputError, match="no neuron named 'output'") as caught:
        check(sb.Machine({"outputs": "output"}), examples(sums, ROWS))
    assert "did you mean 'outputs'" in caught.value.hint


def test_batches_that_do_not_fit_at_once_agree(monkeypatch):
    monkeypatch.setattr("snakebird.synthesis.programs._verify._ROOM", 64)
    draw = random.Random(0)
    task = examples(repeats, ["".join(draw.choices("ab", k=6)) for _ in range(9)])
    assert verify_fast(duplicates(), task).right
    slow = verify(duplicates(forgets=False), task)
    assert verify_fast(duplicates(forgets=False), task).failure.tick == slow.failure.tick
