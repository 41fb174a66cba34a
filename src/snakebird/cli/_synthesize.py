"""`snakebird synthesize`: from examples in a file to a program, and a folder to read."""

import math

from snakebird.cli._long import seconds_of, tell, terminated_like_interrupted
from snakebird.cli._synthesize_asked import NAME, Asked, said
from snakebird.cli._synthesize_problem import Problem
from snakebird.cli._synthesize_watch import watching
from snakebird.errors import MachineError
from snakebird.synthesis.programs import Found, Stepwise

CHECKPOINT = "checkpoint.json"


def run(problem: Problem, asked: Asked) -> int:
    """Search and write; 0 with an exact program, 1 without, 130 where it was interrupted."""
    budget = seconds_of(asked.budget, NAME)
    try:
        with terminated_like_interrupted():
            with watching(budget) as watch:
                found = problem.search(asked, budget, watch.see)
            return _finish(_proven(found), asked, budget)
    except KeyboardInterrupt:
        _say_how_to_go_on(asked)
        return 130


def _finish(found: Found, asked: Asked, budget: float) -> int:
    from snakebird.report import write_program

    proof = f"\n{found.proof}" if found.proof else ""
    print(f"{found.source.rstrip()}\n\n{found.statement}{proof}", flush=True)
    with said(f"writing {asked.out} ..."):
        page = write_program(found, asked.out)
    print(f"wrote {page}", flush=True)
    if found.interrupted:
        _say_how_to_go_on(asked)
    elif not found.exact:
        _say_what_to_try(asked, budget, found.evidence.seconds)
    return 0 if found.exact else 130 if found.interrupted else 1


def _proven(found: Found) -> Found:
    """With a proof, where there is something that may be proven."""
    if not found.exact or not isinstance(found.examples.reference, Stepwise):
        return found
    try:
        with said("looking for a proof ..."):
            return found.proven()
    except MachineError as error:
        tell(f"warning: {error.what}; {error.hint}")
        return found


def _say_how_to_go_on(asked: Asked) -> None:
    if (asked.out / CHECKPOINT).exists():
        tell(f"interrupted; what was done stands in {asked.out}")
        tell(f"to go on: {asked.again()}")
    else:
        tell("interrupted before the search began; there is nothing to go on from")


def _say_what_to_try(asked: Asked, budget: float, spent: float) -> None:
    if spent >= budget:  # the last step may have taken it far beyond
        tell(f"the budget of {budget:g} s is spent; to go on with twice what was spent:")
        tell(asked.again(budget=f"{math.ceil(2 * spent)}s"))
    else:
        tell("the methods found nothing more; give more examples, other --methods or --seed")
