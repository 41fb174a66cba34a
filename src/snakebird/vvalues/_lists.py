"""Lists as linked values: `{"this": head, "rest": tail}`, closed by `{"end-list": 1}`.

Source: Bukatin, Matthews, Radul, arXiv 1712.07447, section 6.3.
"""

from collections.abc import Iterable
from typing import Any

from snakebird.vvalues._algebra import VValue, get, keys
from snakebird.vvalues._flat import unflatten

END: dict[str, Any] = {"end-list": 1}
"""What stands where a linked list ends."""


def link_list(head: VValue, rest: VValue) -> VValue:
    """The list with `head` put before `rest`.

    >>> to_list(link_list({"a": 1}, from_list([{"b": 2}])))
    [{'a': 1}, {'b': 2}]
    """
    return {"this": head, "rest": rest}


def from_list(values: Iterable[VValue]) -> VValue:
    """The linked value of a Python list, its first element outermost.

    >>> from_list([1, 2])
    {'this': 1, 'rest': {'this': 2, 'rest': {'end-list': 1}}}
    """
    linked: VValue = dict(END)
    for value in reversed(list(values)):
        linked = link_list(value, linked)
    return linked


def to_list(value: VValue) -> list[VValue]:
    """The Python list of a linked value, outermost first.

    >>> to_list(from_list([{"a": 1}, {"b": 2}]))
    [{'a': 1}, {'b': 2}]
    """
    found, node = [], unflatten(value)
    while "this" in keys(node) or "rest" in keys(node):
        found.append(get(node, "this"))
        node = get(node, "rest")
    return found
