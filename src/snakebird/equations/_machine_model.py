"""A machine as the model of a hole: numbers in, some ticks, numbers out."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from snakebird import vvalues as vv
from snakebird.errors import EquationError, UnknownNameError, suggest
from snakebird.lowering import Lowered, lift, lower
from snakebird.machines import Link, Machine, as_path

_WHERE = "MachineModel"
_NUMBER = vv.Space([()])


class MachineModel(eqx.Module):
    """Any machine as the model of a hole, `[inputs] -> [outputs]`; what is trainable is trained.

    `inputs` names the sources that are fed, in the order of the hole's inputs, by default all of
    them; `outputs` the ports that are read, by default those of the `output` neurons. Each call
    begins at the machine's start values and holds the inputs for `ticks` ticks. Without `ticks` the
    machine must be free of loops, and gives what it settles to, which takes one tick however deep
    it is: all its links are taken as instant ones.

    `rows` are the trainable weights, rows of the network matrix with as many of them as one array,
    so that drawing them anew knows how many streams a port adds up; `start` and `numbers` are
    trainable start values and parameters of neurons. `machine` is the machine with these numbers.

    Raises `EquationError` for a machine that has no source or output, loops without `ticks`,
    draws at random or has nothing to train; `UnknownNameError` for a source it does not have.

    >>> import snakebird as sb
    >>> @sb.machine
    ... def rate(x: sb.Numbers(), y: sb.Numbers()):
    ...     return {"rate": 0.5 * x + 2.0 * sb.product(x, y)}
    >>> hole = sb.Hole("x y", "rate", MachineModel(rate))
    >>> float(hole(2.0, 3.0))
    13.0
    """

    rows: tuple[Float[Array, "ports links"], ...]
    start: Float[Array, " free"]
    numbers: tuple[dict[str, Any], ...]
    program: "Program" = eqx.field(static=True)

    def __init__(
        self,
        machine: Machine,
        *,
        inputs: str | Sequence[str] | None = None,
        outputs: str | Sequence[str] | None = None,
        ticks: int | None = None,
    ):
        self.program = Program(machine, inputs, outputs, ticks)
        low = self.program.lowered(jnp.result_type(float))
        weights = np.asarray(low.weights)
        self.rows = tuple(jnp.asarray(weights[places]) for places in self.program.places)
        self.start = jnp.asarray(np.asarray(low.start)[low.plan.free_starts])
        self.numbers = tuple(
            jax.tree.map(jnp.asarray, {name: own[name] for name in sorted(free & own.keys())})
            for own, free in zip(low.numbers, low.plan.free_parameters, strict=True)
        )
        if not jax.tree.leaves((self.rows, self.start, self.numbers)) or not self.size:
            raise EquationError(
                "nothing in the machine may be trained",
                _WHERE,
                "leave weights that are to be found without sb.fixed, and not whole numbers",
            )

    @property
    def size(self) -> int:
        """How many numbers are trained."""
        return sum(x.size for x in jax.tree.leaves((self.rows, self.start, self.numbers)))

    @property
    def machine(self) -> Machine:
        """The machine as it was given, its numbers those of this model."""
        found = self.running
        given = self.program.given
        if not self.program.settles or len(found.links) != len(given.links):
            return found
        links = [
            Link(*new.place[:3], new.weight, old.instant, old.trainable)
            for new, old in zip(found.links, given.links, strict=True)
        ]
        return found.replace(links=links)

    @property
    def running(self) -> Machine:
        """The machine that is run, with this model's numbers: one that settles, in one tick."""
        with jax.enable_x64(True):
            return lift(self._lowered(jnp.result_type(float)))

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        program = self.program
        if x.shape != (len(program.sources),):
            raise EquationError(
                f"{x.shape[0]} inputs for the sources {', '.join(program.sources)}",
                _WHERE,
                "name as many inputs of the hole as the machine has sources, or give inputs=",
            )
        low = self._lowered(x.dtype)
        held = jnp.broadcast_to(x, (program.ticks, len(x)))
        fed = {name: held[:, k : k + 1] for k, name in enumerate(program.sources)}
        trace = low(fed, program.ticks)
        return jnp.stack([jnp.reshape(trace.number(path)[-1], ()) for path in program.outputs])

    def _lowered(self, dtype: Any) -> Lowered:
        """The lowered machine with the trained numbers in it."""
        low = self.program.lowered(dtype)
        own = [x.astype(dtype).reshape(-1) for x in self.rows]
        weights = jnp.concatenate([*own, jnp.asarray(low.weights)])[self.program.gather]
        start = jnp.asarray(low.start)
        if low.plan.free_starts.any():
            start = start.at[low.plan.free_starts].set(self.start.astype(dtype))
        as_dtype = lambda tree: jax.tree.map(lambda x: x.astype(dtype), tree)
        numbers = tuple(
            {**old, **as_dtype(new)} for old, new in zip(low.numbers, self.numbers, strict=True)
        )
        return Lowered(weights, start, numbers, low.plan)


