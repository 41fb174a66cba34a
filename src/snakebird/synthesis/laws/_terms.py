"""Terms: closed-form expressions of named inputs, computed in JAX."""

import keyword
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import sympy as sp
from jaxtyping import Array, Float

from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.synthesis.laws._read import (
    FUNCTIONS,
    HIGHEST,
    TermError,
    read,
    unknown_function,
    unknown_name,
)

_ARRAY: dict[Any, Callable[[Any], Any]] = {
    **{sp.exp: jnp.exp, sp.log: jnp.log, sp.sin: jnp.sin, sp.cos: jnp.cos, sp.tan: jnp.tan},
    **{sp.sinh: jnp.sinh, sp.cosh: jnp.cosh, sp.tanh: jnp.tanh, sp.atan: jnp.arctan},
    # Its gradient at 0 is 0, as that of the neuron `absolute`.
    sp.Abs: lambda x: x * jnp.sign(x),
}
_PAIRS: dict[Any, Callable[[Any, Any], Any]] = {sp.Max: jnp.maximum, sp.Min: jnp.minimum}
_RESERVED = {*FUNCTIONS, "math", "numpy"}


@dataclass(frozen=True)
class Inner:
    """A constant inside a term that is fitted too, such as `K` in `x/(K + x)`.

    It lies strictly between `low` and `high` and is searched from `start`. Raises `TermError`
    for a start outside.

    >>> Inner("K", low=0).positive
    True
    """

    name: str
    _: KW_ONLY
    start: float = 1.0
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not self.low < self.start < self.high:
            raise TermError(
                f"the inner constant {self.name!r} starts at {self.start}",
                hint=f"start it between {self.low} and {self.high}",
            )

    @property
    def positive(self) -> bool:
        """Whether no value it may take is negative or zero."""
        return self.low >= 0

    @property
    def symbol(self) -> sp.Symbol:
        """The constant in SymPy expressions."""
        return sp.Symbol(self.name, positive=True) if self.positive else symbol(self.name)


@jax.tree_util.register_static
@dataclass(frozen=True)
class Term:
    """An expression of `inputs`, possibly with inner constants; a text, SymPy or a number.

    Raises `UnknownNameError` for a symbol or function nobody declared, `TermError` for a text
    that is no expression or has no real value. `str(term)` is a text for a term of the same values.

    >>> Term("x*y**2", ("x", "y")).evaluate({"x": 2.0, "y": 3.0}).item()
    18.0
    >>> monod = Term("x/(K + x)", ("x",), inner=(Inner("K", low=0),))
    >>> monod.evaluate({"x": 1.0}, [3.0]).item()
    0.25
    """

    expression: Any
    inputs: tuple[str, ...]
    _: KW_ONLY
    inner: tuple[Inner, ...] = ()

    def __post_init__(self) -> None:
        check_names([*self.inputs, *(own.name for own in self.inner)])
        known = {name: symbol(name) for name in self.inputs}
        known |= {own.name: own.symbol for own in self.inner}
        expression: Any = as_expression(self.expression, known)
        used = {s.name for s in expression.free_symbols}
        if unused := [own.name for own in self.inner if own.name not in used]:
            raise TermError(
                f"the inner constant {unused[0]!r} does not occur",
                f"term {expression}",
                "leave it out",
            )
        object.__setattr__(self, "expression", expression)

    def __str__(self) -> str:
        return sp.sstr(self.expression)

    def __repr__(self) -> str:
        return f"<term {self} in {', '.join(self.inputs)}>"

    @property
    def linear(self) -> bool:
        """Whether there are no inner constants, so that only its coefficient is fitted."""
        return not self.inner

    @property
    def cost(self) -> int:
        """Its length in bits: 3 a symbol, 2 an operation, 4 a function, 2 a binary digit.

        A power counts as the product it stands for, so that each degree costs more than the last.
        The digits of fitted numbers are left to whoever knows how precise they are.

        >>> [Term(text, ("x",)).cost for text in ("1", "x", "x**2", "sin(x)")]
        [2, 3, 8, 7]
        """
        return cost_of(self.expression)

    def evaluate(self, values: Any, inner: Any = None) -> Float[Array, "*batch"]:
        """The term at `values`, a mapping of inputs or an array `[..., inputs]`, as `[...]`.

        `inner` are values of the inner constants, a mapping or an array `[..., constants]`, by
        default where they start. Raises `UnknownNameError` or `InputError` for what does not fit.
        """
        names = tuple(own.name for own in self.inner)
        starts = [own.start for own in self.inner]
        own = columns(starts if inner is None else inner, names, f"term {self}") if names else {}
        return evaluate([self.expression], columns(values, self.inputs, f"term {self}") | own)[0]

    def at(self, inner: Any = None) -> sp.Expr:
        """The expression with numbers for the inner constants, by default where they start."""
        given = {own.name: own.start for own in self.inner} if inner is None else inner
        if not isinstance(given, Mapping):
            given = dict(zip((own.name for own in self.inner), given, strict=True))
        numbers = {o.symbol: sp.sympify(as_number(given[o.name])) for o in self.inner}
        return self.expression.xreplace(numbers)


