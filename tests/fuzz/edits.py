"""Valid files, spoiled: bytes, pieces and tokens replaced by what readers stumble over."""

import re
from collections.abc import Callable
from random import Random

SCALARS = (
    b"NaN", b"-Infinity", b"1e999999999", b"-0", b"0.1e-400", b"1e308", b"007", b"0x10", b"1_000",
    b"9" * 5000, b"0." + b"3" * 3000, b"10000000000000000000000", b"null", b"true", b"3", b"-1",
    b"0", b"0.5", b"2",
)  # fmt: skip
"""Numbers and words that stand in JSON and in tables, some of them nowhere."""

TEXTS = (
    b"", b"1/0", b"1/3", b"-1/3", b"1e1000000000", b"1e-1000000000", b"1e400/3", b"9" * 5000,
    b"\\ud800", b"\\u0000", b"\\u2028", b"\\u0085", b"\\n", b"\\r\\n", b"\\u001b[31m", b":number",
    b"x" * 300, b"output", b"self", b"__class__", b"os:system", b"builtins:eval", b"a.b", b"None",
    b"\xc3\xa9", b"\xf0\x9f\x90\x8d", b"nan", b" 1 ", b"+1", b"\xd9\xa3",
)  # fmt: skip
"""What stands between quotes."""

VALUES = (
    *SCALARS, *(b'"' + text + b'"' for text in TEXTS), b"[]", b"{}", b"[[]]", b"[1, [2]]",
    b"[1, 2.5]", b"[null]", b'["a", "b"]', b'{":number": {"a": 1}}', b'{"": 1}',
    b'{"a": 1, "a": 2}', b'{"machine": {}}', b'{"pairs": [["a", 1]]}', b'{"value": [1]}',
    b'{":number": 3, "a": 0}', b'{"space": [["a"]]}', b'{"space": [{"path": [], "shape": [9, 9]}]}',
    b'{"space": [{"path": [], "shape": [1000000000000]}]}',
    b'{"function": "os:system"}', b"[" * 60 + b"]" * 60, b'{"a":' * 60 + b"1" + b"}" * 60,
)  # fmt: skip
"""Whole values of JSON, as they may stand in place of another."""

MILD = (b"2", b"0.5", b"0", b"-1", b"true", b"null", b'"1/3"', b'"a"', b"[1, 2.5]", b"[]", b"{}")
"""Values that are often right in another place."""

SIGNS = (
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b'"', b"'", b"\r", b"\n", b"\r\n", b"\t",
    b",", b";", b"{", b"}", b"[", b"]", b":", b"\\", b"/", b"e", b"\xc2\x85", b"\xe2\x80\xa8",
    b"\x0c", b"\x1a", b",,,,", b'""', b"=1+1", b" ",
)  # fmt: skip
"""Single signs, some of which mean something to the formats."""

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[^\s{}\[\]:,;"]+|[{}\[\]:,;\n]')
_WHOLE = re.compile(
    rb'"(?:[^"\\]|\\.)*"(?!\s*:)|(?<![\w.+-])-?\d[\d.eE+-]*|\b(?:true|false|null)\b'
)


def edited(data: bytes, random: Random) -> bytes:
    """The data with one to four edits."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        data = random.choice(_EDITS)(data, random)
    return data


def with_wrong_leaves(data: bytes, random: Random) -> bytes:
    """A JSON text of the same outline, a few of its leaves replaced by other values."""
    for _ in range(random.choice((1, 1, 2, 3))):
        leaves = list(_WHOLE.finditer(data))
        if leaves:
            leaf, other = random.choice(leaves), random.choice(leaves)[0]
            value = random.choice(random.choice((MILD, VALUES, (other,))))
            data = data[: leaf.start()] + value + data[leaf.end() :]
    return data


def _flipped(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _piece(data: bytes, random: Random) -> tuple[int, int]:
    at = random.randrange(len(data) + 1)
    return at, min(len(data), at + random.choice((1, 2, 4, 16, 64)))


def _dropped(data: bytes, random: Random) -> bytes:
    first, last = _piece(data, random)
    return data[:first] + data[last:]


def _doubled(data: bytes, random: Random) -> bytes:
    first, last = _piece(data, random)
    return data[:last] + data[first:last] * random.choice((1, 1, 2, 30)) + data[last:]


def _moved(data: bytes, random: Random) -> bytes:
    first, last = _piece(data, random)
    at = random.randrange(len(data) + 1)
    return data[:at] + data[first:last] + data[at:]


def _inserted(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(random.choice((SIGNS, VALUES, TEXTS))) + data[at:]


def _replaced(data: bytes, random: Random) -> bytes:
    """One token replaced by another of the same data, or by a bad one."""
    tokens = list(_TOKEN.finditer(data))
    if not tokens:
        return _inserted(data, random)
    token, other = random.choice(tokens), random.choice(tokens)[0]
    new = random.choice((other, random.choice(VALUES), random.choice(SIGNS), random.choice(TEXTS)))
    return data[: token.start()] + new + data[token.end() :]


_EDITS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _flipped, _cut, _dropped, _doubled, _moved, _inserted, _replaced, _replaced, with_wrong_leaves,
)  # fmt: skip
