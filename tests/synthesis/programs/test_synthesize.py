"""From examples to programs, end to end."""

from dataclasses import replace

import numpy as np
import pytest

import snakebird as sb
from snakebird.errors import InputError, UnknownNameError
from snakebird.synthesis.programs import Attempt, Evidence, Verdict
from snakebird.synthesis.programs._found import Found
from tests.unchecked import unchecked

GROW = {"methods": ("grow",), "budget": 60.0}


def total(state, x):
    return state + x, state + x


def parity(state, x):
    return state ^ x, state ^ x


def seen(counts, x):
    counts = {**counts, x: counts.get(x, 0) + 1}
    return counts, counts[x]


def wrapping(state, x):
    state = (state + x) % 60
    return state, state


def built(found: sb.synthesis.Found) -> sb.Machine:
    space: dict = {}
    exec(found.source, space)
    return space[found.machine.name]


def right_far_away(found: sb.synthesis.Found, examples: sb.Examples) -> bool:
    """Whether a program is right on inputs that the search never drew."""
    unseen = [examples.fresh(200, 2, seed=9_999, wide=wide) for wide in (False, True)]
    return all(sb.verify(found.machine, one).right for one in unseen)


def total_examples() -> sb.Examples:
    step = sb.Stepwise(total, 0)
    return sb.Examples.from_reference(step, {"x": sb.synthesis.Integers(-2, 2)}, count=8)


@pytest.fixture(scope="module")
def running() -> sb.synthesis.Found:
    """The program of a running sum."""
    return sb.synthesize(total_examples(), **GROW)


def test_a_running_sum_is_found_short_and_exact(running):
    assert running.exact
    assert running.links == 3
    assert right_far_away(running, running.examples)
    assert "sb.accumulate" in running.source


def test_a_program_is_proven_for_what_its_reference_draws_from(running):
    proven = running.proven()
    assert proven.proof is not None
    assert proven.proof.holds
    assert "proven for all inputs" in str(proven)
    assert replace(proven, proof=None) == running


def test_without_a_reference_nothing_can_be_proven(running):
    given = replace(running, examples=sb.Examples.of([([1, 2], [1, 3])]))
    with pytest.raises(InputError, match="step by step") as raised:
        given.proven()
    assert "Stepwise" in raised.value.hint


def test_the_source_builds_the_machine_that_was_found(running):
    assert built(running) == running.machine
    assert str(running).startswith(running.source.rstrip())


def test_the_python_of_a_program_answers_as_its_machine(running):
    space: dict = {}
    exec(running.python, space)
    (answers,) = space["program"]([1, None, -2]).values()
    assert answers == [1, 1, -1]


def test_the_evidence_says_on_what_a_program_was_verified(running):
    names = [name for name, _ in running.evidence.verdicts]
    assert {"as long", "10 times as long", "60 times as long"} <= set(names)
    assert all(verdict.right for _, verdict in running.evidence.verdicts)
    assert running.evidence.longest == 60 * 12
    assert [attempt.method for attempt in running.evidence.attempts] == ["grow"]
    assert "an exact program of 3 links, verified on" in running.statement
    assert "up to 720 ticks" in running.statement
    assert "trained on Examples: 8 of 12 ticks" in str(running.evidence)


def test_a_running_sum_can_be_proven(running):
    assert sb.prove(running.machine, sb.Stepwise(total, 0), {"x": int}).holds


@pytest.mark.slow
def test_a_seed_repeats_a_search(running):
    again = sb.synthesize(total_examples(), **GROW)
    assert again.machine == running.machine
    assert again.source == running.source


@pytest.mark.slow
def test_a_parity_is_found():
    examples = sb.Examples.from_reference(sb.Stepwise(parity, 0), {"x": sb.synthesis.OneOf(0, 1)})
    found = sb.synthesize(examples)
    assert found.exact
    assert found.links <= 6
    assert right_far_away(found, examples)


@pytest.mark.slow
def test_a_counter_for_every_token_is_found_and_counts_tokens_that_no_example_holds():
    draws = {"x": sb.synthesis.TokenDraw("abcdef")}
    examples = sb.Examples.from_reference(sb.Stepwise(seen, {}), draws)
    found = sb.synthesize(examples)
    assert found.exact
    assert found.links <= 6
    assert right_far_away(found, examples)
    anything = found.machine.replace(neurons={**found.machine.neurons, "x": sb.source()})
    run = sb.run(anything, inputs={"x": ["new", "a", "new"]})
    assert run["output.result"] == [1, 1, 2]


# Without a reference


FEW = [
    ({"x": x}, {"odd": [1 if c == "a" else 0 for c in x]})
    for x in ("ab", "ba", "abba", "bab", "bbaab", "aabab")
]


