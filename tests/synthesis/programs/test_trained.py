from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import pytest

import snakebird as sb
from snakebird.errors import InputError, UnknownNameError
from snakebird.machines import Link, Machine
from snakebird.synthesis.programs._examples import (
    Examples,
    Integers,
    OneOf,
    Reals,
    TokenDraw,
)
from snakebird.synthesis.programs._lift import program_of
from snakebird.synthesis.programs._objective import Problem
from snakebird.synthesis.programs._templates import Layers, Superfluid
from snakebird.synthesis.programs._trained import repair_programs, trained_programs
from snakebird.synthesis.programs._verify import verify


def parity(x):
    return (np.cumsum(x) % 2).tolist()


def running_sum(x):
    return np.cumsum(x).tolist()


def running_max(x):
    return np.maximum.accumulate(x).tolist()


def count(x):
    return [x[: t + 1].count(token) for t, token in enumerate(x)]


def repeats(x):
    return np.cumsum([token in x[:t] for t, token in enumerate(x)]).tolist()


def now(to, port, source, weight=1):
    return Link(to, port, source, weight, instant=True)


def sum_machine(inward=1, loop=1, outward=1):
    return Machine(
        {"x": sb.source(space=sb.Space([()])), "s": "identity", "output": "output"},
        [
            now("s", "x", ("x", "signal"), inward),
            Link("s", "x", ("s", "result"), loop),
            now("output", "result", ("s", "result"), outward),
        ],
    )


def duplicates():
    kinds = {"counts": "accumulator", "again": "inner", "once": "gate", "total": "accumulator"}
    return Machine(
        {"x": "source", **kinds, "output": "output"},
        [
            "counts.accum <- counts.result",
            now("counts", "delta", ("x", "signal")),
            now("counts", "delta", ("once", "result"), -1),
            Link("again", "x", ("counts", "result")),
            now("again", "y", ("x", "signal")),
            now("once", "mask", ("again", "dot")),
            now("once", "value", ("x", "signal")),
            "total.accum <- total.result",
            now("total", "delta", ("again", "dot")),
            now("output", "result", ("total", "result")),
        ],
    )


SUMS = Examples.from_reference(running_sum, {"x": Integers(-2, 2)}, length=6, count=8)


def first(programs):
    return next(iter(programs))


def exact_weights(machine):
    return all(type(link.weight) in (int, Fraction) for link in machine.links)


def test_evolution_finds_the_running_sum_in_a_machine_of_ones_own():
    """A sketch: the loop stays, the links around it are free."""
    machine = sum_machine(0, 1, 0)
    sketch = machine.replace(links=[replace(k, trainable=not k.weight) for k in machine.links])
    program = first(trained_programs(sketch, SUMS, method="evolution", budget=20))
    assert program == sum_machine()
    assert verify(program, SUMS.fresh(50, 3, seed=1)).right


@pytest.mark.slow
def test_gradients_alone_find_the_running_sum():
    stages = []
    template = Layers(depth=1, neurons=("identity",)).machine(SUMS)
    programs = trained_programs(
        template, SUMS, starts=8, method="gradient", watch=lambda stage, what: stages.append(stage)
    )
    program = first(programs)
    assert len(program.links) <= 8
    assert exact_weights(program)
    assert verify(program, SUMS.fresh(50, 3, seed=1)).right
    assert [s for k, s in enumerate(stages) if s not in stages[:k]] == [
        "train",
        "prune",
        "snap",
        "found",
    ]


def test_programs_that_fit_by_chance_go_on_until_the_examples_tell():
    """Parity from evolution alone: what fails a longer string comes back as an example."""
    bits = Examples.from_reference(parity, {"x": OneOf(0, 1)}, length=5, count=4)
    template = Layers(depth=1, neurons=("identity", "step", "relu")).machine(bits)
    program = first(trained_programs(template, bits, method="evolution", budget=60, seed=1))
    assert verify(program, bits.fresh(60, 5, seed=3, wide=True)).right


