"""A machine in words: its links as a table, and what there is to know about it."""

from collections.abc import Iterable

from snakebird import vvalues as vv
from snakebird.machines._link import Link
from snakebird.machines._machine import Machine
from snakebird.machines._order import instant_levels
from snakebird.machines.building._builder import is_one
from snakebird.machines.printing._literals import plain
from snakebird.machines.printing._reading import cycles


def table(machine: Machine) -> str:
    """The links of a machine as an aligned table, one line each.

    >>> m = Machine({"n": "timer", "r": "relu"}, ["n.timer <- n.timer", "r.x <- 0.5 * n.timer"])
    >>> print(table(m))
    to       weight  from     marks
    n.timer       1  n.timer
    r.x         0.5  n.timer
    """
    rows = [("to", "weight", "from", "marks"), *(_row(link) for link in machine.links)]
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    lines = [
        f"{to:<{widths[0]}}  {weight:>{widths[1]}}  {source:<{widths[2]}}  {marks}".rstrip()
        for to, weight, source, marks in rows
    ]
    return "\n".join(lines)


def _row(link: Link) -> tuple[str, str, str, str]:
    marks = [*(["instant"] if link.instant else []), *([] if link.trainable else ["fixed"])]
    to = vv.show_path((link.to, link.input))
    return to, weight_text(link), vv.show_path(link.source), ", ".join(marks)


def weight_text(link: Link) -> str:
    """A weight in few characters: exact numbers as they are, floats to six digits."""
    weight = plain(link.weight)
    return f"{weight:.6g}" if isinstance(weight, float) else str(weight)


def explain(machine: Machine) -> str:
    """What a machine is, in plain words: one statement a line.

    >>> print(explain(Machine({"n": "timer", "r": "relu"}, ["n.timer <- n.timer"], name="clock")))
    clock: 2 neurons (1 relu, 1 timer), 1 link
    reads: nothing from outside
    gives: n.timer, r.result
    remembers: n (timer <- timer)
    instant links: none, every link takes one tick
    never active: r (relu), no link ends there
    trainable: 1 weight
    """
    lines = [
        _counts(machine),
        f"reads: {_sources(machine) or 'nothing from outside'}",
        f"gives: {_gives(machine) or 'nothing that is not read inside'}",
        f"remembers: {_memories(machine) or 'nothing, there is no cycle'}",
        *_self(machine),
        f"instant links: {_instant(machine) or 'none, every link takes one tick'}",
        *_idle(machine),
        f"trainable: {_trainable(machine) or 'nothing'}",
    ]
    return "\n".join(lines)


def _counts(machine: Machine) -> str:
    kinds: dict[str, int] = {}
    for neuron in machine.neurons.values():
        kinds[neuron.type.name] = kinds.get(neuron.type.name, 0) + 1
    often = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count} {kind}" for kind, count in often[:8]]
    shown += [f"{len(often) - 8} more types"] if len(often) > 8 else []
    inside = f" ({', '.join(shown)})" if shown else ""
    name = f"{machine.name}: " if machine.name else ""
    count = _count(len(machine.neurons), "neuron")
    return f"{name}{count}{inside}, {_count(len(machine.links), 'link')}"


def _sources(machine: Machine) -> str:
    found = []
    for name, neuron in machine.neurons.items():
        if neuron.type.external:
            tokens, space = (neuron.parameters.get(key) for key in ("tokens", "space"))
            parts = [f"{_count(len(tokens), 'token')}"] if tokens else []
            parts += [f"{_count(space.size, 'number')}"] if isinstance(space, vv.Space) else []
            found.append(f"{_name(name)} ({' and '.join(parts) or 'anything'})")
    return ", ".join(found)


