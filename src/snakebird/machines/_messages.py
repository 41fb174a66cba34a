"""What arrives from outside, tick by tick."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.machines._machine import Machine

Inputs = Mapping[str, Any]
"""For each source: a text (one token a tick), a sequence of tokens and values (`None`: nothing),
a `collections.deque` that others fill (at most one message a tick is taken), or a function of the
tick."""


class Messages:
    """Reads the inputs of a run, one tick after the other; knows how many ticks they last."""

    def __init__(self, machine: Machine, inputs: Inputs | None):
        self._feeds = {name: _feed(machine, name, given) for name, given in (inputs or {}).items()}
        lengths = [length for _, length in self._feeds.values() if length is not None]
        self.length = max(lengths, default=None)

    def at(self, tick: int) -> dict[str, Any]:
        """The messages of a tick; sources without one are absent."""
        found = {name: feed(tick) for name, (feed, _) in self._feeds.items()}
        return {name: message for name, message in found.items() if message is not None}


def _feed(machine: Machine, name: str, given: Any) -> tuple[Callable[[int], Any], int | None]:
    sources = [key for key, neuron in machine.neurons.items() if neuron.type.external]
    if name not in sources:
        raise UnknownNameError(f"no source is named {name!r}", "inputs", suggest(name, sources))
    if isinstance(given, deque):
        return (lambda tick: tokens(machine, name, [given.popleft()])[0] if given else None), None
    if callable(given):
        return (lambda tick: tokens(machine, name, [given(tick)])[0]), None
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise InputError(
            f"found {type(given).__name__}, "
            "expected a text, a list of values, a deque or a function of the tick",
            f"inputs of {name!r}",
            f"for one message write {{{name!r}: [value]}}",
        )
    values = tokens(machine, name, given)
    return (lambda tick: values[tick] if tick < len(values) else None), len(values)


def tokens(machine: Machine, name: str, words: Iterable[Any]) -> list[Any]:
    """The messages `{token: 1}` for a text or a list of words; what is no text stays as it is.

    Raises `InputError` for a word outside the token set.
    """
    known = dict.fromkeys(machine.neurons[name].parameters.get("tokens") or ())
    found = list(words)
    for at, word in enumerate(found):
        if known and isinstance(word, str) and word not in known:
            raise InputError(
                f"token {word!r} at position {at} is not among the {len(known)} tokens of {name!r}",
                f"inputs of {name!r}",
                suggest(word, known) + "; or leave it out, or add it to tokens=",
            )
    return [{word: 1} if isinstance(word, str) else word for word in found]
