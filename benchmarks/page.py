"""The page of results: what it comes to, in one table and two pictures, then every row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

plt.rcParams["svg.hashsalt"] = "benchmarks"

Found = dict[str, Any]


def write(found: Found, titles: dict[str, str], folder: Path) -> None:
    """Write `README.md` and its pictures for the results that are there."""
    if "growth" in found:
        draw_growth(found["growth"]["rows"], folder / "growth.svg")
    draw_overview(found, folder / "overview.svg")
    (folder / "README.md").write_text(page(found, titles))


def page(found: Found, titles: dict[str, str]) -> str:
    """The whole page; each benchmark with the day, the machine and the versions."""
    parts = [
        "# Benchmarks", "", "Written by `python -m benchmarks`; medians of runs in turn.", "",
        "## In short", "", table(_short(found, titles)), "",
        "![ratios to rivals, programs found, laws found](overview.svg)", "",
    ]  # fmt: skip
    if "growth" in found:
        parts += ["![cost of a tick](growth.svg)", ""]
    for name, result in found.items():
        parts += [f"## {titles[name]}", "", f"{result['date']}; {result['machine']}", ""]
        rows = result["rows"]
        for part in rows.values() if isinstance(rows, dict) else [rows]:
            parts += [table(part), ""]
    return "\n".join(parts).rstrip() + "\n"


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as a Markdown table."""
    heads = list(rows[0])
    shown = [[_cell(row[head]) for head in heads] for row in rows]
    lines = [heads, ["---"] * len(heads), *shown]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _short(found: Found, titles: dict[str, str]) -> list[dict[str, Any]]:
    """A row for each benchmark that has a headline, linked to its section."""
    rows = []
    for name, headline in HEADLINES.items():
        if name in found:
            link = f"[{titles[name]}](#{_anchor(titles[name])})"
            rows.append({"what": link, "figure": headline(found[name]["rows"])})
    return rows


def _anchor(title: str) -> str:
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def _sum(rows: list[dict[str, Any]], column: str) -> int:
    return sum(_count(row[column]) for row in rows)


def _count(value: Any) -> int:
    """A number of a row, 0 where it has none."""
    return value if isinstance(value, int) else 0


def _learning(rows: dict[str, list[dict[str, Any]]]) -> str:
    """What the machine that edits its own rows comes to on each rung."""
    own = {rung: next(r for r in part if _is_ours(r)) for rung, part in rows.items()}
    frozen = next((r for r in rows.get("M4", []) if "frozen" in r["rule"]), None)
    says: dict[str, Callable[[dict[str, Any]], str]] = {
        "M1": lambda r: f"sinusoids, 5 points: {r['K=5']:.2g}",
        "M2": lambda r: f"regression: at worst {r['worst ratio to ridge']:.2f} of ridge's loss",
        "M4": lambda r: (
            f"switches: {frozen['mean loss'] / r['mean loss'] if frozen else 0:.1f} times better "
            "than with its Self frozen"
        ),
        "M5": lambda r: f"digits in sequence: {r['after 5 pairs']} right",
        "M6": lambda r: f"optimizer on 50 steps: {r['ratio to Adam']:.2f} of tuned Adam's loss",
        "M7": lambda r: f"bandits, 10 arms: regret {r['10 arms, 100 pulls']:.1f}",
    }
    return "; ".join(says[rung](row) for rung, row in own.items() if rung in says)


def _is_ours(row: dict[str, Any]) -> bool:
    return row.get("rule", "rows") in ("rows", "rows that forget", "learned index")


def _found_by(rows: list[dict[str, Any]], how: str) -> int:
    """For how many tasks a method has a program."""
    return sum(row[how] != "-" for row in rows)


def _right_far(rows: list[dict[str, Any]], net: str) -> int:
    """In how many tasks a net is right on all sequences at the greatest length."""
    return sum(float(row[net].split(", ")[-1]) == 1 for row in rows)


def _each(form: str) -> Callable[[list[dict[str, Any]]], str]:
    """A headline that says the same of every row."""
    return lambda rows: "; ".join(form.format_map(row) for row in rows)


