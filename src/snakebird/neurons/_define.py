"""How neuron types are made and found: the decorator `neuron`, and the registry of names."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, overload

from snakebird.errors import MachineError, UnknownNameError, suggest
from snakebird.neurons._type import FEEDS, RESULT, Check, NeuronType

REGISTRY: dict[str, NeuronType] = {}
"""All neuron types by name; machine files refer to them by it."""

_catalogue: set[str] = set()


def find(name: str) -> NeuronType:
    """The registered neuron type of that name; raises `UnknownNameError` with the nearest names.

    >>> from snakebird.neurons import relu
    >>> find("relu") is relu
    True
    """
    try:
        return REGISTRY[name]
    except KeyError:
        raise UnknownNameError(
            f"no neuron type is named {name!r}", hint=suggest(name, REGISTRY)
        ) from None


@overload
def neuron(function: Callable[..., Any], /) -> NeuronType: ...
@overload
def neuron(
    *,
    outputs: Iterable[str] | None = (RESULT,),
    loops: Mapping[str, str] | None = None,
    keeps: Mapping[str, str] | None = None,
    name: str | None = None,
    register: bool = True,
    check: Check | None = None,
) -> Callable[[Callable[..., Any]], NeuronType]: ...
def neuron(
    function: Callable[..., Any] | None = None,
    /,
    *,
    outputs: Iterable[str] | None = (RESULT,),
    loops: Mapping[str, str] | None = None,
    keeps: Mapping[str, str] | None = None,
    name: str | None = None,
    register: bool = True,
    check: Check | None = None,
) -> Any:
    """Make a neuron type of a function; its signature says the rest.

    Positional parameters are input ports, `**inputs` takes any others, keyword-only parameters
    are the neuron's own parameters, except `key`, `message` and `present`, which the engine
    fills in. With one output the function returns its value; with several, a dict by name;
    with `outputs=None`, a dict of whatever it likes. `check` is called with all parameters
    whenever a neuron is made. Raises `MachineError` for a signature that cannot be read so, and
    for a name of the catalogue.

    >>> from snakebird import vvalues as vv
    >>> @neuron(register=False)
    ... def double(x, *, by=2.0):
    ...     return vv.scale(by, x)
    >>> double({"a": 3}), double(by=5)
    ({'a': 6.0}, double(by=5))
    """
    ports = (outputs,) if isinstance(outputs, str) else None if outputs is None else tuple(outputs)

    def make(given: Callable[..., Any]) -> NeuronType:
        made = _read(given, name or given.__name__, ports, dict(loops or {}), check)
        object.__setattr__(made, "keeps", dict(keeps or {}))
        if register:
            _register(made)
        return made

    return make if function is None else make(function)


def _read(
    function: Callable[..., Any],
    name: str,
    outputs: tuple[str, ...] | None,
    loops: dict[str, str],
    check: Check | None,
) -> NeuronType:
    """The neuron type that a function's signature describes."""
    parameters = inspect.signature(function).parameters.values()
    for parameter in parameters:
        _check_parameter(name, parameter)
    named = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    made = NeuronType(
        name=name,
        function=function,
        inputs=tuple(p.name for p in parameters if p.kind in _POSITIONAL),
        variadic=any(p.kind is p.VAR_KEYWORD for p in parameters),
        outputs=outputs,
        defaults={p.name: p.default for p in named if p.name not in FEEDS},
        loops=loops,
        feeds=frozenset(p.name for p in named) & FEEDS,
        check=check,
    )
    _check_loops(made)
    object.__setattr__(made, "__doc__", function.__doc__)
    return made


def _check_loops(made: NeuronType) -> None:
    for port, out in made.loops.items():
        if port not in made.inputs and not made.variadic:
            what, name, near = f"no input is named {port!r}", port, made.inputs
        elif made.outputs is not None and out not in made.outputs:
            what, name, near = f"no output is named {out!r}", out, made.outputs
        else:
            continue
        raise MachineError(what, f"loops of neuron type {made.name}", suggest(name, near))


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _check_parameter(name: str, parameter: inspect.Parameter) -> None:
    where = f"neuron type {name}"
    if parameter.kind is parameter.VAR_POSITIONAL:
        raise MachineError(
            f"*{parameter.name} gives its inputs no names",
            where,
            "write **inputs for any inputs by name",
        )
    if parameter.kind in _POSITIONAL and parameter.default is not parameter.empty:
        raise MachineError(
            f"the input {parameter.name!r} has a default, but a missing input is always zero",
            where,
            f"for a parameter of the neuron write it after *: {name}(..., *, {parameter.name}=...)",
        )
    own = parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in FEEDS
    if own and parameter.default is parameter.empty:
        raise MachineError(
            f"the parameter {parameter.name!r} has no default",
            where,
            f"write {parameter.name}=..., a float or an array if it is a number",
        )


def _register(made: NeuronType) -> None:
    if made.name in _catalogue and not made.function.__module__.startswith("snakebird."):
        raise MachineError(
            f"the name {made.name!r} belongs to the catalogue",
            f"neuron type {made.name}",
            "give another name=",
        )
    if made.function.__module__.startswith("snakebird."):
        _catalogue.add(made.name)
    REGISTRY[made.name] = made
