"""Machines as files, and the command called in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import snakebird as sb
from snakebird.cli import main


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys, monkeypatch, tmp_path: Path) -> Callable[..., Done]:
    """Calls the command in an empty folder; gives its exit code, output and error output."""
    monkeypatch.chdir(tmp_path)

    def call(*args: str) -> Done:
        capsys.readouterr()
        code = main(args)
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return call


@pytest.fixture
def letters(tmp_path: Path) -> str:
    @sb.machine
    def repeats(char: sb.Tokens("abc. ")):
        counts = sb.accumulate(char)
        return {"repeats": sb.relu(sb.max_norm(counts) - 1), "counts": counts}

    sb.save(repeats, tmp_path / "letters.json")
    return "letters.json"


@pytest.fixture
def sums(tmp_path: Path) -> str:
    @sb.machine
    def sums(x: float, y: float):
        return {"sum": x + y, "total": sb.accumulate(x - y)}

    sb.save(sums, tmp_path / "sums.json")
    return "sums.json"


@pytest.fixture
def growing(tmp_path: Path) -> str:
    @sb.machine
    def clicks(click: sb.Numbers("x", "y")):
        return {"list": sb.cons(signal=click).list}

    sb.save(clicks, tmp_path / "clicks.json")
    return "clicks.json"
