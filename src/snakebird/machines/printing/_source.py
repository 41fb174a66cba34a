"""A machine as the source of the program that builds it."""

import re

from snakebird import neurons
from snakebird.machines._machine import Machine
from snakebird.machines.printing._literals import is_plain_name, quote
from snakebird.machines.printing._plan import Plan
from snakebird.machines.printing._writer import Writer
from snakebird.neurons import REGISTRY, NeuronType


def to_source(machine: Machine) -> str:
    """The source of a machine: running it builds an equal machine.

    Neurons stand after those they read; where a cycle allows no such order, `feed` adds the
    links that lead back. Python objects among the parameters are written as `...`, with a
    comment: such a source is for reading only.

    >>> from snakebird.machines import Link
    >>> m = Machine({"n": "timer", "late": "relu"}, [Link("late", "x", ("n", "timer"), 0.5)])
    >>> print(to_source(m.link("late.x <- -3 * late.result").replace(name="lateness")))
    import snakebird as sb
    <BLANKLINE>
    <BLANKLINE>
    @sb.machine
    def lateness():
        n = sb.timer(loops=False)
        late = sb.relu(0.5 * n)
        late.feed(x=-3 * late)
    """
    types = _TypeNames(machine)
    plan = Plan(machine, types.variables)
    while True:
        writer = Writer(plan, types.names)
        text = writer.write(types.lines)
        wrong = writer.misnamed()
        if not wrong:
            return text
        plan.inlined -= wrong


class _TypeNames:
    """What neuron types are called in a source, and the lines that fetch those of others."""

    def __init__(self, machine: Machine):
        self.names: dict[int, str] = {}
        self.lines: list[str] = []
        self.variables: set[str] = set()
        for neuron in machine.neurons.values():
            if id(neuron.type) not in self.names:
                self.names[id(neuron.type)] = self._name(neuron.type)

    def _name(self, kind: NeuronType) -> str:
        if getattr(neurons, kind.name, None) is kind:
            return f"sb.{kind.name}"
        if kind.name == "call" and "function" in kind.defaults:
            return "sb.call_neuron"
        base = re.sub(r"\W+", "_", kind.name, flags=re.ASCII).strip("_")
        base = base if is_plain_name(base) else f"neuron_{base}"
        variable, k = base, 1
        while variable in self.variables:
            k += 1
            variable = f"{base}_{k}"
        self.variables.add(variable)
        known = REGISTRY.get(kind.name) is kind
        fetch = f"sb.neurons.find({quote(kind.name)})"
        self.lines.append(
            f"{variable} = {fetch}"
            if known
            else f"{variable} = ...  # a neuron type that is not registered: {kind.signature}"
        )
        return variable
