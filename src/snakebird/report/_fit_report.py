"""A fit as a folder: one page to read, pictures, laws and numbers as files."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from snakebird.errors import InputError
from snakebird.fitting import Fit
from snakebird.fitting._keeping import archive, write_whole
from snakebird.report._fit_page import fit_page
from snakebird.report._fit_plots import draw_data, draw_fit, plot_history, plot_residuals
from snakebird.report._hole_plots import chosen_hole, draw_hole, plot_pareto
from snakebird.report._repeat import versions
from snakebird.report._solution import solved

PAGE, LAWS, CONFIG, WEIGHTS = "report.html", "laws.json", "config.json", "model.npz"


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
    figures = _figures(fit, laws)
    drawn = {name: _svg(figure) for name, figure in figures.items()}
    for old in (folder / "plots").glob("*.svg"):
        old.unlink()
    for name, svg in drawn.items():
        write_whole(folder / "plots" / f"{name}.svg", svg.encode())
    _write_json(folder / LAWS, {hole: _entries(found) for hole, found in laws.items()})
    settings = {**_config(fit), **config}
    _write_json(folder / CONFIG, settings)
    write_whole(folder / WEIGHTS, archive(_weights(fit)))
    write_whole(folder / PAGE, fit_page(fit, laws, figures, settings).encode())


def _by_hole(fit: Fit, laws: Any) -> dict[str, Any]:
    """The laws by the names of their holes."""
    each = [laws] if hasattr(laws, "hole") else laws
    return {chosen_hole(fit, one.hole): one for one in each}


def _figures(fit: Fit, laws: Mapping[str, Any]) -> dict[str, Figure]:
    """All pictures by the names of their files."""
    solution = solved(fit)
    found = {
        "data": draw_data(fit.data),
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
    write_whole(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def _entries(found: Any) -> list[dict[str, Any]]:
    """Laws as they are written to a file."""
    return [
        {
            "law": str(one.law),
            "latex": one.law.latex(),
            "coefficients": _by_name(one.law.coefficients),
            "errors": _by_name(one.law.errors),
            "python": one.law.python(),
            "score": float(one.score),
            "weight": float(one.weight),
            "terms": int(one.terms),
            "loss": float(one.loss),
        }
        for one in found
    ]


def _by_name(numbers: Mapping[str, Mapping[Any, Any]]) -> dict[str, dict[str, Any]]:
    return {
        out: {str(term): np.asarray(value).tolist() for term, value in own.items()}
        for out, own in numbers.items()
    }


def _config(fit: Fit) -> dict[str, Any]:
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
        "versions": versions(),
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
