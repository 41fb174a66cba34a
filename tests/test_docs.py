"""The Python blocks of the README and of every page under docs/ run, and so do docstrings."""

import ast
import doctest
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
SLOW = {
    "coming_from_diffrax.md", "coming_from_dmm_papers.md", "coming_from_julia.md", "composing.md",
    "equations.md", "first_hole.md", "fitting.md", "from_examples_to_program.md",
    "from_machine_to_jax_and_back.md", "laws.md", "learning_to_learn.md", "programs.md",
}  # fmt: skip
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [path for path in TEXTS if "```python\n" in path.read_text("utf-8")]
MODULES = [path for path in sorted(SOURCE.rglob("*.py")) if ">>> " in path.read_text("utf-8")]


def python_of(page: str) -> str:
    """The page with everything blanked out but its Python blocks, each line where it was."""
    lines: list[str] = []
    fence: str | None = None
    for line in page.splitlines():
        if fence is None:
            opened = re.fullmatch(r"( *)```python\s*", line)
            fence = opened and opened[1]
            lines.append("")
        elif line.strip() == "```":
            fence = None
            lines.append("")
        else:
            lines.append(line.removeprefix(fence))
    return "\n".join(lines) + "\n"


def docstrings(module: str) -> list[tuple[str, int, str]]:
    """Name, line and text of each docstring that holds an example, decorated or not."""
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(module)) if isinstance(node, holders)]
    found = [
        (getattr(node, "name", "module"), node.body[0].lineno - 1, ast.get_docstring(node))
        for node in nodes
    ]
    return [(name, line, text) for name, line, text in found if text and ">>> " in text]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def page_of(path: Path):
    slow = path.name in SLOW
    return pytest.param(path, id=relative(path), marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("page", [page_of(path) for path in PAGES])
def test_page(page: Path, tmp_path: Path):
    script = tmp_path / f"{page.stem}.py"
    script.write_text(python_of(page.read_text("utf-8")), "utf-8")
    # In a process of its own, with JAX as a reader has it.
    env = {name: value for name, value in os.environ.items() if name != "JAX_ENABLE_X64"}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    if done.returncode:
        pytest.fail(done.stderr.replace(str(script), str(page)), pytrace=False)


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_docstrings(path: Path):
    name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    for holder, line, text in docstrings(path.read_text("utf-8")):
        examples = doctest.DocTestParser().get_doctest(
            text, dict(vars(module)), f"{name}.{holder}", str(path), line
        )
        runner.run(examples, out=report.append)
    if report:
        pytest.fail("".join(report), pytrace=False)


@pytest.mark.parametrize("path", TEXTS, ids=relative)
def test_links_lead_somewhere(path: Path):
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        file, _, heading = target.partition("#")
        if ":" in file:
            continue
        found = path.parent / file if file else path
        assert found.exists(), target
        assert not heading or heading in headings(found), target


def headings(path: Path) -> set[str]:
    """Where the headings of a page can be jumped to; of equal ones the later have a number."""
    found: list[str] = []
    for title in re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE):
        found.append(re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-"))
    return {f"{a}-{found[:k].count(a)}" if a in found[:k] else a for k, a in enumerate(found)}


def test_a_page_keeps_its_line_numbers():
    page = "one\n```python\nx = 1\n```\n- item\n  ```python\n  y = x\n  ```\n```text\nz\n```\n"
    assert python_of(page) == "\n\nx = 1\n\n\n\ny = x\n\n\n\n\n"
