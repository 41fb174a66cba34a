"""Splitting a neuron's parameters into numbers, which may change, and structure, which may not."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.neurons import REGISTRY, Neuron, superfluid


class Split(NamedTuple):
    """`numbers`: name -> pytree of arrays; `structure`: name -> the rest; `signature`: hashable."""

    numbers: dict[str, Any]
    structure: dict[str, Any]
    signature: Any


def split(neuron: Neuron, dtype: Any) -> Split:
    """The parameters of a neuron as arrays of a dtype, and what is left once they are taken out."""
    numbers, structure, signature = {}, {}, [neuron.type, tuple(sorted(neuron.trainable))]
    for name, value in neuron.parameters.items():
        if neuron.type.numeric(name) and not isinstance(value, (str, bool, type(None))):
            value = _as_numbers(value, dtype)
        arrays, rest = eqx.partition(value, eqx.is_inexact_array)
        leaves = jax.tree.leaves(arrays)
        if leaves:
            numbers[name] = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), arrays)
        structure[name] = rest
        signature.append(
            (
                name,
                _hashable(rest),
                jax.tree.structure(arrays),
                tuple(np.shape(leaf) for leaf in leaves),
            )
        )
    return Split(numbers, structure, tuple(signature))


def silent(neuron: Neuron, own: Split) -> bool:
    """Whether a neuron whose inputs are zero surely gives zero.

    Asked only of registered types, which are the same function on both carriers, with nothing that
    numbers or other inputs could change.

    >>> from snakebird import neurons as sn
    >>> [silent(n, split(n, float)) for n in (sn.tanh(), sn.sigmoid(), sn.constant())]
    [True, False, False]
    """
    if neuron.type.feeds or not light(neuron, own):
        return False
    return all(np.all(leaf == 0) for _, leaf in vv.entries(neuron.apply({})))


def light(neuron: Neuron, own: Split) -> bool:
    """Whether a neuron costs little: no wrapped function, machine or equation, and no numbers.

    >>> from snakebird import neurons as sn
    >>> [light(n, split(n, float)) for n in (sn.max_norm(), sn.leaky_accumulator())]
    [True, False]
    """
    kind = neuron.type
    return not own.numbers and kind is not superfluid and REGISTRY.get(kind.name) is kind


def _as_numbers(value: Any, dtype: Any) -> Any:
    """A numeric parameter as an array, or as `Flat` where it is a tree."""
    if isinstance(value, (dict, vv.Flat)):
        flat = vv.flatten(value)
        return vv.Flat(flat.space, jnp.asarray(flat.data, dtype))
    return jnp.asarray(float(value) if vv.is_exact(value) else value, dtype)


def _hashable(rest: Any) -> Any:
    """The structural part, comparing by content where it can, by identity where not."""
    leaves, tree = jax.tree.flatten(rest)
    return tree, tuple(_frozen(leaf) for leaf in leaves)


def _frozen(leaf: Any) -> Any:
    if isinstance(leaf, (np.ndarray, jax.Array)):
        array = np.asarray(leaf)
        return array.dtype.str, array.shape, array.tobytes()
    try:
        hash(leaf)
    except TypeError:
        return id(leaf)
    return type(leaf), leaf


def join(neuron: Neuron, structure: dict[str, Any], numbers: dict[str, Any]) -> Neuron:
    """The neuron with these numbers put back in."""
    whole = {
        name: eqx.combine(numbers[name], rest) if name in numbers else rest
        for name, rest in structure.items()
    }
    return neuron.replace(**whole)


def restored(neuron: Neuron, numbers: dict[str, Any], dtype: Any) -> Neuron:
    """The neuron with trained numbers; one that has not changed keeps its original form."""
    before = split(neuron, dtype)
    changed = {}
    for name, value in numbers.items():
        old, new = jax.tree.leaves(before.numbers[name]), jax.tree.leaves(value)
        if all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(old, new, strict=True)):
            continue
        if neuron.type.numeric(name):
            plain = vv.unflatten(value)
            changed[name] = (
                plain if isinstance(plain, dict) or np.shape(plain) else np.asarray(plain).item()
            )
        else:
            changed[name] = eqx.combine(value, before.structure[name])
    return Neuron(neuron.type, {**neuron.parameters, **changed}, neuron.trainable)
