"""Equations with algebraic constraints of index 1, made ordinary by solving for the constrained.

Source: Hairer and Wanner, Solving Ordinary Differential Equations II (1996), section VI.1: the
indirect (state space form) approach. Where dg/dz is invertible, 0 = g(t, y, z) defines z as a
function of t and y, with dz = -(dg/dz)^-1 dg.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Inexact

from snakebird.errors import InputError, SnakebirdError

_WHERE = "IndexOne"


class IndexOne(eqx.Module):
    """The vector field of `dy/dt = field(t, y, z, args)` with `0 = constraint(t, y, z, args)`.

    Called as `(t, y, args)` like any other field, it solves the constraint for z by Newton's
    method from `guess`, which is a tree shaped like z or a function `(t, y, args)` to one. `y`
    and z are numbers, arrays or trees; the constraint returns as many numbers as z has, in any
    tree. Derivatives are those of the implicit function, in both directions and of any order;
    none goes to the guess.

    Newton's method ends with a step below `rtol` and `atol`, by default the root of the
    precision, so that z is about as good as the precision. Where it does not within `max_steps`
    steps, z and the rate are NaN: an adaptive solver then takes a shorter step. `check` says
    before a solve whether the constraint can be solved at all.

    >>> field = IndexOne(lambda t, y, z, k: -k * z, lambda t, y, z, k: z**3 + z - y, 1.0)
    >>> round(float(field(0.0, 2.0, 0.5)), 4), round(float(field.consistent(0.0, 10.0, 0.5)), 4)
    (-0.5, 2.0)
    """

    field: Callable[[Any, Any, Any, Any], Any]
    constraint: Callable[[Any, Any, Any, Any], Any]
    guess: Any
    rtol: float | None = eqx.field(static=True, default=None, kw_only=True)
    atol: float | None = eqx.field(static=True, default=None, kw_only=True)
    max_steps: int = eqx.field(static=True, default=32, kw_only=True)

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        """dy/dt, of the shape of `y`."""
        return self.field(t, y, self.consistent(t, y, args), args)

    def consistent(self, t: Any, y: Any, args: Any) -> Any:
        """The z that satisfies the constraint, a tree of the shape of the guess.

        Along a solution: `jax.vmap(field.consistent, (0, 0, None))(times, ys, args)`.
        """
        start, residual, of_vector = self._vectors(t, y, args)
        found = jax.lax.custom_root(residual, start, self._newton, _solve_linear)
        return of_vector(found)

    def check(self, t: Any, y: Any, args: Any) -> None:
        """Raise a `SnakebirdError` where the constraint does not determine z: not of index 1.

        It must be solved from the guess, with dg/dz invertible there. Not for compiled code.
        """
        start, residual, of_vector = self._vectors(t, y, args)
        found = self._newton(residual, start)
        solved = bool(jnp.all(jnp.isfinite(found)))
        slope = np.asarray(jax.jacobian(residual)(found if solved else start))
        condition, lost = _condition(slope)
        if not condition * np.finfo(slope.dtype).eps < 1e-2:
            raise SnakebirdError(
                f"dg/dz is singular at t = {t}, its condition number {condition:.3g}: the "
                f"constraint does not determine {_name(of_vector(jnp.asarray(lost)))}",
                f"{_WHERE}.check",
                "index 1 is needed: differentiate the constraint with respect to t, putting in "
                "dy/dt, until it can be solved for z",
            )
        if not solved:
            raise SnakebirdError(
                f"no z was found in {self.max_steps} steps that solves the constraint at t = {t}",
                f"{_WHERE}.check",
                "give a guess closer to it, or a function (t, y, args) as guess",
            )

    def _vectors(self, t: Any, y: Any, args: Any) -> tuple[Array, Callable, Callable]:
        """The guess `[n]`, the constraint as a function `[n]` to `[n]`, and `[n]` to a tree."""
        guess = self.guess(t, y, args) if callable(self.guess) else self.guess
        real = jnp.result_type(float, *jax.tree.leaves((guess, y)))
        guess = jax.tree.map(lambda leaf: jnp.asarray(leaf, real), guess)
        start, of_vector = ravel_pytree(jax.lax.stop_gradient(guess))

        def residual(z: Array) -> Array:
            found = ravel_pytree(self.constraint(t, y, of_vector(z), args))[0]
            if found.shape != z.shape:
                raise InputError(
                    f"the constraint returns {found.size} numbers, z has {z.size}",
                    _WHERE,
                    "give one equation for each number of z, and a guess shaped like z",
                )
            return found.astype(z.dtype)

        return start, residual, of_vector

    def _newton(self, residual: Callable, start: Inexact[Array, "n"]) -> Inexact[Array, "n"]:
        """The root, or NaN."""
        root = float(jnp.finfo(start.dtype).eps) ** 0.5
        rtol, atol = (root if given is None else given for given in (self.rtol, self.atol))

        def going(state: Any) -> Array:
            count, _, size = state
            return (count < self.max_steps) & (size > 1)

        def advance(state: Any) -> Any:
            count, z, _ = state
            step = jnp.linalg.solve(jax.jacobian(residual)(z), residual(z))
            size = jnp.max(jnp.abs(step) / (atol + rtol * jnp.abs(z - step)))
            # What is not a number stays so, and ends the search.
            return count + 1, z - step, size

        first = (jnp.asarray(0), start, jnp.asarray(jnp.inf, start.dtype))
        _, z, size = jax.lax.while_loop(going, advance, first)
        return jnp.where(size <= 1, z, jnp.nan)


def _solve_linear(act: Callable, right: Array) -> Array:
    return jnp.linalg.solve(jax.jacobian(act)(right), right)


def _condition(slope: np.ndarray) -> tuple[float, np.ndarray]:
    """The condition number, whatever the units of rows and columns, and what is lost most."""
    if not np.isfinite(slope).all():
        return np.inf, np.ones(len(slope))
    scaled = np.array(slope)
    for axis in (1, 0):
        size = np.abs(scaled).max(axis, keepdims=True)
        scaled = scaled / np.where(size > 0, size, 1)
    _, sizes, rows = np.linalg.svd(scaled)
    return sizes[0] / sizes[-1] if sizes[-1] > 0 else np.inf, np.abs(rows[-1])


def _name(lost: Any) -> str:
    """The path of the largest entry: `z['force'][2]`, or `z`."""
    paths = jax.tree_util.tree_leaves_with_path(lost)
    path, leaf = max(paths, key=lambda entry: float(jnp.max(entry[1])))
    index = np.unravel_index(int(jnp.argmax(leaf)), leaf.shape)
    return "z" + jax.tree_util.keystr(path) + "".join(f"[{k}]" for k in index)