def test_fixed_examples_are_all_that_is_asked():
    fixed = Examples.of([([1, 2, 3], [1, 3, 6]), ([2, -1], [2, 1])])
    template = Layers(depth=1, neurons=("identity",)).machine(fixed)
    for program in islice(trained_programs(template, fixed, method="evolution", budget=5), 2):
        assert verify(program, fixed).right
        assert exact_weights(program)


def test_a_damaged_program_is_right_again():
    damaged = sum_machine(2, 1, 1)
    without = damaged.unlink(damaged.links[-1])
    for machine in (damaged, without):
        program = first(repair_programs(machine, SUMS, budget=20))
        assert verify(program, SUMS.fresh(50, 3, seed=1)).right


def test_the_budget_is_an_end():
    cannot = Examples.of([([1, 2, 3, 4], [7, 1, 9, 2])])
    template = Layers(depth=1, neurons=("identity",)).machine(cannot)
    assert list(trained_programs(template, cannot, starts=4, budget=0.5)) == []


def test_a_program_holds_what_matters_alone_under_names_that_count_anew():
    machine = Layers(depth=2, neurons=("relu", "identity")).machine(SUMS)
    problem = Problem.of(machine, SUMS)
    wanted: dict[Any, float] = {
        ("identity_2", "x", ("x", "signal"), True): 0.5,
        ("output", "result", ("identity_2", "result"), True): 1 / 3,
        ("relu_2", "x", ("x", "signal"), True): 1,
        ("output", "result", ("relu", "result"), True): 1,
    }
    program = program_of(problem, np.array([wanted.get(k.place, 0) for k in machine.links]))
    assert set(program.neurons) == {"x", "identity", "output"}
    weights = {k.to: k.weight for k in program.links}
    assert weights == {"identity": Fraction(1, 2), "output": Fraction(1, 3)}


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"method": "gradients"}, UnknownNameError, "did you mean 'gradient'"),
        ({"starts": 1}, InputError, "starts is 1"),
        ({"budget": 0}, InputError, "budget 0"),
    ],
)
def test_what_cannot_be_asked_is_refused(more, error, message):
    with pytest.raises(error, match=message):
        next(trained_programs(sum_machine(), SUMS, **more))


TASKS = {
    "parity": (parity, OneOf(0, 1)),
    "running max": (running_max, Integers(0, 9)),
    "counter": (count, TokenDraw("abcde")),
    "duplicates": (repeats, TokenDraw("abcde")),
}


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_the_hybrid_finds_programs_that_hold_on_longer_strings(task):
    reference, draw = TASKS[task]
    examples = Examples.from_reference(reference, {"x": draw})
    program = first(trained_programs(Layers().machine(examples), examples, budget=240))
    assert verify(program, examples.fresh(240, 4, seed=9, wide=True)).right
    assert exact_weights(program)


@pytest.mark.slow
def test_constants_that_are_no_halves_are_found():
    examples = Examples.from_reference(
        lambda x: [Fraction(3, 10) * v for v in x],
        {"x": Reals(-1, 1, denominator=8)},
        tolerance=Fraction(1, 1000),
    )
    template = Layers(depth=1).machine(examples)
    program = first(trained_programs(template, examples, budget=120))
    assert verify(program, examples.fresh(100, 3, seed=9)).right


@pytest.mark.slow
def test_superfluid_neurons_become_a_program():
    template = Superfluid(layers=(2,)).machine(SUMS)
    program = first(trained_programs(template, SUMS, budget=120))
    assert verify(program, SUMS.fresh(100, 3, seed=9)).right


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_duplicate_counter_is_right_again(seed):
    examples = Examples.from_reference(repeats, {"x": TokenDraw("abcde")})
    rng = np.random.default_rng(seed)
    links = list(duplicates().links)
    for at in rng.choice(len(links), 1 + seed % 3, replace=False):
        links[at] = links[at].scaled([0, 2, -1][rng.integers(3)])
    program = first(
        repair_programs(duplicates().replace(links=links), examples, budget=120, seed=seed)
    )
    assert verify(program, examples.fresh(200, 4, seed=9, wide=True)).right
