"""A fit as a folder: one page to read, pictures, laws and numbers as files."""

import io
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from snakebird.errors import InputError
from snakebird.fitting import Fit
from snakebird.report import _page
from snakebird.report._fit_plots import draw_fit, plot_history, plot_residuals
from snakebird.report._hole_plots import chosen_hole, draw_hole, plot_pareto
from snakebird.report._solution import solved

PAGE, LAWS, CONFIG, WEIGHTS = "report.html", "laws.json", "config.json", "model.npz"
_SHOWN = 10
"""How many laws, and how many experiments' start values, the page shows."""


def write_report(
    fit: Fit, folder: str | Path, *, laws: Any = (), config: Mapping[str, Any] | None = None
) -> Path:
    """Write all about a fit into a folder; returns the path of the page.

    `laws` are the `Laws` that were discovered for a hole, or a list of them.

    * `report.html`: what was fitted and found, in words, tables and pictures, in one file;
    * `plots/*.svg`: the pictures;
    * `laws.json`: hole -> its laws, as text, LaTeX and Python, best first;
    * `config.json`: what was fitted, with which versions, and what `config` adds;
    * `model.npz`: every trained number (`vector`) with its name (`names`).

    Raises `InputError` for a folder that cannot be written.
    """
    folder = Path(folder)
    try:
        (folder / "plots").mkdir(parents=True, exist_ok=True)
        _write(fit, folder, _by_hole(fit, laws), config or {})
    except OSError as error:
        raise InputError(
            f"cannot write here: {error.strerror}", str(folder), "choose another folder"
        ) from None
    return folder / PAGE


