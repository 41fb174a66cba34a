"""The builder: what a source says is what the machine is, and mistakes are named."""

from fractions import Fraction

import numpy as np
import pytest

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.errors import MachineError, SnakebirdError, UnknownNameError
from snakebird.machines import Link, Machine, run


def links(machine: Machine) -> list[str]:
    return [str(link) for link in machine.links]


@sb.machine
def detector(char: sb.Tokens("abc.")):
    counts = sb.accumulate(char)
    return {"duplicate": sb.relu(sb.max_norm(counts) - 1), "end": sb.inner(counts, {".": 1})}


def test_a_function_over_streams_is_a_machine():
    assert detector.name == "detector"
    assert links(detector) == [
        "counts.accum <- counts.result (fixed)",
        "counts.delta <- char.signal",
        "inner.x <- counts.result",
        "inner.y <- constant.result",
        "max_norm.x <- counts.result",
        "output.duplicate <- relu.result",
        "output.end <- inner.dot",
        "relu.x <- max_norm.norm",
        "relu.x <- -1 * one.result",
    ]
    done = run(detector, 8, inputs={"char": "abca."})
    assert done["output.duplicate"] == [{}] * 7 + [1]
    assert done["output.end"][-1] == 1


def test_arithmetic_keeps_exact_numbers_exact():
    @sb.machine
    def m(x, y):
        sb.relu(x / 3 + 2 * y - 0.5 * x["a"] + sum([y["b"], y["c"] * Fraction(3, 4)]) + 5)
        sb.tanh(np.float64(0.25) * x - -(+y) + (1 - 6 * y["d"] / 2) + x["k"] / 2.0)

    weights = {link.path: link.weight for link in m.links}
    assert weights == {
        ("relu", "x", "x", "signal"): Fraction(1, 3),
        ("relu", "x", "y", "signal"): 2,
        ("relu", "x", "x", "signal", "a"): -0.5,
        ("relu", "x", "y", "signal", "b"): 1,
        ("relu", "x", "y", "signal", "c"): Fraction(3, 4),
        ("relu", "x", "one", "result"): 5,
        ("tanh", "x", "x", "signal"): 0.25,
        ("tanh", "x", "y", "signal"): 1,
        ("tanh", "x", "one", "result"): 1,
        ("tanh", "x", "y", "signal", "d"): -3,
        ("tanh", "x", "x", "signal", "k"): 0.5,
    }
    assert {type(w) for p, w in weights.items() if p[2] == "one"} == {int}
    assert type(weights["tanh", "x", "y", "signal", "d"]) is int


def test_marks_go_with_terms():
    @sb.machine
    def m(x):
        sb.relu(sb.instant(2 * x) + sb.fixed(x) + sb.instant(sb.fixed(1)))

    assert m.links == (
        Link("relu", "x", ("one", "result"), 1, instant=True, trainable=False),
        Link("relu", "x", ("x", "signal"), 1, trainable=False),
        Link("relu", "x", ("x", "signal"), 2, instant=True),
    )


def test_a_number_comes_with_the_instant_stream_it_is_added_to():
    @sb.machine
    def m(x: sb.Space([()]), y: sb.Space([()])):
        sb.relu(1 - sb.instant(x), name="soon")
        sb.relu(y - 1 + sb.instant(x), name="both")
        sb.relu(sb.instant(x) + sb.instant(1, now=False), name="late")

    ones = {link.to: link.instant for link in m.links if link.source[0] == "one"}
    assert ones == {"soon": True, "both": False, "late": False}
    ticks = sb.run(m, inputs={"x": [3, 0.25, 0.5]})["soon.result"]
    assert [float(vv.number(x)) for x in ticks] == [0, 0.75, 0.5]
    fast = sb.lower(m, record="soon.result")({"x": [3, 0.25, 0.5]}).number("soon.result")
    assert fast.tolist() == [0, 0.75, 0.5]


