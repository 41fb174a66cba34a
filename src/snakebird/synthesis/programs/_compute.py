"""What neurons compute on arrays of many candidates at once."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird import neurons as nr, vvalues as vv
from snakebird.neurons import Neuron

NUMBER = vv.Space([()])
ROOMS = (64, 512, 2048)
"""Batches are padded to one of these sizes, so that few are compiled."""


def spread(small: vv.Space, large: vv.Space, mask: np.ndarray) -> np.ndarray:
    """A mask of one space as factors of the numbers of another, as a gate applies it."""
    if small == NUMBER:
        return mask
    spread = np.zeros((*mask.shape[:-1], large.size))
    for k, path in enumerate(large.paths):
        for at, above in enumerate(small.paths):
            if path[: len(above)] == above:
                spread[..., k] += mask[..., at]
    return spread


def register(delta: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`s = s' + delta - mask * s'`, tick by tick."""
    out = np.zeros(np.broadcast_shapes(delta.shape, mask.shape))
    state: Any = 0.0
    for t in range(delta.shape[2]):
        state = state + delta[:, :, t] - mask[:, :, t] * state
        out[:, :, t] = state
    return out


QUICK: dict[Any, Any] = {
    nr.identity: lambda x: x,
    nr.relu: lambda x: np.maximum(x, 0.0),
    nr.step: lambda x: (x > 0).astype(float),
    nr.product: lambda x, y: x * y,
    nr.maximum: np.maximum,
    nr.inner: lambda x, y: (x * y).sum(-1, keepdims=True),
    nr.max_norm: lambda x: np.abs(x).max(-1, keepdims=True),
}
"""What the commonest neurons compute where all inputs have one space; a compiler takes longer."""


def run(
    neuron: Neuron,
    spaces: Mapping[str, vv.Space],
    given: Mapping[str, np.ndarray],
    loop: str,
    turn: np.ndarray | None,
) -> tuple[vv.Space, np.ndarray]:
    """A neuron on many inputs at once, all ticks together or, with a loop, tick by tick."""
    if neuron.type in QUICK and len(set(spaces.values())) == 1:
        space = NUMBER if neuron.type in (nr.inner, nr.max_norm) else next(iter(spaces.values()))
        return space, _quick(QUICK[neuron.type], dict(given), loop, turn)
    count = len(next(iter(given.values())))
    room = next(room for room in ROOMS if count <= room)
    padded = {p: np.pad(x, [(0, room - count), *[(0, 0)] * 3]) for p, x in given.items()}
    turned = np.pad(np.zeros(count) if turn is None else turn, (0, room - count))
    kernel, space = _kernel(_Key(neuron), tuple(sorted(spaces.items(), key=lambda i: i[0])), loop)
    with jax.enable_x64(True):
        return space, np.asarray(kernel(padded, turned))[:count]


def _quick(
    function: Any, given: dict[str, np.ndarray], loop: str, turn: np.ndarray | None
) -> np.ndarray:
    if turn is None:
        return function(*given.values())
    state: Any
    state, out = 0.0, np.empty(given[loop].shape)
    for t in range(given[loop].shape[2]):
        now = {port: values[:, :, t] for port, values in given.items()}
        now[loop] = now[loop] + turn[:, None, None] * state
        out[:, :, t] = state = function(*now.values())
    return out


class _Key:
    """A neuron as a key of a cache: by its type and the text of its parameters."""

    def __init__(self, neuron: Neuron):
        self.neuron, self.key = neuron, repr(neuron)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@lru_cache(maxsize=256)
def _kernel(key: _Key, spaces: Any, loop: str) -> tuple[Any, vv.Space]:
    neuron, port_spaces = key.neuron, dict(spaces)
    out = (neuron.type.outputs or (nr.RESULT,))[0]

    def apply(inputs: Any) -> vv.Flat:
        flats = {port: vv.Flat(port_spaces[port], data) for port, data in inputs.items()}
        return vv.flatten(vv.get(neuron.apply(flats), out))

    with jax.enable_x64(True):
        shapes = {p: jax.ShapeDtypeStruct((s.size,), jnp.float64) for p, s in port_spaces.items()}
        space = jax.eval_shape(apply, shapes).space
    one = lambda inputs: apply(inputs).data
    every = jax.vmap(jax.vmap(one))
    if not loop:
        return jax.jit(lambda given, _: jax.vmap(every)(given)), space

    def looped(given: Any, turn: Any) -> Any:
        def tick(state: Any, now: Any) -> Any:
            state = every({**now, loop: now[loop] + turn[:, None, None] * state})
            return state, state

        ticks = {port: jnp.moveaxis(data, 2, 0) for port, data in given.items()}
        first = jnp.zeros((*given[loop].shape[:2], space.size))
        return jnp.moveaxis(jax.lax.scan(tick, first, ticks)[1], 0, 2)

    return jax.jit(looped), space
