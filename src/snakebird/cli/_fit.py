"""`snakebird fit`: train a model of a user's file on data, find laws, write a folder to read."""

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from snakebird.cli._long import clock, seconds_of, tell, terminated_like_interrupted
from snakebird.cli._problem import FIT, Problem, read_problem
from snakebird.cli._user import errors_of
from snakebird.errors import InputError, SnakebirdError
from snakebird.fitting import Fit, Step, fit

CHECKPOINT = "checkpoint.npz"
_INTERRUPTED = "interrupted"


class Asked(NamedTuple):
    """What the command was told."""

    problem: Path
    data: Path | None
    out: Path
    seed: int
    starts: int
    budget: str
    resume: bool
    discover: bool

    @property
    def again(self) -> str:
        """The line to type to go on."""
        words = ["snakebird", "fit", str(self.problem)]
        words += [] if self.data is None else ["--data", str(self.data)]
        words += ["--out", str(self.out), "--seed", str(self.seed), "--starts", str(self.starts)]
        words += ["--budget", self.budget, "--resume"]
        words += [] if self.discover else ["--no-discover"]
        return shlex.join(words)

    @property
    def config(self) -> dict[str, Any]:
        """For the file of settings."""
        return {name: str(v) if isinstance(v, Path) else v for name, v in self._asdict().items()}


def read(asked: Asked) -> Problem:
    """Check the arguments, and run the file."""
    seconds_of(asked.budget, "snakebird fit")
    if asked.starts < 1:
        raise InputError(f"--starts {asked.starts}", "snakebird fit", "give one start or more")
    return read_problem(asked.problem, asked.data)


def run(problem: Problem, asked: Asked) -> int:
    """Train, discover, write; 0, or 130 where it was interrupted."""
    try:
        with terminated_like_interrupted():
            found = _train(problem, asked)
            cut = found.stopped.startswith(_INTERRUPTED)
            laws: list[Any] = []
            if asked.discover and found.holes and not cut:
                _write(found, laws, asked)  # kept, whatever becomes of the laws
                cut = _look_for_laws(found, laws)
            return _finish(found, laws, asked, cut=cut)
    except KeyboardInterrupt:
        _say_how_to_go_on(asked)
        return 130


def _train(problem: Problem, asked: Asked) -> Fit:
    budget = seconds_of(asked.budget, "snakebird fit")
    with errors_of(asked.problem, FIT), progress(problem.data.names, budget) as say:
        return fit(
            problem.model, problem.data, **problem.options, seed=asked.seed, starts=asked.starts,
            budget=budget, out=asked.out, resume=asked.resume, progress=say,
        )  # fmt: skip


def _look_for_laws(found: Fit, laws: list[Any]) -> bool:
    """Add laws for every hole; whether that was interrupted.

    What keeps a hole from having some is said, and no error.
    """
    from snakebird.synthesis import discover

    for name in found.holes:
        tell(f"  looking for laws for the hole {name} ...")
        try:
            laws.append(discover(found, name))
        except SnakebirdError as error:
            tell(f"warning: no laws for {name}: {error.what}")
        except KeyboardInterrupt:
            tell(f"interrupted while laws for {name} were sought")
            return True
    return False


def _write(found: Fit, laws: Sequence[Any], asked: Asked) -> None:
    """Write the folder; where that fails it is said again at the end."""
    from snakebird.report import write_report

    with suppress(SnakebirdError):
        write_report(found, asked.out, laws=laws, config={"command": asked.config})


def _finish(found: Fit, laws: Sequence[Any], asked: Asked, *, cut: bool) -> int:
    from snakebird.report import write_report

    print(found)
    for one in laws:
        print(one)
    # Last, so that a disk that is full does not keep back what was found.
    page = write_report(found, asked.out, laws=laws, config={"command": asked.config})
    print(f"wrote {page}", flush=True)
    if cut:
        _say_how_to_go_on(asked)
        return 130
    if found.stopped:
        tell(f"{found.stopped}; to go on: {asked.again}")
    return 0


def _say_how_to_go_on(asked: Asked) -> None:
    if (asked.out / CHECKPOINT).exists():
        tell(f"interrupted; what was done stands in {asked.out}")
        tell(f"to go on: {asked.again}")
    else:
        tell("interrupted before the first round was done; there is nothing to go on from")


@contextmanager
def progress(columns: Sequence[str], budget: float) -> Iterator[Callable[[Step], None]]:
    """Says every round on stderr: a line each, and on a terminal what goes on below them."""
    from rich.console import Console

    console, began = Console(stderr=True, highlight=False), time.monotonic()
    now = lambda: clock(time.monotonic() - began, budget)
    line = lambda step: f"  {described(step, columns)}  {now()}"
    if not console.is_terminal:
        yield lambda step: console.print(line(step), soft_wrap=True, markup=False)
        return
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    spinner = Spinner("dots")

    def spinning() -> Spinner:
        spinner.update(text=Text(f"training  {now()}"))
        return spinner

    with Live(get_renderable=spinning, console=console, transient=True, refresh_per_second=4):
        yield lambda step: console.print(line(step), soft_wrap=True, markup=False)


def described(step: Step, columns: Sequence[str]) -> str:
    """A round in a line.

    >>> described(Step("trajectories", 1, 13.5, 0, (0.01,), 3, 0.25), ["x"])
    'trajectories 2  cost 13.5  noise x 0.01  3 alive  0.25 s/round'
    """
    noise = " ".join(
        f"{name} {size:.3g}" for name, size in zip(columns, step.sizes, strict=False)
    )  # fmt: skip
    parts = [f"{step.stage} {step.round + 1}", f"cost {step.cost:.4g}"]
    parts += [f"noise {noise}"] if noise else []
    return "  ".join([*parts, f"{step.alive} alive", f"{step.seconds:.2f} s/round"])
