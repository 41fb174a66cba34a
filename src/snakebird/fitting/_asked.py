"""What is given to a fit, looked at before any work: numbers, noise, names a model asks for."""

import contextlib
import operator
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from snakebird.errors import FitError, InputError, UnknownNameError, suggest
from snakebird.fitting._noise import (
    Gaussian,
    LogNormal,
    NegativeBinomial,
    Noise,
    Poisson,
    Relative,
)
from snakebird.fitting._trajectories import Trajectories

_OURS = (Gaussian, LogNormal, NegativeBinomial, Poisson, Relative)


def check_numbers(starts: Any, seed: Any, rounds: Any, budget: Any) -> None:
    """Raise `FitError` where a number of `fit` is none, or too small."""
    numbers = (("starts", starts, 1, 6), ("seed", seed, 0, 0), ("rounds", rounds, 0, 12))
    for name, given, least, usual in numbers:
        try:
            fine = operator.index(given) >= least
        except TypeError:
            fine = False
        if not fine:
            raise FitError(
                f"{name}={given!r}: expected a whole number from {least} on",
                "fit",
                f"give {name}={usual}, or leave it out",
            )
    if budget is None:
        return
    number = isinstance(budget, int | float | np.integer | np.floating)
    if not number or not budget >= 0:
        raise FitError(
            f"budget={budget!r}: expected a number of seconds",
            "fit",
            "give budget=60.0, or leave it out",
        )


def noise_of(given: Any, names: tuple[str, ...]) -> tuple[Noise, ...]:
    """The noise of each column. Raises `FitError` for what is none, `UnknownNameError`."""
    if given is None:
        given = Gaussian()
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                what = f"no column is called {name!r}"
                raise UnknownNameError(what, "noise", suggest(str(name), names))
        kinds = tuple(given.get(name, Gaussian()) for name in names)
    else:
        kinds = (given,) * len(names)
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, Noise):
            raise FitError(
                f"the noise is the class {kind.__name__}, not one of its instances",
                "noise",
                f"call it: {kind.__name__}(...)",
            )
        if not isinstance(kind, Noise):
            raise FitError(
                f"noise={given!r}: expected a Noise such as sb.fitting.Relative(), "
                "or a dict of them by column",
                "noise",
                "give noise=sb.fitting.Gaussian(), or leave it out",
            )
        if not isinstance(kind, _OURS):
            _check_residual(kind)
    return kinds


def _check_residual(kind: Noise) -> None:
    """One residual an observation, whatever the shape of the observations."""
    number = lambda *shape: jax.ShapeDtypeStruct(shape, jnp.float32)
    shape = (2, 3, 4)
    out = jax.eval_shape(kind.residual, number(*shape), number(*shape), number(2, 1, 1))
    if getattr(out, "shape", None) != shape:
        shown = f"shape {out.shape}" if hasattr(out, "shape") else f"a {type(out).__name__}"
        raise FitError(
            f"residual gives {shown} for observations of shape {shape}",
            type(kind).__name__,
            "return one residual an observation, in the shape of observed: do not sum",
        )


def check_observed(noise: tuple[Noise, ...], data: Trajectories) -> None:
    """Raise `InputError` for values that a kind of noise cannot give."""
    for kind, name in zip(noise, data.names, strict=True):
        if not isinstance(kind, LogNormal | Poisson | NegativeBinomial):
            continue
        positive = isinstance(kind, LogNormal)
        for experiment in data:
            values = np.asarray(experiment.values[name])
            bad = values <= 0 if positive else values < 0
            if not bad.any():
                continue
            at = int(np.argmax(bad))
            least = "above zero" if positive else "zero or above"
            raise InputError(
                f"the column {name!r} is {values[at]:g} at t = {experiment.times[at]:g}, "
                f"{type(kind).__name__} is for values {least}",
                f"experiment {experiment.name}",
                "give noise=sb.fitting.Relative() or sb.fitting.Gaussian(), "
                "or leave such values out",
            )


class _Asked(dict[Any, Any]):
    """A dict that knows what it was asked for in vain."""

    def __init__(self, given: Any):
        super().__init__(given)
        self.missing: list[Any] = []

    def __missing__(self, key: Any) -> Any:
        self.missing.append(key)
        raise KeyError(key)


def first_call(call: Callable[[Any, Any], Any], y: Any, args: Any, where: str) -> Any:
    """The shapes `call(y, args)` gives; `FitError` where a name it asks for is not there."""
    try:
        return jax.eval_shape(lambda y: call(y, args), y)
    except (KeyError, TypeError) as error:
        _explain(call, y, args, where, error)
        raise


def _explain(
    call: Callable[[Any, Any], Any], y: Any, args: Any, where: str, error: Exception
) -> None:
    """Raise `FitError` where a call fails for a name that the state or `args` do not have."""
    asked: list[_Asked | None] = [None, None]

    def again(y: Any) -> Any:
        asked[0] = _Asked(y) if isinstance(y, dict) else None
        asked[1] = _Asked(args or {}) if args is None or isinstance(args, dict) else None
        return call(
            y if asked[0] is None else asked[0],
            args if asked[1] is None else asked[1],
        )

    with contextlib.suppress(Exception):  # only what was asked for counts
        jax.eval_shape(again, y)
    state, own = asked
    if state is not None and state.missing:
        name = state.missing[0]
        raise FitError(
            f"y[{name!r}] is asked for, the state has {_listed(state)}",
            where,
            f"{_near(name, state)}give y0={{..., {name!r}: 1.0}} "
            "for a state that has more than the columns of the data",
        ) from error
    if own is not None and own.missing:
        name = own.missing[0]
        raise FitError(
            f"args[{name!r}] is asked for, args has {_listed(own)}",
            where,
            f"{_near(name, own)}give args={{{name!r}: ...}}, "
            f"or conditions=({name!r},) when the table is read",
        ) from error


def _listed(given: Mapping[Any, Any]) -> str:
    return ", ".join(map(repr, given)) if given else "nothing"


def _near(name: Any, known: Mapping[Any, Any]) -> str:
    said = suggest(str(name), map(str, known))
    return f"{said} Or " if said.startswith("did you mean") else ""
