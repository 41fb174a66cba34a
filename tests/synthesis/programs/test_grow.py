"""Growing: sums over known streams, idioms, parities, and levels of neurons."""

import itertools as it
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.synthesis.programs._arrays import Target, arrays_of
from snakebird.synthesis.programs._bank import Bank, Entry, Use, before
from snakebird.synthesis.programs._candidates import NUMBER
from snakebird.synthesis.programs._examples import Examples, Integers, OneOf, TokenDraw
from snakebird.synthesis.programs._grow import Growth, _fingerprint
from snakebird.synthesis.programs._growing import grown_programs
from snakebird.synthesis.programs._idioms import Idiom, idioms, shifted
from snakebird.synthesis.programs._modular import parity_support
from snakebird.synthesis.programs._readout import EXACT, Readout
from snakebird.synthesis.programs._verify import verify

ROWS, BANK = 12, 4
FEW = {"count": 3, "length": 8}
SIMPLE = st.sampled_from([0, 0, 1, -1, 2, Fraction(1, 2), Fraction(2, 3)])


# Sums


def bank_of(columns: np.ndarray) -> Bank:
    """A bank of columns of numbers, each a stream of one example."""
    return Bank([Entry(f"n{k}", NUMBER, c.reshape(1, -1, 1)) for k, c in enumerate(columns.T)])


def target_of(wanted: np.ndarray, asked: np.ndarray | None = None) -> Target:
    asked = np.ones(len(wanted), bool) if asked is None else asked
    return Target(NUMBER, wanted.reshape(1, -1, 1), asked[None], 0.0)


def columns_of(seed: int, count: int = BANK) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3, 4, (ROWS, count)).astype(float)


@given(st.integers(0, 10**6), st.lists(SIMPLE, min_size=BANK, max_size=BANK))
def test_a_sum_with_simple_weights_is_found_again(seed, weights):
    columns = columns_of(seed)
    wanted = columns @ np.array(weights, float)
    bank = bank_of(columns)
    readout = Readout.of(bank, target_of(wanted), [Use(k) for k in range(BANK)])
    assert readout.left <= EXACT
    sums = readout.sums(bank)
    told = [sum((float(u.weight) * columns[:, u.stream] for u in uses), 0.0) for uses in sums]
    assert all(np.abs(one - wanted).max() < 1e-9 for one in told)
    assert [bank.cost(uses) for uses in sums] == sorted(map(bank.cost, sums))
    assert len(sums[0]) <= sum(w != 0 for w in weights)


@given(st.integers(0, 10**6))
def test_what_rows_explain_is_what_least_squares_leaves_less(seed):
    columns, rows = columns_of(seed), columns_of(seed + 1, 5).T
    wanted = np.random.default_rng(seed + 2).normal(size=ROWS)
    asked = np.random.default_rng(seed + 3).random(ROWS) < 0.9
    readout = Readout.of(bank_of(columns), target_of(wanted, asked), [Use(k) for k in range(BANK)])
    squares = lambda table: (
        np.linalg.norm(wanted[asked] - table @ np.linalg.lstsq(table, wanted[asked], rcond=None)[0])
        ** 2
    )
    first = squares(columns[asked])
    assert readout.left == pytest.approx(first / (wanted[asked] @ wanted[asked]), abs=1e-12)
    more = [squares(np.column_stack([columns[asked], row[asked]])) for row in rows]
    expected = [1 - left / first for left in more]
    np.testing.assert_allclose(readout.gains(rows[:, asked]), expected, atol=1e-6)


def test_columns_that_add_nothing_gain_nothing():
    columns = columns_of(0)
    readout = Readout.of(bank_of(columns), target_of(columns_of(1)[:, 0]), [Use(0), Use(1)])
    assert readout.gains(np.stack([2 * columns[:, 1], 0 * columns[:, 1]])).tolist() == [0, 0]


def test_weights_that_are_no_simple_numbers_make_no_sum():
    columns = columns_of(0)
    readout = Readout.of(bank_of(columns), target_of(columns[:, 0] * np.pi), [Use(0)])
    assert readout.left <= EXACT
    assert readout.sums(bank_of(columns)) == []


def test_nothing_wanted_is_the_empty_sum():
    readout = Readout.of(bank_of(columns_of(0)), target_of(np.zeros(ROWS)), [Use(0)])
    assert readout.sums(bank_of(columns_of(0))) == [()]


