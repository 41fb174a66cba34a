"""Loading a file runs nothing of it: no pickle anywhere, and user code only where it is said."""

import ast
from pathlib import Path

import snakebird

SOURCES = sorted(Path(snakebird.__file__).parent.rglob("*.py"))
FORBIDDEN = {
    "pickle",
    "cPickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "jsonpickle",
}
RUNNING = {"eval", "exec", "compile", "__import__"}
MEANT = {"cli/_user.py"}
"""The one place that runs a user's file, which the command says."""


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def running(tree: ast.AST) -> set[str]:
    """Calls that run text or files, and arguments that let NumPy run pickles."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func
            if isinstance(name, ast.Name) and name.id in RUNNING:
                found.add(name.id)
            if isinstance(name, ast.Attribute) and name.attr in ("run_path", "run_module"):
                found.add(name.attr)
            for word in node.keywords:
                plain = isinstance(word.value, ast.Constant) and word.value.value is False
                if word.arg == "allow_pickle" and not plain:
                    found.add("allow_pickle")
    return found


def test_there_are_sources():
    assert len(SOURCES) > 100


def test_nothing_imports_a_module_that_runs_what_it_reads():
    for path in SOURCES:
        assert not imported(ast.parse(path.read_bytes())) & FORBIDDEN, path


def test_only_a_file_that_is_code_is_run():
    root = Path(snakebird.__file__).parent
    found = {str(path.relative_to(root)): running(ast.parse(path.read_bytes())) for path in SOURCES}
    assert {path for path, names in found.items() if names} == MEANT


def test_the_search_sees_what_it_should():
    source = "import pickle.x\nfrom dill import y\neval('1')\nnp.load(f, allow_pickle=True)"
    assert imported(ast.parse(source)) & FORBIDDEN == {"pickle", "dill"}
    assert running(ast.parse(source)) == {"eval", "allow_pickle"}
