"""Neurons that are linear in their inputs, and memory made of them."""

from collections.abc import Mapping
from typing import Any

from snakebird import vvalues as vv
from snakebird.neurons._define import neuron
from snakebird.neurons._parameters import refused


@neuron(keeps={"x": "result"})
def identity(x: vv.VValue) -> vv.VValue:
    """Passes its input on: a place in the network, and one tick of delay.

    >>> identity({"a": 1})
    {'a': 1}
    """
    return x


@neuron
def constant(*, value: Any = 1.0) -> vv.VValue:
    """The same value every tick: a number, a tree or an array.

    >>> constant(value={"a": 1}).apply({})
    {'result': {'a': 1}}
    """
    return value


@neuron(loops={"accum": "result"}, keeps={"accum": "result", "delta": "result"})
def accumulator(accum: vv.VValue, delta: vv.VValue) -> vv.VValue:
    """Memory with two inputs: `result = accum + delta`, its result linked back to `accum`.

    Source: arXiv 1610.00831, section 6; arXiv 1712.07447, section 6.1.

    >>> accumulator({"a": 1}, {"a": 2, "b": 3})
    {'a': 3, 'b': 3}
    """
    return vv.add(accum, delta)


@neuron(loops={"x": "result"}, keeps={"x": "result"})
def memory(x: vv.VValue) -> vv.VValue:
    """Memory with one input: an identity linked back to itself.

    Source: arXiv 1606.09470, section 1.3.1.

    >>> memory({"a": 1})
    {'a': 1}
    """
    return x


@neuron(loops={"accum": "result"})
def leaky_accumulator(accum: vv.VValue, delta: vv.VValue, *, rate: Any = 0.9) -> vv.VValue:
    """Memory that fades: `result = rate * accum + delta`.

    >>> leaky_accumulator(rate=0.5).apply({"accum": 4, "delta": 1})
    {'result': 3.0}
    """
    return vv.lin_comb([rate, 1], [accum, delta])


def _some_ticks(given: Mapping[str, Any]) -> None:
    if given["ticks"] < 0:
        raise refused("delay", "ticks", given["ticks"], "0 or more", "write ticks=1, for example")


@neuron(outputs=("result", "line"), loops={"line": "line"}, check=_some_ticks)
def delay(line: vv.VValue, x: vv.VValue, *, ticks: int = 1) -> vv.VValue:
    """Gives its input `ticks` ticks later; the values on their way stand in the stream `line`.

    >>> late = delay(ticks=2)
    >>> first = late.apply({"x": 7})
    >>> second = late.apply({"line": first["line"]})
    >>> late.apply({"line": second["line"]})["result"]
    7
    """
    steps = [str(k) for k in range(ticks)]
    first, *waiting = [*(vv.get(line, step) for step in steps), x]
    return {"result": first, "line": dict(zip(steps, waiting, strict=True))}


@neuron
def total(**inputs: vv.VValue) -> vv.VValue:
    """The sum of all its inputs, whatever their names.

    >>> total(a=1, b={"c": 2})
    {':number': 1, 'c': 2}
    """
    return vv.add(*inputs.values()) if inputs else vv.zero()


@neuron(outputs=None)
def output(**inputs: vv.VValue) -> vv.VValue:
    """A place to read a machine's results: every input is passed on under its own name.

    >>> output(count=3)
    {'count': 3}
    """
    return inputs


@neuron(outputs=("timer",), loops={"timer": "timer"})
def timer(timer: vv.VValue) -> vv.VValue:
    """Counts ticks: 1 after the first.

    >>> timer({}), timer(1)
    (1, 2)
    """
    return vv.add(timer, 1)
