"""Known rules, to compare with: none of them is trained, each says where it is from.

Those for `Supervised` tasks learn from `{"x", "y", "given"}`; those for `Bandits` from
`{"arm", "reward", "tick"}`.
"""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class RecursiveLeastSquares(eqx.Module):
    """Recursive least squares (S. Haykin, Adaptive Filter Theory, 4th edition, section 9.3).

    With `forgetting` 1 and `ridge` the variance of the noise over that of the coefficients it is
    the exact posterior mean: the best that any rule can do in `LinearRegression`. Below 1 it
    forgets with a time constant of 1 / (1 - forgetting) ticks.

    >>> rule = RecursiveLeastSquares(ridge=0.01)
    >>> seen = {"x": jnp.ones(1), "y": jnp.ones(1), "given": jnp.array(0.0)}
    >>> state = rule.init(seen, key=None)
    >>> for given in (0.0, 1.0):
    ...     state, answer = rule(state, {**seen, "given": given})
    >>> round(float(answer[0]), 2)
    0.99
    """

    ridge: float = 1.0
    forgetting: float = 1.0

    def init(self, observation: Any, *, key: Any) -> Any:
        n, m = observation["x"].size, observation["y"].size
        return {"w": jnp.zeros((m, n)), "p": jnp.eye(n) / self.ridge, "x": jnp.zeros(n)}

    def __call__(self, state: Any, observation: Any) -> tuple[Any, Any]:
        w, p, x = state["w"], state["p"], state["x"]
        gain = p @ x / (self.forgetting + x @ p @ x)
        p_new = (p - jnp.outer(gain, x @ p)) / self.forgetting
        w_new = w + jnp.outer(observation["y"] - w @ x, gain)
        seen = observation["given"] > 0
        state = {
            "w": jnp.where(seen, w_new, w),
            "p": jnp.where(seen, (p_new + p_new.T) / 2, p),
            "x": observation["x"],
        }
        return state, state["w"] @ observation["x"]


class LeastMeanSquares(eqx.Module):
    """The delta rule (B. Widrow, M. Hoff 1960); `normalized` divides the step by |x|^2.

    >>> rule = LeastMeanSquares(rate=0.5)
    >>> seen = {"x": jnp.ones(1), "y": jnp.ones(1), "given": jnp.array(0.0)}
    >>> state = rule.init(seen, key=None)
    >>> for given in (0.0, 1.0):
    ...     state, answer = rule(state, {**seen, "given": given})
    >>> float(answer[0])
    0.5
    """

    rate: float = 0.1
    normalized: bool = False

    def init(self, observation: Any, *, key: Any) -> Any:
        return jnp.zeros((observation["y"].size, observation["x"].size)), 0 * observation["x"]

    def __call__(self, state: Any, observation: Any) -> tuple[Any, Any]:
        w, x = state
        rate = self.rate * observation["given"]
        rate = rate / (1e-6 + x @ x) if self.normalized else rate
        w = w + rate * jnp.outer(observation["y"] - w @ x, x)
        return (w, observation["x"]), w @ observation["x"]


class SineBayes(eqx.Module):
    """The posterior mean in `Sinusoids`, by summing over a grid of amplitudes and phases.

    `spread` is the noise that the grid stands for; no rule does better than this as the grid
    becomes fine.

    >>> SineBayes(cells=16).cells
    16
    """

    cells: int = eqx.field(static=True, default=64)
    spread: float = 0.05

    def init(self, observation: Any, *, key: Any) -> Any:
        return jnp.zeros(self.cells**2), 0 * observation["x"]

    def __call__(self, state: Any, observation: Any) -> tuple[Any, Any]:
        heat, x = state
        miss = observation["y"] - self._waves(x)
        heat = heat - observation["given"] * miss**2 / (2 * self.spread**2)
        waves = self._waves(observation["x"])
        return (heat, observation["x"]), (jax.nn.softmax(heat) @ waves)[None]

    def _waves(self, x: Float[Array, " 1"]) -> Float[Array, " cells"]:
        middle = (jnp.arange(self.cells) + 0.5) / self.cells
        amplitude, phase = 0.1 + 4.9 * middle, jnp.pi * middle
        return (amplitude[:, None] * jnp.sin(x[0] + phase)).reshape(-1)


class NearestMean(eqx.Module):
    """The class whose mean is nearest, as a softmax of squared distances over the classes."""

    def init(self, observation: Any, *, key: Any) -> Any:
        n, m = observation["x"].size, observation["y"].size
        return {"sum": jnp.zeros((m, n)), "count": jnp.zeros(m), "x": jnp.zeros(n)}

    def __call__(self, state: Any, observation: Any) -> tuple[Any, Any]:
        y = observation["y"] * observation["given"]
        total = state["sum"] + jnp.outer(y, state["x"])
        count = state["count"] + y
        mean = total / jnp.maximum(count, 1)[:, None]
        away = jnp.sum((observation["x"] - mean) ** 2, 1)
        said = jax.nn.softmax(jnp.where(count > 0, -away, -1e3))
        return {"sum": total, "count": count, "x": observation["x"]}, said


class _Counts(eqx.Module):
    """Pulls and wins of every arm."""

    def init(self, observation: Any, *, key: Any) -> Any:
        none = jnp.zeros_like(observation["arm"])
        return {"pulls": none, "wins": none, "key": key}

    def __call__(self, state: Any, observation: Any) -> tuple[Any, Any]:
        key, now = jax.random.split(state["key"])
        pulls = state["pulls"] + observation["arm"]
        wins = state["wins"] + observation["arm"] * observation["reward"]
        state = {"pulls": pulls, "wins": wins, "key": key}
        return state, self.index(pulls, wins, observation["tick"], now)

    @abstractmethod
    def index(self, pulls: Any, wins: Any, tick: Any, key: Any) -> Any:
        """How good each arm seems."""


class Thompson(_Counts):
    """Draws from each arm's posterior (W. R. Thompson 1933)."""

    def index(self, pulls: Any, wins: Any, tick: Any, key: Any) -> Any:
        return jax.random.beta(key, 1 + wins, 1 + pulls - wins)


class UCB1(_Counts):
    """Mean and a bonus, sqrt(2 log t / n) (P. Auer, N. Cesa-Bianchi, P. Fischer 2002)."""

    def index(self, pulls: Any, wins: Any, tick: Any, key: Any) -> Any:
        bonus = jnp.sqrt(2 * jnp.log(jnp.maximum(tick, 1)) / jnp.maximum(pulls, 1))
        return jnp.where(pulls > 0, wins / jnp.maximum(pulls, 1) + bonus, 1e3)


class BayesUCB(_Counts):
    """The posterior's quantile at 1 - 1 / t (E. Kaufmann, O. Cappé, A. Garivier 2012)."""

    def index(self, pulls: Any, wins: Any, tick: Any, key: Any) -> Any:
        a, b = 1 + wins, 1 + pulls - wins
        aim = 1 - 1 / (tick + 2)

        def halve(ends: Any, _: Any) -> Any:
            low, high = ends
            middle = (low + high) / 2
            below = jax.scipy.special.betainc(a, b, middle) < aim
            return (jnp.where(below, middle, low), jnp.where(below, high, middle)), None

        ends = jnp.zeros_like(a), jnp.ones_like(a)
        (low, high), _ = jax.lax.scan(halve, ends, None, length=20)
        return (low + high) / 2
