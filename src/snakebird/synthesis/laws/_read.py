"""Expressions from texts: read from Python's own syntax tree, so that nothing in them is run."""

import ast
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sympy as sp

from snakebird.errors import SnakebirdError, UnknownNameError, suggest

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f.__name__: f for f in (sp.exp, sp.log, sp.sin, sp.cos, sp.tan, sp.atan)},
    **{f.__name__: f for f in (sp.sinh, sp.cosh, sp.tanh, sp.sqrt)},
    **{"Abs": sp.Abs, "abs": sp.Abs, "Max": sp.Max, "max": sp.Max, "Min": sp.Min, "min": sp.Min},
}
"""The functions a text may call."""

HIGHEST = 100
"""The highest power."""

_CONSTANTS = {"pi": sp.pi, "E": sp.E}
_LONGEST, _LARGEST = 10_000, 1e100


class TermError(SnakebirdError):
    """A term or law that cannot be read, or that has no real value."""


def unknown_name(name: str, where: str, known: Iterable[str]) -> UnknownNameError:
    if name in FUNCTIONS:
        return UnknownNameError(f"the function {name!r} stands alone", where, f"write {name}(...)")
    return UnknownNameError(f"no input is named {name!r}", where, suggest(name, known))


def unknown_function(name: str, where: str) -> UnknownNameError:
    return UnknownNameError(
        f"no function {name!r} may stand in a term", where, suggest(name, FUNCTIONS)
    )


def read(text: str, known: Mapping[str, sp.Symbol]) -> sp.Expr:
    """The expression a text stands for."""
    if len(text) > _LONGEST:
        raise TermError(f"a term of {len(text)} characters", hint=f"write at most {_LONGEST}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(text.strip(), mode="eval")
        return _Reader(text.strip(), known).visit(tree.body)
    except SyntaxError as error:
        raise _cannot_read(text.strip(), error.msg, error.offset or len(text) + 1) from None
    except (RecursionError, MemoryError, ValueError) as error:
        if isinstance(error, SnakebirdError):
            raise
        raise _cannot_read(
            text.strip(), "it is nested too deeply or has odd characters", 1
        ) from None


def _cannot_read(text: str, why: str, column: int, hint: str = "") -> TermError:
    hint = hint or "write an expression such as x*y**2 or sin(x)/(1 + x)"
    return TermError(f"cannot read this term: {why}", f"column {column} of {text!r}", hint)


class _Reader(ast.NodeVisitor):
    """Turns a syntax tree into SymPy; whatever it has no method for is refused."""

    def __init__(self, text: str, known: Mapping[str, sp.Symbol]):
        self.text, self.known = text, known

    def generic_visit(self, node: ast.AST) -> Any:
        kind = type(node).__name__
        raise self._refused(node, f"{kind} is no part of an expression")

    def visit_Constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            raise self._refused(node, f"{node.value!r} is no number")
        if node.value > _LARGEST:
            raise self._refused(node, "this number is too large")
        # A decimal is exact, so that 0.5*x and x/2 are the same.
        return sp.Rational(repr(node.value))

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id in self.known:
            return self.known[node.id]
        if node.id in _CONSTANTS:
            return _CONSTANTS[node.id]
        raise unknown_name(node.id, self._where(node), self.known)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        if not isinstance(node.op, (ast.USub, ast.UAdd)):
            raise self._refused(node, "only + and - may stand before a value")
        value = self.visit(node.operand)
        return -value if isinstance(node.op, ast.USub) else value

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        left, right = self.visit(node.left), self.visit(node.right)
        match node.op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.Div():
                return left / right
            case ast.Pow() if right.is_number and not _is_modest(left, right):
                raise self._refused(node, f"powers go up to {HIGHEST}")
            case ast.Pow():
                return left**right
        hint = "write x**2 for a power" if isinstance(node.op, ast.BitXor) else ""
        raise self._refused(node, f"{type(node.op).__name__} is no operation of numbers", hint)

    def visit_Call(self, node: ast.Call) -> Any:
        if not isinstance(node.func, ast.Name):
            raise self._refused(node, "only functions may be called")
        name = node.func.id
        if name not in FUNCTIONS:
            raise unknown_function(name, self._where(node))
        many = name.lower() in ("max", "min")
        if node.keywords or not (len(node.args) == 1 or (many and node.args)):
            count = "one value or more" if many else "one value"
            raise self._refused(node, f"{name} takes {count}")
        return FUNCTIONS[name](*[self.visit(arg) for arg in node.args])

    def _where(self, node: ast.AST) -> str:
        return f"column {getattr(node, 'col_offset', 0) + 1} of {self.text!r}"

    def _refused(self, node: ast.AST, why: str, hint: str = "") -> TermError:
        return _cannot_read(self.text, why, getattr(node, "col_offset", 0) + 1, hint)


def _is_modest(base: Any, exponent: Any) -> bool:
    """Whether a power is quick to write out."""
    digits = base.p.bit_length() + base.q.bit_length() if base.is_Rational else 1
    return bool(abs(exponent) <= HIGHEST and digits * abs(exponent) <= 10 * HIGHEST)
