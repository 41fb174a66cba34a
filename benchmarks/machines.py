"""The rivals' machines, built in Snakebird from the same plain data."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from benchmarks.rivals import detector, dmm_lite, sparse_numpy, superfluid
from snakebird import neurons as sn, vvalues as vv
from snakebird.machines import Link, Machine

TEXT = detector.TEXT


@sn.neuron(outputs=("dict",), name="lite_accum", register=False)
def lite_accum(x: Any, y: Any) -> Any:
    """The accumulator of DMM-Lite."""
    return vv.add(x, y)


@sn.neuron(outputs=("dot",), name="clipped_dot", register=False)
def clipped_dot(x: Any, y: Any) -> Any:
    """An inner product kept within the cap."""
    return jnp.clip(vv.inner(x, y), -detector.CAP, detector.CAP)


def _renamed(
    kind: sn.NeuronType, inputs: dict[str, str], outputs: dict[str, str], name: str
) -> sn.NeuronType:
    """A neuron type whose ports bear the published names."""

    def call(*values: Any) -> Any:
        found = kind.with_parameters().apply(dict(zip(kind.inputs, values, strict=True)))
        result = {outputs[port]: vv.get(found, port) for port in outputs}
        return next(iter(result.values())) if len(outputs) == 1 else result

    return sn.NeuronType(
        name,
        call,
        inputs=tuple(inputs[port] for port in kind.inputs),
        outputs=tuple(outputs.values()),
    )


def dmm_lite_machine(seed: int = 0) -> Machine:
    """The 1,486-link machine; what `output` reads is recorded at its inputs."""
    two = {"x": "dict-1", "y": "dict-2"}
    kinds = {
        "timer": _renamed(sn.timer, {"timer": "timer"}, {"timer": "timer"}, "lite_timer"),
        "input": _clock_before(),
        "eos": sn.NeuronType("lite_eos", lambda: {".": 1.0}, outputs=("char",)),
        "const_1": sn.NeuronType("lite_const", lambda: 1.0, outputs=("const_1",)),
        "accum": _renamed(lite_accum, two, {"dict": "dict"}, "lite_accum"),
        "norm": _renamed(sn.max_norm, {"x": "dict"}, {"norm": "norm"}, "lite_norm"),
        "dot": _renamed(clipped_dot, two, {"dot": "dot"}, "lite_dot"),
        "compare": _renamed(sn.compare, two, {"true": "true", "false": "false"}, "lite_compare"),
        "output": sn.output,
    }
    links = [
        Link(to, i, (a, o), w, trainable=free) for to, i, a, o, w, free in dmm_lite.links(seed)
    ]
    return Machine({name: kinds[kind] for name, kind in dmm_lite.neurons().items()}, links)


def _clock_before() -> sn.NeuronType:
    def call(timer: Any) -> Any:
        return sn.token_source(timer, text=TEXT, every=detector.EVERY)

    return sn.NeuronType("lite_input", call, inputs=("timer",), outputs=("char",))


def _published(
    name: str, inputs: tuple[str, ...], outputs: tuple[str, ...], call: Any
) -> sn.NeuronType:
    keeps = {"accum": "result"} if inputs == ("accum", "delta") else {}
    made = sn.NeuronType(name, call, inputs=inputs, outputs=outputs, keeps=keeps)
    sn.REGISTRY[name] = made
    return made


_published(
    "accum_add_args", ("accum", "delta"), ("result",), lambda accum, delta: vv.add(accum, delta)
)
_published("max_norm_dict", ("dict",), ("norm",), lambda dict: vv.max_norm(dict))
_published("dot_product", ("x", "y"), ("dot",), lambda x, y: vv.inner(x, y))
_published("compare_scalars", ("x", "y"), ("true", "false"), lambda x, y: sn.compare(x, y))
_published("const_1", (), ("const_1",), lambda: 1.0)
_published("const_end", (), ("char",), lambda: {".": 1.0})
_published("timer_add_one", ("timer",), ("timer",), lambda timer: vv.add(timer, 1))
_published(
    "input_dummy",
    ("timer",),
    ("char",),
    lambda timer: sn.token_source(timer, text=TEXT, every=detector.EVERY),
)
_published(
    "output_dummy",
    ("dict-1", "dict-2"),
    ("dict-1", "dict-2"),
    lambda a, b: {"dict-1": a, "dict-2": b},
)


def superfluid_machine(seed: int = 0) -> Machine:
    """The network of superfluid neurons with 2,906 trainable numbers; `self` carries the matrix."""
    links = [
        Link(to, i, (a, o), w, trainable=free) for to, i, a, o, w, free in superfluid.links(seed)
    ]
    start: dict[str, Any] = {}
    free = set()
    for name, output, path, value, trainable in superfluid.starts(seed):
        branch = start.setdefault(name, {}).setdefault(output, {})
        branch[path[0]] = value
        if trainable:
            free.add((name, output))
    return Machine(
        dict.fromkeys(superfluid.neurons(), "superfluid"),
        links,
        start,
        matrix_from="self.result",
        free_start=free,
    )


def sparse_machine(n_neurons: int = 10_000, n_links: int = 50_000, seed: int = 0) -> Machine:
    """The large random machine of scalar neurons."""
    kinds = {"tanh": sn.tanh, "relu": sn.relu, "identity": sn.identity, "product": sn.product}
    named = sparse_numpy.neurons(n_neurons)
    first = np.asarray(sparse_numpy.starts(n_neurons, seed)).tolist()
    links = [
        Link(to, i, (a, "result"), w, trainable=free)
        for to, i, a, _, w, free in sparse_numpy.links(n_neurons, n_links, seed)
    ]
    start = {name: {"result": value} for name, value in zip(named, first, strict=True)}
    return Machine({name: kinds[kind] for name, kind in named.items()}, links, start)
