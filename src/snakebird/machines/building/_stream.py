"""Streams of a machine that is being built: outputs of its nodes and their linear combinations."""

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from snakebird import vvalues as vv
from snakebird.errors import MachineError, UnknownNameError, suggest
from snakebird.neurons import Neuron

if TYPE_CHECKING:
    from snakebird.machines.building._builder import Builder


class Term(NamedTuple):
    """`weight * node.rest`, one link to be; `node` is `None` for a plain number."""

    node: "Node | None"
    rest: vv.Path
    weight: Any
    instant: bool = False
    fixed: bool = False


class Stream:
    """A linear combination of outputs; `+ - * /` with numbers and other streams make new ones.

    `stream["key"]` is the part of it below a key. Passed to a neuron, every term becomes a link. A
    number that is added to a stream carried by instant links alone comes by an instant link too.

    >>> from snakebird.machines import Builder
    >>> from snakebird.neurons import relu, source
    >>> with Builder() as b:
    ...     x = source(name="x")
    ...     _ = relu(2 * x - 1, name="n")
    >>> [str(link) for link in b.machine.links]
    ['n.x <- -1 * one.result', 'n.x <- 2 * x.signal']
    """

    __array_ufunc__ = None  # NumPy scalars leave `2.0 * stream` to this class
    __iter__ = None
    __contains__ = None

    def __init__(self, terms: tuple[Term, ...]):
        self._own_terms = terms

    @property
    def _terms(self) -> tuple[Term, ...]:
        return self._own_terms

    def __repr__(self) -> str:
        shown = [
            f"{t.weight} * {vv.show_path(_path(t))}" if t.node is not None else str(t.weight)
            for t in self._terms
        ]
        return f"<stream {' + '.join(shown) or '0'}>"

    def __call__(self, *given: Any, **named: Any) -> Any:
        raise MachineError(
            "a stream was called as if it were a function",
            repr(self),
            "call the neuron type, such as sb.relu(stream); write 2 * stream for a product",
        )

    def __getitem__(self, key: Any) -> "Stream":
        return Stream(tuple(_below(term, _keys(key)) for term in self._terms))

    def __add__(self, other: Any) -> "Stream":
        if not _is_addend(other):
            return NotImplemented
        terms = self._terms
        added = _addend(other)
        if not isinstance(other, Stream) and _all_instant(terms):
            added = tuple(term._replace(instant=True) for term in added)
        return Stream(terms + added)

    def __radd__(self, other: Any) -> "Stream":
        return self + other

    def __neg__(self) -> "Stream":
        return _scaled(self, -1)

    def __pos__(self) -> "Stream":
        return Stream(self._terms)

    def __sub__(self, other: Any) -> "Stream":
        return self + -other if _is_addend(other) else NotImplemented

    def __rsub__(self, other: Any) -> "Stream":
        return -self + other if _is_addend(other) else NotImplemented

    def __mul__(self, other: Any) -> "Stream":
        if isinstance(other, Stream):
            raise _no_link(
                "two streams are multiplied",
                "sb.product(x, y), or sb.gate(x, y) when x is a number",
            )
        return _scaled(self, other) if _is_number(other) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Stream":
        if isinstance(other, Stream):
            raise _no_link("a stream is divided by a stream", "sb.product(x, sb.reciprocal(y))")
        if not _is_number(other):
            return NotImplemented
        return _scaled(
            self, Fraction(1) / other if isinstance(other, (int, Fraction)) else 1 / other
        )

    def __rtruediv__(self, other: Any) -> Any:
        raise _no_link("a number is divided by a stream", "sb.reciprocal(x)")

    def __pow__(self, other: Any) -> Any:
        raise _no_link("a power of a stream", "sb.product(x, x)")

    def __matmul__(self, other: Any) -> Any:
        raise _no_link("a matrix product of streams", "sb.matrix_product(x, y)")

    def __abs__(self) -> Any:
        raise _no_link("the absolute value of a stream", "sb.absolute(x)")

    def __bool__(self) -> bool:
        raise _no_link(
            "a stream decides a branch, but has no value while the machine is built",
            "sb.gate(mask, x)",
        )

    def __lt__(self, other: Any) -> Any:
        raise _no_link(
            "streams are compared", "sb.compare(x, y), sb.maximum(x, y) or sb.minimum(x, y)"
        )

    __gt__ = __le__ = __ge__ = __lt__


