"""What every neuron must do, as one check."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from snakebird import vvalues as vv
from snakebird.neurons import Neuron, NeuronType, message_space

_SAME = 1e-12
"""How far two ways to compute one number may be apart, relative to the largest one."""
_STEP = 1e-5
_SLOPE = 1e-6
"""Step of the central differences, and how far a gradient may be from them."""


def check_neuron(
    neuron: Neuron | NeuronType,
    *,
    inputs: Any = None,
    gradients: bool = True,
    padding: str | None = "unused",
    seed: int = 0,
) -> None:
    """Check a neuron as the engines will use it; raise `AssertionError` with what is wrong.

    In double precision, at every tree of inputs:

    * trees of numbers, trees of arrays and `Flat` give the same outputs; a zero written down,
      one that fills a slot of a `Flat`, and one that is absent give the same outputs;
    * whatever is missing, there is an answer, and it is finite;
    * only declared outputs come out, each a V-value, in the dtype of the inputs;
    * it works under `jit`, `vmap` and `grad`, and is not traced again for other numbers;
    * the space of the outputs follows from that of the inputs, and grows with it;
    * gradients are finite, agree between forward and reverse mode, and with differences.

    `inputs` is a tree of inputs by port, or a list of them; by default some are drawn: trees
    with numbers, branches and an array, and bare numbers. `gradients=False` leaves the
    differences out, where the slope is not the derivative or the given point is at a kink.
    `padding` is the key under which zeros are added, `None` where none can be, since a number
    would meet an array. Numbers are float parameters and the arrays of modules.

    >>> from snakebird.neurons import neuron
    >>> @neuron(register=False)
    ... def double(x, *, by=2.0):
    ...     return vv.scale(by, x)
    >>> check_neuron(double)
    >>> @neuron(register=False)
    ... def one_more(x):
    ...     return vv.map_numbers(lambda n: n + 1, x)
    >>> check_neuron(one_more)
    Traceback (most recent call last):
    ...
    AssertionError: one_more(): on a Flat it differs from the tree
      ...
    """
    with jax.enable_x64(True):
        made = neuron.with_parameters() if isinstance(neuron, NeuronType) else neuron
        rng = np.random.default_rng(seed)
        given = [inputs] if isinstance(inputs, Mapping) else inputs
        for case in given if given is not None else _drawn(made.type, rng):
            check = _Check(made, case, _message(made, rng), jax.random.key(seed), padding)
            check.outputs()
            check.carriers()
            check.traced()
            check.spaces()
            check.dtypes()
            check.slopes(rng, differences=gradients)


def _drawn(kind: NeuronType, rng: np.random.Generator) -> list[Any]:
    """Two trees of inputs: rich ones, and bare numbers; none near zero."""
    ports = [*kind.inputs, *(["one", "two"] if kind.variadic else [])]
    return [{port: _tree(rng) for port in ports}, {port: _number(rng) for port in ports}]


def _tree(rng: np.random.Generator) -> Any:
    branch = {vv.NUMBER: _number(rng), "c": _number(rng)}
    array = np.array([_number(rng) for _ in range(3)])
    return {vv.NUMBER: _number(rng), "a": _number(rng), "b": branch, "v": array}


def _number(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.2, 1.2) * rng.choice([-1, 1]))


def _message(neuron: Neuron, rng: np.random.Generator) -> Any:
    """What may arrive at a source; nothing for other neurons."""
    if not neuron.type.external:
        return {}
    space = message_space(neuron.parameters)
    return space.unflatten(rng.uniform(0.2, 1.2, space.size)) if space.size else _tree(rng)


@dataclass
class _Check:
    """A neuron at one tree of inputs; `message` and `key` are what the engine would feed it."""

    neuron: Neuron
    inputs: Any
    message: Any
    key: Any
    padding: str | None

    def fail(self, what: str, *lines: str) -> NoReturn:
        raise AssertionError("\n  ".join([f"{self.neuron!r}: {what}", *lines]))

    def apply(self, inputs: Any, message: Any, present: Any = True) -> Any:
        feeds = {"key": self.key, "message": message, "present": present}
        try:
            return self.neuron.apply(inputs, **feeds)
        except ZeroDivisionError:
            self.fail("it divides by zero", f"at {inputs!r}", "zero and missing need an answer too")
        except TypeError as error:
            self.fail(
                f"it fails: {error}", f"at {inputs!r}", "an input may be a tree or missing: write",
                "vv.number(x) > 1, vv.scale(2, x), vv.add(x, y); vv is snakebird.vvalues",
            )  # fmt: skip

    def outputs(self) -> None:
        """Only declared outputs, each a finite V-value."""
        found = vv.unflatten(self.apply(self.inputs, self.message))
        if not isinstance(found, Mapping) or vv.NUMBER in found:
            self.fail("its outputs have no names", f"found {found!r}", "return a dict by name")
        declared = self.neuron.type.outputs
        for name in found:
            if declared is not None and name not in declared:
                self.fail(f"it gives an output {name!r}", f"declared are {', '.join(declared)}")
        if declared is not None and len(declared) == 1 and [*found] == [*declared]:
            inside = found[declared[0]]
            if isinstance(inside, Mapping) and [*inside] == [*declared]:
                name = declared[0]
                self.fail(
                    f"it returned {{{name!r}: ...}}, which became the output {name}.{name}",
                    "with one output return its value itself, with several a dict by name",
                )
        vv.check(found)
        for path, leaf in vv.stored(found):
            if not np.isfinite(np.asarray(leaf, float)).all():
                self.fail(f"its output {vv.show_path(path)} is {leaf}", f"at {self.inputs!r}")

    def carriers(self) -> None:
        """The same outputs on every carrier, zeros written or not, whatever is missing."""
        kept = [(tuple(self.inputs), True, "")]
        kept += [
            (tuple(p for p in self.inputs if p != port), True, f" with the input {port!r} missing")
            for port in self.inputs
        ]
        kept.append(((), True, " with all inputs missing"))
        if self.neuron.type.external:
            kept.append((tuple(self.inputs), False, " when nothing arrives"))
        full = self._padded()
        for ports, present, when in kept:
            tree = {port: self.inputs[port] for port in ports}
            zeros = {
                port: part if port in ports else jax.tree.map(lambda x: 0.0 * x, part)
                for port, part in full.items()
            }
            expected = self.apply(tree, self.message, present)
            message = vv.flatten(self.message)
            on_flat = self.apply(vv.flatten(zeros), message, jnp.asarray(present))
            parts = {port: vv.flatten(part) for port, part in tree.items()}
            self._same(expected, on_flat, f"on a Flat{when}")
            self._same(expected, self.apply(parts, message, present), f"on a dict of Flats{when}")
            arrays, heard = jax.tree.map(jnp.asarray, (tree, self.message))
            self._same(expected, self.apply(arrays, heard, present), f"on arrays{when}")
            written = self.apply(zeros, self.message, present)
            self._same(expected, written, f"with zeros written down{when}")

    def _same(self, expected: Any, found: Any, where: str) -> None:
        size = max([1.0, *(float(np.max(np.abs(x))) for x in vv.canonical(expected).values())])
        lines = vv.diff(expected, found, _SAME * size)
        bad = [p for p, x in vv.canonical(found).items() if not np.isfinite(np.asarray(x)).all()]
        if lines or bad:
            lines = lines or [f"{vv.show_path(path)} is not finite" for path in bad]
            self.fail(f"{where} it differs from the tree", *lines[:6])

    def _padded(self) -> Any:
        """The inputs with zeros written down beside every number and branch."""
        if self.padding is None:
            return self.inputs
        inputs = {port: _pad(part, self.padding) for port, part in self.inputs.items()}
        extra = {self.padding: 0.0} if self.neuron.type.variadic else {}
        return {**extra, **inputs}

    def point(self, inputs: Any) -> Any:
        """All numbers the outputs depend on, as arrays."""
        return (_numbers(self.neuron), vv.flatten(inputs), vv.flatten(self.message))

    def at(self, point: Any, key: Any = None) -> vv.Flat:
        """The outputs as a function of `point`."""
        numbers, inputs, message = point
        feeds = {"key": self.key if key is None else key, "message": message}
        feeds["present"] = jnp.asarray(True)
        return vv.flatten(_with(self.neuron, numbers).apply(inputs, **feeds))

    def traced(self) -> None:
        """jit and vmap give what the plain call gives, and other numbers no new trace."""
        points = [_moved(self.point(self.inputs), 1 + 0.01 * k) for k in range(3)]
        keys, count = jax.random.split(self.key, 3), 0

        def call(point: Any, key: Any) -> vv.Flat:
            nonlocal count
            count += 1
            return self.at(point, key)

        jitted = jax.jit(call)
        try:
            compiled = [jitted(point, key) for point, key in zip(points, keys, strict=True)]
            if count > 1:
                self.fail(f"it is traced {count} times when only numbers change")
            stacked = jax.vmap(call)(jax.tree.map(lambda *x: jnp.stack(x), *points), keys)
        except (TypeError, jax.errors.JAXIndexError) as error:
            self.fail(
                "it cannot be traced",
                str(error).splitlines()[0],
                "choose with vv.where or jnp.where, not with if; compute with jnp, not with math",
            )
        for k in range(3):
            expected = self.at(points[k], keys[k])
            self._same(expected, compiled[k], "under jit")
            self._same(expected, vv.Flat(stacked.space, stacked.data[k]), "under vmap")

    def spaces(self) -> None:
        """The outputs' space depends on the inputs' space alone, and grows with it."""
        point = self.point(self.inputs)
        space = self.at(point).space
        for other in (_moved(point, 0.0), _moved(point, -1.0)):
            found = self.at(other).space
            if found != space:
                self.fail("the space of its outputs depends on numbers", f"{space!r} or {found!r}")
        if jax.eval_shape(self.at, point).space != space:
            self.fail("the space of its outputs is another one when it is traced")
        wide = jax.eval_shape(self.at, self.point(self._padded())).space
        if not space <= wide:
            self.fail("it gives fewer paths for more", f"{space!r}, then {wide!r}")

    def dtypes(self) -> None:
        """Inputs in single precision give outputs in single precision."""
        point = self.point(self.inputs)
        single = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), point)
        found = jax.eval_shape(self.at, single).data
        if ravel_pytree(point)[0].size and found.size and found.dtype != jnp.float32:
            self.fail(
                f"it gives {found.dtype} for float32",
                "make arrays in the dtype of the inputs; a choice between Python numbers alone,",
                "vv.where(c, 1.0, {}), has JAX's own: write it as a parameter, *, one=1.0",
            )

    def slopes(self, rng: np.random.Generator, *, differences: bool) -> None:
        """Gradients: finite, the same in both modes, and those of central differences."""
        point = self.point(self.inputs)
        if not ravel_pytree(point)[0].size:
            return
        slopes = self._slopes(point, rng)
        gradient, forward, by_steps = slopes(point)
        self._compare(point, gradient, forward, 1e-9, "in forward mode")
        if differences:
            self._compare(point, gradient, by_steps, _SLOPE, "by central differences")
        zero, padded = _moved(point, 0.0, numbers=False), self.point(self._padded())
        self._finite(zero, slopes(zero)[0], " at zero")
        self._finite(padded, self._slopes(padded, rng, only_gradient=True)(padded)[0], "")

    def _slopes(self, like: Any, rng: np.random.Generator, *, only_gradient: bool = False) -> Any:
        """For points with the structure of one, the slopes of a random combination of outputs.

        In reverse mode, in forward mode, and by central differences.
        """
        rebuild = ravel_pytree(like)[1]
        weights = jnp.asarray(rng.uniform(0.5, 1.5, jax.eval_shape(self.at, like).data.shape))
        function = lambda z: jnp.sum(weights * self.at(rebuild(z)).data)

        @jax.jit
        def slopes(z: Any) -> list[Any]:
            moves = _STEP * jnp.eye(z.size)
            if only_gradient:
                return [jax.grad(function)(z)]
            ahead, behind = (jax.vmap(function)(z + move) for move in (moves, -moves))
            by_steps = (ahead - behind) / (2 * _STEP)
            return [jax.grad(function)(z), jax.jacfwd(function)(z), by_steps]

        return lambda point: [np.asarray(slope) for slope in slopes(ravel_pytree(point)[0])]

    def _finite(self, point: Any, gradient: np.ndarray, where: str) -> None:
        for label, slope in zip(_labels(point), gradient, strict=True):
            if not np.isfinite(slope):
                self.fail(f"its gradient for {label} is {slope}{where}")

    def _compare(
        self, point: Any, gradient: np.ndarray, found: np.ndarray, tolerance: float, how: str
    ) -> None:
        self._finite(point, gradient, "")
        error = np.abs(gradient - found)
        worst = int(np.argmax(error))
        if not error[worst] <= tolerance * (1 + np.max(np.abs(gradient))):
            own, other = gradient[worst], found[worst]
            self.fail(f"its gradient for {_labels(point)[worst]} is {own:.9g}, {other:.9g} {how}")


def _pad(node: Any, key: str) -> Any:
    if not isinstance(node, Mapping):
        return {vv.NUMBER: node, key: 0.0}
    branches = {k: b if k == vv.NUMBER else _pad(b, key) for k, b in node.items()}
    return {vv.NUMBER: 0.0, key: {key: 0.0}, **branches}


def _numbers(neuron: Neuron) -> dict[str, Any]:
    """The parameters of a neuron that are numbers, as arrays (trees as `Flat`)."""
    found = {}
    for name, value in neuron.parameters.items():
        if neuron.type.numeric(name) and isinstance(value, (Mapping, vv.Flat)):
            value = vv.flatten(value)
        elif neuron.type.numeric(name):
            value = jnp.asarray(value, float)
        arrays = eqx.filter(value, eqx.is_inexact_array)
        found[name] = jax.tree.map(lambda x: jnp.asarray(x, float), arrays)
    return {name: arrays for name, arrays in found.items() if jax.tree.leaves(arrays)}


def _with(neuron: Neuron, numbers: Mapping[str, Any]) -> Neuron:
    """The neuron with these numbers for its own."""
    changed = {}
    for name, arrays in numbers.items():
        rest = eqx.filter(neuron.parameters[name], eqx.is_inexact_array, inverse=True)
        changed[name] = arrays if neuron.type.numeric(name) else eqx.combine(arrays, rest)
    return neuron.replace(**changed)


def _moved(point: Any, factor: float, *, numbers: bool = True) -> Any:
    """The point with everything multiplied, the neuron's own numbers only where asked."""
    own, *streams = point
    times = lambda tree: jax.tree.map(lambda x: factor * x, tree)
    return (times(own) if numbers else own, *map(times, streams))


def _labels(point: Any) -> list[str]:
    """A name for every number of a point, in the order of its vector."""
    numbers, inputs, message = point
    own = [
        f"the parameter {jax.tree_util.keystr(path)} [{k}]"
        for path, leaf in jax.tree_util.tree_leaves_with_path(numbers)
        for k in range(leaf.size)
    ]
    return own + _slots("the input", inputs.space) + _slots("the message", message.space)


def _slots(what: str, space: vv.Space) -> list[str]:
    counts: Iterable[tuple[vv.Path, int]] = ((p, int(np.prod(s))) for p, s in space.items)
    return [f"{what} {vv.show_path(path)}" for path, count in counts for _ in range(count)]
