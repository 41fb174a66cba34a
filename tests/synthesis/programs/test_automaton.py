"""Finite machines from examples, and small circuits for them."""

import itertools as it
import time

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from snakebird import vvalues as vv
from snakebird.neurons import find
from snakebird.synthesis.programs._automaton import automaton_programs
from snakebird.synthesis.programs._automaton_bank import neurons_over
from snakebird.synthesis.programs._automaton_merge import finite_machine, trace_of
from snakebird.synthesis.programs._automaton_table import codes, table_of
from snakebird.synthesis.programs._automaton_ways import ways
from snakebird.synthesis.programs._examples import Examples, Integers, OneOf, Stepwise, TokenDraw
from snakebird.synthesis.programs._verify import verify, verify_fast

BIT = Integers(0, 1)
BITS = np.array(list(it.product((0.0, 1.0), repeat=3))).T


def examples_of(step, draws, start=0, **given):
    return Examples.from_reference(Stepwise(step, start), draws, **given)


def finite(examples):
    found = finite_machine(examples, most_states=4)
    assert found is not None
    return found


def parity(odd, x):
    return ((odd + x) % 2,) * 2


def modulo(count, x):
    count = (count + x) % 3
    return count, {"zero": int(count == 0), "one": int(count == 1), "two": int(count == 2)}


def adder(carry, a, b):
    return (a + b + carry) // 2, (a + b + carry) % 2


def switch(state, x):
    """Says which of two tokens came last before this one, if asked for by c."""
    return (state if x == "c" else x), ("no" if state == "" else state) if x == "c" else None


TASKS = {
    "parity": (parity, {"x": BIT}, 0, 3),
    "modulo": (modulo, {"x": BIT}, 0, 13),
    "adder": (adder, {"a": BIT, "b": BIT}, 0, 8),
    "tokens": (switch, {"x": OneOf("a", "b", "c")}, "", 15),
    "no state": (lambda s, a, b: (s, int(a != b)), {"a": BIT, "b": BIT}, None, 3),
}


QUICK = ("parity", "no state")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in TASKS]
)
def test_programs_are_exact_and_short(name):
    step, draws, start, links = TASKS[name]
    examples = examples_of(step, draws, start, seed=1)
    found = list(it.islice(automaton_programs(examples), 2 if links < 10 else 1))
    sizes = [len(machine.links) for machine in found]
    assert sizes == sorted(set(sizes), reverse=True)
    assert sizes[-1] <= links
    for machine in found:
        long = verify(machine, examples.fresh(300, 2, seed=5))
        assert long.right, str(long)
        assert all(type(link.weight).__name__ in ("int", "Fraction") for link in machine.links)


def test_both_engines_agree():
    examples = examples_of(adder, {"a": BIT, "b": BIT})
    machine = next(automaton_programs(examples))
    assert verify_fast(machine, examples.fresh(100, 4, seed=2)).right


def test_a_program_may_answer_late():
    ahead = lambda x: [a ^ b for a, b in zip(x, [*x[1:], 0], strict=True)]
    examples = Examples.from_reference(ahead, {"x": BIT}, latency=1)
    machine = next(automaton_programs(examples))
    assert verify(machine, examples.fresh(300, 2, seed=3)).right


@pytest.mark.slow
def test_fixed_examples_are_enough_where_they_say_all():
    drawn = examples_of(modulo, {"x": BIT}, count=10)
    fixed = Examples.of(drawn.items)
    machine = next(automaton_programs(fixed, budget=3.0))
    assert verify(machine, drawn.fresh(300, 2, seed=4)).right


def test_what_is_not_asked_is_free():
    items = [({"x": [0, 1, 1, 0]}, {"y": [None, None, None, 1]})]
    machine = next(automaton_programs(Examples.of(items)))
    assert len(machine.links) == 1


