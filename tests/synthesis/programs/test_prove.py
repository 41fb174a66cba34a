import sys
from fractions import Fraction

import pytest
from hypothesis import given, settings, strategies as st

import snakebird as sb
from snakebird.errors import InputError, MachineError, SnakebirdError
from snakebird.synthesis.programs._examples import Examples, Integers, OneOf, Reals, TokenDraw
from snakebird.synthesis.programs._prove import Proof, prove
from snakebird.synthesis.programs._prove_domains import as_domain
from snakebird.synthesis.programs._reference import Stepwise
from snakebird.synthesis.programs._verify import verify
from tests.unchecked import unchecked


def now(to, port, source, weight=1):
    return sb.Link(to, port, source, weight, instant=True)


def machine(kinds, *links, inputs=("x",)):
    sources = {name: "source" for name in inputs}
    return sb.Machine({**sources, **kinds, "output": "output"}, links)


def summing(weight=1):
    links = "s.accum <- s.result", now("s", "delta", ("x", "signal"), weight)
    return machine({"s": "accumulator"}, *links, now("output", "y", ("s", "result")))


def counting():
    return machine(
        {"c": "accumulator", "here": "inner"},
        "c.accum <- c.result",
        now("c", "delta", ("x", "signal")),
        now("here", "x", ("c", "result")),
        now("here", "y", ("x", "signal")),
        now("output", "y", ("here", "dot")),
    )


def duplicates(forgets=True):
    return machine(
        {"a": "accumulator", "again": "inner", "once": "gate", "n": "accumulator"},
        "a.accum <- a.result",
        now("a", "delta", ("x", "signal")),
        now("a", "delta", ("once", "result"), -1 if forgets else 0),
        sb.Link("again", "x", ("a", "result")),
        now("again", "y", ("x", "signal")),
        now("once", "mask", ("again", "dot")),
        now("once", "value", ("x", "signal")),
        "n.accum <- n.result",
        now("n", "delta", ("again", "dot")),
        now("output", "y", ("n", "result")),
    )


def step(function):
    """A reference whose state is its answer."""
    return lambda state, x: (function(state, x),) * 2


def counted(counts, x):
    counts = {**counts, x: counts.get(x, 0) + 1}
    return counts, counts[x]


def repeated(state, x):
    seen, total = state
    total += x in seen
    return (seen | {x}, total), total


SUM = Stepwise(step(lambda s, x: s + x), 0)
REPEATS = Stepwise(repeated, (frozenset(), 0))


def test_parity_is_proven_by_going_through_its_states():
    flip = machine(
        {"p": "absolute"},
        "p.x <- p.result",
        now("p", "x", ("x", "signal"), -1),
        now("output", "y", ("p", "result")),
    )
    proof = prove(flip, Stepwise(step(lambda s, x: (s + x) % 2), 0), {"x": (0, 1)})
    assert (proof.holds, proof.kind, proof.pairs) == (True, "finite cases", 2)
    assert str(proof) == "proven for all inputs: all 2 states that can be reached agree"
    late = prove(flip, Stepwise(step(lambda s, x: (s + x) % 2), 0), {"x": (0, 1)}, pairs=0)
    assert (late.holds, late.kind) == (True, "induction")


def test_a_running_sum_is_proven_for_every_kind_of_number():
    for domain in (int, Reals(-1, 1)):
        proof = prove(summing(), SUM, {"x": domain})
        assert (proof.holds, proof.kind) == (True, "induction")
        assert proof.invariants == ("s.result = state",)
    assert str(proof) == "proven for all inputs, by induction over ticks:\n  s.result = state"


def test_a_running_maximum_is_proven():
    largest = machine(
        {"m": "maximum"},
        "m.x <- m.result",
        now("m", "y", ("x", "signal")),
        now("output", "y", ("m", "result")),
    )
    proof = prove(largest, Stepwise(step(max), 0), {"x": int})
    assert (proof.holds, proof.kind) == (True, "induction")
    first = Stepwise(step(lambda s, x: x if s is None else max(s, x)), None)
    assert prove(largest, first, {"x": Integers(0, 1000)}).holds
    assert prove(largest, first, {"x": Integers(-1, 1000)}).holds is False


