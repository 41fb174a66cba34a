"""A start that is learned, and step sizes: a few gradient steps from there fit a new task."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from snakebird.errors import UnknownNameError, suggest
from snakebird.meta._tasks import squared

RATES = ("fixed", "one", "each")


class LearnedStart(eqx.Module):
    """A model whose weights are such that few gradient steps fit it to a task.

    * `model`: any `eqx.Module` from one input to one output; its weights are the start;
    * `rate`: the step size; `rates` says what of it is learned: "fixed" nothing (C. Finn et al.,
      Model-agnostic meta-learning, 2017), "one" for all weights, or "each" weight its own (Z. Li et
      al., Meta-SGD, 2017).

    It sees `{"x", "y", "query"}`, arrays with a row a point, takes one gradient step of
    `loss(prediction, target)` on the points in every tick, and predicts at the queries.

    >>> rule = LearnedStart(eqx.nn.MLP(1, 1, 4, 1, key=jax.random.key(0)))
    >>> points = {"x": jnp.ones((5, 1)), "y": jnp.ones((5, 1)), "query": jnp.zeros((7, 1))}
    >>> rule(rule.init(points, key=jax.random.key(1)), points)[1].shape
    (7, 1)
    """

    model: Any
    logs: Any
    rate: float = eqx.field(static=True)
    rates: str = eqx.field(static=True)
    loss: Callable[[Any, Any], Any] = eqx.field(static=True)

    def __init__(
        self, model: Any, *, rate: float = 0.01, rates: str = "each", loss: Callable = squared
    ):
        if rates not in RATES:
            raise UnknownNameError(f"no kind of rates is named {rates!r}", "LearnedStart",
                                   suggest(rates, RATES))  # fmt: skip
        weights = eqx.filter(model, eqx.is_inexact_array)
        each = jax.tree.map(jnp.zeros_like, weights)
        self.model, self.rate, self.rates, self.loss = model, rate, rates, loss
        self.logs = {"fixed": None, "one": jnp.zeros(()), "each": each}[rates]

    def init(self, observation: Any, *, key: Any) -> Any:
        return eqx.filter(self.model, eqx.is_inexact_array)

    def __call__(self, state: Any, observation: Any) -> tuple[Any, Any]:
        rest = eqx.filter(self.model, eqx.is_inexact_array, inverse=True)

        def predict(weights: Any, x: Any) -> Any:
            return jax.vmap(eqx.combine(weights, rest))(x)

        miss = lambda weights: self.loss(predict(weights, observation["x"]), observation["y"])
        state = self._moved(state, jax.grad(miss)(state))
        return state, predict(state, observation["query"])

    def _moved(self, weights: Any, slopes: Any) -> Any:
        if self.rates == "each":
            step = lambda w, g, log: w - self.rate * jnp.exp(log) * g
            return jax.tree.map(step, weights, slopes, self.logs)
        rate = self.rate * (1.0 if self.logs is None else jnp.exp(self.logs))
        return jax.tree.map(lambda w, g: w - rate * g, weights, slopes)
