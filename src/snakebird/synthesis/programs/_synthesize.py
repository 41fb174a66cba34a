"""`synthesize`: from examples to the shortest program that is verified."""

from contextlib import closing, nullcontext
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from snakebird.errors import InputError
from snakebird.machines import Machine
from snakebird.synthesis.programs._checkpoint import Progress
from snakebird.synthesis.programs._examples import Examples
from snakebird.synthesis.programs._found import (
    Found,
    Look,
)
from snakebird.synthesis.programs._methods import METHODS, REPAIR, chosen
from snakebird.synthesis.programs._run_folder import RunFolder
from snakebird.synthesis.programs._search import Search


def synthesize(
    examples: Examples,
    *,
    template: Any = None,
    methods: Any = None,
    budget: float = 300.0,
    starts: int = 32,
    seed: int = 0,
    look: Look | None = None,
    out: str | Path | None = None,
    resume: bool = False,
) -> Found:
    """Find a program that answers examples exactly, as short and as plain as it can be had.

    * `examples`: what the program should do, as `Examples`. With a reference, inputs that are
      longer and drawn differently are made to verify it on; without one the longest are held out.
    * `template`: a machine with free links to complete, or a maker of one; by default programs
      are first grown neuron by neuron, then trained on templates chosen by the kinds of streams.
    * `methods`: some of "automaton", "grow", "train", "deepen", in the order in which they are
      tried, and functions of your own from a `Task` to candidate machines.
    * `budget`: seconds; when they are spent, the best so far is given.
    * `starts`: how many machines are trained side by side; `seed` repeats a search.
    * `look`: called with a stage and what is known, as the search goes on.
    * `out`: a folder for the settings, the history, the best program so far and a checkpoint,
      from which `resume` goes on; the budget is that of all runs together.

    A program that fails on a held-out input gives that input to the training set (refinement by
    counterexamples, A. Solar-Lezama et al., ASPLOS 2006). Raises `InputError` for examples that
    contradict each other and for a folder that belongs to another search, and `UnknownNameError`
    for an unknown method.

    >>> from snakebird.synthesis.programs import Integers
    >>> examples = Examples.from_reference(lambda x: [2 * n for n in x], {"x": Integers(0, 9)})
    >>> found = synthesize(examples)
    >>> found.exact, [str(link) for link in found.machine.links]
    (True, ['output.result <- 2 * x.signal (instant)'])
    """
    _check_asked("synthesize", examples, budget, starts, seed)
    found = chosen(methods, examples, template)
    names = tuple(method.name for method in found)
    asked = {"methods": names, "template": template, "starts": starts, "seed": seed}
    folder, known = _folder(examples.check(), {**asked, "budget": budget}, out, resume)
    with nullcontext() if folder is None else closing(folder):
        search = Search.of(examples, seed, budget, look or _silent, folder, known)
        return search.run(found, template, starts)


def _check_asked(where: str, examples: Any, budget: Any, starts: Any, seed: Any) -> None:
    if not isinstance(examples, Examples):
        raise InputError(
            f"found {type(examples).__name__}, expected examples",
            where,
            'write sb.Examples.of([("ab", [1, 2])]), or sb.Examples.from_reference(...)',
        )
    if not isinstance(budget, Real) or isinstance(budget, bool) or not float(budget) > 0:
        said = repr(budget) if isinstance(budget, str) else f"{budget} s"
        raise InputError(f"the budget is {said}", where, "write budget=300, in seconds")
    for name, value, least, usual in (("starts", starts, 1, 32), ("seed", seed, 0, 0)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            hint = f"write {name}={usual}, or another whole number"
            raise InputError(f"{name} is {value!r}", where, hint)


def _folder(
    examples: Examples, asked: dict[str, Any], out: str | Path | None, resume: bool
) -> tuple[RunFolder | None, Progress]:
    """Where the search keeps what it does, and what it knows already."""
    if out is None and resume:
        raise InputError("there is no folder to resume from", "synthesize", "give out= as well")
    if out is not None and resume:
        return RunFolder.resume(Path(out), examples, asked)
    return (RunFolder.begin(Path(out), examples, asked) if out is not None else None), Progress()


def repair(
    machine: Machine,
    examples: Examples,
    *,
    budget: float = 60.0,
    starts: int = 32,
    seed: int = 0,
    look: Look | None = None,
) -> Found:
    """Find the program nearest to a damaged one that answers the examples exactly.

    All its links may change, and others among its neurons come in. Where none is found in half of
    the budget, one is grown anew. See `synthesize` for the rest.

    >>> from snakebird.synthesis.programs import Integers
    >>> examples = Examples.from_reference(lambda x: [2 * n for n in x], {"x": Integers(0, 9)})
    >>> damaged = Machine({**examples.sources(), "output": "output"})
    >>> repair(damaged, examples).exact
    True
    """
    _check_asked("repair", examples, budget, starts, seed)
    if not isinstance(machine, Machine):
        what = f"found {type(machine).__name__}, expected a machine"
        raise InputError(what, "repair", "of what synthesize found, give found.machine")
    search = Search.of(examples.check(), seed, budget, look or _silent, None, Progress())
    return search.run((REPAIR, METHODS["grow"]), machine, starts)


def _silent(stage: str, known: dict[str, Any]) -> None:
    """Nobody looks on."""
