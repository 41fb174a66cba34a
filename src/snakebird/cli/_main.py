"""What the command accepts, and how it ends: 0, 1 (our fault), 2 (the user's mistake), 130."""

import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from snakebird.cli._arguments import parsed
from snakebird.cli._long import make_way
from snakebird.errors import InputError, SnakebirdError

File = Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="")]
Text = Annotated[str | None, arg(metavar="STR", help_behavior_hint="")]
Whole = Annotated[int | None, arg(metavar="INT", help_behavior_hint="")]
Number = Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint="")]

Machine = Positional[Annotated[Path, arg(metavar="MACHINE")]]
Problem = Positional[Annotated[Path, arg(metavar="PROBLEM")]]
Examples = Positional[Annotated[Path, arg(metavar="EXAMPLES")]]

OK, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130


def run(
    machine: Machine,
    *,
    input: File = None,
    by: Literal["chars", "words"] = "chars",
    unknown: Literal["refuse", "skip"] = "refuse",
    source: Text = None,
    output: str = "-",
    ticks: Whole = None,
    record: UseAppendAction[tuple[str, ...]] = (),
    key: Whole = None,
    engine: Literal["compiled", "readable"] = "compiled",
    neurons: File = None,
) -> int:
    """Run a machine on a text, a table or a list of values, and write what it gives.

    Args:
        machine: The machine file.
        input: What arrives: .csv with a column a source, .jsonl with a value a line, else a text.
        by: Whether a text comes by characters or by words.
        unknown: What to do with characters or words the source does not know.
        source: The source a text goes to, where there are several.
        output: Where results go: a file named .jsonl or .csv, or - for JSON lines on stdout.
        ticks: How long to run; by default as long as the input lasts.
        record: An output to write, neuron.output; by default those of output neurons.
        key: The random key, for machines that draw at random.
        engine: The compiled engine, or the readable one, slow and exact.
        neurons: A Python file that registers neuron types of your own. It is run.
    """
    from snakebird.cli import _run

    _register(neurons)
    return _run.run(
        machine, input, by=by, unknown=unknown, source=source, output=output, ticks=ticks,
        record=record, key=key, engine=engine,
    )  # fmt: skip


def show(
    machine: Machine,
    *,
    links: bool = False,
    diagram: File = None,
    neurons: File = None,
) -> int:
    """Print a machine as source, or as a table of links, or draw it.

    Args:
        machine: The machine file.
        links: Print the table of links instead of the source.
        diagram: Draw the machine into this file: .svg, or .mmd for Mermaid.
        neurons: A Python file that registers neuron types of your own. It is run.
    """
    from snakebird.cli import _show

    _register(neurons)
    return _show.show(machine, links=links, diagram=diagram)


def check(machine: Machine, *, neurons: File = None) -> int:
    """Check a machine, and say what there is to know about it.

    Args:
        machine: The machine file.
        neurons: A Python file that registers neuron types of your own. It is run.
    """
    from snakebird.cli import _show

    _register(neurons)
    return _show.check(machine)


def list_(
    what: Positional[Literal["neurons"]],
    name: Positional[str | None] = None,
    *,
    neurons: File = None,
) -> int:
    """List the neuron types, or describe one.

    Args:
        what: What to list.
        name: The neuron type to describe.
        neurons: A Python file that registers neuron types of your own. It is run.
    """
    from snakebird.cli import _show

    _register(neurons)
    return _show.list_neurons(name)


def doctor() -> int:
    """Say which versions and devices are here, what is missing, and how to install it."""
    from snakebird.cli import _doctor

    return _doctor.doctor()


def demo(*, folder: Path = Path("runs/demo"), seed: int = 0) -> int:
    """Find a law in real data, then a program from examples, in about a minute.

    Args:
        folder: Where the two problems, the reports and the results are written.
        seed: The seed of all that is random.
    """
    print("snakebird demo: a law from data, then a program from examples", flush=True)
    _can_write(folder)
    from snakebird.cli import _demo

    return _demo.demo(folder, seed)


