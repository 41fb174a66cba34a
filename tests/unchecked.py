"""Public functions as users have them: tests check all annotations at run time, users do not."""

from collections.abc import Callable
from typing import Any


def unchecked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without that check, so that its own words on wrong arguments are heard."""
    return getattr(function, "__wrapped__", function)
