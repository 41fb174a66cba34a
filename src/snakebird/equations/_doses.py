"""Doses: what is added to a state at given times."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from snakebird.equations._parameters import Fixed, plain, resolve
from snakebird.errors import InputError, UnknownNameError, suggest

_WHERE = "doses"


class Doses(eqx.Module):
    """What is added to a state at given times.

    `amounts` is a tree like the state, or a dict with a part of its entries, given at every one
    of `times`; or a list of such trees, one for each time. A number counts for all entries of its
    leaf; a leaf may also lead with an axis of times. Amounts may be parameters, and gradients
    flow to them. Doses at the same time are added. What is read at the time of a dose is the
    state just before it.

    Raises `InputError` for times that are no row of finite numbers and for amounts that do not
    fit, `UnknownNameError` for an amount of what is not in the state.

    >>> doses = Doses([0.0, 8.0], {"gut": 100.0})
    >>> stops, amounts = doses.arrays({"blood": 0.0, "gut": 0.0}, lanes=1)
    >>> amounts[0].tolist()
    [[0.0, 100.0], [0.0, 100.0]]
    """

    times: Fixed
    amounts: Any

    def __init__(self, times: Any, amounts: Any):
        row = plain(times)
        if isinstance(row, Tracer):
            raise InputError(
                "the times of doses are traced", _WHERE, "give numbers: no gradient flows to them"
            )
        row = np.asarray(row, float)
        if row.ndim != 1 or not row.size or not np.all(np.isfinite(row)):
            raise InputError(
                f"the times of doses are {np.array2string(row, threshold=6)}",
                _WHERE,
                "give a row of one finite time or more",
            )
        if isinstance(amounts, list) and len(amounts) != len(row):
            raise InputError(
                f"{len(row)} times of doses and {len(amounts)} amounts", _WHERE, "give one a dose"
            )
        self.times, self.amounts = Fixed(row), amounts

    def arrays(
        self, state: Any, lanes: int
    ) -> tuple[Float[np.ndarray, "lanes m"], Float[Array, "lanes m d"]]:
        """When, in ascending order, and how much, for a state like this and every lane alike."""
        times, amounts = plain(self.times), resolve(self.amounts)
        count = len(times)
        if isinstance(amounts, list):
            rows = [_full(amount, state, "", 1) for amount in amounts]
            full = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *rows)
        else:
            full = _full(amounts, state, "", count)
        flat = jax.vmap(lambda row: ravel_pytree(row)[0])(full)
        stops, places = np.unique(times, return_inverse=True)
        flat = jnp.zeros((len(stops), flat.shape[1]), flat.dtype).at[places].add(flat)
        every = (lanes, *flat.shape)
        return np.broadcast_to(stops, every[:2]), jnp.broadcast_to(flat, every)


def merged(
    stops: Float[np.ndarray, " m"], amounts: Float[Array, "m d"], knots: Float[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, " n"], Float[Array, "n d"]]:
    """Doses and times at which nothing is added, in one row without doubles."""
    # In the precision of the knots two times may be one.
    stops = stops.astype(knots.dtype)
    every = np.unique(np.concatenate([stops, knots]))
    zeros = jnp.zeros((len(every), amounts.shape[1]), amounts.dtype)
    return every, zeros.at[np.searchsorted(every, stops)].add(amounts)


def _full(amount: Any, state: Any, path: str, count: int) -> Any:
    """Amounts like the state, each leaf `[count, ...]`; zeros for what a dict leaves out."""
    if isinstance(amount, Mapping) and isinstance(state, Mapping):
        for name in amount:
            if name not in state:
                raise UnknownNameError(
                    f"a dose of {name!r}, which is not in the state",
                    f"{_WHERE}{path}",
                    suggest(str(name), map(str, state)),
                )
        return {k: _full(amount.get(k, 0.0), v, f"{path}[{k!r}]", count) for k, v in state.items()}
    if jax.tree.structure(amount) == jax.tree.structure(state):
        return jax.tree.map(lambda a, y: _leaf(a, y, path, count), amount, state)
    if eqx.is_array_like(amount) and jnp.asarray(amount).ndim == 0:
        return jax.tree.map(lambda y: _leaf(amount, y, path, count), state)
    raise InputError(
        f"an amount is a {type(amount).__name__}, the state there a {type(state).__name__}",
        f"{_WHERE}{path}",
        "give a tree like the state, a dict of a part of it, or a list with one for each time",
    )


def _leaf(amount: Any, state: Any, path: str, count: int) -> Any:
    shape, given = np.shape(state), np.shape(amount)
    amount = jnp.asarray(amount, float)
    if given in ((), shape):
        return jnp.broadcast_to(amount, (count, *shape))
    if given in ((count,), (count, *shape)):
        amount = amount.reshape(count, *given[1:], *[1] * (len(shape) - len(given) + 1))
        return jnp.broadcast_to(amount, (count, *shape))
    raise InputError(
        f"an amount has the shape {given}, the state there {shape}",
        f"{_WHERE}{path}",
        f"give a number, or an array of shape {shape} or {(count, *shape)}",
    )