def fit(
    problem: Problem,
    *,
    data: File = None,
    out: File = None,
    seed: int = 0,
    starts: int = 6,
    budget: str = "5m",
    resume: bool = False,
    discover: bool = True,
) -> int:
    """Fit a model to data, look for laws in its holes, and write a report to read.

    Ctrl-C leaves a run that --resume goes on from.

    Args:
        problem: A Python file that defines model and data, and options of sb.fit if need be.
            It is run.
        data: A table, .csv or .parquet: handed to the file's function data(path), or, where there
            is none, read with its times in the column t.
        out: The folder for the report and the checkpoint, by default runs/NAME.
        seed: The seed of all that is random.
        starts: How many starts are trained side by side.
        budget: After how much time training ends: 90s, 5m, 1h.
        resume: Go on from the checkpoint in the folder.
        discover: Look for laws in the holes once training is done.
    """
    folder = out if out is not None else Path("runs") / problem.stem
    from snakebird.cli import _fit

    asked = _fit.Asked(problem, data, folder, seed, starts, budget, resume, discover)
    given = _fit.read(asked)
    if not resume:
        make_way(folder, problem, data)
        _can_write(folder, "--out")
    return _fit.run(given, asked)


def synthesize(
    examples: Examples,
    *,
    budget: str = "5m",
    starts: int = 32,
    seed: int = 0,
    methods: Text = None,
    tolerance: Number = None,
    latency: Whole = None,
    out: File = None,
    resume: bool = False,
) -> int:
    """Find a program from examples of what it should do, and write a folder to read.

    Ends with 0 where a program is exact, and with 1 where there is only an approximation. Ctrl-C
    leaves a search that --resume goes on from.

    Args:
        examples: A file of examples, .jsonl or .csv, or a Python file that defines examples, or
            reference and draws. It is run.
        budget: After how much time, in all, the best so far is given: 90s, 5m, 1h.
        starts: How many machines are trained side by side.
        seed: The seed of all that is random.
        methods: What to try in which order, of automaton, grow, train and deepen: grow,train.
        tolerance: How far any answer may be off; by default answers are exactly equal.
        latency: How many ticks late the program may answer.
        out: The folder for the program, the report and the checkpoint, by default runs/NAME.
        resume: Go on from the checkpoint in the folder.
    """
    folder = out if out is not None else Path("runs") / examples.stem
    from snakebird.cli._synthesize_asked import Asked, said

    asked = Asked(examples, folder, budget, starts, seed, methods, tolerance, latency, resume)
    asked.check()
    with said(f"reading {examples} ..."):
        from snakebird.cli import _synthesize
        from snakebird.cli._synthesize_problem import read_problem

        problem = read_problem(asked)
    if not resume:
        make_way(folder, examples)
        _can_write(folder, "--out")
    return _synthesize.run(problem, asked)


def _can_write(folder: Path, option: str = "--folder") -> None:
    """Make a folder; raises `InputError` for one that takes no files."""
    from tempfile import TemporaryFile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        what = f"cannot write here: {error.strerror}"
        raise InputError(what, f"{option} {folder}", f"choose another {option}") from None


COMMANDS = {
    "run": run,
    "show": show,
    "check": check,
    "fit": fit,
    "synthesize": synthesize,
    "list": list_,
    "doctor": doctor,
    "demo": demo,
}


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code. Prints mistakes in three lines, never a traceback."""
    warnings.showwarning = _show_warning
    try:
        given = sys.argv[1:] if args is None else list(args)
        if given == ["--version"]:
            print(f"snakebird {version('snakebird')}")
            return OK
        return parsed(given or ["--help"], COMMANDS)()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else OK if end.code is None else MISTAKE
    except SnakebirdError as error:
        complain(error)
        return MISTAKE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough
        sys.stderr.close()
        return OK


def complain(error: SnakebirdError) -> None:
    """Print an error in three lines: what, where, and what to do."""
    where, hint = error.where or "this command", error.hint or "see snakebird --help"
    for label, text in (("error:", error.what), ("  at", where), ("  hint:", hint)):
        print(label, " ".join(text.split()), file=sys.stderr)


def _show_warning(message: Warning | str, *args: object, **kwargs: object) -> None:
    print("warning:", " ".join(str(message).split()), file=sys.stderr)


def _register(neurons: Path | None) -> None:
    """Run a user's own file, which registers neuron types."""
    if neurons is not None:
        from snakebird.cli._user import NEURONS, run_file

        run_file(neurons, NEURONS)
