"""Every file under examples/extending runs, and docs/extending.md names each of them."""

import re
import runpy
import warnings
from pathlib import Path

import matplotlib as mpl
import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "examples" / "extending").glob("*.py"))


def script_of(path: Path):
    slow = path.read_text("utf-8").startswith("# slow\n")
    return pytest.param(path, id=path.name, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("script", [script_of(path) for path in SCRIPTS])
def test_script(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        runpy.run_path(str(script))


def test_the_page_links_to_every_script():
    page = (ROOT / "docs" / "extending.md").read_text("utf-8")
    linked = set(re.findall(r"\]\(\.\./examples/extending/([a-z_]+\.py)\)", page))
    assert linked == {path.name for path in SCRIPTS}
