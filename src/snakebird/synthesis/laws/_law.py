"""Laws: every output of a hole as a closed-form expression of its inputs."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp
from jaxtyping import Array, Float

from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.machines import Machine
from snakebird.synthesis.laws import _export
from snakebird.synthesis.laws._read import TermError
from snakebird.synthesis.laws._simple import Simple
from snakebird.synthesis.laws._terms import (
    Term,
    as_expression,
    as_number,
    check_names,
    columns,
    evaluate,
    split,
    symbol,
)


@jax.tree_util.register_static
class Law:
    """One expression of `inputs` for each output: texts, SymPy or numbers.

    `errors` maps outputs to terms to the standard error of their coefficient, or to its interval
    `(low, high)`; printing shows the digits they warrant, else four. A law never changes; it is
    equal to one with the same expressions and errors, and a static value to JAX.

    Raises `UnknownNameError` for symbols, functions and terms that are not there, `TermError` for
    texts that are no expressions and for a law without inputs or outputs.

    >>> law = Law("xy", ("dx", "dy"), {"dx": "1.3*x - 0.9*x*y", "dy": "x*y/(2 + x)"})
    >>> print(law)
    dx = 1.3 x - 0.9 x y
    dy = x y/(2 + x)
    >>> [round(float(value), 4) for value in law(2.0, 1.0)]
    [0.8, 0.5]
    """

    def __init__(
        self,
        inputs: Iterable[str],
        outputs: Iterable[str],
        expressions: Mapping[str, Any],
        *,
        errors: Mapping[str, Mapping[Any, Any]] | None = None,
    ):
        self._inputs, names = tuple(inputs), tuple(outputs)
        check_names(self._inputs)
        if not self._inputs or not names:
            raise TermError(
                "a law without " + ("outputs" if self._inputs else "inputs"),
                hint='write Law(("x",), ("dx",), {"dx": "2*x"}), for example',
            )
        for out in (*expressions, *names):
            if (out in expressions) != (out in names):
                what = "has no expression" if out in names else "is not among the outputs"
                raise UnknownNameError(f"the output {out!r} {what}", "Law", suggest(out, names))
        known = {name: symbol(name) for name in self._inputs}
        self._expressions = {out: as_expression(expressions[out], known) for out in names}
        for out in errors or {}:
            if out not in self._expressions:
                raise UnknownNameError(
                    f"no output is named {out!r}", "errors", suggest(out, self._expressions)
                )
        self._errors = {out: self._errors_of(out, own) for out, own in (errors or {}).items()}

    @classmethod
    def of_terms(
        cls,
        inputs: Iterable[str],
        sums: Mapping[str, Iterable[tuple[Any, ...]]],
        *,
        errors: Mapping[str, Iterable[Any]] | None = None,
    ) -> "Law":
        """A law of sums `{output: [(coefficient, term), (coefficient, term, inner), ...]}`.

        `term` is a `Term` or a text, `inner` the values of its inner constants, a mapping or in
        order. `errors` has the standard errors of an output's coefficients in the same order,
        `None` where there is none.

        >>> from snakebird.synthesis.laws._terms import Inner
        >>> rate = Term("x/(K + x)", ("x",), inner=(Inner("K", low=0),))
        >>> print(Law.of_terms(("x",), {"dx": [(1.5, "x"), (-2, rate, [0.25])]}))
        dx = 1.5 x - 2 x/(0.25 + x)
        """
        names = tuple(inputs)
        made = {out: [_part(names, *part) for part in parts] for out, parts in sums.items()}
        own = {
            out: {
                rest: _scaled(error, k)
                for (c, parts), error in zip(made[out], given, strict=True)
                if error is not None and not c.is_zero
                for k, rest in parts
            }
            for out, given in (errors or {}).items()
        }
        expressions = {
            out: sp.Add(*[c * k * rest for c, parts in given for k, rest in parts])
            for out, given in made.items()
        }
        return cls(names, tuple(expressions), expressions, errors=own)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs, in the order of the arguments."""
        return self._inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs, in the order of the results."""
        return tuple(self._expressions)

    @property
    def expressions(self) -> dict[str, sp.Expr]:
        """Output -> its SymPy expression."""
        return dict(self._expressions)

    @property
    def sympy(self) -> dict[str, sp.Expr]:
        """Output -> its SymPy expression, in real symbols named as the inputs."""
        return self.expressions

    @property
    def errors(self) -> dict[str, dict[sp.Expr, Any]]:
        """Output -> term without coefficient -> standard error or interval, where known."""
        return {out: dict(own) for out, own in self._errors.items()}

    @property
    def coefficients(self) -> dict[str, dict[sp.Expr, float]]:
        """Output -> term without coefficient -> coefficient.

        >>> Law(("x",), ("dx",), {"dx": "2*x - 3"}).coefficients["dx"]
        {1: -3.0, x: 2.0}
        """
        return {
            out: {rest: float(c) for c, rest in _parts(e)} for out, e in self._expressions.items()
        }

    def __call__(self, *values: Any, **named: Any) -> Any:
        """The outputs at values of the inputs, in JAX; arrays of any shape that broadcast.

        * `law(x, y)` and `law(x=x, y=y)` give a tuple, or the array alone for one output;
        * `law({"x": x, "y": y})` gives a dict;
        * `law(values)` with an array `[..., inputs]`, of two inputs or more, an array
          `[..., outputs]`. With one input this is `law(x)`; `law.array(values)` is never in doubt.

        Raises `InputError` for another number of values, `UnknownNameError` for other names.
        """
        if len(values) == 1 and not named:
            if isinstance(values[0], Mapping):
                return dict(zip(self.outputs, self._results(values[0]), strict=True))
            if len(self.inputs) > 1 and jnp.ndim(values[0]):
                return self.array(values[0])
        if len(values) + len(named) != len(self.inputs):
            count = len(values) + len(named)
            raise InputError(
                f"a law of {len(self.inputs)} inputs was called with {count}",
                "law(...)",
                f"write law({', '.join(self.inputs)})",
            )
        placed = dict(zip(self.inputs, values, strict=False))
        first, *others = self._results(placed | named)
        return (first, *others) if others else first

    def array(self, values: Any) -> Float[Array, "*batch outputs"]:
        """The outputs `[..., outputs]` at an array `[..., inputs]`."""
        return jnp.stack(self._results(jnp.asarray(values)), axis=-1)

    def __str__(self) -> str:
        return _export.text(self)

    def __repr__(self) -> str:
        return f"<law of {', '.join(self.inputs)}: {'; '.join(str(self).splitlines())}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Law) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def latex(self) -> str:
        """The law as LaTeX, with the digits of `str(law)`.

        >>> Law(("x",), ("dx",), {"dx": "x**2/2"}).latex()
        'dx = \\\\frac{x^{2}}{2}'
        """
        return _export.latex(self)

    def python(self, *, name: str = "law", module: str = "math") -> str:
        """The source of a function that computes the law with `math` or `numpy` alone.

        It takes the inputs in order and returns a tuple, or the value alone for one output;
        numbers are exact to the last digit.

        >>> print(Law(("x",), ("dx",), {"dx": "1.5*x*sin(x)"}).python(name="friction"))
        import math
        <BLANKLINE>
        <BLANKLINE>
        def friction(x):
            \"""dx of x.\"""
            return 1.5 * x * math.sin(x)
        <BLANKLINE>
        """
        if not name.isidentifier():
            what = f"{name!r} is no name of a function"
            raise InputError(what, "Law.python", 'write python(name="rate"), for example')
        return _export.python(self, name=name, module=module)

    def machine(self, *, name: str = "law") -> Machine:
        """The law as a machine: sources named as the inputs, a neuron `output` with the outputs.

        All links are instant, so that the outputs of a tick are the law at the inputs of that
        tick: the delay is 0 ticks. Coefficients are the weights of links; decimals among them may
        be trained, exact numbers are fixed. Powers are repeated products, divisions go through
        `reciprocal`, which gives 0 and not infinity at 0, and functions without a neuron of their
        own (exp, log, roots, ...) through `call_neuron`.

        >>> from snakebird.machines import run
        >>> m = Law(("x", "y"), ("dx",), {"dx": "2*x*y"}).machine()
        >>> run(m, inputs={"x": [1, 2], "y": [3, 4]})["output.dx"]
        [6, 16]
        """
        return _export.machine(self, name=name)

    def equivalent(self, other: "Law", *, tolerance: float = 1e-6) -> bool:
        """Whether both have the same terms, multiplied out, with numbers within `tolerance`.

        Numbers a and b are close if `|a - b| <= tolerance * max(1, |a|, |b|)`; inner constants
        count as numbers. The order of inputs and of outputs does not matter.

        >>> law = Law(("x", "y"), ("dx",), {"dx": "x*(1 - y)"})
        >>> law.equivalent(Law(("x", "y"), ("dx",), {"dx": "1.0001*x - x*y"}), tolerance=1e-3)
        True
        """
        mine, theirs = self._expressions, other._expressions
        if set(self.inputs) != set(other.inputs) or mine.keys() != theirs.keys():
            return False
        return all(_same_fraction(e, theirs[out], tolerance) for out, e in mine.items())

    @property
    def _key(self) -> Any:
        errors = frozenset(
            (o, term, e) for o, own in self._errors.items() for term, e in own.items()
        )
        return self._inputs, tuple(self._expressions.items()), errors

    def _results(self, values: Any) -> tuple[jax.Array, ...]:
        return evaluate(self._expressions.values(), columns(values, self.inputs, "law(...)"))

    def _errors_of(self, out: str, given: Mapping[Any, Any]) -> dict[Any, Any]:
        known = {name: symbol(name) for name in self._inputs}
        own = {rest for _, rest in _parts(self._expressions[out])}
        found: dict[Any, Any] = {}
        for key, error in given.items():
            term = key.expression if isinstance(key, Term) else key
            rest = split(as_expression(term, known))[1]
            if rest not in own:
                raise UnknownNameError(
                    f"{out} has no term {rest}", "errors", suggest(str(rest), map(str, own))
                )
            found[rest] = _scaled(error, 1)
        return found


