"""A machine as a plain Python function that needs nothing but Python.

One loop over ticks, one line a neuron, in an order that serves the instant links. A variable
keeps its neuron's last output until the neuron's own line; where that output is needed later in
the tick, it is kept as `NAME_before`.
"""

import keyword
from collections.abc import Iterator, Mapping

from snakebird import vvalues as vv
from snakebird.errors import InputError, MachineError, suggest
from snakebird.machines import Machine
from snakebird.synthesis.programs._exact import exactly
from snakebird.synthesis.programs._standalone_helpers import needed
from snakebird.synthesis.programs._standalone_layout import Layout
from snakebird.synthesis.programs._standalone_terms import (
    MAP,
    NUMBER,
    TREE,
    ZERO,
    Term,
    cast,
    literal,
)
from snakebird.synthesis.programs._verify import OUTPUT

STREAM_KINDS = {"number": NUMBER, "token": MAP, "tree": TREE}

LARGEST = 1 << 20
"""A float with a larger denominator than this is written as a float."""


def to_python(
    machine: Machine, *, name: str = "program", streams: Mapping[str, str] | None = None
) -> str:
    """The source of a Python function that runs a machine, on its own and in exact arithmetic.

    The function takes one list (or any iterable) for each source, `None` where nothing arrives,
    and gives a dict with a list of answers for each input of the neuron `output`. Streams are
    numbers where they only ever hold numbers, else dicts. `streams` says of each source, in the
    order of the parameters, whether it brings a "number", a "token" or a "tree"; by default the
    sources declare it. A machine without sources takes the number of ticks.

    Raises `MachineError` for a neuron that cannot be written so.

    >>> m = Machine({"total": "timer", "output": "output"}, ["total.timer <- total.timer"])
    >>> print(to_python(m.link("output.y <- total.timer"), name="count"))
    def count(ticks):
        total = 0
        answers = {'y': []}
        for _ in range(ticks):
            answers['y'].append(total)
            total = total + 1
        return answers
    <BLANKLINE>
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        hint = 'write name="program"'
        raise InputError(f"{name!r} cannot name a Python function", "to_python", hint)
    _check(machine, streams or {})
    kinds = {stream: STREAM_KINDS[kind] for stream, kind in (streams or {}).items()}
    layout = Layout(exactly(machine, largest=LARGEST), name, kinds)
    body = "\n".join([f"def {name}({_parameters(layout)}):", *_body(layout)])
    parts = ["from fractions import Fraction"] if "Fraction(" in body else []
    return "\n\n\n".join([*parts, *needed(body), body]) + "\n"


def _check(machine: Machine, streams: Mapping[str, str]) -> None:
    if machine.matrix_from is not None:
        raise MachineError(
            "a machine that carries its own matrix cannot be written as plain Python",
            f"neuron {machine.matrix_from[0]!r}",
            "run it with sb.run",
        )
    if OUTPUT not in machine.neurons:
        what, hint = f"the machine has no neuron named {OUTPUT!r}", suggest(OUTPUT, machine.neurons)
        raise MachineError(what, "to_python", hint)
    if OUTPUT not in machine.linked:
        hint = f"link what it shall answer to {OUTPUT}.y"
        raise MachineError(f"no link ends at {OUTPUT!r}", "to_python", hint)
    for stream, kind in streams.items():
        if kind not in STREAM_KINDS:
            raise InputError(
                f"the kind of stream {stream!r} is {kind!r}",
                "to_python, streams",
                suggest(kind, STREAM_KINDS),
            )


def _parameters(layout: Layout) -> str:
    return ", ".join(layout.lists.values()) or "ticks"


def _body(layout: Layout) -> Iterator[str]:
    for line in _before_the_loop(layout):
        yield f"    {line}"
    yield f"    for {_loop(layout)}:"
    for name in [*layout.sources, *layout.order]:
        for line in _lines(layout, name):
            yield f"        {line}"
    for place, before in layout.before.items():
        yield f"        {before} = {layout.variable(place, True).code}"
    yield "    return answers"


def _before_the_loop(layout: Layout) -> Iterator[str]:
    """The outputs before the first tick, and room for the answers."""
    start = layout.machine.start
    for place, kind in layout.kinds.items():
        if layout.read_later(place):
            first = literal(vv.get(start, *place), kind)
            yield f"{layout.variable(place, False).code} = {first.code}"
    for name, line in layout.lines.items():
        kind = layout.kinds.get((name, "result"), ZERO)
        waiting = ", ".join(literal(value, kind).code for value in layout.delays[name])
        yield f"{line} = [{waiting}]"
    answers = ", ".join(f"{port!r}: []" for port in layout.outputs(OUTPUT))
    yield f"answers = {{{answers}}}"


def _loop(layout: Layout) -> str:
    if not layout.lists:
        return "_ in range(ticks)"
    now = [layout.now.get(name, "_") for name in layout.lists]
    lists = ", ".join(layout.lists.values())
    return f"{', '.join(now)} in {lists if len(now) == 1 else f'zip({lists})'}"


def _lines(layout: Layout, name: str) -> Iterator[str]:
    """The lines of one neuron in the loop: one, for most."""
    if name in layout.now:
        yield _source_line(layout, name)
        return
    named = {port: term for port, term in layout.outputs(name).items()}
    kept = {
        p: cast(t, layout.kinds[name, p]) for p, t in named.items() if (name, p) in layout.kinds
    }
    constant = layout.machine.neurons[name].type.name == "constant"
    if kept and not (constant and not layout.read_later((name, "result"))):
        left = [layout.names[name, port] for port in kept]
        right = [term.code for term in kept.values()]
        if name in layout.lines:
            left, right = [*left, f"*{layout.lines[name]}"], [f"*{layout.lines[name]}", *right]
        yield f"{', '.join(left)} = {', '.join(right)}"
    if name == OUTPUT:
        for port, term in named.items():
            own = layout.variable((OUTPUT, port), True)
            yield f"answers[{port!r}].append({_answer(own if port in kept else term)})"


def _answer(term: Term) -> str:
    return f"nested({term.code})" if term.kind == TREE else term.code


def _source_line(layout: Layout, name: str) -> str:
    """What arrived, in the form it is kept in."""
    now, default = layout.now[name], layout.machine.neurons[name].parameters["default"]
    kind = layout.kinds.get((name, "signal"), NUMBER)
    if kind == NUMBER:
        first = literal(default, NUMBER).code
        return (
            f"{now} = {now} or 0"
            if first == "0"
            else f"{now} = {first} if {now} is None else {now}"
        )
    reader = "token" if kind == MAP else "paths"
    return f"{now} = {reader}({now}) if {now} is not None else {literal(default, kind).code}"
