"""Both engines read the inputs of a run alike."""

import jax.numpy as jnp
import numpy as np
import pytest

from snakebird import neurons as n, vvalues as vv
from snakebird.errors import InputError
from snakebird.lowering import lower
from snakebird.machines import Machine, read_messages, run

X = vv.Space([("x",)])
PLANE = vv.Space([("x",), ("y",)])
HINT = "  hint: declare what may arrive: source(tokens=...) or space="


def echo(**parameters) -> Machine:
    return Machine(
        {"s": n.source(default={"x": 9.0}, **parameters), "out": "output"}, ["out.p <- s.signal"]
    )


@pytest.mark.parametrize(
    ("space", "given", "found"),
    [
        (X, ([1.0, 2.0], [True, False]), [{"x": 1.0}, None]),
        (X, (np.array([1.0, 2.0]), np.array([True, False])), [{"x": 1.0}, None]),
        (X, ({"x": 1.0}, {"x": 2.0}), [{"x": 1.0}, {"x": 2.0}]),
        (X, (1.0, 2.0), [{"x": 1.0}, {"x": 2.0}]),
        (X, [1.0, None, {"x": 3.0}], [{"x": 1.0}, None, {"x": 3.0}]),
        (PLANE, [[1.0, 2.0], None], [{"x": 1.0, "y": 2.0}, None]),
        (PLANE, np.array([[1.0, 2.0]]), [{"x": 1.0, "y": 2.0}]),
        (X, vv.Flat(X, jnp.array([[1.0], [2.0]])), [{"x": 1.0}, {"x": 2.0}]),
        (X, [], []),
    ],
)
def test_one_reading_in_both_engines(space, given, found):
    machine = echo(space=space)
    assert read_messages(machine, "s", given) == found
    ticks = len(found) + 2
    slow = run(machine, ticks, inputs={"s": given})["out.p"]
    fast = lower(machine, record="all")({"s": given}, ticks).ticks()
    found = [vv.get(now.outputs, "out", "p") for now in fast]
    assert all(vv.equal(a, b) for a, b in zip(slow, found, strict=True))


REFUSED = {
    "path": ([{"z": 1.0}], f"the space has no room for z\n  at inputs of 's', tick 0\n{HINT}"),
    "shape": (
        [None, {"x": np.ones(2)}],
        f"leaves of shape [2] and [] meet\n  at inputs of 's', tick 1\n{HINT}",
    ),
    "text": (
        [{"x": "a"}],
        (
            "a leaf is 'a' (str), expected a number, an array or a dict\n"
            "  at inputs of 's', tick 0, x\n  hint: give numbers as numbers, names as keys"
        ),
    ),
    "row": (
        [[1.0, "a"]],
        (
            "found [1.0, 'a'], expected numbers\n"
            "  at inputs of 's', tick 0\n  hint: a list within a list is a row of numbers"
        ),
    ),
    "width": (
        [[1.0, 2.0]],
        (
            "rows have 2 numbers, expected 1: Space(x)\n  at inputs of 's'\n"
            "  hint: give one column a path, in order, or declare tokens= or space= of the source"
        ),
    ),
    "mask": (
        ([1.0, 2.0], [True]),
        "2 values have a mask of 1\n  at inputs of 's'\n  hint: give one truth value for each",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_one_text_for_what_is_no_message(name):
    given, text = REFUSED[name]
    machine = echo(space=X)
    with pytest.raises(InputError) as caught:
        run(machine, inputs={"s": given})
    assert str(caught.value) == text
    with pytest.raises(InputError) as caught:
        lower(machine)({"s": given})
    assert str(caught.value) == text


def test_objects_are_no_messages():
    for machine in (echo(space=X), echo()):
        with pytest.raises(InputError, match="a leaf is <object"):
            run(machine, inputs={"s": [object()]})
        with pytest.raises(InputError, match="a leaf is <object"):
            lower(machine)({"s": [object()]})


def test_a_function_of_the_tick_is_read_the_same_way():
    given = [1.0, None, {"x": 2.0}]
    found = run(echo(space=X), 3, inputs={"s": lambda t: given[t]})["s.signal"]
    assert found == [{"x": 1.0}, {"x": 9.0}, {"x": 2.0}]
