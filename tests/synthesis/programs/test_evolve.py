import numpy as np
import pytest
from hypothesis import given, strategies as st

import snakebird as sb
from snakebird.machines import Link
from snakebird.synthesis.programs._evolve import Evolution, Wiring, changed
from snakebird.synthesis.programs._examples import Examples, Integers
from snakebird.synthesis.programs._objective import Errors, Problem, errors_of

SOURCES = [("x", "signal"), ("one", "result"), ("n", "result")]


def machine(kind="step"):
    """Fixed: one -> n.x; free: everything else."""
    links = [Link("n", "x", s, 0, s[0] != "n") for s in (SOURCES[0], SOURCES[2])]
    links += [Link("n", "x", SOURCES[1], 1, True, False)]
    links += [Link("output", "y", s, 0, True) for s in SOURCES]
    neurons = {"x": sb.source(space=sb.Space([()])), "one": sb.constant(value=1), "n": kind}
    return sb.Machine({**neurons, "output": "output"}, links)


def at_least_four(x):
    return {"y": [1 if v >= 4 else 0 for v in x]}


EXAMPLES = Examples.from_reference(at_least_four, {"x": Integers(0, 6)}, length=6, count=8)
SHARP = sb.step(surrogate="none")
PROBLEM = Problem.of(machine(SHARP), EXAMPLES)
WIRING = Wiring.of(PROBLEM)
DATA = PROBLEM.data(EXAMPLES.items, EXAMPLES, ticks=6, count=8)


def errors(rows):
    rows = np.asarray(rows, float)
    cases = np.abs(rows - np.arange(rows.shape[1]))
    return Errors(cases, cases, rows @ np.arange(1, 1 + rows.shape[1]) ** 0.5, 1e-3)


def evolved(evolution, generations, evaluate=errors):
    for _ in range(generations):
        candidates = evolution.ask(32)
        evolution = evolution.tell(candidates, evaluate(candidates))
    return evolution


def test_a_wiring_knows_ports_sources_and_free_links():
    links = PROBLEM.machine.links
    for a, b in np.ndindex(len(links), len(links)):
        one, other = links[a], links[b]
        same = (one.to, one.input) == (other.to, other.input)
        assert (WIRING.ports[a] == WIRING.ports[b]) == same
        alike = (one.source, one.instant) == (other.source, other.instant)
        assert (WIRING.origins[a] == WIRING.origins[b]) == alike
    assert WIRING.free.tolist() == [link.trainable for link in links]


@given(st.integers(0, 10**6))
def test_changes_keep_fixed_links_and_leave_parents_alone(seed):
    rng = np.random.default_rng(seed)
    start = np.where(WIRING.free, rng.integers(-1, 2, (5, PROBLEM.size)), 1.0)
    before = start.copy()
    children = changed(WIRING, rng, start, rng.integers(5, size=40))
    np.testing.assert_array_equal(start, before)
    np.testing.assert_array_equal(children[:, ~WIRING.free], 1.0)
    assert np.isfinite(children).all()
    assert len(np.unique(children, axis=0)) > 5


def test_what_is_asked_is_the_same_until_one_tells():
    evolution = evolved(Evolution.init(WIRING, PROBLEM.start(), seed=3), 2)
    np.testing.assert_array_equal(evolution.ask(8), evolution.ask(8))
    after = evolution.tell(evolution.ask(8), errors(evolution.ask(8)))
    assert not np.array_equal(after.ask(8), evolution.ask(8))
    assert (evolution.generation, after.generation) == (2, 3)


def test_the_first_candidates_are_the_members_themselves():
    start = np.where(WIRING.free, [[1], [2]], 1.0)
    np.testing.assert_array_equal(Evolution.init(WIRING, start).ask(6)[:2], start)


def test_of_those_that_behave_alike_the_one_with_the_fewest_links_lives():
    rows = np.where(WIRING.free, [[1.0], [0.0], [2.0]], 1.0)
    told = Errors(np.ones((3, 2)), np.ones((3, 2)), np.array([5.0, 5.0, 6.0]), 1e-3)
    left = Evolution.init(WIRING, rows).tell(rows, told)
    np.testing.assert_array_equal(left.pool, rows[[1, 2]])


def test_the_best_at_any_case_live_even_where_their_mean_is_bad():
    cases = np.array([[0.5, 0.5, 0.5], [0.4, 0.4, 0.4], [0.45, 0.45, 0.45], [0.0, 9.0, 9.0]])
    rows = np.tile(PROBLEM.start(), (4, 1))
    told = Errors(cases, cases, np.arange(4.0), 1e-3)
    left = Evolution.init(WIRING, rows, size=2).tell(rows, told)
    assert sorted(left.cases[:, 0]) == [0.0, 0.4]


def test_the_best_member_never_gets_worse_and_the_population_keeps_its_size():
    evolution, best = Evolution.init(WIRING, PROBLEM.start(), size=24, seed=1), np.inf
    for _ in range(8):
        evolution = evolved(evolution, 1)
        assert evolution.score.min() <= best
        best = evolution.score.min()
        assert len(evolution.pool) <= 24


@pytest.mark.parametrize("seed", [0, 1])
def test_evolution_finds_a_threshold_where_there_is_no_gradient(seed):
    # 1 - step(1 - x / 4): one weight must be 1/4, and nothing has a slope.
    evolution = Evolution.init(WIRING, PROBLEM.start(), seed=seed)
    right = False
    for _ in range(60):
        candidates = evolution.ask(64)
        found = errors_of(PROBLEM, candidates, DATA, chunk=64)
        evolution = evolution.tell(candidates, found)
        right = right or bool(found.exact.any())
    assert right
