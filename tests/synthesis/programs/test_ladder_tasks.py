"""The tasks of the ladder: small answers worked out by hand, and programs written by hand."""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.synthesis.programs._values import difference

# `benchmarks` is no part of the package: it lies beside `tests`, where pytest does not look.
sys.path.append(str(Path(__file__).parents[3]))

from benchmarks.ladder.tasks import TASKS

N = None

ANSWERS = [
    ("P1", {"x": [2, -1, -2, 0]}, [2, 1, -1, -1]),
    ("P2a", {"x": [1, 2, 3, 4]}, [0, 0, 1, 2]),
    ("P2b", {"x": [1, 2, 3, 4, 5, 6]}, [0, 0, 0, 0, 1, 2]),
    (
        "P3",
        {"e": [1, Fraction(1, 2), 0]},
        [Fraction(16, 10), Fraction(4, 10), Fraction(-1, 10)],
    ),
    ("P4", {"x": [4, 4, 8, 0, 0]}, [1, 2, 4, 4, 3]),
    ("P5", {"x": [3, 1, 7, 7, 2]}, [3, 3, 7, 7, 7]),
    ("P6", {"x": [1, 0, 1, 1]}, [1, 1, 0, 1]),
    (
        "P7a",
        {"x": [0, 1, 1, 0, 1]},
        {"zero": [1, 0, 0, 0, 1], "one": [0, 1, 0, 0, 0], "two": [0, 0, 1, 1, 0]},
    ),
    # s -a-> t, -a-> t, -b-> s, -b-> u, -a-> s
    (
        "P7b",
        {"a": [1, 1, 0, 0, 1], "b": [0, 0, 1, 1, 0]},
        {"u": [1, 0, 1, 0, 0], "v": [0, 1, 0, 1, 1]},
    ),
    # 7 + 5 = 12 and 1 + 3 = 4, from the lowest bit
    ("P8", {"a": [1, 1, 1, 0], "b": [1, 0, 1, 0]}, [0, 0, 1, 1]),
    ("P8", {"a": [1, 0, 0], "b": [1, 1, 0]}, [0, 0, 1]),
    ("P9", {"x": [1, 1, 0, 1, 1, 1, 0]}, [1, 2, 0, 1, 2, 3, 0]),
    ("P11a", {"x": [1, 1, -1, -1, 1, -1]}, [0, 0, 0, 1, 0, 1]),
    ("P11b", {"x": [1, -1, -1, 1, 1, -1]}, [0, 1, 0, 0, 0, 0]),
    (
        "P12",
        {"x": list("aabbcca")},
        {"possible": [1, 1, 1, 1, 1, 1, 0], "accepted": [0, 0, 0, 0, 0, 1, 0]},
    ),
    (
        "P12",
        {"x": list("aabc")},
        {"possible": [1, 1, 1, 0], "accepted": [0, 0, 0, 0]},
    ),
    (
        "P12",
        {"x": list("abcabc")},
        {"possible": [1, 1, 1, 0, 0, 0], "accepted": [0, 0, 1, 0, 0, 0]},
    ),
    ("P12", {"x": list("ba")}, {"possible": [0, 0], "accepted": [0, 0]}),
    ("P14", {"x": list("abaab")}, [1, 1, 2, 3, 2]),
    ("P15", {"x": list("abaacb")}, [0, 0, 1, 2, 2, 3]),
    ("P15flag", {"x": list("abaacb")}, [0, 0, 1, 1, 0, 1]),
    (
        "P15max",
        {"x": list("abaa.b.")},
        {"duplicate": [0, 0, 1, 2, 2, 2, 2], "end": [0, 0, 0, 0, 1, 1, 2]},
    ),
    (
        "P17",
        {"x": list("ab a ab ")},
        {
            "words": [N, N, {"a": {"b": 1}}, N, {"a": {"b": 1, ":number": 1}}, N, N]
            + [{"a": {"b": 2, ":number": 1}}]
        },
    ),
    (
        "P18",
        {
            "write": ["k", N, "k", N, N],
            "value": ["u", N, "v", N, N],
            "read": [N, "k", N, "k", "other"],
        },
        {"value_read": [N, "u", N, "v", {}]},
    ),
    (
        "P19",
        {"click": [N, {"x": 1}, N, {"y": 2}]},
        {"clicks": [{}, {"this": {"x": 1}}] + [{"this": {"x": 1}}]
         + [{"this": {"y": 2}, "rest": {"this": {"x": 1}}}]},
    ),
    (
        "P20",
        {"x": ["a", "b", N, N, N, N], "go": [0, 0, 1, 0, 0, 0]},
        {"replayed": [N, N, N, "a", "b", {}]},
    ),
    (
        "P21",
        {"x": ["a", "b", N, N, N, N], "go": [0, 0, 1, 0, 0, 0]},
        {"replayed": [N, N, N, "b", "a", {}]},
    ),
    ("P21dyck", {"x": list("([])[(])")}, [0, 0, 0, 1, 0, 0, 0, 0]),
    # 110 = 01101110: of the neighborhoods 111 to 000 these live on
    (
        "P23",
        {"left": [1, 1, 1, 1, 0, 0, 0, 0], "center": [1, 1, 0, 0] * 2, "right": [1, 0] * 4},
        [0, 1, 1, 0, 1, 1, 1, 0],
    ),
    ("P24k4", {"x1": [1, 1], "x2": [0, 1], "x3": [1, 1], "x4": [1, 1]}, [1, 0]),
]  # fmt: skip


