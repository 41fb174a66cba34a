"""Neurons that a function of Snakebird makes, and Python functions by name, in files."""

import importlib
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from snakebird.errors import FileFormatError, MachineError

MAKERS = ("call_neuron", "machine_neuron")
"""The functions that a file may call, by their name in `snakebird`."""

Allowed = Iterable[str | ModuleType | Callable[..., Any]]
"""What the functions of a file may be: those of modules, given or named, or these themselves."""


def maker(name: str) -> Callable[..., Any]:
    """A function that makes neurons."""
    # The rooms above are reached through the root, which finds a name's room by itself.
    return getattr(importlib.import_module("snakebird"), name)


def name_of(function: Any, where: str) -> str:
    """The name `module:qualname` under which a function can be imported.

    Raises `MachineError` for what no module gives under its own name.

    >>> name_of(maker, "here")
    'snakebird.machines.files._made:maker'
    """
    module, name = _own_name(function)
    if module in ("", "__main__") or _found(module, name) is not function:
        raise MachineError(
            f"{where} is a Python object that no module gives by name: {name or type(function)}",
            where.removeprefix("the "),
            "write it with def at the top of a module that can be imported",
        )
    return f"{module}:{name}"


def function_of(text: str, allow: Allowed) -> Callable[..., Any]:
    """The function of a name, if it is allowed; no module is imported that is not.

    Raises `FileFormatError` for any other.
    """
    module, _, name = text.partition(":")
    for allowed in allow:
        if not isinstance(allowed, (str, ModuleType)):
            if _own_name(allowed) == (module, name):
                return allowed
        elif module == (allowed if isinstance(allowed, str) else allowed.__name__):
            found = _found(module, name)
            # Otherwise a file could reach whatever the module itself imports.
            if callable(found) and _own_name(found) == (module, name):
                return found
            raise FileFormatError(
                f"the module {module!r} has no function {name!r} of its own",
                hint="load it where the function is, or give the function in allow=[...]",
            )
    raise FileFormatError(
        f"the file calls the Python function {text!r}, which is not allowed",
        hint=f"if you trust the file, load it with allow=[{module!r}]",
    )


def _own_name(function: Any) -> tuple[str, str]:
    """The module and the name an object says it has; empty where it says neither."""
    names = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    return (names[0] or "", names[1] or "")


def _found(module: str, name: str) -> Any:
    """What a module holds under a dotted name, or `None`."""
    try:
        found: Any = importlib.import_module(module)
    except ImportError:
        return None
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
