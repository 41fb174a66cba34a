"""The few functions of dicts that standalone programs may need, as source."""

import re

HELPERS = {
    "add": '''
def add(*terms):
    """The sum of dicts of numbers."""
    total = {}
    for term in terms:
        for key, n in term.items():
            total[key] = total.get(key, 0) + n
    return {key: n for key, n in total.items() if n}
''',
    "scale": '''
def scale(factor, value):
    """Every number times a factor."""
    return {key: factor * n for key, n in value.items() if factor}
''',
    "times": '''
def times(x, y):
    """The product of the numbers under each key."""
    return {key: n * y[key] for key, n in x.items() if key in y}
''',
    "inner": '''
def inner(x, y):
    """The sum of the products of the numbers under each key."""
    return sum(n * y[key] for key, n in x.items() if key in y)
''',
    "each": '''
def each(function, value):
    """A function of every number."""
    return {key: function(n) for key, n in value.items() if n}
''',
    "both": '''
def both(function, x, y):
    """A function of the two numbers under each key."""
    return {key: function(x.get(key, 0), y.get(key, 0)) for key in {**x, **y}}
''',
    "deep": '''
def deep(value):
    """A dict token -> number as a dict path -> number."""
    return {(key,): n for key, n in value.items()}
''',
    "under": '''
def under(key, value):
    """The value put under a key."""
    return {(key, *path): n for path, n in value.items()}
''',
    "below": '''
def below(value, path):
    """The part of a value at a path."""
    size = len(path)
    return {longer[size:]: n for longer, n in value.items() if longer[:size] == path}
''',
    "masked": '''
def masked(mask, value):
    """Each number of the mask times all that the value has at and below its path."""
    factors = lambda path: sum(mask.get(path[:k], 0) for k in range(len(path) + 1))
    return {path: n * factors(path) for path, n in value.items()}
''',
    "mask_sum": '''
def mask_sum(row, value):
    """Each number of the row times what the value has at its path, all added up."""
    return add(*(scale(n, below(value, path)) for path, n in row.items()))
''',
    "outer": '''
def outer(x, y):
    """Every path of `x` followed by every path of `y`."""
    return {p + q: m * n for p, m in x.items() for q, n in y.items()}
''',
    "cons": '''
def cons(signal, rest, flag=()):
    """A signal that is not zero (at `flag`) put before a list."""
    if not any(below(signal, flag).values()):
        return rest
    return {**under("this", signal), **under("rest", rest)}
''',
    "token": '''
def token(value):
    """A token as a dict in which it counts once."""
    return {value: 1} if isinstance(value, str) else value
''',
    "paths": '''
def paths(value, at=()):
    """A token, a number or nested dicts as a dict path -> number."""
    if isinstance(value, str):
        return {(value,): 1}
    if not isinstance(value, dict):
        return {at: value}
    parts = [(part, at if key == ":number" else (*at, key)) for key, part in value.items()]
    return {path: n for part, where in parts for path, n in paths(part, where).items()}
''',
    "nested": '''
def nested(value):
    """A dict path -> number as nested dicts."""
    root = {}
    for path in sorted(value, key=len, reverse=True):
        node = root
        for key in path[:-1]:
            node = node.setdefault(key, {})
        if path and path[-1] not in node:
            node[path[-1]] = value[path]
        else:
            (node[path[-1]] if path else node)[":number"] = value[path]
    return root
''',
}


def needed(body: str) -> list[str]:
    """The sources of the helpers that a piece of code calls, and of those that they call.

    >>> [text.split("(")[0].strip() for text in needed("a = mask_sum(b, c)")]
    ['def add', 'def scale', 'def below', 'def mask_sum']
    """
    found: set[str] = set()
    waiting = [body]
    while waiting:
        text = waiting.pop()
        for name in HELPERS.keys() - found:
            if re.search(rf"\b{name}\(", text):
                found.add(name)
                waiting.append(HELPERS[name])
    return [HELPERS[name].strip("\n") for name in HELPERS if name in found]
