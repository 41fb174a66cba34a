"""Files of machines in neurons and of Python functions, which only run where they are allowed."""

import json
import sys

import equinox as eqx
import jax
import numpy as np
import pytest

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.errors import FileFormatError, MachineError
from snakebird.machines import Machine, from_json, to_json

ME = __name__


def squared(x):
    return x * x


def polar(x, y):
    return {"length": x + y, "angle": x - y}


class Maker:
    """A function that does not stand at the top of its module."""

    @staticmethod
    def halved(x):
        return x / 2


def counter() -> Machine:
    return Machine(
        {"u": sb.source(space=sb.Space([()])), "m": "accumulator", "out": "output"},
        ["m.accum <- m.result", "m.delta <- 0.5 * u.signal", "out.total <- m.result"],
        {"m": {"result": 0.25}},
        name="counter",
    )


def holding(neuron: sb.Neuron, port: str = "u") -> Machine:
    links = [f"n.{port} <- one.result", *(["n.state <- n.state"] * ("state" in neuron.type.inputs))]
    return Machine({"one": "constant", "n": neuron}, links)


def grower() -> Machine:
    """Its list gets one level deeper every tick."""
    return Machine(
        {"step": sb.constant(value={"z": 1.0}), "list": "outer", "out": "output"},
        ["list.x <- list.result", "list.y <- step.result", "out.deep <- list.result"],
        {"step": {"result": {"z": 1.0}}, "list": {"result": {"k": 1.0}}},
    )


def in_another() -> sb.Neuron:
    links = ["n.state <- n.state", "n.u <- u.signal", "out.y <- n.total"]
    kinds = {"u": sb.source(space=sb.Space([()])), "n": sb.machine_neuron(counter(), ticks=2)}
    return sb.machine_neuron(Machine({**kinds, "out": "output"}, links), train=False)


NESTED = [
    holding(sb.machine_neuron(counter(), ticks=3)),
    holding(sb.machine_neuron(counter(), inputs={"a": "u"}, outputs={"m": "m.result"}), "a"),
    holding(in_another()),
    Machine({"n": sb.machine_neuron(grower(), grow=6)}, ["n.state <- n.state"]),
    Machine(
        {"n": sb.machine_neuron(grower(), grow={"list.result": [("k", "z"), ("k", "z", "z")]})},
        ["n.state <- n.state"],
    ),
]
CALLED = [sb.call_neuron(squared), sb.call_neuron(Maker.halved, train=False)]
CALLED += [sb.call_neuron(squared, shapes={"x": (2,)}), sb.call_neuron(jax.nn.relu)]


@pytest.mark.parametrize("machine", NESTED)
def test_a_nested_machine_comes_back(machine):
    loaded = from_json(to_json(machine))
    assert loaded == machine
    assert to_json(loaded) == to_json(machine)
    assert sb.lower(loaded).plan == sb.lower(machine).plan


def test_a_trained_nested_machine_comes_back():
    machine = NESTED[0]
    low = sb.lower(machine, record="n.total")
    moved = sb.lift(jax.tree.map(lambda x: 0.5 * x, low))
    loaded = from_json(to_json(moved))
    assert loaded == moved
    assert loaded != machine
    slow, fast = (np.array(sb.run(m, 4)["n.total"], float) for m in (moved, loaded))
    np.testing.assert_array_equal(slow, fast)


@pytest.mark.parametrize("neuron", CALLED)
def test_an_importable_function_comes_back(neuron):
    machine = Machine({"n": neuron})
    text = to_json(machine)
    allowed = neuron.parameters["function"]
    for allow in ([allowed.__module__], [sys.modules[allowed.__module__]], [allowed]):
        loaded = from_json(text, allow=allow)
        assert loaded == machine
        assert loaded.neurons["n"].trainable == neuron.trainable
    assert from_json(text, allow=["json", allowed.__module__]) == machine


def test_several_ports_and_a_function_inside_a_nested_machine():
    neuron = sb.call_neuron(polar, outputs=("length", "angle"))
    inner = Machine({"p": neuron, "out": "output"}, ["out.r <- p.length"])
    machine = holding(sb.machine_neuron(inner), "state")
    text = to_json(machine)
    assert from_json(text, allow=[ME]) == machine
    assert f'"function": "{ME}:polar"' in text


