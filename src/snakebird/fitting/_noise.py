"""How observations scatter about what the model says: one residual an observation.

Each kind gives residuals whose squares add up to minus twice the log-likelihood, but for a
constant, so that least squares finds the most likely model.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from snakebird.errors import EquationError

_TINY = 1e-12
"""What a logarithm takes for zero."""


class Noise(eqx.Module):
    """A kind of scatter. `size` is its size, found from the data where it is `None`.

    Columns whose noise is of one kind and `shared` have one size together.
    """

    size: eqx.AbstractVar[float | None]
    shared: eqx.AbstractVar[bool]

    @abstractmethod
    def residual(self, predicted: Any, observed: Any, size: Any) -> Any:
        """The whitened residual; about a standard normal number if the model is right."""

    @abstractmethod
    def spread(self, predicted: Any, size: Any) -> Any:
        """The standard deviation of an observation, in the units of the data."""

    def drawn(
        self, predicted: Float[np.ndarray, "*n"], size: float, rng: np.random.Generator
    ) -> Float[np.ndarray, "*n"]:
        """Observations around predictions; normal ones, where a kind does not say otherwise."""
        spread = np.asarray(self.spread(predicted, size))
        return predicted + spread * rng.standard_normal(predicted.shape)


def _sized(size: float | None, name: str) -> float | None:
    if size is not None and not size > 0:
        raise EquationError(f"the size is {size}", name, "give it above zero, or leave it out")
    return None if size is None else float(size)


class Gaussian(Noise):
    """Scatter of one size, in the units of the data.

    >>> float(Gaussian(0.5).residual(2.0, 1.0, 0.5))
    2.0
    """

    size: float | None = eqx.field(static=True, default=None)
    shared: bool = eqx.field(static=True, default=False)

    def __init__(self, size: float | None = None, *, shared: bool = False):
        self.size, self.shared = _sized(size, "Gaussian"), shared

    def residual(self, predicted: Any, observed: Any, size: Any) -> Any:
        return (predicted - observed) / size

    def spread(self, predicted: Any, size: Any) -> Any:
        return size * jnp.ones_like(predicted)


class Relative(Noise):
    """Scatter in proportion to what is observed; `floor` is the least scale, in data units.

    >>> float(Relative().spread(20.0, 0.1))
    2.0
    """

    size: float | None = eqx.field(static=True)
    shared: bool = eqx.field(static=True)
    floor: float = eqx.field(static=True)

    def __init__(self, size: float | None = None, *, floor: float = 1e-6, shared: bool = False):
        self.size, self.floor, self.shared = _sized(size, "Relative"), float(floor), shared

    def residual(self, predicted: Any, observed: Any, size: Any) -> Any:
        return (predicted - observed) / (size * jnp.maximum(jnp.abs(observed), self.floor))

    def spread(self, predicted: Any, size: Any) -> Any:
        return size * jnp.maximum(jnp.abs(predicted), self.floor)


class LogNormal(Noise):
    """Scatter of the logarithm, for what is always positive.

    >>> round(float(LogNormal().residual(2.0, 1.0, 0.1)), 3)
    6.931
    """

    size: float | None = eqx.field(static=True)
    shared: bool = eqx.field(static=True)

    def __init__(self, size: float | None = None, *, shared: bool = False):
        self.size, self.shared = _sized(size, "LogNormal"), shared

    def residual(self, predicted: Any, observed: Any, size: Any) -> Any:
        log = lambda x: jnp.log(jnp.maximum(x, _TINY))
        return (log(predicted) - log(observed)) / size

    def spread(self, predicted: Any, size: Any) -> Any:
        return size * jnp.abs(predicted)

    def drawn(self, predicted: Any, size: float, rng: np.random.Generator) -> Any:
        return np.maximum(predicted, _TINY) * np.exp(size * rng.standard_normal(predicted.shape))


class Poisson(Noise):
    """Counts. The residual is the signed root of the deviance.

    >>> float(Poisson().spread(9.0, None))
    3.0
    """

    size: float | None = eqx.field(static=True)
    shared: bool = eqx.field(static=True)

    def __init__(self) -> None:
        self.size, self.shared = 1.0, False

    def residual(self, predicted: Any, observed: Any, size: Any) -> Any:
        return _signed_root(_rate(predicted), observed, lambda m: _poisson_deviance(m, observed))

    def spread(self, predicted: Any, size: Any) -> Any:
        return jnp.sqrt(_rate(predicted))

    def drawn(self, predicted: Any, size: float, rng: np.random.Generator) -> Any:
        return rng.poisson(np.maximum(predicted, 0.0)).astype(float)


class NegativeBinomial(Noise):
    """Counts that scatter more than Poisson's: variance m + m^2 / shape.

    >>> round(float(NegativeBinomial(3.0).spread(3.0, None)) ** 2, 6)
    6.0
    """

    size: float | None = eqx.field(static=True)
    shared: bool = eqx.field(static=True)
    shape: float = eqx.field(static=True)

    def __init__(self, shape: float):
        self.size, self.shared = 1.0, False
        self.shape = float(_sized(shape, "NegativeBinomial") or 1.0)

    def residual(self, predicted: Any, observed: Any, size: Any) -> Any:
        deviance = lambda m: _negative_binomial_deviance(m, observed, self.shape)
        return _signed_root(_rate(predicted), observed, deviance)

    def spread(self, predicted: Any, size: Any) -> Any:
        m = _rate(predicted)
        return jnp.sqrt(m + m * m / self.shape)

    def drawn(self, predicted: Any, size: float, rng: np.random.Generator) -> Any:
        mean = np.maximum(predicted, 1e-9)
        return rng.negative_binomial(self.shape, self.shape / (self.shape + mean)).astype(float)


def pools(noise: Sequence[Noise]) -> Float[np.ndarray, "K K"]:
    """Which columns have one size together: what is summed by column, times this, by pool.

    >>> pools([Gaussian(shared=True), Gaussian(), Gaussian(shared=True)]).tolist()
    [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]
    """
    alike = lambda a, b: type(a) is type(b) and a.shared and b.shared and a.size == b.size
    together = [[float(alike(a, b)) for b in noise] for a in noise]
    return np.maximum(together, np.eye(len(noise)))


def kin(noise: Sequence[Noise]) -> Float[np.ndarray, "K K"]:
    """Which other columns have noise of the same kind, its size to be found."""
    alike = lambda a, b: type(a) is type(b) and a.size is None and b.size is None
    together = np.array([[float(alike(a, b)) for b in noise] for a in noise])
    return together - np.diag(np.diag(together))


def _rate(predicted: Any) -> Any:
    return jnp.maximum(predicted, 1e-9)


def _poisson_deviance(m: Float[Array, "*n"], k: Float[Array, "*n"]) -> Any:
    some = jnp.where(k > 0, k, 1.0)
    return 2 * (jnp.where(k > 0, k * jnp.log(some / m), 0.0) - (k - m))


def _negative_binomial_deviance(m: Any, k: Any, r: float) -> Any:
    some = jnp.where(k > 0, k, 1.0)
    ours = jnp.where(k > 0, k * jnp.log(some / m), 0.0)
    return 2 * (ours - (k + r) * jnp.log((k + r) / (m + r)))


def _signed_root(m: Any, k: Any, deviance: Any) -> Any:
    """The signed root of a deviance, which is smooth where its square root alone is not."""
    close = (jnp.abs(m - k) < 1e-4 * (1 + k)) & (k > 0)
    apart = jnp.where(close, k * 1.1 + 1.0, m)
    root = jnp.sign(apart - k) * jnp.sqrt(jnp.maximum(deviance(apart), 1e-30))
    # Near the observation the deviance is the square of the standardized difference.
    curve = jnp.sqrt(jnp.maximum(deviance(k * (1 + 1e-3) + 1e-3), 1e-30)) / (k * 1e-3 + 1e-3)
    return jnp.where(close, (m - k) * curve, root)