ENDLESS = {
    "numbers that grow": (lambda s, x: (s + x,) * 2, {"x": Integers(-2, 2)}, 0),
    "tokens without end": (lambda s, x: (x, int(x == s)), {"x": TokenDraw("abcdef")}, ""),
    "depth": (lambda s, x: (s + x, int(s + x == 0)), {"x": OneOf(1, -1)}, 0),
    "too many symbols": (lambda s, x: (x, s), {"x": Integers(0, 40)}, 0),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_nothing_is_given_where_states_or_symbols_have_no_end(name):
    step, draws, start = ENDLESS[name]
    examples = examples_of(step, draws, start)
    assert list(automaton_programs(examples)) == []


def test_no_time_gives_nothing():
    examples = examples_of(parity, {"x": BIT})
    assert list(automaton_programs(examples, budget=0.0)) == []
    assert finite_machine(examples, most_states=1) is None
    assert finite_machine(examples, most_states=2) is not None
    assert finite_machine(examples, most_states=2, until=time.monotonic()) is None


machines = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        st.lists(st.tuples(*[st.integers(0, n - 1)] * 2), min_size=n, max_size=n),
        st.lists(st.tuples(*[st.integers(0, 1)] * 2), min_size=n, max_size=n),
    )
)


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(machines)
def test_finite_machines_are_found_again(drawn):
    after, answers = drawn
    examples = examples_of(
        lambda s, x: (after[s][x], answers[s][x]), {"x": BIT}, count=30, length=7
    )
    found = finite(examples)
    assert found.states <= len(after)
    new = examples.fresh(60, 5, seed=8)
    assert [found.first_wrong(trace_of(one, new)) for one in new] == [None] * 5


def test_the_first_wrong_answer_is_found():
    examples = examples_of(parity, {"x": BIT})
    found = finite(examples)
    other = Examples.of([({"x": [1, 0, 1]}, {"result": [1, 1, 1]})])
    assert found.first_wrong(trace_of(other[0], other)) == 2
    strange = Examples.of([({"x": [1, 7]}, {"result": [1, 0]})])
    assert found.first_wrong(trace_of(strange[0], strange)) == 1


def test_codes_tell_all_states_apart_and_start_at_zero():
    examples = examples_of(modulo, {"x": BIT})
    table = table_of(finite(examples), ("x",), ("zero", "one", "two"))
    found = list(codes(table))
    assert len(found) > 10
    for code in found:
        assert not code[:, 0].any()
        assert np.unique(code, axis=1).shape == (len(code), 3)


def test_a_bank_holds_what_its_neurons_compute():
    table = np.concatenate([np.ones((1, 8)), BITS])
    bank = neurons_over(table)
    assert len(np.unique(np.round(bank.values, 6), axis=0)) == len(bank)
    assert (np.diff(bank.links) >= 0).all()
    assert bank.inner is not None
    read = np.concatenate([table, bank.inner.values])
    for k in np.random.default_rng(0).choice(len(bank), 40, replace=False):
        neuron = find(str(bank.kinds[k])).with_parameters()
        for row in range(8):
            ports = {"x": float(bank.x[k] @ read[:, row]), "y": float(bank.y[k] @ read[:, row])}
            out = neuron.apply({p: ports[p] for p in neuron.type.inputs})["result"]
            assert vv.number(out) == pytest.approx(bank.values[k, row])


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 255), st.integers(1, 255))
def test_ways_make_any_function_of_three_bits(code, where):
    table = np.concatenate([np.ones((1, 8)), BITS])
    bank = BANK or BANK.append(neurons_over(table)) or BANK
    target, asked = (np.array([(n >> k) & 1 for k in range(8)], float) for n in (code, where))
    found = ways(target, asked > 0, table, bank[0], register=False)
    assert found
    for way in found:
        total = sum((float(w) * table[k] for k, w in way.columns), np.zeros(8))
        total += sum((float(w) * bank[0].values[k] for k, w in way.neurons), np.zeros(8))
        assert np.allclose(total[asked > 0], target[asked > 0])


BANK: list = []