@pytest.mark.slow
def test_a_few_strings_are_fitted_and_the_longest_held_out():
    found = sb.synthesize(sb.Examples.of(FEW), **GROW)
    assert found.exact
    assert sb.verify(found.machine, sb.Examples.of(FEW)).right
    assert {name.split(",")[0] for name, _ in found.evidence.verdicts} <= {"held out"}
    assert found.evidence.longest in (0, 5)
    assert built(found) == found.machine


@pytest.mark.slow
def test_a_held_out_example_that_taught_is_no_evidence():
    found = sb.synthesize(sb.Examples.of(FEW), **GROW)
    held = sum(v.checked for name, v in found.evidence.verdicts if name == "held out")
    assert held + found.evidence.counterexamples >= 1
    assert found.evidence.checked == held


@pytest.mark.slow
def test_of_three_examples_none_is_held_out_and_the_statement_says_so():
    found = sb.synthesize(sb.Examples.of(FEW[:3]), **GROW)
    assert found.evidence.verdicts == ()
    assert found.statement == (
        "a program of 1 link that fits all 3 examples; no other was there to verify it on"
    )


DOOR = [
    (["in", "in", "out"], [1, 2, 1]),
    (["in", "out", "in", "in"], [1, 0, 1, 2]),
    (["in", "in", "in", "out", "out"], [1, 2, 3, 2, 1]),
    (["in", "in", "in", "in"], [1, 2, 3, 4]),
]


@pytest.mark.slow
def test_of_the_programs_that_fit_few_examples_a_short_one_is_taken():
    found = sb.synthesize(sb.Examples.of(DOOR), budget=60)
    assert [attempt.method for attempt in found.evidence.attempts[:1]] == ["grow"]
    assert found.links <= 6
    day = ["in"] * 60 + ["out"] * 20
    assert sb.run(found.machine, inputs={"x": day})["output.result"][-1] == 40


# Without success


def noise(x):
    return np.random.default_rng(7).integers(100, size=len(x)).tolist()


def test_a_spent_budget_gives_what_there_is_and_says_where_it_fails_first():
    examples = sb.Examples.from_reference(noise, {"x": sb.synthesis.Integers(0, 9)}, count=4)
    found = sb.synthesize(examples, methods=("grow",), budget=0.01)
    assert not found.exact
    assert found.failure is not None
    assert not sb.verify(found.machine, examples).right
    assert found.statement.startswith("no exact program was found in ")
    assert f"it fails first at {found.failure}" in found.statement


class Looker:
    """Looks on, and interrupts at a stage."""

    def __init__(self, stop: str):
        self.stages, self.stop = [], stop

    def __call__(self, stage: str, known: dict):
        self.stages.append(stage)
        if stage == self.stop:
            raise KeyboardInterrupt


def test_an_interrupted_search_keeps_the_best_so_far():
    step = sb.Stepwise(wrapping, 0)
    examples = sb.Examples.from_reference(step, {"x": sb.synthesis.OneOf(1, 0)}, count=8)
    look = Looker("rejected")
    found = sb.synthesize(examples, look=look, **GROW)
    assert found.interrupted == "interrupted"
    assert not found.exact
    # The sum that never wraps fits whatever was trained on, and fails where it first wraps.
    assert found.links == 3
    assert found.failure is not None
    assert found.failure.expected in (0, {})
    assert sum(found.failure.prefix.inputs["x"]) == 60
    assert look.stages[0] == "method"


def test_a_search_that_is_interrupted_with_a_program_has_found_it():
    look = Looker("verified")
    found = sb.synthesize(sb.Examples.of(FEW), look=look, **GROW)
    assert found.exact
    assert found.interrupted == "interrupted"
    assert look.stages[-1] == "verified"


# What cannot be asked


def test_examples_that_contradict_each_other_are_shown():
    with pytest.raises(InputError, match="contradict") as told:
        sb.synthesize(sb.Examples.of([([1, 2], [1, 3]), ([1, 2], [1, 4])]))
    assert "example 2" in str(told.value)


def test_an_unknown_method_gets_the_nearest_name():
    with pytest.raises(UnknownNameError, match="no method is named 'grown'") as told:
        sb.synthesize(total_examples(), methods=("grown",))
    assert told.value.hint == "did you mean 'grow'?"


@pytest.mark.parametrize("budget", [0, -1.0])
def test_a_budget_is_a_positive_number_of_seconds(budget):
    with pytest.raises(InputError, match="the budget is") as told:
        sb.synthesize(total_examples(), budget=budget)
    assert "budget=300" in told.value.hint


def test_nothing_to_learn_from_is_said():
    with pytest.raises(InputError, match="there are no examples"):
        sb.synthesize(replace(total_examples(), items=()))


# What is said of it


