"""Printing and building are inverses, and the source reads like a program."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

import snakebird as sb
from snakebird.machines import Link, Machine, to_source
from snakebird.testing import machines

DETECTOR = """import snakebird as sb


@sb.machine
def duplicate_detector(char: sb.Tokens("abcdefghijklmnopqrstuvwxyz .")):
    counts = sb.accumulate(char)
    return {
        "duplicate": sb.relu(sb.max_norm(counts) - 1),
        "end": sb.inner(counts, {".": 1}),
    }"""

WAVE = """import snakebird as sb


@sb.machine
def wave():
    first = sb.constant(
        value={"self": {"delta": {"first": {"result": -1}, "second": {"result": 1}}}},
    )
    self = sb.accumulate(first)
    second = sb.constant(
        value={"self": {"delta": {"second": {"result": -1}, "third": {"result": 1}}}},
    )
    third = sb.constant(
        value={"self": {"delta": {"third": {"result": -1}, "first": {"result": 1}}}},
    )
    sb.carries_matrix(self)"""

CELL = """import snakebird as sb


@sb.machine
def cell(x: sb.Numbers("a", "b")):
    inp = sb.sigmoid(sb.instant(0.5 * x["a"] - 0.25 * x["b"]))
    forget = sb.sigmoid(sb.instant(x["a"] + 1))
    out = sb.sigmoid(sb.instant(x["b"]))
    new = sb.tanh(sb.instant(x["a"] + x["b"]))
    product = sb.product(y=sb.instant(forget))
    cell = sb.total(
        kept=sb.instant(product),
        new=sb.instant(sb.product(sb.instant(inp), sb.instant(new))),
    )
    product.feed(x=cell)
    h = sb.product(sb.instant(out), sb.instant(sb.tanh(sb.instant(cell))))
    inp.feed(x=0.1 * h)
    forget.feed(x=h)
    out.feed(x=-h / 3)
    new.feed(x=h)
    return h"""

EVERYTHING = """from fractions import Fraction

import numpy as np
import snakebird as sb


