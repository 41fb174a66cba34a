"""Programs with few states: a finite machine from examples, then a small circuit for it."""

import time
from collections.abc import Iterator

from snakebird.machines import Machine
from snakebird.synthesis.programs._automaton_merge import finite_machine
from snakebird.synthesis.programs._automaton_plan import machine_of, plans
from snakebird.synthesis.programs._automaton_table import codes, table_of
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._shrink import tidy
from snakebird.synthesis.programs._verify import verify


def automaton_programs(
    examples: Examples, *, seed: int = 0, budget: float = 60.0, most_states: int = 12
) -> Iterator[Machine]:
    """Exact programs for examples that a finite machine answers, each shorter than those before.

    The states are inferred from the examples, and from new ones where they can be had; then
    numbers are tried for them, and circuits of few neurons that compute the next state and the
    answers. Every program was verified on the examples. Gives nothing where more than 16 symbols
    arrive or more than `most_states` states are needed; ends after `budget` seconds.

    >>> examples = Examples.of([([1, 0, 1, 1, 0], [1, 1, 0, 1, 1]), ([0, 0, 1, 0], [0, 0, 1, 1])])
    >>> next(automaton_programs(examples))
    <machine: 3 neurons, 3 links>
    """
    until = time.monotonic() + budget
    found = finite_machine(examples, most_states=most_states, seed=seed, until=until)
    if found is None:
        return
    table = table_of(found, examples.inputs, examples.outputs)
    fewest = float("inf")
    for code in codes(table):
        if time.monotonic() > until:
            return
        for plan in plans(table, code, below=fewest, until=until)[:1]:
            machine = tidy(machine_of(plan, examples.sources()))
            if len(machine.links) < fewest and verify(machine, examples).right:
                fewest = len(machine.links)
                yield machine
