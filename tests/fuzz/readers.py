"""Every reader of files, with valid files to begin with."""
# pyright: reportInvalidTypeForm=false

import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import snakebird as sb
from snakebird import vvalues as vv
from snakebird.machines import from_json, to_json
from tests.fuzz import kept
from tests.fuzz.reading import Defect, Reader

# Machines and values ---------------------------------------------------------------------------


def _machine_again(machine: Any, path: Path) -> tuple[Any, Any]:
    sb.save(machine, path)
    return sb.load(path), machine


def _machine_seeds() -> tuple[bytes, ...]:
    @sb.machine
    def letters(char: sb.Tokens("abc. ")):
        counts = sb.accumulate(char)
        return {"repeats": sb.relu(sb.max_norm(counts) - 1), "counts": counts}

    @sb.machine
    def sums(x: float, y: float):
        return {"sum": x + y, "total": sb.accumulate(x - y)}

    inner = {
        "format": "snakebird machine", "version": 1, "name": "inner",
        "neurons": {"n": {"type": "timer"}, "c": {"type": "clip", "parameters": {"high": "1/3"},
                                                  "trainable": ["high"]}},
        "links": [
            {"to": ["c", "x"], "from": ["n", "timer"], "weight": 0.5, "instant": True},
            {"to": ["n", "timer"], "from": ["n", "timer"], "weight": 1, "trainable": False},
        ],
        "start": {"n": {"timer": 3}, "c": {"result": {"a": 1.5, "b": {":number": 2, "c": "1/3"}}}},
        "free_start": [["n", "timer"]],
    }  # fmt: skip
    made = sb.Machine({"m": sb.machine_neuron(sums)})
    every = {name: {"type": name, "parameters": {}} for name in sorted(sb.neurons.REGISTRY)}
    arrays = {"a": {"type": "array_source", "parameters": {"values": [[1, 2], [3, 4.5]],
              "keys": ["x", "y"]}}, "s": {"type": "source", "parameters": {}}}  # fmt: skip
    empty = {"format": "snakebird machine", "version": 1, "links": []}
    return (
        to_json(letters).encode(), to_json(sums).encode(), json.dumps(inner, indent=1).encode(),
        to_json(made).encode(), json.dumps(empty | {"neurons": every}).encode(),
        json.dumps(empty | {"neurons": arrays}).encode(),
    )  # fmt: skip


def _value(path: Path) -> Any:
    try:
        text = path.read_bytes().decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = path.read_bytes().decode("utf-8", "replace")
    return vv.loads(text)


def _value_again(value: Any, path: Path) -> tuple[Any, Any]:
    back = vv.loads(vv.dumps(value))
    return vv.to_json(back), vv.to_json(value)


VALUE_SEEDS = (
    b'{"a": {":number": 1, "b": "1/3"}, "c": [[1, 2.5], [3, 4]], "d e": -0.5e-3}',
    b'{"norm": {"dict": {"a": 1.0, "b": 2}}}', b"3", b'"22/7"', b"[1, 2, 3]", b'{"": {}}',
)  # fmt: skip


# Tables ----------------------------------------------------------------------------------------


def _trajectories_again(data: sb.Trajectories, path: Path) -> tuple[Any, Any]:
    data.write(path)
    back = sb.Trajectories.read(path, columns=data.names, experiment="experiment", layout="wide")
    return back, data


TABLE_SEEDS = (
    b"t,hare,lynx\n0,30,4\n1,47.2,\n2,70.2,9.8\n",
    b"experiment,t,x\na,0,1\na,1,2\nb,0,NA\nb,0.5,-3e-2\n",
    b"t;variable;value\n0;x;1\n0;y;2\n1;x;3\n",
    b'"t"\t"x, \xc2\xb5"\r\n0\t1\r\n1\t"2"\r\n',
)
CSV_SOURCE_SEEDS = (b"x,y\n1,2\n3,4.5\n", b"a\r\n-1e3\r\n")


def _neuron_again(neuron: Any, path: Path) -> tuple[Any, Any]:
    machine = sb.Machine({"n": neuron})
    return from_json(to_json(machine)), machine


def _parquet_seeds() -> tuple[bytes, ...]:
    polars = __import__("polars")
    file = io.BytesIO()
    polars.DataFrame({"t": [0.0, 1.0, 2.0], "x": [1, None, 3]}).write_parquet(file)
    return (file.getvalue(),)


