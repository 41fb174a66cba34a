"""Python run on numbers nobody knows: every comparison forks, and each path is run once.

A reference is ordinary Python. Run on `Symbol`s it computes terms of the solver; where it asks
whether one number is above another, both answers are tried, as far as they are possible.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from fractions import Fraction
from typing import Any

from snakebird.errors import MachineError
from snakebird.synthesis.programs._exact import as_exact

MOST_PATHS = 1000
"""A step with more paths than this is not followed."""


class Unprovable(Exception):
    """Something that no proof is known for; the text says what."""


class NewToken(Exception):
    """The reference compared a token with one that nobody knew of, which is to be told apart."""

    def __init__(self, token: str):
        super().__init__(token)
        self.token = token


def solver() -> Any:
    """The solver's Python module; raises `MachineError` where it is not installed."""
    try:
        import z3
    except ImportError:
        raise MachineError(
            "a proof by induction needs the solver z3, which is not installed",
            "prove",
            "pip install 'snakebird[proof]'",
        ) from None
    return z3


def number(value: Any) -> Any:
    """A number of Python as the solver takes it; raises `Unprovable` for what is none."""
    value = as_exact(value)
    if isinstance(value, Symbol):
        return value.term
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, Fraction):
        return solver().RealVal(f"{value.numerator}/{value.denominator}")
    raise Unprovable(f"{value!r} is no number that can be reasoned about")


class World:
    """One path: the decisions taken so far, and the conditions under which they are."""

    def __init__(self, checker: Any, prefix: tuple[bool, ...]):
        self.checker, self.prefix = checker, prefix
        self.taken: tuple[bool, ...] = ()
        self.conditions: list[Any] = []
        self.open: list[tuple[bool, ...]] = []

    def decide(self, condition: Any) -> bool:
        """Which way to go; the other one is noted, if it is possible."""
        z3 = solver()
        known = z3.simplify(condition)
        if z3.is_true(known) or z3.is_false(known):
            return z3.is_true(known)
        at = len(self.taken)
        choice = self.prefix[at] if at < len(self.prefix) else self._chosen(condition)
        self.taken += (choice,)
        self.conditions.append(condition if choice else z3.Not(condition))
        return choice

    def _chosen(self, condition: Any) -> bool:
        possible = [self._possible(condition), self._possible(solver().Not(condition))]
        if all(possible):
            self.open.append((*self.taken, False))
        return possible[0]

    def _possible(self, condition: Any) -> bool:
        return self.checker.check(*self.conditions, condition) != solver().unsat


_world: ContextVar[World | None] = ContextVar("world", default=None)


def decide(condition: Any) -> bool:
    """Whether a condition holds on the path that is being run."""
    world = _world.get()
    if isinstance(condition, bool) or world is None:
        return bool(condition)
    return world.decide(condition)


def paths(
    function: Callable[[], Any], assumptions: Sequence[Any]
) -> Iterator[tuple[list[Any], Any]]:
    """Every path of a function: its conditions, and what it gave there."""
    checker = solver().Solver()
    checker.set("timeout", 2000)
    checker.add(*assumptions)
    waiting: list[tuple[bool, ...]] = [()]
    for _ in range(MOST_PATHS):
        if not waiting:
            return
        world = World(checker, waiting.pop())
        before = _world.set(world)
        try:
            result = function()
        finally:
            _world.reset(before)
        waiting += world.open
        yield world.conditions, result
    raise Unprovable(f"the reference has more than {MOST_PATHS} paths")


def _binary(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def method(self: "Symbol", other: Any) -> Any:
        if not isinstance(other, Symbol | int | Fraction | float):
            return NotImplemented
        return Symbol(operation(self.term, number(other)))

    return method


def _asked(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def method(self: "Symbol", other: Any) -> Any:
        if not isinstance(other, Symbol | int | Fraction | float):
            return NotImplemented
        return decide(operation(self.term, number(other)))

    return method


class Symbol:
    """A number that nobody knows; comparisons decide which path is run."""

    def __init__(self, term: Any):
        self.term = term

    __add__ = _binary(lambda a, b: a + b)
    __radd__ = _binary(lambda a, b: b + a)
    __sub__ = _binary(lambda a, b: a - b)
    __rsub__ = _binary(lambda a, b: b - a)
    __mul__ = _binary(lambda a, b: a * b)
    __rmul__ = _binary(lambda a, b: b * a)
    __lt__ = _asked(lambda a, b: a < b)
    __le__ = _asked(lambda a, b: a <= b)
    __gt__ = _asked(lambda a, b: a > b)
    __ge__ = _asked(lambda a, b: a >= b)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Symbol | int | Fraction | float):
            return False
        return decide(self.term == number(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __neg__(self) -> "Symbol":
        return Symbol(-self.term)

    def __pos__(self) -> "Symbol":
        return self

    def __abs__(self) -> "Symbol":
        return -self if self < 0 else self

    def __bool__(self) -> bool:
        return self != 0

    def __truediv__(self, other: Any) -> "Symbol":
        if isinstance(other, Symbol) or other == 0:
            raise Unprovable("the reference divides by a number that is not fixed")
        return self * (1 / Fraction(other))

    def __floordiv__(self, other: Any) -> "Symbol":
        return Symbol(self._whole(other) / other)

    def __mod__(self, other: Any) -> "Symbol":
        return Symbol(self._whole(other) % other)

    def _whole(self, other: Any) -> Any:
        if not isinstance(other, int) or other <= 0 or not self.term.is_int():
            raise Unprovable("the reference divides with rest by what is no positive whole number")
        return self.term

    def __hash__(self) -> int:
        raise Unprovable("the reference uses a number as a key")

    def _refuse(self, *_: Any) -> Any:
        raise Unprovable("the reference uses a number as an index, or rounds it")

    __int__ = __index__ = __float__ = __round__ = __floor__ = __ceil__ = __trunc__ = _refuse
    __pow__ = __rpow__ = __rtruediv__ = __rfloordiv__ = __rmod__ = _refuse


class Fresh(str):
    """A token about which nothing is known but that it is none of the `known` ones."""

    known: frozenset[str]

    def __new__(cls, text: str, known: Iterable[str] = ()) -> "Fresh":
        self = super().__new__(cls, text)
        self.known = frozenset(known)
        return self

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str) and not isinstance(other, Fresh) and other not in self.known:
            raise NewToken(other)
        return self is other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return str.__hash__(self)


def _refused(name: str) -> Callable[..., Any]:
    def method(self: Fresh, *_: Any) -> Any:
        raise Unprovable(f"the reference looks into a token, by {name}")

    return method


_KEPT = {"__new__", "__eq__", "__ne__", "__hash__", "__getattribute__", "__doc__"}
for _name in vars(str).keys() - _KEPT:
    setattr(Fresh, _name, _refused(_name))


def same_token(one: Any, other: Any) -> bool:
    """Whether two tokens are one, without asking a `Fresh` one."""
    return one is other or (type(one) is str and type(other) is str and one == other)


class Opaque:
    """What stands under tokens that a step has nothing to do with: it may be copied, not read."""

    def _same(self, *_: Any) -> "Opaque":
        return self

    def _refuse(self, *_: Any) -> Any:
        raise Unprovable("the reference reads all of a dict, not just what stands at the token")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _same
    __neg__ = __pos__ = __abs__ = __floordiv__ = __mod__ = _same
    __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __int__ = __index__ = __float__ = _refuse
    __eq__ = __ne__ = _refuse

    def __hash__(self) -> int:
        return id(self)