@pytest.mark.parametrize(("id", "inputs", "expected"), ANSWERS)
def test_the_answers_of_a_task_are_those_worked_out_by_hand(id, inputs, expected):
    assert TASKS[id].reference(**inputs) == expected


def test_every_task_has_an_answer_worked_out_by_hand_and_a_chain_is_one_task_of_many_sizes():
    checked = {id for id, *_ in ANSWERS}
    assert set(TASKS) - checked == {"P24k8", "P24k16"}
    bits = np.random.default_rng(0).integers(2, size=(8, 5))
    inputs = {f"x{k}": row.tolist() for k, row in enumerate(bits, 1)}
    assert TASKS["P24k8"].reference(**inputs) == (bits.sum(axis=0) % 2).tolist()


def test_all_tasks_of_levels_0_to_3_are_there():
    ids = "P1 P2a P2b P3 P4 P5 P6 P7a P7b P8 P9 P11a P11b P12 P14 P15 P15flag P15max P17 P18 P19"
    assert {id for id, task in TASKS.items() if task.level <= 3} == set(ids.split())


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.id)
def test_a_task_draws_the_examples_it_says_it_does(task):
    examples = task.examples(0, count=8)
    assert {example.ticks for example in examples} == {task.train_length}
    assert examples.items == task.examples(0, count=8).items != task.examples(1, count=8).items
    longer = examples.fresh(5 * task.train_length, 2, seed=0, wide=True).check()
    assert (longer.inputs, longer.outputs) == (examples.inputs, examples.outputs)
    assert {example.ticks for example in longer} == {5 * task.train_length}


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.id)
@pytest.mark.parametrize("length", [7, 40])
def test_hard_cases_have_the_length_asked_for_and_the_streams_of_the_task(task, length):
    examples = task.examples(0, count=1)
    for hard in task.hard(length):
        assert hard.ticks == length
        assert (tuple(hard.inputs), tuple(hard.outputs)) == (examples.inputs, examples.outputs)


def test_brackets_never_close_what_is_not_open_and_broken_ones_sometimes_do():
    lowest = {
        id: min(
            np.cumsum(example.inputs["x"]).min()
            for wide in (False, True)
            for example in TASKS[id].examples(0).fresh(40, 20, seed=0, wide=wide)
        )
        for id in ("P11a", "P11b")
    }
    assert lowest["P11a"] >= 0 > lowest["P11b"]


def test_tested_tokens_are_not_those_learned_from():
    for id, more in (("P14", 40), ("P15", 40), ("P18", 64)):
        examples = TASKS[id].examples(0)
        stream = examples.inputs[0]
        wide = examples.fresh(200, 8, seed=0, wide=True)
        learned, tested = (set(e.stream(stream)) - {None} for e in (examples, wide))
        assert not learned & tested
        assert more / 2 < len(tested) <= more


def of_text(neurons: dict, links: str, *, start: dict | None = None) -> sb.Machine:
    """A machine from lines `to.port <- weight * from.port`, `<=` for instant links."""
    made = []
    for line in links.strip().splitlines():
        to, sign, weight, came = line.split()
        neuron, port = to.split(".")
        ends = tuple(part.replace("_", " ") for part in came.split("."))
        made.append(sb.Link(neuron, port, ends, int(weight), instant=sign == "<="))
    return sb.Machine(neurons | {"output": "output"}, made, start=start or {})


