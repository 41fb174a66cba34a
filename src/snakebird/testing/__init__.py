"""Checks for the parts you add yourself, and random machines and values for your own tests."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from snakebird.testing._check_neuron import check_neuron as check_neuron

if TYPE_CHECKING:
    from snakebird.testing._machines import (
        machines as machines,
        names as names,
        numbers as numbers,
        trees as trees,
    )
    from snakebird.testing._programs import programs as programs
    from snakebird.testing._strategies import (
        floats as floats,
        fractions as fractions,
        paths as paths,
        spaces as spaces,
        vvalues as vvalues,
    )

# Strategies are found when they are first used, since they alone need Hypothesis.
_STRATEGIES = {
    "floats": "_strategies",
    "fractions": "_strategies",
    "machines": "_machines",
    "names": "_machines",
    "numbers": "_machines",
    "paths": "_strategies",
    "programs": "_programs",
    "spaces": "_strategies",
    "trees": "_machines",
    "vvalues": "_strategies",
}


def __getattr__(name: str) -> Any:
    if name not in _STRATEGIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = _import_module(f"{__name__}.{_STRATEGIES[name]}")
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise ImportError(f"{__name__}.{name} needs Hypothesis: pip install hypothesis") from None
    return getattr(module, name)
