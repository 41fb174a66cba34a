"""The published machines of numbers and trees, written as a user of the library would write them.

Each function gives a `Machine`, with its inputs where events come from outside. The traces they
must reproduce stand beside this file; `README.md` names the source of each.
"""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

from snakebird import vvalues as vv
from snakebird.lowering import lower
from snakebird.machines import Link, Machine, Tick, run
from snakebird.neurons import (
    FUNCTION,
    accumulator,
    compare,
    cons,
    linked_source,
    neuron,
    output,
    superfluid,
    token_source,
)

ENGINES = ("readable", "lowered")


@lru_cache
def golden(name: str) -> Any:
    """The content of one golden file."""
    return json.loads((Path(__file__).parent / f"{name}.json").read_text())


def frames(
    machine: Machine,
    ticks: int,
    engine: str,
    *,
    inputs: Any = None,
    grow: Any = None,
    record: Any = "all",
) -> tuple[Tick, ...]:
    """The trees of inputs and outputs of every tick, by the engine named.

    The readable engine always keeps every stream and needs no room reserved.
    """
    if engine == "readable":
        return run(machine, ticks, inputs=inputs).ticks
    if engine == "lowered":
        trace = lower(machine, record=record, grow=grow)(inputs, ticks)
        return tuple(trace.check().ticks())
    raise ValueError(f"unknown engine {engine!r}, known: {', '.join(ENGINES)}")


def distance(value: Any, other: Any) -> float:
    """The largest difference between the numbers of two trees at any path."""
    a, b = vv.canonical(value), vv.canonical(other)
    return max(
        (abs(float(a.get(p, 0)) - float(b.get(p, 0))) for p in a.keys() | b.keys()), default=0.0
    )


# Activation functions of the superfluid machines, under their published names.


@neuron
def accum_add_args(accum: Any, delta: Any) -> Any:
    return vv.add(accum, delta)


@neuron(outputs=("norm",))
def max_norm_dict(dict: Any) -> Any:
    return vv.max_norm(dict)


@neuron(outputs=("dot",))
def dot_product(x: Any, y: Any) -> Any:
    return vv.inner(x, y)


@neuron(outputs=("true", "false"))
def compare_scalars(x: Any, y: Any) -> Any:
    return compare(x, y)


@neuron(outputs=("const_1",))
def const_1() -> Any:
    return 1.0


@neuron(outputs=("char",))
def const_end() -> Any:
    return {".": 1.0}


@neuron(outputs=("timer",))
def timer_add_one(timer: Any) -> Any:
    return vv.add(timer, 1.0)


@neuron(outputs=("dict-1", "dict-2"))
def output_dummy(**inputs: Any) -> Any:
    return {port: vv.get(inputs, port) for port in ("dict-1", "dict-2")}


def _move(k: int) -> dict[str, Any]:
    """The edit that moves a 1 in the row of `self.delta` from neuron k to the next of three."""
    names = f"update-{k}", f"update-{k % 3 + 1}"
    return {"self": {"delta": {names[0]: {"result": -1.0}, names[1]: {"result": 1.0}}}}


@neuron
def update_1() -> Any:
    return _move(1)


@neuron
def update_2() -> Any:
    return _move(2)


@neuron
def update_3() -> Any:
    return _move(3)


@neuron(outputs=(FUNCTION, "char"), register=False)
def superfluid_input(*, text: str = "", every: int = 10, **inputs: Any) -> Any:
    """A superfluid neuron that knows `input_dummy` alone: the characters of its own text."""
    mixture = vv.get(inputs, FUNCTION)
    chars = token_source(vv.get(inputs, "timer"), text=text, every=every)
    share = vv.number(vv.get(mixture, "input_dummy"))
    return {FUNCTION: mixture, "char": vv.scale(share, chars)}


