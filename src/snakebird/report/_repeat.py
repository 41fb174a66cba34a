"""How to repeat a run: the command or the lines of Python, the settings, versions, the machine."""

import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import jax

from snakebird.report import _page

_PACKAGES = ("snakebird", "jax", "equinox", "diffrax", "numpy")


def versions() -> dict[str, str]:
    """Of Python and of the packages that decide what comes out."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def command_line(command: str, first: str, asked: Mapping[str, Any], names: Sequence[str]) -> str:
    """The line that was typed; options that were not given are left out.

    >>> command_line("snakebird fit", "yeast.py", {"seed": 3, "data": None}, ["data", "seed"])
    'snakebird fit yeast.py --seed 3'
    """
    given = [(name, asked[name]) for name in names if asked.get(name) is not None]
    words = [word for name, value in given for word in (f"--{name}", str(value))]
    return shlex.join([*command.split(), first, *words])


def repeat(lines: str, settings: Mapping[str, Any], *, about: str = "", shell: bool) -> list[str]:
    """The last section of a page: what to type, and all that has a say in what comes out."""
    parts = [_page.heading("How to repeat it")]
    parts += [_page.words(about)] if about else []
    parts.append(_page.code(lines) if shell else _page.source(lines))
    parts.append(_page.table(["setting", ""], [[k, said(v)] for k, v in settings.items()]))
    parts += [_page.heading("Versions and machine", level=3)]
    rows = [*versions().items(), *_machine().items()]
    return [*parts, _page.table(["", ""], rows)]


def _machine() -> dict[str, str]:
    return {
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processors": str(os.cpu_count()),
        "device": jax.default_backend(),
    }


def said(value: Any) -> str:
    """A setting for people.

    >>> said({"x": "Gaussian", "y": None}), said(["a", "b"]), said(True), said([])
    ('x: Gaussian, y: none', 'a, b', 'yes', 'none')
    """
    if value is None or value == "" or (isinstance(value, Sequence | Mapping) and not value):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {said(own)}" for name, own in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(said, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def listed(names: Sequence[str]) -> str:
    """Words with commas, the last one after `and`.

    >>> listed(["x", "y", "z"])
    'x, y and z'
    """
    *first, last = [*names] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def count(number: int, what: str) -> str:
    """So many of something.

    >>> count(1, "link"), count(1200, "link")
    ('1 link', '1,200 links')
    """
    return f"{number:,} {what}" + ("" if number == 1 else "s")
