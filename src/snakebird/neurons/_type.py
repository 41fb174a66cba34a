"""What a neuron is: a function from a tree of named inputs to a tree of named outputs.

A `NeuronType` is such a function with a name; a `Neuron` is a type with its parameters filled
in. One function serves both engines, since it is written in the V-value algebra (or in JAX).
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, overload

import jax
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import MachineError, UnknownNameError, suggest

FEEDS = frozenset({"key", "message", "present"})
"""Keywords the engine itself fills in: a random key, what arrived from outside, whether it did."""

RESULT = "result"
"""The name of the output of a neuron that has only one and gives it no other name."""

_NUMERIC = (float, Fraction, dict, np.ndarray, jax.Array)


@dataclass(frozen=True)
class Trainable:
    """A parameter value that training may change; made by `trainable`."""

    value: Any


def trainable(value: Any) -> Trainable:
    """Mark a neuron's parameter as open to training: `leaky(rate=trainable(0.9))`."""
    return Trainable(value)


@dataclass(frozen=True, eq=False)
class NeuronType:
    """An activation function with named inputs and outputs.

    * `inputs`: the declared input ports; with `variadic`, any others as well.
    * `outputs`: the output ports, or `None` where the function names them itself.
    * `defaults`: the parameters with their default values. Those whose default is a float, an
      array or a dict are *numbers*: they may change without recompilation, and be trained.
    * `loops`: memory, as input -> output pairs; a builder links each output back with weight 1.

    Called with values it computes; called with parameters only it gives a `Neuron`; inside a
    builder it makes a neuron and gives its streams.
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple[str, ...] = ()
    variadic: bool = False
    outputs: tuple[str, ...] | None = (RESULT,)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    loops: Mapping[str, str] = field(default_factory=dict)
    feeds: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<neuron type {self.signature}>"

    @property
    def signature(self) -> str:
        """The type in one line: `compare(x, y) -> true, false`."""
        ports = [*self.inputs, *(["**inputs"] if self.variadic else [])]
        parameters = [f"{k}={v!r}" for k, v in self.defaults.items()]
        inside = ", ".join(ports + (["*", *parameters] if parameters else []))
        return f"{self.name}({inside}) -> {', '.join(self.outputs) if self.outputs is not None else '**outputs'}"

    @property
    def always_active(self) -> bool:
        """Types without any input port run every tick; all others only when something links to them."""
        return not self.inputs and not self.variadic

    @property
    def external(self) -> bool:
        """Whether neurons of this type take messages from outside the machine."""
        return "message" in self.feeds

    def numeric(self, name: str) -> bool:
        """Whether a parameter is made of numbers, which may change without recompilation."""
        return isinstance(self.defaults[name], _NUMERIC) and not isinstance(self.defaults[name], bool)

    def with_parameters(self, **parameters: Any) -> "Neuron":
        """A neuron of this type; raises `UnknownNameError` for a parameter it does not have."""
        for name in parameters:
            if name not in self.defaults:
                raise UnknownNameError(
                    f"{self.name} has no parameter {name!r}", f"neuron type {self.name}", suggest(name, self.defaults)
                )
        plain = {k: v.value if isinstance(v, Trainable) else v for k, v in parameters.items()}
        free = frozenset(k for k, v in parameters.items() if isinstance(v, Trainable))
        return Neuron(self, {**self.defaults, **plain}, free)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        builder = _building.get()
        if builder is not None:
            return builder.call(self, args, kwargs)
        ports = {k: kwargs.pop(k) for k in list(kwargs) if self._is_input(k)}
        fed = {k: kwargs.pop(k) for k in list(kwargs) if k in self.feeds}
        neuron = self.with_parameters(**kwargs)
        if not args and not ports and not fed:
            return neuron
        if len(args) > len(self.inputs):
            raise MachineError(
                f"{self.name} takes {len(self.inputs)} positional inputs, {len(args)} were given",
                f"neuron type {self.name}",
                f"call {self.signature}",
            )
        ports |= dict(zip(self.inputs, args, strict=False))
        outputs = neuron.apply(ports, **fed)
        return vv.get(outputs, self.outputs[0]) if self.outputs and len(self.outputs) == 1 else outputs

    def _is_input(self, name: str) -> bool:
        known = name in self.defaults or name in self.feeds
        return name in self.inputs or (self.variadic and not known)


@dataclass(frozen=True, eq=False)
class Neuron:
    """A neuron type with its parameters; `trainable` names those that training may change."""

    type: NeuronType
    parameters: Mapping[str, Any] = field(default_factory=dict)
    trainable: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        shown = [
            f"{k}={f'trainable({v!r})' if k in self.trainable else repr(v)}"
            for k, v in self.parameters.items()
            if k in self.trainable or v is not self.type.defaults[k]
        ]
        return f"{self.type.name}({', '.join(shown)})"

    def replace(self, **parameters: Any) -> "Neuron":
        """The same neuron with some parameters changed."""
        return replace(self, parameters={**self.parameters, **parameters})

    def apply(self, inputs: vv.VValue, **feeds: Any) -> vv.VValue:
        """All outputs for a tree of inputs, on either carrier.

        `feeds` are the engine's `key`, `message` and `present`; those the type does not ask for
        are ignored.
        """
        kind = self.type
        args = [vv.get(inputs, name) for name in kind.inputs]
        rest = {k: vv.get(inputs, k) for k in vv.keys(inputs) if k not in kind.inputs} if kind.variadic else {}
        fed = {k: v for k, v in feeds.items() if k in kind.feeds}
        result = kind.function(*args, **rest, **self.parameters, **fed)
        return {kind.outputs[0]: result} if kind.outputs is not None and len(kind.outputs) == 1 else result


REGISTRY: dict[str, NeuronType] = {}
"""All neuron types by name; machine files refer to them by it."""

_catalogue: set[str] = set()


def find(name: str) -> NeuronType:
    """The registered neuron type of that name; raises `UnknownNameError` with the nearest names."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise UnknownNameError(f"no neuron type is named {name!r}", hint=suggest(name, REGISTRY)) from None