def _superfluid_machine(
    functions: Mapping[str, Mapping[str, float]],
    links: Iterable[Link],
    start: Mapping[str, Any],
    text: str = "",
    free_start: Iterable[vv.Path] = (),
) -> Machine:
    """Superfluid neurons that keep their functions by a link of weight 1, Self among them."""
    kept = [Link(name, FUNCTION, (name, FUNCTION), 1.0, trainable=False) for name in functions]
    kept.append(Link("self", "accum", ("self", "result"), 1.0, trainable=False))
    return Machine(
        {n: superfluid_input(text=text) if n == "input" else superfluid() for n in functions},
        [*links, *kept],
        {
            name: {FUNCTION: dict(mixture)} | start.get(name, {})
            for name, mixture in functions.items()
        },
        matrix_from=("self", "result"),
        free_start=free_start,
    )


def wave() -> Machine:
    """The machine whose row `self.delta` holds a traveling 1, moved by the neuron it selects."""
    names = [f"update-{k}" for k in (1, 2, 3)]
    functions = {"self": "accum_add_args"} | {name: name.replace("-", "_") for name in names}
    return _superfluid_machine(
        {name: {function: 1.0} for name, function in functions.items()},
        [Link("self", "delta", ("update-1", "result"), 1.0)],
        {name: {"result": _move(k)} for k, name in enumerate(names, 1)},
    )


_SOURCES = {
    "timer": "timer_add_one",
    "input": "input_dummy",
    "const_1": "const_1",
    "eos": "const_end",
    "output": "output_dummy",
    "self": "accum_add_args",
}
_SOURCES_START = {
    "const_1": {"const_1": 1.0},
    "eos": {"char": {".": 1.0}},
    "timer": {"timer": 0.0},
}


def detector(text: str = "test string.") -> Machine:
    """How often the most frequent character of a text was seen again, and how many full stops."""
    functions = _SOURCES | {
        "accum": "accum_add_args",
        "norm": "max_norm_dict",
        "compare": "compare_scalars",
        "dot": "dot_product",
    }
    links = [
        ("timer", "timer", "timer", "timer"),
        ("input", "timer", "timer", "timer"),
        ("accum", "accum", "accum", "result"),
        ("accum", "delta", "input", "char"),
        ("norm", "dict", "accum", "result"),
        ("compare", "x", "norm", "norm"),
        ("compare", "y", "const_1", "const_1"),
        ("dot", "x", "eos", "char"),
        ("dot", "y", "accum", "result"),
        ("output", "dict-1", "compare", "true"),
        ("output", "dict-2", "dot", "dot"),
    ]
    return _superfluid_machine(
        {name: {function: 1.0} for name, function in functions.items()},
        [Link(to, port, tuple(source), 1.0) for to, port, *source in links],
        _SOURCES_START | {"norm": {"norm": 1.0}},
        text,
    )


LAYERS, WIDTH = 5, 4
MIXED = ("accum_add_args", "compare_scalars", "dot_product", "max_norm_dict")


def fluid() -> list[str]:
    """The neurons of the feed-forward network whose functions are trained."""
    return [f"fluid-{layer}-{k}" for layer, k in product(range(LAYERS), range(WIDTH))]


def wires() -> list[vv.Path]:
    """The trained entries of its matrix, sorted: to, input, from, output.

    As published, a layer reads the sources and the layers before the one before it, so the first
    layer reads only itself and nobody reads the last.
    """
    names, found = fluid(), []
    sources = [("input", "char"), ("eos", "char"), ("const_1", "const_1")]
    for layer in range(1, LAYERS + 1):
        outputs = ("result", "norm", "dot", "true", "false")
        readable = [*sources, *product(names[: WIDTH * (layer - 1)], outputs)]
        readers = names[WIDTH * layer : WIDTH * (layer + 1)]
        ports = product(readers, ("accum", "delta", "dict", "x", "y"))
        ports = list(ports) or [("output", "dict-1"), ("output", "dict-2")]
        found += [(*to, *source) for to, source in product(ports, readable)]
    return sorted(found + [(name, "accum", name, "result") for name in names])


