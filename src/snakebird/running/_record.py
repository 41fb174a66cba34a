"""What a run leaves behind: the streams of some outputs over some ticks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.lowering import Trace
from snakebird.lowering._plan import record_paths
from snakebird.machines import Machine, as_path
from snakebird.vvalues import Flat, Space


@dataclass(frozen=True, eq=False)
class Record:
    """The streams recorded from tick `first` on: `record["neuron.output"]` is one of them.

    `streams` maps the path of an output, or of a neuron for all of its outputs, to a space and
    an array `[ticks, size]` in it.
    """

    first: int
    ticks: int
    streams: dict[vv.Path, tuple[Space, np.ndarray]]

    def __len__(self) -> int:
        return self.ticks

    def __repr__(self) -> str:
        return f"<record of {self.ticks} ticks from {self.first}: {', '.join(self.ports)}>"

    @property
    def ports(self) -> list[str]:
        """The outputs recorded."""
        found = {
            (*at, *path[: 2 - len(at)]) for at, (s, _) in self.streams.items() for path in s.paths
        }
        return sorted(
            vv.show_path(path) for path in found | {p for p in self.streams if len(p) > 1}
        )

    def __getitem__(self, port: str | Sequence[str]) -> Flat:
        """One stream with data `[ticks, size]`; raises `InputError` if it was not recorded."""
        space, data = self._at(port)
        return Flat(space, jnp.asarray(data))

    def number(self, port: str | Sequence[str]) -> np.ndarray:
        """The numbers `[ticks]` at the root of a stream."""
        space, data = self._at(port)
        return (
            data[:, space.slot(())].reshape(-1, *space.shape(()))
            if () in space
            else np.zeros(self.ticks)
        )

    def trees(self, port: str | Sequence[str]) -> list[Any]:
        """One stream as trees, one a tick."""
        space, data = self._at(port)
        return [space.unflatten(row) for row in data]

    def _at(self, port: str | Sequence[str]) -> tuple[Space, np.ndarray]:
        try:
            names = {path[0] for path in self.streams}
            path = as_path(port if isinstance(port, str) else tuple(port), names)
        except UnknownNameError:
            path = ()
        for at, (space, data) in self.streams.items():
            if path[: len(at)] == at:
                rest = path[len(at) :]
                return space.sub(rest), data[:, space.below(rest)]
        shown = port if isinstance(port, str) else vv.show_path(tuple(port))
        raise InputError(
            f"{shown} was not recorded",
            f"recorded: {', '.join(map(vv.show_path, self.streams)) or 'nothing'}",
            f'Runner(machine, record=[..., "{shown}"]), or record="all"',
        )


def taken(trace: Trace, paths: Iterable[vv.Path], first: int, ticks: int) -> Record:
    """The record of a trace of all outputs."""
    plan, streams = trace.plan, {}
    whole = {at: np.asarray(data) for at, data in trace.data.items() if at[0] == "out"}
    for path in paths:
        kind, row = plan.layout.place[path[0]]
        space = plan.kinds[kind].outputs
        parts = [whole["out", kind, port][:, row] for port in plan.kinds[kind].ports("out")]
        data = np.concatenate(parts, axis=1) if parts else np.zeros((ticks, 0), plan.dtype)
        streams[path] = space.sub(path[1:]), data[:, space.below(path[1:])]
    return Record(first, ticks, streams)


def nothing(paths: Iterable[vv.Path], first: int) -> Record:
    """The record of no tick at all."""
    return Record(first, 0, {path: (Space(), np.zeros((0, 0))) for path in paths})


def joined(records: Sequence[Record], dtype: Any = float) -> Record:
    """Records one after the other as one; a stream is as wide as it ever was."""
    if len(records) == 1:
        return records[0]
    streams = {}
    for path in dict.fromkeys(path for record in records for path in record.streams):
        space = Space()
        for record in records:
            space |= record.streams.get(path, (Space(), None))[0]
        streams[path] = (
            space,
            np.concatenate([_widened(record, path, space, dtype) for record in records]),
        )
    first = records[0].first if records else 0
    return Record(first, sum(map(len, records)), streams)


def _widened(record: Record, path: vv.Path, space: Space, dtype: Any) -> np.ndarray:
    own, data = record.streams.get(path, (Space(), np.zeros((record.ticks, 0), dtype)))
    if own == space:
        return data
    wide = np.zeros((record.ticks, space.size), data.dtype)
    wide[:, own.inclusion(space)] = data
    return wide


def recorded_paths(machine: Machine, record: Any) -> tuple[vv.Path, ...]:
    """The paths to record, read as `lower` reads them: `None` or `"all"`, one port, or a list.

    Raises `UnknownNameError` for an output that does not exist.
    """
    paths = record_paths(machine, record)
    if paths is None:
        return tuple((name,) for name in machine.neurons)
    for path in paths:
        _check_output(machine, path)
    return paths


def _check_output(machine: Machine, path: vv.Path) -> None:
    kind = machine.neurons[path[0]].type
    known = kind.outputs
    if kind.name == "output":
        known = sorted({link.input for link in machine.links if link.to == path[0]})
    if len(path) > 1 and known is not None and path[1] not in known:
        raise UnknownNameError(
            f"{path[0]!r} gives no output {path[1]!r}", "record", suggest(path[1], known)
        )


def same(left: Record, right: Record) -> bool:
    """Whether two records are the same bit for bit."""
    pairs = [
        (left.streams.get(path), right.streams.get(path)) for path in left.streams | right.streams
    ]
    return (left.first, left.ticks) == (right.first, right.ticks) and all(
        a is not None and b is not None and a[0] == b[0] and a[1].tobytes() == b[1].tobytes()
        for a, b in pairs
    )


def as_key(key: Any) -> Any:
    """A random key from an int, or the key given."""
    return jax.random.key(key) if isinstance(key, int) and not isinstance(key, bool) else key
