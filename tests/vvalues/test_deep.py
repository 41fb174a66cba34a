"""Trees of thousands of levels."""

import sys

import pytest

from snakebird import neurons as n, vvalues as vv
from snakebird.errors import ValueFormatError
from snakebird.machines import Machine, run

DEPTH = 3000


def test_walks_do_not_mind_the_depth():
    deep = vv.from_list([1] * DEPTH)
    vv.check(deep)
    assert vv.count(vv.add(deep, deep)) == DEPTH + 1
    assert vv.flatten(deep).space.size == DEPTH + 1
    assert vv.count(vv.unflatten(deep)) == DEPTH + 1
    assert vv.show(deep, 1).endswith(f"({DEPTH + 1} terms)")
    assert vv.to_list(deep) == [1] * DEPTH
    assert vv.keys(deep) == ("this", "rest")


def test_text_has_a_limit():
    with pytest.raises(ValueFormatError) as caught:
        vv.dumps(vv.from_list([1] * DEPTH))
    assert str(caught.value) == (
        f"this value is {DEPTH + 1} levels deep, and JSON text may have "
        f"{sys.getrecursionlimit()} at most\n"
        "  hint: write a long list as an array, or raise sys.setrecursionlimit"
    )


def test_a_long_list_goes_on_growing():
    machine = Machine(
        {"c": n.constant(value={"a": 1}), "list": "cons"},
        ["list.list <- list.list", "list.signal <- c.result"],
        {"list": {"list": vv.from_list([1] * 1200)}},
    )
    found = run(machine, 3).last
    assert len(vv.to_list(vv.get(found, "list", "list"))) == 1202
