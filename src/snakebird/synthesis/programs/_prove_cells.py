"""The numbers that a state is made of, on both sides of a proof.

A cell is one number of the state of the machine or of the reference. Cells of a *family* have
such a number for every token: what a map holds under it, whether it is in a set.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import chain
from typing import Any, NamedTuple

from snakebird import vvalues as vv
from snakebird.machines import Machine
from snakebird.synthesis.programs._exact import as_exact
from snakebird.synthesis.programs._prove_domains import POOL
from snakebird.synthesis.programs._prove_symbols import (
    Fresh,
    Opaque,
    Symbol,
    Unprovable,
    decide,
    same_token,
)

EVERY = "[k]"
"""Stands in the place of any token in the path of a cell."""

Cell = tuple[Any, ...]
"""What names a number of a state: "machine" with neuron, output and path, or "state" with keys."""

AT = "at"
"""Begins the name of what a family has at one token: the token and the cell follow."""

LARGEST = "largest"
"""Begins the name of the largest size of a family: its cell follows."""


class Encoded(NamedTuple):
    """A state as numbers (or terms): those that stand alone, and those of every token."""

    alone: dict[Cell, Any]
    tokens: dict[str, dict[Cell, Any]]

    def put(self, cell: Cell, token: str | None, value: Any) -> None:
        """Write a number of a cell, of a token if the cell is one of a family."""
        part = self.alone if token is None else self.tokens.setdefault(token, {})
        part[cell] = value

    def name_tokens(self, cells: Iterable[Cell]) -> None:
        """Let what is at single tokens stand alone as well, under names of its own."""
        for cell in cells:
            if cell[0] == AT:
                self.alone[cell] = self.tokens.get(cell[1], {}).get(cell[2], 0)


def named_cells(tokens: Iterable[str], family: Iterable[Cell]) -> list[Cell]:
    """The names of what a family has at these tokens."""
    return [(AT, token, cell) for token in tokens for cell in family if cell[-2:-1] != ("has",)]


def kept_outputs(machine: Machine) -> list[tuple[str, str]]:
    """The outputs that some link reads a tick later: all that a machine remembers."""
    found = dict.fromkeys(
        (link.source[0], port)
        for link in machine.links
        if not link.instant
        for port in _ports(machine, link.source)
    )
    return list(found)


def _ports(machine: Machine, source: vv.Path) -> Iterable[str]:
    name, *path = source
    if path:
        return path[:1]
    outputs = machine.neurons[name].type.outputs
    into = (link.input for link in machine.links if link.to == name)
    return into if outputs is None else outputs


def put_machine(
    into: Encoded, values: Mapping[tuple[str, str], Mapping[vv.Path, Any]], tokens: Sequence[str]
) -> None:
    """Write what a machine remembers; tokens in paths make families."""
    known = {token for token in tokens if type(token) is str}
    is_token = lambda key: isinstance(key, Fresh) or key in known
    for (name, port), value in values.items():
        for path, leaf in value.items():
            found = [key for key in path if is_token(key)]
            if len(found) > 1:
                raise Unprovable(f"{name}.{port} holds something for every pair of tokens")
            plain = tuple(EVERY if is_token(key) else key for key in path)
            into.put(("machine", name, port, *plain), found[0] if found else None, leaf)


def machine_values(
    encoded: Encoded, cells: Iterable[Cell]
) -> dict[tuple[str, str], dict[vv.Path, Any]]:
    """What a machine remembers, from its numbers: the inverse of `put_machine`."""
    values: dict[tuple[str, str], dict[vv.Path, Any]] = {}
    for cell in cells:
        if cell[0] != "machine":
            continue
        _, name, port, *path = cell
        own = values.setdefault((name, port), {})
        if EVERY not in path:
            own[tuple(path)] = encoded.alone[cell]
            continue
        for token, numbers in encoded.tokens.items():
            own[tuple(token if key is EVERY else key for key in path)] = numbers[cell]
    return values


class Shape:
    """How the states of a reference are built: the same for all of them.

    A dict whose keys change, or a set, has something for every token; a dict with keys that
    stay, a tuple or a list is its parts; True, False, None and texts are modes.
    """

    def __init__(self, states: Sequence[Any]):
        self.modes: dict[Cell, list[Any]] = {}
        self.tokens: set[str] = set()
        self.node = self._node(list(states), ("state",))

    def _node(self, states: list[Any], at: Cell) -> tuple[Any, ...]:
        first = states[0]
        numbers = [isinstance(s, int | Fraction | float) for s in states]
        if all(numbers) and not all(isinstance(s, bool) for s in states):
            return ("number", at)
        if all(isinstance(s, bool | str | None) for s in states):
            if any(s in POOL for s in states):
                raise Unprovable("the reference remembers a token")
            self.modes[at] = list(dict.fromkeys(states))
            return ("mode", at)
        if all(n or s is None for n, s in zip(numbers, states, strict=True)):
            return ("optional", at)
        if all(isinstance(s, set | frozenset) for s in states):
            self._know(chain(*states))
            return ("set", at, type(first))
        if all(isinstance(s, tuple | list) and len(s) == len(first) for s in states):
            parts = [self._node([s[k] for s in states], (*at, k)) for k in range(len(first))]
            return ("items", at, type(first), parts)
        if all(isinstance(s, dict) for s in states):
            return self._dict(states, at)
        raise Unprovable("the states of the reference are not alike from tick to tick")

    def _dict(self, states: list[Any], at: Cell) -> tuple[Any, ...]:
        keys = states[0].keys()
        if keys and all(s.keys() == keys for s in states):
            return ("record", at, {k: self._node([s[k] for s in states], (*at, k)) for k in keys})
        self._know(chain(*states))
        values = [value for s in states for value in s.values()]
        if not all(type(v) in (int, Fraction, float, bool) for v in values):
            raise Unprovable("the reference keeps something else than numbers under tokens")
        return ("map", at)

    def _know(self, keys: Iterable[Any]) -> None:
        for key in keys:
            if not isinstance(key, str):
                raise Unprovable("the reference keeps something under keys that are no tokens")
            self.tokens.add(key)

    def put(self, into: Encoded, state: Any, tokens: Sequence[str]) -> None:
        """Write a state of the reference; what it has for other tokens is left out."""
        self._put(into, self.node, state, tokens)

    def _put(self, into: Encoded, node: tuple[Any, ...], state: Any, tokens: Sequence[str]) -> None:
        kind, at = node[:2]
        if kind in ("number", "optional"):
            into.put(at, None, 0 if state is None else _plain(state))
            if kind == "optional":
                into.put((*at, "given"), None, int(state is not None))
            elif state is None:
                raise Unprovable(f"{show_cell(at)} is None, which runs did not show")
        elif kind == "mode":
            if isinstance(state, Symbol) or state not in self.modes[at]:
                raise Unprovable(f"{show_cell(at)} takes values that runs did not show")
            into.put(at, None, self.modes[at].index(state))
        elif kind == "items":
            if not isinstance(state, tuple | list) or len(state) != len(node[3]):
                raise Unprovable(f"{show_cell(at)} is not as long as it was in runs")
            for part, own in zip(node[3], state, strict=True):
                self._put(into, part, own, tokens)
        elif kind == "record":
            for key, part in node[2].items():
                self._put(into, part, state[key], tokens)
        else:
            self._put_tokens(into, kind, at, state, tokens)

    def _put_tokens(
        self, into: Encoded, kind: str, at: Cell, state: Any, tokens: Sequence[str]
    ) -> None:
        for token in tokens:
            own = [key for key in state if same_token(key, token)]
            into.put((*at, "has", EVERY), token, len(own))
            if kind == "map":
                into.put((*at, EVERY), token, _plain(state[own[0]]) if own else 0)

    def build(self, encoded: Encoded, more: int, known: Sequence[str]) -> Any:
        """The Python state of these terms, with `more` tokens that are not to be looked at."""
        rest = [Fresh(f"another {k}", known) for k in range(more)]
        return self._build(encoded, self.node, rest)

    def _build(self, encoded: Encoded, node: tuple[Any, ...], rest: list[Fresh]) -> Any:
        kind, at = node[:2]
        if kind == "number":
            return Symbol(encoded.alone[at])
        if kind == "optional":
            given = decide(encoded.alone[*at, "given"] == 1)
            return Symbol(encoded.alone[at]) if given else None
        if kind == "mode":
            *others, last = list(enumerate(self.modes[at]))
            return next((m for k, m in others if decide(encoded.alone[at] == k)), last[1])
        if kind == "items":
            return node[2](self._build(encoded, part, rest) for part in node[3])
        if kind == "record":
            return {key: self._build(encoded, part, rest) for key, part in node[2].items()}
        has = [t for t, own in encoded.tokens.items() if decide(own[*at, "has", EVERY] == 1)]
        keys = [*rest[::2], *has, *rest[1::2]]
        if kind == "set":
            return node[2](keys)
        known = {id(token): encoded.tokens[token][*at, EVERY] for token in has}
        return {key: Symbol(known[id(key)]) if id(key) in known else Opaque() for key in keys}


def _plain(value: Any) -> Any:
    """A number of Python as it is, or the term of an unknown one."""
    if isinstance(value, Symbol):
        return value.term
    if not isinstance(value, int | Fraction | float):
        raise Unprovable(f"the reference keeps {type(value).__name__} where runs showed a number")
    return as_exact(int(value) if isinstance(value, bool) else value)


def show_cell(cell: Cell) -> str:
    """A cell as a text: `seen.result[k]` of a machine, `state[0]` of a reference."""
    if cell[0] == AT:
        return show_cell(cell[2]).replace(EVERY, f"[{cell[1]!r}]")
    if cell[0] == LARGEST:
        return f"(the largest |{show_cell(cell[1])}|)"
    if cell[0] == "machine":
        name = ".".join(cell[1:3])
        return name + "".join(key if key == EVERY else f"[{key!r}]" for key in cell[3:])
    if cell[-1] == "given":
        return f"({show_cell(cell[:-1])} is not None)"
    if len(cell) > 2 and cell[-2:] == ("has", EVERY):
        return f"(k in {show_cell(cell[:-2])})"
    return "state" + "".join(key if key == EVERY else f"[{key!r}]" for key in cell[1:])
