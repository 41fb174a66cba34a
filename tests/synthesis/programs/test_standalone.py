import ast
from fractions import Fraction

import pytest
from hypothesis import given, settings, strategies as st

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.errors import InputError, MachineError
from snakebird.synthesis.programs._standalone import to_python
from snakebird.synthesis.programs._standalone_helpers import HELPERS
from snakebird.synthesis.programs._standalone_neurons import RULES
from snakebird.testing._machines import _leaves_chance_alone

WEIGHTS = st.sampled_from([1, -1, 2, Fraction(1, 2), Fraction(-2, 3), 0])
SMALL = st.sampled_from([1, -1, 2, Fraction(1, 2)])
TREES = st.one_of(
    SMALL,
    st.dictionaries(st.sampled_from("ab"), SMALL, max_size=2),
    st.just({"a": {":number": 2, "b": 1}, "c": 1}),
)
SPACE = vv.Space([(), ("a",), ("a", "b")])
SOURCES = {
    "number": (sb.source(), st.none() | st.integers(-2, 2)),
    "token": (sb.source(tokens=("a", "b")), st.none() | st.sampled_from("ab")),
    "tree": (
        sb.source(space=vv.Space([(), ("a",), ("a", "b")])),
        st.none() | st.just({"a": {"b": 3}}),
    ),
    "default": (sb.source(default=Fraction(1, 2)), st.none() | st.integers(-2, 2)),
}
PLAIN = [
    "identity", "memory", "accumulator", "total", "product", "gate", "inner", "mask_sum", "relu",
    "step", "absolute", "maximum", "minimum", "compare", "less_or_equal", "max_norm", "timer",
]  # fmt: skip
GROWING = ["outer", "cons"]


def now(to, port, source, weight=1):
    return sb.Link(to, port, source, weight, instant=True)


def run_plain(source, inputs, name="program"):
    space = {}
    exec(source, space)
    return space[name](*inputs.values())


@st.composite
@_leaves_chance_alone
def machines(draw):
    """Machines of the types that plain Python has, with exact weights; and inputs for them."""
    kinds = draw(st.lists(st.sampled_from(sorted(SOURCES)), min_size=1, max_size=2, unique=True))
    neurons = {f"in_{kind}": SOURCES[kind][0] for kind in kinds}
    for k in range(draw(st.integers(1, 6))):
        neurons[f"n{k}"] = draw(st.sampled_from([*PLAIN * 2, "constant", "delay", *GROWING]))
        if neurons[f"n{k}"] == "constant":
            neurons[f"n{k}"] = sb.constant(value=draw(TREES))
        if neurons[f"n{k}"] == "delay":
            neurons[f"n{k}"] = sb.delay(ticks=draw(st.integers(0, 2)))
    machine = sb.Machine({**neurons, "output": "output"})
    order = [*machine.neurons]
    links = [now("output", "y", (order[0], "signal"), draw(WEIGHTS))]
    for _ in range(draw(st.integers(1, 14))):
        links += draw(new_link(machine, order))
    for name, own in machine.neurons.items():
        if own.type.name in ("accumulator", "timer") and draw(st.booleans()):
            links += [sb.Link(name, i, (name, o)) for i, o in own.type.loops.items()]
        if own.type.name == "delay":
            links.append(sb.Link(name, "line", (name, "line")))
    started = [n for n, own in machine.neurons.items() if own.type.name in ("identity", "delay")]
    start = {}
    for name in started[:2]:
        value = draw(TREES)
        delayed = machine.neurons[name].type.name == "delay"
        start[name] = {"line": {"0": value}} if delayed else {"result": value}
    ticks = draw(st.integers(1, 5))
    inputs = {
        f"in_{kind}": draw(st.lists(SOURCES[kind][1], min_size=ticks, max_size=ticks))
        for kind in kinds
    }
    return sb.Machine(machine.neurons, links, start), inputs


@st.composite
@_leaves_chance_alone
def new_link(draw, machine, order):
    sinks = [n for n in order if not machine.neurons[n].type.always_active]
    to = draw(st.sampled_from([*sinks, "output"]))
    origin = draw(st.sampled_from([n for n in order if n != "output"]))
    target, kind = machine.neurons[to].type, machine.neurons[origin].type
    ports = [p for p in target.inputs if p != "line"] or ["y", "z"]
    outputs = [p for p in kind.outputs if p != "line"]
    path = (origin, draw(st.sampled_from(outputs)))
    deeper = draw(st.sampled_from([(), (), (), ("a",), ("a", "b")]))
    path = (origin,) if draw(st.integers(0, 9)) == 0 and kind.name != "delay" else (*path, *deeper)
    grows = kind.name in GROWING or target.name in GROWING or target.name in ("product", "gate")
    instant = order.index(origin) < order.index(to) and draw(st.booleans())
    if not instant and grows and to != "output" and order.index(origin) >= order.index(to):
        return []
    return [sb.Link(to, draw(st.sampled_from(ports)), path, draw(WEIGHTS), instant=instant)]


@settings(max_examples=50)
@given(machines())
def test_the_function_answers_exactly_as_the_machine(given_pair):
    machine, inputs = given_pair
    answers = run_plain(to_python(machine), inputs)
    run = sb.run(machine, inputs=inputs)
    ports = {link.input for link in machine.links if link.to == "output"}
    assert answers.keys() == ports
    for port in ports:
        for found, expected in zip(answers[port], run[f"output.{port}"], strict=True):
            assert vv.equal(found, expected), to_python(machine)