class Node(Stream):
    """A neuron of the machine that is being built; its outputs are streams.

    `node.port` or `node["any name"]` is an output, `node.all` the tree of all of them. A node
    with one declared output stands for it in sums and calls, and `node["key"]` is then the part
    of it below a key.

    >>> from snakebird.machines import Builder
    >>> from snakebird.neurons import compare, relu, source
    >>> with Builder() as b:
    ...     bigger = compare(source(name="x"), 2, name="bigger")
    ...     _ = relu(bigger.true, name="n")
    >>> [str(link) for link in b.machine.links if link.to == "n"]
    ['n.x <- bigger.true']
    """

    def __init__(self, builder: "Builder", neuron: Neuron, name: str | None, base: str):
        super().__init__(())
        self._builder, self._neuron, self._name, self._base = builder, neuron, name, base

    def __repr__(self) -> str:
        return f"<node {self.name!r}: {self._neuron.type.signature}>"

    @property
    def name(self) -> str:
        """The name given, else the variable the node stands in, else the name of its type."""
        return self._builder.name_of(self)

    @property
    def all(self) -> Stream:
        """The tree of all outputs as one stream."""
        return Stream((Term(self, (), 1),))

    @property
    def _terms(self) -> tuple[Term, ...]:
        return (Term(self, (self._sole_output,), 1),)

    @property
    def _sole_output(self) -> str:
        outputs = self._neuron.type.outputs
        if outputs is not None and len(outputs) == 1:
            return outputs[0]
        kind = self._neuron.type.name
        if not outputs:
            given = "names its outputs itself" if outputs is None else "gives no output"
            hint = "write node.port, node['port'], or node.all for the tree of all outputs"
            raise MachineError(
                f"{kind} {given}, so it is no stream by itself", f"neuron {self.name}", hint
            )
        raise MachineError(
            f"{kind} has the outputs {', '.join(outputs)}, so it is no stream by itself",
            f"neuron {self.name}",
            f"write {_call_of(self.name)}.{outputs[0]}, or .all for the tree of all outputs",
        )

    def __getattr__(self, port: str) -> Stream:
        if port.startswith("__") or "_neuron" not in self.__dict__:
            raise AttributeError(port)
        return self._output(port)

    def __getitem__(self, key: Any) -> Stream:
        first, *rest = _keys(key)
        outputs = self._neuron.type.outputs
        if outputs is not None and len(outputs) == 1 and first != outputs[0]:
            return super().__getitem__(key)
        port = self._output(first)
        return port[tuple(rest)] if rest else port

    def _output(self, port: str) -> Stream:
        outputs = self._neuron.type.outputs
        if outputs is not None and port not in outputs:
            kind = self._neuron.type.name
            raise _NoOutput(
                f"{kind} has no output {port!r}", f"neuron {self.name}", suggest(port, outputs)
            )
        return Stream((Term(self, (port,), 1),))

    def feed(self, /, *streams: Any, **inputs: Any) -> "Node":
        """Link more streams to the inputs of this neuron, adding to what is there: for cycles.

        Positional streams go to the declared inputs in order. Returns the node.
        """
        self._builder.feed(self, streams, inputs)
        return self

    def starts(self, values: Any = None, /, *, free: Any = False, **outputs: Any) -> "Node":
        """Set what outputs hold before the first tick: `node.starts(result=1)`; returns the node.

        A mapping serves outputs of any name; a bare number or array the only output there is.
        `free=True` lets training change these values; a list of outputs or paths frees just those.
        """
        given = {} if values is None else values
        given = dict(given) if isinstance(given, Mapping) else {self._sole_output: given}
        for port, value in {**given, **outputs}.items():
            self._builder.start(self, port, value, free=free is True)
        for path in [] if isinstance(free, bool) else free:
            self._builder.free(self, path)
        return self


