"""From weights back to a machine: exact, without what does nothing, in plain neurons."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from snakebird.machines import Link, Machine
from snakebird.neurons import FUNCTION, constant, find, superfluid
from snakebird.synthesis.programs._objective import OUTPUT, Problem
from snakebird.synthesis.programs._prune import alive
from snakebird.synthesis.programs._snap import simple_fraction


def program_of(problem: Problem, weights: Any) -> Machine:
    """The machine of some weights, as exact numbers.

    What does nothing is left out; a superfluid neuron that mixes only one function is a neuron of
    that type; names that count neurons of a type count anew, but not in a machine that carries
    its matrix, whose updates know them.
    """
    machine = problem.machine
    stands = alive(machine, weights)
    links = [
        replace(link.scaled(_exact(w)) if link.trainable else link, trainable=True)
        for link, w, stand in zip(machine.links, weights, stands, strict=True)
        if stand
    ]
    if machine.matrix_from is not None:
        return _self_carrying(machine, links)
    machine, links = _plain(machine, links)
    used = {name for link in links for name in (link.to, link.source[0])}
    neurons = {
        name: neuron
        for name, neuron in machine.neurons.items()
        if name in used or neuron.type.external or name == OUTPUT
    }
    names = _renamed(neurons)
    start = {names[n]: value for n, value in machine.start.items() if n in names}
    return Machine(
        {names[name]: neuron for name, neuron in neurons.items()},
        [replace(k, to=names[k.to], source=(names[k.source[0]], *k.source[1:])) for k in links],
        start,
        name=machine.name,
    )


def _self_carrying(machine: Machine, links: list[Link]) -> Machine:
    """The machine with these links, and the neurons that they or an update name."""
    linked = {name for link in links for name in (link.to, link.source[0])}
    named = {
        key
        for name in linked
        for value in machine.neurons[name].parameters.values()
        for key in (value if isinstance(value, tuple) else ())
    }
    kept = {n: x for n, x in machine.neurons.items() if n in linked | named or x.type.external}
    return machine.replace(neurons=kept, links=links)


def _plain(machine: Machine, links: list[Link]) -> tuple[Machine, list[Link]]:
    """Superfluid neurons that mix one function as neurons of that type."""
    neurons = dict(machine.neurons)
    for name, neuron in machine.neurons.items():
        mixture = [k for k in links if (k.to, k.input) == (name, FUNCTION)]
        source = neurons[mixture[0].source[0]] if len(mixture) == 1 else None
        if neuron.type is superfluid and source is not None and source.type is constant:
            ((kind, value),) = source.parameters["value"].items()
            neurons[name] = find(kind).with_parameters()
            kept = [k for k in links if k not in mixture]
            kept = [k for k in kept if k.to != name or k.input in neurons[name].type.inputs]
            factor = mixture[0].weight * _exact(value)
            links = [k.scaled(k.weight * factor) if k.source[0] == name else k for k in kept]
            new = _free(kind, [n for n in neurons if n != mixture[0].source[0]])
            links = [_with_name(k, name, new) for k in links]
            neurons = {new if n == name else n: one for n, one in neurons.items()}
    return machine.replace(neurons=neurons, links=links), links


def _free(kind: str, taken: list[str]) -> str:
    k = 2
    while f"{kind}_{k}" in taken:
        k += 1
    return f"{kind}_{k}"


def _with_name(link: Link, old: str, new: str) -> Link:
    source = (new if link.source[0] == old else link.source[0], *link.source[1:])
    return replace(link, to=new if link.to == old else link.to, source=source)


def _exact(weight: Any) -> int | Fraction:
    near = simple_fraction(float(weight))
    return near.numerator if near.denominator == 1 else near


def _renamed(neurons: Mapping[str, Any]) -> dict[str, str]:
    """Neurons that are numbered by their type, numbered anew; all others keep their names."""
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    plain = {n for n, k in neurons.items() if _is_numbered(n, k.type.name)}
    for name, neuron in neurons.items():
        kind, new = neuron.type.name, name
        while name in plain and (new == name or new in neurons.keys() - plain):
            counts[kind] = counts.get(kind, 0) + 1
            new = kind if counts[kind] == 1 else f"{kind}_{counts[kind]}"
            if new == name:
                break
        found[name] = new
    return found


def _is_numbered(name: str, kind: str) -> bool:
    return name == kind or (name.startswith(f"{kind}_") and name[len(kind) + 1 :].isdecimal())