def test_a_machine_may_be_fixed_as_a_whole():
    @sb.machine(fixed=True, name="still")
    def m(x):
        sb.relu(x)

    assert (m.name, [link.trainable for link in m.links]) == ("still", [False])


def test_variables_name_neurons_then_types_do():
    @sb.machine
    def m(x):
        first = sb.relu(x)
        sb.relu(first)
        given = sb.relu(first, name="a b")
        last = other = sb.relu(given)
        relu_2 = sb.relu(last)
        assert (relu_2.name, given.name) == ("relu_4", "a b")
        return sb.relu(other)

    assert set(m.neurons) == {"x", "first", "relu", "a b", "last", "relu_2", "relu_3", "output"}


def test_a_block_builds_too():
    with sb.Builder(name="clock") as b:
        n = sb.timer()
        late = sb.relu(n - 3)
        late.feed(x=0.5 * late)
    assert b.machine == Machine(
        {"n": "timer", "late": "relu", "one": sb.constant.with_parameters(value=1)},
        [
            Link("n", "timer", ("n", "timer"), 1, trainable=False),
            ("late.x", "n.timer"),
            ("late.x", "one.result", -3),
            ("late.x", "late.result", 0.5),
        ],
        name="clock",
    )


def test_memory_is_linked_unless_it_is_given():
    @sb.machine
    def m(x):
        usual = sb.accumulator(delta=x)
        given = sb.accumulator(0.5 * usual, x)
        apart = sb.accumulator(delta=x, loops=False)
        apart.feed(accum=0.9 * apart)
        return given

    assert [text for text in links(m) if ".accum" in text] == [
        "apart.accum <- 0.9 * apart.result",
        "given.accum <- 0.5 * usual.result",
        "usual.accum <- usual.result (fixed)",
    ]


def test_outputs_are_attributes_items_and_all():
    @sb.machine
    def m(x):
        c = sb.compare(x, 1)
        mix = sb.superfluid(**{":function": {"relu": 1}, "any name": c.true, "self": c["false"]})
        sb.output(a=mix["any name"], b=mix.all, c=mix.other["deep"]["er"], d=x.signal["signal"])

    assert [link.source for link in m.links if link.to == "output"] == [
        ("mix", "any name"),
        ("mix",),
        ("mix", "other", "deep", "er"),
        ("x", "signal", "signal"),
    ]
    assert {link.input for link in m.links if link.to == "mix"} == {":function", "any name", "self"}


def test_an_input_may_be_called_name_or_loops():
    @sb.machine
    def m(x):
        sb.output(name=x, loops=2 * x)

    assert links(m) == ["output.loops <- 2 * x.signal", "output.name <- x.signal"]


def test_start_values_and_free_ones():
    @sb.machine
    def m(x):
        n = sb.memory(x)
        n.starts(result=2, free=True)
        k = sb.compare(x).starts({"true": 1}, free=["false", ("true", "a")])
        sb.identity(k.true).starts(7)

    assert m.start == {"n": {"result": 2}, "k": {"true": 1}, "identity": {"result": 7}}
    assert m.free_start == {("n", "result"), ("k", "false"), ("k", "true", "a")}


def test_a_machine_may_carry_its_matrix():
    @sb.machine
    def m():
        self = sb.accumulator()
        sb.carries_matrix(self.result)

    assert m.matrix_from == ("self", "result")


def test_sources_say_what_may_arrive():
    space = sb.Space([("a", "b"), ()])

    @sb.machine
    def m(
        letter: sb.Tokens("aab"),
        word: sb.Tokens(["go", "stop"]),
        point: sb.Numbers("x", "y"),
        tree: space,
        plain,
        number: float,
        *,
        calm: sb.Numbers("x") = {"x": 1},  # noqa: B006
    ):
        pass

    given = {name: dict(neuron.parameters) for name, neuron in m.neurons.items()}
    root = sb.Space([()])
    assert given == {
        "letter": {"default": {}, "tokens": ("a", "b"), "space": None},
        "word": {"default": {}, "tokens": ("go", "stop"), "space": None},
        "point": {"default": {}, "tokens": (), "space": sb.Space([("x",), ("y",)])},
        "tree": {"default": {}, "tokens": (), "space": space},
        "plain": {"default": {}, "tokens": (), "space": root},
        "number": {"default": {}, "tokens": (), "space": root},
        "calm": {"default": {"x": 1}, "tokens": (), "space": sb.Space([("x",)])},
    }