def test_what_a_file_with_made_neurons_looks_like():
    text = to_json(Machine({"n": sb.call_neuron(squared)}, name="m"))
    line = f'"function": {{"function": "{ME}:squared"}}, "inputs": ["x"], "outputs": ["result"]'
    assert text == (
        '{\n  "format": "snakebird machine",\n  "version": 2,\n  "name": "m",\n  "neurons": {\n'
        f'    "n": {{"make": "call_neuron", "with": {{{line}, "shapes": {{"pairs": []}}, '
        '"train": true}}\n  },\n  "links": []\n}\n'
    )
    assert json.loads(to_json(Machine({"n": "timer"})))["version"] == 1


def test_nothing_runs_and_nothing_is_imported_that_is_not_allowed(tmp_path):
    path = tmp_path / "m.json"
    sb.save(Machine({"n": sb.call_neuron(squared)}), path)
    with pytest.raises(FileFormatError) as error:
        sb.load(path)
    assert (
        error.value.what
        == f"the file calls the Python function '{ME}:squared', which is not allowed"
    )
    assert error.value.where == f"{path}: neurons.n.with.function.function, line 6"
    assert error.value.hint == f"if you trust the file, load it with allow=['{ME}']"
    assert sb.load(path, allow=[ME]).neurons["n"].parameters["function"] is squared
    path.write_text(path.read_text().replace(ME, "this"))
    for allow in ([], ["json"], [squared]):
        with pytest.raises(FileFormatError, match="'this:squared', which is not allowed"):
            sb.load(path, allow=allow)
    assert "this" not in sys.modules


@pytest.mark.parametrize("name", ["squared.__call__", "np.array", "sys.exit", "nothing", "", "ME"])
def test_an_allowed_module_gives_only_functions_of_its_own(name):
    text = to_json(Machine({"n": sb.call_neuron(squared)})).replace(":squared", f":{name}")
    with pytest.raises(FileFormatError, match=r"has no function '.*' of its own"):
        from_json(text, allow=[ME])


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x, "<lambda>"),
        (jax.tree_util.Partial(squared), "<class 'jax.tree_util.Partial'>"),
        (eqx.nn.Linear(1, 1, key=jax.random.key(0)), "<class 'equinox.nn._linear.Linear'>"),
    ],
)
def test_functions_without_an_importable_name_are_not_saved(function, said):
    machine = Machine({"net": sb.call_neuron(function, inputs=("x",))})
    with pytest.raises(MachineError) as error:
        to_json(machine)
    assert error.value.what == (
        f"the function of the neuron 'net' is a Python object that no module gives by name: {said}"
    )
    assert error.value.where == "function of the neuron 'net'"
    assert error.value.hint == "write it with def at the top of a module that can be imported"


@pytest.mark.parametrize(
    ("old", "new", "what", "where"),
    [
        ('"machine_neuron"', '"eval"', "nothing that makes neurons is named 'eval'", "make"),
        ('"ticks": 3', '"ticks": 0', "ticks=0, expected a whole number", "with"),
        ('"ticks": 3', '"tock": 3', "machine_neuron cannot take this: ", "with"),
        ('"inputs": {"pairs": [["u", "u"]]}', '"inputs": 3', "machine_neuron cannot take", "with"),
        (
            '["u", "u"]',
            '["u"]',
            'found ["u"], expected a key and its value',
            "with.inputs.pairs[0]",
        ),
        ('"accumulator"', '"acumulator"', "no neuron type is named 'acumulator'", ".m.type"),
        ('"weight": 0.5', '"weight": "x"', 'found "x", expected a number', ".links[1].weight"),
        ('["m", "delta"]', '["m", "dlta"]', "accumulator has no input 'dlta'", ".links[1]"),
    ],
)
def test_what_is_wrong_inside_is_said_with_its_place(old, new, what, where):
    text = to_json(NESTED[0])
    assert old in text
    with pytest.raises(FileFormatError) as error:
        from_json(text.replace(old, new))
    assert what in error.value.what
    assert where in error.value.where


def test_a_runner_of_nested_machines_and_functions_is_saved(tmp_path):
    neurons = {"n": sb.machine_neuron(grower(), grow=2), "f": sb.call_neuron(squared)}
    machine = Machine(neurons, ["n.state <- n.state", "f.x <- n.deep.k.z"])
    runner = sb.Runner(machine, chunk=4, record=["n.deep", "f.result"]).advance(4)
    runner.save(tmp_path / "run.json")
    with pytest.raises(FileFormatError, match="which is not allowed"):
        sb.Runner.restore(tmp_path / "run.json")
    again = sb.Runner.restore(tmp_path / "run.json", allow=[ME]).advance(4)
    for port in ("n.deep", "f.result"):
        pairs = zip(runner.advance(4).trees(port), again.advance(4).trees(port), strict=False)
        assert all(vv.equal(a, b) for a, b in pairs)