@sb.machine(name="all sorts")
def built(
    plain,
    tree: sb.Space([("a", "b"), ("c",)]),
    word: sb.Tokens(["go", "stop"]),
    calm: sb.Numbers("x") = {"x": 1},
):
    image = sb.source(
        space=sb.Space({("image",): (2, 3)}),
        tokens=("a",),
    )
    two_words = sb.clip(
        3 * plain / 4 - word["go"] - Fraction(1, 3),
        low=sb.trainable(-2.0),
        high=np.array([0.5, 1.5]),
        name="two words",
    )
    two_words.starts(result={"a": 1, "b": {"c": Fraction(1, 2)}}, free=True)
    leaky = sb.accumulator(delta=tree.all, loops=False)
    leaky.feed(accum=0.9 * leaky)
    compare = sb.compare(sb.fixed(two_words + leaky), 1e-300 * plain)
    compare.starts({"free": 1}, free=["true", ("false", "a")])
    mix = sb.superfluid(self=compare.true, **{":function": {"relu": 1}, "odd name": compare.all})
    return mix["odd name"] + 2 * mix.other["deep"] + sb.instant(sb.fixed(compare.false))"""


def rebuilt(source: str) -> Machine:
    space: dict = {}
    exec(source, space)
    (found,) = [value for value in space.values() if isinstance(value, Machine)]
    return found


@given(machines())
def test_the_source_of_a_machine_builds_an_equal_one(machine: Machine):
    built = rebuilt(to_source(machine))
    assert built == machine
    assert [exact(link) for link in built.links] == [exact(link) for link in machine.links]


marks = st.tuples(st.booleans(), st.booleans(), st.sampled_from([1, -1, 2, -0.5]))
terms = st.sets(st.tuples(st.sampled_from(["one.result", "x.signal", "y.signal"]), marks))


@given(terms)
def test_numbers_and_streams_with_any_marks_print_as_what_they_are(chosen: set):
    places = {(source, instant): (free, w) for source, (instant, free, w) in chosen}
    links = [
        Link("n", "x", tuple(source.split(".")), w, instant, free)
        for (source, instant), (free, w) in sorted(places.items())
    ]
    names = {source.split(".")[0] for source, _ in places}
    kinds = {n: sb.constant(value=1) if n == "one" else sb.source() for n in names}
    machine = Machine({**kinds, "n": "relu"}, links)
    assert rebuilt(to_source(machine)) == machine


def exact(link: Link) -> tuple:
    """A link with the kind of its weight: an int is not a float, but a whole fraction is an int."""
    weight = link.weight
    whole = isinstance(weight, Fraction) and weight.denominator == 1
    one = abs(weight) == 1  # written as `x` and `-x`, whatever its kind
    return link, int if whole or one else type(weight)


@pytest.mark.parametrize("source", [DETECTOR, WAVE, CELL])
def test_a_program_prints_as_it_was_written(source):
    assert to_source(rebuilt(source)) == source
    assert str(rebuilt(source)) == source


def test_all_sorts_of_things_print():
    machine = rebuilt(EVERYTHING.replace('compare.starts({"free": 1}, ', "compare.starts("))
    assert rebuilt(to_source(machine)) == machine


def test_the_representation_stays_short():
    assert repr(rebuilt(DETECTOR)) == "<machine 'duplicate_detector': 8 neurons, 9 links>"


def body(machine: Machine) -> list[str]:
    """The statements of a source, each on one line."""
    assert rebuilt(to_source(machine)) == machine
    text = to_source(machine)
    return [line.strip() for line in text[text.index("def ") :].split("\n")][1:]


def test_a_machine_without_anything():
    assert to_source(Machine({})) == (
        'import snakebird as sb\n\n\n@sb.machine(name="")\ndef built():\n    pass'
    )


def test_memory_is_implied_only_where_the_builder_links_it_so():
    loop = Link("n", "timer", ("n", "timer"))
    assert body(Machine({"n": "timer"}, [Link(*loop.place[:3], 1, trainable=False)])) == [
        "n = sb.timer()"
    ]
    assert body(Machine({"n": "timer"}, [loop])) == [
        "n = sb.timer(loops=False)",
        "n.feed(timer=n)",
    ]
    assert body(Machine({"n": "timer"})) == ["n = sb.timer(loops=False)"]


def test_a_machine_that_is_not_trained_says_so_once():
    machine = rebuilt(DETECTOR).fixed()
    source = to_source(machine)
    assert source == DETECTOR.replace("@sb.machine", "@sb.machine(fixed=True)")
    assert rebuilt(source) == machine


def test_names_a_builder_would_not_give_are_given():
    chain = [("b.x", "relu_2.result"), ("output.y", "b.result")]
    machine = Machine({"relu_2": "relu", "b": "tanh", "output": "output"}, chain)
    assert body(machine) == ["relu_2 = sb.relu()", "b = sb.tanh(relu_2)", 'return {"y": b}']
    odd = Machine({"class": "relu", "a b": "relu", "1": "timer", "sb": "relu"})
    assert body(odd) == [
        'class_2 = sb.relu(name="class")',
        'a_b = sb.relu(name="a b")',
        'neuron_1 = sb.timer(loops=False, name="1")',
        'sb_2 = sb.relu(name="sb")',
    ]


def test_numbers_come_from_the_shared_one_unless_it_is_special():
    one = sb.constant.with_parameters(value=1)
    machine = Machine({"one": one, "n": "relu"}, [Link("n", "x", ("one", "result"), -2)])
    assert body(machine) == ["n = sb.relu(-2)"]
    assert body(machine.replace(start={"one": {"result": 1}})) == [
        "one = sb.constant(value=1)",
        "one.starts(result=1)",
        "n = sb.relu(-2 * one)",
    ]
    unused = Machine({"one": one})
    assert body(unused) == ["one = sb.constant(value=1)"]


def test_weights_from_arrays_print_as_their_exact_value():
    machine = Machine({"n": "relu"}, [Link("n", "x", ("n", "result"), np.float32(0.1))])
    assert body(machine) == ["n = sb.relu()", "n.feed(x=0.10000000149011612 * n)"]


def test_arrays_print_in_the_shortest_form_of_their_own_type():
    values = np.array([[0.1, 2.0], [3.0, 1e30]], np.float32)
    machine = Machine({"n": sb.array_source.with_parameters(values=values)})
    assert body(machine) == [
        'n = sb.array_source(values=np.array([[0.1, 2.0], [3.0, 1e+30]], "float32"))'
    ]


def test_a_type_of_ones_own_is_fetched():
    @sb.neuron(name="my twice")
    def twice(x, *, by=2.0):
        return sb.vvalues.scale(by, x)

    machine = Machine({"n": twice.with_parameters(by=3)}, name="m")
    assert to_source(machine) == (
        "import snakebird as sb\n\n"
        'my_twice = sb.neurons.find("my twice")\n\n\n'
        "@sb.machine\ndef m():\n    n = my_twice(by=3)"
    )
    assert rebuilt(to_source(machine)) == machine


def test_python_objects_print_as_placeholders():
    def bend(v):
        return v

    with sb.Builder(name="m") as b:
        n = sb.timer()
        net = sb.call_neuron(bend)(n)  # noqa: F841
    text = to_source(b.machine)
    assert text == (
        "import snakebird as sb\n\n\n"
        "@sb.machine\ndef m():\n"
        "    n = sb.timer()\n"
        '    # function of "net" is a Python object: '
        "<function test_python_objects_print_as_placeholders.<loca...\n"
        '    net = sb.call_neuron(..., inputs=("v",), outputs=("result",))(n)'
    )


def test_long_sums_are_wrapped():
    names = [f"source_{k}" for k in range(12)]
    links = [Link("n", "x", (name, "signal"), 0.5) for name in names]
    machine = Machine({**dict.fromkeys(names, sb.source), "n": "relu"}, links)
    source = to_source(machine)
    assert max(map(len, source.split("\n"))) <= 92
    assert "\n        + 0.5 * source_1\n" in source
    assert rebuilt(source) == machine
