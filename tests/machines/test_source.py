"""Printing and building are inverses."""

from hypothesis import given
from snakebird.machines import Machine, to_source
from snakebird.testing import machines


def rebuilt(source: str) -> Machine:
    space: dict = {}
    exec(source, space)
    (found,) = [value for value in space.values() if isinstance(value, Machine)]
    return found


@given(machines())
def test_the_source_of_a_machine_builds_an_equal_one(machine: Machine):
    assert rebuilt(to_source(machine)) == machine
