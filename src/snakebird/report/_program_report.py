"""A program found from examples: one page to read, and a folder of files to take along."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from snakebird.errors import InputError, SnakebirdError
from snakebird.machines import save
from snakebird.report._diagram import to_svg
from snakebird.report._program_page import attempt, plain, program_page, verdict
from snakebird.report._repeat import versions
from snakebird.report._search_history import search_folder
from snakebird.synthesis.programs import Found

PAGE, SOURCE, PLAIN, DRAWING = "report.html", "program.py", "standalone.py", "diagram.svg"
EVIDENCE, MACHINE = "evidence.json", "best.json"


def program_report(found: Found, path: str | Path) -> Path:
    """Write a page about a program that was found from examples; returns its path.

    The page needs no other file: what was asked, some of the examples, the program as source, as
    a drawing and as plain Python, the evidence for it, and how to find it again. Written into the
    folder of its search, it also shows how that went. Raises `InputError` where it cannot be
    written.
    """
    path = Path(path)
    _made(path.parent)
    _write(path, program_page(found, search_folder(path.parent, found)))
    return path


def write_program(found: Found, folder: str | Path) -> Path:
    """Write all about a program that was found into a folder; returns the path of the page.

    * `report.html`: the page of `program_report`;
    * `program.py`: the program as source, `standalone.py`: as a function that needs only Python;
    * `best.json`: the machine, a file for `load`; `diagram.svg`: its drawing;
    * `evidence.json`: what was tried, and on what the program was verified.

    A file that cannot be made of this machine is left out. Raises `InputError` for a folder that
    cannot be written.
    """
    folder = Path(folder)
    _made(folder)
    for name, text in _texts(found).items():
        if text is None:
            (folder / name).unlink(missing_ok=True)
        else:
            _write(folder / name, text)
    with suppress(SnakebirdError):
        save(found.machine, folder / MACHINE)
    return program_report(found, folder / PAGE)


def _texts(found: Found) -> dict[str, str | None]:
    evidence = json.dumps(_evidence(found), indent=2, ensure_ascii=False)
    return {
        SOURCE: found.source,
        PLAIN: plain(found),
        DRAWING: to_svg(found.machine),
        EVIDENCE: f"{evidence}\n",
    }


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None


def _write(path: Path, text: str) -> None:
    """Written beside and moved, so that there is always a whole file."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, "utf-8", newline="\n")
        os.replace(draft, path)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> InputError:
    what = f"cannot write here: {error.strerror}"
    return InputError(what, str(path), "choose another folder")


def _evidence(found: Found) -> dict[str, Any]:
    evidence = found.evidence
    return {
        "exact": found.exact,
        "statement": found.statement,
        "proof": None if found.proof is None else str(found.proof),
        "links": found.links,
        "failure": None if found.failure is None else str(found.failure),
        "interrupted": found.interrupted,
        "seconds": evidence.seconds,
        "seconds to the first": evidence.first_seconds,
        "seed": evidence.seed,
        "trained on": evidence.trained_on,
        "counterexamples": evidence.counterexamples,
        "tried": [attempt(one) for one in evidence.attempts],
        "verified": [{"on": name, **verdict(one)} for name, one in evidence.verdicts],
        "versions": versions(),
    }
