"""Any JAX function and any Equinox module as a neuron."""

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from snakebird import vvalues as vv
from snakebird.errors import MachineError
from snakebird.neurons._numbers import root
from snakebird.neurons._type import RESULT, Neuron, NeuronType, Recipe


def call_neuron(
    function: Callable[..., Any],
    *,
    inputs: tuple[str, ...] | None = None,
    outputs: tuple[str, ...] = (RESULT,),
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    train: bool = True,
) -> Neuron:
    """A neuron that calls a JAX function or an `eqx.Module` on the arrays at its inputs' roots.

    `inputs` are the port names, by default those of the function's own positional parameters
    without a default; `shapes` says which inputs are arrays of what shape (a missing input is
    zeros). With several `outputs` the function returns a tuple or a dict. The arrays of a module
    are the neuron's parameters, trainable unless `train=False`. Raises `MachineError` where
    names do not fit.

    >>> polar = call_neuron(lambda x, y: (x * x + y * y, x / y), outputs=("square", "ratio"))
    >>> polar.apply({"x": 3.0, "y": 4.0})
    {'square': 25.0, 'ratio': 0.75}
    """
    ports = inputs if inputs is not None else _positional(function)
    for name in shapes or {}:
        if name not in ports:
            raise MachineError(f"a shape is given for {name!r}", "call_neuron", f"inputs: {ports}")
    kind = _call_type(tuple(ports), tuple(outputs), tuple(sorted((shapes or {}).items())))
    return Neuron(kind, {"function": function}, frozenset({"function"} if train else ()))


def _positional(function: Callable[..., Any]) -> tuple[str, ...]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        raise MachineError(
            f"cannot read the parameters of {function!r}", "call_neuron", 'give inputs=("x", ...)'
        ) from None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(p.name for p in parameters if p.kind in kinds and p.default is p.empty)


@lru_cache(maxsize=1024)
def _call_type(
    inputs: tuple[str, ...], outputs: tuple[str, ...], shapes: tuple[Any, ...]
) -> NeuronType:
    """One type for each set of ports, so that modules of one structure run as one stacked call."""
    known = dict(shapes)

    def call(*values: vv.VValue, function: Any) -> Any:
        result = function(*[root(v, known.get(p, ())) for p, v in zip(inputs, values, strict=True)])
        return result if len(outputs) == 1 else _by_name(outputs, result)

    def recipe(neuron: Neuron) -> Recipe:
        given = {"function": neuron.parameters["function"], "inputs": inputs, "outputs": outputs}
        return Recipe("call_neuron", {**given, "shapes": known, "train": bool(neuron.trainable)})

    return NeuronType(
        "call", call, inputs=inputs, outputs=outputs, defaults={"function": None}, recipe=recipe
    )


def _by_name(outputs: tuple[str, ...], result: Any) -> Mapping[str, Any]:
    named = result if isinstance(result, Mapping) else None
    if named is None and isinstance(result, (tuple, list)) and len(result) == len(outputs):
        named = dict(zip(outputs, result, strict=True))
    if named is None or not named.keys() <= set(outputs):
        raise MachineError(
            f"the function returned {result!r}",
            "call_neuron",
            f"return {len(outputs)} values, or a dict with the keys {', '.join(outputs)}",
        )
    return named
