"""The pages under docs/reference are those of the source, and every public name is told about."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import snakebird as sb

ROOT = Path(__file__).parents[1]

GIVEN_BACK = {
    "sb.equations.Failure", "sb.equations.Solution", "sb.fitting.Bands", "sb.fitting.Ensemble",
    "sb.fitting.Fit", "sb.fitting.Posterior", "sb.fitting.Profile", "sb.fitting.Statement",
    "sb.fitting.Step", "sb.lowering.Lowered", "sb.lowering.Trace", "sb.machines.Tick",
    "sb.meta.Curve", "sb.meta.LearnedRule", "sb.meta.MetaFit", "sb.meta.Progress",
    "sb.meta.RowUpdate", "sb.meta.Step", "sb.meta.tasks.Lesson", "sb.running.Record",
    "sb.synthesis.Found", "sb.synthesis.Laws", "sb.synthesis.Proof", "sb.synthesis.Task",
    "sb.synthesis.laws.Ranked",
    "sb.synthesis.laws.Reading", "sb.synthesis.laws.Readings", "sb.synthesis.laws.Simplified",
}  # fmt: skip
"""Classes that users are given, and do not call."""

TO_SUBCLASS = {
    "sb.equations.Parameter", "sb.fitting.Noise", "sb.meta.Rule", "sb.meta.Tasks",
    "sb.meta.tasks.Supervised",
}  # fmt: skip
"""Classes and protocols for parts of one's own; docs/extending.md has examples of them."""

IN_PAGES = {
    "sb.as_neuron", "sb.discover", "sb.fitting.ensemble", "sb.fitting.fit_many", "sb.lift",
    "sb.load", "sb.machine_neuron", "sb.machines.from_json", "sb.meta.evaluate",
    "sb.meta.learned_rules", "sb.meta.oracles.BayesUCB", "sb.meta.oracles.NearestMean",
    "sb.meta.oracles.Thompson", "sb.meta.oracles.UCB1", "sb.report.plot_extrapolation",
    "sb.report.plot_fit", "sb.report.plot_history", "sb.report.plot_hole",
    "sb.report.plot_pareto", "sb.report.plot_residuals", "sb.report.program_report",
    "sb.report.write_program", "sb.report.write_report", "sb.save",
    "sb.synthesis.discover_many", "sb.synthesis.laws.simplified", "sb.synthesis.read_hole",
    "sb.testing.machines", "sb.testing.paths", "sb.testing.programs", "sb.testing.spaces",
    "sb.testing.vvalues",
}  # fmt: skip
"""What needs a trained model, a file or Hypothesis: its example is a page, a script or a test."""


def reference() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


REFERENCE = reference()
ENTRIES = {entry.shown: entry for room in REFERENCE.ROOMS for entry in REFERENCE.entries(room)}


def test_pages_are_those_of_the_source():
    pages = REFERENCE.render()
    old = {path.name: path.read_text("utf-8") for path in REFERENCE.PAGES.glob("*.md")}
    stale = sorted(name for name in pages.keys() | old.keys() if pages.get(name) != old.get(name))
    assert not stale, "run `python docs/reference.py`, and look at what changed"


def test_every_export_is_in_the_reference():
    modules = {"motives"}  # a page of its own
    assert not {f"sb.{name}" for name in set(sb._EXPORTS) - modules} - ENTRIES.keys()


def test_every_public_name_has_a_docstring():
    assert not [name for name, entry in ENTRIES.items() if not entry.doc]


def test_what_is_called_has_an_example():
    elsewhere = GIVEN_BACK | TO_SUBCLASS | IN_PAGES
    lacking = {n for n, entry in ENTRIES.items() if entry.called and ">>> " not in entry.doc}
    assert sorted(lacking - elsewhere) == []
    assert sorted(elsewhere - lacking) == [], "these have an example now, or are no longer there"


@pytest.fixture(scope="module")
def elsewhere() -> str:
    """All that is executed besides docstrings: pages, scripts and tests."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    texts = (path.read_text("utf-8") for path in pages)
    blocks = [
        block for text in texts for block in re.findall(r"```python\n.*?```", text, re.DOTALL)
    ]
    folders = (ROOT / folder for folder in ("examples", "tests"))
    scripts = (
        path for folder in folders for path in folder.rglob("*.py") if path != Path(__file__)
    )
    return "\n".join([*blocks, *(path.read_text("utf-8") for path in scripts)])


@pytest.mark.parametrize("name", sorted(IN_PAGES))
def test_the_example_elsewhere_is_there(name: str, elsewhere: str):
    last = name.rpartition(".")[2]
    assert re.search(rf"\b{last}\(", elsewhere)


def test_links_of_the_pages_lead_somewhere():
    for path in REFERENCE.PAGES.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), (path.name, target)


def test_signatures_are_as_one_writes_them():
    node = REFERENCE.ast.parse("def f(a, /, b=1, *c, d: int = 2, **e): 0").body[0]
    entry = REFERENCE.Entry("f", "m", node)
    assert next(REFERENCE.signatures(entry)) == "f(a, /, b=1, *c, d: int = 2, **e)"


def test_fields_are_arguments():
    source = "class C:\n    a: int\n    b: str = field(static=True, default='x')\n    _c: int = 0"
    node = REFERENCE.ast.parse(source).body[0]
    assert REFERENCE.constructor("snakebird.errors", node) == "C(a: int, b: str = 'x')"


def test_a_class_is_made_as_its_base_is():
    entry = ENTRIES["sb.errors.CycleError"]
    made = REFERENCE.constructor(entry.module, entry.node)
    assert made == "CycleError(what: str, where: str = '', hint: str = '')"
