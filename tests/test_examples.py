"""Every script under examples/ runs as a person would run it, in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def is_slow(script: Path) -> bool:
    """Whether one of the first lines is the comment `# slow`."""
    return "# slow" in script.read_text("utf-8").splitlines()[:5]


def scripts() -> list:
    return [
        pytest.param(path, id=path.name, marks=[pytest.mark.slow] if is_slow(path) else [])
        for path in sorted(EXAMPLES.glob("*.py"))
    ]


@pytest.mark.parametrize("script", scripts())
def test_example(script: Path, tmp_path: Path):
    env = {name: value for name, value in os.environ.items() if name != "JAX_ENABLE_X64"}
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=env | {"MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.fail(f"{done.stdout}\n{done.stderr}", pytrace=False)