def test_any_function_is_a_neuron():
    @sb.machine
    def m(x):
        bent = sb.call_neuron(lambda v: v * v)(x)
        return bent

    assert links(m) == ["bent.v <- x.signal", "output.result <- bent.result"]


def test_a_hand_made_one_serves_as_the_shared_one():
    @sb.machine
    def shared(x):
        one = sb.constant(value=1)
        return x + 1 + one["a"]

    @sb.machine
    def apart(x):
        one = sb.constant(value=2)
        return x + 1 + one

    assert set(shared.neurons) == {"x", "one", "output"}
    assert set(apart.neurons) == {"x", "one", "one_2", "output"}


def raises(build, kind: type[SnakebirdError] = MachineError) -> str:
    with pytest.raises(kind) as error:
        sb.machine(name="m")(build)
    return str(error.value)


STREAMS = ": links only add streams and scale them by numbers"
SOURCE = "a machine's source"


@pytest.mark.parametrize(
    ("build", "what", "where", "hint"),
    [
        (
            lambda x: x * x,
            "two streams are multiplied" + STREAMS,
            SOURCE,
            "write sb.product(x, y), or sb.gate(x, y) when x is a number",
        ),
        (
            lambda x: x / x,
            "a stream is divided by a stream" + STREAMS,
            SOURCE,
            "write sb.product(x, sb.reciprocal(y))",
        ),
        (
            lambda x: 1 / x,
            "a number is divided by a stream" + STREAMS,
            SOURCE,
            "write sb.reciprocal(x)",
        ),
        (lambda x: x**2, "a power of a stream" + STREAMS, SOURCE, "write sb.product(x, x)"),
        (
            lambda x: x @ x,
            "a matrix product of streams" + STREAMS,
            SOURCE,
            "write sb.matrix_product(x, y)",
        ),
        (
            lambda x: abs(x),
            "the absolute value of a stream" + STREAMS,
            SOURCE,
            "write sb.absolute(x)",
        ),
        (
            lambda x: max(x, 0),
            "streams are compared" + STREAMS,
            SOURCE,
            "write sb.compare(x, y), sb.maximum(x, y) or sb.minimum(x, y)",
        ),
        (
            lambda x: x and 1,
            "a stream decides a branch, but has no value while the machine is built" + STREAMS,
            SOURCE,
            "write sb.gate(mask, x)",
        ),
        (
            lambda x: sb.compare(x, 1) + 1,
            "compare has the outputs true, false, so it is no stream by itself",
            "neuron compare",
            "write compare.true, or .all for the tree of all outputs",
        ),
        (
            lambda x: -sb.superfluid(x=x),
            "superfluid names its outputs itself, so it is no stream by itself",
            "neuron superfluid",
            "write node.port, node['port'], or node.all for the tree of all outputs",
        ),
        (
            lambda x: (x + 1)["a"],
            "the number 1 has no part 'a'",
            "a sum of streams",
            "select before adding the number",
        ),
        (
            lambda x: x[0],
            "0 stands where the name of a part is expected",
            "a stream",
            'names are texts: write stream["0"]',
        ),
        (
            lambda x: sb.relu(x, x),
            "relu takes 1 positional input, 2 were given",
            "neuron type relu",
            "call relu(x) -> result",
        ),
        (
            lambda x: sb.relu(x, x=x),
            "the input 'x' is given twice",
            "neuron type relu",
            "add the streams up",
        ),
        (
            lambda x: sb.clip(x, low=x),
            "the parameter 'low' of clip is given a stream",
            "neuron type clip",
            "parameters are values; only inputs take streams",
        ),
        (
            lambda x: sb.noise(key=x),
            "'key' is filled in while the machine runs",
            "neuron type noise",
            "leave it out",
        ),
        (
            lambda x: sb.relu("x"),
            "found str, expected a stream, a number or a tree of numbers",
            "input relu.x",
            "pass a node, one of its outputs, or a sum of those",
        ),
        (
            lambda x: [sb.relu(x, name="a"), sb.tanh(x, name="a")],
            "two neurons are named 'a'",
            "machine 'm'",
            "give one another name=",
        ),
        (
            lambda x: sb.carries_matrix(2 * x),
            "<stream 2 * x.signal> is not an output",
            "carries_matrix",
            "give one output: node.result",
        ),
    ],
)
def test_mistakes_are_named(build, what, where, hint):
    assert raises(build) == f"{what}\n  at {where}\n  hint: {hint}"


