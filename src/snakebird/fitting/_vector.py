"""All that is trained in a model, as one vector without bounds."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from snakebird.equations import Fixed, Hole, Parameter

_WEAK = 1e-8
"""The precision of a number nothing is known of."""


class Vector(NamedTuple):
    """How a model and a vector become each other.

    `start` is the model's own vector `[p]`; `names` says what each entry is; `hole` is the number
    of the hole an entry belongs to, -1 for a parameter; `mean` and `precision` are those of the
    normal prior of each entry.
    """

    start: Float[np.ndarray, " p"]
    names: tuple[str, ...]
    hole: np.ndarray
    holes: tuple[str, ...]
    mean: Float[np.ndarray, " p"]
    precision: Float[np.ndarray, " p"]
    leaves: tuple[Any, ...]
    tree: Any
    places: tuple[tuple[int, int, int], ...]

    @property
    def template(self) -> Any:
        """The model the vector was made of."""
        return jax.tree.unflatten(self.tree, self.leaves)

    def model(self, vector: Float[Array, " p"]) -> Any:
        """The model with these numbers, every parameter replaced by its value."""
        leaves = [leaf.value if isinstance(leaf, Parameter) else leaf for leaf in self.leaves]
        for leaf, first, last in self.places:
            old = self.leaves[leaf]
            shape = np.shape(old.value if isinstance(old, Parameter) else old)
            part = vector[first:last].reshape(shape)
            leaves[leaf] = old.bound(part) if isinstance(old, Parameter) else part
        return jax.tree.unflatten(self.tree, leaves)

    def trained(self, vector: Float[np.ndarray, " p"]) -> Any:
        """The model with these numbers, its parameters still parameters."""
        leaves = list(self.leaves)
        for leaf, first, last in self.places:
            old = leaves[leaf]
            shape = np.shape(old.value if isinstance(old, Parameter) else old)
            part = np.asarray(vector)[first:last].reshape(shape)
            if isinstance(old, Parameter):
                value = np.asarray(old.bound(jnp.asarray(part)))
                leaves[leaf] = eqx.tree_at(lambda x: x.value, old, value)
            else:
                leaves[leaf] = jnp.asarray(part)
        return jax.tree.unflatten(self.tree, leaves)


def _is_leaf(x: Any) -> bool:
    return isinstance(x, Parameter)


def _trained(x: Any) -> bool:
    if isinstance(x, Parameter):
        return not isinstance(x, Fixed)
    return eqx.is_inexact_array(x)


def vector_of(model: Any) -> Vector:
    """The vector of a model: its parameters and the weights of its holes, `Fixed` ones left out."""
    found, tree = jax.tree_util.tree_flatten_with_path(model, is_leaf=_is_leaf)
    inside = _hole_paths(model)
    start, names, hole, mean, precision, places = [], [], [], [], [], []
    for number, (path, leaf) in enumerate(found):
        if not _trained(leaf):
            continue
        free = np.asarray(leaf.free() if isinstance(leaf, Parameter) else leaf, float)
        name = jax.tree_util.keystr(path).lstrip(".")
        owner = next((i for i, prefix in enumerate(inside) if _within(prefix, name)), -1)
        prior = leaf.prior_free() if isinstance(leaf, Parameter) else None
        places.append((number, len(start), len(start) + free.size))
        start.extend(free.ravel())
        names.extend(_entry_names(name, free.shape))
        hole.extend([owner] * free.size)
        mean.extend([prior[0] if prior else 0.0] * free.size)
        own = 1.0 if owner >= 0 else _WEAK
        precision.extend([1 / prior[1] ** 2 if prior else own] * free.size)
    return Vector(
        np.array(start, float), tuple(names), np.array(hole, int), tuple(inside),
        np.array(mean, float), np.array(precision, float), tuple(leaf for _, leaf in found), tree,
        tuple(places),
    )  # fmt: skip


def _hole_paths(model: Any) -> list[str]:
    found = jax.tree_util.tree_flatten_with_path(model, is_leaf=lambda x: isinstance(x, Hole))[0]
    return [
        jax.tree_util.keystr(path).lstrip(".") for path, leaf in found if isinstance(leaf, Hole)
    ]


def _within(prefix: str, name: str) -> bool:
    return not prefix or name.startswith((f"{prefix}.", f"{prefix}["))


def _entry_names(name: str, shape: tuple[int, ...]) -> list[str]:
    if not shape:
        return [name]
    return [f"{name}[{', '.join(map(str, index))}]" for index in np.ndindex(*shape)]