def test_brackets_and_run_lengths_are_proven():
    depth = machine(
        {"d": "relu", "one": sb.constant(value=1), "zero": "relu"},
        "d.x <- d.result",
        now("d", "x", ("x", "signal")),
        now("zero", "x", ("d", "result"), -1),
        now("zero", "x", ("one", "result")),
        now("output", "y", ("zero", "result")),
    )

    def closed(deep, x):
        deep = max(deep + x, 0)
        return deep, int(deep == 0)

    assert prove(depth, Stepwise(closed, 0), {"x": (1, -1)}, pairs=20).kind == "induction"
    assert prove(depth, Stepwise(closed, 0), {"x": Fraction}).holds is False
    length = machine(
        {"n": "accumulator", "run": "product"},
        "n.accum <- run.result",
        now("n", "delta", ("x", "signal")),
        now("run", "x", ("n", "result")),
        now("run", "y", ("x", "signal")),
        now("output", "y", ("run", "result")),
    )
    ones = Stepwise(step(lambda n, x: n + 1 if x else 0), 0)
    assert prove(length, ones, {"x": OneOf(0, 1)}, pairs=20).kind == "induction"
    assert prove(length, ones, {"x": (0, 1, 2)}).holds is False


def test_a_counter_by_token_is_proven_for_any_alphabet():
    proof = prove(counting(), Stepwise(counted, {}), {"x": str})
    assert (proof.holds, proof.kind) == (True, "induction")
    assert proof.invariants == ("c.result[k] = state[k], for every token k",)
    assert prove(counting(), Stepwise(counted, {}), {"x": "ab"}, pairs=20).holds


def test_the_duplicate_counter_is_proven_for_any_alphabet():
    proof = prove(duplicates(), REPEATS, {"x": str})
    assert proof.holds
    assert proof.invariants == (
        "n.result = state[1]",
        "a.result[k] = (k in state[0]), for every token k",
    )


def test_a_store_with_keys_and_values_is_proven():
    store = machine(
        {"m": "accumulator", "old": "gate", "was": "inner", "new": "outer"},
        "m.accum <- m.result",
        now("new", "x", ("k", "signal")),
        now("new", "y", ("v", "signal")),
        now("m", "delta", ("new", "result")),
        now("was", "x", ("k", "signal")),
        sb.Link("was", "y", ("m", "result")),
        now("old", "mask", ("was", "dot")),
        now("old", "value", ("k", "signal")),
        now("m", "delta", ("old", "result"), -1),
        now("output", "y", ("m", "result")),
        inputs=("k", "v"),
    )
    written = Stepwise(lambda held, k, v: ({**held, k: v}, {"y": {**held, k: v}}), {})
    assert prove(store, written, {"k": str, "v": int}).holds


def test_two_streams_of_tokens_may_bring_the_same():
    both = machine(
        {"c": "accumulator", "here": "inner"},
        "c.accum <- c.result",
        now("c", "delta", ("a", "signal")),
        now("here", "x", ("c", "result")),
        now("here", "y", ("b", "signal")),
        now("output", "y", ("here", "dot")),
        inputs=("a", "b"),
    )

    def asked(counts, a, b):
        counts = {**counts, a: counts.get(a, 0) + 1}
        return counts, counts.get(b, 0)

    def blind(counts, a, b):
        return asked(counts, a, b)[0], counts.get(b, 0)

    assert prove(both, Stepwise(asked, {}), {"a": str, "b": str}).holds
    assert prove(both, Stepwise(blind, {}), {"a": str, "b": str}).holds is False


@pytest.mark.parametrize(
    ("wrong", "reference", "domain", "tick"),
    [
        (summing(2), SUM, int, 0),
        (summing(), Stepwise(step(lambda s, x: min(s + x, 3)), 0), (0, 1), 3),
        (duplicates(forgets=False), REPEATS, str, None),
        (duplicates(), Stepwise(counted, {}), str, 0),
    ],
)
def test_wrong_machines_are_refuted_by_a_counterexample(wrong, reference, domain, tick):
    proof = prove(wrong, reference, {"x": domain})
    failure = proof.counterexample
    assert proof.holds is False
    assert tick in (None, failure.tick)
    assert failure.example.ticks == failure.tick + 1
    assert str(proof).startswith(f"refuted: example 0, tick {failure.tick}: y is ")
    given_answers = reference(x=list(failure.example.inputs["x"]))
    item = (failure.example.inputs, {"y": given_answers})
    found = verify(wrong, Examples.of([item])).failure
    assert (found.tick, found.expected, found.found) == (
        failure.tick, failure.expected, failure.found,
    )  # fmt: skip


