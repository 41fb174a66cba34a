"""Idioms and names: a machine written the way a person would have written it."""

from dataclasses import replace

from snakebird import neurons as nr
from snakebird.machines import Link, Machine
from snakebird.neurons import Neuron

ROLES = {
    "accumulator": "total",
    "relu": "positive",
    "step": "above",
    "product": "product",
    "gate": "kept",
    "inner": "match",
    "max_norm": "largest",
    "maximum": "larger",
    "minimum": "smaller",
    "outer": "pairs",
    "mask_sum": "found",
    "identity": "state",
}
"""What a neuron is called after, where nothing better is known."""


def spoken(machine: Machine, *, name: str = "program") -> Machine:
    """The same links, with memory as accumulators and names after what neurons do.

    A machine that carries its matrix keeps the names that its updates know.
    """
    if machine.matrix_from is not None:
        return machine.replace(name=name)
    machine = _with_accumulators(machine)
    names: dict[str, str] = {}
    taken = {n for n, neuron in machine.neurons.items() if _keeps_name(n, neuron)} | {"sb"}
    for old, neuron in machine.neurons.items():
        names[old] = old if _keeps_name(old, neuron) else _free(_role(machine, old), taken)
        taken.add(names[old])
    return renamed(machine, names).replace(name=name)


def renamed(machine: Machine, names: dict[str, str]) -> Machine:
    """The machine with its neurons under new names, all of them given."""
    links = [
        replace(link, to=names[link.to], source=(names[link.source[0]], *link.source[1:]))
        for link in machine.links
    ]
    start = {names[n]: value for n, value in dict(machine.start).items()}
    return Machine({names[n]: x for n, x in machine.neurons.items()}, links, start)


def _keeps_name(name: str, neuron: Neuron) -> bool:
    return neuron.type.external or name == "output" or neuron.type is nr.constant


def _with_accumulators(machine: Machine) -> Machine:
    """Identities that add to what they were become accumulators."""
    memories = {
        link.to
        for link in machine.links
        if machine.neurons[link.to].type is nr.identity
        and link.source[0] == link.to
        and len(link.source) == 2
        and link.weight == 1
        and not link.instant
    }

    def moved(link: Link) -> Link:
        if link.to not in memories:
            return link
        if link.source[0] == link.to:
            return replace(link, input="accum", trainable=False)
        return replace(link, input="delta")

    neurons = {
        n: nr.accumulator.with_parameters() if n in memories else x
        for n, x in machine.neurons.items()
    }
    alone = [n for n in memories if not any(x.to == n and x.source[0] != n for x in machine.links)]
    if alone:
        return machine
    return machine.replace(neurons=neurons, links=[moved(link) for link in machine.links])


def _role(machine: Machine, name: str) -> str:
    """What a neuron may be called: after the output it is, what it holds, or what it does."""
    neuron = machine.neurons[name]
    fed = [link for link in machine.links if link.to == name]
    shown = [
        link.input
        for link in machine.links
        if link.to == "output" and link.source[0] == name and link.weight == 1 and link.instant
    ]
    alone = [p for p in shown if sum(x.to == "output" and x.input == p for x in machine.links) == 1]
    if alone and alone[0] != "result":
        return alone[0]
    reads = sorted({link.source[0] for link in fed if link.source[0] != name})
    if neuron.type is nr.accumulator and len(reads) == 1:
        source = machine.neurons[reads[0]]
        tokens = source.type.external and source.parameters.get("tokens")
        return "counts" if tokens else f"total_{reads[0]}" if source.type.external else "total"
    if neuron.type is nr.identity and len(fed) == 1 and not fed[0].instant and fed[0].weight == 1:
        return f"last_{reads[0]}" if reads else "last"
    return ROLES.get(neuron.type.name, neuron.type.name)


def _free(name: str, taken: set[str]) -> str:
    k, free = 1, name
    while free in taken:
        k += 1
        free = f"{name}_{k}"
    return free