HEADLINES: dict[str, Callable[[Any], str]] = {
    "training": _each("{machine}: {ours (ms):.2g} ms, {ratio to plain:.2f} of a scan by hand"),
    "compile": lambda rows: (
        f"{rows[0]['compile (s)']:.2f} s for {rows[0]['ticks']} ticks, "
        f"{rows[-1]['compile (s)']:.2f} s for {rows[-1]['ticks']:,}"
    ),
    "memory": lambda rows: (
        f"with checkpoints {rows[-1]['checkpoint (MB)']:.2f} MB for {rows[-1]['ticks']:,} ticks, "
        f"{rows[-1]['checkpoint (MB)'] / rows[0]['checkpoint (MB)']:.1f} of that for "
        f"{rows[0]['ticks']}"
    ),
    "copies": lambda rows: "; ".join(
        f"{row['copies']}: {row['loop / vmap']:.0f}" for row in rows if "small, 12" in row["copies"]
    ),
    "sparse": _each(
        "{neurons:,} neurons: {ours (us/tick):.0f} us a tick, {ratio:.2f} of SciPy and NumPy"
    ),
    "self_modifying": lambda rows: "; ".join(
        f"{row['what']}, {row['neurons']} neurons: {row['ratio']:.2f} of a fixed matrix"
        for row in rows["a tick"]
    ),
    "layers": _each("{layer}: {ratio:.2f} of Equinox"),
    "solves": lambda rows: "; ".join(
        f"{row['ours / theirs']:.2f} of diffrax ({size} trajectories)"
        for size, part in rows.items()
        for row in part
        if row["solver"] == "diffrax, vmap"
    ),
    "recovery": lambda rows: "; ".join(
        f"{row['noise']} noise: form first in {row['form first']}" for row in rows["LV-1"]
    ),
    "problems": lambda rows: f"{len(rows)} problems, in the table",
    "synthesis": lambda rows: (
        f"{len(rows)} tasks, {_sum(rows, 'runs')} runs: {_sum(rows, 'verified')} verified, "
        f"{_sum(rows, 'exact at 100 times the length')} exact at 100 times the length, "
        f"{_sum(rows, 'proven')} proven for all inputs"
    ),
    "synthesis_rivals": lambda rows: (
        f"of {len(rows)} tasks, 30 s each: gradients alone {_found_by(rows, 'gradient alone')}, "
        f"evolution alone {_found_by(rows, 'evolution alone')}; all answers right at 100 times the "
        f"length: LSTM {_right_far(rows, 'LSTM')}, GRU {_right_far(rows, 'GRU')}"
    ),
    "few_strings": _each(
        "{from}: {proven for all texts} of {runs} proven for all texts, {refuted} refuted"
    ),
    "repairs": lambda rows: f"{_sum(rows, 'exact again')} of {_sum(rows, 'damages')} exact again",
    "learning_rules": lambda rows: "; ".join(
        [f"delta rule in {r['delta rule']} of {r['runs']}" for r in rows["recall"]]
        + [
            f"normalized least mean squares in {r['normalized least mean squares']} of {r['runs']}"
            for r in rows["regression"]
        ]
    ),
    "learning": lambda rows: _learning(rows),
    "faults": lambda rows: (
        f"{_sum(rows['faults'], 'tried'):,} faults tried, {_sum(rows['faults'], 'kills')} kills "
        f"among them, {_sum(rows['faults'], 'lost')} lost"
    ),
    "fuzzing": lambda rows: (
        f"{_sum(rows, 'inputs'):,} inputs to {len(rows)} readers, {_sum(rows, 'failures')} failures"
    ),
}
"""One line for each benchmark, from its rows."""


def draw_overview(found: Found, path: Path) -> None:
    """Ratios to rivals, programs found and proven, laws found by noise, as one picture."""
    figure, axes = plt.subplots(
        1, 3, figsize=(13, 5), layout="constrained", width_ratios=(1.1, 1.3, 0.8)
    )
    _draw_ratios(axes[0], found)
    _draw_tasks(axes[1], found)
    _draw_recovery(axes[2], found)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _ratios(found: Found) -> dict[str, float]:
    rows = lambda name: found.get(name, {"rows": []})["rows"]
    ratios = {f"step, {r['machine']}": r["ratio to plain"] for r in rows("training")}
    ratios |= {f"sparse, {r['neurons']:,} neurons": r["ratio"] for r in rows("sparse")}
    ratios |= {f"layer, {r['layer']}": r["ratio"] for r in rows("layers")}
    solves = rows("solves") or {}
    for size, part in solves.items():
        for row in part:
            if row["solver"] == "diffrax, vmap":
                ratios[f"solve, {size} trajectories"] = row["ours / theirs"]
    return ratios


def _draw_ratios(axis: Any, found: Found) -> None:
    ratios = _ratios(found)
    axis.barh(list(ratios), list(ratios.values()), color="#56B4E9")
    axis.axvline(1, color="0.3", linewidth=1)
    axis.set(xscale="log", title="time, as a part of the rival's")
    axis.invert_yaxis()


def _draw_tasks(axis: Any, found: Found) -> None:
    rows = found.get("synthesis", {"rows": []})["rows"]
    names = [row["task"].partition(",")[0][:36] for row in rows]
    axis.barh(names, [row["runs"] for row in rows], color="0.9", label="runs")
    axis.barh(names, [row["verified"] for row in rows], color="#56B4E9", label="verified")
    axis.barh(
        names, [_count(row["proven"]) for row in rows], color="#0072B2", height=0.4, label="proven"
    )
    axis.set(title="programs from examples")
    axis.tick_params(axis="y", labelsize=7)
    axis.invert_yaxis()
    axis.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.05))


def _draw_recovery(axis: Any, found: Found) -> None:
    cases = found.get("recovery", {"rows": {}})["rows"]
    percent = lambda text: float(text.rstrip("%"))
    for case, rows in cases.items():
        noise = [percent(row["noise"]) for row in rows]
        axis.plot(noise, [percent(row["form first"]) for row in rows], "o-", label=case)
    axis.set(xlabel="noise, %", ylabel="true form first, % of draws", title="laws", ylim=(-3, 103))
    axis.legend(frameon=False)


def draw_growth(growth: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Microseconds a tick against each size, as one picture."""
    figure, axes = plt.subplots(1, 4, figsize=(12, 3), sharey=True, layout="constrained")
    for axis, (name, rows) in zip(axes, growth.items(), strict=True):
        axis.loglog([row[name] for row in rows], [row["us/tick"] for row in rows], "o-")
        axis.set_xlabel(name)
        axis.grid(True, alpha=0.3)
    axes[0].set_ylabel("microseconds a tick")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
