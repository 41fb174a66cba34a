"""Superfluid neurons: the activation is itself a linear combination of activation functions.

Its coefficients arrive on the input `:function`, as `{type name: coefficient}`, and are copied
to the output of that name, from where a link of weight 1 usually carries them to the next tick.
"""

from snakebird import vvalues as vv
from snakebird.errors import MachineError
from snakebird.neurons._define import find, neuron
from snakebird.neurons._type import NeuronType

FUNCTION = ":function"
"""The input and output of a superfluid neuron that carry its coefficients."""


@neuron(outputs=None)
def superfluid(**inputs: vv.VValue) -> vv.VValue:
    """The sum of `coefficient * activation(inputs)` over the types named on the input `:function`.

    An activation that declares an output `:function` itself overrides the copied one. Raises
    `UnknownNameError` for a name that is no neuron type.

    >>> superfluid().apply({FUNCTION: {"relu": 0.5, "absolute": 2}, "x": -3})
    {':function': {'relu': 0.5, 'absolute': 2}, 'result': 6}
    """
    mixture = inputs.pop(FUNCTION, {})
    kinds = [_part(name) for name in vv.keys(mixture)]
    terms: dict[str, list[tuple[vv.VValue, vv.VValue]]] = {}
    for kind in kinds:
        outputs = kind.with_parameters().apply(inputs)
        for port in vv.keys(outputs):
            terms.setdefault(port, []).append((vv.get(mixture, kind.name), vv.get(outputs, port)))
    mixed = {port: vv.lin_comb(*zip(*found, strict=True)) for port, found in terms.items()}
    overridden = any(FUNCTION in (kind.outputs or ()) for kind in kinds)
    return mixed if overridden else {FUNCTION: mixture} | mixed


def _part(name: str) -> NeuronType:
    kind = find(name)
    if kind.feeds:
        raise MachineError(
            f"{name} needs {' and '.join(sorted(kind.feeds))} from the engine, a mixture has none",
            "neuron type superfluid",
            "make it a neuron of its own and link it in",
        )
    return kind