def symbol(name: str) -> sp.Symbol:
    """The symbol of an input: real."""
    return sp.Symbol(name, real=True)


def as_number(value: Any) -> Any:
    """A SymPy number or Python integer as it is, anything else as a float."""
    return value if isinstance(value, (sp.Expr, int)) else float(value)


def check_names(names: Iterable[str]) -> None:
    """Raise `TermError` for a name that stands twice or cannot stand in an expression."""
    seen: set[str] = set()
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name) or name in _RESERVED:
            raise TermError(
                f"{name!r} cannot name an input or a constant",
                hint="give it letters and digits, and no word of Python or function's name",
            )
        if name in seen:
            raise TermError(f"the name {name!r} stands twice", hint="give one another name")
        seen.add(name)


def as_expression(given: Any, known: Mapping[str, sp.Symbol]) -> sp.Expr:
    """A text, a number or a SymPy expression in the known symbols; raises as `Term` does."""
    where = f"term {given}"
    found: Any = read(given, known) if isinstance(given, str) else sp.sympify(as_number(given))
    for free in found.free_symbols:
        if free.name not in known:
            raise unknown_name(free.name, where, known)
    found = found.xreplace({free: known[free.name] for free in found.free_symbols})
    found = found.replace(
        lambda e: e.is_Pow and e.exp.is_Float,
        lambda e: e.base ** sp.Rational(repr(float(e.exp))),
    )
    for node in sp.preorder_traversal(found):
        _check_node(node, where)
    return found


def _check_node(node: Any, where: str) -> None:
    if node is sp.nan or (node.is_number and False in (node.is_real, node.is_finite)):
        raise TermError("this has no real value", where, "check divisions, roots and logarithms")
    if node.is_Pow and node.exp.is_Rational and abs(node.exp) > HIGHEST:
        raise TermError(f"a power of {node.exp}", where, f"powers go up to {HIGHEST}")
    plain = node.is_number or isinstance(node, (sp.Add, sp.Mul, sp.Pow, sp.Symbol))
    if not plain and node.func not in _ARRAY and node.func not in _PAIRS:
        raise unknown_function(node.func.__name__, where)


def cost_of(expression: sp.Expr) -> int:
    """The length of an expression in bits, as `Term.cost` counts it."""
    e: Any = expression
    if e.is_Rational:
        return 2 * (abs(e.p).bit_length() or 1) + (2 * e.q.bit_length() if e.q > 1 else 0)
    if e.is_Float:
        return 2 * 16
    if e.is_Pow and e.exp.is_Integer:
        times = abs(int(e.exp))
        return times * cost_of(e.base) + 2 * (times - 1) + (2 if e.exp < 0 else 0)
    inside = sum(cost_of(arg) for arg in e.args) + 2 * max(len(e.args) - 1, 0)
    if e.is_Add or e.is_Mul:
        return inside
    return inside + 4 if e.args else 3


