"""What long runs keep, and problems: only this file knows where they are read."""

import json
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import snakebird as sb
from snakebird.errors import FitError, InputError

PROBLEM_SEEDS = (
    b"# -*- coding: utf-8 -*-\nimport snakebird as sb\n\nmodel = f'{1}'\ndata = [(1, 2), {3: 4}]\n",
)


def search(path: Path) -> Any:
    from snakebird.synthesis.programs._checkpoint import read

    return read(path.read_text("utf-8", "replace"), str(path))


def search_again(known: Any, path: Path) -> tuple[Any, Any]:
    from snakebird.synthesis.programs._checkpoint import Writer, read

    text = Writer().text(known[1], known[0])
    question, progress = read(text, str(path))
    return Writer().text(progress, question), text


def search_seeds() -> tuple[bytes, ...]:
    from snakebird.synthesis.programs import Attempt, Examples, verify
    from snakebird.synthesis.programs._checkpoint import Progress, Writer

    @sb.machine
    def echo(x):
        return {"result": sb.instant(x)}

    examples = Examples.of([([Fraction(1, 3), None], [{}, None])])
    failure = verify(echo, examples).failure
    assert failure is not None
    progress = Progress(
        [echo], [(echo, failure)], [Attempt("grow", 1.5, 3, 1, "a note")], [examples[0]],
        {"grow": None, "train": 30.0}, 12.5, 3.25,
    )  # fmt: skip
    return (Writer().text(progress, "abc").encode(), Writer().text(Progress(), "abc").encode())


def rounds(path: Path) -> Any:
    from snakebird.fitting._watch import read

    return read(path.read_bytes(), str(path))


def rounds_seeds() -> tuple[bytes, ...]:
    from snakebird.fitting._train import Rows, Step
    from snakebird.fitting._watch import CHECKPOINT, Watch

    with TemporaryDirectory() as folder:
        watch = Watch(folder=Path(folder))
        watch.begin(run="a")
        arrays: Any = (np.ones((2, 3)) for _ in Rows._fields)
        rows = Rows(*arrays)
        watch.after(Step("all", 3, 0.5, 1, (0.5, 1.5), 8, 1.25), rows)
        with watch.catching():
            return ((Path(folder) / CHECKPOINT).read_bytes(),)


def steps(path: Path) -> Any:
    from snakebird.fitting._watch import _step

    return _lines_of(path, _step)


def outer_steps(path: Path) -> Any:
    from snakebird.meta._folder import _step

    return _lines_of(path, _step)


def _lines_of(path: Path, step: Callable[[bytes], Any]) -> Any:
    from snakebird.fitting._keeping import Keeper

    count = path.read_bytes().count(b"\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Keeper(path.parent, FitError).take_up(count, step)


def steps_seeds() -> tuple[bytes, ...]:
    from snakebird.fitting._train import Step

    line = json.dumps(Step("all", 3, 0.5, 1, (0.5, 1.5), 8, 1.25)._asdict())
    return (f"{line}\n{line}\n".encode(),)


def outer_steps_seeds() -> tuple[bytes, ...]:
    line = json.dumps({"step": 3, "loss": 0.5, "gradient": 1.5, "diverged": [[0, -2]]})
    return (f"{line}\n{line}\n".encode(),)


def outer(path: Path) -> Any:
    from snakebird.meta._folder import read

    return read(path.read_bytes(), str(path))


def outer_seeds() -> tuple[bytes, ...]:
    from snakebird.meta._folder import CHECKPOINT, Folder

    with TemporaryDirectory() as name:
        folder = Folder(Path(name), "mark")
        folder.begin({"weights": np.ones(3), "step": np.zeros(())})
        folder.close()
        return ((Path(name) / CHECKPOINT).read_bytes(),)


def problem(path: Path) -> Any:
    """A problem is a Python file, which is run; here only what is none, and so never is."""
    from snakebird.cli._problem import FIT
    from snakebird.cli._user import run_file

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(path.read_bytes(), "problem", "exec")
    except Exception:
        return run_file(path, FIT)
    raise InputError("this is Python", str(path), "it would be run")


def runner_seeds() -> tuple[bytes, ...]:
    @sb.machine
    def letters(char: sb.Tokens("abc. ")):  # pyright: ignore[reportInvalidTypeForm]
        return {"counts": sb.accumulate(char)}

    runner = sb.Runner(letters, key=0)
    runner.send("char", [{"a": 1}, None])
    runner.advance(3)
    with TemporaryDirectory() as folder:
        runner.save(Path(folder) / "r.json")
        return ((Path(folder) / "r.json").read_bytes(),)