class Program:
    """A machine, what goes in, what comes out, for how many ticks; lowered once for each dtype."""

    def __init__(self, machine: Machine, inputs: Any, outputs: Any, ticks: int | None):
        _check_ticks(ticks)
        self.given = machine
        self.sources = _sources(machine, inputs)
        self.outputs = _outputs(machine, outputs)
        self.settles = ticks is None
        self.ticks = 1 if ticks is None else ticks
        self.machine = _prepared(machine, self.sources, self.settles)
        self._known: dict[Any, Lowered] = {}
        _check_sources(self.lowered(jnp.result_type(float)), self.sources)

    def __repr__(self) -> str:
        return f"<program of {self.given!r}>"

    def lowered(self, dtype: Any) -> Lowered:
        """The machine as arrays of NumPy, so that no trace of a caller stays in them."""
        key = jnp.dtype(dtype)
        if key not in self._known:
            with jax.ensure_compile_time_eval():
                low = lower(self.machine, record=list(self.outputs), dtype=key)
                self._known[key] = jax.tree.map(np.asarray, low)
        return self._known[key]

    @cached_property
    def places(self) -> tuple[np.ndarray, ...]:
        """Links that may be trained, `[ports, links]`: ports with as many links together."""
        ports: dict[tuple[str, str], list[int]] = {}
        for k, link in enumerate(self.machine.links):
            if link.trainable:
                ports.setdefault((link.to, link.input), []).append(k)
        sizes = sorted({len(own) for own in ports.values()})
        return tuple(np.array([p for p in ports.values() if len(p) == size]) for size in sizes)

    @cached_property
    def gather(self) -> np.ndarray:
        """For each link, where its weight stands: trained ones first, then all as they were."""
        free = np.concatenate([np.zeros(0, int), *(p.reshape(-1) for p in self.places)])
        found = len(free) + np.arange(len(self.machine.links))
        found[free] = np.arange(len(free))
        return found


def _prepared(machine: Machine, sources: tuple[str, ...], settles: bool) -> Machine:
    """Sources give a number where they say nothing else; a machine that settles does so at once."""
    neurons = dict(machine.neurons)
    for name in sources:
        own = neurons[name]
        if not own.parameters.get("space") and not own.parameters.get("tokens"):
            neurons[name] = own.replace(space=_NUMBER)
    links = machine.links
    if settles:
        _check_loops(machine)
        links = tuple(Link(*link.place[:3], link.weight, True, link.trainable) for link in links)
    return machine.replace(neurons=neurons, links=links)


def _check_ticks(ticks: Any) -> None:
    if ticks is not None and (isinstance(ticks, bool) or not isinstance(ticks, int) or ticks < 1):
        raise EquationError(f"ticks={ticks!r}, expected a whole number", _WHERE, "give 1 or more")


def _sources(machine: Machine, inputs: Any) -> tuple[str, ...]:
    known = [name for name, neuron in machine.neurons.items() if neuron.type.external]
    given = inputs.split() if isinstance(inputs, str) else inputs
    for name in given or ():
        if name not in known:
            raise UnknownNameError(f"no source is named {name!r}", _WHERE, suggest(name, known))
    drawn = [name for name, own in machine.neurons.items() if "key" in own.type.feeds]
    if drawn:
        raise EquationError(
            f"the neuron {drawn[0]!r} draws at random",
            _WHERE,
            "leave it out: a hole is the same function in every step of a solve",
        )
    if not known:
        raise EquationError(
            "the machine has no source", _WHERE, "feed the inputs in through sb.source neurons"
        )
    return tuple(known if given is None else given)


def _outputs(machine: Machine, outputs: Any) -> tuple[vv.Path, ...]:
    given = outputs.split() if isinstance(outputs, str) else outputs
    if given is not None:
        return tuple(as_path(port, machine.neurons) for port in given)
    found = dict.fromkeys(
        (link.to, link.input)
        for name, neuron in machine.neurons.items()
        for link in machine.links
        if neuron.type.name == "output" and link.to == name
    )
    if not found:
        raise EquationError(
            "the machine has no output neuron", _WHERE, 'say outputs="neuron.port ..."'
        )
    return tuple(found)


def _check_sources(low: Lowered, sources: tuple[str, ...]) -> None:
    plan = low.plan
    for name in sources:
        at = plan.layout.place.get(name)
        if at is not None and plan.message_spaces[at[0]].size != 1:
            raise EquationError(
                f"the source {name!r} takes {plan.message_spaces[at[0]]!r}, not one number",
                _WHERE,
                "give it space=sb.Space([()]), or no space at all",
            )


def _check_loops(machine: Machine) -> None:
    """Raise `EquationError` where links form a loop, so that the machine need not settle."""
    reads: dict[str, set[str]] = {name: set() for name in machine.neurons}
    for link in machine.links:
        reads[link.to].add(link.source[0])
    waiting = dict(reads)
    while waiting:
        done = [name for name, own in waiting.items() if not own & waiting.keys()]
        if not done:
            raise EquationError(
                f"the machine has a loop through {', '.join(sorted(waiting)[:4])}",
                _WHERE,
                "say how many ticks it runs in each call: ticks=10",
            )
        for name in done:
            del waiting[name]
