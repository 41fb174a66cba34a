"""How the outer gradient is found: by backpropagation, truncated or not, or by perturbation.

All give the gradient of one number, the mean loss over ticks and tasks. Truncated backpropagation
cuts it every so many ticks. Persistent evolution strategies (P. Vicol, L. Metz, J. Sohl-Dickstein,
Unbiased gradient estimation in unrolled computation graphs with persistent evolution strategies,
ICML 2021) need no derivative at all: pairs of perturbed rules live on from one outer step to the
next, and each piece of loss is held against all perturbations since the episode began.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int

from snakebird.lowering import Lowered
from snakebird.meta._episode import Carry, advance, begin
from snakebird.meta._tasks import Tasks

FINE, SLOPE = -1, -2
"""In place of the tick at which a task diverged: nowhere; only its gradient did."""
_LEAST = 1e-8
"""A loss below this is as good as none, where losses count by their logarithm."""


class Estimate(NamedTuple):
    """What one outer step found out: a tree like the rule, and task by task where it stands.

    `where` is the first tick with a loss that is no number, `FINE` or `SLOPE`.
    """

    gradient: Any
    losses: Float[Array, " tasks"]
    where: Int[Array, " tasks"]
    memory: Any


class Backpropagation(eqx.Module):
    """Reverse mode through pieces of `length` ticks; one piece is the full gradient.

    With `relative` it is the gradient of the mean logarithm, over ticks, of the mean loss over
    tasks: late ticks with small losses then count as much as early ones, and no task that goes
    astray drowns the others.
    """

    length: int = eqx.field(static=True)
    relative: bool = eqx.field(static=True, default=False)

    def begin(self, rule: Any, tasks: Tasks, keys: Any) -> Any:
        """What is kept from one outer step to the next: nothing."""
        return ()

    def __call__(self, rule: Any, tasks: Tasks, weights: Any, memory: Any, keys: Any) -> Estimate:
        """The mean gradient over one task a key; `weights` are those of the ticks."""
        drawn = jax.vmap(lambda key: tasks.sample(jax.random.fold_in(key, 0)))(keys)
        pieces = tasks.ticks // self.length
        grad = jax.value_and_grad(self._piece, has_aux=True)

        def one(so_far: Any, k: Any) -> Any:
            carry, gradient = so_far
            (_, (carry, losses)), own = grad(params, static, tasks, drawn, keys, carry, k, weights)
            return (carry, jax.tree.map(jnp.add, gradient, own)), losses

        params, static = eqx.partition(rule, eqx.is_inexact_array)
        none = jax.tree.map(jnp.zeros_like, params)
        first = _begun(rule, tasks, drawn, keys)
        if pieces == 1:
            (_, gradient), losses = one((first, none), 0)
        else:
            (_, gradient), losses = jax.lax.scan(one, (first, none), jnp.arange(pieces))
            losses = jnp.concatenate(losses, axis=1)
        return Estimate(gradient, losses.mean(1), first_bad(losses), memory)

    def _piece(
        self, params: Any, static: Any, tasks: Tasks, drawn: Any, keys: Any, carry: Any,
        k: Any, weights: Any,
    ) -> Any:  # fmt: skip
        """The part of the loss that piece k brings; what came before it is constant."""
        rule = eqx.combine(params, static)
        fresh = _begun(rule, tasks, drawn, keys)
        carry = _choose(jnp.asarray(k == 0), fresh, jax.lax.stop_gradient(carry))
        first = k * self.length
        go = lambda task, own: advance(rule, tasks, task, own, first, self.length)
        carry, losses = jax.vmap(go)(drawn, carry)
        own = jax.lax.dynamic_slice_in_dim(weights, first, self.length)
        mean = losses.mean(0)
        mean = jnp.log(mean + _LEAST) if self.relative else mean
        return mean @ own / tasks.ticks, (carry, losses)


class Pairs(NamedTuple):
    """What persistent evolution strategies keep: pairs of lives, one row a task."""

    carry: Carry
    task: Any
    tick: Int[Array, " tasks"]
    fresh: Bool[Array, " tasks"]
    total: Float[Array, "tasks P"]
    keys: Any


class Persistent(eqx.Module):
    """Persistent evolution strategies with antithetic pairs, in pieces of `length` ticks.

    `spread` is the standard deviation of a perturbation. Pairs begin at different ticks, so that
    each outer step sees all parts of an episode.
    """

    length: int = eqx.field(static=True)
    spread: float = eqx.field(static=True)

    def begin(self, rule: Any, tasks: Tasks, keys: Any) -> Pairs:
        """Pairs before their first piece."""
        drawn = jax.vmap(tasks.sample)(keys)
        two = lambda x: jnp.stack([x, x], axis=1)
        carry = jax.tree.map(two, _begun(rule, tasks, drawn, keys))
        many, pieces = keys.shape[0], tasks.ticks // self.length
        size = ravel_pytree(eqx.filter(rule, eqx.is_inexact_array))[0].size
        phase = jnp.arange(many) % pieces * self.length
        dtype = jnp.result_type(float)
        return Pairs(
            carry, drawn, phase, jnp.ones(many, bool), jnp.zeros((many, size), dtype), keys
        )

    def __call__(self, rule: Any, tasks: Tasks, weights: Any, memory: Pairs, keys: Any) -> Estimate:
        """The estimate that one piece of every pair brings."""
        mask = ravel_pytree(free_numbers(rule))[0]
        one = lambda pair, key: self._pair(rule, tasks, weights, mask, pair, key)
        gradients, losses, where, memory = jax.vmap(one)(memory, keys)
        fine = where == FINE
        total = jnp.where(fine[:, None], gradients, 0).sum(0) / jnp.maximum(fine.sum(), 1)
        params = eqx.filter(rule, eqx.is_inexact_array)
        return Estimate(ravel_pytree(params)[1](total), losses, where, memory)

    def _pair(self, rule: Any, tasks: Tasks, weights: Any, mask: Any, pair: Pairs, key: Any) -> Any:
        params, static = eqx.partition(rule, eqx.is_inexact_array)
        flat, back = ravel_pytree(params)
        new, noise = jax.random.split(key)
        task = _choose(pair.fresh, tasks.sample(jax.random.fold_in(new, 0)), pair.task)
        own = _choose(pair.fresh, new, pair.keys)
        step = self.spread * mask * jax.random.normal(noise, flat.shape, flat.dtype)
        total = jnp.where(pair.fresh, 0, pair.total) + step

        def live(sign: Any, carry: Carry) -> Any:
            moved = eqx.combine(back(flat + sign * step), static)
            carry = _choose(
                pair.fresh, begin(moved, tasks, task, jax.random.fold_in(own, 1)), carry
            )
            return advance(moved, tasks, task, carry, pair.tick, self.length)

        carry, losses = jax.vmap(live)(jnp.array([1.0, -1.0]), pair.carry)
        part = jax.lax.dynamic_slice_in_dim(weights, pair.tick, self.length) / self.length
        up, down = losses @ part
        gradient = total * (up - down) / (2 * self.spread**2)
        where = first_bad(losses.sum(0)[None])[0]
        done = (pair.tick + self.length >= tasks.ticks) | (where != FINE)
        tick = jnp.where(done, 0, pair.tick + self.length)
        where = jnp.where(where >= 0, where + pair.tick, where)
        return gradient, losses.mean(), where, Pairs(carry, task, tick, done, total, own)


def separately(
    estimate: Backpropagation, rule: Any, tasks: Tasks, weights: Any, memory: Any, keys: Any
) -> Estimate:
    """The same estimate task by task, those that diverge left out."""
    one = lambda key: estimate(rule, tasks, weights, memory, key[None])
    found = jax.vmap(one)(keys)
    leaves = jax.tree.leaves(found.gradient)
    flat = jnp.concatenate([leaf.reshape(len(keys), -1) for leaf in leaves], 1)
    slopes = jnp.isfinite(flat).all(1)
    bad = found.where[:, 0]
    where = jnp.where((bad == FINE) & ~slopes, SLOPE, bad)
    fine, count = where == FINE, jnp.maximum((where == FINE).sum(), 1)

    def mean(x: Any) -> Any:
        return jnp.where(fine.reshape(-1, *[1] * (x.ndim - 1)), x, 0).sum(0) / count

    return Estimate(jax.tree.map(mean, found.gradient), found.losses[:, 0], where, memory)


def first_bad(losses: Float[Array, "tasks ticks"]) -> Int[Array, " tasks"]:
    """The first tick of each task whose loss is no finite number, or `FINE`."""
    bad = ~jnp.isfinite(losses)
    return jnp.where(bad.any(1), bad.argmax(1), FINE)


def free_numbers(rule: Any) -> Any:
    """Ones where training may change a number of the rule and zeros elsewhere, tree by tree.

    In lowered machines, what is not marked trainable stays. A part of a rule that knows better has
    a method `free_numbers()`, which gives this tree for it.
    """
    known = lambda node: isinstance(node, Lowered) or hasattr(node, "free_numbers")

    def one(node: Any) -> Any:
        if hasattr(node, "free_numbers"):
            return node.free_numbers()
        return free_of(node) if isinstance(node, Lowered) else jnp.ones_like(node)

    return jax.tree.map(one, eqx.filter(rule, eqx.is_inexact_array), is_leaf=known)


def free_of(low: Lowered) -> Any:
    """The same for a lowered machine."""
    fill = lambda tree, on: jax.tree.map(lambda x: jnp.full_like(x, on), tree)
    numbers = tuple(
        {name: fill(tree, name in free) for name, tree in own.items()}
        for own, free in zip(low.numbers, low.plan.free_parameters, strict=True)
    )
    parts = (
        jnp.asarray(low.plan.free_weights, low.weights.dtype),
        jnp.asarray(low.plan.free_starts, low.start.dtype),
        numbers,
    )
    return eqx.tree_at(lambda own: (own.weights, own.start, own.numbers), low, parts)


def _begun(rule: Any, tasks: Tasks, drawn: Any, keys: Any) -> Carry:
    return jax.vmap(lambda task, key: begin(rule, tasks, task, jax.random.fold_in(key, 1)))(
        drawn, keys
    )


def _choose(first: Any, one: Any, other: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(first, a, b), one, other)
