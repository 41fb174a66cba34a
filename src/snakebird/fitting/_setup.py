"""From what the user gives to a problem that can be trained, with every check before any work."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float

from snakebird.equations import Delayed, Doses, Explicit, Parameter, Solver, resolve
from snakebird.errors import EquationError, FitError, InputError, UnknownNameError, suggest
from snakebird.fitting._asked import check_observed, first_call, noise_of
from snakebird.fitting._field import is_delayed, rate_of
from snakebird.fitting._noise import Gaussian, Noise, pools
from snakebird.fitting._problem import Batch, Layout, Problem, batch_of, start_layout
from snakebird.fitting._smooth import Curves, smooth
from snakebird.fitting._trajectories import Trajectories
from snakebird.fitting._units import in_units
from snakebird.fitting._vector import vector_of

_BETWEEN = Explicit(1e-4, 1e-6, max_steps=16)
"""What solves from one observation to the next: noise is far larger than its error."""


class Options(NamedTuple):
    """What `fit` was told, as it was told."""

    y0: Any = None
    observe: Callable[..., Any] | None = None
    noise: Noise | Mapping[str, Noise] | None = None
    args: Mapping[str, Any] | None = None
    doses: Any = None
    t0: float | None = None
    solver: Solver | None = None
    random: bool = False


class Setup(NamedTuple):
    """A problem, its model with the holes in units of the data, and what is known of the states.

    `curves` are smooth versions of the data, one an experiment; `states` says which entry of the
    state each column is, -1 where a column is something else; `base` are start values, `[L, d]`.
    """

    problem: Problem
    model: Any
    batch: Batch
    curves: tuple[Curves, ...]
    states: np.ndarray
    base: Float[np.ndarray, "L d"]
    least: Float[np.ndarray, " K"]

    @property
    def vector(self) -> Float[np.ndarray, " P"]:
        """The numbers to start from: the model's own and the start values."""
        free = self.problem.layout.free
        return np.concatenate([self.problem.vector.start, self.base[free >= 0]])


def setup(model: Any, data: Trajectories, options: Options) -> Setup:
    """Check all that can be checked, and put the problem together for one start."""
    _check_kind(model, data)
    template = _template(model, data, options)
    layout, start = start_layout(template, len(data))
    if hasattr(model, "start") or options.random:
        layout = Layout(np.full_like(layout.free, -1), own=layout.own)
    state = _plain(template)
    unravel = ravel_pytree(state)[1]
    curves = tuple(smooth(experiment) for experiment in data)
    observe, states = _observation(model, options, data.names, state)
    _check_field(model, state, data, options, observe)
    process = _process(data, states, len(start), options) if options.random else None
    base, scale = _starts(data, curves, states, start, layout)
    if process is not None:
        base = data.padded().values[:, 0][:, np.array(process)]
    model = in_units(model, data, curves, states, unravel, base, options.args)
    vector = vector_of(model)
    if not len(vector.start) and not layout.count:
        raise FitError(
            "the model has nothing to train",
            type(model).__name__,
            "put a Hole, or a number as Positive(...), Bounded(...) or Free(...), into it",
        )
    noise = noise_of(options.noise, data.names)
    check_observed(noise, data)
    problem = Problem(
        vector, unravel, data.names, observe, noise, layout,
        options.solver or _solver(model, process), args=options.args, scale=scale,
        doses=_doses(options.doses, data, state), process=process,
    )  # fmt: skip
    _check_times(data, options.t0)
    fixed = np.where(layout.free >= 0, 0.0, base)
    batch = batch_of(data, fixed, _sizes(noise, data, curves), starts=1, t0=options.t0)
    if process is not None:
        gaps = np.diff(batch.times, axis=2, prepend=batch.times[:, :, :1])[..., None]
        root = np.sqrt(np.where(gaps > 0, gaps, 1.0)) * np.ones(batch.values.shape[-1])
        batch = batch._replace(mask=batch.mask.at[:, :, 0].set(False), driven=jnp.asarray(root))
    scales = data.scale()
    unit = lambda kind, name: scales[name] if isinstance(kind, Gaussian) else 1.0
    smallest = np.array([1e-5 * unit(k, name) for k, name in zip(noise, data.names, strict=True)])
    least = np.where(pools(noise) > 0, smallest, np.inf).min(1)
    return Setup(problem, model, batch, curves, states, base, least)


def _solver(model: Any, process: Any) -> Solver:
    if process is not None:
        return _BETWEEN
    return Delayed() if is_delayed(model) else Explicit()