@settings(max_examples=5)
@given(
    st.sampled_from(["relu", "absolute", "step", "identity"]),
    st.integers(-2, 2),
    st.integers(-2, 2),
)
@pytest.mark.slow
def test_nothing_false_is_proven(kind, own, given_weight):
    bent = machine(
        {"s": kind},
        sb.Link("s", "x", ("s", "result"), own),
        now("s", "x", ("x", "signal"), given_weight),
        now("output", "y", ("s", "result")),
    )
    same = {
        "relu": lambda n: max(n, 0),
        "absolute": abs,
        "step": lambda n: int(n > 0),
        "identity": lambda n: n,
    }[kind]
    right = Stepwise(step(lambda s, x: same(own * s + given_weight * x)), 0)
    assert prove(bent, right, {"x": (-1, 0, 1)}, pairs=40).holds
    off = Stepwise(lambda n, x: (n + 1, None if n < 4 else sum([x], n)), 0)
    assert not prove(bent, off, {"x": (-1, 0, 1)}, pairs=40).holds


def test_latency_floats_modes_and_delays():
    late = summing().unlink("output.y <- s.result").link("output.y <- s.result")
    assert prove(late, SUM, {"x": int}, latency=1).holds
    assert prove(late, SUM, {"x": int}).holds is False
    delayed = machine(
        {"d": sb.delay(ticks=2)},
        "d.line <- d.line",
        now("d", "x", ("x", "signal"), 0.5),
        now("output", "y", ("d", "result")),
    )
    queue = Stepwise(lambda held, x: ((held[1], x), held[0] * Fraction(1, 2)), (0, 0))
    assert prove(delayed, queue, {"x": Fraction}).holds
    before = machine({}, "output.y <- x.signal")
    mode = Stepwise(lambda was, x: ("on" if x else "off", int(was == "on")), "off")
    assert prove(before, mode, {"x": (0, 1)}, pairs=0).invariants == ("x.signal = state",)


def test_tokens_that_the_reference_names_are_told_apart():
    quiet = machine({}, now("output", "y", ("x", "signal", "q")))
    known = {"q": 1}
    asks = Stepwise(lambda s, x: (s, int(x == "q")), 0)
    looks_up = Stepwise(lambda s, x: (s, known.get(x, 0)), 0)
    assert prove(quiet, asks, {"x": str}).holds
    assert prove(quiet, looks_up, {"x": str}).holds
    nothing = machine({}, sb.Link("output", "y", ("x", "signal"), 0))
    assert prove(nothing, asks, {"x": str}).counterexample.example.inputs == {"x": ("q",)}


@pytest.mark.parametrize(
    ("function", "start", "reason"),
    [
        (lambda s, x: (s | {x}, int(len(s) > 50)), frozenset(), "all tokens at once"),
        (lambda s, x: ({**s, x: 1}, int(max([0, *s.values()]) > 5)), {}, "reads all of a dict"),
        (lambda s, x: (s, int(x.isspace())), 0, "looks into a token, by isspace"),
        (lambda s, x: (x, 0), None, "remembers a token"),
        (lambda s, x: ([*s, 1], 0), [], "not alike from tick to tick"),
    ],
)
def test_what_cannot_be_proven_is_not_claimed(function, start, reason):
    nothing = machine({}, sb.Link("output", "y", ("x", "signal"), 0))
    proof = prove(nothing, Stepwise(function, start), {"x": str})
    assert proof.holds is None
    assert reason in proof.reason
    assert str(proof) == f"not proven: {proof.reason}"


def largest(sign=1, forgets=0, reads=1):
    """The largest count so far; with `forgets` what was counted is taken away again."""
    return machine(
        {"c": "accumulator", "most": "max_norm"},
        "c.accum <- c.result",
        now("c", "delta", ("x", "signal"), sign),
        sb.Link("c", "delta", ("c", "result"), -forgets),
        now("most", "x", ("c", "result"), reads),
        now("output", "y", ("most", "norm"), Fraction(1, abs(reads))),
    )


def most(state, x):
    counts, so_far = state
    counts = {**counts, x: counts.get(x, 0) + 1}
    return (counts, max(so_far, counts[x])), max(so_far, counts[x])


@pytest.mark.parametrize(("sign", "reads"), [(1, 1), (-1, 1), (1, -2)])
def test_the_largest_number_under_any_token_is_a_number_of_the_state(sign, reads):
    proof = prove(largest(sign, reads=reads), Stepwise(most, ({}, 0)), {"x": str})
    assert proof.holds
    assert proof.kind == "induction"
    assert any("(the largest |c.result[k]|)" in text for text in proof.invariants)


