"""From a table to experiments: wide with a column a quantity, long with a row an observation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.fitting._experiment import STACKED, Experiment, check_times
from snakebird.fitting._tables import Table

EXPERIMENT = "experiment"
"""The column that tells experiments apart, where there is one and nothing else is said."""


@dataclass(frozen=True)
class Roles:
    """What each column of a table is, named as in `Trajectories.read`."""

    time: str
    experiment: str | None
    conditions: tuple[str, ...]
    columns: tuple[str, ...] | None
    layout: str
    variable: str
    value: str


def experiments_of(table: Table, roles: Roles) -> list[Experiment]:
    """The experiments of a table, in the order in which they first appear."""
    layout = roles.layout
    if layout == "auto":
        layout = "long" if {roles.variable, roles.value} <= set(table.columns) else "wide"
    _check_roles(table, roles, layout)
    return (_long if layout == "long" else _wide)(table, roles)


def _check_roles(table: Table, roles: Roles, layout: str) -> None:
    """Raise an error for a column that has two roles, or that is not there."""
    given = [(roles.time, "time")]
    given += [] if roles.experiment is None else [(roles.experiment, "experiment")]
    given += [(name, "conditions") for name in roles.conditions]
    if layout == "long":
        given += [(roles.variable, "variable"), (roles.value, "value")]
    else:
        given += [(name, "columns") for name in roles.columns or ()]
    used: dict[str, str] = {}
    for name, role in given:
        table.check(name, role)
        if name in used:
            raise InputError(
                f"the column {name!r} has two roles: {used[name]}= and {role}=",
                table.source,
                "name it in one of them",
            )
        used[name] = role


def _groups(table: Table, roles: Roles) -> dict[str, list[int]]:
    """The rows of each experiment."""
    role = roles.experiment
    if role is None and EXPERIMENT in table.columns and roles.time != EXPERIMENT:
        role = EXPERIMENT
    if role is None:
        return {table.name: list(range(table.rows))}
    groups: dict[str, list[int]] = {}
    for row, name in enumerate(table.labels(role)):
        groups.setdefault(name, []).append(row)
    return groups


def _wide(table: Table, roles: Roles) -> list[Experiment]:
    """Each row holds all that was observed at one time of one experiment."""
    taken = {roles.time, roles.experiment or EXPERIMENT, *roles.conditions}
    names = [n for n in table.columns if n not in taken] if roles.columns is None else roles.columns
    if not names:
        raise InputError(
            "no column is left for what was observed",
            table.source,
            f"the columns are {', '.join(map(repr, table.columns))}; add one",
        )
    groups, times = _groups(table, roles), _times(table, roles)
    columns = {name: table.numbers(name) for name in names}
    held = _conditions(table, roles, groups)
    for name, rows in groups.items():
        check_times(times[rows], name, lambda i, rows=rows: table.place(rows[i], roles.time))
    return [
        Experiment(name, times[rows], {c: columns[c][rows] for c in columns}, conditions=held[name])
        for name, rows in groups.items()
    ]


def _long(table: Table, roles: Roles) -> list[Experiment]:
    """Each row holds one observation; rows may stand in any order, and share a time."""
    groups, times = _groups(table, roles), _times(table, roles)
    variables = table.labels(roles.variable)
    values = table.numbers(roles.value)
    known = dict.fromkeys(variables)
    names = tuple(known) if roles.columns is None else roles.columns
    for name in names:
        if name not in known:
            raise UnknownNameError(
                f"no variable is named {name!r}",
                f"{table.source}, column {roles.variable!r}",
                f"columns=[...] chooses variables; {suggest(name, known)}",
            )
    held = _conditions(table, roles, groups)
    found = []
    for name, rows in groups.items():
        grid = np.unique(times[rows])
        cells = _observed(table, name, rows, times, variables)
        columns = {column: np.full(len(grid), np.nan) for column in names}
        for (column, time), row in cells.items():
            if column in columns:
                columns[column][np.searchsorted(grid, time)] = values[row]
        found.append(Experiment(name, grid, columns, conditions=held[name]))
    return found


def _observed(
    table: Table, name: str, rows: Sequence[int], times: np.ndarray, variables: Sequence[str]
) -> dict[tuple[str, float], int]:
    """The row of each variable at each time; raises `InputError` where there are two."""
    seen: dict[tuple[str, float], int] = {}
    for row in rows:
        key = variables[row], float(times[row])
        if key in seen:
            raise InputError(
                f"{key[0]!r} stands twice at the time {key[1]:g} of experiment {name!r}",
                f"{table.place(seen[key])} and {table.place(row)}",
                f"average the two, or shift one by a little; {STACKED}",
            )
        seen[key] = row
    return seen


def _times(table: Table, roles: Roles) -> np.ndarray:
    times = table.numbers(roles.time)
    for row in np.flatnonzero(np.isnan(times)):
        raise InputError(
            "the time is missing",
            table.place(int(row), roles.time),
            "fill the cell, or leave the row out",
        )
    return times


def _conditions(
    table: Table, roles: Roles, groups: Mapping[str, Sequence[int]]
) -> dict[str, dict[str, float]]:
    """The conditions of each experiment."""
    cells = {name: table.numbers(name) for name in roles.conditions}
    return {
        experiment: {name: _constant(table, experiment, rows, name, cells[name]) for name in cells}
        for experiment, rows in groups.items()
    }


def _constant(
    table: Table, experiment: str, rows: Sequence[int], name: str, cells: np.ndarray
) -> float:
    """The number that a column holds all through an experiment; some cells may be missing."""
    given = [row for row in rows if not np.isnan(cells[row])]
    if not given:
        raise InputError(
            f"the condition {name!r} is missing in experiment {experiment!r}",
            table.place(rows[0], name),
            "fill at least one of its cells",
        )
    for row in given:
        if cells[row] != cells[given[0]]:
            raise InputError(
                f"the condition {name!r} changes within experiment {experiment!r}: "
                f"{cells[given[0]]:g}, then {cells[row]:g}",
                table.place(row, name),
                f"leave {name!r} out of conditions=, and it is read as an observed column",
            )
    return float(cells[given[0]])
