"""Reading a trained hole with superfluid machines: sparse ones that say the same, as terms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp
from jaxtyping import Bool, Float

from snakebird.equations import Hole, MachineModel, superfluid_machine
from snakebird.errors import FitError, UnknownNameError, suggest
from snakebird.fitting import Fit
from snakebird.machines import Machine
from snakebird.synthesis.laws._library import Library
from snakebird.synthesis.laws._machine_symbols import hole_expressions
from snakebird.synthesis.laws._superfluid_known import Known, known
from snakebird.synthesis.laws._superfluid_sparse import Pruner
from snakebird.synthesis.laws._superfluid_terms import terms_of

_KEPT = 8
"""How many machines are kept."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One sparse machine that says what the hole says.

    `score` is `misfit` plus the price of its `numbers`, lower is better; `misfit` is chi squared,
    by what the fit knows of the hole; `hole` the hole with this machine in it.
    """

    score: float
    misfit: float
    numbers: int
    hole: Hole

    @cached_property
    def expressions(self) -> dict[str, Any]:
        """What each output is, as SymPy expressions of the inputs."""
        return hole_expressions(self.hole)

    @property
    def machine(self) -> Machine:
        """The machine; it sees the inputs in units of the hole."""
        return self.hole.model.machine

    def __repr__(self) -> str:
        short = lambda e: sp.N(e, 3)
        return "; ".join(f"{name} = {short(e)}" for name, e in self.expressions.items())


@dataclass(frozen=True, eq=False)
class Readings:
    """Sparse machines that say what a hole says, the best first."""

    entries: tuple[Reading, ...]
    known: Known

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Reading]:
        return iter(self.entries)

    def __getitem__(self, place: int) -> Reading:
        return self.entries[place]

    def library(self, *, readings: int = 4, most: int = 16) -> Library:
        """The terms of the best readings, to be tried as a law: `discover(fit, library=...)`.

        Numbers inside a sine or another function are taken as they may have been meant, whole or
        half ones, and as constants that are fitted too. At most so many terms are given.
        """
        inputs = self.entries[0].hole.inputs
        points = self.known.points
        each = [terms_of(one.expressions, inputs, points) for one in self.entries[:readings]]
        found = Library(inputs, tuple(term for terms in each for term in terms))
        return Library(inputs, found.terms[:most])

    def __repr__(self) -> str:
        lines = ["Readings of the hole", "   score  misfit  numbers  expressions"]
        lines += [f"  {r.score:6.1f}  {r.misfit:6.1f}  {r.numbers:7d}  {r!r}" for r in self]
        return "\n".join(lines)


def read_hole(
    fit: Fit,
    hole: str | None = None,
    *,
    layers: Sequence[int] = (3, 1),
    functions: Sequence[Sequence[str]] = (("product", "sine"), ("product",)),
    starts: int = 32,
    seed: int = 0,
) -> Readings:
    """Sparse superfluid machines that say what a trained hole of any kind says, as expressions.

    What the fit knows of the hole are its values along the trajectories and their covariance
    (Laplace's method), so nothing is solved again. From `starts` random beginnings superfluid
    machines (`superfluid_machine`) are trained to it with a precision for each weight, then lose
    weight after weight while the data allow it. Their terms are proposals only: join
    `read_hole(fit).library()` to the library of `discover`, which refits in the equation.

    Raises `FitError` for a fit without holes, `UnknownNameError` for a hole it does not have,
    `MachineError` for a hole that is `positive`.
    """
    name = _chosen(fit, hole)
    own = fit.holes[name]
    with jax.enable_x64(True):
        about = known(fit, name)
        width = np.sqrt(np.mean(about.points**2, axis=0)) + 1e-300
        free = own.outputs[: own.free_outputs]
        machine = superfluid_machine(own.inputs, free, layers=layers, functions=functions)
        model = MachineModel(machine, inputs=own.inputs)
        price = float(np.log(max(2, int(np.asarray(fit.batch.mask).sum()))))
        pruner = Pruner(model, about, width, price)
        found = pruner(*_drawn(model, starts, np.random.default_rng(seed)))
        size = np.append(about.size, np.ones(own.conserved)) if own.conserved else about.size
        base = own.with_model(model).scaled(np.zeros(len(width)), width, size)
        score = found.misfit + price * found.live.sum(1)
        entries = []
        order = np.argsort(score)
        # Many starts end at one machine, written in several ways.
        ends = np.round(np.stack([found.misfit[order], found.live[order].sum(1)], 1), 1)
        different = np.sort(np.unique(ends, axis=0, return_index=True)[1])
        for i in order[different[:_KEPT]]:
            own_model = pruner.unravel(jnp.asarray(found.phi[i]))
            one = eqx.tree_at(lambda h: h.model, base, own_model)
            numbers = int(found.live[i].sum())
            entries.append(Reading(float(score[i]), float(found.misfit[i]), numbers, one))
    return Readings(tuple(entries), about)


def _chosen(fit: Fit, hole: str | None) -> str:
    names = list(fit.holes)
    if not names:
        raise FitError("the model has no hole", "read_hole", "put a Hole where the law should be")
    if hole is None and len(names) == 1:
        return names[0]
    if hole not in names:
        what = "there are several holes" if hole is None else f"no hole is called {hole!r}"
        raise UnknownNameError(what, "read_hole", suggest(hole or "", names))
    return hole


def _drawn(
    model: MachineModel, starts: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "S P"], Bool[np.ndarray, "S P"]]:
    """Random numbers, and which are there: each start leaves out some neurons and functions."""
    program = model.program
    links = [program.machine.links[k] for k in np.concatenate([p.ravel() for p in program.places])]
    kinds = program.machine.neurons
    fluid = [name for name, neuron in kinds.items() if neuron.type.name == "superfluid"]
    phi = 0.7 * rng.standard_normal((starts, model.size))
    live = np.ones((starts, model.size), bool)
    for row in live:
        off = {name for name in fluid if rng.random() < 0.4}
        row[: len(links)] = [link.to not in off and link.source[0] not in off for link in links]
        row[len(links) :] = rng.random(model.size - len(links)) < 0.6
    return phi, live