def _gives(machine: Machine) -> str:
    """The outputs that no other neuron reads: where results are to be found."""
    read = {link.source[0] for link in machine.links if link.source[0] != link.to}
    read |= {machine.matrix_from[0]} if machine.matrix_from else set()
    found = []
    for name, neuron in machine.neurons.items():
        if name in read or neuron.type.external or is_one(neuron):
            continue
        ports = neuron.type.outputs
        if ports is None:
            ports = sorted({link.input for link in machine.links if link.to == name})
        found += [vv.show_path((name, port)) for port in ports]
    return _some(found)


def _memories(machine: Machine) -> str:
    found = []
    for link in machine.links:
        if link.source[0] == link.to and not link.instant:
            weight = "" if weight_text(link) == "1" else f"{weight_text(link)} * "
            source = vv.show_path(link.source[1:]) if len(link.source) > 1 else "all outputs"
            found.append(f"{_name(link.to)} ({link.input} <- {weight}{source})")
    rings = [
        f"the cycle of {_some(map(_name, ring))}" for ring in cycles(machine.neurons, machine.links)
    ]
    return _some(found + rings)


def _self(machine: Machine) -> list[str]:
    if machine.matrix_from is None:
        return []
    name = machine.matrix_from[0]
    edits = [
        vv.show_path(link.source)
        for link in machine.links
        if link.to == name and link.source[0] != name
    ]
    by = f", edited by {_some(edits)}" if edits else ", edited by nothing"
    return [f"carries its own matrix: {vv.show_path(machine.matrix_from)}{by}"]


def _instant(machine: Machine) -> str:
    links = [link for link in machine.links if link.instant]
    if not links:
        return ""
    levels = instant_levels(machine.neurons, machine.links)
    touched = {name for link in links for name in (link.to, link.source[0])}
    steps: dict[int, list[str]] = {}
    for name in machine.neurons:
        if name in touched:
            steps.setdefault(levels[name], []).append(_name(name))
    order = ", then ".join(" and ".join(steps[level]) for level in sorted(steps))
    return f"{len(links)}, within one tick {order}"


def _idle(machine: Machine) -> list[str]:
    """Neurons that never run, and those that run for nobody."""
    lines = []
    idle = [
        name
        for name, neuron in machine.neurons.items()
        if name not in machine.linked and not neuron.type.always_active
    ]
    if idle:
        shown = _some([f"{_name(name)} ({machine.neurons[name].type.name})" for name in idle])
        lines.append(f"never active: {shown}, no link ends there")
        lost = [str(link) for link in machine.links if link.source[0] in idle]
        lines += [f"links that carry nothing: {_some(lost)}"] if lost else []
    useful = _reaching(machine)
    unused = [_name(name) for name in machine.neurons if name not in useful and name not in idle]
    return lines + ([f"reaches no output neuron: {_some(unused)}"] if unused else [])


def _reaching(machine: Machine) -> set[str]:
    """The neurons with a way to one of type `output`, or to the matrix; all, if there is none."""
    found = {name for name, neuron in machine.neurons.items() if neuron.type.name == "output"}
    found |= {machine.matrix_from[0]} if found and machine.matrix_from else set()
    if not found:
        return set(machine.neurons)
    before: dict[str, set[str]] = {}
    for link in machine.links:
        before.setdefault(link.to, set()).add(link.source[0])
    waiting = list(found)
    while waiting:
        new = before.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def _trainable(machine: Machine) -> str:
    weights = sum(link.trainable for link in machine.links)
    parts = [_count(weights, "weight")] if weights else []
    values = [
        f"{_name(name)}.{key}"
        for name, neuron in machine.neurons.items()
        for key in sorted(neuron.trainable)
    ]
    parts += [f"the parameters {_some(values)}"] if values else []
    starts = [vv.show_path(path) for path in sorted(machine.free_start)]
    return ", ".join(parts + ([f"the start values {_some(starts)}"] if starts else []))


def _name(name: str) -> str:
    return name if name.isprintable() and name and " " not in name else repr(name)


def _some(texts: Iterable[str], limit: int = 12) -> str:
    texts = list(texts)
    more = [f"{len(texts) - limit} more"] if len(texts) > limit else []
    return ", ".join(texts[:limit] + more)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
