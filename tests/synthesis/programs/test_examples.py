"""Examples: what they hold, what is refused, and how new ones are drawn."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.errors import InputError, SnakebirdError, UnknownNameError
from snakebird.neurons import message_space
from snakebird.synthesis.programs._contradiction import check_consistent
from snakebird.synthesis.programs._draws import PATTERNS, drawn
from snakebird.synthesis.programs._examples import (
    Draw,
    Example,
    Examples,
    Integers,
    OneOf,
    Reals,
    Stepwise,
    TokenDraw,
)
from snakebird.synthesis.programs._values import difference, identity_of, show, value_tree

NUMBERS = st.one_of(
    st.integers(-9, 9), st.fractions(-2, 2, max_denominator=6), st.floats(-3, 3, width=16)
)
TREES = st.recursive(
    NUMBERS, lambda below: st.dictionaries(st.sampled_from("abc"), below, max_size=3), max_leaves=5
).map(lambda tree: tree if isinstance(tree, dict) else {"n": tree})
VALUES = st.one_of(NUMBERS, st.sampled_from("abc"), TREES, st.none())
RUNNING_SUM = Stepwise(lambda total, x: (total + x, total + x), 0)


def fails(what: str, where: str, hint: str, make, *, kind: type[SnakebirdError] = InputError):
    """Making this fails with three parts that contain these texts."""
    with pytest.raises(kind) as caught:
        make()
    parts = (caught.value.what, caught.value.where, caught.value.hint)
    for part, expected in zip(parts, (what, where, hint), strict=True):
        assert expected in part
    assert type(caught.value) is kind


# What an example holds --------------------------------------------------------------------------


def test_streams_are_texts_lists_and_arrays_and_values_become_pythons_own():
    example = Example(
        {"char": "abc", "on": [True, np.False_, None]},
        {"y": np.array([1, 2, 3]), "z": (np.float32(0.5), Fraction(1, 3), {"a": {"b": 1}})},
    )
    assert example.inputs == {"char": ("a", "b", "c"), "on": (1, 0, None)}
    assert example.outputs == {"y": (1, 2, 3), "z": (0.5, Fraction(1, 3), {"a": {"b": 1}})}
    assert [type(v) for v in (*example.inputs["on"], *example.outputs["y"])] == [
        *(int, int, type(None)),
        *(int, int, int),
    ]
    assert example.ticks == 3


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({1, 2}, "found {1, 2} (set), expected a number, a token, a tree or None"),
        ([1, 2], "found [1, 2] (list)"),
        (float("nan"), "found nan, expected a finite number"),
        (float("-inf"), "found -inf, expected a finite number"),
        (1j, "found 1j (complex)"),
        (":number", "the token ':number' is a reserved key"),
        ({"a": "b"}, "a leaf is 'b' (str)"),
        ({1: 1}, "a key is 1 (int)"),
        ({"a": float("nan")}, "found nan, expected a finite number"),
        ({"a": np.ones(2)}, "a leaf is array([1., 1.]) (ndarray), expected a number"),
    ],
)
def test_what_is_no_value_is_refused_with_its_stream_and_tick(value, what):
    with pytest.raises(InputError) as caught:
        Example({"x": [1, 2]}, {"y": [0, value]})
    assert what in caught.value.what
    assert caught.value.where.startswith("an example, output 'y', tick 1")
    assert caught.value.hint


@pytest.mark.parametrize("stream", [3, {"a": 1}, np.array(3.0), None])
def test_what_is_no_stream_is_refused(stream):
    fails(
        "expected one value for each tick",
        "an example, input 'x'",
        "give a text, a list or an array [time]",
        lambda: Example({"x": stream}, {"y": [1]}),
    )


def test_ragged_streams_are_refused_with_all_lengths():
    fails(
        "streams of different lengths: input 'x' 3, output 'y' 2",
        "an example",
        "None where nothing arrives",
        lambda: Example({"x": [1, 2, 3]}, {"y": [1, 2]}),
    )


def test_names_that_cannot_name_a_source_are_refused():
    for name in ("a.b", "1st", "lambda", "", "output"):
        fails(
            f"an input is named {name!r}, which cannot name a part of a program",
            "an example",
            "letters, digits and `_`",
            lambda name=name: Example({name: [1]}, {"y": [1]}),
        )
    assert Example({"x": [1]}, {"output": [1]}).outputs == {"output": (1,)}


def test_examples_without_inputs_or_ticks_or_with_one_name_for_two_streams_are_refused():
    fails("there are no inputs", "an example", "'x'", lambda: Example({}, {"y": [1]}))
    fails("no ticks", "an example", "leave it out", lambda: Example({"x": []}, {"y": []}))
    what = "an input and an output are both named 'x'"
    fails(what, "an example", "another name", lambda: Example({"x": [1]}, {"x": [1]}))


# Sets of examples -------------------------------------------------------------------------------


def test_pairs_dicts_and_examples_are_all_examples():
    long, short = {"inputs": {"x": "ab"}, "outputs": {"result": [1, 2]}}, ("ab", [1, 2])
    given = [
        long,
        short,
        {"input": "ab", "output": [1, 2]},
        Example(long["inputs"], {"result": (1, 2)}),
    ]
    examples = Examples.of(given)
    assert len(examples) == 4
    assert all(example == examples[0] for example in examples)
    assert [example.where for example in examples] == [
        *("example 1", "example 2", "example 3"),
        "an example",
    ]


@pytest.mark.parametrize(
    ("given", "what", "hint"),
    [
        ([3], "found int, expected inputs and outputs", "write ("),
        ([("ab",)], "found tuple, expected inputs and outputs", "write ("),
        ([{"inputs": {"x": [1]}}], "an example has no outputs", "write {"),
        (
            [{"inputs": {"x": [1]}, "input": [1], "output": [1]}],
            "an example has twice its inputs",
            "write {",
        ),
    ],
)
def test_what_is_no_example_is_refused(given, what, hint):
    fails(what, "example 1", hint, lambda: Examples.of(given))


def test_a_misspelled_part_is_told_the_right_one():
    fails(
        "an example has no part named 'imputs'",
        "example 1",
        "did you mean 'inputs'",
        lambda: Examples.of([{"imputs": {"x": [1]}, "outputs": {"y": [1]}}]),
        kind=UnknownNameError,
    )


def test_a_dict_of_examples_is_no_list_of_them():
    with pytest.raises(InputError, match="found dict, expected a list of examples"):
        Examples.of({"inputs": {"x": [1]}, "outputs": {"y": [1]}})


def test_no_examples_and_nothing_asked_are_refused():
    fails("there are no examples", "Examples", "give at least one", lambda: Examples.of([]))
    for outputs in ({"y": [None, None]}, {}):
        fails(
            "nothing is asked: no example has an answer",
            "example 1",
            "None where it need not",
            lambda outputs=outputs: Examples.of([({"x": [1, 2]}, outputs)]),
        )


def test_answers_that_are_zero_everywhere_are_answers():
    for zero in (0, {}):
        assert len(Examples.of([("ab", [zero, None])])) == 1


def test_examples_with_other_streams_than_the_first_are_refused():
    fails(
        "the inputs are w, x, and those of the first example x",
        "example 2",
        "give every example the same inputs",
        lambda: Examples.of([({"x": [1]}, {"y": [1]}), ({"x": [1], "w": [1]}, {"y": [1]})]),
    )
    fails(
        "the outputs are none, and those of the first example y",
        "example 2",
        "give every example the same outputs",
        lambda: Examples.of([({"x": [1]}, {"y": [1]}), ({"x": [2]}, {})]),
    )


def test_tolerance_and_latency_are_not_negative():
    for tolerance, latency in ((-1, 0), (0, -1)):
        fails(
            f"tolerance is {tolerance} and latency {latency}",
            "Examples",
            "give numbers that are not negative",
            lambda t=tolerance, late=latency: Examples((), t, late),
        )


def test_kinds_spaces_and_sources_are_those_of_what_arrives():
    examples = Examples.of(
        [
            ({"n": [1, None], "t": "ba", "tree": ["a", {"b": {"c": 2}}]}, {"y": [{}, 2]}),
            ({"n": [Fraction(1, 2), 0], "t": ["c", None], "tree": [None, 3]}, {"y": [None, None]}),
        ]
    )
    kinds = {"n": "number", "t": "token", "tree": "tree", "y": "number"}
    assert examples.streams == kinds
    spaces = {name: message_space(one.parameters) for name, one in examples.sources().items()}
    assert spaces == {
        "n": sb.Space([()]),
        "t": sb.Space([("a",), ("b",), ("c",)]),
        "tree": sb.Space([(), ("a",), ("b", "c")]),
    }
    assert repr(examples.sources()["t"]) == "source(tokens=('a', 'b', 'c'))"
    assert "inputs n (number), t (token), tree (tree), outputs y (number)" in repr(examples)


def test_sources_take_what_arrives_in_both_engines():
    examples = Examples.of([({"t": ["a", None, "b"], "n": [1, 2, None]}, {"y": [1, 2, 0]})])
    links = [
        sb.Link("output", port, (name, "signal"), 1, instant=True)
        for port, name in (("y", "n"), ("t", "t"))
    ]
    machine = sb.Machine({**examples.sources(), "output": "output"}, links)
    inputs = {name: list(stream) for name, stream in examples[0].inputs.items()}
    run = sb.run(machine, inputs=inputs)
    assert run["output.y"] == [1, 2, {}]
    assert run["output.t"] == [{"a": 1}, {}, {"b": 1}]
    assert sb.lower(machine)(inputs, 3).number("output.y").tolist() == [1, 2, 0]


@given(VALUES, VALUES)
def test_values_are_equal_when_their_v_values_are(left, right):
    trees = [{} if value is None else value_tree(value) for value in (left, right)]
    gap = vv.lin_comb([1, -1], trees)
    equal = not dict(vv.entries(gap))
    assert (identity_of(left) == identity_of(right)) is equal
    assert difference(left, right) == vv.max_norm(gap)
    assert hash(identity_of(left)) == hash(identity_of(value_tree(left)))
    assert len(show(left)) <= 60


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(0, 3))
def test_the_longest_fifth_is_held_out(lengths, seed):
    items = tuple(Example({"x": [0] * n}, {"y": [0] * n}) for n in lengths)
    train, held = Examples(items).split(seed)
    assert len(held) == (max(1, len(items) // 5) if len(items) >= 4 else 0)
    assert sorted(e.ticks for e in (*train, *held)) == sorted(lengths)
    if len(held):
        assert min(e.ticks for e in held) >= max(e.ticks for e in train)


# Contradictions ---------------------------------------------------------------------------------


def test_two_answers_to_the_same_inputs_are_shown_with_them():
    fails(
        "examples 1 and 2 contradict each other: the inputs agree up to tick 1, "
        "and 'result' at tick 1 is 0 in one, 1 in the other",
        "example 1; example 2; common inputs x: 'a', 'b'",
        "latency= where an answer needs later inputs",
        lambda: Examples.of([("aba", [0, 0, 1]), ("abb", [0, 1, 1])]),
    )


def test_an_example_given_twice_with_two_answers_is_a_contradiction_and_one_with_one_is_none():
    assert len(Examples.of([("ab", [0, 1]), ("ab", [0, 1]), ("ab", [0, None])])) == 3
    with pytest.raises(InputError, match="examples 1 and 2 contradict"):
        Examples.of([("ab", [0, 1]), ("ab", [0, 2])])


def test_long_common_inputs_are_cut_to_the_last_ones():
    with pytest.raises(InputError) as caught:
        Examples.of([("a" * 20, [0] * 20), ("a" * 20, [0] * 19 + [1])])
    assert caught.value.where.endswith("common inputs x: ..., " + ", ".join(["'a'"] * 8))


def test_nothing_and_zero_arrive_alike_and_equal_values_are_the_same_in_any_form():
    for one, other in ((None, 0), (None, {}), ("a", {"a": 1}), (0.5, Fraction(1, 2))):
        with pytest.raises(InputError, match="contradict each other"):
            Examples.of([([one, 1], [0, 1]), ([other, 1], [0, 2])])
    assert len(Examples.of([([1, 1], ["a", 1]), ([1, 1], [{"a": 1.0}, Fraction(1)])])) == 2


def test_answers_that_look_ahead_within_the_latency_are_no_contradiction():
    ahead = [([1, 2, 3], [2, 3, 0]), ([1, 5, 6], [5, 6, 0])]
    assert Examples.of(ahead, latency=1).latency == 1
    with pytest.raises(
        InputError, match="agree up to tick 0, and 'result' at tick 0 is 2 in one, 5"
    ):
        Examples.of(ahead)
    with pytest.raises(InputError) as caught:
        Examples.of([([1, 2, 3], [1, 0, 0]), ([1, 2, 4], [2, 0, 0])], latency=1)
    assert "agree up to tick 1" in caught.value.what
    assert "latency=" not in caught.value.hint


def test_after_an_example_nothing_arrives():
    with pytest.raises(
        InputError, match="agree up to tick 2, and 'result' at tick 1 is 1 in one, 2"
    ):
        Examples.of([([1, 1], [0, 1]), ([1, 1, 0], [0, 2, 0])], latency=1)
    assert len(Examples.of([([1, 1], [0, 1]), ([1, 1, 1], [0, 2, 0])], latency=1)) == 2


def test_answers_within_twice_the_tolerance_of_each_other_can_both_be_met():
    close = [([1], [0.0]), ([1], [0.2]), ([1], [0.1])]
    assert len(Examples.of(close, tolerance=0.1)) == 3
    with pytest.raises(InputError, match=r"is 0\.0 in one, 0\.2 in the other"):
        Examples.of(close, tolerance=0.05)


@given(
    st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=6), min_size=1, max_size=6),
    st.integers(0, 2),
    st.data(),
)
def test_what_a_program_answers_is_consistent_until_one_answer_is_changed(words, latency, data):
    def answers(word):
        padded = [*word, *[None] * latency]
        return [hash(tuple(padded[: t + 1 + latency])) % 5 for t in range(len(word))]

    items = [Example({"x": word}, {"y": answers(word)}) for word in words]
    check_consistent(items, latency=latency, tolerance=0)
    word = data.draw(st.sampled_from(words))
    at = data.draw(st.integers(0, len(word) - 1))
    wrong = [n + 1 if t == at else n for t, n in enumerate(answers(word))]
    changed = [*items, Example({"x": word}, {"y": wrong})]
    with pytest.raises(InputError, match=f"and 'y' at tick {at} is"):
        check_consistent(changed, latency=latency, tolerance=0)


# References -------------------------------------------------------------------------------------


def test_a_reference_answers_what_is_drawn():
    examples = Examples.from_reference(RUNNING_SUM, {"x": Integers(-2, 2)}, length=5, count=3)
    for example in examples:
        assert example.outputs["result"] == tuple(np.cumsum(example.inputs["x"]).tolist())
    assert [e.ticks for e in examples] == [5, 5, 5]
    assert examples.can_draw
    assert not Examples(examples.items).can_draw


def test_new_examples_depend_on_the_seed_alone_and_are_not_the_first_ones():
    first = Examples.from_reference(RUNNING_SUM, {"x": Integers(0, 99)}, length=6, count=4)
    new = first.fresh(6, 4, seed=0)
    assert new.items == first.fresh(6, 4, seed=0).items
    assert new.items[:2] == first.fresh(6, 2, seed=0).items
    others = (first, first.fresh(6, 4, seed=1), first.fresh(6, 4, seed=0, wide=True))
    assert all(new.items != other.items for other in others)
    assert (new.reference, new.latency, new.draws) == (first.reference, 0, first.draws)


def test_several_outputs_come_from_a_dict_and_from_a_step_that_gives_one():
    def both(x, y):
        return {"sum": [a + b for a, b in zip(x, y, strict=True)], "x_again": x}

    stepwise = Stepwise(lambda state, x, y: (state, {"sum": x + y, "x_again": x}), None)
    draws = {"x": Integers(0, 9), "y": Integers(0, 9)}
    one, other = (Examples.from_reference(r, draws, count=4) for r in (both, stepwise))
    assert one.items == other.items
    assert one.outputs == ("sum", "x_again")


def test_a_step_that_answers_a_tree_must_name_its_output():
    named = Stepwise(lambda state, x: (state, {"y": {} if x < 5 else {"a": x}}), None)
    assert named(x=[1, 5]) == {"y": [{}, {"a": 5}]}
    bare = Stepwise(lambda state, x: (state, named.step(state, x=x)[1]["y"]), None)
    fails(
        "a step answers {'a': 5}, {}: not always the same outputs",
        "the reference",
        "a tree as {'result': tree}",
        lambda: bare(x=[1, 5]),
    )


def test_a_reference_that_fails_is_shown_with_its_inputs():
    fails(
        "the reference raised ZeroDivisionError: ",
        "drawn example 1, x=[0, 0]",
        "called with one list for each input",
        lambda: Examples.from_reference(
            lambda x: [1 // n for n in x], {"x": OneOf(0)}, length=2, count=1
        ),
    )


def test_a_reference_must_answer_every_tick():
    fails(
        "streams of different lengths: input 'x' 3, output 'result' 1",
        "drawn example 1",
        "one value a tick",
        lambda: Examples.from_reference(lambda x: [sum(x)], {"x": OneOf(0)}, length=3),
    )


def test_a_reference_that_looks_ahead_is_refused_unless_its_latency_says_so():
    draws = {"x": Integers(0, 99)}

    def tomorrow(x):
        return [*x[1:], 0]

    examples = Examples.from_reference(tomorrow, draws, length=7, latency=1)
    assert examples.latency == 1
    fails(
        "it depends on what comes later, or on chance",
        "drawn example 1",
        "or give latency=",
        lambda: Examples.from_reference(tomorrow, draws, length=7),
    )
    fails(
        "the answer 'result' at tick 0 is nothing after 4 ticks, and 1 after 7",
        "drawn example 1",
        "answer from what has arrived",
        lambda: Examples.from_reference(
            lambda x: [1 if len(x) == 7 else None] * len(x), draws, length=7
        ),
    )


def test_an_input_that_the_reference_does_not_take_is_told_the_right_name():
    for reference in (lambda char: char, Stepwise(lambda state, char: (state, char), None)):
        fails(
            "the reference takes no input named 'chr'",
            "draws",
            "did you mean 'char'",
            lambda reference=reference: Examples.from_reference(reference, {"chr": OneOf(1)}),
            kind=UnknownNameError,
        )


def test_without_a_reference_there_are_no_new_examples():
    fails(
        "there is no reference to ask for new examples",
        "Examples.fresh",
        "Examples.from_reference",
        lambda: Examples.of([("a", [1])]).fresh(3, 1, seed=0),
    )
    examples = Examples.from_reference(RUNNING_SUM, {"x": OneOf(1)})
    fails(
        "found 0 examples of 3 ticks",
        "Examples",
        "write length=12, count=24",
        lambda: examples.fresh(3, 0, seed=0),
    )


# Draws ------------------------------------------------------------------------------------------

DRAWS = [
    (Integers(-2, 2), lambda v: isinstance(v, int) and -2 <= v <= 2),
    (Reals(-1, 1), lambda v: isinstance(v, float) and -1 <= v <= 1),
    (
        Reals(Fraction(-1, 3), 0.6, denominator=4),
        lambda v: v in [Fraction(n, 4) for n in (-1, 0, 1, 2)],
    ),
    (OneOf(None, "a", {"b": 2}), lambda v: v in (None, "a", {"b": 2})),
    (TokenDraw("ab", more=0), lambda v: v in ("a", "b")),
    (TokenDraw(["a", "t1"], more=3), lambda v: v in ("a", "t1", "t0", "t2", "t3")),
]


@pytest.mark.parametrize(("draw", "belongs"), DRAWS, ids=lambda part: str(part)[:20])
@pytest.mark.parametrize("wide", [False, True])
def test_what_is_drawn_stays_in_its_range(draw, belongs, wide):
    for seed in range(30):
        stream = draw.draw(np.random.default_rng(seed), 9, wide)
        assert len(stream) == 9
        assert all(belongs(value) for value in stream)


def test_all_values_of_a_range_are_drawn():
    rng = np.random.default_rng(0)
    assert set(Integers(-2, 2).draw(rng, 200, False)) == {-2, -1, 0, 1, 2}
    assert set(Reals(-1, 1, denominator=2).draw(rng, 200, False)) == {-1, -0.5, 0, 0.5, 1}
    assert set(OneOf("a", None).draw(rng, 99, False)) == {"a", None}


def test_tokens_drawn_widely_are_all_new_unless_the_alphabet_is_closed():
    rng = np.random.default_rng(0)
    draw = TokenDraw("abt", more=40)
    wide = {token for _ in range(20) for token in draw.draw(rng, 300, True)}
    assert len(wide) == 40
    assert not wide & set("abt")
    assert set(draw.draw(rng, 99, False)) == set("abt")


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.__name__)
@given(length=st.integers(1, 30), seed=st.integers(0, 9))
def test_every_pattern_has_the_length_asked_for(pattern, length, seed):
    rng = np.random.default_rng(seed)
    assert len(pattern(rng, lambda count: list(range(count)), length)) == length


def test_wide_draws_hold_streams_that_even_chances_all_but_never_give():
    streams = [OneOf(0, 1).draw(np.random.default_rng(seed), 40, True) for seed in range(60)]
    assert any(len(set(stream)) == 1 for stream in streams)
    assert any(stream == [1, 0] * 20 for stream in streams) or any(
        stream == [0, 1] * 20 for stream in streams
    )
    plain = [OneOf(0, 1).draw(np.random.default_rng(seed), 40, False) for seed in range(60)]
    assert all(5 <= sum(stream) <= 35 for stream in plain)


def test_inputs_that_hang_together_come_from_a_function_told_wide_where_it_takes_it():
    rng = np.random.default_rng(0)
    assert drawn(lambda rng, length: {"x": [length]}, rng, 3, wide=True) == {"x": [3]}
    told = lambda rng, length, wide: {"x": [wide] * length}
    assert drawn(told, rng, 2, wide=True) == {"x": [True, True]}
    one_hot = lambda rng, length: {"a": [1] * length, "b": [0] * length}
    examples = Examples.from_reference(lambda a, b: a, one_hot, length=2, count=1)
    assert examples[0].inputs == {"a": (1, 1), "b": (0, 0)}


def test_a_draw_of_ones_own_says_its_values():
    class Even(Draw):
        def values(self, rng, count, wide):
            return [2 * int(n) for n in rng.integers(5, size=count)]

    assert all(n % 2 == 0 for n in Even().draw(np.random.default_rng(0), 9, True))


def test_draws_that_are_none_are_refused():
    fails(
        "found [0, 1], expected a Draw",
        "draws of 'x'",
        "OneOf(0, 1)",
        lambda: drawn({"x": [0, 1]}, np.random.default_rng(0), 3),
    )
    fails("low is 3 and high is 2", "Integers", "Integers(0, 9)", lambda: Integers(3, 2))
    fails("low is 0.5 and high is 0", "Reals", "Reals(-1, 1)", lambda: Reals(0.5, 0))
    fails("there is nothing to draw", "OneOf", "OneOf(0, 1)", lambda: OneOf())
    fails("there is no token to draw", "TokenDraw", 'TokenDraw("abc")', lambda: TokenDraw(""))


@pytest.mark.parametrize("given", [3, None, "ab", (1, 2, 3)])
def test_a_step_gives_a_state_and_an_answer(given):
    with pytest.raises(InputError, match="expected the next state and the answer") as raised:
        Examples.from_reference(Stepwise(lambda state, x: given, 0), {"x": Integers(0, 9)})
    assert raised.value.hint == "return (state, answer)"


def test_a_reference_that_depends_on_chance_is_told():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="or on chance"):
        Examples.from_reference(lambda x: rng.random(len(x)).tolist(), {"x": Integers(0, 9)})
