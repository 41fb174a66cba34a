"""Measured data: runs of one system, observed at some times, with gaps."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, overload

import numpy as np
from jaxtyping import Bool, Float64

from snakebird.errors import InputError, UnknownNameError, suggest
from snakebird.fitting._experiment import Experiment, check_name, numbers
from snakebird.fitting._layouts import EXPERIMENT, Roles, experiments_of
from snakebird.fitting._tables import DELIMITERS, read_table

SHOWN = 10
"""How many experiments a printed table lists before it says how many more there are."""


class Padded(NamedTuple):
    """Experiments as arrays of one length, a tree of arrays that JAX takes as it is.

    Past the end of an experiment its last time is repeated, so that times never descend; `values`
    are 0 where `mask` is False, which is where nothing was observed.
    """

    times: Float64[np.ndarray, "experiments times"]
    values: Float64[np.ndarray, "experiments times columns"]
    mask: Bool[np.ndarray, "experiments times columns"]
    conditions: dict[str, Float64[np.ndarray, " experiments"]]


@dataclass(frozen=True)
class Trajectories:
    """Experiments on one system: all have the same columns, and state the same conditions.

    A column that an experiment lacks is filled with NaN. Made by `Trajectories.of` from arrays and
    by `Trajectories.read` from tables; indexed by position, by name and by slices.

    Raises `InputError` for no experiments, a name given to two of them, or conditions that only
    some of them state.

    >>> data = Trajectories.of([0, 1, 2], {"hare": [30, 47.2, 70.2], "lynx": [4, None, 9.8]})
    >>> data
    Trajectories: 1 experiment, columns hare, lynx
      experiment  times   points  missing
      1           0 .. 2       3        1
    >>> data["1"].values["lynx"]
    array([4. , nan, 9.8])
    """

    experiments: tuple[Experiment, ...]

    def __post_init__(self) -> None:
        given = tuple(self.experiments)
        if not given:
            raise InputError("there are no experiments", "Trajectories", "give at least one")
        _check_alike(given)
        names = dict.fromkeys(name for experiment in given for name in experiment.values)
        object.__setattr__(self, "experiments", tuple(_with_columns(e, names) for e in given))

    @classmethod
    def of(
        cls, times: Any, values: Any = None, *, names: str | Iterable[str] | None = None
    ) -> "Trajectories":
        """Data from arrays.

        `of(times, values)` is one experiment named `1`: `times` `[n]`, and `values` a dict of
        columns `[n]`, or an array `[n, k]` or `[n]` whose columns are called `names`.
        `of([...])` takes a list of such pairs, named `1`, `2`, ..., or of `Experiment`s.

        Raises `InputError` as `Experiment` does, and for a column that is missing everywhere.

        >>> Trajectories.of([([0, 1], [[1, 2], [3, 4]]), ([0], [[5, 6]])], names=["a", "b"]).names
        ('a', 'b')
        """
        pairs = times if values is None else [(times, values)]
        return _observed(cls(tuple(_each(pairs, names))), "Trajectories.of")

    @classmethod
    def read(
        cls,
        source: Any,
        *,
        time: str = "t",
        experiment: str | None = None,
        conditions: str | Iterable[str] = (),
        columns: str | Iterable[str] | None = None,
        layout: Literal["auto", "wide", "long"] = "auto",
        variable: str = "variable",
        value: str = "value",
    ) -> "Trajectories":
        """Data from a table: the path of a CSV or Parquet file, a frame, or a dict of columns.

        CSV is split at commas, semicolons or tabs, whichever the header shows, and its decimals
        have a point. Frames are those of pandas, polars or pyarrow; Parquet needs polars or
        pyarrow. An empty cell, `NA`, `NaN`, `null`, `None` or `-`, in any case, is missing.

        * `time`: the column of times, in any unit;
        * `experiment`: the column that tells experiments apart, by default `experiment` where
          there is one; without it the table is one experiment, named like the file;
        * `conditions`: columns that are constant within each experiment;
        * `columns`: what was observed, by default every other column;
        * `layout`: `wide` has a column for each quantity, its times ascending within each
          experiment; `long` has a row for each observation, in any order, whose quantity stands
          in `variable` and whose number in `value`; `auto` takes a table with both for long.

        Raises `InputError`, `FileFormatError` or `UnknownNameError` with the place of the mistake.

        >>> Trajectories.read({"t": [0, 0, 1], "variable": list("xyx"), "value": [1, 2, 3]})
        Trajectories: 1 experiment, columns x, y
          experiment  times   points  missing
          1           0 .. 1       2        1
        """
        table = read_table(source)
        chosen = None if columns is None else _tuple(columns)
        roles = Roles(time, experiment, _tuple(conditions), chosen, layout, variable, value)
        return _observed(cls(tuple(experiments_of(table, roles))), table.source)

    def write(self, path: str | Path, *, time: str = "t", experiment: str = EXPERIMENT) -> None:
        """Write a wide CSV file that `read` reads back, every number to its last digit.

        `time` and `experiment` name those two columns; conditions are columns too, which `read`
        is told with `conditions=`. Raises `InputError` for a name used twice, and for a path that
        cannot be written.
        """
        header = [experiment, time, *self.conditions, *self.names]
        for name in {time, experiment}:
            check_name(name, "a column", "Trajectories.write")
            if header.count(name) > 1:
                raise InputError(
                    f"two columns would be named {name!r}",
                    "Trajectories.write",
                    "give time='...' or experiment='...' another name",
                )
        lines = [",".join(_quoted(cell) for cell in row) for row in (header, *_rows(self))]
        try:
            Path(path).write_text("\n".join(lines) + "\n", "utf-8", newline="")
        except OSError as error:
            raise InputError(
                f"cannot write the file: {error.strerror}", str(path), "give another path"
            ) from None

    def __len__(self) -> int:
        return len(self.experiments)

    def __iter__(self) -> Iterator[Experiment]:
        return iter(self.experiments)

    @overload
    def __getitem__(self, key: int | str) -> Experiment: ...
    @overload
    def __getitem__(self, key: slice) -> "Trajectories": ...
    def __getitem__(self, key: int | str | slice) -> "Experiment | Trajectories":
        """The experiment of a position or name, or `Trajectories` of a slice."""
        if isinstance(key, slice):
            return Trajectories(self.experiments[key])
        if isinstance(key, str):
            known = {experiment.name: experiment for experiment in self}
            if key not in known:
                raise UnknownNameError(
                    f"no experiment is named {key!r}", "Trajectories", suggest(key, known)
                )
            return known[key]
        if not -len(self) <= key < len(self):
            raise UnknownNameError(
                f"there is no experiment {key}",
                "Trajectories",
                f"give a position from 0 to {len(self) - 1}, or a name",
            )
        return self.experiments[key]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(self.experiments[0].values)

    @property
    def conditions(self) -> tuple[str, ...]:
        """The names of the conditions."""
        return tuple(self.experiments[0].conditions)

    @property
    def times(self) -> Float64[np.ndarray, " n"]:
        """All times at which any experiment was observed, ascending, each once."""
        return np.unique(np.concatenate([experiment.times for experiment in self]))

    def padded(self) -> Padded:
        """All experiments as arrays of one length, with a mask of what was observed."""
        longest = max(map(len, self))
        tables = [
            np.pad(e.table, ((0, longest - len(e)), (0, 0)), constant_values=np.nan) for e in self
        ]
        values = np.stack(tables)
        mask = ~np.isnan(values)
        return Padded(
            np.stack([np.pad(e.times, (0, longest - len(e)), mode="edge") for e in self]),
            np.where(mask, values, 0.0),
            mask,
            {name: np.array([e.conditions[name] for e in self]) for name in self.conditions},
        )

    def scale(self) -> dict[str, float]:
        """How much each column varies: the standard deviation of all that was observed of it.

        Of a column that does not vary, the largest absolute value, and 1 if that is 0 or if there
        is no observation: a positive number in every case.
        """
        table = np.concatenate([experiment.table for experiment in self])
        return {name: _scale(column) for name, column in zip(self.names, table.T, strict=True)}

    def __repr__(self) -> str:
        heads = ("experiment", "times", "points", "missing")
        rows = [heads, *(_summary(experiment) for experiment in self.experiments[:SHOWN])]
        wide = [max(len(row[i]) for row in rows) for i in range(len(heads))]
        count = f"{len(self)} experiment" + ("s" if len(self) > 1 else "")
        lines = [f"Trajectories: {count}, columns {', '.join(self.names)}"]
        if self.conditions:
            lines[0] += f", conditions {', '.join(self.conditions)}"
        for name, times, *counts in rows:
            right = "".join(f"  {count:>{wide[2 + i]}}" for i, count in enumerate(counts))
            lines.append(f"  {name:<{wide[0]}}  {times:<{wide[1]}}{right}")
        if len(self) > SHOWN:
            lines.append(f"  ... and {len(self) - SHOWN} more")
        return "\n".join(lines)


def _tuple(names: str | Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _each(given: Any, names: str | Iterable[str] | None) -> Iterator[Experiment]:
    """Experiments of a list of them, or of pairs of times and values."""
    names = None if names is None else _tuple(names)
    example = "Trajectories.of(times, {'x': [...]}), or of([(times, values), ...])"
    if isinstance(given, Experiment | Mapping) or not isinstance(given, Iterable):
        raise InputError("this is no list of experiments", "Trajectories.of", example)
    for position, item in enumerate(given, 1):
        if isinstance(item, Experiment):
            yield item
        elif isinstance(item, tuple | list) and len(item) == 2:
            times, values = item
            yield Experiment(str(position), times, _columns(values, names, str(position)))
        else:
            raise InputError(
                f"item {position} is neither an Experiment nor a pair (times, values)",
                "Trajectories.of",
                example,
            )


def _columns(values: Any, names: tuple[str, ...] | None, experiment: str) -> dict[str, Any]:
    """The columns of a dict, or of an array whose columns have names."""
    if isinstance(values, Mapping):
        return dict(values)
    where = f"experiment {experiment!r}"
    table = numbers(values, "the values", where)
    table = table[:, None] if table.ndim == 1 else table
    count = table.shape[1] if table.ndim == 2 else 0
    if names is None or len(names) != count:
        given = "no names" if names is None else f"{len(names)} names ({', '.join(names)})"
        raise InputError(
            f"the values have the shape {np.shape(values)}, with {given}",
            where,
            "give an array [n, k] and names=[...] of its k columns, or a dict of columns",
        )
    return dict(zip(names, table.T, strict=True))


def _check_alike(experiments: tuple[Experiment, ...]) -> None:
    """Raise `InputError` for a name given twice, or conditions that only some state."""
    conditions = {
        name: experiment.name for experiment in experiments for name in experiment.conditions
    }
    seen: set[str] = set()
    for experiment in experiments:
        where = f"experiment {experiment.name!r}"
        if experiment.name in seen:
            raise InputError(
                f"two experiments are named {experiment.name!r}", where, "rename one of them"
            )
        seen.add(experiment.name)
        for name, other in conditions.items():
            if name in experiment.values:
                raise InputError(
                    f"{name!r} is a condition in {other!r} and a column in {experiment.name!r}",
                    where,
                    "rename one of them",
                )
            if name not in experiment.conditions:
                raise InputError(
                    f"the condition {name!r} is not stated",
                    where,
                    "give every experiment the same conditions",
                )


def _with_columns(experiment: Experiment, names: Iterable[str]) -> Experiment:
    names = tuple(names)
    if tuple(experiment.values) == names:
        return experiment
    missing = np.full(len(experiment), np.nan)
    return replace(
        experiment, values={name: experiment.values.get(name, missing) for name in names}
    )


def _observed(data: Trajectories, where: str) -> Trajectories:
    """The data; raises `InputError` for a column that is missing in every experiment."""
    for name in data.names:
        if all(np.isnan(experiment.values[name]).all() for experiment in data):
            raise InputError(
                f"nothing was observed of the column {name!r}: all its values are missing",
                where,
                "leave the column out; read(..., columns=[...]) chooses those to read",
            )
    return data


def _scale(column: np.ndarray) -> float:
    """The spread of a column's observations, a positive number."""
    seen = np.abs(column[~np.isnan(column)])
    largest = float(seen.max(initial=0.0))
    if largest == 0.0:
        return 1.0
    # Relative to the largest, so that squares neither overflow nor vanish.
    spread = float(np.nanstd(column / largest))
    return spread * largest if spread > 1e-12 else largest


def _summary(experiment: Experiment) -> tuple[str, str, str, str]:
    """The cells of one line of the printed table."""
    times = f"{experiment.times[0]:g} .. {experiment.times[-1]:g}"
    missing = int(np.isnan(experiment.table).sum())
    return experiment.name, times, str(len(experiment)), str(missing)


def _rows(data: Trajectories) -> Iterator[list[str]]:
    """The rows of a wide table, as texts."""
    for experiment in data:
        held = [repr(number) for number in experiment.conditions.values()]
        for time, values in zip(experiment.times.tolist(), experiment.table.tolist(), strict=True):
            cells = ["" if np.isnan(number) else repr(number) for number in values]
            yield [experiment.name, repr(time), *held, *cells]


def _quoted(cell: str) -> str:
    """The cell, in quotes if a reader might take a part of it for something else."""
    special = any(mark in cell for mark in (*DELIMITERS, '"', "\r", "\n"))
    return '"' + cell.replace('"', '""') + '"' if special else cell
