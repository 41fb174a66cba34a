"""Any JAX function and any Equinox module as a neuron."""

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from snakebird import vvalues as vv
from snakebird.neurons._numbers import root
from snakebird.neurons._type import RESULT, Neuron, NeuronType


def call_neuron(
    function: Callable[..., Any],
    *,
    inputs: tuple[str, ...] | None = None,
    outputs: tuple[str, ...] = (RESULT,),
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    train: bool = True,
) -> Neuron:
    """A neuron that calls a JAX function or an `eqx.Module` on the arrays at the roots of its inputs.

    `inputs` are the port names, by default those of the function's own positional parameters
    without a default; `shapes` says which inputs are arrays of what shape (a missing input is
    zeros). With several `outputs` the function returns a tuple or a dict. The arrays of a module
    are the neuron's parameters, trainable unless `train=False`.

    >>> import jax.numpy as jnp
    >>> call_neuron(lambda x, y: x * jnp.sin(y)).apply({"x": 2.0, "y": 0.0})
    {'result': Array(0., dtype=float32, weak_type=True)}
    """
    ports = inputs if inputs is not None else _positional(function)
    kind = _call_type(ports, tuple(outputs), tuple(sorted((shapes or {}).items())))
    return Neuron(kind, {"function": function}, frozenset({"function"}) if train else frozenset())


def _positional(function: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters.values()
    return tuple(
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    )


@lru_cache(maxsize=1024)
def _call_type(inputs: tuple[str, ...], outputs: tuple[str, ...], shapes: tuple[Any, ...]) -> NeuronType:
    """One type for each set of ports, so that modules of one structure run as one stacked call."""
    known = dict(shapes)

    def call(*values: vv.VValue, function: Any) -> Any:
        result = function(*[root(v, known.get(p, ())) for p, v in zip(inputs, values, strict=True)])
        if len(outputs) == 1 or isinstance(result, Mapping):
            return result
        return dict(zip(outputs, result, strict=True))

    return NeuronType("call", call, inputs=inputs, outputs=outputs, defaults={"function": None})
