"""A layered machine of superfluid neurons: a hole that can be read once it is trained."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from snakebird import neurons, vvalues as vv
from snakebird.equations._hole import Hole
from snakebird.equations._machine_model import MachineModel
from snakebird.errors import EquationError, UnknownNameError, suggest
from snakebird.machines import Link, Machine
from snakebird.neurons import FUNCTION

MIXABLE = ("absolute", "cosine", "identity", "maximum", "minimum", "product", "sine", "tanh")
"""The activation functions that may be mixed; those of two inputs take two linear combinations."""
_TWO = {"maximum", "minimum", "product"}
_LAYERS, _FUNCTIONS = (3, 1), (("product", "sine"), ("product",))


def superfluid_hole(
    inputs: str | Sequence[str],
    outputs: str | Sequence[str],
    *,
    layers: Sequence[int] = _LAYERS,
    functions: Sequence[Sequence[str]] = _FUNCTIONS,
    conserved: bool = False,
    key: PRNGKeyArray | None = None,
) -> Hole:
    """A hole whose model is a `superfluid_machine`.

    >>> hole = superfluid_hole("x y", "rate")
    >>> hole(1.0, 2.0).shape, hole.model.size
    ((), 43)
    """
    names = lambda given: given.split() if isinstance(given, str) else list(given)
    ins, outs = names(inputs), names(outputs)
    free = outs[: len(outs) - conserved]
    machine = superfluid_machine(ins, free, layers=layers, functions=functions, key=key)
    return Hole(ins, outs, MachineModel(machine, inputs=ins), conserved=conserved)


def superfluid_machine(
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    layers: Sequence[int] = _LAYERS,
    functions: Sequence[Sequence[str]] = _FUNCTIONS,
    key: PRNGKeyArray | None = None,
) -> Machine:
    """A machine of layers of superfluid neurons, every output a sum of all that is below it.

    `layers` says how many neurons each has, `functions` what they mix, layer by layer. A neuron
    adds up 1, the inputs and all layers below, twice where a function takes two. All weights and
    the coefficients of mixtures are trainable, drawn with `key`. Raises `EquationError` where
    layers and functions differ in number, `UnknownNameError` for a function that cannot be mixed.

    >>> superfluid_machine(["x"], ["rate"], layers=(1,), functions=(("product",),))
    <machine: 5 neurons, 8 links>
    """
    _check(layers, functions)
    key = jax.random.key(0) if key is None else key
    return _Layers(inputs, np.random.default_rng(np.asarray(jax.random.key_data(key)))).machine(
        outputs, layers, functions
    )


class _Layers:
    """Neurons and links, layer upon layer."""

    def __init__(self, inputs: Sequence[str], rng: np.random.Generator):
        number = vv.Space([()])
        self.neurons: dict[str, Any] = {
            name: neurons.source.with_parameters(space=number) for name in inputs
        }
        self.one = self._free("one")
        self.neurons[self.one] = neurons.constant.with_parameters(value=1.0)
        self.below = [(self.one, "result"), *((name, "signal") for name in inputs)]
        self.links: list[Link] = []
        self.rng = rng

    def machine(self, outputs: Any, layers: Any, functions: Any) -> Machine:
        """The machine with all its layers and its outputs."""
        for depth, (width, mixed) in enumerate(zip(layers, functions, strict=True), 1):
            made = [self._neuron(f"layer{depth}_{k}", mixed) for k in range(1, width + 1)]
            self.below = [*self.below, *((name, "result") for name in made)]
        end = self._free("output")
        self.neurons[end] = neurons.output.with_parameters()
        for name in outputs:
            self._feed(end, name, 0.3)
        return Machine(self.neurons, self.links)

    def _neuron(self, base: str, mixed: Sequence[str]) -> str:
        name = self._free(base)
        self.neurons[name] = neurons.superfluid.with_parameters()
        # One function alone needs no coefficient: the links from it have their weights.
        drawn = self.rng.standard_normal(len(mixed)) / np.sqrt(len(mixed))
        value: Any = dict(zip(mixed, map(float, drawn), strict=True))
        value = neurons.trainable(value) if len(mixed) > 1 else {mixed[0]: 1.0}
        mixture = self._free(f"{name}_mixture")
        self.neurons[mixture] = neurons.constant.with_parameters(value=value)
        self.links.append(Link(name, FUNCTION, (mixture, "result"), 1, True, False))
        for port in ("x", "y") if _TWO & set(mixed) else ("x",):
            self._feed(name, port, 1.0)
        return name

    def _feed(self, to: str, port: str, size: float) -> None:
        """Instant links from all that is below."""
        weights = size * self.rng.standard_normal(len(self.below)) / np.sqrt(len(self.below))
        self.links += [
            Link(to, port, source, float(weight), True)
            for source, weight in zip(self.below, weights, strict=True)
        ]

    def _free(self, name: str) -> str:
        while name in self.neurons:
            name += "_"
        return name


def _check(layers: Sequence[int], functions: Sequence[Sequence[str]]) -> None:
    if len(layers) != len(functions) or not all(functions):
        raise EquationError(
            f"{len(layers)} layers, and functions for {len(functions)}",
            "superfluid_machine",
            'give each layer its functions: layers=(2, 1), functions=(("sine",), ("product",))',
        )
    for name in {name for mixed in functions for name in mixed}:
        if name not in MIXABLE:
            raise UnknownNameError(
                f"{name!r} cannot be mixed", "superfluid_machine", suggest(name, MIXABLE)
            )
