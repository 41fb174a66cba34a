"""What each type of neuron is as a line of Python: terms of its inputs to terms of its outputs."""

from collections.abc import Callable, Mapping

from snakebird import vvalues as vv
from snakebird.errors import MachineError
from snakebird.neurons import Neuron
from snakebird.synthesis.programs._standalone_terms import (
    CHOICE,
    MAP,
    NOTHING,
    NUMBER,
    SUM,
    TREE,
    ZERO,
    Sum,
    Term,
    added,
    cast,
    each,
    gate,
    inner,
    join,
    literal,
    mask_sum,
    outer,
    pairwise,
    product,
    root,
)

Ports = Mapping[str, Sum]
Rule = Callable[[Ports, Neuron], dict[str, Term]]


def terms_of(name: str, neuron: Neuron, ports: Ports) -> dict[str, Term]:
    """The outputs of a neuron from the linear combinations at its inputs.

    Raises `MachineError` for a type that has no form in plain Python here.
    """
    rule = RULES.get(neuron.type.name)
    if rule is None:
        raise MachineError(
            f"a neuron of type {neuron.type.name!r} cannot be written as plain Python",
            f"neuron {name!r}",
            f"the types that can: {', '.join(sorted(RULES))}",
        )
    return rule(ports, neuron)


def _one(function: Callable[..., Term], *names: str, output: str = "result") -> Rule:
    return lambda ports, _: {output: function(*(added(ports.get(name, ())) for name in names))}


def _total(ports: Ports, _: Neuron) -> dict[str, Term]:
    return {"result": added([pair for terms in ports.values() for pair in terms])}


def _constant(_: Ports, neuron: Neuron) -> dict[str, Term]:
    value = neuron.parameters["value"]
    if not all(vv.is_exact(leaf) for _, leaf in vv.entries(value)):
        raise MachineError(
            "a constant is an array, which plain Python has not",
            f"neuron type {neuron.type.name}",
            "give the constant as a tree of numbers",
        )
    return {"result": literal(value)}


def _compare(ports: Ports, _: Neuron) -> dict[str, Term]:
    x, y = (root(added(ports.get(port, ()))) for port in ("x", "y"))
    true, false = added([(1, x), (-1, y)]), added([(-1, x), (1, y)])
    return {"true": each("relu", true), "false": each("relu", false)}


def _less_or_equal(ports: Ports, _: Neuron) -> dict[str, Term]:
    left, right = (added(ports.get(port, ())) for port in ("left", "right"))
    kind = join(left.kind, right.kind)
    if kind in (NUMBER, ZERO):
        holds = f"{left.inside(SUM)} <= {right.inside(SUM)}"
    else:
        gap = added([(1, cast(left, kind)), (-1, cast(right, kind))])
        holds = f"all(n <= 0 for n in {gap.code}.values())"
    choice = lambda yes, no: Term(f"{yes} if {holds} else {no}", NUMBER, CHOICE)
    return {"true": choice(1, 0), "false": choice(0, 1)}


def _max_norm(x: Term) -> Term:
    if x.kind in (ZERO, NUMBER):
        return each("abs", x)
    return Term(f"max(map(abs, {x.code}.values()), default=0)", NUMBER)


def _timer(ports: Ports, _: Neuron) -> dict[str, Term]:
    return {"timer": added([*ports.get("timer", ()), (1, literal(1))])}


def _cons(ports: Ports, neuron: Neuron) -> dict[str, Term]:
    rest, signal = (added(ports.get(port, ())) for port in ("list", "signal"))
    if signal.kind == ZERO:
        return {"list": rest}
    flag = neuron.parameters["flag"]
    more = f", {(flag,)!r}" if flag else ""
    return {"list": Term(f"cons({cast(signal, TREE).code}, {cast(rest, TREE).code}{more})", TREE)}


RULES: dict[str, Rule] = {
    "absolute": _one(lambda x: each("abs", x), "x"),
    "accumulator": _total,
    "compare": _compare,
    "cons": _cons,
    "constant": _constant,
    "delay": _one(lambda x: x, "x"),
    "gate": _one(gate, "mask", "value"),
    "identity": _total,
    "inner": _one(inner, "x", "y", output="dot"),
    "less_or_equal": _less_or_equal,
    "mask_sum": _one(mask_sum, "row", "value"),
    "max_norm": _one(_max_norm, "x", output="norm"),
    "maximum": _one(lambda x, y: pairwise("max", x, y), "x", "y"),
    "memory": _total,
    "minimum": _one(lambda x, y: pairwise("min", x, y), "x", "y"),
    "outer": _one(outer, "x", "y"),
    "output": lambda ports, _: {port: added(terms) for port, terms in ports.items()},
    "product": _one(product, "x", "y"),
    "relu": _one(lambda x: each("relu", x), "x"),
    "source": lambda _, neuron: {"signal": NOTHING},
    "step": _one(lambda x: each("step", x), "x"),
    "timer": _timer,
    "total": _total,
}
"""For each type of neuron, how its outputs are made of its inputs; a source is read, and a delay
takes its first value from a line."""


def source_kind(neuron: Neuron) -> str:
    """The kind of what a source says may arrive; numbers, if it says nothing."""
    space = neuron.parameters.get("space")
    paths = [*(space.paths if space else ()), *((t,) for t in neuron.parameters["tokens"])]
    kinds = [NUMBER if not path else MAP if len(path) == 1 else TREE for path in paths]
    return join(*kinds) if kinds else NUMBER
