"""Which one of many parts does not fit, found by halves."""

from collections.abc import Callable, Sequence
from typing import Any

from snakebird.errors import SnakebirdError

_TRIES = 200
"""Where parts do not fit together, though each alone does, halves are not tried for ever."""


def first_to_blame(
    keys: Sequence[Any], some_of: Callable[[Sequence[Any]], Any]
) -> tuple[Any, SnakebirdError] | None:
    """The first key that fails alone, with its error; `None` where none does.

    `some_of` makes what consists of the parts with some keys. It is called a few times for each
    doubling of their number, not for each of them.

    >>> from snakebird.errors import InputError
    >>> def all_positive(some):
    ...     for number in some:
    ...         if number <= 0:
    ...             raise InputError(f"{number} is not positive")
    >>> first_to_blame([3, 1, -2, 5, -7], all_positive)
    (-2, InputError('-2 is not positive'))
    """
    waiting = [keys]
    for _ in range(_TRIES):
        if not waiting:
            break
        some = waiting.pop()
        try:
            some_of(some)
        except SnakebirdError as error:
            if len(some) == 1:
                return some[0], error
            half = len(some) // 2
            waiting += [some[half:], some[:half]]
    return None
