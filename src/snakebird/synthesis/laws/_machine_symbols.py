"""What a machine in a hole computes, as expressions: a run of it with symbols for numbers."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp

from snakebird import vvalues as vv
from snakebird.equations import Fixed, Hole, MachineModel
from snakebird.errors import MachineError, suggest
from snakebird.machines import Machine
from snakebird.neurons import FUNCTION
from snakebird.synthesis.laws._terms import symbol

Expressions = dict[vv.Path, Any]
"""What stands at the paths of a stream; zeros are left out."""


def hole_expressions(hole: Hole) -> dict[str, Any]:
    """Each output of a hole whose model is a machine, as an expression of the hole's inputs.

    The units in which the hole measures what it is given are part of the expressions. Raises
    `MachineError` for another model, or a neuron that no expression stands for.

    >>> import snakebird as sb
    >>> from snakebird.equations import MachineModel
    >>> @sb.machine
    ... def rate(a: sb.Numbers(), b: sb.Numbers()):
    ...     return {"rate": 3 * a + 2 * sb.product(a, a - b)}
    >>> hole_expressions(sb.Hole("x y", "rate", MachineModel(rate)))
    {'rate': 2.0*x**2 - 2.0*x*y + 3.0*x}
    """
    if not isinstance(hole.model, MachineModel) or hole.positive:
        what = "its outputs are bent to be positive" if hole.positive else "its model is no machine"
        raise MachineError(
            f"the hole cannot be read: {what}",
            f"hole of {', '.join(hole.inputs)}",
            "give it a machine: superfluid_hole(inputs, outputs), or MachineModel(machine)",
        )
    scaling: Any = hole.scaling.value if isinstance(hole.scaling, Fixed) else hole.scaling
    center, width, size = (
        np.asarray(x, float) for x in (scaling.center, scaling.width, scaling.size)
    )
    given = [
        (symbol(n) - c) / w if c else symbol(n) / w if w != 1 else symbol(n)
        for n, c, w in zip(hole.inputs, center, width, strict=True)
    ]
    program = hole.model.program
    streams = symbolic_run(
        hole.model.running, dict(zip(program.sources, given, strict=True)), program.ticks
    )
    found = [sp.expand(_number(streams, path)) for path in program.outputs]
    if hole.conserved:
        found.append(-sp.Add(*found))
    return {
        name: sp.expand(e * s)
        for name, e, s in zip(hole.outputs, found, map(float, size), strict=True)
    }


def symbolic_run(machine: Machine, inputs: Mapping[str, Any], ticks: int) -> Expressions:
    """All outputs after so many ticks, by path; `inputs` are held at the sources."""
    last: Expressions = {path: sp.sympify(leaf) for path, leaf in vv.entries(machine.start)}
    for _ in range(ticks):
        now: Expressions = {}
        for name in machine.order:
            if machine.neurons[name].type.external:
                outputs = {("signal",): inputs[name]} if name in inputs else {}
            else:
                outputs = _neuron(machine, name, _fed(machine, name, last, now))
            now.update({(name, *path): e for path, e in outputs.items() if e != 0})
        last = now
    return last


def _fed(machine: Machine, name: str, last: Expressions, now: Expressions) -> Expressions:
    """The inputs of a neuron, by port and path."""
    found: Expressions = {}
    for link in machine.links:
        if link.to != name or not float(link.weight):
            continue
        depth = len(link.source)
        for path, e in (now if link.instant else last).items():
            if path[:depth] == link.source:
                at = (link.input, *path[depth:])
                found[at] = found.get(at, 0) + _exact(link.weight) * e
    return found


def _neuron(machine: Machine, name: str, inputs: Expressions) -> Expressions:
    neuron = machine.neurons[name]
    kind = neuron.type.name
    if kind == "constant":
        return {
            ("result", *path): _exact(leaf)
            for path, leaf in vv.entries(vv.unflatten(neuron.parameters["value"]))
        }
    if kind == "output":
        return inputs
    if kind == "superfluid":
        return _mixed(inputs, name)
    return {("result",): _called(kind, inputs, dict(neuron.parameters), name)}


def _mixed(inputs: Expressions, name: str) -> Expressions:
    """A superfluid neuron: the sum of its functions, each times its coefficient."""
    mixture = {path[1]: e for path, e in inputs.items() if path[0] == FUNCTION}
    parts = [c * _called(kind, inputs, {}, name) for kind, c in mixture.items()]
    kept = {path: e for path, e in inputs.items() if path[0] == FUNCTION}
    return {("result",): sp.expand(sp.Add(*parts)), **kept}


def _called(kind: str, inputs: Expressions, parameters: dict[str, Any], name: str) -> Any:
    if kind not in _FUNCTIONS:
        raise MachineError(
            f"no expression is known for a neuron of type {kind}",
            f"neuron {name}",
            suggest(kind, _FUNCTIONS),
        )
    return _FUNCTIONS[kind](lambda port: sp.expand(inputs.get((port,), sp.S.Zero)), parameters)


def _wave(function: Any) -> Callable[[Any, dict[str, Any]], Any]:
    """`sin(a + b)` or the cosine of it, as a sum, where `a` holds no input."""

    def read(x: Any, p: dict[str, Any]) -> Any:
        angle = sp.expand(_exact(p.get("frequency", 1)) * x("x") + _exact(p.get("phase", 0)))
        phase, rest = angle.as_independent(*angle.free_symbols, as_Add=True)
        if function is sp.sin:
            return sp.cos(phase) * sp.sin(rest) + sp.sin(phase) * sp.cos(rest)
        return sp.cos(phase) * sp.cos(rest) - sp.sin(phase) * sp.sin(rest)

    return read


def _exact(number: Any) -> Any:
    """A number of a machine for SymPy."""
    return sp.sympify(number.item() if hasattr(number, "item") else number)


def _number(streams: Expressions, path: vv.Path) -> Any:
    return streams.get(path, sp.S.Zero)


_FUNCTIONS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "identity": lambda x, p: x("x"),
    "product": lambda x, p: sp.expand(x("x") * x("y")),
    "sine": _wave(sp.sin),
    "cosine": _wave(sp.cos),
    "tanh": lambda x, p: sp.tanh(x("x")),
    "absolute": lambda x, p: sp.Abs(x("x")),
    "maximum": lambda x, p: sp.Max(x("x"), x("y")),
    "minimum": lambda x, p: sp.Min(x("x"), x("y")),
    "relu": lambda x, p: sp.Max(x("x"), 0),
    "reciprocal": lambda x, p: 1 / x("x"),
}
