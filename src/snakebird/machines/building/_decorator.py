"""`@machine`: a function over streams as the source of a machine."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, overload

from snakebird import vvalues as vv
from snakebird.errors import MachineError
from snakebird.machines._machine import Machine
from snakebird.machines.building._builder import Builder
from snakebird.machines.building._stream import Node
from snakebird.neurons import building, output, source


class Tokens:
    """What arrives at a source: one of these tokens at a time, as `{token: 1}`.

    A text gives its characters, a list its words.

    >>> Tokens("abca").tokens, Tokens(["go", "stop"]).tokens
    (('a', 'b', 'c'), ('go', 'stop'))
    """

    def __init__(self, tokens: Iterable[str]):
        self.tokens = tuple(dict.fromkeys(tokens))

    def __repr__(self) -> str:
        return (
            f"Tokens({''.join(self.tokens)!r})"
            if all(len(t) == 1 for t in self.tokens)
            else f"Tokens({self.tokens})"
        )


class Numbers:
    """What arrives at a source: a number under each of these names, without names one number.

    >>> Numbers("x", "y").space, Numbers().space
    (Space(x, y), Space(the root))
    """

    def __init__(self, *names: str):
        self.names = names

    def __repr__(self) -> str:
        return f"Numbers({', '.join(map(repr, self.names))})"

    @property
    def space(self) -> vv.Space:
        """The space of the numbers."""
        return vv.Space([(name,) for name in self.names] or [()])


@overload
def machine(function: Callable[..., Any], /) -> Machine: ...
@overload
def machine(
    *, name: str | None = None, fixed: bool = False
) -> Callable[[Callable[..., Any]], Machine]: ...
def machine(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None, fixed: bool = False
) -> Any:
    """Make a machine of a function over streams, which runs once.

    Its parameters are sources: annotated with `Tokens`, `Numbers` or a `Space`, they say what
    may arrive; without, a number; a default is what the source gives when nothing arrives. What
    it returns, a stream or a dict of streams, becomes the inputs of a neuron named `output`.
    Variables that hold nodes when the function returns name their neurons. `fixed=True` leaves
    all links out of training.

    >>> from snakebird.machines import accumulate
    >>> from snakebird.neurons import max_norm, relu
    >>> @machine
    ... def repeats(char: Tokens("abc")):
    ...     counts = accumulate(char)
    ...     return relu(max_norm(counts) - 1)
    >>> repeats
    <machine 'repeats': 6 neurons, 6 links>
    """
    if function is None:
        return lambda f: _build(f, name, fixed)
    return _build(function, name, fixed)


def _build(function: Callable[..., Any], name: str | None, fixed: bool) -> Machine:
    builder = Builder(name=function.__name__ if name is None else name, fixed=fixed)
    with building(builder), builder.naming(function):
        given = {p.name: (p.kind, _source(builder, p)) for p in _parameters(function)}
        places = [
            node for kind, node in given.values() if kind is not inspect.Parameter.KEYWORD_ONLY
        ]
        named = {
            key: node
            for key, (kind, node) in given.items()
            if kind is inspect.Parameter.KEYWORD_ONLY
        }
        result = function(*places, **named)
        if result is not None:
            results = result if isinstance(result, Mapping) else {"result": result}
            builder.feed(builder._add(output.with_parameters(), "output"), (), results)
    return builder.machine


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        found = inspect.signature(function, eval_str=True)
    except (NameError, SyntaxError):  # an annotation that is a text, or refers to what is not there
        found = inspect.signature(function)
    return list(found.parameters.values())


def _source(builder: Builder, parameter: inspect.Parameter) -> Node:
    wanted, known = parameter.annotation, {}
    if isinstance(wanted, Tokens):
        known["tokens"] = wanted.tokens
    elif isinstance(wanted, (Numbers, vv.Space)):
        known["space"] = wanted.space if isinstance(wanted, Numbers) else wanted
    elif wanted in (parameter.empty, float, int):
        known["space"] = vv.Space([()])
    else:
        raise MachineError(
            f"the annotation {wanted!r} does not say what may arrive",
            f"parameter {parameter.name!r} of machine {builder.name!r}",
            'write sb.Tokens("abc"), sb.Numbers("x", "y"), a Space, or nothing for a number',
        )
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise MachineError(
            f"the sources of machine {builder.name!r} must be named one by one",
            f"parameter {parameter}",
            "write a parameter for each source",
        )
    if parameter.default is not parameter.empty:
        known["default"] = parameter.default
    return builder._add(source.with_parameters(**known), parameter.name)
