"""Neurons that bring streams in: from outside, from a text, from an array; and lists."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.neurons._type import neuron


@neuron(outputs=("signal",))
def source(
    *, message: vv.VValue, present: Any, default: Any = {}, tokens: tuple[str, ...] = (), space: vv.Space | None = None
) -> vv.VValue:
    """Gives what arrived from outside, at most one message a tick; `default` when nothing did.

    `tokens` or `space` say what may arrive, which lowering needs: tokens as one-key trees
    `{token: 1}`, a space as any value in it.
    """
    return vv.where(present, message, default)


@neuron(outputs=("signal",))
def linked_source(
    *, message: vv.VValue, present: Any, default: Any = {}, space: vv.Space | None = None, **inputs: vv.VValue
) -> vv.VValue:
    """A `source` that is active only while something links to it, to whatever input."""
    return vv.where(present, message, default)


def message_space(parameters: Any) -> vv.Space:
    """What may arrive at a source with these parameters."""
    space = parameters.get("space") or vv.Space()
    return space | vv.Space([(token,) for token in parameters.get("tokens") or ()])


@neuron(outputs=("char",))
def token_source(timer: vv.VValue, *, text: str = "", every: int = 1) -> vv.VValue:
    """The characters of a text, one every `every` ticks of its `timer` input, the last one for ever."""
    now = vv.number(timer)
    if vv.is_exact(now):
        at = min(int(now // every), len(text) - 1)
        return {text[at]: 1} if text and now % every == 0 else {}
    tokens = sorted(set(text))
    codes = np.array([tokens.index(char) for char in text], int)
    at = jnp.clip(now // every, 0, len(text) - 1).astype(int)
    hot = (jnp.asarray(codes)[at] == np.arange(len(tokens))) & (now % every == 0)
    return vv.Flat(vv.Space([(token,) for token in tokens]), hot.astype(now.dtype))


@neuron
def array_source(timer: vv.VValue, *, values: Any = np.zeros((1, 1)), keys: tuple[str, ...] = ()) -> vv.VValue:  # noqa: B008
    """Row `t` of `values[time, ...]` when its `timer` input is t, zero after the last.

    With `keys`, row entries become the numbers of a tree; without, the row is one array.
    """
    values = jnp.asarray(values)
    now = jnp.asarray(vv.number(timer), float).astype(int)
    inside = (now >= 0) & (now < values.shape[0])
    row = jnp.where(inside, values[jnp.clip(now, 0, values.shape[0] - 1)], 0.0)
    return {key: row[k] for k, key in enumerate(keys)} if keys else row


@neuron(outputs=("list",), loops={"list": "list"})
def cons(list: vv.VValue, signal: vv.VValue, *, flag: str = "") -> vv.VValue:
    """Puts each signal that is not zero before the list: `{"this": signal, "rest": list}`.

    With `flag`, only signals with something at that key count (arXiv 1712.07447, section 6.3).
    """
    marker = vv.max_norm(vv.get(signal, flag) if flag else signal)
    arrived = marker > 0 if not vv.is_exact(marker) else bool(marker)
    return vv.where(arrived, vv.link_list(signal, list), list)
