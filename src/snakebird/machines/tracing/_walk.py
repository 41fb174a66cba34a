"""The equations of a jaxpr, one after the other, each by its rule."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var

from snakebird import neurons as sn
from snakebird.machines.tracing._emit import Emitter
from snakebird.machines.tracing._where import refused
from snakebird.machines.tracing._wires import (
    Inexpressible,
    Origin,
    Part,
    Shape,
    Spot,
    Wire,
    constant,
    simplified,
)

Rule = Callable[..., Any]
"""From the walk, an equation and its inputs as wires to the wire (or wires) of its outputs."""

RULES: dict[str, Rule] = {}
"""The rule of each primitive, by its name."""

CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")
"""The parameters under which a call keeps the function it calls."""

INLINED = frozenset(
    ("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call")
    + ("checkpoint", "remat2")
)
"""Primitives that only call a function."""

CHANCE = ("random_", "threefry", "rng_")
"""How the names of primitives begin that make random keys and numbers."""

MOST = 1 << 20
"""A linear map with more entries than this is not written out."""


class Landing:
    """The neuron of a state, which waits for its new value; later equations read it there."""

    def __init__(self, feed: Callable[[Wire], Wire]):
        self._feed, self._found = feed, None

    def __call__(self, wire: Wire) -> Wire:
        if self._found is None:
            self._found = self._feed(wire)
        return self._found


class Walk:
    """One pass over the equations; what rules need."""

    def __init__(self, emitter: Emitter, *, surrogate: str, opaque: bool):
        self.emitter, self.surrogate, self._opaque = emitter, surrogate, opaque
        self._calls: tuple[Any, ...] = ()

    def run(
        self,
        jaxpr: Jaxpr,
        consts: Sequence[Any],
        wires: Sequence[Wire],
        landings: Mapping[Var, Landing] | None = None,
    ) -> list[Wire]:
        """The wires of what a jaxpr gives; those in `landings` land as soon as they are known."""
        landings = landings or {}
        known: dict[Var, Wire] = dict(zip(jaxpr.constvars, map(constant, consts), strict=True))
        known |= dict(zip(jaxpr.invars, wires, strict=True))
        read = lambda atom: constant(atom.val) if isinstance(atom, Literal) else known[atom]
        for equation in _needed(jaxpr):
            own = {var: landings[var] for var in equation.outvars if var in landings}
            results = self._equation(equation, [read(atom) for atom in equation.invars], own)
            for var, wire in zip(equation.outvars, results, strict=True):
                known[var] = own[var](wire) if var in own else wire
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(
        self, equation: Any, wires: list[Wire], landings: Mapping[Var, Landing]
    ) -> list[Wire]:
        name, spot = equation.primitive.name, Spot(equation, self._calls)
        if equation.effects:
            why = "it does something besides giving a value, which no neuron can"
            raise refused(spot, why, "leave it out; look at streams with record= instead")
        if name.startswith(CHANCE):
            raise refused(spot, "it draws by chance", "draw outside, or by a neuron: sb.noise")
        if name in INLINED:
            return self._inlined(equation, wires, landings)
        if all(wire.known for wire in wires):
            return _computed(equation, wires)
        try:
            if name not in RULES:
                raise Inexpressible("the catalogue has no neuron for it")
            result = RULES[name](self, equation, *wires)
            return result if isinstance(result, list) else [result]
        except Inexpressible as error:
            if not self._opaque or error.spot is not None:
                raise refused(error.spot or spot, error.why) from None
            return self._as_one_neuron(equation, wires)

    def _inlined(
        self, equation: Any, wires: list[Wire], landings: Mapping[Var, Landing]
    ) -> list[Wire]:
        inner = next(equation.params[key] for key in CALLS if key in equation.params)
        pairs = zip(inner_jaxpr(inner).outvars, equation.outvars, strict=True)
        passed = {
            var: landings[own] for var, own in pairs if own in landings and isinstance(var, Var)
        }
        outside, self._calls = self._calls, (*self._calls, equation)
        found = self.within(inner, wires, passed)
        self._calls = outside
        return found

    def within(
        self,
        jaxpr: ClosedJaxpr | Jaxpr,
        wires: Sequence[Wire],
        landings: Mapping[Var, Landing] | None = None,
    ) -> list[Wire]:
        """The wires of what a function called inside gives."""
        consts = jaxpr.consts if isinstance(jaxpr, ClosedJaxpr) else ()
        return self.run(inner_jaxpr(jaxpr), consts, wires, landings)

    def neuron(
        self, kind: Any, wires: Mapping[str, Wire], shape: Shape, parameters: Any = None
    ) -> Wire:
        """The only output of a neuron with these inputs."""
        node = self.emitter.call(kind, wires, parameters or {})
        return Wire(shape, (Part(Origin(node, (node._sole_output,), shape)),))

    def product(self, x: Wire, y: Wire, shape: Shape) -> Wire:
        """The product of two streams, one of which may be a number."""
        return self.neuron(sn.product, {"x": x, "y": y}, shape)

    def step(self, x: Wire) -> Wire:
        """1 for every number above zero, else 0."""
        given = {} if self.surrogate == "sigmoid" else {"surrogate": self.surrogate}
        return self.neuron(sn.step, {"x": x}, x.shape, given)

    def linear(
        self,
        equation: Any,
        function: Callable[..., Any],
        wires: Sequence[Wire],
        slots: Sequence[int],
        *,
        free: bool = False,
        renames: bool = False,
    ) -> Wire:
        """What a function gives that is linear in its arguments `slots`, the others constants.

        `free` says that its coefficients are numbers of the user, `renames` that it only gives the
        entries another shape.
        """
        values = [wire.value for wire in wires]
        none = [np.zeros_like(v) if k in slots else v for k, v in enumerate(values)]
        at = lambda k, x: function(*none[:k], x, *none[k + 1 :])
        found = function(*values)
        # Where a function is one of NumPy, nothing has to be compiled.
        each = _one_by_one if isinstance(found, (np.ndarray, np.generic)) else jax.vmap
        found = constant(np.asarray(found, jnp.result_type(float)))
        spot = Spot(equation, self._calls)
        parts: list[Part] = []
        for k in slots:
            for part in wires[k].parts:
                if not renames:
                    part = self._kept_apart(part, wires[k].shape, free)
                moved = self._moved(part, wires[k].shape, found.shape, each(partial(at, k)), free)
                parts += () if moved is None else (moved._replace(spot=spot),)
        return Wire(found.shape, tuple(parts), found.offset)

    def _kept_apart(self, part: Part, shape: Shape, free: bool) -> Part:
        """The part as an output, where numbers of the user would mix with mere moves."""
        mixes = part.origin.shape != () and (part.free or (free and part.map is not None))
        return self.emitter.flushed(part, shape) if mixes else part

    def _moved(
        self, part: Part, shape: Shape, out: Shape, each: Callable[..., Any], free: bool
    ) -> Part | None:
        """A part after a linear function, which `each` applies to every column of a map."""
        size, kind = int(np.prod(part.origin.shape, dtype=int)), jnp.result_type(float)
        if size * int(np.prod(out, dtype=int)) > MOST:
            raise Inexpressible(f"a linear map from {size} numbers to {list(out)} is too large")
        columns = np.eye(size, dtype=kind) if part.map is None else part.map
        map = np.asarray(each(columns.reshape((size, *shape))), kind)
        before = None
        if part.map is not None:
            alone = lambda: self.emitter.flushed(part, shape)
            before = lambda: self._moved(alone(), shape, out, each, free)
        map = map.reshape((*part.origin.shape, *out))
        made = Part(part.origin, part.weight, map, part.free or free, before=before)
        return simplified(made, out)

    def _as_one_neuron(self, equation: Any, wires: list[Wire]) -> list[Wire]:
        """A primitive as it is, called by one neuron."""
        names = [f"x{k}" for k in range(len(wires))]
        given = {n: wire for n, wire in zip(names, wires, strict=True) if not wire.known}
        outputs = tuple(f"result{k}" for k in range(len(equation.outvars)))
        if len(outputs) == 1:
            outputs = ("result",)
        kind = sn.call_neuron(
            partial(_bound, equation=equation, wires=[w if w.known else None for w in wires]),
            inputs=tuple(given),
            outputs=outputs,
            shapes={n: wire.shape for n, wire in given.items() if wire.shape},
            train=False,
        )
        node = self.emitter.call(kind, given, {})
        shapes = [tuple(var.aval.shape) for var in equation.outvars]
        return [
            Wire(shape, (Part(Origin(node, (name,), shape)),))
            for name, shape in zip(outputs, shapes, strict=True)
        ]


def _one_by_one(function: Callable[..., Any]) -> Callable[[np.ndarray], np.ndarray]:
    """What `jax.vmap` gives, for functions of NumPy."""
    return lambda columns: np.stack([function(column) for column in columns])


def inner_jaxpr(given: ClosedJaxpr | Jaxpr) -> Jaxpr:
    """A jaxpr without its constants."""
    return given.jaxpr if isinstance(given, ClosedJaxpr) else given


def _needed(jaxpr: Jaxpr) -> list[Any]:
    """The equations that what is given depends on, and those with effects."""
    wanted = {var for var in jaxpr.outvars if isinstance(var, Var)}
    found = []
    for equation in reversed(jaxpr.eqns):
        if equation.effects or wanted.intersection(equation.outvars):
            found.append(equation)
            wanted.update(var for var in equation.invars if isinstance(var, Var))
    return found[::-1]


def bind(equation: Any, *values: Any) -> list[Any]:
    """What the primitive of an equation gives for these values."""
    given = equation.primitive.bind(*values, **equation.params)
    return list(given) if equation.primitive.multiple_results else [given]


def _computed(equation: Any, wires: list[Wire]) -> list[Wire]:
    """An equation of constants, computed once and for all."""
    values = [
        jnp.asarray(wire.value, var.aval.dtype)
        for wire, var in zip(wires, equation.invars, strict=True)
    ]
    with jax.ensure_compile_time_eval():
        return [constant(value) for value in bind(equation, *values)]


def _bound(*streams: Any, equation: Any, wires: Sequence[Wire | None]) -> Any:
    """A primitive on streams and constants, in the types of numbers it was traced with."""
    waiting = iter(streams)
    values = [
        jnp.asarray(next(waiting) if wire is None else wire.value).astype(var.aval.dtype)
        for wire, var in zip(wires, equation.invars, strict=True)
    ]
    kind = jnp.result_type(
        float, *(x for x in streams if jnp.issubdtype(jnp.result_type(x), float))
    )
    results = [jnp.asarray(given).astype(kind) for given in bind(equation, *values)]
    return tuple(results) if len(results) > 1 else results[0]
