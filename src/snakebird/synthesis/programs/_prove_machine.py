"""One tick of a machine on terms of the solver.

A value is a dict path -> term, without paths that are known to be zero. Tokens in paths are the
points of a proof; what happens at a `Fresh` one that no stream brings stands for what happens at
every other token, so that nothing may add up or compare over tokens there.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from snakebird import vvalues as vv
from snakebird.machines import Machine
from snakebird.neurons import Neuron
from snakebird.synthesis.programs._prove_symbols import Unprovable, number, solver

Terms = dict[vv.Path, Any]
Outputs = dict[tuple[str, str], Terms]


class Ticker:
    """Runs a machine on terms; `others` are the tokens that stand for many.

    `beyond` gives the largest size at all of those, if a map has some term there.
    """

    def __init__(self, machine: Machine, others: frozenset[str], beyond: Callable[[Any], Any]):
        self.machine, self.others, self.beyond = machine, others, beyond

    def tick(self, before: Outputs, messages: Mapping[str, Terms]) -> Outputs:
        """All outputs of a tick, from those of the last one and what arrived."""
        now: Outputs = {}
        ports = {(link.to, link.input): {} for link in self.machine.links}
        for link in self.machine.links:
            if not link.instant:
                _add(ports[link.to, link.input], link.weight, _carried(before, link.source))
        for name in self.machine.order:
            neuron = self.machine.neurons[name]
            for link in self.machine.links:
                if link.instant and link.to == name:
                    _add(ports[name, link.input], link.weight, _carried(now, link.source))
            if name in self.machine.linked or neuron.type.always_active:
                inputs = {port: value for (to, port), value in ports.items() if to == name}
                for port, value in self._outputs(name, neuron, inputs, messages).items():
                    now[name, port] = {p: t for p, t in value.items() if not _is_zero(t)}
        return now

    def _outputs(
        self, name: str, neuron: Neuron, inputs: dict[str, Terms], messages: Mapping[str, Terms]
    ) -> dict[str, Terms]:
        kind, get = neuron.type.name, lambda port: inputs.get(port, {})
        if kind == "source":
            default = terms_of(neuron.parameters["default"])
            return {"signal": messages.get(name, default)}
        if kind == "constant":
            return {"result": terms_of(neuron.parameters["value"])}
        if kind in _POINTWISE:
            return {"result": {p: _POINTWISE[kind](t) for p, t in get("x").items()}}
        if kind == "output":
            return inputs
        rule = getattr(self, f"_{kind}", None)
        if rule is None:
            raise Unprovable(f"neuron {name!r} is of type {kind!r}, which has no exact terms")
        return rule(get, neuron, inputs)

    def _total(self, _: Any, __: Any, inputs: dict[str, Terms]) -> dict[str, Terms]:
        out: Terms = {}
        for value in inputs.values():
            _add(out, 1, value)
        return {"result": out}

    _identity = _memory = _accumulator = _total

    def _timer(self, get: Any, *_: Any) -> dict[str, Terms]:
        out = dict(get("timer"))
        _add(out, 1, {(): 1})
        return {"timer": out}

    def _delay(self, get: Any, neuron: Neuron, _: Any) -> dict[str, Terms]:
        ticks = neuron.parameters["ticks"]
        steps = [_below(get("line"), (str(k),)) for k in range(ticks)]
        first, *waiting = [*steps, get("x")]
        line = {(str(k), *p): t for k, v in enumerate(waiting) for p, t in v.items()}
        return {"result": first, "line": line}

    def _product(self, get: Any, *_: Any) -> dict[str, Terms]:
        x, y = get("x"), get("y")
        return {"result": {p: t * y[p] for p, t in x.items() if p in y}}

    def _inner(self, get: Any, *_: Any) -> dict[str, Terms]:
        x, y = get("x"), get("y")
        out: Terms = {}
        for path in x.keys() & y.keys():
            self._refuse_others(path, "inner")
            _add(out, 1, {(): x[path] * y[path]})
        return {"dot": out}

    def _gate(self, get: Any, *_: Any) -> dict[str, Terms]:
        out: Terms = {}
        for p, factor in get("mask").items():
            for q, term in get("value").items():
                if q[: len(p)] == p:
                    _add(out, 1, {q: factor * term})
        return {"result": out}

    def _mask_sum(self, get: Any, *_: Any) -> dict[str, Terms]:
        out: Terms = {}
        for p, factor in get("row").items():
            for q, term in get("value").items():
                if q[: len(p)] == p:
                    self._refuse_others(p, "mask_sum")
                    _add(out, 1, {q[len(p) :]: factor * term})
        return {"result": out}

    def _outer(self, get: Any, *_: Any) -> dict[str, Terms]:
        out: Terms = {}
        for p, a in get("x").items():
            for q, b in get("y").items():
                if p and q:
                    self._refuse_others((*p, *q), "outer")
                _add(out, 1, {(*p, *q): a * b})
        return {"result": out}

    def _maximum(self, get: Any, *_: Any) -> dict[str, Terms]:
        return self._pairwise(get, lambda a, b: solver().If(a >= b, a, b))

    def _minimum(self, get: Any, *_: Any) -> dict[str, Terms]:
        return self._pairwise(get, lambda a, b: solver().If(a <= b, a, b))

    def _pairwise(self, get: Any, function: Callable[[Any, Any], Any]) -> dict[str, Terms]:
        x, y = get("x"), get("y")
        pairs = {p: (_term(x.get(p, 0)), _term(y.get(p, 0))) for p in {**x, **y}}
        return {"result": {p: function(a, b) for p, (a, b) in pairs.items()}}

    def _compare(self, get: Any, *_: Any) -> dict[str, Terms]:
        gap = _term(get("x").get((), 0)) - _term(get("y").get((), 0))
        return {"true": {(): _relu(gap)}, "false": {(): _relu(-gap)}}

    def _less_or_equal(self, get: Any, *_: Any) -> dict[str, Terms]:
        left, right = get("left"), get("right")
        z3, gaps = solver(), []
        for path in {**left, **right}:
            self._refuse_others(path, "less_or_equal")
            gaps.append(_term(left.get(path, 0)) <= _term(right.get(path, 0)))
        holds = z3.And(True, *gaps)
        one, zero = z3.IntVal(1), z3.IntVal(0)
        return {"true": {(): z3.If(holds, one, zero)}, "false": {(): z3.If(holds, zero, one)}}

    def _max_norm(self, get: Any, *_: Any) -> dict[str, Terms]:
        largest: Any = solver().IntVal(0)
        for path, term in get("x").items():
            size = self._size(path, term)
            largest = solver().If(size > largest, size, largest)
        return {"norm": {(): largest}}

    def _size(self, path: vv.Path, term: Any) -> Any:
        """The size of what stands at a path, and at all that it stands for."""
        if not any(key in self.others for key in path):
            return _absolute(term)
        size = self.beyond(term) if len(path) == 1 else None
        if size is None:
            self._refuse_others(path, "max_norm")
        return size

    def _refuse_others(self, path: vv.Path, kind: str) -> None:
        if any(key in self.others for key in path):
            raise Unprovable(f"a neuron of type {kind!r} looks at all tokens at once")


def terms_of(value: Any) -> Terms:
    """The terms of a V-value of Python numbers."""
    return {path: number(leaf) for path, leaf in vv.entries(value)}


def _term(value: Any) -> Any:
    return solver().IntVal(value) if isinstance(value, int) else value


def _is_zero(term: Any) -> bool:
    return isinstance(term, int) and term == 0


def _relu(term: Any) -> Any:
    term = _term(term)
    return solver().If(term > 0, term, 0)


def _step(term: Any) -> Any:
    z3 = solver()
    return z3.If(_term(term) > 0, z3.IntVal(1), z3.IntVal(0))


def _absolute(term: Any) -> Any:
    term = _term(term)
    return solver().If(term >= 0, term, -term)


_POINTWISE = {"relu": _relu, "step": _step, "absolute": _absolute}


def _add(out: Terms, weight: Any, value: Terms) -> None:
    """Add a multiple of a value to a sum that is being made."""
    factor = weight if isinstance(weight, int) else number(Fraction(weight))
    for path, term in value.items():
        part = term if isinstance(factor, int) and factor == 1 else factor * term
        out[path] = out[path] + part if path in out else part


def _carried(outputs: Outputs, source: vv.Path) -> Terms:
    """What a link carries from outputs."""
    name, *path = (key for key in source if key != vv.NUMBER)
    if path:
        return _below(outputs.get((name, path[0]), {}), tuple(path[1:]))
    return {(port, *p): t for (n, port), v in outputs.items() if n == name for p, t in v.items()}


def _below(value: Terms, path: vv.Path) -> Terms:
    size = len(path)
    return {p[size:]: t for p, t in value.items() if p[:size] == path}
