# slow
"""A template of your own: what a program may be made of, its links free to be found."""

from dataclasses import dataclass
from itertools import pairwise

import snakebird as sb


@dataclass(frozen=True)
class Filter:
    """A line of memories, the sources at its begin; outputs may read all of them."""

    taps: int = 3

    def machine(self, examples):
        """The machine; links with the weight 0 that may be trained are free."""
        neurons, streams = dict(examples.sources()), []
        links = []
        for name in examples.sources():
            line = [(name, "signal")] + [(f"{name}_{k}", "result") for k in range(self.taps)]
            neurons |= {neuron: sb.identity for neuron, _ in line[1:]}
            links += [
                sb.Link(after, "x", before, 1, trainable=False)
                for before, (after, _) in pairwise(line)
            ]
            streams += line
        neurons["output"] = sb.output
        for port in examples.outputs:
            links += [sb.Link("output", port, stream, 0, instant=True) for stream in streams]
        return sb.Machine(neurons, links)


def smooth(memory, x):
    return (x, *memory[:1]), 2 * x + memory[0] - memory[1]


reference = sb.Stepwise(smooth, (0, 0))
examples = sb.Examples.from_reference(reference, {"x": sb.synthesis.Integers(-4, 4)}, count=12)
found = sb.synthesize(examples, template=Filter(), starts=8, budget=60)
print(found.source)
assert found.exact
