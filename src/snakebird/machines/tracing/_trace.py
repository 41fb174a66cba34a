"""`trace`: a JAX function over streams as a machine of catalogue neurons."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Var
from jax.tree_util import keystr, tree_flatten_with_path

from snakebird import neurons as sn, vvalues as vv
from snakebird.errors import InputError, MachineError, suggest
from snakebird.machines._machine import Machine
from snakebird.machines.building._builder import Builder
from snakebird.machines.building._stream import Node
from snakebird.machines.tracing import _choices as _choices, _moves as _moves, _rules as _rules
from snakebird.machines.tracing._emit import Emitter
from snakebird.machines.tracing._walk import Landing, Walk
from snakebird.machines.tracing._where import place_of_error, refused
from snakebird.machines.tracing._wires import Inexpressible, Origin, Part, Wire

_STATELESS = object()
_DECIDED = (jax.errors.JAXTypeError, jax.errors.JAXIndexError)


def trace(
    function: Callable[..., Any],
    /,
    *,
    state: Any = _STATELESS,
    opaque: bool = False,
    surrogate: str = "none",
    fixed: bool = False,
    name: str | None = None,
    **streams: Any,
) -> Machine:
    """A JAX function of one tick's values as a machine of neurons of the catalogue.

    `streams` are examples of the arguments, by name: numbers, arrays of fixed shape, or trees of
    these; each becomes a source. What the function returns, a value or a tree, becomes the ports
    of the neuron `output` (`result`, or the names in the tree), in the same tick.

    With `state` the function is `function(state, **streams) -> (state, outputs)`, as for
    `jax.lax.scan`; each leaf of the state becomes a neuron that starts with the value given here
    and is read a tick later.

    Linear arithmetic becomes links, so numbers in the function are weights; an array in it that
    multiplies a stream is a trainable constant. Everything else becomes neurons: products,
    `relu`, `step` (whose slope for training is `surrogate`), and `call_neuron` of a function like
    `jnp.exp`. Of a branch all sides are computed, and those not taken count zero times. With
    `opaque=True` a primitive without a neuron is called by a neuron of its own. `fixed=True`
    leaves all links and constants out of training.

    Raises `MachineError` with file and line for what is neither: a primitive the catalogue has no
    neuron for, a decision in Python about a stream, effects; `InputError` for streams that the
    function does not take.

    >>> machine = trace(lambda x, y: {"gap": abs(2 * x - y)}, x=0.0, y=0.0)
    >>> print("\\n".join(str(link) for link in machine.links))
    absolute.x <- 2.0 * x.signal (instant)
    absolute.x <- -1 * y.signal (instant)
    output.gap <- absolute.result (instant)
    """
    held = () if state is _STATELESS else (_examples(state, "state"),)
    examples = {key: _examples(value, f"stream {key!r}") for key, value in streams.items()}
    _check_arguments(function, held, examples)
    closed, shape = _traced(function, held, examples)
    builder = Builder(name=_name(function, name), fixed=fixed)
    emitter = Emitter(builder, fixed=fixed, opaque=opaque)
    nodes, wires = _states(builder, held, set(examples))
    for key in sorted(examples):
        wires += _source(builder, key, examples[key])
    walk = Walk(emitter, surrogate=surrogate, opaque=opaque)
    count = _check_states(held, shape)
    landings = _landings(emitter, nodes, closed.jaxpr.outvars[:count])
    try:
        early = {var: land for var, land in landings if isinstance(var, Var)}
        outputs = walk.run(closed.jaxpr, closed.consts, wires, early)
        for (_, land), wire in zip(landings, outputs, strict=False):
            land(wire)
        _give(emitter, _names(shape[1] if held else shape, "result"), outputs[count:])
    except Inexpressible as error:
        raise refused(error.spot, error.why) from None
    return builder.machine


def _examples(given: Any, where: str) -> Any:
    """Leaves as floating arrays; raises `InputError` for what is no number."""

    def leaf(path: Any, value: Any) -> jax.Array:
        try:
            array = jnp.asarray(value)
            if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
                raise TypeError
            return array.astype(jnp.result_type(float, array))
        except (TypeError, ValueError):
            raise InputError(
                f"found {type(value).__name__}, expected a number or an array of numbers",
                where + keystr(path),
                "give an example of one tick's value, like x=0.0; for chance use sb.noise",
            ) from None

    return jax.tree_util.tree_map_with_path(leaf, given)


def _check_arguments(function: Any, held: tuple[Any, ...], examples: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*held, **examples)
    except TypeError as error:
        known = list(signature.parameters)[len(held) :]
        wrong = [key for key in examples if key not in known]
        missing = [key for key in known if key not in examples]
        hint = "arguments go in by name: wrap it, lambda x: function(x)"
        if wrong or missing:
            hint = suggest(wrong[0], known) if wrong else f"give an example of {', '.join(missing)}"
        raise InputError(
            f"the function takes {signature}, and the streams are {', '.join(examples) or 'none'}:"
            f" {error}",
            "trace",
            hint,
        ) from None


def _traced(function: Any, held: tuple[Any, ...], examples: Mapping[str, Any]) -> Any:
    call = lambda held, examples: function(*held, **examples)
    try:
        return jax.make_jaxpr(call, return_shape=True)(held, dict(examples))
    except _DECIDED as error:
        raise MachineError(
            "the function decides in Python on a stream, which has no value yet: "
            + str(error).split("\n", 1)[0],
            place_of_error(error),
            "write jnp.where or jax.lax.cond for `if`, and keep shapes and numbers of rounds fixed",
        ) from None


def _name(function: Any, given: str | None) -> str:
    own = getattr(function, "__name__", type(function).__name__)
    return given if given is not None else own if own.isidentifier() else "traced"


def _names(tree: Any, whole: str) -> list[str]:
    """A name for each leaf: its path, keys joined by `_`; raises where two are one."""
    paths = [path for path, _ in tree_flatten_with_path(tree)[0]]
    found = ["_".join(_key(key) for key in path) or whole for path in paths]
    if whole == "state":
        found = [name if name.isidentifier() else f"state_{name}" for name in found]
    elif not isinstance(tree, Mapping):
        found = [name if name == whole else f"{whole}_{name}" for name in found]
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice is not None:
        raise MachineError(f"two values are named {twice!r}", "trace", "rename one of them")
    return found


def _key(entry: Any) -> str:
    """One step of a path in a tree, as text."""
    return str(next(getattr(entry, k) for k in ("key", "idx", "name") if hasattr(entry, k)))


def _states(
    builder: Builder, held: tuple[Any, ...], taken: set[str]
) -> tuple[list[tuple[Node, Any]], list[Wire]]:
    """The neurons of the state, and what they gave a tick ago."""
    nodes, wires = [], []
    for name, leaf in (
        zip(_names(held[0], "state"), jax.tree.leaves(held), strict=True) if held else ()
    ):
        if name in taken:
            raise MachineError(
                f"a state and a stream are both named {name!r}", "trace", "rename one of them"
            )
        node = builder.call(sn.identity, (), {"name": name})
        node.starts(result=leaf.item() if leaf.shape == () else np.asarray(leaf))
        nodes.append((node, leaf.shape))
        wires.append(Wire(leaf.shape, (Part(Origin(node, ("result",), leaf.shape, False)),)))
    return nodes, wires


def _source(builder: Builder, name: str, example: Any) -> list[Wire]:
    """A source, and the wires of the leaves of what it gives."""
    leaves, _ = tree_flatten_with_path(example)
    paths = [tuple(_key(key) for key in path) for path, _ in leaves]
    shapes = [leaf.shape for _, leaf in leaves]
    space = vv.Space(dict(zip(paths, shapes, strict=True)))
    node = builder.call(sn.source, (), {"name": name, "space": space})
    return [
        Wire(shape, (Part(Origin(node, ("signal", *path), shape)),))
        for path, shape in zip(paths, shapes, strict=True)
    ]


def _check_states(held: tuple[Any, ...], shape: Any) -> int:
    """How many leaves the state has; raises where what comes back is shaped otherwise."""
    if not held:
        return 0
    if not isinstance(shape, tuple) or len(shape) != 2:
        raise MachineError(
            "with state= the function returns something else than two values", "trace",
            "return (state, outputs), outputs a value or a dict",
        )  # fmt: skip
    was, now = (jax.tree.map(jnp.shape, tree) for tree in (held[0], shape[0]))
    if was != now:
        raise MachineError(
            f"the function returns a state shaped {now}, and was given one shaped {was}",
            "trace",
            "return the state as it came: the same keys, the same shapes",
        )
    return len(jax.tree.leaves(held[0]))


def _landings(emitter: Emitter, nodes: list[Any], outvars: list[Any]) -> list[tuple[Any, Landing]]:
    """Where each new value of the state goes."""

    def landing(node: Node, shape: Any) -> Landing:
        def feed(wire: Wire) -> Wire:
            emitter.builder.feed(node, (emitter.stream(wire),), {})
            return Wire(shape, (Part(Origin(node, ("result",), shape)),))

        return Landing(feed)

    return [(var, landing(node, shape)) for var, (node, shape) in zip(outvars, nodes, strict=True)]


def _give(emitter: Emitter, names: list[str], wires: list[Wire]) -> None:
    """The neuron `output`, a port for each value."""
    if names:
        node = emitter.builder.call(sn.output, (), {"name": "output"})
        streams = {n: emitter.stream(wire) for n, wire in zip(names, wires, strict=True)}
        emitter.builder.feed(node, (), streams)
