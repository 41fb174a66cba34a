"""A runner as one JSON file, and back; loading runs no code."""

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from snakebird import machines
from snakebird.errors import FileFormatError, MachineError, SnakebirdError
from snakebird.lowering import Room
from snakebird.machines import Link, Machine
from snakebird.running import _exact as exact
from snakebird.running._form import Form
from snakebird.running._history import Event, Moment, Queue, Segment
from snakebird.running._record import Record, recorded_paths
from snakebird.running._runner import Runner

KIND, VERSION = "snakebird runner", 1


def save(runner: Runner, path: str | Path) -> None:
    """Write a runner to a file, which is whole or not there at all."""
    try:
        text = _text(runner)
    except RecursionError:
        raise MachineError(
            "this runner holds a tree that is nested too deeply for a file",
            "Runner.save",
            "hold long lists as arrays, or raise sys.setrecursionlimit",
        ) from None
    write_whole(Path(path), text)


def _text(runner: Runner) -> str:
    now = runner._now
    data = {
        "format": KIND,
        "version": VERSION,
        "key": exact.key_data(runner.key),
        "dtype": np.dtype(now.form.low.plan.dtype).name,
        "chunk": runner.chunk,
        "keep": runner.history,
        "record": runner._record,
        "now": _moment_data(now),
        "history": [
            {"start": _moment_data(segment.start), "items": [_item_data(i) for i in segment.items]}
            for segment in now.segments
        ],
    }
    lines = [
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
        for key, value in data.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write_whole(path: Path, text: str) -> None:
    """Write a text to a file at once: first beside it, then into its place."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def restore(path: str | Path, allow: Any = ()) -> Runner:
    """The runner of a file; raises `FileFormatError` for one that is damaged."""
    data = _read(path)
    try:
        return _runner(data, allow)
    except FileFormatError as error:
        raise FileFormatError(
            error.what, f"{path}{error.where and ', ' + error.where}", error.hint or _AGAIN
        ) from None
    except SnakebirdError:
        raise
    except RecursionError:
        raise FileFormatError(
            "a tree in the file is nested too deeply", str(path), _AGAIN
        ) from None
    except _DAMAGED as error:
        missing = f"its part {error} is missing" if isinstance(error, KeyError) else str(error)
        first = next(iter(missing.splitlines()), type(error).__name__)
        raise FileFormatError(f"the file is damaged: {first}", str(path), _AGAIN) from None


_DAMAGED = (
    KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, MemoryError,
)  # fmt: skip
_AGAIN = "save the runner again, or restore an earlier file"


def _read(path: str | Path) -> dict[str, Any]:
    try:
        data = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise FileFormatError(
            f"cannot read the file: {error.strerror}",
            str(path),
            "give a file that Runner.save wrote",
        ) from None
    except (UnicodeDecodeError, RecursionError):
        raise FileFormatError("this is not a text file with JSON", str(path), _AGAIN) from None
    except ValueError as error:
        if not isinstance(error, json.JSONDecodeError):  # a number of more than 4300 digits
            raise FileFormatError("a number is too long", str(path), _AGAIN) from None
        raise FileFormatError(
            "this is not JSON, or the end of it is missing", f"{path}, line {error.lineno}", _AGAIN
        ) from None
    if not isinstance(data, dict) or data.get("format") != KIND:
        raise FileFormatError(
            "this file holds no runner", str(path), "give a file that Runner.save wrote"
        )
    if data.get("version") != VERSION:
        raise FileFormatError(
            f"version {data.get('version')!r} of the file is not known here, only {VERSION}",
            str(path),
            "read it with the version of Snakebird that wrote it",
        )
    return data


def _runner(data: dict[str, Any], allow: Any) -> Runner:
    runner = object.__new__(Runner)
    dtype = np.dtype(data["dtype"])
    if jnp.zeros(0, dtype).dtype != dtype:
        raise FileFormatError(
            f"it was saved in {dtype.name}, which JAX does not compute with now",
            "",
            'set JAX_ENABLE_X64=1, or call jax.config.update("jax_enable_x64", True)',
        )
    runner.key, runner.chunk = exact.key_of_data(data["key"]), int(data["chunk"])
    runner.history, option = data["keep"], data["record"]
    runner._record = [tuple(path) for path in option] if isinstance(option, list) else option
    segments = []
    for part in data["history"]:
        past = None
        for item in part["items"]:
            past = (_item(item, dtype, allow), past)
        segments.append(Segment(_moment(part["start"], dtype, allow), past))
    runner._now = replace(_moment(data["now"], dtype, allow), segments=tuple(segments))
    runner._paths = recorded_paths(runner._now.form.machine, runner._record)
    return runner


def _moment_data(moment: Moment) -> dict[str, Any]:
    form = moment.form
    return {
        "tick": moment.tick,
        "machine": machine_data(form.machine),
        "room": {"ticks": form.room.ticks, "space": exact.space_data(form.room.space)},
        "heard": {name: exact.space_data(space) for name, space in form.heard.items()},
        "outputs": exact.plain(form.outputs(moment.state)),
        "pending": {n: exact.plain(q.waiting) for n, q in moment.queues.items() if len(q)},
    }


def _moment(data: dict[str, Any], dtype: np.dtype, allow: Any) -> Moment:
    room = Room(exact.space_of_data(data["room"]["space"]), data["room"]["ticks"])
    heard = {name: exact.space_of_data(space) for name, space in data["heard"].items()}
    form = Form(machine_of(data["machine"], allow), room, heard, dtype)
    tick = int(data["tick"])
    form, state = form.holding(exact.tree(data["outputs"]), tick)
    queues = {name: Queue(_messages(items)) for name, items in data["pending"].items()}
    return Moment(form, state, tick, queues)


def _messages(items: list[Any]) -> tuple[Any, ...]:
    return tuple(None if item is None else exact.tree(item) for item in items)


def _item_data(item: Event | Record) -> dict[str, Any]:
    if isinstance(item, Record):
        streams = [
            {"of": list(path), "space": exact.space_data(space), "numbers": exact.plain(data)}
            for path, (space, data) in item.streams.items()
        ]
        return {"kind": "record", "tick": item.first, "ticks": item.ticks, "streams": streams}
    parts: dict[str, Any] = {"kind": item.kind, "tick": item.tick}
    if item.kind == "send":
        return {**parts, "source": item.content[0], "messages": exact.plain(item.content[1])}
    if item.kind == "edit":
        return {**parts, "links": [_link_data(link) for link in item.content]}
    if item.kind == "set":
        return {**parts, "output": list(item.content[0]), "value": exact.plain(item.content[1])}
    return {**parts, "machine": machine_data(item.content[0])}


def _item(data: dict[str, Any], dtype: np.dtype, allow: Any) -> Event | Record:
    kind, tick = data["kind"], int(data["tick"])
    if kind == "record":
        streams = {}
        for part in data["streams"]:
            space = exact.space_of_data(part["space"])
            numbers = exact.array(part["numbers"], dtype).reshape(data["ticks"], space.size)
            streams[tuple(part["of"])] = space, numbers
        return Record(tick, int(data["ticks"]), streams)
    if kind == "send":
        content: tuple[Any, ...] = (data["source"], _messages(data["messages"]))
    elif kind == "edit":
        content = tuple(_link(link) for link in data["links"])
    elif kind == "set":
        content = (tuple(data["output"]), exact.tree(data["value"]))
    elif kind == "replace":
        content = (machine_of(data["machine"], allow),)
    else:
        raise FileFormatError(f"nothing of the kind {kind!r} happens to a runner")
    return Event(tick, kind, content)


def _link_data(link: Link) -> dict[str, Any]:
    return {**vars(link), "source": list(link.source), "weight": exact.plain(link.weight)}


def _link(data: dict[str, Any]) -> Link:
    return Link(**{**data, "source": tuple(data["source"]), "weight": exact.tree(data["weight"])})


def machine_data(machine: Machine) -> Any:
    """A machine as the JSON data of its own file."""
    return json.loads(machines.to_json(machine))


def machine_of(data: Any, allow: Any = ()) -> Machine:
    """The machine of the JSON data of its file."""
    return machines.from_json(json.dumps(data), "its machine", allow=allow)
