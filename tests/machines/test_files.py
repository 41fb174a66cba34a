"""Machine files: what is saved comes back, and nothing else is taken for a machine."""

import json
import random
import string
from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

import snakebird as sb
from snakebird.errors import FileFormatError, MachineError, SnakebirdError
from snakebird.machines import Machine, from_json, to_json
from snakebird.neurons import Neuron
from snakebird.testing import machines
from tests.unchecked import unchecked

CLOCK = """{
  "format": "snakebird machine",
  "version": 1,
  "name": "clock",
  "neurons": {
    "n": {"type": "timer"},
    "late": {"type": "clip", "parameters": {"high": "1/3"}, "trainable": ["high"]}
  },
  "links": [
    {"to": ["late", "x"], "from": ["n", "timer"], "weight": 0.5},
    {"to": ["n", "timer"], "from": ["n", "timer"], "weight": 1, "trainable": false}
  ],
  "start": {
    "n": {"timer": 3}
  },
  "free_start": [
    ["n", "timer"]
  ]
}
"""


@given(machines())
def test_what_is_saved_comes_back(machine: Machine):
    text = to_json(machine)
    loaded = from_json(text)
    assert loaded == machine
    assert list(loaded.neurons) == list(machine.neurons)
    again = to_json(loaded)
    assert to_json(from_json(again.encode())) == again


def test_a_file_is_readable_and_exact():
    assert to_json(from_json(CLOCK)) == CLOCK


def test_save_and_load(tmp_path):
    machine = from_json(CLOCK)
    sb.save(machine, tmp_path / "clock.json")
    sb.save(machine.replace(name="second"), tmp_path / "clock.json")
    assert sb.load(tmp_path / "clock.json") == machine.replace(name="second")
    assert [path.name for path in tmp_path.iterdir()] == ["clock.json"]


def test_a_machine_that_cannot_be_saved_leaves_the_file_alone(tmp_path):
    path = tmp_path / "m.json"
    sb.save(from_json(CLOCK), path)
    with pytest.raises(MachineError) as error:
        sb.save(Machine({"net": sb.solve_neuron(lambda t, y, args: -y, 1.0)}), path)
    assert str(error.value) == (
        "the neuron 'net' is of a type that is not registered, 'solve': "
        "Python objects cannot be saved\n"
        "  at neuron net\n"
        "  hint: make the type with @sb.neuron at the top of a module"
    )
    assert path.read_text() == CLOCK


def test_a_machine_needs_a_folder_to_be_saved_in(tmp_path):
    path = tmp_path / "none" / "m.json"
    with pytest.raises(FileFormatError) as error:
        sb.save(from_json(CLOCK), path)
    assert str(error.value) == (
        f"there is no folder {str(path.parent)!r}\n  at {path}\n"
        "  hint: make the folder first, or save to another"
    )


def test_an_object_as_a_parameter_cannot_be_saved():
    machine = Machine({"n": Neuron(sb.constant, {"value": {"a": object()}})})
    with pytest.raises(MachineError, match=r"the parameter 'value' of the neuron 'n' is a Python"):
        to_json(machine)


def test_what_is_not_finite_cannot_be_saved():
    machine = Machine({"n": Neuron(sb.clip, {"low": -1.0, "high": float("inf")})})
    with pytest.raises(MachineError, match="'high' of the neuron 'n' is not finite"):
        to_json(machine)


def changed(old: str, new: str) -> str:
    assert CLOCK.count(old) == 1
    return CLOCK.replace(old, new)


OWN = "did you mean 'timer' or 'outer' or 'inner'?; "
OWN += "a type of your own: import its file before loading; for a command, --neurons FILE"
NUMBER = 'write a finite number, or a fraction like "1/3"'
KIND = "give a file that sb.save wrote"
BEGIN = 'a machine file begins {"format": "snakebird machine", "version": 1'


