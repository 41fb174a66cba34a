"""The builder: linear arithmetic on streams makes links, calls of neuron types make neurons."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from snakebird import vvalues as vv
from snakebird.errors import MachineError, UnknownNameError, suggest
from snakebird.machines._link import Link
from snakebird.machines._machine import Machine
from snakebird.machines.building._stream import Node, Stream, Term, is_linear, terms_of
from snakebird.neurons import RESULT, Neuron, NeuronType, accumulator, building, constant

ONE = "one"
"""The neuron that plain numbers come from: a constant 1, shared by a whole machine."""


class Builder:
    """Builds a machine: while it is open, calls of neuron types make neurons of it.

    `fixed=True` leaves all links out of training. In `with` form the variables that hold nodes
    when the block ends name their neurons, as they do inside a `@machine` function.

    >>> from snakebird.neurons import timer, relu
    >>> with Builder(name="late") as b:
    ...     clock = timer()
    ...     late = relu(clock - 3)
    >>> print("\\n".join(str(link) for link in b.machine.links))
    clock.timer <- clock.timer (fixed)
    late.x <- clock.timer
    late.x <- -3 * one.result
    """

    def __init__(self, *, name: str = "", fixed: bool = False):
        self.name, self._fixed = name, fixed
        self._nodes: list[Node] = []
        self._links: list[tuple[Node, str, Term]] = []
        self._starts: dict[Node, dict[str, Any]] = {}
        self._free: list[tuple[Node, vv.Path]] = []
        self._matrix: tuple[Node, vv.Path] | None = None
        self._variables: dict[Node, str] = {}
        self._code: CodeType | None = None
        self._frame: FrameType | None = None

    def __enter__(self) -> "Builder":
        self._scope = building(self)
        return self._scope.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._scope.__exit__(*error)
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and not self._adopt(frame.f_locals):
            frame = frame.f_back

    def call(
        self, kind: NeuronType | Neuron, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Node:
        """Make a neuron: positional streams to its inputs in order, the rest by name.

        `name=` names it. Memory inputs are linked back to their outputs, except those given a
        stream beside other inputs; `loops=False` leaves all these links out. Names are sorted
        into inputs and parameters by the type, which raises `UnknownNameError` for others.
        """
        self._watch()
        neuron = kind if isinstance(kind, Neuron) else None
        type_ = kind.type if isinstance(kind, Neuron) else kind
        given = dict(kwargs)
        name = given.pop("name") if isinstance(given.get("name"), str) else None
        loops = given.pop("loops") if isinstance(given.get("loops"), bool) else True
        streams, parameters = _sort(type_, args, given)
        if neuron is None:
            neuron = type_.with_parameters(**parameters)
        elif parameters:
            raise MachineError(
                f"the parameters of this {type_.name} are set already",
                f"parameter {next(iter(parameters))!r}",
            )
        node = self._add(neuron, name)
        for port, stream in streams.items():
            self._link(node, port, stream)
        for port, out in type_.loops.items() if loops else ():
            if port not in streams or is_only_input(type_, port):
                self._links.append((node, port, Term(node, (out,), 1, fixed=True)))
        return node

    def feed(self, node: Node, streams: tuple[Any, ...], inputs: Mapping[str, Any]) -> None:
        """Link more streams to a node; `node.feed(...)` is the way to write it."""
        self._own(node)
        kind = node._neuron.type
        for port, stream in _positional(kind, streams, inputs).items():
            if port not in kind.inputs and not kind.variadic:
                raise UnknownNameError(
                    f"{kind.name} has no input {port!r}",
                    f"neuron {node.name}",
                    suggest(port, kind.inputs),
                )
            self._link(node, port, stream)

    def start(self, node: Node | str, port: str, value: Any, *, free: bool = False) -> None:
        """Set what an output holds before the first tick; with `free`, training may change it."""
        node = self._find(node) if isinstance(node, str) else self._own(node)
        self._starts.setdefault(node, {})[port] = value
        if free:
            self.free(node, port)

    def free(self, node: Node | str, path: str | vv.Path) -> None:
        """Let training change what an output, or a part of one, holds before the first tick."""
        node = self._find(node) if isinstance(node, str) else self._own(node)
        self._free.append((node, (path,) if isinstance(path, str) else tuple(path)))

    def carries_matrix(self, stream: Stream) -> None:
        """Let this output carry the network matrix: the machine may then edit its own links."""
        terms = terms_of(stream)
        if len(terms) != 1 or terms[0].node is None or terms[0][2:] != (1, False, False):
            raise MachineError(
                f"{stream!r} is not an output", "carries_matrix", "give one output: node.result"
            )
        self._matrix = (self._own(terms[0].node), terms[0].rest)

    def name_of(self, node: Node) -> str:
        """The name of a node's neuron, as things stand."""
        return self._names()[node]

    @property
    def machine(self) -> Machine:
        """The machine built so far; raises what `Machine` raises."""
        names = self._names()
        numbered = any(term.node is None for _, _, term in self._links)
        one = self._one(names)
        neurons = {names[node]: node._neuron for node in self._nodes}
        if numbered and one not in neurons:
            neurons[one] = constant.with_parameters(value=1)

        def path(term: Term) -> vv.Path:
            return (one, RESULT) if term.node is None else (names[term.node], *term.rest)

        return Machine(
            neurons,
            [
                Link(names[to], port, path(t), t.weight, t.instant, not (t.fixed or self._fixed))
                for to, port, t in self._links
            ],
            {names[node]: values for node, values in self._starts.items()},
            matrix_from=self._matrix and (names[self._matrix[0]], *self._matrix[1]),
            free_start=[(names[node], *rest) for node, rest in self._free],
            name=self.name,
        )

    def _add(self, neuron: Neuron, name: str | None) -> Node:
        if name is not None and any(node._name == name for node in self._nodes):
            raise MachineError(
                f"two neurons are named {name!r}",
                f"machine {self.name!r}",
                "give one another name=",
            )
        node = Node(self, neuron, name, neuron.type.name)
        self._nodes.append(node)
        return node

    def _link(self, node: Node, port: str, stream: Any) -> None:
        if not is_linear(stream):
            stream = self._constant(stream, f"{node.name}.{port}")
        for term in terms_of(stream):
            if term.node is not None:
                self._own(term.node)
            self._links.append((node, port, term))

    def _constant(self, value: Any, where: str) -> Node:
        if isinstance(value, Mapping) or vv.is_leaf(value):
            vv.check(value)
            return self._add(constant.with_parameters(value=value), None)
        raise MachineError(
            f"found {type(value).__name__}, expected a stream, a number or a tree of numbers",
            f"input {where}",
            "pass a node, one of its outputs, or a sum of those",
        )

    def _own(self, node: Node) -> Node:
        if node._builder is not self:
            raise MachineError(
                f"{node.name!r} belongs to another machine",
                f"machine {self.name!r}",
                "build both parts in one function",
            )
        return node

    def _find(self, name: str) -> Node:
        names = self._names()
        for node, known in names.items():
            if known == name:
                return node
        raise UnknownNameError(
            f"no neuron is named {name!r}", f"machine {self.name!r}", suggest(name, names.values())
        )

    def _names(self) -> dict[Node, str]:
        """Names as given, then the variables nodes stand in, then the names of their types."""
        names = {node: node._name for node in self._nodes if node._name is not None}
        taken = set(names.values())
        for given in (self._variables, {node: node._base for node in self._nodes}):
            for node, base in given.items():
                if node not in names:
                    names[node] = _unused(base, taken)
                    taken.add(names[node])
        return {node: names[node] for node in self._nodes}

    def _one(self, names: Mapping[Node, str]) -> str:
        """The name of the shared constant 1: a neuron made by hand serves if it is just that."""
        made = next((node._neuron for node, name in names.items() if name == ONE), None)
        return ONE if made is None or is_one(made) else _unused(ONE, set(names.values()))

    @contextmanager
    def naming(self, function: Callable[..., Any]) -> Iterator[None]:
        """While it lasts, `function` runs; its variables at the end name the neurons they hold."""
        self._code = getattr(inspect.unwrap(function), "__code__", None)
        try:
            yield
        finally:
            if self._frame is not None:
                self._adopt(self._frame.f_locals)
            self._code = self._frame = None

    def _watch(self) -> None:
        """Remember the frame of the function that builds, whose variables name the neurons."""
        frame = sys._getframe(1) if self._frame is None and self._code is not None else None
        while frame is not None and frame.f_code is not self._code:
            frame = frame.f_back
        self._frame = frame or self._frame

    def _adopt(self, variables: Mapping[str, Any]) -> bool:
        """Name nodes after the variables they stand in; whether any does."""
        for name, value in variables.items():
            if (
                isinstance(value, Node)
                and value._builder is self
                and not re.fullmatch(r"_+\d*", name)
            ):
                self._variables.setdefault(value, name)
        return bool(self._variables)