def _part(
    inputs: tuple[str, ...], coefficient: Any, term: Any, inner: Any = None
) -> tuple[Any, list[tuple[Any, Any]]]:
    """A coefficient, and the parts of the term it stands before."""
    term = term if isinstance(term, Term) else Term(term, inputs)
    number = coefficient.number if isinstance(coefficient, Simple) else as_number(coefficient)
    return sp.sympify(number), _parts(term.at(inner))


def _scaled(error: Any, factor: Any) -> Any:
    """A standard error, or an interval, of a coefficient times a number."""
    if np.shape(error):
        low, high = sorted(float(end) * float(factor) for end in error)
        return low, high
    return float(error) * abs(float(factor))


def _parts(expression: Any) -> list[tuple[Any, Any]]:
    """The terms of a sum as coefficients and the rest."""
    if expression.is_zero:
        return []
    parts = [split(part) for part in sp.Add.make_args(expression)]
    return sorted(parts, key=lambda part: part[1].sort_key())


def _same_fraction(a: Any, b: Any, tolerance: float) -> bool:
    (over_a, under_a), (over_b, under_b) = _as_fraction(a), _as_fraction(b)
    return _close(over_a, over_b, tolerance) and _close(under_a, under_b, tolerance)


def _as_fraction(expression: Any) -> tuple[Any, Any]:
    """What stands above and below the line, multiplied out, with 1 as first number below."""
    exact = expression.replace(lambda e: e.is_Float, lambda e: sp.Rational(repr(float(e))))
    if not exact.is_polynomial():
        exact = sp.cancel(sp.together(exact))
    over, under = (sp.expand(part) for part in sp.fraction(exact))
    first = sp.sympify(_parts(under)[0][0])
    return sp.expand(over / first), sp.expand(under / first)


