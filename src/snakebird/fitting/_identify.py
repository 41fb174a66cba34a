"""What the data cannot tell, in words.

Directions in which the data leave the numbers free are those of the Gauss-Newton matrix without
priors (A. Raue et al., Bioinformatics 25, 2009; R. N. Gutenkunst et al., Universally sloppy
parameter sensitivities in systems biology models, PLoS Computational Biology 3, 2007).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from snakebird.equations import Parameter
from snakebird.fitting._result import Fit
from snakebird.fitting._uncertainty import (
    in_own_units,
    laplace,
    named,
    root_of_inverse,
    solved,
    state_names,
)
from snakebird.fitting._visited import visited

_FLAT = 5.0
"""A direction is flat where its deviation is so many times the usual size of its numbers."""
_SHARE = 0.3
"""A number belongs to a direction where its part is at least this much of the largest."""
_NORMAL = 1.96
"""An error is that of 95%: so many standard deviations."""
_ALIKE = 0.98
_SAME = 0.9
"""A posterior so wide, as a share of its prior, says nothing new."""
_STILL = 1e-3


@dataclass(frozen=True)
class Statement:
    """What the data cannot tell: `problems`, none where they determine all parameters.

    `notes` is what to keep in mind all the same. `directions` are the combinations of numbers
    that can change without the data noticing, the part of each in units of its usual size;
    `correlations` are those of pairs that are known only together.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    directions: tuple[dict[str, float], ...]
    correlations: dict[tuple[str, str], float]

    def __bool__(self) -> bool:
        """Whether there is a problem."""
        return bool(self.problems)

    def __str__(self) -> str:
        if self.problems:
            lines = ["what the data cannot tell:", *(f"  - {text}" for text in self.problems)]
        else:
            lines = ["the data determine all parameters"]
        return "\n".join([*lines, *(f"  note: {text}" for text in self.notes)])


_MANY = 4
"""More states than these that are never observed are named together."""


def identifiability(fit: Fit) -> Statement:
    """Say in plain words which numbers the data do not determine, and what holes never saw.

    To first order around the fit; `profile` looks farther. Holes count as free to take any shape
    their priors allow, so that a parameter a hole can stand in for is found out.

    >>> import equinox as eqx
    >>> import snakebird as sb
    >>> from snakebird.fitting._identify import identifiability
    >>> class Decay(eqx.Module):
    ...     a: sb.Positive
    ...     b: sb.Positive
    ...     def __call__(self, t, y, args):
    ...         return {"x": -(self.a * self.b) * y["x"]}
    >>> data = sb.Trajectories.of([0, 1, 2, 3], {"x": [1.0, 0.61, 0.37, 0.22]})
    >>> model = Decay(sb.Positive(1.0), sb.Positive(1.0))
    >>> found = sb.fit(model, data, starts=1, stages=["trajectories"])
    >>> print(identifiability(found))
    what the data cannot tell:
      - a and b are known only together: if a grows and b shrinks, the data stay the same
    """
    spread, factor = _deviations(fit)
    directions = _directions(fit, factor)
    taken = {name for direction in directions for name in direction}
    pairs = {pair: rho for pair, rho in _correlations(fit).items() if not taken.issuperset(pair)}
    with jax.enable_x64(True):
        states = solved(fit)
        problems = [
            *(_together(direction) for direction in directions),
            *_alone(fit, spread, taken),
            *(_paired(pair, rho) for pair, rho in pairs.items()),
            *_holes(fit),
        ]
        notes = tuple(_unseen(fit, states))
    return Statement(tuple(problems), notes, tuple(directions), pairs)