class _NoOutput(UnknownNameError, AttributeError):
    """An attribute of a node that is no output of it."""


def terms_of(given: Any) -> tuple[Term, ...]:
    """The terms of a stream or a number, zero included."""
    return given._terms if isinstance(given, Stream) else (Term(None, (), given),)


def is_linear(given: Any) -> bool:
    """Whether something can stand where a stream is expected without a neuron being made."""
    return isinstance(given, Stream) or _is_number(given)


def instant(stream: Any, *, now: bool = True) -> Stream:
    """The same stream carried by instant links: this tick's values instead of the last one's.

    A number added to it comes as soon: `1 - instant(x)` is `instant(1 - x)`. With `now=False` all
    links are ordinary ones: `instant(x) + instant(1, now=False)` adds the 1 one tick later.

    >>> from snakebird.machines import Builder
    >>> from snakebird.neurons import relu, source
    >>> with Builder() as b:
    ...     _ = relu(instant(source(name="x")), name="n")
    >>> [str(link) for link in b.machine.links]
    ['n.x <- x.signal (instant)']
    """
    return Stream(tuple(term._replace(instant=now) for term in terms_of(stream)))


def fixed(stream: Any) -> Stream:
    """The same stream carried by links whose weights training leaves alone.

    >>> from snakebird.machines import Builder
    >>> from snakebird.neurons import relu, source
    >>> with Builder() as b:
    ...     _ = relu(fixed(0.5 * source(name="x")), name="n")
    >>> [str(link) for link in b.machine.links]
    ['n.x <- 0.5 * x.signal (fixed)']
    """
    return Stream(tuple(term._replace(fixed=True) for term in terms_of(stream)))


def _is_number(given: Any) -> bool:
    return vv.is_leaf(given) and not isinstance(given, bool) and vv.shape_of(given) == ()


def _is_addend(given: Any) -> bool:
    return isinstance(given, Stream) or _is_number(given)


def _addend(given: Any) -> tuple[Term, ...]:
    """The terms to add; the exact 0 that `sum` begins with adds none."""
    return () if vv.is_exact(given) and given == 0 else terms_of(given)


def _all_instant(terms: tuple[Term, ...]) -> bool:
    """Whether terms come from neurons, by instant links alone."""
    flags = [term.instant for term in terms if term.node is not None]
    return bool(flags) and all(flags)


def _scaled(stream: Stream, factor: Any) -> Stream:
    return Stream(
        tuple(term._replace(weight=_plain(term.weight * factor)) for term in stream._terms)
    )


def _plain(weight: Any) -> Any:
    """A fraction that is whole as an int."""
    return weight.numerator if isinstance(weight, Fraction) and weight.denominator == 1 else weight


def _keys(key: Any) -> tuple[str, ...]:
    keys = key if isinstance(key, tuple) else (key,)
    if not keys or not all(isinstance(k, str) for k in keys):
        raise MachineError(
            f"{key!r} stands where the name of a part is expected",
            "a stream",
            'names are texts: write stream["0"]',
        )
    return keys


def _below(term: Term, keys: tuple[str, ...]) -> Term:
    if term.node is None:
        raise MachineError(
            f"the number {term.weight} has no part {keys[0]!r}",
            "a sum of streams",
            "select before adding the number",
        )
    return term._replace(rest=(*term.rest, *keys))


def _path(term: Term) -> vv.Path:
    return (term.node.name if term.node is not None else "", *term.rest)


def _call_of(name: str) -> str:
    return name if name.isidentifier() else "node"


def _no_link(what: str, instead: str) -> MachineError:
    return MachineError(
        f"{what}: links only add streams and scale them by numbers",
        "a machine's source",
        f"write {instead}",
    )
