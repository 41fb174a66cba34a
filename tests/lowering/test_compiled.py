"""Compiled programs are forgotten before a process has no memory maps left."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from snakebird.lowering import _compiled

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory maps are counted on Linux")


def _maps() -> int:
    return _compiled.MAPS.read_bytes().count(b"\n")


@linux
def test_compiled_programs_are_kept_while_there_is_room(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_compiled, "PART", 2.0)
    before = _maps()
    assert not _compiled.make_room()
    assert _maps() == before


@linux
def test_they_are_forgotten_once_half_the_maps_are_taken(monkeypatch: pytest.MonkeyPatch):
    one = jnp.ones(3)
    for k in range(20):
        jax.jit(lambda x, k=k: jnp.sin(x) * k)(one)
    before = _maps()
    monkeypatch.setattr(_compiled, "PART", 1e-3)
    assert _compiled.make_room()
    assert _maps() < before


def test_where_maps_cannot_be_counted_nothing_is_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(_compiled, "MAPS", tmp_path / "no such file")
    assert not _compiled.make_room()


@linux
def test_a_forgotten_program_is_compiled_again(monkeypatch: pytest.MonkeyPatch):
    double = jax.jit(lambda x: 2 * x)
    first = double(jnp.ones(3))
    monkeypatch.setattr(_compiled, "PART", 0.0)
    assert _compiled.make_room()
    assert (double(jnp.ones(3)) == first).all()