@pytest.mark.parametrize(
    ("build", "what", "where", "hint"),
    [
        (
            lambda x: sb.compare(x).ture,
            "compare has no output 'ture'",
            "neuron compare",
            "did you mean 'true'?",
        ),
        (
            lambda x: sb.clip(x, hihg=2),
            "clip has no input or parameter 'hihg'",
            "neuron type clip",
            "did you mean 'high'?",
        ),
        (lambda x: sb.relu().feed(y=x), "relu has no input 'y'", "neuron relu", "known here: 'x'"),
    ],
)
def test_unknown_names_are_named(build, what, where, hint):
    assert raises(build, UnknownNameError) == f"{what}\n  at {where}\n  hint: {hint}"


def test_a_stream_has_no_attribute_like_an_ordinary_object():
    def build(x):
        assert not hasattr(x, "nothing")
        with pytest.raises(TypeError):
            list(x)

    assert sb.machine(build).links == ()


def test_parts_of_two_machines_do_not_mix():
    with sb.Builder(name="a"):
        n = sb.timer()
    with sb.Builder(name="b"), pytest.raises(MachineError) as error:
        sb.relu(n)
    assert str(error.value) == (
        "'n' belongs to another machine\n  at machine 'b'\n  hint: build both parts in one function"
    )


def test_an_annotation_that_says_nothing_is_named():
    def build(x: str):
        return x

    assert raises(build) == (
        "the annotation <class 'str'> does not say what may arrive\n"
        "  at parameter 'x' of machine 'm'\n"
        '  hint: write sb.Tokens("abc"), sb.Numbers("x", "y"), a Space, or nothing for a number'
    )


def test_open_parameter_lists_are_refused():
    assert raises(lambda *x: None) == (
        "the sources of machine 'm' must be named one by one\n"
        "  at parameter *x\n"
        "  hint: write a parameter for each source"
    )


def test_a_neuron_outside_a_builder_says_how_to_compute():
    with pytest.raises(MachineError, match=r"computes by apply"):
        sb.call_neuron(lambda x: x)(1)


def test_every_catalogue_type_is_at_the_root():
    from snakebird import neurons

    for name, kind in neurons.REGISTRY.items():
        if getattr(neurons, name, None) is kind:
            assert getattr(sb, name) is kind


def test_a_stream_given_to_a_memory_adds_to_what_it_holds():
    @sb.machine
    def kept(hand):
        memory = sb.memory(hand)
        passed = sb.memory(hand, loops=False)
        return {"kept": memory, "passed": passed}

    assert links(kept)[:2] == ["memory.x <- hand.signal", "memory.x <- memory.result (fixed)"]
    done = run(kept, 4, inputs={"hand": [2]})
    assert done["output.kept"] == [{}, {}, 2, 2]
    assert done["output.passed"] == [{}, {}, 2, {}]
    namespace: dict = {}
    exec(str(kept), namespace)
    assert namespace["kept"] == kept