def test_numbers_checked_twice_count_once():
    verdict = Verdict(True, 8, 720, 100)
    evidence = Evidence(
        (Attempt("grow", 1.0, 2, 1, "by hand"),),
        "nothing",
        (("as long", verdict), ("as long, in exact arithmetic", replace(verdict, checked=4))),
        1.5,
        0,
        counterexamples=2,
    )
    assert evidence.checked == 8
    assert evidence.longest == 720
    assert str(evidence).splitlines()[:3] == [
        "trained on nothing; seed 0, 1.5 s",
        "2 failing examples went back into training",
        "tried grow: 1 of 2 candidates exact, 1.0 s; by hand",
    ]


def test_a_program_that_is_not_exact_never_says_it_is(running):
    wrong = Found(running.machine, False, running.examples, running.evidence)
    assert "exact program of" not in wrong.statement
    assert wrong.statement.startswith("no exact program was found")


@pytest.mark.slow
def test_a_method_of_ones_own_is_told_of_its_failures():
    told = []

    def guess(task):
        told.append(task.counterexamples)
        machine = sb.Machine(
            {**task.examples.sources(), "sum": "accumulator", "output": "output"},
            [
                sb.Link("sum", "accum", ("sum", "result"), 1),
                sb.Link("sum", "delta", ("x", "signal"), 1, instant=True),
                sb.Link("output", "result", ("sum", "result"), 1, instant=True),
            ],
        )
        yield machine if task.counterexamples else machine.replace(links=machine.links[1:])

    found = sb.synthesize(total_examples(), methods=[guess], budget=60)
    assert found.exact
    assert [one.method for one in found.evidence.attempts] == ["guess", "guess"]
    assert told[0] == 0
    assert told[1] > 0


def named_so(source: str, output: str, *others: str) -> sb.Machine:
    names = source, *others
    links = [sb.Link("output", output, (name, "signal"), 1, instant=True) for name in names]
    return sb.Machine({**dict.fromkeys(names, "source"), "output": "output"}, links)


def test_one_method_needs_no_list_and_a_candidate_may_ignore_what_arrives():
    examples = sb.Examples.from_reference(
        lambda x, y: list(x), {"x": sb.synthesis.Integers(-2, 2), "y": sb.synthesis.OneOf(1, 2)}
    )
    method = lambda task: iter([named_so("x", "result")])
    for one in (method, sb.synthesis.Method("own", method)):
        assert sb.synthesize(examples, methods=one, budget=20).exact


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        ([], "there are no methods"),
        ([3], r"3 is no method(?s:.*)a function of a `Task`"),
        (["grow", "grow"], "two methods are named 'grow'"),
        ([lambda task: iter([1])], "a candidate of the kind int"),
        (3, "3 is no method"),
        (lambda task: None, "a method gives a NoneType(?s:.*)yield machines"),
        (lambda task: named_so("x", "result"), "a method gives a Machine(?s:.*)yield machines"),
        (lambda task: [named_so("y", "result")], "a candidate has no source 'x'(?s:.*)it has 'y'"),
        (lambda task: [named_so("x", "res")], "a candidate gives 'res', asked is 'result'"),
        (lambda task: [named_so("x", "result", "y")], "reads a source 'y', which no example has"),
    ],
)
def test_what_is_no_method_is_said(methods, told):
    with pytest.raises(InputError, match=told):
        sb.synthesize(total_examples(), methods=methods, budget=5)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"budget": "5s"}, "the budget is '5s'"),
        ({"budget": None}, "the budget is None"),
        ({"budget": float("nan")}, "the budget is nan"),
        ({"starts": "2"}, "starts is '2'"),
        ({"starts": 0}, "starts is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.5}, r"seed is 1\.5"),
    ],
)
def test_options_of_another_kind_are_told(option, told):
    with pytest.raises(InputError, match=told) as raised:
        unchecked(sb.synthesize)(total_examples(), **option)
    assert raised.value.hint.startswith(f"write {next(iter(option))}=")


def test_a_list_is_no_examples():
    repair = lambda given: unchecked(sb.repair)(named_so("x", "result"), given)
    for search in (unchecked(sb.synthesize), repair):
        with pytest.raises(InputError, match="found list, expected examples") as raised:
            search([("ab", [1, 2])])
        assert "sb.Examples.of(" in raised.value.hint


def test_a_repair_begins_from_a_machine(running):
    with pytest.raises(InputError, match=r"give found\.machine"):
        unchecked(sb.repair)(running, total_examples())


def test_one_is_no_plural(running):
    evidence = Evidence((), "nothing", (), 1.0, 0)
    one = sb.Examples.of([([1], [1])])
    found = Found(named_so("x", "result"), True, one, evidence)
    assert found.statement.startswith("a program of 1 link that fits the only example; ")
