"""A program found from examples: one page to read, and a folder of files to take along."""

import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from snakebird.errors import InputError, SnakebirdError
from snakebird.machines import save
from snakebird.report import _page
from snakebird.report._diagram import to_svg
from snakebird.synthesis.programs import Attempt, Examples, Found, Verdict

PAGE, SOURCE, PLAIN, DRAWING = "report.html", "program.py", "standalone.py", "diagram.svg"
EVIDENCE, MACHINE = "evidence.json", "best.json"

_EXAMPLES, _TICKS = 6, 24
"""How many examples the page shows, and how many ticks of each."""


def program_report(found: Found, path: str | Path) -> Path:
    """Write a page about a program that was found from examples; returns its path.

    The page needs no other file: what was asked, some of the examples, the program as source, as
    a drawing and as plain Python, and the evidence for it. Raises `InputError` where it cannot
    be written.
    """
    path = Path(path)
    _made(path.parent)
    _write(path, _page_of(found))
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
        PLAIN: _plain(found),
        DRAWING: to_svg(found.machine),
        EVIDENCE: f"{evidence}\n",
    }


def _plain(found: Found) -> str | None:
    """The program as plain Python, if this machine can be written so."""
    try:
        return found.python
    except SnakebirdError:
        return None


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
        "links": found.links,
        "failure": None if found.failure is None else str(found.failure),
        "interrupted": found.interrupted,
        "seconds": evidence.seconds,
        "seconds to the first": evidence.first_seconds,
        "seed": evidence.seed,
        "trained on": evidence.trained_on,
        "counterexamples": evidence.counterexamples,
        "tried": [_attempt(one) for one in evidence.attempts],
        "verified": [{"on": name, **_verdict(one)} for name, one in evidence.verdicts],
        "versions": _versions(),
    }


def _attempt(one: Attempt) -> dict[str, Any]:
    return {
        "method": one.method,
        "seconds": one.seconds,
        "candidates": one.candidates,
        "exact": one.exact,
        "note": one.note,
    }


def _verdict(one: Verdict) -> dict[str, Any]:
    return {
        "right": one.right,
        "examples": one.checked,
        "longest": one.longest,
        "ticks": one.ticks,
        "failure": None if one.failure is None else str(one.failure),
    }


def _versions() -> dict[str, str]:
    packages = ("snakebird", "jax", "equinox", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _page_of(found: Found) -> str:
    parts = [_page.words(_sentence(found.statement))]
    if found.interrupted:
        parts.append(_page.words("The search was interrupted: a longer one may find more."))
    parts += [*_program(found), *_question(found.examples), *_speaks(found)]
    rows = list(_versions().items())
    parts += [_page.heading("Versions"), _page.table(["package", "version"], rows)]
    return _page.page("A program from examples", parts)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _program(found: Found) -> Iterator[str]:
    yield _page.heading("The program")
    yield _page.code(found.source.rstrip())
    yield _page.picture(to_svg(found.machine), "the machine as a drawing")
    plain = _plain(found)
    if plain is not None:
        yield _page.words("The same as a function that needs nothing but Python:")
        yield _page.code(plain.rstrip())


def _question(examples: Examples) -> Iterator[str]:
    roles = {**dict.fromkeys(examples.inputs, "input")}
    roles |= dict.fromkeys(examples.outputs, "output")
    yield _page.heading("What was asked")
    yield _page.words(_asked(examples))
    rows = [[name, role, examples.streams[name]] for name, role in roles.items()]
    yield _page.table(["stream", "", "kind"], rows)
    yield _page.table(["example", "stream", "tick by tick"], _shown_examples(examples))
    if len(examples) > _EXAMPLES:
        yield _page.words(f"... and {len(examples) - _EXAMPLES} more.")


def _asked(examples: Examples) -> str:
    lengths = [one.ticks for one in examples]
    ticks = " to ".join(str(n) for n in dict.fromkeys((min(lengths), max(lengths))))
    close = (
        f"Numbers may be off by {examples.tolerance}."
        if examples.tolerance
        else "Answers must be exactly equal."
    )
    late = f" They may come {examples.latency} ticks late." if examples.latency else ""
    more = " A reference makes as many more as are needed." if examples.can_draw else ""
    return f"{len(examples)} examples of {ticks} ticks.{more} {close}{late}"


def _shown_examples(examples: Examples) -> Iterator[list[str]]:
    for number, one in enumerate(examples.items[:_EXAMPLES], 1):
        for name, values in {**one.inputs, **one.outputs}.items():
            yield [str(number), name, _ticks(values)]


def _ticks(values: Iterable[Any]) -> str:
    texts = [_value(value) for value in values]
    more = " ..." if len(texts) > _TICKS else ""
    return " ".join(texts[:_TICKS]) + more


def _value(value: Any) -> str:
    """A value for people; a dot where nothing arrives or nothing is asked."""
    if value is None:
        return "·"
    if isinstance(value, str):
        return value if value.isprintable() and value.strip() else repr(value)
    if isinstance(value, Mapping):
        pairs = (f"{key}: {_value(part)}" for key, part in value.items())
        return "{" + ", ".join(pairs) + "}" if value else "0"
    return str(value)


def _speaks(found: Found) -> Iterator[str]:
    evidence = found.evidence
    yield _page.heading("What speaks for it")
    back = evidence.counterexamples
    more = f" {back} failing examples went back into the search." if back else ""
    yield _page.words(
        f"Searched for {evidence.seconds:.1f} s with seed {evidence.seed}, on "
        f"{evidence.trained_on}.{more}"
    )
    head = ["method", "seconds", "candidates", "exact", ""]
    yield _page.table(head, ([*map(_cell, _attempt(one).values())] for one in evidence.attempts))
    if evidence.verdicts:
        yield _page.words("Checked on examples that took no part in the search:")
        rows = [[name, *map(_cell, _verdict(one).values())] for name, one in evidence.verdicts]
        yield _page.table(["on", "right", "examples", "longest", "ticks", "fails first"], rows)
    if found.failure is not None:
        yield _page.words(f"It fails first at {found.failure}.")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
