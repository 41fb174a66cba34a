"""What a plastic row learns from one pair, as a formula: the machine run on symbols."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy as sp

from snakebird import vvalues as vv
from snakebird.errors import MachineError
from snakebird.machines import Machine
from snakebird.meta._plastic import OUTPUT, RECALL

Terms = dict[vv.Path, Any]
"""A V-value of formulas: path -> expression, without those that are zero."""

VALUE, ANSWER, LENGTH = sp.symbols("value answer length", real=True)


@dataclass(frozen=True)
class RowUpdate:
    """What one pair of key and value changes in a row of memory.

    With the row scaled such that the answer is `sum(row * key)`, the change at every key is
    `factor` times that key: a formula of the `value`, the `answer` given for the key before, and
    the squared `length` of the key. It is None where the change has no such form; `changes` are
    the formulas for each key.
    """

    factor: Any
    changes: tuple[Any, ...]

    @property
    def is_delta_rule(self) -> bool:
        """Whether it is the delta rule of rate 1 (B. Widrow and M. Hoff 1960)."""
        return self.factor is not None and sp.simplify(self.factor - (VALUE - ANSWER)) == 0

    @property
    def is_normalized(self) -> bool:
        """Whether it is normalized least mean squares of rate 1 (S. Kaczmarz 1937)."""
        wanted = (VALUE - ANSWER) / LENGTH
        return self.factor is not None and sp.simplify(self.factor - wanted) == 0

    def __str__(self) -> str:
        if self.factor is None:
            return "; ".join(f"row[{k}] += {c}" for k, c in enumerate(self.changes))
        return f"row += ({self.factor}) * key"


def read_update(machine: Machine, *, key: str = "key", value: str = "value") -> RowUpdate:
    """The change of the plastic row of a machine by one pair, exactly, for three keys.

    The machine is one of `Plastic`'s: its neuron `recall` has the row, its neuron `output` one
    port. One pair arrives, of keys `k0, k1, k2` and a value that are symbols, as the row is; the
    formula is what the machine adds to the row. Raises `MachineError` for neurons that have no
    formula here.

    >>> from snakebird import neurons as nr
    >>> from snakebird.machines import Link
    >>> change = nr.add_update(at=("recall", "x", "key", "signal"))
    >>> plain = dict.fromkeys(("late_key", "late_value", "recall"), "identity")
    >>> neurons = dict(key="source", value="source", **plain, write="gate", change=change)
    >>> now = [("write", "value", "late_key"), ("write", "mask", "late_value"),
    ...        ("change", "by", "write"), ("self", "delta", "change"), ("output", "y", "recall")]
    >>> hebb = Machine(
    ...     {**neurons, "self": "accumulator", "output": "output"},
    ...     ["late_key.x <- key.signal", "late_value.x <- value.signal",
    ...      "self.accum <- self.result",
    ...      *(Link(to, at, (source, "result"), instant=True) for to, at, source in now)],
    ...     matrix_from="self.result",
    ... )
    >>> print(read_update(hebb))
    row += (value) * key
    >>> print(read_update(hebb.link(Link("write", "mask", ("recall", "result"), -1, True))))
    row += (-answer + value) * key
    """
    names = ("k0", "k1", "k2")
    keys, row = sp.symbols("k0:3", real=True), sp.symbols("w0:3", real=True)
    place = (RECALL, "x", key, "signal")
    state: dict[str, dict[str, Terms]] = _begun(machine)
    self_name, port = (machine.matrix_from or ("", ""))[:2]
    held: Terms = dict(zip(((*place, name) for name in names), row, strict=True))
    state[self_name][port].update(held)
    arriving = {key: {(n,): k for n, k in zip(names, keys, strict=True)}, value: {(): VALUE}}
    state = _tick(machine, state, arriving)
    state = _tick(machine, state, {})
    after = state[self_name][port]
    changes = [sp.expand(after.get(path, 0) - old) for path, old in held.items()]
    (answer,) = state[OUTPUT].values()
    scale = sp.simplify(sp.diff(answer.get((), sp.S.Zero), row[0]) / keys[0])
    own = [
        sp.simplify(scale * c.subs({w: w / scale for w in row}, simultaneous=True)) for c in changes
    ]
    return RowUpdate(_factor(own, keys, row), tuple(own))


def _factor(changes: list[Any], keys: Any, row: Any) -> Any:
    """What all changes have in common, in terms of the answer and the length of the key."""
    factors = [sp.simplify(c / k) for c, k in zip(changes, keys, strict=True)]
    if any(sp.simplify(factors[0] - other) != 0 for other in factors[1:]):
        return None
    rest = sum(w * k for w, k in zip(row[1:], keys[1:], strict=True))
    told = sp.simplify(factors[0].subs(row[0], (ANSWER - rest) / keys[0]))
    squares = sum(k**2 for k in keys[1:])
    told = sp.simplify(told.subs(keys[0], sp.sqrt(LENGTH - squares)))
    return None if told.free_symbols & {*keys, *row} else told


def _begun(machine: Machine) -> dict[str, dict[str, Terms]]:
    """All outputs before the first tick."""
    found: dict[str, dict[str, Terms]] = {name: {} for name in machine.neurons}
    for name, ports in machine.first_outputs.items():
        for port, tree in ports.items():
            found[name][port] = {path: _exact(leaf) for path, leaf in vv.entries(tree)}
    return found


def _tick(machine: Machine, before: Any, arriving: Mapping[str, Terms]) -> Any:
    """One two-stroke cycle on formulas."""
    name, port = (machine.matrix_from or ("", ""))[:2]
    inputs: dict[tuple[str, str], Terms] = {}
    for (to, at, *source), weight in before[name].get(port, {}).items():
        _add(inputs.setdefault((to, at), {}), weight, _carried(before, tuple(source)))
    now: dict[str, dict[str, Terms]] = {n: {} for n in machine.neurons}
    for own in machine.order:
        for link in machine.links:
            if link.instant and link.to == own:
                carried = _carried(now, link.source)
                _add(inputs.setdefault((own, link.input), {}), _exact(link.weight), carried)
        given = {at: value for (to, at), value in inputs.items() if to == own}
        now[own] = _computed(machine, own, given, arriving)
    return now


def _carried(outputs: Any, source: vv.Path) -> Terms:
    name, port, *path = source
    size = len(path)
    value = outputs.get(name, {}).get(port, {})
    return {p[size:]: term for p, term in value.items() if p[:size] == tuple(path)}


def _add(total: Terms, weight: Any, value: Terms) -> None:
    for path, term in value.items():
        total[path] = total.get(path, 0) + weight * term


def _computed(
    machine: Machine, name: str, given: dict[str, Terms], arriving: Mapping[str, Terms]
) -> dict[str, Terms]:
    neuron = machine.neurons[name]
    kind = neuron.type.name
    if kind == "source":
        return {"signal": dict(arriving.get(name, {}))}
    if kind == "constant":
        leaves = vv.entries(neuron.parameters["value"])
        return {"result": {path: _exact(leaf) for path, leaf in leaves}}
    if kind == "output":
        return given
    rule = _RULES.get(kind)
    if rule is None:
        raise MachineError(
            f"a neuron of type {kind!r} has no formula here",
            f"neuron {name!r}",
            f"only these have one: {', '.join(sorted(_RULES))}",
        )
    port = (neuron.type.outputs or ("result",))[0]
    return {port: rule(given, neuron.parameters)}


def _total(given: Mapping[str, Terms], _: Any) -> Terms:
    out: Terms = {}
    for value in given.values():
        _add(out, 1, value)
    return out


def _pairs(a: str, b: str, path: Callable[[vv.Path, vv.Path], Any]) -> Callable[..., Terms]:
    """A product of two inputs: where two paths meet there is a path, or nothing."""

    def rule(given: Mapping[str, Terms], _: Any) -> Terms:
        out: Terms = {}
        for p, x in given.get(a, {}).items():
            for q, y in given.get(b, {}).items():
                if (met := path(p, q)) is not None:
                    _add(out, 1, {met: x * y})
        return out

    return rule


_RULES: dict[str, Callable[[Mapping[str, Terms], Any], Terms]] = {
    "identity": _total,
    "accumulator": _total,
    "product": _pairs("x", "y", lambda p, q: p if p == q else None),
    "inner": _pairs("x", "y", lambda p, q: () if p == q else None),
    "outer": _pairs("x", "y", lambda p, q: (*p, *q)),
    "gate": _pairs("mask", "value", lambda p, q: q if q[: len(p)] == p else None),
    "reciprocal": lambda given, _: {p: 1 / x for p, x in given.get("x", {}).items()},
    "add_update": lambda given, own: {(*own["at"], *p): x for p, x in given.get("by", {}).items()},
}


def _exact(number: Any) -> Any:
    return sp.Rational(Fraction(number).limit_denominator(10**6))
