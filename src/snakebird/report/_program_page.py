"""The page about a program: question, examples, what was found, evidence, how to repeat it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from snakebird.errors import SnakebirdError
from snakebird.report import _page
from snakebird.report._example_plots import chosen, draw_example
from snakebird.report._inline import panels_of
from snakebird.report._repeat import count, listed, repeat
from snakebird.report._search_history import Search, draw_search
from snakebird.synthesis.programs import Attempt, Examples, Found, Verdict

_EXAMPLES, _TICKS = 6, 24
"""How many examples the page shows, and how many ticks of each."""


def program_page(found: Found, search: Search) -> str:
    """The whole page; `search` is what the folder tells of the search."""
    parts = [_answer(found), *_question(found.examples), *_data(found.examples)]
    parts += [*_program(found), *_evidence(found, search), *_limits(found), *_repeat(found, search)]
    name = found.machine.name
    title = "A program from examples" + (f": {name}" if name not in ("", "program") else "")
    return _page.page(title, parts, kind="Snakebird, report of a synthesis")


def plain(found: Found) -> str | None:
    """The program as plain Python, if this machine can be written so."""
    try:
        return found.python
    except SnakebirdError:
        return None


def attempt(one: Attempt) -> dict[str, Any]:
    """One way of searching, for a file or a table."""
    return {
        "method": one.method,
        "seconds": one.seconds,
        "candidates": one.candidates,
        "exact": one.exact,
        "note": one.note,
    }


def verdict(one: Verdict) -> dict[str, Any]:
    """What came of one check, for a file or a table."""
    return {
        "right": one.right,
        "examples": one.checked,
        "longest": one.longest,
        "ticks": one.ticks,
        "failure": None if one.failure is None else str(one.failure),
    }


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


# What was found, in short, and what was asked.


def _answer(found: Found) -> str:
    body = found.source.partition("\n\n\n")[2] or found.source  # without the imports
    parts = [_page.source(body.rstrip()), _page.words(_sentence(found.statement))]
    if found.proof is not None:
        parts.append(_page.words(_sentence(str(found.proof))))
    if found.interrupted:
        parts.append(_page.words("The search was interrupted: a longer one may find more."))
    return _page.answer(parts)


def _question(examples: Examples) -> Iterator[str]:
    roles = {**dict.fromkeys(examples.inputs, "input")}
    roles |= dict.fromkeys(examples.outputs, "output")
    yield _page.heading("The question")
    yield _page.words(
        f"Which program answers {listed(examples.inputs)} with {listed(examples.outputs)}? "
        f"{_asked(examples)}"
    )
    rows = [[name, role, examples.streams[name]] for name, role in roles.items()]
    yield _page.table(["stream", "", "kind"], rows)


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


def _data(examples: Examples) -> Iterator[str]:
    yield _page.heading("The examples")
    figure = draw_example(examples)
    if figure is not None:
        number = examples.items.index(chosen(examples)) + 1
        caption = f"Example {number}, tick by tick. Point at it for the values."
        yield _page.picture("example", panels_of(figure), caption)
    yield _page.table(["example", "stream", "tick by tick"], _shown_examples(examples))
    if len(examples) > _EXAMPLES:
        yield _page.words(f"... and {len(examples) - _EXAMPLES} more.")


def _shown_examples(examples: Examples) -> Iterator[list[str]]:
    for number, one in enumerate(examples.items[:_EXAMPLES], 1):
        for name, values in {**one.inputs, **one.outputs}.items():
            yield [f"{number}", name, _ticks(values)]


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


# The program, and what speaks for it.


def _program(found: Found) -> Iterator[str]:
    yield _page.heading("The program")
    caption = (
        "Boxes are neurons, lines are links: each input is the sum of what its links carry. "
        "Point at a neuron for its links, at a link for its weight."
    )
    yield _page.drawing(found.machine, caption)
    yield _page.words("As source that makes this machine again:")
    yield _page.source(found.source.rstrip())
    python = plain(found)
    if python is not None:
        yield _page.words("The same as a function that needs nothing but Python:")
        yield _page.source(python.rstrip())


def _evidence(found: Found, search: Search) -> Iterator[str]:
    evidence = found.evidence
    yield _page.heading("Evidence")
    if evidence.verdicts:
        yield _page.words("Checked on examples that took no part in the search:")
        rows = [[name, *map(_cell, verdict(one).values())] for name, one in evidence.verdicts]
        yield _page.table(["on", "right", "examples", "longest", "ticks", "fails first"], rows)
    back = evidence.counterexamples
    more = f" {back} failing examples went back into the search." if back else ""
    yield _page.heading("How the search went", level=3)
    yield _page.words(
        f"Searched for {evidence.seconds:.1f} s with seed {evidence.seed}, on "
        f"{evidence.trained_on}.{more}"
    )
    head = ["method", "seconds", "candidates", "exact", ""]
    yield _page.table(head, ([*map(_cell, attempt(one).values())] for one in evidence.attempts))
    figure = draw_search(search, evidence.seconds)
    if figure is not None:
        caption = "Programs that were verified, and how many links the shortest of them had."
        yield _page.picture("search", panels_of(figure), caption)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


# What is open, and how to go on.


def _limits(found: Found) -> Iterator[str]:
    yield _page.heading("What is not known")
    yield _page.points(_open(found))


def _open(found: Found) -> Iterator[str]:
    if found.failure is not None:
        yield f"It fails first at {found.failure}."
    if not found.exact:
        yield "Whether an exact program exists that a longer search would find."
        return
    if not found.evidence.verdicts:
        yield "Whether it is right on other inputs: there was nothing to verify it on."
    else:
        yield (
            f"It was checked on inputs of up to {count(found.evidence.longest, 'tick')}, not "
            "proved: sb.prove tries that, given a reference and what may arrive."
        )
    yield "Whether a shorter program exists: none was found, which is no proof."


def _repeat(found: Found, search: Search) -> list[str]:
    asked = search.settings
    options = {name: asked[name] for name in ("seed", "starts", "budget") if name in asked}
    given = ", ".join(f"{name}={value!r}" for name, value in options.items())
    given = given or f"seed={found.evidence.seed}"
    lines = [
        "import snakebird as sb",
        "from snakebird.report import write_program",
        "",
        *_examples_again(found.examples, search),
        f"found = sb.synthesize(examples, {given})",
        'write_program(found, "again")',
    ]
    hidden = ("versions", "streams", "question")
    settings = {name: value for name, value in asked.items() if name not in hidden}
    return repeat("\n".join(lines), settings or {"seed": found.evidence.seed}, shell=False)


def _examples_again(examples: Examples, search: Search) -> list[str]:
    if examples.can_draw:
        names = ", ".join(examples.inputs)
        return [f"# examples: those of the reference, with draws of {names}"]
    if not search.settings:
        return ["# examples: those above, all of them"]
    exact = f", tolerance={examples.tolerance}" if examples.tolerance else ""
    late = f", latency={examples.latency}" if examples.latency else ""
    return [f'examples = sb.Examples.read("examples.jsonl"{exact}{late})  # beside this page']
