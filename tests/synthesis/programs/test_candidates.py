"""What is computed for candidates is what their machines compute, tick by tick."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import snakebird as sb
from snakebird import neurons as nr, vvalues as vv
from snakebird.synthesis.programs._arrays import Arrays, arrays_of
from snakebird.synthesis.programs._bank import Bank, Entry, Use
from snakebird.synthesis.programs._candidates import (
    CHUNK,
    MOST,
    NUMBER,
    RATIOS,
    Batch,
    Sums,
    Views,
    affine,
    candidates,
    views_of,
)
from snakebird.synthesis.programs._compute import QUICK, register, run, spread
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._grow import Growth
from snakebird.testing._machines import _leaves_chance_alone

FLAT = vv.Space([("a",), ("b",), ("c",)])
DEEP = vv.Space([("a", "u"), ("a", "v"), ("b", "u"), ("c", "v")])
TICKS = 5
NUMBERS = st.lists(st.none() | st.integers(-3, 3), min_size=TICKS, max_size=TICKS)
TOKENS = st.lists(st.none() | st.sampled_from("abc"), min_size=2, max_size=2)
TREE = st.dictionaries(st.sampled_from("ab"), st.just({"u": 1}) | st.just({"v": 2}), max_size=2)
TREES = st.lists(TREE, min_size=3, max_size=3)


@st.composite
@_leaves_chance_alone
def streams(draw):
    """Examples of a number, a token and a tree a tick; all keys come up, so spaces are the same."""
    x, token, tree = draw(NUMBERS), draw(TOKENS), draw(TREES)
    keys = [{"a": {"u": 1, "v": 1}}, {"b": {"u": 1, "v": 1}}]
    inputs = {"x": x, "t": [*"abc", *token], "r": [*tree, *keys]}
    return Examples.of([(inputs, {"y": [1] * TICKS})])


def growth_of(examples: Examples) -> Growth:
    return Growth.start(arrays_of(examples), feedback=False)


def ran_on(machine: sb.Machine, examples: Examples):
    first = examples.items[0]
    return sb.run(machine, first.ticks, inputs={n: list(v) for n, v in first.inputs.items()})


def agree(ran, port: str, space: vv.Space, values: np.ndarray):
    """The stream of an output is that of the values `[tick, number]`."""
    for found, row in zip(ran[f"output.{port}"], values, strict=True):
        assert vv.equal(found, space.unflatten(row), 1e-9)


@settings(max_examples=5)
@given(streams(), st.randoms(use_true_random=False))
def test_every_kind_of_candidate_is_computed_as_its_machine_computes_it(examples, chance):
    growth = growth_of(examples)
    base = list(growth.base)
    taken = {}
    for batch in candidates(views_of(growth.bank, base), deep=True):
        if len(batch):
            one = batch[np.array([chance.randrange(len(batch))])]
            space, values = one.values()
            growth._take(one, space, values[0])
            taken[f"y{len(taken)}"] = growth.hidden[-2], space, values[0, 0]
    assert len(taken) > 20
    machine = growth.machine({port: (use,) for port, (use, _, _) in taken.items()})
    ran = ran_on(machine, examples)
    for port, (_, space, values) in taken.items():
        agree(ran, port, space, values)


@cache
def some(space: vv.Space, seed: int, count: int = 3) -> np.ndarray:
    """Streams of small whole numbers `[candidate, example, tick, number]`."""
    return np.random.default_rng(seed).integers(-3, 4, (count, 2, 4, space.size)).astype(float)


def rows_of(space: vv.Space, given):
    """Every cell of `[candidate, example, tick, number]` by its place, as a tree."""
    for place in np.ndindex(given.shape[:-1]):
        yield place, space.unflatten(given[place])


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.name)
@pytest.mark.parametrize("space", [NUMBER, FLAT, DEEP], ids=["number", "flat", "deep"])
def test_quick_kernels_are_the_functions_of_their_neurons(kind, space):
    given = {port: some(space, k) for k, port in enumerate(kind.inputs)}
    own, found = run(kind(), dict.fromkeys(given, space), given, "", None)
    for place in np.ndindex(3, 2, 4):
        trees = {port: space.unflatten(values[place]) for port, values in given.items()}
        expected = vv.get(kind().apply(trees), kind.outputs[0])
        assert vv.equal(own.unflatten(found[place]), expected, 1e-12)


@pytest.mark.parametrize("kind", [nr.identity, nr.relu, nr.step, nr.maximum], ids=lambda k: k.name)
@pytest.mark.parametrize("space", [NUMBER, FLAT], ids=["number", "flat"])
def test_a_loop_adds_the_last_result_so_many_times(kind, space):
    given = {port: some(space, k) for k, port in enumerate(kind.inputs)}
    turn = np.array([1.0, -1.0, 0.0])
    _, found = run(kind(), dict.fromkeys(given, space), given, "x", turn)
    state = np.zeros((3, 2, space.size))
    for t in range(4):
        now = {port: values[:, :, t] for port, values in given.items()}
        now["x"] = now["x"] + turn[:, None, None] * state
        state = QUICK[kind](*now.values())
        assert (found[:, :, t] == state).all()


@pytest.mark.parametrize("turn", [None, np.array([1.0, -1.0, 0.0])], ids=["plain", "loop"])
def test_compiled_kernels_are_the_functions_of_their_neurons(turn):
    neuron, given = nr.absolute(), {"x": some(FLAT, 5)}
    space, found = run(neuron, {"x": FLAT}, given, "" if turn is None else "x", turn)
    state = np.zeros((3, 2, 3))
    for t in range(4):
        back = 0 if turn is None else turn[:, None, None] * state
        state = np.abs(given["x"][:, :, t] + back)
        assert space == FLAT
        assert (found[:, :, t] == state).all()


@pytest.mark.parametrize(("mask", "value"), [(NUMBER, FLAT), (FLAT, FLAT), (FLAT, DEEP)])
def test_a_spread_mask_times_a_value_is_what_a_gate_gives(mask, value):
    masks, values = some(mask, 1), some(value, 2)
    spread_out = spread(mask, value, masks) * values
    for place, tree in rows_of(mask, masks):
        gated = nr.gate().apply({"mask": tree, "value": value.unflatten(values[place])})
        assert vv.equal(vv.get(gated, "result"), value.unflatten(spread_out[place]), 1e-12)


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-1, 1)), min_size=1, max_size=6))
def test_a_register_keeps_what_its_mask_does_not_erase(pairs):
    delta, mask = (np.array(row, float).reshape(1, 1, -1, 1) for row in zip(*pairs, strict=True))
    state, expected = 0, []
    for new, erased in pairs:
        state = state + new - erased * state
        expected.append(state)
    assert register(delta, mask).ravel().tolist() == expected


def views(count: int) -> Views:
    values = np.random.default_rng(count).integers(-3, 4, (count, 2, 3, 1)).astype(float)
    return Views(NUMBER, tuple(Use(k, 1, bool(k % 2)) for k in range(count)), values)


def weighted(sums: Sums, row: int) -> dict[int, float]:
    told: dict[int, float] = {-1: float(sums.shift[row])}
    for place, weight in zip(sums.index[row], sums.weights[row], strict=True):
        told[int(place)] = told.get(int(place), 0.0) + float(weight)
    return {place: weight for place, weight in told.items() if weight}


@pytest.mark.parametrize("terms", [1, 2, 3])
def test_sums_of_views_are_all_different_and_bounded(terms):
    sums = affine(views(4), terms, True, (0.0, 1.0))
    told = [frozenset(weighted(sums, row).items()) for row in range(len(sums))]
    assert len(set(told)) == len(told)
    assert max(len(dict(one).keys() - {-1}) for one in told) == terms
    assert {frozenset({(0, 1.0)}), frozenset({(3, -1.0), (-1, 1.0)})} <= set(told)
    if terms > 1:
        assert all(frozenset({(0, 1.0), (2, ratio)}) in told for ratio in RATIOS)


@given(st.integers(0, 500))
def test_what_a_sum_reads_adds_up_to_its_values(row):
    of = views(5)
    sums = affine(of, 3, True, (0.0, 0.5))
    row %= len(sums)
    bank = Bank([Entry(f"n{k}", NUMBER, of.values[k]) for k in range(5)])
    one = bank.add(Entry("one", NUMBER, np.ones((2, 3, 1))))
    expected = sum(
        float(use.weight) * (of.values[use.stream] if use.stream != one else bank.values(use))
        for use in sums.uses(row, one)
    )
    np.testing.assert_allclose(sums[np.array([row])].values()[0], expected, atol=1e-12)


def test_views_stand_together_by_their_space():
    bank = Bank([Entry("x", NUMBER, np.ones((1, 2, 1))), Entry("t", FLAT, np.ones((1, 2, 3)))])
    groups = views_of(bank, [Use(0), Use(1), Use(0, 1, True)])
    assert {space: group.uses for space, group in groups.items()} == {
        NUMBER: (Use(0), Use(0, 1, True)),
        FLAT: (Use(1),),
    }
    assert groups[NUMBER].values[1].ravel().tolist() == [0, 1]


@pytest.mark.parametrize("count", [1, CHUNK, CHUNK + 1, 2 * MOST])
def test_parts_of_a_batch_hold_each_candidate_once_or_a_part_picked_by_chance(count):
    of = views(3)
    index = np.zeros((count, 1), int)
    shift = np.arange(count, dtype=float)
    batch = Batch(nr.relu(), {"x": Sums(of, index, np.ones((count, 1)), shift)})
    parts = list(batch.chunks())
    rows = np.concatenate([part.ports["x"].shift for part in parts])
    assert max(map(len, parts)) <= CHUNK
    assert len(rows) == min(count, MOST)
    assert len(np.unique(rows)) == len(rows)
    again = np.concatenate([part.ports["x"].shift for part in batch.chunks()])
    assert (rows == again).all()


def test_memory_that_every_program_may_have_is_what_its_machine_gives():
    examples = Examples.of([({"x": [2, -1, 3], "t": [*"aba"]}, {"y": [0, 0, 0]})])
    arrays: Arrays = arrays_of(examples)
    growth = Growth.start(arrays, feedback=False, parts=True)
    for use in growth.base:
        space = growth.bank.entries[use.stream].space
        machine = growth.machine({"y": (use,)})
        agree(ran_on(machine, examples), "y", space, growth.bank.values(use)[0])
