"""What a law is printed as: a short text, LaTeX, Python source, a machine."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import jax.numpy as jnp
import sympy as sp

from snakebird import neurons, vvalues as vv
from snakebird.errors import UnknownNameError, suggest
from snakebird.machines import Builder, Machine, Stream, fixed, instant
from snakebird.synthesis.laws._terms import cost_of, over_and_under, split

Errors = Mapping[Any, Any]
"""A term without its coefficient -> the standard error of that, or its interval."""

_SUM, _PRODUCT, _POWER, _ATOM = range(4)
_DIGITS = 4
_FLOOR = 1e-12
"""What `reciprocal` adds: below the precision of a double for everything from 1e-4 up."""


@dataclass(frozen=True)
class _Style:
    """How products, quotients, powers, numbers and functions are written."""

    times: str
    over: str
    power: str
    number: Callable[[Any], str]
    function: Callable[[str, list[str]], str]


def text(law: Any) -> str:
    """One line an output, `dx = 1.3 x - 0.9 x y`, with the digits its errors warrant."""
    return "\n".join(
        f"{name} = {write(rounded(e, law.errors.get(name, {})), _READABLE)}"
        for name, e in law.expressions.items()
    )


def latex(law: Any) -> str:
    """The law as LaTeX, lines aligned at `=` where there are several."""
    lines = [
        (sp.latex(sp.Symbol(name)), _latex(rounded(e, law.errors.get(name, {}))))
        for name, e in law.expressions.items()
    ]
    if len(lines) == 1:
        return f"{lines[0][0]} = {lines[0][1]}"
    rows = " \\\\\n".join(f"{name} &= {e}" for name, e in lines)
    return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}"


def _latex(expression: Any) -> str:
    return sp.latex(expression.replace(_is_decimal, lambda e: sp.Float(float(e))))


def python(law: Any, *, name: str, module: str) -> str:
    """The source of a function of the inputs that needs `math` or `numpy` alone."""
    if module not in _MODULES:
        raise UnknownNameError(
            f"no source is written for {module!r}", "law.python", suggest(module, _MODULES)
        )
    style = _Style(" * ", " / ", "**", partial(_exact, module), partial(_call, module))
    values = [write(e, style) for e in law.expressions.values()]
    lines = "".join(f"\n        {value}," for value in values)
    result = values[0] if len(values) == 1 else f"({lines}\n    )"
    return (
        f"import {module}\n\n\ndef {name}({', '.join(law.inputs)}):\n"
        f'    """{", ".join(law.outputs)} of {", ".join(law.inputs)}."""\n'
        f"    return {result}\n"
    )


def rounded(expression: Any, errors: Errors) -> Any:
    """The expression with decimals cut: coefficients as their errors warrant, others to four."""
    parts = [split(part) for part in sp.Add.make_args(expression)]
    return sp.Add(
        *[_cut(c, errors.get(rest)) * rest.replace(lambda e: e.is_Float, _cut) for c, rest in parts]
    )


def _cut(number: Any, error: Any = None) -> Any:
    if not number.is_Float:
        return number.replace(lambda e: e.is_Float, _cut) if number.args else number
    value = float(number)
    if error is None:
        return sp.Float(float(f"{value:.{_DIGITS}g}"))
    size = (error[1] - error[0]) / 2 if isinstance(error, tuple) else error
    if not 0 < size < math.inf:
        return number
    return sp.Float(round(value, -math.floor(math.log10(size))) or float(f"{value:.1g}"))


def write(expression: Any, style: _Style) -> str:
    """The expression as text in a style, short terms first."""
    return _write(expression, style)[0]


def _write(e: Any, style: _Style) -> tuple[str, int]:
    """The text of an expression and how tightly it binds."""
    if not e.args:
        return _atom(e, style)
    if e.is_Add:
        return _sum(e, style), _SUM
    if e.is_Mul or (e.is_Pow and e.exp.is_Rational and e.exp < 0):
        return _product(e, style), _PRODUCT
    if e.is_Pow and e.exp == sp.Rational(1, 2):
        return style.function("sqrt", [write(e.base, style)]), _ATOM
    if e.is_Pow:
        power = f"{_in(e.base, style, _ATOM)}{style.power}{_in(e.exp, style, _ATOM)}"
        return power, _POWER
    return style.function(e.func.__name__, [write(arg, style) for arg in e.args]), _ATOM


def _in(e: Any, style: _Style, level: int) -> str:
    """The text of an expression, in parentheses where it binds less tightly than `level`."""
    found, own = _write(e, style)
    return found if own >= level else f"({found})"


def _atom(e: Any, style: _Style) -> tuple[str, int]:
    found = e.name if e.is_Symbol else style.number(e)
    tight = not found.startswith("-") and (e.is_Symbol or "/" not in found)
    return found, _ATOM if tight else _PRODUCT


def _sum(e: Any, style: _Style) -> str:
    parts = sorted(e.as_ordered_terms(), key=lambda part: cost_of(part.as_coeff_Mul()[1]))
    result, *rest = [_in(part, style, _PRODUCT) for part in parts]
    for part in rest:
        result += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
    return result


def _product(e: Any, style: _Style) -> str:
    number, rest = e.as_coeff_Mul()
    above, below = over_and_under(rest)
    over = [_in(factor, style, _PRODUCT + (len(above) > 1)) for factor in above if factor != 1]
    under = [_in(factor, style, _POWER) for factor in below]
    size = style.number(abs(number))
    if "/" in size:
        size, _, divisor = size.partition(style.over)
        under.insert(0, divisor)
    # A lone sum above the line must not lose its parentheses beside a number or over a line.
    if len(over) == 1 and (size != "1" or under):
        over = [_in(next(f for f in above if f != 1), style, _PRODUCT)]
    factors = [*([size] if size != "1" or not over else []), *over]
    result = ("-" if number < 0 else "") + style.times.join(factors)
    if not under:
        return result
    below_line = style.times.join(under)
    return f"{result}{style.over}{below_line if len(under) == 1 else f'({below_line})'}"


def _plain(number: Any) -> str:
    """A number for reading: decimals without a trailing `.0`, short fractions as decimals."""
    decimal = number.is_Float or _is_decimal(number)
    return repr(float(number)).removesuffix(".0") if decimal else str(number)


def _is_decimal(number: Any) -> bool:
    """Whether a fraction is better written as a decimal: three places or less, 1/2 and 1/4 not."""
    if not number.is_Rational or number.q == 1 or 1000 % number.q:
        return False
    return number.q not in (2, 4) or abs(number.p) != 1


def _exact(module: str, number: Any) -> str:
    """A number for Python, to the last digit."""
    if number.is_Float or _is_decimal(number):
        return repr(float(number))
    if number.is_Rational:
        return str(number.p) if number.q == 1 else f"{number.p} / {number.q}"
    return f"{module}.{'pi' if number == sp.pi else 'e'}"


def _call(module: str, name: str, args: list[str]) -> str:
    own = _MODULES[module].get(name, f"{module}.{name}")
    if module == "numpy" and name in ("Max", "Min"):
        result = args[-1]
        for arg in reversed(args[:-1]):
            result = f"{own}({arg}, {result})"
        return result
    return f"{own}({', '.join(args)})"


_SHORT = {"Abs": "abs", "Max": "max", "Min": "min"}
_MODULES: dict[str, dict[str, str]] = {
    "math": _SHORT,
    "numpy": {
        "Abs": "abs",
        "Max": "numpy.maximum",
        "Min": "numpy.minimum",
        "atan": "numpy.arctan",
    },
}
_READABLE = _Style(
    " ", "/", "^", _plain, lambda name, args: f"{_SHORT.get(name, name)}({', '.join(args)})"
)


def machine(law: Any, *, name: str) -> Machine:
    """The law as a machine, as `Law.machine` describes it."""
    decimals = any(e.has(sp.Float) for e in law.expressions.values())
    builder = Builder(name=name, fixed=not decimals)
    with builder:
        build = _Wiring(law.inputs, fixed if decimals else lambda stream: stream)
        results = {out: build.stream(e) for out, e in law.expressions.items()}
        free = "output" if "output" not in law.inputs else "output_of_law"
        neurons.output(name=free, **results)
    return builder.machine


class _Wiring:
    """Makes neurons of expressions, each once; numbers become the weights of instant links."""

    def __init__(self, inputs: tuple[str, ...], exact: Callable[[Any], Any]):
        number, self._exact = vv.Space([()]), exact
        self._nodes: dict[Any, Any] = {}
        self._inputs = {name: neurons.source(name=name, space=number) for name in inputs}

    def stream(self, expression: Any) -> Stream | int:
        """An expression as a sum of streams, whose links are instant.

        Links whose weights are decimals may be trained, those with exact weights not.
        """
        total: Any = 0
        for part in sp.Add.make_args(expression):
            number, rest = split(part)
            term = _weight(number) * (1 if rest == 1 else self._node(rest))
            total = total + (term if number.has(sp.Float) else self._exact(term))
        return instant(total)

    def _node(self, e: Any) -> Any:
        if e.is_Symbol:
            return self._inputs[e.name]
        if e not in self._nodes:
            self._nodes[e] = self._make(e)
        return self._nodes[e]

    def _make(self, e: Any) -> Any:
        if e.is_Mul:
            first, *rest = e.args
            return neurons.product(self.stream(first), self.stream(sp.Mul(*rest)))
        if e.is_Pow:
            return self._power(e)
        streams = [self.stream(arg) for arg in e.args]
        if e.func in (sp.Max, sp.Min):
            make = neurons.maximum if e.func is sp.Max else neurons.minimum
            result = streams[0]
            for other in streams[1:]:
                result = instant(self._exact(make(result, other)))
            return result
        return _NEURONS[e.func](streams[0])

    def _power(self, e: Any) -> Any:
        base, n = e.base, e.exp
        if not n.is_Integer:
            if n.is_number:
                return _called(partial(_fixed_power, exponent=float(n)))(self.stream(base))
            return neurons.call_neuron(jnp.power, inputs=("x", "y"), train=False)(
                self.stream(base), self.stream(n)
            )
        if n < 0:
            return neurons.reciprocal(self.stream(base**-n), floor=_FLOOR)
        half = n // 2
        return neurons.product(self.stream(base**half), self.stream(base ** (n - half)))


def _fixed_power(x: Any, *, exponent: float) -> Any:
    return jnp.power(x, exponent)


def _called(function: Callable[[Any], Any]) -> Any:
    return neurons.call_neuron(function, inputs=("x",), train=False)


def _weight(number: Any) -> Any:
    """A number as the weight of a link: exact where it is."""
    if number.is_Rational:
        return int(number) if number.q == 1 else Fraction(int(number.p), int(number.q))
    return float(number)


_NEURONS: dict[Any, Callable[[Any], Any]] = {
    sp.sin: neurons.sine,
    sp.cos: neurons.cosine,
    sp.tanh: neurons.tanh,
    sp.Abs: neurons.absolute,
    sp.exp: lambda x: _called(jnp.exp)(x),
    sp.log: lambda x: _called(jnp.log)(x),
    sp.tan: lambda x: _called(jnp.tan)(x),
    sp.atan: lambda x: _called(jnp.arctan)(x),
    sp.sinh: lambda x: _called(jnp.sinh)(x),
    sp.cosh: lambda x: _called(jnp.cosh)(x),
}
