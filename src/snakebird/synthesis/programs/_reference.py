"""References: Python functions that say what a program should answer."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snakebird.errors import InputError, SnakebirdError, UnknownNameError, suggest
from snakebird.synthesis.programs._example import OUTPUT, Example
from snakebird.synthesis.programs._values import Value, difference, show

Reference = Callable[..., Any]
"""Called with a list for each input, by name; gives the answers of every tick, as a list or as a
dict of lists. What it answers up to a tick may depend on later inputs only within the latency."""


@dataclass(frozen=True)
class Stepwise:
    """A reference given as one step, as a proof by induction needs it.

    `step(state, x=..., ...)` takes what arrives in a tick and gives the next state and the answer:
    a value, or a dict of answers by the names of outputs (so an answer that is a tree needs its
    output's name). It changes nothing. `start` is the state before the first tick.

    >>> running_sum = Stepwise(lambda total, x: (total + x, total + x), 0)
    >>> running_sum(x=[1, 2, 3])
    [1, 3, 6]
    """

    step: Callable[..., Any]
    start: Any

    def __call__(self, **inputs: Sequence[Value]) -> Any:
        state, answers = self.start, []
        for now in zip(*inputs.values(), strict=True):
            given = self.step(state, **dict(zip(inputs, now, strict=True)))
            state, answer = state_and_answer(given)
            answers.append(answer)
        names = _names(answers)
        return {name: [answer[name] for answer in answers] for name in names} if names else answers


def state_and_answer(given: Any) -> tuple[Any, Any]:
    """What a step gave; raises `InputError` for anything but the two."""
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise InputError(
            f"a step gives {given!r}, expected the next state and the answer",
            "the reference",
            "return (state, answer)",
        )
    return given[0], given[1]


def _names(answers: Sequence[Any]) -> tuple[str, ...]:
    """The names of the outputs of a step; none if its answers are values."""
    found = {tuple(sorted(a)) if isinstance(a, Mapping) else None for a in answers}
    if len(found) > 1 or () in found:
        shown = sorted({show(answer) for answer in answers})[:3]
        raise InputError(
            f"a step answers {', '.join(shown)}: not always the same outputs",
            "the reference",
            f"give a value every tick, or a dict of all outputs; a tree as {{'{OUTPUT}': tree}}",
        )
    return tuple(answers[0]) if found and None not in found else ()


def answered(reference: Reference, inputs: Mapping[str, Sequence[Value]], where: str) -> Example:
    """The example of these inputs and what the reference answers.

    Raises `InputError` where the reference fails or does not answer every tick, and
    `UnknownNameError` for an input that it does not take.
    """
    _check_takes(reference, inputs)
    try:
        given = reference(**{name: list(stream) for name, stream in inputs.items()})
    except SnakebirdError:
        raise
    except Exception as error:
        shown = ", ".join(f"{name}={list(inputs[name])!r}" for name in inputs)
        raise InputError(
            f"the reference raised {type(error).__name__}: {error}",
            f"{where}, {shown if len(shown) <= 300 else shown[:297] + '...'}",
            "it is called with one list for each input, by name",
        ) from error
    outputs = given if isinstance(given, Mapping) else {OUTPUT: given}
    return Example(inputs, outputs, where=where)


def _check_takes(reference: Reference, inputs: Mapping[str, Any]) -> None:
    given = reference.step if isinstance(reference, Stepwise) else reference
    try:
        parameters = list(inspect.signature(given).parameters.values())
    except (TypeError, ValueError):
        return
    names = [p.name for p in parameters[1 if isinstance(reference, Stepwise) else 0 :]]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    for name in inputs:
        if name not in names:
            what = f"the reference takes no input named {name!r}"
            raise UnknownNameError(what, "draws", suggest(name, names))


def check_causal(reference: Reference, example: Example, *, latency: int, tolerance: Any) -> None:
    """Raise `InputError` where the answers to a whole example differ from those to its first part.

    A stream program cannot look ahead further than the latency it is given.
    """
    half = (example.ticks + 1) // 2
    part = {name: stream[:half] for name, stream in example.inputs.items()}
    early = answered(reference, part, example.where)
    for name, t in ((name, t) for name in early.outputs for t in range(half - latency)):
        whole, first = example.outputs[name][t], early.outputs[name][t]
        differ = (whole is None) != (first is None)
        if differ or difference(whole, first) > 2 * tolerance:
            raise InputError(
                f"the answer {name!r} at tick {t} is {show(first)} after {half} ticks, and "
                f"{show(whole)} after {example.ticks}: it depends on what comes later, "
                "or on chance",
                example.where,
                "answer from what has arrived, without chance, or give latency=, the ticks the "
                "answer needs more",
            )
