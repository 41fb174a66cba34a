"""The page about a fit: question, data, what was found, what speaks for it, how to repeat it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sympy import Number, Symbol

from snakebird.fitting import Experiment, Fit
from snakebird.report import _page
from snakebird.report._fit_repeat import repeat_fit
from snakebird.report._inline import panels_of
from snakebird.report._limits import limits
from snakebird.report._model_source import model_source, model_words
from snakebird.report._repeat import count, listed

_SHOWN = 10
"""How many laws and experiments the page shows."""

Laws = Mapping[str, Any]


def fit_page(fit: Fit, laws: Laws, figures: Mapping[str, Figure], config: Mapping[str, Any]) -> str:
    """The whole page; `figures` are the pictures by the names of their files."""
    parts = [_answer(fit, laws), *_question(fit), *_data(fit, figures)]
    parts += [*_findings(fit, laws, figures), *_evidence(fit, laws, figures)]
    parts += [*limits(fit, laws), *repeat_fit(fit, laws, config)]
    title = f"Fit of {type(fit.model).__name__}"
    return _page.page(title, parts, kind="Snakebird, report of a fit")


def _picture(figures: Mapping[str, Figure], name: str, caption: str) -> str:
    if name.startswith("laws"):
        figures[name].set_size_inches(5.6, 3.6)
        for legend in filter(None, [figures[name].axes[0].get_legend()]):
            legend.remove()  # the table has the same laws
    return _page.picture(name, panels_of(figures[name]), caption)


# What was found, in short.


def _answer(fit: Fit, laws: Laws) -> str:
    parts = []
    for name in fit.holes:
        if laws.get(name):
            best = laws[name].best
            parts += [_page.law(str(best)), _page.words(sure(laws[name])), *_coefficients(best)]
        else:
            parts.append(_page.words(f"{_sentence_of(fit, name)}; no law for it was looked for."))
    if fit.parameters:
        parts += [_parameters(*_with_law(fit, laws))]
    parts.append(_page.words(ended(fit)))
    return _page.answer(parts)


def _coefficients(law: Any) -> list[str]:
    """The coefficients of a law with their errors, where those are known."""
    rows = [
        [out, _said(term), f"{value:.4g}", _error(law, out, term)]
        for out, own in law.coefficients.items()
        for term, value in own.items()
    ]
    if not any(row[-1] for row in rows):
        return []
    return [_page.table(["", "term", "coefficient", "one standard error"], rows)]


def _said(term: Any) -> str:
    """A term, numbers inside it with four digits."""
    if term == 1:
        return "constant"
    long = [number for number in term.atoms(Number) if len(str(number)) > 6]
    return str(term.xreplace({number: Symbol(f"{float(number):.4g}") for number in long}))


def _error(law: Any, out: str, term: Any) -> str:
    error = law.errors.get(out, {}).get(term)
    if error is None:
        return ""
    return " to ".join(f"{x:.3g}" for x in error) if isinstance(error, tuple) else f"{error:.2g}"


def sure(found: Any) -> str:
    """In a sentence, how sure the best law is."""
    weight = f"{found[0].weight:.0%}"
    if getattr(found, "missed", False):
        return (
            f"The best of {count(len(found), 'law')}, but none of them meets the data as well as "
            "the trained hole does."
        )
    if found.sure:
        return (
            f"The data tell this law from the {count(len(found) - 1, 'other')} that came next: "
            f"probability {weight} among all that were tried."
        )
    return (
        f"The data do not settle which law it is: this one has probability {weight} among those "
        "that were tried."
    )


def _sentence_of(fit: Fit, name: str) -> str:
    hole = fit.holes[name]
    return f"{name} was learned: {listed(hole.outputs)} as a function of {listed(hole.inputs)}"


def ended(fit: Fit) -> str:
    """Whether training is finished."""
    if fit.stopped:
        return f"Training is not finished: {fit.stopped}."
    return f"Training ended by itself after {count(len(fit.history), 'round')}."


def _with_law(fit: Fit, laws: Laws) -> tuple[Fit, str]:
    """The fit whose parameters belong to what was found, and what to call them."""
    if len(fit.holes) == 1 and (own := laws.get(next(iter(fit.holes)))):
        return own[0].fit, "parameter, with this law"
    return fit, "parameter"


def _parameters(fit: Fit, called: str) -> str:
    low, high = _intervals(fit)
    rows = [
        [name, f"{value:.4g}", f"{low[name]:.4g} to {high[name]:.4g}"]
        for name, value in fit.parameters.items()
    ]
    return _page.table([called, "value", "one standard error to both sides"], rows)


def _intervals(fit: Fit) -> tuple[dict[str, float], dict[str, float]]:
    """The parameters one standard error below and above, by Laplace's method.

    Each is shifted on the scale it is trained on, so that it stays within its bounds.
    """
    precision = np.asarray(fit.prior.precision)[0]
    matrix = fit.jacobian.T @ fit.jacobian + np.diag(precision)
    unit = 1 / np.sqrt(np.diagonal(matrix))
    scaled = np.linalg.pinv(matrix * unit[:, None] * unit, hermitian=True)
    error = np.sqrt(np.maximum(np.diagonal(scaled), 0.0)) * unit
    low, high = (replace(fit, vector=fit.vector + sign * error) for sign in (-1, 1))
    return low.parameters, high.parameters


# The question and the data.


def _question(fit: Fit) -> list[str]:
    parts = [_page.heading("The question"), _page.words(_asked(fit))]
    said, source = model_words(fit.model), model_source(fit.model)
    parts += [_page.words(said)] if said else []
    if source:
        names = [re.split(r"[.\[]", name)[0] for name in (*fit.holes, *fit.parameters)]
        known = "Known are these equations; marked is what was left open:"
        parts += [_page.words(known), _page.source(source, marked=[f"self.{n}" for n in names])]
    rows = [[name, ", ".join(h.inputs), ", ".join(h.outputs), *_kind(fit, name)]
            for name, h in fit.holes.items()]  # fmt: skip
    head = ["hole", "a function of", "for", "known of it", "trained as", "numbers"]
    return [*parts, _page.table(head, rows)] if rows else parts


def _asked(fit: Fit) -> str:
    kinds = ((len(fit.parameters), "parameter"), (len(fit.holes), "hole"))
    unknown = [count(number, kind) for number, kind in kinds if number]
    open_ones = f" with {listed(unknown)}" if unknown else ""
    return (
        f"A model {type(fit.model).__name__}{open_ones} was trained to pass through the data. "
        f"{count(len(fit.vector), 'number')} in all were trained, "
        f"{count(fit.problem.layout.count, 'start value')} among them, from "
        f"{count(len(fit.scores), 'start')}."
    )


def _kind(fit: Fit, name: str) -> tuple[str, str, str]:
    hole = fit.holes[name]
    known = [word for word, holds in (("positive", hole.positive), ("conserved", hole.conserved))
             if holds]  # fmt: skip
    trained = sum(own.startswith((f"{name}.", f"{name}[")) for own in fit.problem.vector.names)
    return ", ".join(known) or "nothing", type(hole.model).__name__, str(trained)


def _data(fit: Fit, figures: Mapping[str, Figure]) -> list[str]:
    data = fit.data
    seen = sum(int(np.isfinite(one.table).sum()) for one in data)
    about = f"{count(len(data), 'experiment')}: {count(seen, 'observation')} of "
    parts = [
        _page.heading("The data"),
        _page.words(f"{about}{listed(data.names)}."),
        _picture(figures, "data", "What was observed. Point at it for the numbers."),
        _page.table(["experiment", "times", "observations", *data.conditions],
                    [_row(one) for one in data[:_SHOWN]]),
    ]  # fmt: skip
    if len(data) > _SHOWN:
        parts.append(_page.words(f"... and {len(data) - _SHOWN} more."))
    return parts


def _row(one: Experiment) -> list[str]:
    seen = int(np.isfinite(one.table).sum())
    times = f"{one.times[0]:g} to {one.times[-1]:g}"
    return [one.name, times, str(seen), *(f"{value:g}" for value in one.conditions.values())]


# What was found, in pictures.


def _findings(fit: Fit, laws: Laws, figures: Mapping[str, Figure]) -> list[str]:
    parts = [
        _page.heading("The fit"),
        _picture(figures, "fit", "Points are data, lines the model; in the band should lie 19 of "
                 "20 observations."),
    ]  # fmt: skip
    for number, name in enumerate(fit.holes, 1):
        parts.append(_page.heading(f"The hole {name}", level=3))
        parts.append(_picture(figures, f"hole-{number}", _of_hole(fit, name)))
        if laws.get(name):
            parts += [*_laws(laws[name]), _picture(figures, f"laws-{number}", _PARETO)]
    return parts


_PARETO = (
    "Terms of each law against minus twice its log likelihood; low is better. Large points are "
    "probable laws, the line joins the best for each number of terms."
)


def _of_hole(fit: Fit, name: str) -> str:
    many = len(fit.holes[name].inputs)
    where = "dots mark where the data led it" if many == 2 else "gray is where no data led it"
    return f"{_sentence_of(fit, name)}. Beyond the data it is a guess: {where}."


def _laws(found: Any) -> list[str]:
    rows = [
        [str(rank), _page.law(str(one.law)), str(one.terms), f"{one.loss:.2f}", f"{one.score:.2f}",
         f"{one.weight:.1%}"]
        for rank, one in enumerate(found, 1)
        if rank <= _SHOWN
    ]  # fmt: skip
    head = ["rank", "law", "terms", "−2 log likelihood", "score", "probability"]
    parts = [_page.heading("Laws for it", level=3), _page.table(head, rows)]
    if len(found) > _SHOWN:
        parts.append(_page.words(f"... and {len(found) - _SHOWN} more, in laws.json."))
    return [*parts, _page.folded("The best law as Python", [_page.source(found.best.python())])]


# What speaks for it.


def _evidence(fit: Fit, laws: Laws, figures: Mapping[str, Figure]) -> list[str]:
    return [
        _page.heading("Evidence"),
        *_noise(fit),
        _picture(figures, "residuals", "Residuals in units of the noise. If the model is right, "
                 "they have no pattern in time, and 19 of 20 lie between the dashed lines."),
        *_course(fit),
        _picture(figures, "history", "Cost and noise sizes, round by round. The cost may rise: it "
                 "is measured in the noise, which shrinks."),
    ]  # fmt: skip


def _noise(fit: Fit) -> list[str]:
    kinds = [type(kind).__name__ for kind in fit.problem.noise]
    given = [kind.size is not None for kind in fit.problem.noise]
    scale = fit.data.scale()
    rows = [
        [name, kind, f"{size:.4g}", "given" if known else "found", f"{scale[name]:.4g}"]
        for (name, size), kind, known in zip(fit.noise.items(), kinds, given, strict=True)
    ]
    return [
        _page.heading("Noise", level=3),
        _page.words("How far observations scatter about the model."),
        _page.table(["column", "kind", "size", "", "spread of the data"], rows),
    ]


def _course(fit: Fit) -> list[str]:
    seconds: dict[str, list[float]] = {}
    for step in fit.history:
        seconds.setdefault(step.stage, []).append(step.seconds)
    rows = [[stage, str(len(own)), f"{sum(own):.1f}"] for stage, own in seconds.items()]
    return [
        _page.heading("How training went", level=3),
        _page.table(["stage", "rounds", "seconds"], rows),
    ]