def _close(a: Any, b: Any, tolerance: float) -> bool:
    """Whether two expressions are built alike, with numbers that are close."""
    if a.is_number and b.is_number:
        x, y = float(a), float(b)
        return math.isclose(x, y, rel_tol=tolerance, abs_tol=tolerance)
    if a.is_Add or b.is_Add or split(a)[0] != 1 or split(b)[0] != 1:
        return _pair(_parts(a), _parts(b), tolerance)
    if a == b:
        return True
    if a.func is not b.func or len(a.args) != len(b.args) or not a.args:
        return False
    if a.is_Mul:
        return _pair([(sp.S.One, f) for f in a.args], [(sp.S.One, f) for f in b.args], tolerance)
    return all(_close(p, q, tolerance) for p, q in zip(a.args, b.args, strict=True))


def _pair(left: list[tuple[Any, Any]], right: list[tuple[Any, Any]], tolerance: float) -> bool:
    """Whether every numbered part on the left has its own close one on the right."""
    if len(left) != len(right):
        return False
    rest = list(right)
    for number, part in left:
        match = next(
            (
                own
                for own in rest
                if _close(number, own[0], tolerance) and _close(part, own[1], tolerance)
            ),
            None,
        )
        if match is None:
            return False
        rest.remove(match)
    return True
