"""Space inference: running a machine on spaces instead of numbers until nothing grows.

Every stream gets a fixed set of paths. Spaces only ever grow, so a work list of neurons whose
inputs changed reaches the least fixed point, if there is one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import jax
import jax.numpy as jnp

from snakebird import vvalues as vv
from snakebird.errors import GrowthError, SpaceError
from snakebird.lowering._parameters import Split, join
from snakebird.lowering._resume import Room
from snakebird.machines import Machine, as_path, is_input, kind_clash
from snakebird.neurons import message_space

MAX_DEPTH = 48
MAX_SIZE = 50_000
"""A stream deeper or with more paths than this counts as one that never stops growing."""


@dataclass(frozen=True)
class Spaces:
    """For every neuron the space of its tree of inputs and of its tree of outputs.

    `links` are the paths `(to, input, from, ...)` of all ordinary links that may ever stand;
    `clipped` the neurons whose outputs may outgrow the room reserved for them; `notes` what to
    warn of.
    """

    inputs: dict[str, vv.Space]
    outputs: dict[str, vv.Space]
    links: tuple[vv.Path, ...]
    clipped: frozenset[str]
    notes: tuple[str, ...] = ()


def output_space(machine: Machine, name: str, split: Split, inputs: vv.Space) -> vv.Space:
    """The space of a neuron's outputs, from that of its inputs; nothing is computed."""
    external = machine.neurons[name].type.external
    messages = message_space(machine.neurons[name].parameters) if external else vv.Space()
    return _evaluate(machine.neurons[name].type, split, inputs, messages)


_cache: dict[Any, vv.Space] = {}


def _evaluate(kind: Any, split: Split, inputs: vv.Space, messages: vv.Space) -> vv.Space:
    at = (kind, split.signature, inputs, messages)
    if at not in _cache:
        neuron = kind.with_parameters()

        def call(data: Any, message: Any, numbers: Any) -> vv.Flat:
            whole = join(neuron, split.structure, numbers)
            feeds = {
                "key": jax.random.key(0),
                "message": vv.Flat(messages, message),
                "present": jnp.asarray(True),
            }
            return vv.flatten(whole.apply(vv.Flat(inputs, data), **feeds))

        shapes = (jnp.zeros(inputs.size), jnp.zeros(messages.size), split.numbers)
        found = jax.eval_shape(call, *shapes).space
        _cache[at] = vv.Space({path: shape for path, shape in found.items if path})
    return _cache[at]


def infer(machine: Machine, splits: Mapping[str, Split], grow: Any = None) -> Spaces:
    """The spaces of all streams of a machine.

    `grow` reserves room for streams that would grow for ever: a number of ticks, or a mapping
    from outputs to the spaces (or paths, or trees) to reserve, or a `Room`. Raises `GrowthError`
    where a stream keeps growing and no room is given.
    """
    outputs = {name: vv.space_of(machine.start.get(name, {})) for name in machine.neurons}
    if machine.matrix_from is not None:
        links = vv.Space(link.path for link in machine.links if not link.instant)
        outputs[machine.matrix_from[0]] |= links.under(machine.matrix_from[1:])
    reserved = set()
    for port, room in grow.items() if isinstance(grow, Mapping) else ():
        path = as_path(port, machine.neurons)
        outputs[path[0]] |= as_space(room).under(path[1:])
        reserved.add(path[0])
    ticks = grow if isinstance(grow, int) else None
    if isinstance(grow, Room):
        ticks = grow.ticks
        for name in machine.neurons:
            outputs[name] |= grow.space.sub((name,))
    work = _Inference(machine, splits, outputs, reserved)
    work.run(None if ticks is None else ticks + len(machine.neurons))
    return Spaces(
        work.inputs, work.outputs, tuple(work.links), frozenset(work.clipped), tuple(work.notes)
    )


def as_space(room: Any) -> vv.Space:
    """A space from a `Space`, a list of paths, or a tree."""
    if isinstance(room, vv.Space):
        return room
    return (
        vv.Space.of(room) if isinstance(room, Mapping) else vv.Space(tuple(path) for path in room)
    )


