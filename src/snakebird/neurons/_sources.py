"""Neurons that bring streams in: from outside, from a text, from an array; and lists."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from snakebird import vvalues as vv
from snakebird.errors import FileFormatError, MachineError
from snakebird.neurons._define import neuron
from snakebird.neurons._parameters import refused
from snakebird.neurons._type import Neuron

_NOTHING: dict[str, Any] = {}
_ONE_ZERO = np.zeros(1)


@neuron(outputs=("signal",))
def source(
    *,
    message: vv.VValue,
    present: Any,
    default: Any = _NOTHING,
    tokens: tuple[str, ...] = (),
    space: vv.Space | None = None,
) -> vv.VValue:
    """Gives what arrived from outside, at most one message a tick; `default` when nothing did.

    `tokens` or `space` say what may arrive, which lowering needs: tokens as one-key trees
    `{token: 1}`, a space as any value in it.

    >>> source(tokens=("a", "b"))
    source(tokens=('a', 'b'))
    """
    return vv.where(present, message, default)


@neuron(outputs=("signal",))
def linked_source(
    *,
    message: vv.VValue,
    present: Any,
    default: Any = _NOTHING,
    tokens: tuple[str, ...] = (),
    space: vv.Space | None = None,
    **inputs: vv.VValue,
) -> vv.VValue:
    """A `source` that is active only while something links to it, to whatever input.

    >>> linked_source(default=0)
    linked_source(default=0)
    """
    return source.function(message=message, present=present, default=default)


def message_space(parameters: Any) -> vv.Space:
    """What may arrive at a source with these parameters."""
    space = parameters.get("space") or vv.Space()
    return space | vv.Space([(token,) for token in parameters.get("tokens") or ()])


def _some_pace(given: Mapping[str, Any]) -> None:
    if given["every"] < 1:
        hint = "write every=1 for a character each tick"
        raise refused("token_source", "every", given["every"], "1 or more", hint)


@neuron(outputs=("char",), check=_some_pace)
def token_source(timer: vv.VValue, *, text: str = "", every: int = 1) -> vv.VValue:
    """The characters of a text as `{char: 1}`, one every `every` ticks of its `timer` input.

    Character k comes when the timer is `k * every`, nothing in between; after the last one, it
    again for ever.

    >>> token_source(text="hi", every=2).apply({"timer": 2})
    {'char': {'i': 1}}
    """
    now, last = vv.number(timer), len(text) - 1
    if vv.shape_of(now):
        raise MachineError(
            f"timer has the shape {list(vv.shape_of(now))}, expected a number",
            "neuron type token_source",
            "link a timer to it",
        )
    if not text:
        return vv.zero()
    if vv.is_exact(now):
        return {text[int(min(max(now // every, 0), last))]: 1} if now % every == 0 else {}
    tokens = sorted(set(text))
    codes = jnp.asarray([tokens.index(char) for char in text])
    at = jnp.clip(now // every, 0, last).astype(int)
    hot = (codes[at] == np.arange(len(tokens))) & (now % every == 0)
    return vv.Flat(vv.Space([(token,) for token in tokens]), hot.astype(now.dtype))


def _some_rows(given: Mapping[str, Any]) -> None:
    shape = np.shape(given["values"]) if not isinstance(given["values"], Mapping) else ()
    if not shape or not shape[0]:
        found = "no rows" if shape else "no axis of time"
        raise MachineError(
            f"values has {found}, expected one row for each tick",
            "neuron type array_source",
            "give an array [time, columns] with at least one row",
        )


@neuron(check=_some_rows)
def array_source(
    timer: vv.VValue, *, values: Any = _ONE_ZERO, keys: tuple[str, ...] = ()
) -> vv.VValue:
    """Row t of `values[time, ...]` while its `timer` input is in [t, t + 1), zero after the last.

    With `keys`, row entries become the numbers of a tree; without, the row is one array.

    >>> rows = array_source(values=[[1.0, 2.0], [3.0, 4.0]], keys=("a", "b"))
    >>> {key: float(number) for key, number in rows.apply({"timer": 1})["result"].items()}
    {'a': 3.0, 'b': 4.0}
    """
    values = jnp.asarray(values)
    if keys and values.shape[1:] != (len(keys),):
        raise MachineError(
            f"there are {len(keys)} keys, and a row has the shape {list(values.shape[1:])}",
            "neuron type array_source",
            "give one key for each column, or none",
        )
    now = vv.number(timer)
    at = now // 1 if vv.is_exact(now) else jnp.floor(now)
    inside = (at >= 0) & (at < len(values))
    row = jnp.where(inside, values[jnp.clip(jnp.asarray(at), 0, len(values) - 1).astype(int)], 0)
    return {key: row[k] for k, key in enumerate(keys)} if keys else row


def csv_source(path: str | Path) -> Neuron:
    """An `array_source` with the rows of a CSV file, one a tick, its header the keys.

    Raises `FileFormatError` with the line of a row that is too short, too long or no numbers.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "rows.csv")
    >>> _ = path.write_text("a,b\\n1,2\\n3,4\\n")
    >>> csv_source(path).apply({"timer": 1})["result"]["b"].item()
    4.0
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        what = f"cannot read this: {getattr(error, 'strerror', None) or error}"
        raise FileFormatError(what, str(path), "give a CSV file with a header") from None
    empty = not (header and rows)
    if empty or len(set(header)) != len(header):
        what = "a file without rows" if empty else "a header that names a column twice"
        raise FileFormatError(what, f"{path}, line 1", "write a header, then one row for each tick")
    values = [_numbers(row, len(header), f"{path}, line {k}") for k, row in enumerate(rows, 2)]
    return array_source.with_parameters(values=np.array(values), keys=tuple(header))


def _numbers(row: list[str], columns: int, where: str) -> list[float]:
    hint = "write one number for each column of the header"
    try:
        found = [float(cell) for cell in row]
    except ValueError:
        raise FileFormatError(f"found {_short(row)}, expected numbers", where, hint) from None
    if len(found) != columns or not np.isfinite(found).all():
        what = f"found {_short(row)}, expected {columns} finite numbers"
        raise FileFormatError(what, where, hint)
    return found


def _short(row: list[str]) -> str:
    text = repr(row[:9])
    return text if len(text) <= 100 else f"{text[:97]}..."


@neuron(outputs=("list",), loops={"list": "list"})
def cons(list: vv.VValue, signal: vv.VValue, *, flag: str = "") -> vv.VValue:
    """Puts each signal that is not zero before the list: `{"this": signal, "rest": list}`.

    With `flag`, a signal counts if it has something at that key, and no other does (arXiv
    1712.07447, section 6.3): so a click at the zero vector, which is no signal by itself, can be
    put on the list, as `cons(flag="clicked")` with signals `{"clicked": 1, "x": 0, "y": 0}`.

    >>> click = {"clicked": 1, "x": 0, "y": 0}
    >>> cons({}, {"x": 0, "y": 0}, flag="clicked"), vv.get(cons({}, click, flag="clicked"), "this")
    ({}, {'clicked': 1, 'x': 0, 'y': 0})
    """
    marker = vv.max_norm(vv.get(signal, flag) if flag else signal)
    arrived = marker > 0 if not vv.is_exact(marker) else bool(marker)
    return vv.where(arrived, vv.link_list(signal, list), list)
