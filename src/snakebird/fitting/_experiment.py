"""One measured run: its times, what was observed at them, and what was held constant."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float64

from snakebird.errors import InputError

STACKED = (
    "if several runs are stacked, make each an experiment: experiment='...' names the column of a "
    "table that tells them apart"
)


@dataclass(frozen=True, eq=False, init=False)
class Experiment:
    """What was observed in one run: `values[column][i]` at `times[i]`, NaN where it is missing.

    `times` `[n]` are finite and ascend, no two alike; `values` holds an array `[n]` for each
    column; `conditions` holds one number each that was constant in this run, such as a
    temperature or a dose. Lists and integers are taken too; the arrays are copies that cannot be
    written to.

    Raises `InputError` for times that are unsorted, repeated or not finite, for lengths that
    differ, for what is no number or infinite, and for names that are empty or used twice.

    >>> Experiment("a", [0, 1, 2], {"x": [1.0, None, 0.25]}, conditions={"dose": 5}).values["x"]
    array([1.  ,  nan, 0.25])
    """

    name: str
    times: Float64[np.ndarray, " n"]
    values: dict[str, Float64[np.ndarray, " n"]]
    conditions: dict[str, float]

    def __init__(
        self,
        name: str,
        times: Any,
        values: Mapping[str, Any],
        *,
        conditions: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        check_name(name, "an experiment")
        where = f"experiment {name!r}"
        times = column_of(times, "the times", where)
        check_times(times, name, lambda i: f"{where}, times[{i}]")
        values = {
            check_name(column, "a column", where): _beside(times, given, column, where)
            for column, given in values.items()
        }
        conditions = {
            check_name(condition, "a condition", where): _constant(given, condition, where)
            for condition, given in conditions.items()
        }
        if not values:
            raise InputError("there is no column of values", where, "give values={'x': [...]}")
        for both in conditions.keys() & values.keys():
            raise InputError(
                f"{both!r} is both a column and a condition", where, "give one of them another name"
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "conditions", conditions)

    def __len__(self) -> int:
        return len(self.times)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Experiment):
            return NotImplemented
        return (
            (self.name, self.conditions, list(self.values))
            == (other.name, other.conditions, list(other.values))
            and np.array_equal(self.times, other.times)
            and all(
                np.array_equal(mine, theirs, equal_nan=True)
                for mine, theirs in zip(self.values.values(), other.values.values(), strict=True)
            )
        )

    def __repr__(self) -> str:
        conditions = "".join(f", {name}={value:g}" for name, value in self.conditions.items())
        return f"Experiment({self.name!r}: {len(self)} times, {', '.join(self.values)}{conditions})"

    @property
    def table(self) -> Float64[np.ndarray, "n k"]:
        """The values, one column beside the other, in the order of their names."""
        return np.stack(list(self.values.values()), axis=1)


def check_times(times: Float64[np.ndarray, " n"], name: str, place: Callable[[int], str]) -> None:
    """Raise `InputError` unless the times are finite and ascend; `place(i)` says where row i is."""
    if not len(times):
        raise InputError("there are no times", f"experiment {name!r}", "give at least one")
    for i in np.flatnonzero(~np.isfinite(times)):
        raise InputError(
            f"a time of experiment {name!r} is {_word(times[i])}",
            place(int(i)),
            "give every row a finite time, or leave the row out",
        )
    for i in np.flatnonzero(times[1:] < times[:-1]):
        raise InputError(
            f"the times of experiment {name!r} are not sorted: "
            f"{_word(times[i + 1])} follows {_word(times[i])}",
            place(int(i) + 1),
            f"sort the rows by time; {STACKED}",
        )
    for i in np.flatnonzero(times[1:] == times[:-1]):
        raise InputError(
            f"the time {_word(times[i])} stands twice in experiment {name!r}",
            f"{place(int(i))} and {place(int(i) + 1)}",
            f"average the two, or shift one by a little; {STACKED}",
        )


def column_of(given: Any, what: str, where: str) -> Float64[np.ndarray, " n"]:
    """A column as an array of its own that cannot be written to; None and masked are missing."""
    array = numbers(given, what, where)
    if array.ndim != 1:
        raise InputError(
            f"{what} have the shape {array.shape}, not [n]", where, "give one number for each time"
        )
    array.flags.writeable = False
    return array


def numbers(given: Any, what: str, where: str) -> np.ndarray:
    """Anything array-like as a new array of float64."""
    try:
        if np.iscomplexobj(given):
            raise TypeError("they are complex")
        if isinstance(given, np.ma.MaskedArray):
            given = np.where(np.ma.getmaskarray(given), np.nan, np.ma.getdata(given))
        return np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{what} are not numbers: {error}", where, "give numbers, and NaN for what is missing"
        ) from None


def check_name(name: str, what: str, where: str = "") -> str:
    """The name, if a table can hold it: not empty, and without spaces around it."""
    if not name.strip():
        raise InputError(f"{what} has no name: {name!r}", where, "give it a name")
    if name != name.strip():
        raise InputError(
            f"{what} is named {name!r}, with spaces around it", where, f"name it {name.strip()!r}"
        )
    return name


def _beside(times: np.ndarray, given: Any, name: str, where: str) -> np.ndarray:
    """The values of one column, as many as there are times."""
    where = f"{where}, column {name!r}"
    values = column_of(given, "the values", where)
    if len(values) != len(times):
        raise InputError(
            f"there are {len(values)} values at {len(times)} times",
            where,
            "give one value for each time, NaN where it is missing",
        )
    for i in np.flatnonzero(np.isinf(values)):
        raise InputError(
            f"a value is {_word(values[i])}",
            f"{where}, values[{i}]",
            "give NaN for what is missing",
        )
    return values


def _constant(given: Any, name: str, where: str) -> float:
    where = f"{where}, condition {name!r}"
    number = numbers(given, "the conditions", where)
    if number.ndim or not math.isfinite(number):
        raise InputError(f"a condition is {given!r}", where, "give one finite number")
    return float(number)


def _word(number: Any) -> str:
    return f"{float(number)!r}".removesuffix(".0")