def _write(fit: Fit, folder: Path, laws: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    drawn = {name: _svg(figure) for name, figure in _figures(fit, laws).items()}
    for old in (folder / "plots").glob("*.svg"):
        old.unlink()
    for name, svg in drawn.items():
        (folder / "plots" / f"{name}.svg").write_text(svg, "utf-8")
    _write_json(folder / LAWS, {hole: _entries(found) for hole, found in laws.items()})
    _write_json(folder / CONFIG, {**_config(fit), **config})
    np.savez(folder / WEIGHTS, **_weights(fit))
    beside = folder / f"{PAGE}.tmp"
    beside.write_text(_page_of(fit, laws, drawn), "utf-8")
    os.replace(beside, folder / PAGE)


def _by_hole(fit: Fit, laws: Any) -> dict[str, Any]:
    """The laws by the names of their holes."""
    each = [laws] if hasattr(laws, "hole") else laws
    return {chosen_hole(fit, one.hole): one for one in each}


def _figures(fit: Fit, laws: Mapping[str, Any]) -> dict[str, Figure]:
    """All pictures by the names of their files."""
    solution = solved(fit)
    found = {
        "fit": draw_fit(fit, solution),
        "residuals": plot_residuals(fit),
        "history": plot_history(fit),
    }
    for number, name in enumerate(fit.holes, 1):
        best = laws[name].best if laws.get(name) else None
        found[f"hole-{number}"] = draw_hole(fit, name, solution, best)
        if laws.get(name):
            found[f"laws-{number}"] = plot_pareto(laws[name])
    return found


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _entries(found: Any) -> list[dict[str, Any]]:
    """Laws as they are written to a file."""
    return [
        {
            "law": str(one.law),
            "latex": one.law.latex(),
            "python": one.law.python(),
            "score": float(one.score),
            "weight": float(one.weight),
            "terms": int(one.terms),
            "loss": float(one.loss),
        }
        for one in found
    ]


def _config(fit: Fit) -> dict[str, Any]:
    packages = ("snakebird", "jax", "equinox", "diffrax", "numpy")
    return {
        "model": type(fit.model).__name__,
        "columns": list(fit.data.names),
        "conditions": list(fit.data.conditions),
        "experiments": {one.name: len(one) for one in fit.data},
        "noise": {
            name: type(kind).__name__
            for name, kind in zip(fit.data.names, fit.problem.noise, strict=True)
        },
        "solver": str(fit.problem.solver),
        "stages": list(dict.fromkeys(step.stage for step in fit.history)),
        "starts": len(fit.scores),
        "stopped": fit.stopped,
        "versions": {name: version(name) for name in packages},
    }


def _weights(fit: Fit) -> dict[str, Any]:
    names = [*fit.problem.vector.names, *_start_names(fit)]
    return {
        "vector": fit.vector,
        "names": np.array(names),
        "columns": np.array(fit.data.names),
        "noise": np.array(list(fit.noise.values())),
        "scores": fit.scores,
    }


def _start_names(fit: Fit) -> list[str]:
    """The names of the trained start values, in the order of the vector."""
    free = fit.problem.layout.free
    with jax.enable_x64(True):
        tree = fit.problem.unravel(np.arange(float(free.shape[1])))
    entries = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        key = jax.tree_util.keystr(path)
        for index, entry in np.ndenumerate(np.asarray(leaf, int)):
            entries[int(entry)] = key + (f"[{', '.join(map(str, index))}]" if index else "")
    names = [""] * fit.problem.layout.count
    for (lane, entry), place in np.ndenumerate(free):
        if place >= 0:
            names[place] = f"start of {fit.data[lane].name}{entries[entry]}"
    return names


def _page_of(fit: Fit, laws: Mapping[str, Any], drawn: Mapping[str, str]) -> str:
    parts = [*_overview(fit), _page.picture(drawn["fit"], "data and the curves of the model")]
    parts += _noise(fit)
    parts.append(_page.picture(drawn["residuals"], "residuals against time"))
    parts += _parameters(fit)
    for number, name in enumerate(fit.holes, 1):
        parts += _hole(fit, name)
        parts.append(_page.picture(drawn[f"hole-{number}"], f"what the hole {name} has learned"))
        if laws.get(name):
            parts += _laws(laws[name])
            parts.append(_page.picture(drawn[f"laws-{number}"], "terms against cost of the laws"))
    parts += _course(fit)
    parts.append(_page.picture(drawn["history"], "cost and noise sizes, round by round"))
    return _page.page(f"Fit of {type(fit.model).__name__}", parts)


def _overview(fit: Fit) -> list[str]:
    data = fit.data
    seen = sum(int(np.isfinite(one.table).sum()) for one in data)
    kinds = ((len(fit.parameters), "parameter"), (len(fit.holes), "hole"))
    unknown = [_count(number, kind) for number, kind in kinds if number]
    trained = f" with {_listed(unknown)}" if unknown else ""
    return [
        _page.words(
            f"A model {type(fit.model).__name__}{trained} was trained on "
            f"{_count(len(data), 'experiment')}: {_count(seen, 'observation')} of "
            f"{_listed(data.names)}. {_count(len(fit.vector), 'number')} in all were trained, "
            f"{_count(fit.problem.layout.count, 'start value')} among them, from "
            f"{_count(len(fit.scores), 'start')}. {_ended(fit)}"
        ),
        _page.words(
            "Points are data, lines the model; in the band should lie 19 of 20 observations."
        ),
    ]


def _ended(fit: Fit) -> str:
    if fit.stopped:
        return f"Training is not finished: {fit.stopped}."
    return f"Training ended by itself after {_count(len(fit.history), 'round')}."


def _noise(fit: Fit) -> list[str]:
    kinds = [type(kind).__name__ for kind in fit.problem.noise]
    given = [kind.size is not None for kind in fit.problem.noise]
    scale = fit.data.scale()
    rows = [
        [name, kind, f"{size:.4g}", "given" if known else "found", f"{scale[name]:.4g}"]
        for (name, size), kind, known in zip(fit.noise.items(), kinds, given, strict=True)
    ]
    return [
        _page.heading("Noise"),
        _page.words(
            "How far observations scatter about the model. If the model is right, the residuals "
            "below have no pattern in time, and 19 of 20 lie between the dashed lines."
        ),
        _page.table(["column", "kind", "size", "", "spread of the data"], rows),
    ]


def _parameters(fit: Fit) -> list[str]:
    if not fit.parameters:
        return []
    low, high = _intervals(fit)
    rows = [
        [name, f"{value:.5g}", f"{low[name]:.5g} .. {high[name]:.5g}"]
        for name, value in fit.parameters.items()
    ]
    return [
        _page.heading("Parameters"),
        _page.words(
            "The interval is one standard error to both sides, from the curvature of the cost."
        ),
        _page.table(["name", "value", "interval"], rows),
    ]


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


def _hole(fit: Fit, name: str) -> list[str]:
    hole = fit.holes[name]
    count = sum(entry.startswith((f"{name}.", f"{name}[")) for entry in fit.problem.vector.names)
    kind = type(hole.model).__name__
    return [
        _page.heading(f"The hole {name}"),
        _page.words(
            f"{_listed(hole.outputs)} as an unknown function of {_listed(hole.inputs)}: a {kind} "
            f"of {_count(count, 'trained number')}. What it says is worth something where the "
            "data led it, and a guess elsewhere."
        ),
    ]


def _laws(found: Any) -> list[str]:
    rows = [
        [str(rank), str(one.law), str(one.terms), f"{one.loss:.2f}", f"{one.score:.2f}",
         f"{one.weight:.1%}"]
        for rank, one in enumerate(found, 1)
        if rank <= _SHOWN
    ]  # fmt: skip
    parts = [
        _page.heading("Laws for it", level=3),
        _page.code(str(found.best)),
        _page.words(_sure(found)),
        _page.table(["rank", "law", "terms", "-2 log likelihood", "score", "weight"], rows),
    ]
    if len(found) > _SHOWN:
        parts.append(_page.words(f"... and {len(found) - _SHOWN} more, in {LAWS}."))
    return [*parts, _page.words("The best as Python:"), _page.code(found.best.python())]


def _sure(found: Any) -> str:
    if found.sure:
        return "The data tell this law from all others that were tried."
    return (
        "The data do not settle which law it is: the weights below are the probabilities of those "
        "that were tried."
    )


def _course(fit: Fit) -> list[str]:
    seconds: dict[str, list[float]] = {}
    for step in fit.history:
        seconds.setdefault(step.stage, []).append(step.seconds)
    rows = [[stage, str(len(own)), f"{sum(own):.1f}"] for stage, own in seconds.items()]
    return [
        _page.heading("How training went"),
        _page.words(_ended(fit)),
        _page.table(["stage", "rounds", "seconds"], rows),
    ]


def _listed(names: Iterable[str]) -> str:
    *first, last = [*names] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
