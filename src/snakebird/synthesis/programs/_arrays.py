"""Examples as arrays: streams padded to one length, and which answers were asked for."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from snakebird import vvalues as vv
from snakebird.neurons import Neuron
from snakebird.synthesis.programs._examples import Examples


@dataclass(frozen=True)
class Target:
    """What one output should be: `values[example, tick, number]` where `asked[example, tick]`."""

    space: vv.Space
    values: np.ndarray
    asked: np.ndarray
    tolerance: float

    @property
    def wanted(self) -> np.ndarray:
        """All numbers asked for, in one row."""
        return self.values[self.asked].ravel()

    def rows(self, space: vv.Space, values: np.ndarray) -> np.ndarray:
        """Streams `[stream, example, tick, number]` of a space within, each in one row alike."""
        if space != self.space:
            whole = np.zeros((*values.shape[:-1], self.space.size))
            whole[..., space.inclusion(self.space)] = values
            values = whole
        return (values if self.asked.all() else values[:, self.asked]).reshape(len(values), -1)


@dataclass(frozen=True)
class Arrays:
    """Inputs as `(space, values[example, tick, number])` and targets, by the names of streams."""

    inputs: dict[str, tuple[vv.Space, np.ndarray]]
    targets: dict[str, Target]
    sources: dict[str, Neuron]


def arrays_of(examples: Examples) -> Arrays:
    """All examples as arrays, those that are shorter padded with nothing."""
    ticks = max(item.ticks for item in examples.items)
    inputs = {
        name: _stacked(examples, [item.inputs[name] for item in examples.items], ticks)[:2]
        for name in examples.inputs
    }
    targets = {}
    for name in examples.outputs:
        late = [_late(item.outputs[name], examples.latency) for item in examples.items]
        space, values, asked = _stacked(examples, late, ticks)
        targets[name] = Target(space, values, asked, float(examples.tolerance))
    return Arrays(inputs, targets, examples.sources())


def _late(stream: tuple[Any, ...], latency: int) -> tuple[Any, ...]:
    return ((None,) * latency + stream)[: len(stream)]


def _stacked(examples: Examples, streams: list[Any], ticks: int) -> tuple[vv.Space, Any, Any]:
    trees = [[examples.value(v) for v in stream] for stream in streams]
    space = vv.Space()
    for tree in {repr(t): t for stream in trees for t in stream if t is not None}.values():
        space |= vv.Space([path for path, _ in vv.entries(tree)])
    space = space if space.size else vv.Space([()])
    values = np.zeros((len(streams), ticks, space.size))
    there = np.zeros((len(streams), ticks), bool)
    for e, stream in enumerate(trees):
        for t, tree in enumerate(stream):
            there[e, t] = tree is not None
            for path, leaf in vv.entries({} if tree is None else tree):
                values[e, t, space.slot(path)] = float(leaf)
    return space, values, there
