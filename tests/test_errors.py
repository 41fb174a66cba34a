"""Messages have three parts, of a length that a person reads."""

from hypothesis import given, strategies as st

from snakebird.errors import LONGEST, InputError, suggest


@given(st.text(max_size=3 * LONGEST), st.text(max_size=3 * LONGEST))
def test_no_part_of_a_message_is_longer_than_a_page(what: str, where: str):
    error = InputError(what, where)
    assert len(error.what) <= LONGEST + 5
    assert len(error.where) <= LONGEST + 5
    assert error.what.startswith(what[:100])
    assert error.what.endswith(what[-100:])


def test_a_name_is_looked_for_among_very_many():
    many = [f"neuron {k}" for k in range(100_000)] + ["accumulator"]
    assert suggest("acumulator", many) == "did you mean 'accumulator'?"
    assert suggest("a" * 100_000, ["b" * 100_000]) == f"known here: {'b' * 100_000!r}"
