"""Every error Snakebird raises, and the near-name helper their messages use.

```text
SnakebirdError
├── ValueFormatError     a tree or file that is not a V-value
├── SpaceError           spaces that do not fit together
├── UnknownNameError     a neuron, port or function nobody declared
├── MachineError         a machine that is put together wrongly
│   └── CycleError       instant links that form a cycle
├── GrowthError          streams whose space never stops growing
├── RoomError            a running machine outgrew the room reserved for it
├── FileFormatError      a file that is not what it should be
├── InputError           data that does not fit the machine or the model it is given to
├── EquationError        a differential equation that is put together wrongly
│   └── SolveError       a solve that failed: when, where and in which state
└── FitError             a fit that cannot begin or go on
```

A message says what was given, what was expected, where, and what to type next.
"""

import difflib
from collections.abc import Iterable

LONGEST = 2_000
"""So many characters of a part of a message are kept; what was given may be a whole file."""

NEAR, NAMES = 80, 2_000
"""Longer names are not compared, nor more of them than so many."""


class SnakebirdError(ValueError):
    """Base of all errors a user can cause; the command prints it in three lines.

    `what` says what is wrong, `where` the tree path or file and line, `hint` what to do.
    """

    def __init__(self, what: str, where: str = "", hint: str = ""):
        self.what, self.where, self.hint = map(_shortened, (what, where, hint))
        lines = self.what, _line("at", self.where), _line("hint:", self.hint)
        super().__init__("\n".join(line for line in lines if line))


class ValueFormatError(SnakebirdError):
    """A tree or text that is not a V-value."""


class SpaceError(SnakebirdError):
    """Two spaces, or a value and a space, that do not fit together."""


class UnknownNameError(SnakebirdError):
    """A name nobody declared; the message offers the nearest known ones."""


class MachineError(SnakebirdError):
    """A machine that is put together wrongly."""


class CycleError(MachineError):
    """Instant links that form a cycle, which no order of evaluation can serve."""


class GrowthError(SnakebirdError):
    """A stream whose space never stops growing, so that it has no fixed width."""


class RoomError(SnakebirdError):
    """A running machine wrote outside the room reserved for it."""


class FileFormatError(SnakebirdError):
    """A file that is not what it should be: wrong JSON, wrong kind, a newer version."""


class InputError(SnakebirdError):
    """Data that does not fit the machine or the model it is given to."""


class EquationError(SnakebirdError):
    """A differential equation that is put together wrongly."""


class SolveError(EquationError):
    """A solve that failed; the message says when, where and in which state."""


class FitError(SnakebirdError):
    """A fit that cannot begin or go on; what it had is kept."""


def _line(label: str, text: str) -> str:
    return f"  {label} {text}" if text else ""


def _shortened(text: str) -> str:
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}"


def suggest(name: str, known: Iterable[str]) -> str:
    """A hint with the known names nearest to `name`.

    >>> suggest("acumulator", ["accumulator", "relu"])
    "did you mean 'accumulator'?"
    """
    names = sorted(set(known))
    few = [known for known in names[:NAMES] if len(known) <= NEAR]
    near = difflib.get_close_matches(name[:NEAR], few, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(repr(n) for n in near) + "?"
    shown = ", ".join(repr(n) for n in names[:12]) + (", ..." if len(names) > 12 else "")
    return f"known here: {shown}" if names else "none is known here"
