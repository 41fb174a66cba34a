"""Messages for the sources of a running machine."""

from collections.abc import Mapping
from typing import Any

from snakebird import vvalues as vv
from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.machines import Machine, tokens
from snakebird.neurons import message_space
from snakebird.running._form import Form
from snakebird.vvalues import Space


def sources_of(machine: Machine) -> list[str]:
    """The neurons that take messages."""
    return [name for name, neuron in machine.neurons.items() if neuron.type.external]


def messages_of(machine: Machine, source: str, given: Any) -> tuple[Any, ...]:
    """What was sent as messages, one a tick, each a tree or `None`.

    Raises `UnknownNameError` for a source that is not there, `InputError` for a message the
    source does not take.
    """
    known = sources_of(machine)
    if source not in known:
        raise UnknownNameError(f"no source is named {source!r}", "send", suggest(source, known))
    items = list(given) if isinstance(given, (str, list, tuple)) else [given]
    return tuple(_message(machine, source, item) for item in items)


def _message(machine: Machine, source: str, item: Any) -> Any:
    if item is None:
        return None
    if isinstance(item, str):
        return tokens(machine, source, [item])[0]
    tree = vv.unflatten(item)
    vv.check(tree)
    return tree if isinstance(tree, Mapping) else {vv.NUMBER: tree}


def heard_with(form: Form, source: str, messages: tuple[Any, ...]) -> Mapping[str, Space] | None:
    """What sources that declare nothing have heard, once these messages came; `None` if no more.

    Raises `InputError` for a message outside what a source declares.
    """
    declared = message_space(form.machine.neurons[source].parameters)
    known = form.heard.get(source, declared)
    space = known
    seen: set[tuple[str, ...]] = set()
    for at, message in enumerate(messages):
        flat = message is not None and all(map(vv.is_exact, message.values()))
        if message is None or (flat and tuple(message) in seen):
            continue
        own = Space.of(message)
        if own <= space:
            seen |= {tuple(message)} if flat else set()
            continue
        if declared.size:
            path = next(
                p for p in own.paths if p not in declared or own.shape(p) != declared.shape(p)
            )
            raise InputError(
                f"message {at} has {vv.show_path(path)}, which {source!r} does not take",
                f"messages for {source!r}",
                f"it takes {declared!r}",
            )
        space |= own
    return None if space == known else {**form.heard, source: space}