class _Inference:
    def __init__(
        self,
        machine: Machine,
        splits: Mapping[str, Split],
        outputs: dict[str, vv.Space],
        reserved: set[str],
    ):
        self.machine, self.splits, self.outputs, self.reserved = machine, splits, outputs, reserved
        self.inputs = dict.fromkeys(machine.neurons, vv.Space())
        self.clipped: set[str] = set()
        self.notes: list[str] = []
        self.deep = math.inf
        self.rows: dict[str, list[vv.Path]] = {name: [] for name in machine.neurons}
        self.readers: dict[str, set[str]] = {name: set() for name in machine.neurons}
        self.instantly: dict[str, set[str]] = {name: set() for name in machine.neurons}
        self.links: dict[vv.Path, None] = {}
        self.warned: set[vv.Path] = set()
        self.instant = {link.path for link in machine.links if link.instant}
        for link in machine.links:
            if link.instant or machine.matrix_from is None:
                self._add_row(link.path)
        self._read_matrix()

    def _add_row(self, path: vv.Path) -> None:
        if path not in self.rows[path[0]]:
            self.rows[path[0]].append(path)
            readers = self.instantly if path in self.instant else self.readers
            readers[path[2]].add(path[0])

    def _read_matrix(self) -> set[str]:
        """Take in the links that Self's stream can hold; gives the neurons they end at."""
        port = self.machine.matrix_from
        if port is None:
            self.links = dict.fromkeys(link.path for link in self.machine.links if not link.instant)
            return set()
        touched = set()
        for path in self.outputs[port[0]].sub(port[1:]).paths:
            if path in self.links or path in self.warned:
                continue
            if fits(self.machine, path):
                self.links[path] = None
                self._add_row(path)
                touched.add(path[0])
            else:
                self.warned.add(path)
                self.notes.append(
                    f"the matrix entry {vv.show_path(path)} addresses no link of this machine "
                    "and has no effect"
                )
        return touched

    def run(self, limit: int | None) -> None:
        """Work until nothing changes, or for a number of rounds; each round is one tick.

        Ordinary links bring what was there before the round, instant ones what is there now, so
        that a neuron shows here what it gives in its first tick, before anything reaches it.
        """
        order = self.machine.order
        place = {name: k for k, name in enumerate(order)}
        work = set(order)
        rounds = 0
        while work:
            before, now, work = dict(self.outputs), work, set()
            queue = sorted(place[name] for name in now)
            while queue:
                name = order[heappop(queue)]
                if self._update(name, before, limit, rounds >= self._limit(name, limit)):
                    for reader in self.instantly[name] - now:
                        now.add(reader)
                        heappush(queue, place[reader])
                    work |= self.readers[name]
                    if self.machine.matrix_from is not None and name == self.machine.matrix_from[0]:
                        work |= self._read_matrix()
            if rounds == 0:
                self.deep = MAX_DEPTH + max((_depth(s) for s in self.outputs.values()), default=0)
            rounds += 1

    def _limit(self, name: str, limit: int | None) -> float:
        """For how many rounds a neuron's outputs may grow.

        Beside the room reserved for it, one finds room for whatever reaches it without a loop.
        """
        if limit is None and name in self.reserved:
            return len(self.machine.neurons)
        return math.inf if limit is None else limit

    def _update(
        self, name: str, before: Mapping[str, vv.Space], limit: int | None, stop: bool
    ) -> bool:
        """Refresh one neuron's spaces; whether its outputs grew."""
        for path in sorted(self.rows[name], key=lambda path: (path in self.instant, path)):
            now = self.outputs if path in self.instant else before
            part = now[path[2]].sub(path[3:]).under((path[1],))
            self.inputs[name] = self._joined(self.inputs[name], part, path)
        try:
            found = output_space(self.machine, name, self.splits[name], self.inputs[name])
            if found <= self.outputs[name]:
                return False
            grown = self.outputs[name] | found
        except SpaceError as error:
            raise kind_clash(name, self.machine.neurons[name].type, error) from None
        except GrowthError as error:
            raise GrowthError(error.what, f"neuron {name!r}", error.hint) from None
        if stop:
            self.clipped.add(name)
            return False
        if len(grown) > MAX_SIZE or (limit is None and _depth(grown) > self.deep):
            raise _endless(name, grown)
        self.outputs[name] = grown
        return True

    def _joined(self, space: vv.Space, part: vv.Space, path: vv.Path) -> vv.Space:
        """The union; entries of another shape than what came first are left out, with a warning."""
        if part <= space:
            return space
        clash = {p: s for p, s in part.items if p in space and space.shape(p) != s}
        if clash and path not in self.warned:
            self.warned.add(path)
            self.notes.append(
                f"the link {vv.show_path(path[:2])} <- {vv.show_path(path[2:])} carries "
                "another kind of stream and counts as zero: "
                f"leaves of shape {list(next(iter(clash.values())))}"
            )
        if clash:
            part = vv.Space({p: s for p, s in part.items if p not in clash})
        return space | part


def _depth(space: vv.Space) -> int:
    return max(map(len, space.paths), default=0)


def _endless(name: str, space: vv.Space) -> GrowthError:
    longest = max(space.paths, key=len)
    size = f"have {len(space)} paths" if len(space) > MAX_SIZE else f"reach depth {len(longest)}"
    start = vv.show_path((name, *longest[:4]))
    return GrowthError(
        f"the outputs of neuron {name!r} never stop growing: after some ticks they {size}",
        f"path {start}...",
        "reserve room: lower(machine, grow=100) for 100 ticks, "
        f"or grow={{'{name}.{longest[0]}': space}}",
    )


def fits(machine: Machine, path: vv.Path) -> bool:
    """Whether a matrix entry is a link of this machine: known neurons, an input that exists."""
    return len(path) >= 3 and is_input(machine, path[0], path[1]) and path[2] in machine.neurons
