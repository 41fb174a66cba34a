"""Parameters are checked when a neuron is made."""

import numpy as np
import pytest

from snakebird import neurons as n, vvalues as vv
from snakebird.errors import MachineError, SnakebirdError, UnknownNameError
from snakebird.machines import Machine, from_json, to_json

NUMBERS = "a number, an array or a tree of numbers"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: n.leaky_accumulator(rate="x"),
            (
                f"rate='x', expected {NUMBERS}\n"
                "  at neuron type leaky_accumulator\n  hint: write rate=0.5, for example"
            ),
        ),
        (
            lambda: n.constant.with_parameters(value=True),
            (
                f"value=True, expected {NUMBERS}\n"
                "  at neuron type constant\n  hint: write value=0.5, for example"
            ),
        ),
        (
            lambda: n.constant.with_parameters(value={"a": {"b": "x"}}),
            (
                "a leaf is 'x' (str), expected a number, an array or a dict\n"
                "  at neuron type constant, value: a.b\n"
                "  hint: give numbers as numbers, names as keys"
            ),
        ),
        (
            lambda: n.constant.with_parameters(value={"a": np.array([1.0, np.nan])}),
            (
                "value={'a': array([ 1., nan])}, expected finite numbers\n"
                "  at neuron type constant\n  hint: write value=0.5, for example"
            ),
        ),
        (
            lambda: n.constant.with_parameters(value=1j),
            (
                f"value=1j, expected {NUMBERS}\n"
                "  at neuron type constant\n  hint: write value=0.5, for example"
            ),
        ),
        (
            lambda: n.clip(high=1.0).replace(high=float("inf")),
            (
                "high=inf, expected finite numbers\n"
                "  at neuron type clip\n  hint: write high=0.5, for example"
            ),
        ),
        (
            lambda: n.delay(ticks=-1),
            (
                "ticks=-1, expected 0 or more\n"
                "  at neuron type delay\n  hint: write ticks=1, for example"
            ),
        ),
        (
            lambda: n.delay(ticks=2.5),
            (
                "ticks=2.5, expected a whole number\n"
                "  at neuron type delay\n  hint: write ticks=1, or another"
            ),
        ),
        (
            lambda: n.delay(ticks=n.trainable(2)),
            (
                "ticks=trainable(2), but ticks is no parameter that training can change\n"
                "  at neuron type delay\n  hint: write ticks=2"
            ),
        ),
        (
            lambda: n.token_source(text=5),
            (
                "text=5, expected a text\n  at neuron type token_source\n"
                "  hint: write text='', or another"
            ),
        ),
        (
            lambda: n.token_source(text="ab", every=0),
            (
                "every=0, expected 1 or more\n"
                "  at neuron type token_source\n  hint: write every=1 for a character each tick"
            ),
        ),
        (
            lambda: n.softmax(keys="abc"),
            (
                "keys='abc', expected a tuple of texts\n"
                '  at neuron type softmax\n  hint: write keys=("a", "b"), for example'
            ),
        ),
        (
            lambda: n.noise.with_parameters(shape=(2, -1)),
            (
                "shape=(2, -1), expected a tuple of whole numbers\n"
                "  at neuron type noise\n  hint: write shape=(2, 3), for example"
            ),
        ),
        (
            lambda: n.source(space=["x"]),
            (
                "space=['x'], expected a Space\n"
                '  at neuron type source\n  hint: write space=sb.Space([("x",), ("y",)])'
            ),
        ),
        (
            lambda: n.array_source(values=np.zeros((0, 2))),
            (
                "values has no rows, expected one row for each tick\n"
                "  at neuron type array_source\n"
                "  hint: give an array [time, columns] with at least one row"
            ),
        ),
        (
            lambda: n.array_source(values=3.0),
            (
                "values has no axis of time, expected one row for each tick\n"
                "  at neuron type array_source\n"
                "  hint: give an array [time, columns] with at least one row"
            ),
        ),
    ],
)
def test_what_a_parameter_cannot_be(make, text):
    with pytest.raises(MachineError) as caught:
        make()
    assert str(caught.value) == text


def test_a_surrogate_is_checked_when_its_neuron_is_made():
    with pytest.raises(UnknownNameError) as caught:
        n.step(surrogate="sigmod")
    assert str(caught.value) == (
        "no surrogate is named 'sigmod'\n  at neuron type step\n  hint: did you mean 'sigmoid'?"
    )


def test_what_a_parameter_can_be():
    assert n.source(tokens="abca").parameters["tokens"] == ("a", "b", "c")
    assert n.softmax(keys=["a", "b"]).parameters["keys"] == ("a", "b")
    assert type(n.delay(ticks=np.int64(2)).parameters["ticks"]) is int
    assert n.array_source(values=[[1, 2], [3, 4]]).parameters["values"].shape == (2, 2)
    assert n.source(space=vv.Space([("x",)])).parameters["space"].size == 1
    flat = vv.flatten({"a": 1.0})
    assert n.constant.with_parameters(value={"b": flat}).apply({}) == {"result": {"b": flat}}


def test_a_type_may_check_its_parameters():
    def odd(given):
        if given["size"] % 2 == 0:
            raise SnakebirdError(f"size={given['size']}", "neuron type blur")

    @n.neuron(register=False, check=odd)
    def blur(x, *, size: int = 3):
        return vv.scale(size, x)

    assert blur(2) == 6
    with pytest.raises(SnakebirdError, match="size=4"):
        blur(size=4)
    with pytest.raises(SnakebirdError, match="size=2"):
        blur(size=5).replace(size=2)


def test_parameters_of_a_file_name_their_place():
    text = to_json(Machine({"d": n.delay(ticks=2)})).replace('"ticks": 2', '"ticks": -2')
    with pytest.raises(SnakebirdError, match="ticks=-2, expected 0 or more") as caught:
        from_json(text)
    assert "neurons.d.parameters" in caught.value.where
