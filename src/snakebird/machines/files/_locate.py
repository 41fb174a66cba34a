"""Where in a JSON text a value stands."""

import json
import re
from collections.abc import Iterator

JsonPath = tuple[str | int, ...]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


def places(text: str) -> Iterator[tuple[JsonPath, int]]:
    """Every value of a valid JSON text: its path and its line, from 1.

    >>> list(places('{"a": [1,\\n 2]}'))
    [((), 1), (('a',), 1), (('a', 0), 1), (('a', 1), 2)]
    """
    path: list[str | int | None] = []  # None: inside an object, before a key
    line, seen = 1, 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        line += text.count("\n", seen, token.start())
        seen = token.start()
        if sign in "}]":
            path.pop()
        elif sign == ",":
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else None
        elif sign == ":":
            continue
        elif path and path[-1] is None:
            path[-1] = json.loads(sign)
        else:
            yield tuple(key for key in path if key is not None), line
            if sign in "{[":
                path.append(0 if sign == "[" else None)


def line_of(text: str, path: JsonPath) -> int:
    """The line of the value at a path, or of the nearest value around it."""
    found = {}
    for place, line in places(text):
        found.setdefault(place, line)
    while path not in found:
        path = path[:-1]
    return found[path]


def repeated_key(text: str) -> tuple[JsonPath, int] | None:
    """The first path that a JSON text gives twice, and the line of the second."""
    found = set()
    for place, line in places(text):
        if place in found:
            return place, line
        found.add(place)
    return None


def show_json_path(path: JsonPath) -> str:
    """A path for people.

    >>> show_json_path(("links", 3, "weight")), show_json_path(("neurons", "a b"))
    ('links[3].weight', 'neurons["a b"]')
    """
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif key.isidentifier():
            text += f".{key}" if text else key
        else:
            text += f"[{json.dumps(key, ensure_ascii=not key.isprintable())}]"
    return text or "the top"
