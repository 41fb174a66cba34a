"""The equations of a model, as its author wrote them."""

import inspect
import textwrap
from pathlib import Path
from typing import Any

import snakebird


def model_words(model: Any) -> str:
    """The first paragraph of what the author of a model says about it; empty if nothing."""
    said = vars(type(model)).get("__doc__") or ""
    if type(model).__module__.split(".")[0] == "snakebird" or said.startswith(type(model).__name__):
        return ""  # what is said there is not about this model, or was made of its fields
    return " ".join(inspect.cleandoc(said).partition("\n\n")[0].split())


def model_source(model: Any) -> str:
    """The source of what is called for the rates; empty if there is none, or the package's own.

    >>> model_source({})
    ''
    """
    called = model if inspect.isfunction(model) else vars(type(model)).get("__call__")
    called = inspect.unwrap(getattr(called, "method", called)) if called is not None else None
    if not inspect.isfunction(called):
        return ""
    package = Path(str(snakebird.__file__)).parent
    if Path(called.__code__.co_filename).is_relative_to(package):
        return ""
    try:
        return textwrap.dedent(inspect.getsource(called)).rstrip()
    except (OSError, TypeError):
        return ""
