"""A machine as data: neurons, links and start values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import MachineError, UnknownNameError, suggest
from snakebird.machines._link import Link, as_link, as_path, merge
from snakebird.machines._order import instant_order
from snakebird.machines._validate import check_input, validate
from snakebird.neurons import Neuron, NeuronType, find


@dataclass(frozen=True, eq=False)
class Machine:
    """Neurons wired by a network matrix.

    * `neurons`: name -> neuron; a neuron type or its name stands for it with default parameters.
    * `links`: `Link`s, texts like `"norm.x <- 0.5 * accum.result"`, or `(to, source, weight)`.
    * `start`: the outputs before the first tick, as a tree neuron -> output -> value.
    * `matrix_from`: the output that carries the network matrix (Self), or `None` when the matrix
      stays as it is. Its start value is the matrix of the links that are not instant.
    * `free_start`: the outputs whose start values training may change.

    Raises `MachineError` or `UnknownNameError` for what does not fit together.

    >>> m = Machine({"n": "timer", "r": "relu"}, ["n.timer <- n.timer", "r.x <- 0.5 * n.timer"])
    >>> m.matrix
    {'n': {'timer': {'n': {'timer': 1}}}, 'r': {'x': {'n': {'timer': 0.5}}}}
    """

    neurons: Mapping[str, Neuron]
    links: tuple[Link, ...] = ()
    start: Any = field(default_factory=dict)
    matrix_from: vv.Path | None = None
    free_start: frozenset[vv.Path] = frozenset()
    name: str = ""

    def __init__(
        self,
        neurons: Mapping[str, Neuron | NeuronType | str],
        links: Iterable[Any] = (),
        start: Any = None,
        *,
        matrix_from: str | vv.Path | None = None,
        free_start: Iterable[str | vv.Path] = (),
        name: str = "",
    ):
        _check_given(neurons, links, name)
        found = {key: _as_neuron(key, value) for key, value in neurons.items()}
        fill = lambda key, value: object.__setattr__(self, key, value)
        fill("neurons", found)
        fill("links", merge([as_link(link, found) for link in links]))
        fill("start", vv.unflatten(start or {}))
        fill("matrix_from", None if matrix_from is None else as_path(matrix_from, found))
        fill("free_start", frozenset(as_path(port, found) for port in free_start))
        fill("name", name)
        validate(self)

    def __repr__(self) -> str:
        title = f" {self.name!r}" if self.name else ""
        return f"<machine{title}: {len(self.neurons)} neurons, {len(self.links)} links>"

    def __str__(self) -> str:
        from snakebird.machines.printing._source import to_source

        return to_source(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Machine) and _same(self._content, other._content)

    __hash__ = None  # type: ignore[assignment]

    @property
    def _content(self) -> list[Any]:
        neurons = {
            name: [n.type.name, n.type, dict(n.parameters), sorted(n.trainable)]
            for name, n in self.neurons.items()
        }
        links = [[*link.place, link.weight, link.trainable] for link in self.links]
        start = [
            [path, leaf] for path, leaf in sorted(vv.stored(self.start), key=lambda item: item[0])
        ]
        return [neurons, links, start, self.matrix_from, sorted(self.free_start), self.name]

    @cached_property
    def matrix(self) -> Any:
        """The network matrix of the ordinary links as a tree: to, input, from, output."""
        return vv.grow({link.path: link.weight for link in self.links if not link.instant})

    @cached_property
    def instant_matrix(self) -> Any:
        """The matrix of the instant links, applied to this tick's outputs."""
        return vv.grow({link.path: link.weight for link in self.links if link.instant})

    @cached_property
    def linked(self) -> frozenset[str]:
        """The neurons at which at least one link ends."""
        return frozenset(link.to for link in self.links)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The neurons in an order that serves the instant links."""
        return instant_order(self.neurons, self.links)

    @property
    def first_outputs(self) -> Any:
        """All outputs before the first tick, Self's matrix included."""
        if self.matrix_from is None:
            return self.start
        return vv.put(self.start, self.matrix_from, self.matrix)

    def replace(self, **changes: Any) -> "Machine":
        """The same machine with some fields changed; everything is checked again."""
        fields = ("neurons", "links", "start", "matrix_from", "free_start", "name")
        return Machine(**{key: changes.pop(key, getattr(self, key)) for key in fields}, **changes)

    def link(self, *links: Any) -> "Machine":
        """The machine with more links; where a link stands already the weights add up."""
        return self.replace(links=[*self.links, *(as_link(link, self.neurons) for link in links)])

    def unlink(self, *links: Any) -> "Machine":
        """The machine without these links, whatever their weights."""
        known = {link.path: str(link.scaled(1)) for link in self.links}
        gone = {as_link(link, self.neurons).path for link in links}
        for path in sorted(gone - known.keys()):
            shown = f"{vv.show_path(path[:2])} <- {vv.show_path(path[2:])}"
            raise UnknownNameError(
                f"there is no link {shown}", "unlink", suggest(shown, known.values())
            )
        return self.replace(links=[link for link in self.links if link.path not in gone])

    def with_weights(self, weights: Iterable[Any]) -> "Machine":
        """The machine with other weights, one for each of `links`, in their order."""
        weights = list(weights)
        if len(weights) != len(self.links):
            raise MachineError(
                f"there are {len(weights)} weights, expected {len(self.links)}",
                "with_weights",
                "give one for each link of machine.links, in their order",
            )
        pairs = zip(self.links, weights, strict=True)
        return self.replace(links=[link.scaled(weight) for link, weight in pairs])

    def fixed(self, *ends: str) -> "Machine":
        """The machine with the links that end at these neurons or ports (or all) not trainable."""
        paths = [as_path(end, self.neurons) for end in ends] or [()]
        for path in filter(None, paths):
            check_input(self, path, "fixed")
        return self.replace(
            links=[
                replace(link, trainable=False)
                if any(link.path[: len(p)] == p for p in paths)
                else link
                for link in self.links
            ]
        )