@overload
def neuron(function: Callable[..., Any], /) -> NeuronType: ...
@overload
def neuron(
    *, outputs: Any = (RESULT,), loops: Mapping[str, str] | None = None, name: str | None = None, register: bool = True
) -> Callable[[Callable[..., Any]], NeuronType]: ...
def neuron(
    function: Callable[..., Any] | None = None,
    /,
    *,
    outputs: tuple[str, ...] | None = (RESULT,),
    loops: Mapping[str, str] | None = None,
    name: str | None = None,
    register: bool = True,
) -> Any:
    """Make a neuron type of a function; its signature says the rest.

    Positional parameters are input ports, `**inputs` takes any others, keyword-only parameters
    are the neuron's own parameters, except `key`, `message` and `present`, which the engine
    fills in. With one output the function returns its value; with several, a dict by name;
    with `outputs=None`, a dict of whatever it likes.

    >>> @neuron(register=False)
    ... def double(x, *, by=2.0):
    ...     return vv.scale(by, x)
    >>> double({"a": 3}), double(by=5)
    ({'a': 6.0}, double(by=5))
    """
    if function is None:
        return lambda f: _make(f, outputs, loops or {}, name, register)
    return _make(function, outputs, {}, None, True)


def _make(
    function: Callable[..., Any],
    outputs: tuple[str, ...] | None,
    loops: Mapping[str, str],
    name: str | None,
    register: bool,
) -> NeuronType:
    parameters = inspect.signature(function).parameters.values()
    named = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    made = NeuronType(
        name=name or function.__name__,
        function=function,
        inputs=tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)),
        variadic=any(p.kind is p.VAR_KEYWORD for p in parameters),
        outputs=outputs,
        defaults={p.name: p.default for p in named if p.name not in FEEDS},
        loops=dict(loops),
        feeds=frozenset(p.name for p in named) & FEEDS,
    )
    object.__setattr__(made, "__doc__", function.__doc__)
    if register:
        _register(made)
    return made


def _register(made: NeuronType) -> None:
    if made.name in _catalogue and not made.function.__module__.startswith("snakebird."):
        raise MachineError(
            f"the name {made.name!r} belongs to the catalogue", f"neuron type {made.name}", "give another name="
        )
    if made.function.__module__.startswith("snakebird."):
        _catalogue.add(made.name)
    REGISTRY[made.name] = made


_building: ContextVar[Any] = ContextVar("building", default=None)


@contextmanager
def building(builder: Any) -> Iterator[Any]:
    """While it lasts, calls of neuron types go to `builder.call(type, args, kwargs)`."""
    token = _building.set(builder)
    try:
        yield builder
    finally:
        _building.reset(token)
