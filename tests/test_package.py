"""What is installed is what was written: the wheel holds the whole package."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_holds_the_package(tmp_path: Path):
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, cwd=tmp_path)
    [wheel] = tmp_path.glob("snakebird-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    [metadata] = {name.split("/")[0] for name in packed if ".dist-info/" in name}
    source = ROOT / "src"
    written = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}
    assert written | {"snakebird/py.typed"} <= packed
    assert {f"{metadata}/licenses/LICENSE", f"{metadata}/entry_points.txt"} <= packed
