"""Templates: machines with more neurons and links than a program needs, the links free to train.

Sources are named like the input streams, `one` is always 1, and `output` has a port for every
output stream. All weights are 0: training and evolution begin from weights of their own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Protocol, runtime_checkable

from snakebird import neurons as nr, vvalues as vv
from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.lowering import lower
from snakebird.machines import Link, Machine
from snakebird.neurons import FUNCTION, Neuron, NeuronType, find
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._values import space_of_values

ONE, OUTPUT = "one", "output"

Kind = Neuron | NeuronType | str
"""A neuron, its type, or the name of its type."""

NUMBERS = ("identity", "product", "relu", "step")
"""What a template is made of where all streams are numbers."""

TREES = ("identity", "gate", "inner", "relu", "max_norm")
"""What it is made of where some are tokens or trees."""

MIXED_NUMBERS = ("identity", "product", "relu", "step")
MIXED_TREES = ("accumulator", "inner", "max_norm", "relu")
"""What a superfluid neuron mixes, the types that have ports of the same names sharing them."""


@runtime_checkable
class Template(Protocol):
    """Anything that makes a machine with free links for examples."""

    def machine(self, examples: Examples) -> Machine:
        """The machine; its trainable links are free."""
        ...


@dataclass(frozen=True)
class Layers:
    """Layers of neurons, each reading all layers below it in the same tick (skip connections).

    * `neurons`: the kinds in each layer, `width` of each; chosen by the kinds of streams if not
      given;
    * `instant`: with False a link takes one tick, from layer to layer too;
    * `recurrent`: links of one tick from every neuron to every neuron; with False only from a
      neuron to itself, and from the sources.

    >>> Layers(depth=1).machine(Examples.of([([1, 0], [1, 1])]))
    <machine: 7 neurons, 46 links>
    """

    _: KW_ONLY
    depth: int = 2
    width: int = 1
    neurons: tuple[Kind, ...] = ()
    instant: bool = True
    recurrent: bool = True

    def machine(self, examples: Examples) -> Machine:
        """The template for some examples. Raises `InputError` where it cannot give an output."""
        _positive("Layers", depth=self.depth, width=self.width)
        wiring = _Wiring(examples)
        kinds = _kinds(self.neurons or _usual(examples))
        for _ in range(self.depth):
            below = wiring.streams()
            made = [wiring.add(kind) for kind in kinds for _ in range(self.width)]
            for name in made:
                wiring.read(name, below if self.instant else wiring.steady(), instant=True)
        return wiring.finished(instant=self.instant, recurrent=self.recurrent)


@dataclass(frozen=True)
class Recurrent:
    """Neurons that all read each other one tick later, in the two-stroke cycle of plain machines.

    `size` neurons of each kind; `neurons` as in `Layers`. A program of depth d answers d ticks
    late: give the examples that `latency`.

    >>> Recurrent(size=1).machine(Examples.of([([1, 0], [1, 1])]))
    <machine: 7 neurons, 36 links>
    """

    _: KW_ONLY
    size: int = 2
    neurons: tuple[Kind, ...] = ()

    def machine(self, examples: Examples) -> Machine:
        """The template for some examples. Raises `InputError` where it cannot give an output."""
        _positive("Recurrent", size=self.size)
        layers = Layers(depth=1, width=self.size, neurons=self.neurons, instant=False)
        return layers.machine(examples)


@dataclass(frozen=True)
class Superfluid:
    """Layers of superfluid neurons: each a learned mixture of activation functions.

    The coefficient of a function is the weight of a free link from a constant that names it, so
    mixtures are trained, pruned and snapped like all else. `layers` says how many neurons each
    layer has.

    >>> Superfluid(layers=(1,)).machine(Examples.of([([1, 0], [1, 1])]))
    <machine: 8 neurons, 17 links>
    """

    _: KW_ONLY
    layers: tuple[int, ...] = (2, 2)
    activations: tuple[str, ...] = ()
    recurrent: bool = True

    def machine(self, examples: Examples) -> Machine:
        """The template for some examples. Raises `InputError` where it cannot give an output."""
        _positive("Superfluid", layers=min(self.layers, default=0))
        mixed = MIXED_TREES if _has_trees(examples) else MIXED_NUMBERS
        wiring = _Wiring(examples)
        kinds = [neuron.type for neuron in _kinds(self.activations or mixed)]
        for kind in kinds:
            wiring.neurons[kind.name] = nr.constant.with_parameters(value={kind.name: 1.0})
        for width in self.layers:
            below = wiring.streams()
            for name in [wiring.fluid(kinds) for _ in range(width)]:
                wiring.read(name, below, instant=True)
        return wiring.finished(instant=True, recurrent=self.recurrent)


class _Wiring:
    """A template in the making: neurons in their order, and the links read so far."""

    def __init__(self, examples: Examples):
        self.examples = examples
        self.neurons: dict[str, Neuron] = dict(examples.sources())
        self.one = _free_name(ONE, self.neurons)
        self.neurons[self.one] = nr.constant.with_parameters(value=1)
        self.made: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self.links: list[Link] = []

    def add(self, kind: Neuron) -> str:
        """A neuron of this kind, under a name of its own."""
        name = _free_name(kind.type.name, {**self.neurons, OUTPUT: kind})
        self.neurons[name] = kind
        self.made[name] = kind.type.inputs, kind.type.outputs or ()
        return name

    def fluid(self, kinds: Sequence[NeuronType]) -> str:
        """A superfluid neuron with free coefficients."""
        name = _free_name("fluid", self.neurons)
        self.neurons[name] = nr.superfluid.with_parameters()
        ports = dict.fromkeys(port for kind in kinds for port in kind.inputs)
        outputs = dict.fromkeys(port for kind in kinds for port in kind.outputs or ())
        self.made[name] = tuple(ports), tuple(outputs)
        self.links += [Link(name, FUNCTION, (k.name, "result"), 0, instant=True) for k in kinds]
        return name

    def steady(self) -> list[vv.Path]:
        """The constant, which is the same in every tick."""
        return [(self.one, "result")]

    def sources(self) -> list[vv.Path]:
        """All input streams."""
        return [(name, "signal") for name in self.examples.inputs]

    def streams(self) -> list[vv.Path]:
        """All streams known by now."""
        outputs = [(n, port) for n, (_, ports) in self.made.items() for port in ports]
        return [*self.steady(), *self.sources(), *outputs]

    def read(self, name: str, streams: Iterable[vv.Path], *, instant: bool) -> None:
        """Free links from these streams to every port of a neuron."""
        ports = self.made[name][0]
        self.links += [Link(name, port, s, 0, instant) for port in ports for s in streams]

    def finished(self, *, instant: bool, recurrent: bool) -> Machine:
        """The machine with links of one tick and with outputs."""
        late = [stream for stream in self.streams() if stream[0] != self.one]
        own = lambda name: [s for s in late if s[0] == name or s[0] not in self.made]
        for name in self.made:
            self.read(name, late if recurrent else own(name), instant=False)
        self.neurons[OUTPUT] = nr.output.with_parameters()
        self.made[OUTPUT] = tuple(self.examples.outputs), ()
        self.read(OUTPUT, late, instant=False)
        self.read(OUTPUT, self.streams() if instant else self.steady(), instant=True)
        machine = Machine(self.neurons, self.links)
        check_carries(machine, self.examples)
        return machine


def check_carries(machine: Machine, examples: Examples) -> None:
    """Raise `InputError` where an output of the examples needs paths that a machine never makes.

    >>> check_carries(Machine({"output": "output"}), Examples.of([([1], [1])]))
    Traceback (most recent call last):
        ...
    snakebird.errors.InputError: the output 'result' needs the number at the root, ...
    """
    carried = _carried(machine)
    for name in examples.outputs:
        wanted = space_of_values(_asked(examples, name))
        missing = sorted(set(wanted.paths) - set(carried.sub((name,)).paths))
        if missing:
            raise InputError(
                f"the output {name!r} needs {_paths(missing)}, which nothing here makes",
                f"output {name!r}",
                "add a constant that has them, or a neuron that makes them, "
                'for example Layers(neurons=("identity", "gate", "outer"))',
            )


def _carried(machine: Machine) -> vv.Space:
    linked = any(link.to == OUTPUT for link in machine.links)
    return lower(machine).plan.spaces.inputs[OUTPUT] if linked else vv.Space()


def _asked(examples: Examples, name: str) -> Iterator[Any]:
    for value in examples.stream(name):
        if value is not None and any(leaf for _, leaf in vv.entries(examples.value(value))):
            yield value


def _paths(missing: Sequence[vv.Path]) -> str:
    shown = [vv.show_path(path) if path else "the number at the root" for path in missing[:6]]
    return ", ".join(shown) + (f" and {len(missing) - 6} more" if len(missing) > 6 else "")


def _has_trees(examples: Examples) -> bool:
    return any(kind != "number" for kind in examples.streams.values())


def _usual(examples: Examples) -> tuple[str, ...]:
    return TREES if _has_trees(examples) else NUMBERS


def _kinds(given: Sequence[Kind]) -> list[Neuron]:
    """Neurons from anything that stands for one; only such as a template can wire."""
    made = []
    for one in given:
        kind = find(one) if isinstance(one, str) else one
        made.append(kind.with_parameters() if isinstance(kind, NeuronType) else kind)
        if made[-1].type.outputs is None or made[-1].type.external:
            raise InputError(
                f"a template cannot wire a neuron of type {made[-1].type.name!r}",
                "neurons of a template",
                "give types with named outputs, for example 'identity', 'product', 'relu'",
            )
    return made


def _positive(where: str, **sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"{name} is {size}, expected at least 1", where, f"write {name}=1")


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    """The name, or the name with a number where it is taken."""
    k, free = 1, name
    while free in taken:
        k, free = k + 1, f"{name}_{k + 1}"
    return free


def free_links(machine: Machine, *ends: str) -> Machine:
    """The machine with the links that end at these neurons free, all others fixed.

    Without `ends` all links are free. Raises `UnknownNameError` for a neuron it does not have.

    >>> m = Machine({"r": "relu", "t": "timer"}, ["t.timer <- t.timer", "r.x <- 0.5 * t.timer"])
    >>> [link.trainable for link in free_links(m, "r").links]
    [True, False]
    """
    for name in ends:
        if name not in machine.neurons:
            what = f"no neuron is named {name!r}"
            raise UnknownNameError(what, "free_links", suggest(name, machine.neurons))
    chosen = ends or tuple(machine.neurons)
    return machine.fixed().replace(
        links=[
            Link(link.to, link.input, link.source, link.weight, link.instant, link.to in chosen)
            for link in machine.links
        ]
    )


def with_new_links(machine: Machine, outputs: Iterable[str] = ()) -> Machine:
    """The machine with every link free, and with all those that could be added, of weight 0.

    Links of one tick go from everywhere to everywhere; instant ones only from neurons that come
    earlier in the order of those that stand, so that they make no cycle. `outputs` are ports
    that the neuron `output` must have.

    >>> m = Machine({"r": "relu", "output": "output"}, ["output.y <- 2 * r.result"])
    >>> [str(link) for link in with_new_links(m).links]  # doctest: +NORMALIZE_WHITESPACE
    ['output.y <- 2 * r.result', 'output.y <- 0 * r.result (instant)', 'r.x <- 0 * r.result']
    """
    links = {link.place: link for link in free_links(machine).links}
    order = [*(n for n in machine.order if n != OUTPUT), OUTPUT]
    rank = {name: k for k, name in enumerate(order)}
    streams = _streams(machine, order[:-1])
    for to in order:
        for port in _ports(machine, to, outputs):
            for source in streams:
                for instant in (True, False):
                    fits = rank[source[0]] < rank[to] if instant else _varies(machine, source)
                    link = Link(to, port, source, 0, instant)
                    if fits:
                        links.setdefault(link.place, link)
    return machine.replace(links=links.values())


def _ports(machine: Machine, name: str, outputs: Iterable[str]) -> tuple[str, ...]:
    kind = machine.neurons[name].type if name in machine.neurons else nr.output
    linked = (link.input for link in machine.links if link.to == name)
    return tuple(dict.fromkeys((*kind.inputs, *linked, *(outputs if name == OUTPUT else ()))))


def _streams(machine: Machine, order: Sequence[str]) -> list[vv.Path]:
    """Every output of every neuron, and what links read already."""
    named = [(n, port) for n in order for port in machine.neurons[n].type.outputs or ()]
    read = [link.source for link in machine.links]
    return list(dict.fromkeys([*named, *read]))


def _varies(machine: Machine, source: vv.Path) -> bool:
    return machine.neurons[source[0]].type is not nr.constant