def _check_given(neurons: Any, links: Any, name: Any) -> None:
    """Refuse what is no machine at first sight."""
    wrong = {
        "neurons": (neurons, isinstance(neurons, Mapping), 'a dict {"name": neuron}'),
        "links": (
            links,
            isinstance(links, Iterable) and not isinstance(links, str),
            'a list like ["a.x <- 0.5 * b.result"]',
        ),
        "name": (name, isinstance(name, str), "a text"),
    }
    for key, (given, fits, wanted) in wrong.items():
        if not fits:
            raise MachineError(f"{key} is {given!r}, expected {wanted}", "Machine")


def _as_neuron(name: str, given: Neuron | NeuronType | str) -> Neuron:
    if isinstance(given, Neuron):
        return given
    if not isinstance(given, (NeuronType, str)):
        raise MachineError(
            f"found {given!r}, expected a neuron, a neuron type or its name",
            f"neuron {name!r}",
            'write "relu", sb.relu or sb.constant(value=2)',
        )
    return (find(given) if isinstance(given, str) else given).with_parameters()


def _same(a: Any, b: Any) -> bool:
    """Equality all the way down, arrays and modules included."""
    waiting = [(a, b)]
    while waiting:
        one, other = waiting.pop()
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            if one.keys() != other.keys():
                return False
            waiting += [(one[key], other[key]) for key in one]
        elif isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
            if len(one) != len(other):
                return False
            waiting += zip(one, other, strict=True)
        elif not _same_leaf(one, other):
            return False
    return True


def _same_leaf(a: Any, b: Any) -> bool:
    if isinstance(a, (np.ndarray, jax.Array)) or isinstance(b, (np.ndarray, jax.Array)):
        left, right = np.asarray(a), np.asarray(b)
        return left.shape == right.shape and bool((left == right).all())
    if a is b:
        return True
    leaves, tree = jax.tree.flatten(a)
    others, other_tree = jax.tree.flatten(b)
    if len(leaves) == 1 and leaves[0] is a:
        return bool(a == b)
    return tree == other_tree and all(map(_same, leaves, others))
