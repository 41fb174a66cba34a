"""Numbers of a model that are trained, kept in bounds, or left alone."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from snakebird.errors import EquationError


class Parameter(eqx.Module):
    """A number or array of a model, with what is known of it. In arithmetic it is its value."""

    value: eqx.AbstractVar[Any]

    def free(self) -> Any:
        """The value on a scale without bounds, on which it is trained."""
        return self.value

    def bound(self, free: Any) -> Any:
        """The value of a number on the scale without bounds; the inverse of `free`."""
        return free

    def prior_free(self) -> tuple[float, float] | None:
        """Mean and spread of the prior on the scale without bounds, if there is one."""
        return None

    def __jax_array__(self) -> Any:
        return jnp.asarray(self.value)


class Free(Parameter):
    """A trained number without bounds.

    `prior=(mean, spread)` is a normal distribution it is drawn towards.

    >>> float(Free(2.0, prior=(1.0, 0.5)) * 3.0)
    6.0
    """

    value: Any
    prior: tuple[float, float] | None = eqx.field(static=True, default=None)

    def __init__(self, value: Any, *, prior: tuple[float, float] | None = None):
        self.value = _numbers(value, "Free")
        self.prior = _prior(prior, "Free")

    def prior_free(self) -> tuple[float, float] | None:
        return self.prior


class Positive(Parameter):
    """A trained number above zero, trained as its logarithm.

    `prior=(median, spread)` is a log-normal distribution it is drawn towards; `spread` is the
    standard deviation of its logarithm.

    >>> float(Positive(2.0) + 1.0)
    3.0
    """

    value: Any
    prior: tuple[float, float] | None = eqx.field(static=True, default=None)

    def __init__(self, value: Any, *, prior: tuple[float, float] | None = None):
        self.value = _numbers(value, "Positive")
        _inside(self.value, 0.0, np.inf, "Positive")
        self.prior = _prior(prior, "Positive")
        if prior is not None and prior[0] <= 0:
            raise EquationError(
                f"the median of the prior is {prior[0]}", "Positive", "give a median above zero"
            )

    def free(self) -> Any:
        return jnp.log(self.value)

    def bound(self, free: Any) -> Any:
        return jnp.exp(free)

    def prior_free(self) -> tuple[float, float] | None:
        return None if self.prior is None else (float(np.log(self.prior[0])), self.prior[1])


class Bounded(Parameter):
    """A trained number between two bounds, trained as the logit of its place between them.

    >>> float(Bounded(0.5, 0.0, 2.0) * 2.0)
    1.0
    """

    value: Any
    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)

    def __init__(self, value: Any, low: float, high: float):
        if not low < high:
            raise EquationError(
                f"the bounds are {low} and {high}", "Bounded", "give a low below the high one"
            )
        self.value = _numbers(value, "Bounded")
        self.low, self.high = float(low), float(high)
        _inside(self.value, self.low, self.high, "Bounded")

    def free(self) -> Any:
        place = (self.value - self.low) / (self.high - self.low)
        return jnp.log(place) - jnp.log1p(-place)

    def bound(self, free: Any) -> Any:
        return self.low + (self.high - self.low) * jax.nn.sigmoid(free)


class Fixed(Parameter):
    """A number, array or tree that is part of the model and not trained.

    >>> float(Fixed(9.75) * 2)
    19.5
    """

    value: Any


def _operator(name: str) -> Any:
    def apply(self: Parameter, *others: Any) -> Any:
        return getattr(jnp.asarray(self.value), name)(*(plain(other) for other in others))

    return apply


for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Parameter, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(Parameter, f"__r{_name}__", _operator(f"__r{_name}__"))
for _name in ("neg", "abs", "getitem", "lt", "le", "gt", "ge"):
    setattr(Parameter, f"__{_name}__", _operator(f"__{_name}__"))


def plain(x: Any) -> Any:
    """A parameter's value; anything else as it is."""
    return x.value if isinstance(x, Parameter) else x


def is_parameter(x: Any) -> bool:
    """Whether this is a parameter, for walks over a model."""
    return isinstance(x, Parameter)


def resolve(model: Any) -> Any:
    """The model with every parameter replaced by its value."""
    return jax.tree.map(plain, model, is_leaf=is_parameter)


def _numbers(value: Any, where: str) -> Any:
    # Kept in double precision, whatever the precision the model is made under.
    array = value if isinstance(value, jax.Array) else np.asarray(value)
    if not np.issubdtype(array.dtype, np.number):
        raise EquationError(f"the value is {value!r}", where, "give a number or an array of them")
    return array if isinstance(array, jax.Array) else array.astype(float)


def _inside(value: Any, low: float, high: float, where: str) -> None:
    if isinstance(value, Tracer):
        return
    if not np.all((np.asarray(value) > low) & (np.asarray(value) < high)):
        shown = np.array2string(np.asarray(value), threshold=6)
        bounds = "above zero" if np.isinf(high) else f"between {low} and {high}"
        raise EquationError(
            f"the start value {shown} is not {bounds}", where, "give a start inside the bounds"
        )


def _prior(prior: tuple[float, float] | None, where: str) -> tuple[float, float] | None:
    if prior is not None and not prior[1] > 0:
        raise EquationError(f"the spread of the prior is {prior[1]}", where, "give it above zero")
    return prior
