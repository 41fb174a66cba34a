"""How deeply trees are nested, without recursion."""

from collections.abc import Mapping
from typing import Any

DEEPEST = 100
"""How many levels a machine file may have, and a tree that is printed as source."""


def deeper(value: Any, limit: int = DEEPEST) -> bool:
    """Whether mappings and lists are nested deeper than that.

    >>> deeper({"a": [1]}, 2), deeper({"a": [1]}, 1)
    (False, True)
    """
    branches = (Mapping, list, tuple)
    level = [value] if isinstance(value, branches) else []
    for _ in range(limit):
        inner = [node.values() if isinstance(node, Mapping) else node for node in level]
        level = [leaf for part in inner for leaf in part if isinstance(leaf, branches)]
        if not level:
            return False
    return True
