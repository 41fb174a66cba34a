"""Libraries: the terms a law may be made of."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import combinations_with_replacement, permutations
from typing import Any

import jax
import jax.numpy as jnp
import sympy as sp
from jaxtyping import Array, Float

from snakebird.errors import UnknownNameError, suggest
from snakebird.synthesis.laws._read import FUNCTIONS, TermError
from snakebird.synthesis.laws._terms import (
    Inner,
    Term,
    check_names,
    columns,
    evaluate,
    symbol,
)

Inputs = str | Iterable[str]


@jax.tree_util.register_static
@dataclass(frozen=True)
class Library:
    """Distinct terms in the same inputs, in order; `+` joins two.

    A term that is another one written differently, or a multiple of it, is left out, since no data
    can tell the two apart; so is 0. Raises `TermError` for a library without terms or for terms
    in other inputs.

    >>> polynomials("x y", 2)
    <library of 6 terms in x, y: 1, x, y, x**2, x*y, y**2>
    >>> polynomials("x y", 1)({"x": 2.0, "y": 3.0}).tolist()
    [1.0, 2.0, 3.0]
    """

    inputs: tuple[str, ...]
    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        check_names(self.inputs)
        if all(term.expression.is_zero for term in self.terms):
            raise TermError(
                "a library without terms", hint='write polynomials(("x", "y"), 3), for example'
            )
        for term in self.terms:
            if term.inputs != self.inputs:
                raise _other_inputs(term.inputs, self.inputs, f"term {term}")
        distinct: dict[Any, Term] = {}
        for term in self.terms:
            if not term.expression.is_zero:
                distinct.setdefault(_canonical(term), term)
        object.__setattr__(self, "terms", tuple(distinct.values()))

    def __len__(self) -> int:
        return len(self.terms)

    def __iter__(self) -> Iterator[Term]:
        return iter(self.terms)

    def __getitem__(self, k: int) -> Term:
        return self.terms[k]

    def __contains__(self, term: object) -> bool:
        return isinstance(term, Term) and _canonical(term) in {_canonical(own) for own in self}

    def __add__(self, other: "Library") -> "Library":
        if other.inputs != self.inputs:
            raise _other_inputs(other.inputs, self.inputs, "a sum of libraries")
        return Library(self.inputs, self.terms + other.terms)

    def __repr__(self) -> str:
        return f"<library of {len(self)} terms in {', '.join(self.inputs)}: {_shown(self.terms)}>"

    @cached_property
    def linear(self) -> tuple[Term, ...]:
        """The terms without inner constants: a law is linear in their coefficients."""
        return tuple(term for term in self.terms if term.linear)

    @cached_property
    def nonlinear(self) -> tuple[Term, ...]:
        """The terms with inner constants."""
        return tuple(term for term in self.terms if not term.linear)

    def __call__(self, values: Any) -> Float[Array, "*batch terms"]:
        """All linear terms at `values`, a mapping or an array `[..., inputs]`, as `[..., terms]`.

        Compiled once for each shape; powers are computed once for all terms.
        """
        return _all_terms(
            tuple(term.expression for term in self.linear),
            columns(values, self.inputs, "a library"),
        )


@partial(jax.jit, static_argnums=0)
def _all_terms(expressions: tuple[Any, ...], values: dict[str, jax.Array]) -> jax.Array:
    found = evaluate(expressions, values)
    if not found:
        shape = jnp.broadcast_shapes(*(v.shape for v in values.values()))
        return jnp.zeros((*shape, 0), jnp.result_type(*values.values()))
    return jnp.stack(found, axis=-1)


def terms(
    inputs: Inputs, *given: Any, inner: Mapping[str, float | Inner] | Iterable[Inner] = ()
) -> Library:
    """Your own terms, as texts or SymPy expressions; `inner` names their inner constants.

    >>> terms("x y", "x*y**2", "x/(K + x)", inner={"K": 0.5})
    <library of 2 terms in x, y: x*y**2, x/(K + x)>
    """
    names = _names(inputs)
    known = _inner(inner)
    return Library(names, tuple(_own_term(expression, names, known) for expression in given))


def _own_term(expression: Any, names: tuple[str, ...], known: Mapping[str, Inner]) -> Term:
    used = {free.name for free in Term(expression, (*names, *known)).expression.free_symbols}
    return Term(expression, names, inner=tuple(own for name, own in known.items() if name in used))


def _inner(
    given: Mapping[str, float | Inner] | Iterable[Inner],
) -> dict[str, Inner]:
    pairs: Any = given.items() if isinstance(given, Mapping) else [(o.name, o) for o in given]
    return {
        name: own if isinstance(own, Inner) else Inner(name, start=float(own))
        for name, own in pairs
    }


def polynomials(inputs: Inputs, degree: int, *, constant: bool = True) -> Library:
    """Every product of powers of the inputs up to a total degree, lowest first.

    >>> [str(term) for term in polynomials("x y", 2, constant=False)]
    ['x', 'y', 'x**2', 'x*y', 'y**2']
    """
    names = _names(inputs)
    return Library(
        names,
        tuple(
            Term(sp.Mul(*map(symbol, chosen)), names)
            for total in range(0 if constant else 1, degree + 1)
            for chosen in combinations_with_replacement(names, total)
        ),
    )


def trigonometric(
    inputs: Inputs,
    *,
    functions: Sequence[str] = ("sin", "cos"),
    frequencies: Sequence[Any] = (1,),
) -> Library:
    """`sin(f*x)` and `cos(f*x)` of every input, or other functions, at each frequency.

    >>> print(trigonometric("x", frequencies=[1, 2]))
    <library of 4 terms in x: sin(x), cos(x), sin(2*x), cos(2*x)>
    """
    for name in functions:
        if name not in FUNCTIONS:
            raise UnknownNameError(
                f"no function {name!r} may stand in a term",
                "trigonometric",
                suggest(name, FUNCTIONS),
            )
    return _each(
        inputs, [lambda x, g=FUNCTIONS[g], f=f: g(f * x) for f in frequencies for g in functions]
    )


def exponentials(inputs: Inputs, *, rates: Sequence[Any] | None = None) -> Library:
    """`exp(r*x)` of every input at each rate; without `rates` the rate is fitted: `exp(-k*x)`.

    >>> print(exponentials("x"))
    <library of 1 terms in x: exp(-k*x)>
    """
    if rates is not None:
        return _each(inputs, [lambda x, r=r: sp.exp(r * x) for r in rates])
    k = _fitted("k", _names(inputs), positive=False)
    return _each(inputs, [lambda x: sp.exp(-k.symbol * x)], k)


def monod(inputs: Inputs) -> Library:
    """`x/(K + x)` of every input, with `K` above zero: saturation, as of Monod and of Michaelis.

    >>> monod("x y")
    <library of 2 terms in x, y: x/(K + x), y/(K + y)>
    """
    return hill(inputs, n=(1,))


def hill(inputs: Inputs, *, n: Sequence[int] = (2, 4)) -> Library:
    """`x**n/(K**n + x**n)` of every input, with `K` above zero: a switch, steeper for larger n.

    >>> print(hill("x", n=[2]))
    <library of 1 terms in x: x**2/(K**2 + x**2)>
    """
    k = _fitted("K", _names(inputs), positive=True)
    return _each(inputs, [lambda x, p=p: x**p / (k.symbol**p + x**p) for p in n], k)


def saturating(inputs: Inputs) -> Library:
    """`x*y/(K + x)` of every pair of inputs, in both orders: one input, limited by another.

    >>> saturating("x y")
    <library of 2 terms in x, y: x*y/(K + x), x*y/(K + y)>
    """
    names = _names(inputs)
    k = _fitted("K", names, positive=True)
    if len(names) < 2:
        raise TermError(
            "saturating products need two inputs", f"inputs {', '.join(names)}", "write monod"
        )
    pairs = [(symbol(a), symbol(b)) for a, b in permutations(names, 2)]
    return Library(names, tuple(Term(x * y / (k.symbol + x), names, inner=(k,)) for x, y in pairs))


def default_library(inputs: Inputs) -> Library:
    """Polynomials, of degree 5 for one or two inputs and 3 for more, and the sine of each input.

    >>> len(default_library("x y")), len(default_library("x y z"))
    (23, 23)
    """
    names = _names(inputs)
    degree = 5 if len(names) < 3 else 3
    return polynomials(names, degree) + trigonometric(names, functions=("sin",))


def _each(inputs: Inputs, makers: Sequence[Any], *inner: Inner) -> Library:
    names = _names(inputs)
    return Library(
        names,
        tuple(Term(make(symbol(name)), names, inner=inner) for make in makers for name in names),
    )


def _names(inputs: Inputs) -> tuple[str, ...]:
    names = tuple(inputs.replace(",", " ").split()) if isinstance(inputs, str) else tuple(inputs)
    check_names(names)
    if not names:
        raise TermError("a library without inputs", hint='write "x y" or ("x", "y")')
    return names


def _fitted(name: str, inputs: tuple[str, ...], *, positive: bool) -> Inner:
    """An inner constant under a name that is not taken."""
    while name in inputs:
        name += "_"
    return Inner(name, low=0) if positive else Inner(name)


def _shown(terms: Sequence[Term]) -> str:
    texts = [str(term) for term in terms]
    return ", ".join(texts if len(texts) <= 12 else [*texts[:10], "...", texts[-1]])


def _other_inputs(found: tuple[str, ...], own: tuple[str, ...], where: str) -> TermError:
    return TermError(
        f"the inputs are {', '.join(found)}, expected {', '.join(own)}",
        where,
        "give all terms of a library the same inputs",
    )


def _canonical(term: Term) -> Any:
    """The same for terms that differ only in how they are written, in a factor or in names."""
    expression = term.expression
    if not expression.is_polynomial():
        expression = sp.cancel(sp.together(sp.expand_trig(expression)))
    expression = sp.expand(expression)
    orders = permutations(term.inner) if len(term.inner) <= 3 else [term.inner]
    renamed = [
        expression.xreplace(
            {own.symbol: replace(own, name=f"_{k}").symbol for k, own in enumerate(order)}
        )
        for order in orders
    ]
    return min(map(_without_factor, renamed), key=sp.srepr)


def _without_factor(expression: Any) -> Any:
    """An expression with the numbers taken out that stand before it, above and below."""
    over, under = sp.fraction(expression)
    return sp.expand(over / _first_number(over)) / sp.expand(under / _first_number(under))


def _first_number(total: Any) -> Any:
    parts = [part.as_coeff_Mul() for part in sp.Add.make_args(total)]
    return min(parts, key=lambda part: part[1].sort_key())[0] or sp.S.One