def _process(
    data: Trajectories, states: np.ndarray, count: int, options: Options
) -> tuple[int, ...]:
    """Which column each entry of a state that is driven by noise is."""
    if options.doses is not None or options.t0 is not None:
        raise FitError(
            "a random equation takes neither doses nor t0", "fit", "leave them out, or random=True"
        )
    if (states < 0).any() or sorted(states) != list(range(count)):
        raise FitError(
            f"the data have the columns {', '.join(data.names)}, the state {count} entries",
            "fit(random=True)",
            "observe every entry of the state: each observation starts the next step",
        )
    for experiment in data:
        rows = np.isnan(experiment.table).any(1)
        if rows.any():
            raise InputError(
                f"a gap at t = {experiment.times[int(np.argmax(rows))]:g}",
                f"experiment {experiment.name}",
                "leave such rows out: each observation starts the next step",
            )
    return tuple(int(i) for i in np.argsort(states))


def _plain(template: Any) -> Any:
    is_leaf = lambda x: isinstance(x, Parameter)
    value = lambda x: jnp.asarray(x.value if is_leaf(x) else x, float)
    return jax.tree.map(value, template, is_leaf=is_leaf)


def _check_kind(model: Any, data: Any) -> None:
    if inspect.isclass(model):
        raise EquationError(
            f"the model is the class {model.__name__}, not one of its instances",
            "fit",
            f"call it: {model.__name__}(...)",
        )
    if not callable(model):
        raise EquationError(
            f"the model is a {type(model).__name__}, which cannot be called",
            "fit",
            "give an eqx.Module with __call__(self, t, y, args)",
        )
    if not isinstance(data, Trajectories):
        raise InputError(
            f"the data are a {type(data).__name__}",
            "fit",
            "wrap them: Trajectories.of(times, values) or Trajectories.read('data.csv')",
        )


def _template(model: Any, data: Trajectories, options: Options) -> Any:
    """A state with start values: the user's, the model's own, or the columns themselves."""
    if hasattr(model, "start"):
        args, start = _arguments(data, options), resolve(model).start
        first_call(lambda _, args: start(args), None, args, f"{type(model).__name__}.start")
        return _plain(start(args))
    if options.y0 is not None:
        return options.y0
    return dict.fromkeys(data.names, 0.0)


def _arguments(data: Trajectories, options: Options) -> Any:
    conditions = {k: jnp.asarray(v[0]) for k, v in data.padded().conditions.items()}
    return {**(options.args or {}), **conditions} if conditions else options.args


def _observation(
    model: Any, options: Options, names: tuple[str, ...], state: Any
) -> tuple[Callable[..., Any], np.ndarray]:
    """How columns are seen in a state, and which column is simply which entry of it."""
    if options.observe is not None or hasattr(model, "observe"):
        given = options.observe
        if given is not None:
            observe = lambda t, y, args, model: _as_columns(given(t, y, args), names)
        else:
            observe = lambda t, y, args, model: _as_columns(model.observe(t, y, args), names)
        return observe, np.full(len(names), -1)
    if isinstance(state, dict):
        for name in names:
            if name not in state:
                raise UnknownNameError(
                    f"the data have a column {name!r}, the state has none",
                    f"state of {', '.join(map(str, state))}",
                    f"{suggest(name, map(str, state))} or give observe=lambda t, y, args: ...",
                )
        order = {key: i for i, key in enumerate(sorted(state))}
        sizes = [np.size(state[key]) for key in sorted(state)]
        first = np.concatenate([[0], np.cumsum(sizes)])
        return lambda t, y, args, model: y, np.array([first[order[name]] for name in names])
    count = int(np.size(ravel_pytree(state)[0]))
    if count != len(names):
        raise InputError(
            f"the state has {count} entries, the data {len(names)} columns: {', '.join(names)}",
            "fit",
            "give observe=lambda t, y, args: {...}, a dict of columns",
        )
    flat = lambda t, y, args, model: dict(zip(names, ravel_pytree(y)[0], strict=True))
    return flat, np.arange(count)