# Parities


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(0, 30))
def test_a_sum_modulo_two_is_found_wherever_there_is_one(seed, count, extra):
    chance = np.random.default_rng(seed)
    columns = chance.integers(0, 2, (2 * count + extra, count)).astype(float)
    chosen = chance.random(count) < 0.5
    wanted = columns[:, chosen].sum(1) % 2
    support = parity_support(columns, wanted)
    assert support is not None
    assert (columns[:, support].sum(1) % 2 == wanted).all()


@given(st.integers(0, 10**6))
def test_what_is_said_to_be_a_parity_is_one(seed):
    chance = np.random.default_rng(seed)
    columns = chance.integers(0, 2, (8, 4)).astype(float)
    wanted = chance.integers(0, 2, 8).astype(float)
    support = parity_support(columns, wanted)
    sums = [
        set(chosen)
        for size in range(5)
        for chosen in it.combinations(range(4), size)
        if (columns[:, list(chosen)].sum(1) % 2 == wanted).all()
    ]
    assert set(support) in sums if support is not None else not sums


def test_numbers_that_are_no_bits_are_left_out_of_parities():
    columns = np.array([[0.5, 0, 1], [1, 1, 1], [3, 1, 0], [0, 0, 0]])
    assert parity_support(columns, np.array([1.0, 0, 1, 0])) == [1, 2]
    assert parity_support(columns, np.array([1.0, 2, 1, 0])) is None


def test_a_parity_of_too_few_rows_is_no_evidence():
    columns = np.eye(4)
    assert parity_support(columns, np.array([1.0, 0, 1, 0])) is None


# Idioms


TOKEN = st.none() | st.sampled_from("ab")
VALUE = st.none() | st.sampled_from("uv")
BIT = st.sampled_from([0, 0, 1])


def ticks_of(*kinds):
    return st.lists(st.tuples(*kinds), min_size=1, max_size=7)


def written(found: list[Idiom], growth: Growth) -> sb.Machine:
    """A machine with an output for each idiom."""
    bank, ports = Bank([*growth.bank.entries]), {}
    for k, idiom in enumerate(found):
        shift = len(bank.entries) - idiom.first
        for made in idiom.made:
            values = np.zeros((*idiom.values.shape[:2], 1))
            bank.add(Entry("held", NUMBER, values, made=shifted(made, idiom.first, shift)))
        ports[f"y{k}"] = [Use(len(bank.entries) - 1)]
    return bank.machine(ports, growth.arrays.sources)


def check_idioms(examples: Examples, space: vv.Space, kinds: set[str]):
    """Every idiom over the sources gives what its machine gives."""
    growth = Growth.start(arrays_of(examples), feedback=False)
    plain = [u for u in growth.base if not u.before and growth._is_source(u)]
    trees = [use for use in plain if growth._space(use) != NUMBER]
    numbers = [use for use in plain if growth._space(use) == NUMBER]
    found = list(idioms(growth.bank, trees, numbers, [space]))
    assert kinds == {idiom.made[-1].neuron.type.name for idiom in found}
    first = examples.items[0]
    machine = written(found, growth)
    ran = sb.run(machine, first.ticks, inputs={n: list(v) for n, v in first.inputs.items()})
    for k, idiom in enumerate(found):
        for value, row in zip(ran[f"output.y{k}"], idiom.values[0], strict=True):
            assert vv.equal(value, idiom.space.unflatten(row))


@settings(max_examples=12)
@given(ticks_of(TOKEN, VALUE, TOKEN))
def test_a_store_gives_what_its_machine_gives(ticks):
    # The first two ticks bring every token, so that the streams always have the same spaces.
    k, v, r = zip(("a", "u", "b"), ("b", "v", "a"), *ticks, strict=True)
    examples = Examples.of([({"k": k, "v": v, "r": r}, {"y": ["u", "v", *[None] * len(ticks)]})])
    check_idioms(examples, vv.Space([("u",), ("v",)]), {"identity", "mask_sum"})


@settings(max_examples=12)
@given(ticks_of(TOKEN, BIT))
def test_a_stack_and_a_queue_give_what_their_machines_give(ticks):
    x, go = zip(("a", 0), ("b", 0), *ticks, strict=True)
    examples = Examples.of([({"x": x, "go": go}, {"y": ["a", "b", *[None] * len(ticks)]})])
    check_idioms(examples, vv.Space([("a",), ("b",)]), {"identity", "stack", "queue"})