def columns(values: Any, names: tuple[str, ...], where: str) -> dict[str, jax.Array]:
    """The named arrays in a mapping or along the last axis of an array `[..., names]`."""
    if isinstance(values, Mapping):
        for name in values:
            if name not in names:
                raise UnknownNameError(f"no input is named {name!r}", where, suggest(name, names))
        for name in names:
            if name not in values:
                raise InputError(
                    f"the input {name!r} is missing", where, f"give {', '.join(names)}"
                )
        return {name: _floating(values[name]) for name in names}
    array = _floating(values)
    if array.shape[-1:] != (len(names),):
        raise InputError(
            f"found an array of shape {list(array.shape)}, expected [..., {len(names)}]",
            where,
            f"give one column for each of {', '.join(names)}, or a dict",
        )
    return {name: array[..., k] for k, name in enumerate(names)}


def _floating(value: Any) -> jax.Array:
    array = jnp.asarray(value)
    return array if jnp.issubdtype(array.dtype, jnp.inexact) else array.astype(float)


def evaluate(
    expressions: Iterable[sp.Expr], values: Mapping[str, jax.Array]
) -> tuple[jax.Array, ...]:
    """Every expression at the values of its symbols, all of one shape; parts are shared.

    Whole powers are products, so that their gradients are finite at 0.
    """
    shape = jnp.broadcast_shapes(*(jnp.shape(v) for v in values.values()))
    dtype = jnp.result_type(*values.values()) if values else jnp.result_type(float)
    walk = _Evaluation(values)
    return tuple(jnp.broadcast_to(jnp.asarray(walk(e), dtype), shape) for e in expressions)


class _Evaluation:
    """Computes expressions on arrays and remembers every part."""

    def __init__(self, values: Mapping[str, jax.Array]):
        self._values, self._known = values, dict[Any, Any]()

    def __call__(self, e: Any) -> Any:
        if e not in self._known:
            self._known[e] = self._compute(e)
        return self._known[e]

    def _compute(self, e: Any) -> Any:
        if e.is_Symbol:
            return self._values[e.name]
        if e.is_number:
            return float(e)
        if e.is_Add:
            return sum((self(arg) for arg in e.args[1:]), self(e.args[0]))
        if e.is_Mul:
            return self._quotient(e)
        if e.is_Pow:
            return self._power(e.base, e.exp)
        args = [self(arg) for arg in e.args]
        if e.func in _ARRAY:
            return _ARRAY[e.func](args[0])
        result = args[0]
        for arg in args[1:]:
            result = _PAIRS[e.func](result, arg)
        return result

    def _quotient(self, e: Any) -> Any:
        above, below = over_and_under(e)
        result = 1.0
        for k, factor in enumerate(above):
            result = self(factor) if k == 0 else result * self(factor)
        under = [self(factor) for factor in below]
        return result / math.prod(under[1:], start=under[0]) if under else result

    def _power(self, base: Any, exponent: Any) -> Any:
        if exponent.is_Integer:
            n = int(exponent)
            if n < 0:
                return 1 / self(base**-n)
            half = n // 2
            return self(base**half) * self(base ** (n - half)) if n > 1 else self(base)
        if exponent == sp.Rational(1, 2):
            return jnp.sqrt(self(base))
        return jnp.power(self(base), self(exponent))


def split(product: Any) -> tuple[Any, Any]:
    """The number in a product, and the rest of it: 1 where there is none."""
    if product.is_number:
        return product, sp.S.One
    return product.as_independent(*product.free_symbols, as_Add=False)


def over_and_under(product: Any) -> tuple[list[Any], list[Any]]:
    """The factors above and below the line of a fraction; a number stands above."""
    above: list[Any] = []
    below: list[Any] = []
    factor: Any
    for factor in sp.Mul.make_args(product):
        down = factor.is_Pow and factor.exp.is_Rational and factor.exp < 0
        (below if down else above).append(1 / factor if down else factor)
    return above, below
