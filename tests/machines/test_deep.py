"""Machines that hold trees of thousands of levels."""

import json

import jax
import pytest

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.errors import FileFormatError, MachineError
from snakebird.machines import Machine, from_json, to_json, to_source

DEPTH = 3000


def chain(leaf, depth=DEPTH):
    tree = leaf
    for _ in range(depth):
        tree = {"a": tree}
    return tree


def holding(tree) -> Machine:
    return Machine(
        {"c": sb.constant(value=tree), "i": "identity", "out": "output"},
        ["i.x <- 0.5 * c.result", "out.y <- i.result"],
        {"i": {"result": chain(8)}},
    )


def test_both_engines_and_back():
    machine = holding(chain(2))
    assert machine == holding(chain(2))
    assert machine != holding(chain(3))
    assert "deep tree" in repr(machine.neurons["c"])
    at = ("a",) * DEPTH
    slow = [vv.get(x, *at) for x in sb.run(machine, 3)["out.y"]]
    assert [float(vv.number(x)) for x in slow] == [8, 0, 1]
    low = sb.lower(machine)
    assert low(ticks=3)["out.y"].data[:, 0].tolist() == [8, 0, 1]
    assert sb.lift(low) == machine
    moved = sb.lift(jax.tree.map(lambda x: 2 * x, low))
    assert vv.get(moved.start, "i", "result", *at) == 16


def test_json_data():
    assert vv.equal(vv.from_json(vv.to_json(chain(2))), chain(2))
    assert vv.equal(vv.from_json(chain("1/2")), chain(0.5))


def test_the_source_names_what_it_cannot_write():
    text = to_source(holding(chain(2)))
    assert '# value of "c" is a Python object: a tree of more than 100 levels' in text
    assert "sb.constant(value=...)" in text


def test_a_file_holds_a_hundred_levels():
    with pytest.raises(MachineError) as error:
        to_json(holding(chain(2)))
    assert str(error.value) == (
        "the parameter 'value' of the neuron 'c' is nested deeper than a file may be, "
        "100 levels in all\n  at parameter 'value' of the neuron 'c'\n"
        "  hint: hold long lists as arrays"
    )
    shallow = Machine({"c": sb.constant(value=chain(2, 95))})
    assert from_json(to_json(shallow)) == shallow
    with pytest.raises(MachineError, match="the machine is nested deeper than a file may be"):
        to_json(Machine({"c": sb.constant(value=chain(2, 98))}))


def test_a_runner_says_what_no_file_can_hold(tmp_path):
    runner = sb.Runner(Machine({"i": "memory"}, ["i.x <- i.result"]))
    runner.set_output("i.result", chain(2)).advance(2)
    with pytest.raises(MachineError, match="a tree that is nested too deeply for a file"):
        runner.save(tmp_path / "run.json")
    runner = sb.Runner(Machine({"i": "memory"}, ["i.x <- i.result"])).advance(1)
    runner.save(tmp_path / "run.json")
    text = (tmp_path / "run.json").read_text()
    json.loads(text)
    deep = '"outputs": {"i": {"result": ' + '{"a": ' * 900 + "1" + "}" * 900 + "}}"
    (tmp_path / "run.json").write_text(text.replace('"outputs": {}', deep))
    with pytest.raises(FileFormatError):
        sb.Runner.restore(tmp_path / "run.json")
