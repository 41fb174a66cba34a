"""Small circuits for a table under a code, as machines."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from snakebird import neurons as nr, vvalues as vv
from snakebird.machines import Link, Machine
from snakebird.neurons import Neuron, find
from snakebird.synthesis.programs._automaton_bank import Neurons, neurons_over
from snakebird.synthesis.programs._automaton_table import Code, Table
from snakebird.synthesis.programs._automaton_ways import Way, ways

Ref = tuple[Any, ...]
"""A stream: ("one",), ("input", name, *path), ("unit", k), a register ("before" or "after", j)."""

Terms = tuple[tuple[Ref, Fraction], ...]
"""A linear combination of streams."""

ONE: Ref = ("one",)
BEAM = 6


@dataclass(frozen=True)
class Unit:
    """A neuron with what its ports read."""

    neuron: Neuron
    ports: dict[str, Terms]


@dataclass(frozen=True)
class Plan:
    """A circuit in the making: neurons, those that are registers, sums at the outputs.

    `made` are streams of neurons that are no registers, with their values.
    """

    links: float = 0.0
    units: tuple[Unit, ...] = ()
    registers: tuple[int, ...] = ()
    outputs: tuple[tuple[str, Terms], ...] = ()
    made: tuple[tuple[Ref, np.ndarray], ...] = ()

    def with_unit(self, neuron: Neuron, **ports: Terms) -> tuple["Plan", Ref]:
        """The plan with one neuron more, and its stream."""
        units = (*self.units, Unit(neuron, ports))
        return replace(self, units=units), ("unit", len(units) - 1)

    def with_output(self, name: str, terms: Terms) -> "Plan":
        """The plan with more at an output."""
        return replace(self, outputs=(*self.outputs, (name, terms)))


class Columns:
    """The streams that are known, each with its values in the rows of a table."""

    def __init__(self, table: Table, code: Code):
        self.refs: list[Ref] = [ONE]
        self.values = [np.ones(len(table.before))]
        for (name, path), values in table.inputs.items():
            self.add(("input", name, *path), values)
        for j, register in enumerate(code):
            self.add(("before", j), register[table.before])
        self.neurons = neurons_over(np.stack(self.values))

    def add(self, ref: Ref, values: np.ndarray) -> None:
        """One column more, if none is like it, or a multiple of 1."""
        new = all(np.abs(values - known).max() > 1e-9 for known in self.values)
        if new and np.ptp(values) > 1e-9:
            self.refs.append(ref)
            self.values.append(values)

    def extend(self, ref: Ref, values: np.ndarray) -> None:
        """One column more, and the neurons that read it."""
        count = len(self.refs)
        self.add(ref, values)
        if len(self.refs) > count:
            self.neurons = neurons_over(np.stack(self.values))


def plans(table: Table, code: Code, *, below: float = np.inf, until: float = np.inf) -> list[Plan]:
    """Circuits with fewer links than `below` that do what a table says, the shortest first.

    None when time is up (`until` as `time.monotonic` tells it).
    """
    columns = Columns(table, code)
    found = [Plan()]
    for j, register in enumerate(code):
        if time.monotonic() > until:
            return []
        target = register[table.after]
        found = _best((p for plan in found for p in _registers(plan, columns, target)), below)
        columns.extend(("after", j), target)
    for name in dict.fromkeys(name for name, _ in table.answers):
        if time.monotonic() > until:
            return []
        found = _best((p for plan in found for p in _answers(plan, columns, table, name)), below)
    return found


def _best(found: Iterable[Plan], below: float) -> list[Plan]:
    return sorted((p for p in found if p.links < below), key=lambda p: p.links)[:BEAM]


def _registers(plan: Plan, columns: Columns, target: np.ndarray) -> list[Plan]:
    """The plan with a register that holds the target."""
    made = []
    everywhere = np.ones(len(target), bool)
    for way in _ways(plan, columns, target, everywhere, register=True):
        done, terms = _taken(plan, columns, way, keep=not way.bare)
        if way.bare:
            ref = terms[0][0]
        else:
            done, ref = done.with_unit(nr.identity.with_parameters(), x=terms)
        made.append(replace(done, registers=(*done.registers, ref[1])))
    return made


def _ways(
    plan: Plan, columns: Columns, target: np.ndarray, asked: np.ndarray, *, register: bool = False
) -> list[Way]:
    known = np.stack([*columns.values, *(values for _, values in plan.made)])
    return ways(target, asked, known, columns.neurons, register=register)


def _taken(plan: Plan, columns: Columns, way: Way, *, keep: bool = True) -> tuple[Plan, Terms]:
    """The plan with the neurons of a way, and the sum; `keep` them for others to read."""
    known = [*columns.refs, *(ref for ref, _ in plan.made)]
    terms = [(known[k], weight) for k, weight in way.columns]
    plan = replace(plan, links=plan.links + way.links)
    for k, weight in way.neurons:
        plan, ref = _added(plan, columns.refs, columns.neurons, k)
        terms.append((ref, weight))
        if keep:
            plan = replace(plan, made=(*plan.made, (ref, columns.neurons.values[k])))
    return plan, tuple(terms)


def _added(plan: Plan, refs: Sequence[Ref], neurons: Neurons, k: int) -> tuple[Plan, Ref]:
    """The plan with a neuron of a bank, and with those that it reads."""
    read = list(refs)
    if neurons.inner is not None:
        used = neurons.x[k, len(refs) :].astype(bool) | neurons.y[k, len(refs) :].astype(bool)
        for at, needed in enumerate(used):
            plan, ref = _added(plan, refs, neurons.inner, at) if needed else (plan, ONE)
            read.append(ref)
    ports = {"x": _sum(read, neurons.x[k]), "y": _sum(read, neurons.y[k])}
    ports = {port: terms for port, terms in ports.items() if terms}
    return plan.with_unit(find(str(neurons.kinds[k])).with_parameters(), **ports)


def _sum(refs: Sequence[Ref], weights: np.ndarray) -> Terms:
    exact = [Fraction(float(w)).limit_denominator(1 << 20) for w in weights]
    return tuple((ref, w) for ref, w in zip(refs, exact, strict=False) if w)


def _answers(plan: Plan, columns: Columns, table: Table, name: str) -> list[Plan]:
    """The plan with an output: a sum for a number, masks for what stands in trees."""
    parts = {path: both for (own, path), both in table.answers.items() if own == name}
    if set(parts) == {()}:
        values, asked = parts[()]
        return [
            done.with_output(name, terms)
            for way in _ways(plan, columns, values, asked)
            for done, terms in [_taken(plan, columns, way)]
        ]
    return [_masked(plan, columns, parts, name)]


def _masked(plan: Plan, columns: Columns, parts: dict[Any, Any], name: str) -> Plan:
    """A tree as a sum of constants that numbers mask; one of them is there unmasked, if it may."""
    asked = next(iter(parts.values()))[1]
    shortest = {
        path: min((w.links for w in _ways(plan, columns, *both)), default=np.inf)
        for path, both in parts.items()
    }
    whole = np.sum([values for values, _ in parts.values()], axis=0)[asked]
    one_of_them = np.ptp(whole) == 0 and len(parts) > 1
    usual = max(shortest, key=shortest.__getitem__) if one_of_them else None
    if usual is not None:
        base = _constant(plan, {usual: whole[0]})
        plan = base[0].with_output(name, ((base[1], Fraction(1)),))
        plan = replace(plan, links=plan.links + 1)
    for path, (values, _) in parts.items():
        if path == usual:
            continue
        found = _ways(plan, columns, values, asked)
        if not found:
            return replace(plan, links=np.inf)
        plan, terms = _taken(plan, columns, found[0])
        tree = {path: 1.0} if usual is None else {path: 1.0, usual: -1.0}
        plan, constant = _constant(plan, tree)
        gate = nr.gate.with_parameters()
        plan, ref = plan.with_unit(gate, mask=terms, value=((constant, Fraction(1)),))
        plan = plan.with_output(name, ((ref, Fraction(1)),))
        plan = replace(plan, links=plan.links + 2)
    return plan


def _constant(plan: Plan, numbers: dict[Any, float]) -> tuple[Plan, Ref]:
    """The plan with a constant tree."""
    exact = {path: _plain(Fraction(n).limit_denominator(1 << 20)) for path, n in numbers.items()}
    return plan.with_unit(nr.constant.with_parameters(value=vv.grow(exact)))


def _plain(number: Fraction) -> Any:
    return number.numerator if number.denominator == 1 else number


def machine_of(plan: Plan, sources: dict[str, Neuron]) -> Machine:
    """The machine of a finished plan; its registers are called `state`."""
    neurons: dict[str, Neuron] = dict(sources)
    names: list[str] = []
    for k, unit in enumerate(plan.units):
        word = "state" if k in plan.registers else unit.neuron.type.name
        names.append(_free(word, neurons))
        neurons[names[-1]] = unit.neuron
    one = _free("one", neurons)
    links = [
        _link(names[k], port, ref, weight, names, plan.registers, one)
        for k, unit in enumerate(plan.units)
        for port, terms in unit.ports.items()
        for ref, weight in terms
    ]
    neurons["output"] = nr.output.with_parameters()
    links += [
        _link("output", port, ref, weight, names, plan.registers, one)
        for port, terms in plan.outputs
        for ref, weight in terms
    ]
    if any(link.source[0] == one for link in links):
        neurons[one] = nr.constant.with_parameters(value=1)
    return Machine(neurons, links)


def _link(
    to: str,
    port: str,
    ref: Ref,
    weight: Fraction,
    names: Sequence[str],
    registers: Sequence[int],
    one: str,
) -> Link:
    kind, *rest = ref
    source: vv.Path = (one, "result")
    if kind == "input":
        source = (rest[0], "signal", *rest[1:])
    elif kind != "one":
        unit: int = rest[0] if kind == "unit" else registers[rest[0]]
        source = (names[unit], "result")
    return Link(to, port, source, _plain(weight), instant=kind != "before")


def _free(name: str, taken: dict[str, Any]) -> str:
    """The name, or the name with a number where it is taken."""
    k, free = 1, name
    while free in taken or free == "output":
        k, free = k + 1, f"{name}_{k + 1}"
    return free
