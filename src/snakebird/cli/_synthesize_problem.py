"""What `snakebird synthesize` is given: a file of examples, or a Python file that makes them."""

import inspect
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from snakebird.cli._synthesize_asked import Asked
from snakebird.cli._user import Purpose, errors_of, named, run_file
from snakebird.errors import InputError
from snakebird.synthesis.programs import Examples, Found, synthesize
from snakebird.synthesis.programs._methods import chosen

PROGRAM = Purpose(
    "give a Python file that defines examples",
    "a file for synthesize only defines examples",
)
_ABOUT = ("length", "count", "tolerance", "latency")
"""What a file may say about examples that a reference answers."""


class Problem(NamedTuple):
    """What is asked: examples, and a template to search in, if there is one."""

    examples: Examples
    template: Any = None
    file: Path | None = None

    def search(self, asked: Asked, budget: float, look: Any) -> Found:
        """Call `synthesize`; mistakes in the user's file are told with their lines."""
        with nullcontext() if self.file is None else errors_of(self.file, PROGRAM):
            return synthesize(
                self.examples, template=self.template, budget=budget, look=look, **asked.options
            )


def read_problem(asked: Asked) -> Problem:
    """Read or run the file; raises errors that say where in it."""
    said = {"tolerance": asked.tolerance, "latency": asked.latency}
    said = {name: value for name, value in said.items() if value is not None}
    if asked.examples.suffix.lower() != ".py":
        problem = Problem(Examples.read(asked.examples, **said))
    else:
        names = run_file(asked.examples, PROGRAM)
        examples = _examples(names, asked, said)
        problem = Problem(examples, names.get("template"), asked.examples)
    chosen(asked.options["methods"], problem.examples, problem.template)  # known, all of them
    return problem


def _examples(names: Mapping[str, Any], asked: Asked, said: Mapping[str, Any]) -> Examples:
    if "examples" not in names and "reference" in names:
        return _drawn(names, asked, said)
    given = named(names, "examples", asked.examples, _HOW)
    if inspect.isfunction(given):
        with errors_of(asked.examples, PROGRAM):
            given = given()
    if not isinstance(given, Examples):
        what = f"examples is of the type {type(given).__name__}"
        raise InputError(what, str(asked.examples), f"write {_HOW}")
    with errors_of(asked.examples, PROGRAM):
        return (replace(given, **said) if said else given).check()


_HOW = "examples = Examples.of([({'x': [1, 2]}, {'y': [1, 3]})]), or define reference and draws"


def _drawn(names: Mapping[str, Any], asked: Asked, said: Mapping[str, Any]) -> Examples:
    """Examples that a reference of the file answers."""
    draws = named(names, "draws", asked.examples, "draws = {'x': Integers(0, 9)}")
    about = {name: names[name] for name in _ABOUT if _says(names.get(name), name, asked)}
    options = {**about, **said}
    with errors_of(asked.examples, PROGRAM):
        return Examples.from_reference(names["reference"], draws, seed=asked.seed, **options)


def _says(value: Any, name: str, asked: Asked) -> bool:
    """Whether the file says this about its examples; a function may have that name, too."""
    if value is None or callable(value):
        return False
    if not isinstance(value, int | float):
        what = f"{name} is of the type {type(value).__name__}"
        raise InputError(what, str(asked.examples), f"write {name} = 12, or another number")
    return True
