"""A machine as the text of its file."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import MachineError, ValueFormatError
from snakebird.machines._depth import DEEPEST, deeper
from snakebird.machines._link import Link
from snakebird.machines._machine import Machine
from snakebird.machines.files._made import name_of
from snakebird.machines.printing._literals import is_default, plain
from snakebird.neurons import REGISTRY, Neuron

FORMAT, VERSION = "snakebird machine", 2
"""Version 2 has neurons that a function makes; a file without them is still of version 1."""


def to_json(machine: Machine) -> str:
    """The text of a machine file: one line for each neuron, link and start value.

    Parameters stand there when they differ from the defaults of the type; a nested machine stands
    there whole, and a Python function by the name it can be imported under. Raises `MachineError`
    for what a file cannot hold: other Python objects, and neuron types that are not registered.

    >>> print(to_json(Machine({"n": "timer"}, ["n.timer <- n.timer"], name="clock")), end="")
    {
      "format": "snakebird machine",
      "version": 1,
      "name": "clock",
      "neurons": {
        "n": {"type": "timer"}
      },
      "links": [
        {"to": ["n", "timer"], "from": ["n", "timer"], "weight": 1}
      ]
    }
    """
    data = _machine(machine)
    if deeper(data):
        raise _too_deep("the machine", "machine")
    made = any("make" in neuron for neuron in data["neurons"].values())
    parts = [f'"format": {_line(FORMAT)}', f'"version": {VERSION if made else 1}']
    by_line = {"neurons": _object, "start": _object, "links": _list, "free_start": _list}
    for key, part in data.items():
        lay_out = by_line.get(key)
        parts.append(lay_out(key, part) if lay_out else f"{_line(key)}: {_line(part)}")
    return "{\n  " + ",\n  ".join(parts) + "\n}\n"


def _machine(machine: Machine) -> dict[str, Any]:
    """A machine as data, without what its file begins with."""
    data: dict[str, Any] = {
        "name": machine.name,
        "neurons": {name: _neuron(name, neuron) for name, neuron in machine.neurons.items()},
        "links": [_link(link) for link in machine.links],
    }
    start = {
        name: _value(value, f"the start value of {name!r}") for name, value in machine.start.items()
    }
    data |= {"start": start} if start else {}
    if machine.free_start:
        data["free_start"] = [list(path) for path in sorted(machine.free_start)]
    if machine.matrix_from is not None:
        data["matrix_from"] = list(machine.matrix_from)
    return data


def fits(default: Any, value: Any) -> bool:
    """Whether a parameter that is no V-value is of the kind of its default."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(default, str):
        return isinstance(value, str)
    return not isinstance(default, tuple) or isinstance(value, (tuple, list))


def _line(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can hold
        text = json.dumps(data, allow_nan=False)
    return text


def _object(key: str, lines: Mapping[str, Any]) -> str:
    body = ",".join(f"\n    {_line(name)}: {_line(data)}" for name, data in lines.items())
    return f'"{key}": {{{body}\n  }}' if body else f'"{key}": {{}}'


def _list(key: str, lines: list[Any]) -> str:
    body = ",".join(f"\n    {_line(data)}" for data in lines)
    return f'"{key}": [{body}\n  ]' if body else f'"{key}": []'


def _link(link: Link) -> dict[str, Any]:
    weight = _value(link.weight, f"the weight of the link {link}")
    data = {"to": [link.to, link.input], "from": list(link.source), "weight": weight}
    data |= {"instant": True} if link.instant else {}
    return data | ({} if link.trainable else {"trainable": False})


def _neuron(name: str, neuron: Neuron) -> dict[str, Any]:
    kind = neuron.type
    if kind.recipe is not None:
        recipe = kind.recipe(neuron)
        where = f"of the neuron {name!r}"
        given = {k: _argument(v, f"the {k} {where}") for k, v in recipe.arguments.items()}
        return {"make": recipe.maker, "with": given}
    if REGISTRY.get(kind.name) is not kind:
        raise MachineError(
            f"the neuron {name!r} is of a type that is not registered, {kind.name!r}: "
            "Python objects cannot be saved",
            f"neuron {name}",
            "make the type with @sb.neuron at the top of a module",
        )
    given = {
        key: _parameter(name, neuron, key)
        for key, value in neuron.parameters.items()
        if key in neuron.trainable or not is_default(value, kind.defaults[key])
    }
    data: dict[str, Any] = {"type": kind.name}
    data |= {"parameters": given} if given else {}
    return data | ({"trainable": sorted(neuron.trainable)} if neuron.trainable else {})


def _argument(value: Any, where: str) -> Any:
    """An argument of what makes a neuron: a machine, a mapping or a function says what it is."""
    if isinstance(value, Machine):
        return {"machine": _machine(value)}
    if isinstance(value, Mapping):
        pairs = [[_argument(k, where), _argument(v, where)] for k, v in value.items()]
        return {"pairs": pairs}
    if isinstance(value, (tuple, list)):
        return [_argument(item, where) for item in value]
    if callable(value):
        return {"function": name_of(value, where)}
    return _plain(plain(value), where)


def _parameter(name: str, neuron: Neuron, key: str) -> Any:
    value, where = neuron.parameters[key], f"the parameter {key!r} of the neuron {name!r}"
    if neuron.type.numeric(key):
        return _value(np.array(value) if isinstance(value, (list, tuple)) else value, where)
    if not fits(neuron.type.defaults[key], plain(value)):
        raise _unsaved(where, value)
    return _plain(plain(value), where)


def _plain(value: Any, where: str) -> Any:
    """Names, flags and counts as they are; a tree, array or space as an object that says so."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (tuple, list)):
        return [_plain(plain(item), where) for item in value]
    if isinstance(value, vv.Space):
        items = [{"path": list(p), "shape": list(s)} if s else list(p) for p, s in value.items]
        return {"space": items}
    return {"value": _value(value, where)}


def _value(value: Any, where: str) -> Any:
    """A V-value as JSON, made of finite numbers only."""
    value = vv.unflatten(value)
    if deeper(value):
        raise _too_deep(where, where.removeprefix("the "))
    _check(value, where)
    try:
        return vv.to_json(value)
    except ValueFormatError:
        raise MachineError(
            f"{where} is not finite", where.removeprefix("the "), "a file holds finite numbers"
        ) from None


def _check(value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        for key, branch in value.items():
            if not isinstance(key, str):
                raise _unsaved(where, key)
            _check(branch, where)
    elif not vv.is_leaf(value) or isinstance(value, bool) or _kind(value) not in "iuf":
        raise _unsaved(where, value)


def _kind(leaf: Any) -> str:
    return "f" if vv.is_exact(leaf) else leaf.dtype.kind


def _too_deep(what: str, where: str) -> MachineError:
    return MachineError(
        f"{what} is nested deeper than a file may be, {DEEPEST} levels in all",
        where,
        "hold long lists as arrays",
    )


def _unsaved(where: str, value: Any) -> MachineError:
    return MachineError(
        f"{where} is a Python object ({type(value).__name__}), which cannot be saved",
        where.removeprefix("the "),
        "give a number, a tree, an array, a text, a tuple or a Space",
    )
