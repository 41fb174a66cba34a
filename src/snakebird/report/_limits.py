"""What a fit does not tell, in sentences."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from snakebird.errors import SnakebirdError
from snakebird.fitting import Fit, identifiability
from snakebird.report import _page


def limits(fit: Fit, laws: Mapping[str, Any]) -> list[str]:
    """The section on what is not known: of the numbers, of the holes, of the laws."""
    return [_page.heading("What is not known"), _page.points(_sentences(fit, laws))]


def _sentences(fit: Fit, laws: Mapping[str, Any]) -> Iterator[str]:
    if fit.stopped:
        yield f"Training is not finished ({fit.stopped}): all that stands here may still change."
    else:
        yield from _of_numbers(fit)
    for name in fit.holes:
        yield f"What {name} is where no data led it: there it is a guess."
        if laws.get(name):
            yield from _of_laws(name, laws[name])


def _of_numbers(fit: Fit) -> Iterator[str]:
    try:
        told = identifiability(fit)
    # A hole that is called inside a loop of JAX's own cannot be watched.
    except (SnakebirdError, jax.errors.UnexpectedTracerError, np.linalg.LinAlgError):
        yield "Whether the data determine every number: this could not be found out here."
        return
    if fit.parameters and not told.problems:
        yield "Of the parameters nothing is left open: the data determine all of them."
    yield from (_sentence(text) for text in (*told.problems, *told.notes))


def _of_laws(name: str, found: Any) -> Iterator[str]:
    if getattr(found, "missed", False):
        yield f"The law of {name}: no law that was tried meets the data as well as the hole does."
    elif not found.sure and len(found) > 1:
        other = "; ".join(str(found[1].law).splitlines())
        yield (
            f"Which law {name} follows: {other} has probability {found[1].weight:.0%}, "
            "and more data might choose it."
        )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
