"""A user's own Python file of neuron types."""

import runpy
import traceback
from pathlib import Path

from snakebird.errors import InputError, SnakebirdError


def run_file(path: Path) -> None:
    """Run a file for what it registers; raises `InputError` with the line where it fails."""
    if not path.is_file():
        raise InputError("no such file", str(path), "give a Python file with --neurons")
    try:
        runpy.run_path(str(path))
    except SnakebirdError as error:
        raise type(error)(error.what, f"{path}: {error.where}", error.hint) from None
    except SyntaxError as error:
        raise InputError(
            f"this is not Python: {error.msg}", f"{path}, line {error.lineno}", "mend that line"
        ) from None
    except SystemExit as error:
        raise InputError(
            f"the file ends Python with sys.exit({'' if error.code is None else repr(error.code)})",
            str(path),
            "a file of neuron types only registers them; take the exit out",
        ) from None
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        raise InputError(
            f"{type(error).__name__}: {error}",
            f"{path}, line {lines[-1] if lines else '?'}",
            "the file was run for the neuron types it registers; mend it there",
        ) from None
