"""Superfluid neurons: the activation is itself a linear combination of activation functions.

Its coefficients arrive on the input `:function`, as `{type name: coefficient}`, and are copied
to the output of that name, from where a link of weight 1 usually carries them to the next tick.
"""

from functools import reduce

from snakebird import vvalues as vv
from snakebird.neurons._type import find, neuron

FUNCTION = ":function"


@neuron(outputs=None)
def superfluid(**inputs: vv.VValue) -> vv.VValue:
    """The sum of `coefficient * activation(inputs)` over the types named on the input `:function`.

    An activation that declares an output `:function` itself overrides the copied one.
    """
    mixture = inputs.pop(FUNCTION, {})
    copied: vv.VValue = {FUNCTION: mixture}
    parts = []
    for name in vv.keys(mixture):
        kind = find(name)
        outputs = kind.with_parameters().apply(inputs)
        parts.append(vv.scale(vv.number(vv.get(mixture, name)), outputs))
        if kind.outputs is not None and FUNCTION in kind.outputs:
            copied = {}
    return reduce(vv.add, parts, copied)