def duplicates():
    return sb.Machine(
        {
            "word": sb.source(tokens=("a", "b")), "seen": "accumulator", "again": "inner",
            "once": "gate", "count": "accumulator", "output": "output",
        },
        [
            "seen.accum <- seen.result", now("seen", "delta", ("word", "signal")),
            now("seen", "delta", ("once", "result"), -1), sb.Link("again", "x", ("seen", "result")),
            now("again", "y", ("word", "signal")), now("once", "mask", ("again", "dot")),
            now("once", "value", ("word", "signal")), "count.accum <- count.result",
            now("count", "delta", ("again", "dot")), now("output", "y", ("count", "result")),
        ],
    )  # fmt: skip


def test_the_function_reads_like_one_written_by_hand():
    source = to_python(duplicates(), name="repeats")
    assert source.endswith(
        """def repeats(word):
    seen = {}
    count = 0
    answers = {'y': []}
    for word_now in word:
        word_now = token(word_now) if word_now is not None else {}
        again = inner(seen, word_now)
        once = scale(again, word_now)
        seen = add(seen, word_now, scale(-1, once))
        count = count + again
        answers['y'].append(count)
    return answers
"""
    )
    assert run_plain(source, {"word": "abcab"}, "repeats") == {"y": [0, 0, 0, 1, 2]}


def test_only_what_is_needed_is_there():
    numbers = sb.Machine(
        {"x": "source", "s": "accumulator", "dead": "outer", "output": "output"},
        [
            "s.accum <- s.result",
            now("s", "delta", ("x", "signal"), 0.5),
            now("dead", "x", ("x", "signal")),
            now("output", "y", ("s", "result")),
        ],
    )
    source = to_python(numbers)
    assert "dead" not in source
    assert "import snakebird" not in source
    assert [n.name for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)] == ["program"]
    assert source.startswith("from fractions import Fraction\n")
    assert run_plain(source, {"x": [1, 1, 1]}) == {"y": [Fraction(1, 2), 1, Fraction(3, 2)]}
    assert "Fraction" not in to_python(numbers.with_weights([1] * 4))


def test_what_is_needed_later_in_the_tick_is_kept_as_before():
    swap = sb.Machine(
        {"a": "identity", "b": "identity", "output": "output"},
        ["a.x <- b.result", "b.x <- a.result", now("output", "y", ("a", "result"))],
        start={"a": {"result": 1}},
    )
    source = to_python(swap)
    assert "_before" in source
    assert run_plain(source, {"ticks": 4}) == {"y": [0, 1, 0, 1]}


def test_odd_names_become_plain_ones():
    machine = sb.Machine(
        {"max": "source", "two words": "relu", "class": "relu", "output": "output"},
        [
            now("two words", "x", ("max", "signal")),
            now("class", "x", ("two words", "result")),
            now("output", "y", ("class", "result"), 2),
        ],
    )
    assert run_plain(to_python(machine), {"max": [1, -1]}) == {"y": [2, 0]}


def test_streams_say_what_arrives_and_in_which_order():
    machine = sb.Machine({"b": "source", "output": "output"}, [now("output", "y", ("b", "signal"))])
    source = to_python(machine, streams={"a": "number", "b": "token"})
    assert run_plain(source, {"a": [1, 2], "b": ["p", None]}) == {"y": [{"p": 1}, {}]}
    with pytest.raises(InputError, match="kind of stream 'b' is 'tokens'") as caught:
        to_python(machine, streams={"b": "tokens"})
    assert "did you mean 'token'" in caught.value.hint


def test_what_plain_python_has_not_is_refused_by_name():
    read = [now("output", "y", ("t", "result"))]
    bent = sb.Machine({"t": "tanh", "output": "output"}, ["t.x <- t.result", *read])
    with pytest.raises(MachineError, match="type 'tanh' cannot be written") as caught:
        to_python(bent)
    assert caught.value.where == "neuron 't'"
    array = sb.Machine({"t": sb.constant(value=[1.0, 2.0]), "output": "output"}, read)
    with pytest.raises(MachineError, match="a constant is an array"):
        to_python(array)
    delay = sb.Machine({"t": sb.delay(ticks=1), "output": "output"}, ["t.x <- t.result", *read])
    with pytest.raises(MachineError, match="line of a delay") as caught:
        to_python(delay)
    assert "t.line <- t.line" in caught.value.hint


def test_machines_and_names_that_make_no_function_are_refused():
    with pytest.raises(MachineError, match="no link ends at 'output'"):
        to_python(sb.Machine({"output": "output"}))
    with pytest.raises(MachineError, match="no neuron named 'output'"):
        to_python(sb.Machine({"timer": "timer"}))
    with pytest.raises(MachineError, match="carries its own matrix"):
        to_python(
            sb.Machine({"self": "accumulator", "output": "output"}, matrix_from="self.result")
        )
    with pytest.raises(InputError, match="'class' cannot name"):
        to_python(duplicates(), name="class")


def test_every_helper_is_plain_python():
    space = {}
    exec("\n".join(HELPERS.values()), space)
    assert {name for name in HELPERS if space[name].__doc__} == set(HELPERS)
    assert space["nested"]({("a",): 1, ("a", "b"): 2, (): 3}) == {
        ":number": 3,
        "a": {":number": 1, "b": 2},
    }


def test_the_types_are_those_of_the_catalogue():
    assert [sb.neurons.find(name).name for name in RULES] == list(RULES)
