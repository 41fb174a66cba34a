"""From the expressions of a machine to terms of a library."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from jaxtyping import Float

from snakebird.synthesis.laws._terms import Inner, Term, split, symbol

_SMALL = 0.01
"""What a term must be of its output at least, root mean square, to count."""
_NEAR = 0.2
"""How far a number inside a function may be from the simple one it is taken for, relatively."""
_INSIDE = 2
"""How many constants inside a term are fitted at most."""


def terms_of(
    expressions: Mapping[str, Any], inputs: tuple[str, ...], points: Float[np.ndarray, "m inputs"]
) -> list[Term]:
    """The terms that matter at these points, largest share of an output first.

    A number inside a function stands there as the simple one it may be, and as a constant.

    >>> x = sp.Symbol("x", real=True)
    >>> [str(t) for t in terms_of({"a": 2 * x * sp.sin(1.05 * x)}, ("x",), np.ones((3, 1)))]
    ['x*sin(x)', 'x*sin(k1*x)']
    """
    found: dict[Any, float] = {}
    for expression in expressions.values():
        parts = sp.Add.make_args(sp.expand(expression))
        sizes = [_size(part, inputs, points) for part in parts]
        whole = _size(expression, inputs, points) + 1e-300
        for part, size in zip(parts, sizes, strict=True):
            rest = split(part)[1]
            if size >= _SMALL * whole:
                found[rest] = max(found.get(rest, 0.0), size / whole)
    order = sorted(found, key=lambda rest: (-found[rest], sp.srepr(rest)))
    return [term for rest in order for term in _forms(rest, inputs)]


def _size(e: Any, inputs: tuple[str, ...], points: np.ndarray) -> float:
    value = sp.lambdify([symbol(name) for name in inputs], e, "numpy")(*points.T)
    root = float(np.sqrt(np.mean(np.square(np.broadcast_to(value, len(points))))))
    return root if np.isfinite(root) else 0.0


def _forms(rest: Any, inputs: tuple[str, ...]) -> list[Term]:
    """A term with simple numbers inside, and with constants to be fitted."""
    inside = sorted(rest.atoms(sp.Float), key=float)
    if not inside:
        return [Term(rest, inputs)]
    found = []
    simple = {number: _simple(float(number)) for number in inside}
    if all(n is not None for n in simple.values()):
        # Phases that turn out simple may leave a factor or a sum behind.
        parts = sp.Add.make_args(sp.expand(rest.xreplace(simple)))
        found += [Term(own, inputs) for own in (split(p)[1] for p in parts) if own.free_symbols]
    if len(inside) <= _INSIDE:
        names = [f"k{i}" for i in range(1, 9) if f"k{i}" not in inputs]
        own = [Inner(name, start=float(n)) for name, n in zip(names, inside, strict=False)]
        constant = dict(zip(inside, (inner.symbol for inner in own), strict=True))
        found.append(Term(rest.xreplace(constant), inputs, inner=tuple(own)))
    return found


def _simple(number: float) -> Any:
    """The whole or half number that is near, if one is."""
    near = sp.Rational(round(2 * number), 2)
    return near if near != 0 and abs(float(near) - number) <= _NEAR * abs(number) else None