def _deviations(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """By the data alone: how far each number may move in units of its size, and a root of that."""
    usual, hole = _usual(fit), _of_holes(fit)
    own = np.asarray(fit.prior.precision[0])
    factor = root_of_inverse(fit.jacobian, np.where(hole, own, (1e-6 / usual) ** 2))
    factor = (factor / usual[:, None])[list(named(fit).values())]
    return np.linalg.norm(factor, axis=1), factor


def _of_holes(fit: Fit) -> np.ndarray:
    extra = fit.problem.layout.count
    return np.concatenate([fit.problem.vector.hole >= 0, np.zeros(extra, bool)])


def _usual(fit: Fit) -> Float[np.ndarray, " P"]:
    """The usual size of each number, on the scale without bounds: one where that is bent."""
    vector, free = fit.problem.vector, fit.problem.layout.free
    sizes = np.maximum(np.abs(fit.theta), np.abs(vector.start))
    for leaf, first, last in vector.places:
        if _bent(vector.leaves[leaf]):
            sizes[first:last] = 1.0
    start = np.zeros(fit.problem.layout.count)
    scale = np.broadcast_to(np.asarray(fit.problem.scale), free.shape)
    start[free[free >= 0]] = scale[free >= 0]
    sizes = np.concatenate([sizes, np.maximum(start, np.abs(fit.vector[len(sizes) :]))])
    return np.where(sizes > 0, sizes, 1.0)


def _bent(leaf: Any) -> bool:
    return isinstance(leaf, Parameter) and type(leaf).bound is not Parameter.bound


def _directions(fit: Fit, factor: np.ndarray) -> list[dict[str, float]]:
    """Flat combinations of two numbers or more, as their parts of one."""
    names = list(named(fit))
    if not names:
        return []
    axes, deviations, _ = np.linalg.svd(factor, full_matrices=False)
    found = []
    for axis in axes.T[deviations > _FLAT]:
        largest = np.argmax(np.abs(axis))
        axis = axis / axis[largest]
        parts = {n: float(part) for n, part in zip(names, axis, strict=True) if abs(part) > _SHARE}
        if len(parts) > 1:
            found.append(parts)
    return found


def _together(direction: dict[str, float]) -> str:
    names = list(direction)
    sign = direction[names[0]]
    moves = [f"{name} {'grows' if part * sign > 0 else 'shrinks'}"
             for name, part in direction.items()]  # fmt: skip
    text = f"{_listed(names)} are known only together: if {_listed(moves)}"
    return f"{text}, the data stay the same"


def _alone(fit: Fit, spread: np.ndarray, taken: set[str]) -> Iterator[str]:
    """Numbers that are not determined by themselves, or no better than by their prior."""
    values = in_own_units(fit, fit.vector[None])[0]
    precision, posterior = np.asarray(fit.prior.precision[0]), laplace(fit).deviations
    vector = fit.problem.vector
    given = {i for leaf, first, last in vector.places for i in range(first, last)
             if isinstance(vector.leaves[leaf], Parameter)
             and vector.leaves[leaf].prior_free() is not None}  # fmt: skip
    lent = _lent(fit)
    for (name, i), wide in zip(named(fit).items(), spread, strict=True):
        if i in given and posterior[i] * np.sqrt(precision[i]) > _SAME:
            yield f"{name} is known from its prior alone: the data add hardly anything"
        elif _NORMAL * wide > 1 and name not in taken:
            why = "; a hole can stand in for it" if i in lent else ""
            text = f"{name} = {values[i]:.3g} is not determined"
            yield f"{text}: {_width(fit, i, _NORMAL * wide)}{why}"


def _lent(fit: Fit) -> set[int]:
    """Numbers the data would determine if the holes were known."""
    rest = np.flatnonzero(~_of_holes(fit))
    if len(rest) in (0, len(fit.vector)):
        return set()
    usual = _usual(fit)[rest]
    factor = root_of_inverse(fit.jacobian[:, rest], (1e-6 / usual) ** 2)
    return set(rest[_NORMAL * np.linalg.norm(factor, axis=1) / usual < 1].tolist())


def _width(fit: Fit, i: int, wide: float) -> str:
    """How far a number may be off, in words."""
    if wide > 1e3:
        return "it may be anything"
    vector = fit.problem.vector
    leaf = next((leaf for leaf, first, last in vector.places if first <= i < last), None)
    if leaf is not None and _bent(vector.leaves[leaf]):
        low, high = in_own_units(fit, fit.vector + np.outer([-wide, wide], _unit(fit, i)))[:, i]
        return f"anything from {low:.2g} to {high:.2g} would do at 95%"
    return f"its error is ±{wide * _usual(fit)[i]:.2g}"


def _unit(fit: Fit, i: int) -> np.ndarray:
    return (np.arange(len(fit.vector)) == i).astype(float)


def _correlations(fit: Fit) -> dict[tuple[str, str], float]:
    covariance = laplace(fit).covariance
    root = np.sqrt(np.diag(covariance))
    rho = covariance / root[:, None] / root
    return {
        (a, b): float(rho[i, j])
        for (a, i), (b, j) in combinations(named(fit).items(), 2)
        if abs(rho[i, j]) > _ALIKE
    }


def _paired(pair: tuple[str, str], rho: float) -> str:
    way = "raised" if rho > 0 else "lowered"
    text = f"{pair[0]} and {pair[1]} can hardly be told apart (correlation {rho:.3f})"
    return f"{text}: where one is raised and the other {way}, the data change little"


def _holes(fit: Fit) -> Iterator[str]:
    """Inputs of holes that never changed, or never independently of each other."""
    if not fit.holes:
        return
    seen, _ = visited(fit.problem, fit.vector[None], fit.batch)
    for name, (points, _) in seen[0].items():
        inputs = fit.holes[name].inputs
        points = points[np.isfinite(points).all(1)]
        if len(points) < 3:
            continue
        width, size = np.std(points, 0), np.max(np.abs(points), 0)
        moving = np.flatnonzero(width > _STILL * np.maximum(size, 1e-300))
        for i in set(range(len(inputs))) - set(moving):
            yield (
                f"{name}: its input {inputs[i]} stays near {points[0, i]:.3g}; "
                "what it does elsewhere is not known"
            )
        yield from _collinear(name, [inputs[i] for i in moving], points[:, moving])


def _collinear(name: str, inputs: list[str], points: np.ndarray) -> Iterator[str]:
    if len(inputs) < 2:
        return
    rho = np.corrcoef(points.T)
    pairs = [pair for pair in combinations(range(len(inputs)), 2) if abs(rho[pair]) > _ALIKE]
    for i, j in pairs:
        yield (
            f"{name}: its inputs {inputs[i]} and {inputs[j]} never change independently "
            f"(correlation {rho[i, j]:.3f}); which of them matters cannot be told"
        )
    if not pairs and np.linalg.eigvalsh(rho)[0] < 1 - _ALIKE:
        yield (
            f"{name}: one of its inputs {_listed(inputs)} always follows from the others; "
            "which of them matter cannot be told"
        )


def _unseen(fit: Fit, states: np.ndarray) -> Iterator[str]:
    """States that no column shows."""
    problem, theta = fit.problem, jnp.asarray(fit.theta)
    extra = jax.tree.map(lambda x: x[0], fit.batch.extra)
    model, own = problem.model(theta, extra), fit.data[0]
    arguments = problem.arguments({"conditions": dict(own.conditions)})

    def columns(y: Any, t: Any) -> Any:
        seen = problem.observe(t, problem.unravel(y), arguments, model)
        return jnp.stack([jnp.asarray(seen[name], float) for name in problem.columns])

    at = np.unique([0, len(own) // 2, len(own) - 1])
    slope = jax.vmap(jax.jacfwd(columns))(jnp.asarray(states[0, at]), jnp.asarray(own.times[at]))
    shown = np.abs(np.asarray(slope)).max((0, 1)) > 0
    hidden = list(np.array(state_names(fit))[~shown])
    if len(hidden) > _MANY:
        yield (
            f"{len(hidden)} states, from {hidden[0]} to {hidden[-1]}, are never observed: what is "
            "said of them rests on the equations"
        )
        return
    for name in hidden:
        yield f"{name} is never observed: what is said of it rests on the equations"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