def is_one(neuron: Neuron) -> bool:
    """Whether a neuron is what plain numbers come from: a constant, exactly 1, not trained."""
    value = neuron.parameters.get("value")
    return neuron.type is constant and type(value) is int and value == 1 and not neuron.trainable


def _unused(base: str, taken: set[str]) -> str:
    name, k = base, 1
    while name in taken:
        k += 1
        name = f"{base}_{k}"
    return name


def _sort(
    kind: NeuronType, args: tuple[Any, ...], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of a call as inputs and as parameters."""
    inputs = {k: v for k, v in given.items() if k in kind.inputs}
    others = {k: v for k, v in given.items() if k not in kind.inputs}
    parameters = {k: v for k, v in others.items() if k in kind.defaults}
    for name, value in parameters.items():
        if isinstance(value, Stream):
            raise MachineError(
                f"the parameter {name!r} of {kind.name} is given a stream",
                f"neuron type {kind.name}",
                "parameters are values; only inputs take streams",
            )
    rest = {k: v for k, v in others.items() if k not in kind.defaults}
    if fed := next((k for k in rest if k in kind.feeds), None):
        raise MachineError(
            f"{fed!r} is filled in while the machine runs",
            f"neuron type {kind.name}",
            "leave it out",
        )
    if rest and not kind.variadic:
        name = next(iter(rest))
        raise UnknownNameError(
            f"{kind.name} has no input or parameter {name!r}",
            f"neuron type {kind.name}",
            suggest(name, [*kind.inputs, *kind.defaults]),
        )
    return _positional(kind, args, {**inputs, **rest}), parameters


def _positional(
    kind: NeuronType, streams: tuple[Any, ...], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    if len(streams) > len(kind.inputs):
        count = len(kind.inputs)
        raise MachineError(
            f"{kind.name} takes {count or 'no'} positional input{'s' * (count != 1)}, "
            f"{len(streams)} were given",
            f"neuron type {kind.name}",
            f"call {kind.signature}",
        )
    placed = dict(zip(kind.inputs, streams, strict=False))
    if twice := placed.keys() & inputs.keys():
        raise MachineError(
            f"the input {min(twice)!r} is given twice",
            f"neuron type {kind.name}",
            "add the streams up",
        )
    return {**placed, **inputs}


def is_only_input(kind: NeuronType, port: str) -> bool:
    """Whether a memory input is the only way in, so that streams given to it add to the memory."""
    return kind.inputs == (port,) and not kind.variadic


def accumulate(delta: Any, /, **kwargs: Any) -> Any:
    """The running sum of a stream: `accumulator(delta=stream)`, its memory linked.

    >>> from snakebird.neurons import source
    >>> with Builder() as b:
    ...     counts = accumulate(source(name="char"))
    >>> [str(link) for link in b.machine.links]
    ['counts.accum <- counts.result (fixed)', 'counts.delta <- char.signal']
    """
    return accumulator(delta=delta, **kwargs)


def carries_matrix(stream: Any) -> None:
    """Let an output carry the network matrix of the machine that is being built.

    >>> from snakebird.neurons import accumulator
    >>> with Builder() as b:
    ...     itself = accumulator(name="self")
    ...     carries_matrix(itself)
    >>> b.machine.matrix_from
    ('self', 'result')
    """
    nodes = [term.node for term in terms_of(stream) if term.node is not None]
    if not nodes:
        raise MachineError(
            f"{stream!r} is not an output", "carries_matrix", "give one output: node.result"
        )
    nodes[0]._builder.carries_matrix(stream)