# Examples and messages -------------------------------------------------------------------------


def _examples_again(examples: sb.Examples, path: Path) -> tuple[Any, Any]:
    examples.write(path)
    return sb.Examples.read(path).items, examples.items


LINE_SEEDS = (
    b'{"inputs": {"x": [1, null]}, "outputs": {"y": [1, 0.125]}}\n\n',
    b'{"inputs": {"x": [1, 2.5]}, "outputs": {"y": [1, null]}}\n',
    b'{"input": "abca", "output": [0, 0, 0, 1]}\n\n{"output": ["a", "b"], "input": "ba"}',
    b'{"inputs": {"x": [{"a": 1, "b": {":number": 2, "c": 3}}]}, "outputs": {"y": [{}]}}\n',
)
EXAMPLE_TABLE_SEEDS = (
    b"example,in:x,in:w,out:y\n1,1,a,1/3\n1,2,b,0.5\n2,3,,\n",
    b'in:x,out:y\r\n"a, b",1\r\n"c\nd",2e-3\r\n',
)


@cache
def _listeners() -> tuple[Any, Any]:
    @sb.machine
    def letters(char: sb.Tokens("abc. \n")):
        return {"counts": sb.accumulate(char)}

    @sb.machine
    def sums(x: float, y: float, z: sb.Numbers("u", "v")):
        return {"sum": x + y + sb.max_norm(z)}

    return letters, sums


def _messages(which: int, **options: Any) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        from snakebird.cli._readers import read as read_messages

        found = read_messages(path, _listeners()[which], **options)
        if len({len(messages) for messages in found.values()}) > 1:
            raise Defect(f"sources with messages of different lengths: {found!r:.200}")
        for messages in found.values():
            for message in {id(m): m for m in messages if m is not None}.values():
                vv.check(message)
        return found

    return read


READERS: dict[str, Reader] = {
    "machine": Reader("machine.json", sb.load, _machine_seeds, _machine_again, json=True),
    "value": Reader("value.json", _value, lambda: VALUE_SEEDS, _value_again, json=True),
    "table": Reader("table.csv", sb.Trajectories.read, lambda: TABLE_SEEDS, _trajectories_again),
    "csv source": Reader("source.csv", sb.csv_source, lambda: CSV_SOURCE_SEEDS, _neuron_again),
    "parquet": Reader("table.parquet", sb.Trajectories.read, _parquet_seeds, _trajectories_again),
    "example lines": Reader(
        "examples.jsonl", sb.Examples.read, lambda: LINE_SEEDS, _examples_again, json=True
    ),
    "example table": Reader(
        "examples.csv", sb.Examples.read, lambda: EXAMPLE_TABLE_SEEDS, _examples_again
    ),
    "message text": Reader("messages.txt", _messages(0), lambda: (b"ab c.\nab", b"a\r\n")),
    "message words": Reader(
        "words.txt", _messages(0, by="words", skip=True), lambda: (b"a b\nc d", b". . .")
    ),
    "message table": Reader(
        "messages.csv", _messages(1), lambda: (b"x,y,z.u,z.v\n1,2,3,4\n,,-1e3,\n",)
    ),
    "message lines": Reader(
        "messages.jsonl",
        _messages(1),
        lambda: (b'{"x": 1, "z": {"u": 0.5, "v": "1/3"}}\nnull\n{"y": "2/3"}\n',),
        json=True,
    ),
    "search checkpoint": Reader(
        "checkpoint.json", kept.search, kept.search_seeds, kept.search_again, json=True
    ),
    "fit checkpoint": Reader("checkpoint.npz", kept.rounds, kept.rounds_seeds),
    "fit history": Reader("history.jsonl", kept.steps, kept.steps_seeds, json=True, writes=True),
    "outer history": Reader(
        "history.jsonl", kept.outer_steps, kept.outer_steps_seeds, json=True, writes=True
    ),
    "outer checkpoint": Reader("checkpoint.npz", kept.outer, kept.outer_seeds),
    "problem": Reader("problem.py", kept.problem, lambda: kept.PROBLEM_SEEDS),
    "runner": Reader("runner.json", sb.Runner.restore, kept.runner_seeds, json=True),
}
