"""The vector field of a problem on flat states, in the shapes that solvers ask for."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

if TYPE_CHECKING:
    from snakebird.fitting._problem import Problem


class Field:
    """`field(t, y, theta, const)` of one lane, y `[d]`.

    `parts` are two such fields where the model is in two parts (`Split`). Where it has delays,
    `past(t, y, past, theta, const)` is its rate, `delays(theta, const)` says how long ago, and
    the field itself takes the past from `const["past"]`.
    """

    def __init__(self, problem: "Problem"):
        self._problem = problem
        model = problem.vector.template
        two = hasattr(model, "explicit") and hasattr(model, "implicit")
        self.parts: tuple[Callable[..., Any], ...] = (
            (self._part("explicit"), self._part("implicit")) if two else ()
        )
        self.past = self._past if is_delayed(model) else None

    def __call__(self, t: Any, y: Any, theta: Any, const: Any) -> Any:
        if self.past is not None:
            return self.past(t, y, const["past"], theta, const)
        return self._flat(self._model(theta, const), (t, self._tree(y)), const, y)

    def delays(self, theta: Any, const: Any) -> Any:
        """How long ago the model looks: a tree of numbers."""
        return self._model(theta, const).delays

    def _past(self, t: Any, y: Any, past: Any, theta: Any, const: Any) -> Any:
        ago = jax.tree.map(self._tree, past)
        return self._flat(self._model(theta, const), (t, self._tree(y), ago), const, y)

    def _part(self, name: str) -> Callable[..., Any]:
        def part(t: Any, y: Any, theta: Any, const: Any) -> Any:
            model = getattr(self._model(theta, const), name)
            return self._flat(model, (t, self._tree(y)), const, y)

        return part

    def _model(self, theta: Any, const: Any) -> Any:
        return self._problem.model(theta, const["extra"])

    def _tree(self, y: Any) -> Any:
        return self._problem.unravel(y)

    def _flat(self, model: Any, given: tuple[Any, ...], const: Any, y: Any) -> Any:
        out = model(*given, self._problem.arguments(const))
        return ravel_pytree(out)[0].astype(y.dtype)


def is_delayed(model: Any) -> bool:
    """Whether a model looks at the past: it has an attribute `delays`."""
    return hasattr(model, "delays")


def rate_of(model: Any, t: Any, y: Any, args: Any, past: Any = None) -> Any:
    """The rate of a model; its past is as its present unless it is given."""
    if not is_delayed(model):
        return model(t, y, args)
    if past is None:
        past = jax.tree.map(lambda _: y, model.delays)
    return model(t, y, past, args)


def past_of(delays: Any, t: Any, times: Any, states: Any) -> Any:
    """The states `[d]` so long ago, along a path `[n]`, `[n, d]`; before it they are its first."""
    at = lambda tau: jax.vmap(jnp.interp, (None, None, 1))(t - tau, times, states)
    return jax.tree.map(at, delays)