def follows(machine: sb.Machine, example) -> bool:
    """Whether a machine answers everything that an example asks, exactly."""
    run = sb.run(machine, example.ticks, inputs={k: list(v) for k, v in example.inputs.items()})
    return all(
        asked is None or difference(asked, answer) == 0
        for name, stream in example.outputs.items()
        for asked, answer in zip(stream, run[f"output.{name}"], strict=True)
    )


ANY = sb.source()

PROGRAMS = {
    "P1": of_text(
        {"x": ANY, "sum": "accumulator"},
        """
        sum.accum <- 1 sum.result
        sum.delta <= 1 x.signal
        output.result <= 1 sum.result
        """,
    ),
    "P11a": of_text(
        {"x": ANY, "depth": "accumulator", "open": "step", "one": sb.constant(value=1)},
        """
        depth.accum <- 1 depth.result
        depth.delta <= 1 x.signal
        open.x <= 1 depth.result
        output.result <= 1 one.result
        output.result <= -1 open.result
        """,
    ),
    "P17": of_text(
        {"x": ANY, "word": "identity", "done": "gate", "longer": "outer", "counts": "accumulator"},
        """
        done.mask <= 1 x.signal._
        done.value <= 1 word.result
        longer.x <= 1 word.result
        longer.x <= -1 done.result
        longer.y <= 1 x.signal
        word.x <- 1 longer.result
        word.x <- 1 x.signal._
        counts.accum <- 1 counts.result
        counts.delta <= 1 done.result
        output.words <= 1 counts.result
        """,
        start={"x": {"signal": {" ": 1}}},
    ),
    "P18": of_text(
        {"write": ANY, "value": ANY, "read": ANY, "store": "accumulator"}
        | {"old": "mask_sum", "found": "mask_sum", "update": "outer"},
        """
        old.row <= 1 write.signal
        old.value <- 1 store.result
        update.x <= 1 write.signal
        update.y <= 1 value.signal
        update.y <= -1 old.result
        store.accum <- 1 store.result
        store.delta <= 1 update.result
        found.row <= 1 read.signal
        found.value <= 1 store.result
        output.value_read <= 1 found.result
        """,
    ),
    "P19": of_text(
        {"click": ANY, "list": "cons"},
        """
        list.list <- 1 list.list
        list.signal <= 1 click.signal
        output.clicks <= 1 list.list
        """,
    ),
    "P21": of_text(
        {"x": ANY, "go": ANY, "stack": "cons", "taken": "gate", "rest": "identity"},
        """
        stack.list <- 1 stack.list
        stack.signal <= 1 x.signal
        taken.mask <= 1 go.signal
        taken.value <= 1 stack.list
        rest.x <- 1 taken.result
        rest.x <- 1 rest.result.rest
        output.replayed <= 1 rest.result.this
        """,
    ),
    "P23": of_text(
        {"left": ANY, "center": ANY, "right": ANY, "both": "product", "all": "product"},
        """
        both.x <= 1 center.signal
        both.y <= 1 right.signal
        all.x <= 1 left.signal
        all.y <= 1 both.result
        output.result <= 1 center.signal
        output.result <= 1 right.signal
        output.result <= -1 both.result
        output.result <= -1 all.result
        """,
    ),
}


@pytest.mark.parametrize("id", PROGRAMS)
def test_programs_written_by_hand_answer_all_that_is_asked(id):
    task, machine = TASKS[id], PROGRAMS[id]
    examples = task.examples(0, count=3)
    wide = examples.fresh(2 * task.train_length, 3, seed=0, wide=True)
    for example in (*examples, *wide, *task.hard(task.train_length)):
        assert follows(machine, example)
    assert len(machine.links) <= task.reference_links


def test_a_program_that_forgets_is_found_out_by_the_hard_cases():
    machine = of_text({"x": ANY, "sum": "accumulator"}, "output.result <= 1 x.signal")
    assert not any(follows(machine, example) for example in TASKS["P1"].hard(12)[:3])


def test_a_list_is_made_as_a_list_of_the_algebra_is():
    clicks = TASKS["P19"].hard(10)[2].outputs["clicks"][-1]
    assert vv.to_list(clicks) == [{"x": 1, "y": 1}] * 10