def feed_forward(weights: Any = None, coefficients: Any = None) -> Machine:
    """The trainable network of 26 superfluid neurons: 2,826 weights and 80 coefficients."""
    if weights is None:
        weights = [w for row in golden("superfluid")["weights"] for w in row]
    if coefficients is None:
        coefficients = [c for row in golden("superfluid")["coefficients"] for c in row]
    mixtures: dict[str, Any] = {name: {function: 1.0} for name, function in _SOURCES.items()}
    for (name, function), share in zip(product(fluid(), MIXED), coefficients, strict=True):
        mixtures.setdefault(name, {})[function] = share
    links = [
        Link(to, port, tuple(source), weight)
        for (to, port, *source), weight in zip(wires(), weights, strict=True)
    ]
    links += [
        Link(to, "timer", ("timer", "timer"), 1.0, trainable=False) for to in ("timer", "input")
    ]
    free = [(name, FUNCTION) for name in fluid()]
    return _superfluid_machine(mixtures, links, _SOURCES_START, "test string.", free)


# Machines with events from outside.


def async_accumulator() -> tuple[Machine, dict[str, Any]]:
    """An asynchronous reader, an accumulator and a printer; two messages arrive."""
    reader = linked_source(default={"step": 1}, space=vv.Space([("a",), ("step",)]))
    machine = Machine(
        {
            "self": accumulator,
            "the-reader": reader,
            "the-reader-accum": accumulator,
            "the-printer": output,
        },
        [
            "self.accum <- self.result",
            "the-reader.dummy <- self.result",
            "the-reader-accum.accum <- the-reader-accum.result",
            "the-reader-accum.delta <- the-reader.signal",
            "the-printer.to-print <- the-reader-accum.result",
        ],
        matrix_from="self.result",
    )
    return machine, {"the-reader": _at({5: {"a": 1}, 11: {"a": 1}})}


def _at(events: Mapping[int, Any]) -> list[Any]:
    """Messages by the tick they arrive before, counted from 1, as a list."""
    return [events.get(tick) for tick in range(1, max(events) + 1)]


@neuron(outputs=None, register=False)
def mouse_monitor(
    *, message: Any, present: Any, space: vv.Space | None = None, **inputs: Any
) -> Any:
    """Gives a click when there is one; the links that end here only keep it active."""
    return {"signal": vv.where(present, message, {})}


@neuron(outputs=("mouse-x", "mouse-y"), register=False)
def mouse_coords(
    *, message: Any, present: Any, space: vv.Space | None = None, **inputs: Any
) -> Any:
    """Where the mouse is, while something links to this neuron."""
    return {f"mouse-{axis}": vv.get(message, axis) for axis in ("x", "y")}


def live_edit(ticks: int = 16) -> tuple[Machine, dict[str, Any]]:
    """A network edited while it runs: neurons appear and vanish, and a list writer is cut off."""
    position = vv.Space([("x",), ("y",)])
    edits = {
        3: {"mouse-position": {"single": {"mouse-position": {"mouse-y": 1}}}},
        7: {"mouse-position": {"single": {"mouse-position": {"mouse-y": -1}}}},
        10: {"second": {"single": {"mouse-pressed-monitor": {"signal": 0.5}}}},
        12: {"my-list": {"signal": {"mouse-pressed-monitor": {"signal": -1}}}},
    }
    editable = vv.space_of(vv.add(*[vv.map_numbers(abs, edit) for edit in edits.values()]))
    monitor, updater = "mouse-pressed-monitor", "network-interactive-updater"
    machine = Machine(
        {
            "self": accumulator,
            "my-list": cons(flag="flag"),
            monitor: mouse_monitor(space=position | vv.Space([("flag",)])),
            updater: linked_source(space=editable),
            "mouse-position": mouse_coords(space=position),
            "second": mouse_coords(space=position),
        },
        [
            "self.accum <- self.result",
            f"self.delta <- {updater}.signal",
            f"{updater}.signal <- {updater}.signal",
            f"{monitor}.single <- {monitor}.single",
            "my-list.list <- my-list.list",
            f"my-list.signal <- {monitor}.signal",
        ],
        {"my-list": {"list": {"end-list": 1}}},
        matrix_from="self.result",
    )
    mouse = [{"x": 10 * tick, "y": 7 * tick} for tick in range(1, ticks + 1)]
    clicks = {tick: {"flag": 1} | mouse[tick - 1] for tick in (2, 14)}
    inputs = {monitor: _at(clicks), updater: _at(edits), "mouse-position": mouse, "second": mouse}
    return machine, inputs
