"""Several growths side by side, the cheap levels of each before the dear ones."""

import itertools as it
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from snakebird.machines import Machine
from snakebird.synthesis.programs._arrays import arrays_of
from snakebird.synthesis.programs._candidates import NUMBER
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._found import Look
from snakebird.synthesis.programs._grow import Growth
from snakebird.synthesis.programs._readout import EXACT

NUMBERS = 3_000
"""About so many numbers that are asked for are looked at."""

FEW_TOKENS, SOME_TOKENS = 8, 24
"""In alphabets up to this size single tokens are looked at, too; where examples are given once
and for all, in those of up to the second size."""


def grown_programs(
    examples: Examples,
    *,
    seed: int = 0,
    budget: float = 60.0,
    keep: int = 24,
    levels: int = 3,
    look: Look | None = None,
    near: Callable[[Machine, float], None] | None = None,
) -> Iterator[Machine | None]:
    """Machines that are exact on the examples, the shallow ones first; None after each level.

    `near` is told of machines that are not exact, with the part of the answers that they miss.
    """
    ends = time.monotonic() + budget
    arrays = arrays_of(_enough(examples))
    ways = {"outputs fed back": Growth.start(arrays, seed=seed)}
    sizes = [space.size for space, _ in arrays.inputs.values() if space != NUMBER]
    if sizes and max(sizes) <= (FEW_TOKENS if examples.can_draw else SOME_TOKENS):
        ways["single tokens"] = Growth.start(arrays, parts=True, seed=seed)
    given: set[str] = set()
    for level, way in it.product(range(levels + 1), ways):
        growth = ways[way]
        if time.monotonic() > ends:
            return
        readouts = growth.level(keep, ends) if level else growth.readouts()
        left = max(readout.left for readout in readouts.values())
        if look is not None:
            look("grow", {"way": way, "level": level, "unexplained": left})
        if near is not None and left > EXACT:
            near(growth.nearest(readouts), left)
        for machine in growth.machines(readouts):
            if (text := repr(machine.links)) not in given:
                given.add(text)
                yield machine
        yield None


def _enough(examples: Examples) -> Examples:
    """So many examples that what is asked gives some thousand numbers; the last ones stay."""
    ticks = max(item.ticks for item in examples.items)
    widest = max(target.space.size for target in arrays_of(examples).targets.values())
    count = max(12, NUMBERS // (ticks * min(widest, 8)))
    return replace(examples, items=examples.items[-count:])
