"""Stores: a stack and a queue, as linked lists like those of `cons`.

In a tick first the top (or the oldest) is taken away, then what arrives is put there. So what is
taken was there before the tick, and a stack that pushes and pops at once replaces its top.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import jax.numpy as jnp

from snakebird import vvalues as vv
from snakebird.errors import MachineError
from snakebird.neurons._define import neuron


@neuron(outputs=("result", "stack"), loops={"stack": "stack"})
def stack(stack: vv.VValue, push: vv.VValue, pop: vv.VValue) -> vv.VValue:
    """Last in, first out: what is pushed is kept, and given back where `pop` is above zero.

    `push` is any value, pushed where it is not zero. `result` is what was taken away in this tick,
    zero where nothing was asked for or nothing was there. `stack` is the list of what is left, the
    last one outermost, `{"this": top, "rest": stack}`. Both at once replace the top.

    >>> stack({"this": {"a": 1}}, push={"b": 1})
    {'result': {}, 'stack': {'this': {'b': 1}, 'rest': {'this': {'a': 1}}}}
    >>> stack({"this": {"a": 1}}, push={"b": 1}, pop=1)
    {'result': {'a': 1}, 'stack': {'this': {'b': 1}, 'rest': {}}}
    """
    taken, left = _first_taken("stack", stack, pop)
    return {"result": taken, "stack": vv.where(_is_there(push), vv.link_list(push, left), left)}


@neuron(outputs=("result", "queue"), loops={"queue": "queue"})
def queue(queue: vv.VValue, push: vv.VValue, pop: vv.VValue) -> vv.VValue:
    """First in, first out: what is pushed is kept, and given back where `pop` is above zero.

    `push` is any value, pushed where it is not zero. `result` is what was taken away in this tick,
    zero where nothing was asked for or nothing was there. `queue` is the list of what is left, the
    oldest outermost. What is pushed in a tick is there from the next tick on.

    >>> queue({"this": {"a": 1}}, push={"b": 1})
    {'result': {}, 'queue': {'this': {'a': 1}, 'rest': {'this': {'b': 1}, 'rest': {}}}}
    >>> queue({"this": {"a": 1}, "rest": {"this": {"b": 1}}}, pop=1)
    {'result': {'a': 1}, 'queue': {'this': {'b': 1}}}
    """
    taken, left = _first_taken("queue", queue, pop)
    return {"result": taken, "queue": vv.where(_is_there(push), _put_last(left, push), left)}


def _first_taken(kind: str, held: vv.VValue, pop: vv.VValue) -> tuple[vv.VValue, vv.VValue]:
    """The first of a list and the rest where `pop` is above zero, else zero and the list.

    A list on which there is nothing stays, whatever closes it.
    """
    asked = vv.number(pop)
    if vv.shape_of(asked):
        raise MachineError(
            f"pop has the shape {list(vv.shape_of(asked))}, expected a number",
            f"neuron type {kind}",
            "link a number to it, or a norm of what comes",
        )
    first = vv.get(held, "this")
    taken = _both(_above_zero(asked), _is_there(first))
    return vv.where(taken, first, {}), vv.where(taken, vv.get(held, "rest"), held)


def _put_last(held: vv.VValue, last: vv.VValue) -> vv.VValue:
    """The list with one more at its end, behind the last place that is taken."""
    made, needed = vv.link_list(last, {}), False
    for node in reversed(list(_nodes(held))):
        first = vv.get(node, "this")
        needed = needed if needed is True else _either(needed, _is_there(first))
        made = vv.where(needed, vv.link_list(first, made), vv.link_list(last, node))
    return made


def _nodes(held: vv.VValue) -> Iterator[vv.VValue]:
    """A list, its rest, the rest of that, and so on as far as it may reach."""
    while not _is_empty(held):
        yield held
        held = vv.get(held, "rest")


def _is_empty(held: vv.VValue) -> bool:
    if isinstance(held, vv.Flat):
        return held.space.size == 0
    return isinstance(held, Mapping) and not held


def _is_there(value: vv.VValue) -> Any:
    """Whether a value is not zero; in Python where it is exact."""
    return _above_zero(vv.max_norm(value))


def _above_zero(number: Any) -> Any:
    return bool(number > 0) if vv.is_exact(number) else number > 0


def _both(a: Any, b: Any) -> Any:
    return a and b if isinstance(a, bool) and isinstance(b, bool) else jnp.logical_and(a, b)


def _either(a: Any, b: Any) -> Any:
    return a or b if isinstance(a, bool) and isinstance(b, bool) else jnp.logical_or(a, b)
