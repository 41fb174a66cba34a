"""`Runner`: a machine that runs on in compiled chunks, and that one can talk to and edit."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from snakebird import vvalues as vv
from snakebird.errors import InputError, MachineError, RoomError
from snakebird.lowering import Lowered, Trace
from snakebird.machines import Machine, as_link, as_path
from snakebird.running._form import Form, links_of, room_for, whole_number
from snakebird.running._history import Event, Moment, Queue, Segment
from snakebird.running._messages import heard_with, messages_of
from snakebird.running._record import Record, as_key, joined, nothing, recorded_paths, taken
from snakebird.vvalues import Flat


class Runner:
    """A running machine: it advances, takes messages and edits between ticks, and keeps a record.

    * `key`: for machines that draw at random; an int will do. The keys of ticks follow from it.
    * `chunk`: how many ticks one compiled call runs.
    * `grow`: room for streams that never stop growing: ticks, or outputs with their spaces.
      When it runs out the runner makes more by itself.
    * `record`: the outputs to record: `"all"`, one (`"n.timer"` or `("n", "timer")`), or a list;
      by default those of `output` neurons, or all where there is none.
    * `history`: keep what came from outside and what was recorded: all of it (`True`), at least
      the last so many ticks, or nothing (`False`).
    * `dtype`: of all numbers; by default JAX's current float.

    Whatever happens, Ctrl-C included, the runner stands at the end of its last whole chunk.

    >>> from snakebird.machines import Machine
    >>> runner = Runner(Machine({"n": "timer", "r": "relu"}, ["n.timer <- n.timer"]))
    >>> runner.advance(2).edit("r.x <- 10 * n.timer").advance(2).trees("r.result")
    [{}, {}, 20.0, 30.0]
    """

    def __init__(
        self,
        machine: Machine,
        *,
        key: Any = None,
        chunk: int = 100,
        grow: Any = None,
        record: Any = None,
        history: bool | int = True,
        dtype: Any = None,
    ):
        self.key, self.chunk = as_key(key), whole_number(chunk, "chunk", "Runner", least=1)
        own = isinstance(history, bool)
        self.history = history if own else whole_number(history, "history", "Runner", least=0)
        self._paths = recorded_paths(machine, record)
        self._record = record if record is None or record == "all" else list(self._paths)
        form = Form(machine, room_for(machine, grow), dtype=dtype).opened()
        self._begin(Moment(form, form.low.first_state))

    def _begin(self, moment: Moment) -> None:
        bare = moment.bare()
        self._now = bare if self.history is False else replace(bare, segments=(Segment(bare),))

    def __repr__(self) -> str:
        return f"<runner of {self._now.form.machine!r} after {self.tick} ticks>"

    @property
    def tick(self) -> int:
        """How many ticks are done."""
        return self._now.tick

    @property
    def outputs(self) -> Any:
        """All outputs as they stand, as a tree: neuron -> output -> value."""
        return self._now.form.outputs(self._now.state)

    @property
    def machine(self) -> Machine:
        """The machine with its links as they stand now, all edits included."""
        form = self._now.form
        if form.machine.matrix_from is None:
            return form.machine
        return form.machine.replace(links=links_of(form.machine, form.matrix(self._now.state)))

    @property
    def lowered(self) -> Lowered:
        """The machine on arrays as it runs now."""
        return self._now.form.low

    @property
    def pending(self) -> dict[str, tuple[Any, ...]]:
        """The messages that wait, by source."""
        return {name: queue.waiting for name, queue in self._now.queues.items() if len(queue)}

    @property
    def events(self) -> tuple[Event, ...]:
        """What came from outside, as far as the history reaches."""
        return tuple(item for item in self._now.items if isinstance(item, Event))

    @property
    def recorded(self) -> Record:
        """All that is recorded, as far as the history reaches."""
        records = [item for item in self._now.items if isinstance(item, Record)]
        if not records:
            return nothing(self._paths, self.tick)
        return joined(records, self.lowered.plan.dtype)

    def __getitem__(self, port: str | Sequence[str]) -> Flat:
        """A recorded stream with data `[ticks, size]`."""
        return self.recorded[port]

    def number(self, port: str | Sequence[str]) -> Any:
        """The numbers `[ticks]` at the root of a recorded stream."""
        return self.recorded.number(port)

    def trees(self, port: str | Sequence[str]) -> list[Any]:
        """A recorded stream as trees, one a tick."""
        return self.recorded.trees(port)

    def advance(self, ticks: int = 1) -> "Runner":
        """Run on for some ticks; returns the runner.

        Raises `GrowthError` if no room is enough, `InputError` if there is no key and a neuron
        draws at random.
        """
        for _ in self.stream(ticks):
            pass
        return self

    def stream(self, ticks: int) -> Iterator[Record]:
        """Run on for some ticks, giving the record of each chunk as it is done."""
        return self._chunks(whole_number(ticks, "ticks", "Runner.advance", least=0))

    def _chunks(self, ticks: int) -> Iterator[Record]:
        while ticks > 0:
            size = self.chunk if ticks >= self.chunk else _power_of_four(ticks)
            yield self._run_chunk(size)
            ticks -= size

    def _run_chunk(self, size: int) -> Record:
        now = self._now
        form, state = now.form, now.state
        messages = {name: queue.ahead(size) for name, queue in now.queues.items() if len(queue)}
        while True:
            trace: Trace = form.low(messages, size, key=self.key, state=state)
            try:
                trace.check()
                break
            except RoomError:
                outputs = form.outputs(state)
                form, state = form.wider(outputs).holding(outputs, now.tick)
        record = taken(trace, self._paths, now.tick, size)
        queues = {name: queue.after(size) for name, queue in now.queues.items()}
        moment = replace(now, form=form, state=trace.state, tick=now.tick + size, queues=queues)
        moment = moment.noting(record)
        if self.history is not True and moment.segments:
            moment = moment.trimmed(self.history)
        self._now = moment
        return record

    def send(self, source: str, messages: Any) -> "Runner":
        """Queue messages for a source; it takes one each tick, from the next tick on.

        A text gives one token for each character, a list one message for each item (a token, a
        value, or `None` for a tick without any); anything else is one message. Raises
        `UnknownNameError` for a source that is not there, `InputError` for what may not arrive.
        """
        now = self._now
        found = messages_of(now.form.machine, source, messages)
        queue = now.queues.get(source, Queue()).with_more(found)
        moment = replace(now, queues={**now.queues, source: queue})
        heard = heard_with(now.form, source, found)
        if heard is not None:
            form, state = replace(now.form, heard=heard).holding(self.outputs, now.tick)
            moment = replace(moment, form=form, state=state)
        self._now = moment.noting(Event(now.tick, "send", (source, found)))
        return self

    def edit(self, *links: Any, through: str | None = None) -> "Runner":
        """Add to links, from the next tick on; where a machine carries its matrix, to that.

        With `through`, the change goes as a message to a source that is linked to Self instead.
        Raises `MachineError` or `UnknownNameError` for links that do not fit.
        """
        now = self._now
        machine = now.form.machine
        changed = machine.link(*links)
        added = [as_link(link, machine.neurons) for link in links]
        update = vv.add(*(vv.grow({link.path: link.weight}) for link in added if not link.instant))
        if through is not None:
            if any(link.instant for link in added):
                raise MachineError(
                    "an instant link is not in the matrix",
                    f"edit through {through!r}",
                    "edit without through=",
                )
            return self.send(through, update)
        outputs = None
        if machine.matrix_from is not None:
            outputs = _plus(self.outputs, machine.matrix_from, update)
            if now.form.low.plan.carried:
                changed = machine.link(*(link for link in added if link.instant))
        self._become(changed, outputs, Event(now.tick, "edit", tuple(added)))
        return self

    def set_output(self, port: str | Sequence[str], value: Any) -> "Runner":
        """Set what an output, or a part of one, holds before the next tick.

        Raises `UnknownNameError` for an output that is not there.
        """
        machine = self._now.form.machine
        path = as_path(port if isinstance(port, str) else tuple(port), machine.neurons)
        vv.check(value)
        if len(path) < 2:
            raise InputError(
                f"{vv.show_path(path)} is no output", "set_output", 'write "neuron.output"'
            )
        machine.replace(start=vv.put({}, path[:2], 1), matrix_from=None, free_start=())
        outputs = vv.put(self.outputs, path, value)
        if machine.matrix_from is not None and not self._now.form.low.plan.carried:
            machine = machine.replace(
                links=links_of(machine, vv.get(outputs, *machine.matrix_from))
            )
        self._become(machine, outputs, Event(self.tick, "set", (path, value)))
        return self

    def replace(self, machine: Machine) -> "Runner":
        """Go on with another machine; neurons that stay keep their outputs, new ones start."""
        old, kept = self.outputs, {}
        for name, neuron in machine.neurons.items():
            if name not in self._now.form.machine.neurons:
                kept[name] = vv.get(machine.first_outputs, name)
            elif name in old:
                ports = vv.keys(old[name]) if neuron.type.outputs is None else neuron.type.outputs
                kept[name] = vv.select(old[name], [(port,) for port in ports])
        if machine.matrix_from is not None:
            kept = vv.put(kept, machine.matrix_from, machine.matrix)
        paths = recorded_paths(machine, self._record)
        queues = {
            name: queue
            for name, queue in self._now.queues.items()
            if name in machine.neurons and machine.neurons[name].type.external
        }
        before = self._now
        try:
            self._now = replace(before, queues=queues)
            self._become(machine, kept, Event(self.tick, "replace", (machine,)))
        except BaseException:
            self._now = before
            raise
        self._paths = paths
        return self

    def _become(self, machine: Machine, outputs: Any, event: Event) -> None:
        """Go on with this machine, from these outputs or, for `None`, the present ones."""
        now = self._now
        heard = {name: s for name, s in now.form.heard.items() if name in machine.neurons}
        form, state = replace(now.form, machine=machine, heard=heard).opened(), now.state
        if outputs is not None or form.low.plan != now.form.low.plan:
            form, state = form.holding(self.outputs if outputs is None else outputs, now.tick)
        self._now = replace(now, form=form, state=state).noting(event)

    def replay(self) -> "Runner":
        """A runner that has done the same again, from where the history starts, bit for bit.

        Raises `InputError` if no history was kept.
        """
        if not self._now.segments:
            raise InputError("no history was kept", repr(self), "Runner(machine, history=True)")
        copy = object.__new__(Runner)
        copy.__dict__.update(self.__dict__, history=True)
        copy._begin(self._now.segments[0].start)
        copy._paths = recorded_paths(copy._now.form.machine, self._record)
        for item in self._now.items:
            copy._do(item)
        return copy

    def _do(self, item: Event | Record) -> None:
        if isinstance(item, Record):
            self._run_chunk(item.ticks)
        elif item.kind == "send":
            self.send(item.content[0], list(item.content[1]))
        elif item.kind == "edit":
            self.edit(*item.content)
        elif item.kind == "set":
            self.set_output(*item.content)
        else:
            self.replace(*item.content)

    def save(self, path: str | Path) -> None:
        """Write all of it to one JSON file: machine, outputs, tick, key, messages, history.

        Raises `MachineError` for a machine that no file can hold, because it calls Python code.
        """
        from snakebird.running._file import save

        save(self, path)

    @classmethod
    def restore(cls, path: str | Path, *, allow: Any = ()) -> "Runner":
        """The runner of a file; it goes on as the saved one would have. No code of it is run.

        `allow` has the modules whose Python functions the machine may call, as in `load`.

        Raises `FileFormatError` for a file that is damaged or no such file.
        """
        from snakebird.running._file import restore

        return restore(path, allow)


def _plus(outputs: Any, at: vv.Path, update: Any) -> Any:
    return vv.add(outputs, vv.grow({(*at, *path): w for path, w in vv.entries(update)}))


def _power_of_four(ticks: int) -> int:
    """The largest power of four that fits: few lengths to compile, few calls to make."""
    return 1 << ((ticks.bit_length() - 1) // 2 * 2)