@settings(max_examples=12)
@given(ticks_of(TOKEN))
def test_a_list_gives_what_its_machine_gives(ticks):
    x = [one for (one,) in ticks] + ["a", "b"]
    whole: dict = {}
    for token in x:
        whole = {"this": {token: 1}, "rest": whole} if token else whole
    deep = vv.Space([(*("rest",) * k, "this", t) for k in range(len(x)) for t in "ab"])
    examples = Examples.of([({"x": x}, {"y": [None] * len(ticks) + [None, whole]})])
    check_idioms(examples, deep, {"identity", "cons"})


# Growing


def exact_machine(examples: Examples, *, level: int, keep: int = 8) -> sb.Machine:
    """The first machine after so many levels, found right on other examples."""
    growth = Growth.start(arrays_of(examples))
    readouts = growth.readouts()
    for _ in range(level):
        assert not list(growth.machines(readouts))
        readouts = growth.level(keep)
    machine = next(growth.machines(readouts))
    assert verify(machine, examples.fresh(30, 4, seed=5)).right
    return machine


def average(x):
    return [sum(x[max(0, k - 3) : k + 1]) / Fraction(4) for k in range(len(x))]


def summed(x):
    return [sum(x[: k + 1]) for k in range(len(x))]


def test_what_an_output_was_one_tick_before_is_known():
    examples = Examples.from_reference(summed, {"x": Integers(-2, 2)})
    machine = exact_machine(examples, level=0)
    assert len(machine.links) <= 4


def test_an_output_that_is_asked_for_at_times_is_not_fed_back():
    examples = Examples.of([({"x": [1, 2, 3]}, {"y": [1, None, 6]})])
    assert Growth.start(arrays_of(examples)).feedback == {}


def test_memory_of_two_ticks_needs_no_level():
    late = lambda x: [0, 0, *x][: len(x)]
    machine = exact_machine(Examples.from_reference(late, {"x": Integers(-9, 9)}), level=0)
    assert len(machine.links) == 2


def test_outputs_that_loop_through_each_other_are_written():
    def reference(x):
        a, b, told = 0, 0, {"a": [], "b": []}
        for v in x:
            a, b = b + v, a
            told["a"].append(a)
            told["b"].append(b)
        return told

    examples = Examples.from_reference(reference, {"x": Integers(-2, 2)})
    exact_machine(examples, level=0)


def test_a_parity_over_inputs_needs_no_level():
    xor = lambda **x: [sum(bits) % 2 for bits in zip(*x.values(), strict=True)]
    draws = {f"x{k}": OneOf(0, 1) for k in range(6)}
    machine = exact_machine(Examples.from_reference(xor, draws), level=0)
    assert sum(neuron.type is sb.neurons.absolute for neuron in machine.neurons.values()) <= 6


def test_a_neuron_is_grown_where_sums_do_not_do():
    apart = lambda x: [abs(n) for n in x]
    examples = Examples.from_reference(apart, {"x": Integers(-4, 4)}, **FEW)
    exact_machine(examples, level=1)


def test_levels_explain_ever_more():
    examples = Examples.from_reference(average, {"x": Integers(-9, 9)}, **FEW)
    growth = Growth.start(arrays_of(examples))
    left = [growth.readouts()["result"].left]
    left.append(growth.level(4)["result"].left)
    assert left[0] > left[1]


def test_a_level_ends_with_its_time():
    apart = lambda x: [abs(n) for n in x]
    examples = Examples.from_reference(apart, {"x": Integers(-4, 4)})
    growth = Growth.start(arrays_of(examples))
    known = len(growth.bank.entries)
    growth.level(8, ends=0.0)
    assert len(growth.bank.entries) == known


def test_streams_alike_up_to_a_factor_are_one():
    rows = np.array([0.0, 2.0, -1.0]).reshape(1, 3, 1)
    assert _fingerprint(rows) == _fingerprint(-0.5 * rows)
    assert _fingerprint(rows) != _fingerprint(before(rows))


def test_programs_come_with_the_levels_and_who_looks_on_is_told():
    told = []
    examples = Examples.from_reference(
        lambda x: [x[: k + 1].count(v) for k, v in enumerate(x)], {"x": TokenDraw("abc")}, **FEW
    )
    found = grown_programs(examples, levels=1, keep=8, look=lambda *what: told.append(what))
    machines = [machine for machine in found if machine is not None]
    assert machines
    assert all(verify(machine, examples).right for machine in machines)
    assert [known["level"] for _, known in told] == [0, 0, 1, 1]
    assert {known["way"] for _, known in told} == {"outputs fed back", "single tokens"}


def test_no_time_no_programs():
    examples = Examples.from_reference(average, {"x": Integers(-9, 9)})
    assert list(grown_programs(examples, budget=-1.0)) == []
