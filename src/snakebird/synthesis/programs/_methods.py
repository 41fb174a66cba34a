"""The methods of a search: each gives candidate machines, from what it is told."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from snakebird import vvalues as vv
from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.machines import Machine
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._found import Look

SHARE = 0.5
"""The part of the time that a user's own method may take, if another one follows."""

_MORE_ROWS = 24, 120
"""So many drawn examples beside those given, at first and once a program that fits has failed."""


@dataclass(frozen=True)
class Task:
    """What a method is told: what to find, how long it may take, whom to tell.

    `examples` are those to fit, `counterexamples` so many of them on which candidates failed.
    `template` and `starts` are what the user gave to `synthesize`, `budget` is seconds. `enough()`
    says whether to stop before, `near(machine, unexplained)` notes what comes near, and
    `look(stage, known)` tells whoever looks on.
    """

    examples: Examples
    counterexamples: int
    template: Any
    starts: int
    seed: int
    budget: float
    enough: Callable[[], bool]
    near: Callable[[Machine, float], None]
    look: Look

    def with_drawn(self) -> Examples:
        """The examples and, where they can be drawn, some more of the same length."""
        if not self.examples.can_draw:
            return self.examples
        given = self.examples.items[: len(self.examples.items) - self.counterexamples]
        length = max(item.ticks for item in given)
        more = self.examples.fresh(
            length, _MORE_ROWS[self.counterexamples > 0], seed=self.seed + 1
        )  # fmt: skip
        return replace(self.examples, items=(*self.examples.items, *more.items))


@dataclass(frozen=True)
class Method:
    """A way to find programs: a function that gives one candidate after the other.

    `programs(task)` is an iterator of machines; `None` in between says that a round is over, where
    the search may end. Candidates need not be right: each is made smaller and held against inputs
    that no method saw. `share` is the part that the method may take of the time that is left, if
    another one follows.

    >>> import snakebird as sb
    >>> def doubles(task):
    ...     yield Machine(
    ...         {**task.examples.sources(), "output": "output"}, ["output.result <- 2 * x.signal"]
    ...     )
    >>> asked = sb.Examples.from_reference(
    ...     lambda x: [0, *(2 * n for n in x[:-1])], {"x": sb.synthesis.Integers(0, 9)}
    ... )
    >>> sb.synthesize(asked, methods=[doubles], budget=20).exact
    True
    """

    name: str
    programs: Callable[[Task], Iterator[Machine | None]]
    share: float = SHARE

    def __repr__(self) -> str:
        return self.name


def _automaton(task: Task) -> Iterator[Machine | None]:
    from snakebird.synthesis.programs._automaton import automaton_programs

    return automaton_programs(task.examples, seed=task.seed, budget=task.budget)


def _grow(keep: int, levels: int) -> Callable[[Task], Iterator[Machine | None]]:
    def grow(task: Task) -> Iterator[Machine | None]:
        from snakebird.synthesis.programs._growing import grown_programs

        return grown_programs(
            task.with_drawn(), seed=task.seed, budget=task.budget, look=task.look,
            near=task.near, keep=keep, levels=levels,
        )  # fmt: skip

    return grow


def _train(task: Task) -> Iterator[Machine | None]:
    from snakebird.synthesis.programs._trained import trained_programs

    return _trained(task, trained_programs)


def _repair(task: Task) -> Iterator[Machine | None]:
    from snakebird.synthesis.programs._trained import repair_programs

    return _trained(task, repair_programs)


def _trained(task: Task, search: Any) -> Iterator[Machine | None]:
    from snakebird.synthesis.programs._templates import Layers

    template = task.template
    if not isinstance(template, Machine):
        template = (template or Layers()).machine(task.examples)
    return search(
        template, task.examples, starts=task.starts, seed=task.seed, budget=task.budget,
        watch=task.look, enough=task.enough,
    )  # fmt: skip


REPAIR = Method("repair", _repair, 0.5)
"""Begins from a machine."""

METHODS = {
    method.name: method
    for method in (
        Method("automaton", _automaton, 0.2),
        Method("grow", _grow(keep=24, levels=3), 0.4),
        Method("train", _train, 0.6),
        Method("deepen", _grow(keep=48, levels=6), 1.0),
    )
}
"""The methods by name, in their usual order."""

FEW = ("grow", "automaton", "train", "deepen")
"""Their order where there is no reference to ask: an automaton fits anything, at some length."""


def chosen(methods: Any, examples: Examples, template: Any) -> list[Method]:
    """The methods to try: names, `Method`s, functions of a `Task`; by default the usual ones.

    One alone need not be in a list.
    """
    if methods is None:
        usual = tuple(METHODS) if examples.can_draw else FEW
        methods = ("train",) if template is not None else usual
    if isinstance(methods, str):
        methods = methods.replace(",", " ").split()
    if isinstance(methods, Method) or not isinstance(methods, Iterable):
        methods = [methods]
    found = [_method(one) for one in methods]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two methods are named {name!r}", "methods", "name each differently")
    if not found:
        raise InputError("there are no methods", "methods", f"some of {', '.join(METHODS)}")
    return found


def _method(given: Any) -> Method:
    if isinstance(given, Method):
        return given
    if isinstance(given, str):
        if given not in METHODS:
            raise UnknownNameError(
                f"no method is named {given!r}", "methods", suggest(given, METHODS)
            )
        return METHODS[given]
    if callable(given):
        name = getattr(given, "__name__", type(given).__name__)
        return Method(name, cast(Any, given))
    hint = "give a name, or a function of a `Task` that yields machines"
    raise InputError(f"{given!r} is no method", "methods", hint)


def candidates_of(method: Method, task: Task) -> Iterable[Any]:
    """What a method gives, if that can be gone through; raises `InputError` for anything else."""
    given: Any = method.programs(task)
    if isinstance(given, Machine) or not isinstance(given, Iterable):
        what = f"a method gives a {type(given).__name__}, expected machines one after the other"
        raise InputError(what, f"method {method.name}", "yield machines, where it returns one")
    return given


def check_names(machine: Machine, examples: Examples, method: str) -> None:
    """Raise `InputError` for a candidate with streams of names that the examples do not know.

    It may lack a source, which it ignores then, and give more than is asked.
    """
    where = f"method {method}"
    strange = [name for name in _waiting(machine) if name not in examples.inputs]
    lacking = [name for name in examples.inputs if name not in machine.neurons]
    if strange and lacking:
        what = f"a candidate has no source {lacking[0]!r}"
        raise InputError(what, where, f"it has {strange[0]!r}: name sources as the examples do")
    if strange:
        what = f"a candidate reads a source {strange[0]!r}, which no example has"
        raise InputError(what, where, suggest(strange[0], examples.inputs))
    given = {link.input: None for link in machine.links if link.to == "output"}
    strange = [name for name in given if name not in examples.outputs]
    lacking = [name for name in examples.outputs if name not in given]
    if strange and lacking and machine.matrix_from is None:
        what = f"a candidate gives {strange[0]!r}, asked is {lacking[0]!r}"
        raise InputError(what, where, f"end its links at output.{lacking[0]}")


def _waiting(machine: Machine) -> list[str]:
    """The sources that are read and give nothing by themselves."""
    read = {link.source[0] for link in machine.links}
    outside = {name: x for name, x in machine.neurons.items() if x.type.external and name in read}
    return [name for name, x in outside.items() if not vv.count(x.parameters.get("default", {}))]