@pytest.mark.parametrize(
    ("text", "what", "where", "hint"),
    [
        (
            changed('"timer": 3', '"timer": "three"'),
            'found "three", expected a number',
            "m.json: start.n.timer, line 14",
            NUMBER,
        ),
        (
            changed("0.5", "NaN"),
            "found NaN, expected a finite number",
            "m.json: links[0].weight, line 10",
            NUMBER,
        ),
        (
            changed("0.5", "1e999"),
            "found a number without bounds, expected a finite number",
            "m.json: links[0].weight, line 10",
            NUMBER,
        ),
        (
            changed("0.5", "[1, 2]"),
            "found [1, 2], expected a number",
            "m.json: links[0].weight, line 10",
            NUMBER,
        ),
        (
            changed('"type": "timer"', '"type": "tiemr"'),
            "no neuron type is named 'tiemr'",
            "m.json: neurons.n.type, line 6",
            OWN,
        ),
        (
            changed('"high": "1/3"', '"hihg": 1'),
            "clip has no parameter 'hihg'",
            "m.json: neurons.late.parameters.hihg, line 7",
            "did you mean 'high'?",
        ),
        (
            changed('"weight": 0.5', '"wieght": 0.5'),
            "the key 'wieght' is not known here",
            "m.json: links[0].wieght, line 10",
            "did you mean 'weight'?",
        ),
        (
            changed(', "weight": 0.5', ""),
            "the key 'weight' is missing",
            "m.json: links[0], line 10",
            'write "weight": ...',
        ),
        (
            changed('["late", "x"]', '"late.x"'),
            'found "late.x", expected a list [...]',
            "m.json: links[0].to, line 10",
            KIND,
        ),
        (
            changed('["late", "x"]', '["late", "y"]'),
            "clip has no input 'y'",
            "m.json: links[0], line 10",
            "known here: 'x'",
        ),
        (
            changed('"name": "clock",', '"name": "clock",\n  "name": "cuckoo",'),
            "the key 'name' stands twice",
            "m.json: name, line 5",
            "leave one of them out",
        ),
        (
            changed('"version": 1', '"version": 3'),
            "made by a newer Snakebird (format version 3), this one reads up to 2",
            "m.json: version, line 3",
            "upgrade: pip install --upgrade snakebird",
        ),
        (
            changed("snakebird machine", "notebook"),
            "found \"notebook\", expected 'snakebird machine'",
            "m.json: format, line 2",
            BEGIN,
        ),
        ("[1, 2]", "this is JSON, but not a machine file", "m.json: the top, line 1", BEGIN),
        ("NaN", "this is JSON, but not a machine file", "m.json: the top, line 1", BEGIN),
        (
            CLOCK[:-3],
            "this is not JSON: Expecting ',' delimiter",
            "m.json: line 18, column 4",
            KIND,
        ),
        (" \n", "the file is empty", "m.json", KIND),
        (b"\x89PNG\r\n", "this is not a text file: byte 0 is 0x89", "m.json", KIND),
        ("[" * 100_000, "this is nested deeper than 100 levels", "m.json", KIND),
        (
            changed('"timer": 3', '"timer": ' + '{"a":' * 99 + "1" + "}" * 99),
            "this is nested deeper than 100 levels",
            "m.json",
            KIND,
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, what, where, hint):
    with pytest.raises(FileFormatError) as error:
        from_json(text, "m.json")
    assert (error.value.what, error.value.where, error.value.hint) == (what, where, hint)


def test_a_missing_file_suggests_near_names(tmp_path):
    sb.save(from_json(CLOCK), tmp_path / "clock.json")
    with pytest.raises(FileFormatError) as error:
        sb.load(tmp_path / "clok.json")
    assert str(error.value) == (
        f"no such file\n  at {tmp_path / 'clok.json'}\n  hint: did you mean 'clock.json'?"
    )


def test_a_folder_is_no_machine(tmp_path):
    with pytest.raises(FileFormatError, match="cannot read this"):
        sb.load(tmp_path)


def load_or_complain(text: str | bytes) -> None:
    with suppress(SnakebirdError):
        from_json(text)


@given(st.text() | st.binary() | st.text(string.printable))
def test_any_text_is_a_machine_or_a_clear_error(text):
    load_or_complain(text)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.sampled_from(["", ":number", "1/0", "1/3", "1e999999999", "n", "timer", "space"])
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([":number", "a", "space", "value", "path"]), inner, max_size=2
        )
    ),
    max_leaves=4,
)


@given(machines(), JUNK, st.randoms(use_true_random=False))
def test_a_changed_file_is_a_machine_or_a_clear_error(machine, junk, chance: random.Random):
    """One value anywhere in the file is replaced, taken out, or given another key."""
    data = json.loads(to_json(machine))
    holders = [data]
    for holder in holders:
        inside = holder.values() if isinstance(holder, dict) else holder
        holders += [part for part in inside if part and isinstance(part, (dict, list))]
    holder = chance.choice(holders)
    key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    change = chance.choice(["replace", "drop", "rename"])
    if change == "rename" and isinstance(holder, dict):
        holder[chance.choice([":number", "n", "type", "to", ""])] = holder.pop(key)
    elif change == "drop":
        del holder[key]
    else:
        holder[key] = junk
    load_or_complain(json.dumps(data))


@given(machines(), st.integers(0, 10_000), st.text('"{}[],:\\0-.e\n\x00a', max_size=2))
def test_a_damaged_text_is_a_machine_or_a_clear_error(machine, place, damage):
    text = to_json(machine)
    place %= len(text)
    load_or_complain(text[:place] + damage + text[place + 1 :])


def test_what_is_no_machine_is_not_saved(tmp_path):
    with pytest.raises(MachineError, match=r"(?s)found dict, expected a machine.*sb\.lift"):
        unchecked(sb.save)({}, tmp_path / "m.json")