def _as_columns(seen: Any, names: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(seen, Mapping) and len(names) == 1:
        seen = {names[0]: seen}
    missing = [name for name in names if not isinstance(seen, Mapping) or name not in seen]
    if missing:
        given = ", ".join(map(str, seen)) if isinstance(seen, Mapping) else type(seen).__name__
        raise EquationError(
            f"the observation gives {given}, the data have a column {missing[0]!r}",
            "observe",
            f"return a dict with {', '.join(map(repr, names))}",
        )
    return seen


def _check_field(
    model: Any, state: Any, data: Trajectories, options: Options, observe: Callable[..., Any]
) -> None:
    """The field must give a tree like the state, and the observation a number a column."""
    args, solid = _arguments(data, options), resolve(model)
    t = jnp.asarray(float(data[0].times[0]))
    field = lambda y, args: rate_of(solid, t, y, args)
    rate = first_call(field, state, args, type(model).__name__)
    if _shapes(rate) != _shapes(state):
        raise EquationError(
            f"the vector field returns {_drawn(rate)}, the state is {_drawn(state)}",
            type(model).__name__,
            "return the rate of every entry of the state, in a tree of the same shape",
        )
    seen = first_call(lambda y, args: observe(t, y, args, solid), state, args, "observe")
    for name in data.names:
        if seen[name].shape != ():
            raise EquationError(
                f"the column {name!r} is observed as an array of shape {seen[name].shape}",
                "observe",
                "return one number a column",
            )


def _shapes(tree: Any) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [np.shape(leaf) for leaf in leaves]


def _drawn(tree: Any) -> str:
    short = lambda x: f"[{', '.join(map(str, x.shape))}]" if x.shape else "number"
    return str(jax.tree.map(short, tree)).replace("'", "")


def _starts(
    data: Trajectories,
    curves: tuple[Curves, ...],
    states: np.ndarray,
    start: np.ndarray,
    layout: Layout,
) -> tuple[Float[np.ndarray, "L d"], Float[np.ndarray, " d"]]:
    """Start values of every lane, from the data where they are seen, and the size of a state."""
    base = np.tile(start, (len(data), 1))
    scales = data.scale()
    scale = np.maximum(np.abs(start), 1e-3)
    scale[np.abs(start) == 0] = 1.0
    for column, entry in enumerate(states):
        if entry < 0:
            continue
        scale[entry] = scales[data.names[column]]
        for lane, curve in enumerate(curves):
            if layout.free[lane, entry] >= 0 and curve.known[column]:
                base[lane, entry] = curve.values[0, column]
    return base, scale


def _sizes(
    noise: tuple[Noise, ...], data: Trajectories, curves: tuple[Curves, ...]
) -> Float[np.ndarray, " K"]:
    """First guesses of the noise sizes: given, or a tenth of the scale of a column."""
    scales = data.scale()
    sizes = []
    for kind, name in zip(noise, data.names, strict=True):
        unit = scales[name] if isinstance(kind, Gaussian) else 1.0
        sizes.append(0.1 * unit if kind.size is None else kind.size)
    pool = pools(noise)
    return np.exp(pool @ np.log(sizes) / pool.sum(1))


def _doses(given: Any, data: Trajectories, state: Any) -> Any:
    """When and how much is given in each experiment: `[L, m]` and `[L, m, d]`."""
    if given is None:
        return None
    if isinstance(given, Mapping):
        for name in given:
            if name not in [one.name for one in data]:
                raise UnknownNameError(
                    f"no experiment is called {name!r}",
                    "doses",
                    suggest(str(name), [one.name for one in data]),
                )
    own = lambda e: given.get(e.name) if isinstance(given, Mapping) else given
    parts = [_dose(own(experiment), state) for experiment in data]
    most = max(len(stops) for stops, _ in parts)
    # Stops that are not used lie beyond all times.
    stops = [np.pad(s, (0, most - len(s)), constant_values=np.inf) for s, _ in parts]
    amounts = [np.pad(a, ((0, most - len(a)), (0, 0))) for _, a in parts]
    return np.stack(stops), np.stack(amounts)


def _dose(given: Any, state: Any) -> tuple[np.ndarray, np.ndarray]:
    if given is None:
        return np.zeros(0), np.zeros((0, np.size(ravel_pytree(state)[0])))
    doses = given if isinstance(given, Doses) else Doses(*given)
    stops, amounts = doses.arrays(state, 1)
    return np.asarray(stops[0], float), np.asarray(amounts[0], float)


def _check_times(data: Trajectories, t0: float | None) -> None:
    if t0 is None:
        return
    for experiment in data:
        if experiment.times[0] < t0:
            raise InputError(
                f"an observation at t = {experiment.times[0]:g}, before the start t0 = {t0:g}",
                f"experiment {experiment.name}",
                "give an earlier t0=, or leave it out to start at the first observation",
            )
