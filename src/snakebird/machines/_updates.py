"""Editing a network from inside, as methods: each makes a neuron that emits matrix updates."""

from collections.abc import Iterable, Mapping
from typing import Any

from snakebird import vvalues as vv
from snakebird.errors import MachineError
from snakebird.machines.building._builder import carries_matrix
from snakebird.machines.building._stream import Node, Stream, instant
from snakebird.neurons import (
    accumulator,
    add_update,
    allocate_update,
    clone_update,
    constant,
    erase_update,
    guard,
    identity,
    insert_update,
    move_update,
    set_update,
)


class Editor:
    """Lets the machine that is being built edit its own links.

    Made inside a builder; it makes the neuron `self`, which carries the matrix. Every method makes
    a neuron that emits a kind of matrix update, and links it into `self.delta`. An update emitted
    at tick t is in the matrix at t+1 and acts on the inputs of tick t+2. The gate `by` is a number
    or a stream: a number scales the update, a tree masks it; by default it is 1 in every tick.
    A stream comes a tick late, unless you write `sb.instant(stream)`.
    What several of them emit in a tick adds up. Places are written `"n.x"` (a row),
    `"n.x <- m.result"` (an entry) or as tuples of names.

    `rows`, `links`, `change` and `strict` put a `guard` before Self: only the rows that the tree or
    stream `rows` allows may change, at most `links` new links may come in a tick, and the absolute
    changes of a tick add up to `change` at most.

    >>> from snakebird.machines import Builder, run
    >>> from snakebird.neurons import constant, identity
    >>> with Builder() as b:
    ...     edit = Editor()
    ...     one, n = constant(name="one"), identity(name="n")
    ...     _ = edit.add("n.x <- one.result", by=0.5)
    >>> run(b.machine, 5)["n.result"]
    [{}, {}, 0.5, 1.0, 1.5]
    """

    def __init__(
        self,
        *,
        rows: Any = None,
        links: int = -1,
        change: Any = None,
        strict: bool = True,
        name: str = "self",
    ):
        self.network: Node = accumulator(name=name)
        carries_matrix(self.network)
        self.guard: Node | None = None
        if rows is not None or links >= 0 or change is not None:
            change = -1.0 if change is None else change
            before = guard(links=links, change=change, strict=strict, name="guard")
            before.feed(matrix=self.matrix, mask=_now(1 if rows is None else rows))
            self.network.feed(delta=before.result)
            self.guard = before

    @property
    def matrix(self) -> Stream:
        """The network matrix of this tick, as a stream."""
        return instant(self.network)

    def send(self, update: Stream) -> None:
        """Link any stream of matrix updates into Self, through the guard if there is one."""
        if self.guard is None:
            self.network.feed(delta=update)
        else:
            self.guard.feed(delta=instant(update))

    def add(self, at: Any, *, by: Any = 1, weight: Any = 1, name: str | None = None) -> Node:
        """Adds `by` to an entry in every tick, or a tree of that shape to a row."""
        node = add_update(at=place(at), **_named(name)).feed(by=_now(by))
        return self._sent(node, node.result, weight)

    def set(
        self, at: Any, to: Any, *, by: Any = 1, weight: Any = 1, name: str | None = None
    ) -> Node:
        """Makes what stands at a place equal to `to`, where `by` is 1."""
        node = set_update(at=place(at), **_named(name))
        node.feed(matrix=self.matrix, value=_now(to), gate=_now(by))
        return self._sent(node, node.result, weight)

    def move(
        self, at: Any, to: Any, *, by: Any = 1, weight: Any = 1, name: str | None = None
    ) -> Node:
        """Moves an entry or a row to another place, where it is added."""
        node = move_update(at=place(at), to=place(to), **_named(name))
        node.feed(matrix=self.matrix, gate=_now(by))
        return self._sent(node, node.result, weight)

    def clone(
        self, names: Mapping[str, str], *, by: Any, weight: Any = 1, name: str | None = None
    ) -> Node:
        """Copies the rows of neurons (old -> new); a gate that adds up to 1 makes one copy.

        The copies are neurons that you made, silent until then.
        """
        node = clone_update(old=tuple(names), new=tuple(names.values()), **_named(name))
        node.feed(matrix=self.matrix, gate=_now(by))
        return self._sent(node, node.result, weight)

    def insert(
        self,
        new: str,
        before: Any,
        *,
        by: Any,
        side: Any = (),
        share: Any = 0.0,
        weight: Any = 1,
        name: str | None = None,
    ) -> Node:
        """Makes a silent identity neuron `new`, and puts it before an input once `by` is 1.

        The input then hears `(1 - share) * new + share * side`, what it heard a tick later.
        """
        identity(name=new)
        node = insert_update(
            at=place(before),
            new=(new, "x", "result"),
            side=place(side) if side else (),
            share=share,
            **_named(name),
        )
        node.feed(matrix=self.matrix, gate=_now(by))
        return self._sent(node, node.result, weight)

    def erase(self, symbol: Any, *, weight: Any = 1, name: str | None = None) -> Node:
        """Takes away all links to and from the neuron whose name arrives, as `{name: 1}`."""
        node = erase_update(**_named(name)).feed(matrix=self.matrix, symbol=symbol)
        return self._sent(node, node.result, weight)

    def allocate(
        self,
        key: Any,
        slots: Iterable[str],
        row: Any,
        *,
        loop: Any = (),
        weight: Any = 1,
        name: str | None = None,
    ) -> Node:
        """Gives every new key the first free neuron of `slots`.

        `row="x <- late.result"` links the input `x` of that neuron to what stands under the key in
        that stream, `loop="accum <- result"` gives it a memory. The node's output `slot` tells what
        was given away, `refused` for which keys there was no neuron left.
        """
        memory = place(loop) if loop else ()
        node = allocate_update(slots=tuple(slots), row=place(row), loop=memory, **_named(name))
        node.feed(matrix=self.matrix, key=key)
        return self._sent(node, node.result, weight)

    def _sent(self, node: Node, update: Stream, weight: Any) -> Node:
        self.send(weight * update)
        return node


def _now(given: Any) -> Any:
    """A number or a tree as a stream that is there from the first tick on; a stream as it is."""
    if isinstance(given, Stream):
        return given
    return instant(constant(value=given) if isinstance(given, Mapping) else given)


def _named(name: str | None) -> dict[str, str]:
    return {} if name is None else {"name": name}


def place(given: Any) -> vv.Path:
    """A place in the matrix, from `"n.x"`, `"n.x <- m.result"` or a tuple of names.

    >>> place("n.x <- m.result"), place(("a.b", "x"))
    (('n', 'x', 'm', 'result'), ('a.b', 'x'))
    """
    if isinstance(given, str):
        given = [key.strip() for part in given.split("<-") for key in part.strip().split(".")]
    if not isinstance(given, (tuple, list)) or not all(isinstance(k, str) and k for k in given):
        raise MachineError(
            f"found {given!r}, expected a place in the network matrix",
            "an edit of the matrix",
            'write "n.x" for a row, "n.x <- m.result" for an entry',
        )
    return tuple(given)
