"""What a neuron is: a function from a tree of named inputs to a tree of named outputs.

A `NeuronType` is such a function with a name; a `Neuron` is a type with its parameters filled
in. One function serves both engines, since it is written in the V-value algebra (or in JAX).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple, TypeGuard

import jax
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import InputError, MachineError, UnknownNameError, suggest
from snakebird.neurons._parameters import checked
from snakebird.neurons._results import check_result

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
    """Mark a neuron's parameter as open to training: `leaky(rate=trainable(0.9))`.

    >>> trainable(0.9)
    Trainable(value=0.9)
    """
    return Trainable(value)


Check = Callable[[Mapping[str, Any]], None]
"""Raises for parameters that a type cannot take."""


class Recipe(NamedTuple):
    """How a neuron is made again: a public function of Snakebird by name, and its arguments."""

    maker: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class NeuronType:
    """An activation function with named inputs and outputs.

    * `inputs`: the declared input ports; with `variadic`, any others as well.
    * `outputs`: the output ports, or `None` where the function names them itself.
    * `defaults`: the parameters with their default values. Those whose default is a float, an
      array or a dict are *numbers*: they may change without recompilation, and be trained.
    * `loops`: memory, as input -> output pairs; a builder links each output back with weight 1.
    * `keeps`: input -> output pairs where the output is the input as long as all others are zero.
    * `check`: called with all parameters of a neuron when it is made, to raise for what is wrong.
    * `recipe`: for types that no registry knows, how a neuron of this type is made again.

    Called with values it computes; called with parameters only it gives a `Neuron`; inside a
    builder it makes a neuron and gives its streams.

    >>> from snakebird.neurons import accumulator
    >>> accumulator.inputs, accumulator.outputs, accumulator.loops
    (('accum', 'delta'), ('result',), {'accum': 'result'})
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple[str, ...] = ()
    variadic: bool = False
    outputs: tuple[str, ...] | None = (RESULT,)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    loops: Mapping[str, str] = field(default_factory=dict)
    keeps: Mapping[str, str] = field(default_factory=dict)
    feeds: frozenset[str] = frozenset()
    check: Check | None = None
    recipe: Callable[[Any], Recipe] | None = None

    def __repr__(self) -> str:
        return f"<neuron type {self.signature}>"

    @property
    def signature(self) -> str:
        """The type in one line: `compare(x, y) -> true, false`."""
        ports = [*self.inputs, *(["**inputs"] if self.variadic else [])]
        parameters = [f"{k}={v!r}" for k, v in self.defaults.items()]
        inside = ", ".join(ports + (["*", *parameters] if parameters else []))
        outputs = ", ".join(self.outputs) if self.outputs is not None else "**outputs"
        return f"{self.name}({inside}) -> {outputs}"

    @property
    def always_active(self) -> bool:
        """Types without any input port run every tick; all others only when linked to."""
        return not self.inputs and not self.variadic

    @property
    def external(self) -> bool:
        """Whether neurons of this type take messages from outside the machine."""
        return "message" in self.feeds

    def numeric(self, name: str) -> bool:
        """Whether a parameter is made of numbers, which may change without recompilation."""
        return isinstance(self.defaults[name], _NUMERIC)

    def with_parameters(self, **parameters: Any) -> "Neuron":
        """A neuron of this type.

        Raises `UnknownNameError` for a parameter it does not have, `MachineError` for a value
        that a parameter cannot take.
        """
        return self._made(self.defaults, frozenset(), parameters)

    def _made(
        self, before: Mapping[str, Any], free: frozenset[str], changes: Mapping[str, Any]
    ) -> "Neuron":
        """A neuron with the parameters `before`, some of them changed."""
        changed = {name: self._parameter(name, value) for name, value in changes.items()}
        new = frozenset(k for k, v in changes.items() if isinstance(v, Trainable))
        made = Neuron(self, {**before, **changed}, free.difference(changes) | new)
        if self.check is not None:
            self.check(made.parameters)
        return made

    def _parameter(self, name: str, given: Any) -> Any:
        """A parameter in the form its neuron takes it."""
        if name not in self.defaults:
            raise UnknownNameError(
                f"{self.name} has no parameter {name!r}",
                f"neuron type {self.name}",
                suggest(name, [*self.defaults, *self.inputs]),
            )
        value = given.value if isinstance(given, Trainable) else given
        default, numeric = self.defaults[name], self.numeric(name)
        if isinstance(given, Trainable) and not numeric and default is not None:
            raise MachineError(
                f"{name}=trainable({value!r}), but {name} is no parameter that training can change",
                f"neuron type {self.name}",
                f"write {name}={value!r}",
            )
        return checked(self.name, name, default, value, numeric)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        builder = _building.get()
        if builder is not None:
            return builder.call(self, args, kwargs)
        ports = {k: kwargs.pop(k) for k in list(kwargs) if self._is_input(k)}
        fed = {k: kwargs.pop(k) for k in list(kwargs) if k in self.feeds}
        neuron = self.with_parameters(**kwargs)
        if not args and not ports and not fed:
            return neuron
        ports |= self._positional(args, ports)
        if "key" in self.feeds and "key" not in fed:
            raise InputError(
                f"{self.name} draws at random and there is no key",
                f"neuron type {self.name}",
                "give key=jax.random.key(0)",
            )
        outputs = neuron.apply(ports, **fed)
        return vv.get(outputs, self.outputs[0]) if _single(self.outputs) else outputs

    def _positional(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs given by position, by name."""
        where, hint = f"neuron type {self.name}", f"call {self.signature}"
        if len(args) > len(self.inputs):
            raise MachineError(
                f"{self.name} takes {len(self.inputs)} positional inputs, {len(args)} were given",
                where,
                hint,
            )
        ports = dict(zip(self.inputs, args, strict=False))
        for name in ports.keys() & named.keys():
            raise MachineError(f"{self.name} got its input {name!r} twice", where, hint)
        return ports

    def _is_input(self, name: str) -> bool:
        known = name in self.defaults or name in self.feeds
        return name in self.inputs or (self.variadic and not known)


@dataclass(frozen=True, eq=False)
class Neuron:
    """A neuron type with its parameters; `trainable` names those that training may change.

    >>> from snakebird.neurons import leaky_accumulator
    >>> leak = leaky_accumulator(rate=0.5)
    >>> leak, leak.apply({"accum": 4.0, "delta": 1.0})
    (leaky_accumulator(rate=0.5), {'result': 3.0})
    """

    type: NeuronType
    parameters: Mapping[str, Any] = field(default_factory=dict)
    trainable: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        shown = [
            f"{k}={f'trainable({_shown(v)})' if k in self.trainable else _shown(v)}"
            for k, v in self.parameters.items()
            if k in self.trainable or v is not self.type.defaults[k]
        ]
        return f"{self.type.name}({', '.join(shown)})"

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Inside a builder, make this neuron and link streams to its inputs."""
        builder = _building.get()
        if builder is None:
            raise MachineError(
                f"{self.type.name} is a neuron already; it computes by apply",
                f"neuron type {self.type.name}",
                'write neuron.apply({"x": value}), or call it while a machine is built',
            )
        return builder.call(self, args, kwargs)

    def replace(self, **parameters: Any) -> "Neuron":
        """The same neuron with some parameters changed.

        >>> from snakebird.neurons import leaky_accumulator
        >>> leaky_accumulator(rate=0.5).replace(rate=trainable(0.9))
        leaky_accumulator(rate=trainable(0.9))
        """
        return self.type._made(self.parameters, self.trainable, parameters)

    def apply(self, inputs: vv.VValue, **feeds: Any) -> vv.VValue:
        """All outputs for a tree of inputs, on either carrier.

        `feeds` are the engine's `key`, `message` and `present`; those the type does not ask for
        are ignored.
        """
        kind = self.type
        args = [vv.get(inputs, name) for name in kind.inputs]
        others = [k for k in vv.keys(inputs) if k not in kind.inputs] if kind.variadic else []
        rest = {k: vv.get(inputs, k) for k in others}
        fed = {k: v for k, v in feeds.items() if k in kind.feeds}
        result = kind.function(*args, **rest, **self.parameters, **fed)
        check_result(kind.name, kind.outputs, result)
        return {kind.outputs[0]: result} if _single(kind.outputs) else result


def _shown(value: Any) -> str:
    """A parameter as text; Python itself shows no tree of a thousand levels."""
    try:
        return repr(value)
    except RecursionError:
        return "<a deep tree>"


def _single(outputs: tuple[str, ...] | None) -> TypeGuard[tuple[str]]:
    """Whether a type has one output, whose value its function returns as it is."""
    return outputs is not None and len(outputs) == 1


_building: ContextVar[Any] = ContextVar("building", default=None)


@contextmanager
def building(builder: Any) -> Iterator[Any]:
    """While it lasts, calls of neuron types go to `builder.call(type, args, kwargs)`."""
    token = _building.set(builder)
    try:
        yield builder
    finally:
        _building.reset(token)
