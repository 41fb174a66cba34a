"""`snakebird run`: a machine on a file, written out chunk by chunk."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

from snakebird import vvalues as vv
from snakebird.cli._long import writing
from snakebird.cli._readers import Messages, read
from snakebird.cli._writers import Row, finite_part, uninterrupted, writer_for
from snakebird.errors import InputError, SnakebirdError
from snakebird.machines import Machine, load, tick
from snakebird.running import Runner
from snakebird.running._record import recorded_paths

LONG = 2000
"""From so many ticks on, a chunk has 1000 ticks instead of 100."""


def run(
    path: Path,
    input: Path | None,
    *,
    by: str,
    unknown: str,
    source: str | None,
    output: str,
    ticks: int | None,
    record: Sequence[str],
    key: int | None,
    engine: str,
) -> int:
    """Run a machine file; the exit code is 130 after Ctrl-C."""
    machine = load(path)
    messages: Messages = {}
    if input is not None:
        messages = read(input, machine, by=by, skip=unknown == "skip", source=source)
    ticks = _length(ticks, messages)
    _check_key(machine, key)
    ports = ports_of(machine, recorded_paths(machine, list(record) or None))
    if not ports:
        raise InputError(
            "this machine has no output to write", str(path), "give one with --record neuron.output"
        )
    engines = {"compiled": _compiled, "readable": _readable}
    parts = engines[engine](machine, messages, ticks, ports, key)
    writer, done, kept = writer_for(output), 0, "stdout" if output == "-" else output
    with writing(kept):
        try:
            with _progress(ticks) as advance:
                for rows in parts:
                    good, fault = finite_part(rows)
                    with uninterrupted():
                        writer.write(good)
                        done += len(good)
                    if fault is not None:
                        before = f"ticks 1 to {done} stand in {kept}"
                        before = before if done else "nothing was written"
                        raise InputError(fault.what, fault.where, f"{fault.hint}; {before}")
                    advance(len(rows))
        except KeyboardInterrupt:
            print(
                f"interrupted after {done} of {ticks} ticks; what was done stands in {kept}",
                file=sys.stderr,
            )
            return 130
        finally:
            writer.close()
    return 0


def _length(ticks: int | None, messages: Messages) -> int:
    if ticks is not None and ticks < 1:
        raise InputError(f"--ticks {ticks}", "the command line", "give 1 or more")
    if ticks is None and not messages:
        raise InputError(
            "nothing says how long to run", "the command line", "give --input FILE or --ticks N"
        )
    return ticks if ticks is not None else max(map(len, messages.values()))


def _check_key(machine: Machine, key: int | None) -> None:
    drawing = [n for n, neuron in machine.neurons.items() if "key" in neuron.type.feeds]
    if drawing and key is None:
        raise InputError(
            f"{drawing[0]!r} draws at random and there is no key",
            f"neuron {drawing[0]}",
            "give --key 0",
        )


def ports_of(machine: Machine, paths: Sequence[vv.Path]) -> list[vv.Path]:
    """The outputs to write: for a whole neuron each of its outputs."""
    found: list[vv.Path] = []
    for path in paths:
        kind = machine.neurons[path[0]].type
        names = kind.outputs
        if kind.name == "output":
            names = tuple(sorted({link.input for link in machine.links if link.to == path[0]}))
        found += [path] if len(path) > 1 or names is None else [(*path, name) for name in names]
    if ("tick",) in found:
        raise InputError(
            "the outputs of the neuron 'tick' would stand under the name of the tick itself",
            "record",
            "write single ones, --record tick.OUTPUT, or give the neuron another name",
        )
    return found


def _compiled(
    machine: Machine, messages: Messages, ticks: int, ports: list[vv.Path], key: int | None
) -> Iterator[list[Row]]:
    chunk = 1000 if ticks >= LONG else 100
    runner = Runner(machine, key=key, chunk=chunk, record=ports, history=False)
    for source, values in messages.items():
        runner.send(source, values)
    for part in runner.stream(ticks):
        streams = {vv.show_path(port): part.trees(port) for port in ports}
        yield [
            (part.first + t + 1, {name: trees[t] for name, trees in streams.items()})
            for t in range(len(part))
        ]


def _readable(
    machine: Machine, messages: Messages, ticks: int, ports: list[vv.Path], key: int | None
) -> Iterator[list[Row]]:
    rows: list[Row] = []
    outputs, first = machine.first_outputs, None if key is None else jax.random.key(key)
    for t in range(ticks):
        arrived = {s: values[t] for s, values in messages.items() if t < len(values)}
        own = None if first is None else jax.random.fold_in(first, t)
        try:
            outputs = tick(machine, outputs, messages=arrived, key=own).outputs
        except SnakebirdError:
            yield rows
            raise
        rows.append((t + 1, {vv.show_path(port): vv.get(outputs, *port) for port in ports}))
        if len(rows) == 20 or t == ticks - 1:
            yield rows
            rows = []


@contextmanager
def _progress(ticks: int) -> Iterator[Any]:
    """A bar on stderr where somebody looks at it."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("ticks", total=ticks)
        yield lambda count: bar.advance(task, count)