def test_the_largest_number_of_what_is_forgotten_at_once():
    assert prove(largest(forgets=1), Stepwise(most, ({}, 0)), {"x": str}).holds is False
    assert prove(largest(forgets=1), Stepwise(lambda s, x: (s, 1), 0), {"x": str}).holds


def test_a_largest_number_of_which_nothing_is_known_is_not_proven():
    halved = prove(largest(forgets=Fraction(1, 2)), Stepwise(lambda s, x: (s, 1), 0), {"x": str})
    assert halved.holds is False
    never = prove(largest(sign=0, forgets=2), Stepwise(lambda s, x: (s, 0), 0), {"x": str})
    assert never.holds  # from zero it stays zero


def test_machines_that_look_at_all_tokens_are_not_proven():
    squares = machine(
        {"c": "accumulator", "sum": "inner", "none": "product"},
        "c.accum <- c.result",
        now("c", "delta", ("x", "signal")),
        now("sum", "x", ("c", "result")),
        now("sum", "y", ("c", "result")),
        now("none", "x", ("sum", "dot")),
        now("output", "y", ("none", "result")),
    )
    proof = prove(squares, Stepwise(lambda s, x: (s, 0), 0), {"x": str})
    assert "'inner' looks at all tokens at once" in proof.reason
    bent = machine(
        {"t": "tanh"}, now("t", "x", ("x", "signal"), 0), now("output", "y", ("t", "result"))
    )
    proof = prove(bent, Stepwise(lambda s, x: (s, 0), 0), {"x": int})
    assert "type 'tanh', which has no exact terms" in proof.reason


def test_what_stands_at_one_token_is_a_number_of_the_state():
    stops = machine(
        {"n": "accumulator"},
        "n.accum <- n.result",
        now("n", "delta", ("x", "signal", ".")),
        now("output", "y", ("n", "result")),
    )

    def counted(counts, x):
        counts = {**counts, x: counts.get(x, 0) + 1}
        return counts, counts.get(".", 0)

    proof = prove(stops, Stepwise(counted, {}), {"x": str})
    assert proof.holds
    assert any("n.result" in text and "state['.']" in text for text in proof.invariants)


def test_no_time_is_no_proof():
    proof = prove(summing(), SUM, {"x": int}, seconds=0)
    assert (proof.holds, proof.reason) == (None, "the time is over")


def test_a_missing_solver_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "z3", None)
    with pytest.raises(MachineError, match="solver z3") as caught:
        prove(summing(), SUM, {"x": int})
    assert caught.value.hint == "pip install 'snakebird[proof]'"


def test_inputs_that_do_not_fit_are_refused():
    assert as_domain("x", TokenDraw("ab")).every == "token"
    assert as_domain("x", TokenDraw("ab", more=0)).values == ("a", "b")
    with pytest.raises(InputError, match="expected what may arrive") as caught:
        as_domain("x", None)
    assert "int, Fraction or str" in caught.value.hint
    with pytest.raises(InputError, match="no neuron named 'output'"):
        prove(sb.Machine({"x": "source"}), SUM, {"x": int})
    with pytest.raises(InputError, match="step of the reference raised TypeError") as caught:
        prove(machine({}, now("output", "y", ("z", "signal")), inputs=("z",)), SUM, {"z": int})
    assert "where z =" in caught.value.where


@pytest.mark.parametrize(
    ("reference", "inputs", "told"),
    [
        (lambda state, x: (state, x), {"x": int}, "is a function(?s:.*)sb.Stepwise"),
        (Stepwise(lambda state, x: x, 0), {"x": int}, r"return \(state, answer\)"),
        (Stepwise(step(lambda s, x: s + x), 0), [int], "inputs are a list"),
        (
            Stepwise(step(lambda s, word: s + word), 0),
            {"word": int},
            "the machine has no source named 'word'(?s:.*)known here: 'x'",
        ),
    ],
)
def test_what_is_given_to_prove_is_looked_at(reference, inputs, told):
    with pytest.raises(SnakebirdError, match=told):
        unchecked(prove)(summing(), reference, inputs)


def test_a_step_of_one_value_is_told_with_a_latency_too():
    with pytest.raises(InputError, match=r"return \(state, answer\)"):
        prove(summing(), Stepwise(lambda state, x: x, 0), {"x": int}, latency=1)


def test_what_is_found_is_no_machine():
    with pytest.raises(InputError, match=r"give found\.machine"):
        unchecked(prove)(object(), Stepwise(step(lambda s, x: s + x), 0), {"x": int})


def test_a_proof_without_invariants_ends_there():
    assert str(Proof(True, "induction")) == "proven for all inputs, by induction over ticks"
