"""A machine in exact arithmetic: every float as the fraction that it is."""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from typing import Any

import jax
import numpy as np

from snakebird import vvalues as vv
from snakebird.machines import Machine
from snakebird.neurons import Neuron

Exact = Callable[[Any], Any]
"""A function that makes numbers exact and leaves all else alone."""


def exactly(machine: Machine, *, largest: float = math.inf) -> Machine:
    """The machine with every float in it as the whole number or fraction that it is.

    A float whose denominator is larger than `largest` stays one.

    >>> m = Machine({"n": "identity"}, ["n.x <- 0.5 * n.result", "n.x <- 2.0 * n.result"])
    >>> exactly(m).links[0].weight
    Fraction(5, 2)
    """
    exact = partial(as_exact, largest=largest)
    return machine.replace(
        neurons={name: _exact_neuron(neuron, exact) for name, neuron in machine.neurons.items()},
        links=[link.scaled(exact(link.weight)) for link in machine.links],
        start=exact_tree(machine.start, exact),
    )


def _exact_neuron(neuron: Neuron, exact: Exact) -> Neuron:
    kind = neuron.type
    numbers = {k: v for k, v in neuron.parameters.items() if kind.numeric(k)}
    changed = {k: exact_tree(v, exact) for k, v in numbers.items() if not isinstance(v, vv.Flat)}
    return neuron.replace(**changed) if changed else neuron


def as_exact(number: Any, *, largest: float = math.inf) -> Any:
    """A number as the whole number or fraction that it is; what is no number stays as it is."""
    if isinstance(number, (np.generic, jax.Array)) and np.ndim(number) == 0:
        number = number.item()
    if isinstance(number, float) and math.isfinite(number):
        exact = Fraction(number)
        number = exact if exact.denominator <= largest else number
    if isinstance(number, Fraction) and number.denominator == 1:
        return number.numerator
    return number


def exact_tree(value: Any, exact: Exact = as_exact) -> Any:
    """A V-value with its numbers as whole numbers or fractions."""
    if isinstance(value, Mapping):
        return {key: exact_tree(part, exact) for key, part in value.items()}
    return exact(value)
